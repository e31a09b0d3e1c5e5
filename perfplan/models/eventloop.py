"""The simulator's event loop: arrays in, arrays out, compiled by numba at the first call, and kept.

A journey is rows of `Code` from its entry to an END; a request is a slot, `place` its next row. Those who spend a time are in a heap;
those who share a pool are in a list by the work that remains. `simulate` makes the arrays and reads them.

Shapes: rows of code (steps,), slots (most,), servers and queues (pools, copies) and more: as each record says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfplan.quantity import FloatArray

Whole = NDArray[np.int64]
SPEND, SEIZE, FREE, SKIP, FORK, END, SHARE, MARK = range(8)
CONSTANT, EXPONENTIAL, LOGNORMAL, SAMPLES = range(4)
POLICIES = ("random", "round_robin", "shortest", "two_choices")


class Code(NamedTuple):
    """What to do, to which, and with which chance: a row a step."""

    what: Whole
    which: Whole
    chance: FloatArray


class Times(NamedTuple):
    """Laws as rows, the samples of all in one table."""

    kind: Whole
    first: FloatArray
    second: FloatArray
    table: FloatArray
    start: Whole


class Coming(NamedTuple):
    """Arrivals, and the journeys they take."""

    rates: FloatArray
    top: float
    step_s: float
    between: int
    customers: int
    batch: int
    shares: FloatArray
    entry: Whole


class Queues(NamedTuple):
    """Pools, and their queues in a row; made here and not in the loop, as numba compiles each way to fill an array."""

    first_queue: Whole  # of each pool, up to in_use_since
    servers: Whole
    room: Whole
    speed: FloatArray  # of each pool in turn, of 0, 1 .. servers at work
    first_speed: Whole
    policy: Whole
    turn: Whole
    in_use: Whole
    since: FloatArray
    pool: Whole  # of each queue, from here
    idle: Whole
    waiting: Whole
    head: Whole  # (queues, ranks)
    tail: Whole
    progress: FloatArray  # of sharing: the work done for each who is there
    seen: FloatArray
    inside: Whole
    finish: FloatArray

    @classmethod
    def of(cls, copies: Whole, servers: Whole, room: Whole, policy: Whole, speeds: Sequence[FloatArray], ranks: int) -> Queues:
        """Empty queues of pools: *copies* of each, *speeds* by how many work, *ranks* of those who wait."""
        queues, count = int(copies.sum()), copies.size
        return cls(
            np.cumsum([0, *copies]),
            servers,
            room,
            np.concatenate(speeds),
            np.cumsum([0, *(s.size for s in speeds)]),
            policy,
            _whole(count),
            _whole(count),
            np.zeros(count),
            np.repeat(np.arange(count), copies),
            np.repeat(servers, copies),
            _whole(queues),
            _whole(queues, ranks) - 1,
            _whole(queues, ranks) - 1,
            np.zeros(queues),
            np.zeros(queues),
            _whole(queues),
            np.full(queues, np.inf),
        )


class Slots(NamedTuple):
    """Requests and branches, a slot each; the heap of those who spend a time."""

    place: Whole
    journey: Whole
    behind: Whole
    start: FloatArray
    parent: Whole
    left: Whole
    waited: FloatArray
    queued: FloatArray
    children: Whole
    ended: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    target: FloatArray
    held: Whole  # (slots, pools): the queue whose server it holds
    free: Whole
    key: FloatArray
    owner: Whole
    ready: Whole

    @classmethod
    def of(cls, most: int, pools: int) -> Slots:
        return cls(
            _whole(most),
            _whole(most),
            _whole(most) - 1,
            np.zeros(most),
            _whole(most) - 1,
            _whole(most),
            np.zeros(most),
            np.zeros(most),
            _whole(most),
            np.zeros(most, dtype=bool),
            np.zeros(most, dtype=bool),
            np.zeros(most),
            _whole(most, pools) - 1,
            np.arange(most - 1, -1, -1),
            np.zeros(most + 1),
            _whole(most + 1),
            _whole(most),
        )


def _whole(*shape: int) -> Whole:
    return np.zeros(shape, dtype=np.int64)


class Out(NamedTuple):
    """What is written, in the order in which requests end."""

    response: FloatArray
    wait: FloatArray
    start: FloatArray
    journey: Whole


@functools.cache
def compiled() -> Callable[..., tuple[int, int, float, bool]]:
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
