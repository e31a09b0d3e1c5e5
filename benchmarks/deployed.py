"""The generated files against the real servers, under load, on loopback: what they do to people, sessions, connections and dead instances.

    python benchmarks/deployed.py [--seconds 120] [--rps 150]

nginx, PgBouncer before PostgreSQL, and Redis are started with the files as written, in a folder of their own. Supplied are what the files
say is not generated (tls.conf with a certificate of the moment, secrets) and, behind the addresses that the file names, a back end of ours;
the exemption of this machine from the limit is taken out, so that it counts people here. Load: the load stage and the mix of the script,
from the same records, by a generator of ours at a rate that this machine carries; a page of forty files by curl over HTTP/2. Needs root, as
PostgreSQL must not be, for `runuser`; the end of everything that was started is the end of this script.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from perfplan.artifacts import files
from perfplan.judging.servers import certified, started, tool
from perfplan.plan.demand import per_user
from perfplan.plan.paths import edge_share
from perfplan.quantity import median
from perfplan.reading import read
from perfplan.study import Study, study
from perfplan.subjects.loadtest import stages

ROOT = Path(__file__).parents[1]
STOREFRONT = ROOT / "data" / "storefront" / "scenario.yaml"
SESSIONS = ("tiers.redis.may_lose=no", "tiers.redis.items=20k", "tiers.redis.item=1kB", "tiers.redis.memory=20MB")
FILES, DEAD = 40, "127.1.0.7"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"


def check(good: bool, text: str) -> int:
    """Print what was seen; 1 where it is not what was wanted."""
    print(f"  {'ok ' if good else 'NOT'} {text}", flush=True)
    return int(not good)


# ---- nginx ----


class Backend:
    """All instances that the file names, each answering after a while; one of them can die."""

    def __init__(self) -> None:
        self.doors: dict[str, asyncio.Server] = {}
        self.links: dict[str, set[asyncio.StreamWriter]] = {}

    async def open(self, address: str) -> None:
        """Answer at *address*."""
        self.links[address] = set()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.links[address].add(writer)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await reader.readuntil(b"\r\n\r\n"):
                    await asyncio.sleep(0.02)
                    writer.write(ANSWER)
                    await writer.drain()
            writer.close()

        self.doors[address] = await asyncio.start_server(answer, address, 8000)

    def die(self, address: str) -> None:
        """Nothing listens there any more."""
        self.doors[address].close()
        for link in self.links[address]:
            link.transport.abort()


async def visit(context: ssl.SSLContext, paths: list[str], seen: Counter[int], address: str = "127.0.0.1") -> None:
    """One user's requests on a connection of their own, from an *address*."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", 8443, ssl=context, server_hostname="localhost", local_addr=(address, 0))
        for path in paths:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            seen[int(head.split()[1])] += 1
            length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)
            await reader.readexactly(length)
        writer.close()
        return
    seen[0] += 1


def course(made: Study, rps: float, seconds: float) -> Callable[[float], float]:
    """The load stage of the script in *seconds*, its highest rate *rps*: the rate at each moment."""
    steps = next(one.steps for one in stages(made) if one.name == "load")
    at = np.cumsum([0.0, *(length for _, length in steps)])
    rates = np.array([0.0, *(rate for rate, _ in steps)])
    return lambda now: max(float(np.interp(now / seconds * at[-1], at, rates)) * rps / rates.max(), rps / 20)


