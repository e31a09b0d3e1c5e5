"""Times as values: laws of times, by their kinds and as mixtures. What becomes of several is in `combined`.

Each has `within` (its cdf), `quantile`, `mean`, `variance`, `transform` (E exp(-sX)) and `sample`. Parts are independent: siblings of a
fork-join that queue behind the same arrivals are not, see `forkjoin`. Quantiles are exact to 1e-9 where the cdf is closed.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from perfplan.models.beyond.numbers import Ratio, Seconds
from perfplan.quantity import FloatArray, Value

HALVINGS = 60  # below the first guess; shorter times are taken for none
NODES = np.polynomial.legendre.leggauss(4000)  # of integrals over probability, in the normal variable from -9 to 9


class TimeLaw(abc.ABC):
    """A law of times. Made by the functions below; combined by them too."""

    @abc.abstractmethod
    def within(self, t_s: Value) -> FloatArray:
        """P(X <= *t_s*)."""

    def quantile(self, p: Value) -> FloatArray:
        """The times that shares *p* stay within: the smallest t with P(X <= t) >= p."""
        asked = np.asarray(p, dtype=float)
        if not np.all((asked > 0) & (asked < 1)):
            raise ValueError(f"a quantile is asked for at p between 0 and 1; got {asked[~((asked > 0) & (asked < 1))].flat[0]:g}")
        high = np.ones(asked.shape)
        while np.any(short := self.within(high) < asked):
            high = np.where(short, 2 * high, high)
        low = high / 2
        for _ in range(HALVINGS):
            if not np.any(long := self.within(low) >= asked):
                break
            high, low = np.where(long, low, high), np.where(long, low / 2, low)
        for _ in range(54):  # bisection: a cdf may have steps
            middle = (low + high) / 2
            enough = self.within(middle) >= asked
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.asarray(high)

    def moment(self, k: int) -> float:
        """E X^k."""
        return float(self._weights @ self._times**k)

    @property
    def mean(self) -> float:
        """Mean."""
        return self.moment(1)

    @property
    def variance(self) -> float:
        """Variance."""
        return self.moment(2) - self.mean**2

    def transform(self, s: Any) -> Any:
        """E exp(-sX), *s* of any shape, complex."""
        s = np.asarray(s)
        return (np.exp(-s[..., None] * self._times) * self._weights).sum(axis=-1)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        """*count* independent times."""
        return np.asarray(self.quantile(rng.uniform(1e-12, 1 - 1e-12, count)))

    @functools.cached_property
    def _weights(self) -> FloatArray:
        return np.asarray(NODES[1] * 9 * stats.norm.pdf(9 * NODES[0]))

    @functools.cached_property
    def _times(self) -> FloatArray:
        return self.quantile(np.clip(stats.norm.cdf(9 * NODES[0]), 1e-18, 1 - 1e-16))


class _Known(TimeLaw):
    """A law of scipy's, with its own moments; *lst* its transform where that is closed."""

    def __init__(self, frozen: Any, lst: Any = None) -> None:
        self._frozen, self._lst = frozen, lst

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(self._frozen.cdf(t_s))

    def quantile(self, p: Value) -> FloatArray:
        return np.asarray(self._frozen.ppf(p))

    def moment(self, k: int) -> float:
        return float(self._frozen.moment(k))

    def transform(self, s: Any) -> Any:
        return self._lst(np.asarray(s)) if self._lst else super().transform(s)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        return np.asarray(self._frozen.rvs(size=count, random_state=rng))


def known(frozen: Any) -> TimeLaw:
    """A frozen law of `scipy.stats`.

    >>> float(known(stats.uniform(0.0, 2.0)).quantile(0.75))
    1.5
    """
    return _Known(frozen)


def exponential(mean_s: Seconds) -> TimeLaw:
    """Exponential.

    >>> float(exponential(2.0).quantile(0.95).round(6))  # 2 ln 20
    5.991465
    """
    return gamma(mean_s, 1.0)


def gamma(mean_s: Seconds, scv: Ratio) -> TimeLaw:
    """Gamma; Erlang's where 1 / *scv* is whole.

    >>> law = gamma(3.0, 0.5)
    >>> law.mean, law.variance  # scv x mean^2
    (3.0, 4.5)
    """
    shape, scale = 1 / scv, mean_s * scv
    return _Known(stats.gamma(shape, scale=scale), lambda s: (1 + s * scale) ** -shape)


def erlang(mean_s: Seconds, phases: int) -> TimeLaw:
    """The sum of *phases* equal exponential times.

    >>> float(erlang(2.0, 2).within(2.0).round(6))  # 1 - 3 exp(-2)
    0.593994
    """
    return gamma(mean_s, 1 / phases)


