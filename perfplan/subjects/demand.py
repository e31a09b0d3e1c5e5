"""What comes: peak hours and seconds, growth, users, regions, bursts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from perfplan.models import growth
from perfplan.operate.kind import STATES, today, worst
from perfplan.plan import burst, concurrency, month_factors, paths, plan, with_counts
from perfplan.promises import kind_of, timed
from perfplan.quantity import median, quantiles
from perfplan.reading.history import WEEKS_PER_MONTH, read_history
from perfplan.study import Study
from perfplan.study.search.worlds import with_options
from perfplan.study.verdicts import RISK, of_promise
from perfplan.study.worlds import ASKED, take_worlds
from perfplan.subjects.kind import MONITORING, REQUIREMENTS, Finding, Found, Item
from perfplan.words import duration, listed, money, number, percent, rate, share

# ---- what was measured beside what was stated ----


@dataclass(frozen=True, kw_only=True)
class Level:
    """Today's peak hour as it is used, and as the other source has it: a history, and users with their requests."""

    used_rps: float
    other_rps: float
    measured: bool  # whether the history is what is used
    where: str  # file and hour of the history
    later: float  # months of growth from the lower of the two to the higher; nan: it does not grow


def level(study: Study) -> Level | None:
    """Both levels; None where there is only one."""
    history, traffic, entries = study.statement.history, study.scenario.traffic, study.statement.entries
    if history is None or traffic.peak_users is None or traffic.requests_per_user_rps is None:
        return None
    stated = median(growth.peak_rps(traffic.peak_users, traffic.requests_per_user_rps))
    measured = "traffic.peak" in entries and entries["traffic.peak"].source == "fitted"
    used, other = (history.peak.mid, stated) if measured else (stated, history.peak.mid)
    a_month = median(traffic.growth_per_month) if traffic.growth_per_month is not None else 0.0
    months = abs(np.log(used / other)) / np.log1p(a_month) if a_month > 0 else float("nan")
    where = f"{history.file}, {history.peak_where}"
    return Level(used_rps=used, other_rps=other, measured=measured, where=where, later=float(months))


def used_level(study: Study) -> str:
    """Which of the two the plan rests on, and what the other would change, as a sentence; "" where there is one."""
    one = level(study)
    if one is None or abs(one.other_rps / one.used_rps - 1) < ROUNDED:
        return ""
    names = [f"as measured ({one.where})", "as stated (peak_users x requests_per_user)"]
    used, other = names if one.measured else names[::-1]
    moved = "more" if one.other_rps > one.used_rps else "less"
    by = f"{percent(abs(one.other_rps / one.used_rps - 1))} {moved}"
    months = f", {number(one.later)} months of growth" if np.isfinite(one.later) else ""
    alone, planned, saved = at_other(study, one)
    then, cheaper = study.named(study.last), "less" if saved > 0 else "more"
    change = f"In {then} every promise would then hold with {percent(alone)} with today's fleet and {percent(planned)} with the plan's"
    bill = f", whose bill would be {money(abs(saved))} a month {cheaper}" if abs(saved) >= 1 else ""
    said = f"The plan rests on a peak hour of {rate(one.used_rps)}, {used}; {other} it would be {rate(one.other_rps)}: {by}{months}."
    return f"{said} {change}{bill}."


SOME = 500  # worlds


def at_other(study: Study, one: Level) -> tuple[float, float, float]:
    """At the other level, in the last month asked for, in SOME worlds: P that every promise holds with today's fleet and with the plan's,
    and what a month of that costs less."""
    last, count = study.last, study.worlds.rps.shape[0]
    ratio, found = one.other_rps / one.used_rps, []
    for options, counts in ((frozenset[str](), {}), (study.fleet.options_at(last), study.fleet.counts_at(last))):
        drawn = take_worlds(with_options(study.statement, options).at(count, study.seed), SOME)
        rps = study.demand(options)[:SOME, last : last + 1] * ratio
        factor = month_factors(drawn, last + 1)[:, last:]
        made = plan(with_counts(drawn, counts), rps, percentiles=(), first=last, month_factor=factor)
        found.append(replace(made, aside=study.fleet.aside))
    alone, planned = found
    saved = float(study.fleet.cost_usd[:SOME, last].mean() - planned.cost_month_usd.mean())
    running = sum(median(study.scenario.options[name].monthly_usd) for name in study.fleet.options_at(last))
    return float(alone.all_hold.mean()), float(planned.all_hold.mean()), saved - running


