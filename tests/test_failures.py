"""What failures do: against enumeration, an LRU list, the simulator; laws; and cures that are what they say."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.availability import downtime_s, until_failure
from perfplan.models.caching import hit_ratio_when_filling, lru_hit_ratio
from perfplan.quantity import median
from perfplan.reading import read
from perfplan.study import study
from perfplan.study.budget import left, remaining
from perfplan.study.cures import _Asking, cures
from perfplan.study.failures import BURST, Failing, ahead, alike, cases, failures
from perfplan.subjects.budgets import frozen
from perfplan.subjects.failures import findings as failures_found
from perfplan.subjects.failures import first_screen, named, worst
from perfplan.tiers import KINDS, kind_of
from perfplan.tiers.kind import COLD, LOST, NODE, SLOW, ZONE
from tests.conftest import unsearched

ROOT = Path(__file__).parents[1]
STOREFRONT, MEASURED = (ROOT / "data" / name / "scenario.yaml" for name in ("storefront", "measured"))


@pytest.fixture(scope="module")
def shop():
    return study(read(STOREFRONT), worlds=200)


def row_of(made, tier, takes, *, stops=False):
    return next(r for r in failures(made) if r.tier == tier and r.failure.takes == takes and r.failure.stops == stops)


@given(st.integers(0, 6), st.sampled_from([0.0, 0.25, 0.8]), st.floats(0, 1))
def test_calls_until_one_fails_are_those_of_all_their_outcomes(whole, rest, fails):
    """Enumerated: each call fails or not; a fraction of a call is made with that probability."""
    made = through = 0.0
    for more in (0, 1):
        chance = rest if more else 1 - rest
        for outcome in itertools.product((0, 1), repeat=whole + more):  # 1: it fails
            weight = chance * np.prod([fails if one else 1 - fails for one in outcome])
            made += weight * (outcome.index(1) + 1 if 1 in outcome else len(outcome))
            through += weight * (1 not in outcome)
    found = until_failure(whole + rest, fails)
    assert float(found[0]) == pytest.approx(made, abs=1e-9)
    assert float(found[1]) == pytest.approx(through, abs=1e-9)


def test_a_cache_fills_as_an_lru_list_does():
    """A list that forgets what was asked for longest ago; 40 runs of each, hits in the hundredth after so many look-ups."""
    items, room, exponent = 2000, 300, 0.9
    shares = np.arange(1, items + 1) ** -exponent
    rng = np.random.default_rng(11)
    hits = np.zeros(4000)
    for _ in range(40):
        held: OrderedDict[int, None] = OrderedDict()
        for at, key in enumerate(rng.choice(items, 4000, p=shares / shares.sum()).tolist()):
            if key in held:
                hits[at] += 1
                held.move_to_end(key)
            else:
                held[key] = None
                if len(held) > room:
                    held.popitem(last=False)
    for lookups in (50, 200, 400, 3900):
        seen = hits[lookups - 20 : lookups + 20].mean() / 40
        assert float(hit_ratio_when_filling(items, exponent, room, lookups)) == pytest.approx(seen, abs=0.035)
    assert float(hit_ratio_when_filling(items, exponent, room, np.inf)) == pytest.approx(float(lru_hit_ratio(items, exponent, room)))
    assert float(hit_ratio_when_filling(items, exponent, room, 0.0)) == 0.0


def _benchmark():
    spec = importlib.util.spec_from_file_location("failing", ROOT / "benchmarks" / "failing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_fails_and_what_is_full_are_those_of_the_simulator(shop):
    """Hanging, lost, half lost and cold: share of requests that fail within a tenth or a point, load of what is not full within a tenth."""
    simulated, failing = _benchmark(), Failing.of(shop)
    for tier, takes in (("payments", SLOW), ("postgres", LOST), ("redis", COLD), ("api", NODE)):
        row = row_of(shop, tier, takes)
        share, used = simulated.steady(failing, row, 150_000, seed=3)
        assert row.share == pytest.approx(share, rel=0.10, abs=0.01), row
        pool = f"{row.first.tier} {'nodes' if row.first.tier == 'redis' else row.first.field.replace('instances', 'threads')}"
        assert min(row.used, 1.0) == pytest.approx(used[pool], rel=0.10), row


def test_the_storefront_stands_still_when_payments_hang(shop):
    """By hand, at the stated 1,990 rps: 49.8 calls a second that each hold a thread for 3 s are 149 threads, of 144."""
    made = study(read(STOREFRONT).but("traffic.peak_users=59800", "traffic.requests_per_user=2/min"), worlds=20)
    calls = float(np.ravel(made.middle.carried.calls_rps["payments"])[0])
    failing = Failing.of(made)
    assert failing.waits_s["payments"] == 3.0
    assert calls * 3.0 == pytest.approx(149.0, rel=0.01)
    row = row_of(made, "payments", SLOW)
    assert row.breaks
    assert row.first.words == "api instances"
    assert row.failed["browse"] > 0.1  # which calls no partner
    lost = row_of(made, "payments", LOST)
    assert not lost.breaks
    assert lost.failed["browse"] == 0
    assert lost.failed["checkout"] == pytest.approx(0.25)


def test_a_cache_that_is_lost_is_too_much_for_the_connections(shop):
    """By hand: every look-up asks the database; its calls x the time a connection is held at an idle database / 40 connections."""
    row, calls = row_of(shop, "redis", COLD), shop.scenario.journeys
    rps = {j: float(np.ravel(shop.middle.carried.journey_rps[j])[0]) for j in calls}
    direct = {j: rps[j] * (1 - 0.4 * 0.885 if j == "browse" else 1.0) for j in rps}
    asked = direct["browse"] * 6 + direct["search"] * (3 + 1) + direct["checkout"] * (4 + 8)
    busy = asked * (1.4e-3 + 4.5e-3)
    assert busy / 40 > 1.2
    assert row.used > busy / 40  # at a busy one they are held for longer
    assert row.first.words == "postgres connections"
    assert row.p_breaks > 0.99


def test_what_nobody_calls_can_fail_unseen(tmp_path):
    """A partner that no journey calls, lost or hanging: nothing fails, and what is carried is what was carried."""
    shutil.copytree(STOREFRONT.parent, tmp_path / "shop")
    path = tmp_path / "shop" / "scenario.yaml"
    alone = "\ntiers:\n  alone: {kind: partner, p50: 10ms, p99: 20ms}\n"
    path.write_text(path.read_text(encoding="utf-8").replace("\ntiers:\n", alone, 1), encoding="utf-8")
    failing = Failing.of(study(read(path), worlds=20))
    asked = [case for case in cases(failing.scenario) if case[0] == "alone"]
    assert len(asked) == 2
    for case in asked:
        row = failing.failed(*case)
        assert row.share == row.requests == 0
        assert failing.load(failing.left(*case[:2])).carries == failing.normal.carries


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 60), st.integers(1, 5))
def test_more_zones_take_less_with_them(count, zones):
    """What one zone takes is the most that a zone can hold, and never all where there are two."""
    made = read(STOREFRONT).but(f"tiers.api.instances={count}", f"tiers.api.zones={zones}").at()
    found = [one for one in kind_of(made.tiers["api"]).fails.failures(made.tiers["api"]) if one.takes == ZONE]
    assert bool(found) == (zones > 1)
    for one in found:
        assert count - one.fields["instances"] == -(-count // zones)


@settings(max_examples=8, deadline=None)
@given(st.integers(20, 80), st.integers(1, 40))
def test_more_of_what_is_there_never_fails_more(count, more):
    """Instances of the service, in every failure."""
    shares = []
    for instances in (count, count + more):
        scenario = read(STOREFRONT).but(f"tiers.api.instances={instances}").at()
        waits, gives_up = dict.fromkeys(scenario.tiers, 3.0), dict.fromkeys(scenario.journeys, 5.0)
        failing = Failing(scenario=scenario, rps=2000.0, waits_s=waits, gives_up_s=gives_up)
        shares.append([failing.failed(*case).share for case in cases(scenario)])
    assert all(after <= before + 1e-6 for before, after in zip(*shares, strict=True))


def test_a_cure_is_enough_when_it_is_stated(shop):
    """Its overrides, written into the scenario: the same failure fills nothing, and costs what was said."""
    found = [(row, cure) for row, cure in zip(failures(shop), cures(shop), strict=True) if cure is not None]
    assert {row.tier for row, _ in found} >= {"payments", "redis", "api"}
    for row, cure in found:
        assert row.share == 0 or cure.after.share < row.share
        made = unsearched(read(STOREFRONT).but(*cure.overrides), 20)
        failing = Failing.of(made)
        tier = made.scenario.tiers.get(row.tier)
        alone = row.failure.takes == LOST
        some = [] if tier is None else kind_of(tier).fails.failures(tier)
        then = [row.failure] if tier is None else [one for one in some if one.takes in ((ZONE, NODE) if alone else (row.failure.takes,))]
        then = then if alone or tier is None else [one for one in then if alike(one, row.failure)]
        for failure in then:
            assert not failing.failed(row.tier, failure, row.times).breaks, (row, cure)
        bill = np.mean(made.worlds.cost_month_usd[:, 0]) - np.mean(shop.worlds.cost_month_usd[:, 0])
        if not cure.name:
            assert cure.monthly_usd == pytest.approx(bill, abs=150)  # storage of a replica is billed with its traffic


def test_the_first_screen_names_the_failure_that_costs_most(shop):
    rows = [row for row in failures(shop) if row.tier != BURST]
    assert worst(shop).lost_usd == max(row.lost_usd for row in rows) > 0
    assert named(worst(shop)) in first_screen(shop)


def test_what_is_spread_already_is_not_cured_by_it():
    """A cache over three zones: the loss of all of it is still the loss of all, and its cure is one of that."""
    made = study(read(STOREFRONT).but("tiers.redis.zones=3", "tiers.api.zones=3"), worlds=60)
    found = {(row.tier, row.failure.takes): cure for row, cure in zip(failures(made), cures(made), strict=True)}
    lost, cold = found["redis", LOST], found["redis", COLD]
    assert lost is not None
    assert lost.overrides == cold.overrides
    assert lost.after.failure.takes == LOST
    assert found["api", LOST] is None
    zones = next(one for one in failures_found(made) if one.about == "failures.zones")
    assert "redis" not in zones.title
    assert "api" not in zones.title
    assert "postgres" in zones.title


def test_an_option_that_buys_something_is_not_free(tmp_path):
    """By hand: 40 instances more at $0.17 an hour are $4,964 a month, and the option's own price beside it."""
    shutil.copytree(STOREFRONT.parent, tmp_path / "shop")
    path = tmp_path / "shop" / "scenario.yaml"
    text = path.read_text(encoding="utf-8")
    start, end = text.index("\noptions:\n"), text.index("\nanswers:\n")
    path.write_text(text[:start] + "\noptions:\n  larger: {set: [tiers.api.instances=76]}\n" + text[end:], encoding="utf-8")
    made = study(read(path), worlds=40)
    asking = _Asking.of(made)
    found = list(asking._options(row_of(made, "payments", SLOW)))
    assert [one.name for one in found] == ["larger"]
    assert found[0].monthly_usd == pytest.approx(40 * 0.17 * 730)


