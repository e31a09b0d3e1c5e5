"""Discrete-event simulation: requests run through programs of steps over pools of servers.

What has no formula is asked here, and what has one is checked. A journey is a tuple of steps: `Seize` a server of a pool (and
queue for it), `Spend` a time, `Free` it, `Share` the servers of a pool with all who are there, do something `Maybe`, `Fork` into
branches and wait for some or all of them. A thread that is held while a query waits for a connection is a `Seize` inside a `Seize`.
Arrivals are Poisson, with a rate that may change, or a renewal process, or customers who come again. A breakdown is a journey of the
first rank that seizes a server for as long as the repair takes.

Replications: each has streams of random numbers of its own; the same seed gives the same numbers to every system that is
compared. The start is cut where the mean of the rest is best known (MSER, over all replications together). The loop is compiled by
numba at the first call, and kept.

References
----------
Law: Simulation Modeling and Analysis, 5th ed. 2015, sections 9.4 and 9.5; White: An effective truncation heuristic for bias
reduction in simulation output, Simulation 69 (1997).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from perfplan.models.scalability import Crew
from perfplan.quantity import FloatArray

SPEND, SEIZE, FREE, SKIP, FORK, END, SHARE, MARK = range(8)
CONSTANT, EXPONENTIAL, LOGNORMAL, SAMPLES = range(4)
POLICIES = ("random", "round_robin", "shortest", "two_choices")
MOST_INSIDE = 1 << 17  # requests at once: more is a system without a steady state
LEAST_REPLICATIONS = 8


@dataclass(frozen=True, kw_only=True)
class Law:
    """A law of times, by one of its makers."""

    kind: int
    first: float = 0.0
    second: float = 0.0
    table: FloatArray | None = None

    @classmethod
    def constant(cls, seconds: float) -> Law:
        """Always the same."""
        return cls(kind=CONSTANT, first=seconds)

    @classmethod
    def exponential(cls, mean_s: float) -> Law:
        """Exponential."""
        return cls(kind=EXPONENTIAL, first=mean_s)

    @classmethod
    def lognormal(cls, median_s: float, sigma: float) -> Law:
        """Lognormal: *sigma* is the standard deviation of the logarithm."""
        return cls(kind=LOGNORMAL, first=np.log(median_s), second=sigma)

    @classmethod
    def samples(cls, seconds: FloatArray) -> Law:
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

    law: Law


@dataclass(frozen=True)
class Share:
    """Work on a pool that all who are there share equally, none faster than one server: processor sharing. Copies at random."""

    pool: str
    law: Law


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
    between: Law | None = None
    customers: int = 0
    think: Law | None = None
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

    >>> steps = (Seize("desk"), Spend(Law.exponential(0.5)), Free("desk"))
    >>> run = simulate({"desk": Pool(servers=1)}, {"ask": (1.0, steps)}, Arrivals(rates=[1.0]), 20_000, seed=1)
    >>> bool(abs(run.response_s.mean() - 1.0) < 0.1)  # M/M/1: 1 / (2 - 1)
    True
    """
    code, laws, names = _Program(), list[Law](), list(pools)
    thinks = (Spend(arrivals.think),) if arrivals.think else ()
    entry = [code.add(steps, names, laws, thinks) for _, steps in journeys.values()]
    between = len(laws) if arrivals.between else -1
    laws += [arrivals.between] if arrivals.between else []
    out = _Out(np.zeros(requests), np.zeros(requests), np.zeros(requests), _whole(requests))
    busy, queued, visits = np.zeros((3, len(names)))
    weights = np.array([weight for weight, _ in journeys.values()], dtype=float)
    done, events, end_s, overflow = _compiled()(
        np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2]), code.columns(), _Times.of(laws),
        _Coming(np.asarray(arrivals.rates or [1.0], dtype=float), float(max(arrivals.rates, default=1.0)), float(arrivals.step_s), between, arrivals.customers, arrivals.batch, np.cumsum(weights) / weights.sum(), np.array(entry)),
        _Queues.of(pools.values(), code.ranks()), _Slots.of(MOST_INSIDE, len(names)), out, busy, queued, visits,
    )  # fmt: skip
    used = {n: float(busy[i] / max(end_s, 1e-300) / (p.servers * p.copies)) for i, (n, p) in enumerate(pools.items())}
    return Replication(
        response_s=out.response[:done], wait_s=out.wait[:done], journey=out.journey[:done], start_s=out.start[:done], utilization=used,
        mean_wait_s={n: float(queued[i] / max(visits[i], 1)) for i, n in enumerate(names)}, end_s=end_s, events=events, overflow=bool(overflow)
    )  # fmt: skip


