"""Worlds, the recommended fleet, options, sensitivities, findings and the story they make."""

import dataclasses
import pickle
import pkgutil
import re

import numpy as np
import pytest

from perfplan.document import SCHEMA, document, to_json
from perfplan.document.comparison import compare
from perfplan.document.findings import findings
from perfplan.document.story import _for_limits, story
from perfplan.models.cost import machines_month_usd
from perfplan.plan import demand_rps, plan, with_counts
from perfplan.plan.paths import carry
from perfplan.plan.resources import lead_time_s, unit_price_usd
from perfplan.reading import read
from perfplan.study import confidence, run_outs, sampling_error, study
from perfplan.study.fleet import recommend, room
from perfplan.study.options import PLAN
from perfplan.study.remedy import bridge, positions
from perfplan.study.search.candidates import works_from
from perfplan.study.search.worlds import with_options
from perfplan.study.sweeps import knee
from perfplan.study.verdicts import BROKEN, when_below
from perfplan.tables import orders, ways
from perfplan.tiers.place import Place
from perfplan.words import percent
from tests.conftest import SMALL, STOREFRONT


def test_the_recommended_fleet_keeps_every_promise_until_it_is_asked_for(storefront):
    asked = confidence(storefront.scenario)
    until = storefront.last
    error = sampling_error(asked, storefront.worlds.rps.shape[0])
    assert storefront.p_all[until] < 0.5  # today's fleet does not
    assert np.all(storefront.fleet.p_all[: until + 1] >= asked - error)
    assert storefront.fleet.orders[0].month <= until


def test_the_recommended_fleet_is_within_utilization_and_spare_limits(storefront):
    last = storefront.last
    drawn = storefront.worlds.scenario
    drawn = with_options(storefront.statement, storefront.fleet.options_at(last)).at(100, storefront.seed)
    made = plan(with_counts(drawn, storefront.fleet.counts_at(last)), demand_rps(drawn)[:, last : last + 1], percentiles=(), objectives=())
    for resource in made.resources.values():
        if resource.ours:
            assert (resource.utilization <= resource.limit).mean() >= 0.9, resource.label


def test_one_less_of_anything_bought_breaks_a_limit_or_a_promise(storefront):
    last = storefront.last
    drawn = storefront.worlds.scenario
    counts = storefront.fleet.counts_at(last)
    rps = demand_rps(drawn)[:, last : last + 1]
    for place, count in counts.items():
        today = float(getattr(drawn.tiers[place.tier], place.field))
        if count == today:
            continue
        fewer = max(count * 0.7, today)  # well below: sizing has steps and a margin
        made = plan(with_counts(drawn, {**counts, place: float(np.floor(fewer))}), rps, percentiles=())
        limits = (made.resources[place].utilization <= made.resources[place].limit).mean()
        assert min(float(made.all_hold.mean()), float(limits)) < 0.95 + sampling_error(0.95, 100) / 1.96, place


