"""Tables of trust: assumptions and the items of the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perfplan.blocks import Column, Table
from perfplan.checklist import State
from perfplan.scenario.statement import shown
from perfplan.study import Study
from perfplan.tables.common import frame_of, number_text
from perfplan.words import (
    change,
)


def assumptions(study: Study) -> Table:
    """Every input: value, interval, default or stated, source, and what it moves."""
    moved = {m.path: m.months for m in study.moved}
    rows: list[dict[str, Any]] = []
    for entry in study.statement.entries.values():
        if entry.path.startswith(("options.", "answers.")) or entry.path in ("name", "currency"):
            continue
        value, interval = shown(entry)
        source = f"{entry.source}: {entry.where}" + (f"; {entry.beside}" if entry.beside else "")
        rows.append(
            {
                "input": entry.path,
                "value": value,
                "interval": interval or "certain",
                "source": source,
                "months": moved.get(entry.path, 0.0),
                "meaning": entry.declared.help,
            }
        )
    rows.sort(key=lambda r: -abs(float(r["months"])))
    uncertain = sum(r["interval"] != "certain" for r in rows)
    defaults = sum(str(r["source"]).startswith("default") for r in rows)
    return Table(
        name="assumptions", title=f"{len(rows)} inputs, {uncertain} of them uncertain, {defaults} left at their defaults", subtitle="Sorted by how far they move the first broken promise (months between upper and lower third). An interval is the middle 90 %.", frame=frame_of(rows),
        columns=(Column(key="input", header="Input"), Column(key="value", header="Value", write=number_text), Column(key="interval", header="P5 … P95", write=number_text), Column(key="source", header="Source"), Column(key="months", header="Moves, months", write=lambda v: change(round(v, 1)))), stack=2,
    )  # fmt: skip


def items(states: Sequence[State], phase: str) -> Table:
    """The items of one phase (its first letter, such as "1") with answer and verdict."""
    chosen = [s for s in states if s.item.phase.startswith(phase) and s.item.counts]
    rows: list[dict[str, Any]] = [
        {"item": f"{s.item.id} {s.item.text}", "answer": s.answer, "verdict": s.verdict, "text": s.text}
        for s in sorted(chosen, key=lambda s: s.answer == "none")
    ]
    answered = sum(s.answer != "none" for s in chosen)
    not_met = sum(s.verdict == "not met" for s in chosen)
    return Table(
        name=f"items_{phase}", title=f"{answered} of {len(chosen)} items of this phase have an answer; {not_met} are not met", subtitle="Answer and verdict are decided by code from this plan; what is unanswered says what it needs.", frame=frame_of(rows),
        columns=(Column(key="item", header="Item"), Column(key="answer", header="Answer"), Column(key="verdict", header="Verdict", broken=lambda v: v == "not met"), Column(key="text", header="What")), stack=2,
    )  # fmt: skip
