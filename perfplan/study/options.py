"""What could be done, planned in the same worlds as doing nothing: stated options, proposed ones and the recommended fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from perfplan.models.capacity import month_quantile
from perfplan.plan import Plan, State, by_tier, plan, with_fields, worlds_in
from perfplan.quantity import FloatArray, Misread, median
from perfplan.record import Declared, but, declared
from perfplan.scenario import Option, Scenario
from perfplan.scenario.rules import problems
from perfplan.scenario.statement import Statement
from perfplan.study.fleet import Fleet
from perfplan.study.worlds import at_medians, broken_from, confidence, horizon, take_worlds
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place

MANY_CALLS = 4.0  # of a request to one tier: from here on half of them, batched, is worth a proposal


@dataclass(frozen=True, kw_only=True)
class Tried:
    """An option planned in the same worlds as doing nothing."""

    name: str
    overrides: Sequence[str]
    proposed: bool  # by the findings, not stated in the scenario
    p_all: float  # P(every objective holds) in the last month asked for
    p_lowest: float  # the lowest P of any month up to it
    p95_change_s: float  # mean over journeys of p95, at today's load, at the median
    cost_change_usd: float  # per month, in the last month, at the median
    months_gained: float  # until P(every objective holds) falls below the asked confidence
    price_usd: float = 0.0
    effort_s: float = 0.0
    lead_time_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """Other values of fields of tiers, and other numbers of calls of journeys."""

    name: str
    fields: Mapping[Place, float] = field(default_factory=dict)
    calls: Mapping[tuple[str, str], float] = field(default_factory=dict)  # by journey and tier

    def of(self, scenario: Scenario) -> Scenario:
        """The scenario with them."""
        journeys = dict(scenario.journeys)
        for (journey, tier), times in self.calls.items():
            journeys[journey] = but(journeys[journey], calls={**journeys[journey].calls, tier: times})
        return with_fields(but(scenario, journeys=journeys), by_tier(self.fields))

    def texts(self, scenario: Scenario) -> tuple[str, ...]:
        """As `-p` takes them."""
        fields = [f"{Place(tier, one.key)}={one.kind.exact(value)}" for tier, one, value in self._stated(scenario)]
        return (*fields, *(f"journeys.{journey}.calls.{tier}={times:g}" for (journey, tier), times in self.calls.items()))

    def can_be(self, scenario: Scenario) -> bool:
        """Whether a file could say so: a proposal may pass what a field can hold."""
        try:
            for _, one, value in self._stated(scenario):
                one.read(one.kind.exact(value))
        except Misread:
            return False
        return not any(problems(self.of(scenario)))

    def _stated(self, scenario: Scenario) -> Iterator[tuple[str, Declared, float]]:
        for (tier, name), value in self.fields.items():
            yield tier, declared(type(scenario.tiers[tier]))[name], value


def try_options(statement: Statement, drawn: Scenario, fleet: Fleet, worlds: int = 200, seed: int = 7) -> list[Tried]:
    """Stated options, proposed ones and the recommended fleet, ranked by P, then months gained, then price."""
    middle, total, last = statement.at(), worlds_in(drawn), horizon(drawn)
    asked, count = confidence(middle), min(worlds, total)

    def tried(scenario: Scenario) -> _Outcome:
        return _outcome(take_worlds(scenario, count), last, asked)

    nothing = tried(drawn)
    found = [_compared("nothing", (), nothing, nothing, proposed=False)]
    for name, option in drawn.options.items():
        other = tried(statement.option(name).at(total, seed))
        found.append(_compared(name, tuple(option.set), nothing, other, proposed=False, option=option))
    found += [
        _compared(one.name, one.texts(drawn), nothing, tried(one.of(drawn)), proposed=True)
        for one in (*proposals(drawn), *_recommended(fleet, last))
        if one.can_be(middle)
    ]
    return sorted(found, key=lambda t: (-round(t.p_all, 2), -round(t.p_lowest, 2), -t.months_gained, t.cost_change_usd, t.name))


def proposals(drawn: Scenario) -> list[Proposed]:
    """What each kind of tier proposes, and fewer calls of those that wait for a pool; without what is stated as an option."""
    found: list[Proposed] = []
    for name, tier in drawn.tiers.items():
        found += [
            Proposed(name=what, fields={Place(name, f): x for f, x in fields.items()})
            for what, fields in kind_of(tier).advised.proposals(name, tier)
        ]
        if any(one.pool for one in kind_of(tier).owned.bought):
            found += _batching(drawn, name)
    taken = {text for option in drawn.options.values() for text in option.set}
    return [one for one in found if not set(one.texts(drawn)) <= taken]


def _batching(drawn: Scenario, pool: str) -> list[Proposed]:
    calls = {name: median(journey.calls.get(pool, 0.0)) for name, journey in drawn.journeys.items()}
    name = max(calls, key=lambda n: calls[n])
    stated = any(text.startswith(f"journeys.{name}.calls.{pool}") for option in drawn.options.values() for text in option.set)
    if calls[name] < MANY_CALLS or stated:
        return []
    return [Proposed(name=f"half the queries of {name}, batched", calls={(name, pool): float(f"{calls[name] / 2:g}")})]


def _recommended(fleet: Fleet, last: int) -> list[Proposed]:
    return [Proposed(name="the recommended fleet", fields=fleet.counts_at(last))] if fleet.orders else []


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What decides between options."""

    p_all: FloatArray  # by month, to the last asked for
    cost_usd: FloatArray  # (worlds,), in the last month
    lasts: float  # months until P(every objective holds) first falls below what is asked
    p95_s: float


def _outcome(scenario: Scenario, last: int, asked: float) -> _Outcome:
    made = plan(scenario, percentiles=())
    lasts = min(month_quantile(broken_from(made), 1 - asked), float(made.rps.shape[1]))
    return _Outcome(
        p_all=made.all_hold.mean(axis=0)[: last + 1], cost_usd=made.cost_month_usd[:, last], lasts=lasts, p95_s=_p95_s(made, last)
    )


def _p95_s(made: Plan, last: int) -> float:
    """Mean over journeys of the median p95 today, at the load of the first month: finite where the last month is not."""
    worlds = np.median(made.rps[:, : last + 1], axis=0, keepdims=True)
    state = State(at_medians(made.scenario), worlds[:, :1])
    return float(np.mean([state.percentiles_s(name, (0.95,))[0][0, 0] for name in made.scenario.journeys]))


def _compared(
    name: str, overrides: Sequence[str], nothing: _Outcome, other: _Outcome, *, proposed: bool, option: Option | None = None
) -> Tried:
    return Tried(
        name=name,
        overrides=overrides,
        proposed=proposed,
        p_all=float(other.p_all[-1]),
        p_lowest=float(other.p_all.min()),
        p95_change_s=other.p95_s - nothing.p95_s,
        cost_change_usd=median(other.cost_usd - nothing.cost_usd) + (float(option.monthly_usd) if option else 0.0),
        months_gained=other.lasts - nothing.lasts,
        price_usd=median(option.price_usd) if option else 0.0,
        effort_s=median(option.effort_s) if option else 0.0,
        lead_time_s=median(option.lead_time_s) if option else 0.0,
    )
