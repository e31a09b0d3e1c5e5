"""Hit ratios of LRU caches under Zipf popularity: Che's characteristic time.

An item asked for at rate r stays in an LRU cache for a characteristic time T that is nearly the same for all items, so that
it is hit with probability 1 - exp(-r T); T is such that the expected number of items present fills the cache. Requests
are independent draws (no recency beyond popularity). Against exact results the error is below a hundredth for caches of
more than a few dozen items; tiny caches are worse.

Ranks are grouped into classes of geometrically growing width, so that 10^3 and 10^12 items cost the same.

Shapes: arguments broadcast to one shape, such as (worlds, months); classes of popularity are one more axis, the last.

References
----------
Che, Tung, Wang: Hierarchical web caching systems, IEEE JSAC 20 (2002), eq. 4 and 5.
Fricker, Robert, Roberts: A versatile and accurate approximation for LRU cache performance, ITC 24 (2012).
"""

from __future__ import annotations

import numpy as np

from perfplan.quantity import Bytes, Count, FloatArray, Fraction, Ratio, Value

EXACT_RANKS = 64  # the most popular items have a class each
CLASSES = 160  # classes for the rest


def zipf_classes(items: Count, exponent: Ratio) -> tuple[FloatArray, FloatArray]:
    """Number of items and request share of one item, by popularity class; shape (..., classes), shares sum to 1.

    The share of a class is the integral of x^-exponent over its ranks with the midpoint rule at both ends (the
    Euler-Maclaurin sum), exact to 1e-6 of the total.

    >>> count, share = zipf_classes(1e9, 0.8)
    >>> float((count * share).sum().round(9)), float(count.sum())
    (1.0, 1000000000.0)
    """
    n, s = np.broadcast_arrays(np.asarray(items, dtype=float)[..., None], np.asarray(exponent, dtype=float)[..., None])
    n = np.maximum(np.round(n), 1.0)
    head = np.arange(1, EXACT_RANKS + 1, dtype=float)
    present = head <= n  # catalogues smaller than the head leave its classes empty
    top = np.maximum(n, EXACT_RANKS)
    edges = EXACT_RANKS + np.round((top - EXACT_RANKS + 1) ** np.linspace(0, 1, CLASSES + 1) - 1)
    low, high = edges[..., :-1] + 0.5, edges[..., 1:] + 0.5
    tail_count = high - low
    weight = _power_integral(low, high, s) / np.where(tail_count > 0, tail_count, 1.0)
    count = np.concatenate([present.astype(float) + 0 * n, tail_count], axis=-1)
    each = np.concatenate([np.broadcast_to(head**-s, (*count.shape[:-1], EXACT_RANKS)), weight], axis=-1)
    return count, each / (count * each).sum(axis=-1, keepdims=True)


def _power_integral(low: FloatArray, high: FloatArray, s: FloatArray) -> FloatArray:
    """Integral of x^-s from *low* to *high*, also at s = 1."""
    r = 1 - s
    flat = np.abs(r) < 1e-9
    safe = np.where(flat, 1.0, r)
    log = np.log(high / low)
    return np.asarray(np.where(flat, log, low**r * np.expm1(safe * log) / safe))


def characteristic_time(count: FloatArray, share: FloatArray, capacity: Count) -> FloatArray:
    """Che's time, in requests, that an item stays in an LRU cache of *capacity* items; inf where all items fit.

    Solves sum_i count_i (1 - exp(-share_i T)) = capacity by Newton's method on log T from below (the sum is concave).
    """
    room = np.asarray(capacity, dtype=float)[..., None]
    fits = room >= count.sum(axis=-1, keepdims=True) * (1 - 1e-12)
    room = np.where(fits, 0.5 * count.sum(axis=-1, keepdims=True), room)
    t = room * np.ones_like(count[..., :1])  # each request brings at most one item, so T >= capacity
    for _ in range(200):
        left = np.exp(-share * t)
        filled = (count * (1 - left)).sum(axis=-1, keepdims=True)
        step = (room - filled) / (count * share * left).sum(axis=-1, keepdims=True)
        t = t + step
        if np.all(np.abs(step) <= 1e-12 * t):
            break
    return np.asarray(np.where(fits, np.inf, t)[..., 0])


def lru_hit_ratio(items: Count, exponent: Ratio, capacity: Count) -> FloatArray:
    """Stationary hit ratio of an LRU cache of *capacity* items for Zipf popularity of *items* with *exponent*.

    >>> float(lru_hit_ratio(1e6, 0.9, 1e5).round(3)), float(lru_hit_ratio(100, 0.9, 100))
    (0.637, 1.0)
    """
    count, share = zipf_classes(items, exponent)
    t = characteristic_time(count, share, capacity)[..., None]
    with np.errstate(invalid="ignore"):
        hit = (count * share * -np.expm1(-share * np.where(np.isinf(t), 1e300, t))).sum(axis=-1)
    return np.asarray(np.clip(hit, 0.0, 1.0))


def hit_ratio_when_filling(items: Count, exponent: Ratio, capacity: Count, lookups: Count) -> FloatArray:
    """Hit ratio of an LRU cache *lookups* requests after it was empty: until it is full it holds all that were asked for since.

    An item is there with probability 1 - exp(-share x look-ups), as in the steady state with the characteristic time for the look-ups
    (Che 2002, eq. 4), which is when it is full: the hit ratio ends at the steady one.

    >>> full = lru_hit_ratio(1e6, 0.9, 1e5)
    >>> [float(h.round(3)) for h in hit_ratio_when_filling(1e6, 0.9, 1e5, np.array([0.0, 1e5, 1e9]))], float(full.round(3))
    ([0.0, 0.56, 0.637], 0.637)
    """
    count, share = zipf_classes(items, exponent)
    full = characteristic_time(count, share, capacity)
    asked = np.minimum(np.minimum(np.asarray(lookups, dtype=float), full), 1e300)[..., None]
    return np.asarray((count * share * -np.expm1(-share * asked)).sum(axis=-1))


def items_in_memory(memory_bytes: Bytes, item_bytes: Bytes, nodes: Count) -> FloatArray:
    """Items that fit into *nodes* of *memory_bytes* each.

    >>> float(items_in_memory(8e9, 2e3, 3))
    12000000.0
    """
    return np.asarray(nodes * np.asarray(memory_bytes, dtype=float) / item_bytes)


def miss_rate(rate: Value, hit_ratio: Fraction) -> Value:
    """What reaches the origin.

    >>> miss_rate(1000.0, 0.75)
    250.0
    """
    return rate * (1 - np.asarray(hit_ratio)) if isinstance(hit_ratio, np.ndarray) else rate * (1 - hit_ratio)
