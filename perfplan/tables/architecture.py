"""Tables of architecture and implementation: latency, bottlenecks, caches, pools, stations, jobs."""

from __future__ import annotations

from typing import Any

import numpy as np

from perfplan.blocks import Column, Table
from perfplan.models.queueing import MMc
from perfplan.models.slo import DAYS_30, error_budget_s
from perfplan.plan.uptime import path_availability
from perfplan.quantity import FloatArray
from perfplan.study import Study
from perfplan.study.ladder import ladder
from perfplan.study.sweeps import (
    NOWHERE,
    TAIL,
    TRIED,
    WhatIf,
    by_memory,
    flat_percentiles,
    parts_of_the_tail,
    shares_of_latency,
    slowest_part,
    todays_knee,
    wait_by_pool,
)
from perfplan.study.sweeps import pools as pools_of
from perfplan.study.sweeps import what_ifs as tried
from perfplan.tables.common import band_of, frame_of, month_writer, named_month, number_text, of_field
from perfplan.tiers import bought_of
from perfplan.tiers.place import Place
from perfplan.words import (
    band,
    capital,
    change,
    count,
    duration,
    money,
    number,
    rate,
    share,
    size,
)


def latencies(study: Study) -> Table:
    """p50, p95 and p99 of each journey: now and in the last month asked for, today's fleet."""
    rows: list[dict[str, Any]] = []
    for name, ps in study.worlds.percentile_s.items():
        row: dict[str, Any] = {"journey": name}
        for p, values in ps.items():
            for label, m in (("now", 0), ("then", study.last)):
                low, middle, high = band_of(values, m)
                row[f"p{p * 100:g}_{label}_s"] = middle
                row[f"p{p * 100:g}_{label}"] = band(duration(middle), duration(low), duration(high)) if np.isfinite(middle) else "saturated"
        rows.append(row)
    slowest = max(rows, key=lambda r: float(r["p95_now_s"]))
    heads = [
        (f"p{p * 100:g}_{label}", f"p{p * 100:g} {named_month(study, m)}")
        for p in (0.5, 0.95, 0.99)
        for label, m in (("now", 0), ("then", study.last))
    ]
    return Table(
        name="latencies", title=f"{capital(str(slowest['journey']))} is the slowest journey: p95 {duration(float(slowest['p95_now_s']))} at today's peak", subtitle="P50 (P5 … P95) over all worlds of each percentile, as the user sees it: round trip, waits and service. Parts along a path are taken as independent." + _gaps(study),
        frame=frame_of(rows), columns=(Column(key="journey", header="Journey"), *(Column(key=k, header=h, write=number_text) for k, h in heads)), stack=2,
    )  # fmt: skip


def _gaps(study: Study) -> str:
    """What is said of percentiles that lie in a gap of the response times, where one number says little."""
    said = [
        f"p{p * 100:g} of {journey} lies in a gap that hardly any response falls into: {duration(low)} or {duration(high)} today, if a fiftieth more or fewer were slow"
        for journey, p, low, high in flat_percentiles(study)
    ]
    return "".join(f" {one}." for one in said)


def bottlenecks(study: Study) -> Table:
    """Where the time of each journey goes on average, and where it waits."""
    rows: list[dict[str, Any]] = []
    for journey, parts in shares_of_latency(study).items():
        total = sum(w + s for w, s in parts.values())
        rows += [
            {"journey": journey, "tier": tier, "wait_s": w, "service_s": s, "share": (w + s) / total}
            for tier, (w, s) in parts.items()
            if np.isfinite(total) and (w + s) / total > 0.001
        ]
    rows.sort(key=lambda r: -float(r["share"]))
    if not rows:
        rows = [
            {
                "journey": "every journey",
                "tier": "is saturated today",
                "wait_s": float("inf"),
                "service_s": float("nan"),
                "share": float("nan"),
            }
        ]
    top = rows[0]
    return Table(
        name="bottlenecks", title=f"The largest part of a {top['journey']} request is {top['tier']}: {share(float(top['share']), 2)} of its mean time" if top["share"] == top["share"] else "Every journey is saturated today", subtitle="Mean time of one request in each tier at today's peak, at the median. Means add; percentiles do not.", frame=frame_of(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="tier", header="Tier", write=str), Column(key="wait_s", header="Waiting", write=duration), Column(key="service_s", header="Being served", write=duration), Column(key="share", header="Share of the mean", write=share, bar=True)), stack=2,
    )  # fmt: skip


