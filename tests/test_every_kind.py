"""Laws over every kind of tier and of promise: a new kind is held to them as soon as a scenario in tests/kinds/ has one."""

import functools
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from perfplan import promises
from perfplan.artifacts import configs, files
from perfplan.artifacts.k6 import threshold_problem
from perfplan.checklist import ITEMS
from perfplan.document import document, to_json
from perfplan.document.findings import findings
from perfplan.items import ids
from perfplan.models.simulate import Arrivals, percentiles
from perfplan.models.times.latency import percentiles_s
from perfplan.operate import TENDED, WATCHED, tended, watched
from perfplan.plan import plan, with_counts
from perfplan.plan.paths import carry
from perfplan.plan.resources import lead_time_s
from perfplan.quantity import Quantity
from perfplan.reading import BadScenario, read
from perfplan.record import Choice, but, declared
from perfplan.stated import parse
from perfplan.study import study
from perfplan.study.ladder import ladder
from perfplan.study.verify import system
from perfplan.tiers import KINDS, Cache, Service, bought_of, kind_of
from perfplan.tiers.place import Place
from tests.conftest import unsearched

FILES = sorted((Path(__file__).parent / "kinds").glob("*.yaml"))
LOADS = np.array([[1.0, 50.0, 150.0, 250.0, 300.0, 400.0, 800.0]])


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def scenario(request):
    return read(request.param).at()


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def made(request):
    """A study of each, in few worlds."""
    return study(read(request.param), worlds=30)


def test_every_kind_stands_in_a_scenario():
    scenarios = [read(path).at() for path in FILES]
    assert {type(tier) for one in scenarios for tier in one.tiers.values()} == set(KINDS) == set(TENDED)
    assert {type(promise) for one in scenarios for promise in one.objectives.values()} == set(promises.KINDS) == set(WATCHED)


def test_more_load_is_never_faster_nor_cheaper(scenario):
    made = plan(scenario, LOADS, percentiles=())
    for path in made.carried.journeys.values():
        for values in percentiles_s(path, (0.5, 0.95, 0.99), LOADS.shape):
            assert (np.diff(np.nan_to_num(values, posinf=1e9)) >= -1e-5 * values[:, :-1].clip(max=1e9)).all()  # noise of the series
    for name, cost in made.cost_usd.items():
        assert (np.diff(cost) >= -1e-9).all(), name
    for resource in made.resources.values():
        assert (np.diff(resource.utilization) >= -1e-12).all()


def test_no_promise_is_kept_at_more_load_where_it_is_not_at_less(scenario):
    made = plan(scenario, LOADS, percentiles=(), both=True)
    for name, judged in made.judged.items():
        assert (np.diff(np.nan_to_num(judged.value, posinf=1e9)) >= -1e-6).all(), name
        assert (np.diff(judged.holds.astype(int)) <= 0).all(), name
        away = promises.kind_of(judged.objective).judges.elsewhere(judged.objective)
        assert (np.ptp(np.nan_to_num(judged.value, posinf=1e9)) == 0) == bool(away), name  # a load of its own is the same in all months


def test_a_promise_says_how_it_is_counted_and_what_it_is_about(scenario):
    for objective in scenario.objectives.values():
        says, measured = promises.kind_of(objective).says, watched(objective).measured
        about = [one(objective) for one in (says.timed, says.counted, says.jobs, says.users, says.pages)]
        assert sum(one is not None for one in about) <= 1
        counters, budget = measured.counters(objective, 0.1), says.budget(objective)
        assert (counters is not None) == (budget is not None) == bool(measured.bad)  # what is counted has a budget
        assert budget is None or bool(budget.journeys) != bool(budget.tier)
        assert counters is None or bool(counters.bad) != bool(counters.good)
        threshold = measured.threshold(objective)
        assert threshold is None or threshold_problem(threshold.rule) is None
        assert watched(objective).spoken.sentence(objective)


def test_every_generated_file_has_a_judge_or_says_why_not(made):
    for file in files(made):
        assert (file.judge is not None) != (file.name in UNJUDGED), file.name
        assert file.judge is None or file.judge.twin[0] in file.text, file.name


UNJUDGED = {
    "runbook.md": "for people; no tool reads it",
    "otel-spans.md": "for people; no tool reads it",
    **dict.fromkeys(("architecture.md", "objectives.md", "scaling.md", "decisions.md"), "for people; no tool reads it"),
    "otel-sdk.env": "says what otel-sdk.yml says, which is judged",
    "otel-collector.yml": "no collector is in any registry here",
}


