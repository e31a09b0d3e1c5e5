"""Tables of the overview: changes, orders, run-outs, needs, costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from perfplan.blocks import Column, Table
from perfplan.models.capacity import nodes_needed
from perfplan.plan import spares, steady_limit
from perfplan.quantity import median
from perfplan.study import SHOWN, Study, confidence
from perfplan.study.fleet import lead_time_s, unit_price_usd
from perfplan.tables.common import HORIZONS, frame_of, month_writer, named_month, number_text
from perfplan.tiers import bought_of
from perfplan.words import (
    band,
    capital,
    change,
    count,
    day_name,
    money,
    percent,
    share,
    weeks,
)


def changes(study: Study, before: dict[str, Any] | None) -> Table | None:
    """What changed since an earlier plan.json; None where there is none."""
    if before is None:
        return None
    from perfplan.document import compare, document

    rows = compare(before, document(study))
    moved = (
        f"{len(rows)} number{'s' if len(rows) != 1 else ''} changed since the plan of {before['as_of']}"
        if rows
        else f"Nothing changed since the plan of {before['as_of']}"
    )
    return Table(
        name="changes", title=moved, subtitle="Inputs first, then demand, fleet, cost and dates.", frame=frame_of(rows or [{"what": "nothing", "then": "", "now": "", "change": ""}]),
        columns=(Column(key="what", header="What"), Column(key="then", header="Then", write=str), Column(key="now", header="Now", write=str), Column(key="change", header="Change", write=str)), stack=3,
    )  # fmt: skip


def orders(study: Study) -> Table:
    """What to order, by when, until it works, and what it costs; what lies after the months asked for is marked."""
    rows: list[dict[str, Any]] = []
    for order in study.fleet.orders:
        for place, (old, new) in order.changes.items():
            lead = lead_time_s(study.scenario, place)
            resource = study.worlds.resources[place]
            rows.append({
                "what": f"{resource.label}: {count(old)} → {count(new)}", "order_by": study.order_by(order.month, lead), "works_from": named_month(study, order.month),
                "lead_time_s": lead, "cost_month_usd": unit_price_usd(study.scenario, place) * (new - old), "asked": "now" if order.month <= study.last else "later",
            })  # fmt: skip
    rows.sort(key=lambda r: (r["order_by"], -r["cost_month_usd"]))
    asked = [r for r in rows if r["asked"] == "now"]
    title = (
        f"{len(asked)} order{'s' if len(asked) != 1 else ''} until {named_month(study, study.last, short=False)}; the first is due {day_name(asked[0]['order_by'])}"
        if asked
        else f"Nothing has to be ordered until {named_month(study, study.last, short=False)}"
    )
    return Table(
        name="orders", title=title, subtitle=f"Last day to order so that every promise holds with {percent(confidence(study.scenario))} confidence; an order lasts {weeks(float(study.scenario.order_ahead_s))} or more.",
        frame=frame_of(rows or [{"what": "nothing", "order_by": study.as_of, "works_from": "", "lead_time_s": float("nan"), "cost_month_usd": 0.0, "asked": ""}]),
        columns=(
            Column(key="what", header="Order"), Column(key="order_by", header="Order by", write=day_name), Column(key="works_from", header="Works from", write=str),
            Column(key="lead_time_s", header="Lead time", write=weeks), Column(key="cost_month_usd", header="$ per month", write=lambda v: change(v, money), bar=True), Column(key="asked", header="Asked for"),
        ), stack=2, first=True,
    )  # fmt: skip


def run_outs(study: Study) -> Table:
    """Every resource: what there is, how far it is used, when it runs out, when to order."""
    asked = confidence(study.scenario)
    rows: list[dict[str, Any]] = []
    for out in study.run_outs:
        one = out.resource
        early = out.quantile(1 - asked)
        lead = lead_time_s(study.scenario, one.place)
        rows.append({
            "resource": one.label, "count": one.count, "used_now": median(one.utilization[:, 0]), "used_then": median(one.utilization[:, study.last]),
            "limit": median(one.limit), "p05_month": out.quantile(0.05), "p50_month": out.quantile(0.5), "p95_month": out.quantile(0.95),
            "order_by": day_name(study.order_by(early, lead)) if np.isfinite(early) else "not within the plan",
        })  # fmt: skip
    first = study.run_outs[0]
    title = (
        f"{capital(first.resource.label)} run out first, in {named_month(study, first.quantile(0.5), short=False)} at the median"
        if np.isfinite(first.quantile(0.5))
        else "In half of all worlds nothing runs out within the plan"
    )
    month = month_writer(study)
    return Table(
        name="run_outs", title=title, subtitle=f"Today's counts; a resource runs out when its utilization at the peak hour passes its limit, N + 1 included. Order by: run-out less lead time, {percent(asked)} confidence.",
        frame=frame_of(rows),
        columns=(
            Column(key="resource", header="Resource"), Column(key="used_now", header="Used now", write=share),
            Column(key="used_then", header=f"Used {named_month(study, study.last)}", write=lambda v: share(v) if np.isfinite(v) else "saturated", broken=lambda v: v > 1),
            Column(key="limit", header="Limit", write=share), Column(key="p05_month", header="Runs out P5", write=month), Column(key="p50_month", header="P50", write=month),
            Column(key="p95_month", header="P95", write=month), Column(key="order_by", header="Order by", write=str),
        ), stack=3, first=True,
    )  # fmt: skip


def needed(study: Study) -> Table:
    """What each world would need for utilization and N + 1: a band, never a purchase."""
    months = range(study.worlds.rps.shape[1])
    rows: list[dict[str, Any]] = []
    for place, one in study.worlds.resources.items():
        if not one.ours or bought_of(study.scenario.tiers[place.tier], place.field).by_size:
            continue
        steady, spare = steady_limit(study.scenario, place), spares(study.scenario, place)
        used = np.where(np.isfinite(one.utilization), one.utilization, np.nan)
        want = nodes_needed(used * one.count, 1.0, steady, spare)
        row: dict[str, Any] = {"resource": one.label, "today": one.count, "plan": study.fleet.counts_at(study.last).get(place, one.count)}
        for m in months:
            known = np.isfinite(want[:, m]).mean() > 0.99
            low, middle, high = np.nanquantile(want[:, m], (0.05, 0.5, 0.95)) if known else (np.nan, np.nan, np.nan)
            row |= {f"month_{m}_p05": low, f"month_{m}_p50": middle, f"month_{m}_p95": high}
            row[f"shown_{m}"] = band(count(middle), count(low), count(high)) if known else "saturated elsewhere"
        rows.append(row)
    heads = tuple(Column(key=f"shown_{m}", header=named_month(study, m), write=number_text) for m in SHOWN)
    return Table(
        name="needed", title="What single worlds would need is a band; the plan buys what is enough in all but few of them", subtitle="Counts for the utilization limit and N + 1: P50 (P5 … P95) by month, with today's other counts; every month stands in tables/needed.csv. Latency may ask for more: see the orders.",
        frame=frame_of(rows), columns=(Column(key="resource", header="Resource"), Column(key="today", header="Today", write=count), *heads, Column(key="plan", header=f"Plan {named_month(study, study.last)}", write=count)), stack=3,
    )  # fmt: skip


def costs(study: Study) -> Table:
    """Cost per month by tier, today's fleet, and with the plan."""
    last = study.last
    rows: list[dict[str, Any]] = [
        {"tier": name, **{f"month_{m}": median(usd[:, m]) for m in (*HORIZONS[:1], last, 36)}}
        for name, usd in study.worlds.cost_usd.items()
    ]
    rows.sort(key=lambda r: -float(r[f"month_{last}"]))
    total: dict[str, Any] = {
        "tier": "all, today's fleet",
        **{f"month_{m}": median(study.worlds.cost_month_usd[:, m]) for m in (0, last, 36)},
    }
    planned: dict[str, Any] = {
        "tier": "all, with the plan",
        **{f"month_{m}": median(study.fleet.cost_usd[:, m]) for m in (0, last, 36)},
    }
    dearest = rows[0]
    part = dearest[f"month_{last}"] / max(total[f"month_{last}"], 1e-9)
    return Table(
        name="costs", title=f"{capital(str(dearest['tier']))} is {share(part, 2)} of the cost in {named_month(study, last, short=False)}", subtitle="Median cost per month in US dollars at list prices, no discounts.",
        frame=frame_of([planned, total, *rows]), columns=(Column(key="tier", header="Tier"), *(Column(key=f"month_{m}", header=f"$ {named_month(study, m)}", write=money, bar=m == last) for m in dict.fromkeys((0, last, 36)))), stack=3, first=True,
    )  # fmt: skip
