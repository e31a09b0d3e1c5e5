"""Time-varying load: M_t/M/c(t) by the Kolmogorov equations, and for large systems by two equations for mean and variance.

p_n'(t) = lambda(t) p_(n-1) + min(n + 1, c(t)) mu p_(n+1) - (lambda(t) + min(n, c(t)) mu) p_n, cut off where nobody comes.
Exact but for that and the solver's tolerance; for systems of up to a few thousand customers. Where the number of servers
changes, the new number holds at once, and nobody in service is interrupted.

References
----------
Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed. 2008, section 2.12. Massey, Pender: Gaussian skewness
approximation for dynamic rate multi-server queues with abandonment, Queueing Systems 75 (2013) (the closure with two moments).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from perfplan.models.beyond.numbers import Seconds
from perfplan.quantity import FloatArray


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The system at one time."""

    probabilities: FloatArray  # of 0 .. N customers
    servers: int

    @property
    def mean_number(self) -> float:
        """Customers in the system."""
        return float(self.probabilities @ np.arange(self.probabilities.size))

    @property
    def mean_queue_length(self) -> float:
        """Customers waiting."""
        return float(self.probabilities @ np.maximum(np.arange(self.probabilities.size) - self.servers, 0))

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival at this time must wait."""
        return float(self.probabilities[self.servers :].sum())


def over_time(
    rate_rps: Callable[[float], float],
    service_s: Seconds,
    servers: Sequence[tuple[float, int]],
    times_s: Sequence[float],
    *,
    start: FloatArray | None = None,
    breaks_s: Sequence[float] = (),
    most: int,
) -> list[Moment]:
    """The system at *times_s*, ascending, from *start* (probabilities at time 0; left out: empty).

    *servers*: (from when, how many), the first from 0. *breaks_s*: times at which the rate jumps. *most*: customers kept track of.

    >>> filled = over_time(lambda t: 3.0, 1.0, [(0.0, 50)], [2.0], most=60)[0]
    >>> round(filled.mean_number, 6)  # M/M/inf from empty: 3 (1 - e^-2)
    2.593994
    """
    from scipy.integrate import solve_ivp

    p = np.zeros(most + 1)
    p[: 1 if start is None else start.size] = 1.0 if start is None else start
    n, mu = np.arange(most + 1), 1 / service_s
    stops = sorted({*times_s, *(t for t, _ in servers), *breaks_s} - {0.0})
    found, now = {0.0: p}, 0.0
    for stop in (s for s in stops if s <= max(times_s)):
        down = np.minimum(n, _servers(servers, now)) * mu
        edge = float(np.nextafter(stop, 0))  # a rate that jumps at the stop has not jumped yet

        def flow(t: float, x: FloatArray, down: FloatArray = down, edge: float = edge) -> FloatArray:
            up = np.append(np.full(most, rate_rps(min(t, edge))), 0.0)
            out = -(up + down) * x
            out[1:] += up[:-1] * x[:-1]
            out[:-1] += down[1:] * x[1:]
            return np.asarray(out)

        p, now = solve_ivp(flow, (now, stop), p, method="LSODA", rtol=1e-11, atol=1e-15, lband=1, uband=1).y[:, -1], stop
        found[stop] = p
    return [Moment(probabilities=found[t], servers=_servers(servers, t)) for t in times_s]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A large system at one time: the number of customers as a normal law."""

    mean_number: float
    sd_number: float
    servers: int

    @property
    def mean_queue_length(self) -> float:
        """Customers waiting."""
        away = (self.mean_number - self.servers) / self.sd_number
        return float((self.mean_number - self.servers) * ndtr(away) + self.sd_number * np.exp(-(away**2) / 2) / np.sqrt(2 * np.pi))

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival at this time must wait."""
        return float(ndtr((self.mean_number - self.servers + 0.5) / self.sd_number))


def large_over_time(
    rate_rps: Callable[[float], float],
    service_s: Seconds,
    servers: Sequence[tuple[float, int]],
    times_s: Sequence[float],
    *,
    start_number: float = 0.0,
    breaks_s: Sequence[float] = (),
) -> list[Spread]:
    """The system at *times_s*, ascending, from *start_number* customers at time 0; arguments as of `over_time`.

    With the number taken for a normal law, E min(n, c) and Cov(n, min(n, c)) = Var(n) P(n < c) (Stein) are closed, and

        m' = lambda - mu E min(n, c),    v' = lambda + mu E min(n, c) - 2 mu v P(n < c).

    Exact where nobody waits or everybody does; else the better, the larger: against `over_time` with 100 servers that are overloaded
    for a while the mean is within 3 %, P(wait) within 0.13; with 1,000, within 1 % and 0.07 (tests/models/beyond/test_interruptions.py).

    >>> filled = large_over_time(lambda t: 300.0, 1.0, [(0.0, 5000)], [2.0])[0]
    >>> round(filled.mean_number, 3), round(filled.sd_number**2, 3)  # M/M/inf from empty: both 300 (1 - e^-2)
    (259.399, 259.399)
    """
    from scipy.integrate import solve_ivp

    mu, state, now = 1 / service_s, np.array([start_number, 1e-9]), 0.0
    found = {0.0: state}
    for stop in (s for s in sorted({*times_s, *(t for t, _ in servers), *breaks_s} - {0.0}) if s <= max(times_s)):
        c, edge = _servers(servers, now), float(np.nextafter(stop, 0))  # a rate that jumps at the stop has not jumped yet

        def flow(t: float, x: FloatArray, c: int = c, edge: float = edge) -> FloatArray:
            rate, sd = rate_rps(min(t, edge)), np.sqrt(max(x[1], 1e-12))
            away = (c - x[0]) / sd
            free = float(ndtr(away))
            served = x[0] * free + c * (1 - free) - sd * np.exp(-(away**2) / 2) / np.sqrt(2 * np.pi)
            return np.array([rate - mu * served, rate + mu * served - 2 * mu * x[1] * free])

        state, now = solve_ivp(flow, (now, stop), state, method="LSODA", rtol=1e-9, atol=1e-9).y[:, -1], stop
        found[stop] = state
    return [Spread(mean_number=float(found[t][0]), sd_number=float(np.sqrt(found[t][1])), servers=_servers(servers, t)) for t in times_s]


def _servers(steps: Sequence[tuple[float, int]], t: float) -> int:
    return [c for start, c in steps if start <= t][-1]
