"""A cache of nodes that share the keys; a miss calls its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from perfplan.models.arrays import remembered
from perfplan.models.caching import hit_ratio_when_filling, items_in_memory, lru_hit_ratio
from perfplan.models.simulate import Draw, Maybe, Pool
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Constant, Mixture, Series
from perfplan.quantity import Bytes, Count, FloatArray, Fraction, Ratio, Seconds, UsdPerHour, Value, Whole, median
from perfplan.record import Choice, field, record
from perfplan.tiers.kind import (
    COLD,
    HANGS,
    LOST,
    NODE,
    SLOW,
    Advised,
    Bought,
    ByMemory,
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
    Proposal,
    Stands,
    Steps,
    There,
    TierName,
    Varied,
    all_of,
    as_needed,
    fewer,
    month_of,
    never,
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
from perfplan.tiers.rungs import of_those_below
from perfplan.tiers.work import at


@record
class Cache:
    """A cache of nodes that share the keys; a miss calls its origin."""

    kind: Literal["cache"]
    instances: Whole = field("nodes today", most="10000")
    service_time_s: Seconds = field("time of one look-up", "0.3ms", reason="a look-up over the local network", least="0.1us", most="1min")
    origin: TierName = field("tier that is asked on a miss")
    hit_ratio: Fraction | None = field("stated hit ratio; left out, it follows from the sizes below", optional=True)
    items: Count = field("different items asked for", "1M", reason="a middling catalogue with its variants", least="1")
    popularity: Ratio = field(
        "Zipf exponent of their popularity", "0.9", reason="web and key-value traces show 0.6 to 1.2", least="0.01", most="5"
    )
    item_bytes: Bytes = field("memory of one item, overhead included", "2kB", reason="a small document", least="1B", most="1GB")
    memory_bytes: Bytes = field("memory for items of one node", "8GiB", reason="a small cloud node", least="1B")
    may_lose: Annotated[str, Choice(words=("yes", "no"))] = field(
        "whether what it holds may be lost; no: nothing is evicted, all is kept on disk, and each node has a replica, which costs as much",
        "yes",
        reason="the origin has what a cache loses",
    )
    utilization_limit: Fraction = field(
        "highest utilization that is planned for", "60%", reason="one core serves all: a pause queues everybody", least="1%"
    )
    node_availability: Fraction = field("availability of one node", "99.9%", reason="managed nodes fail over within a minute")
    price_usd_per_hour: UsdPerHour = field("price of one node", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "2d", reason="a node must warm up in a quiet hour", most="3 years")
    zones: Whole = zones()
    restart_s: Seconds = restart("1min", "a managed node is replaced, empty, within a minute")


def keeps(tier: Cache) -> bool:
    """Whether what it holds may not be lost."""
    return tier.may_lose == "no"


def _problems(tier: Cache) -> Iterator[FixedProblem]:
    wanted, there = tier.items * tier.item_bytes, tier.memory_bytes * tier.instances
    if keeps(tier) and wanted > there:
        needs = f"{tier.items:g} x {tier.item_bytes:g} bytes need {wanted:.4g} in all nodes; got {there:.4g}"
        yield "memory", f"must hold all items where nothing may be lost (may_lose: no): {needs}"


def _nodes(tier: Cache) -> Value:
    """Nodes that are paid: with a replica each, where nothing may be lost."""
    return tier.instances * (2.0 if keeps(tier) else 1.0)


LARGER = 1.5  # memory that is proposed, over today's; its name says "half as much again"
_lru = remembered(lru_hit_ratio)  # most of the plans of a study have the same caches


def hit_ratio(tier: Cache) -> Value:
    """Stated, or Che's for its sizes."""
    if tier.hit_ratio is not None:
        return tier.hit_ratio
    return _lru(tier.items, tier.popularity, items_in_memory(tier.memory_bytes, tier.item_bytes, tier.instances))


def carry(tier: Cache, here: Here) -> Carriage:
    """A look-up at one of the nodes, and on a miss the origin."""
    node = Station(arrival_rps=here.rps / tier.instances, service_s=tier.service_time_s, servers=1.0)
    miss = Mixture(weights=(here.hit, 1 - here.hit), parts=(Constant(mean_s=0.0), here.below[tier.origin]))
    return Carriage(response=Series(parts=(here.own(node.response), miss)), stations={"instances": node})


