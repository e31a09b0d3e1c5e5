"""M/G/c/K: stations with room for a limited number of customers, any law of service; who finds them full is lost.

Services are replaced by phase-type ones with the same residual (`fitting.fit_service`), and the number in each phase is solved exactly.
Where that takes too many phases (regular services, many servers), the number in the system is that of Tijms, van Hoorn and Federgruen,
with as many busy servers as leave (exact for one server and for exponential services), and who finds j waiting waits for the least of c
residual services and j services at the speed of all c. Neither needs a utilization below 1. Against simulations (benchmarks/accuracy.py,
family mgck; benchmarks/families.py): by phases within 1 %, else losses within 4 %, times within 6 %.

References
----------
Tijms, van Hoorn, Federgruen: Approximations for the steady-state probabilities in the M/G/c queue, Adv. Appl. Prob. 13 (1981). Tijms: A
First Course in Stochastic Models, 2003, section 9.6.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from perfplan.models.beyond.fitting import fit_service, most_phases
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction, Rps, Seconds
from perfplan.models.times.phase import PhaseType, busy_servers, states
from perfplan.quantity import FloatArray

GRID, COARSER = 8192, 16  # steps of the convolution of wait and service; of them to one at which a chain of phases is asked
MOST_SOLVED = 140_000  # square of the states of busy servers, times the capacity, of a station that is still solved by its phases


@dataclass(frozen=True, kw_only=True)
class MGcK:
    """An M/G/c/K station: *servers*, and *capacity* customers at most, those in service included.

    >>> from perfplan.models.beyond.laws import exponential
    >>> from perfplan.models.stations.birthdeath import BirthDeath
    >>> station = MGcK(arrival_rps=50.0, service=exponential(0.1), servers=4, capacity=6)
    >>> round(station.prob_block / BirthDeath.with_room(50.0, 0.1, 4, 6).prob_block, 4)
    1.0
    """

    arrival_rps: Rps
    service: TimeLaw
    servers: int
    capacity: int

    @property
    def prob_block(self) -> float:
        """Share of arrivals that are lost."""
        return float(self._number[-1])

    @property
    def throughput_rps(self) -> Rps:
        """Customers served per second."""
        return self.arrival_rps * (1 - self.prob_block)

    @property
    def mean_response_s(self) -> Seconds:
        """Mean time in the system of those who enter (Little's law)."""
        inside = float(self._number @ np.arange(self.capacity + 1))
        return inside / self.throughput_rps if inside else self.service.mean

    @property
    def mean_wait_s(self) -> Seconds:
        """Mean time in queue of those who enter."""
        return max(self.mean_response_s - self.service.mean, 0.0)

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* of those who enter is served."""
        times, within = self._response
        return float(np.interp(p, within, times))

    @functools.cached_property
    def _phases(self) -> _Phases | None:
        """The station by the phases of its services, where they are few enough."""
        phases = most_phases(self.service, lambda n: states(self.servers, n) ** 2 * self.capacity <= MOST_SOLVED)
        if not self.arrival_rps or phases is None:
            return None
        return _solve(self.arrival_rps, fit_service(self.service, self.servers, phases), self.servers, self.capacity)

    @functools.cached_property
    def _number(self) -> FloatArray:
        """Probabilities of 0 .. K customers."""
        if not self.arrival_rps:
            return np.append(1.0, np.zeros(self.capacity))
        return self._by_residuals if self._phases is None else np.array([level.sum() for level in self._phases.levels])

    @functools.cached_property
    def _fine(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Times, P(service > t) and P(residual > t)."""
        end = float(self.service.quantile(1 - 1e-9)) + self.capacity * self.service.mean / self.servers
        times = np.concatenate([[0.0], np.geomspace(1e-5 * self.service.mean, end, 40_000)])
        over = 1 - self.service.within(times)
        gone = np.concatenate([[0.0], np.cumsum((over[1:] + over[:-1]) / 2 * np.diff(times))])
        return times, over, 1 - gone / gone[-1]

    @functools.cached_property
    def _by_residuals(self) -> FloatArray:
        """The recursion of Tijms, van Hoorn and Federgruen; the last probability such that arrivals leave."""
        rate, c, most = self.arrival_rps, self.servers, self.capacity
        times, over, left = self._fine
        step, load = np.gradient(times), rate * self.service.mean
        n = np.arange(most - c + 1)[:, None]

        def come(seconds: FloatArray) -> FloatArray:
            """Poisson probabilities of n arrivals within *seconds*."""
            return np.asarray(np.exp(n * np.log(np.maximum(rate * seconds, 1e-300)) - rate * seconds - gammaln(n + 1)))

        first, next_ = rate * come(times) @ (left ** (c - 1) * over * step), rate * come(times / c) @ (over * step / c)
        p = np.zeros(most + 1)
        below = np.arange(c)
        p[:c] = np.exp(below * np.log(load) - gammaln(below + 1) - max(c - 1, 0) * np.log(max(load, 1.0)) + gammaln(c))
        for j in range(c, most):
            p[j] = (first[j - c] * p[c - 1] + next_[1 : j - c + 1][::-1] @ p[c:j]) / (1 - next_[0])
        p[most] = max(float(load * p[:most].sum() - below @ p[:c] - c * p[c:most].sum()) / c, 0.0)
        return np.asarray(p / p.sum())

    @functools.cached_property
    def _response(self) -> tuple[FloatArray, FloatArray]:
        """Times, and P(response <= t) of those who enter."""
        end = float(self.service.quantile(0.9999)) * 1.5 + 3 * self.mean_wait_s + 2 * self.capacity * self.service.mean / self.servers
        times = np.linspace(0, end, GRID + 1)
        wait = self._waits_within(times)
        jumps = np.diff(wait, prepend=0.0)  # the first is the probability of no wait, the others lie within their steps
        served = self.service.within(times)
        later = np.convolve(jumps[1:], self.service.within(times[:-1] + end / GRID / 2))[:GRID]
        return times, np.maximum.accumulate(jumps[0] * served + np.concatenate([[0.0], later]))

    def _waits_within(self, times: FloatArray) -> FloatArray:
        enter, at_once = 1 - self.prob_block, float(self._number[: self.servers].sum())
        if self._phases is not None:
            return 1 - self._phases.waits_longer(times) / enter
        fine, over, left = self._fine
        least = np.diff(1 - np.interp(times, fine, left) ** self.servers, prepend=0.0)
        each = np.diff(1 - np.interp(times * self.servers, fine, over), prepend=0.0)
        size = 2 * times.size
        now, factor = np.fft.rfft(least, size), np.fft.rfft(each, size)
        total = np.zeros_like(now)
        for share in self._number[self.servers : -1]:
            total, now = total + share * now, now * factor
        return np.asarray((at_once + np.cumsum(np.fft.irfft(total, size)[: times.size])) / enter)


@dataclass(frozen=True, eq=False)
class _Phases:
    levels: list[FloatArray]  # of 0 .. K customers: probabilities of the phases of those in service
    silent: FloatArray  # changes of phase of c busy servers without a completion
    completing: FloatArray
    servers: int

    def waits_longer(self, times: FloatArray) -> FloatArray:
        """P(enters, and waits > t) at equally spaced times: who finds k waiting waits for k + 1 completions."""
        from scipy.sparse import eye_array, kron
        from scipy.sparse.linalg import expm_multiply

        waiting = self.levels[self.servers : -1]
        if not waiting:
            return np.zeros(times.size)
        chain = kron(eye_array(len(waiting)), self.silent) + kron(eye_array(len(waiting), k=-1), self.completing)
        few = np.linspace(0.0, float(times[-1]), times.size // COARSER + 1)
        found = expm_multiply(chain.T.tocsr(), np.concatenate(waiting), start=0.0, stop=float(few[-1]), num=few.size, endpoint=True)
        return np.asarray(np.exp(np.interp(times, few, np.log(np.maximum(found.sum(axis=1), 1e-300)))))


def _solve(rate: float, service: PhaseType, servers: int, capacity: int) -> _Phases:
    """Level by level from the top: pi_(n+1) = pi_n R_n."""
    inner, leaving, entering = busy_servers(service, servers)
    silent, completing = inner[-1], leaving[-1] @ entering[-1]
    ratios: list[FloatArray] = []
    for level in range(capacity, 0, -1):
        here = inner[min(level, servers)]
        if ratios:
            here = here - rate * np.eye(here.shape[0]) + ratios[-1] @ (completing if level >= servers else leaving[level])
        up = rate * (entering[level - 1] if level <= servers else np.eye(here.shape[0]))
        ratios.append(np.asarray(np.linalg.solve(-here.T, up.T).T, dtype=float))
    levels = [np.ones(1)]
    for ratio in reversed(ratios):
        levels.append(levels[-1] @ ratio)
    total = sum(float(level.sum()) for level in levels)
    return _Phases(levels=[level / total for level in levels], silent=silent, completing=completing, servers=servers)
