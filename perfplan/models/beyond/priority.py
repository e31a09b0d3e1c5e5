"""Classes with priorities at one M/G/c station: the first class first, within a class first come first served.

Not preempted: who finds all servers busy waits for those of its class and above, and for the higher ones that come meanwhile. With d(s)
the transform of the wait without those that come meanwhile, of those who wait, and g(s) that of the time in which c servers get rid of one
higher customer and of all higher ones that come by then,

    E exp(-s W | W > 0) = d(s + a (1 - g(s))),   g(s) = b((s + a (1 - g(s))) / c),    a the rate of all higher classes.

d is that of Tijms, van Hoorn and Federgruen (see `service`) with the load of this class and those above: exact for one server and for
exponential services. Behind several servers, where few phases can stand for a service, it is that of a QBD with the same residual services
(`fitting.fit_service`) whose servers are kept busy by the classes below. Preempted (resumed later), exponential services:
customers ahead are a birth and death process, and one is served while fewer than c are ahead; exact. Against simulations
(benchmarks/accuracy.py, family priority; benchmarks/families.py): within 4 %.

References
----------
Davis: Waiting-time distribution of a multi-server, priority queuing system, Oper. Res. 14 (1966). Gross, Shortle, Thompson, Harris:
Fundamentals of Queueing Theory, 4th ed. 2008, section 3.4. Latouche, Ramaswami: Introduction to Matrix Analytic Methods, 1999.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.fitting import fit_service, most_phases
from perfplan.models.beyond.general import Transform, quantile_of
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction, Rps, Seconds
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.service import NORMAL, NORMAL_WEIGHTS, QueueWait, Shape
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType, busy_servers, rate_matrix, states, stationary
from perfplan.quantity import FloatArray

ROUNDS = 400  # of the fixed point of a busy period's transform; its error shrinks by the higher classes' utilization each time
MOST_SOLVED = 45  # states of busy servers, of a station that is solved by its phases


@dataclass(frozen=True, kw_only=True)
class Priority:
    """What classes 0, 1, .. meet at a station of *servers* with one law of *service*; utilization below 1, else `ValueError`.

    >>> from perfplan.models.beyond.laws import exponential
    >>> station = Priority(arrivals_rps=[0.4, 0.4], service=exponential(1.0), servers=1)
    >>> [round(station.mean_wait_s(k), 3) for k in (0, 1)]  # Cobham: rho s / ((1 - sigma_(k-1)) (1 - sigma_k))
    [1.333, 6.667]
    """

    arrivals_rps: Sequence[Rps]
    service: TimeLaw
    servers: int

    def __post_init__(self) -> None:
        check_steady(self._used(len(self.arrivals_rps)))

    @functools.cached_property
    def prob_wait(self) -> float:
        """Probability that a customer, of any class, must wait."""
        if not sum(self.arrivals_rps):
            return 0.0
        return self._together.prob_wait if self._stand_in else float(np.asarray(QueueWait.of(self._plain, self._shape).probability))

    def mean_wait_s(self, of_class: int) -> Seconds:
        """Mean wait of all customers of a class."""
        return self.prob_wait * self._delays[of_class].mean_s / (1 - self._used(of_class)) if self.prob_wait else 0.0

    def mean_response_s(self, of_class: int) -> Seconds:
        """Mean wait and service of a class."""
        return self.mean_wait_s(of_class) + self.service.mean

    def wait_quantile_s(self, of_class: int, p: Fraction) -> Seconds:
        """Time within which a share *p* of a class starts service; 0 for those who need not wait."""
        return 0.0 if p <= 1 - self.prob_wait else quantile_of(self._wait(of_class), p, self.mean_wait_s(of_class))

    def response_quantile_s(self, of_class: int, p: Fraction) -> Seconds:
        """Time within which a share *p* of a class is served."""
        wait = self._wait(of_class)
        return quantile_of(lambda s: wait(s) * self.service.transform(s), p, self.mean_response_s(of_class))

    def _used(self, classes: int) -> float:
        """Utilization by the first *classes* of them."""
        return float(sum(self.arrivals_rps[:classes])) * self.service.mean / self.servers

    def _wait(self, of_class: int) -> Transform:
        if not self.prob_wait:
            return np.ones_like
        delay, above = self._delays[of_class].transform, float(sum(self.arrivals_rps[:of_class]))

        def transform(s: Any) -> Any:
            gone = np.zeros(np.shape(s), dtype=complex)
            for _ in range(ROUNDS if above else 0):
                before, gone = gone, self.service.transform((s + above * (1 - gone)) / self.servers)
                if np.abs(gone - before).max() < 1e-14:
                    break
            return (1 - self.prob_wait) + self.prob_wait * delay(s + above * (1 - gone))

        return transform

    @property
    def _plain(self) -> MMc:
        return MMc(arrival_rps=float(sum(self.arrivals_rps)), service_s=self.service.mean, servers=float(self.servers))

    @functools.cached_property
    def _shape(self) -> Shape:
        return Shape(self.service.quantile(np.clip(ndtr(NORMAL), 1e-15, 1 - 1e-15)), NORMAL_WEIGHTS)

    @functools.cached_property
    def _delays(self) -> list[_Delay]:
        count = len(self.arrivals_rps)
        if self._stand_in is None:
            return [self._by_residuals(self._used(k + 1)) for k in range(count)]
        kept_busy = [_kept_busy(float(sum(self.arrivals_rps[: k + 1])), self._stand_in, self.servers) for k in range(count - 1)]
        solved = self._together._solved
        return [*kept_busy, _by_completions(solved.left, solved.turn, solved.silent, solved.completing)]

    @functools.cached_property
    def _stand_in(self) -> PhaseType | None:
        """What is solved for services behind several servers."""
        phases = most_phases(self.service, lambda n: states(self.servers, n) <= MOST_SOLVED) if self.servers > 1 else None
        return fit_service(self.service, self.servers, phases) if phases else None

    @property
    def _together(self) -> MapPhC:
        """All classes as one."""
        assert self._stand_in is not None
        rate = float(sum(self.arrivals_rps))
        return MapPhC(MarkovianArrivals.renewal(PhaseType.exponential(1 / rate)), self._stand_in, self.servers)

    def _by_residuals(self, used: float) -> _Delay:
        """(1 - sigma) R_c(s) / (1 - sigma b_e(s / c)), sigma the utilization by this class and those above."""
        shape, mean, c = self._shape, self.service.mean, self.servers
        times, survives = shape.residual
        middle, p = (times[1:] + times[:-1]) / 2 * mean, -np.diff(survives**c)

        def transform(s: Any) -> Any:
            s = np.asarray(s)
            residual = (1 - self.service.transform(s / c)) / (s / c * mean)
            return (1 - used) * (np.exp(-s[..., None] * middle) @ p) / (1 - used * residual)

        return _Delay(transform, mean * (shape.least_moment(c, 1) + used / (1 - used) * shape.moment(2) / 2 / c))


@dataclass(frozen=True)
class _Delay:
    """The wait, of those who wait, for those who are there."""

    transform: Transform
    mean_s: Seconds


def _kept_busy(rate: float, service: PhaseType, servers: int) -> _Delay:
    """Behind customers of *rate* whose servers never idle."""
    inner, leaving, entering = busy_servers(service, servers)
    silent, completing = inner[-1], leaving[-1] @ entering[-1]
    eye = np.eye(silent.shape[0])
    r = rate_matrix(rate * eye, silent - rate * eye, completing)
    found = stationary(silent - rate * eye + completing + r @ completing)
    return _by_completions(found, r, silent, completing)


def _by_completions(found: FloatArray, r: FloatArray, silent: FloatArray, completing: FloatArray) -> _Delay:
    """Who finds k waiting, phases found R^k, waits for k + 1 completions: for each eigenvalue of R a system of its own."""
    values, vectors = np.linalg.eig(r)
    start, weights = np.linalg.inv(vectors) / (1 - values)[:, None], found @ vectors
    total = (weights @ start).sum().real
    systems = silent + values[:, None, None] * completing
    eye, ones = np.eye(r.shape[0]), np.ones((values.size, r.shape[0], 1))

    def lasts(s: complex) -> Any:
        """int exp(-s t) P(wait > t) dt."""
        return weights @ np.einsum("ij,ijk->i", start, np.linalg.solve(s * eye - systems, ones)) / total

    def transform(s: Any) -> Any:
        s = np.asarray(s, dtype=complex)
        return 1 - s * np.array([lasts(one) for one in s.ravel()]).reshape(s.shape)

    return _Delay(transform, float(lasts(0.0).real))


def preempted_response_quantile_s(p: Fraction, above_rps: Rps, arrival_rps: Rps, service_s: Seconds, servers: int) -> float:
    """Percentile of the response of a class that higher ones, of *above_rps*, interrupt at once and that goes on later; M/M/c, exact.

    >>> round(preempted_response_quantile_s(0.95, 0.0, 0.8, 1.0, 1), 6)  # nobody above: M/M/1, ln 20 / (1 - rho)
    14.978661
    """
    from scipy.optimize import brentq
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import expm_multiply

    used = (above_rps + arrival_rps) * service_s / servers
    check_steady(used)
    most = servers + int(40 / -math.log(max(used, 1e-15))) + int(8 * math.sqrt(servers)) + 20
    x = BirthDeath.with_room(above_rps + arrival_rps, service_s, servers, most).probabilities
    ahead = np.arange(most + 1)
    up = np.append(np.full(most, above_rps), 0.0)
    down, served = np.minimum(ahead, servers) / service_s, (ahead < servers) / service_s
    chain: Any = diags_array([-(up + down + served), up[:-1], down[1:]], offsets=[0, -1, 1], format="csc")
    t, step = 0.0, 4 * service_s / (1 - used)
    while (later := expm_multiply(chain * step, x)).sum() > 1 - p:
        t, x = t + step, later
    return t + float(brentq(lambda s: float(expm_multiply(chain * s, x).sum()) - (1 - p), 0.0, step, xtol=1e-13 * step))


def preempted_mean_response_s(above_rps: Rps, arrival_rps: Rps, service_s: Seconds, servers: int) -> float:
    """Its mean: all customers together are M/M/c, and so are those above.

    >>> round(preempted_mean_response_s(0.4, 0.4, 1.0, 1), 6)  # (5 x 0.8 - 0.4 / 0.6) / 0.4
    8.333333
    """
    number = [
        rate * float(MMc(arrival_rps=rate, service_s=service_s, servers=servers).mean_response_s) if rate else 0.0
        for rate in (above_rps, above_rps + arrival_rps)
    ]
    return (number[1] - number[0]) / arrival_rps