async def crowd(made: Study, rps: float, seconds: float, backend: Backend) -> tuple[Counter[int], float]:
    """People who come at random by the script's load stage, each with requests of a journey that the edge does not answer, with many keys;
    an instance dies at half time."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    scenario = made.scenario
    names = list(scenario.journeys)
    weights = [median(one.share) * (1 - median(edge_share(scenario, one))) for one in scenario.journeys.values()]
    people, rate = rps / per_user(scenario)[0], course(made, rps, seconds)
    addresses = max(round(people / median(scenario.traffic.users_per_address or people)), 1)
    print(f"       {people:.0f} people behind {addresses} addresses, as many behind each as the scenario states")
    seen, tasks, start, died = Counter[int](), set[asyncio.Task[None]](), time.monotonic(), 0.0
    while (now := time.monotonic() - start) < seconds:
        if not died and now > seconds / 2:
            backend.die(DEAD)
            died = time.time()
        paths = [f"/{random.choices(names, weights)[0]}?item={random.randrange(10**6)}" for _ in range(4)]
        address = f"127.0.1.{random.randrange(addresses) + 1}"
        tasks.add(asyncio.create_task(visit(context, paths, seen, address)))
        await asyncio.sleep(random.expovariate(rate(now) / len(paths)))
        tasks = {task for task in tasks if not task.done()}
    await asyncio.gather(*tasks)
    return seen, died


def page(room: Path, times: int) -> Counter[str]:
    """The files of a page, *times* over HTTP/2, as a browser asks for them: all at once."""
    urls = [f"https://localhost:8443/static/{i}.png" for i in range(FILES)]
    config = "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
    (room / "page.curl").write_text(config, encoding="utf-8")
    seen = Counter[str]()
    for _ in range(times):
        asked_for = ["curl", "-sk", "--http2", "--parallel", "--parallel-max", str(FILES), "-w", "%{http_code} %{http_version}\n"]
        done = subprocess.run([*asked_for, "-K", "page.curl"], cwd=room, capture_output=True, text=True, check=False)
        seen.update(done.stdout.split("\n")[:-1])
    return seen


async def abuse(context: ssl.SSLContext, seconds: float) -> Counter[int]:
    """One who sends as fast as the server answers."""
    seen, end = Counter[int](), time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.gather(*(visit(context, ["/search?abuse"] * 50, seen) for _ in range(4)))
    return seen


async def proxy(made: Study, room: Path, rps: float, seconds: float) -> int:
    """nginx.conf as written, but for the exemption of this machine."""
    text = next(file.text for file in files(made) if file.name == "nginx.conf")
    text = text.replace("    127.0.0.0/8 0;  # load tests on this machine\n", "")
    (room / "nginx.conf").write_text(text, encoding="utf-8")
    command = [tool("nginx") or "nginx", "-p", str(room), "-c", "nginx.conf", "-e", "stderr", "-g", f"daemon off; pid {room}/pid;"]
    bare = subprocess.run(command, capture_output=True, text=True, check=False)
    wrong = check(bare.returncode != 0 and "tls.conf" in bare.stderr, "nginx: without tls.conf it does not start")
    assert certified(room)
    (room / "static").mkdir()
    for i in range(FILES):
        (room / "static" / f"{i}.png").write_bytes(b"x" * 2000)
    backend = Backend()
    for line in text.split("\n"):
        if line.strip().startswith("server 127."):
            await backend.open(line.split()[1].split(":")[0])
    instances = len(backend.doors)
    print(f"nginx: {instances} instances, {rps:g} requests a second for {seconds:g} s, one of them killed at half time")
    with started(command, room):
        await asyncio.sleep(1)
        pages = asyncio.create_task(asyncio.to_thread(page, room, 10))
        seen, died = await crowd(made, rps, seconds, backend)
        shown = await pages
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        refused = await abuse(context, 5)
        await asyncio.sleep(6)  # until the log is written
    wrong += check(seen[429] == 0 and sum(seen.values()) > 0.6 * rps * seconds, f"people: {dict(seen)} by status, none told 429")
    wrong += check(set(shown) == {"200 2"} and shown["200 2"] == 10 * FILES, f"ten pages of {FILES} files over HTTP/2: {dict(shown)}")
    wrong += check(refused[429] > 0, f"one who sends as fast as possible: {dict(refused)}")
    lines = [json.loads(line) for line in (room / "access.log").read_text(encoding="utf-8").splitlines()]
    timed = [one for one in lines if one["upstream"].startswith(DEAD) or f", {DEAD}" in one["upstream"]]
    stamp = [time.mktime(time.strptime(one["time"][:19], "%Y-%m-%dT%H:%M:%S")) for one in timed]
    after = sorted(t - died for t, one in zip(stamp, timed, strict=True) if t >= died - 1 and "," in one["upstream"])
    each = rps / instances
    first = [t for t in after if t <= 8.0]
    stated = 3 / each
    print(f"       asked {len(after)} times after its death, at {[round(t) for t in after][:12]} s")
    last = max(first, default=0.0)
    said = f"out after {len(first)} failures within {last:.0f} s; stated: 3, at {each:.1f} a second each {stated:.1f} s"
    wrong += check(len(first) <= 3 + 2 and last <= 3 * stated + 1, said)
    wrong += check(seen[502] + seen[504] == 0, "nobody saw the dead instance: what failed was sent to another")
    return wrong


# ---- PgBouncer ----


def psql(port: int, database: str, user: str, sql: str) -> list[str]:
    """A command that asks a database; passwords are as names."""
    return ["psql", f"postgresql://{user}:{user}@127.0.0.1:{port}/{database}", "-Atq", "-c", sql]


def asked(*where: Any) -> subprocess.CompletedProcess[str]:
    """What it answers."""
    return subprocess.run(psql(*where), capture_output=True, text=True, check=False)


ROLES = (
    "create role app login password 'app'",
    "create role deploy login superuser password 'deploy'",
    "alter role app set statement_timeout = '100ms'",
)
HOLD = "begin; set local statement_timeout = 0; select pg_sleep(6); commit"
BUSY = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()"


@contextlib.contextmanager
def postgres(room: Path, port: int) -> Iterator[None]:
    """A PostgreSQL server of its own."""
    data, password = room / f"data{port}", room / "pw"
    data.mkdir()
    shutil.chown(data, "nobody", "nogroup")
    password.write_text("owner\n", encoding="utf-8")
    as_nobody = ["runuser", "-u", "nobody", "--"]
    made = [*as_nobody, "initdb", "-D", str(data), "-U", "owner", "-A", "scram-sha-256", f"--pwfile={password}"]
    subprocess.run(made, check=True, capture_output=True)
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-c", "max_connections=300", "-c", "fsync=off"]
    with started([*as_nobody, "postgres", "-D", str(data), *options], data):
        for _ in range(100):
            if asked(port, "postgres", "owner", "select 1").returncode == 0:
                break
            time.sleep(0.1)
        assert asked(port, "postgres", "owner", "; ".join(ROLES)).returncode == 0
        yield


def pooler(made: Study, room: Path) -> int:
    """pgbouncer.ini as written before two databases."""
    text = next(file.text for file in files(made) if file.name.startswith("pgbouncer-"))
    (room / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (room / "userlist.txt").write_text("".join(f'"{u}" "{u}"\n' for u in ("app", "deploy", "stats")), encoding="utf-8")
    pools = {name: int(size) for name, size in re.findall(r"^([a-z][\w-]*) = host=.* pool_size=(\d+)", text, re.M)}
    print(f"PgBouncer before PostgreSQL: pools {pools}")
    wrong, command = 0, [tool("pgbouncer") or "pgbouncer", "-u", "nobody", "pgbouncer.ini"]
    ended = subprocess.run(command, cwd=room, capture_output=True, text=True, timeout=20, check=False)
    wrong += check(ended.returncode != 0, "without secrets.ini it does not start")
    (room / "secrets.ini").write_text("auth_file = userlist.txt\n", encoding="utf-8")
    with postgres(room, 5432), postgres(room, 5433), started(command, room):
        time.sleep(1)
        for pool, size in pools.items():
            user, port = "deploy" if pool.endswith("migrations") else "app", 5433 if pool.endswith("reads") else 5432
            clients = [subprocess.Popen(psql(6432, pool, user, HOLD), stdout=subprocess.DEVNULL) for _ in range(size)]
            time.sleep(3.5)
            busy = asked(port, "postgres", "owner", BUSY).stdout.strip()
            codes = [client.wait() for client in clients]
            wrong += check(busy == str(size) and not any(codes), f"{pool}: {busy} of {size} planned connections at work at once")
        first, last = next(iter(pools)), next(pool for pool in pools if pool.endswith("migrations"))
        wrong += check(asked(6432, last, "deploy", "select pg_sleep(8)").returncode == 0, "a migration of 8 s is not ended")
        short = asked(6432, first, "app", "select pg_sleep(8)").stderr.strip()
        wrong += check("statement timeout" in short, f"a query of the application that hangs is: {short}")
        wrong += check(first in asked(6432, "pgbouncer", "stats", "show pools").stdout, "the stats user sees the pools")
    return wrong


# ---- Redis ----


def cli(*command: str, port: int = 6379, text: str = "") -> str:
    """What Redis answers."""
    asked = ["redis-cli", "-p", str(port), "-a", "secret", "--no-auth-warning", *command]
    return subprocess.run(asked, input=text, capture_output=True, text=True, check=False).stdout.strip()


def sessions(made: Study, room: Path) -> int:
    """A cache that may lose nothing: filled beyond its memory, ended by force, started again."""
    for file in files(made):
        if file.name.startswith("redis-"):
            (room / file.name).write_text(file.text, encoding="utf-8")
    print("Redis that may lose nothing (may_lose: no), 20 MB")
    wrong, program = 0, tool("redis-server") or "redis-server"
    ended = subprocess.run([program, "redis-redis.conf"], cwd=room, capture_output=True, text=True, timeout=20, check=False)
    wrong += check(ended.returncode != 0, "without secrets.conf it does not start")
    (room / "secrets.conf").write_text("requirepass secret\nmasterauth secret\n", encoding="utf-8")
    (room / "replica").mkdir()
    for name in ("redis-redis.conf", "secrets.conf"):
        shutil.copy(room / name, room / "replica" / name)
    shutil.copy(room / "redis-redis-replica.conf", room / "replica" / "redis-redis-replica.conf")
    with started([program, "redis-redis-replica.conf"], room / "replica"):
        with started([program, "redis-redis.conf"], room) as server:
            for _ in range(200):
                if "state=online" in cli("INFO", "replication"):
                    break
                time.sleep(0.1)
            said = cli(text="".join(f"SET session:{i} {'x' * 1000}\n" for i in range(30_000)))
            said = said.split("\n")
            print("      ", dict(Counter(line[:30] for line in said if line)))
            full = sum(line == "OK" for line in said)
            kept = int(cli("DBSIZE"))
            stats = cli("INFO", "stats")
            evicted = next(line.split(":")[1].strip() for line in stats.split("\n") if line.startswith("evicted_keys"))
            text = f"full after {full} sessions; {kept} are there, {evicted} evicted; more are refused (OOM)"
            wrong += check(evicted == "0" and kept >= full, text)
            copied = int(cli("DBSIZE", port=6380))
            wrong += check(copied == kept, f"the replica has {copied}")
            time.sleep(2)
            server.process.kill()
            server.process.wait()
        with started([program, "redis-redis.conf"], room):
            time.sleep(3)
            again = int(cli("DBSIZE"))
            wrong += check(again == kept, f"killed and started again it has {again}")
    return wrong


def main() -> int:
    """All three; how much was not as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rps", type=float, default=150)
    options = parser.parse_args()
    random.seed(7)
    made, wrong = study(read(STOREFRONT), worlds=200), 0
    for name, run in (
        ("nginx", lambda room: asyncio.run(proxy(made, room, options.rps, options.seconds))),
        ("pgbouncer", lambda room: pooler(made, room)),
        ("redis", lambda room: sessions(study(read(STOREFRONT).but(*SESSIONS), worlds=30), room)),
    ):
        with tempfile.TemporaryDirectory(prefix=f"deployed-{name}-") as folder:
            Path(folder).chmod(0o755)
            wrong += run(Path(folder))
    print(f"{wrong} not as wanted")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
