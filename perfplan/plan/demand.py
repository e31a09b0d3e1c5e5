"""What comes: requests per second of each month's busiest hour, and of whole months."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from perfplan.models.growth import grown, load_levels, peak_rps, requests_of_month, usual_week, with_events
from perfplan.quantity import DAY, MONTH, FloatArray, Value, median
from perfplan.record import but
from perfplan.scenario import Scenario

MONTHS = 37  # months 0 .. 36
LEVELS = 32  # load levels of the week


def demand_rps(scenario: Scenario, months: int = MONTHS) -> FloatArray:
    """Requests per second in the busiest hour of each month, events included; shape (worlds, months)."""
    traffic = scenario.traffic
    if traffic.peak_rps is not None:  # stated, or measured, which beats what is stated of users
        now = traffic.peak_rps
    elif traffic.peak_users is not None and traffic.requests_per_user_rps is not None:
        now = peak_rps(traffic.peak_users, traffic.requests_per_user_rps)
    else:
        now = np.nan
    growth = traffic.growth_per_month if traffic.growth_per_month is not None else 0.0
    factors: dict[int, Value] = {}
    for event in traffic.events:
        month = month_index(scenario, event.month)
        factors[month] = factors.get(month, 1.0) * event.factor
    return np.atleast_2d(grown(now, growth, np.arange(months, dtype=float)) * with_events(months, factors))


def today_rps(scenario: Scenario) -> float:
    """Peak hour of the first month without its events, at the median: what "today" means."""
    return median(demand_rps(but(scenario, traffic=but(scenario.traffic, events=())), 1))


def month_factors(scenario: Scenario, months: int = MONTHS) -> FloatArray:
    """Load of a whole month over that of its busiest week, (worlds, months): an event lasts days, its month does not."""
    factors: dict[int, Value] = {}
    for event in scenario.traffic.events:
        part = np.minimum(event.lasts_s / MONTH, 1.0)
        month = month_index(scenario, event.month)
        factors[month] = factors.get(month, 1.0) * (1 + (np.asarray(event.factor, dtype=float) - 1) * part) / event.factor
    return np.atleast_2d(with_events(months, factors))


def week_of(scenario: Scenario) -> FloatArray:
    """Load of each hour of the week over the peak hour's, (168,), Monday first, UTC: the history's, else that of a usual week."""
    return np.asarray(scenario.week if scenario.week is not None else usual_week(), dtype=float)


def peak_seconds(scenario: Scenario) -> float:
    """Seconds at the peak hour's rate that make the requests of a month of the usual week."""
    return float(requests_of_month(1.0, week_of(scenario), MONTH / DAY))


def levels(scenario: Scenario) -> tuple[FloatArray, FloatArray]:
    """Loads of the week over its peak hour's, and the time at each."""
    return load_levels(week_of(scenario), LEVELS)


def per_user_rps(scenario: Scenario) -> Value:
    """Requests that one user sends: as stated, else one in a pause of the journeys, each at its share."""
    if scenario.traffic.requests_per_user_rps is not None:
        return scenario.traffic.requests_per_user_rps
    journeys = scenario.journeys.values()
    return 1 / (sum(j.share * j.think_time_s for j in journeys) / sum(j.share for j in journeys))


def per_user(scenario: Scenario) -> tuple[float, str]:
    """Requests per second of one user at the median, and the field that says so."""
    stated = scenario.traffic.requests_per_user_rps is not None
    return median(per_user_rps(scenario)), "traffic.requests_per_user" if stated else "one in a think_time of the journeys"


def worlds_in(scenario: Scenario) -> int:
    """In how many worlds a scenario was drawn: 1 where nothing in it is uncertain."""
    return max([1, *(int(a.shape[0]) for a in arrays_of(scenario) if a.ndim == 2)])


def arrays_of(value: object) -> Iterator[FloatArray]:
    """Every array in nested records, maps and tuples."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from arrays_of(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from arrays_of(one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from arrays_of(getattr(value, one.name))


def month_index(scenario: Scenario, month: str) -> int:
    """Months from the plan's first month to *month* ("2027-11")."""
    return int((np.datetime64(month, "M") - np.datetime64(str(scenario.as_of)[:7], "M")).astype(int))


def month_names(scenario: Scenario, months: int = MONTHS) -> NDArray[np.datetime64]:
    """The months of the plan."""
    return np.datetime64(str(scenario.as_of)[:7], "M") + np.arange(months).astype("timedelta64[M]")
