"""Error budgets: how much may fail, what is left of it, when deployments stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models import slo
from perfplan.models.growth import requests_of_month, usual_week
from perfplan.models.slo import DAYS_28, DAYS_30, budget_left, error_budget_requests, error_budget_s, month_s
from perfplan.operate.kind import worst
from perfplan.promises import counted, timed
from perfplan.promises.kind import PEAK_HOUR, Judged
from perfplan.quantity import DAY, FloatArray, median
from perfplan.study import Study
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import REQUIREMENTS, Finding, Found, Item
from perfplan.words import duration, listed, number, percent, share


def left(judged: Judged) -> FloatArray:
    """Share of the error budget that is left at the predicted share of bad requests over 28 days, (worlds, months)."""
    one = timed(judged.objective)
    other_way = judged.also is not None and one is not None and one.over == PEAK_HOUR
    return budget_left(1 - np.asarray(judged.bound), judged.also if judged.also is not None and other_way else judged.value)


def promised(study: Study) -> dict[str, float]:
    """The availabilities that are promised, at the median."""
    found = {name: counted(one) for name, one in study.scenario.objectives.items()}
    return {name: median(one.good) for name, one in found.items() if one is not None and one.down}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of a promise may fail, in time (nan: it is not counted in time) and in requests, and what is left today."""

    objective: str
    target: float
    budget_28_days_s: float
    budget_30_days_s: float
    budget_month_s: float
    requests_28_days: float
    requests_30_days: float
    requests_month: float
    left: float
    freeze_at: float


def budgets(study: Study) -> list[Budget]:
    """The budget of each promise that is about a journey's requests."""
    return [one for name in study.worlds.judged if (one := _budget_of(study, name)) is not None]


def _budget_of(study: Study, name: str) -> Budget | None:
    judged = study.worlds.judged[name]
    one = counted(judged.objective)
    about = one or timed(judged.objective)
    if about is None:
        return None
    target, down = 1 - median(judged.bound), one is not None and one.down
    month = float(month_s(study.as_of.year, study.as_of.month))
    of_journey = np.broadcast_to(study.middle.carried.journey_rps[about.journey], study.middle.rps.shape)[0, 0]
    week = study.scenario.week if study.scenario.week is not None else usual_week()

    def time_s(window_s: float) -> float:
        return float(error_budget_s(target, window_s)) if down else float("nan")

    def requests(days: float) -> float:
        return float(error_budget_requests(target, float(requests_of_month(float(of_journey), week, days))))

    return Budget(
        objective=name,
        target=target,
        budget_28_days_s=time_s(DAYS_28),
        budget_30_days_s=time_s(DAYS_30),
        budget_month_s=time_s(month),
        requests_28_days=requests(28),
        requests_30_days=requests(30),
        requests_month=requests(month / DAY),
        left=median(left(judged)[:, 0]),
        freeze_at=median(study.scenario.freeze_at),
    )


def findings(study: Study) -> Iterator[Finding]:
    """A budget that is predicted to be spent below the point at which deployments freeze."""
    freeze = median(study.scenario.freeze_at)
    for name in promised(study):
        judged = study.worlds.judged[name]
        remains = median(left(judged)[:, 0])
        if remains < freeze:
            words = f"{share(remains)} of its budget left" if remains > 0 else "none of its budget left"
            yield Finding(
                kind=RISK,
                phase=5,
                about=name,
                month=0,
                title=f"{name.capitalize()} would have {words}: deployments would be frozen",
                rule=f"deployments stop below {share(freeze)} of the error budget",
                value=f"{share(median(judged.value[:, 0]))} of requests fail as predicted, {share(median(judged.bound))} may",
                reason="the availabilities stated for the tiers add up to nearly the whole budget",
                remedy="a more available database, balancer or partner, or a promise that leaves room",
            )


def frozen(study: Study) -> str:
    """Budgets that are predicted to be below the point at which deployments freeze today already, as a sentence; "" where none is."""
    freeze, said = median(study.scenario.freeze_at), []
    for name in promised(study):
        today = left(study.worlds.judged[name])[:, 0]
        if median(today) < freeze:
            p = percent(float((today < freeze).mean()))
            remains = f"{name} has {share(max(median(today), 0.0))} of its budget left at the median"
            said.append(f"{remains}, less than {share(freeze)} with {p} probability")
    return f"By its own policy deployments would stop today, as predicted from stated availabilities: {listed(said)}." if said else ""


def _each(study: Study, said: str) -> str:
    """*said* of each availability, with places for its name, its value and its budget in 28 and in 30 days."""
    rows = (
        (name, share(up), duration(float(error_budget_s(up, DAYS_28))), duration(float(error_budget_s(up, DAYS_30))))
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
    """Every budget, by what is predicted to be left of it."""
    found = budgets(study)
    if not found:
        return None
    freeze = median(study.scenario.freeze_at)
    verdicts = ["not met" if one.left < 0 else "at risk" if one.left < freeze else "met" for one in found]
    text = "; ".join(f"{one.objective}: {number(one.requests_28_days)} requests in 28 days, {share(one.left)} left" for one in found)
    return Found(text=text, verdict=worst(tuple(verdicts)))


def _freeze(study: Study) -> Found | None:
    at = median(study.scenario.freeze_at)
    said = [
        f"{name}: deployments stop when {duration(at * float(error_budget_s(up, DAYS_30)))} of 30 days are left"
        for name, up in promised(study).items()
    ]
    return Found(text=f"{'; '.join(said)}; nothing shows that the policy is in force", verdict="at risk") if said else None


ITEMS = (
    Item("1.2.3.a", _uptime, REQUIREMENTS, slo.error_budget_s),
    Item("1.2.4", _all, REQUIREMENTS, slo.budget_left),
    Item("1.2.4.a", _budget, REQUIREMENTS, slo.error_budget_s),
    Item("1.2.4.b", _freeze, REQUIREMENTS, slo.error_budget_s),
)
