"""Processor sharing: M/M/c-PS exactly, M/G/c-PS by the slowdown of a job of known size.

With n jobs on c cores each is served at rate min(1, c / n). Who needs x seconds of service meets others who come and go; in the clock of
its own service, their number is a birth and death process with rates lambda / v(n) up and n / s down, v(n) = min(1, c / (n + 1)), and
real time passes at 1 / v(n). That gives the mean (x times the same slowdown for every size: insensitive to the law of the service) and
the variance of its response exactly where services are exponential; the time beyond x is taken for a gamma law with these two moments,
and sizes are mixed by their own law. Against simulations of lognormal and hyperexponential services and against M/M/c-PS: within 1.6 %
(benchmarks/accuracy.py, families mmc_ps and mgc_ps).

References
----------
Coffman, Muntz, Trotter: Waiting time distributions for processor-sharing systems, J. ACM 17 (1970). Cohen: The multiple phase service
network with generalized processor sharing, Acta Informatica 12 (1979) (insensitivity). Yashkov: Processor-sharing queues: some progress
in analysis, Queueing Systems 2 (1987).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammainc, ndtr

from perfplan.models.birthdeath import BirthDeath
from perfplan.models.laws import Law
from perfplan.models.queueing import MMc
from perfplan.quantity import FloatArray, Fraction, Ratio, Rps, Seconds

NEGLIGIBLE = 30.0  # log of one over the share of jobs that meet more others than are kept track of
SIZES = np.linspace(-7, 7, 2001)  # of jobs, as normal variables
ALONE = 1e-7  # mean slowdown less one below which nobody is slowed down
BUSIEST = 0.98  # a busier station keeps the shape of the response it has at this utilization; its mean is exact


def shared_response_quantile_s(p: Fraction, arrival_rps: float, service_s: float, servers: int) -> float:
    """Percentile of the response of M/M/c processor sharing, exactly: the time to absorption of whoever arrives.

    >>> round(shared_response_quantile_s(0.95, 1e-9, 1.0, 1), 6)  # alone: ln 20
    2.995732
    """
    from scipy.optimize import brentq
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import expm_multiply

    x, _ = _others(arrival_rps * service_s, servers)
    most = x.size - 1
    n = np.arange(most + 1)
    share = np.minimum(1.0, servers / (n + 1)) / service_s
    up = np.append(np.full(most, arrival_rps), 0.0)
    a: Any = diags_array([-(up + n * share + share), up[:-1], (n * share)[1:]], offsets=[0, -1, 1], format="csc")
    t, step = 0.0, 4 * service_s / (1 - arrival_rps * service_s / servers)
    while (ahead := expm_multiply(a * step, x)).sum() > 1 - float(p):
        t, x = t + step, ahead
    return t + float(brentq(lambda s: float(expm_multiply(a * s, x).sum()) - (1 - float(p)), 0.0, step, xtol=1e-13 * step, rtol=1e-14))


def _others(load: float, servers: int) -> tuple[FloatArray, FloatArray]:
    """How many others a job meets when it comes, and the speed of each job with it among them."""
    rho = load / servers
    if not rho < 1:
        raise ValueError(f"utilization must be below 1 for a steady state; got {rho:g}")
    most = servers + int(NEGLIGIBLE / -np.log(max(rho, 1e-13))) + int(6 * np.sqrt(servers)) + 8
    met = BirthDeath.with_room(max(load, 1e-300), 1.0, servers, most).probabilities
    return met, np.minimum(1.0, servers / (np.arange(most + 1) + 1))


def slowdown(load: float, servers: int, sizes: FloatArray) -> tuple[float, FloatArray]:
    """Mean response over size, the same for every size, and the variance of the response at *sizes*, both in mean services.

    *load* in erlang, below *servers*; shape of the variance: that of *sizes*.

    >>> mean, variance = slowdown(0.5, 1, np.array([1.0]))  # Coffman, Muntz and Trotter, with r = 1 - rho:
    >>> round(mean, 9), float(variance[0].round(6))  # 1 / r and 2 rho (r x - 1 + exp(-r x)) / r^4
    (2.0, 1.704491)
    """
    from scipy.linalg import eigh_tridiagonal

    met, speed = _others(load, servers)
    n, time = np.arange(met.size), 1 / speed
    root = np.sqrt(met)
    between = np.sqrt(load * time[:-1] * n[1:])  # the generator, made symmetric: the process is reversible
    up = np.append(load * time[:-1], 0.0)
    rates, vectors = eigh_tridiagonal(-(up + n), between)
    weight = ((root * time) @ vectors)[:-1] ** 2  # of each way in which the number goes back to its mean; the last is the mean itself
    decay = -rates[:-1]
    x = np.asarray(sizes, dtype=float)[..., None] * decay
    both = np.where(x < 1e-4, x**2 / 2 - x**3 / 6, np.expm1(-x) + x) / decay**2  # int int exp(-decay |u - v|) over 0 < u < v < size
    return float(met @ time), np.asarray(2 * both @ weight)


def excess(times_s: FloatArray, load: float, servers: int, service_s: Seconds) -> tuple[FloatArray, FloatArray]:
    """Shape and scale (s) of the gamma law of what jobs of *times_s* of service take longer, at *load* erlang."""
    mean, variance = slowdown(min(load, BUSIEST * servers), servers, times_s / service_s)
    if mean - 1 < ALONE:
        return np.ones(times_s.shape), np.full(times_s.shape, 1e-300)
    longer = times_s * (mean - 1)
    spread = np.maximum(variance * float(service_s) ** 2, 1e-300)
    busier = (float(MMc(arrival_rps=load, service_s=1.0, servers=servers).mean_response_s) - 1) / (mean - 1)
    return np.maximum(longer**2 / spread, 1e-12), spread / longer * (busier if load > BUSIEST * servers else 1.0)


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """An M/G/c-PS station by the *service* law of a job; utilization below 1, else `ValueError`.

    >>> from perfplan.models.laws import exponential
    >>> station = Sharing(arrival_rps=0.8, service=exponential(1.0), servers=1)
    >>> round(station.mean_response_s, 6), round(station.response_quantile_s(0.95) / 18.748, 2)  # exact: 5 and 18.748
    (5.0, 1.0)
    """

    arrival_rps: Rps
    service: Law
    servers: int

    def __post_init__(self) -> None:
        if not (rho := float(self._plain.utilization)) < 1:
            raise ValueError(f"utilization must be below 1 for a steady state; got {rho:g}")

    @property
    def mean_slowdown(self) -> Ratio:
        """Mean response over service, the same for jobs of every size."""
        return float(self._plain.mean_response_s) / self.service.mean

    @property
    def mean_response_s(self) -> Seconds:
        """Mean response: that of M/M/c, whatever the law of the service."""
        return float(self._plain.mean_response_s)

    def response_within(self, t_s: Seconds) -> float:
        """P(response <= *t_s*)."""
        times, weights, shape, scale = self._sizes
        return float(weights @ np.where(times <= t_s, gammainc(shape, np.maximum(float(t_s) - times, 0.0) / scale), 0.0))

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* is served."""
        from scipy.optimize import brentq

        high = float(self.mean_response_s)
        while self.response_within(high) < float(p):
            high *= 2
        return float(brentq(lambda t: self.response_within(t) - float(p), 0.0, high, xtol=1e-12 * high))

    @property
    def _plain(self) -> MMc:
        return MMc(arrival_rps=self.arrival_rps, service_s=self.service.mean, servers=self.servers)

    @functools.cached_property
    def _sizes(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Sizes of jobs, their weights, and the gamma law of the time that each takes longer: shape and scale."""
        times, weights = self.service.quantile(ndtr(SIZES)), np.exp(-(SIZES**2) / 2)
        mean = self.service.mean
        return (times, weights / weights.sum(), *excess(times, float(self.arrival_rps) * mean, self.servers, mean))
