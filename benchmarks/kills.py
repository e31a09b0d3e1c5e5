"""Kills `perfplan plan` at random moments, in several ways, and looks whether the old plan or the new one is whole, and what is left.

    python benchmarks/kills.py [--kills 40] [--seed 7]

Each run plans a small scenario into the same folder with other traffic and meets one of five ends after a random part of the usual time:
SIGKILL, SIGINT, SIGHUP, its kernel's death (which it must notice within two seconds and say, with exit 3), or, as root on Linux, a disk
that is full (a small file system in memory, filled to a random rest). Each is followed by a check: every notebook, table and file belongs
to the traffic of one run, earlier plans are in history/. Then five run at once into one folder. At the end one run is left alone; nothing
but the plan may be there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCENARIO = """\
name: small
as_of: 2026-11-24
traffic: {peak_users: 1000, requests_per_user: 6/min, growth: 1%/month to 3%/month}
regions: {near: {share: 100%, round_trip: 20ms}}
journeys: {read: {share: 100%, calls: {app: 1, store: 2}}}
tiers:
  app: {kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}
  store: {kind: database, cores: 4, connections: 20, service_time: 2ms, hold_time: 1ms, price: $0.05/h}
objectives: {read p95: {kind: latency, journey: read, percentile: p95, below: 200ms}}
"""


def whole(out: Path) -> str:
    """The traffic that a plan was made for; raises where its parts are of different runs or missing."""
    users = str(json.loads((out / "plan.json").read_text())["inputs"]["traffic.peak_users"]["text"])
    notebooks = list((out / "notebooks").glob("*.ipynb"))
    assert len(notebooks) == 8
    assert all(f"traffic.peak_users={users}" in p.read_text() for p in notebooks)
    assert f"traffic.peak_users={users}" in (out / "inputs" / "overrides.txt").read_text()
    assert (out / "plan.html").read_text().endswith("</body></html>\n")
    assert (out / "inputs" / "judged.json").is_file()
    assert len(list((out / "tables").glob("*.csv"))) > 30
    return users


ENDS = ("kill", "interrupt", "hang up", "kernel", "full disk")


def kernel_of(pid: int) -> int | None:
    """The process of the kernel that *pid* has started."""
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"PPid:\t{pid}\n" in path.read_text() and b"ipykernel" in (path.parent / "cmdline").read_bytes():
                return int(path.parent.name)
    return None


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[bool]:
    """A file system of *size* at *place*; False where that cannot be."""
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


@dataclass
class Runs:
    """Runs of one scenario into one folder, each with other traffic, and what stands there."""

    scenario: Path
    out: Path
    temporary: Path
    number: int = 1000
    made: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def start(self, **more: Any) -> subprocess.Popen[str]:
        """Start the next run."""
        self.number += 1
        command = [
            sys.executable,
            "-m",
            "perfplan",
            "plan",
            str(self.scenario),
            "--worlds",
            "30",
            "--out",
            str(self.out),
            "-p",
            f"traffic.peak_users={self.number}",
        ]
        environment = os.environ | {"TMPDIR": str(self.temporary)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **more)

    def alone(self) -> float:
        """A run that nobody disturbs; returns its seconds."""
        start = time.monotonic()
        process = self.start()
        said = process.communicate()[1]
        assert process.returncode == 0, said
        self.look("alone")
        return time.monotonic() - start

    def look(self, how: str) -> None:
        """Whether what stands there is whole, and nothing was lost."""
        found = whole(self.out)
        if not self.made or found != self.made[-1]:
            assert found == str(self.number)
            self.made.append(found)
            self.counts[f"{how}: new"] += 1
        else:
            self.counts[f"{how}: old"] += 1
        kept = [json.loads(p.read_text())["inputs"]["traffic.peak_users"]["text"] for p in sorted((self.out / "history").glob("*.json"))]
        assert kept == self.made[:-1], (kept, self.made)

    def end(self, how: str, after_s: float, chance: random.Random) -> None:
        """Start a run, end it in one of the ways, and look."""
        if how == "full disk":
            filler = self.temporary / "filler"
            with filler.open("wb") as file:
                file.truncate(0)
                os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(self.temporary).free - chance.randrange(100_000, 60_000_000), 1))
            process = self.start()
            said = process.communicate()[1]
            filler.unlink()
            assert process.returncode in (0, 3), said
            assert process.returncode == 0 or "free" in said, said
        else:
            process = self.start()
            time.sleep(after_s)
            if how == "kernel":
                while (kernel := kernel_of(process.pid)) is None and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, after_s))
                if kernel is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(kernel, signal.SIGKILL)
                start = time.monotonic()
                said = process.communicate()[1]
                if process.returncode:
                    assert time.monotonic() - start < 2, "the kernel's death was noticed late"
                    assert (process.returncode, "out of memory?" in said) == (3, True), said
            else:
                number = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "hang up": signal.SIGHUP}[how]
                process.send_signal(number)
                process.communicate()
                assert process.returncode in (0, 130, -number), process.returncode  # -number: Python was not up yet
                assert process.returncode != -number or how == "kill" or after_s < 0.2
        self.look(how)


def main() -> int:
    """Kill and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as room:
        scenario, disk = Path(room) / "scenario.yaml", Path(room) / "disk"
        scenario.write_text(SCENARIO)
        disk.mkdir()
        with small_disk(disk, "200m") as mounted:
            (disk / "t").mkdir()
            runs = Runs(scenario=scenario, out=disk / "plans" / "small", temporary=disk / "t")
            usual_s = runs.alone()
            ends = ENDS if mounted else ENDS[:-1]
            for number in range(options.kills):
                runs.end(ends[number % len(ends)], chance.uniform(0, 1.1 * usual_s), chance)
            five = [runs.start() for _ in range(5)]
            for process in five:
                said = process.communicate()[1]
                assert process.returncode == 0, said
            numbers = [
                json.loads(p.read_text())["inputs"]["traffic.peak_users"]["text"] for p in sorted((runs.out / "history").glob("*.json"))
            ]
            assert numbers[: len(runs.made)] == runs.made
            assert sorted([*numbers[len(runs.made) :], whole(runs.out)]) == [str(runs.number - 4 + i) for i in range(5)]
            runs.made = [*numbers, whole(runs.out)]
            runs.alone()
            beside = [p.name for p in runs.out.parent.iterdir()]
            time.sleep(3)
            left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if room.encode() in p.read_bytes()]
            rooms = [p.name for p in runs.temporary.iterdir()]
            print(f"{options.kills} ends: {', '.join(f'{k} plan {n}' for k, n in sorted(runs.counts.items()))}; five at once all counted")
            print(
                f"always whole, history whole; beside the plan {len(beside) - 1} things, {len(left)} processes and {len(rooms)} "
                "folders left"
            )
    return 0 if beside == ["small"] and not left and not rooms else 1


if __name__ == "__main__":
    sys.exit(main())
