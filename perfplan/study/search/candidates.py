"""What can be had, from when, and what it costs: counts on ladders, and the options of the scenario."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from perfplan.plan import State, month_factors, plan, with_counts
from perfplan.plan.resources import lead_time_s, unit_price_usd
from perfplan.quantity import DAY, MONTH, FloatArray, Misread, median
from perfplan.record import declared
from perfplan.scenario import Option, Scenario
from perfplan.study.search.worlds import Ladder, There, Worlds
from perfplan.tiers import bought_of, count_of
from perfplan.tiers.place import Place

GRACE_S = 7 * DAY  # what is there within a week counts for the month it is ordered in
EMPTY = 0.2  # utilization in the peak second below which more of a thing changes no promise: of four threads one call in 300 waits
MOST_RUNGS = 120  # of a ladder
LITTLE_USD = 1e-4  # a day of effort, where it is not priced: of answers that cost the same the one with less work


def works_from(lead_s: float) -> int:
    """The first month that has what is ordered today."""
    return max(0, int(np.ceil((lead_s - GRACE_S) / MONTH)))


def ladders(scenario: Scenario, rps: FloatArray, most: int = MOST_RUNGS) -> list[Ladder]:
    """Of everything that is ours to choose the counts that can be had: at most *most* steps, to where nobody waits for it at the peak."""
    peak = np.asarray(rps.max(axis=1, keepdims=True) * np.asarray(scenario.traffic.peak_second))
    stations = State(scenario, peak).carried.stations
    counts = {place: [count_of(scenario.tiers[place.tier], place.field)] for place in stations}
    for _ in range(len(scenario.tiers) + 1):  # what calls waits for what is called: its need is known when that has enough
        made = with_counts(scenario, {place: some[-1] for place, some in counts.items()})
        grown = [
            _grow(made, place, station.utilization + 0 * peak, counts[place], most)
            for place, station in State(made, peak).carried.stations.items()
        ]
        if not any(grown):
            break
    found = []
    for place in sorted(counts, key=lambda place: bought_of(scenario.tiers[place.tier], place.field).order):
        lead, free = works_from(lead_time_s(scenario, place)), unit_price_usd(scenario, place) <= 0
        found.append(Ladder(place=place, counts=tuple(counts[place]), works_from=lead, free=free))
    return found


def _grow(made: Scenario, place: Place, used: FloatArray, counts: list[float], most: int) -> bool:
    """Add steps to *counts* until no world uses more than EMPTY, or its limit, of it, one lost; where it waits for others, later."""
    known, tier = used[np.isfinite(used)], made.tiers[place.tier]
    one = bought_of(tier, place.field)
    enough = counts[-1] * float(known.max(initial=0.0)) / min(EMPTY, float(np.min(one.limit(tier)))) + one.spare
    before = len(counts)
    while counts[-1] < enough and len(counts) <= most and _stated(tier, place, larger := one.larger(tier, counts[-1])):
        if larger <= counts[-1]:
            break
        counts.append(larger)
    return len(counts) > before


def _stated(tier: object, place: Place, count: float) -> bool:
    """Whether a file could state it."""
    one = next(one for one in declared(type(tier)).values() if one.name == place.field)
    try:
        one.read(one.kind.exact(count))
    except Misread:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An option of the scenario: when it works, and what it costs beside what it changes in the bill."""

    name: str
    works_from: int
    once_usd: float  # price and priced effort
    monthly_usd: float
    effort_days: float


def offers(scenario: Scenario, last: int) -> list[Offer]:
    """The options that work within the months asked for."""
    found = []
    for name, option in scenario.options.items():
        days, month = median(option.effort_s) / DAY, works_from(median(option.lead_time_s))
        if month <= last:
            once, monthly = once_usd(scenario, option), median(option.monthly_usd)
            found.append(Offer(name=name, works_from=month, once_usd=once, monthly_usd=monthly, effort_days=days))
    return found


def once_usd(scenario: Scenario, option: Option) -> float:
    """What an option costs once: its price, and its effort where a day of work has one."""
    return median(option.price_usd) + median(option.effort_s) / DAY * median(scenario.day_rate_usd)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bill:
    """What is paid a month, mean over worlds."""

    worlds: Worlds
    last: int
    kept: dict[There, dict[int, float]] = field(default_factory=dict)

    def usd(self, there: There, months: Sequence[int] | None = None) -> FloatArray:
        """Dollars of each of *months*, where None of all to the last asked for, were *there* there in them."""
        wanted = range(self.last + 1) if months is None else months
        known = self.kept.setdefault(there, {})
        if missing := [month for month in wanted if month not in known]:
            first, stop = missing[0], missing[-1] + 1
            scenario, rps = self.worlds.scenario(there), self.worlds.rps(there.options)[:, first:stop]
            factor = month_factors(scenario, stop)[:, first:]
            made = plan(scenario, rps, percentiles=(), objectives=(), first=first, month_factor=factor)
            known |= dict(zip(range(first, stop), made.cost_month_usd.mean(axis=0).tolist(), strict=True))
        return np.array([known[month] for month in wanted])

    def more_usd(self, at: Mapping[int, int], options: Collection[str] = ()) -> FloatArray:
        """What rungs *at* of some ladders, and *options*, add to the bill of today."""
        nothing = There(frozenset(), (0,) * len(self.worlds.ladders))
        rungs = tuple(at.get(r, 0) for r in range(len(self.worlds.ladders)))
        return self.usd(There(frozenset(options), rungs)) - self.usd(nothing)


def apart(worlds: Worlds, bill: Bill, names: Sequence[str], month: int) -> frozenset[str]:
    """The options that do not only help: looked at with and without, each in a search of its own.

    They set a count that is searched, the demand, or a path that another sets too; they change a price; what they save depends on what else
    is done; or some world of the first FEW loses a promise by them, today's counts or the largest, alone or beside all others.
    """
    paths = {name: {text.partition("=")[0].strip() for text in worlds.drawn(frozenset()).options[name].set} for name in names}
    searched = {str(one.place) for one in worlds.ladders}
    nothing, demand = frozenset[str](), worlds.rps(frozenset())
    found = set()
    for name in names:
        others = set().union(*(paths[other] for other in names if other != name))
        priced = [r for r, one in enumerate(worlds.ladders) if any(p.startswith(f"tiers.{one.place.tier}.") for p in paths[name])]
        changed = any(
            not np.allclose(bill.more_usd({r: 1}, {name}) - bill.more_usd({}, {name}), bill.more_usd({r: 1}), rtol=1e-6, atol=1e-6)
            for r in priced
            if len(worlds.ladders[r].counts) > 1
        )
        if paths[name] & (searched | others) or changed or not np.array_equal(worlds.rps(frozenset({name})), demand):
            found.add(name)
    inside = [name for name in names if name not in found]
    together = bill.more_usd({}, inside) - sum((bill.more_usd({}, {name}) for name in inside), np.zeros(bill.last + 1))
    if not np.allclose(together, 0, atol=1e-6 * float(np.max(bill.usd(There(nothing, (0,) * len(worlds.ladders)))) + 1)):
        return frozenset(names)
    today, top = (0,) * len(worlds.ladders), tuple(len(one.counts) - 1 for one in worlds.ladders)
    rest = frozenset(inside)
    for name in inside:
        one = frozenset({name})
        for before, after, rungs in ((nothing, one, today), (rest - one, rest, top)):
            if worlds.hurts(There(before, rungs), There(after, rungs), month):
                found.add(name)
    return frozenset(found)
