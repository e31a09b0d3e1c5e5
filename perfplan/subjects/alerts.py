"""Burn-rate alerts of every promise that is counted in requests or jobs, and the thresholds of the usual alerts on resources.

An alert fires when a share *spent* of the budget of the promise's window goes within an alert window: factor = spent x window / alert
window (Beyer et al., The Site Reliability Workbook, 2018, chapter 5). The short window, a twelfth of the long one, makes it stop soon
after the cause has gone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from perfplan.models.slo import burn_rate
from perfplan.operate import watched
from perfplan.operate.kind import Counters
from perfplan.plan.resources import STORAGE
from perfplan.quantity import DAY, HOUR, median
from perfplan.study import Study
from perfplan.study.inside import seen

ALERTS = ((0.02, 1, "page"), (0.05, 6, "page"), (0.10, 72, "ticket"))  # budget spent, hours, urgency
CPU, MEMORY, DISK = 0.80, 0.85, 0.90  # the checklist's, for 5 minutes


@dataclass(frozen=True, kw_only=True)
class Utilized:
    """How much of a resource is used today, the limit of the plan, and the threshold of the usual alert."""

    resource: str
    now: float
    limit: float
    usual: float

    @property
    def earlier(self) -> bool:
        """Whether it must be watched below the usual alert."""
        return self.limit < self.usual


def watched_resources(study: Study) -> list[Utilized]:
    """Every resource, in the order in which they run out."""
    return [
        Utilized(
            resource=one.label,
            now=median(one.utilization[:, 0]),
            limit=median(one.limit),
            usual=DISK if one.place.field == STORAGE else CPU,
        )
        for one in (out.resource for out in study.run_outs)
    ]


@dataclass(frozen=True, kw_only=True)
class Burn:
    """One burn-rate alert: requests that are bad, of all, over a long and a short window."""

    objective: str
    counters: Counters
    budget: float  # share of requests that may be bad
    spent: float
    hours: int
    urgency: str

    @property
    def factor(self) -> float:
        """How many times faster than even the budget is spent."""
        return factor(self.spent, self.hours, self.counters.days)

    @property
    def limit(self) -> float:
        """Share of bad requests above which it fires."""
        return self.factor * self.budget

    @property
    def possible(self) -> bool:
        """Whether a share of requests can be that bad at all."""
        return self.limit < 1


def factor(spent: float, hours: float, days: float) -> float:
    """How many times faster than even a budget of *days* goes when *spent* of it goes in *hours*."""
    return float(burn_rate(spent, hours * HOUR, days * DAY))


def burns(study: Study) -> list[Burn]:
    """Every burn-rate alert; a 28-day promise over 28 days, others over 30. Of two promises on the same counters the stricter one."""
    found: dict[tuple[str, str, str], Burn] = {}
    for name, judged in study.worlds.judged.items():
        at = seen(study).get(name)
        counters = watched(judged.objective).measured.counters(judged.objective, at.below_s if at is not None else 0.0)
        if counters is None:
            continue
        budget = min(median(judged.bound) / (at.part if at is not None else 1.0), 1.0)
        key = counters.total, counters.bad, counters.good
        if key not in found or budget < found[key].budget:
            found[key] = Burn(objective=name, counters=counters, budget=budget, spent=0.0, hours=0, urgency="")
    return [replace(one, spent=spent, hours=hours, urgency=urgency) for one in found.values() for spent, hours, urgency in ALERTS]


def covered(study: Study) -> dict[str, str]:
    """Promises on counters that a stricter one watches: by name, that one's name."""
    kept = {(one.counters.total, one.counters.bad): one.objective for one in burns(study) if one.counters.bad}
    found = {}
    for name, judged in study.worlds.judged.items():
        counters = watched(judged.objective).measured.counters(judged.objective, 0.0)
        stricter = kept.get((counters.total, counters.bad)) if counters is not None and counters.bad else None
        if stricter not in (None, name):
            found[name] = str(stricter)
    return found
