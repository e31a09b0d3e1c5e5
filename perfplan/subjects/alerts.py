"""Burn-rate alerts of every promise that is counted in requests or jobs, what they do at the planned traffic, and the thresholds of the
usual alerts on resources.

An alert fires when a share *spent* of the budget of the promise's window goes within an alert window: factor = spent x window / alert
window (Beyer et al., The Site Reliability Workbook, 2018, chapter 5). The short window, a twelfth of the long one, makes it stop soon
after the cause has gone. Where so little comes that failures one by one would set it off, it asks for more of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from perfplan.models import alerting
from perfplan.models.slo import burn_rate, window_days
from perfplan.operate import watched
from perfplan.operate.kind import Counters
from perfplan.operate.series import by_names
from perfplan.operate.source import Source
from perfplan.plan.demand import week_of
from perfplan.plan.resources import STORAGE
from perfplan.promises import budget_of
from perfplan.quantity import DAY, HOUR, FloatArray, median
from perfplan.study import Study, once
from perfplan.study.budget import events_rps, week_of_events
from perfplan.study.inside import seen
from perfplan.study.outages import outages
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import MONITORING, Finding, Found, Item
from perfplan.words import capital, count, duration, listed, number, share


@dataclass(frozen=True, kw_only=True)
class Rung:
    """When it is told: a share of the budget spent within so many hours, to whom, and its priority."""

    spent: float
    hours: int
    urgency: str
    priority: str


ALERTS = (
    Rung(spent=0.02, hours=1, urgency="page", priority="P0"),
    Rung(spent=0.05, hours=6, urgency="page", priority="P1"),
    Rung(spent=0.10, hours=24, urgency="ticket", priority="P2"),
    Rung(spent=0.10, hours=72, urgency="ticket", priority="P2"),
)
SHORT = 12  # the short window is so many times shorter
CPU, MEMORY, DISK = 0.80, 0.85, 0.90  # the checklist's, for 5 minutes
QUIET = 0.5  # of the share allowed: what fails one by one when nothing is wrong, where false alerts are counted
SELDOM = 0.1  # false alerts a month that one alert may give: one a year
MOST_LEAST = 100  # bad requests that an alert asks for, at most
BADS = (0.01, 0.10, 1.0)  # incidents that are shown: shares of requests that fail
FEWEST_PEOPLE, PAGES_A_WEEK = 2, 2.0  # on call; pages a week and person beyond which a rotation wears out (SRE, 2016, ch. 11: two a shift)


@dataclass(frozen=True, kw_only=True)
class Utilized:
    """How much of a resource is used today, the limit of the plan, and the threshold of the usual alert."""

    resource: str
    now: float
    limit: float
    usual: float

    @property
    def earlier(self) -> bool:
        """Whether it must be watched below the usual alert."""
        return self.limit < self.usual


def watched_resources(study: Study) -> list[Utilized]:
    """Every resource, in the order in which they run out."""
    return [
        Utilized(
            resource=one.label,
            now=median(one.utilization[:, 0]),
            limit=median(one.limit),
            usual=DISK if one.place.field == STORAGE else CPU,
        )
        for one in (out.resource for out in study.run_outs)
    ]


@dataclass(frozen=True, kw_only=True)
class Burn:
    """One burn-rate alert: requests that are bad, of all, over a long and a short window."""

    objective: str
    counters: Counters
    days: int  # window of the promise
    budget: float  # share of requests that may be bad
    rung: Rung = ALERTS[0]
    least: int = 1  # bad requests in the long window that there must be

    @property
    def factor(self) -> float:
        """How many times faster than even the budget is spent."""
        return factor(self.rung.spent, self.rung.hours, self.days)

    @property
    def limit(self) -> float:
        """Share of bad requests above which it fires."""
        return self.factor * self.budget

    @property
    def possible(self) -> bool:
        """Whether a share of requests can be that bad at all."""
        return self.limit < 1

    @property
    def windows_s(self) -> tuple[float, float]:
        """The long and the short window."""
        return self.rung.hours * HOUR, self.rung.hours * HOUR / SHORT


def factor(spent: float, hours: float, days: float) -> float:
    """How many times faster than even a budget of *days* goes when *spent* of it goes in *hours*."""
    return float(burn_rate(spent, hours * HOUR, days * DAY))


@once
def burns(study: Study) -> list[Burn]:
    """Every burn-rate alert, over the window of its promise. Of two promises on the same counters the stricter one."""
    found: dict[tuple[str, str, str, int], Burn] = {}
    for name, judged in study.worlds.judged.items():
        at, stated = seen(study).get(name), budget_of(judged.objective)
        counters = watched(judged.objective).measured.counters(judged.objective, at.below_s if at is not None else 0.0)
        if counters is None or stated is None:
            continue
        allowed = round(median(judged.bound), 12)
        budget = min(allowed / (at.part if at is not None else 1.0), 1.0)
        days = window_days(stated.window, study.as_of)
        key = counters.total, counters.bad, counters.good, days
        if key not in found or budget < found[key].budget:
            found[key] = Burn(objective=name, counters=counters, days=days, budget=budget)
    return [_enough(study, replace(one, rung=rung)) for one in found.values() for rung in ALERTS]


def burns_of(source: Source) -> list[Burn]:
    """Every burn-rate alert, by the names that the scenario's metrics have."""
    return [replace(one, counters=by_names(source, one.counters)) for one in burns(source.study)]


