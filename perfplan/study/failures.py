"""What happens when something fails at today's peak hour, with today's fleet, every input at its median.

A failed tier, or a burst of traffic, leaves a scenario (`perfplan.plan.failing`) that saturates at some load. Where that is below the
load that comes, what is too much is refused or given up: in the long run exactly the share of it that cannot be served, whichever
station is full, as the others wait for it. Backlogs fill and drain as a fluid; a cache fills by the look-ups that get through.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.models.stations.birthdeath import overflow
from perfplan.models.stations.service import Station
from perfplan.plan import State
from perfplan.plan.failing import Meanwhile, meanwhile
from perfplan.plan.paths import edge_share, hit_ratios
from perfplan.quantity import FloatArray, Value, median
from perfplan.scenario import Scenario
from perfplan.scenario.rules import all_called, entry_of
from perfplan.study import Study, once
from perfplan.study.ladder import Ladder, ladder
from perfplan.study.sweeps import soonest, waited_for
from perfplan.study.worlds import take_worlds
from perfplan.tiers import bought_of, kind_of
from perfplan.tiers.kind import LOST, ZONE, Failure
from perfplan.tiers.place import Place
from perfplan.words import duration

BURSTS = (2.0, 5.0)  # times the load of the peak hour
BURST, EVERY = "a burst", "a zone"  # what a row is called in which no tier, or each, fails
HEALED = 0.95  # of its hit ratio, from which a cache has it again
WORLDS = 400  # in which it is asked whether something saturates
LOADS = np.geomspace(0.02, 8.0, 200)  # at which it is looked for what saturates, over the load that comes
P95 = 0.95
FILLING = np.linspace(0.0, 1.0, 9)  # of a cache's hit ratio, at which it is known what gets through


@dataclass(frozen=True, kw_only=True)
class Failed:
    """One failure, and what it does."""

    tier: str  # BURST where none has failed
    failure: Failure
    times: float  # the load of the peak hour, so many times
    first: Place | None  # what breaks first, or is nearest to it
    used: float  # load on what is left there, over what it can do
    breaks: bool  # whether that is too much for it
    failed: Mapping[str, float]  # by journey: share of its requests that fail meanwhile
    share: float  # of all requests
    beyond: float  # share that fails because something is full, and not by what failed itself
    lasts_s: float  # until what was lost is back
    fails_s: float  # until no request fails any more
    heals_s: float  # until all is as before; nan: not known, inf: it does not heal by itself
    requests: float  # that fail until then
    lost_usd: float
    p_breaks: float = float("nan")  # in which share of the worlds something is full
    journey: str = ""  # whose p95 grows most; "" where none is served
    p95_s: float = float("nan")  # inf: what gets in waits until it is given up


@dataclass(frozen=True, kw_only=True)
class Load:
    """How much a scenario carries of the load that comes, by what is full."""

    state: State
    full: Mapping[Place, float]  # load at which it is, over the load that comes
    carries: Mapping[str, float]  # by journey: the same for the first on its way


@once
def failures(study: Study) -> list[Failed]:
    """Each tier's failures, in the order of the file, and bursts of traffic."""
    made = Failing.of(study)
    drawn, rps = take_worlds(study.worlds.scenario, WORLDS), study.worlds.rps[:WORLDS, :1]
    return [made.surely(made.failed(*case), drawn, rps) for case in cases(study.scenario)]


@once
def ahead(study: Study) -> list[tuple[Failed, ...]]:
    """The same failures in the busiest month that is planned for, with what the plan has then; none where that is today's."""
    month = busiest(study)
    scenario = study.planned(month)
    made = Failing.with_timeouts(scenario, float(study.middle.rps[0, month]), ladder(study))
    found = [made.failed(*case) for case in cases(scenario)]
    return [
        tuple(one for one in found if alike(one.failure, row.failure) and one.tier == row.tier and one.times == row.times)
        for row in failures(study)
    ]


@once
def fills_at(study: Study) -> Mapping[str, float]:
    """By cache: the highest hit ratio at which something is full at today's peak, with today's fleet; 0 where nothing is without it."""
    return {cache: _fills_at(study, cache) for cache in hit_ratios(study.scenario)}


