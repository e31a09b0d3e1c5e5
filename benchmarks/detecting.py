"""Alerts of a plan on a real Prometheus and Alertmanager: when they fire, against the computed times. Windows scaled 1:60.

    python benchmarks/detecting.py

A small server answers three journeys; after six minutes 10 %, 5 % and 0.5 % of their requests fail. What pages within an hour and
within six (99.9 % over 30 days) must fire within 10 % and two evaluations of the computed time and reach the receiver that the routes
name; what fails too little must stay silent. All on loopback; needs Debian's prometheus and prometheus-alertmanager. Seven minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from perfplan.artifacts import configs  # noqa: E402
from perfplan.models.alerting import detection_s  # noqa: E402
from perfplan.reading import read  # noqa: E402
from perfplan.subjects.alerts import burns  # noqa: E402
from tests.conftest import unsearched  # noqa: E402

SCALE, EVERY_S, RPS = 60, 0.25, 100
BAD = {"tenth": 0.10, "twentieth": 0.05, "little": 0.005}
WARM_S, LASTS_S = 370.0, 55.0
PROMETHEUS, ALERTMANAGER, SERVER, RECEIVER = 19090, 19093, 19100, 19099
SCENARIO = """\
name: detecting
as_of: 2026-11-24
traffic: {peak: 300 rps, growth: 1%/month}
regions: {near: {share: 100%, round_trip: 1ms}}
journeys:
  tenth: {share: 34%, calls: {app: 1}}
  twentieth: {share: 33%, calls: {app: 1}}
  little: {share: 33%, calls: {app: 1}}
tiers: {app: {kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}}
objectives:
  tenth up: {kind: availability, journey: tenth, above: 99.9%}
  twentieth up: {kind: availability, journey: twentieth, above: 99.9%}
  little up: {kind: availability, journey: little, above: 99.9%}
on_call: {people: 2}
"""


class Broken:
    """A server that counts what it answers, and fails on command."""

    def __init__(self) -> None:
        self.counts = {(name, code): 0 for name in BAD for code in ("200", "500")}
        self.asked = dict.fromkeys(BAD, 0)
        self.failing = False
        self.received: list[tuple[float, str, str]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                status, text = self._answer(path, body)
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path == "/metrics":
            rows = (f'http_requests_total{{journey="{name}",code="{code}"}} {n}' for (name, code), n in self.counts.items())
            return 200, ("# TYPE http_requests_total counter\n" + "\n".join(rows) + "\n").encode()
        name = path.strip("/")
        if name not in BAD:
            for alert in json.loads(body)["alerts"] if body else ():
                if alert["status"] == "firing":
                    self.received.append((time.monotonic(), name, alert["labels"]["alertname"]))
            return 200, b""
        self.asked[name] += 1
        share = BAD[name] if self.failing else 0.0
        fails = int(self.asked[name] * share) != int((self.asked[name] - 1) * share)
        self.counts[name, "500" if fails else "200"] += 1
        return (500 if fails else 200), b"x"


async def load(name: str, until: float) -> None:
    """Requests of one journey at an even pace over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", SERVER)
    at = time.monotonic()
    while at < until:
        at += 1 / RPS
        await asyncio.sleep(max(at - time.monotonic(), 0))
        writer.write(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))
    writer.close()


def scaled(text: str) -> str:
    """Windows and waits, sixty times shorter."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def shorter(match: re.Match[str]) -> str:
        return f"{match[1]}{max(round(int(match[2]) * seconds[match[3]] * 1000 / SCALE), 1)}ms{match[4]}"

    text = re.sub(r"(\[)(\d+)([smhd])(\])", shorter, text)
    return re.sub(r"((?:for|group_wait|group_interval|repeat_interval): \"?)(\d+)([smhd])(\"?)", shorter, text)


def firing() -> set[str]:
    """Names of the alerts that fire."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS}/api/v1/alerts") as answer:
        return {one["labels"]["alertname"] for one in json.load(answer)["data"]["alerts"] if one["state"] == "firing"}


