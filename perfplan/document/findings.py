"""Judgements: every promise and every resource, with rule, value, target, verdict, reason and the remedy with its price."""

from __future__ import annotations

from perfplan.study import Study, once
from perfplan.study.verdicts import BROKEN, HOLDS, RISK
from perfplan.subjects import alerts, budgets, decisions, demand, failures, headroom, objectives, resources, timeouts, tracing, trust
from perfplan.subjects.kind import Finding

ORDER = {BROKEN: 0, RISK: 1, HOLDS: 2}
FOUND_BY = (
    objectives.findings,
    demand.findings,
    resources.findings,
    headroom.findings,
    budgets.findings,
    alerts.findings,
    tracing.findings,
    failures.findings,
    timeouts.findings,
    trust.findings,
    decisions.findings,
)


@once
def findings(study: Study) -> tuple[Finding, ...]:
    """All findings, broken promises first, each group by the month it starts."""
    found = [one for find in FOUND_BY for one in find(study)]
    return tuple(sorted(found, key=lambda f: (ORDER[f.kind], f.month, f.about)))
