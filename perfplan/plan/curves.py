"""What is known of a path at a few loads, spread to all months and hours.

In one world only the load differs between months and hours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from perfplan.quantity import FloatArray

MeanAt = Callable[[FloatArray], FloatArray]  # the mean response time of a path at loads

PROBES = 25
NARROW = 6e-5  # of the highest load: so near to saturation is known
LEAST = 1e-9  # of a load so far above what is carried that even the first probe saturates
GRID = 12  # loads at which a path is asked; months and levels are interpolated between them
NEAR = 0.02  # of the highest load: how near to it the loads of the grid get close together


class ByLoad:
    """A path at *grid* loads of each world, from *least* of the lowest month of *load* to the highest: `rps`.

    They are evenly spaced in the logarithm of their distance to saturation, or to just above the highest load.
    """

    def __init__(self, mean_s: MeanAt, load: FloatArray, *, least: float = 1.0, grid: int = GRID, near: float = NEAR) -> None:
        self._grid, self._near = grid, near
        self._top = np.maximum(load.max(axis=-1, keepdims=True), 1e-9)  # nobody may come
        self._full = _saturation(mean_s, load, self._top)
        self._high = np.where(self._full < 1, 0.999 * self._full, 1.0)
        low = np.minimum(least * (load / self._top).min(axis=-1, keepdims=True), 0.5 * self._high)
        self._wide = self._high * (1 + near) - low  # distance of the lowest load from the end of the scale
        self._scale = np.log(near * self._high / self._wide)
        at = self._high * (1 + near) - self._wide * np.exp(self._scale * np.linspace(0, 1, grid))
        self.rps = self._top * at

    def room(self, rps: FloatArray) -> FloatArray:
        """How far *rps* lies below what saturates the path, over that, 0.001 at least, as the grid ends there; 1 where nothing
        saturates."""
        part = rps / self._top
        return np.asarray(np.where(self._full < 1, np.maximum(1 - part / self._full, 1e-3), 1.0))

    def curve(self, y: FloatArray, shown: Callable[[FloatArray], FloatArray], beyond: float) -> Callable[[FloatArray], FloatArray]:
        """*shown* of *y*, which is known at the loads `rps`, as a function of the load; *beyond* saturation.

        By a cubic that keeps its direction (Fritsch, Carlson, SIAM J. Numer. Anal. 17, 1980).
        """
        slope = _slopes(y)

        def at(rps: FloatArray) -> FloatArray:
            shape = (*self._top.shape, *(1,) * (rps.ndim - 2))
            part = rps / self._top.reshape(shape)
            high, wide, scale, end = (a.reshape(shape) for a in (self._high, self._wide, self._scale, self._full))
            near = np.clip((high * (1 + self._near) - part) / wide, np.exp(scale), 1)
            place = np.clip(np.log(near) / scale, 0, 1) * (self._grid - 1)
            left = np.minimum(place.astype(np.intp), self._grid - 2)
            flat, t = left.reshape(left.shape[0], -1), place - left
            y0, y1, m0, m1 = (
                np.take_along_axis(a, flat + k, axis=1).reshape(left.shape) for a, k in ((y, 0), (y, 1), (slope, 0), (slope, 1))
            )
            found = shown(y0 + t * (m0 + t * (3 * (y1 - y0) - 2 * m0 - m1 + t * (2 * (y0 - y1) + m0 + m1))))
            return np.where((part >= end) & (end < 1), beyond, found)

        return at


def _slopes(y: FloatArray) -> FloatArray:
    """Slopes at evenly spaced points along the last axis that keep a cubic between them monotone: harmonic means of the secants."""
    step = np.diff(y, axis=-1)
    before, after = step[..., :-1], step[..., 1:]
    same = before * after > 0
    inner = np.where(same, 2 * before * after / np.where(same, before + after, 1.0), 0.0)
    return np.concatenate([step[..., :1], inner, step[..., -1:]], axis=-1)


def _saturation(mean_s: MeanAt, load: FloatArray, top: FloatArray) -> FloatArray:
    """Share of the load *top*, (worlds, 1), at which the path saturates: its mean is without end; 1 where it does not.

    From what is known at the *load* that is asked for on: bisection with PROBES loads at a time, as one call for many loads costs little
    more than one for one.
    """

    def settled(part: FloatArray) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(mean_s(top * part)))

    known, parts = np.isfinite(mean_s(load)), load / top
    low = np.where(known, parts, 0.0).max(axis=1, keepdims=True)
    high = np.where(known, np.inf, parts).min(axis=1, keepdims=True)
    whole = np.isinf(high)
    width = np.where(whole, 0.0, high - low)
    while width.max() > NARROW:
        width = width / (PROBES + 1)
        low = low + width * settled(low + width * np.arange(1, PROBES + 1)).sum(axis=1, keepdims=True)
    return np.asarray(np.where(whole, 1.0, np.maximum(low, LEAST)))
