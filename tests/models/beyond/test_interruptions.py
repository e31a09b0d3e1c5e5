"""Breakdowns, set-up times, speed that depends on load, large systems over time: simulations of their own, limits."""

import numpy as np
import pytest

from perfplan.models.beyond import laws
from perfplan.models.beyond.general import MG1
from perfplan.models.beyond.interruptions import SetUp, interrupted
from perfplan.models.beyond.transient import large_over_time, over_time
from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, simulate
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.scalability import Usl


@pytest.mark.parametrize("work", [laws.exponential(0.2), laws.erlang(0.2, 3)], ids=["exponential", "erlang"])
def test_interrupted_work_is_what_sampling_shows(work):
    law = interrupted(work, 1.0, laws.erlang(0.5, 2))
    drawn = law.sample(np.random.default_rng(3), 400_000)
    assert drawn.mean() == pytest.approx(law.mean, rel=0.01)
    assert drawn.var() == pytest.approx(law.variance, rel=0.02)
    assert np.quantile(drawn, [0.5, 0.95, 0.99]) == pytest.approx(law.quantile([0.5, 0.95, 0.99]), rel=0.02)


def test_a_server_that_breaks_down_makes_its_queue_wait_as_avi_itzhak_and_naor_say():
    rate, every, repair = 0.5, 10.0, 4.0
    law = interrupted(laws.exponential(1.0), every, laws.exponential(repair))
    second = 2 * (1 + repair / every) ** 2 + 2 * repair**2 / every  # E C^2: with E S^2 = 2 and E R^2 = 2 repair^2
    expected = rate * second / (2 * (1 - rate * (1 + repair / every)))
    queue = MG1(arrival_rps=rate, service=law.transform, service_s=law.mean, scv=law.variance / law.mean**2)
    assert queue.mean_wait_s == pytest.approx(expected, rel=1e-9)
    assert interrupted(laws.exponential(1.0), 1e9, laws.constant(1.0)).quantile(0.9) == pytest.approx(np.log(10), rel=1e-6)


def recursion(rate, service, set_up, count, seed):
    """Waits of the first come first served, one server that is cold when it is idle: Lindley's recursion with an exceptional first."""
    rng = np.random.default_rng(seed)
    gaps, services, cold = rng.exponential(1 / rate, count), service(rng, count), set_up(rng, count)
    waits, free = np.empty(count), 0.0
    at = np.cumsum(gaps)
    for i in range(count):
        waits[i] = free - at[i] if free > at[i] else cold[i]
        free = at[i] + waits[i] + services[i]
    return waits


def test_a_cold_start_is_what_a_recursion_shows():
    station = SetUp(arrival_rps=0.4, service=laws.exponential(1.0), set_up=laws.constant(3.0))
    waits = recursion(0.4, lambda r, n: r.exponential(1.0, n), lambda r, n: np.full(n, 3.0), 400_000, 5)
    assert waits.mean() == pytest.approx(station.mean_wait_s, rel=0.02)
    assert np.quantile(waits, [0.9, 0.99]) == pytest.approx([station.wait_quantile_s(0.9), station.wait_quantile_s(0.99)], rel=0.03)
    assert (waits == 3.0).mean() == pytest.approx(station.prob_set_up, rel=0.02)
    warm = SetUp(arrival_rps=0.4, service=laws.exponential(1.0), set_up=laws.constant(1e-9))
    assert warm.response_quantile_s(0.95) == pytest.approx(np.log(20) / 0.6, rel=1e-5)
    with pytest.raises(ValueError, match=r"below 1 for a steady state; got 1\.2"):
        SetUp(arrival_rps=1.2, service=laws.exponential(1.0), set_up=laws.constant(1.0))


def test_a_breakdown_in_the_simulator_is_a_request_that_goes_first_and_holds_a_server():
    pools = {"station": Pool(servers=1)}
    work = (Spend(Draw.exponential(1.0)), Free("station"))
    journeys = {
        "breakdown": (0.05, (Seize("station"), Spend(Draw.exponential(4.0)), Free("station"))),
        "request": (0.45, (Seize("station", 1), *work)),
    }
    runs = [simulate(pools, journeys, Arrivals(rates=[0.5]), 200_000, seed=s) for s in range(4)]
    seen = np.mean([r.wait_s[20_000:][r.journey[20_000:] == 1].mean() for r in runs])
    used = (0.05 * 4.0, 0.05 * 4.0 + 0.45)  # Cobham, two laws of service: E W = sum(rate E S^2) / (2 (1 - sigma_1) (1 - sigma_2))
    assert seen == pytest.approx((0.05 * 32 + 0.45 * 2) / 2 / ((1 - used[0]) * (1 - used[1])), rel=0.05)


def test_servers_that_hinder_each_other_are_the_chain_with_their_speeds():
    law = Usl(alpha=0.1, beta=0.02, gamma=10.0)
    queue = BirthDeath.at_speed(30.0, law.throughput(np.arange(1, 9)), 40)
    up, down = np.full(40, 30.0), law.throughput(np.minimum(np.arange(1, 41), 8))
    generator = np.diag(up, 1) + np.diag(down, -1)
    generator -= np.diag(generator.sum(axis=1))
    system = np.vstack([generator.T[:-1], np.ones(41)])
    assert queue.probabilities == pytest.approx(np.linalg.solve(system, np.append(np.zeros(40), 1.0)), abs=1e-12)
    assert queue.mean_response_s > BirthDeath.at_speed(30.0, 10.0 * np.arange(1, 9), 40).mean_response_s
    assert queue.throughput_rps <= law.peak_throughput


@pytest.mark.parametrize(("size", "mean", "wait"), [(100, 0.03, 0.13), (1000, 0.01, 0.07)])
def test_a_large_system_over_time_is_near_the_exact_one(size, mean, wait):
    def rate(t):
        return size * (0.9 + 0.25 * np.sin(t / 3))

    times = [1.0, 3, 6, 9, 12, 15, 20]
    exact = over_time(rate, 1.0, [(0.0, size)], times, most=round(2.2 * size) + 150)
    found = large_over_time(rate, 1.0, [(0.0, size)], times)
    for one, other in zip(exact, found, strict=True):
        assert other.mean_number == pytest.approx(one.mean_number, rel=mean)
        assert other.prob_wait == pytest.approx(one.prob_wait, abs=wait)
        assert other.mean_queue_length == pytest.approx(one.mean_queue_length, abs=0.02 * size)