def _fills_at(study: Study, cache: str) -> float:
    failing, usual = Failing.of(study), median(hit_ratios(study.scenario)[cache])
    carries = [
        min(failing.load(failing.left(cache, Failure(takes="", what="", hit=float(part)))).carries.values(), default=np.inf)
        for part in FILLING
    ]
    full = [part for part, load in zip(FILLING, carries, strict=True) if load < 1]
    return usual * float(max(full, default=0.0))


def busiest(study: Study) -> int:
    """The month with the highest demand of those that are planned for."""
    return int(study.middle.rps[0, : study.last + 1].argmax())


def alike(one: Failure, other: Failure) -> bool:
    """Whether two failures are the same, though of other counts."""
    return (one.takes, one.fails > 0, one.hangs, one.stops) == (other.takes, other.fails > 0, other.hangs, other.stops)


def cases(scenario: Scenario) -> list[tuple[str, Failure, float]]:
    """What is asked: the tier, how it fails, and the load over the peak hour's."""
    burst_s = scenario.traffic.burst_s
    bursts = [Failure(takes=BURST, what=f"{times:g} times the peak for {duration(median(burst_s), 2)}", back_s=burst_s) for times in BURSTS]
    of_tiers = [(name, one, 1.0) for name, tier in scenario.tiers.items() for one in kind_of(tier).fails.failures(tier)]
    found = [(EVERY, zone, 1.0)] if (zone := _zone_of_all(scenario)) is not None else []
    return [*of_tiers, *found, *((BURST, one, times) for one, times in zip(bursts, BURSTS, strict=True))]


def _zone_of_all(scenario: Scenario) -> Failure | None:
    """One zone lost under every tier that has nodes: with it each loses what it has there, all of it where it stands in one zone."""
    lost = list(in_a_zone(scenario).values())
    if len(lost) < 2:
        return None
    back_s = max(median(one.back_s) for one in lost)
    return Failure(takes=ZONE, what="one zone lost under every tier", back_s=back_s, refills=any(one.refills for one in lost))