class _Code(NamedTuple):
    """What to do, to which, and with which chance: a row a step."""

    what: NDArray[np.int64]
    which: NDArray[np.int64]
    chance: FloatArray


class _Times(NamedTuple):
    """Laws as rows, the samples of all in one table."""

    kind: NDArray[np.int64]
    first: FloatArray
    second: FloatArray
    table: FloatArray
    start: NDArray[np.int64]

    @classmethod
    def of(cls, laws: Sequence[Law]) -> _Times:
        tables = [np.sort(law.table) if law.table is not None else np.zeros(0) for law in laws]
        first, second = np.array([[law.first, law.second] for law in laws], dtype=float).T.copy()
        return cls(np.array([law.kind for law in laws]), first, second, np.concatenate(tables), np.cumsum([0, *(t.size for t in tables)]))


class _Coming(NamedTuple):
    """Arrivals, and the journeys they take."""

    rates: FloatArray
    top: float
    step_s: float
    between: int
    customers: int
    batch: int
    shares: FloatArray
    entry: NDArray[np.int64]


class _Queues(NamedTuple):
    """Pools, and their queues in a row; made here and not in the loop, as numba compiles each way to fill an array."""

    first_queue: NDArray[np.int64]  # of each pool, up to in_use_since
    servers: NDArray[np.int64]
    room: NDArray[np.int64]
    speed: FloatArray  # of each pool in turn, of 0, 1 .. servers at work
    first_speed: NDArray[np.int64]
    policy: NDArray[np.int64]
    turn: NDArray[np.int64]
    in_use: NDArray[np.int64]
    since: FloatArray
    pool: NDArray[np.int64]  # of each queue, from here
    idle: NDArray[np.int64]
    waiting: NDArray[np.int64]
    head: NDArray[np.int64]  # (queues, ranks)
    tail: NDArray[np.int64]
    progress: FloatArray  # of sharing: the work done for each who is there
    seen: FloatArray
    inside: NDArray[np.int64]
    finish: FloatArray

    @classmethod
    def of(cls, pools: Collection[Pool], ranks: int) -> _Queues:
        copies, servers = np.array([p.copies for p in pools]), np.array([p.servers for p in pools])
        queues, count = int(copies.sum()), len(pools)
        speeds = [(p.crew or Crew(p.servers)).speed(np.arange(p.servers + 1.0)) for p in pools]
        return cls(
            np.cumsum([0, *copies]), servers, np.array([p.room for p in pools]), np.concatenate(speeds), np.cumsum([0, *(s.size for s in speeds)]), np.array([POLICIES.index(p.policy) for p in pools]),
            _whole(count), _whole(count), np.zeros(count), np.repeat(np.arange(count), copies), np.repeat(servers, copies), _whole(queues),
            _whole(queues, ranks) - 1, _whole(queues, ranks) - 1, np.zeros(queues), np.zeros(queues), _whole(queues), np.full(queues, np.inf),
        )  # fmt: skip


class _Slots(NamedTuple):
    """Requests and branches, a slot each; the heap of those who spend a time."""

    place: NDArray[np.int64]
    journey: NDArray[np.int64]
    behind: NDArray[np.int64]
    start: FloatArray
    parent: NDArray[np.int64]
    left: NDArray[np.int64]
    waited: FloatArray
    queued: FloatArray
    children: NDArray[np.int64]
    ended: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    target: FloatArray
    held: NDArray[np.int64]  # (slots, pools): the queue whose server it holds
    free: NDArray[np.int64]
    key: FloatArray
    owner: NDArray[np.int64]
    ready: NDArray[np.int64]

    @classmethod
    def of(cls, most: int, pools: int) -> _Slots:
        return cls(
            _whole(most), _whole(most), _whole(most) - 1, np.zeros(most), _whole(most) - 1, _whole(most), np.zeros(most), np.zeros(most), _whole(most), np.zeros(most, dtype=bool),
            np.zeros(most, dtype=bool), np.zeros(most), _whole(most, pools) - 1, np.arange(most - 1, -1, -1), np.zeros(most + 1), _whole(most + 1), _whole(most),
        )  # fmt: skip


