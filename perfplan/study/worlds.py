"""Plans over many worlds: when things run out, from when a promise breaks, how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from perfplan.models.capacity import first_month, month_quantile
from perfplan.models.times.frequencies import fields_of
from perfplan.plan import MONTHS, Plan, Resource, until
from perfplan.quantity import FloatArray, median
from perfplan.record import but
from perfplan.scenario import Scenario

T = TypeVar("T")
SHOWN = (0, 6, 12, 24, 36)  # months whose percentiles are computed in all worlds, and whose numbers are kept
ASKED = (6, 12, 36)  # those that the checklist asks for: half a year, one year, three


@dataclass(frozen=True, kw_only=True)
class RunOut:
    """The month in which a resource passes its limit with today's count."""

    resource: Resource
    months: FloatArray  # (worlds,), inf where it lasts

    def quantile(self, p: float) -> float:
        """Month by which a share *p* of the worlds has run out; inf where fewer do within the plan."""
        return month_quantile(self.months, p)


def confidence(scenario: Scenario) -> float:
    """The highest confidence that an objective asks for."""
    return max(median(one.confidence) for one in scenario.objectives.values())


def horizon(scenario: Scenario, months: int = MONTHS) -> int:
    """The last month up to which an objective must hold."""
    return min(max(until(o) for o in scenario.objectives.values()), months - 1)


def take_worlds(scenario: Scenario, count: int) -> Scenario:
    """The first *count* worlds of a drawn scenario."""
    return cast(Scenario, _each_array(scenario, lambda a: a[:count] if a.ndim == 2 else a))


def pick_worlds(value: T, at: NDArray[np.intp]) -> T:
    """The worlds *at* of whatever holds drawn numbers: a scenario, a record, a tuple of them."""
    return cast(T, _each_array(value, lambda a: a[at] if a.ndim == 2 and a.shape[0] > 1 else a))


def at_medians(scenario: Scenario) -> Scenario:
    """One world: of each number that was drawn the median of its draws."""
    return cast(Scenario, _each_array(scenario, lambda a: np.median(a, axis=0, keepdims=True) if a.ndim == 2 else a))


def _each_array(value: Any, change: Callable[[FloatArray], FloatArray]) -> Any:
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, Mapping):
        return {k: _each_array(v, change) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_each_array(v, change) for v in value)
    if names := fields_of(type(value)):
        return but(value, **{name: _each_array(getattr(value, name), change) for name in names})
    return value


def run_outs(made: Plan) -> list[RunOut]:
    """Every resource with the month it runs out, the first (at the median, then at P5) first."""
    found = [RunOut(resource=one, months=first_month(one.utilization > one.limit)) for one in made.resources.values()]

    def soonest(out: RunOut) -> tuple[float, float, float]:
        used = out.resource.utilization[:, 0] / np.maximum(np.broadcast_to(out.resource.limit, out.resource.utilization.shape)[:, 0], 1e-9)
        return out.quantile(0.5), out.quantile(0.05), -median(used)

    return sorted(found, key=soonest)


def broken_from(made: Plan) -> FloatArray:
    """First month in which some objective does not hold, (worlds,); inf where all hold to the end."""
    return first_month(~made.all_hold)


def sampling_error(p: float, worlds: int) -> float:
    """Half width of the 95 % interval of a share *p* of *worlds* (at most: the draws are stratified).

    >>> round(sampling_error(0.5, 2000), 4)
    0.0219
    """
    return 1.96 * float(np.sqrt(max(p * (1 - p), 1 / worlds) / worlds))
