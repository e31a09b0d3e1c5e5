"""What leaves the page of each kind of tier and of promise: settings, paragraphs of the runbook, items of the checklist, indicators,
alerts.

Above the study, as `tiers/kind.py` and `promises/kind.py` are below the plan: a kind that leaves an answer out does not type-check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from perfplan.judging import File
from perfplan.operate.source import Source
from perfplan.plan.resources import limit_of
from perfplan.promises.kind import Judged
from perfplan.quantity import FloatArray, median
from perfplan.study import Study
from perfplan.study.verdicts import BROKEN, HOLDS, RISK, cause, early, of_run_out
from perfplan.tiers.place import Place
from perfplan.words import duration, month_name, percent, share

T = TypeVar("T")
STATES = {BROKEN: "not met", RISK: "at risk", HOLDS: "met"}  # what an item of the checklist calls a verdict


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one tier says to an item of the checklist."""

    text: str
    verdict: str = "met"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A bottleneck of the plan as a metric, from which an alert is made, and how a test plays it."""

    alert: str  # the end of the alert's name
    use: str  # PromQL: how far it is used
    limit: float  # beyond which it is an alert
    usual: float  # at today's peak, as the plan has it
    what: str  # in words, without the number
    page: str  # of the runbook
    series: Callable[[float], Mapping[str, float]]  # in a test at such a use: by series what is added each minute, or the value
    counted: bool = False  # whether its series are counters
    seconds: bool = False  # whether its use is a time
    under: bool = False  # an alert below its limit
    grows: bool = True  # whether its use grows with the load, and is no share of what goes wrong
    severity: str = "ticket"

    def said(self, use: float) -> str:
        """A use in words."""
        return duration(use) if self.seconds else share(use)

    def beyond(self, by: float) -> float:
        """A use beyond the limit, or before it where *by* is less than 1."""
        return self.limit / by if self.under else self.limit * by


@dataclass(frozen=True, kw_only=True)
class Tended(Generic[T]):
    """All answers of one kind of tier."""

    files: Callable[[Source, str, T], tuple[File, ...]]  # settings of its server
    scaling: Callable[[Source, str, T], str]  # in the runbook: how there is more of it; "": nobody here can do that
    commands: Callable[[Source, str, T], tuple[str, ...]]  # in a shell, for as much as is planned; (): it is done elsewhere
    signals: Callable[[Source, str, T], tuple[Signal, ...]]  # what of it is watched
    capacities: Callable[[Source, str, T], Mapping[str, float]]  # how many there are of what a signal of its kind is a share of, by signal
    roles: Callable[[T], tuple[str, ...]]  # of its hosts, where they differ: the label `role` of their metrics
    span: str  # of a call to it, in a trace: its kinds, and what it says by the semantic conventions
    memory: Callable[[str, T], str]  # in the runbook: what should be in its memory; "": nothing of ours
    items: Mapping[str, Callable[[Study, str, T], Part | None]]  # items of the checklist that it answers, by id


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """What is counted, what is good, and where."""

    event: str
    good: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Series of requests or jobs: all of them, and those that are bad, or else those that are good."""

    total: str
    bad: str = ""
    good: str = ""  # counter of those within the target, however its bucket is written
    nearest: tuple[str, str] = ("", "")  # the same of the next bucket that clients have unasked, and a series of it; "": they have none
    goods: tuple[str, ...] = ()  # the same as single series, one a spelling
    by_code: tuple[str, ...] = ()  # single series of bad and of good ones, where a status code parts them


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What a load test judges: a metric of a journey, and the rule for it."""

    journey: str
    metric: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class Spoken(Generic[T]):
    """A promise in words."""

    sentence: Callable[[T], str]
    miss: Callable[[T, Study, int, str], str]  # in a month; the word is "will" or "may"
    value: Callable[[T, Study, Judged, int], str]  # today and in a month
    reason: Callable[[T, Study, Judged, int, str], str]  # in a month, with its verdict


@dataclass(frozen=True, kw_only=True)
class Gauged(Generic[T]):
    """How a promise is watched and tested."""

    indicator: Callable[[T], Indicator]
    counters: Callable[[T, float], Counters | None]  # with the bound of its time where it is counted, in seconds
    threshold: Callable[[T], Threshold | None]
    bad: str  # what eats its budget; "": it has none


@dataclass(frozen=True, kw_only=True)
class Watched(Generic[T]):
    """All answers of one kind of promise."""

    spoken: Spoken[T]
    measured: Gauged[T]


def no_files(*_: object) -> tuple[File, ...]:
    """Its server is somebody else's, or has no settings that follow from a plan."""
    return ()


