"""Outages drawn at random: how long each tier is down within a window, in each world and month, and how many of a journey's requests fail
for it.

Each tier is down so often that its availability is kept in the long run, each time for as long as it takes to be back; all its requests
fail then. Outages of different tiers are independent. Maintenance that counts comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.models.availability import downtime_s
from perfplan.plan.maintenance import placed, share_down
from perfplan.plan.uptime import tier_availability, visits_of
from perfplan.quantity import DAY, FloatArray, Value, median
from perfplan.study import Study, once
from perfplan.tiers import kind_of

STREAM = 28  # of random numbers


@dataclass(frozen=True, kw_only=True)
class Outages:
    """The outages of one tier: share of the time, (worlds, months), and how long each lasts."""

    unavailable: FloatArray
    lasts_s: float

    def expected(self, window_s: float) -> float:
        """How many are expected in a window from today on, at the median."""
        return float(np.median(self.unavailable[:, 0])) * window_s / self.lasts_s


@once
def outages(study: Study) -> dict[str, Outages]:
    """Of each tier that fails as a whole."""
    scenario, carried, shape, found = study.worlds.scenario, study.worlds.carried, study.worlds.rps.shape, {}
    for name, tier in study.scenario.tiers.items():
        lost = [median(one.back_s) for one in kind_of(tier).fails.failures(tier) if one.fails == 1 and not one.hangs]
        if lost:
            unavailable = np.broadcast_to(1 - tier_availability(scenario, carried, name), shape)
            found[name] = Outages(unavailable=unavailable, lasts_s=max(*lost, 1.0))
    return found


@dataclass(frozen=True)
class Journey:
    """Requests of a journey that fail within a window from each month on, (worlds, months): drawn, and the share of each cause at the
    median today."""

    drawn: FloatArray
    causes: dict[str, float]


MAINTENANCE = "maintenance"


def _down(study: Study, days: int) -> dict[str, FloatArray]:
    """Share of a window that each tier is down."""
    rng = np.random.default_rng([study.seed, STREAM])
    return {name: downtime_s(rng, one.unavailable, one.lasts_s, days * DAY) / (days * DAY) for name, one in outages(study).items()}


def failing(study: Study, journey: str, days: int) -> Journey:
    """What fails of *journey* within windows of so many days."""
    scenario, carried, shape = study.worlds.scenario, study.worlds.carried, study.worlds.rps.shape
    reached = visits_of(scenario, journey, carried.hit_ratio)
    beyond_edge = 1 - _spread(carried.edge[journey], shape)
    bad, causes = _maintained(study, days), {}
    for name, down in _down(study, days).items():
        if name in reached:
            bad = bad + down * np.minimum(_spread(reached[name], shape), 1.0)
    for name, visits in reached.items():
        part = (1 - tier_availability(scenario, carried, name)) * np.minimum(_spread(visits, shape), 1.0) * beyond_edge
        causes[name] = float(np.median(_spread(part, shape)[:, 0]))
    causes[MAINTENANCE] = share_down(scenario) * float(np.median(beyond_edge[:, 0]))
    return Journey(drawn=beyond_edge * np.minimum(bad, 1.0), causes={name: value for name, value in causes.items() if value > 0})


def _maintained(study: Study, days: int) -> FloatArray:
    """Share of the requests of a window that come within maintenance that counts: as many times as fall into it, from a random day on."""
    rng, found = np.random.default_rng([study.seed, STREAM, 1]), np.zeros(study.worlds.rps.shape)
    for one in study.scenario.maintenance.values():
        if one.counted == "yes":
            each = median(one.every_s) / (days * DAY)  # of a window
            times = np.floor(1 / each + rng.random(found.shape))
            found = found + times * placed(study.scenario, one).requests * each
    return found


def _spread(value: Value, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(np.asarray(value, dtype=float), shape)
