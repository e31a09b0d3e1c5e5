"""The fleet that keeps every promise: orders over time, found in some worlds and judged in all of them.

Every comparison is made in the same worlds: the same draws, with other counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan import promises
from perfplan.models.capacity import nodes_needed
from perfplan.plan import Plan, Resource, demand_rps, month_factors, plan, spares, steady_limit, with_counts, worlds_in
from perfplan.plan.resources import STORAGE
from perfplan.quantity import DAY, MONTH, FloatArray, median
from perfplan.scenario import Scenario
from perfplan.study.worlds import confidence, sampling_error, take_worlds
from perfplan.tiers import bought_of, count_of, kind_of
from perfplan.tiers.kind import MONTH_AHEAD_S
from perfplan.tiers.place import Place

GRACE_S = 7 * DAY  # what is there within a week counts for the month it is ordered in
MOST_STEPS = 60  # of one order; a search that needs more does not end well
MOST_ROUNDS = 12  # of bringing everything within its limit: each mends one place, and callees change what callers need
CAP = 4.0  # how far out of bounds an objective counts when steps are compared, on a log scale: 55 times its bound
# A third or three times of each of the next three moves what the storefront's fleet costs over the whole plan by 0.12 % at most
# (benchmarks/deciding.py); without the first the search ends where only several steps together keep a promise in more worlds.
NEARER = 0.25  # what coming nearer to a bound counts, on a log scale, beside a share of worlds that keep it
FREE_USD = 20.0  # a month, added to the price of each step, as some have none
IDLE = 0.3  # what is used less than this in 95 % of worlds is not tried: waits there are short


@dataclass(frozen=True, kw_only=True)
class Order:
    """Counts that must work from a month on, and what they change."""

    month: int
    counts: Mapping[Place, float]  # all that differ from today
    changes: Mapping[Place, tuple[float, float]]  # (before, after) of this order


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Orders over time, and the plan in all worlds with them."""

    orders: Sequence[Order]
    p_all: FloatArray  # (months,)
    cost_usd: FloatArray  # (worlds, months)
    fails_from: int | None  # month from which no fleet that could be found keeps every promise

    def counts_at(self, month: int) -> Mapping[Place, float]:
        """What differs from today in *month*."""
        return next((o.counts for o in reversed(self.orders) if o.month <= month), {})


def recommend(today: Plan, *, sizing_worlds: int = 400) -> Fleet:
    """Orders that keep every promise with the asked confidence: the cheapest next step for the gain in P, again and again.

    *today*: the plan of today's fleet in all worlds.

    Each order lasts `order_ahead` months. First every resource is brought within its utilization limit and N + 1 with the
    asked confidence; then steps are bought one by one (greedy), each the one with most gain per dollar in the same worlds.
    """
    drawn, months = today.scenario, today.rps.shape[1]
    few = take_worlds(drawn, sizing_worlds)
    rps = np.broadcast_to(demand_rps(few, months), (worlds_in(few), months))
    asked, ahead = confidence(drawn), max(1, round(median(drawn.order_ahead_s) / MONTH))
    aim = min(asked + (sampling_error(asked, rps.shape[0]) / 1.96 if rps.shape[0] > 1 else 0.0), 0.999)
    orders: list[Order] = []
    counts: dict[Place, float] = {}
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
        changes = {p: (before, n) for p, n in better.items() if n != (before := counts.get(p, count_of(few.tiers[p.tier], p.field)))}
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
    scenario: Scenario, orders: list[Order], before: Mapping[Place, float], changes: Mapping[Place, tuple[float, float]], month: int
) -> int:
    """Add what is bought for *month* to *orders*: each thing from the month it can work; returns the last of these months."""
    works = {place: max(month, int(np.ceil((lead_time_s(scenario, place) - GRACE_S) / MONTH))) for place in changes}
    counts = dict(before)
    for when in sorted(set(works.values())):
        now = {place: change for place, change in changes.items() if works[place] == when}
        counts |= {place: new for place, (_, new) in now.items()}
        orders.append(Order(month=when, counts=dict(counts), changes=now))
    return max(works.values())


def lead_time_s(scenario: Scenario, place: Place) -> float:
    """Lead time of what stands at *place*; what somebody else limits, and the link, are asked for a month ahead."""
    tier = scenario.tiers.get(place.tier)
    if tier is None:
        return MONTH_AHEAD_S
    owned = kind_of(tier).owned
    held, one = owned.held(tier), next((one for one in owned.bought if one.field == place.field), None)
    if one is None:
        return median(held.lead_s) if held is not None and place.field == STORAGE else MONTH_AHEAD_S
    return median(one.lead_s(tier))


