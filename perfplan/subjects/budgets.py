"""Error budgets: how much may fail, what is left of it, when deployments stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models import slo
from perfplan.models.availability import downtime_s
from perfplan.models.growth import requests_of_month, usual_week
from perfplan.models.slo import DAYS_28, DAYS_30, budget_left, error_budget_requests, error_budget_s, month_s
from perfplan.operate.kind import worst
from perfplan.plan.uptime import tier_availability, visits_of
from perfplan.promises import counted, timed
from perfplan.promises.kind import PEAK_HOUR, Judged
from perfplan.quantity import DAY, FloatArray, Value, median
from perfplan.study import Study, once
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import REQUIREMENTS, Finding, Found, Item
from perfplan.tiers import kind_of
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


@once
def drawn(study: Study) -> dict[str, FloatArray]:
    """Of each promised availability the share of its budget that is left after 28 days from today, (worlds,): outages drawn in each world.

    Each tier is down so often that its availability is kept in the long run, each time for as long as it takes to be back; all its requests
    fail then. Outages of different tiers are independent.
    """
    scenario, carried, found = study.worlds.scenario, study.worlds.carried, {}
    shape = study.worlds.rps.shape
    rng = np.random.default_rng([study.seed, OUTAGES])
    down = {}
    for name, tier in scenario.tiers.items():
        lost = [one.back_s for one in kind_of(tier).fails.failures(study.scenario.tiers[name]) if one.fails == 1 and not one.hangs]
        if lost:
            unavailable = _of_worlds(1 - tier_availability(scenario, carried, name), shape)
            down[name] = downtime_s(rng, unavailable, max(median(one) for one in lost), DAYS_28) / DAYS_28
    for objective, target in promised(study).items():
        one = counted(scenario.objectives[objective])
        assert one is not None
        reached = visits_of(scenario, one.journey, carried.hit_ratio)
        near, bad = _of_worlds(carried.edge[one.journey], shape), np.zeros(shape[0])
        for name in down.keys() & reached.keys():
            bad += down[name] * np.minimum(_of_worlds(reached[name], shape), 1.0)
        found[objective] = np.asarray(budget_left(target, (1 - near) * np.minimum(bad, 1.0)))
    return found


def _of_worlds(value: Value, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(np.asarray(value, dtype=float), shape)[:, 0]


OUTAGES = 28  # stream of random numbers of outages


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
    p_kept: float  # over 28 days from today, outages drawn; nan: nobody is down for it


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
        p_kept=float((drawn(study)[name] >= 0).mean()) if name in drawn(study) else float("nan"),
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
    """Budgets that will hardly stay above the point at which deployments freeze, as a sentence; "" where none is so."""
    freeze, said = median(study.scenario.freeze_at), []
    for name, after in drawn(study).items():
        if median(left(study.worlds.judged[name])[:, 0]) < freeze:
            stops, kept = percent(float((after < freeze).mean())), percent(float((after >= 0).mean()))
            low = f"{name} falls below {share(freeze)} of its budget, where deployments stop, with {stops} probability"
            said.append(f"{low}, and is kept with {kept}")
    return f"Within 28 days, and not in the long run as promises are judged here, outages are random: {listed(said)}." if said else ""


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
