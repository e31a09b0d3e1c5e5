"""A cache in operation: its nodes' settings, how it grows, and the items of the checklist that it answers."""

from __future__ import annotations

import dataclasses
import math
import re
import tempfile
from pathlib import Path

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.servers import ask, lacking, started, tool, verdict
from perfplan.models.caching import zipf_classes
from perfplan.operate.kind import COLD, Part, Signal, Tended, no_capacities, no_roles, run_out, today
from perfplan.operate.source import Source, first
from perfplan.operate.text import comment, markdown, slug
from perfplan.quantity import median
from perfplan.signals import signal
from perfplan.study import Study
from perfplan.study.failures import fills_at
from perfplan.study.levels import MVP
from perfplan.tiers.cache import Cache, keeps
from perfplan.tiers.place import Place
from perfplan.words import number, share, size

PORT = 6379
EVICTION_MARGIN = 1.15  # of redis: fragmentation and buffers beyond the items


def redis(source: Source, name: str, tier: Cache) -> str:
    """redis.conf of one node of cache *name*."""
    at, made = f"tiers.{name}", source.planned
    nodes, why = source.count(name, "instances")
    memory = median(tier.memory_bytes)
    hits = first(made.carried.hit_ratio[name])
    kept = keeps(tier)
    return f"""{source.head("#", f"redis, one node of {comment(name)}")}
bind 127.0.0.1
port {PORT}
# not generated, and nothing starts without it: requirepass, and the same as masterauth
include secrets.conf
# {comment(at)}.memory for items: {size(memory)}; overhead of a key is within {comment(at)}.item
maxmemory {memory:.0f}
{_kept(name) if kept else _evicted(nodes, why, hits)}
# idle clients go before the balancer drops them: three quarters of balancer_idle
timeout {max(math.floor(0.75 * median(source.study.scenario.balancer_idle_s)), 1)}
tcp-keepalive 15
# every thread of every service and as many again
maxclients {max(math.ceil(2 * source.callers), 64)}
# look-ups that take ten times {comment(at)}.service_time, in microseconds
slowlog-log-slower-than {max(round(1e7 * median(tier.service_time_s)), 1)}
# memory of the machine: at least {size(memory * EVICTION_MARGIN)}, for buffers and fragmentation
"""


def _evicted(nodes: int, why: str, hits: float) -> str:
    """What may be lost."""
    return f"""# the plan's hit ratio, {share(hits)}, is that of least recently used keys going first over {nodes} nodes ({comment(why)})
maxmemory-policy allkeys-lru
maxmemory-samples 10
lazyfree-lazy-eviction yes
# what is lost is a miss, and the origin has it (may_lose: yes)
save ""
appendonly no"""


def _kept(name: str) -> str:
    """What may not."""
    return f"""# nothing may be lost (tiers.{comment(name)}.may_lose): at full memory a write is refused, and nothing goes
maxmemory-policy noeviction
# on disk within a second of each write
save ""
appendonly yes
appendfsync everysec
# and on a replica ({_replica_name(name)}): without one that is at most 10 s behind, writes are refused
min-replicas-to-write 1
min-replicas-max-lag 10"""


def _replica_name(name: str) -> str:
    return f"redis-{slug(name)}-replica.conf"


def replica(source: Source, name: str, tier: Cache) -> str:
    """redis.conf of the replica of one node of cache *name*."""
    return f"""{source.head("#", f"redis, replica of one node of {comment(name)}")}
include redis-{slug(name)}.conf
port {PORT + 1}
# the node it follows; replace the address
replicaof 127.0.0.1 {PORT}
min-replicas-to-write 0
"""


def _ask(path: Path, rooms: Path) -> Judgement:
    """redis-server is started with the file, on a socket, with a password, and asked what memory it may use and what it evicts."""
    program = tool("redis-server")
    if program is None:
        return lacking("redis-server", "redis-server")
    text = path.read_text(encoding="utf-8")
    node = path.with_name(re.sub(r"-replica\.conf$", ".conf", path.name))
    text = text.replace(f"include {node.name}\n", node.read_text(encoding="utf-8") if node != path else "")
    wanted = re.findall(r"^(maxmemory|maxmemory-policy) (\S+)$", text, re.M)
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        (Path(room) / "redis.conf").write_text(text, encoding="utf-8")
        (Path(room) / "secrets.conf").write_text("requirepass judge\nmasterauth judge\n", encoding="utf-8")
        command = [program, "redis.conf", "--port", "0", "--unixsocket", f"{room}/socket", "--dir", room, "--daemonize", "no"]
        with started(command, Path(room)) as server:
            asked = b"".join(b"CONFIG GET %s\r\n" % key.encode() for key, _ in wanted)
            answer = ask(server, Path(room) / "socket", b"AUTH judge\r\n" + asked + b"QUIT\r\n")
            missing = [value for _, value in wanted if value.encode() not in answer]
            return verdict(ASKED, answer if wanted and not missing else b"", b"maxmemory", server)


