"""Queues with renewal arrivals and any law: exact queues of other modules, the recursion of waits, simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.arrays import each
from perfplan.models.beyond import laws
from perfplan.models.beyond.fitting import fit_gaps, fit_service
from perfplan.models.beyond.general import MG1, DMc
from perfplan.models.beyond.renewal import GIGc
from perfplan.models.beyond.walk import GIG1
from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, percentiles
from perfplan.models.stations.queueing import MMc
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType

PS = (0.5, 0.95, 0.99)


def answers(queue):
    return [queue.mean_wait_s, queue.prob_wait, *(queue.response_quantile_s(p) for p in PS)]


@pytest.mark.parametrize("rho", [0.1, 0.7, 0.97])
def test_a_walk_with_poisson_arrivals_is_pollaczeks_and_khinchines(rho):
    service = laws.lognormal(1.0, 3.0)
    exact = MG1(arrival_rps=rho, service=service.transform, service_s=1.0, scv=3.0)
    walk = GIG1(laws.exponential(1 / rho), service)
    assert walk.mean_wait_s == pytest.approx(rho / (1 - rho) * 2.0, rel=2e-3)
    assert walk.prob_wait == pytest.approx(rho, rel=1e-3)
    assert [walk.response_quantile_s(p) for p in PS] == pytest.approx([float(exact.response_quantile_s(p)) for p in PS], rel=2e-3)


@pytest.mark.parametrize("rho", [0.3, 0.9, 0.99])
def test_a_walk_with_regular_arrivals_is_dm1(rho):
    exact = DMc(gap_s=1 / rho, service_s=1.0, servers=1)
    walk = GIG1(laws.constant(1 / rho), laws.exponential(1.0))
    assert walk.mean_wait_s == pytest.approx(float(exact.mean_wait_s), rel=2e-3)
    assert walk.prob_wait == pytest.approx(float(exact.prob_wait), rel=2e-3)


@settings(deadline=None, max_examples=8)
@given(rho=st.floats(0.2, 0.95), gaps=st.sampled_from([0.2, 0.5]), phases=st.integers(1, 5))
def test_phases_at_one_server_are_a_walk_too(rho, gaps, phases):
    between = PhaseType.erlang(1 / rho, round(1 / gaps))
    exact = MapPhC(MarkovianArrivals.renewal(between), PhaseType.erlang(1.0, phases), 1)
    walk = GIG1(laws.erlang(1 / rho, round(1 / gaps)), laws.erlang(1.0, phases))
    assert walk.mean_wait_s == pytest.approx(exact.mean_wait_s, rel=2e-3, abs=1e-6)
    assert [walk.response_quantile_s(p) for p in PS] == pytest.approx([exact.response_quantile_s(p) for p in PS], rel=2e-3)


def test_bursts_and_heavy_tails_at_one_server_are_what_lindleys_recursion_finds():
    between, service = laws.lognormal(1.5, 4.0), laws.weibull(0.7, 0.8)
    walk = GIG1(between, service)
    rng = np.random.default_rng(5)
    seen = []
    for _ in range(12):
        sums = np.concatenate([[0.0], np.cumsum(service.sample(rng, 1_000_000) - between.sample(rng, 1_000_000))])
        waits = (sums - np.minimum.accumulate(sums))[100_000:]
        seen.append([waits.mean(), (waits > 0).mean(), *np.quantile(waits, PS)])
    mean, half = np.mean(seen, axis=0), 2.2 * np.std(seen, axis=0, ddof=1) / np.sqrt(12)
    found = np.array([walk.mean_wait_s, walk.prob_wait, *(walk.wait_quantile_s(p) for p in PS)])
    assert (np.abs(found - mean) <= 2 * half + 0.002 * mean).all()


SHORT_AND_LONG = laws.hyperexponential([0.9, 0.1], [0.5, 5.5])
STEPS = laws.mixture([0.5, 0.5], [laws.constant(0.5), laws.constant(1.2)])


@pytest.mark.parametrize(
    ("service", "rho"),
    [*((SHORT_AND_LONG, rho) for rho in (1e-6, 0.001, 0.3, 0.999, 0.99999)), (STEPS, 0.3), (STEPS, 0.9), (laws.constant(1.0), 0.8)],
)
def test_a_single_server_has_the_mean_of_pollaczek_and_khinchine(service, rho):
    queue = GIGc(laws.exponential(service.mean / rho), service, 1)
    expected = rho / (1 - rho) * service.mean * (1 + service.variance / service.mean**2) / 2
    assert queue.mean_wait_s == pytest.approx(expected, rel=2e-3)
    if rho < 0.01:  # nobody waits
        assert queue.response_quantile_s(0.9) == pytest.approx(float(service.quantile(0.9)), rel=0.01)


@pytest.mark.parametrize("rho", [1e-6, 0.99999])
def test_what_no_lattice_holds_and_no_phases_stand_for_is_refused(rho):
    with pytest.raises(ValueError, match="services must vary by a squared coefficient of variation of at most 20, and more than 0; got 0"):
        _ = GIGc(laws.exponential(1 / rho), laws.constant(1.0), 1).mean_wait_s


def test_who_always_comes_late_enough_never_waits_and_ties_are_refused():
    ample = GIG1(laws.constant(2.0), laws.constant(1.0))
    assert (ample.mean_wait_s, ample.prob_wait, ample.wait_quantile_s(0.99)) == (0.0, 0.0, 0.0)
    assert ample.response_quantile_s(0.9) == pytest.approx(1.0, rel=1e-2)
    steps = GIG1(laws.empirical(np.array([1.0, 3.0])), laws.empirical(np.array([1.0, 2.0])))
    with pytest.raises(ValueError, match="must not go in multiples of one time only"):
        _ = steps.mean_wait_s
    with pytest.raises(ValueError, match="utilization must be below 1 for a steady state; got 1"):
        GIG1(laws.exponential(1.0), laws.constant(1.0))


@settings(deadline=None, max_examples=8)
@given(servers=st.integers(2, 12), rho=st.floats(0.3, 0.97))
def test_exponential_times_are_mmc(servers, rho):
    queue = GIGc(laws.exponential(1 / (rho * servers)), laws.exponential(1.0), servers)
    known = MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers)
    assert queue.mean_wait_s == pytest.approx(float(known.mean_wait_s), rel=1e-8)
    assert queue.prob_wait == pytest.approx(float(known.prob_wait), rel=1e-8)
    for p in PS:
        assert queue.response_quantile_s(p) == pytest.approx(float(known.response_quantile_s(p)), rel=1e-3)
        assert queue.wait_quantile_s(p) == pytest.approx(float(known.wait_quantile_s(p)), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("gaps", "service", "servers", "rho"),
    [
        ((0.0, 4.0), None, 2, 0.7),  # lognormal gaps and exponential services, by their squared coefficients of variation
        ((0.0, 0.5), 0.5, 2, 0.7),
        (None, 4.0, 20, 0.9),  # more servers than are solved
        ((0.0, 4.0), 4.0, 8, 0.7),
    ],
)
def test_several_servers_are_as_simulated(gaps, service, servers, rho):
    def lognormal(mean, scv):
        return (
            (laws.exponential(mean), Draw.exponential(mean))
            if scv is None
            else (laws.lognormal(mean, scv), Draw.lognormal(mean / np.sqrt(1 + scv), float(np.sqrt(np.log1p(scv)))))
        )

    between, drawn_gaps = lognormal(1 / (rho * servers), gaps and gaps[1])
    work, drawn_work = lognormal(1.0, service)
    steps = (Seize("desk"), Spend(drawn_work), Free("desk"))
    found = percentiles(
        {"desk": Pool(servers=servers)}, {"ask": (1.0, steps)}, Arrivals(between=drawn_gaps), PS, requests=400_000, precision=0.006, most=16
    )["ask"]
    queue = GIGc(between, work, servers)
    for value, estimate in zip([*(queue.response_quantile_s(p) for p in PS), queue.mean_wait_s + 1.0], found, strict=True):
        assert abs(value - estimate.value) <= 1.5 * estimate.half + 0.012 * estimate.value


def test_what_phases_cannot_stand_for_is_refused():
    with pytest.raises(ValueError, match=r"gaps must vary by a squared coefficient of variation of 0\.0417 to 20; got 0"):
        _ = GIGc(laws.constant(0.2), laws.exponential(1.0), 8).prob_wait
    with pytest.raises(
        ValueError, match="services must vary by a squared coefficient of variation of at most 20, and more than 0; got 100"
    ):
        _ = GIGc(laws.exponential(2.0), laws.lognormal(1.0, 100.0), 1).prob_wait
    with pytest.raises(ValueError, match="8 servers with 25 phases are 10518300 states; at most 100 are solved"):
        _ = GIGc(laws.exponential(0.2), laws.lognormal(1.0, 0.04), 8).prob_wait
    with pytest.raises(ValueError, match=r"utilization must be below 1 for a steady state; got 1\.25"):
        _ = GIGc(laws.exponential(0.2), laws.exponential(1.0), 4).mean_wait_s


@settings(deadline=None, max_examples=10)
@given(scv=st.floats(0.6, 12.0), mean=st.floats(0.01, 10), servers=st.integers(2, 12))
def test_a_stand_in_keeps_mean_and_variation_and_is_a_law(scv, mean, servers):
    for found in (fit_service(laws.lognormal(mean, scv), servers, 3), fit_gaps(laws.lognormal(mean, scv), 4)):
        assert found.mean_s == pytest.approx(mean, rel=1e-6)
        assert found.scv == pytest.approx(scv, rel=0.05)
        assert found.start.sum() == pytest.approx(1.0)
        assert found.start.min() >= 0
        assert (np.diag(found.generator) < 0).all()


def test_models_of_one_cell_answer_for_worlds_and_months_and_saturate():
    rates, servers = np.array([[1.2], [2.7], [3.0]]), np.array([3.0, 4.0])
    asked = []

    def p99_s(rate, count):
        asked.append((rate, count))
        return GIGc(laws.exponential(1 / rate), laws.exponential(1.0), int(count)).response_quantile_s(0.99)

    found = each(p99_s, rates, servers)
    known = MMc(arrival_rps=rates, service_s=1.0, servers=servers).response_quantile_s(0.99)
    assert found.shape == (3, 2)
    assert np.isinf(found[2, 0])
    assert found == pytest.approx(known, rel=1e-3)
    each(p99_s, np.full((5, 4), 2.0), 3.0)
    assert len(asked) == 6 + 1  # the same cell is asked once
    with pytest.raises(ValueError, match="gaps must vary"):  # what is wrong with a law is no saturation
        each(lambda gap: GIGc(laws.constant(gap), laws.exponential(1.0), 8).prob_wait, np.array([0.2]))
