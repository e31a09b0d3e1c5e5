"""Small helpers for arrays of worlds x months."""

from __future__ import annotations

import numpy as np

from perfplan.quantity import FloatArray, Value


def count_up(value: Value) -> FloatArray:
    """The next whole number, forgiving rounding noise; infinite stays infinite.

    >>> count_up(3.0000000001), count_up(3.1)
    (array(3.), array(4.))
    """
    return np.asarray(np.ceil(np.asarray(value, dtype=float) - 1e-9))
