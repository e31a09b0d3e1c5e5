"""Service level objectives: error budgets in time and in requests, and what is left of them.

Shapes: arguments broadcast; what comes out has their common shape, such as (worlds, months).

References
----------
Beyer, Jones, Petoff, Murphy: Site Reliability Engineering, 2016, ch. 3 and 4; The Site Reliability Workbook, 2018, ch. 2 and 5.
"""

from __future__ import annotations

import calendar

import numpy as np

from perfplan.quantity import DAY, Count, FloatArray, Fraction, Seconds, Value

DAYS_28, DAYS_30 = 28 * DAY, 30 * DAY


def error_budget_s(target: Fraction, window_s: Seconds = DAYS_30) -> Seconds:
    """Time per window that may fail while an availability *target* still holds.

    >>> round(error_budget_s(0.999) / 60, 9)
    43.2
    """
    return (1 - target) * window_s


def error_budget_requests(target: Fraction, requests: Count) -> Value:
    """Requests of a window that may fail while *target* still holds.

    >>> round(error_budget_requests(0.999, 1_000_000), 6)
    1000.0
    """
    return (1 - target) * requests


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
        return np.asarray(1 - np.asarray(bad_share, dtype=float) / (1 - np.asarray(target, dtype=float)))


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
