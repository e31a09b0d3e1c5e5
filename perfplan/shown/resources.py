"""What is there, how far it is used, when it runs out, and what to order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.models.capacity import nodes_needed
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.service import Station
from perfplan.plan import spares, steady_limit
from perfplan.plan.resources import Resource, unit_price_usd
from perfplan.quantity import median, quantiles
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, months_of, short
from perfplan.shown.frames import (
    Above,
    Rows,
    first_of,
    frame_of,
    month_of,
    more_money,
    number_text,
    of_field,
    share_or_saturated,
)
from perfplan.study import SHOWN, RunOut, Study, confidence, once
from perfplan.study.remedy import positions, price
from perfplan.study.verdicts import first_below, order_by
from perfplan.tiers import bought_of
from perfplan.tiers.place import Place
from perfplan.words import (
    band,
    capital,
    count,
    day_name,
    duration,
    money,
    percent,
    rate,
    share,
    verb,
    weeks,
)

ORDERS = (
    Column("what", "Order"),
    Column("order_by", "Order by", day_name),
    Column("works_from", "Works from", str),
    Column("lead_time_s", "Lead time", weeks),
    Column("cost_month_usd", "$ per month", more_money, bar=True),
    Column("once_usd", "$ once", money),
)


@once
def orders(study: Study) -> Table:
    """What to order and to do, by when, until it works, and what it adds to the bill of the last month asked for."""
    rows, end = positions(study), study.named(study.last)
    title = f"Nothing has to be ordered until {end}"
    if rows:
        many = f"{len(rows)} order{'s' if len(rows) != 1 else ''} until {end}"
        title = f"{many}, {price(study)}; the first is due {day_name(rows[0].by)}"
    frame = [
        {
            "what": row.text,
            "order_by": row.by,
            "works_from": study.named(row.month, short=True),
            "lead_time_s": row.lead_s,
            "cost_month_usd": row.monthly_usd,
            "once_usd": row.once_usd,
            "effort_s": row.effort_s,
        }
        for row in rows
    ]
    nothing = {"what": "nothing", "order_by": study.as_of, "works_from": "", "lead_time_s": np.nan, "cost_month_usd": 0.0, "once_usd": 0.0}
    return Table(
        name="orders",
        title=title,
        subtitle="Last day to order, or to start, so that every promise and every utilization limit holds with "
        f"{percent(confidence(study.scenario))} confidence; an order lasts {weeks(float(study.scenario.order_ahead_s))} or more. "
        f"{_beyond(study)}$ per month: in {end}; together they are what the plan costs more than today's fleet then.",
        frame=frame_of(frame or [nothing]),
        columns=ORDERS,
        first=True,
    )


def _beyond(study: Study) -> str:
    """What becomes of the plan after the months asked for."""
    p, asked = study.fleet.p_all, confidence(study.scenario)
    start, end = first_below(p[study.last + 1 :], asked) + study.last + 1, len(p) - 1
    if not np.isfinite(start):
        return ""
    later = f"P falls below {percent(asked)} in {study.named(start)}, to {percent(float(p[end]))} in {study.named(end)}"
    return f"Nothing is ordered for later: {later}. "


@once
def run_outs(study: Study) -> Table:
    """Every resource: what there is, how far it is used, when it runs out, when to order."""
    asked, first, month = confidence(study.scenario), study.run_outs[0], month_of(study)
    title = "In half of all worlds nothing runs out within the plan"
    if np.isfinite(first.quantile(0.5)):
        label = first.resource.label
        title = f"{capital(label)} {verb(label, 'run', 'runs')} out first, in {study.named(first.quantile(0.5))} at the median"
    return Table(
        name="run_outs",
        detail=True,
        title=title,
        subtitle="Today's counts; a resource runs out when its utilization at the peak hour passes its limit, N + 1 included. "
        f"Order by: as the plan has it, else run-out less lead time, {percent(asked)} confidence; not with the plan: it orders none.",
        frame=frame_of([_run_out(study, out) for out in study.run_outs]),
        columns=(
            Column("resource", "Resource"),
            Column("used_now", "Used now", share),
            Column("used_then", f"Used {month(study.last)}", share_or_saturated, broken=Above(1.0)),
            Column("limit", "Limit", share),
            Column("p05_month", "Runs out P5", month),
            Column("p50_month", "P50", month),
            Column("p95_month", "P95", month),
            Column("order_by", "Order by", str),
        ),
        stack=3,
        first=True,
    )


def _run_out(study: Study, out: RunOut) -> dict[str, Any]:
    one, due = out.resource, order_by(study, out)
    return {
        "resource": one.label,
        "count": one.count,
        "used_now": median(one.utilization[:, 0]),
        "used_then": median(one.utilization[:, study.last]),
        "limit": median(one.limit),
        "p05_month": out.quantile(0.05),
        "p50_month": out.quantile(0.5),
        "p95_month": out.quantile(0.95),
        "order_by": due if isinstance(due, str) else day_name(due),
    }


@once
def needed(study: Study) -> Table:
    """What each world would need for utilization and N + 1: a band, never a purchase."""
    resources = study.worlds.resources.items()
    ours = {place: one for place, one in resources if one.ours and not bought_of(study.scenario.tiers[place.tier], place.field).by_size}
    columns = (
        Column("resource", "Resource"),
        Column("today", "Today", count),
        Column("enough", "Enough now", count),
        *(Column(f"shown_{m}", study.named(m, short=True), number_text) for m in SHOWN),
        Column("plan", f"Plan {study.named(study.last, short=True)}", count),
    )
    return Table(
        name="needed",
        detail=True,
        title=_spared(study) or "What single worlds would need is a band; the plan buys what is enough in all but few of them",
        subtitle="Counts for the utilization limit and N + 1: P50 (P5 … P95) by month, with today's other counts; planned: what the plan "
        "has where those are saturated; enough now: each alone, so that promises and limits hold this month with "
        f"{percent(confidence(study.scenario))} confidence while no zone fails; every month stands in tables/needed.csv. "
        "Latency may ask for more: see orders.",
        frame=frame_of([_needed(study, place, one) for place, one in ours.items()], columns),
        columns=columns,
        stack=3,
    )


def _spared(study: Study) -> str:
    """What of today's fleet is more than enough now, the dearest; "" where nothing that costs money is."""
    usd = {
        place: unit_price_usd(study.scenario, place) * (study.worlds.resources[place].count - n) for place, n in study.fleet.enough.items()
    }
    place = max(usd, key=lambda p: usd[p], default=None)
    if place is None or usd[place] < 1:
        return ""
    one, usd_month = study.worlds.resources[place], money(usd[place])
    return f"{count(study.fleet.enough[place])} of {count(one.count)} {one.label} are enough now: {usd_month} a month until more are needed"


