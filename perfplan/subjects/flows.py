"""Who calls whom, and how often: the system as the scenario states it."""

from __future__ import annotations

from dataclasses import dataclass

from perfplan.operate.kind import today
from perfplan.scenario.rules import entered, entry_of
from perfplan.study import Study, once
from perfplan.tiers import kind_of

USERS, EDGE = "users", "content network"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Calls of one to another, today's peak hour at the median."""

    caller: str
    called: str
    rps: float


@once
def flows(study: Study) -> list[Flow]:
    """Every flow, from users inwards: journeys come by their entry, or straight to what they call."""
    scenario, carried = study.middle.scenario, study.middle.carried
    found: dict[tuple[str, str], float] = {}
    front = EDGE if scenario.cdn is not None else USERS

    def add(caller: str, called: str, rps: float) -> None:
        found[caller, called] = found.get((caller, called), 0.0) + rps

    for name, journey in scenario.journeys.items():
        rps, inside = today(study, carried.journey_rps[name]), 1 - today(study, carried.edge[name])
        if front == EDGE:
            add(USERS, EDGE, rps)
        entry = entry_of(scenario, name)
        for called, times in journey.calls.items():
            through = entry if entry is not None and called != entry and name in entered(scenario).get(entry, ()) else front
            add(through, called, rps * inside * today(study, times))
    for name, tier in scenario.tiers.items():
        hits = today(study, carried.hit_ratio[name]) if name in carried.hit_ratio else 0.0
        for called, times in kind_of(tier).carries.passes(tier, hits).items():
            add(name, called, today(study, carried.calls_rps[name]) * today(study, times))
    return [Flow(caller=caller, called=called, rps=rps) for (caller, called), rps in found.items() if rps > 0]
