"""Tables of requirements: demand, rates, objectives, budgets, headroom."""

from __future__ import annotations

import calendar
from dataclasses import asdict
from typing import Any

import numpy as np

from perfplan.blocks import Column, Table
from perfplan.findings import left_of_budget
from perfplan.models.growth import requests_of_month, usual_week
from perfplan.models.slo import DAYS_28, DAYS_30, error_budget_requests, error_budget_s, month_s
from perfplan.operate import watched
from perfplan.plan import burst, concurrency, today_rps, until
from perfplan.promises import counted, timed
from perfplan.promises.kind import PEAK_HOUR
from perfplan.quantity import DAY, median
from perfplan.study import Study, confidence
from perfplan.study.sweeps import todays_knee
from perfplan.study.verdicts import first_below, holds_with
from perfplan.subjects.ambition import targets, together
from perfplan.tables.common import HORIZONS, LEADING, RECOMMENDED, band_of, frame_of, month_writer, named_month, number_text
from perfplan.words import (
    band,
    capital,
    duration,
    number,
    percent,
    rate,
    share,
    size,
)


def demand(study: Study) -> Table:
    """Peak rates, users, requests in flight, bandwidth and storage, now and at 6, 12 and 36 months."""
    made = study.worlds
    users, flying = concurrency(made)
    backlog, drain, place = burst(made)
    stored = sum(made.stored_bytes.values(), np.zeros(made.rps.shape))
    lines = (
        ("peak hour", "1/s", made.rps, rate), ("peak second", "1/s", made.second_rps, rate), ("concurrent users", "", users, number), ("requests in flight", "", flying, number),
        ("bandwidth out", "bytes/s", made.sent_bytes, lambda v: f"{size(v)}/s"), ("bandwidth in", "bytes/s", made.received_bytes, lambda v: f"{size(v)}/s"),
        ("from the edge", "bytes/s", made.edge_bytes, lambda v: f"{size(v)}/s"), ("data stored", "bytes", stored, size),
        (f"queued by a burst at {place}", "", backlog, number), ("time until it has drained", "s", drain, duration),
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for name, unit, values, write in lines:
        if not np.any(np.nan_to_num(values, posinf=1.0)):
            continue
        row: dict[str, Any] = {"what": name, "unit": unit}
        for m in HORIZONS:
            low, middle, high = band_of(values, m)
            row |= {f"month_{m}_p05": low, f"month_{m}_p50": middle, f"month_{m}_p95": high}
            row[f"shown_{m}"] = band(write(middle), write(low), write(high)) if np.isfinite(middle) else "saturated"
        rows.append(row)
    factor = median(made.rps[:, : study.last + 1].max(axis=1)) / today_rps(study.scenario)
    return Table(
        name="demand", title=f"Until {named_month(study, study.last, short=False)} the peak hour reaches {number(factor)} times today's, events included", subtitle=f"P50 (P5 … P95) over all worlds, at the busiest hour of the month. A burst: {number(median(study.scenario.traffic.peak_second))} times that rate for {duration(median(study.scenario.traffic.burst_s))}.", frame=frame_of(rows),
        columns=(Column(key="what", header="At the peak"), *(Column(key=f"shown_{m}", header=named_month(study, m), write=number_text) for m in HORIZONS)), stack=2, first=True,
    )  # fmt: skip


def rates(study: Study) -> Table:
    """Peak rates by journey and tier through their visit counts, at the median."""
    made = study.middle
    rows: list[dict[str, Any]] = [
        {"what": f"journey {n}", **{f"month_{m}": float(np.broadcast_to(v, made.rps.shape)[0, m]) for m in HORIZONS}}
        for n, v in made.carried.journey_rps.items()
    ]
    rows += [
        {"what": f"tier {n}", **{f"month_{m}": float(np.broadcast_to(v, made.rps.shape)[0, m]) for m in HORIZONS}}
        for n, v in made.carried.calls_rps.items()
    ]
    busiest = max(made.carried.calls_rps, key=lambda n: float(np.broadcast_to(made.carried.calls_rps[n], made.rps.shape)[0, 0]))
    return Table(
        name="rates", title=f"{capital(busiest)} gets the most calls: {number(float(np.broadcast_to(made.carried.calls_rps[busiest], made.rps.shape)[0, 0]) / float(made.rps[0, 0]))} for each request",
        subtitle="Requests or calls per second at the peak hour, every input at its median.", frame=frame_of(rows),
        columns=(Column(key="what", header="Journey or tier"), *(Column(key=f"month_{m}", header=f"{named_month(study, m)}, /s", write=number, bar=m == 0) for m in HORIZONS)), stack=4,
    )  # fmt: skip


def objectives(study: Study) -> Table:
    """Every promise: rule, probability now and later, until when it holds."""
    rows: list[dict[str, Any]] = []
    for name, judged in study.worlds.judged.items():
        p, asked = holds_with(study, name)
        last = min(until(judged.objective), p.size - 1)
        start = first_below(p, asked)
        also = ""
        if (way := timed(judged.objective)) is not None and judged.also is not None:
            other = judged.also <= np.asarray(judged.bound) * (1 + 1e-9)
            also = f"{percent(float(other[:, last].mean()))} over {'28 days' if way.over == PEAK_HOUR else 'the peak hour'}"
        rows.append(
            {
                "objective": name,
                "promise": watched(judged.objective).spoken.sentence(judged.objective),
                "asked": asked,
                "p_now": float(p[0]),
                "p_last": float(p[last]),
                "holds_until": start - 1,
                "end": last,
                "also": also,
            }
        )
    rows.sort(key=lambda r: (r["holds_until"], r["p_last"]))
    broken = [r for r in rows if r["holds_until"] < r["end"]]
    title = (
        f"{len(broken)} of {len(rows)} promises do not hold to {named_month(study, study.last, short=False)} with today's fleet"
        if broken
        else f"All {len(rows)} promises hold to {named_month(study, study.last, short=False)}"
    )
    return Table(
        name="objectives", title=title, subtitle="Probability over all worlds that a promise holds in a month, today's fleet. Last column: the same promise judged the other way.", frame=frame_of(rows),
        columns=(
            Column(key="objective", header="Objective"), Column(key="promise", header="Promise"), Column(key="asked", header="Confidence", write=percent), Column(key="p_now", header="P now", write=percent),
            Column(key="p_last", header="P at its end", write=percent, bar=True, broken=lambda v: v < confidence(study.scenario)), Column(key="end", header="Asked until", write=month_writer(study)),
            Column(key="holds_until", header="Holds until", write=lambda v: "not now" if v < 0 else "end of plan" if not np.isfinite(v) else named_month(study, v)), Column(key="also", header="Judged the other way", write=str),
        ), stack=2, first=True,
    )  # fmt: skip


def indicators(study: Study) -> Table:
    """What is measured for each promise: the event, what is good, where it is counted."""
    rows: list[dict[str, Any]] = [
        {"objective": n, **asdict(watched(o).measured.indicator(o))} for n, o in study.scenario.objectives.items()
    ]
    return Table(
        name="indicators", title="Each promise says what is counted, and what is good", subtitle="Definition of the service level indicator of each objective.", frame=frame_of(rows),
        columns=(Column(key="objective", header="Objective"), Column(key="event", header="Event"), Column(key="good", header="Good"), Column(key="where", header="Counted at")), stack=1,
    )  # fmt: skip


def budgets(study: Study) -> Table:
    """Error budgets in time and in requests, what is predicted to be left, and when deployments freeze."""
    rows: list[dict[str, Any]] = []
    year, month = study.as_of.year, study.as_of.month
    week = study.scenario.week if study.scenario.week is not None else usual_week()
    peak = float(study.middle.rps[0, 0])
    for name, judged in study.worlds.judged.items():
        objective = judged.objective
        one = counted(objective)
        journey = one or timed(objective)
        if journey is None:
            continue
        target = 1 - median(judged.bound)
        part = median(np.broadcast_to(study.middle.carried.journey_rps[journey.journey], (1, study.middle.rps.shape[1]))[0, 0]) / peak
        left = median(left_of_budget(judged)[:, 0])
        down = one is not None and one.down
        rows.append({
            "objective": name, "target": target, "budget_28_days_s": float(error_budget_s(target, DAYS_28)) if down else float("nan"), "budget_30_days_s": float(error_budget_s(target, DAYS_30)) if down else float("nan"),
            "budget_month_s": float(error_budget_s(target, month_s(year, month))) if down else float("nan"),
            "requests_28_days": float(error_budget_requests(target, float(requests_of_month(peak * part, week, 28)))), "requests_30_days": float(error_budget_requests(target, float(requests_of_month(peak * part, week, 30)))),
            "requests_month": float(error_budget_requests(target, float(requests_of_month(peak * part, week, float(month_s(year, month)) / DAY)))), "left": left, "freeze_at": median(study.scenario.freeze_at),
        })  # fmt: skip
    low = min(rows, key=lambda r: float(r["left"]), default=None)
    title = (
        f"{capital(str(low['objective']))} spends most: {share(max(float(low['left']), 0.0), 2)} of its budget would be left"
        if low
        else "No promise has an error budget"
    )
    name = f"{calendar.month_name[month]} {year}"
    return Table(
        name="budgets", title=title, subtitle=f"Budget in time for availability, in requests for all; left: predicted at today's load. Deployments freeze at {share(median(study.scenario.freeze_at))} left.", frame=frame_of(rows or [{k: float("nan") for k in ("target", "budget_28_days_s", "budget_30_days_s", "budget_month_s", "requests_28_days", "requests_30_days", "requests_month", "left")} | {"objective": "none"}]),
        columns=(
            Column(key="objective", header="Objective"), Column(key="target", header="Good at least", write=share), Column(key="budget_28_days_s", header="28 days", write=duration), Column(key="budget_30_days_s", header="30 days", write=duration),
            Column(key="budget_month_s", header=name, write=duration), Column(key="requests_28_days", header="Requests in 28 days", write=number), Column(key="requests_30_days", header="in 30 days", write=number), Column(key="requests_month", header=f"in {name}", write=number),
            Column(key="left", header="Left", write=lambda v: share(v) if v >= 0 else "overspent", broken=lambda v: v < 0),
        ), stack=3,
    )  # fmt: skip


def headroom(study: Study) -> Table:
    """The checklist's multipliers against the load at which each promise really breaks."""
    found = todays_knee(study)
    rows: list[dict[str, Any]] = [
        {"what": name, "load_rps": load, "multiple": load / found.peak_rps} for name, load in found.objectives.items()
    ]
    rows.sort(key=lambda r: float(r["multiple"]))
    rows.append(
        {
            "what": "peak second of today",
            "load_rps": found.second_rps,
            "multiple": float(study.scenario.traffic.peak_second),
        }
    )
    rows += [
        {"what": f"{m:g} times, {w} of the checklist", "load_rps": m * found.peak_rps, "multiple": m}
        for m, w in ((LEADING, "minimum"), (RECOMMENDED, "recommendation"))
    ]
    return Table(
        name="headroom", title=f"The first objective breaks at {number(found.rps / found.peak_rps)} times today's peak" if np.isfinite(found.rps) else "No load that was tried breaks an objective",
        subtitle="Highest load at the peak hour at which each objective holds, today's fleet, every input at its median.", frame=frame_of(rows),
        columns=(Column(key="what", header="Promise or rule"), Column(key="load_rps", header="Load", write=lambda v: "any that was tried" if not np.isfinite(v) else "none" if v == 0 else rate(v)), Column(key="multiple", header="Times today's peak", write=lambda v: number(v) if np.isfinite(v) else "–", bar=True)), stack=2, first=True,
    )  # fmt: skip


def tiers_of_ambition(study: Study) -> Table:
    """The quick reference: what MVP, Growth and Enterprise ask for, and what this plan reaches."""
    found = targets(study)
    rows = [
        {"what": one.what, **{name.lower(): text for name, text in one.asked.items()}, "here": one.here, "reached": one.reached}
        for one in found
    ]
    lowest = together(found)
    return Table(
        name="tiers", title=f"All four targets of the quick reference together: {lowest if lowest != 'none' else 'no tier'} is reached", subtitle="Today, every input at its median. The error rates contradict the availabilities when both count requests; the stricter one binds.", frame=frame_of(rows),
        columns=(Column(key="what", header="Target"), Column(key="mvp", header="MVP"), Column(key="growth", header="Growth"), Column(key="enterprise", header="Enterprise"), Column(key="here", header="Here", write=number_text), Column(key="reached", header="Reached")), stack=2,
    )  # fmt: skip
