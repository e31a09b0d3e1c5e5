"""The figures of the plan: each takes a study and returns a `go.Figure` whose title is its finding; none is shown here.

`meta.data` names the table that holds the figure's numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.blocks import safe
from perfplan.findings import first_below
from perfplan.models.caching import items_in_memory
from perfplan.models.growth import usual_week
from perfplan.plan import month_names
from perfplan.quantity import FloatArray
from perfplan.scenario import Availability, Cache, Database, Latency
from perfplan.story import due_of, story
from perfplan.sweeps import cache_by_memory, knee, shares_of_latency, targets, wait_by_pool
from perfplan.sweeps import latency_by_load as sweep
from perfplan.uncertainty import Study, confidence
from perfplan.words import count, duration, money, month_name, number, percent, rate, share, short_money

QUANTILES = (5, 25, 50, 75, 95)


def _figure(title: str, subtitle: str, *, height: int = 360, **layout: Any) -> go.Figure:
    """A figure with its finding as title; text from outside is escaped on the way."""
    meta = {"height": height} | layout.pop("meta", {})
    fig = go.Figure()
    fig.update_layout(template=look.template(), title=dict(text=str(safe(title)), subtitle=dict(text=str(safe(subtitle)))), height=height + 70, meta=meta, **layout)
    return fig


def _months(study: Study) -> list[str]:
    return [str(m) + "-01" for m in month_names(study.scenario, study.worlds.rps.shape[1])]


def _fan(values: FloatArray) -> dict[int, list[float]]:
    return {q: [float(v) for v in np.quantile(values, q / 100, axis=0, method="higher")] for q in QUANTILES}


def _text(name: str, width: int = 22) -> str:
    return str(safe(look.fit(name, width)))


# ---- 0: plan ----


def demand(study: Study) -> go.Figure:
    """Demand (fan) against the load at which every objective still holds, today and with each order (steps)."""
    from perfplan.plan import with_counts

    months = _months(study)
    fan = _fan(study.worlds.rps)
    today = knee(study.scenario).rps
    orders = study.fleet.orders
    capacity = [(0, today)] + [(o.month, knee(with_counts(study.scenario, o.counts)).rps) for o in orders]
    asked = [c for c in capacity if c[0] <= study.last]
    top = 1.08 * max(fan[95] + [min(c, 3 * max(fan[95])) for _, c in capacity if np.isfinite(c)])
    fig = _figure(
        story(study).verdict, "Requests per second at the peak hour: demand (P5–P95, P25–P75, P50) against the load at which every objective still holds",
        height=366, margin=dict(l=64, r=90), meta=dict(narrow=dict(layout={"margin.l": 8, "margin.r": 6, "xaxis.dtick": "M12", "xaxis.tickformat": "%Y"}, height=330, below=640)),
    )  # fmt: skip
    look.fan(fig, months, fan, "demand", "rps")
    step = dict(mode="lines", hoverinfo="skip")
    if np.isfinite(today):
        fig.add_scatter(x=[months[0], months[-1]], y=[today] * 2, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"), **step)
        look.label(fig, months[-1], today, f"today’s fleet holds {number(today)}", yanchor="top", xanchor="right")
    _steps(fig, months, capacity, len(asked), step)
    _order_lane(study, fig, months)
    start = first_below(study.p_all, confidence(study.scenario))
    if np.isfinite(start) and start <= study.last:
        at = int(start)
        red = look.colour("broken")
        fig.add_scatter(x=[months[at]], y=[fan[50][at]], mode="markers", marker=dict(color=red, size=11, symbol="square"), hoverinfo="skip")
        when = month_name(str(study.scenario.as_of), at)
        p = percent(float(study.p_all[at]))
        for only, rise, text in (("wide", 150, f"<b>{when}:</b> P(every promise<br>holds) falls to {p}"), ("narrow", 120, f"<b>{when}</b>")):
            look.label(fig, months[at], fan[50][at], text, only, "broken", showarrow=True, ax=0, ay=-rise, arrowhead=0, arrowwidth=1, arrowcolor=red, standoff=7)
    for q, text in ((95, "P95 {}"), (50, "<b>demand</b><br>P50 {}"), (5, "P5 {}")):
        look.label(fig, months[-1], fan[q][-1], text.format(number(fan[q][-1])), "wide", "ink" if q == 50 else "muted", xshift=8)
    look.label(fig, months[-1], fan[95][-1], "<b>demand</b> P5–P95", "narrow", xanchor="right", yanchor="bottom")
    fig.update_layout(
        xaxis=dict(type="date", range=[months[0], months[-1]], dtick="M3", tickformat="%b\n%Y", hoverformat="%B %Y", anchor="y2"),
        yaxis=dict(domain=[0.24, 1], range=[0.7 * min(fan[5]), top], ticksuffix=" rps", nticks=6), yaxis2=dict(domain=[0, 0.2], range=[-0.5, 1.8], visible=False),
    )  # fmt: skip
    return fig


def _steps(fig: go.Figure, months: list[str], capacity: list[tuple[int, float]], asked: int, step: dict[str, Any]) -> None:
    """What is asked for as thick steps, later orders dotted."""
    styles = ((capacity[:asked], dict(color=look.colour("ink"), width=3, dash="solid"), "asked"), (capacity[asked - 1 :], dict(color=look.colour("muted"), width=2, dash="2px,3px"), "later"))
    for points, style, kind in styles:
        if len(points) < 2:
            continue
        x, y = [], []
        for (start, load), after in zip(points, [*[p[0] for p in points[1:]], capacity[asked][0] if kind == "asked" and asked < len(capacity) else len(months) - 1], strict=True):
            x += [months[start], months[after]]
            y += [load, load]
        first = 2 if kind == "later" else 0
        fig.add_scatter(x=x[max(first - 1, 0) :], y=y[max(first - 1, 0) :], line=style, **step)
        at = points[-1]
        look.label(fig, months[at[0]], at[1], f"<b>asked</b> {number(at[1])}" if kind == "asked" else "later", None if kind == "asked" else "wide", "ink" if kind == "asked" else "muted", yanchor="bottom", xshift=4)


def _order_lane(study: Study, fig: go.Figure, months: list[str]) -> None:
    """The lane under the picture: from the last day to order until the thing works."""
    taken: dict[int, float] = {}
    for order in study.fleet.orders:
        now = order.month <= study.last
        row, tint = (1, "ink") if now else (0, "muted")
        text, due, lead = due_of(study, order)
        starts = str(study.order_by(order.month, lead))
        works = months[order.month]
        fig.add_scatter(
            x=[starts, works], y=[row] * 2, yaxis="y2", mode="lines+markers", hoverinfo="text", text=[str(safe(text))] * 2, line=dict(color=look.colour(tint), width=4 if now else 1.5, dash="solid"),
            marker=dict(opacity=1, size=[14, 0], symbol="line-ns", line=dict(width=[4, 0], color=look.colour(tint))),
        )  # fmt: skip
        day = " ".join(due.split()[:2])
        short = day.split()[0] + " " + day.split()[1][:3]
        if order.month - taken.get(row, -9) >= 5:
            what = _text(text, 26)
            look.label(fig, works, row, f"<b>{short}</b><br>{what}" if now else f"{short} {what}", "wide", tint, yref="y2", xshift=6)
            look.label(fig, works, row, f"<b>{short}</b>" if now else short, "narrow", tint, yref="y2", xshift=4)
            taken[row] = order.month
    for row, text in ((1, "order by"), (0, "later")):
        look.label(fig, 0, row, text, "wide", "muted", xref="paper", yref="y2", xanchor="right", xshift=-6)


def utilization(study: Study) -> go.Figure:
    """Utilization of every resource over its limit, by month: where it is over, reversed."""
    until = min(study.last + 6, study.worlds.rps.shape[1] - 1) + 1
    months = _months(study)[:until]
    outs = study.run_outs[:9]
    z = np.array([[float(v) for v in np.median(o.resource.utilization[:, :until] / np.broadcast_to(o.resource.limit, o.resource.utilization.shape)[:, :until], axis=0) * 100] for o in outs])
    z = np.where(np.isfinite(z), z, 999.0)
    names = [_text(o.resource.label) for o in outs]
    text = [[f"{v:.0f}" if v < 999 else "full" for v in row] for row in z]
    over = [o for o, row in zip(outs, z, strict=True) if row.max() > 100]
    title = f"{len(over)} of {len(study.run_outs)} resources pass their limit within {until - 1} months at the median" if over else f"No resource passes its limit within {until - 1} months at the median"
    fig = _figure(title, "Utilization at the peak hour (% of the limit that is planned for, N + 1 included), P50, today’s fleet; reversed: over the limit", height=40 * len(names) + 60,
                  meta=dict(narrow=dict(layout={"yaxis.showticklabels": False, "xaxis.tickformat": "%b %y", "margin.l": 0, "margin.r": 0, "margin.t": 16}, data={"ygap": 19}, height=44 * len(names) + 60)))  # fmt: skip
    common = dict(x=months, y=names, texttemplate="%{text}", hovertemplate="%{y}, %{x|%b %Y}: %{text} %<extra></extra>")
    fig.add_heatmap(z=z, text=text, zmin=0, zmax=100, textfont=dict(color=look.colour("ink"), size=11), **common)
    red, hot = look.colour("broken"), np.where(z > 100, z, np.nan)
    hot_text = [[t if v > 100 else "" for t, v in zip(*rows, strict=True)] for rows in zip(text, z, strict=True)]
    fig.add_heatmap(z=[[None if np.isnan(v) else v for v in row] for row in hot], text=hot_text, colorscale=[[0, red], [1, red]], textfont=dict(color=look.colour("paper"), weight=700, size=11), **common)
    for name in names:
        look.label(fig, 0, name, name, "narrow", xref="paper", yshift=12, yanchor="bottom", xanchor="left")
    fig.update_layout(yaxis=dict(autorange="reversed", showgrid=False, ticks=""), xaxis=dict(type="date", tickformat="%b\n%Y", dtick="M3", showline=False, ticks=""), hovermode="closest")
    return fig


def promise_by_month(study: Study) -> go.Figure:
    """P(every promise holds) by month: today's fleet, and the recommended one."""
    months = _months(study)
    asked = confidence(study.scenario)
    start = first_below(study.p_all, asked)
    title = f"Today’s fleet keeps every promise with {percent(asked)} until {month_name(str(study.scenario.as_of), start - 1)}" if start >= 1 else f"Today’s fleet does not reach the {percent(asked)} asked for"
    if not np.isfinite(start):
        title = f"Today’s fleet keeps every promise with {percent(asked)} for the whole plan"
    error = number(196 * np.sqrt(0.25 / study.worlds.rps.shape[0]), 2)
    fig = _figure(title, f"P(every promise holds) by month, {count(study.worlds.rps.shape[0])} worlds (sampling error at most {error} points)", height=320, margin=dict(t=28, r=110), meta=dict(narrow=dict(layout={"xaxis.dtick": "M12", "xaxis.tickformat": "%Y", "margin.r": 12}, height=300)))
    fig.add_scatter(x=months, y=[100 * float(p) for p in study.p_all], mode="lines", name="today’s fleet", line=dict(color=look.colour("blue"), width=2.5), hovertemplate="%{y:.0f} %")
    fig.add_scatter(x=months, y=[100 * float(p) for p in study.fleet.p_all], mode="lines", name="with the plan", line=dict(color=look.colour("ink"), width=2.5, dash="dash"), hovertemplate="%{y:.0f} %")
    look.threshold(fig, asked * 100, f"asked for: {percent(asked)}")
    look.label(fig, months[-1], 100 * float(study.p_all[-1]), "today’s fleet", "wide", xshift=6, yanchor="bottom")
    look.label(fig, months[-1], 100 * float(study.fleet.p_all[-1]), "with the plan", "wide", xshift=6)
    fig.update_layout(xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]), yaxis=dict(range=[0, 104], ticksuffix=" %"))
    return fig


