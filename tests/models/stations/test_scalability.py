"""Cores that hinder each other: limits that are other queues, a chain computed otherwise, simulation, and a plan."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.beyond import laws
from perfplan.models.beyond.sharing import Sharing, shared_response_quantile_s
from perfplan.models.simulate import Arrivals, Draw, Pool, Share, percentiles
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.scalability import Crew, Usl
from perfplan.models.stations.service import Shape, Station
from perfplan.plan import plan
from perfplan.reading import read
from perfplan.study import study
from perfplan.study.verify import simulated
from tests.conftest import SMALL

PS = (0.5, 0.95, 0.99)


@settings(deadline=None, max_examples=30)
@given(
    servers=st.integers(1, 60), contention=st.floats(0, 0.3), coherency=st.floats(0, 0.01), gain=st.floats(0, 1), rho=st.floats(0.01, 0.97)
)
def test_a_crew_settles_as_its_birth_and_death_process_does(servers, contention, coherency, gain, rho):
    crew = Crew(servers, contention, coherency, gain)
    load = rho * float(crew.full)
    room = servers + int(45 / -np.log(rho)) + 10
    chain = BirthDeath.at_speed(load, crew.speed(np.arange(1.0, servers + 1)), room)
    all_busy, there = crew.settled(load)
    assert float(all_busy) == pytest.approx(chain.prob_wait, rel=1e-8, abs=1e-15)
    assert float(there) == pytest.approx(chain.mean_number, rel=1e-8)


@settings(deadline=None, max_examples=20)
@given(servers=st.integers(1, 300), rho=st.floats(1e-6, 1.2))
def test_independent_servers_are_erlangs(servers, rho):
    plain = MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers)
    all_busy, there = Crew(servers).settled(rho * servers)
    assert float(all_busy) == pytest.approx(float(plain.prob_wait), rel=1e-9, abs=1e-300)
    assert float(there) == pytest.approx(rho * servers * float(plain.mean_response_s), rel=1e-9)


@pytest.mark.parametrize(
    "crew", [Crew(2, hyperthread_gain=0.0), Crew(7, contention=1.0)], ids=["second threads of no use", "all one by one"]
)
def test_cores_that_only_do_one_cores_work_are_one(crew):
    rates = np.array([0.1, 0.5, 0.9, 1.0])
    station = Station(arrival_rps=rates, service_s=1.0, servers=float(crew.count), sharing=True, crew=crew)
    assert station.utilization == pytest.approx(rates)
    assert station.response.mean_s == pytest.approx([1 / 0.9, 2.0, 10.0, np.inf])  # M/M/1: 1 / (1 - rho)
    for p in PS:
        exact = [shared_response_quantile_s(p, float(rate), 1.0, 1) for rate in rates[:3]]
        assert station.response_quantile_s(p)[:3] == pytest.approx(exact, rel=0.025)
    assert np.isinf(station.response_quantile_s(0.5)[3])


def test_the_law_is_that_of_a_load_test():
    law = Usl(alpha=0.03, beta=0.0004, gamma=120.0)
    n = np.arange(1.0, 65)
    assert 120 * Crew(64, law.alpha, law.beta).speed(n) == pytest.approx(law.throughput(n))


@pytest.mark.parametrize(
    ("crew", "rho", "sigma"), [(Crew(2, hyperthread_gain=0.3), 0.8, None), (Crew(8, 0.05, 0.002), 0.9, 1.0), (Crew(4, 0.2, 0.02), 0.7, 0.3)]
)
def test_responses_are_those_of_simulated_cores(crew, rho, sigma):
    rate = rho * float(crew.full)
    law = Draw.exponential(1.0) if sigma is None else Draw.lognormal(float(np.exp(-(sigma**2) / 2)), sigma)
    pool = Pool(servers=crew.count, crew=crew)
    found = percentiles({"c": pool}, {"ask": (1.0, (Share("c", law),))}, Arrivals(rates=[rate]), PS, requests=300_000, most=8)["ask"]
    shape = None if sigma is None else Shape.lognormal(sigma)
    station = Station(arrival_rps=rate, service_s=1.0, servers=float(crew.count), sharing=True, crew=crew, shape=shape)
    service = laws.exponential(1.0) if sigma is None else laws.lognormal(1.0, float(shape.scv))
    alone = Sharing(arrival_rps=rate, service=service, servers=crew.count, crew=crew)
    for p, estimate in zip(PS, found, strict=False):
        for value in (float(station.response_quantile_s(p)), alone.response_quantile_s(p)):
            assert abs(value - estimate.value) <= 2 * estimate.half + 0.02 * estimate.value
    assert abs(float(station.response.mean_s) - found[-1].value) <= 2 * found[-1].half
    assert alone.mean_response_s == pytest.approx(float(station.response.mean_s))


def test_a_plan_knows_what_hyper_threads_do_and_its_simulation_agrees(small):
    small.write_text(SMALL.replace("cores: 4,", "cores: 4, hyperthread_gain: 30%, contention: 1% to 5%,"))
    made = study(read(small), 60)
    used = made.middle.resources["store", "cores"].utilization[0, 0]
    contention = made.scenario.tiers["store"].contention
    rate = np.sqrt(900 * 1100) * 0.1 * 2  # calls a second
    assert used == pytest.approx(rate * 0.002 / (2.6 / (1 + 3 * contention)))
    assert np.ptp(made.worlds.resources["store", "cores"].utilization[:, 0]) > 0
    for row in simulated(made, requests=60_000, most=8):
        assert row.beyond < 0.03


def test_more_cores_are_not_bought_where_they_would_do_less(small):
    small.write_text(SMALL.replace("cores: 4,", "cores: 8, coherency: 5%,").replace("peak_users: 900 to 1100", "peak_users: 9k to 11k"))
    made = study(read(small), 40)
    assert plan(made.scenario).resources["store", "cores"].utilization[0, 0] > 0.9
    assert all(("store", "cores") not in order.changes for order in made.fleet.orders)
