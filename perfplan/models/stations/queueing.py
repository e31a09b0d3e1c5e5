"""Stations with exponential service: Erlang's formulas and the M/M/c queue.

Symbols: a offered load in erlang (arrival rate x mean service time), c servers, rho = a / c utilization.
A station with rho >= 1 has no steady state: waits are inf, the wait is certain.

Shapes: everything broadcasts; what comes out has the common shape of the fields and arguments, such as (worlds, months).

References
----------
Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed. 2008, sections 2.3 to 2.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaln, xlogy

from perfplan.models.times.distributions import Wait
from perfplan.quantity import Count, FloatArray, Fraction, Ratio, Rps, Seconds, Value
from perfplan.record import field, record

FEW_SERVERS = range(101)  # for which the recurrence is quicker than the incomplete gamma function


def erlang_b(load: Value, servers: Value) -> FloatArray:
    """Probability that an arrival finds all *servers* busy and is lost (M/G/c/c), for a *load* in erlang.

    B = pmf(c) / cdf(c) of a Poisson distribution of mean *load* (Gross et al. eq. 2.48); of few servers, and far above capacity, where
    both vanish, the recurrence 1/B(c) = 1 + c / (a B(c - 1)). *servers* need not be whole. Both >= 0.

    >>> float(erlang_b(3.0, 5)).__round__(12)
    0.110054347826
    """
    if np.ndim(servers) == 0 and float(servers) in FEW_SERVERS:
        return _of_few(np.asarray(load, dtype=float), int(servers))
    a, c = np.broadcast_arrays(np.asarray(load, dtype=float), np.asarray(servers, dtype=float))
    endless = np.isinf(a)
    a = np.where(endless, 0.0, a)
    log_pmf = xlogy(c, a) - a - gammaln(c + 1)
    cdf = gammaincc(c + 1, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.exp(log_pmf) / cdf
    far = cdf < 1e-280
    return np.where(endless, 1.0, np.where(far, _recurrence(a, c, far), lost))


def _of_few(a: FloatArray, c: int) -> FloatArray:
    with np.errstate(divide="ignore", over="ignore"):
        each, inverse = 1 / a, np.ones(a.shape)
        for k in range(1, c + 1):
            inverse = inverse * each * k + 1
    return np.asarray(1 / inverse)


def _recurrence(a: FloatArray, c: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    inverse = np.ones(a.shape)
    if where.any():
        for k in range(1, int(c[where].max()) + 1):
            inverse = np.where(where & (k <= c), 1 + inverse * k / np.where(where, a, 1), inverse)
    return 1 / inverse


def erlang_c(load: Value, servers: Value) -> FloatArray:
    """Probability that an arrival must wait (M/M/c), for a *load* in erlang; 1 where load >= servers.

    C = B / (1 - rho (1 - B)) (Gross et al. eq. 2.49).

    >>> float(erlang_c(3.0, 5)).__round__(12)
    0.236151603499
    """
    b = erlang_b(load, servers)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.asarray(load, dtype=float) / np.asarray(servers, dtype=float)
        wait = b / (1 - rho * (1 - b))
    return np.where(rho < 1, np.clip(wait, 0, 1), 1.0)


@record
class MMc:
    """An M/M/c queue: Poisson arrivals, exponential service, *servers* in parallel, first come first served."""

    arrival_rps: Rps = field("arrivals per second")
    service_s: Seconds = field("mean service time")
    servers: Count = field("servers")

    def wait_law(self, scv: Value = 1.0) -> Wait:
        """The law of the wait; *scv* is the squared coefficient of variation of the service time.

        Exact at 1 (exponential). Else the wait of those who wait is stretched by (1 + scv) / 2, which makes its mean that of
        Allen and Cunneen's M/G/c approximation (Bolch et al. 2006, eq. 6.80); its shape stays exponential.
        """
        return Wait(probability=self.prob_wait, rate_rps=self.wait_rate_rps * 2 / (1 + np.asarray(scv, dtype=float)))

    @property
    def load(self) -> FloatArray:
        """Offered load in erlang: servers busy on average."""
        return np.asarray(self.arrival_rps * np.asarray(self.service_s, dtype=float))

    @property
    def utilization(self) -> Ratio:
        """Offered load per server; at 1 or more the queue never settles."""
        return self.load / self.servers

    @property
    def prob_wait(self) -> FloatArray:
        """Probability that an arrival must wait."""
        return erlang_c(self.load, self.servers)

    @property
    def wait_rate_rps(self) -> FloatArray:
        """Rate of the exponential wait of those who wait: c/s - arrivals; 0 where saturated."""
        return np.maximum(np.asarray(self.servers) / self.service_s - self.arrival_rps, 0.0)

    @property
    def mean_wait_s(self) -> Seconds:
        """Mean time in queue over all arrivals, inf where saturated.

        >>> float(MMc(arrival_rps=0.5, service_s=1.0, servers=1).mean_wait_s.round(9))  # rho / (mu - lambda)
        1.0
        """
        with np.errstate(divide="ignore"):
            return np.where(self.wait_rate_rps > 0, self.prob_wait / self.wait_rate_rps, np.inf)

    @property
    def mean_response_s(self) -> Seconds:
        """Mean time in queue and service."""
        return self.mean_wait_s + self.service_s

    def wait_quantile_s(self, p: Fraction) -> Seconds:
        """The time within which a share *p* of all arrivals starts service; 0 for those who need not wait.

        P(W > t) = C exp(-(c mu - lambda) t) (Gross et al. eq. 2.53).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            wait = np.log(self.prob_wait / (1 - np.asarray(p))) / self.wait_rate_rps
        return np.where(self.wait_rate_rps > 0, np.maximum(np.nan_to_num(wait, nan=0.0, neginf=0.0), 0.0), np.inf)

    def response_exceeds(self, t_s: Seconds) -> FloatArray:
        """P(response > *t_s*) (Gross et al. eq. 2.54), also where wait and service have the same rate.

        >>> float(MMc(arrival_rps=0.5, service_s=1.0, servers=1).response_exceeds(2.0).round(6))  # exp(-1)
        0.367879
        """
        over, _ = _tail(1 / np.asarray(self.service_s, dtype=float), self.wait_rate_rps, self.prob_wait, t_s)
        return np.where(self.wait_rate_rps > 0, np.clip(over, 0, 1), 1.0)

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """The time within which a share *p* of all arrivals is served; by Newton's method on the logarithm, kept between bounds.

        >>> float(MMc(arrival_rps=0.5, service_s=1.0, servers=1).response_quantile_s(0.95)).__round__(9)  # 2 ln 20
        5.991464547
        """
        mu, eta, wait = 1 / np.asarray(self.service_s, dtype=float), self.wait_rate_rps, self.prob_wait
        rest = 1 - np.asarray(p, dtype=float)
        cells = [np.ravel(a) for a in np.broadcast_arrays(mu, eta, wait, rest)]
        found, shape = np.full(cells[0].shape, np.inf), np.broadcast_shapes(*(np.shape(a) for a in (mu, eta, wait, rest)))
        left = np.flatnonzero(cells[1] > 0)  # cells that are not settled yet
        mu, eta, wait, rest = (a[left] for a in cells)
        with np.errstate(divide="ignore"):
            high = np.maximum(np.log(2 * wait / rest) / eta, 0.0) - np.log(rest / 2) / mu
        low, t = np.zeros(left.size), high
        for _ in range(MOST_STEPS):
            over, density = _tail(mu, eta, wait, t)
            low, high = np.where(over > rest, t, low), np.where(over > rest, high, t)
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = t + np.log(over / rest) * over / density
            after = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
            found[left] = after
            going = np.abs(after - t) > 4e-16 * after
            if not going.any():
                break
            left, t = left[going], after[going]
            mu, eta, wait, rest, low, high = (a[going] for a in (mu, eta, wait, rest, low, high))
        return found.reshape(shape)