def cost_by_tier(study: Study) -> go.Figure:
    """Cost per month of each tier, today and in the last month asked for."""
    rows = sorted(((n, float(np.median(u[:, 0])), float(np.median(u[:, study.last]))) for n, u in study.worlds.cost_usd.items()), key=lambda r: r[2])
    then = month_name(str(study.scenario.as_of), study.last)
    total = float(np.median(study.worlds.cost_month_usd[:, study.last])) or 1.0
    fig = _figure(f"{rows[-1][0][0].upper()}{rows[-1][0][1:]} is {share(rows[-1][2] / total, 2)} of the cost in {then}", f"Cost per month in US dollars at list prices, today’s fleet; upper bar: {then}, lower bar: now", height=46 * len(rows) + 50, margin=dict(r=70))
    names = [_text(r[0]) for r in rows]
    fig.add_bar(y=names, x=[r[1] for r in rows], orientation="h", name="now", marker=dict(color=look.colour("sky")), hovertemplate="%{x:,.0f} USD")
    fig.add_bar(y=names, x=[r[2] for r in rows], orientation="h", name=then, marker=dict(color=look.colour("blue"), pattern=dict(shape="/")), hovertemplate="%{x:,.0f} USD")
    for name, row in zip(names, rows, strict=True):
        look.label(fig, max(row[1:]), name, short_money(row[2]), xshift=6)
    fig.update_layout(barmode="group", xaxis=dict(ticksuffix=" USD", nticks=5, range=[0, 1.12 * max(max(r[1:]) for r in rows) or 1]), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


# ---- 1: requirements ----


def week(study: Study) -> go.Figure:
    """The week's shape: load of each hour over the busiest hour's."""
    shape = study.scenario.week if study.scenario.week is not None else usual_week()
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    top = int(np.argmax(shape))
    full = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    source = study.statement.history.file if study.statement.history is not None else "the usual week of a consumer service (a default)"
    fig = _figure(f"The week peaks on {full[top // 24]} at {top % 24}:00; the mean hour carries {share(float(np.mean(shape)), 2)} of that", f"Requests of each hour of the week, % of the busiest hour; from {source}, UTC", height=300, meta=dict(narrow=dict(height=260)))
    fig.add_scatter(x=list(range(168)), y=[100 * float(v) for v in shape], mode="lines", name="load", line=dict(color=look.colour("blue")), hovertemplate="%{y:.0f} %")
    fig.update_layout(xaxis=dict(tickvals=[24 * i + 12 for i in range(7)], ticktext=list(days), range=[0, 167]), yaxis=dict(range=[0, 105], ticksuffix=" %"))
    return fig


def growth(study: Study) -> go.Figure:
    """Weekly peaks so far, and the demand to come as a fan."""
    months = _months(study)
    fan = _fan(study.worlds.rps)
    factor = float(np.median(study.worlds.rps[:, 12] / study.worlds.rps[:, 0]))
    fig = _figure(f"The peak hour grows to {number(factor)} times today’s in a year", "Requests per second at the peak hour: weekly peaks of the history, then P5–P95, P25–P75 and P50 of all worlds, events included", height=360, margin=dict(r=90, t=20), meta=dict(narrow=dict(layout={"margin.r": 8}, height=300)))
    look.fan(fig, months, fan, "demand", "rps")
    history = study.statement.history
    if history is not None:
        days = [str(np.datetime64(int(t), "s").astype("datetime64[D]")) for t in history.times]
        fig.add_scatter(x=days, y=[float(v) for v in history.weekly_peak_rps], mode="markers", name="weekly peak", marker=dict(color=look.colour("ink"), size=4), hovertemplate="%{y:,.0f} rps")
    look.moment(fig, months[0], "today")
    for q in (5, 50, 95):
        look.label(fig, months[-1], fan[q][-1], f"P{q} {number(fan[q][-1])}", "wide", xshift=6)
    fig.update_layout(xaxis=dict(type="date", tickformat="%Y", dtick="M12"), yaxis=dict(rangemode="tozero", ticksuffix=" rps", nticks=6))
    return fig


def regions(study: Study) -> go.Figure:
    """Share of users and the floor that the round trip sets, by region, against the strictest latency target."""
    rows = sorted(((n, float(np.median(r.share)), float(np.median(r.round_trip_s))) for n, r in study.scenario.regions.items()), key=lambda r: r[2])
    strictest = min(targets(study.scenario).values(), default=float("nan"))
    far = rows[-1]
    part = f": {share(far[2] / strictest, 2)} of the strictest target" if np.isfinite(strictest) else ""
    fig = _figure(f"{far[0]} spends {duration(far[2])} on the way before any work is done{part}", "Round trip to the service by region; beside each bar the share of users", height=56 * len(rows) + 70, margin=dict(r=90, t=28))
    names = [_text(r[0]) for r in rows]
    fig.add_bar(y=names, x=[r[2] * 1e3 for r in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.3r} ms")
    for name, row in zip(names, rows, strict=True):
        look.label(fig, row[2] * 1e3, name, f"{duration(row[2])}, {share(row[1], 2)} of users", xshift=6)
    top = max(far[2] * 1e3 * 1.6, strictest * 1.1e3 if np.isfinite(strictest) else 0)
    if np.isfinite(strictest):
        fig.add_vline(x=strictest * 1e3, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
        look.label(fig, strictest * 1e3, 1, f"strictest target {duration(strictest)}", yref="y domain", xanchor="right", yanchor="bottom")
    fig.update_layout(xaxis=dict(ticksuffix=" ms", range=[0, top], nticks=6), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


# ---- 2: architecture ----


def latency_by_load(study: Study, p: float = 0.95) -> go.Figure:
    """A percentile of each journey against load, with targets, knee and today's peak."""
    loads, lines, fans = sweep(study, p)
    found = knee(study.scenario)
    aims = targets(study.scenario)
    slowest = max(lines, key=lambda n: lines[n][0])
    top = 1.6e3 * max([aims.get(n, 0.0) for n in lines] + [2 * float(lines[n][0]) for n in lines])
    latest = _latency_knee(study, found)
    title = f"{latest[0][0].upper()}{latest[0][1:]} breaks its target at {rate(latest[1])}, {number(latest[1] / found.peak_rps)} times today’s peak" if latest else "No load that was tried breaks a latency target"
    fig = _figure(title, f"p{p * 100:g} response time (ms) against load at the peak hour, today’s fleet; band: P5–P95 and P25–P75 of {slowest} over worlds", height=380, margin=dict(t=28, r=80), meta=dict(narrow=dict(layout={"xaxis.nticks": 4, "margin.r": 12}, height=340)))
    bands = {q: [min(1e3 * float(v), 4 * top) if np.isfinite(v) else 4 * top for v in values] for q, values in fans[slowest].items()}
    look.fan(fig, [float(x) for x in loads], bands, slowest, "ms")
    for i, (name, values) in enumerate(((n, v) for n, v in lines.items() if n != slowest), 1):
        fig.add_scatter(x=[float(x) for x in loads], y=[1e3 * float(v) if np.isfinite(v) else None for v in values], name=_text(name), mode="lines", line=dict(color=look.colour(look.SERIES[i % 6]), dash=look.DASHES[i % 6]), hovertemplate="%{y:,.3r} ms")
    _name_lines(fig, loads, lines, top)
    for target in sorted(set(aims.values())):
        names = [n for n, t in aims.items() if t == target]
        look.threshold(fig, target * 1e3, f"{', '.join(_text(n, 12) for n in names)} {duration(target)}")
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}", xanchor="right", xshift=-5)
    if np.isfinite(found.rps):
        look.moment(fig, found.rps, f"first promise breaks {number(found.rps)}")
    fig.update_layout(xaxis=dict(range=[0, float(loads[-1])], ticksuffix=" rps"), yaxis=dict(range=[0, top], ticksuffix=" ms"))
    return fig


def _latency_knee(study: Study, found: Any) -> tuple[str, float] | None:
    loads = {n: v for n, v in found.objectives.items() if isinstance(study.scenario.objectives[n], Latency) and np.isfinite(v) and v > 0}
    name = min(loads, key=lambda n: loads[n], default=None)
    return None if name is None else (name, loads[name])


def _name_lines(fig: go.Figure, loads: FloatArray, lines: dict[str, FloatArray], top: float) -> None:
    """Each line is named where it leaves through the top, or at the right; lines that leave together share a label."""
    ends: dict[tuple[str, int], list[str]] = {}
    for name, values in lines.items():
        shown = np.flatnonzero(np.nan_to_num(values * 1e3, posinf=1e12) > top)
        ends.setdefault(("top", int(shown[0]) // 3) if shown.size else ("right", int(1e3 * values[-1] / top * 12)), []).append(name)
    for (side, _), names in ends.items():
        text = ", ".join(f"<b>{_text(n, 12)}</b>" for n in names)
        first = lines[names[0]]
        if side == "top":
            at = int(np.flatnonzero(np.nan_to_num(first * 1e3, posinf=1e12) > top)[0])
            look.label(fig, float(loads[at]), top, text, xanchor="right", yanchor="bottom")
        else:
            look.label(fig, float(loads[-1]), float(first[-1]) * 1e3, text, "wide", xshift=6)


def waterfall(study: Study) -> go.Figure:
    """Mean time of one request by tier, stacked by journey."""
    rows = shares_of_latency(study)
    tiers = list(dict.fromkeys(t for parts in rows.values() for t in parts))
    journeys = list(rows)
    totals = {j: sum(sum(v) for v in rows[j].values()) for j in journeys}
    slow = max(totals, key=lambda j: totals[j])
    part = max(rows[slow], key=lambda t: sum(rows[slow][t]))
    fig = _figure(f"{slow[0].upper()}{slow[1:]} spends most of its {duration(totals[slow])} in {part}", "Mean time of a request by tier, ms, today’s peak, at the median; parts under 3 % of the longest bar are not named", height=70 * len(journeys) + 60, margin=dict(r=80))
    longest = max(totals.values())
    for i, tier in enumerate(tiers):
        values = [1e3 * sum(rows[j].get(tier, (0.0, 0.0))) for j in journeys]
        fig.add_bar(y=[_text(j) for j in journeys], x=values, orientation="h", name=_text(tier), marker=dict(color=look.colour(look.SERIES[i % 6]), pattern=dict(shape=("", "/", "x", ".", "-", "|")[i % 6])), hovertemplate="%{x:,.3r} ms")
    for j in journeys:
        start = 0.0
        for tier in tiers:
            width = sum(rows[j].get(tier, (0.0, 0.0)))
            if width > 0.12 * longest:
                look.label(fig, 1e3 * (start + width / 2), _text(j), f"<b>{_text(tier, 14)}</b>", "wide", xanchor="center", bgcolor=look.colour("paper"), borderpad=2)
            start += width
        look.label(fig, 1e3 * totals[j], _text(j), duration(totals[j]), xshift=6)
    fig.update_layout(barmode="stack", xaxis=dict(ticksuffix=" ms", range=[0, 1.12e3 * longest], nticks=6), yaxis=dict(showgrid=False, autorange="reversed"), hovermode="closest")
    return fig


def saturation(study: Study) -> go.Figure:
    """The load at which each resource reaches its limit and saturates."""
    found = knee(study.scenario)
    rows = sorted(((p, found.resources[p], v) for p, v in found.saturated.items() if np.isfinite(v)), key=lambda r: -r[2])
    name = lambda path: path.removeprefix("tiers.").replace(".", " ")  # noqa: E731
    title = f"{name(rows[-1][0])[0].upper()}{name(rows[-1][0])[1:]} saturate first, at {rate(rows[-1][2])}" if rows else "Nothing saturates within eight times today’s peak"
    fig = _figure(title, "Load of the whole service at which each resource is fully used (bar) and reaches its planned limit (mark), at the median", height=40 * max(len(rows), 1) + 70, margin=dict(t=28, r=80))
    names = [_text(name(r[0]), 26) for r in rows]
    fig.add_bar(y=names, x=[r[2] for r in rows], orientation="h", marker=dict(color=look.colour("sky")), hovertemplate="%{x:,.0f} rps")
    fig.add_scatter(y=names, x=[r[1] for r in rows], mode="markers", marker=dict(color=look.colour("ink"), symbol="line-ns", size=16, line=dict(width=3, color=look.colour("ink"))), hovertemplate="limit %{x:,.0f} rps")
    for label, row in zip(names, rows, strict=True):
        look.label(fig, row[2], label, number(row[2]), xshift=6)
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}")
    fig.update_layout(xaxis=dict(ticksuffix=" rps", nticks=6, range=[0, 1.15 * max([r[2] for r in rows] or [1.0])]), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


def hit_ratio(study: Study) -> go.Figure:
    """Hit ratio against memory, and what reaches the origin, for the first cache whose hit ratio is computed."""
    name = next((n for n, t in study.scenario.tiers.items() if isinstance(t, Cache) and t.hit_ratio is None), None)
    if name is None:
        return _figure("No cache whose hit ratio follows from its size", "State items, popularity and memory instead of a hit ratio to see its curve", height=120)
    swept = cache_by_memory(study, name)
    tier = study.scenario.tiers[name]
    assert isinstance(tier, Cache)
    now = float(tier.memory_bytes * tier.instances)
    here = float(np.interp(now, swept["memory_bytes"], swept["hit_ratio"]))
    twice = float(np.interp(2 * now, swept["memory_bytes"], swept["hit_ratio"]))
    held = float(items_in_memory(tier.memory_bytes, tier.item_bytes, tier.instances)) / float(tier.items)
    fig = _figure(f"Twice the memory would raise {name}’s hit ratio from {share(here)} to {share(twice)}", f"LRU hit ratio (%) against memory of all nodes; today it holds {share(min(held, 1.0), 2)} of {number(float(tier.items))} items", height=320, margin=dict(t=28, r=20))
    fig.add_scatter(x=[v / 1e9 for v in swept["memory_bytes"]], y=[100 * float(v) for v in swept["hit_ratio"]], mode="lines", name="hit ratio", line=dict(color=look.colour("blue"), width=2.5), hovertemplate="%{y:.1f} %")
    look.moment(fig, now / 1e9, f"today {number(now / 1e9)} GB")
    for target, label in ((80, "MVP"), (90, "Growth"), (95, "Enterprise")):
        look.threshold(fig, target, f"{label} {target} %")
    fig.update_layout(xaxis=dict(ticksuffix=" GB", rangemode="tozero", nticks=6), yaxis=dict(range=[max(0.0, 100 * float(swept["hit_ratio"].min()) - 5), 101], ticksuffix=" %"))
    return fig


# ---- 3: implementation ----


def pool_wait(study: Study) -> go.Figure:
    """p99 wait for a connection against the size of the pool, today and later."""
    name = next((n for n, t in study.scenario.tiers.items() if isinstance(t, Database)), None)
    if name is None:
        return _figure("No connection pool in this scenario", "State a tier of kind database to see its waits", height=120)
    swept = wait_by_pool(study, name)
    now = float(study.scenario.tiers[name].connections)  # type: ignore[union-attr]
    asked = float(study.fleet.counts_at(study.last).get(f"tiers.{name}.connections", now))
    then = month_name(str(study.scenario.as_of), study.last)
    enough = next((float(c) for c, w in zip(swept["connections"], swept["later_p99_s"], strict=True) if w == 0), float("inf"))
    title = f"From {count(enough)} connections on, 99 of 100 calls find one free in {then}" if np.isfinite(enough) else f"No pool that was tried is enough in {then}"
    fig = _figure(title, f"p99 wait for a connection of {name} (ms, log scale) against the size of the pool (M/M/c), at the median; no line: nobody in 100 waits", height=330, margin=dict(t=28, r=90))
    for i, (key, label) in enumerate((("today_p99_s", "today"), ("later_p99_s", then))):
        y = [1e3 * float(v) if np.isfinite(v) and v > 1e-6 else None for v in swept[key]]
        fig.add_scatter(x=[float(v) for v in swept["connections"]], y=y, mode="lines", name=label, line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]), hovertemplate="%{y:,.3r} ms")
        ends = [(x, v) for x, v in zip(swept["connections"], y, strict=True) if v is not None]
        if ends:
            look.label(fig, float(ends[-1][0]), float(np.log10(ends[-1][1])), label, xshift=6)
    look.moment(fig, now, f"today {count(now)}", xanchor="right", xshift=-5)
    if asked != now:
        look.moment(fig, asked, f"plan {count(asked)}")
    fig.update_layout(xaxis=dict(nticks=8), yaxis=dict(type="log", ticksuffix=" ms", dtick=1))
    return fig


def threads(study: Study) -> go.Figure:
    """Busy against available servers at every station."""
    shape = study.middle.rps.shape
    rows = [(f"{t} {'threads' if f == 'instances' else f}", 100 * float(np.broadcast_to(np.asarray(s.utilization), shape)[0, 0]), 100 * float(np.broadcast_to(np.asarray(s.utilization), shape)[0, study.last])) for (t, f), s in study.middle.carried.stations.items()]
    rows = sorted(((n, a, min(b, 120.0) if np.isfinite(b) else 120.0) for n, a, b in rows), key=lambda r: r[2])
    then = month_name(str(study.scenario.as_of), study.last)
    full = [r for r in rows if r[2] >= 100]
    fig = _figure(f"{len(full)} of {len(rows)} stations are full in {then} with today’s settings" if full else f"No station is full in {then} with today’s settings", f"Utilization at the peak hour (%), at the median: square now, line to {then}; cut at 120 %", height=38 * len(rows) + 70, margin=dict(t=28, r=60))
    names = [_text(r[0], 26) for r in rows]
    for name, row in zip(names, rows, strict=True):
        fig.add_scatter(x=[row[1], row[2]], y=[name, name], mode="lines+markers", line=dict(color=look.colour("broken" if row[2] >= 100 else "blue"), width=3, dash="solid"), marker=dict(size=[9, 0], symbol="square", color=look.colour("ink")), hovertemplate="%{x:.0f} %")
        look.label(fig, row[2], name, f"{row[2]:.0f} %" if row[2] < 120 else "over 120 %", xshift=6)
    fig.add_vline(x=100, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
    fig.update_layout(xaxis=dict(range=[0, 135], ticksuffix=" %"), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


# ---- 4: testing ----


def stages(study: Study) -> go.Figure:
    """The stages of a load test against the predicted knee."""
    found = knee(study.scenario)
    limit = found.rps if np.isfinite(found.rps) else 3 * found.peak_rps
    burst = found.peak_rps * float(study.scenario.traffic.peak_second)
    points = [(0, 0), (5, 0), (5, found.peak_rps), (25, found.peak_rps), (25, burst), (27, burst), (27, found.peak_rps), (35, found.peak_rps), (60, 1.2 * limit), (60, 0), (65, 0)]
    fig = _figure(f"A ramp from {number(found.peak_rps)} to {number(1.2 * limit)} rps crosses the predicted knee at {number(limit)}", "Arrival rate of the load generator over an hour: smoke, load, spike, load, stress", height=320, margin=dict(t=28))
    fig.add_scatter(x=[p[0] for p in points], y=[float(p[1]) for p in points], mode="lines", name="rate", line=dict(color=look.colour("blue"), width=2.5), hovertemplate="%{y:,.0f} rps")
    look.threshold(fig, limit, f"first promise breaks {number(limit)}")
    for x, y, text in ((15, found.peak_rps, "load"), (26, burst, "spike"), (48, 0.75 * found.peak_rps + 0.25 * limit, "stress")):
        look.label(fig, x, float(y), text, xanchor="center", yanchor="bottom")
    fig.update_layout(xaxis=dict(ticksuffix=" min", range=[0, 66]), yaxis=dict(ticksuffix=" rps", range=[0, 1.35 * limit], nticks=6))
    return fig


def prediction(study: Study) -> go.Figure:
    """p50, p95 and p99 of the slowest journey against load: what a test should measure."""
    found = knee(study.scenario)
    sweeps = {p: sweep(study, p) for p in (0.5, 0.95, 0.99)}
    loads, lines, _ = sweeps[0.95]
    slowest = max(lines, key=lambda n: lines[n][0])
    now = float(np.interp(found.peak_rps, loads, np.nan_to_num(lines[slowest], posinf=1e9)))
    top = 2.5e3 * float(sweeps[0.99][1][slowest][0])
    fig = _figure(f"At today’s peak a test should find {slowest} at p95 {duration(now)}", f"Predicted response time of {slowest} (ms) against load, at the median; a test that disagrees by more than a fifth disproves the model", height=340, margin=dict(t=28, r=60))
    for i, (p, swept) in enumerate(sweeps.items()):
        y = [1e3 * float(v) if np.isfinite(v) else None for v in swept[1][slowest]]
        fig.add_scatter(x=[float(x) for x in swept[0]], y=y, mode="lines", name=f"p{p * 100:g}", line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]), hovertemplate="%{y:,.3r} ms")
        look.label(fig, float(swept[0][2]), float(y[2] or 0), f"p{p * 100:g}", yanchor="bottom")
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}")
    fig.update_layout(xaxis=dict(ticksuffix=" rps", range=[0, float(loads[-1])]), yaxis=dict(range=[0, top], ticksuffix=" ms"))
    return fig


# ---- 5: monitoring ----


def burn(study: Study) -> go.Figure:
    """Time until an alert fires, and how much budget is then gone, against how bad an incident is."""
    bad = np.geomspace(0.001, 1.0, 80)
    objective = next((o for o in study.scenario.objectives.values() if isinstance(o, Availability)), None)
    budget = 1 - float(np.median(objective.above)) if objective is not None else 0.001
    name = next((n for n, o in study.scenario.objectives.items() if o is objective), "an availability of 99.9 %")
    rules = ((0.02, 1.0, "2 % in 1 h"), (0.05, 6.0, "5 % in 6 h"), (0.10, 72.0, "10 % in 3 d"))
    outage = 60 * 1.0 * (0.02 * 720 / 1.0) * budget
    fig = _figure(f"A full outage pages within {duration(outage * 60)} and has then spent 2 % of the month’s budget", f"Minutes until each burn-rate alert of {name} fires (log scale) against the share of requests that fail (log scale); window 30 days", height=340, margin=dict(t=20, r=100))
    for i, (spent, hours, label) in enumerate(rules):
        factor = spent * 720 / hours
        need = factor * budget
        minutes = [60 * hours * need / b if b >= need else None for b in bad]
        fig.add_scatter(x=[100 * float(b) for b in bad], y=minutes, mode="lines", name=label, line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]), hovertemplate="%{y:,.3r} min")
        look.label(fig, 2.0, float(np.log10(60 * hours * need)), label, xshift=6)
    fig.update_layout(xaxis=dict(type="log", ticksuffix=" %", dtick=1), yaxis=dict(type="log", ticksuffix=" min", dtick=1))
    return fig


