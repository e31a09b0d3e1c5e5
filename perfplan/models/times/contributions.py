"""What a slow request is made of: the share of each part in a percentile of their sum.

Percentiles of parts do not add up to the percentile of the whole, nor do the parts of one slow request tell of the others. What adds up
is the mean time in each part of the requests that take just as long as the percentile:

    sum_i E(X_i | T = q) = q,      E(X_i | T = q) = d q / d e  where X_i takes (1 + e) times as long.

Shapes: (percentiles,) a part, of one world.

References
----------
Tasche: Risk contributions and performance measurement, 1999 (Euler's allocation; the derivative of a quantile).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from perfplan.models.times.distributions import Mixture, Named, Scaled, Series, Visits
from perfplan.models.times.frequencies import Distribution
from perfplan.models.times.latency import percentiles_s
from perfplan.quantity import FloatArray

STEP = 0.04  # relative change of a part's times, up and down
FINE = 1280  # terms of the percentiles that differences are made of
NOISE = 2e-5  # share of the whole that a numerical difference cannot tell from nothing


def contributions_s(whole: Distribution, names: Iterable[str], ps: Sequence[float]) -> dict[str, FloatArray]:
    """Mean time in each of the *names* of a request that takes as long as percentiles *ps* of *whole*; each of shape (percentiles,).

    They are those of the `Named` parts of *whole*; others get zeros. One cell only. What numerical differences leave over is spread over
    the parts, so that they add up to the percentiles.

    >>> from perfplan.models.times.distributions import Exponential
    >>> a, b = (Named(name=name, part=Exponential(mean_s=1.0)) for name in "ab")
    >>> found = contributions_s(Series(parts=(a, b)), "ab", [0.95])
    >>> float(found["a"][0].round(2))  # half of Erlang's 4.74
    2.37
    """
    total = _one(percentiles_s(whole, ps))
    if not np.isfinite(total).all():
        return {name: np.full(len(ps), np.inf) for name in names}
    named = _names(whole)
    found = {name: _slope(whole, name, ps) if name in named else np.zeros(len(ps)) for name in names}
    found = {name: np.where(values > NOISE * total, values, 0.0) for name, values in found.items()}
    together = sum(found.values(), np.zeros(len(ps)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.where(together > 0, values * total / together, 0.0) for name, values in found.items()}


def _names(value: Any) -> set[str]:
    """The names of its parts."""
    if isinstance(value, Named):
        return {value.name}
    parts = value.parts if isinstance(value, (Series, Mixture)) else (value.part,) if isinstance(value, Visits) else ()
    return set().union(*(_names(part) for part in parts))


def _slope(whole: Distribution, name: str, ps: Sequence[float]) -> FloatArray:
    up, down = (_one(percentiles_s(_longer(whole, name, factor), ps, terms=FINE)) for factor in (1 + STEP, 1 - STEP))
    return np.asarray((up - down) / (2 * STEP))


def _one(values: Sequence[FloatArray]) -> FloatArray:
    return np.array([float(np.ravel(v)[0]) for v in values])


def _longer(value: Any, name: str, factor: float) -> Any:
    """*value* with its parts of that *name* taking *factor* times as long."""
    if isinstance(value, Named):
        return Scaled(part=value.part, factor=factor) if value.name == name else value
    if isinstance(value, Series):
        return Series(parts=tuple(_longer(p, name, factor) for p in value.parts))
    if isinstance(value, Mixture):
        return Mixture(weights=value.weights, parts=tuple(_longer(p, name, factor) for p in value.parts))
    return Visits(part=_longer(value.part, name, factor), times=value.times) if isinstance(value, Visits) else value
