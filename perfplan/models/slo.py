"""Service level objectives: windows, error budgets in time, in requests and in slices of time, and what is left of them.

Shapes: arguments broadcast; what comes out has their common shape, such as (worlds, months). Budgets of single numbers are computed in
decimals: 99.9 % of 30 days leave 43.2 minutes, not 43.200000000000038.

References
----------
Beyer, Jones, Petoff, Murphy: Site Reliability Engineering, 2016, ch. 3 and 4; The Site Reliability Workbook, 2018, ch. 2 and 5.
OpenSLO specification v1, budgeting methods Occurrences, Timeslices and RatioTimeslices.
"""

from __future__ import annotations

import calendar
import datetime
from decimal import Decimal
from typing import Final

import numpy as np

from perfplan.quantity import DAY, HOUR, Count, FloatArray, Fraction, Seconds, Value

DAYS_28, DAYS_30 = 28 * DAY, 30 * DAY
ROLLING: Final = {"7 days": 7, "28 days": 28, "30 days": 30, "90 days": 90}
MONTH, QUARTER = "month", "quarter"  # of the calendar
WINDOWS = (*ROLLING, MONTH, QUARTER)
OCCURRENCES, SLICES, RATIO = "occurrences", "time slices", "ratio of time slices"
BUDGETINGS = (OCCURRENCES, SLICES, RATIO)


