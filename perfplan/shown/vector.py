"""Figures as small pictures of lines and bars in SVG, drawn without a library: for what follows a slider, and for a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.quantity import FloatArray
from perfplan.shown.blocks import Html, safe
from perfplan.shown.look import PALETTE, SERIES

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 230, 66, 138, 12, 26  # of a picture, and its margins
DASHED = ("", "7 4", "2 3", "8 3 2 3", "12 4", "12 3 2 3")
NARROW = 7.2  # of a letter, about
ROW = 26  # of a bar


@dataclass(frozen=True, kw_only=True)
class Line:
    """Values over the marks of the axis; nan where there is none."""

    name: str
    values: FloatArray
    tone: int = 0  # which of the colours and dashes
    thin: bool = False


@dataclass(frozen=True, kw_only=True)
class Level:
    """A value that is asked for."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row: from *start* to *end*, and a mark."""

    name: str
    text: str
    end: float
    start: float = 0.0
    mark: float = float("nan")
    broken: bool = False


def sheet(dark: bool = True, night: bool = False) -> str:
    """The style of the pictures; *dark*: as the page says that it is light or dark; else of the *night* or not."""

    def tint(role: str) -> str:
        return f"light-dark({', '.join(PALETTE[role])})" if dark else PALETTE[role][night]

    rows = [
        f".vector text {{ font: 12px system-ui, sans-serif; fill: {tint('ink')} }}",
        f".vector .axis {{ fill: {tint('muted')} }}",
        f".vector .grid {{ stroke: {tint('grid')}; stroke-width: 1 }}",
        f".vector .level {{ stroke: {tint('broken')}; stroke-width: 1.5; stroke-dasharray: 3 3 }}",
        f".vector .asked {{ fill: {tint('broken')} }}",
        f".vector .mark {{ stroke: {tint('ink')}; stroke-width: 2.5 }}",
        f".vector .full {{ fill: {tint('blue')} }}",
        f".vector .over {{ fill: {tint('broken')} }}",
        ".vector path { fill: none; stroke-width: 2.2 }",
        ".vector path.thin { stroke-width: 1.4 }",
    ]
    for i, role in enumerate(SERIES):
        rows += [f".vector .line{i} {{ stroke: {tint(role)}; stroke-dasharray: {DASHED[i] or 'none'} }}"]
    return "\n".join(rows)


