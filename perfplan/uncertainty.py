"""Plans over many worlds: when things run out, which fleet keeps every promise, what options are worth, what moves the date.

Every comparison is made in the same worlds: the same draws, with other counts or other overrides.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from perfplan.models.capacity import first_month, month_quantile, nodes_needed
from perfplan.plan import MONTHS, Plan, Resource, demand_rps, month_factors, plan, spares, steady_limit, until, with_counts, worlds_in
from perfplan.quantity import DAY, MONTH, FloatArray
from perfplan.record import but
from perfplan.scenario import Scenario, Throughput, Users
from perfplan.scenario.statement import Statement
from perfplan.tiers import bought_of, kind_of
from perfplan.tiers.kind import MONTH_AHEAD_S, median

SHOWN = (0, 6, 12, 24, 36)  # months whose percentiles are computed in all worlds, and whose numbers are kept
GRACE_S = 7 * DAY  # what is there within a week counts for the month it is ordered in
MOST_STEPS = 60  # of one order; a search that needs more does not end well
CAP = 4.0  # how far out of bounds an objective counts when steps are compared, on a log scale


@dataclass(frozen=True, kw_only=True)
class Order:
    """Counts that must work from a month on, and what they change."""

    month: int
    counts: Mapping[str, float]  # path to count, all that differ from today
    changes: Mapping[str, tuple[float, float]]  # path to (before, after) of this order


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Orders over time, and the plan in all worlds with them."""

    orders: Sequence[Order]
    p_all: FloatArray  # (months,)
    cost_usd: FloatArray  # (worlds, months)
    fails_from: int | None  # month from which no fleet that could be found keeps every promise

    def counts_at(self, month: int) -> Mapping[str, float]:
        """What differs from today in *month*."""
        return next((o.counts for o in reversed(self.orders) if o.month <= month), {})


@dataclass(frozen=True, kw_only=True)
class RunOut:
    """The month in which a resource passes its limit with today's count."""

    resource: Resource
    months: FloatArray  # (worlds,), inf where it lasts

    def quantile(self, p: float) -> float:
        """Month by which a share *p* of the worlds has run out; inf where fewer do within the plan."""
        return month_quantile(self.months, p)


def confidence(scenario: Scenario) -> float:
    """The highest confidence that an objective asks for."""
    return max(float(np.median(o.confidence)) for o in scenario.objectives.values())


def horizon(scenario: Scenario, months: int = MONTHS) -> int:
    """The last month up to which an objective must hold."""
    return min(max(until(o) for o in scenario.objectives.values()), months - 1)


def take_worlds(scenario: Scenario, count: int) -> Scenario:
    """The first *count* worlds of a drawn scenario."""
    return cast(Scenario, _each_array(scenario, lambda a: a[:count] if a.ndim == 2 else a))