def tail(study: Study) -> Table:
    """What requests are made of that take as long as p50, p95 and p99 of their journey."""
    rows: list[dict[str, Any]] = []
    found = parts_of_the_tail(study)
    for journey, parts in found.items():
        total = sum(parts.values(), np.zeros(3))
        named = sorted(parts.items(), key=lambda part: -float(part[1][1]))
        rows += [{"journey": journey, "part": part} | _of_tail(values, total) for part, values in named if np.any(values > 0.001 * total)]
        rows.append({"journey": journey, "part": "together"} | _of_tail(total, total))
    return Table(
        name="tail", title=slowest_part(found, 2), subtitle="Mean time in each tier of those requests that take just as long as the percentile, today’s peak, at the median. These parts add up; percentiles of parts do not.",
        frame=frame_of(rows), columns=(Column(key="journey", header="Journey"), Column(key="part", header="Spent in", write=str), *(Column(key=f"p{p * 100:g}_s", header=f"At p{p * 100:g}", write=duration) for p in TAIL), Column(key="share", header="Share of p95", write=share, bar=True)), stack=2,
    )  # fmt: skip


def _of_tail(values: FloatArray, total: FloatArray) -> dict[str, float]:
    row = {f"p{p * 100:g}_s": float(v) for p, v in zip(TAIL, values, strict=True)}
    return row | {"share": float(values[1] / total[1]) if np.isfinite(total[1]) and total[1] > 0 else float("nan")}


def breakpoints(study: Study) -> Table:
    """Where each resource reaches its limit and where it saturates, as the load grows."""
    found = todays_knee(study)
    rows: list[dict[str, Any]] = [
        {
            "resource": place.words,
            "limit_rps": found.resources[place],
            "saturated_rps": load,
            "multiple": load / found.peak_rps,
            "demand_s": _demand_s(study, place),
        }
        for place, load in found.saturated.items()
    ]
    first = found.first.words
    rows.sort(key=lambda r: (r["resource"] != first, float(r["saturated_rps"])))
    return Table(
        name="breakpoints", title=f"{capital(str(rows[0]['resource']))} saturate first, at {number(float(rows[0]['multiple']))} times today's peak" if np.isfinite(float(rows[0]["multiple"])) else f"{capital(NOWHERE)}", subtitle="Load of the whole service at which each resource reaches its planned limit and full use, today's fleet, at the median; demand is how long a request of the average kind keeps one of its servers. A service whose threads wait for a saturated tier saturates with it.", frame=frame_of(rows),
        columns=(Column(key="resource", header="Resource"), Column(key="demand_s", header="Demand", write=lambda v: "–" if np.isnan(v) else duration(v)), *(Column(key=k, header=h, write=lambda v: rate(v) if np.isfinite(v) else f"beyond {TRIED:g} times") for k, h in (("limit_rps", "Limit at"), ("saturated_rps", "Saturated at"))), Column(key="multiple", header="Times today's peak", write=lambda v: number(v) if np.isfinite(v) else "–")), stack=3, first=True,
    )  # fmt: skip


def _demand_s(study: Study, place: Place) -> float:
    """Busy time of the servers of a resource for each request of the whole service: the utilization law; nan: it has no servers."""
    one = study.middle.resources[place]
    station = study.middle.carried.stations.get(place)
    if station is None:
        return float("nan")
    nodes = one.count if bought_of(study.scenario.tiers[place.tier], place.field).each else 1.0
    busy = station.utilization * station.servers * nodes / study.middle.rps
    return float(np.ravel(busy)[0])


