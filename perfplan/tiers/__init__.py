"""The kinds of tiers: a file each, and the one table that names them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perfplan.quantity import Value
from perfplan.record import tag_of
from perfplan.tiers import cache, database, object_store, partner, queue, service
from perfplan.tiers.cache import Cache
from perfplan.tiers.database import Database
from perfplan.tiers.kind import Bought, Kind
from perfplan.tiers.object_store import ObjectStore
from perfplan.tiers.partner import Partner
from perfplan.tiers.queue import Queue
from perfplan.tiers.service import Service

__all__ = [
    "KINDS",
    "Cache",
    "Database",
    "ObjectStore",
    "Partner",
    "Queue",
    "Service",
    "Tier",
    "bought_of",
    "count_of",
    "gone",
    "kind_of",
    "scaled",
    "words_of",
]
NARROW = 1.0001  # p99 over p50 of what always takes as long
Tier = Service | Cache | Database | Queue | Partner | ObjectStore
KINDS: Mapping[type, Kind[Any]] = {  # Any: each kind's answers take its own record, and are found by it
    Service: service.KIND,
    Cache: cache.KIND,
    Database: database.KIND,
    Queue: queue.KIND,
    Partner: partner.KIND,
    ObjectStore: object_store.KIND,
}


def kind_of(tier: Tier) -> Kind[Any]:
    """The answers of *tier*'s kind."""
    return KINDS[type(tier)]


def bought_of(tier: Tier, field: str) -> Bought[Any]:
    """How the count *field* of *tier* is bought."""
    return next(one for one in kind_of(tier).owned.bought if one.field == field)


def count_of(tier: Tier, field: str) -> float:
    """How many of *field*, which is bought, there are."""
    return float(getattr(tier, field))


def scaled(tier: Tier, fields: Sequence[str], times: float) -> dict[str, Value]:
    """Some of its fields, *times* as large."""
    return {field: times * getattr(tier, field) for field in fields}


def gone(after_s: Value) -> Partner:
    """What callers see of a tier of which nothing is left: each call takes *after_s*, whatever the load."""
    answers: dict[str, Any] = {"kind": "partner", "p50_s": after_s, "p99_s": np.asarray(after_s) * NARROW}
    return Partner(**answers)


def words_of(asked: Callable[[Kind[Any]], bool]) -> tuple[str, ...]:
    """The words, as files say them, of the kinds that *asked* is true of."""
    return tuple(tag_of(cls) for cls, kind in KINDS.items() if asked(kind))