def _needed(study: Study, place: Place, one: Resource) -> dict[str, Any]:
    steady, spare = steady_limit(study.scenario, place), spares(study.scenario, place)
    want = nodes_needed(one.utilization * one.count, 1.0, steady, spare)
    row: dict[str, Any] = {"resource": one.label, "today": one.count, "enough": study.fleet.enough.get(place, one.count)}
    row |= {"plan": study.fleet.counts_at(study.last).get(place, one.count)}
    for m in range(study.worlds.rps.shape[1]):
        known = np.isfinite(want[:, m]).mean() > 0.99
        low, middle, high = quantiles(want[:, m], (0.05, 0.5, 0.95)) if known else (np.nan, np.nan, np.nan)
        row |= {f"month_{m}_p05": low, f"month_{m}_p50": middle, f"month_{m}_p95": high}
        cured = f"{count(study.fleet.counts_at(m).get(place, one.count))} planned"
        row[f"shown_{m}"] = band(count(middle), count(low), count(high)) if known else cured
    return row


STATIONS = (
    Column("station", "Station"),
    Column("rate_rps", "Arrivals", rate),
    Column("service_s", "Held per call", duration),
    of_field(MMc, "servers", count),
    Column("utilization", "Utilization", share, bar=True),
    Column("prob_wait", "P(wait)", share),
    Column("mean_wait_s", "Mean wait", duration),
)


@once
def stations(study: Study) -> Table:
    """Every station as it is modelled: rate, service, servers, utilization, wait."""
    rows: Rows = [_station(study, place, one) for place, one in study.middle.carried.stations.items()]
    rows.sort(key=lambda r: -float(r["utilization"]))
    title = "No station in this scenario"
    if rows:
        title = f"{capital(rows[0]['station'])} are the busiest station: {share(rows[0]['utilization'])}"
    return Table(
        name="stations",
        title=title,
        subtitle="Each node at its share of the load (exact for random balancing), today's peak, at the median; "
        "which model stands where is in the chapter on trust.",
        frame=frame_of(rows, STATIONS),
        columns=STATIONS,
        stack=3,
    )


def _station(study: Study, place: Place, one: Station) -> dict[str, Any]:
    shape = study.middle.rps.shape
    values = {
        "rate_rps": one.arrival_rps,
        "service_s": one.service_s,
        "servers": one.servers,
        "utilization": one.utilization,
        "prob_wait": one.prob_wait,
        "mean_wait_s": one.mean_wait_s,
    }
    of_one = bought_of(study.scenario.tiers[place.tier], place.field).servers
    return {
        "station": f"{place.tier} {of_one} of one instance" if of_one else place.words,
        **{key: first_of(value, shape) for key, value in values.items()},
    }


# ---- figures ----


