"""A primary with read replicas behind a connection pool; reads go to the replicas where there are any."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from perfplan.models.caching import miss_rate
from perfplan.models.cost import storage_month_usd
from perfplan.models.simulate import Draw, Free, Maybe, Pool, Seize, Spend
from perfplan.models.stations.scalability import Crew
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Constant, Mixture, Series
from perfplan.quantity import Bytes, Fraction, Seconds, UsdPerByteMonth, UsdPerHour, Value, Whole, WholeOrNone, median
from perfplan.record import Choice, field, record
from perfplan.tiers.kind import (
    HANGS,
    LOST,
    NODE,
    SLOW,
    ZONE,
    Advised,
    Bought,
    Carriage,
    Carries,
    Fails,
    Failure,
    FixedProblem,
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
    month_of,
    never,
    no_calls,
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
from perfplan.tiers.rungs import IDLE, MARGIN, POOL, SHORTEST_S, Outlasted, Rungs, Seen, round_up
from perfplan.tiers.work import (
    ServiceLaw,
    coherency,
    contention,
    crew_of,
    crew_problems,
    hyperthread_gain,
    law_problems,
    on,
    shape_of,
    shares,
)

CORE_SIZES = (2, 4, 8, 16, 24, 32, 48, 64, 96, 128)  # that clouds sell
POOL_STEP, FEWEST = 0.1, 4.0  # of a pool, in a search: coarser than of what has a price


@record
class Database:
    """A primary with read replicas behind a connection pool; reads go to the replicas where there are any."""

    kind: Literal["database"]
    cores: Whole = field("cores of each node", most="10000")
    replicas: WholeOrNone = field("read replicas today", "0", reason="none unless stated", most="1000")
    connections: Whole = field("size of the connection pool over all nodes", "100", reason="a common default", most="100000")
    max_connections: Whole = field("connections that one node accepts", "400", reason="above that memory and locks suffer", most="100000")
    service_time_s: Seconds = field("work of a core on one query; `service` may give it", least="0.1us", most="1h")
    discipline: Annotated[str, Choice(words=("fcfs", "ps"))] = field(
        "how queries get its cores: all who run share them (ps), or each has one to itself, first come first served (fcfs)",
        "ps",
        reason="the operating system gives every query a turn",
    )
    hyperthread_gain: Fraction = hyperthread_gain()
    contention: Fraction = contention()
    coherency: Fraction = coherency()
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    hold_time_s: Seconds = field(
        "time the caller keeps the connection per query beyond the query itself, and waits for",
        "1ms",
        reason="driver and transaction overhead",
        most="1h",
    )
    acquire_timeout_s: Seconds | None = field(
        "longest wait for a pooled connection; left out, it follows from the plan", optional=True, most="1d"
    )
    statement_timeout_s: Seconds | None = field("longest query; left out, it follows from the plan", optional=True, most="1d")
    idle_timeout_s: Seconds | None = field(
        "how long the pool keeps an idle connection; left out, three quarters of what the balancer allows", optional=True, most="1d"
    )
    read_share: Fraction = field("queries that only read", "80%", reason="typical of shops")
    utilization_limit: Fraction = field(
        "highest utilization of its cores that is planned for", "65%", reason="vacuum and backups need the rest", least="1%"
    )
    pool_limit: Fraction = field(
        "highest utilization of the pool that is planned for", "85%", reason="above that the wait for a connection explodes", least="1%"
    )
    availability: Fraction = field("availability with failover", "99.95%", reason="service level of managed databases with a standby")
    storage_bytes: Bytes = field("data today", "100GB", reason="a middling shop")
    storage_growth_bytes: Bytes = field(
        "growth of the data per month at today's traffic", "1GB", reason="a few orders per minute with their history"
    )
    storage_limit_bytes: Bytes = field("size of the volume", "1TB", reason="a common volume")
    price_usd_per_hour: UsdPerHour = field("price of one core of a node", "$0/h", reason="not priced unless stated")
    storage_price_usd_per_byte_month: UsdPerByteMonth = field(
        "price of storage", "$0.115/GB/month", reason="list price of fast network volumes"
    )
    lead_time_s: Seconds = field(
        "from order of a node to running", "2 weeks", reason="a migration needs a rehearsal and a window", most="3 years"
    )
    pool_lead_time_s: Seconds = field(
        "from decision to a larger pool", "1d", reason="a setting of the pooler, loaded without a restart", most="3 years"
    )
    zones: Whole = zones()
    restart_s: Seconds = restart("2min", "a managed standby takes over within one to two minutes")


def carry(tier: Database, here: Here) -> Carriage:
    """Pool, then the primary or one of the replicas; replicas take all reads where there are any."""
    away, shape = tier.read_share if tier.replicas else 0.0, shape_of(tier)
    crew = crew_of(tier, tier.cores)
    node = functools.partial(Station, service_s=tier.service_time_s, servers=tier.cores, shape=shape, sharing=shares(tier), crew=crew)
    primary = node(arrival_rps=miss_rate(here.rps, away))
    stations, query = {"cores": primary}, primary.response
    if tier.replicas:
        replica = stations["replicas"] = node(arrival_rps=here.rps * away / tier.replicas)
        query = Mixture(weights=(away, 1 - away), parts=(replica.response, query))
    held = query.mean_s + tier.hold_time_s
    pool = stations["connections"] = Station(arrival_rps=here.rps, service_s=held, servers=tier.connections, shape=shape)
    parts = (pool.wait, query, Constant(mean_s=tier.hold_time_s))
    return Carriage(response=Series(parts=tuple(here.own(part) for part in parts)), stations=stations)


def next_size(tier: Database, cores: float) -> float:
    """The next larger node that does more work; *cores* where there is none."""
    crew = Crew(cores, tier.contention, tier.coherency, tier.hyperthread_gain).middle
    return next((float(s) for s in CORE_SIZES if s > cores and dataclasses.replace(crew, servers=float(s)).full > crew.full), cores)


def most_connections(tier: Database) -> float:
    """What all nodes accept together."""
    return float(tier.max_connections * (1 + tier.replicas))


def _month_usd(tier: Database, stored: Value, calls: Value) -> Value:
    storage = storage_month_usd(stored * (1 + tier.replicas), tier.storage_price_usd_per_byte_month)
    return month_of(tier.cores * (1 + tier.replicas), tier) + storage


def _problems(tier: Database) -> Iterator[FixedProblem]:
    yield from law_problems(tier)
    yield from crew_problems(tier, tier.cores, "cores")
    if tier.connections > tier.max_connections * (1 + tier.replicas):
        most = tier.max_connections * (1 + tier.replicas)
        yield "connections", f"must be at most max_connections of all nodes, {most:g}; got {tier.connections:g}"


def _times_out(tier: Database, seen: Seen, rungs: Rungs) -> Sequence[Outlasted]:
    """Wait for a connection, query, and how long the pool keeps an idle connection."""
    wait_s = round_up(max(MARGIN * seen.wait_s("connections"), SHORTEST_S))
    why = f"{MARGIN:g} x p99.9 of the wait"
    acquire = rungs.add("acquire_timeout", f"{seen.name}: wait for a connection", tier.acquire_timeout_s, wait_s, why, POOL)
    query_s = round_up(max(MARGIN * seen.answer_s(), 2 * acquire.value_s))
    why = f"{MARGIN:g} x p99.9 of a query, at least twice the wait for its connection"
    statement = rungs.add("statement_timeout", f"{seen.name}: one query", tier.statement_timeout_s, query_s, why, POOL)
    why = "three quarters of the balancer's"
    kept = rungs.add("idle_timeout", f"{seen.name}: idle pooled connection", tier.idle_timeout_s, 0.75 * seen.idle.value_s, why, IDLE)
    rungs.relate(acquire, statement, "nobody waits longer for a connection than for an answer")
    rungs.relate(kept, seen.idle, "the pool drops idle connections before balancer or firewall do")
    return [(statement, 1.0), (acquire, 1.0)]


def _pools(name: str, tier: Database) -> Mapping[str, Pool]:
    crew = crew_of(tier, tier.cores)
    cores = functools.partial(Pool, servers=whole(tier.cores), crew=crew.middle if crew else None)
    pools = {f"{name} connections": Pool(servers=whole(tier.connections)), f"{name} cores": cores()}
    return pools | ({f"{name} replicas": cores(copies=whole(tier.replicas))} if tier.replicas else {})


def _steps(tier: Database, there: There) -> Steps:
    query = on(tier, f"{there.name} cores")
    if tier.replicas:
        query = (Maybe(median(tier.read_share), on(tier, f"{there.name} replicas"), query),)
    pool = f"{there.name} connections"
    return (Seize(pool), *query, Spend(Draw.constant(median(tier.hold_time_s))), Free(pool))


def _failures(tier: Database) -> Sequence[Failure]:
    """A lost replica leaves its reads to the others, or to the primary; without the primary nothing is written until a standby is it."""
    replicas, zones, found = median(tier.replicas), median(tier.zones), []
    if replicas:
        what = f"1 of {replicas:g} replicas lost" if replicas > 1 else "its one replica lost"
        found.append(Failure(takes=NODE, what=what, fields={"replicas": replicas - 1}, back_s=tier.restart_s))
    left = replicas - (math.ceil((1 + replicas) / zones) - 1 if zones > 1 else 0)
    if left > 0:
        what = f"primary’s zone lost, of {zones:g}" if zones > 1 else "primary lost"
        fields, writes = {"replicas": left, "read_share": 1.0}, 1 - median(tier.read_share)
        takes = ZONE if zones > 1 else NODE
        found.append(Failure(takes=takes, what=what, fields=fields, fails=writes, back_s=tier.restart_s))
    where = " (one zone)" if zones == 1 and replicas else ""
    what = f"all {1 + replicas:g} nodes lost{where}" if replicas else "its one node lost"
    return [
        *found,
        Failure(takes=LOST, what=what, fails=1.0, back_s=tier.restart_s),
        Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.restart_s),
    ]


CORES: Bought[Database] = Bought(
    field="cores",
    unit="primary cores",
    order=0,
    by_size=True,
    limit=node_limit,
    lead_s=node_lead_s,
    price_usd=lambda tier: node_usd(tier) * (1 + float(tier.replicas)),
    larger=next_size,
    sized=lambda tier, count, wanted: next_size(tier, count),
)
REPLICAS: Bought[Database] = Bought(
    field="replicas",
    unit="replicas",
    order=1,
    limit=node_limit,
    lead_s=node_lead_s,
    spare=1,
    replaced_by="cores",
    each=True,
    price_usd=lambda tier: node_usd(tier) * float(tier.cores),
    larger=twentieth,
    sized=lambda tier, count, wanted: count + 1 if count <= 1 else max(wanted, count + 1),
)
CONNECTIONS: Bought[Database] = Bought(
    field="connections",
    unit="connections",
    order=2,
    pool=True,
    first=True,
    limit=lambda tier: tier.pool_limit,
    lead_s=lambda tier: tier.pool_lead_time_s,
    price_usd=lambda tier: 0.0,
    most=most_connections,
    larger=lambda tier, count: min(count + max(FEWEST, round(count * POOL_STEP)), most_connections(tier)),
    sized=lambda tier, count, wanted: min(wanted, most_connections(tier)),
)
KIND: Kind[Database] = Kind(
    carries=Carries(carry=carry, passes=no_calls, hit_ratio=nothing),
    stands=Stands(blocks=never, enters=False, misses=False, reads=True),
    owned=Owned(
        bought=(CORES, REPLICAS, CONNECTIONS),
        held=lambda tier: Held(
            now_bytes=tier.storage_bytes,
            growth_bytes=tier.storage_growth_bytes,
            limit_bytes=tier.storage_limit_bytes,
            lead_s=tier.lead_time_s,
        ),
        rate_limit=nothing,
        month_usd=_month_usd,
    ),
    kept=Kept(available=lambda tier, used, refused: tier.availability, times_out=_times_out, problems=_problems),
    advised=Advised(proposals=no_proposals, sliders={"connections": "pool", "replicas": "replicas"}),
    varied=Varied(
        doubled={"cores": "cores", "connections": "connections"},
        halved={"query work": ("service_time_s",), "hold time": ("hold_time_s",)},
        by_memory=nothing,
    ),
    program=Program(pools=_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=nothing, zones=spread_over),
)
