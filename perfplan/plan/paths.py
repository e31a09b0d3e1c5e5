"""From stated tiers to stations, rates and response times: the translation between a scenario and the models.

Rates run down the calls (callers first), response times up (the called first). Everything is a function of the load.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from perfplan.models.arrays import remembered
from perfplan.models.caching import items_in_memory, lru_hit_ratio, miss_rate
from perfplan.models.distributions import Constant, Distribution, Exponential, Lognormal, Mixture, Series, Visits
from perfplan.models.scalability import Crew
from perfplan.models.service import Served, Shape, Station
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Cache, Database, Journey, Partner, Queue, Scenario, Service
from perfplan.scenario.rules import call_order, entry_of


def shape_of(tier: object) -> Shape | None:
    """How the service times of *tier* spread; None: exponential. One shape for all worlds: their mean is what differs."""
    law = getattr(tier, "service", None)
    if law is None:
        return None
    if law.shape is not None:
        return cast(Shape, law.shape)
    if law.variation is not None:
        return _lognormal(float(np.sqrt(np.log1p(float(np.median(law.variation)) ** 2))))
    return _lognormal(float(Lognormal.through(float(np.median(law.p50_s)), float(np.median(law.p99_s))).sigma))


_lognormal = functools.lru_cache(maxsize=64)(Shape.lognormal)


def own_work(tier: Service | Database | Queue) -> Distribution:
    """The time of a server of *tier* for one call."""
    shape = shape_of(tier)
    return Exponential(mean_s=tier.service_time_s) if shape is None else Served(mean_s=tier.service_time_s, shape=shape)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a load does to every tier: rates, stations and response times; arrays of the load's shape."""

    rps: FloatArray
    journey_rps: Mapping[str, Value]  # requests of each journey, edge hits included
    edge: Mapping[str, Value]  # share of a journey's requests that the edge answers
    calls_rps: Mapping[str, Value]
    stations: Mapping[tuple[str, str], Station]  # (tier, field that is bought): the station it sizes
    responses: Mapping[str, Distribution]  # of one call to a tier, what it waits for included
    journeys: Mapping[str, Distribution]
    hit_ratio: Mapping[str, Value]
    own: Mapping[str, tuple[Distribution, ...]]  # leaves of `journeys` that are a tier's own, the round trip or the edge: waits and work


ROUND_TRIP, EDGE = "round trip", "edge"  # what a user waits for beside the tiers
_lru = remembered(lru_hit_ratio)  # most of the plans of a study have the same caches


def hit_ratios(scenario: Scenario) -> dict[str, Value]:
    """Hit ratio of each cache: stated, or Che's for its sizes. Does not depend on the load."""
    return {name: _hit_ratio(tier) for name, tier in scenario.tiers.items() if isinstance(tier, Cache)}


def _hit_ratio(cache: Cache) -> Value:
    if cache.hit_ratio is not None:
        return cache.hit_ratio
    return _lru(cache.items, cache.popularity, items_in_memory(cache.memory_bytes, cache.item_bytes, cache.instances))


def carry(scenario: Scenario, rps: FloatArray, hits: Mapping[str, Value] | None = None) -> Carried:
    """The state of every tier under *rps* requests per second, shape (worlds, months) or (worlds, loads)."""
    hits = hit_ratios(scenario) if hits is None else hits
    edge = {name: edge_share(scenario, journey) for name, journey in scenario.journeys.items()}
    total = sum(j.share for j in scenario.journeys.values())
    journey_rps = {name: rps * (journey.share / total) for name, journey in scenario.journeys.items()}
    calls = _calls(scenario, journey_rps, edge, hits)
    stations: dict[tuple[str, str], Station] = {}
    responses: dict[str, Distribution] = {}
    own: dict[str, tuple[Distribution, ...]] = {}
    for name in reversed(call_order(scenario)):
        responses[name], own[name] = _response(scenario, name, calls, hits, stations, responses, journey_rps, edge)
    travel = round_trip(scenario)
    near = (round_trip(scenario, scenario.cdn.round_trip_share), Exponential(mean_s=scenario.cdn.response_s)) if scenario.cdn else ()
    for name, leaves in ((ROUND_TRIP, (travel,)), (EDGE, near)):  # a tier may have such a name: then they are counted together
        own[name] = (*own.get(name, ()), *leaves)
    journeys = {name: _journey(scenario, name, edge[name], responses, travel, near) for name in scenario.journeys}
    return Carried(
        rps=rps, journey_rps=journey_rps, edge=edge, calls_rps=calls, stations=stations, responses=responses,
        journeys=journeys, hit_ratio=hits, own=own,
    )  # fmt: skip


