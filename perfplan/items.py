"""The items of the performance architecture checklist, as package data: ids and texts as they are."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files

THINGS = {  # what may be handed over, by the word in the list
    "decision": "a decision: value, owner, date, and the reason as note",
    "field": "what a scenario cannot state yet",
    "keys": "keys of the caches: how often they are asked for, change and may be stale",
    "log": "an access log, or a recording of pages",
    "metrics": "metrics of what runs, such as those of Prometheus",
    "profile": "a profile of the application under load",
    "run": "results of load tests",
    "setting": "settings that perfplan does not write yet",
    "statements": "statistics and plans of the database's statements",
    "trace": "traces of requests",
}
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
    hand_over: str  # the kind of thing that answers it where the scenario alone does not, one of THINGS

    @property
    def parent(self) -> str:
        """The id of the item that it is a part of; "" where it is none."""
        above, _, letter = self.id.rpartition(".")
        return above if letter.isalpha() else ""

    @property
    def by_parts(self) -> bool:
        """Whether its rule is about its parts alone."""
        return "child" in self.met_when and not any(more in self.met_when for more in (" and ", "at risk if"))

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
