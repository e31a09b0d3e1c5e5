"""Judgements: every promise and every resource, with rule, value, target, verdict, reason and the remedy with its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models.slo import binding_error_limit, budget_left
from perfplan.operate import watched
from perfplan.plan import Resource, plan, with_counts
from perfplan.plan.paths import origins
from perfplan.promises import counted, timed, until
from perfplan.promises.kind import PEAK_HOUR, Judged
from perfplan.quantity import FloatArray, median
from perfplan.study import Order, RunOut, Study, confidence, once
from perfplan.study.fleet import lead_time_s, unit_price_usd
from perfplan.study.ladder import broken, ladder
from perfplan.study.sweeps import TRIED, todays_knee
from perfplan.study.verdicts import BROKEN, HOLDS, RISK, Verdict, early, of_promise, of_run_out
from perfplan.study.verify import ERROR, measured
from perfplan.tiers import bought_of
from perfplan.tiers.place import Place
from perfplan.words import (
    capital,
    change,
    count,
    day_name,
    duration,
    listed,
    money,
    month_name,
    number,
    percent,
    plural,
    rate,
    share,
    weeks,
)

NEARLY_FULL = 0.85  # of what cannot be bought, in the peak second: from here on it is what holds the plan
NEVER_MISSES = 0.9999  # hits: a cache of everything, whose loss is another matter
COLD = 5  # times its usual misses: what an origin has room for is seldom more
ORDER = {BROKEN: 0, RISK: 1, HOLDS: 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One judgement, in words a reader can check."""

    kind: str  # BROKEN, RISK or HOLDS
    phase: int  # chapter it belongs to, 1 .. 6
    about: str  # objective or field
    title: str
    rule: str
    value: str
    reason: str
    remedy: str = ""
    month: float = float("inf")  # month from which it is so
    price_usd: float | None = None  # of the remedy, per month

    @property
    def severity(self) -> str:
        """The verdict in words."""
        return {BROKEN: "Breaks a promise", RISK: "At risk", HOLDS: "Holds"}[self.kind]


@once
def findings(study: Study) -> tuple[Finding, ...]:
    """All findings, broken promises first, each group by the month it starts."""
    found = [
        *_objectives(study),
        *_resources(study),
        *_consistency(study),
        *_caches(study),
        *_headroom(study),
        *_budgets(study),
        *_timeouts(study),
        *_measured(study),
    ]
    return tuple(sorted(found, key=lambda f: (ORDER[f.kind], f.month, f.about)))


# ---- objectives ----


def miss(study: Study, name: str, month: int) -> str:
    """What happens when a promise breaks in *month*, how likely, and for how long, as a sentence without its stop."""
    objective, verdict = study.worlds.judged[name].objective, of_promise(study, name)
    p, last = verdict.p, until(objective)
    passing = bool((p[month + 1 : last + 1] >= verdict.asked).all()) and month < last
    then = month_name(str(study.scenario.as_of), month)
    when = "today" if month == 0 and passing else "already today" if month == 0 else f"in {then}" if passing else f"from {then}"
    said = watched(objective).spoken.miss(objective, study, month, "will" if p[month] < 0.5 else "may")
    return f"{said} {when} ({percent(1 - float(p[month]))} probability)"


def _objectives(study: Study) -> Iterator[Finding]:
    verdicts = {name: of_promise(study, name) for name in study.worlds.judged}
    soonest = min(verdicts, key=lambda n: verdicts[n].start, default="")
    for name, judged in study.worlds.judged.items():
        one, spoken = verdicts[name], watched(judged.objective).spoken
        month = min(int(one.start), one.last) if np.isfinite(one.start) else one.last
        end = month_name(str(study.scenario.as_of), one.last)
        yield Finding(
            kind=one.word,
            phase=1,
            about=name,
            rule=f"{spoken.sentence(judged.objective)}, with {percent(one.asked)} confidence until {end}",
            title=_title(study, name, one),
            month=one.start,
            value=spoken.value(judged.objective, study, judged, month),
            reason=spoken.reason(judged.objective, study, judged, month, one.word),
            remedy=_remedy_of(study, name == soonest) if one.word == BROKEN else "",
            price_usd=_extra(study) if one.word == BROKEN else None,
        )


