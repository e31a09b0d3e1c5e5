"""Response times as distributions: stations in series, in mixtures, repeated.

A distribution answers with its mean, variance, slowest scale and characteristic function E exp(i u X); `latency` makes
percentiles of it. Parts in series are taken as independent (a sum; exact for a path through M/M/c stations in a Jackson
network without overtaking, else an approximation).

Shapes: fields broadcast, such as (worlds, months); `characteristic` adds frequencies as the last axis.

References
----------
Gubner: A new formula for lognormal characteristic functions, IEEE Trans. Vehicular Technology 55 (2006).
"""

from __future__ import annotations

import functools
from typing import Any, cast

import numpy as np
from scipy.special import ndtri

from perfplan.models.times.frequencies import (
    Complex,
    Frequencies,
    Tail,
    between,
    certain,
    lagrange,
    largest,
    last,
    pole,
    powers,
    turn,
    weighted,
)
from perfplan.quantity import FloatArray, Fraction, Ratio, Rps, Seconds, Value
from perfplan.record import field, record

NEVER, NEVER_AT_ALL = 1e-6, 1e-9  # a wait of this probability leaves single precision alone; the same of double precision


@record
class Exponential:
    """An exponential time."""

    mean_s: Seconds = field("mean")

    @functools.cached_property
    def variance(self) -> Value:
        return self.mean_s**2

    def tail(self, rare: float) -> Tail:
        return Tail(self.mean_s, self.variance, self.mean_s, 0.0)

    def characteristic(self, at: Frequencies) -> Complex:
        return pole(at.u * last(self.mean_s, at.u))


@record
class Constant:
    """A fixed time, such as a round trip."""

    mean_s: Seconds = field("the time")

    @functools.cached_property
    def variance(self) -> Value:
        return 0.0 * self.mean_s

    def tail(self, rare: float) -> Tail:
        return Tail(self.mean_s, self.variance, 0.0 * self.mean_s, 0.0)

    def characteristic(self, at: Frequencies) -> Complex:
        if np.ndim(self.mean_s) == 0 and self.mean_s == 0:
            return certain(at.u)
        return powers(turn(at.u[..., :1] * last(self.mean_s, at.u)), at.u.shape[-1])


@record
class Wait:
    """A wait that happens with a probability and is then exponential: the queue of an M/M/c station."""

    probability: Fraction = field("probability of a wait")
    rate_rps: Rps = field("rate of those who wait; 0: never ends")

    def quantile_s(self, p: Fraction) -> FloatArray:
        """The time within which a share *p* has stopped waiting; 0 for those who need not wait."""
        with np.errstate(divide="ignore", invalid="ignore"):
            long = np.log(np.asarray(self.probability, dtype=float) / (1 - np.asarray(p))) * self.scale_s
        return np.where(np.isinf(np.asarray(self.scale_s)), np.inf, np.maximum(np.nan_to_num(long, nan=0.0, neginf=0.0), 0.0))

    @functools.cached_property
    def scale_s(self) -> Value:
        with np.errstate(divide="ignore"):
            return 1 / np.asarray(self.rate_rps, dtype=float)

    @functools.cached_property
    def mean_s(self) -> Value:
        with np.errstate(invalid="ignore"):
            return self.probability * np.asarray(self.scale_s)

    @functools.cached_property
    def variance(self) -> Value:
        with np.errstate(invalid="ignore"):
            return self.probability * (2 - self.probability) * np.asarray(self.scale_s) ** 2

    def tail(self, rare: float) -> Tail:
        waits = np.asarray(self.probability) > rare
        return Tail(self.mean_s, self.variance, np.where(waits, self.scale_s, 0.0), 0.0, np.where(waits, 0.0, self.probability))

    def characteristic(self, at: Frequencies) -> Complex:
        waits = last(self.probability, at.u)
        return pole(at.u * last(self.scale_s, at.u), waits, 1 - waits)


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

    @functools.cached_property
    def mean_s(self) -> Value:
        return self.median_s * np.exp(np.asarray(self.sigma) ** 2 / 2)

    @functools.cached_property
    def variance(self) -> Value:
        return np.asarray(self.mean_s**2 * np.expm1(np.asarray(self.sigma) ** 2))

    def tail(self, rare: float) -> Tail:
        far_s = self.median_s * np.exp(4.1 * np.asarray(self.sigma)) / 14  # L then lies beyond p99.9
        return Tail(self.mean_s, self.variance, far_s, self.sigma)

    def characteristic(self, at: Frequencies) -> Complex:
        sigma = np.asarray(self.sigma, dtype=float)
        spot = (np.log(np.maximum(at.u * last(self.median_s, at.u), 1e-30)) - _V[0]) / (_V[1] - _V[0])
        spot = np.clip(spot, 0, _V.size - 1.01).astype(at.u.dtype)
        first = int(sigma.min() / _SIGMA_STEP) - 1
        table = _lognormal_table(first, int(sigma.max() / _SIGMA_STEP) + 3, at.u.dtype == np.float32)
        place = sigma / _SIGMA_STEP - first
        k = place.astype(np.intp)
        if np.all(place == place.flat[0]):  # one sigma for all: one row of the table
            four = zip(lagrange(float(place.flat[0] - k.flat[0])), table[k.flat[0] - 1 : k.flat[0] + 3], strict=True)
            return between(np.asarray(sum(weight * row for weight, row in four)), spot, _V.size)
        single, part = at.u.dtype == np.float32, place - k
        rows = zip(range(2), (1 - part, part), strict=True) if single else zip(range(-1, 3), lagrange(part), strict=True)
        flat = table.ravel()
        return cast(Complex, sum(last(w, at.u) * between(flat, spot, _V.size, (k[..., None] + r) * _V.size) for r, w in rows))


