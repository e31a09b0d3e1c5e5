"""Response times as distributions: stations in series, in mixtures, and their percentiles.

A distribution answers with its mean, variance, slowest scale and characteristic function E exp(i u X). Parts in series are
taken as independent (a sum; exact for a path through M/M/c stations in a Jackson network without overtaking, else an
approximation). Percentiles come from the Fourier-cosine series of the density on [0, L]:

    F(x) = x/L + sum_k 2/(k pi) Re phi(k pi / L) sin(k pi x / L),      k = 1 .. TERMS

evaluated on a grid by one sine transform a cell, and interpolated on -log(1 - F), which is straight for an exponential tail.
Where parts of very different scale leave the series rough, it is computed again with twice the terms.
L reaches far into the tail: what lies beyond is folded back, from 2 L - x onto x. Error against exact percentiles: see
`benchmarks/latency_error.py` (worst 0.5 %).

References
----------
Fang, Oosterlee: A novel pricing method based on Fourier-cosine series expansions, SIAM J. Sci. Comput. 31 (2008), eq. 11.
Gubner: A new formula for lognormal characteristic functions, IEEE Trans. Vehicular Technology 55 (2006).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from perfplan.models.queueing import MMc
from perfplan.quantity import FloatArray, Fraction, Ratio, Rps, Seconds, Value
from perfplan.record import field, record

Complex = NDArray[np.complex128]
TERMS = 320  # of the cosine series, where percentiles are looked for on a grid
TERMS_AT = 128  # where the probability at one time is enough
MOST_TERMS = 8192  # where a distribution has parts of very different scale
RARE = 1e-5  # what happens less often does not decide how far the tail is followed
NEVER = 1e-6  # a wait of this probability leaves the others' precision alone
ROUGH = 0.04  # |phi| at the last term above which a cell is computed again with more
CELLS = 512  # worked on at once, so that intermediate arrays stay in cache
D = TypeVar("D")


class Distribution(Protocol):
    """A response time; its parameters may be arrays over (worlds, months)."""

    @property
    def mean_s(self) -> Value: ...
    @property
    def variance(self) -> Value: ...
    @property
    def slowest(self) -> tuple[Value, Value]:
        """Mean and variance along its slowest branch: where the tail begins."""

    @property
    def reach_s(self) -> Value:
        """Scale of the slowest exponential in the tail."""

    def characteristic(self, u: FloatArray) -> Complex:
        """E exp(i u X) at frequencies *u* of shape (..., terms), multiples 1 .. terms of the first."""


def _last(value: Value, u: FloatArray) -> FloatArray:
    """A parameter ready to meet frequencies *u*, in their precision."""
    return np.asarray(value, dtype=u.dtype)[..., None]


def _weighted(weight: Value, value: Value) -> Value:
    """weight x value, where a part that is never taken may be without end."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(weight) > 0, weight * np.asarray(value), 0.0)


def _pole(y: FloatArray) -> Complex:
    """1 / (1 - i y) in real arithmetic, several times faster than a complex division."""
    out = np.empty(y.shape, dtype=np.result_type(y.dtype, np.complex64))
    out.real = 1 / (1 + y * y)
    np.multiply(out.real, y, out=out.imag)
    return out


def _turn(angle: FloatArray) -> Complex:
    """exp(i angle) in the precision of the angle."""
    out = np.empty(angle.shape, dtype=np.result_type(angle.dtype, np.complex64))
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def _powers(z: Complex, count: int) -> Complex:
    """z, z^2, .. z^count along the last axis by doubling: frequencies are multiples, so that one exponential is enough."""
    out = np.empty((*z.shape[:-1], count), dtype=z.dtype)
    out[..., :1] = z
    done = 1
    while done < count:
        more = min(done, count - done)
        np.multiply(out[..., :more], out[..., done - 1 : done], out=out[..., done : done + more])
        done += more
    return out


@record
class Exponential:
    """An exponential time."""

    mean_s: Seconds = field("mean")

    @property
    def variance(self) -> Value:
        return self.mean_s**2

    @property
    def slowest(self) -> tuple[Value, Value]:
        return self.mean_s, self.variance

    @property
    def reach_s(self) -> Value:
        return self.mean_s

    def characteristic(self, u: FloatArray) -> Complex:
        return _pole(u * _last(self.mean_s, u))


