"""A database in operation: its pool's settings, how it grows, and the items of the checklist that it answers."""

from __future__ import annotations

import math

from perfplan.operate.kind import Part, Tended, run_out, today, worst
from perfplan.operate.source import Source, first, ms
from perfplan.operate.text import comment, markdown, slug
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.tiers.database import Database
from perfplan.tiers.place import Place
from perfplan.words import count, duration, number, share, weeks


def pgbouncer(source: Source, name: str, tier: Database) -> str:
    """pgbouncer.ini of the pool of database *name*."""
    at, made = f"tiers.{name}", source.planned
    connections, why = source.count(name, "connections")
    replicas, _ = source.count(name, "replicas")
    station = made.carried.stations[Place(name, "connections")]
    clients = math.ceil(max(source.callers, connections) * 1.25)
    most = round(float(tier.max_connections))
    reads = min(round(connections * median(tier.read_share)), most * replicas) if replicas else 0
    writes = min(connections - reads, most)
    reads = min(connections - writes, most * replicas)
    pools = [f"{slug(name)} = host=127.0.0.1 port=5432 pool_size={writes} max_db_connections={most}"]
    if replicas:
        pools += [
            f"; reads, {share(median(tier.read_share))} of the queries: the address of the {replicas} replicas, {most} connections each",
            f"{slug(name)}-reads = host=127.0.0.1 port=5433 pool_size={reads} max_db_connections={most * replicas}",
        ]
    newline = "\n"
    acquire, statement, idle = (source.ladder.value_s(f, name) for f in ("acquire_timeout", "statement_timeout", "idle_timeout"))
    return f"""{source.head(";", f"pgbouncer, pool of {comment(name)}")}
[databases]
; {comment(why)}; {comment(at)}.max_connections: {most} a node. Replace the addresses.
{newline.join(pools)}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
; a connection is given back after each transaction: {comment(at)}.hold_time says how long that is
pool_mode = transaction
; all pools together; {share(first(station.utilization))} used at today's peak hour, mean wait {duration(first(station.mean_wait_s))}
default_pool_size = {connections}
; every thread of every service and a quarter more: instances x threads = {source.callers:.0f}
max_client_conn = {clients}
; {comment(at)}.acquire_timeout, {duration(acquire)}; pgbouncer counts whole seconds
query_wait_timeout = {max(math.ceil(acquire), 1)}
; {comment(at)}.statement_timeout, {duration(statement)}, in whole seconds; the database itself ends at the exact time:
;   ALTER ROLE app SET statement_timeout = '{ms(statement)}ms';
query_timeout = {max(math.ceil(statement), 1)}
; {comment(at)}.idle_timeout, below balancer_idle
server_idle_timeout = {max(math.floor(idle), 1)}
"""


def _scaling(source: Source, name: str, tier: Database) -> str:
    n, why = source.count(name, "connections")
    return f"- **{markdown(name)}** (database): reads by replicas ({source.count(name, 'replicas')[0]} by the plan), writes by larger nodes; rehearse, then switch in a quiet hour (lead time {weeks(median(tier.lead_time_s))}). Pool: {n} connections ({markdown(why)}); reload the pooler, no restart."


def _queries(study: Study, name: str, tier: Database) -> Part:
    text, verdict = run_out(study, Place(name, "cores"))
    return Part(
        text=f"{name}: {number(today(study, study.middle.carried.calls_rps[name]))} queries a second; primary {text}", verdict=verdict
    )


def _pool(study: Study, name: str, tier: Database) -> Part:
    text, verdict = run_out(study, Place(name, "connections"))
    station = study.middle.carried.stations[Place(name, "connections")]
    busy, there = number(today(study, station.load)), number(today(study, station.servers))
    return Part(text=f"{name}: {busy} connections busy on average of {there}, {text}", verdict=verdict)


def _replicas(study: Study, name: str, tier: Database) -> Part | None:
    if not tier.replicas:
        return None
    text, verdict = run_out(study, Place(name, "replicas"))
    used = today(study, study.middle.carried.stations[Place(name, "replicas")].utilization)
    return Part(text=f"{name}: replicas {share(used)} busy, {text}", verdict=worst((verdict, "at risk")))  # their lag is not modelled yet


def _sharding(study: Study, name: str, tier: Database) -> Part:
    """Whether one primary, and one volume, are enough for the whole plan."""
    texts, verdicts = zip(*(run_out(study, Place(name, field)) for field in ("cores", "storage_limit")), strict=True)
    return Part(text="; ".join(texts), verdict="met" if set(verdicts) == {"met"} else "at risk")


TENDED: Tended[Database] = Tended(
    files=lambda source, name, tier: {f"pgbouncer-{slug(name)}.ini": pgbouncer(source, name, tier)},
    scaling=_scaling,
    memory=lambda name, tier: f"{markdown(name)} at most {count(float(tier.max_connections))} connections a node",
    items={"2.3.1.a": _queries, "2.3.3": _pool, "2.3.3.a": _pool, "2.3.4": _replicas, "2.3.5": _sharding},
)
