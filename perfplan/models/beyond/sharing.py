"""Processor-sharing stations: M/M/c-PS exactly, M/G/c-PS by the slowdown of jobs of known size (see `slowdown`).

References
----------
Coffman, Muntz, Trotter: Waiting time distributions for processor-sharing systems, J. ACM 17 (1970).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammainc, ndtr

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction, Ratio, Rps, Seconds
from perfplan.models.stations.scalability import Crew
from perfplan.models.stations.slowdown import excess, mean_longer, others_met
from perfplan.quantity import FloatArray

SIZES = np.linspace(-7, 7, 2001)  # of jobs, as normal variables


def shared_response_quantile_s(p: Fraction, arrival_rps: float, service_s: float, servers: int, crew: Crew | None = None) -> float:
    """Percentile of the response of M/M/c processor sharing, exactly: the time to absorption of whoever arrives.

    >>> round(shared_response_quantile_s(0.95, 1e-9, 1.0, 1), 6)  # alone: ln 20
    2.995732
    """
    from scipy.optimize import brentq
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import expm_multiply

    crew = crew or Crew(servers)
    x, speed = others_met(arrival_rps * service_s, crew)
    most = x.size - 1
    n, share = np.arange(most + 1), speed / service_s
    up = np.append(np.full(most, arrival_rps), 0.0)
    a: Any = diags_array([-(up + n * share + share), up[:-1], (n * share)[1:]], offsets=[0, -1, 1], format="csc")
    t, step = 0.0, 4 * service_s / (1 - arrival_rps * service_s / float(crew.full))
    while (ahead := expm_multiply(a * step, x)).sum() > 1 - p:
        t, x = t + step, ahead
    return t + float(brentq(lambda s: float(expm_multiply(a * s, x).sum()) - (1 - p), 0.0, step, xtol=1e-13 * step, rtol=1e-14))


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """An M/G/c-PS station by the *service* law of a job; utilization below 1, else `ValueError`.

    >>> from perfplan.models.beyond.laws import exponential
    >>> station = Sharing(arrival_rps=0.8, service=exponential(1.0), servers=1)
    >>> round(station.mean_response_s, 6), round(station.response_quantile_s(0.95) / 18.748, 2)  # exact: 5 and 18.748
    (5.0, 1.0)
    """

    arrival_rps: Rps
    service: TimeLaw
    servers: int
    crew: Crew | None = None  # the servers, where they hinder each other

    def __post_init__(self) -> None:
        check_steady(float(self._load / self._crew.full))

    @property
    def mean_slowdown(self) -> Ratio:
        """Mean response over service, the same for jobs of every size and whatever the law of the service."""
        return 1 + mean_longer(float(self._load / self._crew.full), self._crew)

    @property
    def mean_response_s(self) -> Seconds:
        """Mean response."""
        return self.mean_slowdown * self.service.mean

    def response_within(self, t_s: Seconds) -> float:
        """P(response <= *t_s*)."""
        times, weights, shape, scale = self._sizes
        return float(weights @ np.where(times <= t_s, gammainc(shape, np.maximum(t_s - times, 0.0) / scale), 0.0))

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* is served."""
        from scipy.optimize import brentq

        high = self.mean_response_s
        while self.response_within(high) < p:
            high *= 2
        return float(brentq(lambda t: self.response_within(t) - p, 0.0, high, xtol=1e-12 * high))

    @property
    def _load(self) -> float:
        return self.arrival_rps * self.service.mean

    @property
    def _crew(self) -> Crew:
        return self.crew or Crew(self.servers)

    @functools.cached_property
    def _sizes(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Sizes of jobs, their weights, and the gamma law of the time that each takes longer: shape and scale."""
        times, weights = self.service.quantile(ndtr(SIZES)), np.exp(-(SIZES**2) / 2)
        mean = self.service.mean
        return (times, weights / weights.sum(), *excess(times, self.arrival_rps * mean, self._crew, mean))
