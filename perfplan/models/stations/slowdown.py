"""Processor sharing as it is met in a plan: how much longer a job takes among others, and its response as a distribution.

With n jobs on c cores each is served at rate min(1, c / n), or slower where the cores hinder each other (`Crew`). Who needs x seconds of
service meets others who come and go; in the clock of its own service, their number is a birth and death process with rates lambda / v(n)
up and n / s down, v(n) = min(1, c / (n + 1)), and real time passes at 1 / v(n). That gives the mean (x times the same slowdown for every
size: insensitive to the law of the service) and the variance of its response exactly where services are exponential; the time beyond x is
taken for a gamma law with these two moments, and sizes are mixed by their own law. For exponential services the response itself is the
time to absorption of a reversible chain, a sum of exponentials, of which a plan keeps four. Against simulations of lognormal and
hyperexponential services and against M/M/c-PS: within 1.6 % (benchmarks/accuracy.py, families mmc_ps and mgc_ps).

Shapes: numbers for one station, sizes (n,); the response that a plan uses has the shape of its utilization.

References
----------
Coffman, Muntz, Trotter: Waiting time distributions for processor-sharing systems, J. ACM 17 (1970). Cohen: The multiple phase service
network with generalized processor sharing, Acta Informatica 12 (1979) (insensitivity). Yashkov: Processor-sharing queues: some progress
in analysis, Queueing Systems 2 (1987).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from perfplan.models.arrays import check_steady
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.scalability import Crew
from perfplan.models.times.frequencies import Complex, Frequencies, Tail, between, last, pole
from perfplan.quantity import FloatArray, Ratio, Seconds, Value
from perfplan.record import field, record

NEGLIGIBLE = 30.0  # log of one over the share of jobs that meet more others than are kept track of
RARELY = 17.0  # the same where a response is fitted
ALONE = 1e-7  # mean slowdown less one below which nobody is slowed down
BUSIEST = 0.98  # a busier station keeps the shape of the response it has at this utilization; its mean is exact
GRID = np.linspace(np.log(1e-6), np.log(3e3), 600)  # log of frequency x mean
FREE = np.append(np.geomspace(1 - BUSIEST, 0.97, 12), 0.9999)  # 1 - utilization, of the tables
MOST_SOLVED = 400  # cores; a larger station keeps the shape of one with so many at the same (1 - rho) sqrt(c), its mean is exact
SHORTEST = 1e-9  # size of a job, in means, that samples of nothing are taken for
PHASES = 4  # exponentials that a response is made of: p95 and p99 within 2.1 % of the exact ones
MOST_STEPS, STEADY = 60, 3e-3  # of a fit; what holds it to the one before where many are as good
MOST_SIZES = 200  # of jobs that are told apart
SMEAR = 0.005, 0.02  # least and most that a size is smeared, relative: it stands for those up to halfway to the next


def others_met(load: float, crew: Crew, negligible: float = NEGLIGIBLE) -> tuple[FloatArray, FloatArray]:
    """How many others a job meets when it comes, and the speed of each job with it among them."""
    servers, rho = crew.count, load / float(crew.full)
    check_steady(rho)
    most = servers + int(negligible / -np.log(max(rho, 1e-13))) + int(6 * np.sqrt(servers)) + 8
    met = BirthDeath.at_speed(max(load, 1e-300), crew.speed(np.arange(1.0, servers + 1)), most).probabilities
    there = np.arange(1.0, most + 2)
    return met, np.asarray(crew.speed(np.minimum(there, servers)) / there)


def slowdown(load: float, crew: Crew, sizes: FloatArray) -> tuple[float, FloatArray]:
    """Mean response over size, the same for every size, and the variance of the response at *sizes*, both in mean services.

    *load* in erlang, below what all of *crew* do; shape of the variance: that of *sizes*.

    >>> mean, variance = slowdown(0.5, Crew(1), np.array([1.0]))  # Coffman, Muntz and Trotter, with r = 1 - rho:
    >>> round(mean, 9), float(variance[0].round(6))  # 1 / r and 2 rho (r x - 1 + exp(-r x)) / r^4
    (2.0, 1.704491)
    """
    from scipy.linalg import eigh_tridiagonal

    met, speed = others_met(load, crew)
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


def excess(times_s: FloatArray, load: float, crew: Crew, service_s: Seconds) -> tuple[FloatArray, FloatArray]:
    """Shape and scale (s) of the gamma law of what jobs of *times_s* of service take longer, at *load* erlang."""
    used, solved = load / float(crew.full), _solved(crew)
    exact = mean_longer(used, crew)
    alike = min(used, BUSIEST)
    if solved.count < crew.count:
        alike = max(1 - (1 - alike) * np.sqrt(crew.count / solved.count), 0.1)
    mean, variance = slowdown(alike * float(solved.full), solved, times_s / service_s)
    if exact < ALONE or mean - 1 < ALONE:
        return np.ones(times_s.shape), np.full(times_s.shape, 1e-300)
    longer = times_s * (mean - 1)
    spread = np.maximum(variance * float(service_s) ** 2, 1e-300)
    return np.maximum(longer**2 / spread, 1e-12), spread / longer * (exact / (mean - 1))


def _solved(crew: Crew) -> Crew:
    """The crew that is solved in place of *crew*: a smaller one, where nothing but its size matters."""
    return Crew(min(crew.count, MOST_SOLVED)) if crew.independent else crew


@functools.lru_cache(maxsize=64)
def _phases(crew: Crew) -> tuple[FloatArray, FloatArray, FloatArray]:
    """At utilizations 1 - FREE: weights and means of exponentials that fit M/M/c-PS's T / E T, shape (utilizations, phases), and their scv.

    Least squares on the log of the exact P(T > t) down to 3e-4; each fit starts from the one before, so that they change smoothly.
    """
    solved = _solved(crew)
    weights, means = np.empty((FREE.size, PHASES)), np.empty((FREE.size, PHASES))
    z = np.append(np.log(np.geomspace(0.05, 3.0, PHASES)), np.zeros(PHASES - 1))
    for i, free in enumerate(FREE):
        alike = max(1 - free * np.sqrt(crew.count / solved.count), 1e-4)
        z, weights[i], means[i] = _fitted(alike * float(solved.full), solved, z)
        if solved.count < crew.count:  # the larger station slows fewer down
            slower = mean_longer(alike, solved)
            weights[i] *= mean_longer(1 - free, crew) / slower if slower > ALONE else 0.0
            means[i, -1], weights[i, -1] = 1.0, 1 - weights[i, :-1].sum()
            means[i] /= weights[i] @ means[i]
    return weights, means, 2 * (weights * means**2).sum(axis=1) - 1


def mean_longer(utilization: float, crew: Crew) -> float:
    """Mean response less the service, in services."""
    load = utilization * float(crew.full)
    if crew.independent:  # the same, for any number of servers
        return float(MMc(arrival_rps=load, service_s=1.0, servers=crew.servers).mean_response_s) - 1
    return float(crew.settled(load)[1]) / load - 1


def _fitted(load: float, crew: Crew, start: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where the fit ended, weights and means."""
    from scipy.linalg import eigh_tridiagonal

    met, share = others_met(load, crew, RARELY)
    up, down = np.append(np.full(met.size - 1, load), 0.0), np.arange(met.size) * share
    log = np.concatenate([[0.0], np.cumsum(np.log(load) - np.log(down[1:]))])
    half = np.exp((log - log.max()) / 2)  # square root of the reversible measure
    rates, vectors = eigh_tridiagonal(-(up + down + share), np.sqrt(up[:-1] * down[1:]))
    part = (np.where(half > 1e-150, met / np.maximum(half, 1e-150), 0.0) @ vectors) * (half @ vectors)
    mean = float((part / -rates).sum())
    times = np.geomspace(1e-2, 60, 160)
    over = np.exp(np.outer(times * mean, rates)) @ part
    times, over = times[(over < 0.97) & (over > 3e-4)], over[(over < 0.97) & (over > 3e-4)]

    def parts(z: FloatArray) -> tuple[FloatArray, FloatArray]:
        weights = np.exp(np.append(np.clip(z[PHASES:], -20, 20), 0.0))
        return weights / weights.sum(), np.exp(np.clip(z[:PHASES], -12, 12))

    def apart(z: FloatArray) -> FloatArray:
        weights, means = parts(z)
        error = np.log(np.maximum(np.exp(-times[:, None] / means) @ weights, 1e-300) / over)
        return np.concatenate([error, 30 * np.log([weights @ means]), STEADY * (z - start)])

    found = _least(apart, start)
    weights, means = parts(found)
    return found, weights, means / (weights @ means)