async def run(room: Path) -> int:
    (room / "scenario.yaml").write_text(SCENARIO)
    made = unsearched(read(room / "scenario.yaml"), 30)
    files = configs(made)
    groups = files["alerts.yml"].split("- name: ")
    (room / "alerts.yml").write_text(scaled(groups[0] + "- name: " + next(part for part in groups if part.startswith("burn rates"))))
    routes = scaled(files["alertmanager.yml"]).replace("127.0.0.1:9099", f"127.0.0.1:{RECEIVER}")
    (room / "alertmanager.yml").write_text(routes)
    (room / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 250ms, scrape_timeout: 200ms, evaluation_interval: 250ms}}\nrule_files: [alerts.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{ALERTMANAGER}']}}]}}]}}\n"
        f"scrape_configs: [{{job_name: x, static_configs: [{{targets: ['127.0.0.1:{SERVER}']}}]}}]\n"
    )
    broken = Broken()
    commands = (
        ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{PROMETHEUS}", "--storage.tsdb.path=data"],
        [
            *("prometheus-alertmanager", "--config.file=alertmanager.yml", f"--web.listen-address=127.0.0.1:{ALERTMANAGER}"),
            *("--storage.path=am", "--cluster.listen-address="),
        ],
    )
    servers = [await asyncio.start_server(broken.answer, "127.0.0.1", port) for port in (SERVER, RECEIVER)]
    logs = [(room / f"log{i}").open("wb") for i in range(2)]
    running = [subprocess.Popen(command, cwd=room, stdout=log, stderr=log) for command, log in zip(commands, logs, strict=True)]
    try:
        await asyncio.sleep(3)
        start = time.monotonic()
        loads = [asyncio.create_task(load(name, start + WARM_S + LASTS_S)) for name in BAD]
        seen: dict[str, float] = {}
        early: set[str] = set()
        while (now := time.monotonic()) < start + WARM_S + LASTS_S:
            if not broken.failing and now >= start + WARM_S:
                broken.failing, began = True, now
            for name in await asyncio.to_thread(firing):
                (seen.setdefault(name, time.monotonic() - began) if broken.failing else early.add(name))
            await asyncio.sleep(0.05)
        await asyncio.gather(*loads)
    finally:
        for process in running:
            process.terminate()
            process.wait(20)
        for server in servers:
            server.close()
    return report(made, seen, early, broken, began)


def report(made: object, seen: dict[str, float], early: set[str], broken: Broken, began: float) -> int:
    """A line an alert; how many are wrong."""
    wrong = len(early)
    print(f"fired before anything failed: {sorted(early) or 'none'}")
    reached = {name: (at - began, receiver) for at, receiver, name in reversed(broken.received)}
    for one in burns(made):
        name = f"{''.join(part.capitalize() for part in one.objective.split())}Burns{one.rung.hours}h"
        bad = BAD[one.objective.split()[0]]
        expected = float(detection_s(one.limit, one.windows_s[0] / SCALE, bad))
        found = seen.get(name)
        if one.rung.urgency != "page":
            continue
        if expected == float("inf"):
            good = found is None
            print(f"{name}: {bad:.1%} bad, must stay silent: {'silent' if good else f'fired after {found:.2f} s'}")
        else:
            good = found is not None and abs(found - expected) <= 0.1 * expected + 2 * EVERY_S
            by, receiver = reached.get(name, (float("nan"), "nobody"))
            print(
                f"{name}: {bad:.0%} bad, computed {expected:.2f} s, fired after {found if found is None else round(found, 2)} s, "
                f"reached {receiver} after {by:.2f} s: {'as computed' if good else 'WRONG'}"
            )
            good = good and receiver.startswith("person-")
        wrong += not good
    return wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(1 if asyncio.run(run(Path(folder))) else 0)
