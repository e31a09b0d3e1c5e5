"""The explorer: sliders over a scenario, two figures and a verdict that follow, and "save as scenario". For JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from perfplan.plan import Plan, month_names, plan
from perfplan.promises import timed
from perfplan.quantity import Quantity, median
from perfplan.reading import read, stated_text
from perfplan.reading.nodes import overrides_of
from perfplan.scenario import Scenario
from perfplan.scenario.statement import Statement
from perfplan.shown import look
from perfplan.shown.blocks import safe
from perfplan.study.worlds import confidence, horizon, run_outs
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place
from perfplan.words import money, month_name, percent
from perfplan.workbook.opening import find

WORLDS = 60  # enough for a probability in steps of 2 %, and quick
SPAN = 4.0  # a slider reaches from a quarter of today's value to four times it


@dataclass(frozen=True, kw_only=True)
class Control:
    """One slider: the field it states, and how its value is written into a scenario."""

    path: str
    label: str
    slider: widgets.FloatSlider | widgets.IntSlider
    write: Callable[[float], str]
    start: float

    @property
    def override(self) -> str | None:
        """What it states anew; None where it stands as it did."""
        return None if np.isclose(self.slider.value, self.start) else f"{self.path}={self.write(self.slider.value)}"


class Explorer:
    """Controls, figures and verdict of one scenario; `box` is what a notebook shows."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.controls = _controls(statement)
        self.verdict = widgets.HTML()
        self.latency, self.used = go.FigureWidget(), go.FigureWidget()
        self.name = widgets.Text(value="explored.yaml", description="file")
        self.save_button = widgets.Button(description="Save as scenario")
        self.saved = widgets.HTML()
        self.save_button.on_click(lambda _: self.save())
        for one in self.controls:
            one.slider.observe(lambda _: self.update(), names="value")
        self.update()

    @property
    def box(self) -> widgets.VBox:
        """Everything, for the last line of a cell."""
        sliders = widgets.VBox([one.slider for one in self.controls])
        saving = widgets.HBox([self.name, self.save_button, self.saved])
        return widgets.VBox([self.verdict, widgets.HBox([sliders, self.latency]), self.used, saving])

    @property
    def overrides(self) -> tuple[str, ...]:
        """What the sliders state anew."""
        return tuple(one.override for one in self.controls if one.override is not None)

    def update(self) -> Plan:
        """Plan anew and show it."""
        drawn = self.statement.but(*self.overrides).at(WORLDS)
        made = plan(drawn, percentiles=(0.95,), months=horizon(drawn) + 1)
        self.verdict.value = _verdict(made)
        _latency(self.latency, made)
        _used(self.used, made)
        return made

    def save(self) -> Path | None:
        """Write the scenario with what the sliders state; never over a file that is there, and only beside the one explored."""
        path = Path(self.statement.file).parent / Path(self.name.value).name
        if not path.name.endswith(".yaml"):
            self.saved.value = "the name must end in .yaml"
        elif path.exists() or path.is_symlink():
            self.saved.value = f"{safe(path.name)} is already there; choose another name"
        else:
            text = stated_text(Path(self.statement.file), self.statement.but(*self.overrides).overrides)
            try:
                with path.open("x", encoding="utf-8", newline="\n") as file:  # also no link that leads elsewhere is there
                    file.write(text)
            except OSError as error:
                if not isinstance(error, FileExistsError):
                    path.unlink(missing_ok=True)
                self.saved.value = f"{safe(path.name)} could not be written: {safe(error.strerror)}"
                return None
            read(path)  # what was written is a scenario
            self.saved.value = f"written: {safe(path.name)}"
            return path
        return None


def explore(scenario: str, overrides: str = "") -> Explorer:
    """The explorer of a scenario file."""
    return Explorer(read(find(scenario), overrides_of(overrides)))


def _controls(statement: Statement) -> list[Control]:
    middle = statement.at()
    found = [_control(statement, path, label) for path, label in _paths(middle)]
    return [one for one in found if one is not None]


def _paths(middle: Scenario) -> list[tuple[str, str]]:
    """The fields worth turning: load, growth, hit ratio, instances, threads, pool, target."""
    paths = [("traffic.peak_users", "users"), ("traffic.peak", "peak"), ("traffic.growth", "growth")]
    for name, tier in middle.tiers.items():
        paths += [(str(Place(name, field)), f"{name} {label}") for field, label in kind_of(tier).advised.sliders.items()]
    paths += [(f"objectives.{name}.below", f"{name} target") for name, one in middle.objectives.items() if timed(one)]
    return paths


