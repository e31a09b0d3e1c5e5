"""Error budgets: how much may fail, what is expected to be left of them and why, what is left as measured, and when deployments stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models import slo
from perfplan.models.growth import requests_of_month
from perfplan.models.slo import complement, error_budget_requests, error_budget_s, window_days
from perfplan.operate import watched
from perfplan.operate.kind import worst
from perfplan.plan.demand import week_of
from perfplan.plan.maintenance import Placed, placed
from perfplan.promises import counted
from perfplan.promises.kind import Budgeted
from perfplan.quantity import DAY, median
from perfplan.scenario import Step
from perfplan.study import Study, once
from perfplan.study.budget import Behind, behind, budgeted, events_rps, fails, left, promised, remaining, target
from perfplan.study.failures import BURST, Failed, failures
from perfplan.study.outages import MAINTENANCE
from perfplan.study.verdicts import BROKEN, RISK
from perfplan.subjects.kind import REQUIREMENTS, Finding, Found, Item
from perfplan.words import day_name, duration, listed, number, percent, share

# ---- ahead ----


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of a promise may fail in its window, in time (nan: it is not counted in time) and in requests, and what is left today."""

    objective: str
    target: float
    window: str
    method: str
    budget_s: float
    budget_requests: float
    outage_peak_s: float  # that spends all of it, everything failing at the busiest hour of the week
    outage_quiet_s: float  # and at the quietest
    left: float
    freeze_at: float
    p_kept: float  # over its window from today, outages drawn
    p_later: float  # and from the last month asked for


def budgets(study: Study) -> list[Budget]:
    """The budget of each promise that has one."""
    return [_budget_of(study, name, one) for name, one in budgeted(study).items()]


def _budget_of(study: Study, name: str, one: Budgeted) -> Budget:
    judged, week = study.worlds.judged[name], week_of(study.scenario)
    good, about, days = target(judged), counted(judged.objective), window_days(one.window, study.as_of)
    requests = float(requests_of_month(events_rps(study, name), week, days))
    kept = (remaining(study)[name] >= 0).mean(axis=0)
    outages = [float(slo.outage_share(one.method, good, 1.0, weight=float(at / week.mean()))) for at in (week.max(), week.min())]
    return Budget(
        objective=name,
        target=good,
        window=one.window,
        method=one.method,
        budget_s=float(error_budget_s(good, days * DAY)) if about is not None and about.down else float("nan"),
        budget_requests=float(error_budget_requests(good, requests)),
        outage_peak_s=outages[0] * days * DAY,
        outage_quiet_s=outages[1] * days * DAY,
        left=median(left(judged)[:, 0]),
        freeze_at=median(study.scenario.freeze_at),
        p_kept=float(kept[0]),
        p_later=float(kept[study.last]),
    )


@dataclass(frozen=True, kw_only=True)
class Eater:
    """What eats a budget: a cause, and the share of the budget that it is expected to take in one window, today."""

    objective: str
    cause: str
    share: float
    once: bool = False  # whether it is one event, such as a drill, and not what comes anyway


def eaters(study: Study) -> list[Eater]:
    """What is expected to eat each budget, and the one failure at the peak that would take most of it; promises on the same requests, of
    which as few may fail, once."""
    told: dict[object, str] = {}
    for name, one in budgeted(study).items():
        about = counted(study.scenario.objectives[name])
        told.setdefault((about.journey if about is not None else name, target(study.worlds.judged[name]), one.window), name)
    return [one for one in _eaters(study) if one.objective in told.values()]


@once
def _eaters(study: Study) -> list[Eater]:
    """The same of every promise."""
    found, tiers = [], study.scenario.tiers
    for name, one in budgeted(study).items():
        judged = study.worlds.judged[name]
        allowed, drawn = float(complement(target(judged))), fails(study).get(name)
        if drawn is None:
            bad = watched(judged.objective).measured.bad
            found.append(Eater(objective=name, cause=bad, share=1 - median(left(judged)[:, 0])))
        else:
            causes = ((f"failures of {cause}" if cause in tiers else cause, value) for cause, value in drawn.causes.items())
            found += [Eater(objective=name, cause=cause, share=value / allowed) for cause, value in causes]
            if (drill := _drill(study, name, one, allowed)) is not None:
                found.append(drill)
    return found


