"""What could be done, in the same worlds as doing nothing: each stated option alone, what is proposed, counts alone, and the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from perfplan.plan import Plan, State, by_tier, plan, with_counts, with_fields
from perfplan.plan.demand import month_factors
from perfplan.quantity import FloatArray, Misread, median
from perfplan.record import Declared, but, declared
from perfplan.scenario import Option, Scenario
from perfplan.scenario.rules import problems
from perfplan.study.fleet import Fleet, Room, Way
from perfplan.study.search.candidates import once_usd, works_from
from perfplan.study.search.worlds import There, Worlds, with_options
from perfplan.study.worlds import at_medians
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place

MANY_CALLS = 4.0  # of a request to one tier: from here on half of them, batched, is worth a proposal
NOTHING, HARDWARE, SECOND, PLAN = "nothing", "counts alone", "the best with other options", "the plan"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Something that could be done, in the same worlds as doing nothing."""

    name: str
    overrides: Sequence[str]
    by: str  # stated, proposed, or found by the search; nothing: ""
    p_all: float  # P(every objective holds) in the last month asked for
    p_lowest: float  # the lowest P of any month up to it that can have it
    p95_change_s: float  # mean over journeys of p95, at today's load, at the median
    cost_change_usd: float  # per month, in the last month, mean over worlds
    total_usd: float  # to the last month, with price and priced effort
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
    return [one for one in found if not set(one.texts(drawn)) <= taken and one.can_be(drawn)]


def _batching(drawn: Scenario, pool: str) -> list[Proposed]:
    calls = {name: median(journey.calls.get(pool, 0.0)) for name, journey in drawn.journeys.items()}
    name = max(calls, key=lambda n: calls[n])
    stated = any(text.startswith(f"journeys.{name}.calls.{pool}") for option in drawn.options.values() for text in option.set)
    if calls[name] < MANY_CALLS or stated:
        return []
    return [Proposed(name=f"half the queries of {name}, batched", calls={(name, pool): float(f"{calls[name] / 2:g}")})]


def try_options(room: Room, today: Plan, fleet: Fleet) -> list[Tried]:
    """Everything that could be done, ranked by whether it is enough, then by dollars; what is not enough by P."""
    trial = _Trial(room, today)
    found = [trial.nothing()]
    for name, option in today.scenario.options.items():
        found.append(trial.alone(name, option))
    found += [trial.proposed(one) for one in proposals(room.judging.drawn(frozenset())) if one.can_be(room.judging.statement.at())]
    ways = {HARDWARE: fleet.hardware if fleet.hardware != fleet.way else None, SECOND: fleet.second, PLAN: fleet.way}
    found += [trial.way(name, way) for name, way in ways.items() if way is not None and way.orders]

    def rank(one: Tried) -> tuple[float, float, float, str]:
        enough = one.p_lowest >= room.asked
        return -float(enough), one.total_usd if enough else 0.0, -round(min(one.p_all, one.p_lowest), 2), one.name

    return sorted(found, key=rank)


