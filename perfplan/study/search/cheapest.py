"""The cheapest fleet and options that keep the promises, proven: what fails becomes a cut, the cheapest answer to all cuts is tried next.

Implicit hitting sets: Moreno-Centeno, Karp, Oper. Res. 61 (2013). The answer to all cuts costs no more than the cheapest plan; where it
keeps every month it is the cheapest plan. More of anything, and any option of the search, only helps: what does not is looked at apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from perfplan.quantity import FloatArray
from perfplan.study.search.candidates import LITTLE_USD, Bill, Offer
from perfplan.study.search.master import Answer, Cut, Master
from perfplan.study.search.worlds import Ladder, There, Worlds
from perfplan.tiers.place import Place

SLACK = 0.0025  # of all worlds, one at least, that may lose a month by smaller counts of what is free
MOST_JUDGED = 150_000  # worlds judged in one search; then the best that was found stands, with how far it may be from the best
CENT = 0.01
MOST_ROUNDS = 60  # of the master, likewise


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Rungs of all ladders by month, and the options that are taken."""

    rungs: tuple[tuple[int, ...], ...]
    options: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Found:
    """A chain that keeps what is asked, its dollars to the last month, and a bound that no other goes below."""

    chain: Chain
    aim: float  # the probability that was asked for
    usd: float
    bound_usd: float

    @property
    def gap(self) -> float:
        """How much less than its dollars the best may cost, as a share of them; 0 where none does."""
        return max(0.0, 1 - self.bound_usd / self.usd) if self.usd - self.bound_usd > max(0.01, 1e-4 * abs(self.usd)) else 0.0


@dataclass(kw_only=True, eq=False)
class Asked:
    """What must hold in each month, and with which probability."""

    names: Sequence[Sequence[str]]  # promises, by month
    limits: Sequence[frozenset[Place]]  # resources whose utilization limit is kept, by month
    top: Sequence[float]  # P with everything that can be there: more cannot be asked
    spare: bool = True


