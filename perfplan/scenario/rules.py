"""Rules that tie several fields of a scenario together: shares, references along calls, cycles, dates."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from perfplan.quantity import MONTH, Value
from perfplan.scenario import Cache, Completion, Database, Partner, Queue, Scenario, Service

LONGEST_S = 36.5 * MONTH
WIDEST = 100  # p99 over p50
FIRST_YEAR, LAST_YEAR = 2000, 2199
MOST_HINDERED = 400  # cores whose hindrance is solved
Problem = tuple[str, str]  # path of the field, what is wrong


def problems(scenario: Scenario) -> Iterator[Problem]:
    """What is wrong between the fields of *scenario*, each with the path of the field to mend."""
    yield from _shares("journeys", scenario.journeys)
    yield from _shares("regions", scenario.regions)
    yield from _traffic(scenario)
    yield from _cycles(scenario)
    yield from _partners(scenario)
    yield from _entries(scenario)
    yield from _laws(scenario)
    yield from _crews(scenario)
    for name, objective in scenario.objectives.items():
        if objective.until_s > LONGEST_S:
            yield f"objectives.{name}.until", "must be at most 36 months, which is how far a plan looks"
    yield from _dates(scenario)
    called = {name for tier in scenario.tiers for name in calls_of(scenario, tier)} | {
        n for j in scenario.journeys.values() for n in j.calls
    }
    for name, objective in scenario.objectives.items():
        if isinstance(objective, Completion) and objective.queue not in called:
            yield (
                f"objectives.{name}.queue",
                f"must be a queue that gets jobs; nobody calls {objective.queue} (a journey or a service must)",
            )
    for name, tier in scenario.tiers.items():
        if isinstance(tier, Service) and tier.discipline == "ps" and tier.io == "blocking":
            yield (
                f"tiers.{name}.discipline",
                "must be fcfs where io is blocking: a thread that waits for others is not shared; or state io: async, and as threads the cores",
            )
        if isinstance(tier, Cache) and isinstance(scenario.tiers.get(tier.origin), (Queue, Partner)):
            yield f"tiers.{name}.origin", f"must be a tier that answers reads; {tier.origin} is a {scenario.tiers[tier.origin].kind}"
        if isinstance(tier, Database) and tier.connections > tier.max_connections * (1 + tier.replicas):
            most = tier.max_connections * (1 + tier.replicas)
            yield f"tiers.{name}.connections", f"must be at most max_connections of all nodes, {most:g}; got {tier.connections:g}"


def calls_of(scenario: Scenario, tier: str) -> Mapping[str, Any]:
    """The tiers that one call to *tier* may call in turn."""
    one = scenario.tiers[tier]
    if isinstance(one, Service):
        return one.calls
    return {one.origin: 1.0} if isinstance(one, Cache) else {}


def _shares(section: str, rows: Mapping[str, Any]) -> Iterator[Problem]:
    total = sum(row.share for row in rows.values())
    if not 0.98 <= total <= 1.02:
        yield section, f"shares must sum to 100%; got {total * 100:.6g}% ({' + '.join(f'{r.share * 100:.4g}%' for r in rows.values())})"


def _traffic(scenario: Scenario) -> Iterator[Problem]:
    traffic = scenario.traffic
    users = traffic.peak_users is not None and traffic.requests_per_user_rps is not None
    if not users and traffic.peak_rps is None and traffic.history is None:
        yield "traffic", "must state peak_users with requests_per_user, or peak, or a history file; got none of them"
    if traffic.peak_users is not None and traffic.peak_rps is not None:
        yield "traffic.peak", "must not stand beside peak_users: each gives the peak; take one out"
    if (traffic.peak_users is None) != (traffic.requests_per_user_rps is None) and traffic.peak_rps is None and traffic.history is None:
        yield "traffic", "peak_users and requests_per_user belong together; got only one of them"
    if traffic.growth_per_month is None and traffic.history is None:
        yield "traffic.growth", "must be stated where there is no history file, such as 2%/month (0%/month: no growth)"


def _cycles(scenario: Scenario) -> Iterator[Problem]:
    try:
        call_order(scenario)
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        yield f"tiers.{circle[0]}", f"calls run in a circle: {' -> '.join(circle)}; take one of them out"


def call_order(scenario: Scenario) -> list[str]:
    """All tiers, each before the tiers it calls or waits for; raises `graphlib.CycleError` where calls run in a circle."""
    callers = TopologicalSorter({name: [t for t in _waits_for(scenario, name) if t in scenario.tiers] for name in scenario.tiers})
    return list(reversed(list(callers.static_order())))


def _waits_for(scenario: Scenario, name: str) -> list[str]:
    """The tiers that *name* calls itself, and those it calls for the journeys it is the entry of."""
    own = list(calls_of(scenario, name))
    for key, journey in scenario.journeys.items():
        if entry_of(scenario, key) == name:
            own += [called for called in journey.calls if called != name]
    return list(dict.fromkeys(own))  # in the order of the file: a set would differ from run to run


def _partners(scenario: Scenario) -> Iterator[Problem]:
    for name, tier in scenario.tiers.items():
        if isinstance(tier, Partner) and tier.p99_s <= tier.p50_s:
            yield f"tiers.{name}.p99", f"must be more than its p50; got {tier.p99_s * 1e3:g}ms against {tier.p50_s * 1e3:g}ms"
        elif isinstance(tier, Partner) and tier.p99_s > WIDEST * tier.p50_s:
            yield f"tiers.{name}.p99", too_wide(tier.p50_s, tier.p99_s)


def _laws(scenario: Scenario) -> Iterator[Problem]:
    for name, tier in scenario.tiers.items():
        law = getattr(tier, "service", None)
        if law is None:
            continue
        ways = [law.samples is not None, law.p50_s is not None or law.p99_s is not None, law.variation is not None]
        if sum(ways) != 1 or (law.p50_s is None) != (law.p99_s is None):
            yield f"tiers.{name}.service", "must be given one way: samples, or p50 with p99, or variation (with service_time)"
        elif law.p50_s is not None and law.p99_s <= law.p50_s:
            yield f"tiers.{name}.service.p99", f"must be more than its p50; got {law.p99_s * 1e3:g}ms against {law.p50_s * 1e3:g}ms"
        elif law.p50_s is not None and law.p99_s > WIDEST * law.p50_s:
            yield f"tiers.{name}.service.p99", too_wide(law.p50_s, law.p99_s)


def too_wide(p50_s: Value, p99_s: Value) -> str:
    """What is said of percentiles further apart than WIDEST."""
    return f"must be at most {WIDEST} times its p50, to be believed as one law; got {p99_s * 1e3:g}ms against {p50_s * 1e3:g}ms (two kinds of calls? make two tiers)"


def _crews(scenario: Scenario) -> Iterator[Problem]:
    for name, tier in scenario.tiers.items():
        if not isinstance(tier, (Service, Database)):
            continue
        hinder = [f for f, none in (("hyperthread_gain", 1), ("contention", 0), ("coherency", 0)) if getattr(tier, f) != none]
        servers, field = (tier.threads, "threads") if isinstance(tier, Service) else (tier.cores, "cores")
        if hinder and tier.discipline != "ps":
            yield f"tiers.{name}.{hinder[0]}", "is about cores that requests share; state discipline: ps, or leave it out"
        elif hinder and servers > MOST_HINDERED:
            yield f"tiers.{name}.{field}", f"must be at most {MOST_HINDERED} where cores hinder each other ({hinder[0]}); got {servers:g}"


def _entries(scenario: Scenario) -> Iterator[Problem]:
    for name, journey in scenario.journeys.items():
        services = [called for called in journey.calls if isinstance(scenario.tiers[called], Service)]
        if journey.entry is None and len(services) > 1:
            yield f"journeys.{name}.entry", f"must say which of its services makes the calls: {', '.join(services)}"
        if journey.entry is not None and journey.entry not in journey.calls:
            yield f"journeys.{name}.entry", f"must be among the journey's calls; got {journey.entry}"


def entry_of(scenario: Scenario, journey: str) -> str | None:
    """The service that makes the calls of *journey*; None where it calls no service."""
    one = scenario.journeys[journey]
    services = [called for called in one.calls if isinstance(scenario.tiers[called], Service)]
    return one.entry or (services[0] if services else None)


def _dates(scenario: Scenario) -> Iterator[Problem]:
    for path, text in _days(scenario):
        try:
            datetime.date.fromisoformat(text)
        except ValueError:
            yield path, f"must be a day of the calendar; got {text}"
            continue
        if path == "as_of" and not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
            yield path, f"must be a day from {FIRST_YEAR} to {LAST_YEAR}; got {text}"


def _days(scenario: Scenario) -> Iterator[tuple[str, str]]:
    if scenario.as_of:
        yield "as_of", scenario.as_of
    for name, answer in scenario.answers.items():
        yield f"answers.{name}.date", answer.date
        if answer.review:
            yield f"answers.{name}.review", answer.review
