"""Service times of any law, and the wait behind them: M/G/c.

A `Shape` is a law of mean 1 as nodes and weights: of samples, or of a lognormal. The wait of those who wait is that of Tijms, van
Hoorn and Federgruen: first the least of c residual services, then a geometric number of residual services at the speed of all c:

    E exp(iuW | W > 0) = (1 - rho) R_c(u) / (1 - rho B_e(u / c)),

B_e the residual service, R_c the least of c of them; P(W > 0) is Erlang's C, made less for services that vary less than
exponential ones so that the mean wait of constant services is Cosmetatos'. Exact for M/G/1 and for M/M/c. Behind several servers and
services that vary more, this overestimates heavy tails by a quarter: there the wait is a gamma law with the first two moments of
M/H2/c, whose service has the same three moments and which is solved exactly. Against simulations and real servers: `benchmarks/laws.py`
and `benchmarks/servers.py`.

Shapes: nodes and weights of a law are (n,); a station's fields broadcast, such as (worlds, months), and so do its answers.

References
----------
Cosmetatos: Approximate explicit formulae for the average queueing time in M/D/r and D/M/r, INFOR 13 (1975). Tijms: A First Course
in Stochastic Models, 2003, section 9.6.2. Tijms, van Hoorn, Federgruen: Approximations for the steady-state probabilities in the
M/G/c queue, Adv. Appl. Prob. 13 (1981).
"""

from __future__ import annotations

import functools
from typing import Any, cast

import numpy as np
from scipy.special import gammaincinv, ndtr

from perfplan.models.stations.queueing import MMc, erlang_c
from perfplan.models.stations.scalability import Crew
from perfplan.models.stations.slowdown import Stretched
from perfplan.models.times.distributions import Exponential, Series, Wait
from perfplan.models.times.frequencies import Complex, Distribution, Frequencies, Tail, between
from perfplan.models.times.latency import exceeds, percentiles_s
from perfplan.models.times.matching import match
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType
from perfplan.quantity import FloatArray, Fraction, Ratio, Seconds, Value, median
from perfplan.record import field, hidden, record

MOST_NODES = 1500  # more samples are put together, the largest hundredth last
SMEAR = 0.01  # each sample stands for times within about 1 % of it: a clock has noise, and a series has no steps
FEWEST = 100  # samples of which a law is recognized
GRID = np.linspace(np.log(1e-8), np.log(3e3), 2001)  # log of frequency x mean
TIMES = 3000  # at which a residual is cut into pieces
NORMAL = np.linspace(-8, 8, 1201)
NORMAL_WEIGHTS = np.exp(-(NORMAL**2) / 2) / np.exp(-(NORMAL**2) / 2).sum()


