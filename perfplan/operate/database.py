"""A database in operation: its pool's settings, how it grows, and the items of the checklist that it answers."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.crowd import Backend, message, possible, queries, startup
from perfplan.judging.servers import ask, crowded, lacking, started, tool, verdict
from perfplan.operate.kind import FAILOVER, Part, Signal, Tended, at_limit, run_out, today, worst
from perfplan.operate.series import host_cpu
from perfplan.operate.source import Source, Staged, first, ms
from perfplan.operate.text import comment, markdown, slug
from perfplan.plan.paths import origins
from perfplan.quantity import median
from perfplan.signals import signal
from perfplan.study import Study
from perfplan.system import is_root
from perfplan.tiers.database import Database
from perfplan.tiers.place import Place
from perfplan.words import count, day_name, duration, listed, number, share, weeks


def pgbouncer(source: Source, name: str, tier: Database) -> str:
    """pgbouncer.ini of the pools of database *name*: today's or, where a change is due today, after it; later ones by their dates."""
    at = f"tiers.{name}"
    stages = source.staged(name, ("connections", "replicas"))
    now = max(i for i, one in enumerate(stages) if one.by <= source.study.as_of)
    later = [
        f"; by {day_name(one.by)}: {count(one.counts['connections'])} connections\n"
        + "".join(f"; {line}\n" for line in _pools(name, tier, one.counts))
        for one in stages[now + 1 :]
    ]
    connections, why = round(stages[now].counts["connections"]), _why(stages, now, source)
    clients = math.ceil(max(source.callers, connections) * 1.25)
    usual = source.study.middle.carried.stations[Place(name, "connections")]
    station = dataclasses.replace(usual, servers=float(connections))
    acquire, statement, idle = (source.ladder.value_s(f, name) for f in ("acquire_timeout", "statement_timeout", "idle_timeout"))
    newline = "\n"
    return f"""{source.head(";", f"pgbouncer, pool of {comment(name)}")}
[databases]
; {comment(at)}.connections: {comment(why)}. Replace the addresses.
; {comment(at)}.max_connections: {round(float(tier.max_connections))} a node
{newline.join(_pools(name, tier, stages[now].counts))}
{"".join(later)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
auth_type = scram-sha-256
; not generated, and nothing starts without it: auth_file
%include secrets.ini
; may look at SHOW STATS and SHOW POOLS, and change nothing
stats_users = stats
; a connection is given back after each transaction: {comment(at)}.hold_time says how long that is
pool_mode = transaction
; all pools together; {share(first(station.utilization, source.study.middle.rps.shape))} used at today's peak hour
default_pool_size = {connections}
; every thread of every service and a quarter more: instances x threads = {source.callers:.0f}
max_client_conn = {clients}
; {comment(at)}.acquire_timeout, {duration(acquire)}; pgbouncer counts whole seconds
query_wait_timeout = {max(math.ceil(acquire), 1)}
; {comment(at)}.statement_timeout, {duration(statement)}, is the role's, as a time-out of all would end migrations, too:
;   ALTER ROLE app SET statement_timeout = '{ms(statement)}ms';
query_timeout = 0
; {comment(at)}.idle_timeout, below balancer_idle
server_idle_timeout = {max(math.floor(idle), 1)}
; what common drivers send, and pools do not mind
ignore_startup_parameters = extra_float_digits
"""


def _why(stages: Sequence[Staged], now: int, source: Source) -> str:
    """Where the pool's size comes from."""
    today = round(stages[0].counts["connections"])
    text = f"{today} today" if now == 0 else f"{today} today, {round(stages[now].counts['connections'])} due {day_name(stages[now].by)}"
    return f"{text}; later ones below" if now + 1 < len(stages) else f"{text}, until {source.month}"


def _pools(name: str, tier: Database, counts: Mapping[str, float]) -> list[str]:
    """A pool for writes, one for reads where replicas answer them, and one whose sessions last, for migrations."""
    connections, replicas, most = round(counts["connections"]), round(counts["replicas"]), round(float(tier.max_connections))
    reads = min(round(connections * median(tier.read_share)), most * replicas) if replicas else 0
    writes = min(connections - reads, most)
    reads = min(connections - writes, most * replicas)
    at = slug(name)
    pools = [f"{at} = host=127.0.0.1 port=5432 dbname={at} pool_size={writes} max_db_connections={most}"]
    if replicas:
        pools += [
            f"; reads, {share(median(tier.read_share))} of the queries: the address of the {replicas} replicas, {most} connections each",
            f"{at}-reads = host=127.0.0.1 port=5433 dbname={at} pool_size={reads} max_db_connections={most * replicas}",
        ]
    migrations = f"{at}-migrations = host=127.0.0.1 port=5432 dbname={at} pool_mode=session pool_size=1"
    return [*pools, "; migrations: one session as long as it takes", migrations]


