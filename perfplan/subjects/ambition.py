"""Which level of the quick reference a plan reaches today, at the median."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfplan.models import availability, caching, slo
from perfplan.models.times import latency
from perfplan.plan.uptime import availabilities
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.study.levels import LEVELS, NONE, Level, reached
from perfplan.subjects.kind import REQUIREMENTS, Found, Item
from perfplan.words import duration, share

P95, ERRORS, AVAILABLE, HITS = (
    "p95 of the slowest journey",
    "error rate of the worst journey",
    "availability of the worst journey",
    "cache hit ratio",
)
UPWARDS = tuple(reversed(LEVELS))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A row of the quick reference: what each level asks for, what there is, and the level that is reached."""

    what: str
    asked: dict[str, str]  # by the name of the level
    here: str
    reached: str


def targets(study: Study) -> list[Target]:
    """The rows that this scenario has numbers for."""
    worst_s, up, hits = slowest_p95_s(study), lowest_availability(study), study.middle.carried.hit_ratio.values()
    found = [
        _target(P95, lambda one: f"below {duration(one.p95_s)}", duration(worst_s), lambda one: worst_s < one.p95_s),
        _target(ERRORS, _errors_asked, share(1 - up), lambda one: 1 - up < one.binding_errors),
        _target(AVAILABLE, lambda one: share(one.available), share(up), lambda one: up >= one.available),
    ]
    if hits:
        lowest = min(median(hit) for hit in hits)
        found.append(_target(HITS, lambda one: f"over {share(one.hits)}", share(lowest), lambda one: lowest > one.hits))
    return found


def _target(what: str, asks: Callable[[Level], str], here: str, meets: Callable[[Level], bool]) -> Target:
    return Target(what=what, asked={level.name: asks(level) for level in UPWARDS}, here=here, reached=reached(meets))


def _errors_asked(level: Level) -> str:
    stated = f"below {share(level.errors)}"
    return stated if level.binding_errors >= level.errors else f"{stated}, bound to {share(level.binding_errors)}"


def together(found: list[Target]) -> str:
    """The level that all of them reach."""
    order = [NONE, *(level.name for level in UPWARDS)]
    return min((one.reached for one in found), key=order.index)


def slowest_p95_s(study: Study) -> float:
    """Of the slowest journey."""
    return max(float(ps[0.95][0, 0]) for ps in study.middle.percentile_s.values())


def lowest_availability(study: Study) -> float:
    """Of the worst journey."""
    return min(availabilities(study.scenario, study.middle.carried).values())


def _judge(what: str, said: str, missed: str = "not met") -> Callable[[Study], Found | None]:
    """An item about one of the rows; *said* has a place for what there is."""

    def judge(study: Study) -> Found | None:
        one = next((target for target in targets(study) if target.what == what), None)
        if one is None:
            return None
        return Found(text=f"{said.format(one.here)}: tier reached {one.reached}", verdict="met" if one.reached != NONE else missed)

    return judge


def _errors(study: Study) -> Found | None:
    """The error rates contradict the availabilities where both count requests: the stricter one binds."""
    found = _judge(ERRORS, "worst journey fails {} of requests")(study)
    up, bad = (
        " / ".join(share(value) for value in values)
        for values in ([one.available for one in UPWARDS], [one.binding_errors for one in UPWARDS])
    )
    return found and Found(text=f"{found.text}; with an availability of {up} counted in requests, {bad} bind", verdict=found.verdict)


ITEMS = (
    Item("QR.1", _judge(P95, "slowest journey's p95 is {} at the peak hour"), REQUIREMENTS, latency.percentiles_s),
    Item("QR.2", _errors, REQUIREMENTS, slo.binding_error_limit),
    Item("QR.3", _judge(AVAILABLE, "worst journey {}"), REQUIREMENTS, availability.in_series),
    Item("QR.4", _judge(HITS, "lowest hit ratio {}", "at risk"), REQUIREMENTS, caching.lru_hit_ratio),
)
