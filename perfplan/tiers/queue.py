"""A broker queue with workers; a call publishes a job and does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from perfplan.models.simulate import Draw, Spend
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Exponential
from perfplan.quantity import Fraction, Seconds, UsdPerHour, Whole, median
from perfplan.record import field, record
from perfplan.tiers.kind import (
    BROKER,
    HANGS,
    LOST,
    SLOW,
    Advised,
    Bought,
    Carriage,
    Carries,
    Fails,
    Failure,
    Here,
    Kept,
    Kind,
    Owned,
    Program,
    Stands,
    Steps,
    There,
    Varied,
    all_of,
    as_needed,
    fewer,
    month_of,
    never,
    no_calls,
    no_pools,
    no_proposals,
    node_lead_s,
    node_limit,
    node_usd,
    nothing,
    restart,
    spread_over,
    twentieth,
    zones,
)
from perfplan.tiers.rungs import of_those_below
from perfplan.tiers.work import ServiceLaw, law_problems, shape_of


@record
class Queue:
    """A broker queue with workers; a call publishes a job and does not wait for it."""

    kind: Literal["queue"]
    workers: Whole = field("workers today", most="100000")
    service_time_s: Seconds = field("work on one job; `service` may give it", least="0.1us", most="1d")
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    publish_time_s: Seconds = field("time to publish a job", "2ms", reason="one acknowledged write", most="1min")
    utilization_limit: Fraction = field("highest utilization that is planned for", "80%", reason="jobs may wait", least="1%")
    availability: Fraction = field("availability of the broker", "99.95%", reason="service level of managed brokers")
    price_usd_per_hour: UsdPerHour = field("price of one worker", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "1d", reason="workers are containers", most="3 years")
    zones: Whole = zones()
    restart_s: Seconds = restart("3min", "a container is started again")


def carry(tier: Queue, here: Here) -> Carriage:
    """The time to publish; its workers are a station that no request waits for."""
    workers = Station(arrival_rps=here.rps, service_s=tier.service_time_s, servers=tier.workers, shape=shape_of(tier))
    return Carriage(response=here.own(Exponential(mean_s=tier.publish_time_s)), stations={"workers": workers})


def _steps(tier: Queue, there: There) -> Steps:
    return (Spend(Draw.exponential(median(tier.publish_time_s))),)


def _failures(tier: Queue) -> Sequence[Failure]:
    """Without workers jobs wait; without the broker, or where it hangs, nothing can be published."""
    return [
        *fewer(tier, "workers", "workers", median(tier.workers)),
        Failure(takes=LOST, what=all_of(tier, tier.workers, "workers"), stops=True, back_s=tier.restart_s),
        Failure(takes=BROKER, what="broker lost", fails=1.0, back_s=tier.restart_s),
        Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.restart_s),
    ]


WORKERS: Bought[Queue] = Bought(
    field="workers",
    unit="workers",
    order=3,
    limit=node_limit,
    lead_s=node_lead_s,
    price_usd=node_usd,
    larger=twentieth,
    sized=as_needed,
    spare=1,
    waits=True,
)
KIND: Kind[Queue] = Kind(
    carries=Carries(carry=carry, passes=no_calls, hit_ratio=nothing),
    stands=Stands(blocks=never, enters=False, misses=False, reads=False),
    owned=Owned(bought=(WORKERS,), held=nothing, rate_limit=nothing, month_usd=lambda tier, stored, calls: month_of(tier.workers, tier)),
    kept=Kept(available=lambda tier, used, refused: tier.availability, times_out=of_those_below, problems=law_problems),
    advised=Advised(proposals=no_proposals, sliders={}),
    varied=Varied(doubled={"workers": "workers"}, halved={"publishing time": ("publish_time_s",)}, by_memory=nothing),
    program=Program(pools=no_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=nothing, zones=spread_over),
)
