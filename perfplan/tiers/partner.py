"""A service of somebody else, known by the percentiles it states; its times do not depend on our load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from perfplan.quantity import Fraction, Rps, Seconds, Usd, WholeOrNone, median
from perfplan.record import field, record
from perfplan.tiers.kind import (
    HANGS,
    LOST,
    SLOW,
    Advised,
    Carriage,
    Carries,
    Fails,
    Failure,
    FixedProblem,
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
from perfplan.tiers.rungs import CALL, Outlasted, Rungs, Seen, round_up
from perfplan.tiers.work import percentile_problems, simulated_answer, stated_answer


@record
class Partner:
    """A service of somebody else, known by the percentiles it states; its times do not depend on our load."""

    kind: Literal["partner"]
    p50_s: Seconds = field("half of its answers are faster", least="1us", most="1h")
    p99_s: Seconds = field("99 of 100 answers are faster", least="1us", most="1h")
    limit_rps: Rps | None = field("rate it accepts; calls beyond it fail", optional=True, least="1/day")
    availability: Fraction = field("availability it states", "99.9%", reason="common in contracts")
    call_usd: Usd = field("price of one call", "$0", reason="not priced unless stated")
    timeout_s: Seconds | None = field(
        "time after which a call is given up; left out, it follows from the stated percentiles", optional=True, most="1d"
    )
    retries: WholeOrNone = field(
        "calls made again after a failure, at most", "0", reason="a retry doubles the load when it is least wanted", most="100"
    )
    outage_s: Seconds = field("how long an outage of it lasts", "43min", reason="what 99.9% allows in a month, in one piece", most="30d")


def carry(tier: Partner, here: Here) -> Carriage:
    """Its answer."""
    return Carriage(response=here.own(stated_answer(tier.p50_s, tier.p99_s)))


def _problems(tier: Partner) -> Iterator[FixedProblem]:
    return percentile_problems(tier.p50_s, tier.p99_s)


def _times_out(tier: Partner, seen: Seen, rungs: Rungs) -> Sequence[Outlasted]:
    """One call, made again as often as stated."""
    why = "1.5 x p99.9 of what the partner states"
    own = rungs.add("timeout", f"{seen.name}: one call", tier.timeout_s, round_up(1.5 * seen.answer_s()), why, CALL)
    return [(own, 1.0 + median(tier.retries))]


def _steps(tier: Partner, there: There) -> Steps:
    return (simulated_answer(tier.p50_s, tier.p99_s),)


def _failures(tier: Partner) -> Sequence[Failure]:
    return [
        Failure(takes=LOST, what="answers with errors", fails=1.0, back_s=tier.outage_s),
        Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.outage_s),
    ]


KIND: Kind[Partner] = Kind(
    carries=Carries(carry=carry, passes=no_calls, hit_ratio=nothing),
    stands=Stands(blocks=never, enters=False, misses=False, reads=False),
    owned=Owned(
        bought=(),
        held=nothing,
        rate_limit=lambda tier: tier.limit_rps,
        month_usd=lambda tier, stored, calls: calls * tier.call_usd,
    ),
    kept=Kept(available=lambda tier, used, refused: tier.availability * (1 - refused), times_out=_times_out, problems=_problems),
    advised=Advised(proposals=no_proposals, sliders={}),
    varied=Varied(doubled={}, halved={"answer time": ("p50_s", "p99_s")}, by_memory=nothing),
    program=Program(pools=no_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=nothing, zones=nothing),
)