def _drill(study: Study, name: str, one: Budgeted, allowed: float) -> Eater | None:
    """The failure that takes most of the budget where it happens once, at the peak: what a drill of it would cost."""
    about = counted(study.scenario.objectives[name])
    week, days = week_of(study.scenario), window_days(one.window, study.as_of)
    rows = [row for row in failures(study) if row.tier != BURST and np.isfinite(row.fails_s)]
    if about is None or not rows:
        return None

    def cost(row: Failed) -> float:
        return row.failed.get(about.journey, 0.0) * row.fails_s

    row = max(rows, key=cost)
    spent = cost(row) * float(week.max() / week.mean()) / (days * DAY * allowed)
    return (
        Eater(objective=name, cause=f"a drill at the peak: {row.tier}, {row.failure.what}", share=spent, once=True) if spent > 0 else None
    )


def most_of(study: Study, name: str) -> str:
    """What is expected to eat most of a budget, of what comes anyway."""
    return max((one for one in _eaters(study) if one.objective == name and not one.once), key=lambda one: one.share).cause


def policy(study: Study) -> list[Step]:
    """What is done as a budget runs out, the first step first."""
    freeze = Step(left=study.scenario.freeze_at, action="deployments stop, but for repairs", owner=None)
    return sorted((*study.scenario.budget_policy, freeze), key=lambda step: -median(step.left))


# ---- findings ----


def findings(study: Study) -> Iterator[Finding]:
    """Budgets that are spent, or will hardly stay above the point at which deployments freeze; windows that spend them."""
    freeze = median(study.scenario.freeze_at)
    measured = {one.objective: one for one in behind(study)}
    for one in measured.values():
        if one.left < freeze or one.exhausted is not None:
            yield _spent(one, freeze)
    for name in promised(study):
        judged = study.worlds.judged[name]
        remains = median(left(judged)[:, 0])
        if remains < freeze and name not in measured:
            words = f"{share(remains)} of its budget left" if remains > 0 else "none of its budget left"
            yield Finding(
                kind=RISK,
                phase=5,
                about=name,
                month=0,
                title=f"{name.capitalize()} would have {words}: deployments would be frozen",
                rule=f"deployments stop below {share(freeze)} of the error budget",
                value=f"{share(median(judged.value[:, 0]))} of requests fail as predicted, {share(median(judged.bound))} may",
                reason=f"most of it goes to {most_of(study, name)}",
                remedy="a more available database, balancer or partner, or a promise that leaves room",
            )


def _spent(one: Behind, freeze: float) -> Finding:
    gone = (
        f"none of its budget is left ({share(one.spent, 2)} is spent)" if one.left <= 0 else f"{share(one.left, 2)} of its budget is left"
    )
    when = f", and all of it is gone on {day_name(one.exhausted)} at this pace" if one.exhausted is not None else ""
    return Finding(
        kind=BROKEN if one.left < 0 else RISK,
        phase=5,
        about=one.objective,
        month=0,
        title=f"As measured until {day_name(one.end.date())}, {one.objective}: {gone}{when}",
        rule=f"deployments stop below {share(freeze)} of the error budget of {one.window}",
        value=f"{share(one.good)} good ({share(one.low)} to {share(one.high)}), {share(one.target)} promised; {one.method}",
        reason=f"{share(1 - one.good)} of what came was bad, {share(1 - one.target)} may be",
        remedy="deployments stop, but for repairs, until the window has moved on; the causes first",
    )