def what_ifs(study: Study) -> Table:
    """What half or twice of each thing would do to latency, to the load that is carried, and to the cost."""
    found, knee = tried(study), todays_knee(study)
    kept = min((load for load in knee.objectives.values() if load > 0), default=float("nan")) / knee.peak_rps
    aside = "; those that no load keeps aside" if knee.always else ""
    rows: list[dict[str, Any]] = [
        {"change": f"{r.change} of {r.tier}" if r.tier else r.change, "journey": r.journey, "before_s": r.before_s, "after_s": r.after_s, "carries": r.carries, "cost_change_usd": r.cost_change_usd}
        for r in (found[-1], *found[:-1])
        if not r.tier or _moves(r.before_s, r.after_s) or _moves(min(kept, 2 * TRIED), min(r.carries, 2 * TRIED))
    ]  # fmt: skip
    return Table(
        name="what_ifs", title=_what_if_title(found, kept), subtitle=f"One change at a time, today’s peak, at the median: p95 of the journey it moves most, and the highest load with every promise kept (today {_multiple(kept)}{aside}). What moves neither by 1 % is left out. The first row is the bound, an empty service: more of anything brings no p95 below that, unless it is a cache that then holds more. –: no price of its own, or no promise that a load can break.",
        frame=frame_of(rows),
        columns=(Column(key="change", header="What if"), Column(key="journey", header="Journey", write=str), Column(key="before_s", header="p95 now", write=duration), Column(key="after_s", header="p95 then", write=duration), Column(key="carries", header="Carries, × today’s peak", write=_multiple), Column(key="cost_change_usd", header="$ per month", write=lambda v: change(round(v), money) if v == v else "–")), stack=2, first=True,
    )  # fmt: skip


def _moves(before: float, after: float) -> bool:
    return bool(before != after and not np.isnan(after) and not abs(after / before - 1) < 0.01)


def _multiple(value: float) -> str:
    return "–" if np.isnan(value) else f"beyond {TRIED:g}" if np.isinf(value) else number(value) if value > 0 else "none"


def _what_if_title(found: list[WhatIf], kept: float) -> str:
    fast, carrier = found[0], max(found[:-1], key=lambda r: np.nan_to_num(r.carries))
    told = []
    if fast.after_s < 0.99 * fast.before_s:
        told.append(f"{fast.change} of {fast.tier} takes {fast.journey} from {duration(fast.before_s)} to {duration(fast.after_s)} at p95")
    if carrier.carries > 1.01 * kept:
        who = "it" if told and carrier is fast else f"{carrier.change} of {carrier.tier}"
        told.append(f"{who} carries {_multiple(carrier.carries)} times today’s peak instead of {_multiple(kept)}")
    return capital("; ".join(told)) if told else "Nothing that is halved or doubled lowers a p95 or carries more"


def availabilities(study: Study) -> Table:
    """Availability of each journey, composed from its tiers."""
    made = study.middle
    rows: list[dict[str, Any]] = []
    for name in study.scenario.journeys:
        up = float(path_availability(made.scenario, made.carried, name)[0, 0])
        rows.append({"journey": name, "availability": up, "down_30_days_s": float(error_budget_s(up, DAYS_30))})
    rows.sort(key=lambda r: float(r["availability"]))
    return Table(
        name="availabilities", title=f"{capital(str(rows[0]['journey']))} is the least available journey: {share(float(rows[0]['availability']))}", subtitle="Tiers in series, each for the share of requests that reach it; instances N of M needed at the peak. Independent failures.", frame=frame_of(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="availability", header="Availability", write=share), Column(key="down_30_days_s", header="Down in 30 days", write=duration)), stack=2,
    )  # fmt: skip