def unit_price_usd(scenario: Scenario, place: Place) -> float:
    """What one more of what stands at *place* costs per month."""
    tier = scenario.tiers[place.tier]
    return next((one.price_usd(tier) for one in kind_of(tier).owned.bought if one.field == place.field), 0.0)


def _first_bad(made: Plan, aim: float) -> int | None:
    good = (made.all_hold.mean(axis=0) >= aim) & np.all([(r.utilization <= r.limit).mean(axis=0) >= aim for r in _sized(made)], axis=0)
    return None if good.all() else int((~good).argmax())


def _sized(made: Plan) -> list[Resource]:
    """The resources whose count is ours to choose."""
    return [r for r in made.resources.values() if r.ours]


def _size(scenario: Scenario, rps: FloatArray, counts: Mapping[Place, float], aim: float) -> dict[Place, float]:
    """Counts that keep every promise at the load *rps*, as far as they can be found."""
    now = _within_limits(scenario, rps, dict(counts), aim)
    made = plan(with_counts(scenario, now), rps, percentiles=())
    for _ in range(MOST_STEPS):
        p, short = _score(made)
        if p >= aim:
            break
        open_ones = [name for name, judged in made.judged.items() if not judged.holds.all()]  # one more of something breaks nothing
        tried = [
            (place, n, plan(with_counts(scenario, now | {place: n}), rps, percentiles=(), objectives=open_ones))
            for place, n in _steps(made)
        ]
        worth = [(_gain(made, other, p, short), place, n, other) for place, n, other in tried]
        best = max(worth, key=lambda w: w[0], default=None)
        if best is None or best[0] <= 0:
            break
        now[best[1]], made = best[2], best[3]
    return now


def _gain(made: Plan, other: Plan, p: float, short: float) -> float:
    other_p, other_short = _score(other)
    gain = other_p - p + NEARER * (short - other_short)
    extra = median(other.cost_month_usd - made.cost_month_usd)
    return gain / (max(extra, 0.0) + FREE_USD) if gain > 1e-6 else 0.0


def _score(made: Plan) -> tuple[float, float]:
    """P(every objective holds), and how far out of bounds they are where they do not, on a log scale."""
    short = 0.0
    for judged in made.judged.values():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(np.maximum(judged.value, 1e-300) / judged.bound)
        short += float(np.clip(np.nan_to_num(ratio, nan=CAP, posinf=CAP), 0, CAP).mean())
    return float(made.all_hold.mean()), short


def _within_limits(scenario: Scenario, rps: FloatArray, counts: dict[Place, float], aim: float) -> dict[Place, float]:
    """Every count high enough for its utilization limit and N + 1 with confidence *aim*; callee first, as waits shrink."""
    for _ in range(MOST_ROUNDS):
        made = plan(with_counts(scenario, counts), rps, percentiles=(), objectives=())
        changed = {}
        for one in sorted(_sized(made), key=lambda r: bought_of(scenario.tiers[r.place.tier], r.place.field).order):
            if (one.utilization <= one.limit).mean() < aim and np.isfinite(one.utilization).all():
                count = _needed(made.scenario, one, aim)
                if count != one.count:
                    changed[one.place] = count
                    break
        if not changed:
            return counts
        counts = counts | changed
    return counts


def _needed(scenario: Scenario, one: Resource, aim: float) -> float:
    tier = scenario.tiers[one.place.tier]
    needed = nodes_needed(one.utilization * one.count, 1.0, steady_limit(scenario, one.place), spares(scenario, one.place))
    wanted = float(np.quantile(needed, aim, method="higher"))
    return bought_of(tier, one.place.field).sized(tier, one.count, wanted)


def _steps(made: Plan) -> list[tuple[Place, float]]:
    """The next larger count of everything that can be bought and is not idle."""
    steps = []
    stated = any(promises.kind_of(one).judges.elsewhere(one) for one in made.scenario.objectives.values())
    for one in _sized(made):
        if not stated and np.quantile(one.utilization, 0.95, method="higher") < IDLE:
            continue  # idle at this load, and no promise is made for another one
        tier, count = made.scenario.tiers[one.place.tier], one.count
        larger = bought_of(tier, one.place.field).larger(tier, count)
        if larger > count:
            steps.append((one.place, larger))
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
