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
from perfplan.study.search.cheapest import MOST_JUDGED, MOST_ROUNDS, Chain, Found, Search
from perfplan.study.search.worlds import There, Worlds
from perfplan.study.worlds import confidence, horizon, sampling_error
from perfplan.tiers import count_of
from perfplan.tiers.place import Place

SEARCHED = 400  # worlds that a search looks at: 200 choose a plan that keeps 93 % where 95 % are asked
FRESH = 1  # added to the seed: a choice is not judged in the worlds that it was made in
LEVELS = (0.8, 0.9, 0.95, 0.98, 0.99)  # of the frontier, beside what is asked
ROUNDS = 6  # of asking for more, where the worlds that judge say less than was asked
COMPARED = 50  # worlds; in fewer, other ways than the plan cannot be told from it
MOST_ASKED = 0.999
LITTLE_JUDGED, LITTLE_ROUNDS = 40_000, 15  # of searches beside that of the plan
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
    together: float  # in all months that nothing comes too late for
    lasts: float = np.nan  # months until P falls below what is asked, with nothing more bought; nan: not looked at


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
    spare_usd: float | None = None  # what one node to spare costs, to the last month asked for; None: not looked for long enough
    limits_usd: float | None = None  # what utilization limits cost beyond the promises, likewise
    aside: Aside = field(default_factory=dict)
    hindered: tuple[Place, ...] = ()  # of which one step more hurts some world: the search takes it for granted that none does
    enough: Mapping[Place, float] = field(default_factory=dict)  # how many of what is paid are enough now, each with all else as today
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

    def searches(self, *, options: bool = True, spare: bool = True, limits: bool = True, known: Sequence[Search] = ()) -> list[Search]:
        """One for each mode; without *options*: of counts alone; without *spare* or *limits* of utilization. What *known* ones have learnt
        of promises holds for them too."""
        made, learnt = [], {one.always: one for one in known}
        for mode in self.modes if options else self.modes[:1]:
            can = self.possible[mode]
            asked = can.asked if limits else replace(can.asked, limits=[frozenset()] * (self.last + 1))
            inside = [o for o in self.offers if o.name not in self.apart or o.name in mode] if options else []
            names = {o.name for o in inside}
            cuts = [
                replace(cut, options=cut.options & names)
                for cut in (learnt[mode].cuts if mode in learnt else ())
                if cut.promises or (spare and limits)
            ]
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
                    partial=not options,
                    thorough=options and spare and limits,
                    most_judged=MOST_JUDGED if options and spare and limits else LITTLE_JUDGED,
                    most_rounds=MOST_ROUNDS if options and spare and limits else LITTLE_ROUNDS,
                    cuts=[cut for cut in cuts if cut.rungs or cut.options],
                )
            )
        return made

    def cheapest(
        self, searches: Sequence[Search], aim: float, forbidden: Sequence[frozenset[str]] = (), *, settled: bool = True
    ) -> tuple[Search, Found] | None:
        """The cheapest of all searches, and which has found it; its bound is the lowest of theirs."""
        found = [(search, one) for search in searches if (one := search.cheapest(aim, forbidden, settled=settled)) is not None]
        if not found:
            return None
        search, best = min(found, key=lambda pair: pair[1].usd)
        return search, replace(best, bound_usd=min(one.bound_usd for _, one in found))

    def judged(self, search: Search, chain: Chain) -> tuple[FloatArray, float]:
        """P by month to the last asked for, and P of all those together that nothing comes too late for, in the worlds that judge."""
        held = np.ones((self.last + 1, self.judging.count), dtype=bool)
        for month in self.order:
            held[month] = self.judging.hold(search.there(chain, month), month, self.counted(month))
        return held.mean(axis=1), float(held[self._kept(search)].all(axis=0).mean())

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
        )

    def with_end(self, search: Search, found: Found) -> Way:
        """The same, with how long it lasts when nothing more is bought."""
        below = np.flatnonzero(self.by_month(search, found.chain) < self.asked)
        months = self.judging.rps(frozenset()).shape[1]
        return replace(self.way(search, found), lasts=float(below[0]) if below.size else float(months))

    def _kept(self, search: Search) -> list[int]:
        """The months that nothing comes too late for."""
        return list(range(search.lost, self.last + 1))

    def counted(self, month: int) -> list[str]:
        """The promises that count in *month* and are not set aside."""
        return [n for n in counted(self.judging.drawn(frozenset()), month) if month not in self.aside.get(n, ())]

    def by_month(self, search: Search, chain: Chain) -> FloatArray:
        """P of every month; after the last asked for with what is there then. The middle of what is open first: what holds at a higher load
        need not be asked at a lower one."""
        months, there = self.judging.rps(frozenset()).shape[1], search.there(chain, self.last)
        p, _ = self.judged(search, chain)
        later, open_ones = np.zeros(months - self.last - 1), [(self.last + 1, months)]
        for low, high in open_ones:
            if low < high:
                middle = (low + high) // 2
                later[middle - self.last - 1] = self.judging.hold(there, middle, self.counted(middle)).mean()
                open_ones += [(low, middle), (middle + 1, high)]
        return np.concatenate([p, later])

    def hindered(self, search: Search, chain: Chain) -> tuple[Place, ...]:
        """What a step more of hurts a world in the heaviest month."""
        month = self.order[0]
        there = search.there(chain, month)
        more = {one.place: _stepped(there, r) for r, one in enumerate(search.ladders) if there.rungs[r] + 1 < len(one.counts)}
        return tuple(place for place, other in more.items() if self.searched.hurts(there, other, month))

    def settings(self, search: Search, chain: Chain) -> FloatArray | None:
        """P by month with nothing of *chain* but what costs nothing; None where that is nothing."""
        free = [tuple(k if one.free else 0 for k, one in zip(row, search.ladders, strict=True)) for row in chain.rungs]
        if not any(any(row) for row in free):
            return None
        return self.judged(search, Chain(rungs=tuple(free), options=frozenset()))[0]

    @property
    def above_error(self) -> float:
        """What is asked, and a standard error more, of as many worlds as are searched: what is asked for next where that is not enough."""
        error = sampling_error(self.asked, self.searched.count) / 1.96 if self.searched.count > 1 else 0.0
        return min(self.asked + error, MOST_ASKED)

    def sure(self, searches: Sequence[Search], aim: float) -> tuple[Search, Found] | None:
        """The cheapest that the judging worlds confirm: *aim* is asked for, what is found is judged; where they say less, more is asked.

        None where what is left out of *searches* is needed.
        """
        for left in reversed(range(ROUNDS)):
            if (best := self.cheapest(searches, aim)) is None:
                return None
            search, found = best
            p, _ = self.judged(search, found.chain)
            short = float(np.max((np.minimum(self.asked, search.asked.top) - p)[self._kept(search)]))
            if short <= 0 or aim >= MOST_ASKED or not left:
                break
            aim = min(max(aim + max(short, 1 / self.searched.count), self.above_error), MOST_ASKED)
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

    What is compared is the sum of dollars to the last month asked for: counts by month, price, priced effort and running price of options,
    and what these change in the bill. Nothing is there before its lead time.
    """
    searches = room.searches()
    many = room.searched.count == 1 or room.searched.count >= COMPARED
    apart_ones = [level for level in LEVELS if abs(level - room.asked) > sampling_error(level, room.searched.count)]
    levels = apart_ones if many else []  # those that the worlds can tell apart
    frontier = [room.way(*best) for level in levels if level < room.asked and (best := room.cheapest(searches, level))]
    best = room.sure(searches, room.asked)
    assert best is not None, "nothing is left out"
    search, chosen = best
    aim = chosen.aim
    for one in searches:  # what the plan is compared with is looked for a while, and left out where that is not enough
        one.thorough, one.most_judged, one.most_rounds = False, LITTLE_JUDGED, LITTLE_ROUNDS
    others = room.cheapest(searches, aim, [chosen.chain.options]) if many and room.offers else None
    if others and others[1].usd < chosen.usd:  # where the search of the plan had to stop
        (search, chosen), others = (others[0], replace(others[1], bound_usd=chosen.bound_usd)), None
    way = room.with_end(search, chosen)
    counts = room.sure(room.searches(options=False, known=searches), aim) if chosen.chain.options else (search, chosen)
    usd = {
        name: max(chosen.usd - without[1].usd, 0.0)
        for name, kept in (("spare", {"spare": False}), ("limits", {"limits": False}))
        if many and (without := room.cheapest(room.searches(**kept, known=searches), aim, settled=False))
    }
    # what was learnt so far holds where more is asked, too, and not where less is
    frontier += [way, *(room.way(*best) for level in levels if level > room.asked and (best := room.cheapest(searches, max(level, aim))))]
    p_all, cost = room.by_month(search, chosen.chain), _cost_usd(today, way.orders, room)
    below = np.flatnonzero(p_all[: room.last + 1] < room.asked)
    return Fleet(
        orders=way.orders,
        p_all=p_all,
        cost_usd=cost,
        fails_from=min([*map(int, below[:1]), *(min(months) for months in room.aside.values())], default=None),
        way=way,
        gap=chosen.gap,
        frontier=_rising(frontier),
        settings=room.settings(search, chosen.chain),
        second=room.with_end(*others) if others else None,
        hardware=room.with_end(*counts) if counts else None,
        spare_usd=usd.get("spare"),
        limits_usd=usd.get("limits"),
        aside=room.aside,
        hindered=room.hindered(search, chosen.chain),
        enough={one.place: room.searched.enough(one.place, room.counted(0), room.asked) for one in room.searched.ladders if not one.free},
        lost=search.lost,
        apart=tuple(sorted(room.apart)),
        unsearched=tuple(name for name in today.scenario.options if name not in {o.name for o in room.offers}),
    )


def _stepped(there: There, r: int) -> There:
    return There(there.options, tuple(k + (i == r) for i, k in enumerate(there.rungs)))


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


def _cost_usd(today: Plan, orders: Sequence[Order], room: Room) -> FloatArray:
    """Dollars a month with *orders*, (worlds, months); before the first order they are *today*'s."""
    months = today.rps.shape[1]
    starts = [*(o.month for o in orders), months]
    cost, done = [today.cost_month_usd[:, : starts[0]]], frozenset[str]()
    for start, stop, order in zip(starts[:-1], starts[1:], orders, strict=True):
        done |= set(order.options)
        drawn = room.judging.drawn(done)
        made = plan(
            with_counts(drawn, order.counts),
            room.judging.rps(done)[:, start:stop],
            percentiles=(),
            objectives=(),
            first=start,
            month_factor=month_factors(drawn, months)[:, start:stop],
        )
        cost.append(made.cost_month_usd + sum(median(drawn.options[name].monthly_usd) for name in done))
    return np.concatenate(cost, axis=1)
