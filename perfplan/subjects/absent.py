"""Items about what a scenario does not have: settings of a cache where there is no cache. What should perhaps be there stays asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from perfplan.scenario import Scenario
from perfplan.study import Study
from perfplan.subjects.kind import Found


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What may be absent, how it is looked for, and the items that are about it alone."""

    name: str
    there: Callable[[Scenario], bool]
    items: tuple[str, ...]


def _of_kind(name: str) -> Callable[[Scenario], bool]:
    return lambda scenario: any(tier.kind == name for tier in scenario.tiers.values())


THINGS = (
    Thing(
        name="tier of kind cache",
        there=_of_kind("cache"),
        items=("3.1.2.c", "3.3.1", "3.3.1.a", "3.3.1.b", "3.3.2", "3.3.2.a", "3.3.2.b", "3.3.4", "3.3.5", "5.1.3.b", "6.1.4"),
    ),
    Thing(
        name="tier of kind database",
        there=_of_kind("database"),
        items=(
            *("3.1.2.a", "3.1.3.a", "3.1.4.a", "3.2.1", "3.2.2", "3.2.2.a", "3.2.2.b", "3.2.2.c", "3.2.3", "3.2.3.a", "3.2.3.b"),
            *("3.2.4", "3.2.4.a", "3.2.4.b", "3.2.5", "3.2.5.a", "3.2.5.b", "4.4.2", "4.4.2.a", "4.4.2.b", "4.4.2.c", "5.1.3.c"),
            *("5.1.4.c", "5.3.4", "5.3.4.a", "5.3.4.b", "5.3.4.c", "6.1.3", "6.2.4", "6.2.5", "6.2.8"),
        ),
    ),
    Thing(name="tier of kind queue", there=_of_kind("queue"), items=("2.4.2.a", "2.4.2.b", "2.4.2.c", "2.4.2.d", "2.4.3", "2.4.5")),
    Thing(name="tier of kind partner", there=_of_kind("partner"), items=("2.4.1.b", "3.1.3.b", "3.1.4.b")),
    Thing(
        name="cdn",
        there=lambda scenario: scenario.cdn is not None,
        items=("2.5.1.a", "2.5.1.c", "2.5.4", "2.5.5.a", "2.5.5.b", "2.5.5.c", "3.5.1", "3.5.1.a", "3.5.1.b", "3.5.1.c", "3.5.4", "3.5.5"),
    ),
)
ABOUT: Mapping[str, Thing] = {id: thing for thing in THINGS for id in thing.items}


def absent(study: Study, id: str) -> Found | None:
    """That an item does not apply, as what it is about is not there; None where it is, or the item is about more."""
    thing = ABOUT.get(id)
    if thing is None or thing.there(study.scenario):
        return None
    return Found(text=f"no {thing.name} is stated", verdict="not applicable")
