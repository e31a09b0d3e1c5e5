"""Laws over every kind of tier: a new kind is held to them as soon as a scenario in tests/kinds/ has one."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from perfplan.models.latency import percentiles_s
from perfplan.models.simulate import Arrivals, percentiles
from perfplan.plan import plan, with_counts
from perfplan.plan.paths import carry
from perfplan.reading import read
from perfplan.record import but
from perfplan.study.verify import system
from perfplan.tiers import KINDS, bought_of, kind_of
from perfplan.tiers.place import Place

FILES = sorted((Path(__file__).parent / "kinds").glob("*.yaml"))
LOADS = np.array([[1.0, 50.0, 150.0, 250.0, 300.0, 400.0, 800.0]])


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def scenario(request):
    return read(request.param).at()


def test_every_kind_stands_in_a_scenario():
    assert {type(tier) for path in FILES for tier in read(path).at().tiers.values()} == set(KINDS)


def test_more_load_is_never_faster_nor_cheaper(scenario):
    made = plan(scenario, LOADS, percentiles=())
    for path in made.carried.journeys.values():
        for values in percentiles_s(path, (0.5, 0.95, 0.99), LOADS.shape):
            assert (np.diff(np.nan_to_num(values, posinf=1e9)) >= -1e-6 * values[:, :-1].clip(max=1e9)).all()
    for name, cost in made.cost_usd.items():
        assert (np.diff(cost) >= -1e-9).all(), name
    for resource in made.resources.values():
        assert (np.diff(resource.utilization) >= -1e-12).all()


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
        named = {
            *(b.field for b in kind.owned.bought),
            *kind.advised.doubled.values(),
            *(f for fs in kind.advised.halved.values() for f in fs),
        }
        assert named <= set(fields)
        assert set(kind.advised.sliders) <= keys
