"""The simulator against exact formulas and reference simulations, and the laws of its own bookkeeping."""

import csv
import json

import numpy as np
import pytest

from perfplan.models.beyond.network import Visited, closed
from perfplan.models.simulate import (
    Arrivals,
    Draw,
    Fork,
    Free,
    Maybe,
    Pool,
    Seize,
    Share,
    Spend,
    percentiles,
    simulate,
    warm_up,
)
from perfplan.models.stations.queueing import MMc, erlang_b
from tests.conftest import ROOT

MANY = 400_000


def one_visit(mean_s=1.0, rank=0):
    return (Seize("desk", rank), Spend(Draw.exponential(mean_s)), Free("desk"))


def test_percentiles_of_m_m_3_lie_inside_their_intervals():
    station = MMc(arrival_rps=2.4, service_s=1.0, servers=3.0)
    found = percentiles({"desk": Pool(servers=3)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[2.4]), (0.5, 0.95, 0.99), precision=0.01)[
        "ask"
    ]
    for p, estimate in zip((0.5, 0.95, 0.99), found, strict=False):
        assert estimate.value == pytest.approx(float(station.response_quantile_s(p)), abs=1.5 * estimate.half)
        assert estimate.half < 0.02 * estimate.value
    assert found[-1].value == pytest.approx(float(station.mean_response_s), abs=1.5 * found[-1].half)


def test_utilization_and_waits_follow_the_formula():
    run = simulate({"desk": Pool(servers=4)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[3.2]), MANY, seed=2)
    station = MMc(arrival_rps=3.2, service_s=1.0, servers=4.0)
    assert run.utilization["desk"] == pytest.approx(0.8, rel=0.01)
    assert run.mean_wait_s["desk"] == pytest.approx(float(station.mean_wait_s), rel=0.04)
    assert (run.wait_s > 0).mean() == pytest.approx(float(station.prob_wait), rel=0.02)


def test_a_full_queue_refuses_as_erlang_b_says_and_gives_back_what_was_held():
    steps = (Seize("thread"), Seize("desk"), Spend(Draw.exponential(1.0)), Free("desk"), Free("thread"))
    pools = {"thread": Pool(servers=10_000), "desk": Pool(servers=5, room=0)}
    run = simulate(pools, {"ask": (1.0, steps)}, Arrivals(rates=[3.0]), MANY, seed=3)
    assert np.isnan(run.response_s).mean() == pytest.approx(float(erlang_b(3.0, 5)), rel=0.02)
    assert run.utilization["thread"] * 10_000 == pytest.approx(3.0 * (1 - float(erlang_b(3.0, 5))), rel=0.02)


def test_processor_sharing_does_not_care_for_the_law_of_the_work():
    for law in (Draw.exponential(1.0), Draw.constant(1.0), Draw.lognormal(float(np.exp(-np.log(5) / 2)), float(np.sqrt(np.log(5))))):
        run = simulate({"cpu": Pool(servers=2)}, {"work": (1.0, (Share("cpu", law),))}, Arrivals(rates=[1.4]), MANY, seed=4)
        assert run.response_s.mean() == pytest.approx(float(MMc(arrival_rps=1.4, service_s=1.0, servers=2.0).mean_response_s), rel=0.03)
        assert run.utilization["cpu"] == pytest.approx(0.7, rel=0.02)


def test_two_branches_take_as_long_as_flatto_and_hahn_say():
    rho = 0.8
    branches = tuple((Seize(n), Spend(Draw.exponential(1.0)), Free(n)) for n in ("left", "right"))
    pools = {"left": Pool(servers=1), "right": Pool(servers=1)}
    both = simulate(pools, {"ask": (1.0, (Fork(branches),))}, Arrivals(rates=[rho]), MANY, seed=5)
    assert both.response_s.mean() == pytest.approx((12 - rho) / 8 / (1 - rho), rel=0.04)
    first = simulate(pools, {"ask": (1.0, (Fork(branches, needed=1),))}, Arrivals(rates=[rho]), MANY, seed=5)
    assert first.response_s.mean() < MMc(arrival_rps=rho, service_s=1.0, servers=1.0).mean_response_s < both.response_s.mean()


def test_customers_who_come_again_follow_mean_value_analysis():
    exact = closed([Visited(service_s=0.2, visits=1.0, servers=1)], 8, 1.0)
    steps = (Seize("desk"), Spend(Draw.exponential(0.2)), Free("desk"))
    run = simulate({"desk": Pool(servers=1)}, {"ask": (1.0, steps)}, Arrivals(customers=8, think=Draw.exponential(1.0)), MANY, seed=6)
    assert run.response_s.size / run.end_s == pytest.approx(float(exact.throughput_rps), rel=0.01)
    assert run.response_s.mean() == pytest.approx(float(exact.mean_response_s), rel=0.01)


def test_customers_do_not_wait_for_branches_that_nobody_needs():
    branches = ((Spend(Draw.exponential(1.0)),), (Spend(Draw.exponential(1.0)),))
    arrivals = Arrivals(customers=5, think=Draw.exponential(0.5))
    run = simulate({"none": Pool(servers=1)}, {"ask": (1.0, (Fork(branches, needed=1),))}, arrivals, MANY, seed=13)
    assert run.response_s.mean() == pytest.approx(0.5, rel=0.01)  # the shorter of two
    assert run.response_s.size / run.end_s == pytest.approx(5.0, rel=0.01)  # five customers, a second a round


