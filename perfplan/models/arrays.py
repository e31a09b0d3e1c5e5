"""Small helpers for arrays of worlds x months."""

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
