"""What comes: peak hours and seconds, growth, users, regions, bursts."""

from __future__ import annotations

import numpy as np

from perfplan.models import growth
from perfplan.operate.kind import STATES, today, worst
from perfplan.plan import burst, concurrency, paths
from perfplan.promises import kind_of, timed
from perfplan.quantity import median, quantiles
from perfplan.reading.history import WEEKS_PER_MONTH, read_history
from perfplan.study import Study
from perfplan.study.verdicts import of_promise
from perfplan.study.worlds import ASKED
from perfplan.subjects.kind import REQUIREMENTS, Found, Item
from perfplan.words import duration, listed, number, rate, share


def _patterns(study: Study) -> Found:
    history = study.statement.history
    if history is None:
        return Found(text="no traffic history: the usual week of a consumer service is assumed", verdict="at risk")
    mean, weeks = share(float(np.mean(history.week))), len(history.weekly_peak_rps)
    text = f"{history.file}: {weeks} weeks; mean hour {mean} of the busiest"
    if weeks < WEEKS_OF_A_YEAR:
        return Found(text=f"{text}; too short to show the seasons of a year", verdict="at risk", answer="measured")
    return Found(text=text, answer="measured")


def _growth(study: Study) -> Found:
    text = ", ".join(f"{study.named(month)} {_rates(study, month)}" for month in ASKED)
    history, furthest = study.statement.history, max(ASKED)
    if history is None or study.statement.entries["traffic.growth"].source != "fitted":
        return Found(text=f"{text}; its growth is typed, not measured", verdict="at risk")
    months = len(history.weekly_peak_rps) / WEEKS_PER_MONTH
    if months < furthest:
        return Found(text=f"{text}; {furthest} months are further than the {number(months)} that {history.file} shows", verdict="at risk")
    return Found(text=text)


def _rates(study: Study, month: int) -> str:
    low, middle, high = quantiles(study.worlds.rps[:, month], (0.05, 0.5, 0.95)).tolist()
    return f"{rate(middle)} ({number(low)} … {number(high)})"


def _regions(study: Study) -> Found:
    regions = study.scenario.regions
    text = ", ".join(f"{n} {share(median(r.share))} at {duration(median(r.round_trip_s))}" for n, r in regions.items())
    targets = [median(one.below_s) for one in map(timed, study.scenario.objectives.values()) if one is not None]
    slow = [n for n, r in regions.items() for target in targets if median(r.round_trip_s) > target]
    return Found(text=text, verdict="at risk" if slow else "met")


def _peaks(study: Study) -> Found:
    """The peak hour by formula; at risk where more was measured."""
    text = f"peak hour {rate(today(study, study.middle.rps))}, peak second {rate(today(study, study.middle.second_rps))}"
    history, now = study.statement.history, today(study, study.middle.rps)
    if history is not None and history.peak.mid > now * (1 + ROUNDED):
        return Found(text=f"{text}; {history.file} shows {rate(history.peak.mid)} ({history.peak_where})", verdict="at risk")
    return Found(text=text)


def _seconds(study: Study) -> Found:
    """The target is the busiest second of each month, where a promise says that it is carried."""
    seconds = study.worlds.rps * np.asarray(study.scenario.traffic.peak_second)
    texts = [f"{rate(float(quantiles(seconds[:, m], (0.9,))[0]))} in {study.named(m)}" for m in (0, study.last)]
    text = f"the busiest second, P90: {' and '.join(dict.fromkeys(texts))}"
    promised = [name for name, one in study.scenario.objectives.items() if kind_of(one).judges.peak_second]
    if not promised:
        return Found(text=f"{text}; no objective of kind throughput promises to carry it", verdict="at risk")
    return Found(text=f"{text}; promised by {listed(promised)}")


def _users(study: Study) -> Found:
    users, flying = concurrency(study.middle)
    promised = [name for name, one in study.scenario.objectives.items() if kind_of(one).says.users(one) is not None]
    verdict = worst(tuple(STATES[of_promise(study, name).word] for name in promised))
    return Found(text=f"{number(today(study, users))} users at once, {number(today(study, flying))} requests in flight", verdict=verdict)


def _burst(study: Study) -> Found:
    backlog, drain, name = burst(study.middle)
    waiting, traffic = today(study, backlog), study.scenario.traffic
    times, lasts = number(median(traffic.peak_second)), duration(median(traffic.burst_s))
    text = f"a burst of {times} times for {lasts} leaves {number(waiting)} requests waiting for {name}"
    if not waiting:
        return Found(text=f"{text}: it is carried")
    return Found(text=f"{text}, gone after {duration(today(study, drain))}", verdict="at risk")


WEEKS_OF_A_YEAR, ROUNDED = 52, 0.005

ITEMS = (
    Item("1.1.2", _patterns, REQUIREMENTS, read_history),
    Item("1.1.3", _growth, REQUIREMENTS, growth.grown),
    Item("1.1.5", _regions, REQUIREMENTS, paths.round_trip),
    Item("1.2.2.a", _seconds, REQUIREMENTS, growth.peak_rps),
    Item("1.2.2.b", _users, REQUIREMENTS, growth.concurrent_users),
    Item("1.3.1", _peaks, REQUIREMENTS, growth.peak_rps),
    Item("1.3.5", _burst, REQUIREMENTS, growth.burst_backlog),
    Item("CB.1", _peaks, REQUIREMENTS, growth.peak_rps),
)
