"""What becomes of times in series, in parallel, in races, in mixtures and under time-outs. Parts are independent.

Sums come from the product of transforms, inverted by Euler's method (about 1e-8 where the sum has a density).

References
----------
Abate, Whitt: Numerical inversion of Laplace transforms of probability distributions, ORSA J. Computing 7 (1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq

from perfplan.models.beyond.general import tail_of
from perfplan.models.beyond.laws import Nodes, TimeLaw, constant
from perfplan.models.beyond.numbers import Ratio, Seconds
from perfplan.quantity import FloatArray, Value


class _Cut(TimeLaw):
    """Anything given by its cdf alone."""

    def __init__(self, within: Any, draw: Any) -> None:
        self._within, self._draw = within, draw

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(self._within(np.asarray(t_s, dtype=float)))

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        return np.asarray(self._draw(rng, count))


class _Sum(TimeLaw):
    """Parts one after the other; constants among them shift the rest."""

    def __init__(self, parts: Sequence[TimeLaw]) -> None:
        fixed = [p for p in parts if isinstance(p, Nodes) and p._at.size == 1]
        self._shift = sum(float(p._at[0]) for p in fixed)
        self._rest = [p for p in parts if p not in fixed]

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(np.vectorize(self._one, otypes=[float])(np.asarray(t_s, dtype=float) - self._shift))

    def _one(self, t: float) -> float:
        if not self._rest:
            return float(t >= 0)
        return 0.0 if t <= 0 else 1 - tail_of(self._product, t)

    def _product(self, s: Any) -> Any:
        found = self._rest[0].transform(s)
        for part in self._rest[1:]:
            found = found * part.transform(s)
        return found

    def quantile(self, p: Value) -> FloatArray:
        return np.asarray(np.vectorize(self._quantile, otypes=[float])(p))

    def _quantile(self, p: float) -> float:
        if not self._rest:
            return self._shift
        high = max(sum(part.mean for part in self._rest), 1e-300)
        while self._one(high) < p:
            high *= 2
        return self._shift + float(brentq(lambda t: self._one(t) - p, 1e-9 * high, high, xtol=1e-14 * high, rtol=1e-13))

    @property
    def mean(self) -> float:
        return self._shift + sum(part.mean for part in self._rest)

    @property
    def variance(self) -> float:
        return float(sum(part.variance for part in self._rest))

    def transform(self, s: Any) -> Any:
        return np.exp(-np.asarray(s) * self._shift) * (self._product(s) if self._rest else 1.0)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        return np.asarray(self._shift + sum(part.sample(rng, count) for part in self._rest))


def series(*parts: TimeLaw) -> TimeLaw:
    """One after the other.

    >>> from perfplan.models.beyond.laws import exponential
    >>> float(series(exponential(1.0), exponential(1.0)).quantile(0.99).round(6))  # Erlang of two phases
    6.638352
    """
    return _Sum(parts)


def k_of(needed: int, *parts: TimeLaw) -> TimeLaw:
    """When *needed* of *parts*, started together, have ended (all: fork-join; one: a race).

    >>> from perfplan.models.beyond.laws import exponential
    >>> float(k_of(1, exponential(1.0), exponential(1.0)).mean.__round__(9))
    0.5
    """
    if not 1 <= needed <= len(parts):
        raise ValueError(f"of {len(parts)} parts 1 to {len(parts)} can be waited for; got {needed}")

    def within(t: FloatArray) -> FloatArray:
        ended = np.zeros((len(parts) + 1, *t.shape))  # P(exactly k have ended), part after part
        ended[0] = 1.0
        for part in parts:
            p = part.within(t)
            ended[1:] = ended[1:] * (1 - p) + ended[:-1] * p
            ended[0] = ended[0] * (1 - p)
        return np.asarray(ended[needed:].sum(axis=0))

    return _Cut(within, lambda rng, count: np.sort([p.sample(rng, count) for p in parts], axis=0)[needed - 1])


def parallel(*parts: TimeLaw) -> TimeLaw:
    """All of them, started together: a fork-join of independent branches.

    >>> from perfplan.models.beyond.laws import exponential
    >>> round(parallel(exponential(1.0), exponential(1.0)).mean, 6)  # 1 + 1/2
    1.5
    """
    return k_of(len(parts), *parts)


def race(*parts: TimeLaw) -> TimeLaw:
    """The first of them: a hedged request.

    >>> from perfplan.models.beyond.laws import exponential
    >>> round(race(exponential(1.0), exponential(0.5)).mean, 6)  # 1 / (1 + 2)
    0.333333
    """
    return k_of(1, *parts)


class _Moved(TimeLaw):
    """factor X + shift."""

    def __init__(self, law: TimeLaw, factor: float, shift: float) -> None:
        self._law, self._factor, self._by = law, factor, shift

    def within(self, t_s: Value) -> FloatArray:
        return self._law.within((np.asarray(t_s, dtype=float) - self._by) / self._factor)

    def quantile(self, p: Value) -> FloatArray:
        return np.asarray(self._by + self._factor * self._law.quantile(p))

    @property
    def mean(self) -> float:
        return self._by + self._factor * self._law.mean

    @property
    def variance(self) -> float:
        return self._factor**2 * self._law.variance

    def transform(self, s: Any) -> Any:
        return np.exp(-np.asarray(s) * self._by) * self._law.transform(np.asarray(s) * self._factor)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        return np.asarray(self._by + self._factor * self._law.sample(rng, count))


def scaled(law: TimeLaw, factor: Ratio, shift_s: Seconds = 0.0) -> TimeLaw:
    """*factor* times as long, and *shift_s* later.

    >>> from perfplan.models.beyond.laws import exponential
    >>> scaled(exponential(1.0), 2.0, 0.5).mean
    2.5
    """
    return _Moved(law, factor, shift_s)


def timeout(law: TimeLaw, limit_s: Seconds) -> TimeLaw:
    """Given up after *limit_s*: the shorter of both.

    >>> from perfplan.models.beyond.laws import exponential
    >>> float(timeout(exponential(1.0), 1.0).mean.__round__(4))  # 1 - 1/e
    0.6321
    """
    return race(law, constant(limit_s))
