"""The tables of the plan: tidy numbers in base units, and how a reader sees them. Each takes a study and returns a `Table`."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from perfplan.blocks import Column, Table
from perfplan.checklist import State
from perfplan.findings import first_below, holds_with, lead_time_s, left_of_budget, promise, unit_price
from perfplan.models.capacity import nodes_needed
from perfplan.models.growth import requests_of_month, usual_week
from perfplan.models.slo import DAYS_28, DAYS_30, error_budget_requests, error_budget_s, month_s
from perfplan.plan import concurrency
from perfplan.plan.promises import path_availability
from perfplan.quantity import DAY, FloatArray
from perfplan.scenario import Availability, Cache, Completion, Errors, Latency, Objective, Throughput, Users
from perfplan.scenario.statement import shown
from perfplan.story import due_of, story
from perfplan.sweeps import cache_by_memory, knee, shares_of_latency, wait_by_pool
from perfplan.uncertainty import Study, confidence, limit_of, until
from perfplan.words import (
    change,
    count,
    day_name,
    duration,
    listed,
    money,
    month_name,
    number,
    percent,
    rate,
    share,
    size,
    weeks,
)

HORIZONS = (0, 6, 12, 36)
LEADING, RECOMMENDED = 2.0, 3.0  # headroom multipliers of the checklist


def _month(study: Study, index: float, short: bool = True) -> str:
    return month_name(str(study.scenario.as_of), index, short=short)


def _band(values: FloatArray, month: int) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values[:, month], (0.05, 0.5, 0.95), method="higher")
    return float(low), float(middle), float(high)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def _month_of(study: Study) -> Callable[[Any], str]:
    return lambda index: _month(study, float(index))


# ---- 0: plan ----


def changes(study: Study, before: dict[str, Any] | None) -> Table | None:
    """What changed since an earlier plan.json; None where there is none."""
    if before is None:
        return None
    from perfplan.document import compare, document

    rows = compare(before, document(study))
    moved = f"{len(rows)} number{'s' if len(rows) != 1 else ''} changed since the plan of {before['as_of']}" if rows else f"Nothing changed since the plan of {before['as_of']}"
    return Table(
        name="changes", title=moved, subtitle="Inputs first, then demand, fleet, cost and dates.", frame=_frame(rows or [{"what": "nothing", "then": "", "now": "", "change": ""}]),
        columns=(Column(key="what", header="What"), Column(key="then", header="Then", write=str), Column(key="now", header="Now", write=str), Column(key="change", header="Change", write=str)), stack=3,
    )  # fmt: skip


def orders(study: Study) -> Table:
    """What to order, by when, until it works, and what it costs; what lies after the months asked for is marked."""
    rows = []
    for order in study.fleet.orders:
        for path, (old, new) in order.changes.items():
            lead = lead_time_s(study, path)
            resource = study.worlds.resources[path]
            rows.append({
                "what": f"{resource.label}: {count(old)} → {count(new)}", "order_by": study.order_by(order.month, lead), "works_from": _month(study, order.month),
                "lead_time_s": lead, "cost_month_usd": unit_price(study, path) * (new - old), "asked": "now" if order.month <= study.last else "later",
            })  # fmt: skip
    rows.sort(key=lambda r: (r["order_by"], -r["cost_month_usd"]))
    asked = [r for r in rows if r["asked"] == "now"]
    title = f"{len(asked)} order{'s' if len(asked) != 1 else ''} until {_month(study, study.last, short=False)}; the first is due {day_name(asked[0]['order_by'])}" if asked else f"Nothing has to be ordered until {_month(study, study.last, short=False)}"
    return Table(
        name="orders", title=title, subtitle=f"Last day to order so that every promise holds with {percent(confidence(study.scenario))} confidence; an order lasts {weeks(float(study.scenario.order_ahead_s))} or more.",
        frame=_frame(rows or [{"what": "nothing", "order_by": study.as_of, "works_from": "", "lead_time_s": float("nan"), "cost_month_usd": 0.0, "asked": ""}]),
        columns=(
            Column(key="what", header="Order"), Column(key="order_by", header="Order by", write=day_name), Column(key="works_from", header="Works from", write=str),
            Column(key="lead_time_s", header="Lead time", write=weeks), Column(key="cost_month_usd", header="$ per month", write=lambda v: change(v, money), bar=True), Column(key="asked", header="Asked for"),
        ), stack=2, first=True,
    )  # fmt: skip


def run_outs(study: Study) -> Table:
    """Every resource: what there is, how far it is used, when it runs out, when to order."""
    asked = confidence(study.scenario)
    rows = []
    for out in study.run_outs:
        one = out.resource
        early = out.quantile(1 - asked)
        lead = lead_time_s(study, one.path)
        rows.append({
            "resource": one.label, "count": one.count, "used_now": float(np.median(one.utilization[:, 0])), "used_then": float(np.median(one.utilization[:, study.last])),
            "limit": float(np.median(one.limit)), "p05_month": out.quantile(0.05), "p50_month": out.quantile(0.5), "p95_month": out.quantile(0.95),
            "order_by": day_name(study.order_by(early, lead)) if np.isfinite(early) else "not within the plan",
        })  # fmt: skip
    first = study.run_outs[0]
    title = f"{first.resource.label[0].upper()}{first.resource.label[1:]} run out first, in {_month(study, first.quantile(0.5), short=False)} at the median" if np.isfinite(first.quantile(0.5)) else "In half of all worlds nothing runs out within the plan"
    month = _month_of(study)
    return Table(
        name="run_outs", title=title, subtitle=f"Today's counts; a resource runs out when its utilization at the peak hour passes its limit, N + 1 included. Order by: run-out less lead time, {percent(asked)} confidence.",
        frame=_frame(rows),
        columns=(
            Column(key="resource", header="Resource"), Column(key="used_now", header="Used now", write=share),
            Column(key="used_then", header=f"Used {_month(study, study.last)}", write=lambda v: share(v) if np.isfinite(v) else "saturated", broken=lambda v: v > 1),
            Column(key="limit", header="Limit", write=share), Column(key="p05_month", header="Runs out P5", write=month), Column(key="p50_month", header="P50", write=month),
            Column(key="p95_month", header="P95", write=month), Column(key="order_by", header="Order by", write=str),
        ), stack=3, first=True,
    )  # fmt: skip


def needed(study: Study) -> Table:
    """What each world would need for utilization and N + 1: a band, never a purchase."""
    months = (0, 6, 12, 24, 36)
    rows = []
    for path, one in study.worlds.resources.items():
        if one.field not in ("instances", "workers", "replicas", "connections"):
            continue
        steady, spare = limit_of(study.scenario.tiers[one.tier], one.field)
        used = np.where(np.isfinite(one.utilization), one.utilization, np.nan)
        want = nodes_needed(used * one.count, 1.0, steady, spare)
        row: dict[str, Any] = {"resource": one.label, "today": one.count, "plan": study.fleet.counts_at(study.last).get(path, one.count)}
        for m in months:
            column = want[:, m]
            known = np.isfinite(column).mean() > 0.99
            row[f"month_{m}"] = f"{count(np.nanquantile(column, 0.5))} ({count(np.nanquantile(column, 0.05))} … {count(np.nanquantile(column, 0.95))})" if known else "saturated elsewhere"
        rows.append(row)
    heads = tuple(Column(key=f"month_{m}", header=_month(study, m), write=str) for m in months)
    return Table(
        name="needed", title="What single worlds would need is a band; the plan buys what is enough in all but few of them", subtitle="Counts for the utilization limit and N + 1: P50 (P5 … P95) by month, with today's other counts. Latency may ask for more: see the orders.",
        frame=_frame(rows), columns=(Column(key="resource", header="Resource"), Column(key="today", header="Today", write=count), *heads, Column(key="plan", header=f"Plan {_month(study, study.last)}", write=count)), stack=3,
    )  # fmt: skip


def costs(study: Study) -> Table:
    """Cost per month by tier, today's fleet, and with the plan."""
    last = study.last
    rows = [{"tier": name, **{f"month_{m}": float(np.median(usd[:, m])) for m in (*HORIZONS[:1], last, 36)}} for name, usd in study.worlds.cost_usd.items()]
    rows.sort(key=lambda r: -float(r[f"month_{last}"]))
    total = {"tier": "all, today's fleet", **{f"month_{m}": float(np.median(study.worlds.cost_month_usd[:, m])) for m in (0, last, 36)}}
    planned = {"tier": "all, with the plan", **{f"month_{m}": float(np.median(study.fleet.cost_usd[:, m])) for m in (0, last, 36)}}
    dearest = rows[0]
    part = dearest[f"month_{last}"] / max(total[f"month_{last}"], 1e-9)
    return Table(
        name="costs", title=f"{str(dearest['tier'])[0].upper()}{str(dearest['tier'])[1:]} is {share(part, 2)} of the cost in {_month(study, last, short=False)}", subtitle="Median cost per month in US dollars at list prices, no discounts.",
        frame=_frame([planned, total, *rows]), columns=(Column(key="tier", header="Tier"), *(Column(key=f"month_{m}", header=f"$ {_month(study, m)}", write=money, bar=m == last) for m in dict.fromkeys((0, last, 36)))), stack=3, first=True,
    )  # fmt: skip


