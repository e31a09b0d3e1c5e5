"""How much more load today's fleet takes: the load at which each promise breaks, and what saturates first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perfplan.operate.kind import STATES
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.study.sweeps import TRIED, knee, todays_knee
from perfplan.study.verdicts import HOLDS, RISK
from perfplan.subjects.kind import ARCHITECTURE, REQUIREMENTS, Finding, Found, Item, by_tier
from perfplan.words import listed, number, rate

MINIMUM, RECOMMENDED = 2.0, 3.0  # times today's peak, as the checklist asks


def _word(study: Study) -> str:
    """HOLDS where today's fleet has the headroom that is wanted, and no promise is broken at any load."""
    found = todays_knee(study)
    return HOLDS if found.rps / found.peak_rps >= median(study.scenario.headroom) and not found.always else RISK


def findings(study: Study) -> Iterator[Finding]:
    """Today's fleet against the headroom that is wanted."""
    found = todays_knee(study)
    wanted = median(study.scenario.headroom)
    has = found.rps / found.peak_rps
    broken = f"; broken at any load: {listed(found.always)}" if found.always else ""
    title = "No load that was tried breaks a promise"
    value = f"more than {number(TRIED)} times {rate(found.peak_rps)}"
    if np.isfinite(has):
        title = f"Load breaks the first promise at {number(has)} times today's peak"
        value = f"{rate(found.rps)} against a peak of {rate(found.peak_rps)}"
    yield Finding(
        kind=_word(study),
        phase=1,
        about="headroom",
        month=0,
        rule=f"at least {number(wanted)} times today's peak (the checklist asks for {MINIMUM:g}, and recommends {RECOMMENDED:g})",
        title=title + broken,
        value=value,
        reason=found.saturates,
        remedy="a fixed factor is a rule of thumb: what the objectives need, month by month, is in the orders" if has < wanted else "",
    )


def _headroom(study: Study) -> Found:
    found = todays_knee(study)
    has, wanted = found.rps / found.peak_rps, median(study.scenario.headroom)
    text = f"{number(has)} times today's peak before a promise breaks; {number(wanted)} wanted, {RECOMMENDED:g} recommended"
    return Found(text=text, verdict=STATES[_word(study)])


def _breakpoints(study: Study) -> Found:
    found = todays_knee(study)
    always = f"; broken at any load: {listed(found.always)}" if found.always else ""
    text = f"{found.saturates}; load breaks the first promise above {rate(found.rps)}{always}"
    return Found(text=text, verdict=STATES[_word(study)])


def _limit(study: Study) -> Found:
    return Found(text=todays_knee(study).saturates)


ITEMS = (
    Item("1.3.2", _headroom, REQUIREMENTS, knee),
    by_tier("2.1.3.a", ARCHITECTURE, knee, "highest utilization before a promise breaks: ", "; no policy is shown to be deployed", ", "),
    Item("2.1.4", _breakpoints, ARCHITECTURE, knee),
    Item("CI.3", _limit, ARCHITECTURE, knee),
)