_V = np.linspace(np.log(1e-6), np.log(1e4), 4001)  # log of frequency x median
_SIGMA_STEP = 0.02


@functools.lru_cache(maxsize=8)
def _lognormal_table(first: int, stop: int, single: bool) -> Complex:
    """phi of the lognormal of median 1 at steps *first* .. *stop* of sigma on a grid of log frequency."""
    rows = np.stack([_lognormal_row(k) for k in range(first, stop)])
    return rows.astype(np.complex64) if single else rows


@functools.lru_cache(maxsize=256)
def _lognormal_row(step: int) -> Complex:
    """Integral over the normal variable along a line turned into the complex plane, where it decays (Gubner 2006)."""
    sigma = max(step, 0.05) * _SIGMA_STEP
    turn = min(np.pi / (2 * sigma), 1.5)
    z = np.linspace(-8, 8, 161)
    weight = np.exp(-((z + 1j * turn) ** 2) / 2) * (z[1] - z[0]) / np.sqrt(2 * np.pi)
    x = np.exp(sigma * (z + 1j * turn))
    return cast(Complex, np.exp(1j * np.outer(np.exp(_V), x)) @ weight)


@record
class Series:
    """One part after the other, taken as independent."""

    parts: Any = field("distributions")

    @functools.cached_property
    def mean_s(self) -> Value:
        return sum((p.mean_s for p in self.parts), 0.0)

    @functools.cached_property
    def variance(self) -> Value:
        return sum((p.variance for p in self.parts), 0.0)

    def tail(self, rare: float) -> Tail:
        means, variances, scales, sigmas, left = zip(*(p.tail(rare) for p in self.parts), strict=True)
        return Tail(sum(means, 0.0), sum(variances, 0.0), largest(scales), largest(sigmas), sum(left, 0.0))

    def characteristic(self, at: Frequencies) -> Complex:
        never = NEVER if at.u.dtype == np.float32 else NEVER_AT_ALL
        bare = [(p, p.part if isinstance(p, Named) else p) for p in self.parts]
        taken = [p for p, inner in bare if not (isinstance(inner, Wait) and np.max(inner.probability) < never)]
        if not taken:
            return certain(at.u)
        phi, ours = at.of(taken[0]), False
        for part in taken[1:]:
            phi = np.multiply(phi, at.of(part), out=phi if ours else None)
            ours = phi.shape == at.u.shape
        return phi


