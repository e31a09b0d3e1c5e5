"""A stateless service: instances behind a random load balancer, each with threads that may be held while others answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np

from perfplan.models.availability import k_of_n
from perfplan.models.simulate import Free, Pool, Seize, Spend
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Series, Visits
from perfplan.models.times.frequencies import Distribution
from perfplan.quantity import Fraction, Ratio, Seconds, UsdPerHour, Value, Whole, median
from perfplan.record import Choice, field, record
from perfplan.tiers.kind import (
    HANGS,
    LOST,
    SLOW,
    Advised,
    Bought,
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
    TierName,
    Varied,
    all_of,
    as_needed,
    fewer,
    month_of,
    no_proposals,
    node_lead_s,
    node_limit,
    node_usd,
    nothing,
    restart,
    spread_over,
    twentieth,
    whole,
    zones,
)
from perfplan.tiers.rungs import IDLE, MARGIN, REQUEST, Outlasted, Rungs, Seen, round_up
from perfplan.tiers.work import (
    ServiceLaw,
    coherency,
    contention,
    crew_of,
    crew_problems,
    hyperthread_gain,
    law_problems,
    on,
    own_work,
    shape_of,
    shares,
    simulated_work,
)


@record
class Service:
    """A stateless service: instances behind a random load balancer, each with threads that work on one request each."""

    kind: Literal["service"]
    instances: Whole = field("instances today", most="100000")
    threads: Whole = field(
        "requests that one instance works on at a time", "16", reason="a common default of application servers", most="10000"
    )
    service_time_s: Seconds = field(
        "own work on one call, without waiting for other tiers; `service` may give it", least="0.1us", most="1h"
    )
    discipline: Annotated[str, Choice(words=("fcfs", "ps"))] = field(
        "how requests get its threads: each has one to itself, first come first served (fcfs), or all who are there share them, "
        "as processes share cores (ps; threads are then cores, and io is async)",
        "fcfs",
        reason="a worker takes the next request when it has finished one",
    )
    hyperthread_gain: Fraction = hyperthread_gain()
    contention: Fraction = contention()
    coherency: Fraction = coherency()
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    io: Annotated[str, Choice(words=("blocking", "async"))] = field(
        "whether a thread waits for the tiers it calls (blocking) or does other work (async)",
        "blocking",
        reason="the common case, and the careful one",
    )
    calls: Mapping[TierName, Ratio] = field(
        "calls it makes to other tiers per call to it, beside those of the journeys", many=True, most="10000"
    )
    utilization_limit: Fraction = field(
        "highest utilization that is planned for", "75%", reason="leaves room for minutes above the hour's mean", least="1%"
    )
    node_availability: Fraction = field("availability of one instance", "99.5%", reason="deploys, crashes and machine loss: 3.6 h a month")
    availability: Fraction = field("availability of what all instances share", "99.99%", reason="load balancer and network of a region")
    request_timeout_s: Seconds | None = field(
        "time after which it gives up on a request; left out, it follows from the plan", optional=True, most="1d"
    )
    keep_alive_s: Seconds | None = field(
        "how long it keeps an idle connection of the balancer open; left out, a quarter longer than the balancer does",
        optional=True,
        most="1d",
    )
    price_usd_per_hour: UsdPerHour = field("price of one instance", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "1d", reason="instances of a cloud are there the same day", most="3 years")
    zones: Whole = zones()
    restart_s: Seconds = restart("3min", "three failed health checks, then an image is started and warmed up")


def blocks(tier: Service) -> bool:
    """Whether a thread waits for the tiers it calls."""
    return tier.io == "blocking"


def carry(tier: Service, here: Here) -> Carriage:
    """Wait for a thread, own work, and the calls of its own."""
    alone = not blocks(tier) or not (tier.calls or any(one.calls for one in here.entered))
    held, scv = (tier.service_time_s, 1.0) if alone else _held(tier, here)
    one = Station(
        arrival_rps=here.rps / tier.instances,
        service_s=held,
        servers=tier.threads,
        shape=shape_of(tier) if alone else None,
        scv=scv,
        sharing=shares(tier),
        crew=crew_of(tier, tier.threads),
    )
    others = tuple(Visits(part=here.below[called], times=visits) for called, visits in tier.calls.items())
    own: tuple[Distribution, ...] = (one.response,) if one.sharing else (one.wait, own_work(tier))
    return Carriage(response=Series(parts=(*(here.own(part) for part in own), *others)), stations={"instances": one})


def _held(tier: Service, here: Here) -> tuple[Value, Value]:
    """Mean and squared coefficient of variation of the time that a blocking thread is held per call.

    A thread works itself (exponential), then waits for the tiers it calls; over journeys the time is a mixture.
    """
    own = [Visits(part=here.below[called], times=visits) for called, visits in tier.calls.items()]
    mean: Value = tier.service_time_s + sum((v.mean_s for v in own), 0.0)
    variance: Value = own_work(tier).variance + sum((v.variance for v in own), 0.0)
    first, second = mean, variance + mean**2
    for one in here.entered:
        others = [Visits(part=here.below[called], times=visits) for called, visits in one.calls.items()]
        wait: Value = sum((v.mean_s for v in others), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = np.asarray(one.rps)
            share = np.where(rate > 0, rate / np.asarray(here.rps), 0.0)
            first = first + np.where(share > 0, share * wait, 0.0)
            spread: Value = sum((v.variance for v in others), 0.0)
            second = second + np.where(share > 0, share * (spread + wait**2 + 2 * wait * mean), 0.0)
    with np.errstate(invalid="ignore"):
        return first, np.where(np.isfinite(np.asarray(second, dtype=float)), second / np.asarray(first) ** 2 - 1, 1.0)


def _available(tier: Service, used: Mapping[str, Value], refused: Value) -> Value:
    return k_of_n(np.maximum(used["instances"] * tier.instances, 1e-9), tier.instances, tier.node_availability) * tier.availability


def _problems(tier: Service) -> Iterator[FixedProblem]:
    yield from law_problems(tier)
    yield from crew_problems(tier, tier.threads, "threads")
    if shares(tier) and blocks(tier):
        yield (
            "discipline",
            "must be fcfs where io is blocking: a thread that waits for others is not shared; or state io: async, and as threads the cores",
        )


def _times_out(tier: Service, seen: Seen, rungs: Rungs) -> Sequence[Outlasted]:
    """One request, with all that it waits for, and how long an idle connection of the balancer stays open."""
    longest_s = max([0.0, *(rung.value_s * times for rung, times in seen.below)])
    request_s = round_up(max(MARGIN * seen.journey_s(), 1.2 * longest_s))
    why = f"{MARGIN:g} x p99.9 of its slowest journey, and above every time-out below it"
    own = rungs.add("request_timeout", f"{seen.name}: one request", tier.request_timeout_s, request_s, why, REQUEST)
    for rung, times in seen.below:
        rungs.relate(rung, own, "a request outlasts each call it makes, retries included", times)
    why = "a quarter longer than the balancer's"
    keep = rungs.add("keep_alive", f"{seen.name}: idle connection of the balancer", tier.keep_alive_s, 1.25 * seen.idle.value_s, why, IDLE)
    rungs.relate(seen.idle, keep, "the balancer drops idle connections before the service does")
    return [(own, 1.0)]


def _pools(name: str, tier: Service) -> Mapping[str, Pool]:
    crew = crew_of(tier, tier.threads)
    return {f"{name} threads": Pool(servers=whole(tier.threads), copies=whole(tier.instances), crew=crew.middle if crew else None)}


def _steps(tier: Service, there: There) -> Steps:
    """Its thread, where it is blocking, is held while it calls its own tiers and those of the journey."""
    pool = f"{there.name} threads"
    own = tuple(step for called, visits in tier.calls.items() for step in there.call(called, median(visits)))
    if blocks(tier):
        return (Seize(pool), Spend(simulated_work(tier)), *own, *there.beside, Free(pool))
    return (*on(tier, pool), *own, *there.beside)


def _failures(tier: Service) -> Sequence[Failure]:
    return [
        *fewer(tier, "instances", "instances", median(tier.instances)),
        Failure(takes=LOST, what=all_of(tier, tier.instances, "instances"), fails=1.0, back_s=tier.restart_s),
        Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.restart_s),
    ]


INSTANCES: Bought[Service] = Bought(
    field="instances",
    unit="instances",
    order=4,
    limit=node_limit,
    lead_s=node_lead_s,
    price_usd=node_usd,
    larger=twentieth,
    sized=as_needed,
    servers="threads",
    spare=1,
    each=True,
    first=True,
)
KIND: Kind[Service] = Kind(
    carries=Carries(carry=carry, passes=lambda tier, hit: tier.calls, hit_ratio=nothing),
    stands=Stands(blocks=blocks, enters=True, misses=False, reads=True),
    owned=Owned(
        bought=(INSTANCES,), held=nothing, rate_limit=nothing, month_usd=lambda tier, stored, calls: month_of(tier.instances, tier)
    ),
    kept=Kept(available=_available, times_out=_times_out, problems=_problems),
    advised=Advised(proposals=no_proposals, sliders={"instances": "instances", "threads": "threads"}),
    varied=Varied(doubled={"instances": "instances", "threads": "threads"}, halved={"work": ("service_time_s",)}, by_memory=nothing),
    program=Program(pools=_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=nothing, zones=spread_over, calls="calls"),
)
