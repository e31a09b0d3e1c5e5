"""An object store in operation: what is asked of it, and the items of the checklist that it answers."""

from __future__ import annotations

from perfplan.operate.kind import Part, Tended, no_capacities, no_commands, no_files, no_roles, today, unsaid
from perfplan.operate.series import slow_calls
from perfplan.operate.source import Source
from perfplan.operate.text import markdown
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.tiers.object_store import ObjectStore
from perfplan.words import count, duration, rate


def _scaling(source: Source, name: str, tier: ObjectStore) -> str:
    prefixes, each = count(float(tier.prefixes)), rate(median(tier.limit_rps))
    return (
        f"- **{markdown(name)}** (object store): it grows by itself; {prefixes} prefixes take {each} each: spread keys over more of "
        "them before requests are refused."
    )


def _requests(study: Study, name: str, tier: ObjectStore) -> Part:
    mean = today(study, study.middle.carried.responses[name].mean_s)
    return Part(text=f"{name}: mean {duration(mean)}, p99 {duration(median(tier.p99_s))}")


TENDED: Tended[ObjectStore] = Tended(
    files=no_files,
    scaling=_scaling,
    commands=no_commands,
    signals=lambda source, name, tier: slow_calls(name, tier.p50_s, tier.p99_s, source.ladder.value_s("timeout", name)),
    capacities=no_capacities,
    roles=no_roles,
    span="CLIENT | `rpc.system`, `rpc.method`, `server.address`",
    memory=unsaid,
    items={"2.4.1.b": _requests},
)