def at_limit(study: Study, place: Place) -> tuple[float, float]:
    """The utilization of what stands at *place* that the plan works with today, and what it is at the peak, at the median.

    Where that is passed today already, as with a lone node that none can replace: the limit without one to spare.
    """
    one, made = study.middle.resources[place], study.middle
    limit, usual = today(study, one.limit), today(study, one.utilization)
    return (limit if limit > usual else today(study, limit_of(made.scenario, place, made.carried, spare=False))), usual


HANGS, FAILOVER, COLD = "A partner hangs", "A database fails over", "A cache is cold"  # pages of the runbook
GROWS, BUSY, UNSEEN = "A queue grows", "Low throughput", "Metrics are missing"


def nothing(*_: object) -> None:
    """There is none."""


def no_commands(*_: object) -> tuple[str, ...]:
    """It is scaled by whoever runs it."""
    return ()


def no_roles(_: object) -> tuple[str, ...]:
    """Its hosts are all alike."""
    return ()


def no_capacities(*_: object) -> Mapping[str, float]:
    """None of its signals is a share of a number that a scenario states."""
    return {}


def unsaid(*_: object) -> str:
    """There is nothing to say."""
    return ""


# ---- words that several kinds use ----


def today(study: Study, value: object, month: int = 0) -> float:
    """A number of the plan at the median, in a month."""
    return float(np.ravel(np.broadcast_to(np.asarray(value, dtype=float), study.middle.rps.shape))[month])


def run_out(study: Study, place: Place) -> tuple[str, str]:
    """When what stands at *place* runs out, in words, and what an item calls that."""
    out = next(one for one in study.run_outs if one.resource.place == place)
    (month, named), half = early(study.scenario, out), out.quantile(0.5)
    as_of = str(study.scenario.as_of)
    text = "lasts for the whole plan"
    if np.isfinite(half):
        text = f"runs out in {month_name(as_of, half)} at the median ({named} {month_name(as_of, month)})"
    elif np.isfinite(month):
        text = f"may run out from {month_name(as_of, month)} ({named})"
    return text, STATES[of_run_out(study, out)]


def worst(verdicts: tuple[str, ...]) -> str:
    """The worst of what items call verdicts."""
    return next((one for one in ("not met", "at risk", "met") if one in verdicts), "not applicable" if verdicts else "met")


def holds_now_and(study: Study, judged: Judged, month: int) -> str:
    """P(it holds) now and in a month."""
    return (
        f"P(holds) {percent(float(judged.holds[:, 0].mean()))} now, {percent(float(judged.holds[:, month].mean()))} in "
        f"{month_name(str(study.scenario.as_of), month)}"
    )


def bad_and_allowed(_: object, study: Study, judged: Judged, month: int) -> str:
    """The share that is bad today, and the share that may be."""
    return f"{share(median(judged.value[:, 0]))} bad today, {share(median(judged.bound))} allowed; {holds_now_and(study, judged, month)}"


def tightest_place(_: object, study: Study, judged: Judged, month: int) -> str:
    """How much of the tightest place is used, today and in a month."""
    return (
        f"tightest place {_used(judged.value[:, 0])} used today, {_used(judged.value[:, month])} in "
        f"{month_name(str(study.scenario.as_of), month)}; {holds_now_and(study, judged, month)}"
    )


def _used(values: FloatArray) -> str:
    middle = median(values)
    return share(middle) if np.isfinite(middle) else "fully"


def tightest(_: object, study: Study, judged: Judged, month: int, word: str) -> str:
    """What is nearest to saturation in a month's peak second."""
    found = cause(study, month)
    used = share(found.utilization) if np.isfinite(found.utilization) else "more than fully"
    still = "" if word != HOLDS else ", and still enough"
    return f"in the peak second of {month_name(str(study.scenario.as_of), month)} {found.label} are {used} used at the median{still}"
