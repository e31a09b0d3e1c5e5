"""From stated tiers to stations, rates and response times: the translation between a scenario and the models.

Rates run down the calls (callers first), response times up (the called first). Everything is a function of the load.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.models.caching import miss_rate
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Constant, Exponential, Mixture, Named, Series, Visits
from perfplan.models.times.frequencies import Distribution
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Journey, Scenario
from perfplan.scenario.rules import call_order, entered, waits
from perfplan.tiers import kind_of
from perfplan.tiers.kind import Entered, Here
from perfplan.tiers.place import Place


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a load does to every tier: rates, stations and response times; arrays of the load's shape."""

    rps: FloatArray
    journey_rps: Mapping[str, Value]  # requests of each journey, edge hits included
    edge: Mapping[str, Value]  # share of a journey's requests that the edge answers
    calls_rps: Mapping[str, Value]
    stations: Mapping[Place, Station]  # by what is bought: the station it sizes
    responses: Mapping[str, Distribution]  # of one call to a tier, what it waits for included
    journeys: Mapping[str, Distribution]  # of parts with the names of the tiers whose own waits and work they are, ROUND_TRIP or EDGE
    hit_ratio: Mapping[str, Value]


ROUND_TRIP, EDGE = "round trip", "edge"  # what a user waits for beside the tiers; a tier of such a name is counted together with it


def hit_ratios(scenario: Scenario) -> dict[str, Value]:
    """Hit ratio of each tier that has one, stated or following from its sizes. Does not depend on the load."""
    found = {name: kind_of(tier).carries.hit_ratio(tier) for name, tier in scenario.tiers.items()}
    return {name: hit for name, hit in found.items() if hit is not None}


def carry(scenario: Scenario, rps: FloatArray, hits: Mapping[str, Value] | None = None) -> Carried:
    """The state of every tier under *rps* requests per second, shape (worlds, months) or (worlds, loads)."""
    return _carried(scenario, rps, hit_ratios(scenario) if hits is None else hits, scenario.journeys)


def path(scenario: Scenario, rps: FloatArray, hits: Mapping[str, Value], journey: str) -> Distribution:
    """The response time of one journey: of `carry`, what is on its way."""
    return _carried(scenario, rps, hits, [journey]).journeys[journey]


def _carried(scenario: Scenario, rps: FloatArray, hits: Mapping[str, Value], wanted: Collection[str]) -> Carried:
    """The state of all tiers that the journeys of *wanted* wait for."""
    edge = {name: edge_share(scenario, journey) for name, journey in scenario.journeys.items()}
    total = sum(j.share for j in scenario.journeys.values())
    journey_rps = {name: rps * (journey.share / total) for name, journey in scenario.journeys.items()}
    order, called, by_service = call_order(scenario), waits(scenario), entered(scenario)
    calls = _calls(scenario, order, journey_rps, edge, hits)
    needed = set(order) if len(wanted) == len(scenario.journeys) else {tier for name in wanted for tier in scenario.journeys[name].calls}
    for name in order:
        needed.update(called[name] if name in needed else ())
    stations: dict[Place, Station] = {}
    responses: dict[str, Distribution] = {}
    for name in reversed([one for one in order if one in needed]):
        entering = [
            Entered(
                rps=miss_rate(journey_rps[key], edge[key]),
                calls={tier: n for tier, n in scenario.journeys[key].calls.items() if tier != name},
            )
            for key in by_service.get(name, ())
        ]
        here = Here(name=name, rps=calls[name], hit=hits.get(name, 0.0), below=responses, entered=entering)
        found = kind_of(scenario.tiers[name]).carries.carry(scenario.tiers[name], here)
        responses[name] = found.response
        stations |= {Place(name, field): station for field, station in found.stations.items()}
    travel = Named(name=ROUND_TRIP, part=round_trip(scenario))
    answer = (round_trip(scenario, scenario.cdn.round_trip_share), Exponential(mean_s=scenario.cdn.response_s)) if scenario.cdn else ()
    near = tuple(Named(name=EDGE, part=part) for part in answer)
    journeys = {name: _journey(scenario, name, edge[name], responses, travel, near) for name in wanted}
    return Carried(
        rps=rps,
        journey_rps=journey_rps,
        edge=edge,
        calls_rps=calls,
        stations=stations,
        responses=responses,
        journeys=journeys,
        hit_ratio=hits,
    )


