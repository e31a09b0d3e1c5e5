"""The state of every item in a plan: an answer and a verdict, both decided by code."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perfplan.artifacts import files
from perfplan.items import BOXES, Row, items
from perfplan.judging import Answers, File, Judgements
from perfplan.scenario import Answer
from perfplan.study import Study, once
from perfplan.subjects import (
    ambition,
    budgets,
    caching,
    costs,
    demand,
    headroom,
    latency,
    objectives,
    options,
    resources,
    timeouts,
    trust,
    waiting,
)
from perfplan.subjects.kind import Found, Item
from perfplan.words import dotted, listed

ANSWERS = ("measured", "computed", "artefact", "attested", "none")
VERDICTS = ("met", "at risk", "not met", "not applicable", "unanswered")
REVIEW_DAYS = 365  # an attested answer is stale after a year, unless it says otherwise


@dataclass(frozen=True, kw_only=True)
class ItemState:
    """One item in one plan."""

    item: Row
    answer: str  # one of ANSWERS
    verdict: str  # one of VERDICTS
    text: str  # the number and where it stands, who attested it, or what is needed
    place: str = ""  # notebook of the plan where it is shown
    formula: str = ""  # name of the function that computes it


def collected(items_of: Iterable[Iterable[Item]]) -> dict[str, Item]:
    """Items of the subjects by their id; raises `ValueError` where two answer one."""
    found: dict[str, Item] = {}
    for one in (item for some in items_of for item in some):
        if one.id in found:
            raise ValueError(f"item {one.id} is answered twice, by {dotted(found[one.id].judge)} and {dotted(one.judge)}")
        found[one.id] = one
    return found


SUBJECTS = (
    ambition,
    budgets,
    caching,
    costs,
    demand,
    headroom,
    latency,
    objectives,
    options,
    resources,
    timeouts,
    trust,
    waiting,
)
ITEMS = collected(subject.ITEMS for subject in SUBJECTS)


@once
def _of_subjects(study: Study) -> dict[str, Found | None]:
    """What the subjects say to their items."""
    return {id: one.judge(study) for id, one in ITEMS.items()}


def states(study: Study, judged: Judgements | None = None) -> tuple[ItemState, ...]:
    """The state of every row of the checklist in *study*; *judged*: what tools said of its files, where they were asked."""
    made = files(study)
    return tuple(_state(study, row, made, judged or {}) for row in items())


def _state(study: Study, row: Row, made: Sequence[File], judged: Judgements) -> ItemState:
    attested = study.scenario.answers.get(row.id)
    found, place, formula = _found(study, row.id, made, judged)
    if found is not None and found.answer == "artefact" and attested is not None:
        shown = _attested(study, row, attested)
        verdict = "not met" if found.verdict == "not met" else shown.verdict  # who has deployed it has deployed what a tool refuses
        text = f"{found.text}; {shown.text}"
        return dataclasses.replace(shown, answer="artefact", verdict=verdict, text=text, place=place, formula=formula)
    if found is not None:
        return ItemState(item=row, answer=found.answer, verdict=found.verdict, text=found.text, place=place, formula=formula)
    if attested is not None:
        return _attested(study, row, attested)
    return ItemState(item=row, answer="none", verdict="unanswered", text=f"needs {row.needs}")


def _found(study: Study, id: str, made: Sequence[File], judged: Judgements) -> tuple[Found | None, str, str]:
    """What subjects or files say to an item, its chapter and the name of its formula."""
    if (one := ITEMS.get(id)) is not None:
        return _of_subjects(study)[id], one.place, dotted(one.formula)
    answering = [(file, answer) for file in made for answer in file.answers if answer.item == id]
    return (_of_files(answering, judged), answering[0][1].place, dotted(answering[0][1].formula)) if answering else (None, "", "")


def _of_files(answering: Sequence[tuple[File, Answers]], judged: Judgements) -> Found:
    """What files say to an item, and what tools said of them; nobody has shown yet that they are deployed."""
    names = listed([f"configs/{file.name}" for file, _ in answering])
    said = listed(list(dict.fromkeys(verdict_on(file, judged) for file, _ in answering)))
    refused = any(file.name in judged and judged[file.name].accepted is False for file, _ in answering)
    text = f"{names}: {answering[0][1].text}; {said}; not deployed, as far as is known"
    return Found(text=text, verdict="not met" if refused else "at risk", answer="artefact")


def verdict_on(file: File, judged: Judgements) -> str:
    """What a tool said of a file, in a few words."""
    if file.judge is None:
        return "for people to read"
    one = judged.get(file.name)
    if one is None or one.accepted is None:
        return "not judged here"
    return f"{'accepted' if one.accepted else 'refused'} by {one.judge}"


def _attested(study: Study, item: Row, answer: Answer) -> ItemState:
    said = (
        f"{answer.value} ({answer.owner}, "
        f"{answer.date}{f', {answer.note}' if answer.note else ''}{f', {answer.link}' if answer.link else ''})"
    )
    if answer.value.lower().startswith("not applicable"):
        reason = answer.note or ""
        verdict = "not applicable" if reason else "unanswered"
        return ItemState(item=item, answer="attested", verdict=verdict, text=said if reason else f"{said}: needs its reason under note")
    review = (
        datetime.date.fromisoformat(answer.review)
        if answer.review
        else datetime.date.fromisoformat(answer.date) + datetime.timedelta(REVIEW_DAYS)
    )
    if review < study.as_of:
        return ItemState(item=item, answer="attested", verdict="at risk", text=f"{said}: stale since {review}")
    verdict = "not met" if answer.value.lower() in ("no", "false", "none") else "met"
    return ItemState(item=item, answer="attested", verdict=verdict, text=said)


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


def tally(found: Sequence[ItemState]) -> list[Tally]:
    """Counts by phase; the last row is all of them."""
    boxes = [s for s in found if s.item.counts]
    phases = list(dict.fromkeys(s.item.phase for s in boxes))
    return [_count(phase, [s for s in boxes if s.item.phase == phase]) for phase in phases] + [_count("all", boxes)]


def _count(name: str, rows: Sequence[ItemState]) -> Tally:
    answers, verdicts = Counter(s.answer for s in rows), Counter(s.verdict for s in rows)
    return Tally(phase=name, total=len(rows), answers=[answers[a] for a in ANSWERS], verdicts=[verdicts[v] for v in VERDICTS])


def summary(found: Sequence[ItemState]) -> str:
    """One line such as "71 of 255 items answered; 40 met, ..."."""
    total = tally(found)[-1]
    counts = ", ".join(f"{n} {v}" for n, v in zip(total.verdicts, VERDICTS, strict=True))
    return (
        f"{total.answered} of {BOXES} items answered "
        f"({', '.join(f'{n} {a}' for n, a in zip(total.answers[:-1], ANSWERS[:-1], strict=True))}); {counts}"
    )
