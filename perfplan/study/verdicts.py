"""The words of a verdict, each by one rule: promises and what runs out, with the confidence that is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.plan import until
from perfplan.plan.resources import RATE
from perfplan.quantity import FloatArray, median
from perfplan.scenario import Scenario
from perfplan.study import RunOut, Study
from perfplan.study.worlds import confidence
from perfplan.tiers import bought_of
from perfplan.tiers.place import LINK, Place

BROKEN, RISK, HOLDS = "broken", "at risk", "holds"
SOON = 6  # months after its end in which a promise that breaks is at risk: about as long as one order lasts


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A promise: P(it holds) by month with today's fleet, what is asked, until when, and from when it does not hold."""

    p: FloatArray
    asked: float
    last: int
    start: float  # first month in which it holds with less than what is asked; inf: never

    @property
    def word(self) -> str:
        """BROKEN, RISK or HOLDS."""
        return BROKEN if self.start <= self.last else RISK if self.start <= self.last + SOON else HOLDS


def of_promise(study: Study, name: str) -> Verdict:
    """The verdict of a promise."""
    p, asked = holds_with(study, name)
    return Verdict(p=p, asked=asked, last=min(until(study.worlds.judged[name].objective), p.size - 1), start=first_below(p, asked))


def holds_with(study: Study, name: str) -> tuple[FloatArray, float]:
    """P(objective holds) by month with today's fleet, and the confidence it asks for."""
    judged = study.worlds.judged[name]
    return np.asarray(judged.holds.mean(axis=0)), median(judged.objective.confidence)


def first_below(p: FloatArray, asked: float) -> float:
    """First month in which a probability is below what was asked; inf where it never is."""
    below = np.flatnonzero(p < asked)
    return float(below[0]) if below.size else float("inf")


def early(scenario: Scenario, out: RunOut) -> tuple[float, str]:
    """The month before which a resource runs out in no more worlds than the asked confidence leaves, and the name of that percentile."""
    left = 1 - confidence(scenario)
    return out.quantile(left), f"P{round(100 * left, 1):g}"


def of_run_out(study: Study, out: RunOut) -> str:
    """BROKEN: it may be over its limit today; RISK: within the months asked for; HOLDS."""
    month, _ = early(study.scenario, out)
    return BROKEN if month < 1 else RISK if month <= study.last else HOLDS


@dataclass(frozen=True)
class Cause:
    """The resource that is nearest to saturation in a month's peak second."""

    label: str
    place: Place
    utilization: float


def cause(study: Study, month: int) -> Cause:
    """Which resource saturates, or comes nearest to it, in the peak second of *month*; the called before the caller."""
    one = study.middle
    state = one.state.at(one.rps[:, month : month + 1]).second.carried
    tiers = one.scenario.tiers
    used = {
        place: float(np.ravel(station.utilization)[0])
        for place, station in state.stations.items()
        if not bought_of(tiers[place.tier], place.field).waits
    }
    worst = max(used.values(), default=0.0)
    fixed = [r for r in one.resources.values() if r.place.field == RATE or r.place == LINK]  # a partner's rate limit, the network
    tightest = max(fixed, key=lambda r: float(r.utilization[0, month]))
    share_used = float(tightest.utilization[0, month]) * median(one.scenario.traffic.peak_second)
    if not used or share_used > worst:
        return Cause(label=f"the {tightest.label}", place=tightest.place, utilization=share_used)
    near = [place for place, value in used.items() if value >= min(worst, 1.0) * 0.98]
    depth = list(state.responses)  # the called first
    place = min(near, key=lambda p: (depth.index(p.tier), bought_of(tiers[p.tier], p.field).order))
    return Cause(label=one.resources[place].label, place=place, utilization=used[place])
