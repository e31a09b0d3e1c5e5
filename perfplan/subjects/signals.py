"""What is asked of a scenario's journeys, tiers and their hosts: the rows of the table of signals, one by one, by its own names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from perfplan.operate import tended
from perfplan.operate.source import Source
from perfplan.operate.text import slug
from perfplan.signals import Row, signals_of
from perfplan.study import Study, once
from perfplan.tiers import Tier, kind_of

VALUES = {  # how many values a label has that no scenario states, in one instance or one journey
    "code": 8,
    "le": 14,
    "mode": 8,
    "cpu": 8,
    "device": 2,
    "user": 2,
    "datname": 1,
    "queryid": 100,
    "cmd": 20,
    "state": 6,
    "role": 1,
}
PER_INSTANCE = ("instance", "pod")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One signal of one thing."""

    row: Row
    name: str  # of the journey or tier; "" of all proxies together
    kind: str  # what it is: a journey, a tier or the proxy
    query: str
    metric: str
    series: int  # about how many there are of its metric


@once
def asked(study: Study) -> list[Asked]:
    """Every signal of every journey, tier and host, journeys first."""
    source, scenario = Source(study=study), study.scenario
    found = [_of(source, row, name, "journey", {}, 1) for name in scenario.journeys for row in signals_of("journey")]
    for name, tier in scenario.tiers.items():
        instances, capacities = _instances(source, name, tier), tended(tier).capacities(source, name, tier)
        rows = [*signals_of(tier.kind), *(signals_of(_hosts(source, tier)) if kind_of(tier).owned.bought else [])]
        found += [_of(source, row, name, "tier", capacities, instances) for row in rows]
    if any(kind_of(tier).stands.enters for tier in scenario.tiers.values()):
        found += [_of(source, row, "", "proxy", {}, 1) for row in signals_of("proxy")]
    return found


def _of(source: Source, row: Row, name: str, kind: str, capacities: Mapping[str, float], instances: int) -> Asked:
    counts = [instances if label in PER_INSTANCE else VALUES.get(label, 1) for label in row.labels.split()]
    return Asked(
        row=row,
        name=name,
        kind=kind,
        query=source.named(row.asked(slug(name), capacities.get(row.signal, 1.0))),
        metric=source.named(row.metric),
        series=math.prod(counts),
    )


def _hosts(source: Source, tier: Tier) -> str:
    """Who measures its machines; those of a database are hosts, wherever services run."""
    pooled = any(one.pool for one in kind_of(tier).owned.bought)
    return "container" if source.study.scenario.host_metrics == "cAdvisor" and not pooled else "host"


def _instances(source: Source, name: str, tier: Tier) -> int:
    """Machines or processes of a tier, by the plan."""
    bought = [one for one in kind_of(tier).owned.bought if one.spare or not one.pool]
    return max(sum(source.count(name, one.field)[0] for one in bought[:1]), 1)