def caches(study: Study) -> Table:
    """What memory does: hit ratio, load on the origin, p99, for every cache whose hit ratio is computed."""
    rows: list[dict[str, Any]] = []
    for name in study.scenario.tiers:
        if (swept := by_memory(study, name)) is not None:
            shown = np.searchsorted(swept.memory_bytes, swept.now_bytes * np.array([0.25, 0.5, 1, 2, 3.9])).clip(0, 24)
            rows += [{"cache": name, **{k: float(v[i]) for k, v in swept.columns().items()}} for i in shown]
    here = next((r for r in rows[2::5]), None)
    title = (
        f"{capital(str(here['cache']))} hits {share(float(here['hit_ratio']))} with what there is"
        if here
        else "No cache whose hit ratio follows from its size"
    )
    return Table(
        name="caches", title=title, subtitle="LRU under Zipf popularity (Che's characteristic time), today's peak, at the median; memory of all nodes.", frame=frame_of(rows or [{"cache": "none", "memory_bytes": float("nan"), "hit_ratio": float("nan"), "origin_rps": float("nan"), "p99_s": float("nan")}]),
        columns=(Column(key="cache", header="Cache"), Column(key="memory_bytes", header="Memory", write=size), Column(key="hit_ratio", header="Hit ratio", write=share, bar=True), Column(key="origin_rps", header="Calls to the origin", write=rate), Column(key="p99_s", header="p99, slowest journey", write=duration)), stack=2,
    )  # fmt: skip


def pools(study: Study) -> Table:
    """Waits for a pooled connection by pool size, today and in the last month asked for."""
    rows: list[dict[str, Any]] = []
    for place in pools_of(study):
        swept, now = wait_by_pool(study, place), study.middle.resources[place].count
        for wanted in dict.fromkeys(round(now * f) for f in (0.5, 0.75, 1, 1.25, 1.5, 2)):
            i = int(np.searchsorted(swept["connections"], wanted))
            if i < len(swept["connections"]):
                rows.append({"database": place.tier, **{k: float(v[i]) for k, v in swept.items()}})
    return Table(
        name="pools", title=_pool_title(study, rows), subtitle=f"Wait for a connection at today's peak and in {named_month(study, study.last, short=False)}, at the median.",
        frame=frame_of(rows or [{"database": "none"} | dict.fromkeys(("connections", "today_mean_s", "today_p99_s", "later_mean_s", "later_p99_s"), float("nan"))]),
        columns=(Column(key="database", header="Database"), Column(key="connections", header="Connections", write=count), Column(key="today_mean_s", header="Mean wait", write=duration), Column(key="today_p99_s", header="p99 wait", write=duration), Column(key="later_mean_s", header=f"Mean {named_month(study, study.last)}", write=duration), Column(key="later_p99_s", header=f"p99 {named_month(study, study.last)}", write=duration)), stack=2,
    )  # fmt: skip