def _remedy_of(study: Study, soonest: bool) -> str:
    if soonest:
        return remedy(study)
    kept = study.fleet.fails_from is None or study.fleet.fails_from > study.last
    return "see the orders in chapter 0" if kept else "see the options; the orders alone do not keep every promise"


def _title(study: Study, name: str, one: Verdict) -> str:
    if one.word == BROKEN:
        return miss(study, name, int(one.start))
    if np.isfinite(one.start):
        return f"{name.capitalize()} holds until {month_name(str(study.scenario.as_of), one.start - 1)}"
    return f"{name.capitalize()} holds for all {study.worlds.rps.shape[1] - 1} months of the plan"


# ---- the remedy ----


def remedy(study: Study) -> str:
    """What the recommended fleet buys until the last month asked for, and its price."""
    orders = [o for o in study.fleet.orders if o.month <= study.last]
    if not orders:
        return "no fleet that was tried keeps every promise: demand, targets or code must change; see the options"
    held = float(study.fleet.p_all[: study.last + 1].min())
    return f"{bought(study, orders)}: {change(_extra(study), money)} a month in {month_name(str(study.scenario.as_of), study.last)}; P(all hold) then is at least {percent(held)}"


def stuck(study: Study, month: int) -> str:
    """What no order can move in *month*, with the best fleet found: the tightest resource that is not ours to buy, or the path itself."""
    second = study.middle.second_rps[:, month : month + 1]
    one = plan(with_counts(study.scenario, study.fleet.counts_at(month)), second, percentiles=(), objectives=())
    fixed = {r.label: float(r.utilization[0, 0]) for r in one.resources.values() if not r.ours}
    worst = max(fixed, key=lambda k: fixed[k], default="")
    if worst and fixed[worst] >= NEARLY_FULL:
        return f"{worst} is {share(fixed[worst])} used in the peak second, and cannot be bought"
    slow = [n for n, j in study.worlds.judged.items() if float(j.holds[:, month].mean()) < median(j.objective.confidence)]
    return f"what remains is {listed(slow)}: no count that was tried changes it enough" if slow else "no count that was tried is enough"


def _extra(study: Study) -> float:
    return median(study.fleet.cost_usd[:, study.last] - study.worlds.cost_month_usd[:, study.last])


def bought(study: Study, orders: list[Order]) -> str:
    """What orders add in all, dearest first, such as "2 replicas and 12 api instances"."""
    return listed([text for _, text in _added(study, orders)])


def _added(study: Study, orders: list[Order]) -> list[tuple[float, str]]:
    before: dict[Place, float] = {}
    after: dict[Place, float] = {}
    for order in orders:
        for place, (old, new) in order.changes.items():
            before.setdefault(place, old)
            after[place] = new
    rows = []
    for place, new in after.items():
        more = new - before[place]
        rows.append((unit_price_usd(study.scenario, place) * more, plural(more, study.worlds.resources[place].label)))
    return sorted(rows, key=lambda r: (-r[0], r[1]))


# ---- resources ----