def _proposals(name: str, tier: Cache) -> Sequence[Proposal]:
    if tier.hit_ratio is not None:
        return ()
    price = float(f"{median(tier.price_usd_per_hour) * LARGER:.6g}")  # nodes are sold by memory
    more = {"memory_bytes": float(round(median(tier.memory_bytes) * LARGER)), "price_usd_per_hour": price}
    return [(f"half as much memory again for {name}", more)]


def _by_memory(tier: Cache, scale: FloatArray) -> ByMemory | None:
    if tier.hit_ratio is not None:
        return None
    memory = tier.memory_bytes * scale
    hits = lru_hit_ratio(tier.items, tier.popularity, items_in_memory(memory, tier.item_bytes, tier.instances))
    return ByMemory(
        memory_bytes=memory * tier.instances,
        hit_ratio=hits,
        now_bytes=float(tier.memory_bytes * tier.instances),
        items=float(tier.items),
        popularity=float(tier.popularity),
        held_items=float(items_in_memory(tier.memory_bytes, tier.item_bytes, tier.instances)),
        origin=tier.origin,
    )


def _pools(name: str, tier: Cache) -> Mapping[str, Pool]:
    return {f"{name} nodes": Pool(servers=1, copies=whole(tier.instances))}


def _steps(tier: Cache, there: There) -> Steps:
    look = at(f"{there.name} nodes", Draw.exponential(median(tier.service_time_s)))
    return (*look, Maybe(1 - there.hit, there.call(tier.origin, 1.0)))


def _failures(tier: Cache) -> Sequence[Failure]:
    """Keys of a lost node are misses until it is back and has them again; nobody takes them over meanwhile.

    What may not be lost has replicas, and is read from disk when all nodes are back; until then nobody has it.
    """
    count = median(tier.instances)
    hangs = Failure(takes=SLOW, what=HANGS, fails=1.0, hangs=True, back_s=tier.restart_s)
    if keeps(tier):
        return [
            Failure(takes=NODE, what=f"1 of {count:g} nodes lost, its replica takes over", back_s=tier.restart_s),
            Failure(takes=LOST, what=all_of(tier, count, "nodes"), fails=1.0, back_s=tier.restart_s),
            hangs,
        ]
    found = [
        Failure(takes=one.takes, what=one.what, hit=one.fields["instances"] / count, back_s=one.back_s, refills=True)
        for one in fewer(tier, "instances", "nodes", count)
    ]
    return [
        *found,
        Failure(takes=LOST, what=all_of(tier, count, "nodes"), hit=0.0, back_s=tier.restart_s, refills=True),
        Failure(takes=COLD, what="emptied", hit=0.0, refills=True),
        hangs,
    ]


def _filling(tier: Cache, lookups: FloatArray) -> Value | None:
    if tier.hit_ratio is not None:
        return None
    return hit_ratio_when_filling(
        median(tier.items), median(tier.popularity), median(items_in_memory(tier.memory_bytes, tier.item_bytes, tier.instances)), lookups
    )


NODES: Bought[Cache] = Bought(
    field="instances",
    unit="instances",
    order=4,
    limit=node_limit,
    lead_s=node_lead_s,
    price_usd=lambda tier: node_usd(tier) * (2.0 if keeps(tier) else 1.0),
    larger=twentieth,
    sized=as_needed,
    each=True,
    first=True,
)
KIND: Kind[Cache] = Kind(
    carries=Carries(carry=carry, passes=lambda tier, hit: {tier.origin: 1 - hit}, hit_ratio=hit_ratio),
    stands=Stands(blocks=never, enters=False, misses=True, reads=True),
    owned=Owned(bought=(NODES,), held=nothing, rate_limit=nothing, month_usd=lambda tier, stored, calls: month_of(_nodes(tier), tier)),
    kept=Kept(
        available=lambda tier, used, refused: 1.0,  # a lost node is a miss, not an error: its keys are read from the origin
        times_out=of_those_below,
        problems=_problems,
    ),
    advised=Advised(proposals=_proposals, sliders={"hit_ratio": "hit ratio", "memory": "memory"}),
    varied=Varied(doubled={"nodes": "instances"}, halved={"look-up time": ("service_time_s",)}, by_memory=_by_memory),
    program=Program(pools=_pools, steps=_steps),
    fails=Fails(failures=_failures, filling=_filling, zones=spread_over),
)
