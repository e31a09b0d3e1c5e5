"""The trend of weekly peaks that one odd week cannot bend: the median of slopes, with steps and spikes told apart from it.

Sen's slope is the median of the slopes between all pairs of weeks, on the logarithm, so that it is a growth rate; its interval is that of
the ranks of the pairs, widened for peaks that resemble those of the week before. The slopes of the two halves lie within the interval
too: where growth has changed, nobody knows which will go on. Valid for steady growth; seasons longer than a month are not seen.

Shapes: weeks and peaks are (n,).

References
----------
Sen: Estimates of the regression coefficient based on Kendall's tau, J. Amer. Stat. Assoc. 63 (1968).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from perfplan.quantity import FloatArray, median

FEWEST_BESIDE = 3  # weeks on each side of a step
STEP, SPIKE = 0.18, 0.26  # least changes of the logarithm that are named: 20 % for good, 30 % for a week
CLEAR = 4.0  # how many times the usual spread they must be
EXPLAINED = 0.5  # share of the absolute residuals that a step must leave at most
MAD = 1.4826  # standard deviation of a normal law over its median absolute deviation


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A growth rate of weekly peaks with its 90 % interval, and the weeks that do not belong to it."""

    low: float  # of the logarithm per week
    slope: float
    high: float
    spread: float  # of weekly peaks round the trend, standard deviation of the logarithm
    spikes: tuple[int, ...] = ()  # places of single weeks far off the trend
    step: int | None = None  # place of the first week on another level
    step_size: float = 0.0  # of the logarithm


def trend(weeks: FloatArray, peaks: FloatArray) -> Trend:
    """The trend of *peaks* at the times *weeks*, both of shape (n,), n at least 8, peaks above 0.

    >>> weeks = np.arange(20.0)
    >>> steady = trend(weeks, 100 * 1.01**weeks)
    >>> bool(abs(steady.slope - np.log(1.01)) < 1e-9), steady.spikes, steady.step
    (True, (), None)
    >>> moved = trend(weeks, np.where(weeks < 10, 100.0, 200.0))  # no growth, a step of 100 %
    >>> moved.slope, moved.step, float(np.expm1(moved.step_size).round(6))
    (0.0, 10, 1.0)
    """
    y = np.log(peaks)
    step, size = _step(weeks, y)
    level = y - np.where(np.arange(y.size) >= step, size, 0.0) if step is not None else y
    spikes = np.flatnonzero(np.abs(_rest(weeks, level)) > max(SPIKE, CLEAR * _spread(_rest(weeks, level))))
    usual = ~np.isin(np.arange(y.size), spikes)
    x, z = weeks[usual], level[usual]
    slope, rest, half = _slope(x, z), _rest(x, z), x.size // 2
    low, high = _interval(x, z, rest)
    halves = _slope(x[:half], z[:half]), _slope(x[half:], z[half:])
    return Trend(
        low=min(low, slope, *halves),
        slope=slope,
        high=max(high, slope, *halves),
        spread=max(_spread(rest), float(rest.std())),
        spikes=tuple(int(i) for i in spikes),
        step=step,
        step_size=size,
    )


def _pairs(x: FloatArray, y: FloatArray) -> FloatArray:
    i, j = np.triu_indices(x.size, 1)
    return np.sort((y[j] - y[i]) / (x[j] - x[i]))


def _slope(x: FloatArray, y: FloatArray) -> float:
    return median(_pairs(x, y))


def _rest(x: FloatArray, y: FloatArray) -> FloatArray:
    """What is left of *y* when its slope and its middle are taken away."""
    rest = y - _slope(x, y) * x
    return np.asarray(rest - np.median(rest))


def _spread(rest: FloatArray) -> float:
    """Standard deviation, from the median absolute deviation."""
    return MAD * median(np.abs(rest - np.median(rest)))


def _interval(x: FloatArray, y: FloatArray, rest: FloatArray) -> tuple[float, float]:
    """Sen's 90 % interval of the slope, as if there were fewer weeks where their residuals echo."""
    n = x.size
    echo = float(np.clip(np.corrcoef(rest[1:], rest[:-1])[0, 1], 0, 0.95)) if rest.std() > 1e-12 else 0.0
    reach = float(ndtri(0.95)) * np.sqrt(n * (n - 1) * (2 * n + 5) / 18 * (1 + echo) / (1 - echo))
    slopes = _pairs(x, y)
    low, high = (slopes.size - reach) / 2, (slopes.size + reach) / 2
    return float(slopes[max(int(low), 0)]), float(slopes[min(int(np.ceil(high)), slopes.size - 1)])


def _step(x: FloatArray, y: FloatArray) -> tuple[int | None, float]:
    """The first week of another level and how far it lies from the first, where that explains the weeks better than a line; else none."""
    best: tuple[float, int | None, float] = (EXPLAINED * float(np.abs(_rest(x, y)).sum()), None, 0.0)
    for k in range(FEWEST_BESIDE, y.size - FEWEST_BESIDE + 1):
        slope = median(np.concatenate([_pairs(x[:k], y[:k]), _pairs(x[k:], y[k:])]))
        before, after = (y - slope * x)[:k], (y - slope * x)[k:]
        size = float(np.median(after) - np.median(before))
        rest = np.concatenate([before - np.median(before), after - np.median(after)])
        if np.abs(rest).sum() < best[0] - 1e-12 and abs(size) > max(STEP, CLEAR * _spread(rest)):
            best = float(np.abs(rest).sum()), k, size
    return best[1], best[2]
