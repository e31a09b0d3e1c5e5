"""A store of objects that somebody else runs: it holds what it is given, answers by the percentiles it states, and bills by use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from perfplan.quantity import Bytes, Fraction, Rps, Seconds, Usd, UsdPerByte, UsdPerByteMonth, Value, Whole, WholeOrNone, median
from perfplan.record import field, record
from perfplan.tiers.kind import (
    HANGS,
    LOST,
    MONTH_AHEAD_S,
    SLOW,
    Advised,
    Carriage,
    Carries,
    Fails,
    Failure,
    Held,
    Here,
    Kept,
    Kind,
    Owned,
    Program,
    Stands,
    Steps,
    There,
    Varied,
    never,
    no_calls,
    no_pools,
    no_proposals,
    nothing,
)
from perfplan.tiers.rungs import CALL, MARGIN, Outlasted, Rungs, Seen, round_up
from perfplan.tiers.work import percentile_problems, simulated_answer, stated_answer


@record
class ObjectStore:
    """A store of objects that somebody else runs: no instances, no volume that fills, a rate limit for each prefix of its keys."""

    kind: Literal["object store"]
    p50_s: Seconds = field("half of its answers, whole objects of `object` size, are faster", least="1us", most="1h")
    p99_s: Seconds = field("99 of 100 answers are faster", least="1us", most="1h")
    object_bytes: Bytes = field("mean size of what one request gets", "100kB", reason="a picture of a page", most="1TB")
    limit_rps: Rps = field(
        "requests that one prefix accepts; those beyond it fail", "5500rps", reason="what large stores state for reads", least="1/day"
    )
    prefixes: Whole = field("prefixes that requests spread over evenly", "1", reason="keys that begin alike share a limit", most="1M")
    storage_bytes: Bytes = field("data today", least="1B")
    storage_growth_bytes: Bytes = field("data that each month adds", "1GB", reason="a slowly growing store", least="1B")
    availability: Fraction = field("availability it states", "99.9%", reason="service level of large stores")
    storage_price_usd_per_byte_month: UsdPerByteMonth = field(
        "price of what is held", "$0.023/GB/month", reason="list price of the first 50 TB"
    )
    request_price_usd: Usd = field("price of one request", "$0.0000004", reason="list price of reads, $0.40 a million")
    out_price_usd_per_byte: UsdPerByte = field(
        "price of what it sends", "$0/GB", reason="free within a region; state it where users fetch it"
    )
    timeout_s: Seconds | None = field(
        "time after which a request is given up; left out, it follows from its percentiles", optional=True, most="1d"
    )
    retries: WholeOrNone = field(
        "requests made again after a failure, at most", "1", reason="default of most clients is more; each is load", most="100"
    )
    outage_s: Seconds = field("how long an outage of it lasts", "43min", reason="what 99.9% allows in a month, in one piece", most="30d")


def carry(tier: ObjectStore, here: Here) -> Carriage:
    """Its answer, whatever the load: what it cannot carry it refuses."""
    return Carriage(response=here.own(stated_answer(tier.p50_s, tier.p99_s)))


def _held(tier: ObjectStore) -> Held:
    return Held(now_bytes=tier.storage_bytes, growth_bytes=tier.storage_growth_bytes, limit_bytes=None, lead_s=MONTH_AHEAD_S)


def _month_usd(tier: ObjectStore, stored: Value, calls: Value) -> Value:
    return stored * tier.storage_price_usd_per_byte_month + calls * (
        tier.request_price_usd + tier.object_bytes * tier.out_price_usd_per_byte
    )


def _times_out(tier: ObjectStore, seen: Seen, rungs: Rungs) -> Sequence[Outlasted]:
    why = f"{MARGIN:g} x p99.9 of what the store states"
    own = rungs.add("timeout", f"{seen.name}: one request", tier.timeout_s, round_up(MARGIN * seen.answer_s()), why, CALL)
    return [(own, 1.0 + median(tier.retries))]


def _steps(tier: ObjectStore, there: There) -> Steps:
    return (simulated_answer(tier.p50_s, tier.p99_s),)


def _failures(tier: ObjectStore) -> Sequence[Failure]:
    return [
        Failure(takes=LOST, what="answers with errors", fails=1.0, back_s=tier.outage_s),
        Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.outage_s),
    ]


KIND: Kind[ObjectStore] = Kind(
    carries=Carries(carry=carry, passes=no_calls, hit_ratio=nothing),
    stands=Stands(blocks=never, enters=False, misses=False, reads=True),
    owned=Owned(bought=(), held=_held, rate_limit=lambda tier: tier.limit_rps * tier.prefixes, month_usd=_month_usd),
    kept=Kept(
        available=lambda tier, used, refused: tier.availability * (1 - refused),
        times_out=_times_out,
        problems=lambda tier: percentile_problems(tier.p50_s, tier.p99_s),
    ),
    advised=Advised(proposals=no_proposals, sliders={}),
    varied=Varied(doubled={"prefixes": "prefixes"}, halved={"answer time": ("p50_s", "p99_s")}, by_memory=nothing),
    program=Program(pools=no_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=nothing, zones=nothing),
)
