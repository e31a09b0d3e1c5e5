"""What can be turned: a field of the scenario as stops that read as people write them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from perfplan.promises import timed
from perfplan.quantity import FRACTION, GROWTH, RPS, Law, Misread, Quantity
from perfplan.scenario.statement import Entry, Statement
from perfplan.stated import parse
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place

STOPS = 96
SPAN = 4.0  # a slider reaches from a quarter of today's value to four times it
DECADE = 8.0  # from which span on its stops are a geometric series
THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SHORT_FROM = 1e4  # counts are written in thousands


@dataclass(frozen=True, kw_only=True)
class Control:
    """One field: its stops as a scenario would state them, today's, and what it is."""

    path: str
    label: str
    help: str
    stated: str  # as the scenario has it
    stops: tuple[str, ...]  # empty: it can only be typed
    low: int  # today's stops; the same where it is certain
    high: int

    def json(self) -> dict[str, Any]:
        """For the browser."""
        return asdict(self)


def written(kind: Quantity, value: float) -> str:
    """Three digits of a value, as a person writes it and a scenario may state it.

    >>> from perfplan.quantity import BYTES, COUNT, GROWTH, SECONDS
    >>> written(COUNT, 59791.3), written(GROWTH, 0.025), written(BYTES, 6.5e9), written(SECONDS, 0.3)
    ('59.8k', '2.5 %/month', '6.5 GB', '300 ms')
    """
    near = float(f"{value:.3g}")
    near = float(round(value)) if kind.whole and abs(value) < SHORT_FROM else near
    if kind.suffix == "" and kind.bare and abs(near) >= SHORT_FROM:
        factor, letter = next(row for row in THOUSANDS if abs(near) >= row[0])
        return f"{near / factor:.3g}{letter}" if near / factor < 1000 else f"{near / factor:.0f}{letter}"
    if kind is RPS and 0 < near < 1:
        return f"{near * 60:.3g} /min"
    return re.sub(r"^([\d.]+)([^\d.].*)$", r"\1 \2", kind.show(near))


def control(statement: Statement, path: str, label: str = "") -> Control | None:
    """The control of a field; None where the scenario has no such field. What is no number, or cannot be drawn, can only be typed."""
    entry = statement.entries.get(path)
    if entry is None:
        return None
    kind, law = entry.declared.kind, entry.law
    stops, low, high = _stops(kind, law) if law is not None and isinstance(kind, Quantity) else ((), 0, 0)
    return Control(path=path, label=label or path, help=entry.declared.help, stated=_stated(entry), stops=stops, low=low, high=high)


def _stated(entry: Entry) -> str:
    kind, law = entry.declared.kind, entry.law
    if law is None or not isinstance(kind, Quantity) or entry.source == "stated":
        return entry.text
    return written(kind, law.mid) if law.certain else f"{written(kind, law.low)} to {written(kind, law.high)}"


def _stops(kind: Quantity, law: Law) -> tuple[tuple[str, ...], int, int]:
    """The stops of a law, and where it stands among them."""
    bottom, top = max(kind.low, law.low / SPAN if law.low > 0 else law.low), min(kind.high, law.high * SPAN)
    if kind is GROWTH:
        bottom, top = min(0.0, law.low), max(0.1, 2 * law.high)
    elif kind is FRACTION:
        top = 1.0
    if kind.whole or top <= bottom:
        top = min(kind.high, max(top, law.high + 8.0 if kind.whole else law.high + 1.0))
    if not bottom < top:
        return (), 0, 0
    far = bottom > 0 and top / bottom >= DECADE and kind is not FRACTION
    values = np.geomspace(bottom, top, STOPS) if far else np.linspace(bottom, top, STOPS)
    values = np.unique(np.round(values)) if kind.whole else values
    texts: dict[str, float] = {}
    for value in sorted([*values.tolist(), law.low, law.high]):
        texts.setdefault(written(kind, value), value)
    stops = tuple(text for text in texts if _can_be(kind, text))
    return stops, stops.index(written(kind, law.low)), stops.index(written(kind, law.high))


def _can_be(kind: Quantity, text: str) -> bool:
    try:
        parse(text, kind)
    except Misread:
        return False
    return True


def first(statement: Statement) -> list[Control]:
    """The fields worth turning: load, growth, hit ratio, instances, threads, pool, target."""
    middle = statement.at()
    measured = "traffic.peak" in statement.entries  # by the history: it beats users that are stated
    paths = [("traffic.peak", "peak") if measured else ("traffic.peak_users", "users"), ("traffic.growth", "growth")]
    for name, tier in middle.tiers.items():
        paths += [(str(Place(name, field)), f"{name} {label}") for field, label in kind_of(tier).advised.sliders.items()]
    paths += [(f"objectives.{name}.below", f"{name} target") for name, one in middle.objectives.items() if timed(one)]
    found = [control(statement, path, label) for path, label in paths]
    return [one for one in found if one is not None and one.stops]


def fields(statement: Statement) -> list[tuple[str, str]]:
    """Every field that is stated or has a default, with what it is, for the search."""
    return [(path, entry.declared.help) for path, entry in statement.entries.items()]
