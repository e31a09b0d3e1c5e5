"""Customers who come in batches: M^X/M/c, exactly.

Batches come as a Poisson process, each of a random size. Across the cut between n and n + 1 customers as many go up as down:

    min(n + 1, c) mu p_(n+1) = lambda sum_(k <= n) p_k P(X > n - k),

from which all p follow one after the other, as every term is positive. A customer finds those there and those of its own batch before it
(j of them with probability P(X > j) / E X), and waits for as many completions at rate c mu.

References
----------
Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed. 2008, section 3.1. Chaudhry, Templeton: A First Course in Bulk
Queues, 1983.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaincc

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.numbers import Fraction, Rps, Seconds
from perfplan.quantity import FloatArray

NEGLIGIBLE = 1e-16  # probability of a number of customers, over the sum of those before, beyond which none are kept


@dataclass(frozen=True, kw_only=True)
class Batches:
    """A station of *servers* to which *batch_rps* batches come, of 1, 2, .. customers with probabilities *sizes*; below saturation.

    >>> five = Batches(batch_rps=0.14, sizes=[0, 0, 0, 0, 1], service_s=1.0, servers=1)
    >>> round(five.mean_response_s * 0.7, 9)  # mean number of M^[5]/M/1: rho (K + 1) / (2 (1 - rho))
    7.0
    """

    batch_rps: Rps
    sizes: Sequence[Fraction]
    service_s: Seconds
    servers: int

    def __post_init__(self) -> None:
        sizes = np.asarray(self.sizes, dtype=float)
        if sizes.ndim != 1 or sizes.size == 0 or (sizes < 0).any() or abs(sizes.sum() - 1) > 1e-9:
            raise ValueError(f"sizes must be probabilities that sum to 1; got {list(self.sizes)}")
        check_steady(self.utilization)

    @property
    def utilization(self) -> float:
        """Share of the time that a server is busy."""
        return self.batch_rps * float(self._larger.sum()) * self.service_s / self.servers

    @property
    def prob_wait(self) -> float:
        """Probability that a customer must wait."""
        return float(self._ahead[self.servers :].sum())

    @property
    def mean_wait_s(self) -> float:
        """Mean wait over all customers."""
        first, waiting = self._completions
        return float(waiting @ first) * self.service_s / self.servers

    @property
    def mean_response_s(self) -> float:
        """Mean of wait and service."""
        return self.mean_wait_s + self.service_s

    def waits_longer_than(self, t_s: Seconds) -> float:
        """P(wait > *t_s*)."""
        first, waiting = self._completions
        return float(waiting @ gammaincc(first, self.servers * t_s / self.service_s))

    def takes_longer_than(self, t_s: Seconds) -> float:
        """P(wait and service > *t_s*)."""
        first, waiting = self._completions
        x, c = t_s / self.service_s, self.servers
        at_once = (1 - self.prob_wait) * np.exp(-x)
        if c == 1:  # one completion more
            return float(at_once + waiting @ gammaincc(first + 1, x))
        with np.errstate(divide="ignore"):
            served = np.exp(first * np.log(c / (c - 1)) - x + np.log(gammainc(first, (c - 1) * x)))  # the wait is over, the service is not
        return float(at_once + waiting @ (gammaincc(first, c * x) + served))

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service; 0 for those who need not wait."""
        return 0.0 if self.prob_wait <= 1 - p else self._quantile(self.waits_longer_than, p)

    def response_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* is served."""
        return self._quantile(self.takes_longer_than, p)

    def _quantile(self, over: Callable[[float], float], p: float) -> float:
        from scipy.optimize import brentq

        high = self.mean_response_s
        while over(high) > 1 - p:
            high *= 2
        return float(brentq(lambda t: over(t) - (1 - p), 0.0, high, xtol=1e-13 * high, rtol=1e-14))

    @property
    def _larger(self) -> FloatArray:
        """P(X > j) for j = 0, 1, .."""
        return np.asarray(np.cumsum(np.asarray(self.sizes, dtype=float)[::-1])[::-1])

    @functools.cached_property
    def _number(self) -> FloatArray:
        """Probabilities of 0, 1, .. customers."""
        rate, larger = self.batch_rps * self.service_s, self._larger
        backwards = larger[::-1]
        p, total = [1.0], 1.0
        while len(p) <= self.servers or p[-1] > NEGLIGIBLE * total * (1 - self.utilization):
            recent = p[-larger.size :]
            p.append(rate / min(len(p), self.servers) * float(np.dot(recent, backwards[-len(recent) :])))
            total += p[-1]
            if total > 1e250:  # many servers: the first ones are negligible by then
                p, total = [one / total for one in p], 1.0
        return np.array(p) / total

    @functools.cached_property
    def _ahead(self) -> FloatArray:
        """Probabilities that a customer finds 0, 1, .. others before it."""
        return np.convolve(self._number, self._larger / self._larger.sum())

    @property
    def _completions(self) -> tuple[FloatArray, FloatArray]:
        """For how many completions those wait who wait, and how likely that is."""
        waiting = self._ahead[self.servers :]
        return np.arange(1.0, waiting.size + 1), waiting
