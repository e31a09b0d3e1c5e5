"""A queue in operation: how it grows, and the items of the checklist that it answers."""

from __future__ import annotations

from perfplan.operate.kind import Part, Tended, no_files, today, unsaid
from perfplan.operate.source import Source
from perfplan.operate.text import markdown
from perfplan.study import Study
from perfplan.tiers.place import Place
from perfplan.tiers.queue import Queue
from perfplan.words import duration, number, share

MAILS = ("mail", "notif", "message", "sms")  # words in the name of a queue that say what its jobs do
REPORTS = ("report", "invoice", "statement", "export")


def _scaling(source: Source, name: str, tier: Queue) -> str:
    n, why = source.count(name, "workers")
    return f"- **{markdown(name)}** (queue): add workers while the lag grows. {n} by the plan ({markdown(why)})."


def _jobs(study: Study, name: str, tier: Queue) -> Part:
    workers = study.middle.carried.stations[Place(name, "workers")]
    rate, used, wait = (today(study, value) for value in (workers.arrival_rps, workers.utilization, workers.mean_wait_s))
    text = f"{name}: {number(rate)} jobs a second, workers {share(used)} busy, mean wait {duration(wait)}"
    return Part(text=text, verdict="met" if used < 1 else "not met")


def _mails(study: Study, name: str, tier: Queue) -> Part | None:
    return _jobs(study, name, tier) if any(word in name.lower() for word in MAILS) else None


def _reports(study: Study, name: str, tier: Queue) -> Part | None:
    return _jobs(study, name, tier) if any(word in name.lower() for word in REPORTS) else None


TENDED: Tended[Queue] = Tended(
    files=no_files,
    scaling=_scaling,
    memory=unsaid,
    items={"2.4.1.a": _jobs, "2.4.1.c": _mails, "2.4.1.d": _reports},
)
