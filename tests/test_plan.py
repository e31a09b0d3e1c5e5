"""The plan: numbers by hand, laws over loads and counts, worlds and months."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfplan.models.growth import usual_week
from perfplan.models.stations.queueing import MMc
from perfplan.models.times.latency import percentiles_s
from perfplan.plan import MONTHS, State, burst, concurrency, demand_rps, month_index, plan, with_counts
from perfplan.plan.paths import carry
from perfplan.plan.uptime import path_availability, tier_availability, visits_of
from perfplan.promises import Latency
from perfplan.promises.kind import WEEKS
from perfplan.reading import read
from perfplan.record import but
from perfplan.scenario import Journey, Region, Scenario, Traffic
from perfplan.tiers import Service
from perfplan.tiers.place import Place
from tests.conftest import SMALL, STOREFRONT

MIDDLE = read(STOREFRONT).at()


def one_tier(instances=4.0, users=1000.0, service_s=0.01, growth=0.0):
    """One service, one region, one journey: everything can be done by hand."""
    return Scenario(
        name="one",
        as_of="2026-11-24",
        traffic=Traffic(peak_users=users, requests_per_user_rps=0.1, growth_per_month=growth, events=()),
        regions={"here": Region(share=1.0, round_trip_s=0.02)},
        journeys={"read": Journey(share=1.0, calls={"app": 1.0})},
        tiers={"app": Service(kind="service", instances=instances, threads=2.0, service_time_s=service_s, price_usd_per_hour=0.1)},
        objectives={"read": Latency(kind="latency", journey="read", below_s=0.2)},
    )


def test_one_tier_by_hand():
    made = plan(one_tier())
    station = MMc(arrival_rps=100.0 / 4, service_s=0.01, servers=2)  # 1,000 users x 0.1 rps on 4 instances
    assert made.rps.shape == (1, MONTHS)
    assert made.rps[0, 0] == pytest.approx(100.0)
    assert made.resources[Place("app", "instances")].utilization[0, 0] == pytest.approx(0.125)
    for p, values in made.percentile_s["read"].items():
        assert values[0, 0] == pytest.approx(0.02 + float(station.response_quantile_s(p)), rel=5e-3)
    assert made.cost_usd["app"][0, 0] == pytest.approx(4 * 0.1 * 730)
    slow = made.judged["read"].value[0, 0]
    assert slow == pytest.approx(float(station.response_exceeds(0.18)), abs=1e-4)


def test_storefront_headlines_by_hand():
    # the busiest hour of the last four weeks of the history; users would say sqrt(55 x 65) k x 2 a minute / 60 = 1,993
    rows = STOREFRONT.with_name("traffic.csv").read_text().splitlines()[-4 * 168 :]
    peak = max(float(row.split(",")[1]) for row in rows) / 3600
    made = plan(MIDDLE, percentiles=(), objectives=())
    assert made.rps[0, 0] == pytest.approx(peak)
    assert made.second_rps[0, 0] == pytest.approx(peak * np.sqrt(1.3 * 1.5))
    growth = MIDDLE.traffic.growth_per_month
    assert made.rps[0, 12] == pytest.approx(peak * (1 + growth) ** 12 * np.sqrt(1.25 * 1.45))  # Black Friday 2027
    # the edge answers 40 % cacheable x hit ratio of browse
    edge = 0.4 * MIDDLE.cdn.hit_ratio
    api = made.rps[0, 0] * (0.62 * (1 - edge) + 0.28 * 1.2 + 0.10 * 1.5)
    assert np.ravel(made.carried.calls_rps["api"])[0] == pytest.approx(api)
    redis = made.rps[0, 0] * (0.62 * (1 - edge) * 6 + 0.28 * 3 + 0.10 * 4)
    postgres = redis * (1 - np.ravel(made.carried.hit_ratio["redis"])[0]) + made.rps[0, 0] * (0.28 * 1 + 0.10 * 8)
    assert np.ravel(made.carried.calls_rps["postgres"])[0] == pytest.approx(postgres)
    assert made.cost_usd["api"][0, 0] == pytest.approx(36 * 0.17 * 730)
    assert made.stored_bytes["postgres"][0, 0] == pytest.approx(640e9)


def test_a_pooled_queue_over_separate_nodes_would_flatter():
    rps = np.array([[1800.0]])
    split = carry(one_tier(instances=10.0), rps).stations["app", "instances"]
    pooled = MMc(arrival_rps=1800.0, service_s=0.01, servers=20)
    assert split.mean_wait_s[0, 0] > 3 * pooled.mean_wait_s


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(0.2, 3.0), st.floats(1.01, 1.5))
def test_more_load_never_lowers_latency_utilization_or_cost(load, factor):
    rps = plan(MIDDLE, months=1, percentiles=(), objectives=()).rps * load
    calm, busy = plan(MIDDLE, rps), plan(MIDDLE, rps * factor)
    for name, values in calm.percentile_s.items():
        for p, before in values.items():
            assert busy.percentile_s[name][p][0, 0] >= before[0, 0] * (1 - 6e-3)
    for path, resource in calm.resources.items():
        assert busy.resources[path].utilization[0, 0] >= resource.utilization[0, 0] * (1 - 1e-9)
    assert busy.cost_month_usd[0, 0] >= calm.cost_month_usd[0, 0]


@pytest.mark.parametrize(
    ("tier", "field"),
    [("api", "instances"), ("redis", "instances"), ("postgres", "connections"), ("postgres", "replicas"), ("postgres", "cores")],
)
def test_one_more_never_raises_latency(tier, field):
    count = float(getattr(MIDDLE.tiers[tier], field))
    rps = np.array([[2000.0, 2600.0, 3300.0]])
    before, after = plan(MIDDLE, rps), plan(with_counts(MIDDLE, {Place(tier, field): count + 1}), rps)
    for name, values in before.percentile_s.items():
        for p in values:
            assert np.all(after.percentile_s[name][p] <= values[p] * (1 + 6e-3))


def test_permuting_tiers_and_journeys_changes_nothing():
    turned = but(MIDDLE, tiers=dict(reversed(MIDDLE.tiers.items())), journeys=dict(reversed(MIDDLE.journeys.items())))
    one, other = plan(MIDDLE), plan(turned)
    for name, values in one.percentile_s.items():
        for p in values:
            assert np.allclose(other.percentile_s[name][p], values[p], rtol=1e-4)
    assert np.allclose(one.cost_month_usd, other.cost_month_usd, rtol=1e-12)
    assert {n: j.holds.tolist() for n, j in one.judged.items()} == {n: j.holds.tolist() for n, j in other.judged.items()}


def test_a_world_does_not_know_of_the_others(statement):
    drawn = statement.at(8)
    together = plan(drawn, months=14)
    from perfplan.study.worlds import take_worlds

    alone = plan(take_worlds(drawn, 1), months=14)
    assert np.allclose(together.percentile_s["checkout"][0.95][0], alone.percentile_s["checkout"][0.95][0], rtol=1e-4)
    assert np.array_equal(together.rps[0], alone.rps[0])
    for name, judged in together.judged.items():
        assert np.array_equal(judged.holds[0], alone.judged[name].holds[0]), name


def test_over_28_days_fewer_requests_are_slow_than_in_the_peak_hour():
    rps = np.array([[3000.0, 3400.0, 3600.0]])
    made = plan(MIDDLE, rps, percentiles=(), both=True)
    peak, month = made.judged["search p95"].value, made.judged["search p95"].also
    assert np.all(month <= peak + 1e-4)
    browse = made.judged["browse p95"]
    assert np.all(browse.value <= browse.also + 1e-4)  # this one is promised over 28 days


def test_the_share_of_slow_requests_over_a_week_agrees_with_every_hour_computed():
    from perfplan.models.times.latency import exceeds

    rps = np.array([[3500.0]])
    objective = MIDDLE.objectives["browse p95"]
    hours = carry(MIDDLE, 3500.0 * MIDDLE.week[None, :])
    slow = exceeds(hours.journeys["browse"], objective.below_s, (1, 168))[0]
    exact = (slow * MIDDLE.week).sum() / MIDDLE.week.sum()
    found = State(MIDDLE, rps).slow("browse", objective.below_s, 1 - objective.percentile, (WEEKS,))[WEEKS]
    assert found[0, 0] == pytest.approx(exact, rel=0.05, abs=1e-4)


def test_events_shares_and_months():
    assert month_index(MIDDLE, "2027-04") == 5
    assert month_index(MIDDLE, "2026-11") == 0
    demand = demand_rps(MIDDLE, 13)
    growth = 1 + MIDDLE.traffic.growth_per_month
    assert demand[0, 5] / demand[0, 4] == pytest.approx(growth * np.sqrt(1.05 * 1.2))
    assert demand[0, 6] / demand[0, 4] == pytest.approx(growth**2)


def test_users_follow_littles_law():
    users, flying = concurrency(plan(one_tier()))
    assert flying[0, 0] == pytest.approx(100 * 0.03, rel=0.01)  # 20 ms round trip, 10 ms service
    assert users[0, 0] == pytest.approx(100 * (0.03 + 20.0), rel=0.01)  # think time 20 s, a default


def test_blocking_threads_are_held_by_what_they_wait_for(small):
    blocking = read(small).at()
    free = read(small, ("tiers.app.io=async",)).at()
    rps = np.array([[100.0]])
    held, own = (carry(s, rps).stations["app", "instances"].service_s for s in (blocking, free))
    store = carry(blocking, rps).responses["store"].mean_s
    assert float(np.ravel(own)[0]) == pytest.approx(0.01)
    assert float(np.ravel(held)[0]) == pytest.approx(0.01 + 2 * float(np.ravel(store)[0]))


def test_saturation_does_not_raise_and_is_without_end():
    made = plan(MIDDLE, np.array([[1.0, 1e4, 1e6]]), both=True)
    assert np.isinf(made.percentile_s["checkout"][0.5][0, 2])
    assert not made.all_hold[0, 2]
    assert np.isfinite(made.cost_month_usd).all()
    _, drain, name = burst(made)
    assert name
    assert np.isinf(drain[0, 2])


def test_availability_is_composed_from_the_tiers_reached():
    made = plan(MIDDLE, months=1, percentiles=())
    visits = visits_of(MIDDLE, "checkout", made.carried.hit_ratio)
    assert set(visits) == {"api", "redis", "postgres", "payments", "order-mails", "reports"}
    found = path_availability(MIDDLE, made.carried, "checkout")[0, 0]
    # 0.9999 of the balancer, 99.95 % of the database, a quarter of the requests pay at 99.9 %, 12 % publish a mail at 99.95 %
    expected = 0.9999 * 0.9995 * (1 - 0.25 * 0.001) * (1 - 0.12 * 0.0005) * (1 - 0.002 * 0.0005)
    assert found == pytest.approx(expected, abs=2e-6)  # with 36 instances, fewer than needed are practically never up


def test_storage_grows_with_traffic_and_costs(small):
    small.write_text(SMALL.replace("hold_time: 1ms", "hold_time: 1ms, storage: 100GB, storage_growth: 10GB"))
    made = plan(read(small, ("traffic.growth=0%/month",)).at())
    assert made.stored_bytes["store"][0, [0, 1, 12]] == pytest.approx([100e9, 110e9, 220e9])
    machine = 4 * 0.05 * 730
    assert made.cost_usd["store"][0, 12] == pytest.approx(machine + 220 * 0.115)


def test_an_error_rate_is_judged_by_the_stricter_availability():
    made = plan(MIDDLE, months=1, percentiles=())
    assert made.judged["checkout errors"].bound == pytest.approx(0.001)  # stated 1 %, but 99.9 % binds


def test_a_partner_refuses_what_is_beyond_its_limit_hour_by_hour(statement):
    scenario = statement.at()
    week = usual_week() if scenario.week is None else scenario.week
    for limit in (1e6, 40.0, 25.0):
        limited = but(scenario, tiers={**scenario.tiers, "payments": but(scenario.tiers["payments"], limit_rps=limit)})
        made = plan(limited)
        calls = float(made.carried.calls_rps["payments"][0, 0]) * week / week.max()
        refused = np.maximum(calls - limit, 0).sum() / calls.sum()
        up = float(tier_availability(limited, made.carried, "payments")[0, 0])
        assert up == pytest.approx(float(np.median(scenario.tiers["payments"].availability)) * (1 - refused), abs=0.004)
        assert (refused > 0.02) == (limit < 45)


def test_percentiles_of_many_months_are_those_of_each(statement):
    drawn = statement.at(40)
    made = plan(drawn, objectives=())
    for name, path in carry(drawn, made.rps).journeys.items():
        for p, exact in zip(made.percentile_s[name], percentiles_s(path, tuple(made.percentile_s[name]), made.rps.shape), strict=True):
            found = made.percentile_s[name][p]
            assert (np.isfinite(found) == np.isfinite(exact)).all()
            error = np.abs(found[np.isfinite(exact)] / exact[np.isfinite(exact)] - 1)
            assert np.quantile(error, 0.98) < 0.01


@pytest.mark.parametrize("rps", [0.0, 1e-9, 1e6])
def test_many_months_of_nobody_or_of_far_too_many_are_as_one(rps):
    many, one = (plan(MIDDLE, np.full((1, months), rps), objectives=()).percentile_s["checkout"][0.95] for months in (MONTHS, 1))
    assert many[0] == pytest.approx(np.full(MONTHS, one[0, 0]), rel=1e-3)


def test_a_journey_on_its_own_takes_as_long_as_among_all_others():
    scenario = read(STOREFRONT).at(20, 3)
    rps = np.broadcast_to(demand_rps(scenario), (20, MONTHS))[:, :4]
    every = carry(scenario, rps).journeys
    for name, law in every.items():
        alone = State(scenario, rps).path(name)
        assert np.array_equal(alone.mean_s, law.mean_s)
        assert np.array_equal(alone.variance, law.variance)