@record
class Constant:
    """A fixed time, such as a round trip."""

    mean_s: Seconds = field("the time")

    @property
    def variance(self) -> Value:
        return 0.0 * self.mean_s

    @property
    def slowest(self) -> tuple[Value, Value]:
        return self.mean_s, self.variance

    @property
    def reach_s(self) -> Value:
        return 0.0 * self.mean_s

    def characteristic(self, u: FloatArray) -> Complex:
        return _powers(_turn(u[..., :1] * _last(self.mean_s, u)), u.shape[-1])


@record
class Wait:
    """A wait that happens with a probability and is then exponential: the queue of an M/M/c station."""

    probability: Fraction = field("probability of a wait")
    rate_rps: Rps = field("rate of those who wait; 0: never ends")

    @classmethod
    def of(cls, station: MMc, scv: Value = 1.0) -> Wait:
        """The queueing time at *station*; *scv* is the squared coefficient of variation of its service time.

        Exact at 1 (exponential). Else the wait of those who wait is stretched by (1 + scv) / 2, which makes its mean that of
        Allen and Cunneen's M/G/c approximation (Bolch et al. 2006, eq. 6.80); its shape stays exponential.
        """
        return cls(probability=station.prob_wait, rate_rps=station.wait_rate_rps * 2 / (1 + np.asarray(scv, dtype=float)))

    @property
    def scale_s(self) -> Value:
        with np.errstate(divide="ignore"):
            return 1 / np.asarray(self.rate_rps, dtype=float)

    @property
    def mean_s(self) -> Value:
        with np.errstate(invalid="ignore"):
            return self.probability * np.asarray(self.scale_s)

    @property
    def variance(self) -> Value:
        with np.errstate(invalid="ignore"):
            return self.probability * (2 - self.probability) * np.asarray(self.scale_s) ** 2

    @property
    def slowest(self) -> tuple[Value, Value]:
        return self.mean_s, self.variance

    @property
    def reach_s(self) -> Value:
        return np.where(np.asarray(self.probability) > RARE, self.scale_s, 0.0)

    def characteristic(self, u: FloatArray) -> Complex:
        phi = _pole(u * _last(self.scale_s, u))
        phi *= _last(self.probability, u)
        phi += 1 - _last(self.probability, u)
        return phi


@record
class Lognormal:
    """A lognormal time: what a third party's stated percentiles look like."""

    median_s: Seconds = field("median")
    sigma: Ratio = field("standard deviation of the logarithm")

    @classmethod
    def through(cls, p50_s: Seconds, p99_s: Seconds) -> Lognormal:
        """The lognormal with exactly these percentiles.

        >>> float(Lognormal.through(0.1, 0.4).sigma).__round__(6)  # ln 4 / 2.3263
        0.59591
        """
        return cls(median_s=p50_s, sigma=np.log(np.asarray(p99_s) / p50_s) / ndtri(0.99))

    @property
    def mean_s(self) -> Value:
        return self.median_s * np.exp(np.asarray(self.sigma) ** 2 / 2)

    @property
    def variance(self) -> Value:
        return np.asarray(self.mean_s**2 * np.expm1(np.asarray(self.sigma) ** 2))

    @property
    def slowest(self) -> tuple[Value, Value]:
        return self.mean_s, self.variance

    @property
    def reach_s(self) -> Value:
        return self.median_s * np.exp(4.1 * np.asarray(self.sigma)) / 14  # L then lies beyond p99.9

    def characteristic(self, u: FloatArray) -> Complex:
        sigma = np.asarray(self.sigma, dtype=float)
        at = (np.log(np.maximum(u * _last(self.median_s, u), 1e-30)) - _V[0]) / (_V[1] - _V[0])
        at = np.clip(at, 0, _V.size - 1.01)
        i = at.astype(np.intp)
        fine = at - i
        table, steps = _lognormal_table(sigma)
        place = np.clip((sigma - steps[0]) / (steps[1] - steps[0]), 0, steps.size - 1.001)
        if np.all(place == place.flat[0]):  # one sigma for all: one row of the table
            j, coarse = int(place.flat[0]), float(place.flat[0]) % 1
            row = (table[j] * (1 - coarse) + table[j + 1] * coarse).astype(np.result_type(u.dtype, np.complex64))
            return cast(Complex, row[i] + (row[i + 1] - row[i]) * fine)
        rows = np.broadcast_to(place[..., None], i.shape)
        k = rows.astype(np.intp)
        lower = table[k, i] * (1 - fine) + table[k, i + 1] * fine
        upper = table[k + 1, i] * (1 - fine) + table[k + 1, i + 1] * fine
        return cast(Complex, lower + (upper - lower) * (rows - k))