ASKED = "redis-server, asked for maxmemory and its policy"
JUDGE = Judge(
    tool="redis-server",
    ask=_ask,
    names=("redis-server", ASKED),
    twin=("tcp-keepalive 15", "tcp-keepalive always"),
    server=True,
)
PLACE = "3_implementation"
ANSWERS = (
    Answers(item="3.1.2.c", text="as many clients as every thread of every service, and as many again", place=PLACE, formula=redis),
    Answers(item="3.3.1", text="memory, eviction and clients of a node", place=PLACE, formula=redis),
    Answers(
        item="3.3.2.a",
        text="least recently used first, as the hit ratio has it; none where nothing may go",
        place=PLACE,
        formula=redis,
    ),
)


REPLICA_JUDGE = dataclasses.replace(JUDGE, twin=("replicaof 127.0.0.1", "replicaof"))


def _files(source: Source, name: str, tier: Cache) -> tuple[File, ...]:
    node = File(name=f"redis-{slug(name)}.conf", text=redis(source, name, tier), judge=JUDGE, answers=ANSWERS)
    follows = File(name=_replica_name(name), text=replica(source, name, tier), judge=REPLICA_JUDGE)
    return (node, follows) if keeps(tier) else (node,)


def _scaling(source: Source, name: str, tier: Cache) -> str:
    n, why = source.count(name, "instances")
    return (
        f"- **{markdown(name)}** (cache): add nodes in a quiet hour; keys move, and their misses go to {markdown(tier.origin)}. {n} "
        f"by the plan ({markdown(why)})."
    )


def _hits(study: Study, name: str, tier: Cache) -> Part:
    hit = today(study, study.middle.carried.hit_ratio[name])
    return Part(text=f"{name} {share(hit)}", verdict="met" if hit >= MVP.hits else "at risk")


def _look_ups(study: Study, name: str, tier: Cache) -> Part:
    text, verdict = run_out(study, Place(name, "instances"))
    return Part(text=f"{name}: {number(today(study, study.middle.carried.calls_rps[name]))} look-ups a second; {text}", verdict=verdict)


def _stampede(study: Study, name: str, tier: Cache) -> Part | None:
    """The most wanted item expires: how many ask for it at the origin before the first answer is back, against what is idle there."""
    if tier.hit_ratio is not None:
        return None  # nothing is known of its items
    counts, shares = zipf_classes(median(tier.items), median(tier.popularity))
    carried = study.middle.carried
    hottest = today(study, carried.calls_rps[name]) * float(shares[0] / counts[0])
    together = hottest * today(study, carried.responses[tier.origin].mean_s)
    idle = min(today(study, one.servers) - today(study, one.load) for place, one in carried.stations.items() if place.tier == tier.origin)
    text = (
        f"{name}: its most wanted item is asked for {number(hottest)} times a second; when it expires {number(together)} ask {tier.origin}"
    )
    return Part(text=f"{text} at once, where {number(idle)} are idle", verdict="met" if together <= idle else "at risk")


def _chosen(study: Study, name: str, tier: Cache) -> Part:
    return Part(text=f"{name} is planned as Redis that drops what was least recently used", verdict="not applicable")


def _sessions(study: Study, name: str, tier: Cache) -> Part:
    """Whether it may hold what cannot be made again, such as sessions."""
    if not keeps(tier):
        return Part(text=f"{name} may evict what it holds and saves nothing (may_lose: yes; its file below configs/)", verdict="at risk")
    there, needs = median(tier.memory_bytes * tier.instances), median(tier.items * tier.item_bytes)
    return Part(text=f"{name} evicts nothing, writes to disk and has replicas (may_lose: no); {size(needs)} of {size(there)} are needed")


def _signals(source: Source, name: str, tier: Cache) -> tuple[Signal, ...]:
    """Hits, against what the tiers behind it can carry: half way from the plan's to where something is full."""
    study = source.study
    usual = today(study, study.middle.carried.hit_ratio[name])
    full = fills_at(study)[name]
    hits, misses = (f'redis_keyspace_{what}_total{{cache="{slug(name)}"}}' for what in ("hits", "misses"))
    one = Signal(
        alert="MissesMore",
        use=signal("cache", "hits").asked(slug(name)),
        limit=(usual + full) / 2,
        usual=usual,
        what=f"look-ups in {name} that hit",
        page=COLD,
        series=lambda use: {hits: LOOK_UPS * use, misses: LOOK_UPS * (1 - use)},
        counted=True,
        under=True,
        severity="page",
    )
    return (one,) if usual > 0 else ()


LOOK_UPS = 60_000.0  # a minute, in tests
TENDED: Tended[Cache] = Tended(
    files=_files,
    scaling=_scaling,
    commands=lambda source, name, tier: (
        "redis-cli --cluster add-node NEW:6379 NODE:6379",
        "redis-cli --cluster rebalance NODE:6379 --cluster-use-empty-masters",
        f"redis-cli --cluster info NODE:6379  # {source.count(name, 'instances')[0]} nodes by the plan",
    ),
    signals=_signals,
    capacities=no_capacities,
    roles=no_roles,
    span="CLIENT | `db.system.name`=redis, `db.operation.name`, `server.address`",
    memory=lambda name, tier: f"{markdown(name)} {size(median(tier.memory_bytes))} a node",
    items={"2.1.1.b": _sessions, "2.2.1.c": _hits, "2.2.5": _stampede, "2.3.1.c": _look_ups, "3.3.1.b": _chosen, "3.3.2.b": _chosen},
)
