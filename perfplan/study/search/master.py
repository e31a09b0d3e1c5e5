"""The cheapest way to meet all that is known to be needed, as a program of zeros and ones.

A cut says of a month: this much is not enough, whatever else; so one of some counts must be larger then, or one of some options there.
The cheapest answer to the cuts that are known costs no more than the cheapest plan: its value is a lower bound.

Variables: y[r, k, m], whether ladder r has rung k or more in month m; x[o], whether option o is taken. Only rungs and months that stand in
a cut have one. What two counts of a tier cost together beyond what each costs alone is a variable w >= y + y' - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.quantity import FloatArray
from perfplan.study.search.candidates import LITTLE_USD, Bill, Offer
from perfplan.study.search.worlds import Ladder
from perfplan.system import quiet

LARGE = 500  # rows of a program: beyond, it is solved within 0.05 %, and its bound says so


@dataclass(frozen=True)
class Cut:
    """In *month* one of the ladders must stand at the rung named, or higher, or one of the options be there."""

    month: int
    rungs: tuple[tuple[int, int], ...]  # (ladder, rung)
    options: frozenset[str]
    promises: bool = True  # whether a promise fails without it; else only a utilization limit does


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rungs of all ladders by month, the options taken, dollars of both to the last month asked for, and a bound below."""

    rungs: tuple[tuple[int, ...], ...]
    options: frozenset[str]
    bound_usd: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Master:
    """What is bought, of which prices, and how long an order lasts."""

    ladders: Sequence[Ladder]
    offers: Sequence[Offer]
    bill: Bill
    ahead: int  # months between two orders of a thing
    lost: int  # months before this one are too late to be kept: what is needed for it is there as soon as it can be

    def cheapest(
        self, cuts: Sequence[Cut], *, always: frozenset[str] = frozenset(), forbidden: Sequence[frozenset[str]] = ()
    ) -> Answer | None:
        """The cheapest rungs and options that satisfy *cuts*; *always*: options that are taken; of each set of *forbidden* one is left out,
        of an empty one an option taken. None where nothing does."""
        months = sorted({max(cut.month, self.lost) for cut in cuts})
        rungs: dict[int, list[int]] = {}
        for cut in cuts:
            for r, k in cut.rungs:
                rungs.setdefault(r, [])
                rungs[r] = sorted({*rungs[r], k})
        program = _Program()
        x = {offer.name: program.variable(self._option_usd(offer), low=float(offer.name in always)) for offer in self.offers}
        y = {(r, k, m): program.variable(0.0) for r, ks in rungs.items() for k in ks for m in months if m >= self.ladders[r].works_from}
        self._prices(program, y, rungs, months)
        self._chains(program, y, rungs, months)
        for cut in cuts:
            program.at_least(1.0, [*(y[r, k, max(cut.month, self.lost)] for r, k in cut.rungs), *(x[o] for o in cut.options)])
        for chosen in forbidden:
            program.at_least(1 - len(chosen) if chosen else 1.0, [x[o] for o in (chosen or x)], -1.0 if chosen else 1.0)
        found = program.solve()
        if found is None:
            return None
        values, bound = found
        taken = frozenset(name for name, v in x.items() if values[v] > 0.5)
        chain = []
        for month in range(self.bill.last + 1):
            at = max((m for m in months if m <= max(month, self.lost)), default=-1)
            there = {r: [k for k in ks if (r, k, at) in y and values[y[r, k, at]] > 0.5] for r, ks in rungs.items()}
            chain.append(tuple(max(there.get(r, ()), default=0) if month >= one.works_from else 0 for r, one in enumerate(self.ladders)))
        return Answer(rungs=tuple(chain), options=taken, bound_usd=bound)

    def _option_usd(self, offer: Offer) -> float:
        months = self.bill.more_usd({}, {offer.name})[offer.works_from :]
        return offer.once_usd + float(np.sum(months + offer.monthly_usd)) + LITTLE_USD * (1 + offer.effort_days)

    def _paid(self, usd: FloatArray, month: int, months: Sequence[int], start: int) -> float:
        """What is paid for what is there from *month* on to before the next of *months*; where months before it are lost, from *start*."""
        after = next((m for m in months if m > month), self.bill.last + 1)
        return float(usd[start if month == self.lost else month : after].sum())

    def _prices(self, program: _Program, y: Mapping[tuple[int, int, int], int], rungs: Mapping[int, list[int]], months: list[int]) -> None:
        for r, ks in rungs.items():
            start, before = self.ladders[r].works_from, np.zeros(self.bill.last + 1)
            for k in ks:
                usd = self.bill.more_usd({r: k})
                for m in months:
                    if (r, k, m) in y:
                        program.price(y[r, k, m], self._paid(usd - before, m, months, start))
                before = usd
        pairs = [(r, s) for r in rungs for s in rungs if r < s and self.ladders[r].place.tier == self.ladders[s].place.tier]
        for r, s in pairs:
            for i, k in enumerate(rungs[r]):
                for j, n in enumerate(rungs[s]):
                    usd = self._both(r, rungs[r][: i + 1], s, rungs[s][: j + 1])
                    for m in months:
                        if (r, k, m) in y and (s, n, m) in y and np.any(np.abs(usd) > 1e-9):
                            start = max(self.ladders[r].works_from, self.ladders[s].works_from)
                            w = program.variable(self._paid(usd, m, months, start), whole=False)
                            program.at_least(-1.0, [w, y[r, k, m], y[s, n, m]], [1.0, -1.0, -1.0])
                            for one in (y[r, k, m], y[s, n, m]):
                                program.at_least(0.0, [one, w], [1.0, -1.0])

    def _both(self, r: int, ks: Sequence[int], s: int, ns: Sequence[int]) -> FloatArray:
        """What the last rungs of two ladders of a tier cost together, beyond what each costs without the other."""

        def usd(k: int, n: int) -> FloatArray:
            return self.bill.more_usd({r: k, s: n})

        k, k0 = ks[-1], ks[-2] if len(ks) > 1 else 0
        n, n0 = ns[-1], ns[-2] if len(ns) > 1 else 0
        return usd(k, n) - usd(k0, n) - usd(k, n0) + usd(k0, n0)

    def _chains(self, program: _Program, y: Mapping[tuple[int, int, int], int], rungs: Mapping[int, list[int]], months: list[int]) -> None:
        """A higher rung has the lower ones; what is there stays; an order lasts its months."""
        for (r, k, m), one in y.items():
            ks = rungs[r]
            if (higher := next((n for n in ks if n > k), None)) is not None:
                program.at_least(0.0, [one, y[r, higher, m]], [1.0, -1.0])
            if (later := next((n for n in months if n > m), None)) is not None:
                program.at_least(0.0, [y[r, k, later], one], [1.0, -1.0])
        if self.ahead <= 1:
            return
        for r, ks in rungs.items():
            own = [m for m in months if (r, ks[0], m) in y]
            ordered = {m: program.variable(0.0) for m in own}
            for before, m in zip([None, *own], own, strict=False):
                for k in ks:
                    earlier = [] if before is None else [y[r, k, before]]
                    program.at_least(0.0, [ordered[m], y[r, k, m], *earlier], [1.0, -1.0, *(1.0 for _ in earlier)])
            for i, m in enumerate(own):
                near = [ordered[n] for n in own[i:] if n < m + self.ahead]
                if len(near) > 1:
                    program.at_least(-1.0, near, [-1.0] * len(near))


