"""A scenario while something has failed: what is left of it, which calls fail, and what is not called any more.

Calls are made one after the other; where one fails, so does the request, and the rest of its calls are not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.models.availability import until_failure
from perfplan.plan.paths import hit_ratios
from perfplan.quantity import Value
from perfplan.record import but
from perfplan.scenario import Scenario
from perfplan.scenario.rules import call_order, entry_of
from perfplan.tiers import gone, kind_of
from perfplan.tiers.kind import Failure


@dataclass(frozen=True, kw_only=True)
class Meanwhile:
    """A scenario while something has failed."""

    scenario: Scenario  # what is left, and the calls that are still made
    hits: Mapping[str, Value]
    through: Mapping[str, Value]  # by journey: share of its requests, edge hits aside, that meet no failed call


def meanwhile(scenario: Scenario, name: str, failure: Failure, hangs_s: float, others: Mapping[str, float] | None = None) -> Meanwhile:
    """*scenario* while the tier *name* fails so; a call to it that hangs is given up after *hangs_s*.

    *others*: what is left of the hit ratios of tiers that have failed beside it.
    """
    tiers = {**scenario.tiers, name: but(scenario.tiers[name], **failure.fields)}
    hits = hit_ratios(but(scenario, tiers=tiers))
    parts = {**(others or {}), name: failure.hit}
    hits = {one: hit * parts.get(one, 1.0) for one, hit in hits.items()}
    fails: dict[str, Value] = {}
    for one in reversed(call_order(scenario)):
        kind = kind_of(tiers[one])
        called, left = _cut(kind.carries.passes(tiers[one], hits.get(one, 0.0)), fails)
        fails[one] = np.maximum(1 - left, failure.fails) if one == name else 1 - left
        if kind.fails.calls:
            tiers[one] = but(tiers[one], **{kind.fails.calls: called})
    if failure.fails == 1:
        tiers[name] = gone(hangs_s if failure.hangs else AT_ONCE_S)
    journeys, through, some = {}, {}, 0 < failure.fails < 1
    for journey, one_of in scenario.journeys.items():
        entry = entry_of(scenario, journey)
        calls, through[journey] = _cut(one_of.calls, fails, entry)
        if some and name in calls:
            calls[name] = calls[name] * (1 - failure.fails)
        journeys[journey] = but(one_of, calls=calls)
    if some:  # calls that fail at once are no work, whoever makes them
        before = [one for one in hits if name in kind_of(tiers[one]).carries.passes(tiers[one], 0.0)]
        hits |= {one: 1 - (1 - np.asarray(hits[one])) * (1 - failure.fails) for one in before}
    return Meanwhile(scenario=but(scenario, tiers=tiers, journeys=journeys), hits=hits, through=through)


AT_ONCE_S = 1e-6  # until a call to what is not there fails


def _cut(calls: Mapping[str, Value], fails: Mapping[str, Value], entry: str | None = None) -> tuple[dict[str, Value], Value]:
    """Those of *calls* that are made until one fails, and the share of all that meet no failure.

    The first call to *entry* comes first, and makes the others; the rest of its calls come last.
    """
    found: dict[str, Value] = {}
    left: Value = 1.0
    steps = [(called, times) for called, times in calls.items() if called != entry]
    if entry is not None:
        steps = [(entry, np.minimum(calls[entry], 1.0)), *steps, (entry, np.maximum(np.asarray(calls[entry]) - 1, 0.0))]
    for called, times in steps:
        made, through = until_failure(times, fails.get(called, 0.0))
        found[called] = found.get(called, 0.0) + left * made
        left = left * through
    return {called: found[called] for called in calls}, left
