"""What to buy and to do, by when: found by search in some worlds, judged in all those of the study."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from perfplan.plan import Plan, month_factors, plan, with_counts
from perfplan.quantity import MONTH, FloatArray, median
from perfplan.scenario.statement import Statement
from perfplan.study.search.asking import Aside, Possible, counted, possible
from perfplan.study.search.candidates import MOST_RUNGS, Bill, Offer, apart, ladders, offers
from perfplan.study.search.cheapest import Chain, Found, Search
from perfplan.study.search.worlds import There, Worlds
from perfplan.study.worlds import confidence, horizon, sampling_error
from perfplan.tiers import count_of
from perfplan.tiers.place import Place

SEARCHED = 400  # worlds that a search looks at: 200 choose a plan that keeps 93 % where 95 % are asked
FRESH = 1  # added to the seed: a choice is not judged in the worlds that it was made in
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)  # of the frontier
ROUNDS = 5  # of asking for more, where the worlds that judge say less than was asked
APART = 3  # options, at most, whose every combination is searched by itself; of more each alone


@dataclass(frozen=True, kw_only=True)
class Order:
    """Counts that must work from a month on, options that then do, and what they change."""

    month: int
    counts: Mapping[Place, float]  # all that differ from today
    changes: Mapping[Place, tuple[float, float]]  # (before, after) of this order
    options: tuple[str, ...] = ()  # that work from this month on, and did not before


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to keep the promises: what is bought and done, what it costs to the last month asked for, and how sure it is."""

    orders: Sequence[Order]
    options: tuple[str, ...]
    usd: float  # to the last month asked for, beyond today's bill, mean over worlds
    monthly_usd: float  # in the last month
    p: float  # that every promise holds, in the month in which that is least of those that nothing comes too late for
    p_last: float  # in the last month
    together: float  # in all months
    lasts: float  # months until P falls below what is asked, with nothing more bought


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What to buy and to do, the plan in all worlds with it, and what it was compared with."""

    orders: Sequence[Order]
    p_all: FloatArray  # (months,)
    cost_usd: FloatArray  # (worlds, months)
    fails_from: int | None  # month from which no fleet that could be found keeps every promise
    way: Way | None = None
    gap: float = 0.0  # how much less the best may cost, as a share; 0: proven
    frontier: Sequence[Way] = ()  # at rising confidence
    settings: FloatArray | None = None  # P by month with nothing but what costs nothing; None where there is none of it
    second: Way | None = None  # the best with other options
    hardware: Way | None = None  # the best without options
    spare_usd: float = 0.0  # what one node to spare costs, to the last month asked for
    limits_usd: float = 0.0  # what utilization limits cost beyond the promises
    aside: Aside = field(default_factory=dict)
    lost: int = 0  # months before this one come too early for what would keep them
    apart: tuple[str, ...] = ()  # options that were searched by themselves
    unsearched: tuple[str, ...] = ()  # options that work too late

    def counts_at(self, month: int) -> Mapping[Place, float]:
        """What differs from today in *month*."""
        return next((o.counts for o in reversed(self.orders) if o.month <= month), {})

    def options_at(self, month: int) -> frozenset[str]:
        """The options that work in *month*."""
        return frozenset(name for order in self.orders if order.month <= month for name in order.options)


@dataclass(kw_only=True, eq=False)
class Room:
    """What searches share: worlds to search in, worlds to judge in, and one search for each set of options that are looked at apart."""

    last: int
    asked: float
    searched: Worlds
    judging: Worlds
    bill: Bill
    paid: Bill  # in the worlds that judge
    offers: Sequence[Offer]
    ahead: int
    order: Sequence[int]
    modes: Sequence[frozenset[str]]
    apart: frozenset[str]
    possible: Mapping[frozenset[str], Possible]
    aside: Aside

    def searches(self, *, options: bool = True, spare: bool = True, limits: bool = True) -> list[Search]:
        """One for each mode; without *options*: of counts alone."""
        made = []
        for mode in self.modes if options else self.modes[:1]:
            can = self.possible[mode]
            asked = can.asked if limits else replace(can.asked, limits=[frozenset()] * (self.last + 1))
            inside = [o for o in self.offers if o.name not in self.apart or o.name in mode] if options else []
            made.append(
                Search(
                    worlds=self.searched,
                    bill=self.bill,
                    ladders=self.searched.ladders,
                    offers=inside,
                    asked=replace(asked, spare=spare),
                    order=self.order,
                    ahead=self.ahead,
                    lost=can.lost,
                    always=mode,
                )
            )
        return made

    def cheapest(self, searches: Sequence[Search], aim: float, forbidden: Sequence[frozenset[str]] = ()) -> tuple[Found, Search] | None:
        """The cheapest of all searches; its bound is the lowest of theirs."""
        found = [(one, search) for search in searches if (one := search.cheapest(aim, forbidden)) is not None]
        if not found:
            return None
        best, search = min(found, key=lambda pair: pair[0].usd)
        return replace(best, bound_usd=min(one.bound_usd for one, _ in found)), search

    def judged(self, search: Search, chain: Chain) -> tuple[FloatArray, float]:
        """P by month to the last asked for, and P of all these months together, in the worlds that judge."""
        held = np.ones((self.last + 1, self.judging.count), dtype=bool)
        for month in self.order:
            held[month] = self.judging.hold(search.there(chain, month), month, self.possible[search.always].asked.names[month])
        return held.mean(axis=1), float(held.all(axis=0).mean())

    def way(self, search: Search, found: Found) -> Way:
        """What was found, in the terms of a plan."""
        p, together = self.judged(search, found.chain)
        there, nothing = search.there(found.chain, self.last), There(frozenset(), (0,) * len(search.ladders))
        running = sum(o.monthly_usd for o in search.offers if o.name in there.options)
        search = replace(search, bill=self.paid)
        return Way(
            orders=self._orders(search, found.chain),
            options=tuple(sorted(found.chain.options)),
            usd=search.usd(found.chain),
            monthly_usd=float(self.paid.usd(there)[self.last] - self.paid.usd(nothing)[self.last]) + running,
            p=float(p[self._kept(search)].min()),
            p_last=float(p[self.last]),
            together=together,
            lasts=self._lasts(search, found.chain, p),
        )

    def _kept(self, search: Search) -> list[int]:
        """The months that nothing comes too late for."""
        return list(range(search.lost, self.last + 1))

    def counted(self, month: int) -> list[str]:
        """The promises that count in *month* and are not set aside."""
        return [n for n in counted(self.judging.drawn(frozenset()), month) if month not in self.aside.get(n, ())]

    def _lasts(self, search: Search, chain: Chain, p: FloatArray) -> float:
        if (below := np.flatnonzero(p < self.asked)).size:
            return float(below[0])
        there, months = search.there(chain, self.last), self.judging.rps(frozenset()).shape[1]
        for month in range(self.last + 1, months):
            if self.judging.hold(there, month, self.counted(month), needed=self.asked).mean() < self.asked:
                return float(month)
        return float(months)

    def settings(self, search: Search, chain: Chain) -> FloatArray | None:
        """P by month with nothing of *chain* but what costs nothing; None where that is nothing."""
        free = [tuple(k if one.free else 0 for k, one in zip(row, search.ladders, strict=True)) for row in chain.rungs]
        if not any(any(row) for row in free):
            return None
        return self.judged(search, Chain(rungs=tuple(free), options=frozenset()))[0]

    def sure(self, searches: Sequence[Search]) -> tuple[Found, Search] | None:
        """The cheapest that the judging worlds confirm: asked for with a standard error more, judged, and where they say less, again."""
        error = sampling_error(self.asked, self.searched.count) / 1.96 if self.searched.count > 1 else 0.0
        aim, best = min(self.asked + error, 0.999), None
        for _ in range(ROUNDS):
            if (best := self.cheapest(searches, aim)) is None:
                return None
            found, search = best
            p, _ = self.judged(search, found.chain)
            top = np.minimum(self.asked, search.asked.top)
            short = float(np.max((top - p)[self._kept(search)]))
            if short <= 0 or aim >= 0.999:
                return best
            aim = min(aim + max(short, 1 / self.searched.count), 0.999)
        return best

    def _orders(self, search: Search, chain: Chain) -> list[Order]:
        scenario, orders, before = self.judging.drawn(frozenset()), [], dict[Place, float]()
        done: frozenset[str] = frozenset()
        today = {one.place: one.counts[0] for one in search.ladders}
        for month in range(self.last + 1):
            there = search.there(chain, month)
            drawn = self.judging.drawn(there.options)
            counts = self.judging.counts(there, drawn)
            counts = {place: n for place, n in counts.items() if n != count_of(scenario.tiers[place.tier], place.field)}
            changes = {
                place: (before.get(place, today[place]), counts.get(place, today[place]))
                for place in dict.fromkeys([*before, *counts])
                if before.get(place, today[place]) != counts.get(place, today[place])
            }
            if changes or there.options - done:
                orders.append(Order(month=month, counts=counts, changes=changes, options=tuple(sorted(there.options - done))))
            before, done = counts, there.options
        return orders


def recommend(room: Room, today: Plan) -> Fleet:
    """The cheapest orders and options that keep every promise, and the utilization limits, with the asked confidence.

    What is compared is the sum of dollars to the last month asked for: counts by month,
    price, priced effort and running price of options, and what these change in the bill. Nothing is there before its lead time.
    """
    searches = room.searches()
    frontier = []
    for level in [level for level in LEVELS if level <= room.asked] + [None] + [level for level in LEVELS if level > room.asked]:
        best = room.sure(searches) if level is None else room.cheapest(searches, level)
        if best is None:
            continue
        found, search = best
        way = room.way(search, found)
        if level is None:
            chosen, chosen_way, chosen_search = found, way, search
        frontier.append(way)
    others = room.cheapest(searches, room.asked, [frozenset(chosen.chain.options)]) if room.offers else None
    alone = room.sure(room.searches(options=False)) if chosen.chain.options else (chosen, chosen_search)
    free = {}
    for name, kept in (("spare", {"spare": False}), ("limits", {"limits": False})):
        without = room.cheapest(room.searches(**kept), room.asked)
        free[name] = max(chosen.usd - without[0].usd, 0.0) if without else 0.0
    p_all, cost = _in_all_worlds(today, chosen_way.orders, room)
    below = np.flatnonzero(p_all[: room.last + 1] < room.asked)
    return Fleet(
        orders=chosen_way.orders,
        p_all=p_all,
        cost_usd=cost,
        fails_from=min([*map(int, below[:1]), *(min(months) for months in room.aside.values())], default=None),
        way=chosen_way,
        gap=chosen.gap,
        frontier=_rising(frontier),
        settings=room.settings(chosen_search, chosen.chain),
        second=room.way(others[1], others[0]) if others else None,
        hardware=room.way(alone[1], alone[0]) if alone else None,
        spare_usd=free["spare"],
        limits_usd=free["limits"],
        aside=room.aside,
        lost=chosen_search.lost,
        apart=tuple(sorted(room.apart)),
        unsearched=tuple(name for name in today.scenario.options if name not in {o.name for o in room.offers}),
    )


def _rising(ways: Sequence[Way]) -> list[Way]:
    """Those that no other beats in both dollars and P."""
    found: list[Way] = []
    for way in sorted(ways, key=lambda w: (w.usd, -w.p)):
        if not found or way.p > found[-1].p:
            found.append(way)
    return found


def room(statement: Statement, today: Plan, seed: int = 7, *, searched: int = SEARCHED, most: int = MOST_RUNGS) -> Room:
    """What is searched: the ladders, the options, what can be kept at all; *today*: the plan of today's fleet in all worlds.

    *searched*: worlds to search in; *most*: steps of a ladder.
    """
    drawn = today.scenario
    last, asked = horizon(drawn, today.rps.shape[1]), confidence(drawn)
    count = today.rps.shape[0]
    few = min(searched, count)
    rungs = ladders(drawn, today.rps[:, : last + 1], most)
    one = Worlds(statement=statement, ladders=rungs, count=few, seed=seed + FRESH)
    other = Worlds(statement=statement, ladders=rungs, count=count, seed=seed)
    bill, given = Bill(worlds=one, last=last), offers(drawn, last)
    order = sorted(range(last + 1), key=lambda m: -float(one.rps(frozenset())[:, m].mean()))
    by_itself = apart(one, bill, [o.name for o in given], order[0])
    one.apart = other.apart = by_itself
    inside = frozenset(o.name for o in given) - by_itself
    modes = _modes(one, by_itself)
    can = {mode: possible(one, given, inside | mode, order, asked) for mode in modes}
    names = sorted(set.intersection(*(set(p.aside) for p in can.values())))
    never = {name: frozenset.intersection(*(p.aside[name] for p in can.values())) for name in names}
    later = range(last + 1, today.rps.shape[1])
    aside = {name: months | (set(later) if last in months else set()) for name, months in never.items() if months}
    able = [mode for mode in modes if can[mode].aside == {name: months for name, months in never.items() if months}] or modes
    return Room(
        last=last,
        asked=asked,
        searched=one,
        judging=other,
        bill=bill,
        paid=Bill(worlds=other, last=last),
        offers=given,
        ahead=max(1, round(median(drawn.order_ahead_s) / MONTH)),
        order=order,
        modes=able,
        apart=by_itself,
        possible=can,
        aside=aside,
    )


def _modes(worlds: Worlds, by_itself: frozenset[str]) -> list[frozenset[str]]:
    """Sets of options that are searched by themselves, each of which is a scenario."""
    names = sorted(by_itself)
    sizes = range(len(names) + 1) if len(names) <= APART else range(2)
    found = []
    for mode in (frozenset(some) for size in sizes for some in itertools.combinations(names, size)):
        try:
            worlds.drawn(mode)
        except ValueError:  # what they set together is not a scenario
            continue
        found.append(mode)
    return found


def _in_all_worlds(today: Plan, orders: Sequence[Order], room: Room) -> tuple[FloatArray, FloatArray]:
    """P by month, and dollars, (worlds, months), with *orders*, in every world; before the first order it is *today*'s."""
    months = today.rps.shape[1]
    starts = [*(o.month for o in orders), months]
    worlds = replace(today, aside=room.aside)
    p_all, cost = [worlds.all_hold[:, : starts[0]].mean(axis=0)], [today.cost_month_usd[:, : starts[0]]]
    done: frozenset[str] = frozenset()
    for start, stop, order in zip(starts[:-1], starts[1:], orders, strict=True):
        done |= set(order.options)
        drawn = room.judging.drawn(done)
        made = plan(
            with_counts(drawn, order.counts),
            room.judging.rps(done)[:, start:stop],
            percentiles=(),
            first=start,
            month_factor=month_factors(drawn, months)[:, start:stop],
        )
        running = sum(median(drawn.options[name].monthly_usd) for name in done)
        p_all.append(replace(made, aside=room.aside).all_hold.mean(axis=0))
        cost.append(made.cost_month_usd + running)
    return np.concatenate(p_all), np.concatenate(cost, axis=1)
