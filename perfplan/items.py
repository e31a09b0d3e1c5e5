"""The items of the performance architecture checklist, as package data: ids and texts as they are."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files

BOXES = 255  # items that count; the other rows are code blocks, the quick reference and common issues


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the checklist."""

    id: str
    phase: str
    section: str
    text: str
    kind: str  # computed, evidence, artefact or decision: how it can be answered
    aim: str  # what a full answer holds
    needs: str
    met_when: str

    @property
    def counts(self) -> bool:
        """Whether it is one of the 255 boxes."""
        return self.id[0].isdigit()


@functools.cache
def ids() -> frozenset[str]:
    """The ids of all rows."""
    return frozenset(item.id for item in items())


@functools.cache
def items() -> tuple[Row, ...]:
    """All rows, in the order of the checklist."""
    text = files("perfplan").joinpath("items.csv").read_text(encoding="utf-8")
    return tuple(Row(**row) for row in csv.DictReader(text.splitlines()))