def test_the_plan_of_the_busiest_month_is_asked_the_same(shop):
    assert len(ahead(shop)) == len(failures(shop)) == len(cures(shop))
    assert all(len(later) == 1 for later in ahead(shop))


def test_a_file_states_zones_and_restarts_and_what_a_request_is_worth():
    statement = read(STOREFRONT).but("tiers.api.zones=3", "tiers.api.restart=90s", "journeys.checkout.worth=$2")
    made = study(statement, worlds=20)
    zone = row_of(made, "api", ZONE)
    assert zone.failure.what == "12 of 36 instances lost (a zone of 3)"
    assert zone.lasts_s == 90
    lost = row_of(made, "api", LOST)
    rps = float(np.ravel(made.middle.carried.journey_rps["checkout"])[0])
    assert lost.lost_usd == pytest.approx(rps * 90 * 2)
    with pytest.raises(Exception, match="zones"):
        read(STOREFRONT).but("tiers.api.zones=0")


def test_every_kind_says_how_it_fails():
    """A kind cannot leave it out; what it says are fields that it has, and shares."""
    assert len(KINDS) == 6
    for path in (STOREFRONT, MEASURED, *sorted((ROOT / "tests" / "kinds").glob("*.yaml"))):
        for tier, failure, _ in cases(read(path).at()):
            assert 0 <= failure.fails <= 1
            assert 0 <= failure.hit <= 1
            assert median(failure.back_s) >= 0
            assert failure.what
            assert tier