def _recognized(x: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Nodes and weights of the exponential or lognormal, shifted, that sorted samples cannot be told from; None where they can.

    The test is Kolmogorov and Smirnov's at 5 %. It matters in the tail, where samples are few: what is taken for a lognormal has
    the lognormal's.
    """
    shift = float(x[0])
    y = x[1:] - shift
    y = y[y > 0]
    if y.size < 0.98 * x.size:
        return None
    logs = np.log(y)
    nodes = {"exponential": -np.log(ndtr(-NORMAL)) * y.mean(), "lognormal": np.exp(logs.mean() + logs.std() * NORMAL)}
    within = {"exponential": -np.expm1(-y / y.mean()), "lognormal": ndtr((logs - logs.mean()) / logs.std())}
    ranks = (np.arange(y.size) + 0.5) / y.size
    away = {name: float(np.abs(p - ranks).max()) for name, p in within.items()}
    best = min(away, key=lambda name: away[name])
    nodes[best] *= (x.mean() - shift) / float(nodes[best] @ NORMAL_WEIGHTS)  # the mean, which decides the load, stays the samples'
    return (shift + nodes[best], NORMAL_WEIGHTS) if away[best] < 1.36 / np.sqrt(y.size) else None


class Shape:
    """A law of mean 1: *nodes* with *weights*. Not a dataclass: where worlds are picked it stays whole."""

    def __init__(self, nodes: FloatArray, weights: FloatArray) -> None:
        mean = float(nodes @ weights)
        if not (np.isfinite(mean) and mean > 0 and nodes.min() >= 0):
            raise ValueError(f"service times must be finite, none negative, not all zero; got a mean of {mean:g}")
        self.nodes, self.weights = nodes / mean, weights
        self.factor = mean  # of the law that was given
        self._least: dict[int, Complex] = {}

    @classmethod
    def of_samples(cls, seconds: FloatArray) -> Shape:
        """The law of measured times, each as likely; `factor` is their mean.

        >>> shape = Shape.of_samples(np.array([1.0, 3.0]))
        >>> shape.factor, float(shape.scv)
        (2.0, 0.25)
        """
        x = np.sort(np.asarray(seconds, dtype=float).ravel())
        if x.size == 0:
            raise ValueError("service times must have at least one sample; got none")
        known = _recognized(x) if x.size >= FEWEST else None
        if known is not None:
            return cls(*known)
        if x.size <= MOST_NODES:
            return cls(x, np.full(x.size, 1 / x.size))
        tail = x[-(x.size // 100) :]
        parts = [*np.array_split(x[: x.size - tail.size], MOST_NODES // 2), *np.array_split(tail, min(tail.size, MOST_NODES // 2))]
        return cls(np.array([p.mean() for p in parts]), np.array([p.size / x.size for p in parts]))

    @classmethod
    def lognormal(cls, sigma: float) -> Shape:
        """A lognormal of mean 1; *sigma* is the standard deviation of the logarithm."""
        return cls(np.exp(sigma * NORMAL), NORMAL_WEIGHTS)

    def moment(self, k: int) -> float:
        """E X^k."""
        return float(self.weights @ self.nodes**k)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return max(self.moment(2) - 1, 0.0)

    @functools.cached_property
    def whole(self) -> Complex:
        """E exp(i v X) on GRID."""
        turns = np.outer(np.exp(GRID), self.nodes)
        return cast(Complex, np.exp(1j * turns - (SMEAR * turns) ** 2 / 2) @ self.weights)

    @functools.cached_property
    def gap(self) -> Complex:
        """1 - E exp(i v X_e) on GRID, X_e the residual of a service that is found under way: 1 - (phi(v) - 1) / (i v)."""
        v = np.exp(GRID)
        far = 1 - (self.whole - 1) / (1j * v)
        near = -1j * v * self.moment(2) / 2 + v**2 * self.moment(3) / 6  # where the difference above would be rounding
        return np.asarray(np.where(v < 1e-6, near, far))

    @functools.cached_property
    def residual(self) -> tuple[FloatArray, FloatArray]:
        """Times, and P(X_e > t) at them: exact, as the law has nodes."""
        order = np.argsort(self.nodes)
        x, w = self.nodes[order], self.weights[order]
        edges = np.concatenate([[0.0], x])
        above = np.concatenate([[1.0], 1 - np.cumsum(w)]).clip(0)
        left = np.concatenate([np.cumsum((np.diff(edges) * above[:-1])[::-1])[::-1], [0.0]])
        fine = np.union1d(
            edges, np.interp(np.linspace(0, 1, TIMES), np.linspace(0, 1, 201), np.interp(np.linspace(0, 1, 201), 1 - left / left[0], edges))
        )
        return fine, np.interp(fine, edges, left / left[0])

    def least(self, servers: int) -> Complex:
        """E exp(i v R) on GRID, R the least of the residuals of *servers* services under way."""
        if servers not in self._least:
            t, survives = self.residual
            p = -np.diff(survives**servers)
            used = p > 1e-13
            middle, half, v = ((t[1:] + t[:-1]) / 2)[used], (np.diff(t) / 2)[used], np.exp(GRID)
            turns: Complex = np.exp(1j * np.outer(v, middle))
            self._least[servers] = np.asarray((turns * np.sinc(np.outer(v, half) / np.pi)) @ p[used], dtype=complex)
        return self._least[servers]

    def least_moment(self, servers: int, k: int) -> float:
        """E R^k."""
        t, survives = self.residual
        p = -np.diff(survives**servers)
        power = (t[1:] ** (k + 1) - t[:-1] ** (k + 1)) / ((k + 1) * np.maximum(np.diff(t), 1e-300))
        return float(p @ power)


def _between(table: Complex, v: FloatArray) -> Complex:
    """The row of *table* at frequencies *v*."""
    spot = np.clip((np.log(np.maximum(v, 1e-30)) - GRID[0]) / (GRID[1] - GRID[0]), 0, GRID.size - 1.01).astype(v.dtype)
    return between(table, spot, GRID.size)


@record
class Served:
    """A service time of mean *mean_s* and a shape."""

    mean_s: Seconds = field("mean")
    shape: Any = field("shape")

    @functools.cached_property
    def variance(self) -> Value:
        return np.asarray(self.shape.scv * self.mean_s**2)

    def tail(self, rare: float) -> Tail:
        far = float(np.interp(0.9995, np.cumsum(self.shape.weights), self.shape.nodes))
        return Tail(self.mean_s, self.variance, np.asarray(self.mean_s * far / 8), np.sqrt(np.log1p(self.shape.scv)))

    def characteristic(self, at: Frequencies) -> Complex:
        return _between(self.shape.whole, at.u * np.asarray(self.mean_s, dtype=at.u.dtype)[..., None])


def _constant_over_model(rho: Value, servers: int) -> Value:
    """Mean wait of constant services (Cosmetatos 1975) over what the model of this module has for them."""
    rho = np.asarray(rho, dtype=float)
    cosmetatos = 0.5 * (1 + (1 - rho) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (16 * servers * np.maximum(rho, 0.1)))
    return np.asarray(cosmetatos / ((1 - rho) * servers / (servers + 1) + rho / 2))


RARE, LEAST_PHASE = 1e-8, 1e-3
MOST_SOLVED = 48  # servers; a larger station is taken at the same (1 - rho) sqrt(c)


def _spread(rho: Value, servers: int) -> FloatArray:
    """log of (1 - rho) sqrt(c): on it stations of many sizes look alike (Halfin and Whitt)."""
    return np.asarray(np.log(np.maximum((1 - np.asarray(rho, dtype=float)) * np.sqrt(servers), 1e-4)))


@functools.lru_cache(maxsize=256)
def _against_two_phases(shape: Shape, servers: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """For services that vary more than exponential ones: M/H2/c with the same three moments, solved exactly, against this model.

    Points of `_spread`, and at them the factors on the probability of a wait and on the mean wait of those who wait, and the
    squared coefficient of variation of the latter.
    """
    count = min(servers, MOST_SOLVED)
    service = match(1.0, shape.scv, shape.moment(3))
    if service.start.min() < LEAST_PHASE:  # a phase that hardly anybody meets says little about the others' waits
        service = match(1.0, shape.scv)
    rows = []
    for rho in 1 - np.geomspace(0.01, 0.9, 14):
        queue = MapPhC(MarkovianArrivals.renewal(PhaseType.exponential(1 / (rho * count))), service, count)
        p, mean, second = queue.prob_wait, queue.mean_wait_s, queue.wait_second_moment
        if p < RARE:  # so few wait that their moments are rounding; the last factors stand for all lower loads
            break
        model = shape.least_moment(count, 1) + rho / (1 - rho) * shape.moment(2) / 2 / count
        rows.append(
            (float(_spread(rho, count)), p / float(erlang_c(rho * count, count)), mean / p / model, second / p / (mean / p) ** 2 - 1)
        )
    at, of_p, of_mean, scv = np.array(rows).T
    return at, of_p, of_mean, scv


@record
class QueueWait:
    """The wait at an M/G/c station: see the module.

    >>> station = MMc(arrival_rps=0.8, service_s=1.0, servers=1.0)
    >>> float(QueueWait.of(station, Shape.of_samples(np.array([1.0]))).mean_s.round(9))  # M/D/1: rho / (2 (1 - rho))
    2.0
    """

    probability: Fraction = field("probability of a wait")
    utilization: Ratio = field("utilization")
    mean_service_s: Seconds = field("mean service time")
    servers: int = field("servers")
    shape: Any = field("shape of the service time")

    @classmethod
    def of(cls, station: MMc, shape: Shape) -> QueueWait:
        """The wait at *station* when its service has *shape*. One count of servers for all worlds: the middle one."""
        servers, rho = max(round(median(station.servers)), 1), np.minimum(station.utilization, 1.0)
        if shape.scv > 1 and servers > 1:
            factor = np.interp(_spread(rho, servers), *_against_two_phases(shape, servers)[:2])
        else:
            factor = 1 - max(1 - shape.scv, 0.0) * (1 - _constant_over_model(rho, servers))
        return cls(probability=station.prob_wait * factor, utilization=rho, mean_service_s=station.service_s, servers=servers, shape=shape)

    def quantile_s(self, p: Fraction) -> FloatArray:
        """The time within which a share *p* has stopped waiting: those who wait taken for a gamma law with their two moments."""
        expected, variance = (np.asarray(x, dtype=float) for x in self._waiting)
        endless = ~np.isfinite(expected)
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.clip(1 - (1 - np.asarray(p)) / np.asarray(self.probability, dtype=float), 0.0, 1.0)
            shape = np.where(endless, 1.0, expected**2 / variance)
            found = gammaincinv(shape, rest) * np.where(endless, 1.0, variance / expected)
        return np.where(endless, np.inf, np.nan_to_num(found, nan=0.0))

    @functools.cached_property
    def _waiting(self) -> tuple[Value, Value]:
        """Mean and variance of the wait of those who wait."""
        rho, mean = np.asarray(self.utilization, dtype=float), np.asarray(self.mean_service_s, dtype=float)
        step, step2 = self.shape.moment(2) / 2 / self.servers, self.shape.moment(3) / 3 / self.servers**2
        first, first2 = self.shape.least_moment(self.servers, 1), self.shape.least_moment(self.servers, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            count = np.where(rho < 1, rho / (1 - rho), np.inf)
            expected = mean * (first + count * step)
            variance = mean**2 * (first2 - first**2 + count * (step2 - step**2) + count * (1 + count) * step**2)
        if not self._gamma:
            return expected, variance
        at, _, factor, scv = _against_two_phases(self.shape, self.servers)
        spread = _spread(rho, self.servers)
        expected = expected * np.interp(spread, at, factor)
        return expected, np.interp(spread, at, scv) * expected**2

    @property
    def _gamma(self) -> bool:
        """Whether the wait of those who wait is a gamma law with the moments of M/H2/c."""
        return bool(self.shape.scv > 1 and self.servers > 1)

    @functools.cached_property
    def mean_s(self) -> Value:
        with np.errstate(invalid="ignore"):
            return self.probability * self._waiting[0]

    @functools.cached_property
    def variance(self) -> Value:
        expected, variance = self._waiting
        with np.errstate(invalid="ignore"):
            return self.probability * (variance + expected**2) - (self.probability * expected) ** 2

    def tail(self, rare: float) -> Tail:
        expected, variance = self._waiting
        waits = np.asarray(self.probability) > rare
        scale_s = np.where(waits, np.maximum(expected, np.sqrt(variance)), 0.0)
        return Tail(self.mean_s, self.variance, scale_s, np.sqrt(np.log1p(self.shape.scv)), np.where(waits, 0.0, self.probability))

    def _p(self, u: FloatArray) -> FloatArray:
        return np.asarray(self.probability, dtype=u.dtype)[..., None]

    def characteristic(self, at: Frequencies) -> Complex:
        u = at.u
        v = u * np.asarray(self.mean_service_s, dtype=u.dtype)[..., None]
        if self._gamma:
            expected, variance = (np.asarray(x, dtype=u.dtype)[..., None] for x in self._waiting)
            return cast(
                Complex, (1 - self._p(u)) + self._p(u) * (1 - 1j * u * (variance / expected).astype(u.dtype)) ** (-(expected**2) / variance)
            )
        rho = np.asarray(self.utilization, dtype=float)[..., None]
        rest, waits, per_server = (1 - rho).astype(u.dtype), self._p(u), np.asarray(self.servers, dtype=u.dtype)
        least, gap = _between(self.shape.least(self.servers), v), _between(self.shape.gap, v / per_server)
        phi: Complex = (1 - waits) + waits * (rest * least / (rest + rho.astype(u.dtype) * gap))
        return phi


@record
class Station(MMc):
    """A station whose services have a *shape*, or of which only the spread is known (*scv*); exponential where neither is given.

    What it answers of waits is what the path of a request is made of.

    >>> float(Station(arrival_rps=0.5, service_s=1.0, servers=1, scv=0.0).mean_wait_s.round(9))  # constant: half of M/M/1's
    0.5
    """

    shape: Any = hidden(default=None)
    scv: Ratio = hidden(default=1.0)
    sharing: bool = hidden(
        default=False
    )  # all who are there share the servers, instead of waiting for one: mean waits are then what it takes longer
    crew: Any = hidden(default=None)  # servers that are shared and hinder each other; None: they do not

    @property
    def utilization(self) -> Ratio:
        """Load over what all servers do together; at 1 or more the queue never settles."""
        return self.load / (self.servers if self.crew is None else self.crew.full)

    @functools.cached_property
    def _settled(self) -> tuple[FloatArray, FloatArray]:
        return cast(tuple[FloatArray, FloatArray], self.crew.settled(self.load))

    @functools.cached_property
    def response(self) -> Distribution:
        """Wait and service as a distribution: of those who share, the stretched service."""
        if not self.sharing:
            return Series(parts=(self.wait, self.work))
        mean_s = self.service_s + self.mean_wait_s
        return Stretched(
            mean_s=mean_s, utilization=np.minimum(self.utilization, 1.0), crew=(self.crew or Crew(self.servers)).middle, shape=self.shape
        )

    @functools.cached_property
    def wait(self) -> Wait | QueueWait:
        """The wait as a distribution: M/G/c for a shape, else exponential for those who wait, stretched by the spread."""
        plain = MMc(arrival_rps=self.arrival_rps, service_s=self.service_s, servers=self.servers)
        return plain.wait_law(self.scv) if self.shape is None else QueueWait.of(plain, self.shape)

    @property
    def work(self) -> Exponential | Served:
        """The service as a distribution."""
        return Exponential(mean_s=self.service_s) if self.shape is None else Served(mean_s=self.service_s, shape=self.shape)

    @property
    def _exponential(self) -> bool:
        return self.shape is None and not self.sharing and np.ndim(self.scv) == 0 and bool(self.scv == 1.0)

    @property
    def prob_wait(self) -> FloatArray:
        """Probability that an arrival must wait."""
        if self.crew is not None:
            return self._settled[0]
        return super().prob_wait if self.sharing else np.asarray(self.wait.probability)

    @property
    def mean_wait_s(self) -> Seconds:
        """Mean time in queue over all arrivals, inf where saturated."""
        if self.crew is not None:
            return np.asarray((self._settled[1] / np.maximum(self.load, 1e-12) - 1) * self.service_s)
        return super().mean_wait_s if self.sharing else self.wait.mean_s

    def wait_quantile_s(self, p: Fraction) -> Seconds:
        """The time within which a share *p* of all arrivals starts service; 0 for those who need not wait."""
        return self.wait.quantile_s(p)

    def response_exceeds(self, t_s: Seconds) -> FloatArray:
        """P(response > *t_s*)."""
        if self._exponential:
            return super().response_exceeds(t_s)
        return exceeds(self.response, t_s, np.shape(self.utilization))

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """The time within which a share *p* of all arrivals is served."""
        if self._exponential:
            return super().response_quantile_s(p)
        return percentiles_s(self.response, (float(p),), np.shape(self.utilization))[0]
