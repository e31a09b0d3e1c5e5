"""Kinds of tiers and of promises in operation: a file each, and the two tables that name them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfplan import promises, tiers
from perfplan.operate import (
    availability,
    cache,
    completion,
    composite,
    correctness,
    database,
    errors,
    freshness,
    latency,
    object_store,
    page,
    partner,
    queue,
    service,
    throughput,
    users,
)
from perfplan.operate.kind import Tended, Watched
from perfplan.promises.kind import Promise
from perfplan.tiers import Tier

__all__ = ["TENDED", "WATCHED", "tended", "watched"]
TENDED: Mapping[type, Tended[Any]] = {  # Any: each kind's answers take its own record, and are found by it
    tiers.Service: service.TENDED,
    tiers.Cache: cache.TENDED,
    tiers.Database: database.TENDED,
    tiers.Queue: queue.TENDED,
    tiers.Partner: partner.TENDED,
    tiers.ObjectStore: object_store.TENDED,
}
WATCHED: Mapping[type, Watched[Any]] = {
    promises.Latency: latency.WATCHED,
    promises.Availability: availability.WATCHED,
    promises.Errors: errors.WATCHED,
    promises.Throughput: throughput.WATCHED,
    promises.Users: users.WATCHED,
    promises.Completion: completion.WATCHED,
    promises.Page: page.WATCHED,
    promises.Freshness: freshness.WATCHED,
    promises.Correctness: correctness.WATCHED,
    promises.Composite: composite.WATCHED,
}


def tended(tier: Tier) -> Tended[Any]:
    """What leaves the page of *tier*'s kind."""
    return TENDED[type(tier)]


def watched(objective: Promise) -> Watched[Any]:
    """What leaves the page of *objective*'s kind."""
    return WATCHED[type(objective)]
