"""HTML blocks of the plan: tables, findings, opened numbers. Text from outside is escaped here and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 12
PART = "application/vnd.perfplan.part+json"  # beside the HTML of what we show: what it is to the page
BODY, HEADING, SHEET = "body", "heading", "sheet"
OPEN, CLOSE = '<div class="perfplan">', "</div>"


MAKERS = ' data-for="architect sre"'  # of what the page hides from who decides


class Html(str):
    """Markup that has been made safe already."""


def safe(value: object) -> Html:
    """Text made safe for HTML; `Html` stays as it is.

    >>> safe("a < b"), safe(Html("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    return value if isinstance(value, Html) else Html(escape(str(value)))


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown: its header with unit, how its values are written, whether bars stand under them.

    Its functions have a name in a module, or are records that can be called: tables travel between the processes of a run.
    """

    key: str
    header: str
    write: Callable[[Any], str] | None = None  # None: text as it is
    _: KW_ONLY
    bar: bool = False
    hollow: Callable[[Any], bool] | None = None  # bars that do not reach what was asked
    broken: Callable[[Any], bool] | str | None = None  # values that break a promise; or the column that says whether they do

    @property
    def numeric(self) -> bool:
        """Whether it stands at the right; words (`write` None or str) stand at the left."""
        return self.write not in (None, str)


@dataclass(frozen=True, kw_only=True, repr=False)
class Table:
    """A table of the plan: tidy numbers in a frame, and how a reader sees them."""

    name: str  # file name in tables/
    title: str  # the finding
    subtitle: str  # what is shown
    frame: pd.DataFrame
    columns: Sequence[Column]
    stack: int = 2  # values a line on phones; 0: scrolls sideways
    first: bool = False  # the first row decides and is bold
    detail: bool = False  # for who makes the plan, and not for who decides
    screen: bool = False  # left out on paper: for machines, or written better in a file beside the page
    rows: int = SHOWN_ROWS  # shown; the rest waits behind "show all"
    captioned: bool = field(default=True)

    def tidy(self) -> pd.DataFrame:
        """Its numbers in base units: the frame without what is only for eyes."""
        return self.frame[[c for c in self.frame.columns if not str(c).startswith("shown_")]]

    def __repr__(self) -> str:
        return f"{self.title}\n{self.frame.to_string(index=False)}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle(self.html(), BODY)

    def html(self) -> Html:
        """The table as markup."""
        head = "".join(_head(c) for c in self.columns)
        largest = {c.key: _largest(self.frame[c.key]) for c in self.columns if c.bar}
        rows = [self._row(record, i, largest) for i, record in enumerate(self.frame.to_dict("records"))]
        body = f"<tbody>{''.join(rows[: self.rows])}</tbody>"
        if len(rows) > self.rows:
            body += f'<tbody class="rest" data-all="{len(rows)}">{"".join(rows[self.rows :])}</tbody>'
            more = f"{len(rows) - self.rows} more rows stand in tables/{self.name}.csv"
            body += f'<tbody class="print-only"><tr role="row"><td role="cell" colspan="{len(self.columns)}">{safe(more)}</td></tr></tbody>'
        once = " once" if self.stack == len(self.columns) - 1 else ""
        kind = f'class="stack{once}" style="--cols:{self.stack}"' if self.stack else ""
        caption = f"<caption><b>{safe(self.title)}</b><small>{safe(self.subtitle)}</small></caption>" if self.captioned else ""
        classes = ("table" if self.stack else "table scroll") + " screen-only" * self.screen
        return Html(
            f'<div class="{classes}"{MAKERS if self.detail else ""}><table role="table" {kind}>{caption}'
            f'<thead><tr role="row">{head}</tr></thead>{body}</table></div>'
        )

    def _row(self, record: dict[Any, Any], index: int, largest: dict[str, float]) -> str:
        first, *rest = self.columns
        cells = "".join(_cell(c, record, largest.get(c.key)) for c in rest)
        kind = ' class="first"' if self.first and index == 0 else ""
        return (
            f'<tr role="row"{kind}><th role="rowheader" scope="row"><span '
            f'class="name">{safe(_text(first, record[first.key]))}</span></th>{cells}</tr>'
        )


def _largest(values: Any) -> float:
    numbers = [abs(float(v)) for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return max(numbers, default=0.0)


def _head(column: Column) -> str:
    return f'<th role="columnheader" scope="col"{" class=num" if column.numeric else ""}>{safe(column.header)}</th>'


def _text(column: Column, value: Any) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return value if column.write is None else column.write(value)


def _is_broken(column: Column, record: dict[Any, Any]) -> bool:
    if isinstance(column.broken, str):
        return bool(record[column.broken])
    return column.broken is not None and column.broken(record[column.key])


def _cell(column: Column, record: dict[Any, Any], largest: float | None) -> str:
    value = record[column.key]
    classes = ["num"] if column.numeric else []
    style = ""
    if largest is not None:
        size = abs(float(value)) / largest if largest and isinstance(value, int | float) and math.isfinite(value) else 0.0
        classes += ["barred"] + (["low"] if column.hollow and column.hollow(value) else [])
        style = f' style="--v:{size:.3f}"'
    first, line, second = str(safe(_text(column, value))).partition("\n")
    text = Html(f"{first}<br><small>{second}</small>" if line else first)
    if _is_broken(column, record):
        text = Html(f'<b class="broken">{text}</b>')
    number = f' data-v="{value:.9g}"' if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else ""
    return f'<td role="cell" class="{" ".join(classes)}" data-label="{safe(column.header)}"{number}{style}>{text}</td>'


@dataclass(frozen=True, kw_only=True, repr=False)
class Block:
    """A piece of markup that a notebook shows and the page takes over."""

    markup: Html
    part: str = BODY

    def __repr__(self) -> str:
        return re.sub(r"<style>.*</style>|<[^>]*>", " ", self.markup, flags=re.DOTALL).strip()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle(self.markup, self.part)


def bundle(markup: str, part: str) -> dict[str, Any]:
    """What a notebook keeps of a piece of the plan."""
    return {"text/html": f"{OPEN}{markup}{CLOSE}", PART: {"part": part}}


def unbundled(data: Mapping[str, Any]) -> tuple[str, str]:
    """The part and the markup that `bundle` made; nothing of what others show."""
    if PART not in data:
        return "", ""
    return str(data[PART]["part"]), "".join(data["text/html"]).removeprefix(OPEN).removesuffix(CLOSE)


def finding_block(kind: str, severity: str, title: str, parts: dict[str, str]) -> Html:
    """A judgement with its parts; empty parts are left out."""
    css = {"broken": "broken-promise", "at risk": "at-risk"}.get(kind, "holds")
    rows = "".join(f"<dt>{safe(name)}</dt><dd>{safe(text)}</dd>" for name, text in parts.items() if text)
    return Html(f'<article class="finding {css}"><p class="severity">{safe(severity)}</p><h3>{safe(title)}</h3><dl>{rows}</dl></article>')


def empty_block(title: str, needed: str) -> Html:
    """A question without an answer, and what it needs."""
    return Html(f'<div class="empty"><p><b>{safe(title)}</b></p><p class="note">{safe(needed)}</p></div>')


def mix(kinds: Sequence[tuple[str, str]], counts: Sequence[int]) -> Html:
    """A bar of parts: (css class, name) and how many of each."""
    label = ", ".join(f"{c} {name}" for (_, name), c in zip(kinds, counts, strict=True))
    parts = "".join(
        f'<span class="{css}" style="--w:{c}" title="{c} {safe(name)}"></span>' for (css, name), c in zip(kinds, counts, strict=True) if c
    )
    return Html(f'<div class="mix" role="img" aria-label="{safe(label)}">{parts}</div>')


def key(kinds: Sequence[tuple[str, str]], totals: Sequence[int]) -> Html:
    """The key of such bars, with totals."""
    items = "".join(
        f'<li><span class="mark {css}"></span>{safe(name)} <b>{n}</b></li>' for (css, name), n in zip(kinds, totals, strict=True)
    )
    return Html(f'<ul class="key">{items}</ul>')
