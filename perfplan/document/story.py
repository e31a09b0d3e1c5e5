"""The plan in sentences: verdict, three numbers, the decision asked for. Made from findings, never canned."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from perfplan.document.findings import findings
from perfplan.plan import month_index
from perfplan.plan.resources import STORAGE, unit_price_usd
from perfplan.quantity import HOURS_PER_MONTH, median, quantiles
from perfplan.scenario.statement import Entry
from perfplan.study import RunOut, Study, confidence, once, sampling_error
from perfplan.study.aside import Aside, set_aside
from perfplan.study.remedy import Position, bought, positions, price, stuck
from perfplan.study.verdicts import BROKEN, cause, first_below, when_below
from perfplan.subjects.budgets import frozen
from perfplan.subjects.demand import used_level
from perfplan.subjects.failures import first_screen
from perfplan.subjects.kind import Finding
from perfplan.tiers.place import Place
from perfplan.words import NBSP, capital, day_name, listed, money, month_name, percent, rate, share, short_money, verb, weeks


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What stands behind a number: how it is made, from which inputs, by which model, and how good that is."""

    title: str
    formula: str
    inputs: tuple[Entry, ...]  # those that move it most, first
    trust: str


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One of the three numbers: what, the number, and the line under it."""

    name: str
    value: str
    note: str
    opened: Opened
    broken: str = ""  # the part of the value that breaks a promise


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the first screen says."""

    verdict: str
    remedy: str
    headlines: tuple[Headline, ...]
    decision: str
    asked: bool  # whether something is asked of the reader
    why: str
    nothing: str  # what happens if nothing is done
    rests: tuple[tuple[str, str], ...]  # by name: which of two sources the load comes from, budgets as good as spent, the worst failure
    findings: tuple[Finding, ...]

    def lines(self) -> list[str]:
        """The verdict in five lines, for a terminal."""
        numbers = [f"{h.name}: {h.value} ({h.note})" for h in self.headlines]
        beside = " ".join(filter(None, (self.remedy, *(text for _, text in self.rests))))
        return [self.verdict, beside, "; ".join(numbers[:2]), numbers[2], self.decision]


@once
def story(study: Study) -> Story:
    """The story of *study*."""
    found = findings(study)
    asked = confidence(study.scenario)
    start = first_below(study.p_all, asked)
    broken = start <= study.last
    lost = set_aside(study)
    by_name = {f.about: f for f in found if f.kind == BROKEN}
    others = [f for name, f in by_name.items() if name not in study.fleet.aside]
    first = next((f for f in others if f.month == start), next(iter(others), None))
    return Story(
        verdict=_never(study, lost, by_name) + _verdict(study, first, broken, start, asked),
        remedy=_remedy(study, broken, start, asked),
        headlines=_headlines(study, asked),
        decision=_decision(study),
        asked=bool(_next(study)),
        why=_why(study, first),
        nothing=_nothing(study, asked),
        rests=tuple(
            (name, said)
            for name, said in (("Demand", used_level(study)), ("Budget", frozen(study)), ("Failures", first_screen(study)))
            if said
        ),
        findings=tuple(found),
    )


def _never(study: Study, lost: list[Aside], found: dict[str, Finding]) -> str:
    """What nothing keeps, with its cause and the way out; the rest of the page is about the other promises."""
    said = []
    for one in lost:
        title = found[one.name].title if one.name in found else f"{capital(one.name)} cannot be kept from {study.named(one.month)}"
        said.append(f"{title}, and nothing that can be bought or done keeps it: {one.cause}. It takes {one.way_out}.")
    return "".join(f"{text} " for text in said) + ("The rest is about the other promises. " if lost else "")


