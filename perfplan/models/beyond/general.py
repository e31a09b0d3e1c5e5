"""Queues with general times that are still solved exactly: GI/M/c for regular arrivals, M/D/c, M/G/1, priorities.

References
----------
Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed. 2008, sections 3.4 (priorities), 5.1
(M/G/1), 5.3 (GI/M/c). Franx: A simple solution for the M/D/c waiting time distribution, Oper. Res. Letters 29 (2001).
Abate, Whitt: Numerical inversion of Laplace transforms of probability distributions, ORSA J. Computing 7 (1995) (Euler).
Davis: Waiting-time distribution of a multi-server, priority queuing system, Oper. Res. 14 (1966).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.numbers import Fraction, Rps, Seconds
from perfplan.models.stations.queueing import erlang_c
from perfplan.quantity import FloatArray

Transform = Callable[[Any], Any]  # s -> E exp(-s X)


def tail_of(transform: Transform, t_s: float) -> float:
    """P(X > *t_s*) from the Laplace-Stieltjes transform of X by Abate and Whitt's Euler method; about 1e-9 where X has a density.

    >>> round(tail_of(lambda s: 1 / (1 + s), 2.0), 9)  # exp(-2)
    0.135335283
    """
    a, terms, more = 18.4, 40, 14
    k = np.arange(terms + more + 1)
    s = (a + 2j * np.pi * k) / (2 * t_s)
    values = ((1 - transform(s)) / s).real
    sums = np.cumsum(np.where(k == 0, 0.5, 1.0) * (-1.0) ** k * values)[terms:]
    weights = np.array([math.comb(more, j) for j in range(more + 1)]) / 2.0**more
    return float(math.exp(a / 2) / t_s * (weights @ sums))


def quantile_of(transform: Transform, p: Fraction, mean_s: Seconds) -> float:
    """Time that a share *p* stays within, from a transform; *mean_s* gives the scale."""
    from scipy.optimize import brentq

    high = mean_s
    while tail_of(transform, high) > 1 - p:
        high *= 2
    return float(brentq(lambda t: tail_of(transform, t) - (1 - p), high * 1e-9, high, xtol=1e-13 * high, rtol=1e-14))


@dataclass(frozen=True, kw_only=True)
class MG1:
    """An M/G/1 queue by its service's transform and first two moments; utilization below 1."""

    arrival_rps: Rps
    service: Transform
    service_s: Seconds
    scv: float

    def __post_init__(self) -> None:
        check_steady(self.utilization)

    @property
    def utilization(self) -> float:
        """Share of the time that the server is busy."""
        return self.arrival_rps * self.service_s

    @property
    def mean_wait_s(self) -> float:
        """Pollaczek and Khinchine: rho s (1 + scv) / (2 (1 - rho)).

        >>> MG1(arrival_rps=0.5, service=lambda s: 1 / (1 + s), service_s=1.0, scv=1.0).mean_wait_s
        1.0
        """
        rho = self.utilization
        return rho * self.service_s * (1 + self.scv) / (2 * (1 - rho))

    def wait(self, s: Any) -> Any:
        """Transform of the wait: (1 - rho) s / (s - lambda (1 - b(s)))."""
        return (1 - self.utilization) * s / (s - self.arrival_rps * (1 - self.service(s)))

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service; 0 for those who need not wait."""
        return 0.0 if p <= 1 - self.utilization else quantile_of(self.wait, p, self.mean_wait_s)

    def response_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* is served."""
        return quantile_of(lambda s: self.wait(s) * self.service(s), p, self.mean_wait_s + self.service_s)