_V = np.linspace(np.log(1e-4), np.log(1e4), 1201)  # log of frequency x median
_SIGMA_STEP = 0.02


def _lognormal_table(sigma: FloatArray) -> tuple[Complex, FloatArray]:
    """phi of the lognormal of median 1 on a grid of sigma and log frequency, wide enough for all of *sigma*."""
    first = int(sigma.min() / _SIGMA_STEP)
    steps = np.arange(first, max(int(sigma.max() / _SIGMA_STEP) + 1, first + 1) + 1)
    return np.stack([_lognormal_row(int(k)) for k in steps]), np.asarray(steps * _SIGMA_STEP, dtype=float)


@functools.lru_cache(maxsize=256)
def _lognormal_row(step: int) -> Complex:
    """Integral over the normal variable along a line turned into the complex plane, where it decays (Gubner 2006)."""
    sigma = max(step, 0.05) * _SIGMA_STEP
    turn = min(np.pi / (2 * sigma), 1.5)
    z = np.linspace(-8, 8, 401)
    weight = np.exp(-((z + 1j * turn) ** 2) / 2) * (z[1] - z[0]) / np.sqrt(2 * np.pi)
    x = np.exp(sigma * (z + 1j * turn))
    return cast(Complex, np.exp(1j * np.outer(np.exp(_V), x)) @ weight)


@record
class Series:
    """One part after the other, taken as independent."""

    parts: Any = field("distributions")

    @property
    def mean_s(self) -> Value:
        return sum((p.mean_s for p in self.parts), 0.0)

    @property
    def variance(self) -> Value:
        return sum((p.variance for p in self.parts), 0.0)

    @property
    def slowest(self) -> tuple[Value, Value]:
        branches = [p.slowest for p in self.parts]
        return sum((b[0] for b in branches), 0.0), sum((b[1] for b in branches), 0.0)

    @property
    def reach_s(self) -> Value:
        reach: Value = 0.0
        for part in self.parts:
            reach = np.maximum(reach, part.reach_s)
        return reach

    def characteristic(self, u: FloatArray) -> Complex:
        phi: Any = None
        for part in self.parts:
            if not (isinstance(part, Wait) and np.max(part.probability) < NEVER):
                one = part.characteristic(u)
                phi = one if phi is None else phi * one
        return cast(Complex, np.ones_like(u) if phi is None else phi)


@record
class Mixture:
    """One part or another, with probabilities: a hit or a miss, one region or another."""

    weights: Any = field("probabilities, one a part")
    parts: Any = field("distributions")

    @property
    def mean_s(self) -> Value:
        return sum((_weighted(w, p.mean_s) for w, p in zip(self.weights, self.parts, strict=True)), 0.0)

    @property
    def variance(self) -> Value:
        second = sum((_weighted(w, p.variance + p.mean_s**2) for w, p in zip(self.weights, self.parts, strict=True)), 0.0)
        return second - self.mean_s**2

    @property
    def slowest(self) -> tuple[Value, Value]:
        far: Value = 0.0
        variance: Value = 0.0
        for weight, part in zip(self.weights, self.parts, strict=True):
            taken = np.asarray(weight) > RARE
            far = np.where(taken, np.maximum(far, part.slowest[0]), far)
            variance = np.where(taken, np.maximum(variance, part.slowest[1]), variance)
        return far, variance

    @property
    def reach_s(self) -> Value:
        reach: Value = 0.0
        for weight, part in zip(self.weights, self.parts, strict=True):
            reach = np.where(np.asarray(weight) > RARE, np.maximum(reach, part.reach_s), reach)
        return reach

    def characteristic(self, u: FloatArray) -> Complex:
        phi: Any = 0.0
        for weight, part in zip(self.weights, self.parts, strict=True):
            phi = phi + _last(weight, u) * part.characteristic(u)
        return cast(Complex, phi)