def test_the_urgent_wait_as_cobham_says():
    journeys = {"high": (1.0, one_visit(rank=0)), "low": (1.0, one_visit(rank=1))}
    run = simulate({"desk": Pool(servers=1)}, journeys, Arrivals(rates=[0.8]), MANY, seed=7)
    for number, wait in enumerate((0.8 / (1 - 0.4), 0.8 / (1 - 0.4) / (1 - 0.8))):
        assert run.wait_s[run.journey == number].mean() == pytest.approx(wait, rel=0.05)


def test_batches_are_the_exact_batch_queue():
    steps = (Seize("a"), Spend(Draw.exponential(1.0)), Free("a"))
    runs = [simulate({"a": Pool(servers=1)}, {"x": (1.0, steps)}, Arrivals(rates=[0.14], batch=5), 300_000, seed=s) for s in range(6)]
    expected = 0.7 * (5 + 1) / (2 * (1 - 0.7)) / 0.7  # mean number of M^[5]/M/1 (Gross et al. section 3.1), and Little's law
    assert np.mean([run.response_s[30_000:].mean() for run in runs]) == pytest.approx(expected, rel=0.04)


def test_balancers_keep_their_order_and_shares_their_weights():
    means = []
    for policy in ("shortest", "two_choices", "round_robin", "random"):
        run = simulate({"desk": Pool(servers=1, copies=8, policy=policy)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[6.4]), MANY, seed=8)
        means.append(run.response_s.mean())
    assert means == sorted(means)
    assert means[-1] == pytest.approx(5.0, rel=0.05)  # eight M/M/1 queues
    skip = (Maybe(0.25, (Spend(Draw.constant(4.0)),), (Spend(Draw.constant(1.0)),)),)
    run = simulate({"desk": Pool(servers=1)}, {"a": (3.0, skip), "b": (1.0, skip)}, Arrivals(rates=[1.0]), MANY, seed=9)
    assert (run.response_s > 2).mean() == pytest.approx(0.25, abs=0.005)
    assert (run.journey == 0).mean() == pytest.approx(0.75, abs=0.005)


def test_a_rate_that_changes_brings_its_mean():
    run = simulate({"desk": Pool(servers=50)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[1.0, 3.0], step_s=100.0), MANY, seed=10)
    assert MANY / run.end_s == pytest.approx(2.0, rel=0.02)
    assert (run.start_s % 200 >= 100).mean() == pytest.approx(0.75, abs=0.01)


def test_reference_simulations_of_threads_that_hold_connections_are_met():
    with (ROOT / "tests" / "data" / "queueing_cases.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if '"layered_pools"' in r["params_json"]]
    case = json.loads(rows[0]["params_json"])
    query = (Seize("connections"), Seize("db"), Spend(Draw.exponential(case["db"]["service"]["mean"])), Free("db"), Free("connections"))
    cpu = (Seize("cpu"), Spend(Draw.exponential(case["cpu"]["service"]["mean"])), Free("cpu"))
    steps = (Seize("threads"), *cpu, *(query * case["db_calls"]), Free("threads"))
    sizes = {"threads": case["threads"], "connections": case["connections"], "cpu": case["cpu"]["servers"], "db": case["db"]["servers"]}
    arrivals = Arrivals(customers=case["customers"], think=Draw.exponential(case["think"]["mean"]))
    run = simulate({n: Pool(servers=s) for n, s in sizes.items()}, {"all": (1.0, steps)}, arrivals, MANY, seed=11)
    checked = 0
    for row in rows:
        metric = json.loads(row["metric_json"])
        if row["params_json"] == rows[0]["params_json"] and metric["name"] in ("throughput", "mean_response", "response_quantile"):
            said = {"throughput": run.response_s.size / run.end_s, "mean_response": run.response_s.mean()}
            value = said.get(metric["name"], float(np.quantile(run.response_s, metric.get("p", 0.5))))
            assert value == pytest.approx(float(row["value"]), rel=0.01)
            checked += 1
    assert checked >= 3


def test_the_same_seed_gives_the_same_numbers_and_compared_systems_the_same_arrivals():
    runs = [simulate({"desk": Pool(servers=n)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[0.9]), 5_000, seed=12) for n in (1, 1, 2)]
    assert np.array_equal(runs[0].response_s, runs[1].response_s)
    assert np.array_equal(np.sort(runs[0].start_s)[:4000], np.sort(runs[2].start_s)[:4000])


def test_without_a_steady_state_nothing_is_claimed():
    found = percentiles({"desk": Pool(servers=1)}, {"ask": (1.0, one_visit())}, Arrivals(rates=[2.0]), (0.99,), requests=300_000)
    assert [e.value for e in found["ask"]] == [np.inf, np.inf]


def test_the_warm_up_is_cut_and_a_steady_run_is_not():
    noise = np.random.default_rng(1).standard_normal((4, 20_000))
    late = noise + 50 * np.exp(-np.arange(20_000) / 400)
    assert 0.05 < warm_up(list(late)) < 0.3
    assert warm_up(list(noise)) < 0.2