@dataclass(frozen=True, kw_only=True)
class MDc:
    """An M/D/c queue: the number in the system every *service_s* (Crommelin), and from it the wait (Franx)."""

    arrival_rps: float
    service_s: float
    servers: int

    @functools.cached_property
    def _number(self) -> FloatArray:
        """Stationary probabilities of the number in the system, cut off where they no longer count."""
        load, c = self.arrival_rps * self.service_s, self.servers
        rho = load / c
        check_steady(rho)
        most = c + int(45 / (2 * (1 - rho))) + int(12 * math.sqrt(load)) + 20
        j = np.arange(most + 1)
        arrive = np.exp(j * math.log(load) - load - gammaln(j + 1))
        step = np.zeros((most + 1, most + 1))  # from i to j: all in service leave, Poisson many come
        for i in range(most + 1):
            left = max(i - c, 0)
            step[i, left:] = arrive[: most + 1 - left]
        step[:, -1] += 1 - step.sum(axis=1)
        system = np.vstack([(step.T - np.eye(most + 1))[:-1], np.ones(most + 1)])
        return np.asarray(np.linalg.solve(system, np.append(np.zeros(most), 1.0)))

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival finds all servers busy."""
        return float(self._number[self.servers :].sum())

    @property
    def mean_wait_s(self) -> float:
        """Mean wait (Little's law)."""
        waiting = np.maximum(np.arange(self._number.size) - self.servers, 0)
        return float(self._number @ waiting) / self.arrival_rps

    def wait_within(self, t_s: float) -> float:
        """P(wait <= *t_s*): Franx's sum, of positive terms only."""
        k = math.floor(t_s / self.service_s) + 1
        left = self.arrival_rps * (k * self.service_s - t_s)
        most = k * self.servers - 1
        queue = np.concatenate([[self._number[: self.servers + 1].sum()], self._number[self.servers + 1 :]])
        at_most = np.cumsum(np.concatenate([queue, np.zeros(max(most + 1 - queue.size, 0))]))[: most + 1]
        j = np.arange(most + 1)
        poisson = np.exp(j * math.log(left) - left - gammaln(j + 1)) if left > 0 else (j == 0).astype(float)
        return float(at_most[::-1] @ poisson)

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service."""
        from scipy.optimize import brentq

        if self.wait_within(0.0) >= p:
            return 0.0
        high = self.service_s
        while self.wait_within(high) < p:
            high += self.service_s
        return float(brentq(lambda t: self.wait_within(t) - p, high - self.service_s, high, xtol=1e-14, rtol=1e-14))


@dataclass(frozen=True, kw_only=True)
class DMc:
    """A D/M/c queue: arrivals every *gap_s*, exponential service."""

    gap_s: float
    service_s: float
    servers: int

    @functools.cached_property
    def sigma(self) -> float:
        """Root of sigma = exp(-c (1 - sigma) gap / service): arrivals see the queue fall off by it."""
        from scipy.optimize import brentq

        rate = self.servers * self.gap_s / self.service_s
        check_steady(1 / rate)
        return float(
            brentq(lambda s: s - math.exp(-rate * (1 - s)), 0.0, 1 - 1e-12 if rate < 1 + 1e-6 else 1 / rate, xtol=1e-16, rtol=1e-15)
        )

    @functools.cached_property
    def prob_wait(self) -> float:
        """Probability that an arrival waits: from the chain at arrivals, whose steps are those of a pure death process."""
        from scipy.linalg import expm

        c = self.servers
        most = c + int(40 / -math.log(self.sigma)) + 2
        n = np.arange(most + 2)
        down = np.minimum(n, c) / self.service_s
        step = expm((np.diag(down[1:], -1) - np.diag(down)) * self.gap_s)[1:, :-1]  # with the arrival, then the gap
        system = np.vstack([(step.T - np.eye(most + 1))[:-1], np.ones(most + 1)])
        seen = np.linalg.solve(system, np.append(np.zeros(most), 1.0))
        return float(seen[c:].sum())

    @property
    def mean_wait_s(self) -> float:
        """Mean wait: those who wait wait exponentially, at the rate c (1 - sigma) / service."""
        return self.prob_wait * self.service_s / (self.servers * (1 - self.sigma))

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service."""
        over = self.prob_wait / (1 - p)
        return max(math.log(over) * self.service_s / (self.servers * (1 - self.sigma)), 0.0)


def priority_waits_s(arrivals_rps: Sequence[float], service_s: float, servers: int) -> list[float]:
    """Mean wait of each class, the first served first, nobody interrupted: C s / (c (1 - sigma_(k-1)) (1 - sigma_k)).

    M/M/c with one service time for all classes (Davis 1966; Cobham for c = 1); sigma_k is the utilization by classes 1 .. k.

    >>> [round(w, 6) for w in priority_waits_s([0.4, 0.4], 1.0, 1)]
    [1.333333, 6.666667]
    """
    used = np.concatenate([[0.0], np.cumsum(arrivals_rps)]) * service_s / servers
    alone = float(erlang_c(used[-1] * servers, servers)) * service_s / servers
    return [float(alone / ((1 - before) * (1 - with_it))) for before, with_it in itertools.pairwise(used)]
