"""What else could be done: options in the same worlds."""

from __future__ import annotations

from perfplan.study import Study
from perfplan.study.options import try_options
from perfplan.subjects.kind import IMPLEMENTATION, OPTIMIZATION, Found, Item
from perfplan.words import listed, percent


def _batching(study: Study) -> Found | None:
    """Options that change calls."""
    tried = [one for one in study.options if any(".calls." in override for override in one.overrides)]
    said = [f"{one.name}: P(all hold) {percent(one.p_all)} in {study.named(study.last)}" for one in tried]
    return Found(text="; ".join(said), verdict="at risk") if said else None


def _ranked(study: Study) -> Found | None:
    """Options by what they do to the promises."""
    found = sorted(study.options, key=lambda one: -one.p_all)
    said = [f"{one.name} (P {percent(one.p_all)} in {study.named(study.last)})" for one in found]
    return Found(text=f"{listed(said)}; nobody is named who owns them", verdict="at risk") if said else None


ITEMS = (
    Item("4.4.4", _ranked, OPTIMIZATION, try_options),
    Item("3.1.4.a", _batching, IMPLEMENTATION, try_options),
    Item("6.2.8", _batching, OPTIMIZATION, try_options),
)
