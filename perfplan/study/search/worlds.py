"""In which worlds a month holds with what is there: asked again and again, so what is known is not computed twice.

In one world the months differ in their load alone. A world that holds with less at a higher load holds, one that fails with more at a
lower load fails; only the others are computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfplan import promises
from perfplan.models.times.latency import exceeds
from perfplan.plan import State, demand_rps, with_counts
from perfplan.plan.paths import hit_ratios
from perfplan.plan.resources import limit_of
from perfplan.promises.kind import PEAK_HOUR, WEEKS
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Scenario
from perfplan.scenario.statement import Statement
from perfplan.study.worlds import pick_worlds
from perfplan.tiers import bought_of, count_of, kind_of
from perfplan.tiers.place import Place

Bools = NDArray[np.bool_]
ENOUGH = 0.5  # of the share that may be slow: a smaller one need not be known better
FEW = 100  # worlds in which it is tried whether more of a thing hurts


@dataclass(frozen=True)
class There:
    """What is there in a month: options that work, and by rung of its ladder how much of each thing."""

    options: frozenset[str]
    rungs: tuple[int, ...]


class Quick(State):
    """A state that is asked whether promises hold, and not by how much, in the worlds *among*, in all where that is None.

    28 days are added up where the peak hour alone does not hold.
    """

    among: Bools | None = None

    @classmethod
    def asked(cls, state: State, among: Bools) -> Quick:
        """*state*, asked in the worlds *among*."""
        made = cls(state.scenario, state.rps, hits=state._hits, known=state._known)
        made.__dict__["carried"], made.among = state.carried, among
        return made

    def at(self, rps: FloatArray) -> State:
        """The same scenario at another load."""
        there = super().at(rps)
        return there if self.among is None else type(self).asked(there, self.among)

    def _slow(self, journey: str, below_s: Value, allowed: Value) -> FloatArray:
        """Where mean and variance decide, a bound on the share of slower ones: from above where few enough, from below where too many.

        Cantelli: P(T - m >= d) <= v / (v + d^2), and the same on the other side.
        """
        law = self.carried.journeys[journey]
        mean, variance = (np.broadcast_to(np.asarray(v, dtype=float), self.rps.shape) for v in (law.mean_s, law.variance))
        away = np.asarray(below_s, dtype=float) - mean
        with np.errstate(invalid="ignore", divide="ignore"):
            beyond = variance / (variance + away**2)
        few, many = (away > 0) & (beyond <= allowed), ~np.isfinite(mean) | ((away < 0) & (1 - beyond > allowed))
        share = np.where(few, beyond, np.where(np.isfinite(mean), 1 - beyond, 1.0))
        left = ~(few | many) if self.among is None else ~(few | many) & self.among[:, None]
        if left.any():
            share[left] = exceeds(law, below_s, self.rps.shape, least=ENOUGH * float(np.min(allowed)), where=left)[left]
        return np.asarray(share)

    def slow(self, journey: str, below_s: Value, allowed: Value, over: Collection[str]) -> Mapping[str, FloatArray]:
        """As `State.slow`; the share over 28 days is that of the peak hour, which is more, where that is little enough."""
        if WEEKS not in over:
            return super().slow(journey, below_s, allowed, over)
        peak = self._slow(journey, below_s, allowed)
        over_peak = (peak > allowed).any(axis=1)
        share, left = peak.copy(), np.flatnonzero(over_peak if self.among is None else over_peak & self.among)
        if left.size:
            scenario, hits, below, most = pick_worlds((self.scenario, self._hits, below_s, allowed), left)
            share[left] = State(scenario, self.rps[left], hits=hits).slow(journey, below, most, (WEEKS,))[WEEKS]
        return {PEAK_HOUR: peak, WEEKS: share}


class _Hour(Quick):
    """A state that judges 28 days by their peak hour: what is more there is more in them."""

    def slow(self, journey: str, below_s: Value, allowed: Value, over: Collection[str]) -> Mapping[str, FloatArray]:
        """As `State.slow`, of the peak hour."""
        return dict.fromkeys((PEAK_HOUR, WEEKS), self._slow(journey, below_s, allowed))


@dataclass(frozen=True, kw_only=True, eq=False)
class Ladder:
    """Counts of one thing that can be had, today's first, and the month from which more of it can work."""

    place: Place
    counts: tuple[float, ...]
    works_from: int
    free: bool  # costs nothing