def _pool_title(study: Study, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No connection pool in this scenario"
    enough = next((r for r in rows if r["later_p99_s"] == 0), None)
    month = named_month(study, study.last, short=False)
    return (
        f"{count(enough['connections'])} connections of {enough['database']} are enough in {month}: nobody in 100 waits"
        if enough
        else f"No pool that was tried is enough in {month}"
    )


def _lag_title(study: Study, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No queue in this scenario"
    worst = max(rows, key=lambda r: float(r["lag_s"]))
    return f"A job of {worst['queue']} waits {duration(worst['lag_s'])} on average in {named_month(study, worst['month'], short=False)}"


def stations(study: Study) -> Table:
    """Every station as it is modelled: rate, service, servers, utilization, wait."""
    rows: list[dict[str, Any]] = []
    shape = study.middle.rps.shape
    for (tier, bought_field), s in study.middle.carried.stations.items():
        first = {
            k: float(np.broadcast_to(np.asarray(v, dtype=float), shape)[0, 0])
            for k, v in (
                ("rate_rps", s.arrival_rps),
                ("service_s", s.service_s),
                ("servers", s.servers),
                ("utilization", s.utilization),
                ("prob_wait", s.prob_wait),
                ("mean_wait_s", s.mean_wait_s),
            )
        }
        rows.append({"station": f"{tier} {'threads of one instance' if bought_field == 'instances' else bought_field}", **first})
    rows.sort(key=lambda r: -float(r["utilization"]))
    return Table(
        name="stations", title=f"{capital(str(rows[0]['station']))} are the busiest station: {share(float(rows[0]['utilization']))}" if rows else "No station in this scenario", subtitle="Each node at its share of the load (exact for random balancing), today's peak, at the median; which model stands where is in the chapter on trust.", frame=frame_of(rows or [{"station": "none"} | dict.fromkeys(("rate_rps", "service_s", "servers", "utilization", "prob_wait", "mean_wait_s"), float("nan"))]),
        columns=(Column(key="station", header="Station"), Column(key="rate_rps", header="Arrivals", write=rate), Column(key="service_s", header="Held per call", write=duration), of_field(MMc, "servers", count), Column(key="utilization", header="Utilization", write=share, bar=True), Column(key="prob_wait", header="P(wait)", write=share), Column(key="mean_wait_s", header="Mean wait", write=duration)), stack=3,
    )  # fmt: skip


def timeouts(study: Study) -> Table:
    """The ladder of time-outs, callees first."""
    made = ladder(study)
    wrong = {r.place for one in made.relations if not one.holds for r in (one.lower, one.upper)}
    rows: list[dict[str, Any]] = [
        {
            "timeout": r.label,
            "field": str(r.place),
            "value_s": r.value_s,
            "why": r.why,
            "order": "wrong order" if r.place in wrong else "in order",
        }
        for r in made.rungs
    ]
    return Table(
        name="timeouts", title=f"{len(wrong)} time-outs stand in the wrong order" if wrong else "Every time-out lies within that of its caller", subtitle="Callees first. What is not stated follows from today's peak hour, at the median: a caller must outlast what it calls, and drop idle connections first.",
        frame=frame_of(rows), columns=(Column(key="timeout", header="Time-out"), Column(key="value_s", header="Value", write=duration), Column(key="why", header="Why", write=str), Column(key="order", header="Order", write=str, broken=lambda v: v == "wrong order")), stack=3,
    )  # fmt: skip


def jobs(study: Study) -> Table:
    """Broker queues: jobs, workers, lag."""
    rows: list[dict[str, Any]] = []
    shape = study.middle.rps.shape
    for place, s in study.middle.carried.stations.items():
        if bought_of(study.scenario.tiers[place.tier], place.field).waits:
            for m in (0, study.last):
                at = {
                    k: float(np.broadcast_to(np.asarray(v, dtype=float), shape)[0, m])
                    for k, v in (
                        ("jobs_rps", s.arrival_rps),
                        ("workers", s.servers),
                        ("utilization", s.utilization),
                        ("lag_s", s.mean_wait_s),
                        ("p99_s", s.response_quantile_s(0.99)),
                    )
                }
                rows.append({"queue": place.tier, "month": m, **at})
    return Table(
        name="jobs", title=_lag_title(study, rows), subtitle="Workers at the peak hour, at the median: lag is the mean wait of a job, done the 99th percentile from publishing to the end.",
        frame=frame_of(rows or [{"queue": "none"} | dict.fromkeys(("month", "jobs_rps", "workers", "utilization", "lag_s", "p99_s"), float("nan"))]),
        columns=(Column(key="queue", header="Queue"), Column(key="month", header="Month", write=month_writer(study)), Column(key="jobs_rps", header="Jobs", write=rate), Column(key="workers", header="Workers", write=count), Column(key="utilization", header="Utilization", write=share), Column(key="lag_s", header="Lag", write=duration), Column(key="p99_s", header="p99 done", write=duration)), stack=3,
    )  # fmt: skip