class _Program:
    """Least cost of variables from 0 to 1 under sums that must reach something."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.low: list[float] = []
        self.whole: list[bool] = []
        self.rows: list[tuple[list[int], list[float], float]] = []

    def variable(self, cost: float, *, low: float = 0.0, whole: bool = True) -> int:
        self.cost.append(cost)
        self.low.append(low)
        self.whole.append(whole)
        return len(self.cost) - 1

    def price(self, variable: int, cost: float) -> None:
        self.cost[variable] += cost

    def at_least(self, least: float, variables: Sequence[int], weights: Sequence[float] | float = 1.0) -> None:
        given = [weights] * len(variables) if isinstance(weights, float) else list(weights)
        self.rows.append((list(variables), given, least))

    def solve(self) -> tuple[FloatArray, float] | None:
        """Values, and the proven lower bound; None where nothing satisfies all."""
        from scipy import sparse  # 300 modules that a command which searches nothing does without
        from scipy.optimize import Bounds, LinearConstraint, milp

        if not self.cost:
            return np.zeros(0), 0.0
        entries = [(i, v, w) for i, (variables, weights, _) in enumerate(self.rows) for v, w in zip(variables, weights, strict=True)]
        table = np.array(entries, dtype=float).reshape(-1, 3)
        shape = (max(len(self.rows), 1), len(self.cost))
        matrix = sparse.coo_matrix((table[:, 2], (table[:, 0].astype(int), table[:, 1].astype(int))), shape=shape)
        least = np.array([row[2] for row in self.rows] or [0.0])
        with quiet():  # the solver prints a line of its own now and then
            found = milp(
                np.array(self.cost),
                integrality=np.array(self.whole, dtype=int),
                bounds=Bounds(np.array(self.low), 1.0),
                constraints=LinearConstraint(matrix.tocsc(), least, np.inf),
                options={"mip_rel_gap": 1e-6 if len(self.rows) < LARGE else 5e-4},
            )
        return None if found.x is None else (np.asarray(found.x), float(found.mip_dual_bound))