# ---- 1: requirements ----


def demand(study: Study) -> Table:
    """Peak rates, users, requests in flight, bandwidth and storage, now and at 6, 12 and 36 months."""
    made = study.worlds
    users, flying = concurrency(made)
    stored = sum(made.stored_bytes.values(), np.zeros(made.rps.shape))
    lines = (
        ("peak hour", made.rps, rate), ("peak second", made.second_rps, rate), ("concurrent users", users, number), ("requests in flight", flying, number),
        ("bandwidth out", made.sent_bytes, lambda v: f"{size(v)}/s"), ("bandwidth in", made.received_bytes, lambda v: f"{size(v)}/s"),
        ("from the edge", made.edge_bytes, lambda v: f"{size(v)}/s"), ("data stored", stored, size),
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for name, values, write in lines:
        if not np.any(np.nan_to_num(values, posinf=1.0)):
            continue
        row: dict[str, Any] = {"what": name}
        for m in HORIZONS:
            low, middle, high = _band(values, m)
            row[f"month_{m}"] = f"{write(middle)} ({write(low)} … {write(high)})" if np.isfinite(middle) else "saturated"
            row[f"month_{m}_p50"] = middle
        rows.append(row)
    factor = float(np.median(made.rps[:, 12] / made.rps[:, 0]))
    return Table(
        name="demand", title=f"In a year the peak hour is {number(factor)} times today's, events included", subtitle="P50 (P5 … P95) over all worlds, at the busiest hour of the month.", frame=_frame(rows),
        columns=(Column(key="what", header="At the peak"), *(Column(key=f"month_{m}", header=_month(study, m), write=str) for m in HORIZONS)), stack=2, first=True,
    )  # fmt: skip


def rates(study: Study) -> Table:
    """Peak rates by journey and tier through their visit counts, at the median."""
    made = study.middle
    rows = [{"what": f"journey {n}", **{f"month_{m}": float(np.broadcast_to(v, made.rps.shape)[0, m]) for m in HORIZONS}} for n, v in made.carried.journey_rps.items()]
    rows += [{"what": f"tier {n}", **{f"month_{m}": float(np.broadcast_to(v, made.rps.shape)[0, m]) for m in HORIZONS}} for n, v in made.carried.calls_rps.items()]
    busiest = max(made.carried.calls_rps, key=lambda n: float(np.broadcast_to(made.carried.calls_rps[n], made.rps.shape)[0, 0]))
    return Table(
        name="rates", title=f"{busiest[0].upper()}{busiest[1:]} gets the most calls: {number(float(np.broadcast_to(made.carried.calls_rps[busiest], made.rps.shape)[0, 0]) / float(made.rps[0, 0]))} for each request",
        subtitle="Requests or calls per second at the peak hour, every input at its median.", frame=_frame(rows),
        columns=(Column(key="what", header="Journey or tier"), *(Column(key=f"month_{m}", header=f"{_month(study, m)}, /s", write=number, bar=m == 0) for m in HORIZONS)), stack=4,
    )  # fmt: skip


def objectives(study: Study) -> Table:
    """Every promise: rule, probability now and later, until when it holds."""
    rows = []
    for name, judged in study.worlds.judged.items():
        p, asked = holds_with(study, name)
        last = min(until(judged.objective), p.size - 1)
        start = first_below(p, asked)
        also = ""
        if isinstance(judged.objective, Latency) and judged.also is not None:
            other = judged.also <= np.asarray(judged.bound) * (1 + 1e-9)
            also = f"{percent(float(other[:, last].mean()))} over {'28 days' if judged.objective.over == 'peak hour' else 'the peak hour'}"
        rows.append({"objective": name, "promise": promise(name, judged.objective), "asked": asked, "p_now": float(p[0]), "p_last": float(p[last]), "holds_until": start - 1, "also": also})
    rows.sort(key=lambda r: (r["holds_until"], r["p_last"]))
    broken = [r for r in rows if r["p_last"] < r["asked"]]
    title = f"{len(broken)} of {len(rows)} promises do not hold to {_month(study, study.last, short=False)} with today's fleet" if broken else f"All {len(rows)} promises hold to {_month(study, study.last, short=False)}"
    return Table(
        name="objectives", title=title, subtitle="Probability over all worlds that a promise holds in a month, today's fleet. Last column: the same promise judged the other way.", frame=_frame(rows),
        columns=(
            Column(key="objective", header="Objective"), Column(key="promise", header="Promise"), Column(key="asked", header="Asked", write=percent), Column(key="p_now", header="P now", write=percent),
            Column(key="p_last", header=f"P {_month(study, study.last)}", write=percent, bar=True, broken=lambda v: v < confidence(study.scenario)),
            Column(key="holds_until", header="Holds until", write=lambda v: "not now" if v < 0 else "end of plan" if not np.isfinite(v) else _month(study, v)), Column(key="also", header="Judged the other way", write=str),
        ), stack=2, first=True,
    )  # fmt: skip


def indicators(study: Study) -> Table:
    """What is measured for each promise: the event, what is good, where it is counted."""
    rows = [{"objective": n, **_indicator(o)} for n, o in study.scenario.objectives.items()]
    return Table(
        name="indicators", title="Each promise says what is counted, and what is good", subtitle="Definition of the service level indicator of each objective.", frame=_frame(rows),
        columns=(Column(key="objective", header="Objective"), Column(key="event", header="Event"), Column(key="good", header="Good"), Column(key="where", header="Counted at")), stack=1,
    )  # fmt: skip


def _indicator(objective: Objective) -> dict[str, str]:
    if isinstance(objective, Latency):
        return {"event": f"a request of {objective.journey}", "good": f"answered within {duration(float(np.median(objective.below_s)))}, round trip included", "where": "the user (real user monitoring), or the balancer plus the round trip"}
    if isinstance(objective, Availability | Errors):
        return {"event": f"a request of {objective.journey}", "good": "answered, and not with an error of the server's (5xx, time-out)", "where": "the load balancer"}
    if isinstance(objective, Throughput):
        return {"event": "a second of the peak hour", "good": "no station that a request waits for is saturated", "where": "utilization of threads, cores and connections"}
    if isinstance(objective, Users):
        return {"event": "a load test at that many users", "good": "every latency objective of the peak hour holds", "where": "the load generator"}
    assert isinstance(objective, Completion)
    return {"event": f"a job of {objective.queue}", "good": f"done within {duration(float(np.median(objective.below_s)))} of being published", "where": "the worker: end of work less time of publishing"}


def budgets(study: Study) -> Table:
    """Error budgets in time and in requests, what is predicted to be left, and when deployments freeze."""
    rows = []
    year, month = study.as_of.year, study.as_of.month
    week = study.scenario.week if study.scenario.week is not None else usual_week()
    peak = float(study.middle.rps[0, 0])
    for name, judged in study.worlds.judged.items():
        objective = judged.objective
        if not isinstance(objective, Latency | Availability | Errors):
            continue
        target = 1 - float(np.median(judged.bound))
        part = float(np.median(np.broadcast_to(study.middle.carried.journey_rps[objective.journey], (1, study.middle.rps.shape[1]))[0, 0])) / peak
        left = float(np.median(left_of_budget(judged)[:, 0]))
        timed = isinstance(objective, Availability)
        rows.append({
            "objective": name, "target": target, "budget_28_days_s": float(error_budget_s(target, DAYS_28)) if timed else float("nan"), "budget_30_days_s": float(error_budget_s(target, DAYS_30)) if timed else float("nan"),
            "budget_month_s": float(error_budget_s(target, month_s(year, month))) if timed else float("nan"),
            "requests_28_days": float(error_budget_requests(target, float(requests_of_month(peak * part, week, 28)))), "requests_30_days": float(error_budget_requests(target, float(requests_of_month(peak * part, week, 30)))),
            "requests_month": float(error_budget_requests(target, float(requests_of_month(peak * part, week, month_s(year, month) / DAY)))), "left": left, "freeze_at": float(np.median(study.scenario.freeze_at)),
        })  # fmt: skip
    low = min(rows, key=lambda r: float(r["left"]), default=None)
    title = f"{str(low['objective'])[0].upper()}{str(low['objective'])[1:]} spends most: {share(max(float(low['left']), 0.0), 2)} of its budget would be left" if low else "No promise has an error budget"
    name = f"{calendar.month_name[month]} {year}"
    return Table(
        name="budgets", title=title, subtitle=f"Budget in time for availability, in requests for all; left: predicted at today's load. Deployments freeze at {share(float(np.median(study.scenario.freeze_at)))} left.", frame=_frame(rows or [{k: float("nan") for k in ("target", "budget_28_days_s", "budget_30_days_s", "budget_month_s", "requests_28_days", "requests_30_days", "requests_month", "left")} | {"objective": "none"}]),
        columns=(
            Column(key="objective", header="Objective"), Column(key="target", header="Good at least", write=share), Column(key="budget_28_days_s", header="28 days", write=duration), Column(key="budget_30_days_s", header="30 days", write=duration),
            Column(key="budget_month_s", header=name, write=duration), Column(key="requests_28_days", header="Requests in 28 days", write=number), Column(key="requests_30_days", header="in 30 days", write=number), Column(key="requests_month", header=f"in {name}", write=number),
            Column(key="left", header="Left", write=lambda v: share(v) if v >= 0 else "overspent", broken=lambda v: v < 0),
        ), stack=3,
    )  # fmt: skip


def headroom(study: Study) -> Table:
    """The checklist's multipliers against the load at which each promise really breaks."""
    found = knee(study.scenario)
    rows = [{"what": name, "load_rps": load, "multiple": load / found.peak_rps} for name, load in found.objectives.items()]
    rows.sort(key=lambda r: float(r["multiple"]))
    rows.append({"what": "peak second of today", "load_rps": found.peak_rps * float(study.scenario.traffic.peak_second), "multiple": float(study.scenario.traffic.peak_second)})
    rows += [{"what": f"{m:g} times, {w} of the checklist", "load_rps": m * found.peak_rps, "multiple": m} for m, w in ((LEADING, "minimum"), (RECOMMENDED, "recommendation"))]
    return Table(
        name="headroom", title=f"The objectives break at {number(found.rps / found.peak_rps)} times today's peak; a factor of 2 or 3 would not have said so" if np.isfinite(found.rps) else "No load that was tried breaks an objective",
        subtitle="Highest load at the peak hour at which each objective holds, today's fleet, every input at its median.", frame=_frame(rows),
        columns=(Column(key="what", header="Promise or rule"), Column(key="load_rps", header="Load", write=lambda v: "any that was tried" if not np.isfinite(v) else "none" if v == 0 else rate(v)), Column(key="multiple", header="Times today's peak", write=lambda v: number(v) if np.isfinite(v) else "–", bar=True)), stack=2, first=True,
    )  # fmt: skip


def tiers_of_ambition(study: Study) -> Table:
    """The quick reference: what MVP, Growth and Enterprise ask for, and what this plan reaches."""
    worst = max(float(ps[0.95][0, 0]) for ps in study.middle.percentile_s.values())
    up = min(float(path_availability(study.middle.scenario, study.middle.carried, n)[0, 0]) for n in study.scenario.journeys)
    hits = [float(np.median(h)) for h in study.middle.carried.hit_ratio.values()]
    rows = [
        {"what": "p95 of the slowest journey", "mvp": "below 500 ms", "growth": "below 300 ms", "enterprise": "below 150 ms", "here": duration(worst), "reached": _tier(worst, (0.15, 0.3, 0.5))},
        {"what": "error rate of the worst journey", "mvp": "below 1 %, bound to 0.1 % by the availability", "growth": "below 0.1 %, bound to 0.05 %", "enterprise": "below 0.01 %", "here": share(1 - up), "reached": _tier(1 - up, (1e-4, 5e-4, 1e-3))},
        {"what": "availability of the worst journey", "mvp": "99.9 %", "growth": "99.95 %", "enterprise": "99.99 %", "here": share(up), "reached": _tier(1 - up, (1e-4, 5e-4, 1e-3))},
    ]
    if hits:
        rows.append({"what": "cache hit ratio", "mvp": "over 80 %", "growth": "over 90 %", "enterprise": "over 95 %", "here": share(min(hits)), "reached": _tier(1 - min(hits), (0.05, 0.1, 0.2))})
    lowest = min((str(r["reached"]) for r in rows), key=("none", "MVP", "Growth", "Enterprise").index)
    return Table(
        name="tiers", title=f"All four targets of the quick reference together: {lowest if lowest != 'none' else 'no tier'} is reached", subtitle="Today, every input at its median. The error rates contradict the availabilities when both count requests; the stricter one binds.", frame=_frame(rows),
        columns=(Column(key="what", header="Target"), Column(key="mvp", header="MVP"), Column(key="growth", header="Growth"), Column(key="enterprise", header="Enterprise"), Column(key="here", header="Here", write=str), Column(key="reached", header="Reached")), stack=2,
    )  # fmt: skip


def _tier(value: float, bounds: tuple[float, float, float]) -> str:
    return next((name for name, bound in zip(("Enterprise", "Growth", "MVP"), bounds, strict=True) if value < bound), "none")


# ---- 2: architecture ----


def latencies(study: Study) -> Table:
    """p50, p95 and p99 of each journey: now and in the last month asked for, today's fleet."""
    rows = []
    for name, ps in study.worlds.percentile_s.items():
        row: dict[str, Any] = {"journey": name}
        for p, values in ps.items():
            for label, m in (("now", 0), ("then", study.last)):
                low, middle, high = _band(values, m)
                row[f"p{p * 100:g}_{label}_s"] = middle
                row[f"p{p * 100:g}_{label}"] = f"{duration(middle)} ({duration(low)} … {duration(high)})" if np.isfinite(middle) else "saturated"
        rows.append(row)
    slowest = max(rows, key=lambda r: float(r["p95_now_s"]))
    heads = [(f"p{p * 100:g}_{label}", f"p{p * 100:g} {_month(study, m)}") for p in (0.5, 0.95, 0.99) for label, m in (("now", 0), ("then", study.last))]
    return Table(
        name="latencies", title=f"{str(slowest['journey'])[0].upper()}{str(slowest['journey'])[1:]} is the slowest journey: p95 {duration(float(slowest['p95_now_s']))} at today's peak", subtitle="P50 (P5 … P95) over all worlds of each percentile, as the user sees it: round trip, waits and service. Parts along a path are taken as independent.",
        frame=_frame(rows), columns=(Column(key="journey", header="Journey"), *(Column(key=k, header=h, write=str) for k, h in heads)), stack=2,
    )  # fmt: skip


def bottlenecks(study: Study) -> Table:
    """Where the time of each journey goes on average, and where it waits."""
    rows = []
    for journey, parts in shares_of_latency(study).items():
        total = sum(w + s for w, s in parts.values())
        rows += [{"journey": journey, "tier": tier, "wait_s": w, "service_s": s, "share": (w + s) / total} for tier, (w, s) in parts.items() if (w + s) / total > 0.001]
    rows.sort(key=lambda r: -float(r["share"]))
    top = rows[0]
    return Table(
        name="bottlenecks", title=f"The largest part of a {top['journey']} request is {top['tier']}: {share(float(top['share']), 2)} of its mean time", subtitle="Mean time of one request in each tier at today's peak, at the median. Means add; percentiles do not.", frame=_frame(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="tier", header="Tier", write=str), Column(key="wait_s", header="Waiting", write=duration), Column(key="service_s", header="Being served", write=duration), Column(key="share", header="Share of the mean", write=share, bar=True)), stack=2,
    )  # fmt: skip