def utilization(study: Study) -> go.Figure:
    """Utilization of every resource over its limit, by month: where it is over, reversed."""
    until = min(study.last + 6, study.worlds.rps.shape[1] - 1) + 1
    months = months_of(study)[:until]
    outs = study.run_outs[:9]
    z = np.array(
        [
            [
                float(v)
                for v in np.median(
                    o.resource.utilization[:, :until]
                    / np.maximum(np.broadcast_to(o.resource.limit, o.resource.utilization.shape)[:, :until], 1e-9),
                    axis=0,
                )
                * 100
            ]
            for o in outs
        ]
    )
    z = np.where(np.isfinite(z), z, 999.0)
    names = [short(o.resource.label) for o in outs]
    text = [[f"{v:.0f}" if v < 999 else "full" for v in row] for row in z]
    over = [o for o, row in zip(outs, z, strict=True) if row.max() > 100]
    title = (
        f"{len(over)} of {len(study.run_outs)} resources pass their limit within {until - 1} months at the median"
        if over
        else f"No resource passes its limit within {until - 1} months at the median"
    )
    fig = figure(
        title,
        "Utilization at the peak hour (% of the limit that is planned for, N + 1 included), P50, today’s fleet; reversed: over the limit",
        height=40 * len(names) + 60,
        meta=dict(
            detail=True,
            narrow=dict(
                layout={"yaxis.showticklabels": False, "xaxis.tickformat": "%b ’%y", "margin.l": 0, "margin.r": 0, "margin.t": 16},
                data={"ygap": 19},
                height=44 * len(names) + 60,
            ),
        ),
    )
    common = dict(x=months, y=names, texttemplate="%{text}", hovertemplate="%{y}, %{x|%b %Y}: %{text} %<extra></extra>")
    fig.add_heatmap(z=z, text=text, zmin=0, zmax=100, textfont=dict(color=look.colour("ink"), size=11), **common)
    red, hot = look.colour("broken"), np.where(z > 100, z, np.nan)
    hot_text = [[t if v > 100 else "" for t, v in zip(*rows, strict=True)] for rows in zip(text, z, strict=True)]
    fig.add_heatmap(
        z=[[None if np.isnan(v) else v for v in row] for row in hot],
        text=hot_text,
        colorscale=[[0, red], [1, red]],
        textfont=dict(color=look.colour("paper"), weight=700, size=11),
        **common,
    )
    for name in names:
        look.label(fig, 0, name, name, "narrow", xref="paper", yshift=12, yanchor="bottom", xanchor="left")
    fig.update_layout(
        yaxis=dict(autorange="reversed", showgrid=False, ticks=""),
        xaxis=dict(type="date", tickformat="%b\n%Y", dtick="M3", showline=False, ticks=""),
        hovermode="closest",
    )
    return fig


CUT = 120.0  # utilization, in percent, beyond which it does not matter any more by how much


def _cut(used: float) -> float:
    return min(used, CUT) if np.isfinite(used) else CUT


def _full(rows: Sequence[tuple[Any, ...]], then: str) -> str:
    """How many stations are full, in the peak hour and in its busiest second."""
    hour, second = (sum(row[k] >= 100 for row in rows) for k in (2, 3))
    if not second:
        return f"No station is full in {then} with today’s settings, not even in the busiest second"
    more = f" at the peak hour, {second} in its busiest second," if hour and second > hour else " at the peak hour" if hour else ""
    return f"{hour or second} of {len(rows)} stations are full{more or ' in the busiest second'} of {then} with today’s settings"


def threads(study: Study) -> go.Figure:
    """Busy against available servers at every station."""
    shape = study.middle.rps.shape
    second = study.middle.state.second.carried.stations
    rows = [
        (
            f"{place.tier} {bought_of(study.scenario.tiers[place.tier], place.field).servers or place.field}",
            100 * first_of(one.utilization, shape),
            100 * first_of(one.utilization, shape, study.last),
            100 * first_of(second[place].utilization, shape, study.last),
        )
        for place, one in study.middle.carried.stations.items()
    ]
    rows = sorted(((n, a, _cut(b), _cut(c)) for n, a, b, c in rows), key=lambda r: r[2])
    then = study.named(study.last)
    fig = figure(
        _full(rows, then),
        f"Utilization (%), at the median: square the peak hour now, line to that of {then} / diamond: busiest second, up to {CUT:.0f} %",
        height=38 * len(rows) + 70,
        margin=dict(t=28, r=90),
    )
    names = [short(r[0], 26) for r in rows]
    for name, row in zip(names, rows, strict=True):
        fig.add_scatter(
            x=[row[1], row[2]],
            y=[name, name],
            mode="lines+markers",
            line=dict(color=look.colour("broken" if row[2] >= 100 else "blue"), width=3, dash="solid"),
            marker=dict(size=[9, 0], symbol="square", color=look.colour("ink")),
            hovertemplate="%{x:.0f} %",
        )
        look.label(
            fig,
            row[3],
            name,
            " / ".join(f"{used:.0f}" if used < CUT else f"over {CUT:.0f}" for used in row[2:]) + " %",
            xshift=8,
            bgcolor=look.colour("paper"),
        )
    fig.add_scatter(
        x=[row[3] for row in rows],
        y=names,
        mode="markers",
        marker=dict(size=9, symbol="diamond-open", color=look.colour("ink")),
        hovertemplate="%{x:.0f} % in the busiest second",
    )
    fig.add_vline(x=100, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
    fig.update_layout(xaxis=dict(range=[0, CUT + 15], ticksuffix=" %"), yaxis=dict(showgrid=False), hovermode="closest")
    return fig
