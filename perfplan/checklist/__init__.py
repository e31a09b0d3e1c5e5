"""The state of every item in a plan: an answer and a verdict, both decided by code."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perfplan.checklist.rules import RULES
from perfplan.items import BOXES, Item, items
from perfplan.scenario import Answer
from perfplan.study import Study, once
from perfplan.words import dotted

ANSWERS = ("measured", "computed", "artefact", "attested", "none")
VERDICTS = ("met", "at risk", "not met", "not applicable", "unanswered")
REVIEW_DAYS = 365  # an attested answer is stale after a year, unless it says otherwise


@dataclass(frozen=True, kw_only=True)
class State:
    """One item in one plan."""

    item: Item
    answer: str  # one of ANSWERS
    verdict: str  # one of VERDICTS
    text: str  # the number and where it stands, who attested it, or what is needed
    place: str = ""  # notebook of the plan where it is shown
    formula: str = ""  # name of the function that computes it


@once
def states(study: Study) -> tuple[State, ...]:
    """The state of every row of the checklist in *study*."""
    return tuple(_state(study, item) for item in items())


def _state(study: Study, item: Item) -> State:
    attested = study.scenario.answers.get(item.id)
    rule = RULES.get(item.id)
    found = rule.judge(study) if rule else None
    if rule is not None and found is not None and found.answer == "artefact" and attested is not None:
        shown = _attested(study, item, attested)
        return dataclasses.replace(
            shown, answer="artefact", text=f"{found.text}; {shown.text}", place=rule.place, formula=dotted(rule.formula)
        )
    if rule is not None and found is not None:
        return State(item=item, answer=found.answer, verdict=found.verdict, text=found.text, place=rule.place, formula=dotted(rule.formula))
    if attested is not None:
        return _attested(study, item, attested)
    return State(item=item, answer="none", verdict="unanswered", text=f"needs {item.needs}")


def _attested(study: Study, item: Item, answer: Answer) -> State:
    said = f"{answer.value} ({answer.owner}, {answer.date}{f', {answer.note}' if answer.note else ''}{f', {answer.link}' if answer.link else ''})"
    if answer.value.lower().startswith("not applicable"):
        reason = answer.note or ""
        verdict = "not applicable" if reason else "unanswered"
        return State(item=item, answer="attested", verdict=verdict, text=said if reason else f"{said}: needs its reason under note")
    review = (
        datetime.date.fromisoformat(answer.review)
        if answer.review
        else datetime.date.fromisoformat(answer.date) + datetime.timedelta(REVIEW_DAYS)
    )
    if review < study.as_of:
        return State(item=item, answer="attested", verdict="at risk", text=f"{said}: stale since {review}")
    verdict = "not met" if answer.value.lower() in ("no", "false", "none") else "met"
    return State(item=item, answer="attested", verdict=verdict, text=said)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many of the 255 items have which answer and verdict."""

    phase: str
    total: int
    answers: Sequence[int]  # in the order of ANSWERS
    verdicts: Sequence[int]  # in the order of VERDICTS

    @property
    def answered(self) -> int:
        """Items that have an answer."""
        return self.total - self.answers[-1]


def tally(found: Sequence[State]) -> list[Tally]:
    """Counts by phase; the last row is all of them."""
    boxes = [s for s in found if s.item.counts]
    phases = list(dict.fromkeys(s.item.phase for s in boxes))
    return [_count(phase, [s for s in boxes if s.item.phase == phase]) for phase in phases] + [_count("all", boxes)]


def _count(name: str, rows: Sequence[State]) -> Tally:
    answers, verdicts = Counter(s.answer for s in rows), Counter(s.verdict for s in rows)
    return Tally(phase=name, total=len(rows), answers=[answers[a] for a in ANSWERS], verdicts=[verdicts[v] for v in VERDICTS])


def summary(found: Sequence[State]) -> str:
    """One line such as "71 of 255 items answered; 40 met, ..."."""
    total = tally(found)[-1]
    counts = ", ".join(f"{n} {v}" for n, v in zip(total.verdicts, VERDICTS, strict=True))
    return f"{total.answered} of {BOXES} items answered ({', '.join(f'{n} {a}' for n, a in zip(total.answers[:-1], ANSWERS[:-1], strict=True))}); {counts}"
