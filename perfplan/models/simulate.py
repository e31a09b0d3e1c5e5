"""Discrete-event simulation: requests run through programs of steps over pools of servers.

What has no formula is asked here, and what has one is checked. A journey is a tuple of steps: `Seize` a server of a pool (and
queue for it), `Spend` a time, `Free` it, `Share` the servers of a pool with all who are there, do something `Maybe`, `Fork` into
branches and wait for some or all of them. A thread that is held while a query waits for a connection is a `Seize` inside a `Seize`.
Arrivals are Poisson, with a rate that may change, or a renewal process, or customers who come again. A breakdown is a journey of the
first rank that seizes a server for as long as the repair takes.

Replications: each has streams of random numbers of its own; the same seed gives the same numbers to every system that is
compared. The start is cut where the mean of the rest is best known (MSER, over all replications together). The loop is compiled by
numba at the first call, and kept.

Shapes: what requests met is (requests,), samples of a law are (n,).

References
----------
Law: Simulation Modeling and Analysis, 5th ed. 2015, sections 9.4 and 9.5; White: An effective truncation heuristic for bias
reduction in simulation output, Simulation 69 (1997).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from perfplan.models.eventloop import (
    CONSTANT,
    END,
    EXPONENTIAL,
    FORK,
    FREE,
    LOGNORMAL,
    MARK,
    POLICIES,
    SAMPLES,
    SEIZE,
    SHARE,
    SKIP,
    SPEND,
    Code,
    Coming,
    Out,
    Queues,
    Slots,
    Times,
    compiled,
)
from perfplan.models.stations.scalability import Crew
from perfplan.quantity import FloatArray

MOST_INSIDE = 1 << 17  # requests at once: more is a system without a steady state
LEAST_REPLICATIONS = 8


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A law of times, by one of its makers."""

    kind: int
    first: float = 0.0
    second: float = 0.0
    table: FloatArray | None = None

    @classmethod
    def constant(cls, seconds: float) -> Draw:
        """Always the same."""
        return cls(kind=CONSTANT, first=seconds)

    @classmethod
    def exponential(cls, mean_s: float) -> Draw:
        """Exponential."""
        return cls(kind=EXPONENTIAL, first=mean_s)

    @classmethod
    def lognormal(cls, median_s: float, sigma: float) -> Draw:
        """Lognormal: *sigma* is the standard deviation of the logarithm."""
        return cls(kind=LOGNORMAL, first=np.log(median_s), second=sigma)

    @classmethod
    def samples(cls, seconds: FloatArray) -> Draw:
        """One of *seconds*, each as likely."""
        return cls(kind=SAMPLES, table=np.asarray(seconds, dtype=float))


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Servers behind one queue; *copies* of it behind a balancer."""

    servers: int
    copies: int = 1
    policy: str = "random"
    room: int = MOST_INSIDE  # that may wait in each queue; who finds it full is refused
    crew: Crew | None = None  # the servers, where they are shared and hinder each other


@dataclass(frozen=True)
class Seize:
    """Take a server of *pool*; where none is free, wait behind all of a lower or the same *rank* (no preemption)."""

    pool: str
    rank: int = 0


@dataclass(frozen=True)
class Free:
    """Give it back."""

    pool: str


@dataclass(frozen=True)
class Spend:
    """Let a time pass."""

    law: Draw


@dataclass(frozen=True)
class Share:
    """Work on a pool that all who are there share equally, none faster than one server: processor sharing. Copies at random."""

    pool: str
    law: Draw


@dataclass(frozen=True)
class Maybe:
    """Do *steps* with a probability, else *otherwise*."""

    probability: float
    steps: tuple[Step, ...]
    otherwise: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Fork:
    """Start every branch at once; go on when *needed* of them have ended (all, where None)."""

    branches: tuple[tuple[Step, ...], ...]
    needed: int | None = None


Step = Seize | Free | Spend | Share | Maybe | Fork


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Requests from outside: Poisson with *rates* in turn, each for *step_s*; or a renewal process with gaps of *between*; or
    *customers* who come again after *think*, of the first journey. *batch* requests come at a time.
    """

    rates: Sequence[float] = ()
    step_s: float = np.inf
    between: Draw | None = None
    customers: int = 0
    think: Draw | None = None
    batch: int = 1