@record
class Visits:
    """A part passed several times in a row; a fraction left over is a visit with that probability."""

    part: Any = field("distribution of one visit")
    times: Ratio = field("mean number of visits")

    @property
    def _whole(self) -> FloatArray:
        return np.floor(np.asarray(self.times, dtype=float) + 1e-12)

    @property
    def _rest(self) -> FloatArray:
        return np.maximum(np.asarray(self.times) - self._whole, 0.0)

    @property
    def mean_s(self) -> Value:
        return np.asarray(self.times * self.part.mean_s)

    @property
    def variance(self) -> Value:
        return np.asarray(self.times * self.part.variance + self._rest * (1 - self._rest) * self.part.mean_s**2)

    @property
    def slowest(self) -> tuple[Value, Value]:
        most = self._whole + (self._rest > RARE)
        return most * self.part.slowest[0], most * self.part.slowest[1]

    @property
    def reach_s(self) -> Value:
        return np.asarray(self.part.reach_s)

    def characteristic(self, u: FloatArray) -> Complex:
        phi = self.part.characteristic(u)
        whole, rest = self._whole, self._rest
        power = _power(phi, int(whole.flat[0])) if np.all(whole == whole.flat[0]) else phi ** _last(whole, u)
        return cast(Complex, power * (1 - _last(rest, u) + _last(rest, u) * phi) if np.any(rest > 0) else power)