def _whole(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, dtype=np.int64)


class _Out(NamedTuple):
    """What is written, in the order in which requests end."""

    response: FloatArray
    wait: FloatArray
    start: FloatArray
    journey: NDArray[np.int64]


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

    def columns(self) -> _Code:
        return _Code(np.array(self.what), np.array(self.which), np.array(self.chance, dtype=float))

    def ranks(self) -> int:
        return 1 + max((int(rank) for what, rank in zip(self.what, self.chance, strict=True) if what == SEIZE), default=0)

    def add(self, steps: Sequence[Step], names: list[str], laws: list[Law], before: Sequence[Step] = ()) -> int:
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

    def _steps(self, steps: Sequence[Step], names: list[str], laws: list[Law], later: list[tuple[int, Fork]]) -> None:
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


@functools.cache
def _compiled() -> Callable[..., tuple[int, int, float, bool]]:
    """The event loop as machine code; numba is imported here, as few commands need it."""
    import numba

    compiled: Callable[..., tuple[int, int, float, bool]]
    try:
        compiled = numba.njit(cache=True)(_events)
    except RuntimeError:  # nowhere to keep it: neither beside this file nor in the user's cache
        compiled = numba.njit(_events)
    return compiled


def _events(  # one loop, as calls would be in its innermost part
    gaps: Any, draws: Any, code: Any, times: Any, coming: Any, desks: Any, slots: Any, out: Any, busy: Any, queueing: Any, visits: Any
) -> tuple[int, int, float, bool]:
    """The event loop. A request is a slot; `place` is its next step; the heap holds those who spend a time."""
    what, which, chance = code
    law_kind, law_first, law_second, table, table_start = times
    rates, top, step_s, between, customers, batch, shares, entry = coming
    (
        first_queue,
        servers,
        room,
        speed,
        first_speed,
        policy,
        turn,
        in_use,
        since,
        pool_of,
        idle,
        waiting,
        head,
        tail,
        progress,
        seen,
        inside,
        finish,
    ) = desks
    place, journey, behind, start, parent, left, waited, queued, children, ended, refused, target, held, free, key, owner, ready = slots
    out_response, out_wait, out_start, out_journey = out
    pools, most, frees = servers.size, free.size, free.size
    size, readies, sharing = 0, 0, -1
    now, done, events, total = 0.0, 0, 0, out_response.size
    next_arrival = 0.0
    draw_gap = customers == 0
    for _ in range(customers):
        frees -= 1
        place[free[frees]] = entry[0]
        ready[readies] = free[frees]
        readies += 1
    if customers > 0:
        next_arrival = np.inf
    while done < total:
        while draw_gap:  # the next arrival; a changing rate by thinning
            if between >= 0:
                kind, a, b = law_kind[between], law_first[between], law_second[between]
                if kind == EXPONENTIAL:
                    next_arrival += a * gaps.standard_exponential()
                elif kind == CONSTANT:
                    next_arrival += a
                elif kind == LOGNORMAL:
                    next_arrival += np.exp(a + b * gaps.standard_normal())
                else:
                    low, high = table_start[between], table_start[between + 1]
                    next_arrival += table[low + int(gaps.random() * (high - low))]
                break
            next_arrival += gaps.standard_exponential() / top
            if rates.size == 1 or gaps.random() * top <= rates[int(next_arrival / step_s) % rates.size]:
                break
        draw_gap = False
        events += 1
        soonest, shared = (key[0] if size > 0 else np.inf), -1
        for q in range(sharing + 1):
            if finish[q] < soonest:
                soonest, shared = finish[q], q
        if readies > 0:  # the customers at the start
            readies -= 1
            slot = ready[readies]
        elif next_arrival <= soonest:
            now, draw_gap = next_arrival, True
            for m in range(batch):
                if frees == 0:
                    return done, events, now, True
                if m > 0:
                    ready[readies] = slot
                    readies += 1
                frees -= 1
                slot = free[frees]
                j, u = 0, gaps.random() if shares.size > 1 else 0.0
                while shares[j] < u:
                    j += 1
                journey[slot], place[slot], start[slot], parent[slot] = j, entry[j], now, -1
                children[slot], ended[slot], refused[slot], waited[slot] = 0, False, False, 0.0
        elif shared >= 0:  # the least work of a shared pool is done
            now, p = soonest, pool_of[shared]
            slot = head[shared, 0]
            head[shared, 0] = behind[slot]
            progress[shared], seen[shared] = target[slot], now
            busy[p] += min(in_use[p], servers[p] * (first_queue[p + 1] - first_queue[p])) * (now - since[p])
            since[p] = now
            inside[shared] -= 1
            in_use[p] -= 1
            if inside[shared] > 0:
                slow = inside[shared] / speed[first_speed[p] + min(inside[shared], servers[p])]
                finish[shared] = now + (target[head[shared, 0]] - target[slot]) * slow
            else:
                finish[shared] = np.inf
        else:  # pop the heap
            now, slot = key[0], owner[0]
            size -= 1
            k, o, i = key[size], owner[size], 0
            while True:
                child = 2 * i + 1
                if child >= size:
                    break
                if child + 1 < size and key[child + 1] < key[child]:
                    child += 1
                if key[child] >= k:
                    break
                key[i], owner[i] = key[child], owner[child]
                i = child
            key[i], owner[i] = k, o
        ready[readies] = slot
        readies += 1
        while readies > 0:
            readies -= 1
            slot = ready[readies]
            while True:
                at = place[slot]
                op, p = what[at], which[at]
                if refused[slot]:  # gives back what it holds, and ends
                    p = 0
                    while p < pools and held[slot, p] < 0:
                        p += 1
                    op = FREE if p < pools else END
                place[slot] = at + 1
                if op in (SPEND, SHARE):
                    law = int(chance[at]) if op == SHARE else p
                    kind = law_kind[law]
                    if kind == EXPONENTIAL:
                        spent = law_first[law] * draws.standard_exponential()
                    elif kind == CONSTANT:
                        spent = law_first[law]
                    elif kind == LOGNORMAL:
                        spent = np.exp(law_first[law] + law_second[law] * draws.standard_normal())
                    else:
                        low, high = table_start[law], table_start[law + 1]
                        spent = table[low + int(draws.random() * (high - low))]
                    if op == SHARE:
                        q = first_queue[p]
                        copies = first_queue[p + 1] - q
                        if copies > 1:
                            q += int(draws.random() * copies)
                        sharing = max(sharing, q)
                        if inside[q] > 0:
                            progress[q] += (now - seen[q]) * speed[first_speed[p] + min(inside[q], servers[p])] / inside[q]
                        busy[p] += min(in_use[p], servers[p] * copies) * (now - since[p])
                        seen[q], since[p] = now, now
                        inside[q] += 1
                        in_use[p] += 1
                        target[slot] = progress[q] + spent
                        before, other = -1, head[q, 0]
                        while other >= 0 and target[other] <= target[slot]:
                            before, other = other, behind[other]
                        behind[slot] = other
                        if before < 0:
                            head[q, 0] = slot
                        else:
                            behind[before] = slot
                        slow = inside[q] / speed[first_speed[p] + min(inside[q], servers[p])]
                        finish[q] = now + (target[head[q, 0]] - progress[q]) * slow
                        break
                    k, i = now + spent, size
                    size += 1
                    while i > 0 and key[(i - 1) // 2] > k:
                        key[i], owner[i] = key[(i - 1) // 2], owner[(i - 1) // 2]
                        i = (i - 1) // 2
                    key[i], owner[i] = k, slot
                    break
                if op == MARK:
                    start[slot], waited[slot] = now, 0.0
                    continue
                if op == SEIZE:
                    visits[p] += 1
                    low, copies = first_queue[p], first_queue[p + 1] - first_queue[p]
                    q = low
                    if copies > 1:
                        if policy[p] == 0:
                            q = low + int(draws.random() * copies)
                        elif policy[p] == 1:
                            q = low + turn[p]
                            turn[p] = (turn[p] + 1) % copies
                        elif policy[p] == 2:
                            q, best = low, most
                            shift = int(draws.random() * copies)
                            for m in range(copies):
                                other = low + (m + shift) % copies
                                if waiting[other] + servers[p] - idle[other] < best:
                                    q, best = other, waiting[other] + servers[p] - idle[other]
                        else:
                            m = int(draws.random() * copies)
                            q, other = low + m, low + (m + 1 + int(draws.random() * (copies - 1))) % copies
                            if waiting[other] - idle[other] < waiting[q] - idle[q]:
                                q = other
                    if idle[q] > 0:
                        held[slot, p] = q
                        idle[q] -= 1
                        busy[p] += in_use[p] * (now - since[p])
                        since[p] = now
                        in_use[p] += 1
                        continue
                    if waiting[q] >= room[p]:
                        refused[slot] = True
                        continue
                    held[slot, p] = q
                    waiting[q] += 1
                    queued[slot] = now
                    rank = int(chance[at])
                    behind[slot] = -1
                    if tail[q, rank] >= 0:
                        behind[tail[q, rank]] = slot
                    else:
                        head[q, rank] = slot
                    tail[q, rank] = slot
                    break
                if op == FREE:
                    q = held[slot, p]
                    held[slot, p] = -1
                    if waiting[q] > 0:
                        rank = 0
                        while head[q, rank] < 0:
                            rank += 1
                        other = head[q, rank]
                        head[q, rank] = behind[other]
                        if head[q, rank] < 0:
                            tail[q, rank] = -1
                        waiting[q] -= 1
                        waited[other] += now - queued[other]
                        queueing[p] += now - queued[other]
                        ready[readies] = other
                        readies += 1
                    else:
                        idle[q] += 1
                        busy[p] += in_use[p] * (now - since[p])
                        since[p] = now
                        in_use[p] -= 1
                    continue
                if op == SKIP:
                    if chance[at] >= 1.0 or draws.random() < chance[at]:
                        place[slot] = p
                    continue
                if op == FORK:
                    count = which[p]
                    left[slot], children[slot] = int(chance[at]), count
                    if frees < count:
                        return done, events, now, True
                    for m in range(count):
                        frees -= 1
                        other = free[frees]
                        place[other], journey[other], parent[other], start[other] = which[p + 1 + m], journey[slot], slot, now
                        children[other], ended[other], refused[other] = 0, False, False
                        ready[readies] = other
                        readies += 1
                    break
                # END, of a request, of a branch, or by a refusal
                above = parent[slot]
                if above < 0:
                    if done < total:
                        out_response[done] = np.nan if refused[slot] else now - start[slot]
                        out_wait[done], out_journey[done], out_start[done] = waited[slot], journey[slot], start[slot]
                        done += 1
                    if customers > 0 and children[slot] == 0:
                        place[slot], refused[slot] = entry[0], False
                        continue
                    if customers > 0:  # branches that nobody waits for still hold the slot: go on in another one
                        if frees == 0:
                            return done, events, now, True
                        frees -= 1
                        other = free[frees]
                        place[other], journey[other], parent[other] = entry[0], journey[slot], -1
                        children[other], ended[other], refused[other], waited[other] = 0, False, False, 0.0
                        ready[readies] = other
                        readies += 1
                    ended[slot] = True
                    if children[slot] == 0:
                        free[frees] = slot
                        frees += 1
                    break
                free[frees] = slot
                frees += 1
                refused[above] = refused[above] or refused[slot]
                children[above] -= 1
                left[above] -= 1
                if left[above] == 0:
                    ready[readies] = above
                    readies += 1
                elif ended[above] and children[above] == 0:
                    free[frees] = above
                    frees += 1
                break
    for p in range(pools):
        busy[p] += min(in_use[p], servers[p] * (first_queue[p + 1] - first_queue[p])) * (now - since[p])
    return done, events, now, False


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
    pools: Mapping[str, Pool], journeys: Mapping[str, tuple[float, tuple[Step, ...]]], arrivals: Arrivals, ps: Sequence[float], *,
    precision: float = 0.02, requests: int = 200_000, most: int = 40, seed: int = 0,
) -> dict[str, list[Estimate]]:  # fmt: skip
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
