"""What can be asked at all: promises that nothing keeps are set aside, months that come before anything can be delivered are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfplan.plan import counts
from perfplan.quantity import median
from perfplan.scenario import Scenario
from perfplan.study.search.candidates import Offer
from perfplan.study.search.cheapest import Asked
from perfplan.study.search.worlds import There, Worlds
from perfplan.tiers.place import Place

Aside = Mapping[str, frozenset[int]]  # promises that nothing keeps, with the months


@dataclass(frozen=True, kw_only=True)
class Possible:
    """With all that there can be: which promises hold in which month, and how surely."""

    aside: Aside  # not with all that there can be, were it there today
    asked: Asked
    lost: int  # the first month from which on nothing comes too late


def counted(scenario: Scenario, month: int) -> list[str]:
    """The promises that count in *month*."""
    return [name for name in scenario.objectives if counts(scenario, name, month)]


def possible(worlds: Worlds, offers: Sequence[Offer], options: frozenset[str], order: Sequence[int], asked: float) -> Possible:
    """What can be asked with *options* and the largest counts."""
    ladders, scenario = worlds.ladders, worlds.drawn(frozenset())
    top = tuple(len(one.counts) - 1 for one in ladders)
    aside: dict[str, set[int]] = {}
    names: dict[int, list[str]] = {}
    limits: dict[int, frozenset[Place]] = {}
    best: dict[int, float] = {}
    lost = 0
    for month in order:
        able = frozenset(o.name for o in offers if o.name in options and o.works_from <= month)
        early = There(able, tuple(k if one.works_from <= month else 0 for k, one in zip(top, ladders, strict=True)))
        never = _failing(worlds, There(options, top), month, counted(scenario, month))
        for name in never:
            aside.setdefault(name, set()).add(month)
        rest = [name for name in counted(scenario, month) if name not in never]
        late = _failing(worlds, early, month, rest)
        names[month] = [name for name in rest if name not in late]
        within, later = worlds.within(early, month, True), worlds.within(There(options, top), month, True)
        limits[month] = frozenset(place for place, share in within.items() if share >= asked)
        if late or any(within[place] < asked <= share for place, share in later.items() if place in within):
            lost = max(lost, month + 1)
        best[month] = min(float(worlds.hold(early, month, names[month]).mean()), *(within[place] for place in limits[month]), 1.0)
    months = sorted(order)
    found = Asked(names=[names[m] for m in months], limits=[limits[m] for m in months], top=[best[m] for m in months])
    return Possible(aside={name: frozenset(at) for name, at in aside.items()}, asked=found, lost=min(lost, max(order)))


def _failing(worlds: Worlds, there: There, month: int, names: Sequence[str]) -> list[str]:
    """The promises that hold with less than their own confidence."""
    wanted = {name: median(worlds.drawn(frozenset()).objectives[name].confidence) for name in names}
    if not names or worlds.hold(there, month, names).mean() >= max(wanted.values()):
        return []
    return [name for name in names if worlds.hold(there, month, [name]).mean() < wanted[name]]
