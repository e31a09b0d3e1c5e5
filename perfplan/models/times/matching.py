"""Phase-type laws with the moments of others.

Hyperexponential with three moments where the squared coefficient of variation (scv) is above 1, with two (balanced means) where no such
law has the third; a mixture of Erlangs of k - 1 and k phases below 1 (two moments). What stands for more of a law is in `fitting`.

Shapes: numbers.

References
----------
Whitt: Approximating a point process by a renewal process, Oper. Res. 30 (1982) (three moments). Tijms: A First Course in
Stochastic Models, 2003, appendix B (mixtures of Erlangs).
"""

from __future__ import annotations

import math

import numpy as np

from perfplan.models.times.phase import PhaseType


def match(mean_s: float, scv: float, third: float | None = None) -> PhaseType:
    """Phase-type law of this mean and *scv*, and of the *third* moment E X^3 where it is given and can be had.

    >>> match(1.0, 4.0).scv, match(1.0, 0.3).scv, match(2.0, 1.0).mean_s
    (4.0, 0.3, 2.0)
    """
    if scv < 1 - 1e-9:
        return _erlangs(mean_s, scv)
    found = _three_moments(mean_s, mean_s**2 * (1 + scv), third) if third is not None else None
    if found is not None:
        return found
    if scv <= 1 + 1e-9:
        return PhaseType.exponential(mean_s)
    p = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
    return PhaseType.hyperexponential(np.array([p, 1 - p]), np.array([2 * p, 2 * (1 - p)]) / mean_s)


def _erlangs(mean_s: float, scv: float) -> PhaseType:
    k = math.ceil(1 / scv - 1e-9)
    skip = (k * scv - math.sqrt(max(k * (1 + scv) - k * k * scv, 0.0))) / (1 + scv)
    rate = (k - skip) / mean_s
    start = np.zeros(k)
    start[0], start[1] = 1 - skip, skip
    return PhaseType(start, rate * (np.eye(k, k=1) - np.eye(k)))


def _three_moments(first: float, second: float, third: float) -> PhaseType | None:
    """Two exponential phases: their means are the roots of z^2 - a z + b with m3/6 = a m2/2 - b m1, m2/2 = a m1 - b."""
    one, two, three = first, second / 2, third / 6
    spread = two - one * one
    if spread <= 0:
        return None
    a = (three - one * two) / spread
    b = a * one - two
    root = a * a - 4 * b
    if root <= 0 or b <= 0:
        return None
    slow, fast = (a + math.sqrt(root)) / 2, (a - math.sqrt(root)) / 2
    p = (one - fast) / (slow - fast)
    return PhaseType.hyperexponential(np.array([p, 1 - p]), np.array([1 / slow, 1 / fast])) if 0 < p < 1 else None
