"""What a law of times answers, and arithmetic of transforms at many frequencies at once.

Shapes: means and variances broadcast, such as (worlds, months); frequencies are one more axis, the last.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from perfplan.quantity import FloatArray, Value

Complex = NDArray[np.complex128]


class Frequencies:
    """Frequencies u of shape (..., terms), multiples 1 .. terms of the first, at which *whole* is wanted.

    A part of it that several others pass through, such as a database, is evaluated once; only those are kept, as memory
    that stays in use is slower than memory that is used again.
    """

    def __init__(self, u: FloatArray, whole: Distribution) -> None:
        self.u = u
        self._left = collections.Counter(_parts(whole))  # how often each part is still asked for
        self._known: dict[int, Complex] = {}

    def of(self, part: Distribution) -> Complex:
        """The characteristic function of *part* here; not to be written to."""
        key = id(part)
        phi = self._known.pop(key) if key in self._known else part.characteristic(self)
        self._left[key] -= 1
        if self._left[key] > 0:
            self._known[key] = phi
        return phi


def _parts(value: Any, seen: set[int] | None = None) -> Iterator[int]:
    """Identity of every distribution that is asked for when *value* is, once for each that asks."""
    seen = set() if seen is None else seen
    if isinstance(value, tuple):
        for one in value:
            yield from _parts(one, seen)
    elif fields_of(type(value)):
        yield id(value)
        if id(value) not in seen:
            seen.add(id(value))
            for name in ("parts", "part"):
                yield from _parts(getattr(value, name, ()), seen)


_FIELDS: dict[type, tuple[str, ...]] = {}


def fields_of(kind: type) -> tuple[str, ...]:
    """The names of a record's fields; none of what is no record."""
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(one.name for one in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()
    return _FIELDS[kind]


class Tail(NamedTuple):
    """Where the tail of a distribution begins, and how it decays."""

    mean_s: Value  # along its slowest branch
    variance: Value
    scale_s: Value  # of the slowest exponential
    sigma: Value  # standard deviation of the logarithm of its heaviest part; 0 where all tails are exponential
    left: Value = 0.0  # probability of the branches that were left aside


class Distribution(Protocol):
    """A response time; its parameters may be arrays over (worlds, months)."""

    @property
    def mean_s(self) -> Value: ...
    @property
    def variance(self) -> Value: ...
    def tail(self, rare: float) -> Tail:
        """How far it reaches, without branches of a probability up to *rare*."""

    def characteristic(self, at: Frequencies) -> Complex:
        """E exp(i u X)."""


def last(value: Value, u: FloatArray) -> FloatArray:
    """A parameter ready to meet frequencies *u*, in their precision."""
    return np.asarray(value, dtype=u.dtype)[..., None]


def weighted(weight: Value, value: Value) -> Value:
    """weight x value, where a part that is never taken may be without end."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(weight) > 0, weight * np.asarray(value), 0.0)


def largest(values: Iterable[Value]) -> Value:
    """Cell by cell the largest of *values*; 0 where there are none."""
    return functools.reduce(np.maximum, values, np.asarray(0.0))


def between(table: Complex, spot: FloatArray, size: int, first: Any = 0) -> Complex:
    """The row of *size* from place *first* of a flat *table*, at the places *spot* of it: straight lines in single precision, cubics in
    double.

    A straight line is 1e-5 off, which is all of a share of 1e-5.
    """
    if spot.dtype == np.float32:
        i = np.floor(spot)
        row, at = table.astype(np.complex64, copy=False), first + i.astype(np.intp)
        low = row[at]
        return cast(Complex, low + (row[at + 1] - low) * (spot - i))
    i = np.clip(spot.astype(np.intp), 1, size - 3)
    return cast(Complex, sum(weight * table[first + i + k] for k, weight in zip((-1, 0, 1, 2), lagrange(spot - i), strict=True)))


def lagrange(part: Value) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Weights of four evenly spaced points for the place *part* of the way from the second to the third."""
    t = np.asarray(part)
    return -t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2, -(t + 1) * t * (t - 2) / 2, (t + 1) * t * (t - 1) / 6


def pole(y: FloatArray, weight: Any = 1.0, rest: Any = 0.0) -> Complex:
    """rest + weight / (1 - i y) in real arithmetic, several times faster than a complex division."""
    out = np.empty(y.shape, dtype=np.result_type(y.dtype, np.complex64))
    real = y * y
    real += 1
    np.divide(weight, real, out=real)
    np.add(real, rest, out=out.real)
    np.multiply(real, y, out=out.imag)
    return out


def turn(angle: FloatArray) -> Complex:
    """exp(i angle) in the precision of the angle."""
    out = np.empty(angle.shape, dtype=np.result_type(angle.dtype, np.complex64))
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def certain(u: FloatArray) -> Complex:
    """The characteristic function of no time at all."""
    return np.ones((1,) * u.ndim, dtype=np.result_type(u.dtype, np.complex64))


def powers(z: Complex, count: int) -> Complex:
    """z, z^2, .. z^count along the last axis by doubling: frequencies are multiples, so that one exponential is enough."""
    out = np.empty((*z.shape[:-1], count), dtype=z.dtype)
    out[..., :1] = z
    done = 1
    while done < count:
        more = min(done, count - done)
        np.multiply(out[..., :more], out[..., done - 1 : done], out=out[..., done : done + more])
        done += more
    return out