def in_a_zone(scenario: Scenario) -> dict[str, Failure]:
    """What each tier loses with a zone."""
    found: dict[str, Failure] = {}
    for name, tier in scenario.tiers.items():
        kind = kind_of(tier).fails
        if (zones := kind.zones(tier)) is not None:
            wanted = [one for one in kind.failures(tier) if one.takes == (LOST if median(zones) == 1 else ZONE)]
            found |= {name: max(wanted, key=lambda one: one.fails)} if wanted else {}
    return found


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A scenario at its median, its time-outs, and a load, asked what failures do."""

    scenario: Scenario
    rps: float
    waits_s: Mapping[str, float]  # by tier: how long a call to it may take; without a time-out of its own as long as its request
    gives_up_s: Mapping[str, float]  # by journey: how long its requests may take

    @classmethod
    def of(cls, study: Study) -> Failing:
        """The scenario of *study* at today's peak."""
        return cls.with_timeouts(study.scenario, float(study.middle.rps[0, 0]), ladder(study))

    @classmethod
    def with_timeouts(cls, scenario: Scenario, rps: float, made: Ladder) -> Failing:
        """*scenario* under *rps*, with the time-outs of a ladder."""
        client_s = made.value_s("client_timeout")
        entries = {journey: entry_of(scenario, journey) for journey in scenario.journeys}
        gives_up = {journey: client_s if entry is None else made.longest_s[entry] for journey, entry in entries.items()}
        most = max(gives_up.values())
        return cls(scenario=scenario, rps=rps, waits_s={name: min(s, most) for name, s in made.longest_s.items()}, gives_up_s=gives_up)

    @functools.cached_property
    def normal(self) -> Load:
        """What is carried while nothing fails."""
        return self.load(self.left(BURST, Failure(takes=BURST, what="")))

    @functools.cached_property
    def usual_s(self) -> Mapping[str, float]:
        """P95 of each journey while nothing fails."""
        return {j: float(self.normal.state.percentiles_s(j, (P95,))[0][0, 0]) for j in self.scenario.journeys}

    def left(self, tier: str, failure: Failure) -> Meanwhile:
        """The scenario while *tier* fails so."""
        return self._left(self.scenario, tier, failure)

    def _left(self, scenario: Scenario, tier: str, failure: Failure) -> Meanwhile:
        if tier == BURST:
            return Meanwhile(scenario=scenario, hits=hit_ratios(scenario), through=dict.fromkeys(scenario.journeys, 1.0))
        if tier != EVERY:
            return meanwhile(scenario, tier, failure, self.waits_s.get(tier, 0.0))
        left = scenario
        through: dict[str, Value] = dict.fromkeys(scenario.journeys, 1.0)
        lost = in_a_zone(scenario)
        made = Meanwhile(scenario=left, hits={}, through=through)
        for name, one in sorted(lost.items(), key=lambda row: 0 < row[1].fails < 1):  # what fails in part is asked last
            made = meanwhile(left, name, one, 0.0, {other: failed.hit for other, failed in lost.items()})
            left, through = made.scenario, {journey: through[journey] * made.through[journey] for journey in through}
        return dataclasses.replace(made, through=through)

    def surely(self, row: Failed, drawn: Scenario, rps: FloatArray) -> Failed:
        """*row* with its share of the worlds *drawn*, under *rps*, and the journey that it slows most."""
        left = self.left(row.tier, row.failure)
        slow, p95 = self._slowest(left, self.load(left, row.times))
        return dataclasses.replace(row, p_breaks=self.p_breaks(row.tier, row.failure, row.times, drawn, rps), journey=slow, p95_s=p95)

    def first(self, tier: str, failure: Failure, times: float) -> tuple[Place | None, float]:
        """What breaks first, and the load over what it carries."""
        return self._first(self.load(self.left(tier, failure), times), tier, failure)

    def failed(self, tier: str, failure: Failure, times: float) -> Failed:
        """What *failure* does under *times* the load."""
        left = self.left(tier, failure)
        load = self.load(left, times)
        lasts = median(failure.back_s)
        over = self._overflows if tier == BURST else lambda load, journey, _: max(0.0, 1 - load.carries[journey])
        within = {j: 1 - over(load, j, lasts) for j in load.carries}
        beyond = {j: self._direct(j) * median(left.through[j]) * (1 - within[j]) for j in within}
        failed = {j: beyond[j] + self._direct(j) * (1 - median(left.through[j])) for j in within}
        first, used = self._first(load, tier, failure)
        ends, heals, more = self._heals(tier, failure, times, load)
        requests = {j: self._journey_rps(j) * times * failed[j] * lasts + more.get(j, 0.0) for j in failed}
        return Failed(
            tier=tier,
            failure=failure,
            times=times,
            first=first,
            used=used,
            breaks=used >= 1,
            failed=failed,
            share=self._of_all(failed),
            beyond=self._of_all(beyond),
            lasts_s=lasts,
            fails_s=ends if sum(failed.values()) > 0 else 0.0,
            heals_s=heals,
            requests=sum(requests.values()),
            lost_usd=sum(requests[j] * median(self.scenario.journeys[j].worth_usd) for j in requests),
        )

    # ---- shares ----

    def _direct(self, journey: str) -> float:
        return 1 - median(edge_share(self.scenario, self.scenario.journeys[journey]))

    def _journey_rps(self, journey: str) -> float:
        total = sum(median(j.share) for j in self.scenario.journeys.values())
        return self.rps * median(self.scenario.journeys[journey].share) / total

    def _of_all(self, shares: Mapping[str, float]) -> float:
        return sum(self._journey_rps(j) * share for j, share in shares.items()) / self.rps

    # ---- load ----

    def load(self, left: Meanwhile, times: float = 1.0) -> Load:
        """What *left* carries of *times* the load."""
        scenario, rps = left.scenario, times * self.rps
        there = State(scenario, (rps * LOADS)[None, :], hits=left.hits).carried.stations
        full = {
            place: _full(np.broadcast_to(s.utilization, (1, LOADS.size))[0]) for place, s in there.items() if not _jobs(scenario, place)
        }
        ways = _ways(scenario)
        carries = {name: min((at for place, at in full.items() if place.tier in ways[name]), default=np.inf) for name in ways}
        return Load(state=State(scenario, np.array([[rps]]), hits=left.hits), full=full, carries=carries)

    def _overflows(self, load: Load, journey: str, lasts_s: float) -> float:
        """Share of the requests of *journey* that find as many waiting as are served before they are given up, in a burst of *lasts_s*."""
        carries, scenario = load.carries[journey], load.state.scenario
        if not np.isfinite(carries):
            return 0.0
        way = _ways(scenario)[journey]
        full = {place: at for place, at in load.full.items() if place.tier in way}
        station = load.state.carried.stations[soonest(full, waited_for(scenario, full))]
        comes = float(np.ravel(station.arrival_rps)[0])
        served = comes * carries
        return overflow(comes, served, comes + _spread(station) * min(comes, served), served * self.gives_up_s[journey], lasts_s)

    def _first(self, load: Load, tier: str, failure: Failure) -> tuple[Place | None, float]:
        """What breaks first, and the load over what it carries; where nothing does, what is used most; of jobs that wait, their workers."""
        used = {place: float(np.ravel(s.utilization + np.zeros((1, 1)))[0]) for place, s in load.state.carried.stations.items()}
        own = [place for place in used if place.tier == tier and place not in load.full]
        if own and not failure.fails:
            return own[0], float("inf") if failure.stops else used[own[0]]
        if not load.full:
            return None, 0.0
        if min(load.full.values()) >= 1:
            first = max(load.full, key=lambda place: used[place])
            return first, used[first]
        first = soonest(load.full, waited_for(load.state.scenario, load.full))
        return first, 1 / load.full[first]

    def p_breaks(self, tier: str, failure: Failure, times: float, drawn: Scenario, rps: FloatArray) -> float:
        """In which share of the worlds something is full."""
        left = self._left(drawn, tier, failure)
        stations = State(left.scenario, rps * times, hits=left.hits).carried.stations
        own = [place for place in stations if place.tier == tier and _jobs(drawn, place)]
        if failure.stops:
            return 1.0
        asked = own if own and not failure.fails else [place for place in stations if not _jobs(drawn, place)]
        full = [np.broadcast_to(stations[place].utilization, rps.shape)[:, 0] >= 1 for place in asked]
        return float(np.any(full, axis=0).mean()) if full else 0.0

    def _slowest(self, left: Meanwhile, load: Load) -> tuple[str, float]:
        """The journey whose p95 grows most, of those of which most requests are served, and its p95."""
        served = [j for j in self.scenario.journeys if median(left.through[j]) > 0.5]
        full = [j for j in served if load.carries[j] < 1]
        if full or not served:
            return (full[0], float("inf")) if full else ("", float("nan"))
        p95 = {j: float(load.state.percentiles_s(j, (P95,))[0][0, 0]) for j in served}
        slow = max(served, key=lambda j: p95[j] / self.usual_s[j])
        return slow, p95[slow]

    # ---- time ----

    def _heals(self, tier: str, failure: Failure, times: float, load: Load) -> tuple[float, float, dict[str, float]]:
        """How long until no request fails, and until all is as before; requests of each journey that fail after what was lost is back."""
        lasts = median(failure.back_s)
        own = [place for place in self.normal.state.carried.stations if place.tier == tier and place not in self.normal.full]
        if own and not failure.fails:
            return lasts, lasts + self._jobs_s(own[0], failure, lasts, load), {}
        if tier == EVERY:
            heals = [self._heals(name, one, times, self.load(self.left(name, one))) for name, one in in_a_zone(self.scenario).items()]
            return lasts, max([lasts, *(after for _, after, _ in heals)]), {}
        if failure.refills:
            enough, filled, more = self._fills(tier, failure)
            return lasts + enough, lasts + filled, more
        return lasts, lasts + max((self._drains_s(j, load, times, lasts) for j in load.carries), default=0.0), {}

    def _drains_s(self, journey: str, load: Load, times: float, lasts: float) -> float:
        """How long what waits of *journey* takes to be served, beside what comes: no more waits than is served before it is given up."""
        carries, usually = load.carries[journey], self.normal.carries[journey]
        if carries >= 1:
            return 0.0
        backlog = times * min((1 - carries) * lasts, carries * self.gives_up_s[journey])  # in seconds of the usual load
        return backlog / (usually - 1) if usually > 1 else float("inf")

    def _jobs_s(self, place: Place, failure: Failure, lasts: float, load: Load) -> float:
        """How long the jobs that waited take to be done, beside those that come."""
        was, now = (float(np.ravel(s.state.carried.stations[place].utilization + np.zeros((1, 1)))[0]) for s in (self.normal, load))
        waiting = lasts if failure.stops else (1 - 1 / max(now, 1.0)) * lasts
        return waiting / (1 / was - 1) if 0 < was < 1 else (np.inf if was >= 1 else 0.0)

    def _fills(self, tier: str, failure: Failure) -> tuple[float, float, dict[str, float]]:
        """How long a cache takes until nothing is full, and to have HEALED of its hit ratio again; the requests that fail meanwhile."""
        kind, record = kind_of(self.scenario.tiers[tier]), self.scenario.tiers[tier]
        full = median(hit_ratios(self.scenario)[tier])
        most = kind.fails.filling(record, np.asarray(np.inf))
        asked = median(self.normal.state.carried.calls_rps[tier])
        if asked == 0:
            return 0.0, 0.0, {}  # nobody misses it
        if most is None or full <= 0:
            return float("nan"), float("nan"), {}
        lookups = np.geomspace(1.0, 1e15, 4000)
        there = np.asarray(kind.fails.filling(record, lookups)) / median(most)
        parts = failure.hit + (1 - failure.hit) * there
        wanted = int(np.searchsorted(parts, HEALED))
        lookups, parts = np.concatenate([[0.0], lookups[: wanted + 1]]), np.concatenate([[failure.hit], parts[: wanted + 1]])
        levels = failure.hit + (1 - failure.hit) * FILLING
        loads = [self.load(self.left(tier, Failure(takes=failure.takes, what="", hit=float(level)))) for level in levels]
        carried = {j: np.interp(parts, levels, [min(1.0, load.carries[j]) for load in loads]) for j in self.scenario.journeys}
        rate = asked * min(carried.values(), key=lambda c: float(c[0]))
        seconds = np.diff(lookups) / (rate[1:] + rate[:-1]) * 2
        more = {j: self._journey_rps(j) * self._direct(j) * float((seconds * (1 - (c[1:] + c[:-1]) / 2)).sum()) for j, c in carried.items()}
        least = np.min([*carried.values()], axis=0)
        return float(seconds[least[:-1] < 1].sum()), float(seconds.sum()), more


