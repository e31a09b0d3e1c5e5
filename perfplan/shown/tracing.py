"""Traces: spans of a request, the share that is kept, and what it takes."""

from __future__ import annotations

from perfplan.quantity import DAY, HOUR, median
from perfplan.shown.blocks import Column, Table
from perfplan.shown.frames import Rows, frame_of
from perfplan.study import Study, once
from perfplan.subjects.tracing import sampled, stated, traced
from perfplan.words import duration, number, rate, share, size


def _two(value: float) -> str:
    return share(value, 2)


TRACES = (
    Column("journey", "Journey"),
    Column("rps", "Reach the origin", rate),
    Column("spans", "Spans a request", number),
    Column("wanted", "Share its percentile asks for", _two),
    Column("kept", "Share kept", _two),
    Column("samples_hour", "Kept an hour", number),
    Column("special_day", "Slow or failed ones a day", number),
)


@once
def traces(study: Study) -> Table:
    """What is kept of each journey's traces."""
    one, found = stated(study), sampled(study)
    rows: Rows = []
    for row in traced(study):
        special = row.special if one.sampling == "tail" else 0.0
        kept = special + (1 - special) * found.rate
        rows.append(
            {
                "journey": row.journey,
                "rps": row.rps,
                "spans": row.spans,
                "wanted": row.wanted,
                "kept": kept,
                "samples_hour": row.rps * kept * HOUR,
                "special_day": row.rps * row.special * DAY,
            }
        )
    return Table(
        name="traces",
        title=f"{share(found.rate, 2)} of the traces show p{median(one.percentile) * 100:g} of each journey in an hour"
        if found.rate >= found.wanted * (1 - 1e-9)
        else f"{share(found.rate, 2)} of the traces is all that their storage holds",
        subtitle=f"On average over the week, today; {one.backend} holds {size(found.stored_bytes)} in {duration(median(one.retention_s))}. "
        f"Sampling at the {one.sampling}: {'slow and failed ones are all kept' if one.sampling == 'tail' else 'whatever becomes of them'}.",
        frame=frame_of(rows, TRACES),
        columns=TRACES,
        stack=3,
        screen=True,
    )
