"""A scenario at a load: the one door to what a load does, for the plan, for promises, and for all who ask at other loads than the
forecast's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from perfplan import promises
from perfplan.models.times.frequencies import Distribution
from perfplan.models.times.latency import exceeds, percentiles_s
from perfplan.plan.curves import GRID, ByLoad
from perfplan.plan.demand import levels, per_user_rps
from perfplan.plan.paths import Carried, carry, hit_ratios, path, traffic_bytes
from perfplan.plan.uptime import path_availability
from perfplan.promises.kind import PEAK_HOUR, WEEKS, Counted, Timed
from perfplan.quantity import FloatArray, Value
from perfplan.record import but
from perfplan.scenario import Scenario
from perfplan.tiers import bought_of, kind_of
from perfplan.tiers.place import Place

FINE, NEARER = 14, 0.01  # loads a world at which percentiles are known, and how near the highest load they get close together


class State:
    """*scenario* under *rps* requests per second, (worlds, months) or (worlds, loads); see `perfplan.promises.kind.State`.

    What one state, or those it leads to by `at`, is asked twice is computed once.
    """

    def __init__(
        self, scenario: Scenario, rps: FloatArray, *, hits: Mapping[str, Value] | None = None, known: dict[object, State] | None = None
    ) -> None:
        self.scenario, self.rps = scenario, rps
        self._hits = hit_ratios(scenario) if hits is None else hits
        self._known = {} if known is None else known

    @classmethod
    def of(cls, scenario: Scenario, carried: Carried) -> State:
        """What is carried, as a state."""
        found = cls(scenario, carried.rps, hits=carried.hit_ratio)
        found.__dict__["carried"] = carried
        return found

    @functools.cached_property
    def carried(self) -> Carried:
        """Rates, stations and response times."""
        return carry(self.scenario, self.rps, self._hits)

    def path(self, journey: str) -> Distribution:
        """The response time of *journey*: of what is carried, or, where nobody has asked for all of it, of what is on its way."""
        if "carried" in self.__dict__ or len(self.scenario.journeys) == 1:
            return self.carried.journeys[journey]
        return path(self.scenario, self.rps, self._hits, journey)

    def at(self, rps: FloatArray) -> State:
        """The same scenario at another load."""
        key = rps.shape, rps.tobytes()
        if key not in self._known:
            self._known[key] = State(self.scenario, rps, hits=self._hits, known=self._known)
        return self._known[key]

    @property
    def second(self) -> State:
        """In the busiest second of each hour."""
        return self.at(self.rps * self.scenario.traffic.peak_second)

    # ---- response times ----

    def percentiles_s(self, journey: str, percentiles: Sequence[float]) -> list[FloatArray]:
        """Percentiles of the response time of *journey*, seconds."""
        return percentiles_s(self.path(journey), percentiles, self.rps.shape)

    def quick_percentiles_s(self, journey: str, percentiles: Sequence[float]) -> list[FloatArray]:
        """The same; of many worlds, at more than FINE loads each, by interpolation of what they are times the distance to saturation.

        Within 1 % in 98 of 100 cells (tests/test_plan.py).
        """
        if self.rps.shape[1] <= FINE or self.rps.shape[0] == 1:
            return self.percentiles_s(journey, percentiles)
        by_load = self._by_load(journey, grid=FINE, near=NEARER)
        known = self._beside(by_load.rps).percentiles_s(journey, percentiles)
        near, here = np.log(by_load.room(by_load.rps)), by_load.room(self.rps)
        return [by_load.curve(np.log(np.maximum(values, 1e-12)) + near, np.exp, np.inf)(self.rps) / here for values in known]

    def slow(self, journey: str, below_s: Value, allowed: Value, over: Collection[str]) -> Mapping[str, FloatArray]:
        """Share of the requests of *journey* that are slower, over PEAK_HOUR and WEEKS; precise where it is a hundredth of *allowed*, or
        more."""
        level, time = levels(self.scenario)
        found: dict[str, FloatArray] = {}
        if WEEKS not in over and self.rps.shape[1] <= GRID:
            return {PEAK_HOUR: self._slow(journey, below_s, allowed)}
        slow = self._slow_by_load(journey, below_s, allowed, float(level.min()) if WEEKS in over else 1.0)
        if WEEKS in over:
            found[WEEKS] = np.asarray((slow(self.rps[..., None] * level) * level * time).sum(axis=-1) / (level * time).sum())
        if PEAK_HOUR in over:
            found[PEAK_HOUR] = slow(self.rps)
        return found

    def pages_slow(
        self, journey: str, below_s: Value, allowed: Value, round_trips: Value, bandwidth_bytes_per_s: Value, render_s: Value
    ) -> FloatArray:
        """Share of the pages of *journey* that are there later; the round trips that come on top are as long as those of its request."""
        one, times = self.scenario.journeys[journey], 1 + round_trips
        regions = {name: but(region, round_trip_s=region.round_trip_s * times) for name, region in self.scenario.regions.items()}
        left_s = below_s - (one.response_bytes + one.static_bytes) / bandwidth_bytes_per_s - render_s
        further = State(but(self.scenario, regions=regions), self.rps, hits=self._hits)
        late = further.slow(journey, np.maximum(left_s, 1e-6), allowed, (PEAK_HOUR,))[PEAK_HOUR]
        return np.where(np.broadcast_to(np.asarray(left_s), self.rps.shape) > 0, late, 1.0)

    def part(self, journey: str) -> Value:
        """Requests of *journey* over all requests."""
        return self.scenario.journeys[journey].share / sum(one.share for one in self.scenario.journeys.values())

    def _slow(self, journey: str, below_s: Value, allowed: Value) -> FloatArray:
        return exceeds(self.path(journey), below_s, self.rps.shape, least=0.01 * float(np.min(allowed)))

    def _slow_by_load(self, journey: str, below_s: Value, allowed: Value, least: float) -> Callable[[FloatArray], FloatArray]:
        """The share of slower requests as a function of the load, from *least* of the lowest month to the highest.

        99 of 100 cells within 1 % of the share where that is 1 to 30 %. Above the load that saturates the path every request is slow.
        """
        by_load = self._by_load(journey, least=least)
        slow = self._beside(by_load.rps)._slow(journey, below_s, allowed)
        return by_load.curve(np.log(np.maximum(slow, 1e-12)), lambda log: np.exp(np.minimum(log, 0.0)), 1.0)

    def _beside(self, rps: FloatArray) -> State:
        """The same scenario at a load that nobody else asks for."""
        return State(self.scenario, rps, hits=self._hits)

    def _by_load(self, journey: str, *, least: float = 1.0, grid: int = GRID, near: float | None = None) -> ByLoad:
        """A path at a few loads of each world."""

        def mean_s(rps: FloatArray) -> FloatArray:
            there = self if np.array_equal(rps, self.rps) else self._beside(rps)
            return np.broadcast_to(np.asarray(there.path(journey).mean_s, dtype=float), rps.shape)

        return ByLoad(mean_s, self.rps, least=least, grid=grid, **({} if near is None else {"near": near}))

    # ---- failures, jobs, what is used ----

    def failed(self, journey: str) -> FloatArray:
        """Share of the requests of *journey* that meet a tier that is not up."""
        return 1 - path_availability(self.scenario, self.carried, journey)

    def late(self, tier: str, below_s: Value) -> Value:
        """Share of the jobs of *tier* that are done later than this after they were published."""
        return self.carried.stations[self.waiting(tier)].response_exceeds(below_s)

    def waiting(self, tier: str) -> Place:
        """What jobs of *tier* wait for."""
        return next(place for place in self.carried.stations if place.tier == tier and self._waits(place))

    def _waits(self, place: Place) -> bool:
        return bought_of(self.scenario.tiers[place.tier], place.field).waits

    @functools.cached_property
    def used(self) -> FloatArray:
        """Highest utilization of anything that a request waits for, or that refuses it; jobs may wait until the peak is over."""
        worst = np.zeros(self.rps.shape)
        for place, station in self.carried.stations.items():
            if not self._waits(place):
                worst = np.maximum(worst, station.utilization)
        for name, tier in self.scenario.tiers.items():
            if (accepted := kind_of(tier).owned.rate_limit(tier)) is not None:
                worst = np.maximum(worst, self.carried.calls_rps[name] / np.asarray(accepted))
        return np.maximum(worst, traffic_bytes(self.scenario, self.carried)[0] / self.scenario.link_bytes_per_s)

    # ---- what is stated ----

    @property
    def per_user_rps(self) -> Value:
        """Requests that one user sends."""
        return per_user_rps(self.scenario)

    @property
    def timed(self) -> Sequence[Timed]:
        """All response times that are promised."""
        found = (promises.timed(one) for one in self.scenario.objectives.values())
        return [one for one in found if one is not None]

    def counted(self, journey: str) -> Sequence[Counted]:
        """All shares of the requests of *journey* that are promised."""
        found = (promises.counted(one) for one in self.scenario.objectives.values())
        return [one for one in found if one is not None and one.journey == journey]
