"""Percentiles of response times.

They come from the Fourier-cosine series of the density on [0, L]:

    F(x) = x/L + sum_k 2/(k pi) Re phi(k pi / L) sin(k pi x / L),      k = 1 .. TERMS

evaluated on a grid by one sine transform a cell, and interpolated on -log(1 - F), which is straight for an exponential tail.
Where parts of very different scale leave the series rough, it is computed again with twice the terms.
L reaches far into the tail: what lies beyond is folded back, from 2 L - x onto x. Error against exact percentiles: see
`benchmarks/latency_error.py` (worst 0.5 %).

References
----------
Fang, Oosterlee: A novel pricing method based on Fourier-cosine series expansions, SIAM J. Sci. Comput. 31 (2008), eq. 11.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from perfplan.models.distributions import Distribution, Frequencies, powers, turn
from perfplan.quantity import FloatArray, Value

TERMS = 320  # of the cosine series, where percentiles are looked for on a grid
TERMS_AT = 64  # where the probability at one time is enough
MOST_TERMS = 8192  # where a distribution has parts of very different scale
ROUGH = 0.04  # |phi| at the last term above which a cell is computed again with more
CELLS = 512  # worked on at once, so that intermediate arrays stay in cache
D = TypeVar("D")


def percentiles_s(distribution: Distribution, ps: Sequence[float], shape: tuple[int, ...] = ()) -> list[FloatArray]:
    """The times within which shares *ps* of all responses come, each of the broadcast shape; inf where saturated.

    >>> from perfplan.models.distributions import Exponential, Series, Wait
    >>> from perfplan.models.queueing import MMc
    >>> wait = Wait.of(MMc(arrival_rps=0.5, service_s=1.0, servers=1))
    >>> [float(v.round(2)) for v in percentiles_s(Series(parts=(wait, Exponential(mean_s=1.0))), (0.5, 0.95))]  # 2 ln 2, 2 ln 20
    [1.39, 5.99]
    """
    cells, settled, shape = _settled(distribution, shape)
    answers = [np.full(settled.shape, np.inf) for _ in ps]
    length = _length_s(cells, int(settled.sum()))
    parts = [_percentiles(cells, length, at, ps) for at in _chunks(int(settled.sum()), TERMS)]
    for answer, columns in zip(answers, zip(*parts, strict=True) if parts else [], strict=False):
        answer[settled] = np.concatenate(columns)
    return [a.reshape(shape) for a in answers]


def exceeds(distribution: Distribution, t_s: Value, shape: tuple[int, ...] = ()) -> FloatArray:
    """P(response > *t_s*); 1 where saturated.

    >>> from perfplan.models.distributions import Exponential
    >>> float(exceeds(Exponential(mean_s=1.0), 3.0).round(4))  # exp(-3)
    0.0498
    """
    cells, settled, shape = _settled(distribution, shape)
    at_s = np.broadcast_to(np.asarray(t_s, dtype=float), shape).ravel()[settled]
    answer = np.ones(settled.shape)
    length = _length_s(cells, int(settled.sum()))
    parts = [_exceeds(cells, length, at, at_s[at]) for at in _chunks(int(settled.sum()), TERMS_AT)]
    if parts:
        answer[settled] = np.concatenate(parts)
    return answer.reshape(shape)


def _settled(distribution: Distribution, shape: tuple[int, ...]) -> tuple[Any, NDArray[np.bool_], tuple[int, ...]]:
    """The cells with a steady state, as one long row, with their places."""
    mean = np.asarray(distribution.mean_s, dtype=float)
    shape = np.broadcast_shapes(mean.shape, shape)
    settled = np.isfinite(np.broadcast_to(mean, shape)).ravel()
    return _take(distribution, lambda a: np.broadcast_to(a, shape).ravel()[settled]), settled, shape


def _chunks(count: int, terms: int) -> list[slice]:
    step = max(CELLS * TERMS // terms, 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _take(value: D, pick: Any, known: dict[int, Any] | None = None) -> D:
    """The same distribution with *pick* applied to each array in it; scalars stay, and parts that are shared stay shared."""
    known = {} if known is None else known
    if id(value) not in known:
        known[id(value)] = _taken(value, pick, known)
    return cast(D, known[id(value)])


def _taken(value: Any, pick: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(_take(v, pick, known) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _take(getattr(value, f.name), pick, known) for f in dataclasses.fields(value)})
    return pick(value) if isinstance(value, np.ndarray) and value.ndim else value


def _length_s(cells: Any, count: int) -> FloatArray:
    """Length L of each cell's series."""
    far, variance = cells.slowest
    return np.broadcast_to(np.asarray(far + 7 * np.maximum(cells.reach_s, np.sqrt(variance)), dtype=float), count).clip(1e-12)