def breakpoints(study: Study) -> Table:
    """Where each resource reaches its limit and where it saturates, as the load grows."""
    found = knee(study.scenario)
    rows = [{"resource": path.removeprefix("tiers.").replace(".", " "), "limit_rps": found.resources[path], "saturated_rps": load, "multiple": load / found.peak_rps} for path, load in found.saturated.items()]
    rows.sort(key=lambda r: float(r["saturated_rps"]))
    return Table(
        name="breakpoints", title=f"{str(rows[0]['resource'])[0].upper()}{str(rows[0]['resource'])[1:]} saturate first, at {number(float(rows[0]['multiple']))} times today's peak", subtitle="Load of the whole service at which each resource reaches its planned limit and full use, today's fleet, at the median. A service whose threads wait for a saturated tier saturates with it.", frame=_frame(rows),
        columns=(Column(key="resource", header="Resource"), *(Column(key=k, header=h, write=lambda v: rate(v) if np.isfinite(v) else "beyond 8 times") for k, h in (("limit_rps", "Limit at"), ("saturated_rps", "Saturated at"))), Column(key="multiple", header="Times today's peak", write=lambda v: number(v) if np.isfinite(v) else "–")), stack=3, first=True,
    )  # fmt: skip


def availabilities(study: Study) -> Table:
    """Availability of each journey, composed from its tiers."""
    made = study.middle
    rows = []
    for name in study.scenario.journeys:
        up = float(path_availability(made.scenario, made.carried, name)[0, 0])
        rows.append({"journey": name, "availability": up, "down_30_days_s": float(error_budget_s(up, DAYS_30))})
    rows.sort(key=lambda r: float(r["availability"]))
    return Table(
        name="availabilities", title=f"{str(rows[0]['journey'])[0].upper()}{str(rows[0]['journey'])[1:]} is the least available journey: {share(float(rows[0]['availability']))}", subtitle="Tiers in series, each for the share of requests that reach it; instances N of M needed at the peak. Independent failures.", frame=_frame(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="availability", header="Availability", write=share), Column(key="down_30_days_s", header="Down in 30 days", write=duration)), stack=2,
    )  # fmt: skip