def budget_left(study: Study) -> go.Figure:
    """Share of each error budget that is predicted to be left, by month."""
    from perfplan.findings import left_of_budget as left

    months = _months(study)
    rows = {n: np.median(left(j), axis=0) for n, j in study.worlds.judged.items() if isinstance(j.objective, Latency | Availability)}
    freeze = float(np.median(study.scenario.freeze_at))
    worst = min(rows, key=lambda n: float(rows[n][0]), default=None)
    fig = _figure(f"{worst[0].upper()}{worst[1:]} has the least room: {share(max(float(rows[worst][0]), 0.0), 2)} of its budget is left today" if worst else "No promise has an error budget", "Share of the error budget that is predicted to be left (%), by month, today’s fleet, P50; below 0: overspent", height=340, margin=dict(t=28, r=130), meta=dict(narrow=dict(layout={"xaxis.dtick": "M12", "xaxis.tickformat": "%Y", "margin.r": 12}, height=300)))
    for i, (name, values) in enumerate(rows.items()):
        y = [100 * float(v) if v > -1 else -100.0 for v in values]
        fig.add_scatter(x=months, y=y, mode="lines", name=_text(name), line=dict(color=look.colour(look.SERIES[i % 6]), dash=look.DASHES[i % 6]), hovertemplate="%{y:.0f} %")
    if rows:
        order = sorted(rows, key=lambda n: float(rows[n][0]))
        for i, name in enumerate(order):
            look.label(fig, 1, (i + 0.5) / len(order), _text(name, 16), "wide", xref="paper", yref="paper", xshift=6)
        look.threshold(fig, 100 * freeze, f"deployments freeze at {share(freeze, 2)}")
    fig.update_layout(xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]), yaxis=dict(range=[-50, 104], ticksuffix=" %"))
    return fig


