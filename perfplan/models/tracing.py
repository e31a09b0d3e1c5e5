"""Sampling of traces: how many are needed for a percentile, and what they take.

Shapes: arguments broadcast; what comes out has their common shape.

References
----------
Serfling: Approximation Theorems of Mathematical Statistics, 1980, sec. 2.3 (quantiles of samples).
"""

from __future__ import annotations

import numpy as np

from perfplan.quantity import Bytes, Fraction, Rps, Seconds, Value

PRECISION = 0.10  # of the share beyond the percentile, one standard error


def samples_needed(percentile: Fraction, precision: Fraction = PRECISION) -> Value:
    """Samples in which the share beyond a percentile has a relative standard error of *precision*: p / ((1 - p) precision^2).

    >>> round(samples_needed(0.99)), round(samples_needed(0.95))
    (9900, 1900)
    """
    return percentile / ((1 - percentile) * precision**2)


def rate_needed(percentile: Fraction, rps: Rps, within_s: Seconds, precision: Fraction = PRECISION) -> Value:
    """Share of the requests to keep, so that *within_s* holds the samples that a percentile needs; 1 where fewer come.

    >>> round(float(rate_needed(0.99, 100.0, 3600.0)), 6)
    0.0275
    """
    return np.minimum(samples_needed(percentile, precision) / np.maximum(np.asarray(rps, dtype=float) * within_s, 1e-300), 1.0)


def stored_bytes(kept_rps: Rps, spans: Value, span_bytes: Bytes, retention_s: Seconds) -> Value:
    """What traces take that are kept for *retention_s*.

    >>> stored_bytes(10.0, 20.0, 500.0, 7 * 86400.0) / 1e9
    60.48
    """
    return kept_rps * spans * span_bytes * retention_s
