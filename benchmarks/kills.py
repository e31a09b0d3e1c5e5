"""Kills `perfplan plan` at random moments and looks whether the old plan or the new one is whole, and what is left.

    python benchmarks/kills.py [--kills 20] [--seed 7]

Each run plans a small scenario into the same folder with other traffic, is killed (SIGKILL, or SIGINT every third time) after a
random part of the usual time, and is followed by a check: every notebook, table and file belongs to the traffic of one run,
earlier plans are in history/. At the end one run is left alone; nothing but the plan may be there.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    assert len(notebooks) == 7
    assert all(f"traffic.peak_users={users}" in p.read_text() for p in notebooks)
    assert f"traffic.peak_users={users}" in (out / "inputs" / "overrides.txt").read_text()
    assert (out / "plan.html").read_text().endswith("</body></html>\n")
    assert (out / "configs" / "judged.json").is_file()
    assert len(list((out / "tables").glob("*.csv"))) > 30
    return users


def main() -> int:
    """Kill and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as room:
        scenario, out = Path(room) / "scenario.yaml", Path(room) / "plans" / "small"
        scenario.write_text(SCENARIO)

        def command(users: int) -> list[str]:
            return [
                sys.executable,
                "-m",
                "perfplan",
                "plan",
                str(scenario),
                "--worlds",
                "30",
                "--out",
                str(out),
                "-p",
                f"traffic.peak_users={users}",
            ]

        start = time.monotonic()
        subprocess.run(command(1000), check=True, capture_output=True)
        usual_s = time.monotonic() - start
        made, replaced = ["1000"], 0
        for number in range(1, options.kills + 1):
            process = subprocess.Popen(command(1000 + number), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 1.1 * usual_s))
            process.send_signal(signal.SIGINT if number % 3 == 0 else signal.SIGKILL)
            process.wait()
            found = whole(out)
            assert found in (made[-1], str(1000 + number))
            if found != made[-1]:
                replaced += 1
                made.append(found)
            kept = [json.loads(p.read_text())["inputs"]["traffic.peak_users"]["text"] for p in sorted((out / "history").glob("*.json"))]
            assert kept == made[:-1], (kept, made)
        subprocess.run(command(5000), check=True, capture_output=True)
        assert whole(out) == "5000"
        assert [p.name for p in out.parent.iterdir()] == ["small"]
        time.sleep(3)
        left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if room.encode() in p.read_bytes()]
        rooms = list(Path(tempfile.gettempdir()).glob("perfplan-*"))
        print(
            f"{options.kills} kills: always whole, {replaced} times the new plan; history whole; {len(left)} processes and {len(rooms)} folders left"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
