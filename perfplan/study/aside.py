"""Promises that nothing keeps: what stands in the way, and what would have to change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan import promises
from perfplan.models.times.contributions import contributions_s
from perfplan.plan import State
from perfplan.plan.paths import EDGE, ROUND_TRIP
from perfplan.plan.uptime import path_availability, tier_availability, visits_of
from perfplan.promises.kind import Counted, Timed
from perfplan.quantity import median
from perfplan.study import Study, once
from perfplan.study.remedy import fullest_fixed
from perfplan.study.sweeps import NO_LOAD
from perfplan.words import duration, listed, share

NOT_KNOWN = "no count and no option that was searched changes it enough", "another target, less demand or other code"
LITTLE = 0.1  # of what a request needs: parts below it are not named


@dataclass(frozen=True, kw_only=True)
class Aside:
    """A promise that nothing keeps: since when, why, and the way out; sentences without capital and stop."""

    name: str
    month: int
    cause: str
    way_out: str


@once
def set_aside(study: Study) -> list[Aside]:
    """The promises that nothing keeps, the first to break first."""
    found = [_aside(study, name, min(months)) for name, months in study.fleet.aside.items()]
    return sorted(found, key=lambda one: (one.month, one.name))


def _aside(study: Study, name: str, month: int) -> Aside:
    objective = study.scenario.objectives[name]
    timed, counted = promises.timed(objective), promises.counted(objective)
    said = _needs(study, timed) if timed else _up(study, counted) if counted else None
    cause, way_out = said or _full(study, month) or NOT_KNOWN
    return Aside(name=name, month=month, cause=cause, way_out=way_out)


def _needs(study: Study, timed: Timed) -> tuple[str, str] | None:
    """What a request needs with nobody else there, where that is more than the target."""
    p, below = median(timed.percentile), median(timed.below_s)
    state = State(study.scenario, study.middle.rps[:1, :1] * NO_LOAD)
    needed = float(state.percentiles_s(timed.journey, (p,))[0][0, 0])
    if needed <= below:
        return None
    names = dict.fromkeys([*state.carried.responses, ROUND_TRIP, EDGE])
    parts = {part: float(values[0]) for part, values in contributions_s(state.carried.journeys[timed.journey], names, (p,)).items()}
    most = sorted((part for part in parts if parts[part] > LITTLE * needed), key=lambda part: -parts[part])
    said = listed([f"{duration(parts[part])} in {part}" for part in most])
    cause = f"with nobody else there {timed.journey} needs {duration(needed)} at p{100 * p:g} ({said}), and {duration(below)} are promised"
    return cause, f"a target above {duration(needed)}, or less time in {most[0]}" if most else f"a target above {duration(needed)}"


def _up(study: Study, counted: Counted) -> tuple[str, str] | None:
    """How much of the time all that a request needs is up, at best, where that is less than the target."""
    state = State(study.scenario, study.middle.rps[:1, :1] * NO_LOAD).carried
    good, best = median(counted.good), float(path_availability(study.scenario, state, counted.journey)[0, 0])
    if best >= good:
        return None
    reached = visits_of(study.scenario, counted.journey, state.hit_ratio)
    down = {
        name: float(np.minimum(median(visits), 1.0) * (1 - np.ravel(tier_availability(study.scenario, state, name))[0]))
        for name, visits in reached.items()
    }
    most = sorted((name for name in down if down[name] > LITTLE * (1 - best)), key=lambda name: -down[name])
    said = listed([f"{name} {share(down[name], 3)}" for name in most])
    cause = f"what {counted.journey} needs is up for {share(best, 4)} at best (lost: {said}), and {share(good, 4)} are promised"
    return cause, f"a target of at most {share(best, 4)}, or an agreement with better figures for {most[0]}" if most else "another target"


def _full(study: Study, month: int) -> tuple[str, str] | None:
    """What is full in the busiest second and cannot be bought."""
    worst, used = fullest_fixed(study, month)
    if used < 1:
        return None
    cause = f"the {worst} is {share(round(used, 2))} used in the busiest second of {study.named(month)}, and cannot be bought"
    return cause, f"{used:.2g} times the {worst}, or less load on it"