def _enough(study: Study, one: Burn) -> Burn:
    """The same, asking for so many bad requests that failures one by one set it off no more than seldom."""
    if not one.possible:
        return one
    return next(
        made
        for least in range(1, MOST_LEAST + 1)
        if false_a_month(study, made := replace(one, least=least)) <= SELDOM or least == MOST_LEAST
    )


# ---- what they do at the planned traffic ----


def hourly_rps(study: Study, objective: str) -> FloatArray:
    """What is counted of a promise, requests or jobs a second, (168,) by hour of the week from Monday on, at today's load."""
    part = seen(study)[objective].part if objective in seen(study) else 1.0
    return events_rps(study, objective) * part * week_of_events(study, objective)


def _window_rps(study: Study, one: Burn) -> FloatArray:
    """Mean rate of its long window, by the hour of the week in which it ends."""
    hourly = hourly_rps(study, one.objective)
    return np.asarray(np.mean([np.roll(hourly, shift) for shift in range(one.rung.hours)], axis=0))


def false_a_month(study: Study, one: Burn) -> float:
    """How often it starts in 30 days though nothing is wrong: half of what may fail does, one by one."""
    rps, (long_s, short_s) = _window_rps(study, one), one.windows_s
    needed = alerting.failures_needed(one.limit, long_s, rps, one.least), alerting.failures_needed(one.limit, short_s, rps)
    return float(alerting.false_alerts(QUIET * one.budget * rps, needed, one.windows_s, 30 * DAY).mean())


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """What one alert does at the planned traffic."""

    burn: Burn
    needed: tuple[float, float]  # bad requests that set it off, at the quietest hour and at the peak
    detection_s: tuple[float, ...]  # at BADS, at the peak; inf: it never fires
    quiet_s: float  # when all fail, at the quietest hour; inf: too few come
    reset_s: float  # after all failed
    spent: float  # of the budget when it fires, all requests failing at the peak
    false_a_month: float
    false_unasked: float  # where it did not ask for more than one bad request


@once
def analysed(study: Study) -> list[Analysed]:
    """Every alert that can fire."""
    return [_analysed(study, one) for one in burns(study) if one.possible]


def _analysed(study: Study, one: Burn) -> Analysed:
    rps, (long_s, short_s) = _window_rps(study, one), one.windows_s
    quiet, peak = float(rps.min()), float(rps.max())
    seen_s = tuple(_seen_s(one, bad, peak) for bad in BADS)
    return Analysed(
        burn=one,
        needed=(
            float(alerting.failures_needed(one.limit, long_s, quiet, one.least)),
            float(alerting.failures_needed(one.limit, long_s, peak, one.least)),
        ),
        detection_s=seen_s,
        quiet_s=_seen_s(one, 1.0, quiet),
        reset_s=float(alerting.reset_s(one.limit, short_s, 1.0)),
        spent=seen_s[-1] * _share_of_week(study) / (one.days * DAY * one.budget),
        false_a_month=false_a_month(study, one),
        false_unasked=false_a_month(study, replace(one, least=1)),
    )


def _share_of_week(study: Study) -> float:
    """The busiest hour's load over the mean of the week."""
    week = week_of(study.scenario)
    return float(week.max() / week.mean())


def _seen_s(one: Burn, bad: float, rps: float) -> float:
    """When it fires in an incident: the limit is passed, and enough have failed; inf where they do not fit into the window."""
    enough_s = one.least / (bad * rps) if rps > 0 else np.inf
    found = max(float(alerting.detection_s(one.limit, one.windows_s[0], bad)), enough_s)
    return found if found <= one.windows_s[0] else float("inf")


def covered(study: Study) -> dict[str, str]:
    """Promises on counters that another one watches over the same window, which allows as little or less: by name, that one's name."""
    kept = {(one.counters.total, one.counters.bad, one.days): one.objective for one in burns(study) if one.counters.bad}
    found = {}
    for name, judged in study.worlds.judged.items():
        counters, stated = watched(judged.objective).measured.counters(judged.objective, 0.0), budget_of(judged.objective)
        if counters is not None and counters.bad and stated is not None:
            stricter = kept.get((counters.total, counters.bad, window_days(stated.window, study.as_of)))
            if stricter not in (None, name):
                found[name] = str(stricter)
    return found