class _Known:
    """Of one promise, by what was there and by world: the highest load known to hold and the lowest known to fail."""

    def __init__(self, count: int, options: Mapping[str, int], apart: int) -> None:
        self.bits, self.apart = options, apart
        self.row: dict[There, int] = {}
        self.rungs: list[tuple[int, ...]] = []
        self.options: list[int] = []
        self.holds, self.fails = np.zeros((8, count)), np.full((8, count), np.inf)

    def of(self, there: There) -> tuple[FloatArray, FloatArray]:
        """What is known with *there*, from what is known with less and with more."""
        if not self.row:
            return self.holds[0], self.fails[0]
        mine, rungs, options = self._bits(there), np.array(self.rungs), np.array(self.options)
        alike = ((options ^ mine) & self.apart) == 0
        less = alike & ((options & ~mine) == 0) & (rungs <= np.array(there.rungs)).all(axis=1)
        more = alike & ((~options & mine) == 0) & (rungs >= np.array(there.rungs)).all(axis=1)
        n = len(self.rungs)
        return self.holds[:n][less].max(axis=0, initial=0.0), self.fails[:n][more].min(axis=0, initial=np.inf)

    def learn(self, there: There, load: FloatArray, at: NDArray[np.intp], held: Bools) -> None:
        """In the worlds *at* it held or did not at their *load*."""
        row = self.row.setdefault(there, len(self.rungs))
        if row == len(self.rungs):
            self.rungs.append(there.rungs)
            self.options.append(self._bits(there))
        if row == self.holds.shape[0]:
            self.holds, self.fails = (
                np.concatenate([old, np.full_like(old, none)]) for old, none in ((self.holds, 0.0), (self.fails, np.inf))
            )
        yes, no = at[held], at[~held]
        self.holds[row, yes] = np.maximum(self.holds[row, yes], load[yes])
        self.fails[row, no] = np.minimum(self.fails[row, no], load[no])

    def _bits(self, there: There) -> int:
        return sum(1 << self.bits[name] for name in there.options)


