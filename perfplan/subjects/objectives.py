"""What was promised, and whether it holds: every promise judged, and promises that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from perfplan.models import availability
from perfplan.models.slo import binding_error_limit
from perfplan.models.stations import queueing
from perfplan.models.times import latency
from perfplan.operate import watched
from perfplan.operate.kind import STATES, worst
from perfplan.plan import judge, until
from perfplan.plan.uptime import availabilities
from perfplan.promises import counted, kind_of, timed
from perfplan.promises.kind import Jobs, Timed
from perfplan.quantity import median
from perfplan.study import Study, confidence
from perfplan.study.aside import set_aside
from perfplan.study.remedy import extra_usd, remedy
from perfplan.study.verdicts import BROKEN, RISK, Verdict, holds_with, of_promise
from perfplan.subjects.kind import REQUIREMENTS, Finding, Found, Item
from perfplan.words import duration, listed, percent, share

# ---- findings ----


def findings(study: Study) -> Iterator[Finding]:
    """Each promise with its verdict, then promises that contradict each other."""
    verdicts = {name: of_promise(study, name) for name in study.worlds.judged}
    soonest = min((name for name in verdicts if name not in study.fleet.aside), key=lambda n: verdicts[n].start, default="")
    for name, one in verdicts.items():
        yield _finding(study, name, one, name == soonest)
    yield from _contradictions(study)


def _finding(study: Study, name: str, one: Verdict, soonest: bool) -> Finding:
    judged = study.worlds.judged[name]
    spoken = watched(judged.objective).spoken
    month = min(int(one.start), one.last) if np.isfinite(one.start) else one.last
    return Finding(
        kind=one.word,
        phase=1,
        about=name,
        rule=f"{spoken.sentence(judged.objective)}, with {percent(one.asked)} confidence until {study.named(one.last)}",
        title=_title(study, name, one),
        month=one.start,
        value=spoken.value(judged.objective, study, judged, month),
        reason=spoken.reason(judged.objective, study, judged, month, one.word),
        remedy=_remedy(study, name, soonest) if one.word == BROKEN else "",
        price_usd=extra_usd(study) if one.word == BROKEN and name not in study.fleet.aside else None,
    )


def _remedy(study: Study, name: str, soonest: bool) -> str:
    if (lost := next((one for one in set_aside(study) if one.name == name), None)) is not None:
        return f"nothing that was searched keeps it: {lost.cause}; it takes {lost.way_out}"
    if soonest:
        return remedy(study)
    kept = bool((study.fleet.p_all[study.fleet.lost : study.last + 1] >= confidence(study.scenario)).all())
    return "see the orders in chapter 0" if kept else "see the orders in chapter 0; they do not keep it as surely as asked"


def _title(study: Study, name: str, one: Verdict) -> str:
    if one.word == BROKEN:
        return miss(study, name, int(one.start))
    if np.isfinite(one.start):
        return f"{name.capitalize()} holds until {study.named(one.start - 1)}"
    return f"{name.capitalize()} holds for all {study.worlds.rps.shape[1] - 1} months of the plan"


def miss(study: Study, name: str, month: int) -> str:
    """What happens when a promise breaks in *month*, how likely, and for how long, as a sentence without its stop."""
    objective, verdict = study.worlds.judged[name].objective, of_promise(study, name)
    p, last = verdict.p, until(objective)
    passing = bool((p[month + 1 : last + 1] >= verdict.asked).all()) and month < last
    then = study.named(month)
    when = "today" if month == 0 and passing else "already today" if month == 0 else f"in {then}" if passing else f"from {then}"
    said = watched(objective).spoken.miss(objective, study, month, "will" if p[month] < 0.5 else "may")
    return f"{said} {when} ({percent(1 - float(p[month]))} probability)"


def _contradictions(study: Study) -> Iterator[Finding]:
    """An error-rate promise and an availability promise of one journey are one promise said twice."""
    promised = [(name, one) for name, objective in study.scenario.objectives.items() if (one := counted(objective)) is not None]
    for name, one in promised:
        for other_name, other in promised:
            if not one.down and other.down and other.journey == one.journey:
                below, above = median(one.bad), median(other.good)
                binding = binding_error_limit(below, above)
                if binding < below:
                    yield _contradiction(name, other_name, below, above, float(binding))


def _contradiction(name: str, other_name: str, below: float, above: float, binding: float) -> Finding:
    return Finding(
        kind=RISK,
        phase=1,
        about=name,
        title=f"{name.capitalize()} contradicts {other_name}: the availability binds",
        month=0,
        rule=f"an error rate below {share(below)} and an availability of {share(above)} must mean the same",
        value=f"{share(above)} counted in requests allows {share(binding)} errors, not {share(below)}",
        reason="both count the same failed requests; the stricter one decides, and the plan judges by it",
        remedy=f"state an error rate of {share(binding)}, or a lower availability",
    )


# ---- items ----


def promised_times(study: Study) -> dict[str, Timed]:
    """The promises that are about response times."""
    found = {name: timed(one) for name, one in study.scenario.objectives.items()}
    return {name: one for name, one in found.items() if one is not None}


def _jobs(study: Study) -> dict[str, Jobs]:
    found = {name: kind_of(one).says.jobs(one) for name, one in study.scenario.objectives.items()}
    return {name: one for name, one in found.items() if one is not None}


def _pages(study: Study) -> Found | None:
    """Promised times of pages; met only where browsers have shown them."""
    names = [name for name, one in study.scenario.objectives.items() if kind_of(one).says.pages(one) is not None]
    seen = {one.objective for one in study.scenario.measured.values()}
    found = _said(study, names)
    if found is None or all(name in seen for name in names):
        return found
    return Found(text=f"{found.text}; modelled, and not measured in browsers", verdict=worst((found.verdict, "at risk")))


def _said(study: Study, names: Iterable[str]) -> Found | None:
    """The named promises, with P today and in the last month asked for."""
    names = list(names)
    text = "; ".join(f"{name}: {_now_and_then(study, name)}" for name in names)
    return Found(text=text, verdict=worst(tuple(STATES[of_promise(study, name).word] for name in names))) if names else None


def _now_and_then(study: Study, name: str) -> str:
    p, _ = holds_with(study, name)
    return f"P(holds) {percent(float(p[0]))} now, {percent(float(p[study.last]))} in {study.named(study.last)}"


def _expectations(study: Study) -> Found:
    promised = {one.journey for one in promised_times(study).values()}
    lacking = [j for j in study.scenario.journeys if j not in promised]
    text = f"{len(study.scenario.objectives)} objectives over {len(study.scenario.journeys)} journeys"
    return Found(text=text + (f"; no latency objective for {listed(lacking)}" if lacking else ""), verdict="at risk" if lacking else "met")


def _critical(study: Study) -> Found | None:
    names = sorted({one.journey for one in promised_times(study).values()})
    if not names:
        return None
    part = sum(median(study.scenario.journeys[name].share) for name in names)
    return Found(text=f"latency is promised for {listed(names)}, {share(part)} of all requests")


def _latency(study: Study) -> Found | None:
    found = _said(study, promised_times(study))
    if found is None:
        return None
    rows = [f"{n} p50/p95/p99 {' / '.join(duration(float(v[0, 0])) for v in ps.values())}" for n, ps in study.middle.percentile_s.items()]
    return Found(text="; ".join(rows) + "; " + found.text, verdict=found.verdict)


def _throughput(study: Study) -> Found | None:
    return _said(study, [name for name, one in study.scenario.objectives.items() if kind_of(one).judges.peak_second])


def _availability(study: Study) -> Found | None:
    down = [name for name, objective in study.scenario.objectives.items() if (one := counted(objective)) is not None and one.down]
    found = _said(study, down)
    if found is None:
        return None
    up = [f"{name} {share(value)}" for name, value in availabilities(study.scenario, study.middle.carried).items()]
    return Found(text=f"composed from tiers: {', '.join(up)}; {found.text}", verdict=found.verdict)


def _indicators(study: Study) -> Found:
    return Found(text=f"each of the {len(study.scenario.objectives)} objectives has the definition of its indicator in chapter 1")


ITEMS = (
    Item("1.1.1", _expectations, REQUIREMENTS, judge),
    Item("1.1.4", _critical, REQUIREMENTS, judge),
    Item("1.2.1", _latency, REQUIREMENTS, latency.percentiles_s),
    Item("1.2.1.a", lambda study: _said(study, promised_times(study)), REQUIREMENTS, latency.exceeds),
    Item("1.2.1.b", _pages, REQUIREMENTS, judge),
    Item("1.2.1.c", lambda study: _said(study, _jobs(study)), REQUIREMENTS, queueing.MMc.response_exceeds),
    Item("1.2.2", _throughput, REQUIREMENTS, judge),
    Item("1.2.3", _availability, REQUIREMENTS, availability.in_series),
    Item("1.2.5", _indicators, REQUIREMENTS, judge),
)