def _each_array(value: Any, change: Callable[[FloatArray], FloatArray]) -> Any:
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, Mapping):
        return {k: _each_array(v, change) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_each_array(v, change) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return but(value, **{f.name: _each_array(getattr(value, f.name), change) for f in dataclasses.fields(value)})
    return value


def run_outs(made: Plan) -> list[RunOut]:
    """Every resource with the month it runs out, the first (at the median, then at P5) first."""
    found = [RunOut(resource=one, months=first_month(one.utilization > one.limit)) for one in made.resources.values()]

    def soonest(out: RunOut) -> tuple[float, float, float]:
        used = out.resource.utilization[:, 0] / np.maximum(np.broadcast_to(out.resource.limit, out.resource.utilization.shape)[:, 0], 1e-9)
        return out.quantile(0.5), out.quantile(0.05), -float(np.median(used))

    return sorted(found, key=soonest)


def broken_from(made: Plan) -> FloatArray:
    """First month in which some objective does not hold, (worlds,); inf where all hold to the end."""
    return first_month(~made.all_hold)


def sampling_error(p: float, worlds: int) -> float:
    """Half width of the 95 % interval of a share *p* of *worlds* (at most: the draws are stratified).

    >>> round(sampling_error(0.5, 2000), 4)
    0.0219
    """
    return 1.96 * float(np.sqrt(max(p * (1 - p), 1 / worlds) / worlds))


# ---- the fleet that keeps every promise ----


def recommend(today: Plan, *, sizing_worlds: int = 400) -> Fleet:
    """Orders that keep every promise with the asked confidence: the cheapest next step for the gain in P, again and again.

    *today*: the plan of today's fleet in all worlds.

    Each order lasts `order_ahead` months. First every resource is brought within its utilization limit and N + 1 with the
    asked confidence; then steps are bought one by one (greedy), each the one with most gain per dollar in the same worlds.
    """
    drawn, months = today.scenario, today.rps.shape[1]
    few = take_worlds(drawn, sizing_worlds)
    rps = np.broadcast_to(demand_rps(few, months), (worlds_in(few), months))
    asked, ahead = confidence(drawn), max(1, round(float(np.median(drawn.order_ahead_s)) / MONTH))
    aim = min(asked + (sampling_error(asked, rps.shape[0]) / 1.96 if rps.shape[0] > 1 else 0.0), 0.999)
    orders: list[Order] = []
    counts: dict[str, float] = {}
    month, fails_from = 0, None
    while month < months:
        bad = _first_bad(plan(with_counts(few, counts), rps[:, month:], percentiles=()), aim)
        if bad is None:
            break
        month += bad
        window = rps[:, month : month + ahead]
        busiest = int(np.quantile(window, aim, axis=0).argmax())
        better = _size(few, window[:, [busiest]], counts, aim)
        better = _size(few, window[:, [0]], better, aim) if busiest else better  # what broke may break in another way
        changes = {p: (_count(few, counts, p), n) for p, n in better.items() if n != _count(few, counts, p)}
        if changes:
            late = _deliver(few, orders, counts, changes, month)
            counts = better
            month = max(month, late)
            window = rps[:, month : month + ahead]
        still = _first_bad(plan(with_counts(few, counts), window, percentiles=()), aim)
        if still is not None:
            fails_from = month + still if fails_from is None else fails_from
            month += ahead  # nothing that was tried helps here; later months are ordered for all the same
    return _in_all_worlds(today, orders, fails_from)


def _deliver(
    scenario: Scenario, orders: list[Order], before: Mapping[str, float], changes: Mapping[str, tuple[float, float]], month: int
) -> int:
    """Add what is bought for *month* to *orders*: each thing from the month it can work; returns the last of these months."""
    works = {path: max(month, int(np.ceil((lead_time_of(scenario, path) - GRACE_S) / MONTH))) for path in changes}
    counts = dict(before)
    for when in sorted(set(works.values())):
        now = {path: change for path, change in changes.items() if works[path] == when}
        counts |= {path: new for path, (_, new) in now.items()}
        orders.append(Order(month=when, counts=dict(counts), changes=now))
    return max(works.values())


def lead_time_of(scenario: Scenario, path: str) -> float:
    """Lead time of what is bought under *path*; a partner's limit and the link are asked for a month ahead."""
    parts = path.split(".")
    tier = scenario.tiers.get(parts[1]) if len(parts) == 3 else None
    if tier is None:
        return MONTH_AHEAD_S
    held, one = kind_of(tier).owned.held(tier), next((o for o in kind_of(tier).owned.bought if o.field == parts[2]), None)
    if one is None:
        return MONTH_AHEAD_S if held is None else median(held.lead_s)
    return median(one.lead_s(tier))


def _first_bad(made: Plan, aim: float) -> int | None:
    good = (made.all_hold.mean(axis=0) >= aim) & np.all([(r.utilization <= r.limit).mean(axis=0) >= aim for r in _sized(made)], axis=0)
    return None if good.all() else int((~good).argmax())


def _sized(made: Plan) -> list[Resource]:
    """The resources whose count is ours to choose."""
    return [r for r in made.resources.values() if r.ours]


def _count(scenario: Scenario, counts: Mapping[str, float], path: str) -> float:
    _, tier, name = path.split(".")
    return counts.get(path, float(getattr(scenario.tiers[tier], name)))


def _size(scenario: Scenario, rps: FloatArray, counts: Mapping[str, float], aim: float) -> dict[str, float]:
    """Counts that keep every promise at the load *rps*, as far as they can be found."""
    now = _within_limits(scenario, rps, dict(counts), aim)
    made = plan(with_counts(scenario, now), rps, percentiles=())
    for _ in range(MOST_STEPS):
        p, short = _score(made)
        if p >= aim:
            break
        open_ones = [name for name, judged in made.judged.items() if not judged.holds.all()]  # one more of something breaks nothing
        tried = [
            (path, n, plan(with_counts(scenario, now | {path: n}), rps, percentiles=(), objectives=open_ones)) for path, n in _steps(made)
        ]
        worth = [(_gain(made, other, p, short), path, n, other) for path, n, other in tried]
        best = max(worth, key=lambda w: w[0], default=None)
        if best is None or best[0] <= 0:
            break
        now[best[1]], made = best[2], best[3]
    return now


def _gain(made: Plan, other: Plan, p: float, short: float) -> float:
    other_p, other_short = _score(other)
    gain = other_p - p + 0.25 * (short - other_short)
    extra = float(np.median(other.cost_month_usd - made.cost_month_usd))
    return gain / (max(extra, 0.0) + 20.0) if gain > 1e-6 else 0.0


def _score(made: Plan) -> tuple[float, float]:
    """P(every objective holds), and how far out of bounds they are where they do not, on a log scale."""
    short = 0.0
    for judged in made.judged.values():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(np.maximum(judged.value, 1e-300) / judged.bound)
        short += float(np.clip(np.nan_to_num(ratio, nan=CAP, posinf=CAP), 0, CAP).mean())
    return float(made.all_hold.mean()), short


def _within_limits(scenario: Scenario, rps: FloatArray, counts: dict[str, float], aim: float) -> dict[str, float]:
    """Every count high enough for its utilization limit and N + 1 with confidence *aim*; callee first, as waits shrink."""
    for _ in range(12):
        made = plan(with_counts(scenario, counts), rps, percentiles=(), objectives=())
        changed = {}
        for one in sorted(_sized(made), key=lambda r: bought_of(scenario.tiers[r.tier], r.field).order):
            if (one.utilization <= one.limit).mean() < aim and np.isfinite(one.utilization).all():
                count = _needed(made.scenario, one, aim)
                if count != one.count:
                    changed[one.path] = count
                    break
        if not changed:
            return counts
        counts = counts | changed
    return counts


def _needed(scenario: Scenario, one: Resource, aim: float) -> float:
    tier = scenario.tiers[one.tier]
    steady, spare = steady_limit(scenario, one.tier, one.field), spares(scenario, one.tier, one.field)
    needed = nodes_needed(one.utilization * one.count, 1.0, steady, spare)
    wanted = float(np.quantile(needed, aim, method="higher"))
    return bought_of(tier, one.field).sized(tier, one.count, wanted)


def _steps(made: Plan) -> list[tuple[str, float]]:
    """The next larger count of everything that can be bought and is not idle."""
    steps = []
    stated = any(isinstance(o, Users) or (isinstance(o, Throughput) and o.above_rps is not None) for o in made.scenario.objectives.values())
    for one in _sized(made):
        if not stated and np.quantile(one.utilization, 0.95, method="higher") < 0.3:
            continue  # idle at this load, and no promise is made for another one
        tier, count = made.scenario.tiers[one.tier], one.count
        larger = bought_of(tier, one.field).larger(tier, count)
        if larger > count:
            steps.append((one.path, larger))
    return steps


def _in_all_worlds(today: Plan, orders: Sequence[Order], fails_from: int | None) -> Fleet:
    """The recommended fleet planned in every world, epoch by epoch; before the first order it is *today*'s."""
    drawn, rps, months = today.scenario, today.rps, today.rps.shape[1]
    factors = month_factors(drawn, months)
    orders = [o for o in orders if o.month < months]
    starts = [*(o.month for o in orders), months]
    p_all, cost = [today.all_hold[:, : starts[0]].mean(axis=0)], [today.cost_month_usd[:, : starts[0]]]
    for start, stop, order in zip(starts[:-1], starts[1:], orders, strict=True):
        if stop > start:
            there = with_counts(drawn, order.counts)
            made = plan(there, rps[:, start:stop], percentiles=(), first=start, month_factor=factors[:, start:stop])
            p_all.append(made.all_hold.mean(axis=0))
            cost.append(made.cost_month_usd)
    return Fleet(orders=tuple(orders), p_all=np.concatenate(p_all), cost_usd=np.concatenate(cost, axis=1), fails_from=fails_from)


# ---- options ----


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


def try_options(statement: Statement, drawn: Scenario, fleet: Fleet, worlds: int = 200, seed: int = 7) -> list[Tried]:
    """Stated options, proposed ones and the recommended fleet, ranked by P, then months gained, then price."""
    total = worlds_in(drawn)
    count = min(worlds, total)
    last = horizon(drawn)
    nothing = _tried_plan(take_worlds(drawn, count), last)
    rows = [("nothing", (), False, None), *_stated(statement, drawn), *((n, o, True, None) for n, o in proposals(drawn))]
    if fleet.orders:
        counts = fleet.counts_at(last)
        rows.append(("the recommended fleet", tuple(f"{p}={n:.0f}" for p, n in counts.items()), True, None))
    tried = [one for row in rows if (one := _try(statement, nothing, row, count, total, seed, last))]
    return sorted(tried, key=lambda t: (-round(t.p_all, 2), -round(t.p_lowest, 2), -t.months_gained, t.cost_change_usd, t.name))


def _stated(statement: Statement, drawn: Scenario) -> list[tuple[str, tuple[str, ...], bool, Any]]:
    return [(name, tuple(option.set), False, option) for name, option in drawn.options.items()]


def proposals(drawn: Scenario) -> list[tuple[str, tuple[str, ...]]]:
    """What findings propose, by kind of tier: more of what is bought, async calls, batched queries, more cache."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, tier in drawn.tiers.items():
        found += kind_of(tier).advised.proposals(name, tier)
        if any(one.field == "connections" for one in kind_of(tier).owned.bought):
            found += _batching(drawn, name)
    taken = {o for option in drawn.options.values() for o in option.set}
    return [(name, overrides) for name, overrides in found if not set(overrides) <= taken]


def _batching(drawn: Scenario, database: str) -> list[tuple[str, tuple[str, ...]]]:
    calls = {name: float(np.median(j.calls.get(database, 0.0))) for name, j in drawn.journeys.items()}
    name = max(calls, key=lambda n: calls[n])
    path = f"journeys.{name}.calls.{database}"
    stated = any(o.startswith(path) for option in drawn.options.values() for o in option.set)
    return [] if calls[name] < 4 or stated else [(f"half the queries of {name}, batched", (f"{path}={calls[name] / 2:g}",))]


def _tried_plan(scenario: Scenario, last: int) -> tuple[Plan, float]:
    """The plan of an option, and its p95."""
    made = plan(scenario, percentiles=())
    return made, _p95(made, last)


def _try(
    statement: Statement,
    before: tuple[Plan, float],
    row: tuple[str, tuple[str, ...], bool, Any],
    count: int,
    total: int,
    seed: int,
    last: int,
) -> Tried | None:
    name, overrides, proposed, option = row
    nothing, p95 = before
    try:
        changed = statement.but(*overrides)
    except ValueError:
        if proposed:  # it may pass what a field can hold; what a person states was checked at the door
            return None
        raise
    made, p95_then = _tried_plan(take_worlds(changed.at(total, seed), count), last) if overrides else before
    p = made.all_hold.mean(axis=0)
    extra = float(np.median(made.cost_month_usd[:, last] - nothing.cost_month_usd[:, last]))
    asked = confidence(statement.at())
    gained = _lasts(made, asked) - _lasts(nothing, asked)
    return Tried(
        name=name, overrides=overrides, proposed=proposed, p_all=float(p[last]), p_lowest=float(p[: last + 1].min()),
        p95_change_s=p95_then - p95, cost_change_usd=extra + (float(option.monthly_usd) if option else 0.0), months_gained=gained,
        price_usd=float(np.median(option.price_usd)) if option else 0.0, effort_s=float(np.median(option.effort_s)) if option else 0.0,
        lead_time_s=float(np.median(option.lead_time_s)) if option else 0.0,
    )  # fmt: skip


def _lasts(made: Plan, asked: float) -> float:
    """Months until P(every objective holds) first falls below what was asked."""
    return min(month_quantile(broken_from(made), 1 - asked), float(made.rps.shape[1]))


def _p95(made: Plan, last: int) -> float:
    """Mean over journeys of the median p95 today, at the load of the first month: finite where the last month is not."""
    from perfplan.models.latency import percentiles_s

    worlds = np.median(made.rps[:, : last + 1], axis=0, keepdims=True)
    medians = plan(
        _each_array(made.scenario, lambda a: np.median(a, axis=0, keepdims=True) if a.ndim == 2 else a),
        worlds[:, :1],
        percentiles=(),
        objectives=(),
    )
    return float(np.mean([percentiles_s(j, (0.95,), (1, 1))[0][0, 0] for j in medians.carried.journeys.values()]))


# ---- what moves the answer ----


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How much an uncertain input moves an outcome: mean outcome where it is in its upper third less that in its lower third."""

    path: str
    months: float  # of the first broken promise
    cost_usd: float  # per month, in the last month asked for


def sensitivities(statement: Statement, made: Plan, seed: int = 7) -> list[Moved]:
    """Every uncertain input with what it moves, the strongest first."""
    worlds = made.rps.shape[0]
    if worlds < 30:
        return []
    broken = np.minimum(broken_from(made), made.rps.shape[1])
    cost = made.cost_month_usd[:, horizon(made.scenario, made.rps.shape[1])]
    found = []

    def moved(outcome: FloatArray, low: Any, high: Any) -> float:
        """Difference of the means; 0 where it is within two standard errors."""
        one, other = outcome[low], outcome[high]
        error = float(np.sqrt(one.var() / one.size + other.var() / other.size))
        difference = float(other.mean() - one.mean())
        return difference if abs(difference) > 2.5 * error else 0.0

    for entry in statement.uncertain():
        order = np.argsort(np.ravel(statement.draw(entry, worlds, seed)))
        low, high = order[: worlds // 3], order[-(worlds // 3) :]
        found.append(
            Moved(
                path=entry.path,
                months=moved(broken, low, high),
                cost_usd=moved(cost, low, high),
            )
        )
    return sorted(found, key=lambda m: (-abs(m.months), -abs(m.cost_usd)))


# ---- everything a presentation needs ----


@dataclass(frozen=True, kw_only=True, eq=False)  # one study is itself: what is made of it is remembered by it
class Study:
    """One statement planned: at the median, in many worlds, with the recommended fleet and with every option."""

    statement: Statement
    seed: int
    middle: Plan  # one world, every input at its median
    worlds: Plan  # many worlds, today's fleet; percentiles in the months of SHOWN and the last asked for
    run_outs: Sequence[RunOut]
    fleet: Fleet
    options: Sequence[Tried]
    moved: Sequence[Moved]

    @property
    def scenario(self) -> Scenario:
        """The scenario at its median."""
        return self.middle.scenario

    @property
    def last(self) -> int:
        """The last month asked for."""
        return horizon(self.scenario)

    @property
    def p_all(self) -> FloatArray:
        """P(every objective holds) by month, today's fleet."""
        return np.asarray(self.worlds.all_hold.mean(axis=0))

    @property
    def as_of(self) -> datetime.date:
        """Day of the plan."""
        return datetime.date.fromisoformat(str(self.scenario.as_of))

    def order_by(self, month: float, lead_time_s: float) -> datetime.date:
        """The last day to order what must work at the start of *month*; the day of the plan where that has passed."""
        start = np.datetime64(str(self.scenario.as_of)[:7], "M") + np.timedelta64(int(month), "M")
        due = cast(datetime.date, (start.astype("datetime64[D]") - np.timedelta64(round(lead_time_s / DAY), "D")).astype(datetime.date))
        return max(due, self.as_of)


def study(statement: Statement, worlds: int = 2000, seed: int = 7) -> Study:
    """Plan *statement* at its median and in *worlds* worlds; size the fleet; try the options."""
    drawn = statement.at(worlds, seed)
    shown = sorted({*SHOWN, horizon(drawn)})
    made = plan(drawn, both=True, at_months=shown)
    fleet, middle = recommend(made), statement.at()
    return Study(
        statement=statement, seed=seed, middle=plan(middle, both=True), worlds=made, run_outs=run_outs(made), fleet=fleet,
        options=try_options(statement, drawn, fleet, seed=seed), moved=sensitivities(statement, made, seed),
    )  # fmt: skip