@dataclass(kw_only=True, eq=False)
class Worlds:
    """A statement in *count* worlds, asked for what holds in a month with what is there."""

    statement: Statement
    ladders: Sequence[Ladder]
    count: int
    seed: int
    apart: frozenset[str] = frozenset()  # options that may hurt: nothing follows from one side of them for the other
    worlds_judged: int = 0  # so far: what the search costs, in a number that is the same on every machine
    _hardest: str = ""
    _made: dict[There, tuple[Scenario, Mapping[str, Value]]] = field(default_factory=dict)
    _drawn: dict[frozenset[str], Scenario] = field(default_factory=dict)
    _rps: dict[frozenset[str], FloatArray] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _exact: dict[tuple[There, int, tuple[str, ...]], Bools] = field(default_factory=dict)
    _limits: dict[tuple[There, int, bool], Mapping[Place, float]] = field(default_factory=dict)
    _last: tuple[tuple[There, int], State] | None = None
    _few: dict[tuple[There, int], list[Bools]] = field(default_factory=dict)

    def drawn(self, options: frozenset[str]) -> Scenario:
        """All worlds, with *options*."""
        if options not in self._drawn:
            self._drawn[options] = with_options(self.statement, options).at(self.count, self.seed)
        return self._drawn[options]

    def rps(self, options: frozenset[str]) -> FloatArray:
        """The demand, (worlds, months)."""
        if options not in self._rps:
            rps = demand_rps(self.drawn(options))
            self._rps[options] = np.broadcast_to(rps, (self.count, rps.shape[1]))
        return self._rps[options]

    def counts(self, there: There, scenario: Scenario) -> dict[Place, float]:
        """What differs from what *scenario* states; of what is limited by another count, as many as that allows."""
        raised = {
            one.place: max(one.counts[rung], count_of(scenario.tiers[one.place.tier], one.place.field))
            for one, rung in zip(self.ladders, there.rungs, strict=True)
            if rung
        }
        if not raised:
            return {}
        made = with_counts(scenario, raised)
        return {p: min(n, bought_of(made.tiers[p.tier], p.field).most(made.tiers[p.tier])) for p, n in raised.items()}

    def scenario(self, there: There) -> Scenario:
        """All worlds, with what is there."""
        return self._with(there)[0]

    def _with(self, there: There) -> tuple[Scenario, Mapping[str, Value]]:
        """All worlds with what is there, and their hit ratios, which no load changes."""
        if there not in self._made:
            drawn = self.drawn(there.options)
            made = with_counts(drawn, self.counts(there, drawn))
            self._made[there] = made, hit_ratios(made)
        return self._made[there]

    def _state(self, there: There, month: int) -> State:
        """All worlds with what is there in *month*; the last one is kept, as it is asked for limits first and then for promises."""
        if self._last is None or self._last[0] != (there, month):
            scenario, hits = self._with(there)
            self._last = (there, month), State(scenario, self.rps(there.options)[:, month : month + 1], hits=hits)
        return self._last[1]

    def hold(self, there: There, month: int, names: Sequence[str], *, needed: float = 0.0) -> Bools:
        """In which worlds all promises of *names* hold in *month*, (worlds,).

        Where fewer than *needed* of all worlds can hold, no world is said to.
        """
        key = there, month, tuple(names)
        if key in self._exact:
            return self._exact[key]
        load, good = self.rps(there.options)[:, month], np.ones(self.count, dtype=bool)
        objectives = self.drawn(there.options).objectives
        own = {name: self._load(objectives[name], load) for name in names}
        known = {name: self._of(name).of(there) for name in names}
        for name in names:
            good &= own[name] < known[name][1]
        for group in self._groups(names):
            open_ones = {name: own[name] > known[name][0] for name in group}
            left = np.flatnonzero(good & np.any([*open_ones.values()], axis=0))
            if left.size and good.mean() >= needed:
                self._judge(there, month, left, {name: own[name] for name in group if open_ones[name][left].any()}, good, needed)
        if good.mean() < needed:
            return np.zeros_like(good)
        self._exact[key] = good
        return good

    def _groups(self, names: Sequence[str]) -> list[list[str]]:
        """What costs little first; of response times the one that last kept others from being asked."""
        timed = [name for name in names if promises.timed(self.drawn(frozenset()).objectives[name]) is not None]
        quick = [name for name in names if name not in timed]
        return [group for group in (quick, sorted(timed, key=lambda name: name != self._hardest)) if group]

    def _judge(self, there: There, month: int, at: NDArray[np.intp], own: Mapping[str, FloatArray], good: Bools, needed: float) -> None:
        """Judge the promises of *own*, each with its load, in the worlds *at*, until *needed* cannot be reached: into *good*."""
        among = np.zeros_like(good)
        among[at] = True
        state = Quick.asked(self._state(there, month), among)
        for name, its_load in own.items():
            one = state.scenario.objectives[name]
            held = promises.kind_of(one).judges.judged(one, state, False).holds[at, 0]
            self._of(name).learn(there, its_load, at, held)
            good[at] &= held
            self.worlds_judged += at.size
            if good.mean() < needed:
                self._hardest = name
                return

    def within(self, there: There, month: int, spare: bool) -> Mapping[Place, float]:
        """Share of the worlds in which each resource that is ours keeps its utilization limit in *month*; *spare*: with one lost, too."""
        key = there, month, spare
        if key not in self._limits:
            self._look(self._state(there, month), there, [month], spare)
        return self._limits[key]

    def look(self, there: There, months: Sequence[int], spare: bool) -> None:
        """Look at what `within` is asked of several months at once, which costs little more than one."""
        if len(left := [month for month in months if (there, month, spare) not in self._limits]) > 1:
            scenario, hits = self._with(there)
            self._look(State(scenario, self.rps(there.options)[:, left], hits=hits), there, left, spare)

    def _look(self, state: State, there: There, months: Sequence[int], spare: bool) -> None:
        carried = state.carried
        kept = {
            place: np.broadcast_to(station.utilization <= limit_of(state.scenario, place, carried, spare=spare), state.rps.shape).mean(
                axis=0
            )
            for place, station in carried.stations.items()
        }
        for at, month in enumerate(months):
            self._limits[there, month, spare] = {place: float(shares[at]) for place, shares in kept.items()}

    def enough(self, place: Place, names: Sequence[str], asked: float) -> float:
        """The fewest of *place*, all else as today, that keep the promises of *names* and all utilization limits in the first month."""
        scenario, hits = self._with(There(frozenset(), (0,) * len(self.ladders)))
        rps, one = self.rps(frozenset())[:, :1], bought_of(scenario.tiers[place.tier], place.field)

        def kept(count: float) -> bool:
            made = with_counts(scenario, {place: count})
            state = Quick(made, rps, hits=hits if not kind_of(made.tiers[place.tier]).stands.misses else None)
            used = [(s.utilization <= limit_of(made, p, state.carried)).mean() >= asked for p, s in state.carried.stations.items()]
            judges = [(made.objectives[name], promises.kind_of(made.objectives[name]).judges) for name in names]
            return all(used) and float(np.all([j.judged(o, state, False).holds for o, j in judges], axis=0).mean()) >= asked

        low, high = 0.0 if one.spare == 0 else 1.0, count_of(scenario.tiers[place.tier], place.field)
        if one.by_size or not kept(high):
            return high
        while high - low > 1:
            middle = float((low + high) // 2)
            low, high = (low, middle) if kept(middle) else (middle, high)
        return high

    def hurts(self, before: There, after: There, month: int) -> bool:
        """Whether one of the first FEW worlds loses a promise in *month* where *before* becomes *after*; nothing is taken as known."""
        return any(bool((a & ~b).any()) for a, b in zip(self._held(before, month), self._held(after, month), strict=True))

    def _held(self, there: There, month: int) -> list[Bools]:
        """In which of the first FEW worlds each promise holds in *month*."""
        key = there, month
        if key not in self._few:
            some = pick_worlds(self.scenario(there), np.arange(min(FEW, self.count)))
            state = _Hour(some, self.rps(there.options)[:FEW, month : month + 1])
            self._few[key] = [promises.kind_of(one).judges.judged(one, state, False).holds for one in some.objectives.values()]
        return self._few[key]

    def _load(self, objective: promises.Objective, load: FloatArray) -> FloatArray:
        """The load a promise is judged at; one for all months where it has its own."""
        return np.ones_like(load) if promises.kind_of(objective).judges.elsewhere(objective) else load

    def _of(self, name: str) -> _Known:
        if name not in self._known:
            bits = {option: i for i, option in enumerate(self.drawn(frozenset()).options)}
            self._known[name] = _Known(self.count, bits, sum(1 << bits[option] for option in self.apart))
        return self._known[name]


def with_options(statement: Statement, options: Collection[str]) -> Statement:
    """The statement with all that some of its options set."""
    if not options:
        return statement
    if len(options) == 1:
        return statement.option(next(iter(options)))
    stated = statement.at().options
    return statement.but(*(text for name in stated if name in options for text in stated[name].set))