def edge_share(scenario: Scenario, journey: Journey) -> Value:
    """Share of a journey's requests that the content network answers itself."""
    return journey.cacheable * scenario.cdn.hit_ratio if scenario.cdn else 0.0


def _calls(
    scenario: Scenario, order: Sequence[str], journey_rps: Mapping[str, Value], edge: Mapping[str, Value], hits: Mapping[str, Value]
) -> dict[str, Value]:
    """Calls per second to each tier; *order*: callers first."""
    calls: dict[str, Value] = dict.fromkeys(scenario.tiers, 0.0)
    for name, journey in scenario.journeys.items():
        for called, visits in journey.calls.items():
            calls[called] = calls[called] + miss_rate(journey_rps[name], edge[name]) * visits
    for name in order:
        tier = scenario.tiers[name]
        for called, visits in kind_of(tier).carries.passes(tier, hits.get(name, 0.0)).items():
            calls[called] = calls[called] + calls[name] * visits
    return calls


def origins(scenario: Scenario) -> dict[str, str]:
    """The tiers that pass on what they do not hold, and whom they ask then."""
    misses = [(name, tier) for name, tier in scenario.tiers.items() if kind_of(tier).stands.misses]
    return {name: next(iter(kind_of(tier).carries.passes(tier, 0.0))) for name, tier in misses}


def held_by_others(scenario: Scenario, name: str) -> bool:
    """Whether servers of *name* are held while others answer: those it calls itself, or for journeys that enter by it."""
    return kind_of(scenario.tiers[name]).stands.blocks(scenario.tiers[name]) and bool(waits(scenario)[name])


def _journey(
    scenario: Scenario, name: str, edge: Value, responses: Mapping[str, Distribution], travel: Distribution, near: tuple[Distribution, ...]
) -> Distribution:
    """End to end, as the user sees it: round trip, then edge or all calls one after the other."""
    full = Series(parts=(travel, *_calls_of(scenario.journeys[name], responses)))
    if not near or not np.any(edge):
        return full
    return Mixture(weights=(edge, 1 - edge), parts=(Series(parts=near), full))


def _calls_of(journey: Journey, responses: Mapping[str, Distribution]) -> tuple[Distribution, ...]:
    return tuple(Visits(part=responses[called], times=visits) for called, visits in journey.calls.items())


def inside(journey: Journey, responses: Mapping[str, Distribution]) -> Distribution:
    """The response time of a request where it enters: without round trip, and not answered by the edge."""
    return Series(parts=_calls_of(journey, responses))


def round_trip(scenario: Scenario, share: Value = 1.0) -> Mixture:
    """The round trip of a random user."""
    total = sum(r.share for r in scenario.regions.values())
    regions = scenario.regions.values()
    return Mixture(weights=tuple(r.share / total for r in regions), parts=tuple(Constant(mean_s=r.round_trip_s * share) for r in regions))


def traffic_bytes(scenario: Scenario, carried: Carried) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bytes per second at the peak: out of the data centre, into it, out of the content network."""
    sent, edge = np.zeros(carried.rps.shape), np.zeros(carried.rps.shape)
    received = carried.rps * scenario.traffic.request_bytes
    for name, journey in scenario.journeys.items():
        rate, hit = carried.journey_rps[name], carried.edge[name]
        static_miss = 1 - scenario.cdn.hit_ratio if scenario.cdn else 1.0
        sent = sent + rate * ((1 - hit) * journey.response_bytes + static_miss * journey.static_bytes)
        if scenario.cdn:
            edge = edge + rate * (journey.response_bytes + journey.static_bytes)
    return sent, np.asarray(received), edge
