"""Stations and networks beyond M/M/c: reference tables, laws that tie one model to another, limits."""

import csv
import importlib
import json
import math
import re
import sys
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from perfplan.models.beyond.general import MG1, DMc, MDc, priority_waits_s, quantile_of, tail_of
from perfplan.models.beyond.network import Open, Visited, closed, closed_approximately, closed_classes
from perfplan.models.beyond.sharing import shared_response_quantile_s
from perfplan.models.beyond.transient import over_time
from perfplan.models.stations.birthdeath import BirthDeath, drain_quantile_s, drain_variance_s2, load_for_blocking
from perfplan.models.stations.queueing import MMc, drain_time_s, erlang_b
from perfplan.models.stations.scalability import Usl, fit_usl
from perfplan.models.times.matching import match
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType
from tests.conftest import ROOT

EXACT = 1e-8
BARS = {  # family: rows that are answered, largest error
    "backlog_drain": (3, EXACT),
    "batch_m_1": (2, EXACT),
    "dmc": (5, EXACT),
    "erlang_a": (4, EXACT),
    "erlang_b_inverse": (1, EXACT),
    "jackson_open": (9, EXACT),
    "mdc": (20, EXACT),
    "mg1": (12, 1e-6),
    "mgc_ps": (15, 3e-2),
    "mgck": (16, 6e-2),
    "fork_join": (26, 5e-2),
    "load_balancing_mean_field": (2, EXACT),
    "mmc_ps": (12, EXACT),
    "mmck": (18, EXACT),
    "mmpp2_m_c": (4, EXACT),
    "mt_mc_transient": (36, 1e-5),
    "gi_g_c": (56, 3e-2),
    "mva_closed": (14, EXACT),
    "mva_closed_multiclass": (6, EXACT),
    "mva_schweitzer": (5, EXACT),
    "order_statistics": (6, EXACT),
    "ph_ph_c": (70, EXACT),
    "priority": (14, 4e-2),
    "usl_fit": (28, EXACT),
}