@pytest.mark.parametrize(("unavailable", "outage_s"), [(0.001, 2580.0), (0.0005, 120.0), (0.01, 3600.0)])
def test_time_down_is_a_compound_poisson_law(unavailable, outage_s):
    """P(no outage) = exp(-n), mean n x outage, variance 2 n x outage^2 (Ross, Stochastic Processes, 2nd ed., section 2.5)."""
    window = 28 * 86400.0
    down = downtime_s(np.random.default_rng(5), np.full(400_000, unavailable), outage_s, window)
    n = unavailable * window / outage_s
    assert (down == 0).mean() == pytest.approx(np.exp(-n), abs=0.003)
    assert down.mean() == pytest.approx(n * outage_s, rel=0.02)
    assert down.var() == pytest.approx(2 * n * outage_s**2, rel=0.04)


def test_a_budget_drawn_is_the_expected_one_in_the_long_run():
    """The mean over worlds is what is predicted of all time; what is kept is a probability, and no coin of 0 or 1."""
    made = unsearched(read(STOREFRONT), 2000)
    after = remaining(made)["checkout available"][:, 0]
    expected = np.median(left(made.worlds.judged["checkout available"])[:, 0])
    assert after.mean() == pytest.approx(expected, abs=3 * after.std() / np.sqrt(after.size) + 0.01)
    assert 0.5 < (after >= 0).mean() < 0.8  # by hand: payments alone is down 40 min of a budget of 40, a quarter of it counts
    sentence = frozen(made)
    assert "where deployments stop, with" in sentence
    assert f"is kept with {100 * (after >= 0).mean():.0f}" in sentence
