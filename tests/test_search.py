"""What the search calls cheapest, against brute force; what it may not do; what it says when it has to stop."""

import importlib
import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest

from perfplan.document.findings import findings
from perfplan.document.story import story
from perfplan.plan import plan, with_counts
from perfplan.reading import read
from perfplan.study import sampling_error, study
from perfplan.study.aside import set_aside
from perfplan.study.fleet import recommend, room
from perfplan.study.remedy import positions
from perfplan.study.search.worlds import There
from perfplan.tables import needed, orders, ways
from perfplan.tiers.place import Place
from tests.conftest import ROOT, SMALL

GROWS = SMALL.replace("900 to 1100", "10k to 12k").replace("1%/month to 3%/month", "4%/month to 7%/month").replace("cores: 4", "cores: 8")
OPTIONS = """
options:
  fewer queries: {set: [journeys.read.calls.store=1], effort: 10d, lead_time: 60d}
  lean code: {set: [tiers.app.service_time=6ms], price: $200, monthly: $20, effort: 1h, lead_time: 14d}
"""


@pytest.fixture(scope="module")
def deciding():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("deciding")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("seed", [3, 5, 7, 9, 35, 112, 119])
def test_brute_force_finds_nothing_cheaper(deciding, tmp_path, seed):
    found, brute, gap, _, _ = deciding.compare(seed, 60, tmp_path)
    assert found == pytest.approx(brute, rel=1e-3, abs=0.01)
    assert gap == 0


def made(small, text, worlds=60):
    small.write_text(text)
    return study(read(small), worlds)


def test_nothing_works_before_its_lead_time_and_what_is_there_stays(small):
    faster = GROWS.replace("hold_time: 1ms", "hold_time: 1ms, lead_time: 100d").replace("4%/month to 7%/month", "5%/month to 8%/month")
    found = made(small, faster + "options:" + OPTIONS.split("options:")[1])
    cores = [o for o in found.fleet.orders if any(place.field == "cores" for place in o.changes)]
    assert cores
    assert all(order.month >= 4 for order in cores)  # 100 days less a week are more than three months
    for before, after in zip(found.fleet.orders[:-1], found.fleet.orders[1:], strict=True):
        assert set(before.counts) <= set(after.counts)
        assert all(after.counts[place] >= n for place, n in before.counts.items())
    for order in found.fleet.orders:
        assert "fewer queries" not in order.options or order.month >= 2
    assert found.fleet.hardware is None  # counts alone would come too late


def test_months_that_come_too_early_are_lost_and_the_first_that_do_not_are_kept(small):
    found = made(small, GROWS.replace("10k to 12k", "22k to 24k").replace("hold_time: 1ms", "hold_time: 1ms, lead_time: 100d"))
    assert found.fleet.lost == 4  # 100 days less a week
    cores = next(order for order in found.fleet.orders if any(place.field == "cores" for place in order.changes))
    assert cores.month == 4
    assert found.fleet.way.p >= 0.95 > found.fleet.p_all[3]
    assert "from March 2027" in story(found).remedy
    assert "Before, nothing can be there in time" in story(found).remedy


def test_effort_is_priced_where_a_day_has_a_price_and_said_not_to_be_where_it_has_none(small):
    free = made(small, GROWS + OPTIONS)
    dear = made(small, GROWS.replace("regions:", "day_rate: $5000\nregions:") + OPTIONS)
    assert "fewer queries" in free.fleet.way.options
    assert "fewer queries" not in dear.fleet.way.options
    assert "10 days of work, which are not priced" in story(free).remedy
    assert "effort is not priced" in ways(free).subtitle
    assert "not priced" not in story(dear).remedy + ways(dear).subtitle
    alone = next(one for one in dear.options if one.name == "fewer queries")
    assert alone.total_usd == pytest.approx(50_000, rel=1e-6)  # ten days; fewer calls change no price here
    assert free.fleet.way.usd <= dear.fleet.way.usd


def test_an_option_that_hurts_is_searched_by_itself_and_not_taken(small):
    hurts = "\noptions:\n  slower: {set: [tiers.app.service_time=14ms], effort: 1h}\n  more: {set: [tiers.app.instances=5], effort: 1h}\n"
    found = made(small, GROWS + hurts)
    assert set(found.fleet.apart) == {"slower", "more"}  # one makes it worse, the other sets what is searched
    assert "slower" not in found.fleet.way.options
    assert "may hurt, and were searched by themselves" in ways(found).subtitle