def _series(cells: Any, length: FloatArray, at: slice, terms: int) -> tuple[FloatArray, FloatArray]:
    """Coefficients of the sine series of the cdf, shape (cells, terms), and the roughness of each cell.

    Roughness is |phi| at the last terms: what the series leaves out. It is small where the density is smooth on the scale L / terms.
    """
    part = _take(cells, lambda a: a[at])
    k = np.arange(1, terms + 1)
    precision: Any = np.float32 if terms <= TERMS else np.float64  # single precision is 1e-5 of the cdf
    u = ((np.pi / length[at])[:, None] * k).astype(precision)
    phi = np.broadcast_to(Frequencies(u, part).of(part), u.shape)
    smooth = np.exp(-36 * (k / (terms + 1)) ** 16)  # damps the ringing at kinks, leaves the first half of the terms alone
    return phi.real * (2 / (np.pi * k) * smooth).astype(u.dtype), np.abs(phi[:, -8:]).max(axis=1)


def _percentiles(cells: Any, length: FloatArray, at: slice, ps: Sequence[float], terms: int = TERMS) -> list[FloatArray]:
    """The percentiles *ps* of a chunk of cells; where a cell is too rough for its grid, again with more terms."""
    from scipy.fft import dst  # light, but not needed to import perfplan

    b, rough = _series(cells, length, at, terms)
    length = length[at]
    points = terms
    padded = b[:, : points - 1]
    inner = dst(padded, type=1, axis=1) / 2 + (np.arange(1, points) / points).astype(b.dtype)
    hazard = np.zeros((b.shape[0], points), dtype=b.dtype)
    np.negative(np.log(np.maximum(1 - inner, 1e-12)), out=hazard[:, 1:])  # straight for an exponential tail
    steps = rough > ROUGH  # a series overshoots behind a step: there the least that follows is nearer the truth than the most before
    hazard[steps] = np.minimum.accumulate(hazard[steps, ::-1], axis=1)[:, ::-1]
    np.maximum.accumulate(hazard, axis=1, out=hazard)
    found = [_crossing(hazard, -np.log1p(-p)) * length / points for p in ps]
    again = (rough > ROUGH) & (np.min(found, axis=0) < 12 * length / terms)
    if again.any() and terms < MOST_TERMS:
        place = np.flatnonzero(again)
        finer = _take(cells, lambda a: a[at][place])
        parts = [_percentiles(finer, length[place], part, ps, 2 * terms) for part in _chunks(place.size, 2 * terms)]
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


def _exceeds(cells: Any, length: FloatArray, at: slice, t_s: FloatArray, terms: int = TERMS_AT) -> FloatArray:
    """P(response > *t_s*) of a chunk of cells; where a cell is too rough for its grid, again with more terms."""
    b, rough = _series(cells, length, at, terms)
    length = length[at]
    x = np.minimum(t_s / length, 1.0)
    cdf = x + np.einsum("ck,ck->c", b, powers(turn(np.pi * x[:, None]), terms).imag)
    over = np.where(t_s >= length, 0.0, np.clip(1 - cdf, 0, 1))
    again = (rough > ROUGH) & (t_s < 12 * length / terms)
    if again.any() and terms < MOST_TERMS:
        place = np.flatnonzero(again)
        finer = _take(cells, lambda a: a[at][place])
        over[place] = np.concatenate(
            [_exceeds(finer, length[place], part, t_s[place][part], 2 * terms) for part in _chunks(place.size, 2 * terms)]
        )
    return over
