"""Batches: a printed formula, transforms, queues without batches, simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.beyond.batches import Batches
from perfplan.models.beyond.general import tail_of
from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, percentiles
from perfplan.models.stations.queueing import MMc


@settings(deadline=None, max_examples=20)
@given(servers=st.integers(1, 40), rho=st.floats(0.01, 0.97))
def test_batches_of_one_are_no_batches(servers, rho):
    one, known = (
        Batches(batch_rps=rho * servers, sizes=[1.0], service_s=1.0, servers=servers),
        MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers),
    )
    assert one.prob_wait == pytest.approx(float(known.prob_wait), rel=1e-9)
    assert one.mean_wait_s == pytest.approx(float(known.mean_wait_s), rel=1e-9)
    for p in (0.5, 0.99):
        assert one.wait_quantile_s(p) == pytest.approx(float(known.wait_quantile_s(p)), rel=1e-8, abs=1e-9)
        assert one.response_quantile_s(p) == pytest.approx(float(known.response_quantile_s(p)), rel=1e-8)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 30), rho=st.floats(0.05, 0.97))
def test_mean_number_of_equal_batches_at_one_server_is_the_printed_one(size, rho):
    queue = Batches(batch_rps=rho / size, sizes=[0.0] * (size - 1) + [1.0], service_s=1.0, servers=1)
    assert rho * queue.mean_response_s == pytest.approx(rho * (size + 1) / (2 * (1 - rho)), rel=1e-9)  # Gross et al. section 3.1


def test_percentiles_at_one_server_are_those_of_the_transform():
    sizes, rate = np.array([0.5, 0.2, 0.3]), 0.45
    queue = Batches(batch_rps=rate, sizes=sizes.tolist(), service_s=1.0, servers=1)
    mean, larger = float(sizes @ [1, 2, 3]), np.cumsum(sizes[::-1])[::-1]

    def response(s):
        """Pollaczek and Khinchine for whole batches, then those of the same batch before it, then its own service."""
        service = 1 / (1 + s)
        batch = sum(p * service ** (k + 1) for k, p in enumerate(sizes))
        before = sum(p * service**j for j, p in enumerate(larger / mean))
        return (1 - rate * mean) * s / (s - rate * (1 - batch)) * before * service

    for t in (0.5, 3.0, 20.0):
        assert queue.takes_longer_than(t) == pytest.approx(tail_of(response, t), abs=1e-8)


@pytest.mark.parametrize(("servers", "size", "rate"), [(4, 3, 1.0), (20, 8, 1.9)])
def test_several_servers_are_as_simulated(servers, size, rate):
    queue = Batches(batch_rps=rate, sizes=[0.0] * (size - 1) + [1.0], service_s=1.0, servers=servers)
    steps = (Seize("desk"), Spend(Draw.exponential(1.0)), Free("desk"))
    ps = (0.5, 0.95, 0.99)
    found = percentiles(
        {"desk": Pool(servers=servers)}, {"all": (1.0, steps)}, Arrivals(rates=[rate], batch=size), ps, precision=0.01, most=16
    )["all"]
    for value, estimate in zip([*(queue.response_quantile_s(p) for p in ps), queue.mean_response_s], found, strict=True):
        assert abs(value - estimate.value) <= 2 * estimate.half


def test_what_is_no_law_of_sizes_and_what_saturates_is_refused():
    with pytest.raises(ValueError, match=r"sizes must be probabilities that sum to 1; got \[0\.5, 0\.2\]"):
        Batches(batch_rps=1.0, sizes=[0.5, 0.2], service_s=1.0, servers=4)
    with pytest.raises(ValueError, match=r"utilization must be below 1 for a steady state; got 1\.5"):
        Batches(batch_rps=1.0, sizes=[0.0, 0.0, 1.0], service_s=1.0, servers=2)