def test_a_search_that_has_to_stop_says_how_far_it_may_be_from_the_best(small):
    small.write_text(GROWS + OPTIONS)
    statement = read(small)
    today = plan(statement.at(60, 7), percentiles=())
    here = room(statement, today)
    best = here.cheapest(here.searches(), 0.95)[1]
    short = here.searches()
    for one in short:
        one.most_judged = 0
    stopped = here.cheapest(short, 0.95)[1]
    assert stopped.bound_usd <= best.usd + 0.01 <= stopped.usd + 0.02
    assert stopped.gap > 0 or stopped.usd == pytest.approx(best.usd)
    assert all(short[0].holds(short[0].there(stopped.chain, month), month, 0.95) for month in range(here.last + 1))
    for rungs in zip(*stopped.chain.rungs, strict=True):  # an order lasts half a year here, too
        ordered = [m for m in range(1, len(rungs)) if rungs[m] != rungs[m - 1]]
        assert all(after - before >= 6 for before, after in itertools.pairwise(ordered))
    whole = study(statement, 60)
    told = ways(replace(whole, fleet=replace(whole.fleet, gap=0.04))).title
    assert "the cheapest way that was found, at most 4\xa0% from the best, to 95" in told
    assert not whole.fleet.hindered
    told = ways(replace(whole, fleet=replace(whole.fleet, hindered=(Place("store", "cores"),))))
    assert "is the cheapest way that was found to 95" in told.title
    assert "more store cores would hurt some worlds: nothing is proven" in told.subtitle


def test_what_is_known_of_less_and_of_more_is_what_is_computed(small):
    """No world is judged otherwise for what the search remembers."""
    small.write_text(GROWS + OPTIONS)
    statement = read(small)
    here = room(statement, plan(statement.at(80, 7), percentiles=()))
    recommend(here, plan(statement.at(80, 7), percentiles=()))
    drawn = here.searched
    rng = np.random.default_rng(3)
    for _ in range(12):
        rungs = tuple(int(rng.integers(0, len(one.counts))) for one in drawn.ladders)
        there = There(frozenset(name for name in ("fewer queries", "lean code") if rng.random() < 0.5), rungs)
        month = int(rng.integers(0, here.last + 1))
        held = drawn.hold(there, month, ["read p95"])
        judged = plan(drawn.scenario(there), drawn.rps(there.options)[:, month : month + 1], percentiles=()).judged["read p95"].holds[:, 0]
        assert (held == judged).mean() > 0.98  # shares within 2 % of the bound may fall on either side


def test_a_promise_that_nothing_keeps_does_not_blind_the_plan(small):
    text = GROWS + "  fast: {kind: latency, journey: read, percentile: p50, below: 8ms}\n"
    blind, clear = made(small, text), made(small, GROWS)
    assert list(blind.fleet.aside) == ["fast"]
    assert [(o.month, o.counts) for o in blind.fleet.orders] == [(o.month, o.counts) for o in clear.fleet.orders]
    assert blind.p_all.tolist() == clear.p_all.tolist()
    assert [m.path for m in blind.moved] == [m.path for m in clear.moved]
    told, one = story(blind), set_aside(blind)[0]
    found = next(f for f in findings(blind) if f.about == "fast")
    assert one.way_out in found.remedy
    assert found.price_usd is None  # no money keeps it
    assert told.verdict.startswith(
        "Read will miss its 8\xa0ms objective already today (over 99\xa0% probability), and nothing that can be bought"
    )
    assert "with nobody else there read needs" in one.cause
    assert "20 ms in round trip" in one.cause.replace("\xa0", " ")  # as stated: no code and no count shortens it
    assert told.decision.startswith("Decide: ")


def test_fewer_than_are_enough_now_are_not_enough(small):
    found = made(small, GROWS.replace("instances: 4", "instances: 30"), 200)
    place = Place("app", "instances")
    enough = found.fleet.enough[place]
    assert 2 <= enough < 30

    def kept(count):
        one = plan(with_counts(found.worlds.scenario, {place: count}), found.worlds.rps[:, :1], percentiles=())
        return min(float(one.all_hold.mean()), *(float((r.utilization <= r.limit).mean()) for r in one.resources.values() if r.ours))

    assert kept(enough) >= 0.95 - 2 * sampling_error(0.95, 200)  # these are not the worlds that it was found in
    assert kept(enough - 2) < 0.95
    assert f"{enough:g} of 30 app instances are enough now: $" in needed(found).title


def test_every_position_has_a_date_and_a_price_and_they_add_up(small):
    found = made(small, GROWS.replace("regions:", "day_rate: $50\nregions:") + OPTIONS)
    rows = positions(found)
    assert sum(row.monthly_usd for row in rows) == pytest.approx(
        float((found.fleet.cost_usd - found.worlds.cost_month_usd)[:, found.last].mean()), abs=0.01
    )
    assert orders(found).frame["cost_month_usd"].sum() == pytest.approx(found.fleet.way.monthly_usd, abs=0.5)
    assert {name for row in rows if row.more == 0 for name in [row.name]} == set(found.fleet.way.options)
    assert all(row.by >= found.as_of for row in rows)