def edge_share(scenario: Scenario, journey: Journey) -> Value:
    """Share of a journey's requests that the content network answers itself."""
    return journey.cacheable * scenario.cdn.hit_ratio if scenario.cdn else 0.0


def _calls(scenario: Scenario, journey_rps: Mapping[str, Value], edge: Mapping[str, Value], hits: Mapping[str, Value]) -> dict[str, Value]:
    """Calls per second to each tier, callers first."""
    calls: dict[str, Value] = dict.fromkeys(scenario.tiers, 0.0)
    for name, journey in scenario.journeys.items():
        for called, visits in journey.calls.items():
            calls[called] = calls[called] + miss_rate(journey_rps[name], edge[name]) * visits
    for name in call_order(scenario):
        tier = scenario.tiers[name]
        if isinstance(tier, Service):
            for called, visits in tier.calls.items():
                calls[called] = calls[called] + calls[name] * visits
        elif isinstance(tier, Cache):
            calls[tier.origin] = calls[tier.origin] + miss_rate(calls[name], hits[name])
    return calls


def _response(
    scenario: Scenario, name: str, calls: Mapping[str, Value], hits: Mapping[str, Value], stations: dict[tuple[str, str], Station],
    responses: Mapping[str, Distribution], journey_rps: Mapping[str, Value], edge: Mapping[str, Value],
) -> tuple[Distribution, tuple[Distribution, ...]]:  # fmt: skip
    """The response to one call to a tier, and those parts of it that are the tier's own."""
    tier = scenario.tiers[name]
    if isinstance(tier, Partner):
        answer = Lognormal.through(tier.p50_s, tier.p99_s)
        return answer, (answer,)
    if isinstance(tier, Queue):
        stations[name, "workers"] = Station(
            arrival_rps=calls[name], service_s=tier.service_time_s, servers=tier.workers, shape=shape_of(tier)
        )
        publish = Exponential(mean_s=tier.publish_time_s)
        return publish, (publish,)
    if isinstance(tier, Cache):
        node = stations[name, "instances"] = Station(arrival_rps=calls[name] / tier.instances, service_s=tier.service_time_s, servers=1.0)
        miss = Mixture(weights=(hits[name], 1 - hits[name]), parts=(Constant(mean_s=0.0), responses[tier.origin]))
        return Series(parts=(node.response, miss)), (node.response,)
    if isinstance(tier, Database):
        return _database(tier, name, calls[name], stations)
    alone = tier.io != "blocking" or waits_for_nobody(scenario, name)
    held, scv = (tier.service_time_s, 1.0) if alone else _held(scenario, name, calls, responses, journey_rps, edge)
    one = stations[name, "instances"] = Station(
        arrival_rps=calls[name] / tier.instances, service_s=held, servers=tier.threads, shape=shape_of(tier) if alone else None, scv=scv,
        sharing=shares(tier), crew=crew_of(tier),
    )  # fmt: skip
    others = tuple(Visits(part=responses[called], times=visits) for called, visits in tier.calls.items())
    own: tuple[Distribution, ...] = (one.response,) if one.sharing else (one.wait, own_work(tier))
    return Series(parts=(*own, *others)), own


def waits_for_nobody(scenario: Scenario, name: str) -> bool:
    """Whether a blocking thread of service *name* is held for its own work only."""
    tier = scenario.tiers[name]
    others = [called for key, j in scenario.journeys.items() if entry_of(scenario, key) == name for called in j.calls if called != name]
    return isinstance(tier, Service) and not tier.calls and not others


