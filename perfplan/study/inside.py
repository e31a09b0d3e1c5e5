"""Response times as they are seen beside the origin, at the balancer or by a load generator there: without round trip and edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perfplan import promises
from perfplan.models.times.frequencies import Distribution
from perfplan.models.times.latency import exceeds, percentiles_s
from perfplan.plan import State
from perfplan.plan.paths import Carried, edge_share, inside
from perfplan.quantity import FloatArray, median
from perfplan.study import Study, once
from perfplan.study.sweeps import todays_knee

NEARLY = 0.97  # of the load at which something is full


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A promised response time as it is seen inside: the bound there, and how many of what comes there one request of a user is."""

    below_s: float
    part: float  # of all requests, those that the edge does not answer


def law(study: Study, carried: Carried, journey: str) -> Distribution:
    """The response time of *journey* where it enters."""
    return inside(study.scenario.journeys[journey], carried.responses)


@once
def seen(study: Study) -> dict[str, Seen]:
    """Each promised response time, by the name of its promise.

    At the load at which the promise breaks, or nearly at the one that fills something where that is less (today's peak, where nothing
    does), as many requests are slower than the bound inside as
    are slower than the promised time at the user's; two digits, rounded down.
    """
    found: dict[str, Seen] = {}
    for name, objective in study.scenario.objectives.items():
        one = promises.timed(objective)
        if one is None:
            continue
        knee = todays_knee(study)
        breaks, full = knee.objectives[name], NEARLY * knee.saturated[knee.soonest]
        rps = min(breaks, full) if breaks > 0 and np.isfinite(min(breaks, full)) else float(study.middle.rps[0, 0])
        state = State(study.scenario, np.array([[rps]]))
        part = 1 - median(edge_share(study.scenario, study.scenario.journeys[one.journey]))
        slow = float(exceeds(state.path(one.journey), median(one.below_s), (1, 1))[0, 0])
        share = min(max(slow / part, 1e-4), 0.9) if part > 0 else 0.5
        bound = float(percentiles_s(law(study, state.carried, one.journey), (1 - share,), (1, 1))[0][0, 0])
        bound = min(bound, median(one.below_s)) if np.isfinite(bound) else median(one.below_s)
        found[name] = Seen(below_s=_down(max(bound, 1e-5)), part=part if part > 0 else 1.0)
    return found


def _down(value_s: float) -> float:
    """Two digits, rounded down.

    >>> _down(0.2759), _down(1.0), _down(0.3)
    (0.27, 1.0, 0.3)
    """
    scale = 10.0 ** (math.floor(math.log10(value_s) + 1e-12) - 1)
    return float(f"{math.floor(value_s / scale * (1 + 1e-9)) * scale:.6g}")


def inside_rps(study: Study) -> FloatArray:
    """Requests a second at the peak hour that come to the balancer, and not only to the edge, (worlds, months)."""
    carried = study.worlds.carried
    return np.asarray(
        sum(np.asarray(rps) * (1 - np.asarray(carried.edge[name])) for name, rps in carried.journey_rps.items()) + 0 * study.worlds.rps
    )
