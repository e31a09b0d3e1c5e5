"""A queue in operation: how it grows, and the items of the checklist that it answers."""

from __future__ import annotations

import numpy as np

from perfplan.operate.kind import GROWS, STATES, Part, Signal, Tended, no_capacities, no_files, no_roles, today, unsaid, worst
from perfplan.operate.source import Source
from perfplan.operate.text import markdown, slug
from perfplan.promises import Objective, kind_of
from perfplan.quantity import median
from perfplan.signals import signal
from perfplan.study import Study
from perfplan.study.verdicts import of_promise
from perfplan.tiers.place import Place
from perfplan.tiers.queue import Queue
from perfplan.words import duration, listed, number, share

MAILS = ("mail", "notif", "message", "sms")  # words in the name of a queue that say what its jobs do
REPORTS = ("report", "invoice", "statement", "export")


def _scaling(source: Source, name: str, tier: Queue) -> str:
    n, why = source.count(name, "workers")
    return f"- **{markdown(name)}** (queue): add workers while the lag grows. {n} by the plan ({markdown(why)})."


def _jobs(study: Study, name: str, tier: Queue) -> Part:
    workers = study.middle.carried.stations[Place(name, "workers")]
    rate, used, wait = (today(study, value) for value in (workers.arrival_rps, workers.utilization, workers.mean_wait_s))
    text = f"{name}: {number(rate)} jobs a second, workers {share(used)} busy, mean wait {duration(wait)}"
    promised = [one for one, objective in study.scenario.objectives.items() if _promises(objective, name)]
    if not promised:
        return Part(text=f"{text}; no objective of kind completion", verdict="at risk" if used < 1 else "not met")
    return Part(
        text=f"{text}; promised by {listed(promised)}", verdict=worst(tuple(STATES[of_promise(study, one).word] for one in promised))
    )


def _promises(objective: Objective, name: str) -> bool:
    """Whether an objective says how late jobs of tier *name* may be done."""
    jobs = kind_of(objective).says.jobs(objective)
    return jobs is not None and jobs.tier == name


def _mails(study: Study, name: str, tier: Queue) -> Part | None:
    return _jobs(study, name, tier) if any(word in name.lower() for word in MAILS) else None


def _reports(study: Study, name: str, tier: Queue) -> Part | None:
    return _jobs(study, name, tier) if any(word in name.lower() for word in REPORTS) else None


def _signals(source: Source, name: str, tier: Queue) -> tuple[Signal, ...]:
    """The age of the oldest job, against how late it may be done; where nothing is promised, three times its usual worst."""
    study, series = source.study, f'queue_oldest_message_age_seconds{{queue="{slug(name)}"}}'
    wait = today(study, study.middle.carried.stations[Place(name, "workers")].wait_quantile_s(0.999))
    usual = wait if np.isfinite(wait) else 0.0
    jobs = [kind_of(one).says.jobs(one) for one in study.scenario.objectives.values()]
    promised = [median(one.below_s) for one in jobs if one is not None and one.tier == name]
    one = Signal(
        alert="JobsWait",
        use=signal("queue", "oldest").asked(slug(name)),
        limit=max(min(promised, default=3 * (usual + median(tier.service_time_s))), 1.0),
        usual=usual,
        what=f"time that the oldest job of {name} waits",
        page=GROWS,
        series=lambda use: {series: use},
        seconds=True,
    )
    return (one,)


TENDED: Tended[Queue] = Tended(
    files=no_files,
    scaling=_scaling,
    commands=lambda source, name, tier: (f"kubectl scale deployment/{slug(name)}-workers --replicas={source.count(name, 'workers')[0]}",),
    signals=_signals,
    capacities=no_capacities,
    roles=no_roles,
    span="PRODUCER | `messaging.system`, `messaging.destination.name`, `messaging.operation.type`",
    memory=unsaid,
    items={"2.4.1.a": _jobs, "2.4.1.c": _mails, "2.4.1.d": _reports},
)