def test_items_that_kinds_answer_are_of_the_checklist_and_are_asked_for(made):
    for name, tier in made.scenario.tiers.items():
        for item, answer in tended(tier).items.items():
            assert item in ids()
            assert item in ITEMS
            part = answer(made, name, tier)
            assert part is None or name in part.text or part.verdict in ("met", "at risk")


def test_calls_that_are_passed_on_arrive(scenario):
    state = carry(scenario, LOADS)
    for name, tier in scenario.tiers.items():
        for called, times in kind_of(tier).carries.passes(tier, state.hit_ratio.get(name, 0.0)).items():
            assert called in scenario.tiers
            assert (np.asarray(state.calls_rps[called] - state.calls_rps[name] * times) >= -1e-9).all()


def test_a_station_is_what_is_bought_and_one_more_of_it_is_used_less_and_paid(scenario):
    now = plan(scenario, LOADS[:, :4], percentiles=(), objectives=())
    for (name, field), station in now.carried.stations.items():
        tier = scenario.tiers[name]
        one, count = bought_of(tier, field), float(getattr(tier, field))
        larger = min(one.larger(tier, count), one.most(tier))
        assert larger > count
        more = plan(with_counts(scenario, {Place(name, field): larger}), LOADS[:, :4], percentiles=(), objectives=())
        assert (np.asarray(more.carried.stations[name, field].utilization) < np.asarray(station.utilization) + 1e-12).all()
        extra, price = (more.cost_month_usd - now.cost_month_usd)[0, 0], one.price_usd(tier) * (larger - count)
        assert 0.98 * price <= extra + 0.5 <= 1.15 * price + 1  # a replica holds a copy of the data, too


def test_what_is_held_grows_and_is_paid(scenario):
    held = {name: kind_of(tier).owned.held(tier) for name, tier in scenario.tiers.items()}
    for name, one in held.items():
        if one is not None:
            tier = scenario.tiers[name]
            month = [float(np.ravel(kind_of(tier).owned.month_usd(tier, one.now_bytes * times, 0.0))[0]) for times in (1, 2, 3)]
            assert month[1] > month[0]
            assert month[2] - month[1] == pytest.approx(month[1] - month[0])
    made = plan(scenario, percentiles=(), objectives=())
    assert set(made.stored_bytes) == {name for name, one in held.items() if one is not None}


def test_a_limit_breaks_the_peak_second(scenario):
    limited = {name: rate for name, tier in scenario.tiers.items() if (rate := kind_of(tier).owned.rate_limit(tier)) is not None}
    for name, rate in limited.items():
        calls = float(np.ravel(carry(scenario, np.array([[1.0]])).calls_rps[name])[0])
        second = float(np.median(scenario.traffic.peak_second))
        only = but(scenario, objectives={n: o for n, o in scenario.objectives.items() if o.kind == "throughput"}, tiers=_large(scenario))
        for share, holds in ((0.99, True), (1.01, False)):
            load = np.array([[share * float(np.median(rate)) / calls / second]])
            assert [bool(judged.holds.all()) for judged in plan(only, load, percentiles=()).judged.values()] == [holds]


def _large(scenario):
    """Its tiers, a thousand times as many of everything that is bought."""
    counts = {
        Place(n, b.field): 1000 * max(float(getattr(t, b.field)), 1.0) for n, t in scenario.tiers.items() for b in kind_of(t).owned.bought
    }
    return dict(with_counts(scenario, counts).tiers)


def test_availability_is_a_probability_and_refusals_lower_it(scenario):
    for tier in scenario.tiers.values():
        up = [
            float(np.ravel(kind_of(tier).kept.available(tier, {one.field: 0.5 for one in kind_of(tier).owned.bought}, refused))[0])
            for refused in (0.0, 0.5)
        ]
        assert 0.9 < up[0] <= 1.0
        assert up[1] <= up[0]
        assert (up[1] < up[0]) == (kind_of(tier).owned.rate_limit(tier) is not None)


def test_simulator_and_formula_agree(scenario):
    load = 200.0
    pools, journeys = system(scenario)
    found = percentiles(pools, journeys, Arrivals(rates=[load]), (0.5, 0.95), requests=60_000, most=4, seed=3)
    state = carry(scenario, np.array([[load]]))
    for name, estimates in found.items():
        for predicted, estimate in zip(percentiles_s(state.journeys[name], (0.5, 0.95), (1, 1)), estimates, strict=True):
            assert float(predicted[0, 0]) == pytest.approx(estimate.value, rel=0.10, abs=2 * estimate.half)