class _Trial:
    """What is tried, against doing nothing."""

    def __init__(self, room: Room, today: Plan) -> None:
        self.room, self.today = room, today
        self.load = np.median(today.rps[:, : room.last + 1], axis=0, keepdims=True)[:, :1]
        self.p = today.all_hold.mean(axis=0)
        self.lasts, self.p95_s = self._first_below(self.p), self._p95_s(room.judging.statement.at())

    def nothing(self) -> Tried:
        last = self.room.last
        return Tried(
            name=NOTHING,
            overrides=(),
            by="",
            p_all=float(self.p[last]),
            p_lowest=float(self.p[: last + 1].min()),
            p95_change_s=0.0,
            cost_change_usd=0.0,
            total_usd=0.0,
            months_gained=0.0,
        )

    def alone(self, name: str, option: Option) -> Tried:
        """A stated option and nothing else."""
        room, start = self.room, works_from(median(option.lead_time_s))
        nothing, there = (There(options, (0,) * len(room.judging.ladders)) for options in (frozenset[str](), frozenset({name})))
        p = self._with(room.judging, there, start)
        monthly = room.paid.usd(there) - room.paid.usd(nothing) + median(option.monthly_usd)
        total = once_usd(self.today.scenario, option) + float(monthly[start:].sum())
        return self._tried(name, tuple(option.set), "stated", p, start, monthly[-1], total, room.judging.drawn(there.options), option)

    def proposed(self, one: Proposed) -> Tried:
        """A proposal, as if it were there."""
        room, texts = self.room, one.texts(self.today.scenario)
        statement = room.judging.statement.but(*texts)
        worlds = Worlds(statement=statement, ladders=(), count=room.judging.count, seed=room.judging.seed)
        p = self._with(worlds, There(frozenset(), ()), 0)
        scenario = worlds.drawn(frozenset())
        months = room.last + 1
        rps, factor = worlds.rps(frozenset())[:, :months], month_factors(scenario, months)
        made = plan(scenario, rps, percentiles=(), objectives=(), month_factor=factor)
        monthly = made.cost_month_usd.mean(axis=0) - self.today.cost_month_usd[:, :months].mean(axis=0)
        return self._tried(one.name, texts, "proposed", p, 0, monthly[-1], float(monthly.sum()), scenario, None)

    def way(self, name: str, way: Way) -> Tried:
        """What a search has found."""
        counts = way.orders[-1].counts
        scenario = with_counts(with_options(self.room.judging.statement, way.options).at(), counts)
        options = [self.today.scenario.options[option] for option in way.options]
        return Tried(
            name=name,
            overrides=tuple(f"{place}={count:g}" for place, count in counts.items()) + way.options,
            by="search",
            p_all=way.p_last,
            p_lowest=way.p,
            p95_change_s=self._p95_s(scenario) - self.p95_s,
            cost_change_usd=way.monthly_usd,
            total_usd=way.usd,
            months_gained=way.lasts - self.lasts,
            price_usd=sum(median(option.price_usd) for option in options),
            effort_s=sum(median(option.effort_s) for option in options),
            lead_time_s=max([median(option.lead_time_s) for option in options], default=0.0),
        )

    def _tried(
        self,
        name: str,
        overrides: Sequence[str],
        by: str,
        p: FloatArray,
        start: int,
        monthly_usd: float,
        total_usd: float,
        scenario: Scenario,
        option: Option | None,
    ) -> Tried:
        return Tried(
            name=name,
            overrides=overrides,
            by=by,
            p_all=float(p[self.room.last]),
            p_lowest=float(p[start : self.room.last + 1].min()),
            p95_change_s=self._p95_s(scenario) - self.p95_s,
            cost_change_usd=float(monthly_usd),
            total_usd=float(total_usd),
            months_gained=self._first_below(p) - self.lasts,
            price_usd=median(option.price_usd) if option else 0.0,
            effort_s=median(option.effort_s) if option else 0.0,
            lead_time_s=median(option.lead_time_s) if option else 0.0,
        )

    def _with(self, worlds: Worlds, there: There, start: int) -> FloatArray:
        """P by month with *there* from *start* on; beyond the months asked for until it is less than asked."""
        p = np.array(self.p)
        asked = [month for month in self.room.order if month >= start]  # the heaviest first: what holds then holds before
        for month in (*asked, *range(self.room.last + 1, p.size)):
            p[month] = worlds.hold(there, month, self.room.counted(month)).mean()
            if month > self.room.last and p[month] < self.room.asked:
                break
        return p

    def _first_below(self, p: FloatArray) -> float:
        below = np.flatnonzero(p < self.room.asked)
        return float(below[0]) if below.size else float(p.size)

    def _p95_s(self, scenario: Scenario) -> float:
        """Mean over journeys of p95 at today's load, at the median: finite where the last month is not."""
        state = State(at_medians(scenario), self.load)
        return float(np.mean([state.percentiles_s(name, (0.95,))[0][0, 0] for name in scenario.journeys]))