@pytest.fixture(scope="module")
def errors():
    """Errors of all answered rows of the reference table, by family, as the benchmark computes them."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        accuracy = importlib.import_module("accuracy")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    with (ROOT / "tests" / "data" / "queueing_cases.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    accuracy.ask_for_times(rows)
    accuracy.simulated.REPLICATIONS = 0  # simulations take minutes: tests/models/test_simulate.py has smaller ones
    found = defaultdict(list)
    for row in rows:
        answer = accuracy.answer(json.loads(row["params_json"]), json.loads(row["metric_json"]))
        if answer:
            found[json.loads(row["params_json"])["family"]].append(accuracy.error_of(answer[0], row))
    return found


@pytest.mark.parametrize("family", BARS)
def test_reference_rows_are_met(errors, family):
    answered, bar = BARS[family]
    assert len(errors[family]) == answered
    assert max(errors[family]) <= bar


def exponential(rate, servers):
    return MapPhC(MarkovianArrivals.renewal(PhaseType.exponential(1 / rate)), PhaseType.exponential(1.0), servers)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.05, 0.97), st.integers(1, 12))
def test_phase_types_of_one_phase_are_mmc(rho, servers):
    queue, known = exponential(rho * servers, servers), MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers)
    assert queue.prob_wait == pytest.approx(float(known.prob_wait), rel=1e-9)
    assert queue.mean_wait_s == pytest.approx(float(known.mean_wait_s), rel=1e-9)
    assert queue.response_quantile_s(0.99) == pytest.approx(float(known.response_quantile_s(0.99)), rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.1, 0.9), st.integers(1, 6))
def test_one_server_with_phases_is_pollaczek_khinchines(rho, phases):
    service = PhaseType.erlang(1.0, phases)
    queue = MapPhC(MarkovianArrivals.renewal(PhaseType.exponential(1 / rho)), service, 1)
    known = MG1(arrival_rps=rho, service=lambda s: (1 + s / phases) ** -phases, service_s=1.0, scv=1 / phases)
    assert queue.mean_wait_s == pytest.approx(known.mean_wait_s, rel=1e-9)
    assert queue.response_quantile_s(0.95) == pytest.approx(known.response_quantile_s(0.95), rel=1e-6)


def test_burstier_arrivals_wait_longer_and_steadier_ones_less():
    def wait(between):
        return MapPhC(MarkovianArrivals.renewal(between), PhaseType.exponential(1.0), 3).mean_wait_s

    mean = 1 / 2.4
    bursty = PhaseType.hyperexponential(np.array([0.9, 0.1]), np.array([2 * 0.9, 2 * 0.1]) / mean)
    assert wait(PhaseType.erlang(mean, 4)) < wait(PhaseType.exponential(mean)) < wait(bursty)
    assert bursty.mean_s == pytest.approx(mean)


def test_a_saturated_queue_is_refused():
    with pytest.raises(ValueError, match="utilization must be below 1 for a steady state; got 1"):
        _ = exponential(4.0, 4).mean_wait_s
    with pytest.raises(ValueError, match=r"got 1\.25"):
        _ = MDc(arrival_rps=5.0, service_s=1.0, servers=4).mean_wait_s
    with pytest.raises(ValueError, match="got 2"):
        _ = DMc(gap_s=0.5, service_s=1.0, servers=1).sigma
    with pytest.raises(ValueError, match=r"got 1\.5"):
        shared_response_quantile_s(0.9, 3.0, 1.0, 2)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 30.0), st.integers(1, 20))
def test_room_for_the_servers_only_is_erlangs_loss_system_and_much_room_is_mmc(load, servers):
    assert BirthDeath.with_room(load, 1.0, servers, servers).prob_block == pytest.approx(float(erlang_b(load, servers)), rel=1e-10)
    if load < 0.8 * servers:
        roomy, known = BirthDeath.with_room(load, 1.0, servers, servers + 400), MMc(arrival_rps=load, service_s=1.0, servers=servers)
        assert roomy.mean_wait_s == pytest.approx(float(known.mean_wait_s), rel=1e-9)
        assert roomy.prob_wait == pytest.approx(float(known.prob_wait), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 5), st.floats(0.5, 20.0))
def test_finite_sources_are_a_closed_network(sources, servers, think):
    queue = BirthDeath.of_sources(sources, think, 1.0, servers)
    net = closed([Visited(service_s=1.0, servers=servers)], sources, think)
    assert queue.throughput_rps == pytest.approx(net.throughput_rps, rel=1e-9)
    assert queue.mean_number == pytest.approx(float(net.mean_number[0]), rel=1e-9)


def test_impatience_fades_into_mmc_and_sheds_what_is_too_much():
    known = MMc(arrival_rps=8.0, service_s=1.0, servers=10)
    assert BirthDeath.impatient(8.0, 1.0, 10, 1e7).mean_wait_s == pytest.approx(float(known.mean_wait_s), rel=1e-5)
    flooded = BirthDeath.impatient(200.0, 1.0, 100, 1.0)
    assert flooded.prob_abandon == pytest.approx(0.5, abs=0.01)  # the fluid limit
    assert BirthDeath.impatient(90_000.0, 1.0, 100_000, 5.0).prob_abandon == pytest.approx(0.0, abs=1e-12)


@given(st.floats(1e-4, 0.5), st.integers(1, 2000))
def test_the_load_for_a_blocking_is_erlang_bs_inverse(blocking, servers):
    assert float(erlang_b(load_for_blocking(blocking, servers), servers)) == pytest.approx(blocking, rel=1e-9)


def test_deterministic_service_of_one_server_is_pollaczek_khinchines_and_halves_the_wait():
    for rho in (0.3, 0.7, 0.95):
        assert MDc(arrival_rps=rho, service_s=1.0, servers=1).mean_wait_s == pytest.approx(rho / (2 * (1 - rho)), rel=1e-9)
    queue = MDc(arrival_rps=3.2, service_s=1.0, servers=4)
    assert queue.mean_wait_s < float(MMc(arrival_rps=3.2, service_s=1.0, servers=4).mean_wait_s)
    assert queue.wait_within(queue.wait_quantile_s(0.99)) == pytest.approx(0.99, abs=1e-10)
    assert queue.wait_quantile_s(0.05) == 0.0


def test_regular_arrivals_are_erlang_arrivals_of_many_phases():
    regular = DMc(gap_s=1 / 3.2, service_s=1.0, servers=4)
    nearly = MapPhC(MarkovianArrivals.renewal(PhaseType.erlang(1 / 3.2, 100)), PhaseType.exponential(1.0), 4)
    assert regular.mean_wait_s == pytest.approx(nearly.mean_wait_s, rel=0.02)
    assert regular.prob_wait == pytest.approx(nearly.prob_wait, rel=0.02)


def test_transforms_are_inverted():
    assert tail_of(lambda s: (1 + s) ** -2, 3.0) == pytest.approx(poisson.cdf(1, 3.0), rel=1e-8)  # Erlang-2: at most one event
    assert quantile_of(lambda s: 1 / (1 + 2 * s), 0.9, 2.0) == pytest.approx(-2 * math.log(0.1), rel=1e-8)


def test_priorities_keep_the_mean_wait_of_all_and_favour_the_first():
    waits = priority_waits_s([1.0, 1.4], 1.0, 3)
    known = MMc(arrival_rps=2.4, service_s=1.0, servers=3)
    assert waits[0] < float(known.mean_wait_s) < waits[1]
    assert (1.0 * waits[0] + 1.4 * waits[1]) / 2.4 == pytest.approx(float(known.mean_wait_s), rel=1e-12)  # Kleinrock's conservation


def test_sharing_among_enough_servers_is_service_alone():
    assert shared_response_quantile_s(0.95, 0.5, 1.0, 60) == pytest.approx(-math.log(0.05), rel=1e-9)
    assert shared_response_quantile_s(0.5, 0.8, 1.0, 1) < shared_response_quantile_s(0.5, 0.9, 1.0, 1)


def test_drains_are_sums_of_busy_periods():
    assert drain_variance_s2(100, 8.0, 1.0, 10) == pytest.approx(100 * 18 / 8)
    middle = drain_quantile_s(0.5, 2000, 8.0, 1.0, 10)
    assert middle == pytest.approx(float(drain_time_s(2000, 8.0, 1.0, 10)), rel=0.01)  # nearly normal
    assert drain_quantile_s(0.95, 2000, 8.0, 1.0, 10) > middle


def test_closed_networks_meet_their_asymptotes():
    stations = [Visited(service_s=0.02), Visited(service_s=0.05)]
    assert closed(stations, 500, 1.0).throughput_rps == pytest.approx(1 / 0.05, rel=1e-6)
    assert closed(stations, 1, 1.0).throughput_rps == pytest.approx(1 / 1.07, rel=1e-12)
    exact, near = closed(stations, 30, 1.0), closed_approximately(stations, 30, 1.0)
    assert near.throughput_rps == pytest.approx(exact.throughput_rps, rel=0.05)
    two, number = closed_classes(np.array([[0.02, 0.05], [0.02, 0.05]]), [3, 4], [1.0, 1.0], [True, True])
    assert two.sum() == pytest.approx(closed(stations, 7, 1.0).throughput_rps, rel=1e-9)
    assert number.sum() + two.sum() * 1.0 == pytest.approx(7, rel=1e-9)  # everybody is somewhere


def test_nobody_in_a_closed_network_has_no_throughput_and_meets_no_queue():
    stations = [Visited(service_s=0.02, visits=3.0), Visited(service_s=0.05)]
    for solve in (closed, closed_approximately):
        empty = solve(stations, 0, 1.0)
        assert (empty.throughput_rps, empty.mean_number.tolist()) == (0.0, [0.0, 0.0])
        assert empty.residence_s.tolist() == pytest.approx([0.06, 0.05])
    alone, _ = closed_classes(np.array([[0.02], [0.03]]), [2, 0], [1.0, 1.0], [True])
    assert alone[1] == 0
    assert alone[0] == pytest.approx(closed([Visited(service_s=0.02)], 2, 1.0).throughput_rps)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: closed([Visited(service_s=1.0)], 2, -1.0), "think_s must be a finite time, 0 or more; got -1.0"),
        (lambda: closed_approximately([Visited(service_s=1.0)], 2, float("nan")), "think_s must be a finite time"),
        (lambda: closed([Visited(service_s=1.0)], -1), "customers must be a whole number, 0 or more; got -1"),
        (lambda: closed([Visited(service_s=1.0)], 1.5), "customers must be a whole number"),
        (lambda: closed([Visited(service_s=1.0)], float("inf")), "customers must be a whole number"),
        (lambda: Open(arrival_rps=-1.0, stations=[]), "arrival_rps must be a finite rate, 0 or more; got -1.0"),
        (lambda: closed([Visited(service_s=0.0)], 3), "a circle that takes none has no throughput"),
        (lambda: closed_approximately([Visited(service_s=1.0, servers=2)], 2), "got 2 servers (closed() answers them)"),
        (lambda: Visited(service_s=-1.0), "service_s must be a finite number, 0 or more; got -1.0"),
        (lambda: Visited(service_s=1.0, servers=0), "servers must be a whole number, 1 or more, or None"),
        (lambda: closed_classes(np.ones((3, 1)), [1, 1], [1.0, 1.0], [True]), "got (3, 1) for 2 classes, 2 times and 1 stations"),
        (lambda: closed_classes(np.ones((2, 1)), [1, 1], [1.0, -1.0], [True]), "think_s must be a finite time, 0 or more; got -1.0"),
        (lambda: closed_classes(np.array([[np.nan]]), [1], [1.0], [True]), "demands_s must be finite, 0 or more"),
    ],
)
def test_a_senseless_network_is_refused_with_its_argument(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        wrong()


def test_a_delay_in_an_open_network_makes_nobody_wait():
    net = Open(arrival_rps=10.0, stations=[Visited(service_s=0.5, visits=2.0, servers=None), Visited(service_s=0.05)])
    assert net.mean_response_s == pytest.approx(1.0 + 0.05 / (1 - 0.5))
    assert closed([Visited(service_s=1.0)], 3.0).throughput_rps == closed([Visited(service_s=1.0)], 3).throughput_rps


def test_an_open_network_is_the_limit_of_a_closed_one():
    stations = [Visited(service_s=0.02), Visited(service_s=0.03, visits=1.5)]
    net = Open(arrival_rps=10.0, stations=stations)
    many = closed(stations, 900, 90 - net.mean_response_s)  # 900 users, 10 requests a second
    assert many.mean_response_s == pytest.approx(net.mean_response_s, rel=0.02)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.0, 0.2), st.floats(1e-6, 1e-2), st.floats(1.0, 1e4))
def test_the_scalability_law_comes_back_from_its_own_points(alpha, beta, gamma):
    load = np.array([1.0, 2, 4, 8, 16, 32, 64])
    found = fit_usl(load, Usl(alpha=alpha, beta=beta, gamma=gamma).throughput(load))
    assert found.throughput(load) == pytest.approx(Usl(alpha=alpha, beta=beta, gamma=gamma).throughput(load), rel=1e-4)


@pytest.mark.parametrize(
    ("load", "throughput"),
    [
        ([1, 2, 4, 8, 16], [100, 200, 400, 800, 1600]),  # linear
        ([1, 2, 4, 8], [100, 230, 500, 1100]),  # faster than that
        ([1, 2, 4, 8, 16, 32], [100, 190.476, 347.826, 592.593, 914.286, 1254.902]),  # Amdahl, alpha = 0.05
    ],
)
def test_no_peak_is_found_where_the_points_have_none(load, throughput):
    found = fit_usl(np.array(load, dtype=float), np.array(throughput, dtype=float))
    assert found.peak_load == math.inf
    assert found.peak_throughput == found.limit
    assert bool(found.remark) == (throughput[1] > 200)
    assert found.beta == 0


def test_users_by_the_hundred_thousand_are_fitted_like_threads():
    load = np.array([10_000.0, 20_000, 40_000, 80_000, 160_000, 320_000])
    law = Usl(alpha=1e-5, beta=1e-10, gamma=1.0)
    found = fit_usl(load, law.throughput(load))
    assert (found.alpha, found.beta, found.gamma) == pytest.approx((1e-5, 1e-10, 1.0), rel=1e-3)
    assert found.peak_load == pytest.approx(law.peak_load, rel=1e-3)
    small = fit_usl(load / 10_000, law.throughput(load) * 1e-12)
    assert small.throughput(load / 10_000) == pytest.approx(law.throughput(load) * 1e-12, rel=1e-3)


def test_noise_is_not_called_superlinear():
    rng, load = np.random.default_rng(3), np.array([1.0, 2, 4, 8, 16, 32])
    clean = Usl(alpha=0.02, beta=0.0, gamma=100.0).throughput(load)
    assert [fit_usl(load, clean * (1 + 0.02 * rng.standard_normal(6))).remark for _ in range(10)] == [""] * 10


def test_an_optimum_is_never_behind_the_peak():
    law = Usl(alpha=0.001, beta=1e-3, gamma=100.0)  # 1 / alpha is 1,000, the peak at 31.6
    assert law.optimal_load == law.peak_load == pytest.approx(math.sqrt(0.999 / 1e-3))
    backwards = fit_usl(np.array([1.0, 2, 4, 8]), np.array([100.0, 60, 30, 12]))
    assert backwards.peak_load >= 1
    assert backwards.throughput(backwards.peak_load) >= backwards.throughput(2.0)


@pytest.mark.parametrize(
    ("load", "throughput", "says"),
    [
        ([4.0], [100.0], "must have 3 different loads at least, as three parameters are fitted; got 1"),
        ([4.0, 4.0, 4.0], [100.0, 101.0, 99.0], "different loads at least, as three parameters are fitted; got 1"),
        ([1.0, 2.0, 4.0], [100.0, 0.0, 99.0], "throughput must be finite and above 0; got 0 (leave such points out)"),
        ([1.0, np.nan, 4.0], [100.0, 150.0, 99.0], "load must be finite and above 0; got nan"),
        ([1.0, 2.0, 4.0], [100.0, 150.0], "rows of the same length; got shapes (3,) and (2,)"),
    ],
)
def test_points_that_say_nothing_of_scalability_are_refused(load, throughput, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        fit_usl(np.array(load), np.array(throughput))


def test_the_scalability_peak_is_where_more_brings_less():
    law = Usl(alpha=0.03, beta=1e-4, gamma=100.0)
    assert law.throughput(law.peak_load) > max(law.throughput(law.peak_load * 0.9), law.throughput(law.peak_load * 1.1))
    assert Usl(alpha=0.0, beta=0.0, gamma=1.0).peak_load == math.inf


def test_a_constant_load_settles_to_its_steady_state():
    late = over_time(lambda _: 8.0, 1.0, [(0.0, 10)], [200.0], most=200)[0]
    known = MMc(arrival_rps=8.0, service_s=1.0, servers=10)
    assert late.prob_wait == pytest.approx(float(known.prob_wait), rel=1e-6)
    assert late.mean_queue_length == pytest.approx(8.0 * float(known.mean_wait_s), rel=1e-6)


def test_servers_that_come_later_work_off_what_has_queued():
    moments = over_time(lambda _: 9.0, 1.0, [(0.0, 5), (10.0, 20)], [10.0, 20.0], most=300)
    assert moments[0].servers == 20
    assert moments[0].mean_number > 35  # at least 4 a second more came than went
    assert moments[1].mean_queue_length < 0.1


@settings(deadline=None, max_examples=40)
@given(st.floats(0.1, 30.0), st.floats(0.05, 20.0))
def test_matched_laws_have_their_moments(mean, scv):
    law = match(mean, scv)
    assert law.mean_s == pytest.approx(mean, rel=1e-9)
    assert law.scv == pytest.approx(scv, rel=1e-6)
    if scv > 1.01:
        third = mean**3 * (1 + scv) ** 3  # of the lognormal
        three = match(mean, scv, third)
        twice = np.linalg.solve(
            three.generator, np.linalg.solve(three.generator, np.linalg.solve(-three.generator, np.ones(three.start.size)))
        )
        assert three.scv == pytest.approx(scv, rel=1e-6)
        assert 6 * three.start @ twice == pytest.approx(third, rel=1e-6)
