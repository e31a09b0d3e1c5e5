"""Where calls and jobs wait: pools of connections, queues and their workers."""

from __future__ import annotations

from perfplan.models import growth
from perfplan.models.growth import in_flight
from perfplan.models.stations import queueing
from perfplan.models.times import distributions
from perfplan.operate.kind import today
from perfplan.promises import kind_of
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.subjects.kind import ARCHITECTURE, Found, Item, by_tier
from perfplan.words import number


def _depth(study: Study) -> Found | None:
    said = []
    for objective in study.scenario.objectives.values():
        if (jobs := kind_of(objective).says.jobs(objective)) is not None:
            rps = today(study, study.middle.carried.calls_rps[jobs.tier])
            said.append(f"{jobs.tier}: {number(float(in_flight(rps, median(jobs.below_s))))} jobs in the queue at its target")
    return Found(text="; ".join(said) + "; no policy is shown to be deployed", verdict="at risk") if said else None


ITEMS = (
    Item("2.1.3.c", _depth, ARCHITECTURE, growth.in_flight),
    by_tier("2.3.3", ARCHITECTURE, queueing.erlang_c),
    by_tier("2.3.3.a", ARCHITECTURE, queueing.MMc),
    by_tier("2.4.1.a", ARCHITECTURE, queueing.MMc),
    by_tier("2.4.1.b", ARCHITECTURE, distributions.Lognormal),
    by_tier("2.4.1.c", ARCHITECTURE, queueing.MMc),
    by_tier("2.4.1.d", ARCHITECTURE, queueing.MMc),
)
