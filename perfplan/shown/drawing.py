"""What the figures share: a frame whose title is the finding, months, fans."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import plotly.graph_objects as go
import plotly.io as pio

from perfplan.plan import month_names
from perfplan.quantity import FloatArray, quantiles
from perfplan.shown import look
from perfplan.shown.blocks import safe
from perfplan.study import Study
from perfplan.words import number

QUANTILES = (5, 25, 50, 75, 95)
FIGURE = "application/vnd.plotly.v1+json"  # what a notebook keeps of a figure
LEAST = 160  # pixels of a figure with its title: below there is no room for axes, and plotly refuses to draw it
MOST_NUMBERS = 40  # rows under a figure: they print; all of them stand in tables/ or in the figure itself


class Figure(go.Figure):  # type: ignore[misc]  # plotly is not typed
    """A figure that a notebook keeps with its numbers as text, for those who see no picture of it."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        cast(Any, display)(self._repr_mimebundle_(), raw=True)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        data = json.loads(pio.to_json(self, validate=False, remove_uids=False))
        return {FIGURE: data, "text/plain": as_text(data)}


def numbers_of(data: Mapping[str, Any]) -> tuple[list[str], dict[str, list[Any]], int]:
    """The names of a figure's named series, their values by place on the axis, and of how many places each one is kept."""
    series = [t for t in data["data"] if t.get("name") and t.get("type", "scatter") in ("scatter", "bar")]
    flat = [(t["y"], t["x"]) if t.get("orientation") == "h" else (t["x"], t["y"]) for t in series]
    places = list(dict.fromkeys(str(p) for places, _ in flat for p in places))
    columns = [dict(zip(map(str, p), v, strict=False)) for p, v in flat]
    places = [p for p in places if any(c.get(p) is not None for c in columns)]
    every = max(-(-len(places) // MOST_NUMBERS), 1)
    return [t["name"] for t in series], {p: [c.get(p) for c in columns] for p in places[::every]}, every


def as_text(data: Mapping[str, Any]) -> str:
    """Title and numbers of a figure, in columns."""
    title = data["layout"].get("title", {})
    names, rows, _ = numbers_of(data)
    table = [["", *map(plain, names)], *([place_text(place), *map(value_text, values)] for place, values in rows.items())]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in table]
    head = [plain(title.get("text", "")), plain(title.get("subtitle", {}).get("text", ""))]
    return "\n".join([*head, *(lines if rows else ())])


def plain(text: str) -> str:
    """Text of a figure (plotly's own markup, escaped), read back."""
    return html.unescape(re.sub(r"</?b>|<br>", " ", str(text)))


def place_text(text: str) -> str:
    """A place on the axis."""
    try:
        return number(float(text), 4)
    except ValueError:
        return plain(text)


def value_text(value: Any) -> str:
    """A value there."""
    return "–" if value is None else number(value, 4) if isinstance(value, int | float) else plain(value)


def figure(title: str, subtitle: str, *, height: int = 360, **layout: Any) -> go.Figure:
    """A figure with its finding as title; text from outside is escaped on the way."""
    meta = {"height": height} | layout.pop("meta", {})
    fig = Figure()
    fig.update_layout(
        template=look.template(),
        title=dict(text=str(safe(title)), subtitle=dict(text=str(safe(subtitle)))),
        height=height + 70,
        meta=meta,
        **layout,
    )
    return fig


def nothing(title: str, needed: str) -> go.Figure:
    """A figure of which there is nothing to draw: why, and what would change that."""
    fig = figure(title, needed, height=20)
    fig.update_layout(xaxis=dict(visible=False), yaxis=dict(visible=False), height=LEAST)
    return fig


def months_of(study: Study) -> list[str]:
    """The first day of each month of the plan, as text."""
    return [str(m) + "-01" for m in month_names(study.scenario, study.worlds.rps.shape[1])]


def fan_of(values: FloatArray) -> dict[int, list[float]]:
    """Quantiles over worlds by month, for `look.fan`."""
    found = quantiles(values, [q / 100 for q in QUANTILES])
    return {q: [float(v) for v in row] for q, row in zip(QUANTILES, found, strict=True)}


def shorts(names: Iterable[str], width: int = 22) -> dict[str, str]:
    """Each of *names* as `short` writes it; those that would look alike are numbered, as a figure joins what has one name."""
    found: dict[str, str] = {}
    for name in names:
        text, number = short(name, width), 1
        while text in found.values():
            number += 1
            text = f"{short(name, width - 3)} {number}"
        found[name] = text
    return found


def short(name: str, width: int = 22) -> str:
    """A name cut to *width*, as markup that is safe in a figure."""
    return str(safe(look.fit(name, width)))