def findings(study: Study) -> Iterator[Finding]:
    """Where what was measured and what is stated differ, and peaks of the past that no event repeats."""
    one = level(study)
    if one is not None and abs(one.other_rps / one.used_rps - 1) > DIFFER:
        yield Finding(
            kind=RISK,
            phase=1,
            about="traffic.peak_users",
            month=0,
            title=f"Stated users and measured requests differ by {percent(abs(one.other_rps / one.used_rps - 1))}",
            rule=f"two sources of one number should lie within {percent(DIFFER)}",
            value=f"{rate(one.used_rps)} are used, {rate(one.other_rps)} is what the other says",
            reason=_pauses(study),
            remedy="look again at the count of users or at the requests of each; what was measured is used unless -p states another",
        )
    history = study.statement.history
    for place in () if history is None else history.spikes:
        then = str(np.datetime64(int(history.times[place]), "s").astype("datetime64[D]"))
        ends = str(np.datetime64(int(history.times[place]) + 604_800, "s").astype("datetime64[M]"))
        if {then[5:7], ends[5:7]} & {event.month[5:7] for event in study.scenario.traffic.events}:
            continue
        yield Finding(
            kind=RISK,
            phase=1,
            about="traffic.events",
            month=0,
            title=f"The week of {then} was far above its neighbours, and no event is planned for that month",
            rule="what came once a year may come again: it is an event, or somebody says that it is not",
            value=f"{rate(float(history.weekly_peak_rps[place]))} in {history.file}",
            reason="a trend leaves such weeks out, so the forecast has no such peak",
            remedy="state it under traffic.events with its factor, or one with factor 1 in that month if it will not come again",
        )


def _pauses(study: Study) -> str:
    """Where the two would agree: how long a user waits from one request to the next."""
    users, _ = concurrency(study.middle)
    stated, rps = study.scenario.traffic.peak_users, today(study, study.middle.rps)
    assert stated is not None
    return (
        f"{number(today(study, users))} users make {rate(rps)} by their pauses and responses, one request each "
        f"{duration(today(study, users) / rps)}; the {number(median(stated))} that are stated would have to send one each "
        f"{duration(median(stated) / rps)}"
    )


DIFFER = 0.05  # of each other, from which two sources are a finding

# ---- items ----


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
    text = f"{number(today(study, users))} users at once, {number(today(study, flying))} requests in flight"
    return Found(text=f"{text}; {_pauses(study)}" if level(study) else text, verdict=verdict)


def _burst(study: Study) -> Found:
    backlog, drain, name = burst(study.middle)
    waiting, traffic = today(study, backlog), study.scenario.traffic
    times, lasts = number(median(traffic.peak_second)), duration(median(traffic.burst_s))
    text = f"a burst of {times} times for {lasts} leaves {number(waiting)} requests waiting for {name}"
    if not waiting:
        return Found(text=f"{text}: it is carried")
    return Found(text=f"{text}, gone after {duration(today(study, drain))}", verdict="at risk")


WEEKS_OF_A_YEAR, ROUNDED = 52, 0.005


def _drivers(study: Study) -> Found | None:
    """The business metric that was measured and drives the forecast."""
    history = study.statement.history
    if history is None:
        return None
    beside = used_level(study)
    text = f"requests an hour ({history.file}) drive the forecast; each journey's share of them is stated"
    return Found(text=f"{text}. {beside}" if beside else text, answer="measured")


ITEMS = (
    Item("5.1.3.a", _drivers, MONITORING, used_level),
    Item("1.1.2", _patterns, REQUIREMENTS, read_history),
    Item("1.1.3", _growth, REQUIREMENTS, growth.grown),
    Item("1.1.5", _regions, REQUIREMENTS, paths.round_trip),
    Item("1.2.2.a", _seconds, REQUIREMENTS, growth.peak_rps),
    Item("1.2.2.b", _users, REQUIREMENTS, growth.concurrent_users),
    Item("1.3.1", _peaks, REQUIREMENTS, growth.peak_rps),
    Item("1.3.5", _burst, REQUIREMENTS, growth.burst_backlog),
    Item("CB.1", _peaks, REQUIREMENTS, growth.peak_rps),
)