def test_run_outs_agree_with_utilization_by_hand(storefront):
    made = storefront.worlds
    for out in run_outs(made):
        first = []
        for world in range(made.rps.shape[0]):
            limit = np.broadcast_to(out.resource.limit, made.rps.shape)[world]
            over = [m for m in range(made.rps.shape[1]) if out.resource.utilization[world, m] > limit[m]]
            first.append(over[0] if over else np.inf)
        assert out.months.tolist() == first
        assert out.quantile(0.5) == sorted(first)[made.rps.shape[0] // 2 - 1]


def test_options_are_compared_in_the_same_worlds(storefront):
    rows = {t.name: t for t in storefront.options}
    nothing, asked = rows["nothing"], confidence(storefront.scenario)
    assert (nothing.months_gained, nothing.cost_change_usd, nothing.p95_change_s) == (0, 0, 0)
    assert {"payment in background", "release connections early", "batch cart queries", PLAN} <= set(rows)
    for name, option in storefront.scenario.options.items():
        drawn = storefront.statement.option(name).at(100, storefront.seed)
        held = plan(drawn, percentiles=()).all_hold.mean(axis=0)
        assert rows[name].p_all == pytest.approx(held[storefront.last], abs=0.011)  # 37 months are interpolated between loads
        assert rows[name].total_usd == pytest.approx(float(option.effort_s) / 86400 * 600 + 13 * 0.0, rel=1e-6)
    enough = [t.p_lowest >= asked for t in storefront.options]
    assert enough == sorted(enough, reverse=True)
    dollars = [t.total_usd for t in storefront.options if t.p_lowest >= asked]
    assert dollars == sorted(dollars)


def copy_usd(made):
    """What a copy of the data costs in the last month."""
    price = made.scenario.tiers["postgres"].storage_price_usd_per_byte_month
    return float(np.ravel(price)[0]) * float(np.mean(made.worlds.stored_bytes["postgres"][:, made.last]))


def test_positions_bills_and_headline_are_one_sum(storefront):
    last = storefront.last
    extra = float((storefront.fleet.cost_usd - storefront.worlds.cost_month_usd)[:, last].mean())
    assert sum(row.monthly_usd for row in positions(storefront)) == pytest.approx(extra, rel=1e-9)
    assert sum(usd for _, usd in bridge(storefront)) == pytest.approx(float(storefront.fleet.cost_usd[:, last].mean()), rel=1e-9)
    by_hand = sum(
        (unit_price_usd(storefront.scenario, place) + (copy_usd(storefront) if place.field == "replicas" else 0)) * (n - o)
        for order in storefront.fleet.orders
        for place, (o, n) in order.changes.items()
    )
    assert extra == pytest.approx(by_hand, rel=1e-6)
    for order in storefront.fleet.orders:
        assert all(order.month >= works_from(lead_time_s(storefront.scenario, place)) for place in order.changes)


def test_nothing_that_is_bought_can_be_left_out(storefront):
    """Each position less, in fresh worlds: a promise or a limit of a month is kept less surely than with it."""
    drawn, until = storefront.statement.at(400, 99), storefront.last + 1
    counts = dict(storefront.fleet.counts_at(storefront.last))

    def kept(wanted):
        made = plan(with_counts(drawn, wanted), demand_rps(drawn)[:, :until], percentiles=(), objectives=None)
        limits = [(r.utilization <= r.limit).mean(axis=0).min() for r in made.resources.values() if r.ours]
        return min(float(made.all_hold.mean(axis=0).min()), *limits)

    whole = kept(counts)
    assert whole >= 0.95 - 3 * sampling_error(0.95, 400)
    for place in counts:
        fewer = {p: n for p, n in counts.items() if p != place}
        assert kept(fewer) < whole, place


def test_the_page_says_what_it_costs_to_be_surer(storefront):
    rising = storefront.fleet.frontier
    assert [way.usd for way in rising] == sorted(way.usd for way in rising)
    assert [way.p for way in rising] == sorted(way.p for way in rising)
    assert storefront.fleet.way.usd <= min(way.usd for way in (storefront.fleet.second, storefront.fleet.hardware))
    assert ways(storefront).frame["way"].tolist()[0] == "the plan"
    assert all(way.together <= way.p for way in rising)


def test_more_users_move_the_first_broken_promise_forward(storefront):
    moved = {m.path: m for m in storefront.moved}
    assert moved["traffic.peak"].months < 0
    assert moved["traffic.peak"].cost_usd > 0
    assert moved["traffic.peak_users"].months == 0  # what was measured is used
    assert moved["tiers.redis.item" if "tiers.redis.item" in moved else "tiers.postgres.storage_growth"].months == 0  # noise is not shown


def test_the_knee_is_where_an_objective_breaks(storefront):
    found = knee(storefront.scenario)
    below, above = (plan(storefront.scenario, np.array([[found.rps * f]]), percentiles=()).all_hold[0, 0] for f in (0.99, 1.05))
    assert below
    assert not above
    assert all(found.resources[p] <= load * (1 + 1e-9) for p, load in found.saturated.items())


def test_a_plan_with_nothing_wrong_says_so_and_for_how_long(small):
    small.write_text(SMALL.replace("connections: 20", "connections: 60").replace("instances: 4", "instances: 12"))
    made = study(read(small), worlds=60)
    told = story(made)
    assert told.verdict.startswith("Every promise holds with 95\xa0% confidence until ")
    assert not told.asked
    assert told.decision.startswith("Nothing to decide now")
    assert not [f for f in findings(made) if f.kind == BROKEN]
    assert made.fleet.p_all[made.last] >= 0.95
    assert orders(made).title.startswith("Nothing has to be ordered until November 2027")


def test_a_plan_that_cannot_hold_says_so(small):
    small.write_text(SMALL.replace("round_trip: 20ms", "round_trip: 900ms"))
    made = study(read(small), worlds=60)
    told = story(made)
    assert made.fleet.fails_from == 0
    assert "nothing that can be bought or done keeps it: with nobody else there read needs 9" in told.verdict.replace("\xa0", " ")
    assert "already today" in told.verdict
    assert made.p_all[0] == 1.0  # of the other promises, of which there are none


def test_the_storefronts_story_names_cause_remedy_price_and_date(storefront):
    told = story(storefront)
    assert len(told.lines()) == 5
    assert "postgres connections" in told.verdict
    assert "from April 2027" in told.verdict
    assert ", at TV campaign, " in told.verdict
    assert "rests on a peak hour of 2,140" in dict(told.rests)["Demand"]
    assert "is kept with" in dict(told.rests)["Budget"]
    assert "payments: hangs" in dict(told.rests)["Failures"]
    assert "$" in told.remedy
    assert told.decision.startswith("Decide: approve ")
    assert "Do today, for nothing: postgres connections: 40 →" in told.decision
    assert told.asked


def test_what_is_bought_where_promises_would_hold_without_it_says_for_what(small):
    """4 cores of 2 ms at 200 calls a second are 10 % busy; 2 % a month takes them beyond 11 % in month 5, long before a promise breaks."""
    text = SMALL.replace("900 to 1100", "1000").replace("1%/month to 3%/month", "2%/month")
    small.write_text(text)
    made = study(read(small).but("tiers.store.utilization_limit=11%"), worlds=10)
    used = made.worlds.resources[Place("store", "cores")].utilization[0]
    first = positions(made)[0]
    assert made.p_all[first.month] == 1
    assert used[first.month] > 0.11
    assert story(made).remedy.startswith("To stay within utilization limits")
    free = dataclasses.replace(made.fleet, settings=made.p_all)
    said = _for_limits(dataclasses.replace(made, fleet=free), first.month)
    assert said.endswith("the promises would hold without it, but store primary cores may be above the utilization that is planned for.")
    none = dataclasses.replace(made.fleet, settings=0 * made.p_all)
    assert _for_limits(dataclasses.replace(made, fleet=none), first.month) == ""


def test_a_certain_scenario_needs_one_world(small):
    small.write_text(SMALL.replace("900 to 1100", "1000").replace("1%/month to 3%/month", "2%/month"))
    made = study(read(small), worlds=40)
    assert set(np.unique(made.p_all)) <= {0.0, 1.0}
    today = plan(read(small).at())
    assert recommend(room(read(small), today), today).p_all.shape == (37,)


def test_everything_is_the_same_again(statement):
    one, two = (to_json(document(study(read(STOREFRONT), worlds=40))) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("change", "label", "used"),
    [
        (("cores: 4,", "cores: 4, storage: 800GB, storage_growth: 20GB,"), "store storage", "data today and what each month since adds"),
        (("regions:", "link: 1.2MB/s\nregions:"), "network link", "bytes sent per second / what the link carries"),
        (("instances: 4", "instances: 2"), "app instances", "arrivals x time held / app instances"),
    ],
)
def test_what_runs_out_is_explained_by_its_own_rule(small, change, label, used):
    small.write_text(SMALL.replace(*change))
    made = study(read(small), worlds=40)
    assert made.run_outs[0].resource.label == label
    opened = story(made).headlines[1].opened
    assert used in opened.formula
    assert ("exact for any arrivals" in opened.trust) == (label == "app instances")
    assert document(made)["numbers"][f"utilization.{made.run_outs[0].resource.place}.2026-11"]["formula"].startswith("perfplan.")


def test_a_month_of_a_price_list_is_the_month_of_the_explanation(storefront):
    assert "x 730 h" in story(storefront).headlines[2].opened.formula
    assert float(machines_month_usd(1, 1.0)) == 730


def test_users_are_taken_at_their_own_rate_or_at_the_pauses_of_the_journeys(small):
    """600 users of a request in 20 s (the default think time) are 30 rps; stated at 30 a minute they are 300 rps."""
    for stated, rps in (("peak: 50 rps", 30.0), ("peak: 50 rps, requests_per_user: 30/min", 300.0)):
        text = SMALL.replace("peak_users: 900 to 1100, requests_per_user: 6/min", stated) + "  many: {kind: users, above: 600}\n"
        small.write_text(text)
        scenario = read(small).at()
        used = plan(scenario, percentiles=()).judged["many"].value[0, 0]
        station = carry(scenario, np.array([[rps]])).stations.values()
        assert used == pytest.approx(max(float(np.max(s.utilization)) for s in station))


def test_plan_json_has_unit_formula_and_interval_for_every_number(storefront):
    data = document(storefront)
    assert data["schema"] == SCHEMA
    for key, number in data["numbers"].items():
        assert {"value", "unit", "formula"} <= set(number), key
        module, _, name = number["formula"].rpartition(".")
        assert module.startswith("perfplan"), key
        assert name
    peak = data["numbers"]["demand.peak_hour.2026-11"]
    assert peak["p05"] < peak["value"] < peak["p95"]
    assert data["inputs"]["traffic.peak_users"]["p05"] == pytest.approx(55_000)
    assert "Infinity" not in to_json(data)
    assert "NaN" not in to_json(data)


def test_every_formula_that_a_plan_names_is_there(storefront):
    data = document(storefront)
    named = [one["formula"] for one in (*data["numbers"].values(), *data["checklist"]["items"].values()) if one.get("formula")]
    assert len(set(named)) > 40
    for name in set(named):
        pkgutil.resolve_name(name)


def test_a_plan_compared_with_itself_has_no_difference(storefront):
    data = document(storefront)
    assert compare(data, data) == []
    other = document(study(read(STOREFRONT, ("traffic.peak_users=70k",)), worlds=40))
    rows = compare(data, other)
    changed = {r["what"]: r for r in rows}
    assert changed["Input: traffic.peak_users"]["now"] == "70k"
    assert any(r["what"].startswith("Peak hour") for r in rows)


def test_a_study_can_be_stored(storefront):
    again = pickle.loads(pickle.dumps(storefront))
    assert again.p_all.tolist() == storefront.p_all.tolist()
    assert again.statement.but("tiers.api.instances=40").at().tiers["api"].instances == 40


PRESALE = (
    SMALL.replace("peak_users: 900 to 1100", "peak_users: 18k to 24k").replace("app: 1, store: 2", "app: 1")
    + "  seconds: {kind: throughput}\n"
)


@pytest.fixture(scope="module")
def presale(tmp_path_factory):
    """A service that is short in the month of an event alone; the store that it no longer calls is left out."""
    path = tmp_path_factory.mktemp("presale") / "scenario.yaml"
    text = re.sub(r"  store: .*\n", "", PRESALE).replace(
        "growth: 1%/month to 3%/month", "growth: 1%/month, events: [{name: presale, month: 2027-03, factor: 1.5 to 2, lasts: 2d}]"
    )
    path.write_text(text.replace("instances: 4", "instances: 7"), encoding="utf-8")
    return study(read(path), worlds=200)


def test_an_event_breaks_its_month_and_the_first_number_is_that_of_the_lowest_month(presale):
    p, last = presale.p_all[: presale.last + 1], presale.last
    assert int(np.argmin(p)) == 4  # March
    assert 0 < p.min() < 0.95
    assert p[last] > 0.99
    first = story(presale).headlines[0]
    assert first.value == f"{percent(p[0])} → {percent(p.min())}"
    assert first.note.startswith("now → March 2027, the lowest; over 99")
    assert when_below(p, 0.95, presale.named) == "in March 2027 alone"


def test_what_is_bought_is_not_asked_to_keep_more_than_was_asked(presale):
    """By hand: one instance fewer keeps less than 95 % in the worlds that judge, as many keep it."""
    count = presale.fleet.counts_at(presale.last)[Place("app", "instances")]
    kept = [
        plan(with_counts(presale.worlds.scenario, {Place("app", "instances"): n}), percentiles=(), months=presale.last + 1)
        for n in (count - 1, count)
    ]
    fewer, enough = (float(one.all_hold.mean(axis=0).min()) for one in kept)
    assert fewer < 0.95 <= enough


def test_the_decision_names_all_that_is_due_within_a_week_of_the_first(storefront):
    rows = [row for row in positions(storefront) if not row.free]
    said = story(storefront).decision
    for row in rows:
        soon = (row.by - rows[0].by).days <= 7
        if row.more:
            assert (row.name.removesuffix("s") in said) == (soon or any(o.name == row.name for o in rows if (o.by - rows[0].by).days <= 7))