def window_start(window: str, day: datetime.date) -> datetime.date:
    """First day of a window of WINDOWS that ends with *day*, or of the month or quarter that *day* lies in.

    >>> str(window_start("28 days", datetime.date(2026, 11, 28))), str(window_start("quarter", datetime.date(2026, 11, 28)))
    ('2026-11-01', '2026-10-01')
    """
    if window in ROLLING:
        return day - datetime.timedelta(days=ROLLING[window] - 1)
    return day.replace(day=1, month=day.month if window == MONTH else (day.month - 1) // 3 * 3 + 1)


def window_days(window: str, day: datetime.date) -> int:
    """Days of a window; of a month or quarter, of the one that *day* lies in.

    >>> [window_days(window, datetime.date(2027, 2, 3)) for window in ("7 days", "month", "quarter")]
    [7, 28, 90]
    """
    if window in ROLLING:
        return ROLLING[window]
    first = window_start(window, day)
    months = range(first.month, first.month + (1 if window == MONTH else 3))
    return sum(calendar.monthrange(first.year, month)[1] for month in months)


def complement(share: Fraction) -> Value:
    """What a share leaves of 1, of single numbers as if written in decimals.

    >>> 1 - 0.999, complement(0.999), complement(1 - 0.999)
    (0.0010000000000000009, 0.001, 0.999)
    """
    return float(1 - Decimal(repr(float(share)))) if np.ndim(share) == 0 else np.asarray(1 - np.asarray(share))


def error_budget_s(target: Fraction, window_s: Seconds = DAYS_30) -> Seconds:
    """Time per window that may fail while an availability *target* still holds.

    >>> error_budget_s(0.999) / 60, error_budget_s(0.9995, 90 * DAY) / 60
    (43.2, 64.8)
    """
    return _times(target, window_s)


def error_budget_requests(target: Fraction, requests: Count) -> Value:
    """Requests of a window that may fail while *target* still holds.

    >>> error_budget_requests(0.999, 1_000_000)
    1000.0
    """
    return _times(target, requests)


def _times(target: Fraction, whole: Value) -> Value:
    if np.ndim(target) or np.ndim(whole):
        return np.asarray(complement(target)) * whole
    return float((1 - Decimal(repr(float(target)))) * Decimal(repr(float(whole))))


def month_s(year: int, month: int) -> Seconds:
    """Length of a calendar month.

    >>> month_s(2027, 2) / DAY
    28.0
    """
    return calendar.monthrange(year, month)[1] * DAY


def budget_left(target: Fraction, bad_share: Fraction) -> FloatArray:
    """Share of the error budget that remains when *bad_share* of all requests fail; below 0 when overspent.

    >>> float(budget_left(0.999, 0.0004).round(9))
    0.6
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - np.asarray(bad_share, dtype=float) / np.asarray(complement(target), dtype=float))


def burn_rate(spent: Fraction, alert_window_s: Seconds, window_s: Seconds = DAYS_30) -> Value:
    """How many times faster than even a budget goes when a share *spent* of it goes within *alert_window_s*.

    spent x window / alert window (The Site Reliability Workbook, ch. 5, table 5-2).

    >>> round(burn_rate(0.02, 3600), 9), round(burn_rate(0.05, 6 * 3600), 9), round(burn_rate(0.10, 3 * DAY), 9)
    (14.4, 6.0, 1.0)
    """
    return spent * window_s / alert_window_s


def binding_error_limit(error_limit: float, availability: float) -> float:
    """The stricter of an error-rate target and an availability target counted in requests.

    >>> binding_error_limit(0.01, 0.999)  # 1 % of errors would break 99.9 %
    0.001
    """
    return min(error_limit, round(1 - availability, 12))


# ---- what is counted as bad ----


def bad_share(method: str, bad: FloatArray, total: FloatArray, slice_good: Fraction = 1.0) -> FloatArray:
    """Share of a window that is bad, of *bad* of *total* events in slices of time along the last axis.

    Occurrences: of all events. Time slices: of the slices with events, those in which fewer than *slice_good* are good. Ratio of time
    slices: the mean share over the slices with events. Without any event: 0.

    >>> bad, total = np.array([0.0, 90.0, 0.0, 0.0]), np.array([10.0, 90.0, 0.0, 100.0])
    >>> [round(float(bad_share(method, bad, total, 0.9)), 4) for method in BUDGETINGS]
    [0.45, 0.3333, 0.3333]
    """
    there = total > 0
    if method == OCCURRENCES:
        return np.asarray(bad.sum(axis=-1) / np.maximum(total.sum(axis=-1), 1e-300))
    shares = np.divide(bad, total, out=np.zeros_like(total, dtype=float), where=there)
    counted = shares if method == RATIO else (shares > complement(slice_good) * (1 + 1e-9) + 1e-15).astype(float)
    return np.asarray((counted * there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def outage_share(method: str, target: Fraction, during: Fraction, usual: Fraction = 0.0, weight: Value = 1.0) -> Value:
    """Share of a window's time that an outage may last until the whole budget is spent, *during* of the requests failing in it and
    *usual* of them else; of occurrences with *weight* times as much traffic in it as on average.

    Time slices: the budget, whatever fails in them. Else (budget - usual) / (during - usual), over the weight where events are counted.

    >>> hours = 336  # two weeks at 95 %, 1 % failing as usual and 99 % in the outage: the worked example of OpenSLO
    >>> [round(float(outage_share(method, 0.95, 0.99, 0.01)) * hours, 4) for method in (SLICES, RATIO)]
    [16.8, 13.7143]
    """
    budget = complement(target)
    if method == SLICES:
        return budget
    left = np.maximum(np.asarray(budget) - usual, 0.0) / np.maximum(np.asarray(during) - usual, 1e-300)
    return np.minimum(left / (weight if method == OCCURRENCES else 1.0), 1.0)


DAYS_ENOUGH = 7  # from which the sums of days are what varies; of hours before


def bad_share_error(method: str, at_s: FloatArray, bad: FloatArray, total: FloatArray, slice_good: Fraction = 1.0) -> float:
    """Standard error of `bad_share` of one row of slices at *at_s*: failures come together, so it is that of a ratio of the sums of days
    (of hours, where there are fewer than seven days), and no less than of as many failures one by one (Cochran, Sampling Techniques, 1977,
    eq. 2.46).

    >>> at, total = np.arange(10) * DAY, np.full(10, 1000.0)
    >>> round(bad_share_error(OCCURRENCES, at, np.array([0.0, 20.0] * 5), total), 5)  # 0.01, half of the days twice as bad
    0.00333
    """
    starts = np.flatnonzero(np.diff(np.floor(at_s / (DAY if at_s[-1] - at_s[0] >= DAYS_ENOUGH * DAY else HOUR)), prepend=-1.0))
    there = total > 0
    weight = np.asarray(total if method == OCCURRENCES else there, dtype=float)
    shares = np.divide(bad, total, out=np.zeros_like(total, dtype=float), where=there)
    failed = weight * (shares if method != SLICES else shares > complement(slice_good) * (1 + 1e-9) + 1e-15)
    failed, weight = np.add.reduceat(failed, starts), np.add.reduceat(weight, starts)
    whole, count = float(weight.sum()), starts.size
    if not whole > 0:
        return 1.0
    p = float(failed.sum()) / whole
    between = float(np.sqrt(count / max(count - 1, 1) * ((failed - p * weight) ** 2).sum())) / whole
    return max(between, float(np.sqrt(max(p * (1 - p), 1 / whole) / whole)))  # where none has failed: as if one of all had
