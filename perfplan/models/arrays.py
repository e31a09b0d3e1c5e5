"""Small helpers for arrays of worlds x months, and for models of one cell that are asked for many.

Shapes: arguments broadcast; what comes out has their common shape, such as (worlds, months).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from perfplan.quantity import FloatArray, Value


def count_up(value: Value) -> FloatArray:
    """The next whole number, forgiving rounding noise; infinite stays infinite.

    >>> count_up(3.0000000001), count_up(3.1)
    (array(3.), array(4.))
    """
    return np.asarray(np.ceil(np.asarray(value, dtype=float) - 1e-9))


class Saturated(ValueError):
    """There is no steady state: servers would have to be busy all the time, or longer."""


def check_steady(utilization: float) -> None:
    """Raise `Saturated` unless *utilization* is below 1."""
    if not utilization < 1:
        raise Saturated(f"utilization must be below 1 for a steady state; got {utilization:g}")


def each(question: Callable[..., float], *arguments: Value) -> FloatArray:
    """*question*, of numbers, for every cell of *arguments*, broadcast: such as worlds x months; inf where it is `Saturated`.

    Cells of the same numbers are asked once; models that solve a queue take milliseconds to seconds a cell.

    >>> def mean_s(rate, service_s):  # M/M/1
    ...     check_steady(rate * service_s)
    ...     return service_s / (1 - rate * service_s)
    >>> each(mean_s, np.array([[0.25], [0.5]]), np.array([1.0, 2.0])).round(3).tolist()
    [[1.333, 4.0], [2.0, inf]]
    """
    cells = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in arguments))
    rows, place = np.unique(np.stack([cell.ravel() for cell in cells], axis=1), axis=0, return_inverse=True)
    found = np.empty(rows.shape[0])
    for i, row in enumerate(rows):
        try:
            found[i] = question(*row.tolist())
        except Saturated:
            found[i] = np.inf
    return np.asarray(found[place.ravel()].reshape(cells[0].shape))


def remembered(function: Callable[..., FloatArray], size: int = 64) -> Callable[..., FloatArray]:
    """*function* of arrays that keeps its last *size* answers: the same numbers are not worked out again.

    >>> square = remembered(lambda x: np.square(x))
    >>> square(3.0) is square(3.0)
    True
    """
    known: dict[tuple[tuple[tuple[int, ...], bytes], ...], FloatArray] = {}

    @functools.wraps(function)
    def ask(*arguments: Value) -> FloatArray:
        key = tuple((np.shape(a), np.asarray(a, dtype=float).tobytes()) for a in arguments)
        if key not in known:
            if len(known) >= size:
                del known[next(iter(known))]
            known[key] = function(*arguments)
            known[key].setflags(write=False)
        return known[key]

    return ask
