"""Demand over time: users to requests, growth by month, planned events, the week's load levels.

Symbols: m months from the plan's first month.

Shapes: arguments broadcast, such as (worlds, 1) with (months,) to (worlds, months); a week is (168,), its levels (levels,).
"""

from __future__ import annotations

import numpy as np

from perfplan.quantity import HOUR, Count, FloatArray, Growth, Ratio, Rps, Value


def peak_rps(users: Count, requests_per_user_rps: Rps) -> Rps:
    """Requests per second in the busiest hour: users x requests per user.

    >>> round(peak_rps(60_000, 2 / 60), 9)  # 60,000 users x 2 a minute / 60
    2000.0
    """
    return users * requests_per_user_rps


def grown(value: Value, growth_per_month: Growth, months: Value) -> FloatArray:
    """A value after *months* of steady growth, compounded.

    >>> float(grown(100.0, 0.02, 12).round(2))
    126.82
    """
    return np.asarray(value * (1 + np.asarray(growth_per_month, dtype=float)) ** months)


def with_events(months: int, factors: dict[int, Ratio]) -> FloatArray:
    """Factor of each month's peak, shape (months,) or (worlds, months), from factors by month.

    >>> with_events(4, {2: 1.5})
    array([1. , 1. , 1.5, 1. ])
    """
    shape = np.broadcast_shapes((months,), *(np.broadcast_shapes(np.shape(f), (months,)) for f in factors.values()))
    all_months = np.ones(shape)
    for month, factor in factors.items():
        if 0 <= month < months:
            all_months[..., month : month + 1] *= np.asarray(factor, dtype=float).reshape(np.shape(factor) or (1,))
    return all_months


def concurrent_users(rps: Rps, response_s: Value, think_s: Value) -> FloatArray:
    """Users active at once: rate x (response + think time), by Little's law.

    >>> float(concurrent_users(2000.0, 0.2, 29.8))
    60000.0
    """
    return np.asarray(rps * (np.asarray(response_s, dtype=float) + think_s))


def in_flight(rps: Rps, response_s: Value) -> FloatArray:
    """Requests in the system at once: rate x response time, by Little's law.

    >>> float(in_flight(2000.0, 0.2))
    400.0
    """
    return np.asarray(rps * np.asarray(response_s, dtype=float))


def burst_backlog(rps: Rps, capacity_rps: Rps, burst: Ratio, burst_s: Value) -> FloatArray:
    """Requests waiting after a burst of *burst* times the rate for *burst_s* seconds: what comes above capacity (fluid).

    >>> float(burst_backlog(1000.0, 1200.0, 1.5, 10.0))
    3000.0
    """
    return np.maximum(np.asarray(rps * np.asarray(burst, dtype=float) - capacity_rps) * burst_s, 0.0)


def load_levels(week: FloatArray, levels: int = 32) -> tuple[FloatArray, FloatArray]:
    """At most *levels* load levels of a week (168 hours, relative to the busiest) and the share of time at each.

    Hours are sorted and cut into groups of equal count, but the busiest hours stand alone: slow requests are made there.

    >>> level, share = load_levels(np.ones(168))
    >>> bool(level.max() == 1.0), round(float(share.sum()), 9)
    (True, 1.0)
    """
    hours = np.sort(np.asarray(week, dtype=float))[::-1]
    alone = levels // 2
    rest = np.array_split(hours[alone:], levels - alone)
    level = np.concatenate([hours[:alone], [group.mean() for group in rest]])
    share = np.concatenate([np.ones(alone), [group.size for group in rest]]) / hours.size
    return level, share


def usual_week() -> FloatArray:
    """The week of a consumer service where no history is given: quiet nights, an evening peak, busier Fridays.

    Shape (168,), Monday 0 h first, busiest hour 1. A sine of the day and a factor of the day of the week: a default,
    to be replaced by a history file.

    >>> usual_week().max(), usual_week().shape
    (np.float64(1.0), (168,))
    """
    hour = np.arange(24)
    day = 0.55 + 0.45 * np.cos((hour - 20) * 2 * np.pi / 24) - 0.08 * np.cos((hour - 14) * 4 * np.pi / 24)
    week = np.outer([0.90, 0.91, 0.92, 0.94, 1.00, 0.93, 0.88], day).ravel()
    return np.asarray(week / week.max())


def requests_of_month(peak_rps: Rps, week: FloatArray, days: float) -> FloatArray:
    """Requests in *days* days whose weeks have this shape and this peak.

    >>> float(requests_of_month(100.0, np.ones(168), 30.0))
    259200000.0
    """
    return np.asarray(peak_rps * float(np.mean(week)) * days * 24 * HOUR)