# ---- 6: optimization ----


def tornado(study: Study) -> go.Figure:
    """What each uncertain input moves, in months of the first broken promise."""
    rows = [m for m in study.moved if abs(m.months) > 0.05][:10][::-1]
    fig = _figure(f"{study.moved[0].path} decides the date: measure it again first" if rows else "No uncertain input moves the date", "Months by which the first broken promise moves between the upper and the lower third of each input; left: earlier when the input is high", height=36 * max(len(rows), 1) + 70, margin=dict(r=60))
    if rows:
        names = [_text(m.path, 30) for m in rows]
        fig.add_bar(y=names, x=[m.months for m in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.1f} months")
        for name, m in zip(names, rows, strict=True):
            look.label(fig, m.months, name, f"{m.months:+.1f}".replace("-", "−"), xanchor="left" if m.months > 0 else "right", xshift=6 if m.months > 0 else -6)
        wide = 1.35 * max(abs(m.months) for m in rows)
        fig.update_layout(xaxis=dict(range=[-wide, wide], ticksuffix=" months"), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


def frontier(study: Study) -> go.Figure:
    """P(every promise holds) against cost per month, one mark an option."""
    base = float(np.median(study.worlds.cost_month_usd[:, study.last]))
    asked = confidence(study.scenario)
    reach = [t for t in study.options if t.p_all >= asked]
    cheapest = min(reach, key=lambda t: t.cost_change_usd, default=None)
    then = month_name(str(study.scenario.as_of), study.last)
    title = f"{cheapest.name[0].upper()}{cheapest.name[1:]} is the cheapest way to {percent(asked)}: {money(base + cheapest.cost_change_usd)} a month" if cheapest else f"No single option reaches {percent(asked)} in {then}"
    fig = _figure(title, f"P(every promise holds) in {then} against cost per month, options in the same worlds", height=360, margin=dict(t=28, r=30))
    fig.add_scatter(x=[base + t.cost_change_usd for t in study.options], y=[100 * t.p_all for t in study.options], mode="markers", marker=dict(color=look.colour("blue"), size=10), text=[_text(t.name, 40) for t in study.options], hovertemplate="%{text}: %{y:.0f} %<extra></extra>")
    placed: list[float] = []
    for t in study.options:
        if all(abs(100 * t.p_all - y) > 7 for y in placed):
            look.label(fig, base + t.cost_change_usd, 100 * t.p_all, _text(t.name, 30), "wide", xshift=9)
            placed.append(100 * t.p_all)
    look.threshold(fig, 100 * asked, f"asked for: {percent(asked)}")
    costs = [base + t.cost_change_usd for t in study.options]
    room = max(max(costs) - min(costs), 0.02 * base, 1.0)
    fig.update_layout(xaxis=dict(range=[min(costs) - 0.1 * room, max(costs) + 0.6 * room], ticksuffix=" USD", nticks=6), yaxis=dict(range=[-4, 106], ticksuffix=" %"), hovermode="closest")
    return fig