def caches(study: Study) -> Table:
    """What memory does: hit ratio, load on the origin, p99, for every cache whose hit ratio is computed."""
    rows = []
    for name, tier in study.scenario.tiers.items():
        if isinstance(tier, Cache) and tier.hit_ratio is None:
            swept = cache_by_memory(study, name)
            for i in np.searchsorted(swept["memory_bytes"], float(tier.memory_bytes * tier.instances) * np.array([0.25, 0.5, 1, 2, 3.9])).clip(0, 24):
                rows.append({"cache": name, **{k: float(v[i]) for k, v in swept.items()}})
    here = next((r for r in rows[2::5]), None)
    title = f"{str(here['cache'])[0].upper()}{str(here['cache'])[1:]} hits {share(float(here['hit_ratio']))} with what there is" if here else "No cache whose hit ratio follows from its size"
    return Table(
        name="caches", title=title, subtitle="LRU under Zipf popularity (Che's characteristic time), today's peak, at the median.", frame=_frame(rows or [{"cache": "none", "memory_bytes": float("nan"), "hit_ratio": float("nan"), "origin_rps": float("nan"), "p99_s": float("nan")}]),
        columns=(Column(key="cache", header="Cache"), Column(key="memory_bytes", header="Memory, all nodes", write=size), Column(key="hit_ratio", header="Hit ratio", write=share, bar=True), Column(key="origin_rps", header="Calls to the origin", write=rate), Column(key="p99_s", header="p99, slowest journey", write=duration)), stack=2,
    )  # fmt: skip


