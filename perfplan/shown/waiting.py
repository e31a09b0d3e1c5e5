"""Where calls and jobs wait: pools of connections, queues."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.models.stations.service import Station
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, nothing
from perfplan.shown.frames import (
    Rows,
    first_of,
    frame_of,
    month_of,
)
from perfplan.study import Study, once
from perfplan.study.sweeps import pools as pools_of
from perfplan.study.sweeps import (
    wait_by_pool,
)
from perfplan.tiers import bought_of
from perfplan.tiers.place import Place
from perfplan.words import (
    count,
    duration,
    rate,
    share,
)

SIZES = (0.5, 0.75, 1, 1.25, 1.5, 2)  # of the pool there is


@once
def pools(study: Study) -> Table:
    """Waits for a pooled connection by pool size, today and in the last month asked for."""
    rows: Rows = []
    for place in pools_of(study):
        swept, now = wait_by_pool(study, place), study.middle.resources[place].count
        for wanted in dict.fromkeys(round(now * f) for f in SIZES):
            i = int(np.searchsorted(swept["connections"], wanted))
            if i < len(swept["connections"]):
                rows.append({"database": place.tier, **{k: float(v[i]) for k, v in swept.items()}})
    then = study.named(study.last, short=True)
    columns = (
        Column("database", "Database"),
        Column("connections", "Connections", count),
        Column("today_mean_s", "Mean wait", duration),
        Column("today_p99_s", "p99 wait", duration),
        Column("later_mean_s", f"Mean {then}", duration),
        Column("later_p99_s", f"p99 {then}", duration),
    )
    return Table(
        name="pools",
        title=_pool_title(study),
        subtitle=f"Wait for a connection at today's peak and in {study.named(study.last)}, at the median.",
        frame=frame_of(rows, columns),
        columns=columns,
    )


def _pool_title(study: Study) -> str:
    """From which size on the first pool is enough."""
    place = next(iter(pools_of(study)), None)
    if place is None:
        return "No connection pool in this scenario"
    swept = wait_by_pool(study, place)
    enough = next((float(n) for n, wait in zip(swept["connections"], swept["later_p99_s"], strict=True) if wait == 0), None)
    if enough is None:
        return f"No pool of {place.tier} that was tried is enough in {study.named(study.last)}"
    return f"From {count(enough)} connections of {place.tier} on, 99 of 100 calls find one free in {study.named(study.last)}, at the median"


@once
def jobs(study: Study) -> Table:
    """Broker queues: jobs, workers, lag."""
    stations, tiers = study.middle.carried.stations, study.scenario.tiers
    waiting = [(place, one) for place, one in stations.items() if bought_of(tiers[place.tier], place.field).waits]
    rows: Rows = [_jobs(study, place, one, month) for place, one in waiting for month in (0, study.last)]
    columns = (
        Column("queue", "Queue"),
        Column("month", "Month", month_of(study)),
        Column("jobs_rps", "Jobs", rate),
        Column("workers", "Workers", count),
        Column("utilization", "Utilization", share),
        Column("lag_s", "Lag", duration),
        Column("p99_s", "p99 done", duration),
    )
    return Table(
        name="jobs",
        title=_lag_title(study, rows),
        subtitle="Workers at the peak hour, at the median: lag is the mean wait of a job, done the 99th percentile from publishing to the "
        "end.",
        frame=frame_of(rows, columns),
        columns=columns,
        stack=3,
    )


def _jobs(study: Study, place: Place, one: Station, month: int) -> dict[str, Any]:
    values = {
        "jobs_rps": one.arrival_rps,
        "workers": one.servers,
        "utilization": one.utilization,
        "lag_s": one.mean_wait_s,
        "p99_s": one.response_quantile_s(0.99),
    }
    return {"queue": place.tier, "month": month, **{key: first_of(v, study.middle.rps.shape, month) for key, v in values.items()}}


def _lag_title(study: Study, rows: Rows) -> str:
    if not rows:
        return "No queue in this scenario"
    worst = max(rows, key=lambda r: float(r["lag_s"]))
    return f"A job of {worst['queue']} waits {duration(worst['lag_s'])} on average in {study.named(worst['month'])}"


# ---- figures ----


def pool_wait(study: Study) -> go.Figure:
    """p99 wait for a connection against the size of the pool, today and later."""
    place = next(iter(pools_of(study)), None)
    if place is None:
        return nothing("No connection pool in this scenario", "State a tier of kind database to see its waits")
    swept, now = wait_by_pool(study, place), study.middle.resources[place].count
    asked = study.fleet.counts_at(study.last).get(place, now)
    then = study.named(study.last)
    fig = figure(
        _pool_title(study),
        f"p99 wait for a connection of {place.tier} (ms, log scale) against the size of the pool; no line: nobody in 100 waits; the plan "
        "keeps its promises in most worlds, not at the median alone",
        height=330,
        margin=dict(t=28, r=90),
    )
    for i, (key, label) in enumerate((("today_p99_s", "today"), ("later_p99_s", then))):
        y = [1e3 * float(v) if np.isfinite(v) and v > 1e-6 else None for v in swept[key]]
        fig.add_scatter(
            x=[float(v) for v in swept["connections"]],
            y=y,
            mode="lines",
            name=label,
            line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]),
            hovertemplate="%{y:,.3r} ms",
        )
        ends = [(x, v) for x, v in zip(swept["connections"], y, strict=True) if v is not None]
        if ends:
            look.label(fig, float(ends[-1][0]), float(np.log10(ends[-1][1])), label, xshift=6)
    look.moment(fig, now, f"today {count(now)}", high=True)
    if asked != now:
        look.moment(fig, asked, f"plan {count(asked)}", high=True)
    fig.update_layout(xaxis=dict(nticks=8), yaxis=dict(type="log", ticksuffix=" ms", dtick=1))
    return fig
