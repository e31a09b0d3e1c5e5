"""What a subject gives: items of the checklist, each with the rule that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from perfplan.study import Study


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