def _control(statement: Statement, path: str, label: str) -> Control | None:
    entry = statement.entries.get(path)
    kind = entry.declared.kind if entry else None
    if entry is None or entry.law is None or not isinstance(kind, Quantity):
        return None
    start = float(entry.law.mid)
    whole = kind.whole
    low, high = max(kind.low, start / SPAN), min(kind.high, max(start * SPAN, 8.0 if whole else start * SPAN))
    if path.endswith(".growth"):
        low, high = 0.0, max(0.1, 2 * start)
    if not low < high:
        return None
    layout = dict(
        description=label,
        min=low,
        max=high,
        value=start,
        continuous_update=True,
        style={"description_width": "10em"},
        layout={"width": "26em"},
    )
    slider = (
        widgets.IntSlider(**{**layout, "min": int(np.floor(low)), "max": int(high), "value": int(start)})
        if whole
        else widgets.FloatSlider(**layout, step=(high - low) / 200, readout_format=".3g")
    )
    slider.tooltip = entry.declared.help
    return Control(path=path, label=label, slider=slider, write=lambda value: kind.show(value).replace(",", ""), start=float(slider.value))


def _verdict(made: Plan) -> str:
    scenario, last = made.scenario, made.rps.shape[1] - 1
    asked, p = confidence(scenario), made.all_hold.mean(axis=0)
    bad = np.flatnonzero(p < asked)
    first = run_outs(made)[0]
    when = month_name(str(scenario.as_of), float(bad[0])) if bad.size else ""
    said = (
        f"Every promise holds with {percent(asked)} to {month_name(str(scenario.as_of), last)}"
        if not bad.size
        else f"Promises hold with less than {percent(asked)} from {when}"
    )
    cost = median(made.cost_month_usd[:, last])
    return (
        f"<b>{safe(said)}.</b> P {percent(float(p[0]))} now, {percent(float(p[-1]))} at the end; {safe(first.resource.label)} is "
        f"tightest; {money(cost)} a month at the end."
    )


def _latency(fig: go.FigureWidget, made: Plan) -> None:
    months = [str(m) + "-01" for m in month_names(made.scenario, made.rps.shape[1])]
    with fig.batch_update():
        if not fig.data:
            fig.update_layout(
                template=look.template(),
                height=340,
                width=620,
                title=dict(text="p95 of each journey, ms (median world)"),
                yaxis=dict(rangemode="tozero"),
                showlegend=True,
            )
            for i, name in enumerate(made.percentile_s):
                fig.add_scatter(
                    x=months,
                    name=str(safe(name)),
                    mode="lines",
                    line=dict(color=look.colour(look.SERIES[i % len(look.SERIES)]), dash=look.DASHES[i % len(look.DASHES)]),
                )
        for trace, ps in zip(fig.data, made.percentile_s.values(), strict=True):
            middle = np.median(ps[0.95], axis=0) * 1e3
            trace.x, trace.y = months, [float(v) if np.isfinite(v) else None for v in middle]
            trace.hovertemplate = "%{y:,.0f} ms"


def _used(fig: go.FigureWidget, made: Plan) -> None:
    rows = [(r.label, median(r.utilization[:, -1]), median(r.limit)) for r in made.resources.values()]
    rows = sorted(((n, u, limit) for n, u, limit in rows if np.isfinite(u)), key=lambda r: r[1])
    with fig.batch_update():
        if not fig.data:
            fig.update_layout(
                template=look.template(),
                height=320,
                width=900,
                title=dict(text="Used in the last month asked for, % (ink: limit of the plan)"),
            )
            fig.add_bar(orientation="h", marker=dict(color=look.colour("blue")))
            fig.add_scatter(mode="markers", marker=dict(symbol="line-ns-open", size=14, color=look.colour("ink")))
        names = [str(safe(n)) for n, _, _ in rows]
        fig.data[0].x, fig.data[0].y = [min(100 * u, 150) for _, u, _ in rows], names
        fig.data[1].x, fig.data[1].y = [100 * limit for _, _, limit in rows], names