# ---- 3: implementation ----


def pools(study: Study) -> Table:
    """Waits for a pooled connection by pool size, today and in the last month asked for."""
    rows = []
    for name, tier in study.scenario.tiers.items():
        if (name, "connections") in study.middle.carried.stations:
            swept = wait_by_pool(study, name)
            now = float(tier.connections)  # type: ignore[union-attr]
            for wanted in dict.fromkeys(round(now * f) for f in (0.5, 0.75, 1, 1.25, 1.5, 2)):
                i = int(np.searchsorted(swept["connections"], wanted))
                if i < len(swept["connections"]):
                    rows.append({"database": name, **{k: float(v[i]) for k, v in swept.items()}})
    return Table(
        name="pools", title="A pool is large enough where nobody waits; beyond that it only costs memory" if rows else "No connection pool in this scenario", subtitle=f"Wait for a connection (M/M/c) at today's peak and in {_month(study, study.last, short=False)}, at the median.",
        frame=_frame(rows or [{"database": "none"} | dict.fromkeys(("connections", "today_mean_s", "today_p99_s", "later_mean_s", "later_p99_s"), float("nan"))]),
        columns=(Column(key="database", header="Database"), Column(key="connections", header="Connections", write=count), Column(key="today_mean_s", header="Mean wait", write=duration), Column(key="today_p99_s", header="p99 wait", write=duration), Column(key="later_mean_s", header=f"Mean {_month(study, study.last)}", write=duration), Column(key="later_p99_s", header=f"p99 {_month(study, study.last)}", write=duration)), stack=2,
    )  # fmt: skip


