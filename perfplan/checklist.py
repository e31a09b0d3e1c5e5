"""The state of every item in a plan: an answer and a verdict, both decided by code."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perfplan.artifacts import files
from perfplan.items import BOXES, Row, items
from perfplan.judging import READ, Answers, File, Judgements
from perfplan.reading.deployed import AS_PLANNED, FRESH_DAYS, fingerprint
from perfplan.scenario import Answer
from perfplan.study import Study, once
from perfplan.subjects import (
    alerts,
    ambition,
    budgets,
    caching,
    costs,
    demand,
    failures,
    headroom,
    latency,
    objectives,
    options,
    resources,
    timeouts,
    tracing,
    trust,
    waiting,
)
from perfplan.subjects.absent import absent
from perfplan.subjects.kind import Found, Item
from perfplan.words import dotted, listed

ANSWERS = ("measured", "computed", "artefact", "attested", "none")
VERDICTS = ("met", "at risk", "not met", "not applicable", "unanswered")
NOT_APPLICABLE = "not applicable"
BADNESS = ("not met", "at risk", "met", NOT_APPLICABLE)
ENOUGH = (  # answer and kind: what was measured, files that were found deployed, and documents that are this plan
    ("measured", "evidence"),
    ("measured", "artefact"),
    ("artefact", "artefact"),
)
LACKS = {  # why an item of a kind is not met by what the plan knows alone
    "evidence": "; stated or computed, not measured",
    "decision": "; nobody answers for it (answers: value, owner, date, and the reason as note)",
    "artefact": "; nothing shows that it is in use",
}
REVIEW_DAYS = 365  # an attested answer is stale after a year, unless it says otherwise
OPEN = ("", "?", "...", "tbd", "todo", "example", "unknown", "later")  # values that answer nothing


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
    alerts,
    ambition,
    budgets,
    caching,
    costs,
    demand,
    failures,
    headroom,
    latency,
    objectives,
    options,
    resources,
    timeouts,
    tracing,
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
    return _with_parts([_state(study, row, made, judged or {}) for row in items()])


def _state(study: Study, row: Row, made: Sequence[File], judged: Judgements) -> ItemState:
    """What is computed, generated or measured, and what somebody answers for: the worse of the two."""
    answer = study.scenario.answers.get(row.id)
    said = None if answer is None else _attested(study, row, answer)
    found, place, formula = _found(study, row.id, made, judged)
    if found is None:
        return said or ItemState(item=row, answer="none", verdict="unanswered", text=f"needs {row.needs}")
    if said is None or said.verdict == "unanswered":
        verdict, why = _alone(row, found)
        return ItemState(item=row, answer=found.answer, verdict=verdict, text=found.text + why, place=place, formula=formula)
    by = found.answer if row.kind in ("computed", "artefact") or found.answer == "measured" else said.answer
    verdict = said.verdict if said.verdict == NOT_APPLICABLE else _worst((_in_use(row, found), said.verdict))
    text = f"{found.text}; {said.text}"
    return ItemState(item=row, answer=by, verdict=verdict, text=text, place=place, formula=formula)


def _worst(verdicts: Iterable[str]) -> str:
    """The worst of verdicts, none of them unanswered."""
    return min(verdicts, key=BADNESS.index)


def _alone(row: Row, found: Found) -> tuple[str, str]:
    """The verdict of what nobody has answered for, and why it is not met: a model is no evidence, a wish no decision, a file not in
    use."""
    if found.verdict != "met" or row.kind == "computed" or (found.answer, row.kind) in ENOUGH:
        return found.verdict, ""
    return "at risk", LACKS[row.kind]


def _in_use(row: Row, found: Found) -> str:
    """The verdict of a rule beside an answer; a file that is only not known to be deployed is, where somebody says so."""
    generated = row.kind == "artefact" and found.answer == "artefact" and found.verdict == "at risk"
    return "met" if generated else found.verdict


def _with_parts(found: Sequence[ItemState]) -> tuple[ItemState, ...]:
    """Each item that has parts beside them: no better than what its parts say, and answered by them where its rule is about them."""
    parts: dict[str, list[ItemState]] = {}
    for one in found:
        parts.setdefault(one.item.parent, []).append(one)
    return tuple(_with(one, parts[one.item.id]) if one.item.id in parts else one for one in found)


def _with(one: ItemState, parts: Sequence[ItemState]) -> ItemState:
    answered = [part for part in parts if part.answer != "none"]
    open_parts = len(parts) - len(answered)
    asked = [part for part in answered if part.verdict != NOT_APPLICABLE]
    if one.answer == "none":
        if open_parts or not one.item.by_parts:
            return one
        worst = _worst(part.verdict for part in asked) if asked else NOT_APPLICABLE
        answer = min((part.answer for part in asked or answered), key=ANSWERS.index)
        verdict, why = (worst, "") if answer == "attested" else _alone(one.item, Found(text="", verdict=worst, answer=answer))
        return dataclasses.replace(one, answer=answer, verdict=verdict, text=_by(worst, asked) + why)
    if one.verdict == NOT_APPLICABLE:
        return one
    verdict = _worst([one.verdict, *(part.verdict for part in asked), *["at risk"] * (open_parts > 0)])
    if verdict == one.verdict:
        return one
    why = _by(verdict, asked) if any(part.verdict == verdict for part in asked) else f"{open_parts} of its {len(parts)} parts unanswered"
    return dataclasses.replace(one, verdict=verdict, text=f"{one.text}; {why}")


def _by(verdict: str, parts: Sequence[ItemState]) -> str:
    """Which parts decide."""
    return f"{verdict} by {listed([part.item.id for part in parts if part.verdict == verdict])}" if parts else "no part of it applies"


def _found(study: Study, id: str, made: Sequence[File], judged: Judgements) -> tuple[Found | None, str, str]:
    """What subjects or files say to an item, its chapter and the name of its formula."""
    one = ITEMS.get(id)
    if one is not None and (said := _of_subjects(study)[id]) is not None:
        return said, one.place, dotted(one.formula)
    if answering := [(file, answer) for file in made for answer in file.answers if answer.item == id]:
        return _of_files(study, answering, judged), answering[0][1].place, dotted(answering[0][1].formula)
    return absent(study, id), "", ""


def _of_files(study: Study, answering: Sequence[tuple[File, Answers]], judged: Judgements) -> Found:
    """What files say to an item, what tools said of them, and whether they were found deployed: only that makes them met."""
    names = listed([f"configs/{file.name}" for file, _ in answering])
    said = listed(list(dict.fromkeys(verdict_on(file, judged) for file, _ in answering)))
    refused = any(file.name in judged and judged[file.name].accepted is False for file, _ in answering)
    runs = [_deployed(study, file) for file, _ in answering]
    text = f"{names}: {answering[0][1].text}; {said}; {listed(list(dict.fromkeys(text for _, text in runs)))}"
    met = all(found for found, _ in runs)
    return Found(text=text, verdict="not met" if refused else "met" if met else "at risk", answer="measured" if met else "artefact")


def _deployed(study: Study, file: File) -> tuple[bool, str]:
    """Whether a file was found to run as it is written, not long ago; and that in words."""
    one = study.statement.deployed.get(file.name)
    if one is None:
        return False, file.unseen
    if one.verdict != AS_PLANNED:
        return False, f"{one.verdict} on {one.date}" + (f" ({one.said})" if one.said else "")
    if one.hash != fingerprint(file.text):
        return False, f"what runs since {one.date} is of an earlier plan"
    days, said = (study.as_of - datetime.date.fromisoformat(one.date)).days, f"{AS_PLANNED} on {one.date}"
    return (True, said) if days <= FRESH_DAYS else (False, f"{said}, {days} days ago: look again")


def verdict_on(file: File, judged: Judgements) -> str:
    """What a tool said of a file, in a few words."""
    if file.judge is None:
        return file.unjudged
    one = judged.get(file.name)
    if one is None or one.accepted is None:
        return "not judged here"
    said = f"{'accepted' if one.accepted else 'refused'} by {one.judge}"
    return said if file.unjudged == READ else f"{said}; {file.unjudged}"


def _attested(study: Study, item: Row, answer: Answer) -> ItemState:
    beside = "".join(f", {one}" for one in (answer.note, answer.link) if one)
    verdict, why = _signed(study, item, answer)
    said = f"{answer.value} ({answer.owner}, {answer.date}{beside}){why}"
    return ItemState(item=item, answer="none" if verdict == "unanswered" else "attested", verdict=verdict, text=said)


def _signed(study: Study, item: Row, answer: Answer) -> tuple[str, str]:
    """What an answer is worth, and why it is worth no more."""
    value = answer.value.strip().lower()
    if value in OPEN:
        return "unanswered", ": answers nothing yet"
    if value.startswith(NOT_APPLICABLE):
        return (NOT_APPLICABLE, "") if answer.note else ("unanswered", ": needs its reason under note")
    said_on = datetime.date.fromisoformat(answer.date)
    review = datetime.date.fromisoformat(answer.review) if answer.review else said_on + datetime.timedelta(REVIEW_DAYS)
    if review < study.as_of:
        return "at risk", f": stale since {review}"
    if value in ("no", "false", "none"):
        return "not met", ""
    return ("at risk", ": needs its reason under note") if item.kind == "decision" and not answer.note else ("met", "")


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
