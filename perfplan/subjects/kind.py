"""What a subject gives: findings, and items of the checklist, each with the rule that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from perfplan.operate import tended
from perfplan.operate.kind import Part, worst
from perfplan.study import Study
from perfplan.study.verdicts import BROKEN, HOLDS, RISK

REQUIREMENTS, ARCHITECTURE, IMPLEMENTATION = "1_requirements", "2_architecture", "3_implementation"  # chapters, by their notebooks
MONITORING, OPTIMIZATION = "5_monitoring", "6_optimization"


@dataclass(frozen=True)
class Found:
    """What a rule found."""

    text: str
    verdict: str = "met"
    answer: str = "computed"


@dataclass(frozen=True)
class Item:
    """An item of the checklist: its id, its rule, its chapter and the function that computes its number."""

    id: str
    judge: Callable[[Study], Found | None]  # None: the scenario lacks what it needs
    place: str
    formula: Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One judgement, in words a reader can check."""

    kind: str  # BROKEN, RISK or HOLDS
    phase: int  # chapter it belongs to, 1 .. 6
    about: str  # objective or field
    title: str
    rule: str
    value: str
    reason: str
    remedy: str = ""
    month: float = float("inf")  # month from which it is so
    price_usd: float | None = None  # of the remedy, per month

    @property
    def severity(self) -> str:
        """The verdict in words."""
        return {BROKEN: "Breaks a promise", RISK: "At risk", HOLDS: "Holds"}[self.kind]


def parts(study: Study, item: str) -> list[Part]:
    """What each tier whose kind answers an item (`operate/`) says to it."""
    answers = {name: tended(tier).items.get(item) for name, tier in study.scenario.tiers.items()}
    said = (answer(study, name, study.scenario.tiers[name]) for name, answer in answers.items() if answer is not None)
    return [part for part in said if part is not None]


def by_tier(id: str, place: str, formula: Callable[..., Any], before: str = "", after: str = "", sep: str = "; ") -> Item:
    """An item that kinds of tiers answer: what each tier says, and the worst verdict."""

    def judge(study: Study) -> Found | None:
        said = parts(study, id)
        text = before + sep.join(part.text for part in said) + after
        return Found(text=text, verdict=worst(tuple(part.verdict for part in said))) if said else None

    return Item(id, judge, place, formula)
