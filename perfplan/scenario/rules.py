"""Rules that tie several fields of a scenario together: shares, references along calls, cycles, dates."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from perfplan.promises import budget_of
from perfplan.promises import kind_of as promised
from perfplan.quantity import MONTH
from perfplan.scenario import Scenario
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place

LONGEST_S = 36.5 * MONTH
FIRST_YEAR, LAST_YEAR = 2000, 2199
Problem = tuple[str, str]  # path of the field, what is wrong


def problems(scenario: Scenario) -> Iterator[Problem]:
    """What is wrong between the fields of *scenario*, each with the path of the field to mend."""
    yield from _shares("journeys", scenario.journeys)
    yield from _shares("regions", scenario.regions)
    yield from _traffic(scenario)
    yield from _cycles(scenario)
    yield from _entries(scenario)
    for name, objective in scenario.objectives.items():
        if objective.until_s > LONGEST_S:
            yield f"objectives.{name}.until", "must be at most 36 months, which is how far a plan looks"
    yield from _dates(scenario)
    yield from _measured(scenario)
    for name, window in scenario.maintenance.items():
        if (window.day is None) != (window.start is None):
            yield f"maintenance.{name}", "day and start belong together; got only one of them (neither: the plan places it)"
        if window.lasts_s > 0.5 * window.every_s:
            yield f"maintenance.{name}.lasts", "must be at most half of `every`: a service that is down for longer is not run"
    called = {name for tier in scenario.tiers for name in calls_of(scenario, tier)} | {
        n for j in scenario.journeys.values() for n in j.calls
    }
    for name, objective in scenario.objectives.items():
        counts = budget_of(objective)
        if counts is not None and not counts.tier and (not counts.journeys or len(set(counts.journeys)) < len(counts.journeys)):
            yield f"objectives.{name}.journeys", "must name at least one journey, and each once"
        elif counts is not None and not counts.tier and not sum(scenario.journeys[one].share for one in counts.journeys) > 0:
            yield f"objectives.{name}", "must be about journeys that have requests; their share is 0"
        jobs = promised(objective).says.jobs(objective)
        if jobs is not None and jobs.tier not in called:
            yield f"objectives.{name}.queue", f"must be a queue that gets jobs; nobody calls {jobs.tier} (a journey or a service must)"
    for name, tier in scenario.tiers.items():
        for field, what in kind_of(tier).kept.problems(tier):
            yield str(Place(name, field)), what
        for origin in calls_of(scenario, name) if kind_of(tier).stands.misses else ():
            if origin in scenario.tiers and not kind_of(scenario.tiers[origin]).stands.reads:
                yield str(Place(name, "origin")), f"must be a tier that answers reads; {origin} is a {scenario.tiers[origin].kind}"


def _measured(scenario: Scenario) -> Iterator[Problem]:
    """Points belong to a journey, outcomes to a promise that has a budget."""
    for name, one in scenario.measured.items():
        path = f"measured.{name}"
        if one.points is None and one.outcomes is None:
            yield path, "must name points (with journey) or outcomes (with objective); got neither"
        pairs = ("points", one.points, "journey", one.journey), ("outcomes", one.outcomes, "objective", one.objective)
        for file, stated, about, named in pairs:
            if (stated is None) != (named is None):
                yield path, f"{file} and {about} belong together; got only one of them"
        promise = scenario.objectives.get(one.objective) if one.objective is not None else None
        if promise is not None and budget_of(promise) is None:
            yield f"{path}.objective", f"must be a promise with an error budget; one of kind {promise.kind} has none"
    twice = [one.objective for one in scenario.measured.values() if one.objective is not None]
    for objective in sorted({one for one in twice if twice.count(one) > 1}):
        yield "measured", f"must name outcomes of {objective} once; join the files"


def calls_of(scenario: Scenario, tier: str) -> Mapping[str, Any]:
    """The tiers that one call to *tier* may call in turn."""
    return kind_of(scenario.tiers[tier]).carries.passes(scenario.tiers[tier], 0.0)


def _shares(section: str, rows: Mapping[str, Any]) -> Iterator[Problem]:
    total = sum(row.share for row in rows.values())
    if not 0.98 <= total <= 1.02:
        yield section, f"shares must sum to 100%; got {total * 100:.6g}% ({' + '.join(f'{r.share * 100:.4g}%' for r in rows.values())})"


def _traffic(scenario: Scenario) -> Iterator[Problem]:
    traffic = scenario.traffic
    users = traffic.peak_users is not None and traffic.requests_per_user_rps is not None
    if not users and traffic.peak_rps is None and traffic.history is None:
        yield "traffic", "must state peak_users with requests_per_user, or peak, or a history file; got none of them"
    if traffic.peak_users is not None and traffic.peak_rps is not None and traffic.history is None:
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
    return list(reversed(list(TopologicalSorter(waits(scenario)).static_order())))


def waits(scenario: Scenario) -> dict[str, list[str]]:
    """Of each tier those that it calls itself, and those that it calls for the journeys it is the entry of; in the order of the file."""
    found = {name: list(calls_of(scenario, name)) for name in scenario.tiers}
    for service, journeys in entered(scenario).items():
        if service in found:
            found[service] += [called for journey in journeys for called in scenario.journeys[journey].calls if called != service]
    return {name: [one for one in dict.fromkeys(called) if one in scenario.tiers] for name, called in found.items()}


def all_called(scenario: Scenario) -> dict[str, frozenset[str]]:
    """Of each tier all that it waits for, however far."""
    found: dict[str, frozenset[str]] = {}
    direct = waits(scenario)
    for name in reversed(call_order(scenario)):
        found[name] = frozenset(direct[name]).union(*(found[one] for one in direct[name]))
    return found


def entered(scenario: Scenario) -> dict[str, list[str]]:
    """The journeys that enter by each service."""
    found: dict[str, list[str]] = {}
    for journey in scenario.journeys:
        if (service := entry_of(scenario, journey)) is not None:
            found.setdefault(service, []).append(journey)
    return found


def _entries(scenario: Scenario) -> Iterator[Problem]:
    for name, journey in scenario.journeys.items():
        services = [called for called in journey.calls if kind_of(scenario.tiers[called]).stands.enters]
        if journey.entry is None and len(services) > 1:
            yield f"journeys.{name}.entry", f"must say which of its services makes the calls: {', '.join(services)}"
        if journey.entry is not None and journey.entry not in journey.calls:
            yield f"journeys.{name}.entry", f"must be among the journey's calls; got {journey.entry}"


def entry_of(scenario: Scenario, journey: str) -> str | None:
    """The service that makes the calls of *journey*; None where it calls no service."""
    one = scenario.journeys[journey]
    services = [called for called in one.calls if kind_of(scenario.tiers[called]).stands.enters]
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
