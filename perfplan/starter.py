"""`perfplan new`: a commented starter scenario with the targets of the quick reference."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from perfplan.quantity import FRACTION, SECONDS
from perfplan.reading import BadScenario, Problem
from perfplan.schema import json_schema
from perfplan.study.levels import LEVELS

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)  # names of devices on Windows
TARGETS = {  # p95, error rate, availability, cache hit ratio, as a file states them
    level.name.lower(): (SECONDS.show(level.p95_s), *(FRACTION.show(one) for one in (level.errors, level.available, level.hits)))
    for level in LEVELS
}


def write(name: str, tier: str) -> str:
    """Make folder *name* with scenario.yaml and its schema; returns what to do next. Nothing is overwritten."""
    import json

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", name):
        raise BadScenario(
            "perfplan new", [Problem(0, "NAME", f"must be letters, digits, - _ and . (it names a folder); got {name[:60]!r}")]
        )
    if RESERVED.fullmatch(name) or name.endswith("."):
        raise BadScenario("perfplan new", [Problem(0, "NAME", f"must be a name that every system allows for a folder; got {name!r}")])
    folder = Path(name)
    if folder.exists() or folder.is_symlink():
        raise BadScenario("perfplan new", [Problem(0, "NAME", f"must be new; {name} is already there")])
    folder.mkdir()
    try:
        (folder / "scenario.yaml").write_text(text(name, tier), encoding="utf-8", newline="\n")
        (folder / "scenario.schema.json").write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8", newline="\n")
    except OSError:
        shutil.rmtree(folder)  # half of it would only be in the way
        raise
    return (
        f"{folder / 'scenario.yaml'}: change its numbers, then run\n  perfplan check {folder / 'scenario.yaml'}\n  perfplan plan "
        f"{folder / 'scenario.yaml'}"
    )


def text(name: str, tier: str) -> str:
    """The starter for one tier of ambition."""
    p95, errors, available, hit = TARGETS[tier]
    return f"""\
# yaml-language-server: $schema=scenario.schema.json
# A service as its team would state it. A number may be certain (`50k`) or the middle 90 % of an interval (`40k to 60k`).
# `perfplan fields` lists every field with its unit, default and reason. Targets below: tier {tier} of the quick reference.
name: {name}

traffic:
  peak_users: 4k to 6k             # people online in the busiest hour
  requests_per_user: 3/min
  growth: 2%/month to 4%/month     # or a file: `history: traffic.csv` with the columns time and requests, hourly
  # events:
  #   - {{name: Launch, month: 2027-06, factor: 1.2 to 1.6}}

regions:
  Home: {{share: 100%, round_trip: 20ms to 30ms}}

journeys:
  read:
    share: 85%
    response: 20kB
    calls: {{app: 1, cache: 2}}      # calls per request, one after the other
  write:
    share: 15%
    response: 2kB
    calls: {{app: 1, database: 3}}

tiers:
  app:
    kind: service
    instances: 6
    threads: 8
    service_time: 10ms to 14ms     # own work, without waiting for other tiers
    price: $0.10/h
  cache:
    kind: cache
    instances: 2
    origin: database
    hit_ratio: {hit}                 # target of the tier; or leave it out and state items, popularity, item and memory
    price: $0.08/h
  database:
    kind: database
    cores: 4
    replicas: 1
    connections: 40
    service_time: 1.5ms to 2.5ms
    storage: 80GB
    storage_growth: 2GB
    storage_limit: 250GB
    availability: 99.99%
    price: $0.06/h                 # per core

objectives:
  read p95: {{kind: latency, journey: read, percentile: p95, below: {p95}}}
  write p95: {{kind: latency, journey: write, percentile: p95, below: {p95}}}
  write available: {{kind: availability, journey: write, above: {available}}}
  write errors: {{kind: errors, journey: write, below: {errors}}}
  peak second: {{kind: throughput}}
"""