def _least(apart: Callable[[FloatArray], FloatArray], z: FloatArray) -> FloatArray:
    """Least squares by Levenberg and Marquardt; `scipy.optimize` takes as long to import as all fits of a plan together."""
    damping, now = 1e-3, apart(z)
    for _ in range(MOST_STEPS):
        slopes = np.stack([(apart(z + h) - now) / 1e-6 for h in 1e-6 * np.eye(z.size)], axis=1)
        square = slopes.T @ slopes
        step = np.linalg.solve(square + damping * np.diag(np.diag(square) + 1e-9), -slopes.T @ now)
        then = apart(z + step)
        gain = float(now @ now - then @ then)
        if gain > 0:
            z, now, damping = z + step, then, damping / 5
        else:
            damping *= 5
        if 0 < gain < 1e-7 * float(now @ now) or damping > 1e9:
            break
    return z


def _sizes(shape: Any) -> tuple[FloatArray, FloatArray]:
    """Sizes of jobs and their weights, few enough: those of *shape*."""
    order = np.argsort(shape.nodes)
    sizes, weights = np.maximum(shape.nodes[order], SHORTEST), shape.weights[order]
    group = (
        np.minimum(np.arange(sizes.size) * MOST_SIZES // sizes.size, MOST_SIZES - 1) if sizes.size > MOST_SIZES else np.arange(sizes.size)
    )
    total = np.bincount(group, weights)
    kept = total > 0
    return np.asarray(np.bincount(group, weights * sizes)[kept] / total[kept]), np.asarray(total[kept], dtype=float)


@functools.lru_cache(maxsize=64)
def _tables(shape: Any, crew: Crew) -> tuple[FloatArray, FloatArray, FloatArray, Complex]:
    """At utilizations 1 - FREE, ascending in FREE: log of FREE, scv and reach of the response over its mean, and E exp(i v T / E T) on
    GRID."""
    sizes, weights = _sizes(shape)
    v = np.exp(GRID)
    smear = np.clip(0.29 * np.gradient(sizes) / sizes, *SMEAR) if sizes.size > 1 else SMEAR[0]
    scv, reach, phi = np.empty(FREE.size), np.empty(FREE.size), np.empty((FREE.size, GRID.size), dtype=complex)
    far = int(np.searchsorted(np.cumsum(weights), 0.9995).clip(max=sizes.size - 1))
    for i, free in enumerate(FREE):
        form, scale = excess(sizes, (1 - free) * float(crew.full), crew, 1.0)
        longer = form * scale
        mean = float(weights @ (sizes + longer))
        scv[i] = float(weights @ ((sizes + longer) ** 2 + form * scale**2)) / mean**2 - 1
        reach[i] = max(float((sizes[far] + longer[far]) / 8), float(np.sqrt(form[far]) * scale[far])) / mean
        u = v[:, None] / mean
        phi[i] = (np.exp(1j * u * sizes - (smear * u * sizes) ** 2 / 2) * (1 - 1j * u * scale) ** -form) @ weights
    return np.log(FREE), scv, reach, phi


@record
class Stretched:
    """The response of a processor-sharing station, M/G/c-PS, as a distribution.

    >>> one = Stretched(mean_s=2.0, utilization=0.5, crew=Crew(1), shape=None)
    >>> round(float(one.variance) / (4 * 2.5 / 1.5), 1)  # M/M/1-PS: mean^2 (2 + rho) / (2 - rho)
    1.0
    """

    mean_s: Seconds = field("mean response")
    utilization: Ratio = field("utilization")
    crew: Any = field("cores")
    shape: Any = field("shape of the service time; None: exponential")

    @functools.cached_property
    def _at(self) -> tuple[Any, Any]:
        """Place of the utilization in the tables, and the share of the next row."""
        free = np.log(np.clip(1 - np.asarray(self.utilization, dtype=float), FREE[0], FREE[-1]))
        spot = np.interp(free, np.log(FREE), np.arange(FREE.size))
        low = np.minimum(spot.astype(np.intp), FREE.size - 2)
        return low, spot - low

    def _of(self, column: FloatArray) -> FloatArray:
        low, part = self._at
        return np.asarray(column[low] + (column[low + 1] - column[low]) * part)

    @functools.cached_property
    def _mixed(self) -> list[tuple[FloatArray, FloatArray]]:
        """Weight and mean (s) of each of the exponentials of M/M/c-PS."""
        weights, means, _ = _phases(self.crew)
        mixed = np.array([self._of(w) for w in weights.T]), np.array([np.exp(self._of(np.log(m))) for m in means.T])
        scale = np.asarray(self.mean_s) / (mixed[0] * mixed[1]).sum(axis=0)
        return [(weight, mean * scale) for weight, mean in zip(*mixed, strict=True)]

    @functools.cached_property
    def variance(self) -> Value:
        scv = _phases(self.crew)[2] if self.shape is None else _tables(self.shape, self.crew)[1]
        return np.asarray(self._of(scv) * np.asarray(self.mean_s) ** 2)

    def tail(self, rare: float) -> Tail:
        if self.shape is None:
            scale_s = np.max([np.where(w > rare, m, 0.0) for w, m in self._mixed], axis=0)
            return Tail(self.mean_s, self.variance, np.asarray(scale_s), 0.0)
        scale_s = self._of(_tables(self.shape, self.crew)[2]) * np.asarray(self.mean_s)
        return Tail(self.mean_s, self.variance, np.asarray(scale_s), np.sqrt(np.log1p(self.shape.scv)))

    def characteristic(self, at: Frequencies) -> Complex:
        if self.shape is None:
            (weight, mean), *others = self._mixed
            whole = pole(at.u * last(mean, at.u), last(weight, at.u))
            for weight, mean in others:
                whole += pole(at.u * last(mean, at.u), last(weight, at.u))
            return whole
        phi = _tables(self.shape, self.crew)[3]
        v = at.u * np.asarray(self.mean_s, dtype=at.u.dtype)[..., None]
        spot = np.clip((np.log(np.maximum(v, 1e-30)) - GRID[0]) / (GRID[1] - GRID[0]), 0, GRID.size - 1.01).astype(v.dtype)
        low, part = (np.asarray(x)[..., None] for x in self._at)
        one, next_ = (between(phi.ravel(), spot, GRID.size, (low + k) * GRID.size) for k in (0, 1))
        return one + (next_ - one) * part.astype(v.dtype)
