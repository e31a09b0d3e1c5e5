"""What the plan buys and does, in words: how much, by when, for how much, and what no order can move."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.plan import demand_rps, month_factors, plan, with_counts
from perfplan.plan.resources import lead_time_s
from perfplan.quantity import DAY, FloatArray, median
from perfplan.record import but
from perfplan.study import Order, Study, once
from perfplan.study.search.candidates import once_usd
from perfplan.study.search.worlds import with_options
from perfplan.tiers.place import Place
from perfplan.words import change, count, listed, money, percent, plural, share

NEARLY_FULL = 0.85  # of what cannot be bought, in the peak second: from here on it is what holds the plan
QUICK_S = 7 * DAY  # what is done within a week, for nothing, is no decision
CENT = 0.01


@dataclass(frozen=True, kw_only=True)
class Position:
    """One line of the orders: a count that changes, or an option that is taken."""

    text: str  # such as "redis instances: 3 → 4"
    name: str  # of the option, or of what is counted, in plural
    more: float  # of it; 0: an option
    by: datetime.date  # last day to order or to start
    month: int  # from which it works
    lead_s: float
    monthly_usd: float  # what it adds to the bill of the last month asked for
    once_usd: float = 0.0
    effort_s: float = 0.0

    @property
    def free(self) -> bool:
        """Whether it costs neither money nor weeks: a setting."""
        return abs(self.monthly_usd) < CENT and self.once_usd < CENT and self.effort_s == 0 and self.lead_s <= QUICK_S


@once
def positions(study: Study) -> list[Position]:
    """Everything that is ordered or done until the last month asked for, the first due first.

    What each adds to the bill of the last month is its mean over worlds, one after the other: together they are the difference.
    """
    last, rows, done = study.last, [], frozenset[str]()
    counts: dict[Place, float] = {}
    before = float(study.worlds.cost_month_usd[:, last].mean())
    for order in study.fleet.orders:
        for name in order.options:
            done |= {name}
            after = _bill_usd(study, done, counts)
            rows.append(_option(study, name, order.month, after - before))
            before = after
        for place, (old, new) in order.changes.items():
            counts[place] = new
            after = _bill_usd(study, done, counts)
            rows.append(_count(study, place, old, new, order.month, after - before))
            before = after
    return sorted(rows, key=lambda row: (row.by, -row.monthly_usd))


def _bill_usd(study: Study, options: frozenset[str], counts: dict[Place, float]) -> float:
    """Mean bill of the last month asked for."""
    last = study.last
    drawn = with_options(study.statement, options).at(study.worlds.rps.shape[0], study.seed)
    factor = month_factors(drawn, last + 1)[:, last:]
    rps = study.demand(options)[:, last : last + 1]
    made = plan(with_counts(drawn, counts), rps, percentiles=(), objectives=(), first=last, month_factor=factor)
    running = sum(median(drawn.options[name].monthly_usd) for name in options)
    return float(made.cost_month_usd.mean()) + running


def _option(study: Study, name: str, month: int, monthly_usd: float) -> Position:
    option = study.scenario.options[name]
    lead = median(option.lead_time_s)
    return Position(
        text=name,
        name=name,
        more=0.0,
        by=study.order_by(month, lead),
        month=month,
        lead_s=lead,
        monthly_usd=monthly_usd,
        once_usd=once_usd(study.scenario, option),
        effort_s=median(option.effort_s),
    )


def _count(study: Study, place: Place, old: float, new: float, month: int, monthly_usd: float) -> Position:
    label, lead = study.worlds.resources[place].label, lead_time_s(study.scenario, place)
    return Position(
        text=f"{label}: {count(old)} → {count(new)}",
        name=label,
        more=new - old,
        by=study.order_by(month, lead),
        month=month,
        lead_s=lead,
        monthly_usd=monthly_usd,
    )


def extra_usd(study: Study) -> float:
    """What the plan costs more than today's fleet, a month, in the last month asked for: the sum of its positions."""
    return sum(row.monthly_usd for row in positions(study))


def total_usd(study: Study) -> float:
    """What the plan costs more than today's fleet until the last month asked for: bills, prices and priced effort; mean over worlds."""
    more: FloatArray = (study.fleet.cost_usd - study.worlds.cost_month_usd)[:, : study.last + 1]
    return float(more.sum(axis=1).mean()) + sum(row.once_usd for row in positions(study))