def _verdict(study: Study, first: Finding | None, broken: bool, start: float, asked: float) -> str:
    as_of, every = str(study.scenario.as_of), _every(study)
    if broken and study.fleet.settings is not None and (later := first_below(study.fleet.settings, asked)) > start:
        return _with_settings(study, later, asked)
    if broken and first is not None:
        helped = first_below(study.fleet.p_all, asked) > first.month
        return f"{first.title}{_event(study, first.month)}" + (", unless something is done by then." if helped and first.month > 0 else ".")
    if broken:
        return (
            f"Together, the promises hold with less than {percent(asked)} {when_below(study.p_all[: study.last + 1], asked, study.named)}."
        )
    until = month_name(as_of, start - 1 if np.isfinite(start) else study.worlds.rps.shape[1] - 1)
    return f"{capital(every)} holds with {percent(asked)} confidence until {until}, with what there is today."


def _with_settings(study: Study, start: float, asked: float) -> str:
    """What is left of the trouble when settings that cost nothing are made."""
    made = f"with settings that cost nothing ({listed([row.text for row in positions(study) if row.free])})"
    if study.fleet.settings is None or start > study.last:
        return f"{capital(_every(study))} holds with {percent(asked)} confidence until {study.named(study.last)}, {made}."
    p = percent(float(study.fleet.settings[int(start)]))
    event = f"{_event(study, start)}," if _event(study, start) else ""
    return f"In {study.named(start)}{event} {_every(study)} holds with only {p} probability, even {made}."


def _every(study: Study) -> str:
    """What P is about: all promises, or those that can be kept."""
    return "every other promise" if study.fleet.aside else "every promise"


def _event(study: Study, month: float) -> str:
    names = [e.name for e in study.scenario.traffic.events if month_index(study.scenario, e.month) == month]
    return f", at {' and '.join(names)}" if names else ""


def _remedy(study: Study, broken: bool, start: float, asked: float) -> str:
    as_of = str(study.scenario.as_of)
    rows = positions(study)
    if not broken and not rows:
        return "Nothing has to be bought for the months asked for."
    if not broken:
        limits = f"To stay within utilization limits and N + 1 with {percent(asked)} confidence"
        return f"{limits}, it still asks for {bought(study)}, {price(study)}."
    lost = study.fleet.lost
    good = lost + first_below(study.fleet.p_all[lost:], asked)
    if good <= study.last:
        p = float(study.fleet.p_all[int(good)])
        best = f"The best that was found, {bought(study)}, reaches" if rows else "Nothing that can be bought helps: P(all hold) stays at"
        return f"{best} {percent(p)} in {month_name(as_of, good)}: {stuck(study, int(good))}; demand, targets or code must change."
    held = month_name(as_of, min(good, study.worlds.rps.shape[1]) - 1)
    since = f" from {study.named(lost)}" if lost else ""
    now = float(study.fleet.p_all[:lost].min()) if lost else 1.0
    what = f"P(all hold) is {percent(now)} at least once" if now < asked else "promises hold, limits of utilization do not"
    late = f" Before, nothing can be there in time: {what}." if lost else ""
    keep = f"keep{'s' if len(rows) == 1 else ''} {_every(study)} with {percent(asked)} confidence{since}"
    longer = f"; what then is there lasts until {held}" if good > study.last + 1 else ""
    return f"{capital(bought(study))} {keep} until {study.named(study.last)}, {price(study)}{longer}.{late}"


