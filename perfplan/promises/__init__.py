"""The kinds of promises: a file each, and the one table that names them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfplan.promises import availability, completion, composite, correctness, errors, freshness, latency, page, throughput, users
from perfplan.promises.availability import Availability
from perfplan.promises.completion import Completion
from perfplan.promises.composite import Composite
from perfplan.promises.correctness import Correctness
from perfplan.promises.errors import Errors
from perfplan.promises.freshness import Freshness
from perfplan.promises.kind import Budgeted, Counted, Kind, Promise, Timed
from perfplan.promises.latency import Latency
from perfplan.promises.page import Page
from perfplan.promises.throughput import Throughput
from perfplan.promises.users import Users
from perfplan.quantity import MONTH, median

__all__ = [
    "KINDS",
    "Availability",
    "Completion",
    "Composite",
    "Correctness",
    "Errors",
    "Freshness",
    "Latency",
    "Objective",
    "Page",
    "Throughput",
    "Users",
    "budget_of",
    "counted",
    "kind_of",
    "timed",
    "until",
]
Objective = Latency | Availability | Errors | Throughput | Users | Completion | Page | Freshness | Correctness | Composite
KINDS: Mapping[type, Kind[Any]] = {  # Any: each kind's answers take its own record, and are found by it
    Latency: latency.KIND,
    Availability: availability.KIND,
    Errors: errors.KIND,
    Throughput: throughput.KIND,
    Users: users.KIND,
    Completion: completion.KIND,
    Page: page.KIND,
    Freshness: freshness.KIND,
    Correctness: correctness.KIND,
    Composite: composite.KIND,
}


def kind_of(objective: Promise) -> Kind[Any]:
    """The answers of *objective*'s kind."""
    return KINDS[type(objective)]


def timed(objective: Promise) -> Timed | None:
    """The percentile of a response time that *objective* promises."""
    return kind_of(objective).says.timed(objective)


def counted(objective: Promise) -> Counted | None:
    """The share of good requests that *objective* promises."""
    return kind_of(objective).says.counted(objective)


def budget_of(objective: Promise) -> Budgeted | None:
    """How what is bad of *objective* is counted against its error budget; None where it has none."""
    return kind_of(objective).says.budget(objective)


def until(objective: Promise) -> int:
    """The month up to which *objective* must hold."""
    return round(median(objective.until_s) / MONTH)
