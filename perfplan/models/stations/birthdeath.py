"""Queues whose number of customers goes up and down by one: room for K, impatient or finitely many customers, and drains.

Symbols: n customers in the system, lambda_n and mu_n rates up and down, pi_n stationary probabilities:
pi_n = pi_0 prod lambda_(k-1) / mu_k, computed in logarithms, so that 100,000 servers do not overflow.

Shapes: numbers; rates and probabilities by the number of customers are (N + 1,) or (N,), as said.

References
----------
Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed. 2008, sections 2.4 (M/M/c/K), 2.7 (finite sources),
2.8.2 (impatience). Garnett, Mandelbaum, Reiman: Designing a call center with impatient customers, M&SOM 4 (2002) (Erlang A).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from perfplan.quantity import Count, FloatArray, Fraction, Rps, Seconds

NEGLIGIBLE = -46.0  # log of a probability that changes no digit
CELLS = 120  # of a backlog that is taken for a diffusion


@dataclass(frozen=True, eq=False)
class BirthDeath:
    """A queue with *servers*, by its rates up from 0 .. N - 1 and down from 1 .. N customers."""

    up: FloatArray
    down: FloatArray
    servers: int
    offered_rps: float  # arrivals, those that are lost included

    @classmethod
    def with_room(cls, arrival_rps: Rps, service_s: Seconds, servers: int, room: int) -> BirthDeath:
        """M/M/c/K: arrivals that find *room* customers are lost; M/M/c/c is Erlang's loss system.

        >>> round(BirthDeath.with_room(50.0, 0.1, 4, 6).prob_block, 6)  # a textbook's value, see tests/data
        0.293543
        """
        n = np.arange(1, room + 1)
        return cls(np.full(room, float(arrival_rps)), np.minimum(n, servers) / float(service_s), servers, float(arrival_rps))

    @classmethod
    def of_sources(cls, sources: int, think_s: Seconds, service_s: Seconds, servers: int) -> BirthDeath:
        """M/M/c//N: *sources* customers think, then ask, and wait for the answer before they think again."""
        n = np.arange(1, sources + 1)
        return cls((sources - n + 1) / float(think_s), np.minimum(n, servers) / float(service_s), servers, math.nan)

    @classmethod
    def at_speed(cls, arrival_rps: Rps, throughput_rps: FloatArray, room: int) -> BirthDeath:
        """Servers that slow each other down: *throughput_rps*[n - 1] is served per second with n at work, as a `Usl` says; *room* in all.

        >>> alone = BirthDeath.at_speed(50.0, np.array([10.0, 20.0, 30.0, 40.0]), 6)  # four that do not hinder each other: M/M/4/6
        >>> round(alone.prob_block - BirthDeath.with_room(50.0, 0.1, 4, 6).prob_block, 12)
        0.0
        """
        speed = np.asarray(throughput_rps, dtype=float)
        down = speed[np.minimum(np.arange(room), speed.size - 1)]
        return cls(np.full(room, float(arrival_rps)), down, speed.size, float(arrival_rps))

    @classmethod
    def impatient(cls, arrival_rps: Rps, service_s: Seconds, servers: int, patience_s: Seconds) -> BirthDeath:
        """Erlang A (M/M/c+M): who waits leaves after an exponential *patience_s*. Never saturates."""
        load = float(arrival_rps) * float(service_s)
        most = servers + 50
        while True:
            n = np.arange(1, most + 1)
            down = np.minimum(n, servers) / float(service_s) + np.maximum(n - servers, 0) / float(patience_s)
            made = cls(np.full(most, float(arrival_rps)), down, servers, float(arrival_rps))
            if made._log[-1] < NEGLIGIBLE:
                return made
            most = int(1.5 * most + load)

    @functools.cached_property
    def _log(self) -> FloatArray:
        log = np.concatenate([[0.0], np.cumsum(np.log(self.up) - np.log(self.down))])
        log = log - log.max()
        return np.asarray(log - np.log(np.exp(log).sum()))

    @property
    def probabilities(self) -> FloatArray:
        """Of 0 .. N customers in the system."""
        return np.asarray(np.exp(self._log))

    @property
    def mean_number(self) -> float:
        """Customers in the system on average."""
        return float(self.probabilities @ np.arange(self.probabilities.size))

    @property
    def mean_queue_length(self) -> float:
        """Customers waiting on average."""
        return float(self.probabilities @ np.maximum(np.arange(self.probabilities.size) - self.servers, 0))

    @property
    def prob_empty(self) -> float:
        """Probability that nobody is there."""
        return float(self.probabilities[0])

    @property
    def prob_wait(self) -> float:
        """Probability that all servers are busy (what a Poisson arrival sees)."""
        return float(self.probabilities[self.servers :].sum())

    @property
    def prob_block(self) -> float:
        """Probability that there is no room (what a Poisson arrival sees)."""
        return float(self.probabilities[-1])

    @property
    def throughput_rps(self) -> float:
        """Customers that enter per second."""
        return float(self.probabilities[:-1] @ self.up)

    @property
    def prob_abandon(self) -> float:
        """Share of arrivals that leave unserved (Erlang A): those not served over all."""
        busy = float(self.probabilities @ np.minimum(np.arange(self.probabilities.size), self.servers))
        served = busy * float(self.down[0])
        return 1 - served / self.offered_rps

    @property
    def mean_response_s(self) -> float:
        """Mean time in the system of those who enter (Little's law)."""
        return self.mean_number / self.throughput_rps

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of those who enter, whether they are served in the end or leave (Little's law)."""
        return self.mean_queue_length / self.throughput_rps


def load_for_blocking(blocking: Fraction, servers: int) -> float:
    """Offered load in erlang at which Erlang B loses a share *blocking* of arrivals at *servers*.

    >>> round(load_for_blocking(0.01, 10), 3)  # printed Erlang B tables
    4.461
    """
    from scipy.optimize import brentq

    from perfplan.models.stations.queueing import erlang_b

    high = servers / (1 - float(blocking)) + 1.0
    return float(brentq(lambda load: float(erlang_b(load, servers)) - float(blocking), 1e-12, high, xtol=1e-13, rtol=1e-15))


def overflow(arrival_rps: Rps, served_rps: Rps, variance_rps: Rps, room: Count, time_s: Seconds) -> float:
    """Share of arrivals that find *room* of them waiting, within *time_s* of when nobody waited; the queue taken for a diffusion.

    The backlog moves by *arrival_rps* - *served_rps* a second with *variance_rps*, between 0 and *room* and one; it is a birth and death
    process on CELLS with the rates of Scharfetter and Gummel, which have the diffusion's stationary law at any drift.

    >>> round(overflow(200.0, 100.0, 300.0, 100.0, 10.0), 2)  # far above what is served: 2,000 come, 1,000 are served, 100 wait
    0.45
    """
    from scipy.linalg import expm

    if time_s <= 0 or arrival_rps <= 0:
        return 0.0
    h = (float(room) + 1) / CELLS  # beside those who wait, one at work
    drift = float(arrival_rps) - float(served_rps)
    tilt = 2 * drift * h / float(variance_rps)
    if tilt < NEGLIGIBLE:  # not even a cell fills
        return 0.0
    up = float(variance_rps) / (2 * h * h) * (tilt / -math.expm1(-tilt) if tilt else 1.0)
    down = up * math.exp(-tilt)
    rates = np.zeros((CELLS + 2, CELLS + 2))  # the last counts those who are lost, in cells
    inner = np.arange(CELLS)
    rates[inner, inner + 1] = up
    rates[inner + 1, inner] = down
    rates -= np.diag(rates.sum(axis=1))
    rates[CELLS, CELLS + 1] = up
    lost = expm(rates * float(time_s))[0, CELLS + 1] * h
    return min(float(lost) / (float(arrival_rps) * float(time_s)), 1.0)


def drain_variance_s2(excess: Count, arrival_rps: Rps, service_s: Seconds, servers: Count) -> float:
    """Variance of the time until *excess* waiting customers of an M/M/c queue are gone: n (mu + lambda) / (mu - lambda)^3, mu = c / s.

    Each customer less is a busy period of its own (Gross et al. section 2.12).
    """
    mu, rate = float(servers) / float(service_s), float(arrival_rps)
    return float(excess) * (mu + rate) / (mu - rate) ** 3


def drain_quantile_s(p: Fraction, excess: int, arrival_rps: Rps, service_s: Seconds, servers: Count) -> float:
    """Time within which *excess* waiting customers are gone with probability *p*; by inversion of the busy periods' transform.

    The first passage over n steps of a birth and death process with constant rates has the density (n / t) e^-(lambda + mu) t
    (mu / lambda)^(n/2) I_n(2 t sqrt(lambda mu)) (Gross et al. eq. 2.102).
    """
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.special import ive

    mu, rate, n = float(servers) / float(service_s), float(arrival_rps), int(excess)
    mean, sd = n / (mu - rate), math.sqrt(drain_variance_s2(n, rate, service_s, servers))

    def density(t: float) -> float:
        z = 2 * t * math.sqrt(rate * mu)
        bessel = float(ive(n, z))
        log = math.log(bessel) if bessel > 0 else _log_bessel(n, z) - z
        return n / t * math.exp(log + z - (rate + mu) * t + n / 2 * math.log(mu / rate))

    def below(t: float) -> float:
        start = max(mean - 12 * sd, mean * 1e-6)
        return float(quad(density, start, t, epsabs=0, epsrel=1e-12, limit=400, points=[mean] if t > mean else None)[0]) - float(p)

    guess = mean + sd * float(ndtri(float(p)))
    return float(brentq(below, max(guess - 2 * sd, mean * 1e-3), guess + 4 * sd, xtol=1e-12 * mean, rtol=1e-13))


def _log_bessel(n: int, z: float) -> float:
    """Logarithm of I_n(z) for large n, by Debye's expansion (Abramowitz, Stegun 9.7.7)."""
    x = z / n
    root = math.sqrt(1 + x * x)
    t = 1 / root
    eta = root + math.log(x / (1 + root))
    u1 = (3 * t - 5 * t**3) / 24
    u2 = (81 * t**2 - 462 * t**4 + 385 * t**6) / 1152
    u3 = (30375 * t**3 - 369603 * t**5 + 765765 * t**7 - 425425 * t**9) / 414720
    return n * eta - 0.5 * math.log(2 * math.pi * n) - 0.5 * math.log(root) + math.log1p(u1 / n + u2 / n**2 + u3 / n**3)
