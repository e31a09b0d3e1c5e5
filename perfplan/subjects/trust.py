"""How far the numbers can be trusted: predictions beside measurements, and the plan as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from perfplan.study import Study, study
from perfplan.study.verdicts import RISK
from perfplan.study.verify import ERROR, measured
from perfplan.subjects.kind import OPTIMIZATION, Finding, Found, Item
from perfplan.words import duration, percent, rate


def findings(study: Study) -> Iterator[Finding]:
    """A warning for each measurement that the prediction misses by more than a fifth."""
    found = measured(study)
    for name, one in study.scenario.measured.items():
        worst = max((r for r in found if r.name == name), key=lambda r: r.beyond, default=None)
        if worst is not None and worst.beyond > ERROR:
            at = f"p{worst.percentile * 100:g} of {one.journey}"
            yield Finding(
                kind=RISK,
                phase=4,
                about=f"measured.{name}",
                month=0,
                title=f"{name} is missed by {percent(abs(worst.error))} at {rate(worst.rps)}",
                rule=f"a prediction should lie within {percent(ERROR)} of what was measured, its own error aside",
                value=f"{at}: predicted {duration(worst.predicted_s)}, measured {duration(worst.found_s)}",
                reason="the model, a stated service time or the measurement is wrong",
                remedy="measure again for longer, then look at the service times of the tiers on this path",
            )


def _document(name: str) -> Callable[[Study], Found]:
    return lambda study: Found(text=f"configs/{name} of {study.as_of}, made from these inputs", answer="artefact")


ITEMS = (
    Item("6.3.1", _document("architecture.md"), OPTIMIZATION, study),
    Item("6.3.2", _document("objectives.md"), OPTIMIZATION, study),
)
