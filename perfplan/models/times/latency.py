"""Percentiles of response times, and the share of responses that take longer than a time.

They come from the Fourier-cosine series of the density on [0, L]:

    F(x) = x/L + sum_k 2/(k pi) Re phi(k pi / L) sin(k pi x / L),      k = 1 .. TERMS

Percentiles up to DEEP are read off a grid (one sine transform a cell), interpolated on -log(1 - F), which is straight for an
exponential tail; further ones are looked for by the share beyond a time. What lies beyond L is folded back, from 2 L - x onto x, so
that L reaches as far beyond x as the tail needs (`_length_s`). A series has parts of very different scale where |phi| is not small at
its last term; there it is computed again with twice the terms until half the terms say the same. A share so small that single precision
shows in it is computed again in double precision. Errors: percentiles 0.5 %, shares 2 % down to LEAST (`benchmarks/latency_error.py`).

Shapes: a distribution's fields broadcast with *shape*, such as (worlds, months); each percentile has that shape.

References
----------
Fang, Oosterlee: A novel pricing method based on Fourier-cosine series expansions, SIAM J. Sci. Comput. 31 (2008), eq. 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from perfplan.models.times.frequencies import Distribution, Frequencies, Tail, fields_of, powers, turn
from perfplan.quantity import FloatArray, Value

TERMS = 320  # of the cosine series, where percentiles are looked for on a grid
TERMS_AT = 64  # where the probability at one time is enough
MOST_TERMS = 65536  # where a distribution has parts of very different scale
ROUGH = 0.04  # |phi| at the last term above which a cell may be computed again with more
SAME = 0.005  # what half of the terms may say otherwise of a percentile
SAME_SHARE = 0.02  # what three quarters of them may say otherwise of a share; five eighths: 2.5 times that
DEEP = 0.992  # percentiles beyond are looked for by the share beyond a time
LEAST = 1e-6  # smallest share that is computed to 2 %
NOISE, TABLED = 5e-5, 1e-3  # below it single precision shows in a share; the same where a part is tabulated or reaches further than L
RARE = 0.01  # a branch that is so much rarer than the share that is looked for does not decide how far the tail is followed
LEVELS = (0.1, 0.01, 1e-3, 1e-4, 1e-6)  # shares, each looked at with a series that reaches as far as it needs
LONGER = 1.2  # a tail that rare branches make so much longer is looked at again
FEW = 64  # cells at once that may have more than MANY_TERMS, as each then takes a hundredth of a second
MANY_TERMS = 8192
FOLDED = 3.0  # scales beyond a time at which the series ends: exp(-2 x 3) of its share is folded onto it
CELLS = 512  # worked on at once, so that intermediate arrays stay in cache
D = TypeVar("D")


def percentiles_s(distribution: Distribution, ps: Sequence[float], shape: tuple[int, ...] = (), *, terms: int = TERMS) -> list[FloatArray]:
    """The times within which shares *ps* of all responses come, each of the broadcast shape; inf where saturated.

    More *terms* than TERMS are in double precision, for what differences are made of.

    >>> from perfplan.models.times.distributions import Exponential, Series
    >>> from perfplan.models.stations.queueing import MMc
    >>> wait = MMc(arrival_rps=0.5, service_s=1.0, servers=1).wait_law()
    >>> both = Series(parts=(wait, Exponential(mean_s=1.0)))
    >>> [float(v.round(1)) for v in percentiles_s(both, (0.5, 0.95, 0.999))]  # 2 ln 2, 2 ln 20, 2 ln 1000
    [1.4, 6.0, 13.8]
    """
    cells, settled, shape = _settled(distribution, shape)
    count = int(settled.sum())
    answers = [np.full(settled.shape, np.inf) for _ in ps]
    if count:
        for p, answer, found in zip(ps, answers, _shallow(cells, count, [min(p, DEEP) for p in ps], terms), strict=True):
            answer[settled] = found if p <= DEEP else _deep(cells, found, p)
    return [a.reshape(shape) for a in answers]


def _shallow(cells: Any, count: int, ps: Sequence[float], terms: int) -> list[FloatArray]:
    """Percentiles up to DEEP, off a grid that reaches as far as the furthest needs; where that is too far for a nearer one, off its own."""
    lengths = [_length_s(cells.tail(RARE * (1 - p)), count) for p in ps]
    longest = np.max(lengths, axis=0)
    found = [np.concatenate(c) for c in zip(*(_percentiles(cells, longest, at, ps, terms) for at in _chunks(count, terms)), strict=True)]
    for p, length, values in zip(ps, lengths, found, strict=True):
        place = np.flatnonzero(longest > LONGER * length)
        if place.size:
            some, near = _take(cells, lambda a, place=place: a[place]), length[place]
            values[place] = np.concatenate([_percentiles(some, near, at, [p], terms)[0] for at in _chunks(place.size, terms)])
    return found


def sides_s(distribution: Distribution, p: float, shape: tuple[int, ...] = ()) -> tuple[FloatArray, FloatArray]:
    """The percentile *p* when a fiftieth more, and a fiftieth fewer, of the responses are slower: far apart where the cdf is flat there.

    >>> from perfplan.models.times.distributions import Exponential, Mixture
    >>> low, high = sides_s(Mixture(weights=(0.99, 0.01), parts=(Exponential(mean_s=0.001), Exponential(mean_s=1.0))), 0.99)
    >>> bool(low < 0.01), bool(high > 0.015)
    (True, True)
    """
    low, high = percentiles_s(distribution, (1 - (1 - p) * 1.02, 1 - (1 - p) * 0.98), shape)
    return low, high


def _deep(cells: Any, start_s: FloatArray, p: float) -> FloatArray:
    """The percentile *p* beyond DEEP: where -log of the share beyond a time reaches -log(1 - p), by secants kept in a bracket."""
    wanted, hazard = -np.log1p(-p), -np.log1p(-DEEP)

    def of(t_s: FloatArray) -> FloatArray:
        return -np.log(np.maximum(_exceed(cells, t_s, LEAST / 100), LEAST / 1e4))

    low, at_low = start_s, of(start_s)
    high = low * wanted / hazard
    at_high = of(high)
    for _ in range(60):
        short = at_high < wanted
        if not short.any():
            break
        low, at_low = np.where(short, high, low), np.where(short, at_high, at_low)
        high = np.where(short, high * 1.5, high)
        at_high = of(high)
    for step in range(30):
        part = np.clip((wanted - at_low) / np.maximum(at_high - at_low, 1e-12), 0.02, 0.98) if step % 3 < 2 else 0.5
        t_s = low + (high - low) * part
        found = of(t_s)
        above = found >= wanted
        low, at_low = np.where(above, low, t_s), np.where(above, at_low, found)
        high, at_high = np.where(above, t_s, high), np.where(above, found, at_high)
        if np.all((np.abs(found - wanted) < 1e-4) | (high - low < 1e-3 * low)):
            break
    return np.asarray(np.where(np.abs(at_low - wanted) < np.abs(at_high - wanted), low, high))


def exceeds(
    distribution: Distribution, t_s: Value, shape: tuple[int, ...] = (), *, least: float = LEAST, where: NDArray[np.bool_] | None = None
) -> FloatArray:
    """P(response > *t_s*), within 2 % where it is *least* or more; 1 where saturated, or not asked for: *where* of that shape is false.

    Where parts differ several thousand times in scale, the rare slow ones may be counted whole: the share is then too large, not too small.
    A larger *least* costs less: a share below it is then only known to be so.

    >>> from perfplan.models.times.distributions import Exponential
    >>> float(exceeds(Exponential(mean_s=1.0), 3.0).round(4))  # exp(-3)
    0.0498
    """
    cells, settled, shape = _settled(distribution, shape, where)
    at_s = np.broadcast_to(np.asarray(t_s, dtype=float), shape).ravel()[settled]
    answer = np.ones(settled.shape)
    answer[settled] = _exceed(cells, at_s, least)
    return answer.reshape(shape)


def _exceed(cells: Any, t_s: FloatArray, least: float) -> FloatArray:
    """P(response > *t_s*), level by level: a smaller share with a series that reaches further, and in double precision where single shows.

    Where the further series cannot tell parts of too different scale, the nearer one's share stands, and with it, to be careful, all of the
    branches that it left aside.
    """
    over, length, left = np.zeros(t_s.size), np.zeros(t_s.size), np.zeros(t_s.size)
    place, double = np.arange(t_s.size), np.zeros(t_s.size, dtype=bool)
    for level in LEVELS:
        tail = cells.tail(RARE * level)
        reach, aside, noise = (
            np.broadcast_to(v, t_s.size)
            for v in (_length_s(tail, t_s.size, t_s), np.asarray(tail.left), np.where(np.asarray(tail.sigma) > 0, TABLED, NOISE))
        )
        for precision in (np.float32, np.float64):
            longer = reach[place] > LONGER * length[place]
            shows = (length[place] > 0) & (over[place] < noise[place]) & (least < noise[place])  # single precision, in the share
            some = place[longer & ~shows if precision is np.float32 else shows & (longer | ~double[place])]
            if not some.size:
                continue
            these = cells if some.size == t_s.size else _take(cells, lambda a, some=some: a[some])
            found, doubt = _in_chunks(these, reach[some], t_s[some], least, precision)
            stands = doubt & (length[some] > 0)
            careful = np.minimum(over[some[stands]] + left[some[stands]], 1.0)
            over[some] = found
            over[some[stands]] = careful
            length[some], left[some], double[some] = reach[some], aside[some], precision is np.float64
            place = np.setdiff1d(place, some[stands])
        place = place[over[place] < level]
        if level <= least or not place.size:
            break
    return over


def _in_chunks(
    cells: Any, length: FloatArray, t_s: FloatArray, least: float, precision: Any, terms: int = TERMS_AT, most: int = 0
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """`_exceeds` of all cells, with *most* terms; 0: what so many cells may have."""
    most = most or (MOST_TERMS if t_s.size <= FEW else MANY_TERMS)
    over, doubt = np.empty(t_s.size), np.zeros(t_s.size, dtype=bool)
    for at in _chunks(t_s.size, terms):
        over[at], doubt[at] = _exceeds(cells, length, at, t_s[at], least, terms, precision, most)
    return over, doubt


def _settled(
    distribution: Distribution, shape: tuple[int, ...], where: NDArray[np.bool_] | None = None
) -> tuple[Any, NDArray[np.bool_], tuple[int, ...]]:
    """The cells with a steady state, *where* they are asked for, as one long row, with their places."""
    mean = np.asarray(distribution.mean_s, dtype=float)
    shape = np.broadcast_shapes(mean.shape, shape)
    settled = np.isfinite(np.broadcast_to(mean, shape)).ravel()
    if where is not None:
        settled &= where.ravel()
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
    if names := fields_of(type(value)):
        return type(value)(**{name: _take(getattr(value, name), pick, known) for name in names})
    return pick(value) if isinstance(value, np.ndarray) and value.ndim else value


def _length_s(tail: Tail, count: int, t_s: Value = 0.0) -> FloatArray:
    """Length L of each cell's series: far into its *tail*, and FOLDED scales beyond *t_s*.

    A lognormal tail has no scale: the share beyond 2 L - t is at most a hundredth of that beyond t where 2 L - t is exp(1.2 sigma) t.
    """
    scale, sigma = np.maximum(tail.scale_s, np.sqrt(tail.variance)), np.asarray(tail.sigma)
    heavy = np.where(sigma > 0, (1 + np.exp(1.2 * sigma)) / 2, 0.0)
    longest = np.maximum(np.maximum(tail.mean_s + 7 * scale, t_s + FOLDED * scale), t_s * heavy)
    return np.broadcast_to(np.asarray(longest, dtype=float), count).clip(1e-12)


def _series(cells: Any, length: FloatArray, at: slice, terms: int, precision: Any) -> tuple[FloatArray, FloatArray]:
    """Re phi of a chunk at its frequencies, shape (cells, terms), and the roughness of each cell.

    Roughness is |phi| at the last terms: what the series leaves out. It is small where the density is smooth on the scale L / terms.
    """
    part = cells if at.start == 0 and at.stop >= length.size else _take(cells, lambda a: a[at])
    u = ((np.pi / length[at])[:, None] * np.arange(1, terms + 1)).astype(precision)
    phi = np.broadcast_to(Frequencies(u, part).of(part), u.shape)
    return phi.real, np.abs(phi[:, -8:]).max(axis=1)


def _weights(terms: int, precision: Any) -> FloatArray:
    """Of the terms in the cdf: 2 / (k pi), damped in the second half (an exponential filter), which ends the ringing at kinks."""
    k = np.arange(1, terms + 1)
    return np.asarray(2 / (np.pi * k) * np.exp(-36 * (k / (terms + 1)) ** 16), dtype=precision)


def _percentiles(cells: Any, length: FloatArray, at: slice, ps: Sequence[float], terms: int = TERMS) -> list[FloatArray]:
    """The percentiles *ps* of a chunk of cells; where a cell is too rough for its grid, again with more terms."""
    real, rough = _series(cells, length, at, terms, np.float32 if terms <= TERMS else np.float64)  # single precision is 1e-5 of the cdf
    length = length[at]
    found = _read_off(real, rough, length, ps)
    again = (rough > ROUGH) & (np.min(found, axis=0) < 12 * length / terms)
    unsure = np.flatnonzero((rough > ROUGH) & ~again)
    if unsure.size:
        fewer = _read_off(real[unsure, : terms // 2], rough[unsure], length[unsure], ps)
        differ = [np.abs(few - f[unsure]) > SAME * f[unsure] for few, f in zip(fewer, found, strict=True)]
        again[unsure] = np.any(differ, axis=0)
    if again.any() and terms < MOST_TERMS:
        place = np.flatnonzero(again)
        finer = _take(cells, lambda a: a[at][place])
        parts = [_percentiles(finer, length[place], part, ps, 2 * terms) for part in _chunks(place.size, 2 * terms)]
        for values, columns in zip(found, zip(*parts, strict=True), strict=True):
            values[place] = np.concatenate(columns)
    return found


def _read_off(real: FloatArray, rough: FloatArray, length: FloatArray, ps: Sequence[float]) -> list[FloatArray]:
    """Percentiles of the series with coefficients *real*, on a grid of as many points."""
    from scipy.fft import dst  # light, but not needed to import perfplan

    points = real.shape[1]
    b = real * _weights(points, real.dtype)
    inner = dst(b[:, : points - 1], type=1, axis=1) / 2 + (np.arange(1, points) / points).astype(b.dtype)
    hazard = np.zeros((b.shape[0], points), dtype=b.dtype)
    np.negative(np.log(np.maximum(1 - inner, 1e-12)), out=hazard[:, 1:])  # straight for an exponential tail
    steps = rough > ROUGH  # a series overshoots behind a step: there the least that follows is nearer the truth than the most before
    hazard[steps] = np.minimum.accumulate(hazard[steps, ::-1], axis=1)[:, ::-1]
    np.maximum.accumulate(hazard, axis=1, out=hazard)
    return [_crossing(hazard, -np.log1p(-p)) * length / points for p in ps]


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


def _exceeds(
    cells: Any, length: FloatArray, at: slice, t_s: FloatArray, least: float, terms: int, precision: Any, most: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """P(response > *t_s*) of a chunk of cells, and whether it is in doubt still.

    Again with twice the terms, up to *most*, where the last ones are not small against it and fewer of them say otherwise.
    """
    real, rough = _series(cells, length, at, terms, precision)
    length = length[at]
    x = t_s / length
    waves = powers(turn((np.pi * x[:, None]).astype(precision)), terms).imag
    over = 1 - x - np.einsum("ck,ck->c", waves, real * _weights(terms, precision))
    enough = SAME_SHARE * np.maximum(over, max(least, NOISE if precision is np.float32 else 0.0))
    doubt = (rough > ROUGH) & (t_s < 12 * length / terms)
    unsure = np.flatnonzero(~doubt & ((rough > ROUGH) | (rough > np.pi * terms / 8 * enough)))
    for part, wider in ((3 / 4, 1), (5 / 8, 2.5)) if unsure.size else ():
        few = int(part * terms)
        fewer = 1 - x[unsure] - np.einsum("ck,ck->c", waves[unsure, :few], real[unsure, :few] * _weights(few, precision))
        doubt[unsure] |= np.abs(fewer - over[unsure]) > wider * enough[unsure]
    over = np.asarray(np.clip(over, 0, 1))
    if doubt.any() and terms < most:
        place, finer = np.flatnonzero(doubt), precision if terms < TERMS else np.float64
        over[place], doubt[place] = _in_chunks(
            _take(cells, lambda a: a[at][place]), length[place], t_s[place], least, finer, 2 * terms, most
        )
    return over, doubt
