"""What the recommended fleet buys, in words: how much, for how much, and what no order can move."""

from __future__ import annotations

from perfplan.plan import plan, with_counts
from perfplan.quantity import median
from perfplan.study import Order, Study
from perfplan.study.fleet import unit_price_usd
from perfplan.tiers.place import Place
from perfplan.words import change, listed, money, percent, plural, share

NEARLY_FULL = 0.85  # of what cannot be bought, in the peak second: from here on it is what holds the plan


def orders_asked(study: Study) -> list[Order]:
    """The orders of the months asked for."""
    return [order for order in study.fleet.orders if order.month <= study.last]


def extra_usd(study: Study) -> float:
    """What the fleet costs more than today's, a month, in the last month asked for."""
    return median(study.fleet.cost_usd[:, study.last] - study.worlds.cost_month_usd[:, study.last])


def remedy(study: Study) -> str:
    """What the recommended fleet buys until the last month asked for, and its price."""
    orders = orders_asked(study)
    if not orders:
        return "no fleet that was tried keeps every promise: demand, targets or code must change; see the options"
    held = percent(float(study.fleet.p_all[: study.last + 1].min()))
    price = f"{change(extra_usd(study), money)} a month in {study.named(study.last)}"
    return f"{bought(study, orders)}: {price}; P(all hold) then is at least {held}"


def stuck(study: Study, month: int) -> str:
    """What no order can move in *month*, with the best fleet found: the tightest resource that is not ours to buy, or the path itself."""
    second = study.middle.second_rps[:, month : month + 1]
    one = plan(with_counts(study.scenario, study.fleet.counts_at(month)), second, percentiles=(), objectives=())
    fixed = {r.label: float(r.utilization[0, 0]) for r in one.resources.values() if not r.ours}
    worst = max(fixed, key=lambda k: fixed[k], default="")
    if worst and fixed[worst] >= NEARLY_FULL:
        return f"{worst} is {share(fixed[worst])} used in the peak second, and cannot be bought"
    slow = [n for n, j in study.worlds.judged.items() if float(j.holds[:, month].mean()) < median(j.objective.confidence)]
    return f"what remains is {listed(slow)}: no count that was tried changes it enough" if slow else "no count that was tried is enough"


def bought(study: Study, orders: list[Order]) -> str:
    """What orders add in all, dearest first, such as "2 replicas and 12 api instances"."""
    before: dict[Place, float] = {}
    after: dict[Place, float] = {}
    for order in orders:
        for place, (old, new) in order.changes.items():
            before.setdefault(place, old)
            after[place] = new
    more = {place: new - before[place] for place, new in after.items()}
    rows = [(unit_price_usd(study.scenario, place) * n, plural(n, study.worlds.resources[place].label)) for place, n in more.items()]
    return listed([text for _, text in sorted(rows, key=lambda row: (-row[0], row[1]))])