def _ask(path: Path, rooms: Path) -> Judgement:
    """pgbouncer is started with the file, on a socket, before databases that keep every query waiting; each pool must fill."""
    program = tool("pgbouncer")
    if program is None:
        return lacking("pgbouncer", "pgbouncer")
    text = path.read_text(encoding="utf-8")
    wanted = re.search(r"^default_pool_size = (\d+)$", text, re.M)
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        rooms.chmod(0o711)
        os.chmod(room, 0o777)  # pgbouncer refuses to be root, and becomes somebody else
        (Path(room) / "judge.ini").write_text(_on_sockets(text, room), encoding="utf-8")
        (Path(room) / "secrets.ini").write_text("admin_users = judge\n", encoding="utf-8")
        user = ["-u", "nobody"] if is_root() else []
        with started([program, *user, "judge.ini"], Path(room)) as server:
            socket = Path(room) / ".s.PGSQL.6432"
            answer = ask(server, socket, startup("pgbouncer"), message(b"Q", b"SHOW CONFIG;\x00"), until=b"Z\x00\x00\x00\x05I")
            at = answer.find(b"default_pool_size")
            found = verdict(ASKED, answer[at : at + 60], wanted[1].encode() if wanted else b"?", server)
            pools = re.findall(r"^(\S+) = host=127\.0\.0\.1 port=(\d+) dbname=\S+ pool_size=(\d+)", text, re.M)
            for name, port, size in pools if found.accepted else ():
                count = possible(int(size), each=2)
                with contextlib.closing(Backend(Path(room) / f".s.PGSQL.{port}")) as backend:
                    good = queries(socket, name, backend, count)
                found = crowded(FILLED, good, count, int(size), server)
                if not found.accepted:
                    break
            return found


def _on_sockets(text: str, room: str) -> str:
    """The same settings with sockets in *room* for addresses, anybody let in, and patience until the last query has come."""
    text = text.replace("\nlisten_addr = 127.0.0.1\n", f"\nlisten_addr =\nunix_socket_dir = {room}\n")
    text = text.replace("\nauth_type = scram-sha-256\n", "\nauth_type = any\n")
    text = re.sub(r"^(query_timeout|query_wait_timeout) = .*$", r"\1 = 60", text, flags=re.M)
    return re.sub(r" = host=127\.0\.0\.1 port=", f" = host={room} user=judge port=", text)


ASKED, FILLED = "pgbouncer, asked for its pool size", "pgbouncer, its pools filled"
JUDGE = Judge(
    tool="pgbouncer",
    ask=_ask,
    names=("pgbouncer", ASKED, FILLED),
    twin=("pool_mode = transaction", "pool_mode = sometimes"),
    server=True,
)
READS_PER_WRITE = 10  # from which a cache beside a store pays, as the checklist has it
ANSWERS = (
    Answers(item="3.1.2", text="pool sizes and time-outs of the plan", place="3_implementation", formula=pgbouncer),
    Answers(item="3.1.2.a", text="pool sizes and time-outs of the plan", place="3_implementation", formula=pgbouncer),
    Answers(item="3.2.3", text="pool sizes and time-outs of the plan", place="3_implementation", formula=pgbouncer),
    Answers(item="3.2.3.a", text="pool mode, sizes, limits and time-outs", place="3_implementation", formula=pgbouncer),
    Answers(item="6.2.4", text="a pooler in front of the database", place="6_optimization", formula=pgbouncer),
)


def _files(source: Source, name: str, tier: Database) -> tuple[File, ...]:
    return (File(name=f"pgbouncer-{slug(name)}.ini", text=pgbouncer(source, name, tier), judge=JUDGE, answers=ANSWERS),)


