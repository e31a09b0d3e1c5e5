"""Grafana dashboards: objectives, performance, capacity, databases; as plain dictionaries of the dashboard's schema.

What they ask stands in the table of signals and among the recording rules; the plan's band, limits and cost are drawn in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perfplan.judging import Answers, File
from perfplan.judging.promql import judge
from perfplan.operate.source import Source
from perfplan.operate.text import decimal, slug, template
from perfplan.promises import timed
from perfplan.quantity import median
from perfplan.study import Study, once
from perfplan.subjects.alerts import burns_of
from perfplan.subjects.signals import Asked, asked
from perfplan.words import capital

WIDTH, PLACE = 24, "5_monitoring"  # columns of a dashboard
STAT, LINES = "stat", "timeseries"
BURN_WINDOWS = ("1h", "6h", "1d", "3d")
UNITS = {"/s": "reqps", "share": "percentunit", "s": "s", "B": "bytes", "B/s": "Bps"}  # as Grafana calls them
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39  # of dashboards, Grafana 11


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: what it shows, its queries with their legends, and the lines that are drawn in."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str
    says: str
    kind: str = LINES
    lines: tuple[float, ...] = ()  # limits, red beyond
    below: bool = False  # red below them
    wide: int = 8
    high: int = 8
    x: int = 0
    y: int = 0


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    items: tuple[tuple[str, str], ...]  # of the checklist, and the panels that answer it


@once
def boards(study: Study) -> list[Board]:
    """The dashboards that have anything to show, their panels placed."""
    source = Source(study=study)
    found = (_objectives(source), _performance(source), _capacity(source), _databases(source))
    return [replace(one, panels=tuple(_placed(one.panels))) for one in found if one.panels]


def _placed(panels: Sequence[Panel]) -> Iterator[Panel]:
    """Side by side as long as there is room, then in the next row."""
    x = y = high = 0
    for one in panels:
        if x + one.wide > WIDTH:
            x, y, high = 0, y + high, 0
        yield replace(one, x=x, y=y)
        x, high = x + one.wide, max(high, one.high)


# ---- which panels ----


def _objectives(source: Source) -> Board:
    """What is good, what is left of the budget, how fast it goes."""
    panels, burning = [], burns_of(source)
    for one in {burn.objective: burn for burn in burning}.values():
        at, said = f'{{objective="{slug(one.objective)}"}}', template(one.objective)
        good = round(1 - one.budget, 12)
        factors = sorted(burn.factor for burn in burning if burn.objective == one.objective and burn.possible)
        panels += [
            Panel(
                title=f"{said}: good in {one.days} days",
                kind=STAT,
                queries=((f"1 - slo:period_bad:ratio{at}", "good"),),
                unit="percentunit",
                says=f"promised: {decimal(round(100 * good, 9))} % of what the counters count",
                lines=(good,),
                below=True,
                wide=4,
            ),
            Panel(
                title=f"{said}: budget left",
                queries=((f"slo:period_budget_left:ratio{at}", "left"),),
                unit="percentunit",
                says="deployments stop below the line",
                lines=(median(source.study.scenario.freeze_at),),
                below=True,
            ),
            Panel(
                title=f"{said}: burn rate",
                queries=tuple((f'slo:burn_rate:ratio{at[:-1]},window="{window}"}}', window) for window in BURN_WINDOWS),
                unit="none",
                says="1 spends the budget within its window; lines: where alerts fire",
                lines=tuple(factors),
                wide=12,
            ),
        ]
    items = (("5.3.1", "objectives"), ("5.3.1.a", "good share"), ("5.3.1.b", "budget left"), ("5.3.1.c", "burn rates"))
    return Board(name="slo", title="Objectives", panels=tuple(panels), items=items)


def _performance(source: Source) -> Board:
    """Of each journey its percentiles with what is promised, its rate, what fails; of all the plan's band."""
    study, found = source.study, asked(source.study)
    total = " + ".join(one.query for one in found if one.kind == "journey" and one.row.signal == "rate")
    band = tuple((f"plan:peak_rps:{name}", f"plan, peak hour {name}") for name in ("p5", "p50", "p95"))
    panels = [
        Panel(
            title="All requests, with the plan's band and what it can carry",
            queries=((total, "now"), *band, ("plan:capacity_rps", "first promise breaks")),
            unit="reqps",
            says="at the balancer; the plan's peak hour of this month, P5 to P95",
            wide=24,
        )
    ]
    for name in study.scenario.journeys:
        mine = [one for one in found if one.kind == "journey" and one.name == name]
        targets = [one for objective in study.scenario.objectives.values() if (one := timed(objective)) is not None and one.journey == name]
        quantiles = [one for one in mine if one.row.method == "duration"]
        panels += [
            Panel(
                title=f"{template(name)}: response time",
                queries=tuple((one.query, one.row.signal) for one in quantiles),
                unit="s",
                says="at the balancer, without round trip; the line is promised at the user's",
                lines=tuple(sorted(median(one.below_s) for one in targets)),
            ),
            *(_panel(one, f"{template(name)}: {one.row.says}") for one in mine if one.row.method != "duration"),
        ]
    items = (
        ("5.3.2", "performance"),
        ("5.3.2.a", "percentiles with their targets"),
        ("5.3.2.b", "throughput with the plan's band"),
        ("5.3.2.c", "failed requests by code"),
    )
    return Board(name="performance", title="Performance", panels=tuple(panels), items=items)