def _power(phi: Complex, times: int) -> Complex:
    """phi ** times by squaring; numpy's complex power is a hundred times slower."""
    if times == 0:
        return np.ones_like(phi)
    half = _power(phi, times // 2) if times > 1 else phi
    return phi if times == 1 else half * half * (phi if times % 2 else 1.0)


def percentiles_s(distribution: Distribution, ps: Sequence[float], shape: tuple[int, ...] = ()) -> list[FloatArray]:
    """The times within which shares *ps* of all responses come, each of the broadcast shape; inf where saturated.

    >>> wait = Wait.of(MMc(arrival_rps=0.5, service_s=1.0, servers=1))
    >>> [float(v.round(2)) for v in percentiles_s(Series(parts=(wait, Exponential(mean_s=1.0))), (0.5, 0.95))]  # 2 ln 2, 2 ln 20
    [1.39, 5.99]
    """
    cells, settled, shape = _settled(distribution, shape)
    answers = [np.full(settled.shape, np.inf) for _ in ps]
    parts = [_percentiles(cells, at, ps) for at in _chunks(int(settled.sum()))]
    for answer, columns in zip(answers, zip(*parts, strict=True) if parts else [], strict=False):
        answer[settled] = np.concatenate(columns)
    return [a.reshape(shape) for a in answers]


def exceeds(distribution: Distribution, t_s: Value, shape: tuple[int, ...] = ()) -> FloatArray:
    """P(response > *t_s*); 1 where saturated.

    >>> float(exceeds(Exponential(mean_s=1.0), 3.0).round(4))  # exp(-3)
    0.0498
    """
    cells, settled, shape = _settled(distribution, shape)
    at_s = np.broadcast_to(np.asarray(t_s, dtype=float), shape).ravel()[settled]
    answer = np.ones(settled.shape)
    parts = [_exceeds(cells, at, at_s[at]) for at in _chunks(int(settled.sum()))]
    if parts:
        answer[settled] = np.concatenate(parts)
    return answer.reshape(shape)


def _settled(distribution: Distribution, shape: tuple[int, ...]) -> tuple[Any, NDArray[np.bool_], tuple[int, ...]]:
    """The cells with a steady state, as one long row, with their places."""
    mean = np.asarray(distribution.mean_s, dtype=float)
    shape = np.broadcast_shapes(mean.shape, shape)
    settled = np.isfinite(np.broadcast_to(mean, shape)).ravel()
    return _take(distribution, lambda a: np.broadcast_to(a, shape).ravel()[settled]), settled, shape


def _chunks(count: int) -> list[slice]:
    return [slice(start, min(start + CELLS, count)) for start in range(0, count, CELLS)]


def _take(value: D, pick: Any) -> D:
    """The same distribution with *pick* applied to each array in it; scalars stay."""
    if isinstance(value, tuple):
        return cast(D, tuple(_take(v, pick) for v in value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return cast(D, type(value)(**{f.name: _take(getattr(value, f.name), pick) for f in dataclasses.fields(value)}))
    return cast(D, pick(value)) if isinstance(value, np.ndarray) and value.ndim else value


def _series(cells: Any, at: slice, terms: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients of the sine series of the cdf, shape (cells, terms), the length L and the roughness of each cell.

    Roughness is |phi| at the last terms: what the series leaves out. It is small where the density is smooth on the scale L / terms.
    """
    part = _take(cells, lambda a: a[at])
    far, variance = part.slowest
    length = np.broadcast_to(np.asarray(far + 7 * np.maximum(part.reach_s, np.sqrt(variance)), dtype=float), at.stop - at.start)
    k = np.arange(1, terms + 1)
    u = ((np.pi / length)[:, None] * k).astype(np.float32 if terms <= TERMS else np.float64)  # single precision is 1e-5 of the cdf
    phi = np.broadcast_to(part.characteristic(u), u.shape)
    smooth = np.exp(-36 * (k / (terms + 1)) ** 16)  # damps the ringing at kinks, leaves the first half of the terms alone
    return phi.real * (2 / (np.pi * k) * smooth), length, np.abs(phi[:, -8:]).max(axis=1)


def _percentiles(cells: Any, at: slice, ps: Sequence[float], terms: int = TERMS) -> list[FloatArray]:
    """The percentiles *ps* of a chunk of cells; where a cell is too rough for its grid, again with more terms."""
    from scipy.fft import dst  # light, but not needed to import perfplan

    b, length, rough = _series(cells, at, terms)
    points = terms
    padded = b[:, : points - 1]
    inner = dst(padded, type=1, axis=1) / 2 + np.arange(1, points) / points
    hazard = -np.log(np.maximum(1 - inner, 1e-12))  # straight for an exponential tail
    hazard = np.maximum.accumulate(np.concatenate([np.zeros((b.shape[0], 1)), hazard], axis=1), axis=1)
    found = [_crossing(hazard, -np.log1p(-p)) * length / points for p in ps]
    again = (rough > ROUGH) & (np.min(found, axis=0) < 12 * length / terms)
    if again.any() and terms < MOST_TERMS:
        place = np.flatnonzero(again)
        finer = _take(cells, lambda a: a[at][place])
        step = max(CELLS * TERMS // (2 * terms), 1)
        parts = [_percentiles(finer, slice(i, min(i + step, place.size)), ps, 2 * terms) for i in range(0, place.size, step)]
        for values, columns in zip(found, zip(*parts, strict=True), strict=True):
            values[place] = np.concatenate(columns)
    return found


def _crossing(hazard: FloatArray, level: float) -> FloatArray:
    """Where each row first reaches *level*, in grid steps: a straight line between two points, then a cubic through four."""
    rows, last = np.arange(hazard.shape[0]), hazard.shape[1] - 1
    i = np.clip((hazard < level).sum(axis=1), 1, last)
    before, low, high, after = (hazard[rows, np.clip(i + step, 0, last)] for step in (-2, -1, 0, 1))
    part = np.clip((level - low) / np.maximum(high - low, 1e-12), 0, 1)
    curve = np.where((i > 1) & (i < last), part * (1 - part), 0.0)  # how far the cubic lies from the line
    bend = ((2 - part) * (before - 2 * low + high) + (1 + part) * (low - 2 * high + after)) / 6
    smooth = np.abs(bend) < (high - low) / 2  # not across a kink
    return np.asarray(i - 1 + np.clip(part + np.where(smooth, curve * bend / np.maximum(high - low, 1e-12), 0.0), 0, 1))


def _exceeds(cells: Any, at: slice, t_s: FloatArray, terms: int = TERMS_AT) -> FloatArray:
    """P(response > *t_s*) of a chunk of cells; where a cell is too rough for its grid, again with more terms."""
    b, length, rough = _series(cells, at, terms)
    x = np.minimum(t_s / length, 1.0)
    cdf = x + np.einsum("ck,ck->c", b, _powers(_turn(np.pi * x[:, None]), terms).imag)
    over = np.where(t_s >= length, 0.0, np.clip(1 - cdf, 0, 1))
    again = (rough > ROUGH) & (t_s < 12 * length / terms)
    if again.any() and terms < MOST_TERMS:
        place = np.flatnonzero(again)
        finer = _take(cells, lambda a: a[at][place])
        step = max(CELLS * TERMS // (2 * terms), 1)
        over[place] = np.concatenate(
            [_exceeds(finer, slice(i, min(i + step, place.size)), t_s[place][i : i + step], 2 * terms) for i in range(0, place.size, step)]
        )
    return over