@record
class Mixture:
    """One part or another, with probabilities: a hit or a miss, one region or another."""

    weights: Any = field("probabilities, one a part")
    parts: Any = field("distributions")

    @functools.cached_property
    def mean_s(self) -> Value:
        return sum((weighted(w, p.mean_s) for w, p in zip(self.weights, self.parts, strict=True)), 0.0)

    @functools.cached_property
    def variance(self) -> Value:
        second = sum((weighted(w, p.variance + p.mean_s**2) for w, p in zip(self.weights, self.parts, strict=True)), 0.0)
        with np.errstate(invalid="ignore"):  # without end less without end, where saturated
            return second - self.mean_s**2

    def tail(self, rare: float) -> Tail:
        taken = [np.asarray(weight) > rare for weight in self.weights]
        *reach, within = zip(*(p.tail(rare) for p in self.parts), strict=True)
        left = sum((w * np.where(t, one, 1.0) for t, w, one in zip(taken, self.weights, within, strict=True)), 0.0)
        mean_s, variance, scale_s, sigma = (largest([np.where(t, v, 0.0) for t, v in zip(taken, values, strict=True)]) for values in reach)
        return Tail(mean_s, variance, scale_s, sigma, left)

    def characteristic(self, at: Frequencies) -> Complex:
        phi = np.zeros(at.u.shape, dtype=np.result_type(at.u.dtype, np.complex64))
        for weight, part in zip(self.weights, self.parts, strict=True):
            if np.all(np.greater(weight, 0)):
                phi += last(weight, at.u) * at.of(part)
                continue
            with np.errstate(invalid="ignore"):  # a part that is never taken may be without end
                phi += np.where(last(weight, at.u) > 0, last(weight, at.u) * at.of(part), 0)
        return phi


@record
class Visits:
    """A part passed several times in a row; a fraction left over is a visit with that probability."""

    part: Any = field("distribution of one visit")
    times: Ratio = field("mean number of visits")

    @functools.cached_property
    def _whole(self) -> FloatArray:
        return np.floor(np.asarray(self.times, dtype=float) + 1e-12)

    @functools.cached_property
    def _rest(self) -> FloatArray:
        return np.maximum(np.asarray(self.times) - self._whole, 0.0)

    @functools.cached_property
    def mean_s(self) -> Value:
        return np.asarray(self.times * self.part.mean_s)

    @functools.cached_property
    def variance(self) -> Value:
        with np.errstate(invalid="ignore"):  # no visit to what is without end
            return np.asarray(self.times * self.part.variance + self._rest * (1 - self._rest) * self.part.mean_s**2)

    def tail(self, rare: float) -> Tail:
        most, one = self._whole + (self._rest > rare), self.part.tail(rare)
        some = np.where(most > 0, 1.0, 0.0)
        left = most * one.left + np.where(self._rest > rare, 0.0, self._rest)
        return Tail(most * one.mean_s, most * one.variance, some * np.asarray(one.scale_s), some * np.asarray(one.sigma), left)

    def characteristic(self, at: Frequencies) -> Complex:
        phi = at.of(self.part)
        whole, rest = self._whole, self._rest
        power = _power(phi, int(whole.flat[0])) if np.all(whole == whole.flat[0]) else phi ** last(whole, at.u)
        return power * (1 - last(rest, at.u) + last(rest, at.u) * phi) if np.any(rest > 0) else power


@record
class Named:
    """A part whose share in the whole is asked for, by its name; several may have the same."""

    name: str = field("name")
    part: Any = field("distribution")

    @property
    def mean_s(self) -> Value:
        return cast(Value, self.part.mean_s)

    @property
    def variance(self) -> Value:
        return cast(Value, self.part.variance)

    def tail(self, rare: float) -> Tail:
        return cast(Tail, self.part.tail(rare))

    def characteristic(self, at: Frequencies) -> Complex:
        return at.of(self.part)


@record
class Scaled:
    """A part that takes *factor* times as long."""

    part: Any = field("distribution")
    factor: Ratio = field("factor")

    @functools.cached_property
    def mean_s(self) -> Value:
        return np.asarray(self.factor * self.part.mean_s)

    @functools.cached_property
    def variance(self) -> Value:
        return np.asarray(self.factor**2 * self.part.variance)

    def tail(self, rare: float) -> Tail:
        one = self.part.tail(rare)
        return Tail(self.factor * one.mean_s, self.factor**2 * one.variance, self.factor * one.scale_s, one.sigma, one.left)

    def characteristic(self, at: Frequencies) -> Complex:
        return cast(Complex, self.part.characteristic(Frequencies(at.u * last(self.factor, at.u), self.part)))


def _power(phi: Complex, times: int) -> Complex:
    """phi ** times by squaring; numpy's complex power is a hundred times slower."""
    if times == 0:
        return np.ones_like(phi)
    half = _power(phi, times // 2) if times > 1 else phi
    return phi if times == 1 else half * half * (phi if times % 2 else 1.0)