def shares(tier: Service | Database) -> bool:
    """Whether all requests at *tier* share its threads or cores at once."""
    return tier.discipline == "ps"


def crew_of(tier: Service | Database) -> Crew | None:
    """The cores that requests to *tier* share, where they hinder each other."""
    servers = tier.threads if isinstance(tier, Service) else tier.cores
    crew = Crew(servers, tier.contention, tier.coherency, tier.hyperthread_gain)
    return None if crew.independent or not shares(tier) else crew


def _database(
    tier: Database, name: str, rps: Value, stations: dict[tuple[str, str], Station]
) -> tuple[Distribution, tuple[Distribution, ...]]:  # fmt: skip
    """Pool, then the primary or one of the replicas; replicas take all reads where there are any."""
    away, shape = tier.read_share if tier.replicas else 0.0, shape_of(tier)
    node = functools.partial(
        Station, service_s=tier.service_time_s, servers=tier.cores, shape=shape, sharing=shares(tier), crew=crew_of(tier)
    )
    primary = stations[name, "cores"] = node(arrival_rps=miss_rate(rps, away))
    query = primary.response
    if tier.replicas:
        replica = stations[name, "replicas"] = node(arrival_rps=rps * away / tier.replicas)
        query = Mixture(weights=(away, 1 - away), parts=(replica.response, query))
    held = query.mean_s + tier.hold_time_s
    pool = stations[name, "connections"] = Station(arrival_rps=rps, service_s=held, servers=tier.connections, shape=shape)
    held_on = Constant(mean_s=tier.hold_time_s)
    whole = Series(parts=(pool.wait, query, held_on))
    return whole, (pool.wait, query, held_on)


def _held(
    scenario: Scenario, name: str, calls: Mapping[str, Value], responses: Mapping[str, Distribution],
    journey_rps: Mapping[str, Value], edge: Mapping[str, Value],
) -> tuple[Value, Value]:  # fmt: skip
    """Mean and squared coefficient of variation of the time that a blocking thread of *name* is held per call.

    A thread works itself (exponential), then waits for the tiers it calls; over journeys the time is a mixture.
    """
    tier = scenario.tiers[name]
    assert isinstance(tier, Service)
    own = [Visits(part=responses[called], times=visits) for called, visits in tier.calls.items()]
    mean: Value = tier.service_time_s + sum((v.mean_s for v in own), 0.0)
    variance: Value = own_work(tier).variance + sum((v.variance for v in own), 0.0)
    first, second = mean, variance + mean**2
    for journey_name, journey in scenario.journeys.items():
        if entry_of(scenario, journey_name) == name:
            others = [Visits(part=responses[called], times=visits) for called, visits in journey.calls.items() if called != name]
            wait: Value = sum((v.mean_s for v in others), 0.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                rate = np.asarray(miss_rate(journey_rps[journey_name], edge[journey_name]))
                share = np.where(rate > 0, rate / np.asarray(calls[name]), 0.0)
                first = first + np.where(share > 0, share * wait, 0.0)
                spread: Value = sum((v.variance for v in others), 0.0)
                second = second + np.where(share > 0, share * (spread + wait**2 + 2 * wait * mean), 0.0)
    with np.errstate(invalid="ignore"):
        return first, np.where(np.isfinite(np.asarray(second, dtype=float)), second / np.asarray(first) ** 2 - 1, 1.0)


def _journey(
    scenario: Scenario, name: str, edge: Value, responses: Mapping[str, Distribution], travel: Distribution, near: tuple[Distribution, ...]
) -> Distribution:  # fmt: skip
    """End to end, as the user sees it: round trip, then edge or all calls one after the other."""
    journey = scenario.journeys[name]
    inside = tuple(Visits(part=responses[called], times=visits) for called, visits in journey.calls.items())
    full = Series(parts=(travel, *inside))
    if not near or not np.any(edge):
        return full
    return Mixture(weights=(edge, 1 - edge), parts=(Series(parts=near), full))


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
