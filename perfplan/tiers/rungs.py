"""Time-outs of a tier: one is a rung, an order that two must have is a relation; `perfplan.study.ladder` puts them together along each
path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from perfplan.quantity import Value
from perfplan.tiers.place import Place

MARGIN = 3.0  # times p99.9 at today's peak hour, as a time-out must never cut what is only slow
SHORTEST_S = 0.05
POOL, CALL, REQUEST, CLIENT, IDLE = "pool", "call", "request", "client", "idle"  # what it ends; idle: a connection that nobody uses
STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # time-outs are round numbers


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One time-out: where it is set, what it limits, and where its value comes from."""

    place: Place  # the field that states it
    label: str
    value_s: float
    stated: bool
    why: str
    role: str  # one of those above


@dataclass(frozen=True, kw_only=True)
class Relation:
    """An order that two time-outs must have."""

    lower: Rung
    upper: Rung
    times: float  # how often the lower one must fit into the upper
    rule: str

    @property
    def holds(self) -> bool:
        """Whether the order is right."""
        return self.lower.value_s * self.times < self.upper.value_s


Outlasted = tuple[Rung, float]  # what a caller must outlast, and how often


class Seen(Protocol):
    """What a tier's time-outs are made from: times at today's peak hour, in seconds; one that is without end counts as a second."""

    @property
    def name(self) -> str:
        """Of the tier."""

    @property
    def idle(self) -> Rung:
        """How long the balancer keeps an idle connection."""

    @property
    def below(self) -> Sequence[Outlasted]:
        """The time-outs of everything it waits for."""

    def answer_s(self) -> float:
        """P99.9 of a call to it."""

    def journey_s(self) -> float:
        """P99.9 of the slowest journey that enters by it; of a call, where none does."""

    def wait_s(self, field: str) -> float:
        """P99.9 of the wait at the station that *field* sizes."""


class Rungs(Protocol):
    """Where a tier puts its time-outs."""

    def add(self, field: str, label: str, stated: Value | None, derived_s: float, why: str, role: str) -> Rung:
        """One more of its fields: what is stated overrules what is derived."""

    def relate(self, lower: Rung, upper: Rung, rule: str, times: float = 1.0) -> None:
        """One more relation."""


def round_up(value_s: float) -> float:
    """The next round number.

    >>> round_up(0.012), round_up(2.1), round_up(0.05)
    (0.015, 3.0, 0.05)
    """
    scale = 10.0 ** np.floor(np.log10(value_s))
    return next(float(round(step * scale, 6)) for step in STEPS if step * scale >= value_s * (1 - 1e-9))


def of_those_below(_: object, seen: Seen, rungs: Rungs) -> Sequence[Outlasted]:
    """None of its own: who calls it waits as long as for what it calls."""
    return seen.below
