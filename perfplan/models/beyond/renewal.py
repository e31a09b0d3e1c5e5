"""GI/G/c: one server by its random walk, several by phase-type laws that stand for gaps and services (see `fitting`), solved exactly.

The wait is that of the queue of stand-ins, the response the wait plus the service time's own law. More servers than can be solved are
taken at the same (1 - rho) sqrt(c), where queues of many sizes look alike (Halfin, Whitt). Against simulations (benchmarks/accuracy.py,
family gi_g_c; benchmarks/families.py), 1 to 100 servers and scv 0.25 to 10: p95 and p99 of the response within 2 %, mean wait within 2 %
up to a dozen servers; beyond, where few wait (a load below 0.8), means and tails of waits up to 10 % too low.

References
----------
Halfin, Whitt: Heavy-traffic limits for queues with many exponential servers, Oper. Res. 29 (1981).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.combined import scaled
from perfplan.models.beyond.fitting import FEWEST, MOST, fit_gaps, fit_service, most_phases
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction
from perfplan.models.beyond.walk import GIG1
from perfplan.models.stations.queueing import erlang_c
from perfplan.models.times.matching import match
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType, states
from perfplan.quantity import FloatArray

MOST_STATES = 100  # of the phases of busy servers, that a queue is solved with
FEWEST_SOLVED = 4  # servers that can stand for more of them
LEAST_SCV, MOST_SCV = (
    1 / 24,
    20.0,
)  # of gaps; more regular ones have too many phases, and so few cannot vary more; the latter of services too
LEAST_USED = 0.05  # of a smaller queue that stands for a larger one


@dataclass(frozen=True, eq=False)
class GIGc:
    """A GI/G/c queue, first come first served, by the laws of the gaps *between* arrivals and of the *service*.

    One server: exact, by the random walk of `GIG1`. Several, and one whose walk fits on no lattice: the queue of fitted phase-type laws,
    solved exactly, and the service's own law for the response; beyond MOST_STATES at the same (1 - rho) sqrt(c). Utilization below 1 and
    laws that phases can stand for, else `ValueError`.

    >>> from perfplan.models.beyond.laws import exponential
    >>> queue = GIGc(exponential(1 / 3.2), exponential(1.0), 4)  # M/M/4: Erlang's C is 0.5964
    >>> round(queue.prob_wait, 4)
    0.5964
    """

    between: TimeLaw
    service: TimeLaw
    servers: int

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival must wait."""
        return self._likelier * self._alike.prob_wait

    @property
    def mean_wait_s(self) -> float:
        """Mean wait over all arrivals."""
        return self._likelier * self._shorter * self._alike.mean_wait_s

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service; 0 for those who need not wait."""
        if isinstance(self._alike, GIG1):
            return float(self._alike.wait_quantile_s(p))
        times, over = self._tail
        return float(np.interp(-(1 - p), -over, times)) if over[0] > 1 - p else 0.0

    def response_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* is served."""
        from scipy.optimize import brentq

        if isinstance(self._alike, GIG1):
            return float(self._alike.response_quantile_s(p))
        times, over = self._tail
        waited, share = (times[1:] + times[:-1]) / 2, -np.diff(over)

        def within(t: float) -> float:
            late = np.where(waited < t, self.service.within(np.maximum(t - waited, 0.0)), 0.0)
            return float((1 - over[0]) * self.service.within(t) + share @ late)

        high = float(times[-1] + self.service.quantile(1 - (1 - p) / 4))
        return float(brentq(lambda t: within(t) - p, 0.0, high, xtol=1e-10 * high))

    @functools.cached_property
    def _tail(self) -> tuple[FloatArray, FloatArray]:
        """Times, and P(wait > t) at them."""
        assert isinstance(self._alike, MapPhC)
        times, over = self._alike.wait_tail()
        return times * self._shorter, over * self._likelier

    @functools.cached_property
    def _alike(self) -> MapPhC | GIG1:
        """The queue that answers."""
        check_steady(self._used)
        if self.servers == 1:
            walk = GIG1(self.between, self.service)
            try:
                _ = walk.prob_wait
            except ValueError:  # not for a lattice: by phases, as several servers
                pass
            else:
                return walk
        count, service = _stand_in(self.service, self.servers)
        gap_s = self.service.mean / (_at_size(self._used, self.servers, count) * count)
        between = self.between if count == self.servers else scaled(self.between, gap_s / self.between.mean)
        return MapPhC(MarkovianArrivals.renewal(_gaps(between)), service, count)

    @property
    def _used(self) -> float:
        return float(self.service.mean / self.between.mean / self.servers)

    @functools.cached_property
    def _likelier(self) -> float:
        """How much likelier a wait is than in the queue that answers: as for exponential times."""
        if isinstance(self._alike, GIG1) or (count := self._alike.servers) == self.servers:
            return 1.0
        c, alike = erlang_c(self._used * self.servers, self.servers), erlang_c(_at_size(self._used, self.servers, count) * count, count)
        return float(c / alike)

    @property
    def _shorter(self) -> float:
        """How much shorter waits are than in the queue that answers."""
        return 1.0 if isinstance(self._alike, GIG1) else math.sqrt(self._alike.servers / self.servers)


def _at_size(used: float, servers: int, count: int) -> float:
    """The utilization at which *count* servers are as *servers* at *used*: the same (1 - rho) sqrt(c) (Halfin, Whitt)."""
    return max(1 - (1 - used) * math.sqrt(servers / count), LEAST_USED)


def _stand_in(law: TimeLaw, servers: int) -> tuple[int, PhaseType]:
    """How many servers can be solved, and what stands for services of *law* there."""
    scv = law.variance / law.mean**2
    if _exponential(law):
        return min(servers, MOST_STATES), PhaseType.exponential(law.mean)
    if not 0 < scv <= MOST_SCV:
        raise ValueError(
            f"services must vary by a squared coefficient of variation of at most {MOST_SCV:g}, and more than 0; got {scv:.3g}"
        )
    least = max(math.ceil(1 / scv - 1e-9), FEWEST)
    count = next((c for c in range(servers, 0, -1) if states(c, least) <= MOST_STATES), 0)
    if count < min(servers, FEWEST_SOLVED):
        raise ValueError(f"{servers} servers with {least} phases are {states(servers, least)} states; at most {MOST_STATES} are solved")
    phases = most_phases(law, lambda n: states(count, n) <= MOST_STATES)
    return count, fit_service(law, count, phases) if phases else match(law.mean, scv)


def _gaps(law: TimeLaw) -> PhaseType:
    """What stands for gaps of *law*."""
    scv = law.variance / law.mean**2
    if _exponential(law):
        return PhaseType.exponential(law.mean)
    if not LEAST_SCV <= scv <= MOST_SCV:
        raise ValueError(f"gaps must vary by a squared coefficient of variation of {LEAST_SCV:.3g} to {MOST_SCV:g}; got {scv:.3g}")
    return match(law.mean, scv) if scv < 1 / MOST else fit_gaps(law, MOST)


def _exponential(law: TimeLaw) -> bool:
    t = law.mean * np.geomspace(0.01, 10, 20)
    return bool(np.allclose(law.within(t), -np.expm1(-t / law.mean), rtol=1e-9, atol=0))