def lines(
    title: str,
    ticks: Sequence[tuple[float, str]],
    xs: FloatArray,
    drawn: Sequence[Line],
    write: Callable[[float], str],
    *,
    levels: Sequence[Level] = (),
    uprights: Sequence[Level] = (),
    top: float | None = None,
) -> Html:
    """Lines over *xs*, named at their right end; *levels* and *uprights* are asked values across and along; *top*: the axis' end."""
    shown = [one.values[np.isfinite(one.values)] for one in drawn]
    most = max([float(v.max()) for v in shown if v.size] + [one.value for one in levels if np.isfinite(one.value)], default=1.0)
    high = (most * 1.08 or 1.0) if top is None else top
    low_x, high_x = float(xs.min()), float(xs.max())

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - low_x) / ((high_x - low_x) or 1.0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - min(y / high, 1.0) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value in _ticks(high):
        _, y = at(low_x, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{safe(write(value))}</text>')
    for x, text in ticks:
        parts.append(f'<text class="axis" x="{at(x, 0)[0]:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{safe(text)}</text>')
    names: list[tuple[float, str, str]] = []
    for one in levels:
        if np.isfinite(one.value):
            _, y = at(low_x, one.value)
            parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            names.append((y, one.name, "asked"))
    for i, one in enumerate(uprights):
        if low_x <= one.value <= high_x:
            x, _ = at(one.value, 0)
            parts.append(f'<line class="level" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text class="asked" x="{x - 4:.1f}" y="{TOP + 10 + 14 * i}" text-anchor="end">{safe(one.name)}</text>')
    for line in drawn:
        path, pen = [], "M"
        last = None
        for x, value in zip(xs.tolist(), line.values.tolist(), strict=True):
            if np.isfinite(value):
                px, py = at(x, value)
                path.append(f"{pen}{px:.1f} {py:.1f}")
                pen, last = "L", py
            else:
                pen = "M"
        if last is not None:
            parts.append(f'<path class="line{line.tone % len(SERIES)}{" thin" if line.thin else ""}" d="{"".join(path)}"/>')
            names.append((last, line.name, "name"))
    for y, name, css in _apart(names):
        parts.append(f'<text class="{css}" x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}">{safe(_cut(name, RIGHT - 8))}</text>')
    return _figure(title, HEIGHT, parts)


def bars(title: str, rows: Sequence[Bar], most: float | None = None) -> Html:
    """A row a bar, its name before it and its number behind it; a mark where something is asked."""
    name_width = min(170.0, max((len(one.name) for one in rows), default=0) * NARROW + 10)
    top = max([one.end for one in rows] + [one.mark for one in rows if np.isfinite(one.mark)], default=1.0) if most is None else most
    room, parts = WIDTH - name_width - 90, []
    for i, one in enumerate(rows):
        y = i * ROW + 4
        x, end = (name_width + min(v / (top or 1.0), 1.0) * room for v in (one.start, one.end))
        parts.append(f'<text x="{name_width - 6:.0f}" y="{y + 14}" text-anchor="end">{safe(_cut(one.name, name_width - 6))}</text>')
        css = "over" if one.broken else "full"
        parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y}" width="{max(end - x, 1.0):.1f}" height="{ROW - 8}"/>')
        edge = end
        if np.isfinite(one.mark):
            m = name_width + min(one.mark / (top or 1.0), 1.0) * room
            parts.append(f'<line class="mark" x1="{m:.1f}" x2="{m:.1f}" y1="{y - 2}" y2="{y + ROW - 6}"/>')
            edge = max(end, m)
        parts.append(f'<text x="{edge + 6:.1f}" y="{y + 14}">{safe(one.text)}</text>')
    return _figure(title, max(len(rows), 1) * ROW + 6, parts)


def alone(figure: Html) -> str:
    """The picture of a figure as a file of its own, light or dark as whoever shows it is; with its title as text of its own."""
    title, _, rest = figure.removeprefix('<figure class="vector"><figcaption><b>').partition("</b></figcaption>")
    picture = rest.removesuffix("</figure>")
    light, dark = sheet(dark=False), sheet(dark=False, night=True)
    style = f"<title>{title}</title><style>{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}</style>"
    head, mark, body = picture.partition(">")
    named = head.replace("<svg ", '<svg class="vector" ', 1)
    return f"{named}{mark}{style}{body}\n"


def _figure(title: str, height: int, parts: Sequence[str]) -> Html:
    return Html(
        f'<figure class="vector"><figcaption><b>{safe(title)}</b></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{safe(title)}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(parts)}</svg></figure>"
    )


def _ticks(high: float) -> list[float]:
    """Three to six round numbers from 0 to *high*."""
    rough = high / 4
    step = 10.0 ** np.floor(np.log10(rough))
    step = float(next(step * k for k in (1, 2, 2.5, 5, 10) if step * k >= rough * 0.8))
    return [k * step for k in range(int(high / step + 1e-9) + 1)]


def _apart(names: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Names at their heights, at least a line apart."""
    found: list[tuple[float, str, str]] = []
    for y, name, css in sorted(names):
        found.append((max(y, found[-1][0] + 14) if found else max(y, TOP), name, css))
    over = found[-1][0] - (HEIGHT - BOTTOM) if found else 0
    for i in range(len(found) - 1, -1, -1):  # what has been pushed out of the picture pushes back
        if over <= 0:
            break
        y = min(found[i][0], (found[i + 1][0] - 14) if i + 1 < len(found) else HEIGHT - BOTTOM)
        found[i] = (y, *found[i][1:])
    return found


def _cut(text: str, room: float) -> str:
    most = int(room / NARROW)
    return text if len(text) <= most else text[: most - 1] + "…"
