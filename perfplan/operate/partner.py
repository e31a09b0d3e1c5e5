"""A partner in operation: what is asked of it, and the items of the checklist that it answers."""

from __future__ import annotations

from perfplan.operate.kind import Part, Tended, no_capacities, no_commands, no_files, no_roles, today, unsaid
from perfplan.operate.series import slow_calls
from perfplan.operate.source import Source
from perfplan.operate.text import markdown
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.tiers.partner import Partner
from perfplan.words import duration, listed, rate


def _scaling(source: Source, name: str, tier: Partner) -> str:
    return (
        ""
        if tier.limit_rps is None
        else f"- **{markdown(name)}** (partner): ask for more than {rate(median(tier.limit_rps))} a month ahead."
    )


def _calls(study: Study, name: str, tier: Partner) -> Part:
    waits = [one for one, journey in study.scenario.journeys.items() if name in journey.calls]
    text = f"{name}: mean {duration(today(study, study.middle.carried.responses[name].mean_s))}, p99 {duration(median(tier.p99_s))}"
    return Part(text=f"{text}; {listed(waits)} waits for it", verdict="at risk") if waits else Part(text=f"{text}; nobody waits for it")


TENDED: Tended[Partner] = Tended(
    files=no_files,
    scaling=_scaling,
    commands=no_commands,
    signals=lambda source, name, tier: slow_calls(name, tier.p50_s, tier.p99_s, source.ladder.value_s("timeout", name)),
    capacities=no_capacities,
    roles=no_roles,
    span="CLIENT | `http.request.method`, `server.address`, `http.response.status_code`",
    memory=unsaid,
    items={"2.4.1.b": _calls},
)
