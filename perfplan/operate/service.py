"""A service in operation: how it grows, and the items of the checklist that it answers. Its proxy's settings are of all services
together."""

from __future__ import annotations

import dataclasses

from perfplan.models.times.latency import percentiles_s
from perfplan.operate.kind import BUSY, Part, Signal, Tended, at_limit, no_files, no_roles, run_out, today, unsaid
from perfplan.operate.source import Source
from perfplan.operate.text import markdown, slug
from perfplan.quantity import median
from perfplan.signals import signal
from perfplan.study import Study
from perfplan.study.sweeps import todays_knee
from perfplan.tiers.place import Place
from perfplan.tiers.service import Service
from perfplan.words import duration, number, share


def _scaling(source: Source, name: str, tier: Service) -> str:
    n, why = source.count(name, "instances")
    return (
        f"- **{markdown(name)}** (stateless): add instances behind the balancer, one at a time, each warm before it gets traffic. "
        f"{n} by the plan ({markdown(why)}). A lost instance must leave the rest below {share(median(tier.utilization_limit))}. Give "
        "them the pool's connections first."
    )


def _scale_out(study: Study, name: str, tier: Service) -> Part:
    """The CPU at the highest load before a promise breaks: own work of the threads, not their waiting for others."""
    found, station = todays_knee(study), study.middle.carried.stations[Place(name, "instances")]
    used = today(study, station.utilization)
    working = min(today(study, station.arrival_rps) * median(tier.service_time_s) / median(tier.threads), used)
    most = min(median(tier.utilization_limit) / max(used, 1e-12), found.rps / found.peak_rps)  # times today's load
    text = f"{name} {share(working * most)} CPU, where each of the {number(median(tier.threads))} threads has a core"
    return Part(text=f"{text}, its threads then being {share(used * most)} busy", verdict="at risk")  # no policy is shown to be deployed


def _threads(study: Study, name: str, tier: Service) -> Part:
    busy = today(study, study.middle.carried.stations[Place(name, "instances")].load) * float(tier.instances)
    text, verdict = run_out(study, Place(name, "instances"))
    there = number(float(tier.instances * tier.threads))
    if tier.io == "async":
        return Part(text=f"{name}: {number(busy)} threads at work of {there}, none waits for others (async); {text}", verdict=verdict)
    return Part(text=f"{name}: {number(busy)} threads held of {there}, also while others answer (blocking); {text}", verdict=verdict)


def _balanced(study: Study, name: str, tier: Service) -> Part:
    """The p99 of the wait behind a random balancer, against one queue for all, which no balancer beats."""
    alone = study.middle.carried.stations[Place(name, "instances")]
    instances = float(tier.instances)
    together = dataclasses.replace(alone, arrival_rps=alone.arrival_rps * instances, servers=alone.servers * instances)
    random, best = (today(study, one.wait_quantile_s(0.99)) for one in (alone, together))
    asked = today(study, percentiles_s(study.middle.carried.responses[name], (0.99,), study.middle.rps.shape)[0])
    text = f"{name}: {duration(random)} p99 wait behind a random balancer, {duration(best)} at best, of a p99 of {duration(asked)}"
    return Part(text=text, verdict="met" if random - best <= NEAR * asked else "at risk")


NEAR = 0.10  # of the best, within which a way to balance is good enough


def _signals(source: Source, name: str, tier: Service) -> tuple[Signal, ...]:
    """Threads at work, of those that there are."""
    limit, usual = at_limit(source.study, Place(name, "instances"))
    threads, series = float(tier.threads), f'http_server_active_requests{{service="{slug(name)}"}}'
    one = Signal(
        alert="ThreadsBusy",
        use=signal("service", "threads").asked(slug(name), threads),
        limit=limit,
        usual=usual,
        what=f"threads of {name} at work",
        page=BUSY,
        series=lambda use: {series: use * threads},
    )
    return (one,)


TENDED: Tended[Service] = Tended(
    files=no_files,
    scaling=_scaling,
    commands=lambda source, name, tier: (
        f"kubectl scale deployment/{slug(name)} --replicas={source.count(name, 'instances')[0]}",
        f"kubectl rollout status deployment/{slug(name)}",
    ),
    signals=_signals,
    capacities=lambda source, name, tier: {"threads": float(tier.threads)},
    roles=no_roles,
    span="CLIENT and SERVER | `http.request.method`, `server.address`, `http.response.status_code`",
    memory=unsaid,
    items={"2.1.3.a": _scale_out, "3.4.1.a": _balanced, "3.1.3": _threads, "6.2.7": _threads},
)
