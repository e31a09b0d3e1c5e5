"""A service in operation: how it grows, and the items of the checklist that it answers. Its proxy's settings are of all services
together."""

from __future__ import annotations

from perfplan.operate.kind import Part, Tended, no_files, today, unsaid
from perfplan.operate.source import Source
from perfplan.operate.text import markdown
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.study.sweeps import todays_knee
from perfplan.tiers.place import Place
from perfplan.tiers.service import Service
from perfplan.words import number, share


def _scaling(source: Source, name: str, tier: Service) -> str:
    n, why = source.count(name, "instances")
    return (
        f"- **{markdown(name)}** (stateless): add instances behind the balancer, one at a time, each warm before it gets traffic. "
        f"{n} by the plan ({markdown(why)}). A lost instance must leave the rest below {share(median(tier.utilization_limit))}. Give "
        "them the pool's connections first."
    )


def _scale_out(study: Study, name: str, tier: Service) -> Part:
    """The highest utilization before a promise breaks."""
    found, station = todays_knee(study), study.middle.carried.stations[Place(name, "instances")]
    highest = min(median(tier.utilization_limit), today(study, station.utilization) * found.rps / found.peak_rps)
    return Part(text=f"{name} {share(highest)}", verdict="at risk")  # no policy is shown to be deployed


def _threads(study: Study, name: str, tier: Service) -> Part:
    busy = today(study, study.middle.carried.stations[Place(name, "instances")].load) * float(tier.instances)
    return Part(text=f"{name}: {number(busy)} threads busy of {number(float(tier.instances * tier.threads))} ({tier.io})")


TENDED: Tended[Service] = Tended(
    files=no_files,
    scaling=_scaling,
    memory=unsaid,
    items={"2.1.3.a": _scale_out, "3.1.3": _threads},
)