def _capacity(source: Source) -> Board:
    """How far everything is used against the plan's limits, what scaled, what it costs."""
    found, study = asked(source.study), source.study
    tiers = [one for one in found if one.kind == "tier" and one.row.shown in ("share", "per core")]
    used = [one for one in tiers if one.row.method in ("utilization", "saturation")]
    limits = {slug(out.resource.place.tier): median(out.resource.limit) for out in reversed(study.run_outs)}
    panels = [
        Panel(
            title="Cost a month, by the plan",
            queries=(("plan:cost_month_usd:p50", "P50"),),
            unit="currencyUSD",
            says="list prices of the scenario; what is billed is not known here",
        ),
        Panel(
            title="Headroom: what the plan can carry over what comes",
            queries=((f"plan:capacity_rps / ({_total(found)} > 0)", "times"),),
            unit="none",
            says=f"wanted at the peak: {median(study.scenario.headroom):g}",
            lines=(median(study.scenario.headroom),),
            below=True,
        ),
        Panel(
            title="Limits of the plan, the lowest first",
            queries=(("sort(plan:limit:ratio)", "{{tier}} {{field}}"),),
            unit="percentunit",
            says="utilization that is planned for, one to spare where that is stated",
        ),
        *(_together(rows, limits) for rows in _alike(used)),
        *(_together(rows, {}) for rows in _alike([one for one in found if "5.3.3.b" in one.row.items])),
    ]
    items = (("5.3.3", "capacity"), ("5.3.3.a", "utilization against the plan's limits"), ("5.3.3.b", "instances and replicas over time"))
    return Board(name="capacity", title="Capacity", panels=tuple(panels), items=items)


def _alike(found: Sequence[Asked]) -> list[list[Asked]]:
    """Those of one signal together, whatever they are about."""
    rows: dict[tuple[str, str], list[Asked]] = {}
    for one in found:
        rows.setdefault((one.row.about, one.row.signal), []).append(one)
    return list(rows.values())


def _together(rows: Sequence[Asked], limits: Mapping[str, float]) -> Panel:
    """One signal of several tiers in one panel, with the limits that the plan has for them."""
    drawn = {limits[slug(one.name)] for one in rows if slug(one.name) in limits and one.row.signal in LIMITED}
    return replace(
        _panel(rows[0], capital(rows[0].row.says), tuple(sorted(value for value in drawn if np.isfinite(value)))),
        queries=tuple((one.query, template(one.name)) for one in rows),
    )


LIMITED = ("threads", "cpu", "pool")  # signals that the plan's limits are about


def _databases(source: Source) -> Board:
    """Of each database all that its exporters say."""
    found = [one for one in asked(source.study) if one.row.exporter in ("postgres_exporter", "pgbouncer_exporter")]
    panels = [_panel(one, f"{template(one.name)}: {one.row.says}") for one in found]
    items = (
        ("5.3.4", "databases"),
        ("5.3.4.a", "time of queries, and the statements that take most of it"),
        ("5.3.4.b", "pools in use and who waits"),
        ("5.3.4.c", "lag of the replicas"),
    )
    return Board(name="database", title="Databases", panels=tuple(panels), items=items)


def _total(found: Sequence[Asked]) -> str:
    return " + ".join(one.query for one in found if one.kind == "journey" and one.row.signal == "rate")


def _panel(one: Asked, title: str, lines: tuple[float, ...] = ()) -> Panel:
    by = one.query.partition(" by (")[2].partition(")")[0] if " by (" in one.query and "quantile" not in one.query else ""
    return Panel(
        title=title,
        queries=((one.query, f"{{{{{by}}}}}" if by else one.row.signal),),
        unit=UNITS.get(one.row.shown, "none"),
        says=f"{one.metric}, {one.row.exporter}",
        lines=lines,
    )


# ---- the file ----


def _drawn(one: Panel, place: int) -> dict[str, Any]:
    """A panel of the schema."""
    outside, inside = ("red", "green") if one.below else ("green", "red")
    steps: list[dict[str, Any]] = [{"color": outside, "value": None}, *({"color": inside, "value": value} for value in one.lines)]
    defaults: dict[str, Any] = {"unit": one.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if one.kind == LINES and one.lines:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    options: dict[str, Any] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi"}}
    if one.kind == STAT:
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value", "graphMode": "none"}
    return {
        "id": place,
        "type": one.kind,
        "title": one.title,
        "description": one.says,
        "gridPos": {"x": one.x, "y": one.y, "w": one.wide, "h": one.high},
        "datasource": SOURCE,
        "targets": [
            {"refId": chr(65 + i), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for i, (query, legend) in enumerate(one.queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


def dashboard(source: Source, board: Board) -> str:
    """The JSON of one dashboard, as Grafana imports it."""
    study = source.study
    made: dict[str, Any] = {
        "title": f"{template(study.scenario.name)}: {board.title}",
        "uid": f"{slug(study.scenario.name)[:30]}-{board.name}",
        "description": f"Capacity plan of {study.scenario.as_of}. Generated by perfplan from inputs sha256:{study.statement.digest()}.",
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "timezone": "browser",
        "tags": ["perfplan", slug(study.scenario.name)],
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "annotations": {"list": []},
        "panels": [_drawn(one, place) for place, one in enumerate(board.panels, 1)],
    }
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


JUDGE = judge('"expr": "', '"expr": "((')


def files(source: Source) -> tuple[File, ...]:
    """A file a dashboard."""
    found = []
    for one in boards(source.study):
        said = tuple(Answers(item=id, text=f"{text}; {len(one.panels)} panels", place=PLACE, formula=dashboard) for id, text in one.items)
        found.append(File(name=f"grafana-{one.name}.json", text=dashboard(source, one), judge=JUDGE, answers=said))
    return tuple(found)
