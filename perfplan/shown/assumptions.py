"""Every input, where it comes from and what it moves; the items of the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perfplan.checklist import ItemState
from perfplan.items import THINGS
from perfplan.scenario.statement import Entry, shown
from perfplan.shown.blocks import Column, Table
from perfplan.shown.frames import (
    Rows,
    frame_of,
    more_months,
    number_text,
)
from perfplan.study import Study, once
from perfplan.words import capital, listed, plural

ASSUMPTIONS = (
    Column("input", "Input"),
    Column("value", "Value", number_text),
    Column("interval", "P5 … P95", number_text),
    Column("source", "Source"),
    Column("months", "Moves, months", more_months),
)
UNTOLD = ("options.", "answers.")  # have tables of their own


@once
def assumptions(study: Study) -> Table:
    """Every input: value, interval, default or stated, source, and what it moves."""
    moved = {m.path: m.months for m in study.moved}
    entries = [e for e in study.statement.entries.values() if not e.path.startswith(UNTOLD) and e.path not in ("name", "currency")]
    rows: Rows = [_entry(entry, moved.get(entry.path, 0.0)) for entry in entries]
    rows.sort(key=lambda r: -abs(float(r["months"])))
    uncertain = sum(r["interval"] != "certain" for r in rows)
    defaults = sum(str(r["source"]).startswith("default") for r in rows)
    return Table(
        name="assumptions",
        title=f"{len(rows)} inputs, {uncertain} of them uncertain, {defaults} left at their defaults",
        subtitle="Sorted by how far they move the first broken promise (months between upper and lower third). An interval is the middle "
        "90 %.",
        frame=frame_of(rows),
        columns=ASSUMPTIONS,
    )


def _entry(entry: Entry, months: float) -> dict[str, Any]:
    value, interval = shown(entry)
    return {
        "input": entry.path,
        "value": value,
        "interval": interval or "certain",
        "source": f"{entry.source}: {entry.where}" + (f"; {entry.beside}" if entry.beside else ""),
        "months": months,
        "meaning": entry.declared.help,
    }


def _is_not_met(verdict: str) -> bool:
    return verdict == "not met"


ITEMS = (
    Column("item", "Item"),
    Column("answer", "Answer"),
    Column("verdict", "Verdict", broken=_is_not_met),
    Column("text", "What"),
)


def _waiting(thing: str, waiting: Sequence[ItemState]) -> dict[str, str]:
    """The unanswered items that one thing would answer, as a row; an empty one where there are none."""
    if not waiting:
        return {}
    names = listed([f"{s.item.id} {s.item.text}" for s in waiting])
    word = "until then somebody's word under answers: counts"
    way = {"decision": "under answers:", "field": word, "setting": word}.get(thing, f"perfplan cannot read that yet: {word}")
    text = f"{capital(THINGS[thing])}; {way}. It would answer {names}"
    return {"item": plural(len(waiting), "items"), "answer": "none", "verdict": "unanswered", "text": text}


def items(states: Sequence[ItemState], phase: str) -> Table:
    """The items of one phase (its first letter, such as "1") with answer and verdict."""
    chosen = [s for s in states if s.item.phase.startswith(phase) and s.item.counts]
    answered, not_met = [s for s in chosen if s.answer != "none"], sum(s.verdict == "not met" for s in chosen)
    rows = [{"item": f"{s.item.id} {s.item.text}", "answer": s.answer, "verdict": s.verdict, "text": s.text} for s in answered]
    open_ones = [s for s in chosen if s.answer == "none"]
    rows += [_waiting(thing, [s for s in open_ones if s.item.hand_over == thing]) for thing in THINGS]
    return Table(
        name=f"items_{phase}",
        title=f"{len(answered)} of {len(chosen)} items of this phase have an answer; {not_met} {'is' if not_met == 1 else 'are'} not met",
        subtitle="Answer and verdict are decided by code from this plan; what is unanswered stands last, by what would answer it.",
        frame=frame_of([row for row in rows if row]),
        columns=ITEMS,
    )