def hyperexponential(probabilities: Sequence[float], means_s: Sequence[float]) -> TimeLaw:
    """One of several exponential times.

    >>> round(hyperexponential([0.5, 0.5], [1.0, 3.0]).variance, 9)  # 2 (1 + 9) / 2 - 2^2
    6.0
    """
    return mixture(probabilities, [exponential(m) for m in means_s])


def lognormal(mean_s: Seconds, scv: Ratio) -> TimeLaw:
    """Lognormal.

    >>> float(lognormal(2.0, 3.0).quantile(0.5).round(9))  # mean / sqrt(1 + scv)
    1.0
    """
    sigma = float(np.sqrt(np.log1p(scv)))
    return _Known(stats.lognorm(sigma, scale=mean_s / np.exp(sigma**2 / 2)))


def through(p50_s: Seconds, p99_s: Seconds) -> TimeLaw:
    """The lognormal with these percentiles.

    >>> [float(v.round(9)) for v in through(0.012, 0.09).quantile([0.5, 0.99])]
    [0.012, 0.09]
    """
    return _Known(stats.lognorm(float(np.log(p99_s / p50_s) / stats.norm.ppf(0.99)), scale=float(p50_s)))


def weibull(shape: Ratio, scale_s: Seconds) -> TimeLaw:
    """Weibull.

    >>> float(weibull(2.0, 1.0).within(1.0).round(6))  # 1 - 1/e
    0.632121
    """
    return _Known(stats.weibull_min(shape, scale=scale_s))


def bounded_pareto(alpha: Ratio, low_s: Seconds, high_s: Seconds) -> TimeLaw:
    """Pareto between two bounds.

    >>> float(bounded_pareto(1.0, 1.0, 4.0).within(2.0).round(9))  # (1 - 1/2) / (1 - 1/4)
    0.666666667
    """
    return _Known(stats.truncpareto(alpha, float(high_s / low_s), scale=low_s))


class Nodes(TimeLaw):
    """Times with probabilities."""

    def __init__(self, times: FloatArray, weights: FloatArray) -> None:
        order = np.argsort(times)
        self._at, self._of = times[order], weights[order] / weights.sum()
        self._cdf = np.cumsum(self._of)

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(np.concatenate([[0.0], self._cdf])[np.searchsorted(self._at, t_s, side="right")])

    def quantile(self, p: Value) -> FloatArray:
        return np.asarray(self._at[np.minimum(np.searchsorted(self._cdf, np.asarray(p) - 1e-12), self._at.size - 1)])

    def moment(self, k: int) -> float:
        return float(self._of @ self._at**k)

    def transform(self, s: Any) -> Any:
        return (np.exp(-np.asarray(s)[..., None] * self._at) * self._of).sum(axis=-1)


def constant(time_s: Seconds) -> TimeLaw:
    """Always the same.

    >>> float(constant(0.3).quantile(0.5))
    0.3
    """
    return Nodes(np.array([time_s]), np.ones(1))


def empirical(seconds: FloatArray, weights: FloatArray | None = None) -> TimeLaw:
    """Samples, or the middles of a histogram's buckets with their counts as *weights*.

    >>> float(empirical(np.array([1.0, 2.0, 4.0, 8.0])).quantile(0.5))
    2.0
    """
    times = np.asarray(seconds, dtype=float).ravel()
    if times.size == 0 or not np.isfinite(times).all() or times.min() < 0:
        raise ValueError(f"times must be finite, not negative, and at least one; got {times.size}")
    return Nodes(times, np.ones(times.size) if weights is None else np.asarray(weights, dtype=float))


class _Mixed(TimeLaw):
    """One of several laws."""

    def __init__(self, probabilities: FloatArray, parts: Sequence[TimeLaw]) -> None:
        self._p, self._parts = probabilities, parts

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(sum(p * law.within(t_s) for p, law in zip(self._p, self._parts, strict=True)))

    def moment(self, k: int) -> float:
        return float(sum(p * law.moment(k) for p, law in zip(self._p, self._parts, strict=True)))

    def transform(self, s: Any) -> Any:
        return sum(p * law.transform(s) for p, law in zip(self._p, self._parts, strict=True))

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        which = rng.choice(len(self._parts), count, p=self._p)
        return np.asarray(np.choose(which, [law.sample(rng, count) for law in self._parts]))


def mixture(probabilities: Sequence[float], parts: Sequence[TimeLaw]) -> TimeLaw:
    """One of *parts*: hit or miss, one branch or another.

    >>> round(mixture([0.9, 0.1], [constant(1.0), constant(11.0)]).mean, 9)
    2.0
    """
    p = np.asarray(probabilities, dtype=float)
    return _Mixed(p / p.sum(), parts)
