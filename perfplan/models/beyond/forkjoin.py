"""Fork-join: a job puts one task on each of several M/G/1 stations and is done when enough of them are.

Tasks of one job queue behind the same arrivals, so their responses are correlated: independent ones would be further apart and take longer.
Their joint law is taken for a normal copula with the M/G/1 responses as margins and, between any two, the correlation

    r = 1 / (1 + scv (3 - 2 rho)) x Var W / (Var W + Var S):

1 for constant services (siblings never part), 1 / (1 + scv) in heavy traffic (where only the number of arrivals is shared), 0 where
nobody waits; 3 - 2 rho is fitted to simulations of 2 to 100 branches with exponential services. The mean of exponential branches that are
all waited for is Nelson and Tantawi's, exact for two. Against simulations (benchmarks/accuracy.py, family fork_join;
benchmarks/families.py): within 5 %.

References
----------
Nelson, Tantawi: Approximate analysis of fork/join synchronization in parallel queues, IEEE Trans. Computers 37 (1988). Flatto, Hahn: Two
parallel queues created by arrivals with two demands, SIAM J. Applied Math. 44 (1984).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc, ndtr, ndtri

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.general import MG1, tail_of
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Count, Fraction, Rps, Seconds
from perfplan.quantity import FloatArray

SHARED = np.linspace(-8, 8, 161)  # what all siblings have in common, as a normal variable
SHARED_WEIGHTS = np.exp(-(SHARED**2) / 2) / np.exp(-(SHARED**2) / 2).sum()
POINTS = 400  # of the response of one branch


@dataclass(frozen=True, kw_only=True)
class ForkJoin:
    """A fork-join of *branches* single servers, done when *needed* tasks are; utilization below 1, else `ValueError`.

    >>> from perfplan.models.beyond.laws import exponential
    >>> one = ForkJoin(arrival_rps=0.5, service=exponential(1.0), branches=1, needed=1)
    >>> round(one.response_quantile_s(0.95), 2)  # M/M/1: ln 20 / (1 - rho)
    5.99
    """

    arrival_rps: Rps
    service: TimeLaw
    branches: int
    needed: int

    def __post_init__(self) -> None:
        check_steady(self._branch.utilization)
        if not 1 <= self.needed <= self.branches:
            raise ValueError(f"of {self.branches} branches 1 to {self.branches} can be waited for; got {self.needed}")

    @property
    def mean_response_s(self) -> Seconds:
        """Mean time until *needed* tasks are done."""
        exponential = abs(self._scv - 1) < 1e-9 and abs(self.service.moment(3) / self.service.mean**3 - 6) < 1e-6
        if exponential and self.needed == self.branches:
            return float(fork_join_mean_s(self.branches, self._branch.utilization, self.service.mean))
        times, within = self._response
        over = 1 - within
        return float(times[0] + np.sum((over[1:] + over[:-1]) / 2 * np.diff(times)))

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* of jobs is done."""
        times, within = self._response
        at = np.searchsorted(within, p)
        low, high = -np.log1p(-within[at - 1 : at + 1].clip(max=1 - 1e-15))  # straight for an exponential tail
        return float(times[at - 1] + (times[at] - times[at - 1]) * (-np.log1p(-p) - low) / max(high - low, 1e-300))

    @functools.cached_property
    def correlation(self) -> float:
        """Between the responses of two siblings, of the normal copula."""
        rho, scv, mean = self._branch.utilization, self._scv, self.service.mean
        wait = self._branch.mean_wait_s
        spread = wait**2 + self.arrival_rps * self.service.moment(3) / (3 * (1 - rho))
        of_services = scv * mean**2
        return 1.0 if of_services == 0 else float(spread / (spread + of_services) / (1 + scv * (3 - 2 * rho)))

    @property
    def _scv(self) -> float:
        return max(self.service.variance, 0.0) / self.service.mean**2

    @functools.cached_property
    def _branch(self) -> MG1:
        return MG1(arrival_rps=self.arrival_rps, service=self.service.transform, service_s=self.service.mean, scv=self._scv)

    @functools.cached_property
    def _response(self) -> tuple[FloatArray, FloatArray]:
        """Times, and P(*needed* tasks done by then)."""
        branch = self._branch
        highest = branch.response_quantile_s(1 - 1e-8)
        times = highest * np.linspace(1e-3, 1, POINTS) ** 2
        one = np.array([1 - tail_of(lambda s: branch.wait(s) * self.service.transform(s), float(t)) for t in times])
        margin = ndtri(np.clip(np.maximum.accumulate(one), 1e-15, 1 - 1e-15))[:, None]
        r = min(self.correlation, 1 - 1e-9)
        done = ndtr((margin - np.sqrt(r) * SHARED) / np.sqrt(1 - r))
        times, within = np.append(0.0, times), np.append(0.0, bdtrc(self.needed - 1, self.branches, done) @ SHARED_WEIGHTS)
        return times, np.maximum.accumulate(within)


def fork_join_mean_s(branches: Count, load: Fraction, service_s: Seconds) -> FloatArray:
    """Mean response of a fork-join of *branches* M/M/1 queues behind the same Poisson arrivals, each at utilization *load*.

    Nelson and Tantawi: exact for two; within 5 % of simulations to 32 branches. Siblings wait together: independent ones would be
    further apart and take longer.

    >>> float(fork_join_mean_s(2, 0.8, 1.0).round(9))  # (12 - rho) / 8 x 1 / (1 - rho)
    7.0
    """
    n, rho = np.asarray(branches, dtype=float), np.asarray(load, dtype=float)
    harmonic = np.vectorize(lambda k: float(np.sum(1 / np.arange(1, round(k) + 1))), otypes=[float])(n)
    ratio = harmonic / 1.5
    with np.errstate(divide="ignore"):
        two = (12 - rho) / 8 * np.asarray(service_s) / (1 - rho)
    many = (ratio + 4 / 11 * (1 - ratio) * rho) * two
    alone = np.where(n == 1, np.asarray(service_s) / (1 - np.minimum(rho, 1 - 1e-16)), many)
    return np.asarray(np.where(rho < 1, alone, np.inf))