def _scaling(source: Source, name: str, tier: Database) -> str:
    n, why = source.count(name, "connections")
    return (
        f"- **{markdown(name)}** (database): reads by replicas ({source.count(name, 'replicas')[0]} by the plan), writes by larger "
        f"nodes; rehearse, then switch in a quiet hour (lead time {weeks(median(tier.lead_time_s))}). Pool: {n} connections "
        f"({markdown(why)}); reload the pooler, no restart."
    )


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
    """Whether one primary, and one volume, are enough for the whole plan in nine of ten worlds, as they are."""
    said, enough = [], True
    for field, what in (("cores", "primary"), ("storage_limit", "storage")):
        out = next(one for one in study.run_outs if one.resource.place == Place(name, field))
        enough &= not np.isfinite(out.quantile(0.1))
        said.append(f"{what} {run_out(study, out.resource.place)[0]}")
    return Part(text=f"{name}: {'; '.join(said)}", verdict="not applicable" if enough else "at risk")


def _asides(study: Study, name: str, tier: Database) -> Part | None:
    """The caches before it: cache-aside pays where things are read far more often than they are written."""
    carried = study.middle.carried
    caches = [cache for cache, origin in origins(study.scenario).items() if origin == name]
    if not caches:
        return None
    look_ups = {cache: today(study, carried.calls_rps[cache]) for cache in caches}
    misses = sum(rps * (1 - today(study, carried.hit_ratio[cache])) for cache, rps in look_ups.items())
    writes = (today(study, carried.calls_rps[name]) - misses) * (1 - median(tier.read_share))
    times = sum(look_ups.values()) / writes if writes > 0 else float("inf")
    text = f"{listed(caches)}: {number(sum(look_ups.values()))} look-ups a second, {number(misses)} misses reach {name}"
    return Part(
        text=f"{text}; {number(times)} look-ups for each write, {READS_PER_WRITE} wanted",
        verdict="met" if times >= READS_PER_WRITE else "at risk",
    )


def _pooler(study: Study, name: str, tier: Database) -> Part:
    return Part(text=f"{name} is planned as PostgreSQL behind PgBouncer", verdict="not applicable")


def _connections(source: Source, name: str, tier: Database) -> Mapping[str, float]:
    """Connections of its pools as they are written today."""
    stages = source.staged(name, ("connections", "replicas"))
    return {"pool": next(one for one in reversed(stages) if one.by <= source.study.as_of).counts["connections"]}


def _signals(source: Source, name: str, tier: Database) -> tuple[Signal, ...]:
    """Connections at work, of those of the pools as they are written; CPU of its nodes."""
    study = source.study
    stages = source.staged(name, ("connections", "replicas"))
    connections = _connections(source, name, tier)["pool"]
    limit, usual = at_limit(study, Place(name, "connections"))
    usual *= stages[0].counts["connections"] / connections
    series = "pgbouncer_pools_server_active_connections"
    pool = Signal(
        alert="PoolBusy",
        use=signal("database", "pool").asked(slug(name), connections),
        limit=limit,
        usual=usual,
        what=f"connections of the pools of {name} at work",
        page=FAILOVER,
        series=lambda use: {f'{series}{{database="{slug(name)}"}}': use * connections},
        severity="page",
    )
    nodes = [host_cpu(study, Place(name, "cores"), "primary")]
    return (pool, *nodes, *([host_cpu(study, Place(name, "replicas"), "replica")] if tier.replicas else []))


TENDED: Tended[Database] = Tended(
    files=_files,
    scaling=_scaling,
    commands=lambda source, name, tier: (
        "pg_basebackup -h PRIMARY -D DATA -R -X stream -C -S NEW_REPLICA  # a new replica",
        "psql -h PRIMARY -c 'SELECT client_addr, state, replay_lag FROM pg_stat_replication'",
        f"cp pgbouncer-{slug(name)}.ini /etc/pgbouncer/pgbouncer.ini && psql -h 127.0.0.1 -p 6432 -U admin pgbouncer -c 'RELOAD'  # pools",
    ),
    signals=_signals,
    capacities=_connections,
    roles=lambda tier: ("primary", "replica") if tier.replicas else ("primary",),
    span="CLIENT | `db.system.name`=postgresql, `db.query.summary`, `server.address`",
    memory=lambda name, tier: f"{markdown(name)} at most {count(float(tier.max_connections))} connections a node",
    items={
        "2.2.2.a": _asides,
        "2.3.1.a": _queries,
        "2.3.3": _pool,
        "2.3.3.a": _pool,
        "2.3.4": _replicas,
        "2.3.5": _sharding,
        "3.2.3.b": _pooler,
    },
)