def price(study: Study) -> str:
    """What the plan costs more, to the last month asked for and a month then."""
    extra, total, then = extra_usd(study), total_usd(study), study.named(study.last)
    effort = sum(row.effort_s for row in positions(study)) / DAY
    unpriced = effort and not median(study.scenario.day_rate_usd)
    if max(abs(extra), abs(total)) < 1:
        said = "for no more than today's fleet"
    elif abs(total) < 1:
        said = f"for {change(extra, money)} a month in {then}"
    else:
        said = f"for {change(total, money)} in all to {then} ({change(extra, money)} a month then)"
    return said + (f", and {count(effort)} days of work, which are not priced" if unpriced else "")


def remedy(study: Study) -> str:
    """What the plan buys and does until the last month asked for, and its price."""
    if not positions(study):
        return "nothing that was searched keeps every promise: demand, targets or code must change"
    held = percent(float(study.fleet.p_all[: study.last + 1].min()))
    return f"{bought(study)} {price(study)}; P(all hold) then is at least {held}"


def stuck(study: Study, month: int) -> str:
    """What no order can move in *month*, with the plan: the tightest resource that is not ours to buy, or the path itself."""
    worst, used = fullest_fixed(study, month)
    if used >= NEARLY_FULL:
        return f"{worst} is {share(used)} used in the peak second, and cannot be bought"
    slow = [n for n, j in study.worlds.judged.items() if float(j.holds[:, month].mean()) < median(j.objective.confidence)]
    return (
        f"what remains is {listed(slow)}: no count that was searched changes it enough" if slow else "no count that was searched is enough"
    )


def fullest_fixed(study: Study, month: int) -> tuple[str, float]:
    """The tightest resource that is not ours to buy in the busiest second of *month*, with the plan, and how much of it is used."""
    second = study.middle.second_rps[:, month : month + 1]
    one = plan(study.planned(month), second, percentiles=(), objectives=())
    fixed = {r.label: float(r.utilization[0, 0]) for r in one.resources.values() if not r.ours}
    worst = max(fixed, key=lambda k: fixed[k], default="")
    return worst, fixed.get(worst, 0.0)


def bought(study: Study, rows: Sequence[Position] | None = None) -> str:
    """What *rows*, by default all, add: dearest first, such as "2 replicas, 12 api instances and batch cart queries"."""
    usd: dict[str, float] = {}
    more: dict[str, float] = {}
    for row in positions(study) if rows is None else rows:
        usd[row.name] = usd.get(row.name, 0.0) + row.monthly_usd + row.once_usd
        more[row.name] = more.get(row.name, 0.0) + row.more
    names = sorted(usd, key=lambda name: (-usd[name], name))
    return listed([plural(more[name], name) if more[name] else name for name in names])


def all_of(study: Study, orders: Sequence[Order]) -> str:
    """What *orders* add in all; "" where there are none."""
    if not orders:
        return ""
    first = {place: old for order in reversed(orders) for place, (old, _) in order.changes.items()}
    more = {place: n - first[place] for place, n in orders[-1].counts.items() if place in first}
    options = [name for order in orders for name in order.options]
    return listed([*(plural(n, study.worlds.resources[place].label) for place, n in more.items()), *options])


@once
def bridge(study: Study) -> list[tuple[str, float]]:
    """From today's bill to that of the last month asked for, with the plan: (what, dollars a month), mean over worlds; they add up.

    Traffic is what today's fleet costs more at the load of then, without events; then what events of that month add, and each position.
    """
    last, scenario = study.last, study.worlds.scenario
    calm = but(scenario, traffic=but(scenario.traffic, events=()))
    flat = np.broadcast_to(demand_rps(calm, study.worlds.rps.shape[1]), study.worlds.rps.shape)[:, [0, last]]
    steady = plan(calm, flat, percentiles=(), objectives=(), month_factor=month_factors(calm, 1)).cost_usd
    stored = {name: usd for name, usd in study.worlds.cost_usd.items() if name in study.worlds.stored_bytes}
    today = float(study.worlds.cost_month_usd[:, 0].mean())
    then = float(study.worlds.cost_month_usd[:, last].mean())
    quiet = float(sum((usd[:, 1] - usd[:, 0] for name, usd in steady.items() if name not in stored), np.zeros(1)).mean())
    data = float(sum((usd[:, last] - usd[:, 0] for usd in stored.values()), np.zeros(1)).mean())
    rows = [("today", today), ("growth of traffic", quiet), ("growth of data", data), ("events", then - today - quiet - data)]
    names: dict[str, float] = {}
    for row in positions(study):
        names[row.name] = names.get(row.name, 0.0) + row.monthly_usd
    return [row for row in (*rows, *sorted(names.items(), key=lambda one: -one[1])) if abs(row[1]) >= CENT]