MOST_STEPS = 100  # of Newton's method; ten are usual


def _tail(mu: FloatArray, eta: FloatArray, wait: FloatArray, t: Value) -> tuple[FloatArray, FloatArray]:
    """P(T > t) and the density of T: a service of rate *mu* behind a wait that is exponential with *eta*, with probability *wait*."""
    gap = np.abs(eta - mu) * t
    small = gap < 1e-9
    shared = np.where(small, 1.0 - gap / 2, -np.expm1(-gap) / np.where(small, 1.0, gap))
    both = wait * mu * np.asarray(t) * np.exp(-np.minimum(mu, eta) * t) * shared
    alone = np.exp(-mu * t)
    return alone + both, mu * alone * (1 - wait) + eta * both


def drain_time_s(excess: Count, arrival_rps: Rps, service_s: Seconds, servers: Count) -> Seconds:
    """Mean time until *excess* waiting customers are gone: excess / (c mu - lambda); inf where saturated.

    The first passage of a birth and death process whose servers stay busy (exact for M/M/c).

    >>> float(drain_time_s(100, 8.0, 1.0, 10))
    50.0
    """
    spare = np.asarray(servers / np.asarray(service_s, dtype=float) - arrival_rps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spare > 0, np.asarray(excess) / spare, np.where(np.asarray(excess) > 0, np.inf, 0.0))
