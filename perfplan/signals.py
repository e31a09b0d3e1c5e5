"""The table of signals, as package data: what is measured of a journey, a host and each kind of tier, by which exporter, and the query.

Names of metrics and labels are those that exporters have unasked; what a scenario calls otherwise (`metrics:`, `metrics_preset:`) is
renamed in every query by `named`. `$slug` in a query is whom it is about, `$capacity` how many of the thing there are.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

SUFFIXES = ("_bucket", "_count", "_sum")  # of the series of a histogram
OURS = "Prometheus clients"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One signal."""

    about: str  # journey, host, container, proxy, or the word of a kind of tier
    signal: str
    method: str  # rate, errors, duration (RED); utilization, saturation, faults (USE); other
    exporter: str
    metric: str
    type: str
    unit: str
    labels: str
    query: str
    shown: str  # unit of what the query gives
    items: str  # of the checklist, by their ids
    says: str

    def asked(self, slug: str = "", capacity: float = 1.0) -> str:
        """Its query about one thing."""
        return Template(self.query).substitute(slug=slug, capacity=f"{capacity:g}")


@functools.cache
def signals() -> tuple[Row, ...]:
    """All of them, in the order of the file."""
    with (files("perfplan") / "signals.csv").open(encoding="utf-8") as lines:
        return tuple(Row(**row) for row in csv.DictReader(lines))


def signals_of(about: str) -> list[Row]:
    """Those of one kind of thing."""
    return [row for row in signals() if row.about == about]


def signal(about: str, name: str) -> Row:
    """One by its name; raises `KeyError` where there is none."""
    found = [row for row in signals_of(about) if row.signal == name]
    if not found:
        raise KeyError(f"{about}: {name}")
    return found[0]


@functools.cache
def presets() -> Mapping[str, Mapping[str, str]]:
    """What others call our metrics and labels, by preset."""
    found: dict[str, dict[str, str]] = {OURS: {}}
    with (files("perfplan") / "presets.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["preset"], {})[row["ours"]] = row["theirs"]
    return found


PRESETS = tuple(presets())
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*')


@functools.cache
def names() -> frozenset[str]:
    """Every metric and label that a query of the table names, histograms without the suffixes of their series."""
    found: set[str] = set()
    for row in signals():
        found |= {word for word in _words(row.query) if "_" in word and not word.startswith("histogram_") and word != "label_replace"}
        found |= set(row.labels.split())
    return frozenset(_base(word) for word in found)


def _words(query: str) -> Iterator[str]:
    return (word for word in WORD.findall(query) if not word.startswith('"'))


def _base(word: str) -> str:
    """A histogram without the suffix of its series.

    >>> _base("job_duration_seconds_bucket"), _base("pg_locks_count")
    ('job_duration_seconds', 'pg_locks_count')
    """
    bare = next((word.removesuffix(end) for end in SUFFIXES if word.endswith(end)), word)
    return bare if bare.endswith("_seconds") else word


def named(query: str, theirs: Mapping[str, str]) -> str:
    """A query, or a series, with the metrics and labels that *theirs* calls otherwise; what stands in quotes stays.

    >>> named('rate(job_duration_seconds_bucket{queue="queue"}[5m])', {"job_duration_seconds": "jobs", "queue": "q"})
    'rate(jobs_bucket{q="queue"}[5m])'
    """
    if not theirs:
        return query

    def word(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith('"'):
            return found
        base = found if found in theirs else _base(found)
        return theirs[base] + found[len(base) :] if base in theirs else found

    return WORD.sub(word, query)