def _ways(scenario: Scenario) -> dict[str, frozenset[str]]:
    """By journey: the tiers that its requests meet."""
    reach = all_called(scenario)
    return {n: frozenset(tier for called in j.calls for tier in (called, *reach[called])) for n, j in scenario.journeys.items()}


def _spread(station: Station) -> float:
    """Squared coefficient of variation of what a server does at a time, in the middle world; of those who share, an exponential's."""
    return 1.0 if station.sharing else float(median(station.scv if station.shape is None else station.shape.scv))


def _jobs(scenario: Scenario, place: Place) -> bool:
    """Whether jobs wait there, and no request."""
    return bought_of(scenario.tiers[place.tier], place.field).waits


def _full(used: FloatArray) -> float:
    """The load over the one that comes at which something is used up, of its use at LOADS; inf where at none of them."""
    over = np.flatnonzero(~(used < 1))
    if over.size == 0:
        return float("inf")
    i = int(over[0])
    if i == 0:
        return float(LOADS[0] / max(used[0], 1.0)) if np.isfinite(used[0]) else float(LOADS[0])
    if not np.isfinite(used[i]):
        return float(LOADS[i - 1])
    return float(LOADS[i - 1] + (1 - used[i - 1]) / (used[i] - used[i - 1]) * (LOADS[i] - LOADS[i - 1]))