@dataclass(kw_only=True, eq=False)
class Search:
    """One search: the ladders, the options that only help, those of them that are there anyway (*always*), and all cuts so far."""

    worlds: Worlds
    bill: Bill
    ladders: Sequence[Ladder]
    offers: Sequence[Offer]
    asked: Asked
    order: Sequence[int]  # months, the heaviest first
    ahead: int
    lost: int
    always: frozenset[str] = frozenset()
    cuts: list[Cut] = field(default_factory=list)
    partial: bool = False  # whether options are left out that may be needed
    given_up: set[int] = field(default_factory=set)  # months that not even everything keeps, though it should
    _open: dict[float, list[int]] = field(default_factory=dict)
    _free: dict[int, int] = field(default_factory=dict)
    most_judged: int = MOST_JUDGED
    most_rounds: int = MOST_ROUNDS
    thorough: bool = True  # when the budget ends, a chain that holds is made all the same

    def there(self, chain: Chain, month: int) -> There:
        """What works in *month*; what costs nothing is there as soon as it can be, as much as there can be, unless the chain says less."""
        options = frozenset(o.name for o in self.offers if o.name in chain.options and o.works_from <= month)
        return There(options, tuple(k if one.works_from <= month else 0 for k, one in zip(chain.rungs[month], self.ladders, strict=True)))

    def holds(self, there: There, month: int, aim: float) -> bool:
        """Whether *month* keeps what is asked with what is there."""
        need = min(aim, self.asked.top[month]) - 1e-9
        if self.asked.limits[month]:
            kept = self.worlds.within(there, month, self.asked.spare)
            if any(kept.get(place, 1.0) < need for place in self.asked.limits[month]):
                return False
        return self.promised(there, month, aim)

    def promised(self, there: There, month: int, aim: float) -> bool:
        """Whether the promises of *month* hold with what is there, limits of utilization aside."""
        need = min(aim, self.asked.top[month]) - 1e-9
        return float(self.worlds.hold(there, month, self.asked.names[month], needed=need).mean()) >= need

    def open_months(self, aim: float) -> list[int]:
        """The months that do not keep what is asked with what there is today, the heaviest first: only they need a look."""
        if aim not in self._open:
            nothing = Chain(rungs=((0,) * len(self.ladders),) * (self.bill.last + 1), options=self.always)
            self._open[aim] = [m for m in self.order if not self.holds(self.there(nothing, m), m, aim)]
        return [month for month in self._open[aim] if month not in self.given_up]

    def usd(self, chain: Chain) -> float:
        """Dollars to the last month asked for, beyond today's bill."""
        nothing = self.bill.usd(There(frozenset(), (0,) * len(self.ladders)))
        months = range(self.bill.last + 1)
        paid = sum(float(self.bill.usd(there, list(at)).sum()) for there, at in groupby(months, lambda m: self.there(chain, m))) - float(
            nothing.sum()
        )
        taken = [o for o in self.offers if o.name in chain.options]
        return paid + sum(o.once_usd + o.monthly_usd * (self.bill.last + 1 - o.works_from) for o in taken)

    def cheapest(self, aim: float, forbidden: Sequence[frozenset[str]] = (), *, settled: bool = True) -> Found | None:
        """The cheapest chain that keeps every month with *aim*, as far as it can be kept; None where *forbidden* leaves none.

        *settled*: what costs nothing goes back to what is needed of it.
        """
        master = Master(ladders=self.ladders, offers=self.offers, bill=self.bill, ahead=self.ahead, lost=self.lost)
        budget, rounds = self.worlds.worlds_judged + self.most_judged, 0
        self.cuts += [cut for cut in self._floors(aim) if cut not in self.cuts]
        while True:
            rounds += 1
            answer = master.cheapest(self.cuts, always=self.always, forbidden=forbidden)
            if answer is None:
                return None
            chain = self._with_free(answer)
            bad = self._bad(chain, aim)
            if bad is None or self.worlds.worlds_judged > budget or rounds > self.most_rounds:
                break
            if not self._cut(chain, bad, aim):
                if forbidden or self.partial:
                    return None  # what is left out is needed
                self.given_up.add(bad)  # with everything it fails: more of something hurts
        if bad is not None:
            if not self.thorough:
                return None
            chain = self._dive(chain, aim, forbidden)
        little = LITTLE_USD * sum(1 + o.effort_days for o in self.offers if o.name in chain.options)
        found = Found(chain=chain, aim=aim, usd=self.usd(chain), bound_usd=answer.bound_usd - little)
        if found.usd - found.bound_usd > CENT:  # else nothing of it is waste
            chain = self._without_waste(chain, aim, forbidden)
        chain = self._settle(chain, aim) if settled else chain
        return replace(found, chain=chain, usd=self.usd(chain))

    def _with_free(self, answer: Answer) -> Chain:
        """What costs nothing is as large as it can be while others are searched."""
        free = {r: len(one.counts) - 1 for r, one in enumerate(self.ladders) if one.free}
        rungs = tuple(
            tuple(free[r] if r in free and month >= one.works_from else k for r, (k, one) in enumerate(zip(row, self.ladders, strict=True)))
            for month, row in enumerate(answer.rungs)
        )
        return Chain(rungs=rungs, options=answer.options)

    def _cut(self, chain: Chain, month: int, aim: float) -> bool:
        """What is there in *month* is not enough: neither is as much of everything else as still is not. Whether that says anything new."""
        before = len(self.cuts)
        ready = [r for r, one in enumerate(self.ladders) if one.works_from <= month and not one.free and len(one.counts) > 1]
        seen: Counter[int | str] = Counter(r for cut in self.cuts for r, _ in cut.rungs)
        seen.update(name for cut in self.cuts for name in cut.options)
        some: list[int | str] = [*self._able(month), *ready]
        some.sort(key=lambda one: seen[one])  # what no cut needed yet is raised first, all at once
        more = self._widened(self.there(chain, month), month, aim, some)
        rungs = [(r, more.rungs[r] + 1) for r in ready if more.rungs[r] + 1 < len(self.ladders[r].counts)]
        others = {m: more if m == month else self._then(more, m) for m in (month, *(m for m in self.open_months(aim) if m != month))}
        self._used(others)
        for other, then in others.items():
            able = tuple((r, k) for r, k in rungs if self.ladders[r].works_from <= other)
            options = frozenset(self._able(other)) - more.options
            known = any(cut.month == other and cut.rungs == able and cut.options == options for cut in self.cuts)
            if not known and (able or options) and (other == month or not self.holds(then, other, aim)):
                self.cuts.append(Cut(other, able, options, promises=not self.promised(then, other, aim)))
        return len(self.cuts) > before

    def _floors(self, aim: float) -> Iterator[Cut]:
        """What each thing needs for its own limit of utilization, with as much of everything else as there can be."""
        everything = There(self.always | {o.name for o in self.offers}, tuple(len(one.counts) - 1 for one in self.ladders))
        months = sorted(self.open_months(aim))
        for r, one in enumerate(self.ladders):
            own = [m for m in months if one.place in self.asked.limits[m] and one.works_from <= m]
            if one.free or not own:
                continue
            floor = 0
            for month in own:

                def kept(k: int, month: int = month, r: int = r, own: Sequence[int] = own) -> bool:
                    there = There(everything.options, (*everything.rungs[:r], k, *everything.rungs[r + 1 :]))
                    self.worlds.look(there, own, self.asked.spare)
                    share = self.worlds.within(there, month, self.asked.spare)[self.ladders[r].place]
                    return share >= min(aim, self.asked.top[month]) - 1e-9

                needed = bisect_left(range(floor, everything.rungs[r]), True, key=kept) + floor
                if needed > floor:
                    yield Cut(month, ((r, needed),), frozenset(), promises=False)
                floor = needed

    def _able(self, month: int) -> list[str]:
        """The options that may be taken, and can work by *month*."""
        return [o.name for o in self.offers if o.works_from <= month and o.name not in self.always]

    def _then(self, there: There, month: int) -> There:
        """What of it works in *month*; what costs nothing as much as there can be."""
        options = frozenset(o.name for o in self.offers if o.name in there.options and o.works_from <= month)
        most = [len(one.counts) - 1 if one.free else k for one, k in zip(self.ladders, there.rungs, strict=True)]
        return There(options, tuple(k if one.works_from <= month else 0 for one, k in zip(self.ladders, most, strict=True)))

    def _widened(self, there: There, month: int, aim: float, some: Sequence[int | str]) -> There:
        """The most of *some* with which *month* still fails, from *there* on: all at once where that fails, else by halves."""
        more = there
        for one in some:
            more = _with(more, one, len(self.ladders[one].counts) - 1 if isinstance(one, int) else 0)
        if more == there or not self.holds(more, month, aim):
            return more
        if len(some) > 1:
            half = len(some) // 2
            return self._widened(self._widened(there, month, aim, some[:half]), month, aim, some[half:])
        return self._climbed(there, month, aim, some[0]) if isinstance(some[0], int) else there

    def _climbed(self, there: There, month: int, aim: float, r: int) -> There:
        """The highest rung of a ladder with which *month* still fails: in steps of twice the size, then by halves."""
        low, high, step = there.rungs[r], len(self.ladders[r].counts) - 1, 1  # fails, holds
        while low + step < high and not self.holds(_with(there, r, low + step), month, aim):
            low, step = low + step, 2 * step
        high = min(high, low + step)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.holds(_with(there, r, middle), month, aim) else (middle, high)
        return _with(there, r, low)

    # ---- what is found when the budget ends, and what is not needed ----

    def _dive(self, chain: Chain, aim: float, forbidden: Sequence[frozenset[str]]) -> Chain:
        """A chain that holds, from one that does not: what each broken month lacks is met in its cheapest way."""
        barred = frozenset[str]().union(*forbidden)
        while (bad := self._bad(chain, aim)) is not None:
            known = len(self.cuts)
            if not self._cut(chain, bad, aim):
                break
            cut = next(cut for cut in self.cuts[known:] if cut.month == bad)
            ways = [self._raised(chain, bad, r, k) for r, k in cut.rungs]
            ways += [Chain(rungs=chain.rungs, options=chain.options | {name}) for name in sorted(cut.options - barred)]
            if not ways:
                break
            chain = min((self._lasting(way) for way in ways), key=self.usd)
        return chain

    def _lasting(self, chain: Chain) -> Chain:
        """What is needed within `ahead` months of an order is there with it."""
        rows = [list(row) for row in chain.rungs]
        for r in range(len(self.ladders)):
            month = 0
            while month < len(rows):
                if rows[month][r] > (rows[month - 1][r] if month else 0):
                    window = range(month, min(month + self.ahead, len(rows)))
                    for m in window:
                        rows[m][r] = rows[window[-1]][r]
                    month = window[-1]
                month += 1
        return Chain(rungs=tuple(tuple(row) for row in rows), options=chain.options)

    def _raised(self, chain: Chain, month: int, r: int, k: int) -> Chain:
        """With rung *k* of a ladder from *month* on, or as soon as it can be where what came before is lost."""
        start = self.ladders[r].works_from if month <= self.lost else month
        rows = [tuple(max(n, k) if i == r and m >= start else n for i, n in enumerate(row)) for m, row in enumerate(chain.rungs)]
        return Chain(rungs=tuple(rows), options=chain.options)

    def _without_waste(self, chain: Chain, aim: float, forbidden: Sequence[frozenset[str]]) -> Chain:
        """What is bought is taken away, option by option and count by count, where every month holds without it."""
        bound = any(not one for one in forbidden)  # an option has to be taken
        for offer in sorted(self.offers, key=lambda o: -o.once_usd):
            fewer = Chain(rungs=chain.rungs, options=chain.options - {offer.name})
            if offer.name in chain.options - self.always and not bound and self._good(fewer, aim):
                chain = fewer
        for r, one in enumerate(self.ladders):
            while not one.free and any(row[r] for row in chain.rungs):
                rows = tuple(tuple(max(k - 1, 0) if i == r else k for i, k in enumerate(row)) for row in chain.rungs)
                if not self._good(Chain(rungs=rows, options=chain.options), aim):
                    break
                chain = Chain(rungs=rows, options=chain.options)
        return chain

    def _good(self, chain: Chain, aim: float) -> bool:
        return self._bad(chain, aim) is None

    def _bad(self, chain: Chain, aim: float) -> int | None:
        """The heaviest month that does not keep what is asked; None where all do."""
        months = self.open_months(aim)
        self._used({m: self.there(chain, m) for m in months})
        return next((m for m in months if not self.holds(self.there(chain, m), m, aim)), None)

    def _used(self, there: Mapping[int, There]) -> None:
        """Utilization in months with limits is looked at for all those at once that have the same."""
        months: dict[There, list[int]] = defaultdict(list)
        for month, one in there.items():
            if self.asked.limits[month]:
                months[one].append(month)
        for one, some in months.items():
            self.worlds.look(one, some, self.asked.spare)

    def together(self, chain: Chain) -> FloatArray:
        """In which worlds every month holds, (worlds,)."""
        held = np.ones(self.worlds.count, dtype=bool)
        for month in self.order:
            held &= self.worlds.hold(self.there(chain, month), month, self.asked.names[month])
        return held

    def _settle(self, chain: Chain, aim: float) -> Chain:
        """What costs nothing goes back: to today's count, else as far as no world loses a month by it."""
        free = [r for r, one in enumerate(self.ladders) if one.free]

        def at(rungs: Mapping[int, int]) -> Chain:
            rows = tuple(
                tuple(rungs.get(r, k) if month >= self.ladders[r].works_from else k for r, k in enumerate(row))
                for month, row in enumerate(chain.rungs)
            )
            return Chain(rungs=rows, options=chain.options)

        def good(rungs: Mapping[int, int]) -> bool:
            return self._good(at(rungs), aim) and int(self.together(at(rungs)).sum()) >= least

        least = int(self.together(chain).sum()) - max(1, round(SLACK * self.worlds.count))

        def lower(some: Sequence[int], top: dict[int, int]) -> dict[int, int]:
            if not some or good(lowest := top | dict.fromkeys(some, 0)):
                return lowest if some else top
            if len(some) > 1:
                half = len(some) // 2
                return lower(some[half:], lower(some[:half], top))
            (r,) = some
            low, high = 0, top[r]
            probes = [near, near - 1] if (near := self._free.get(r, 0)) else []  # what was needed of it last is looked at first
            while high - low > 1:
                middle = next((k for k in probes if low < k < high), (low + high) // 2)
                low, high = (low, middle) if good(top | {r: middle}) else (middle, high)
                probes = probes[1:]
            self._free[r] = high
            return top | {r: high}

        return at(lower(free, {r: len(self.ladders[r].counts) - 1 for r in free}))


def _with(there: There, one: int | str, rung: int) -> There:
    """With an option, or a ladder at *rung* or higher."""
    if isinstance(one, str):
        return There(there.options | {one}, there.rungs)
    return There(there.options, tuple(max(k, rung) if r == one else k for r, k in enumerate(there.rungs)))