def _headlines(study: Study, asked: float) -> tuple[Headline, ...]:
    as_of, last = str(study.scenario.as_of), study.last
    lowest = _lowest(study)
    now, then = float(study.p_all[0]), float(study.p_all[lowest])
    end = f"; {percent(float(study.p_all[last]))} in {month_name(as_of, last)}" if lowest != last else ""
    with_plan = float(study.fleet.p_all[study.fleet.lost : last + 1].min())
    first = study.run_outs[0]
    when = first.quantile(0.5)
    cost_now = median(study.worlds.cost_month_usd[:, 0])
    low, middle, high = quantiles(study.fleet.cost_usd[:, last], (0.05, 0.5, 0.95))
    p05, p95 = (month_name(as_of, first.quantile(p), short=True) for p in (0.05, 0.95))
    return (
        Headline(
            name=f"P({_every(study)} holds), today’s fleet",
            value=f"{percent(now)} → {percent(then)}",
            broken=percent(then) if then < asked else "",
            note=f"now → {month_name(as_of, lowest)}{', the lowest' if end else ''}{end}; with the plan {percent(with_plan)}"
            f"{' or more' if end else ''}{_together(study)}",
            opened=_open_probability(study),
        ),
        Headline(
            name="Runs out first",
            value=first.resource.label if np.isfinite(when) else "nothing",
            note=f"{month_name(as_of, when)} (P5–P95 {p05} … {p95})"
            if np.isfinite(when)
            else f"in half of all worlds nothing runs out within {study.worlds.rps.shape[1] - 1} months",
            opened=_open_run_out(study, first),
        ),
        Headline(
            name="Cost per month: today → with the plan",
            value=f"{short_money(cost_now)} → {short_money(float(middle))}",
            note=f"in {month_name(as_of, last)}, P5–P95 {short_money(float(low))} … {short_money(float(high))}; with today’s fleet "
            f"{short_money(median(study.worlds.cost_month_usd[:, last]))} then",
            opened=_open_cost(study),
        ),
    )


def _lowest(study: Study) -> int:
    """The month asked for, beside today, in which the promises hold with the lowest probability; the last one where that is as low."""
    lowest = int(np.argmin(study.p_all[: study.last + 1]))
    return study.last if lowest == 0 or study.p_all[lowest] >= study.p_all[study.last] else lowest


def _together(study: Study) -> str:
    """P of all months together with the plan, where that differs from the lowest month's by more than a point."""
    way = study.fleet.way
    return f", {percent(way.together)} in all months together" if way is not None and way.p - way.together > POINT else ""


MOST_INPUTS = 8  # behind one number
POINT = 0.01


def _open_probability(study: Study) -> Opened:
    worlds = study.worlds.rps.shape[0]
    then = float(study.p_all[_lowest(study)])
    return Opened(
        title=f"P(every promise holds) in {study.named(_lowest(study))}: {percent(then)}",
        formula=f"worlds in which every one of {len(study.worlds.judged)} promises holds / {worlds:,} worlds",
        inputs=_entries(study, [m.path for m in study.moved if m.months]),
        trust="Each world draws every uncertain input; a promise is judged at that world's load of the month. Sampling error ± "
        f"{share(sampling_error(then, worlds), 2)}; "
        "percentiles within 0.5 % of exact ones. What no input says, such as a fault that takes everything along, is in none of "
        "the worlds.",
    )


def _open_run_out(study: Study, first: RunOut) -> Opened:
    one = first.resource
    own = ("traffic.", str(Place(one.place.tier, ""))) if one.place.tier else ("traffic.",)
    paths = [p for p in study.statement.entries if p.startswith(own)]
    moved = {m.path: abs(m.months) for m in study.moved}
    p05, p50, p95 = (month_name(str(study.scenario.as_of), first.quantile(p)) for p in (0.05, 0.5, 0.95))
    return Opened(
        title=f"{capital(one.label)} {verb(one.label, 'run', 'runs')} out: {p50} (P5–P95 {p05} … {p95})",
        formula=f"first month with {one.used} > {share(median(one.limit))}{' at the peak hour' if one.place.field != STORAGE else ''}",
        inputs=_entries(study, sorted(paths, key=lambda p: -moved.get(p, 0.0))),
        trust=f"{one.trust} The limit is that of the plan: as stated, one lost included where one may be lost, "
        "and the peak second carried where that is promised. Growth is a steady rate with events on top.",
    )