def _resources(study: Study) -> Iterator[Finding]:
    asked = confidence(study.scenario)
    for out in study.run_outs:
        resource, (month, _) = out.resource, early(study.scenario, out)
        used = median(resource.utilization[:, 0])
        limit = median(resource.limit)
        as_of = str(study.scenario.as_of)
        lead = lead_time_s(study.scenario, resource.place)
        due = study.order_by(month, lead) if np.isfinite(month) else None
        price = unit_price_usd(study.scenario, resource.place) if resource.ours else None
        yield Finding(
            kind=HOLDS if of_run_out(study, out) == HOLDS else RISK, phase=2, about=str(resource.place), month=month, price_usd=price,
            title=_run_out_title(out, as_of, month),
            rule=f"utilization at the peak hour at most {share(limit)}" + (" (N + 1 and the peak second included)" if _one_by_one(study, resource) else ""),
            value=f"{share(used)} {f'of {count(resource.count)} ' if resource.ours else ''}used today; runs out P5 {month_name(as_of, out.quantile(0.05), short=True)}, P50 {month_name(as_of, out.quantile(0.5), short=True)}, P95 {month_name(as_of, out.quantile(0.95), short=True)}",
            reason=f"{share(median(resource.utilization[:, study.last]))} in {month_name(as_of, study.last)} at the median" if np.isfinite(np.median(resource.utilization[:, study.last])) else f"saturated in {month_name(as_of, study.last)} at the median",
            remedy=f"order by {day_name(due)} (lead time {weeks(lead)}, {percent(asked)} confidence)" + (f"; one more costs {money(price)} a month" if price else "") if due else "",
        )  # fmt: skip


def _one_by_one(study: Study, resource: Resource) -> bool:
    """Whether one of it may be lost: it is neither a size of nodes nor a pool."""
    if not resource.ours:
        return False
    one = bought_of(study.scenario.tiers[resource.place.tier], resource.place.field)
    return not one.by_size and not one.pool


def _run_out_title(out: RunOut, as_of: str, early: float) -> str:
    name = out.resource.label
    one = not out.resource.ours
    name = capital(name)
    if np.isfinite(out.quantile(0.5)):
        return f"{name} {'runs' if one else 'run'} out in {month_name(as_of, out.quantile(0.5))}"
    return (
        f"{name} may run out from {month_name(as_of, early)}"
        if np.isfinite(early)
        else f"{name} {'lasts' if one else 'last'} for the whole plan"
    )


# ---- consistency, caches, headroom ----


def _consistency(study: Study) -> Iterator[Finding]:
    """An error-rate promise and an availability promise of one journey are one promise said twice."""
    promised = [(name, one) for name, objective in study.scenario.objectives.items() if (one := counted(objective)) is not None]
    for name, one in promised:
        for other_name, other in promised:
            if not one.down and other.down and other.journey == one.journey:
                below, above = median(one.bad), median(other.good)
                binding = binding_error_limit(below, above)
                if binding < below:
                    yield Finding(
                        kind=RISK, phase=1, about=name, title=f"{name.capitalize()} contradicts {other_name}: the availability binds", month=0,
                        rule=f"an error rate below {share(below)} and an availability of {share(above)} must mean the same",
                        value=f"{share(above)} counted in requests allows {share(binding)} errors, not {share(below)}",
                        reason="both count the same failed requests; the stricter one decides, and the plan judges by it",
                        remedy=f"state an error rate of {share(binding)}, or a lower availability",
                    )  # fmt: skip


def _caches(study: Study) -> Iterator[Finding]:
    for name, source in origins(study.scenario).items():
        hit = median(study.middle.carried.hit_ratio[name])
        reads = float(np.ravel(study.middle.carried.calls_rps[name] + 0 * study.middle.rps)[0])
        if hit > NEVER_MISSES or reads == 0:
            continue
        cold = reads / max(reads * (1 - hit), 1e-9)
        yield Finding(
            kind=RISK if cold > COLD else HOLDS, phase=2, about=f"tiers.{name}", month=0,
            title=f"Without {name}, {source} would get {number(reads * hit)} more calls a second",
            rule="losing the cache must not take its origin down", value=f"hit ratio {share(hit)}: {number(reads)} look-ups a second, {number(reads * (1 - hit))} misses",
            reason=f"a cold cache sends {number(cold)} times its usual misses to {source} ({study.scenario.tiers[source].kind})",
            remedy="warm it before traffic returns, and limit the calls that misses may make; this plan does not yet model the warm-up",
        )  # fmt: skip


