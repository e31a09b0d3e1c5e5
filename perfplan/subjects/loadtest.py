"""The stages of a load test round the predicted knee: what the script runs, the table lists and the figure draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.models.times.latency import percentiles_s
from perfplan.promises import timed
from perfplan.quantity import HOUR, MINUTE, FloatArray, median
from perfplan.study import Study
from perfplan.study.inside import law, seen
from perfplan.study.sweeps import steady_knee, steadys_knee, todays_knee
from perfplan.words import number, share


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage: rates that are reached one after the other, each with the time it takes to get there; one rate is held all along."""

    name: str
    steps: tuple[tuple[float, float], ...]  # (requests a second, seconds)
    why: str
    proves: str

    @property
    def most_rps(self) -> float:
        """The highest rate in it."""
        return max(rps for rps, _ in self.steps)

    @property
    def constant(self) -> bool:
        """Whether its rate does not change."""
        return len(self.steps) == 1

    @property
    def lasts_s(self) -> float:
        """How long it takes."""
        return sum(seconds for _, seconds in self.steps)


SMOKE, SOAK = 0.01, 0.8  # of today's peak hour
LOW, HIGH = 0.8, 1.2  # of the knee, from and to which the stress runs
TREADS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)  # its steps: in one of them the first promise breaks
STEP_S, JUMP_S = 100.0, 1.0  # how long each is held, and the way to it


def stages(study: Study) -> list[Stage]:
    """The stages of today's fleet."""
    found, knee = steadys_knee(study), steady_knee(study)
    today, second = found.peak_rps, found.second_rps
    burst_s, times = float(study.scenario.traffic.burst_s), float(study.scenario.traffic.peak_second)
    return [
        Stage(
            name="smoke",
            steps=((max(1.0, SMOKE * today), MINUTE),),
            why=f"{share(SMOKE)} of today's peak hour",
            proves="every journey answers",
        ),
        Stage(
            name="load",
            steps=((today, 5 * MINUTE), (today, 20 * MINUTE), (0.0, MINUTE)),
            why=f"today's peak hour, {number(today)} requests a second",
            proves="what the plan predicts for today's peak hour",
        ),
        Stage(
            name="stress",
            steps=((LOW * knee, 5 * MINUTE), *_stairs(knee), (0.0, MINUTE)),
            why=f"{100 * LOW:g} to {share(HIGH)} of the predicted knee, {number(knee)} requests a second, in steps of {STEP_S:g} s",
            proves="the first latency or availability promise breaks where the plan says",
        ),
        Stage(
            name="spike",
            steps=((today, 5 * MINUTE), (second, 10.0), (second, max(round(burst_s), 1.0)), (today, 10.0), (today, 5 * MINUTE)),
            why=f"the busiest second, {times:g} times the peak hour, for a burst of traffic.burst",
            proves="the busiest second is carried, and what queued drains",
        ),
        Stage(name="soak", steps=((SOAK * today, 4 * HOUR),), why=f"{share(SOAK)} of today's peak hour", proves="nothing leaks in hours"),
    ]


def _stairs(knee: float) -> list[tuple[float, float]]:
    """Rates that are held one after the other, with a jump to each."""
    return [step for tread in TREADS for step in ((tread * knee, JUMP_S), (tread * knee, STEP_S))]


@dataclass(frozen=True, kw_only=True)
class Limited:
    """What a test beside the origin may measure of a promised response time: a percentile and its bound there."""

    objective: str
    journey: str
    percentile: float
    below_s: float


def limits(study: Study) -> list[Limited]:
    """Each promised response time as it is seen beside the origin, where the edge has answered its part already."""
    found = []
    for name, objective in study.scenario.objectives.items():
        if (one := timed(objective)) is not None:
            at = seen(study)[name]
            percentile = 1 - min((1 - median(one.percentile)) / at.part, 0.99)
            found.append(Limited(objective=name, journey=one.journey, percentile=percentile, below_s=at.below_s))
    return found


def inside_s(study: Study, limit: Limited, loads: FloatArray) -> FloatArray:
    """What a test beside the origin should measure of it at *loads* of the whole service; seconds."""
    carried = study.middle.state.at(loads[None, :]).carried
    return np.asarray(percentiles_s(law(study, carried, limit.journey), (limit.percentile,), (1, loads.size))[0][0])


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a test should measure of a journey at a load of the whole service."""

    journey: str
    load_rps: float
    p50_s: float
    p95_s: float
    p99_s: float


HALF, NEARLY = 0.5, 0.9  # of today's peak, and of the knee: loads at which predictions are written down


def predictions(study: Study, *, inside: bool = False) -> list[Prediction]:
    """Of every journey at half of and at today's peak, near the knee and at it; *inside*: as it is seen beside the origin."""
    peak_rps, knee = todays_knee(study).peak_rps, steady_knee(study)
    loads = np.array([HALF * peak_rps, peak_rps, NEARLY * knee, knee])
    state = study.middle.state.at(loads[None, :])
    found = []
    for name in study.scenario.journeys:
        path = law(study, state.carried, name) if inside else state.path(name)
        times = (row[0].tolist() for row in percentiles_s(path, (0.5, 0.95, 0.99), (1, loads.size)))
        found += [
            Prediction(journey=name, load_rps=load, p50_s=p50, p95_s=p95, p99_s=p99)
            for load, p50, p95, p99 in zip(loads.tolist(), *times, strict=True)
        ]
    return found