def _open_cost(study: Study) -> Opened:
    last = study.last
    total = median(study.fleet.cost_usd[:, last])
    paths = [p for p in study.statement.entries if "price" in p or p.endswith(("egress", "call_usd", ".call"))]
    cost = {m.path: abs(m.cost_usd) for m in study.moved}
    movers = [m.path for m in sorted(study.moved, key=lambda m: -abs(m.cost_usd)) if m.cost_usd and m.path not in paths]
    return Opened(
        title=f"Cost with the plan in {month_name(str(study.scenario.as_of), last)}: {money(total)} a month",
        formula=f"sum of count x price x {HOURS_PER_MONTH:g} h + bytes out x price + bytes stored x price + calls x price",
        inputs=_entries(
            study,
            [*movers[:3], *sorted((p for p in paths if study.statement.entries[p].source != "default"), key=lambda p: -cost.get(p, 0.0))],
        ),
        trust="List or contract prices as stated, no discounts, no people. Traffic of a month follows from its peak hour by the "
        "profile of the week; events cost their days.",
    )


def _entries(study: Study, paths: list[str]) -> tuple[Entry, ...]:
    known = study.statement.entries
    return tuple(known[p] for p in dict.fromkeys(paths) if p in known and known[p].law is not None)[:MOST_INPUTS]


def _next(study: Study) -> list[Position]:
    """What to decide first: all that costs money or weeks and is due within a week of the first of it."""
    rows = [row for row in positions(study) if not row.free]
    return [row for row in rows if row.by <= rows[0].by + datetime.timedelta(days=7)]


def _decision(study: Study) -> str:
    rows, settings = _next(study), [row.text for row in positions(study) if row.free and row.month == 0]
    today = f" Do today, for nothing: {listed(settings)}." if settings else ""
    if not rows:
        return (today.strip() + " " if today else "") + "Nothing to decide now; look again when traffic, prices or code have changed."
    text, due, lead = bought(study, rows), day_name(rows[0].by), weeks(max(row.lead_s for row in rows))
    if first_below(study.fleet.p_all[study.fleet.lost :], 0.5) + study.fleet.lost <= study.last:
        return f"Decide what gives way: {text} is what money can buy by {due}, and it is not enough (lead time {lead}).{today}"
    return f"Decide: approve {text} by {due} (lead time {lead}).{_for_limits(study, rows[0].month)}{today}"


def _for_limits(study: Study, month: int) -> str:
    """Why something is bought for a month in which the promises would hold without it; "" where they would not."""
    asked, settings = confidence(study.scenario), study.fleet.settings
    if settings is None or settings[month] < asked:
        return ""
    free = {place for order in study.fleet.orders for place in order.changes if not unit_price_usd(study.scenario, place)}
    owned = ((place, one) for place, one in study.worlds.resources.items() if one.ours and place not in free)
    tight = [one.label for place, one in owned if (one.utilization <= one.limit)[:, month].mean() < asked]
    then = f" In {study.named(month)} the promises would hold without it, but "
    if tight:
        return f"{then}{listed(tight)} may be above the utilization that is planned for."
    return f"{then}by less than the sampling error."


def _why(study: Study, first: Finding | None) -> str:
    if first is None:
        return "No promise is broken within the months asked for."
    return f"{capital(first.reason)}. {capital(first.value)}."


def _nothing(study: Study, asked: float) -> str:
    as_of = str(study.scenario.as_of)
    half = first_below(study.p_all, 0.5)
    start = first_below(study.p_all, asked)
    if not np.isfinite(start):
        return "Nothing: every promise holds to the end of the plan."
    parts = [f"P(every promise holds) falls to {percent(float(study.p_all[int(start)]))} in {month_name(as_of, start)}"]
    if np.isfinite(half) and half > start:
        worst = cause(study, int(half))
        said = f"to {percent(float(study.p_all[int(half)]))} in {month_name(as_of, half)}, in whose peak second {worst.label}"
        used = share(worst.utilization) if np.isfinite(worst.utilization) else "more than"
        parts.append(f"and {said} {verb(worst.label)} {used} used at the median")
    peak = median(study.worlds.rps[:, study.last])
    return f"{' '.join(parts)}. By {month_name(as_of, study.last)} the peak hour brings {rate(peak)}{NBSP}at the median."
