"""How many servers, nodes and connections a load needs, and when what there is runs out.

Symbols: a offered load in erlang (rate x time a server is busy per request).

Shapes: counts and limits broadcast, such as (worlds, months); months are over (worlds,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perfplan.models.arrays import count_up
from perfplan.quantity import Count, FloatArray, Fraction, Value


def nodes_needed(load: Value, servers_per_node: Count, limit: Fraction, spare: int = 0) -> FloatArray:
    """Nodes that keep utilization at *limit* or below, and below 1 with *spare* of them lost (N + spare).

    >>> float(nodes_needed(30.0, 4, 0.75)), float(nodes_needed(3.9, 4, 0.99, spare=1))
    (10.0, 3.0)
    """
    per_node = np.asarray(load, dtype=float) / servers_per_node
    steady = count_up(per_node / limit)
    lost = count_up(per_node / SPARE_LIMIT) + spare if spare else 0.0
    return np.maximum(np.maximum(steady, lost), 1.0)


SPARE_LIMIT = 0.95  # utilization of those that remain when one is lost: busy, but not saturated


def usable_limit(nodes: Count, limit: Fraction, spare: int = 0) -> FloatArray:
    """Highest utilization of *nodes* at which *limit* and N + *spare* both hold.

    >>> float(usable_limit(2, 0.75, spare=1)), float(usable_limit(100, 0.75, spare=1))
    (0.475, 0.75)
    """
    n = np.asarray(nodes, dtype=float)
    return np.asarray(np.minimum(limit, SPARE_LIMIT * np.maximum(n - spare, 0) / n) if spare else np.minimum(limit, 1.0) + 0 * n)


def first_month(over: NDArray[np.bool_]) -> FloatArray:
    """Index of the first month in which *over* is true, shape (worlds,); inf where it never is.

    >>> first_month(np.array([[False, True, True], [False, False, False]]))
    array([ 1., inf])
    """
    return np.where(over.any(axis=-1), over.argmax(axis=-1), np.inf)


def month_quantile(months: FloatArray, p: float) -> float:
    """The month by which a share *p* of the worlds has run out; inf where fewer ever do.

    >>> month_quantile(np.array([3.0, 5.0, np.inf, np.inf]), 0.5), month_quantile(np.array([3.0, 5.0, np.inf]), 0.9)
    (5.0, inf)
    """
    ordered = np.sort(months)
    return float(ordered[min(int(np.ceil(p * ordered.size - 1e-9)) - 1, ordered.size - 1)]) if ordered.size else float("inf")