# ---- who is called ----


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What the people on call are to expect."""

    people: float
    hours_s: float
    false_a_week: float  # pages though nothing is wrong
    outages_a_week: float  # expected of all tiers that fail as a whole, today
    most: tuple[str, float]  # the tier with most of them

    @property
    def pages_a_week(self) -> float:
        """All pages."""
        return self.false_a_week + self.outages_a_week

    @property
    def each(self) -> float:
        """Pages a week and person, of the hours that are covered."""
        return self.pages_a_week * self.hours_s / (7 * DAY) / self.people


@once
def rotation(study: Study) -> Rotation | None:
    """What pages those on call; None where nobody is."""
    stated = study.scenario.on_call
    if stated is None:
        return None
    false = sum(one.false_a_month for one in analysed(study) if one.burn.rung.urgency == "page") * 7 / 30
    expected = {name: one.expected(7 * DAY) for name, one in outages(study).items()}
    most = max(expected.items(), key=lambda row: row[1], default=("", 0.0))
    return Rotation(
        people=median(stated.people), hours_s=median(stated.hours_s), false_a_week=false, outages_a_week=sum(expected.values()), most=most
    )


def findings(study: Study) -> Iterator[Finding]:
    """Alerts that can never fire, alerts that so little comes to that they fire for nothing or late, and a rotation that wears out."""
    burning = burns(study)
    for name in dict.fromkeys(one.objective for one in burning):
        dead = [one for one in burning if one.objective == name and not one.possible]
        if dead:
            yield _dead(name, dead, [one for one in burning if one.objective == name and one.possible])
    for one in analysed(study):
        if one.burn.least > 1 or not np.isfinite(one.quiet_s):
            yield _quiet(study, one)
    if (found := rotation(study)) is not None and (why := _worn(found)):
        yield Finding(
            kind=RISK,
            phase=5,
            about="on_call",
            month=0,
            title=f"The rotation on call: {listed(why)}",
            rule=f"at least {FEWEST_PEOPLE} people, all hours of the week, at most {number(PAGES_A_WEEK)} pages a week and person",
            value=f"{number(found.false_a_week)} false pages and {number(found.outages_a_week)} outages a week are expected",
            reason=f"most outages are those of {found.most[0]}, {number(found.most[1])} a week by its availability",
            remedy="more people, fewer outages of what fails most, or tickets where nobody must get up",
        )


def _worn(found: Rotation) -> list[str]:
    """Why a rotation cannot last."""
    why = [f"{count(found.people)} person takes all turns"] if found.people < FEWEST_PEOPLE else []
    why += [f"{duration(7 * DAY - found.hours_s)} of a week are covered by nobody"] if found.hours_s < 7 * DAY * (1 - 1e-9) else []
    return why + ([f"{number(found.each)} pages a week and person"] if found.each > PAGES_A_WEEK else [])


def _dead(name: str, dead: list[Burn], alive: list[Burn]) -> Finding:
    hours = listed([f"{one.rung.hours} h" for one in dead])
    first = min(alive, key=lambda one: one.rung.hours, default=None)
    way = (
        f"the alert over {first.rung.hours} h is the first that fires, at {share(first.limit)} bad requests"
        if first
        else "no alert is left"
    )
    return Finding(
        kind=RISK,
        phase=5,
        about=name,
        month=0,
        title=f"{capital(name)} allows so much that its alert over {hours} could never fire",
        rule="factor x budget must be below all requests",
        value=f"{number(dead[0].factor)} x {share(dead[0].budget)} is {share(dead[0].limit)} of requests",
        reason="a burn rate is a multiple of what may fail, and no more than all can",
        remedy=f"{way}; a promise of more than {share(1 - 1 / dead[0].factor)} good requests has all of them",
    )


def _quiet(study: Study, one: Analysed) -> Finding:
    burn, quiet = one.burn, float(_window_rps(study, one.burn).min())
    an_hour = hourly_rps(study, burn.objective).min() * HOUR
    late = "is not seen" if not np.isfinite(one.quiet_s) else f"is seen after {duration(one.quiet_s)}"
    wanted = burn.least / max(
        float(alerting.detection_s(burn.limit, burn.windows_s[0], 1.0)), 60.0
    )  # a second, so that a full outage is seen as by share
    probes = max(wanted - quiet, 0.0) * 60
    return Finding(
        kind=RISK,
        phase=5,
        about=burn.objective,
        month=0,
        title=f"So little comes at night that an outage of {burn.objective} {late} by its alert over {burn.rung.hours} h",
        rule="an alert tells an outage from failures that come one by one",
        value=f"{number(an_hour)} an hour at the quietest; it asks for {count(burn.least)} bad ones: one alone would give "
        f"{number(one.false_unasked)} false alerts a month",
        reason="where few come, one failed request is a large share of them",
        remedy=f"{number(max(probes, 1.0))} probes a minute of the same path, counted with the others, or a longer window",
    )


# ---- items ----


def _on_call(study: Study) -> Found | None:
    """Two people or more, all hours, and few pages each."""
    found = rotation(study)
    if found is None:
        return None
    why = _worn(found)
    text = f"{count(found.people)} people, {duration(found.hours_s)} a week, {number(found.each)} pages a week and person expected"
    return Found(text="; ".join([text, *why]), verdict="at risk" if why else "met", answer="attested")


ITEMS = (Item("5.2.4", _on_call, MONITORING, rotation),)
