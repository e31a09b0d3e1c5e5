"""Burn-rate alerts at the traffic that is there: when they fire, when they stop, and how often they fire for nothing.

An alert has a long window and a short one, and fires while the share of bad requests is above a limit in both.

Shapes: arguments broadcast; what comes out has their common shape, such as (168,) by hour of the week.

References
----------
Beyer et al.: The Site Reliability Workbook, 2018, ch. 5 (detection time, reset time, low-traffic services).
Glaz, Naus, Wallenstein: Scan Statistics, 2001, ch. 2 (counts in a window that slides over a Poisson process).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from perfplan.quantity import FloatArray, Fraction, Rps, Seconds, Value


def detection_s(limit: Fraction, long_s: Seconds, bad: Fraction, usual: Fraction = 0.0) -> FloatArray:
    """Time from the start of an incident in which *bad* of the requests fail until the alert fires; inf where it never does.

    The long window decides: long x (limit - usual) / (bad - usual), *usual* of the requests failing before.

    >>> [round(float(detection_s(14.4 * 0.001, 3600.0, bad)) / 60, 3) for bad in (1.0, 0.1, 0.01)]
    [0.864, 8.64, inf]
    """
    bad, usual = np.asarray(bad, dtype=float), np.asarray(usual, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = long_s * np.maximum(limit - usual, 0.0) / (bad - usual)
    return np.where(bad > limit, found, np.inf)


def reset_s(limit: Fraction, short_s: Seconds, bad: Fraction) -> FloatArray:
    """Time from the end of an incident that filled the short window until the alert stops: short x (1 - limit / bad).

    >>> round(float(reset_s(0.0144, 300.0, 1.0)), 2)
    295.68
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(bad) > limit, short_s * (1 - limit / np.asarray(bad, dtype=float)), 0.0))


def failures_needed(limit: Fraction, window_s: Seconds, rps: Rps, least: Value = 1.0) -> FloatArray:
    """Fewest bad requests in a window that are above the limit, and at least *least*.

    >>> float(failures_needed(14.4 * 0.001, 3600.0, 50 / 3600)), float(failures_needed(14.4 * 0.001, 3600.0, 1000.0))
    (1.0, 51841.0)
    """
    return np.asarray(np.maximum(np.floor(limit * np.asarray(rps, dtype=float) * window_s * (1 + 1e-12)) + 1, least))


def false_alerts(failing_rps: Value, needed: tuple[Value, Value], windows_s: tuple[Seconds, Seconds], lasts_s: Seconds) -> FloatArray:
    """Expected number of times in *lasts_s* that an alert starts to fire, failures coming one by one (Poisson) at *failing_rps*; *needed*
    and *windows_s*: of the long and the short window.

    It starts only with a failure, and does so where the counts before it are one short: rate x (P(L >= l - 1, S >= s - 1) - P(L >= l,
    S >= s)), L and S the Poisson counts of both windows. Exact for traffic that is even within the long window.

    >>> round(float(false_alerts(0.025 / 3600, (1.0, 1.0), (3600.0, 300.0), 30 * 86400.0)), 2)  # most of the 18 failures of 30 days
    17.96
    """
    rate, long, short = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (failing_rps, *needed)))
    inside, outside = rate * windows_s[1], rate * (windows_s[0] - windows_s[1])
    return np.asarray(rate * lasts_s * (_both(inside, outside, short - 1, long - 1) - _both(inside, outside, short, long)))


CELLS = 2048  # counts of the short window that are looked at one by one; where there are more, every second, third, ... stands for its like


def _both(inside: FloatArray, outside: FloatArray, short: FloatArray, long: FloatArray) -> FloatArray:
    """P(S >= short and S + R >= long), S and R Poisson with means *inside* and *outside*."""
    last = np.maximum(long - 1, short - 1)  # beyond it S alone is enough
    least = np.maximum(poisson.ppf(1e-15, inside), short)
    counts = np.minimum(poisson.ppf(1 - 1e-15, inside), last) - least + 1
    found, stride = poisson.sf(last, inside), np.ceil(np.maximum(counts, 1) / CELLS)
    for step in range(int(np.ceil(np.max(counts / stride, initial=0.0)))):
        at = least + np.floor((step + 0.5) * stride)
        like = np.clip(counts - step * stride, 0.0, stride)
        found = found + like * poisson.pmf(at, inside) * poisson.sf(long - at - 1, outside)
    return np.asarray(found)
