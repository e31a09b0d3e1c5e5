"""The quick reference: MVP, Growth, Enterprise."""

from __future__ import annotations

from perfplan.shown.blocks import Column, Table
from perfplan.shown.frames import (
    Rows,
    frame_of,
    number_text,
)
from perfplan.study import Study, once
from perfplan.subjects.ambition import targets, together
from perfplan.words import spelled

TIERS = (
    Column("what", "Target"),
    Column("mvp", "MVP"),
    Column("growth", "Growth"),
    Column("enterprise", "Enterprise"),
    Column("here", "Here", number_text),
    Column("reached", "Reached"),
)


@once
def tiers_of_ambition(study: Study) -> Table:
    """The quick reference: what MVP, Growth and Enterprise ask for, and what this plan reaches."""
    found = targets(study)
    lowest = together(found)
    rows: Rows = [
        {"what": one.what, **{name.lower(): text for name, text in one.asked.items()}, "here": one.here, "reached": one.reached}
        for one in found
    ]
    return Table(
        name="tiers",
        title=f"All {spelled(len(found))} targets of the quick reference together: {lowest if lowest != 'none' else 'no tier'} is reached",
        subtitle="Today, every input at its median. "
        "The error rates contradict the availabilities when both count requests; the stricter one binds.",
        frame=frame_of(rows),
        columns=TIERS,
    )
