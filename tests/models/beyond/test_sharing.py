"""Processor sharing, limited room, priorities, fork-joins: limits and laws; reference rows are in test_stations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.beyond import combined, laws
from perfplan.models.beyond.balancing import mean_field_response_s
from perfplan.models.beyond.forkjoin import ForkJoin, fork_join_mean_s
from perfplan.models.beyond.general import MG1, MDc, priority_waits_s
from perfplan.models.beyond.priority import Priority, preempted_mean_response_s, preempted_response_quantile_s
from perfplan.models.beyond.room import MGcK
from perfplan.models.beyond.sharing import Sharing, shared_response_quantile_s
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.queueing import MMc, erlang_b
from perfplan.models.stations.scalability import Crew
from perfplan.models.stations.service import Shape, Station
from perfplan.models.stations.slowdown import slowdown

LAWS = {
    "constant": laws.constant(2.0),
    "erlang": laws.erlang(0.5, 4),
    "exponential": laws.exponential(1.0),
    "lognormal": laws.lognormal(1.0, 2.0),
    "hyperexponential": laws.hyperexponential([0.9, 0.1], [0.5, 5.5]),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("servers", [1, 4])
def test_who_shares_with_nobody_is_served_at_full_speed(law, servers):
    alone = Sharing(arrival_rps=1e-9, service=law, servers=servers)
    assert [alone.response_quantile_s(p) for p in (0.5, 0.99)] == pytest.approx(law.quantile([0.5, 0.99]), rel=5e-3)


@settings(deadline=None, max_examples=20)
@given(rho=st.floats(0.05, 0.97), servers=st.integers(1, 20), p=st.floats(0.5, 0.99))
def test_sharing_exponential_jobs_is_near_the_exact_answer(rho, servers, p):
    exact = shared_response_quantile_s(p, rho * servers, 1.0, servers)
    found = Sharing(arrival_rps=rho * servers, service=laws.exponential(1.0), servers=servers)
    assert found.response_quantile_s(p) == pytest.approx(exact, rel=0.03)
    mean, variance = slowdown(rho * servers, Crew(servers), np.array([0.5, 1.0, 2.0]))
    assert mean == pytest.approx(float(MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers).mean_response_s), rel=1e-8)
    assert np.all(np.diff(variance) > 0)


@pytest.mark.parametrize("servers", [1, 6])
def test_a_plans_sharing_station_is_the_exact_one_at_every_load(servers):
    rates = servers * np.array([0.05, 0.4, 0.65, 0.9, 0.975])
    station = Station(arrival_rps=rates, service_s=np.full(5, 1.0), servers=float(servers), sharing=True)
    for p in (0.5, 0.95, 0.99):
        exact = [shared_response_quantile_s(p, float(rate), 1.0, servers) for rate in rates]
        assert station.response_quantile_s(p) == pytest.approx(exact, rel=0.02)
    plain = MMc(arrival_rps=rates, service_s=1.0, servers=servers)  # Cohen: means do not tell sharing from queueing
    assert station.mean_wait_s == pytest.approx(plain.mean_wait_s)
    assert station.response.mean_s == pytest.approx(plain.mean_response_s)
    over = Station(arrival_rps=np.array([servers * 1.0, servers * 1.1]), service_s=1.0, servers=float(servers), sharing=True)
    assert np.isinf(over.response_quantile_s(0.95)).all()
    assert (over.response_exceeds(5.0) == 1).all()


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("servers", [1, 3, 10])
def test_no_room_to_wait_is_erlangs_loss_system_whatever_the_service(law, servers):
    station = MGcK(arrival_rps=0.9 * servers / law.mean, service=law, servers=servers, capacity=servers)
    assert station.prob_block == pytest.approx(float(erlang_b(0.9 * servers, servers)), rel=2e-3)
    assert station.mean_response_s == pytest.approx(law.mean, rel=2e-3)
    assert station.response_quantile_s(0.95) == pytest.approx(float(law.quantile(0.95)), rel=5e-3)


@pytest.mark.parametrize(("name", "much"), [("erlang", 50), ("exponential", 50), ("lognormal", 80)])
def test_much_room_is_a_queue_without_limit(name, much):
    law = LAWS[name]
    station = MGcK(arrival_rps=0.6 / law.mean, service=law, servers=1, capacity=much)
    queue = MG1(arrival_rps=0.6 / law.mean, service=law.transform, service_s=law.mean, scv=law.variance / law.mean**2)
    assert station.prob_block < 1e-6
    assert station.mean_wait_s == pytest.approx(queue.mean_wait_s, rel=0.02)
    assert station.response_quantile_s(0.95) == pytest.approx(queue.response_quantile_s(0.95), rel=0.03)


def test_a_full_station_serves_at_its_speed_under_any_load():
    for scv in (0.25, 1.0, 3.0):
        station = MGcK(arrival_rps=40.0, service=laws.gamma(0.5, scv), servers=4, capacity=12)
        assert station.throughput_rps == pytest.approx(8.0, rel=2e-3)
    exact = BirthDeath.with_room(9.0, 0.5, 4, 12)
    assert MGcK(arrival_rps=9.0, service=laws.exponential(0.5), servers=4, capacity=12).prob_block == pytest.approx(
        exact.prob_block, rel=1e-3
    )


@pytest.mark.parametrize("servers", [1, 4])
def test_means_of_exponential_classes_are_those_of_cobham_and_davis(servers):
    rates = [0.2 * servers, 0.3 * servers, 0.35 * servers]
    station = Priority(arrivals_rps=rates, service=laws.exponential(1.0), servers=servers)
    assert [station.mean_wait_s(k) for k in range(3)] == pytest.approx(priority_waits_s(rates, 1.0, servers), rel=1e-3)


def test_one_class_is_a_plain_queue():
    plain = MMc(arrival_rps=3.2, service_s=1.0, servers=4)
    one = Priority(arrivals_rps=[3.2], service=laws.exponential(1.0), servers=4)
    assert one.wait_quantile_s(0, 0.99) == pytest.approx(float(plain.wait_quantile_s(0.99)), rel=2e-3)
    assert one.wait_quantile_s(0, 0.1) == 0.0
    law = LAWS["lognormal"]
    queue = MG1(arrival_rps=0.7, service=law.transform, service_s=1.0, scv=2.0)
    assert Priority(arrivals_rps=[0.7], service=law, servers=1).response_quantile_s(0, 0.95) == pytest.approx(
        queue.response_quantile_s(0.95), rel=2e-3
    )


@settings(deadline=None, max_examples=4)
@given(servers=st.integers(1, 8), rho=st.floats(0.3, 0.9), scv=st.sampled_from([0.25, 1.0, 3.0]))
def test_who_is_served_first_waits_less_and_the_mean_over_classes_is_that_of_the_queue(servers, rho, scv):
    rates = [0.4 * rho * servers, 0.6 * rho * servers]
    station = Priority(arrivals_rps=rates, service=laws.gamma(1.0, scv), servers=servers)
    high, low = station.mean_wait_s(0), station.mean_wait_s(1)
    all_of_them = Priority(arrivals_rps=[sum(rates)], service=laws.gamma(1.0, scv), servers=servers).mean_wait_s(0)
    assert high < all_of_them < low
    assert 0.4 * high + 0.6 * low == pytest.approx(all_of_them, rel=0.06)  # nobody is served faster, whatever the order
    assert station.wait_quantile_s(0, 0.99) <= station.wait_quantile_s(1, 0.99)


def test_the_preempted_wait_for_those_above():
    assert preempted_response_quantile_s(0.95, 0.0, 0.8, 1.0, 1) == pytest.approx(math.log(20) / 0.2, rel=1e-9)
    assert preempted_mean_response_s(0.4, 0.4, 1.0, 1) == pytest.approx(1 / (1 - 0.4) / (1 - 0.8), rel=1e-9)  # Gross et al. section 3.4.3
    mean = np.mean([preempted_response_quantile_s(p, 1.0, 1.5, 1.0, 4) for p in np.arange(0.0025, 1, 0.005)])
    assert mean == pytest.approx(preempted_mean_response_s(1.0, 1.5, 1.0, 4), rel=0.03)


def test_siblings_that_never_part_are_one_queue():
    same = ForkJoin(arrival_rps=0.7, service=laws.constant(1.0), branches=30, needed=30)
    assert same.correlation == 1.0
    single = MDc(arrival_rps=0.7, service_s=1.0, servers=1)
    assert same.response_quantile_s(0.95) == pytest.approx(1 + single.wait_quantile_s(0.95), rel=0.02)


def test_siblings_that_meet_nobody_are_independent():
    law = LAWS["lognormal"]
    alone = ForkJoin(arrival_rps=1e-7, service=law, branches=8, needed=8)
    assert alone.response_quantile_s(0.95) == pytest.approx(float(combined.parallel(*[law] * 8).quantile(0.95)), rel=5e-3)
    assert np.isinf(fork_join_mean_s(3, 1.0, 1.0))


@settings(deadline=None, max_examples=10)
@given(rho=st.floats(0.1, 0.9), branches=st.integers(2, 40))
def test_waiting_for_more_takes_longer_but_less_than_for_strangers(rho, branches):
    law = laws.exponential(1.0)
    done = [ForkJoin(arrival_rps=rho, service=law, branches=branches, needed=n).response_quantile_s(0.9) for n in (1, branches)]
    alone = -math.log(0.1) / (1 - rho)
    strangers = -math.log(-math.expm1(math.log(0.9) / branches)) / (1 - rho)
    assert done[0] < alone * 1.001
    assert alone * 0.999 < done[1] < strangers * 1.001


@pytest.mark.parametrize(
    "made",
    [
        lambda: Sharing(arrival_rps=2.0, service=LAWS["exponential"], servers=2),
        lambda: Priority(arrivals_rps=[1.0, 1.0], service=LAWS["exponential"], servers=2),
        lambda: preempted_response_quantile_s(0.5, 1.0, 1.0, 1.0, 2),
        lambda: ForkJoin(arrival_rps=1.0, service=LAWS["exponential"], branches=2, needed=1),
        lambda: mean_field_response_s(2, 1.0, 1.0),
    ],
)
def test_there_is_no_steady_state_at_full_utilization(made):
    with pytest.raises(ValueError, match="below 1 for a steady state; got 1"):
        made()


def test_more_tasks_than_there_are_cannot_be_waited_for():
    with pytest.raises(ValueError, match="of 2 branches 1 to 2 can be waited for; got 3"):
        ForkJoin(arrival_rps=0.1, service=LAWS["exponential"], branches=2, needed=3)


def test_sharing_stations_of_any_size_and_spread_are_answered():
    """From an empty station to an endless wait, from constant services to a variation of ten times the mean, up to 100,000 cores."""
    load = np.array([0.0, 1e-9, 0.5, 0.9, 0.98, 1 - 1e-12, 1.0, 1 + 1e-12, 2.0])
    for shape, alone in ((None, np.log(20)), (Shape.of_samples(np.array([1.0])), 1.0), (Shape.lognormal(np.sqrt(np.log(101))), 3.398)):
        for servers in (1, 300, 100_000):
            station = Station(arrival_rps=servers * load, service_s=np.ones(9), servers=float(servers), shape=shape, sharing=True)
            found = station.response_quantile_s(0.95)
            assert found[0] == pytest.approx(alone, rel=0.03)
            assert np.isfinite(found[:6]).all()
            assert np.isinf(found[6:]).all()
            assert np.all(found[1:6] >= found[:5] * (1 - 1e-6))
            assert found[5] > 1e5


def test_nobody_comes():
    for law in LAWS.values():
        room = MGcK(arrival_rps=0.0, service=law, servers=2, capacity=5)
        assert (room.prob_block, room.mean_response_s, room.mean_wait_s) == (0.0, law.mean, 0.0)
        assert room.response_quantile_s(0.5) == pytest.approx(float(law.quantile(0.5)), rel=5e-3)
        classes = Priority(arrivals_rps=[0.0, 0.0], service=law, servers=2)
        assert (classes.mean_wait_s(1), classes.wait_quantile_s(1, 0.99)) == (0.0, 0.0)
        shared = Sharing(arrival_rps=0.0, service=law, servers=2)
        assert shared.response_quantile_s(0.5) == pytest.approx(float(law.quantile(0.5)), rel=5e-3)
    assert ForkJoin(arrival_rps=0.0, service=LAWS["exponential"], branches=1, needed=1).response_quantile_s(0.5) == pytest.approx(
        np.log(2), rel=1e-3
    )


def test_samples_of_nothing_are_served_at_once():
    shape = Shape.of_samples(np.array([0.0, 0.0, 1.0]))
    station = Station(arrival_rps=np.array([0.1, 0.9]), service_s=np.array([1.0, 1.0]), servers=1.0, shape=shape, sharing=True)
    assert station.response_quantile_s(0.5)[0] < 0.1
    assert station.response_quantile_s(0.95)[1] > 3.0