def stations(study: Study) -> Table:
    """Every station as it is modelled: rate, service, servers, utilization, wait."""
    rows = []
    shape = study.middle.rps.shape
    for (tier, bought_field), s in study.middle.carried.stations.items():
        first = {k: float(np.broadcast_to(np.asarray(v, dtype=float), shape)[0, 0]) for k, v in (("rate_rps", s.arrival_rps), ("service_s", s.service_s), ("servers", s.servers), ("utilization", s.utilization), ("prob_wait", s.prob_wait), ("mean_wait_s", s.mean_wait_s))}
        rows.append({"station": f"{tier} {'threads of one instance' if bought_field == 'instances' else bought_field}", **first})
    rows.sort(key=lambda r: -float(r["utilization"]))
    return Table(
        name="stations", title=f"{str(rows[0]['station'])[0].upper()}{str(rows[0]['station'])[1:]} are the busiest station: {share(float(rows[0]['utilization']))}" if rows else "No station in this scenario", subtitle="M/M/c per node at its share of the load, today's peak, at the median. Exact for random balancing and exponential service.", frame=_frame(rows),
        columns=(Column(key="station", header="Station"), Column(key="rate_rps", header="Arrivals", write=rate), Column(key="service_s", header="Held per call", write=duration), Column(key="servers", header="Servers", write=count), Column(key="utilization", header="Utilization", write=share, bar=True), Column(key="prob_wait", header="P(wait)", write=share), Column(key="mean_wait_s", header="Mean wait", write=duration)), stack=3,
    )  # fmt: skip


def jobs(study: Study) -> Table:
    """Broker queues: jobs, workers, lag."""
    rows = []
    shape = study.middle.rps.shape
    for (tier, bought_field), s in study.middle.carried.stations.items():
        if bought_field == "workers":
            for m in (0, study.last):
                at = {k: float(np.broadcast_to(np.asarray(v, dtype=float), shape)[0, m]) for k, v in (("jobs_rps", s.arrival_rps), ("workers", s.servers), ("utilization", s.utilization), ("lag_s", s.mean_wait_s), ("p99_s", s.response_quantile_s(0.99)))}
                rows.append({"queue": tier, "month": m, **at})
    return Table(
        name="jobs", title="Jobs wait only while workers are saturated" if rows else "No queue in this scenario", subtitle="Workers as M/M/c at the peak hour, at the median: lag is the mean wait of a job, done the 99th percentile from publishing to the end.",
        frame=_frame(rows or [{"queue": "none"} | dict.fromkeys(("month", "jobs_rps", "workers", "utilization", "lag_s", "p99_s"), float("nan"))]),
        columns=(Column(key="queue", header="Queue"), Column(key="month", header="Month", write=_month_of(study)), Column(key="jobs_rps", header="Jobs", write=rate), Column(key="workers", header="Workers", write=count), Column(key="utilization", header="Utilization", write=share), Column(key="lag_s", header="Lag", write=duration), Column(key="p99_s", header="p99 done", write=duration)), stack=3,
    )  # fmt: skip