def frozen(study: Study) -> str:
    """Budgets that will hardly stay above the point at which deployments freeze, as a sentence; "" where none is so."""
    freeze, said = median(study.scenario.freeze_at), []
    for name in promised(study):
        after = remaining(study)[name][:, 0]
        if median(left(study.worlds.judged[name])[:, 0]) < freeze:
            stops, kept = percent(float((after < freeze).mean())), percent(float((after >= 0).mean()))
            window = budgeted(study)[name].window
            low = f"{name} falls below {share(freeze)} of its budget of {window}, where deployments stop, with {stops} probability"
            said.append(f"{low}, and is kept with {kept}")
    return f"Within one window, and not in the long run as promises are judged here, outages are random: {listed(said)}." if said else ""


# ---- items ----


def _each(study: Study, said: str) -> str:
    """*said* of each availability, with places for its name, its value and its budget in 28 and in 30 days."""
    rows = (
        (name, share(up), duration(float(error_budget_s(up, slo.DAYS_28))), duration(float(error_budget_s(up, slo.DAYS_30))))
        for name, up in promised(study).items()
    )
    return "; ".join(said.format(*row) for row in rows)


def _uptime(study: Study) -> Found | None:
    text = _each(study, "{0}: {1} allows {3} in 30 days")
    return Found(text=text) if text else None


def _budget(study: Study) -> Found | None:
    text = _each(study, "{0}: {2} in 28 days, {3} in 30")
    return Found(text=text) if text else None


def _all(study: Study) -> Found | None:
    """Every budget: what is left of it as measured, else as predicted."""
    found, measured = budgets(study), {one.objective: one for one in behind(study)}
    if not found:
        return None
    freeze, verdicts, said = median(study.scenario.freeze_at), [], []
    for one in found:
        seen = measured.get(one.objective)
        remains = seen.left if seen is not None else one.left
        early = seen is not None and seen.exhausted is not None
        verdicts.append("not met" if remains < 0 else "at risk" if remains < freeze or early else "met")
        said.append(
            f"{one.objective}: {number(one.budget_requests)} in {one.window}, {share(remains)} left{' as measured' * (seen is not None)}"
        )
    return Found(text="; ".join(said), verdict=worst(tuple(verdicts)))


def _freeze(study: Study) -> Found | None:
    at = median(study.scenario.freeze_at)
    said = [
        f"{name}: deployments stop when {duration(at * float(error_budget_s(up, slo.DAYS_30)))} of 30 days are left"
        for name, up in promised(study).items()
    ]
    steps = "; ".join(f"at {share(median(step.left))}: {step.action}" for step in policy(study))
    return Found(text=f"{'; '.join(said)}; {steps}; nothing shows that the policy is in force", verdict="at risk") if said else None


@once
def windows(study: Study) -> dict[str, Placed]:
    """Every window of maintenance, where it stands in the week."""
    return {name: placed(study.scenario, one) for name, one in study.scenario.maintenance.items()}


def _maintenance(study: Study) -> Found | None:
    """Windows, and what those that count spend of the budgets; more than half of one is too much."""
    spent = [one for one in eaters(study) if one.cause == MAINTENANCE]
    stated = study.scenario.maintenance
    said = [
        f"{name}: {one.when} UTC for {duration(median(stated[name].lasts_s))}{', placed where fewest requests come' * one.placed}"
        for name, one in windows(study).items()
    ]
    said += [f"{one.objective}: {share(one.share, 2)} of its budget" for one in spent]
    return Found(text="; ".join(said), verdict="at risk" if any(one.share > 0.5 for one in spent) else "met") if said else None


ITEMS = (
    Item("1.2.3.a", _uptime, REQUIREMENTS, slo.error_budget_s),
    Item("1.2.3.b", _maintenance, REQUIREMENTS, windows),
    Item("1.2.4", _all, REQUIREMENTS, slo.budget_left),
    Item("1.2.4.a", _budget, REQUIREMENTS, slo.error_budget_s),
    Item("1.2.4.b", _freeze, REQUIREMENTS, slo.error_budget_s),
)
