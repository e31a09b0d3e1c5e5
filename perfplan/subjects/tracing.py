"""Traces: how many spans a request makes, which share of them is kept for the percentile that is wanted, and what that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models import tracing
from perfplan.operate.kind import today
from perfplan.plan.demand import week_of
from perfplan.plan.uptime import visits_of
from perfplan.promises import counted, timed
from perfplan.quantity import DAY, HOUR, median
from perfplan.scenario import Tracing
from perfplan.study import Study, once
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import MONITORING, Finding, Found, Item
from perfplan.tiers import kind_of
from perfplan.words import count, duration, listed, number, share, size

FEWEST = 1e-4  # share of the traces that is kept at least, whatever comes


@dataclass(frozen=True, kw_only=True)
class Traced:
    """The traces of one journey at today's load, on average over the week."""

    journey: str
    rps: float  # that reach the origin
    spans: float  # of one request
    wanted: float  # share to keep for the percentile within an hour
    special: float  # share that fails or is slower than promised, as predicted: all of it is kept by tail sampling


def stated(study: Study) -> Tracing:
    """What is stated of traces, else the defaults."""
    default: Callable[..., Tracing] = Tracing  # every field has a default
    return study.scenario.tracing or default()


@once
def traced(study: Study) -> list[Traced]:
    """Of each journey that reaches the origin."""
    scenario, carried, week = study.middle.scenario, study.middle.carried, week_of(study.scenario)
    found = []
    for name in scenario.journeys:
        rps = today(study, carried.journey_rps[name]) * (1 - today(study, carried.edge[name])) * float(week.mean())
        if not rps > 0:
            continue
        visits = {tier: today(study, times) for tier, times in visits_of(scenario, name, carried.hit_ratio).items()}
        entered = sum(times for tier, times in visits.items() if kind_of(scenario.tiers[tier]).stands.enters)
        found.append(
            Traced(
                journey=name,
                rps=rps,
                spans=1 + sum(visits.values()) + entered,  # the request, a call each, and the other end of calls to services
                wanted=float(tracing.rate_needed(median(stated(study).percentile), rps, HOUR)),
                special=_special(study, name),
            )
        )
    return found


def _special(study: Study, journey: str) -> float:
    """Share of the requests that fail or are slow, by the promises of the journey."""
    bad = 0.0
    for judged in study.worlds.judged.values():
        about = timed(judged.objective) or counted(judged.objective)
        if about is not None and about.journey == journey:
            bad = max(bad, median(judged.value[:, 0]))
    return min(bad, 1.0)


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One share for all, and what it takes."""

    rate: float  # share of the traces that is kept, special ones aside
    wanted: float  # that the percentile asks for
    spans_rps: float  # spans a second that are made
    kept_rps: float  # and kept
    stored_bytes: float
    limit_bytes: float  # inf: none is stated


@once
def sampled(study: Study) -> Sampled:
    """The share that the percentile asks for, or as much as the storage takes."""
    one, rows = stated(study), traced(study)
    wanted = max((row.wanted for row in rows), default=1.0)
    limit = median(one.storage_bytes) if one.storage_bytes is not None else float("inf")

    def stored(rate: float) -> float:
        each = (tracing.stored_bytes(_kept(one, row, rate), row.spans, median(one.span_bytes), median(one.retention_s)) for row in rows)
        return float(sum(map(float, each)))

    rate = wanted
    if stored(wanted) > limit:  # what is stored grows evenly with the rate
        least, most = stored(0.0), stored(1.0)
        rate = max((limit - least) / (most - least), FEWEST) if most > least else FEWEST
    kept = sum(_kept(one, row, rate) * row.spans for row in rows)
    return Sampled(
        rate=min(rate, 1.0),
        wanted=wanted,
        spans_rps=sum(row.rps * row.spans for row in rows),
        kept_rps=kept,
        stored_bytes=stored(rate),
        limit_bytes=limit,
    )


def _kept(one: Tracing, row: Traced, rate: float) -> float:
    """Traces of a journey that are kept a second."""
    special = row.special if one.sampling == "tail" else 0.0
    return row.rps * (special + (1 - special) * rate)


def findings(study: Study) -> Iterator[Finding]:
    """Storage that does not hold what the percentile needs."""
    found, one = sampled(study), stated(study)
    if found.rate < found.wanted * (1 - 1e-9):
        needed = tracing.samples_needed(median(one.percentile))
        yield Finding(
            kind=RISK,
            phase=5,
            about="tracing.storage",
            month=0,
            title=f"The storage of traces holds {'not even ' if found.stored_bytes > found.limit_bytes * (1 + 1e-9) else ''}"
            f"{share(found.rate, 2)} of them, not the {share(found.wanted, 2)} that "
            f"p{median(one.percentile) * 100:g} asks for",
            rule=f"{count(float(needed))} traces of each journey an hour: the share beyond then has an error of {share(tracing.PRECISION)}",
            value=f"{size(found.stored_bytes)} in {duration(median(one.retention_s))} of {size(found.limit_bytes)} stated",
            reason=f"{number(found.spans_rps)} spans a second of {size(median(one.span_bytes))} each",
            remedy="more storage, a shorter retention, or a percentile that needs fewer",
        )


def _sampling(study: Study) -> Found | None:
    """The rate, and how many slow traces a day it keeps."""
    rows, found, one = traced(study), sampled(study), stated(study)
    if not rows:
        return None
    slow = sum(row.rps * row.special * (1.0 if one.sampling == "tail" else found.rate) for row in rows) * DAY
    holds = f"{size(found.stored_bytes)} in {duration(median(one.retention_s))}"
    text = f"{share(found.rate, 2)} of the traces ({one.sampling} sampling), {holds}; {number(slow)} slow or failed ones kept a day"
    return Found(text=text, verdict="met" if found.rate >= found.wanted * (1 - 1e-9) else "at risk")


def _backend(study: Study) -> Found | None:
    if study.scenario.tracing is None:
        return None
    one, found = stated(study), sampled(study)
    few = listed([f"{one.backend} for {duration(median(one.retention_s))}", f"{size(found.stored_bytes)} of spans"])
    return Found(text=few, verdict="met" if np.isfinite(found.stored_bytes) else "at risk")


ITEMS = (
    Item("5.4.2", _sampling, MONITORING, sampled),
    Item("5.4.3", _backend, MONITORING, sampled),
)