@dataclass(frozen=True, kw_only=True)
class Replication:
    """What one run saw, in the order in which requests ended."""

    response_s: FloatArray  # (requests,); nan where refused
    wait_s: FloatArray  # in the queues of pools, branches of a fork aside
    journey: NDArray[np.int64]
    start_s: FloatArray
    utilization: Mapping[str, float]
    mean_wait_s: Mapping[str, float]  # in the queues of each pool, per visit, the start included
    end_s: float
    events: int
    overflow: bool  # stopped because too many were inside


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with the half width of its 95 % interval."""

    value: float
    half: float


def simulate(
    pools: Mapping[str, Pool], journeys: Mapping[str, tuple[float, tuple[Step, ...]]], arrivals: Arrivals, requests: int, seed: int = 0
) -> Replication:
    """One replication of *requests* that end. *journeys*: name to (weight, steps). Times in seconds, rates per second.

    >>> steps = (Seize("desk"), Spend(Draw.exponential(0.5)), Free("desk"))
    >>> run = simulate({"desk": Pool(servers=1)}, {"ask": (1.0, steps)}, Arrivals(rates=[1.0]), 20_000, seed=1)
    >>> bool(abs(run.response_s.mean() - 1.0) < 0.1)  # M/M/1: 1 / (2 - 1)
    True
    """
    code, laws, names = _Program(), list[Draw](), list(pools)
    thinks = (Spend(arrivals.think),) if arrivals.think else ()
    entry = [code.add(steps, names, laws, thinks) for _, steps in journeys.values()]
    between = len(laws) if arrivals.between else -1
    laws += [arrivals.between] if arrivals.between else []
    out = Out(np.zeros(requests), np.zeros(requests), np.zeros(requests), np.zeros(requests, dtype=np.int64))
    busy, queued, visits = np.zeros((3, len(names)))
    weights = np.array([weight for weight, _ in journeys.values()], dtype=float)
    done, events, end_s, overflow = compiled()(
        np.random.default_rng([seed, 1]),
        np.random.default_rng([seed, 2]),
        code.columns(),
        _times(laws),
        Coming(
            np.asarray(arrivals.rates or [1.0], dtype=float),
            float(max(arrivals.rates, default=1.0)),
            float(arrivals.step_s),
            between,
            arrivals.customers,
            arrivals.batch,
            np.cumsum(weights) / weights.sum(),
            np.array(entry),
        ),
        _queues(pools.values(), code.ranks()),
        Slots.of(MOST_INSIDE, len(names)),
        out,
        busy,
        queued,
        visits,
    )
    used = {n: float(busy[i] / max(end_s, 1e-300) / max(p.servers * p.copies, 1)) for i, (n, p) in enumerate(pools.items())}
    return Replication(
        response_s=out.response[:done],
        wait_s=out.wait[:done],
        journey=out.journey[:done],
        start_s=out.start[:done],
        utilization=used,
        mean_wait_s={n: float(queued[i] / max(visits[i], 1)) for i, n in enumerate(names)},
        end_s=end_s,
        events=events,
        overflow=bool(overflow),
    )


def _times(laws: Sequence[Draw]) -> Times:
    """Laws as rows, the samples of all in one table."""
    tables = [np.sort(law.table) if law.table is not None else np.zeros(0) for law in laws]
    first, second = np.array([[law.first, law.second] for law in laws], dtype=float).T.copy()
    return Times(np.array([law.kind for law in laws]), first, second, np.concatenate(tables), np.cumsum([0, *(t.size for t in tables)]))


def _queues(pools: Collection[Pool], ranks: int) -> Queues:
    """Pools as rows, their queues empty."""
    copies, servers, room, policy = np.array([(p.copies, p.servers, p.room, POLICIES.index(p.policy)) for p in pools]).T.copy()
    speeds = [(p.crew or Crew(p.servers)).speed(np.arange(p.servers + 1.0)) for p in pools]
    return Queues.of(copies, servers, room, policy, speeds, ranks)


class _Program:
    """Steps as three columns: what to do, to which, and with which chance."""

    def __init__(self) -> None:
        self.what: list[int] = []
        self.which: list[int] = []
        self.chance: list[float] = []

    def put(self, what: int, which: int = 0, chance: float = 0.0) -> int:
        self.what.append(what)
        self.which.append(which)
        self.chance.append(chance)
        return len(self.what) - 1

    def columns(self) -> Code:
        return Code(np.array(self.what), np.array(self.which), np.array(self.chance, dtype=float))

    def ranks(self) -> int:
        return 1 + max((int(rank) for what, rank in zip(self.what, self.chance, strict=True) if what == SEIZE), default=0)

    def add(self, steps: Sequence[Step], names: list[str], laws: list[Draw], before: Sequence[Step] = ()) -> int:
        """Append *steps* and an end; returns where they start. The response is counted from the end of *before*."""
        start = len(self.what)
        later: list[tuple[int, Fork]] = []
        self._steps(before, names, laws, later)
        self.put(MARK)
        self._steps(steps, names, laws, later)
        self.put(END)
        for at, fork in later:
            places = [self.add(branch, names, laws) for branch in fork.branches]
            self.which[at] = len(self.what)
            self.chance[at] = float(fork.needed or len(places))
            self.put(END, len(places))  # a table of branches: their number, then where each starts
            for place in places:
                self.put(END, place)
        return start

    def _steps(self, steps: Sequence[Step], names: list[str], laws: list[Draw], later: list[tuple[int, Fork]]) -> None:
        for step in steps:
            if isinstance(step, Seize):
                self.put(SEIZE, names.index(step.pool), step.rank)
            elif isinstance(step, Free):
                self.put(FREE, names.index(step.pool))
            elif isinstance(step, Share):
                laws.append(step.law)
                self.put(SHARE, names.index(step.pool), len(laws) - 1)
            elif isinstance(step, Spend):
                laws.append(step.law)
                self.put(SPEND, len(laws) - 1)
            elif isinstance(step, Maybe):
                skip = self.put(SKIP, chance=1 - step.probability)
                self._steps(step.steps, names, laws, later)
                over = self.put(SKIP, chance=1.0) if step.otherwise else None
                self.which[skip] = len(self.what)
                self._steps(step.otherwise, names, laws, later)
                if over is not None:
                    self.which[over] = len(self.what)
            else:
                later.append((self.put(FORK), step))


def warm_up(responses: Sequence[FloatArray], batches: int = 200) -> float:
    """The share to cut from the start of each of *responses*: MSER, where the standard error of the mean of the rest is least.

    Batches are averaged over replications first, as a cut that fits one run's own chance would be biased towards its quiet part;
    at most a half.

    >>> warm_up([np.concatenate([np.full(100, 9.0), np.tile([0.0, 2.0, 1.0, 0.0, 2.0], 180)])])
    0.1
    """
    size = max(min(r.size for r in responses) // batches, 1)
    means = np.mean([np.nanmean(r[: r.size // size * size].reshape(-1, size)[:batches], axis=1) for r in responses], axis=0)
    left = means.size - np.arange(means.size)
    total, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    error = (squares - total**2 / left) / left**2
    return float(np.argmin(error[: max(means.size // 2, 1)]) / means.size)


def percentiles(
    pools: Mapping[str, Pool],
    journeys: Mapping[str, tuple[float, tuple[Step, ...]]],
    arrivals: Arrivals,
    ps: Sequence[float],
    *,
    precision: float = 0.02,
    requests: int = 200_000,
    most: int = 40,
    seed: int = 0,
) -> dict[str, list[Estimate]]:
    """Percentiles *ps* of each journey's response, the mean last; with intervals over replications; seconds.

    Replications of *requests* are added, from eight to *most*, until the half width of the highest percentile of every journey is
    within *precision* of it. Without a steady state every value is inf.
    """
    runs: list[Replication] = []
    found: dict[str, list[Estimate]] = {}
    for index in range(most):
        runs.append(simulate(pools, journeys, arrivals, requests, seed=seed + 1000 * index))
        if runs[-1].overflow:
            return {name: [Estimate(value=np.inf, half=np.inf)] * (len(ps) + 1) for name in journeys}
        if len(runs) < LEAST_REPLICATIONS:
            continue
        cut = warm_up([run.response_s for run in runs])
        found = {name: _of_journey(runs, number, cut, ps) for number, name in enumerate(journeys)}
        if all(e[len(ps) - 1].half <= precision * e[len(ps) - 1].value for e in found.values()):
            break
    return found


def _of_journey(runs: Sequence[Replication], number: int, cut: float, ps: Sequence[float]) -> list[Estimate]:
    rows = []
    for run in runs:
        first = int(cut * run.response_s.size)
        mine = run.response_s[first:][run.journey[first:] == number]
        mine = mine[~np.isnan(mine)]
        rows.append([*np.quantile(mine, ps), float(mine.mean())] if mine.size else [np.nan] * (len(ps) + 1))
    return [_estimate(column) for column in np.transpose(rows)]


def _estimate(values: FloatArray) -> Estimate:
    if values.size < 2:
        return Estimate(value=float(values.mean()), half=np.inf)
    return Estimate(value=float(values.mean()), half=float(stdtrit(values.size - 1, 0.975) * values.std(ddof=1) / np.sqrt(values.size)))