def test_a_plan_of_every_kind_pickles(scenario):
    made = plan(scenario, LOADS, percentiles=())
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.cost_month_usd, made.cost_month_usd)


def test_every_field_that_a_kind_names_is_one_of_its_record(scenario):
    from perfplan.record import declared

    for tier in scenario.tiers.values():
        fields, kind = declared(type(tier)), kind_of(tier)
        keys = {one.key for one in fields.values()}
        assert len(keys) == len(fields)  # a key without its unit is still its own
        named = {
            *(b.field for b in kind.owned.bought),
            *kind.varied.doubled.values(),
            *(f for fs in kind.varied.halved.values() for f in fs),
        }
        assert named <= set(fields)
        assert set(kind.advised.sliders) <= keys


MOVE_NOTHING = {  # fields whose value changes no number, file or date, and why
    (Cache, "node_availability"): "a node that is lost is a miss, not an error: its keys are read from the origin",
}


def _other(statement, path, one):
    """The statement with another value of a field; None where no other can be said here."""
    entry = statement.entries.get(path)
    for text in _texts(one, entry):
        try:
            return statement.but(f"{path}={text}")
        except BadScenario:
            continue
    return None


def _texts(one, entry):
    if isinstance(one.kind, Quantity):
        now = entry.law.mid if entry is not None and entry.law is not None else parse(one.default or one.kind.example, one.kind).mid
        scaled = [now * factor for factor in (1.5, 0.6, 0.9, 0.99, 3.0, 0.1)] if now else [0.05, 0.5]
        whole = [now + 1, max(now - 1, 0)] if one.kind.whole else scaled
        yield from (one.kind.exact(value) for value in whole)
    elif isinstance(one.kind, Choice):
        yield from (word for word in one.kind.words if entry is None or word != entry.text)


def _all_of(made):
    """Everything that a field could move: numbers of the plan, generated files, orders' lead times, time-outs."""
    places = made.middle.resources
    return json.dumps(
        [
            to_json({part: document(made)[part] for part in ("numbers", "failures")}),
            configs(made),
            {str(place): lead_time_s(made.scenario, place) for place in places},
            [(str(rung.place), rung.value_s, rung.why) for rung in ladder(made).rungs],
            [(f.title, f.rule) for f in findings(made)],
        ]
    )


PS = ("io=async", "discipline=ps")
BUDGETED = [kind for kind in promises.KINDS if "budgeting" in declared(kind)]
BESIDE = {  # what must be stated too, where another value of a field is
    (Service, "discipline"): ("io=async",),
    **{(kind, "slice"): ("budgeting=ratio of time slices",) for kind in BUDGETED},
    **{(kind, "slice_good"): ("budgeting=time slices",) for kind in BUDGETED},
    **{(Service, one): PS for one in ("hyperthread_gain", "contention", "coherency")},  # of shared cores only
}


def _quickly(statement):
    """What is quick to compute, and what most fields move."""
    made = plan(statement.at(), percentiles=(), months=3)
    return [
        made.cost_month_usd.tolist(),
        *(one.utilization.tolist() + np.ravel(one.limit).tolist() for one in made.resources.values()),
        *(one.value.tolist() + np.ravel(one.bound).tolist() for one in made.judged.values()),
        *(lead_time_s(made.scenario, place) for place in made.resources),
        *(np.median(one.confidence) for one in made.scenario.objectives.values()),
        *(promises.until(one) for one in made.scenario.objectives.values()),
    ]


def _told(statement):
    """All that is told of today's fleet at the median."""
    return re.sub("sha256:[0-9a-f]+", "", _all_of(unsearched(statement)))


def test_every_field_moves_something_somewhere_or_says_why_not():
    moved, there = set(), set()
    for start in map(read, FILES):
        scenario, told = start.at(), functools.cache(lambda start=start: _told(start))
        for section, rows in (("tiers", scenario.tiers), ("objectives", scenario.objectives)):
            for name, row in rows.items():
                for one in declared(type(row)).values():
                    field = type(row), one.key
                    if isinstance(one.kind, Quantity | Choice) and one.key != "kind" and field not in MOVE_NOTHING:
                        there.add(field)
                        if field not in moved and _moves(start, told, f"{section}.{name}", field, one):
                            moved.add(field)
    assert there == moved


def _moves(start, told, row, field, one):
    beside = [f"{row}.{text}" for text in BESIDE.get(field, ())]
    statement = start.but(*beside)
    other = _other(statement, f"{row}.{one.key}", one)
    return other is not None and (_quickly(other) != _quickly(statement) or _told(other) != (_told(statement) if beside else told()))