def _measured(study: Study) -> Iterator[Finding]:
    """A warning for each measurement that the prediction misses by more than a fifth."""
    found = measured(study)
    for name, one in study.scenario.measured.items():
        worst = max((r for r in found if r.name == name), key=lambda r: r.beyond)
        if worst.beyond > ERROR:
            yield Finding(
                kind=RISK, phase=4, about=f"measured.{name}", month=0, title=f"{name} is missed by {percent(abs(worst.error))} at {rate(worst.rps)}",
                rule=f"a prediction should lie within {percent(ERROR)} of what was measured, its own error aside",
                value=f"p{worst.percentile * 100:g} of {one.journey}: predicted {duration(worst.predicted_s)}, measured {duration(worst.found_s)}",
                reason="the model, a stated service time or the measurement is wrong", remedy="measure again for longer, then look at the service times of the tiers on this path",
            )  # fmt: skip


def _headroom(study: Study) -> Iterator[Finding]:
    found = todays_knee(study)
    wanted = median(study.scenario.headroom)
    has = found.rps / found.peak_rps
    broken = f"; broken at any load: {listed(found.always)}" if found.always else ""
    title = (
        f"Load breaks the first promise at {number(has)} times today's peak"
        if np.isfinite(has)
        else "No load that was tried breaks a promise"
    )
    yield Finding(
        kind=HOLDS if has >= wanted and not found.always else RISK, phase=1, about="headroom", month=0, rule=f"at least {number(wanted)} times today's peak (the checklist asks for 2, and recommends 3)",
        title=title + broken, value=f"{rate(found.rps)} against a peak of {rate(found.peak_rps)}" if np.isfinite(has) else f"more than {number(TRIED)} times {rate(found.peak_rps)}", reason=found.saturates,
        remedy="a fixed factor is a rule of thumb: what the objectives need, month by month, is in the orders" if has < wanted else "",
    )  # fmt: skip


def _budgets(study: Study) -> Iterator[Finding]:
    """A budget that is predicted to be spent below the point at which deployments freeze."""
    freeze = median(study.scenario.freeze_at)
    for name, judged in study.worlds.judged.items():
        if (one := counted(judged.objective)) is not None and one.down:
            left = median(left_of_budget(judged)[:, 0])
            if left < freeze:
                words = f"{share(left)} of its budget left" if left > 0 else "none of its budget left"
                yield Finding(
                    kind=RISK, phase=5, about=name, month=0, title=f"{name.capitalize()} would have {words}: deployments would be frozen",
                    rule=f"deployments stop below {share(freeze)} of the error budget", value=f"{share(median(judged.value[:, 0]))} of requests fail as predicted, {share(median(judged.bound))} may",
                    reason="the availabilities stated for the tiers add up to nearly the whole budget", remedy="a more available database, balancer or partner, or a promise that leaves room",
                )  # fmt: skip


def _timeouts(study: Study) -> Iterator[Finding]:
    for one in broken(ladder(study)):
        low, high = one.lower, one.upper
        times = f" x {one.times:g}" if one.times != 1 else ""
        yield Finding(
            kind=RISK, phase=3, about=str(low.place if low.stated else high.place), month=0, title=f"{capital(low.label)} may last longer than {high.label}",
            rule=one.rule, value=f"{low.place} {duration(low.value_s)}{times} against {high.place} {duration(high.value_s)}",
            reason=f"{low.place}: {low.why}; {high.place}: {high.why}",
            remedy=f"state {low.place} below {duration(high.value_s / one.times)}, or {high.place} above {duration(low.value_s * one.times)}",
        )  # fmt: skip


def left_of_budget(judged: Judged) -> FloatArray:
    """Share of the error budget that is left at the predicted share of bad requests over 28 days, (worlds, months)."""
    one = timed(judged.objective)
    other_way = judged.also is not None and one is not None and one.over == PEAK_HOUR
    return budget_left(1 - np.asarray(judged.bound), judged.also if judged.also is not None and other_way else judged.value)