# ---- 4 to 6: testing, monitoring, optimization ----


def stages(study: Study) -> Table:
    """Load-test stages around the predicted knee."""
    found = knee(study.scenario)
    last = float(np.quantile(study.worlds.rps[:, study.last], 0.95))
    limit = found.rps if np.isfinite(found.rps) else 3 * found.peak_rps
    rows = [
        {"stage": "smoke", "load_rps": max(1.0, 0.01 * found.peak_rps), "proves": "every journey answers"},
        {"stage": "load", "load_rps": found.peak_rps, "proves": "every promise holds at today's peak hour"},
        {"stage": "spike", "load_rps": found.peak_rps * float(study.scenario.traffic.peak_second), "proves": "the busiest second is carried, and what queued drains"},
        {"stage": "stress", "load_rps": limit * 1.2, "proves": "the first promise breaks where the plan says"},
        {"stage": "soak", "load_rps": 0.8 * found.peak_rps, "proves": "nothing leaks in hours"},
        {"stage": "next year", "load_rps": last, "proves": f"the fleet of {_month(study, study.last)} carries P95 of its demand"},
    ]
    return Table(
        name="stages", title=f"A test proves the plan if the first promise breaks near {rate(limit)}", subtitle="Arrival rates for an open load generator; the knee is the highest load at which every promise holds, at the median.", frame=_frame(rows),
        columns=(Column(key="stage", header="Stage"), Column(key="load_rps", header="Rate", write=rate, bar=True), Column(key="proves", header="What it proves")), stack=1,
    )  # fmt: skip


def predictions(study: Study) -> Table:
    """What a load test should measure, stage by stage: the prediction that is to be proved wrong."""
    from perfplan.models.latency import percentiles_s
    from perfplan.plan.paths import carry

    found = knee(study.scenario)
    limit = found.rps if np.isfinite(found.rps) else 3 * found.peak_rps
    loads = np.array([0.5 * found.peak_rps, found.peak_rps, 0.9 * limit, limit])[None, :]
    state = carry(study.scenario, loads)
    rows = []
    for name, path in state.journeys.items():
        p50, p95, p99 = percentiles_s(path, (0.5, 0.95, 0.99), loads.shape)
        rows += [{"journey": name, "load_rps": float(loads[0, i]), "p50_s": float(p50[0, i]), "p95_s": float(p95[0, i]), "p99_s": float(p99[0, i])} for i in range(loads.size)]
    return Table(
        name="predictions", title="What a test should measure, written down before it is run", subtitle="Response times as the user sees them, every input at its median, today's fleet.", frame=_frame(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="load_rps", header="Rate", write=rate), *(Column(key=f"{p}_s", header=p, write=duration) for p in ("p50", "p95", "p99"))), stack=2,
    )  # fmt: skip


def burn_rates(study: Study) -> Table:
    """Burn-rate alerts for a window of 30 days: factor, windows, and how much budget is gone when they fire."""
    rows = []
    for name, judged in study.worlds.judged.items():
        if isinstance(judged.objective, Latency | Availability):
            bound = float(np.median(judged.bound))
            for spent, hours, urgency in ((0.02, 1, "page"), (0.05, 6, "page"), (0.10, 72, "ticket")):
                factor = spent * 30 * 24 / hours
                rows.append({"objective": name, "urgency": urgency, "spent": spent, "window_s": hours * 3600.0, "factor": factor, "bad_share": min(factor * bound, 1.0), "possible": factor * bound < 1})
    dead = [r for r in rows if not r["possible"]]
    title = f"{len(dead)} alerts could never fire: their promise allows too much" if dead else "Every alert can fire"
    return Table(
        name="burn_rates", title=title if rows else "No promise to watch", subtitle="Factor = budget spent x window of 30 days / alert window (2 % in 1 h, 5 % in 6 h, 10 % in 3 days).",
        frame=_frame(rows or [{"objective": "none", "urgency": ""} | dict.fromkeys(("spent", "window_s", "factor", "bad_share"), float("nan"))]),
        columns=(Column(key="objective", header="Objective"), Column(key="urgency", header="Urgency"), Column(key="spent", header="Budget spent", write=share), Column(key="window_s", header="In", write=duration), Column(key="factor", header="Burn rate", write=number), Column(key="bad_share", header="Bad requests", write=lambda v: share(v) if v < 1 else "never fires")), stack=3,
    )  # fmt: skip


def watch(study: Study) -> Table:
    """What to watch: the utilization at which each resource must be ordered, against the usual alert thresholds."""
    rows = []
    for out in study.run_outs:
        one = out.resource
        rows.append({"resource": one.label, "now": float(np.median(one.utilization[:, 0])), "limit": float(np.median(one.limit)), "usual": 0.9 if "storage" in one.field else 0.8, "earlier": float(np.median(one.limit)) < (0.9 if "storage" in one.field else 0.8)})
    early = [r for r in rows if r["earlier"]]
    return Table(
        name="watch", title=f"{len(early)} of {len(rows)} resources must be watched below the usual alert threshold", subtitle="Utilization today, the limit this plan works with, and the threshold that checklists name (80 %; disks 90 %).", frame=_frame(rows),
        columns=(Column(key="resource", header="Resource"), Column(key="now", header="Today", write=share, bar=True), Column(key="limit", header="Limit of the plan", write=share), Column(key="usual", header="Usual alert", write=share)), stack=3,
    )  # fmt: skip


