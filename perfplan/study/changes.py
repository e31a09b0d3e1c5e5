"""What if one thing were halved or doubled: p95s, the highest load that keeps every promise, and the bill, at the median."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfplan.plan import State, month_factors, plan, with_fields
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Scenario
from perfplan.scenario.rules import problems
from perfplan.study import Study, once
from perfplan.study.sweeps import NO_LOAD, Alike, knee
from perfplan.tiers import Tier, kind_of, scaled


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """One thing halved or doubled: the journey whose p95 it moves most (the slowest, where none), at today's peak, at the median."""

    tier: str
    change: str
    journey: str
    before_s: float
    after_s: float
    # highest load that keeps every promise which some load keeps today, over today's peak; 0: none, inf: beyond the span, nan: there is
    # none
    carries: float
    cost_change_usd: float  # per month; nan where what changes has no price of its own


ENDLESS_S = 1e9
UNPRICED = {"threads", "service_time_s", "hold_time_s", "publish_time_s", "p50_s", "p99_s"}  # what nobody sells by itself


@once
def what_ifs(study: Study) -> list[WhatIf]:
    """What twice as many of each thing, and half or twice the time in each tier, would do; what lowers a p95 most first.

    What the rules of a scenario refuse is left out. The last is the bound: nobody waits for anything, as at no load. More of anything
    brings no p95 below that, unless it is a cache that then holds more.
    """
    middle, now = study.scenario, study.middle.rps[:1, :1]
    answered: dict[Any, Any] = {}
    base, cost, broken = _p95s(middle, now, answered), _cost(middle, now), knee(middle, answered).always
    rows = []
    for name, tier in middle.tiers.items():
        for change, fields in _changes(tier):
            changed = with_fields(middle, {name: fields})
            if any(problems(changed)):
                continue
            kept = min((load for o, load in knee(changed, answered).objectives.items() if o not in broken), default=np.nan)
            extra = np.nan if UNPRICED & fields.keys() else _cost(changed, now) - cost
            most = _most_moved(base, _p95s(changed, now, answered))
            rows.append(WhatIf(tier=name, change=change, carries=kept / float(now[0, 0]), cost_change_usd=extra, **most))
    rows.sort(key=lambda r: (round(min(r.after_s, ENDLESS_S) / max(min(r.before_s, ENDLESS_S), 1 / ENDLESS_S), 3), -r.carries))
    empty = _most_moved(base, _p95s(middle, now * NO_LOAD, answered))
    return [*rows, WhatIf(tier="", change="no waits anywhere", carries=np.nan, cost_change_usd=np.nan, **empty)]


def _most_moved(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    moved = {j: abs(np.diff(np.log(np.clip([before[j], after[j]], 1 / ENDLESS_S, ENDLESS_S)))[0]) for j in before}
    most = max(before, key=lambda j: (round(moved[j], 3), before[j]))
    return {"journey": most, "before_s": before[most], "after_s": after[most]}


def _changes(tier: Tier) -> list[tuple[str, dict[str, Value]]]:
    """What can be halved or doubled about *tier*: how it is called, and the fields that state it."""
    varied = kind_of(tier).varied
    return [
        *((f"twice the {what}", scaled(tier, (field,), 2.0)) for what, field in varied.doubled.items()),
        *(
            (f"{how} the {what}", scaled(tier, fields, by))
            for how, by in (("half", 0.5), ("twice", 2.0))
            for what, fields in varied.halved.items()
        ),
    ]


def _p95s(scenario: Scenario, rps: FloatArray, answered: dict[Any, Any]) -> dict[str, float]:
    state = Alike.among(State(scenario, rps), answered)
    return {name: float(state.percentiles_s(name, (0.95,))[0][0, 0]) for name in scenario.journeys}


def _cost(scenario: Scenario, rps: FloatArray) -> float:
    return float(plan(scenario, rps, percentiles=(), objectives=(), month_factor=month_factors(scenario, 1)).cost_month_usd[0, 0])
