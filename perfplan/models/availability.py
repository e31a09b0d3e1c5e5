"""Availability of redundant nodes and of paths through tiers. Failures are independent; what is shared is stated apart.

Shapes: arguments broadcast; what comes out has their common shape, such as (worlds, months).

References
----------
Trivedi, Bobbio: Reliability and Availability Engineering, 2017, sections 4.2 and 9.2.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from perfplan.quantity import Count, FloatArray, Fraction, Seconds, Value


def k_of_n(needed: Count, nodes: Count, node_availability: Fraction) -> FloatArray:
    """Probability that at least *needed* of *nodes* independent nodes are up (the binomial tail as a regularised
    incomplete beta function); 0 where more are needed.

    >>> float(k_of_n(1, 2, 0.99).round(6)), float(k_of_n(3, 2, 0.99))
    (0.9999, 0.0)
    """
    k, n, p = np.broadcast_arrays(
        np.ceil(np.asarray(needed, dtype=float) - 1e-9), np.asarray(nodes, dtype=float), np.asarray(node_availability, dtype=float)
    )
    inside = (k >= 1) & (k <= n)
    up = betainc(np.where(inside, k, 1), np.where(inside, n - k + 1, 1), p)
    return np.where(k > n, 0.0, np.where(k < 1, 1.0, up))


def downtime_s(rng: np.random.Generator, unavailable: Value, outage_s: Seconds, window_s: Seconds) -> FloatArray:
    """Time down within a window, drawn: outages come at random (Poisson) and last an exponential time, so often that the mean share of time
    down is *unavailable*; a compound Poisson law. Its mean is unavailable x window, its variance 2 x outage x mean.

    >>> down = downtime_s(np.random.default_rng(1), np.full(200_000, 0.001), 600.0, 28 * 86400.0)
    >>> round(float(down.mean() / (28 * 86400.0)), 5), round(float((down == 0).mean()), 2)
    (0.001, 0.02)
    """
    share, mean = np.broadcast_arrays(np.asarray(unavailable, dtype=float), np.asarray(outage_s, dtype=float))
    times = rng.poisson(np.clip(share, 0.0, 1.0) * window_s / np.maximum(mean, 1e-9))
    return np.asarray(np.minimum(rng.standard_gamma(np.maximum(times, 1)) * np.where(times > 0, mean, 0.0), window_s))


def until_failure(calls: Value, fails: Fraction) -> tuple[FloatArray, FloatArray]:
    """Calls that are made, one after the other, until one fails with probability *fails* (a geometric law cut off at *calls*), and the
    probability that none does; what is left over of a whole number of *calls* is one more call with that probability.

    >>> [float(v.round(6)) for v in until_failure(8, 0.5)], [float(v) for v in until_failure(1.5, 0.0)]
    ([1.992188, 0.003906], [1.5, 1.0])
    """
    n, q = np.broadcast_arrays(np.asarray(calls, dtype=float), np.asarray(fails, dtype=float))
    whole = np.floor(n + 1e-9)
    rest, some = np.maximum(n - whole, 0.0), np.where(q > 0, q, 1.0)
    through = np.where(whole > 0, (1 - q) ** whole, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # as 1 - (1 - q)^n of a small q
        failed = np.where(whole > 0, -np.expm1(whole * np.log1p(-q)), 0.0)
    return np.where(q > 0, failed / some, whole) + through * rest, through * (1 - rest * q)


def in_series(*availabilities: Value) -> FloatArray:
    """Availability of a path that needs every one of its tiers.

    >>> float(in_series(0.999, 0.9995).round(7))
    0.9985005
    """
    path: FloatArray = np.asarray(1.0)
    for one in availabilities:
        path = path * np.asarray(one)
    return path