def options(study: Study) -> Table:
    """Options in the same worlds, ranked by P, then by months gained."""
    rows = [{
        "option": t.name, "p_all": t.p_all, "months_gained": t.months_gained, "p95_change_s": t.p95_change_s, "cost_change_usd": t.cost_change_usd,
        "price_usd": t.price_usd, "effort_s": t.effort_s, "lead_time_s": t.lead_time_s, "by": "proposed" if t.proposed else "stated" if t.overrides else "",
    } for t in study.options]  # fmt: skip
    asked = confidence(study.scenario)
    best = study.options[0]
    title = f"{best.name[0].upper()}{best.name[1:]} reaches {percent(best.p_all)} in {_month(study, study.last, short=False)}" if best.overrides else "No option is better than doing nothing"
    return Table(
        name="options", title=title, subtitle=f"Planned in the same worlds. P: every promise holds in {_month(study, study.last, short=False)}; months gained until P falls below {percent(asked)}; ms: mean over journeys of p95 at today's load. Hollow bars: less than asked for.", frame=_frame(rows),
        columns=(
            Column(key="option", header="Option"), Column(key="p_all", header=f"P {_month(study, study.last)}", write=percent, bar=True, hollow=lambda v: v < asked), Column(key="months_gained", header="Months gained", write=lambda v: change(v, count)),
            Column(key="p95_change_s", header="p95, ms", write=lambda v: change(round(v * 1e3, 1))), Column(key="cost_change_usd", header="$ per month", write=lambda v: change(round(v), money)), Column(key="price_usd", header="One-off", write=money), Column(key="effort_s", header="Effort", write=lambda v: weeks(v) if v else "–"), Column(key="by", header="From"),
        ), stack=3, first=True,
    )  # fmt: skip


def sensitivities(study: Study) -> Table:
    """What each uncertain input moves."""
    rows = [{"input": m.path, "months": m.months, "cost_usd": m.cost_usd} for m in study.moved]
    top = study.moved[0] if study.moved else None
    return Table(
        name="sensitivities", title=f"{top.path} moves the first broken promise most: measure it again first" if top else "No input is uncertain", subtitle=f"Mean over worlds where the input is in its upper third, less its lower third: months until a promise breaks, and cost in {_month(study, study.last, short=False)}.",
        frame=_frame(rows or [{"input": "none", "months": float("nan"), "cost_usd": float("nan")}]), columns=(Column(key="input", header="Input"), Column(key="months", header="Months", write=lambda v: change(round(v, 1)), bar=True), Column(key="cost_usd", header="$ per month", write=lambda v: change(round(v), money))), stack=2,
    )  # fmt: skip


# ---- trust, assumptions, checklist ----


def assumptions(study: Study) -> Table:
    """Every input: value, interval, default or stated, source, and what it moves."""
    moved = {m.path: m.months for m in study.moved}
    rows = []
    for entry in study.statement.entries.values():
        if entry.path.startswith(("options.", "answers.")) or entry.path in ("name", "currency"):
            continue
        value, interval = shown(entry)
        source = f"{entry.source}: {entry.where}" + (f"; {entry.beside}" if entry.beside else "")
        rows.append({"input": entry.path, "value": value, "interval": interval or "certain", "source": source, "months": moved.get(entry.path, 0.0), "meaning": entry.declared.help})
    rows.sort(key=lambda r: -abs(float(r["months"])))
    uncertain = sum(r["interval"] != "certain" for r in rows)
    defaults = sum(str(r["source"]).startswith("default") for r in rows)
    return Table(
        name="assumptions", title=f"{len(rows)} inputs, {uncertain} of them uncertain, {defaults} left at their defaults", subtitle="Sorted by how far they move the first broken promise (months between upper and lower third). An interval is the middle 90 %.", frame=_frame(rows),
        columns=(Column(key="input", header="Input"), Column(key="value", header="Value", write=str), Column(key="interval", header="P5 … P95", write=str), Column(key="source", header="Source"), Column(key="months", header="Moves, months", write=lambda v: change(round(v, 1)))), stack=2,
    )  # fmt: skip


def items(states: list[State], phase: str) -> Table:
    """The items of one phase (its first letter, such as "1") with answer and verdict."""
    chosen = [s for s in states if s.item.phase.startswith(phase) and s.item.counts]
    rows = [{"item": f"{s.item.id} {s.item.text}", "answer": s.answer, "verdict": s.verdict, "text": s.text} for s in sorted(chosen, key=lambda s: s.answer == "none")]
    answered = sum(s.answer != "none" for s in chosen)
    not_met = sum(s.verdict == "not met" for s in chosen)
    return Table(
        name=f"items_{phase}", title=f"{answered} of {len(chosen)} items of this phase have an answer; {not_met} are not met", subtitle="Answer and verdict are decided by code from this plan; what is unanswered says what it needs.", frame=_frame(rows),
        columns=(Column(key="item", header="Item"), Column(key="answer", header="Answer"), Column(key="verdict", header="Verdict", broken=lambda v: v == "not met"), Column(key="text", header="What")), stack=2,
    )  # fmt: skip


def fields() -> list[dict[str, str]]:
    """The reference of all fields, from their declarations: for the docs."""
    from perfplan.schema import all_fields

    return all_fields()


def decision(study: Study) -> str:
    """The decision that is asked for."""
    return story(study).decision


def next_orders(study: Study) -> str:
    """The next order in words."""
    found = [due_of(study, o) for o in study.fleet.orders if o.month <= study.last]
    return listed([f"{text} by {due}" for text, due, _ in found])


