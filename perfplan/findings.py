"""Judgements: every promise and every resource, with rule, value, target, verdict, reason and the remedy with its price."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.ladder import broken, ladder
from perfplan.models.slo import binding_error_limit, budget_left
from perfplan.plan import until
from perfplan.plan.paths import carry
from perfplan.plan.promises import Judged
from perfplan.quantity import FloatArray
from perfplan.scenario import Availability, Completion, Errors, Latency, Objective, Throughput, Users
from perfplan.tiers import Cache, bought_of, kind_of
from perfplan.uncertainty import Order, RunOut, Study, lead_time_of
from perfplan.verify import ERROR, measured
from perfplan.words import (
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

BROKEN, RISK, HOLDS = "broken", "at risk", "holds"
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


@functools.lru_cache(maxsize=4)
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


def promise(name: str, objective: Objective) -> str:
    """The rule of an objective, in words."""
    if isinstance(objective, Latency):
        p = f"p{float(np.median(objective.percentile)) * 100:g}"
        return f"{p} of {objective.journey} below {duration(float(np.median(objective.below_s)))} over {'the peak hour' if objective.over == 'peak hour' else '28 days'}"
    if isinstance(objective, Availability):
        return f"{share(float(np.median(objective.above)))} of {objective.journey} requests are answered"
    if isinstance(objective, Errors):
        return f"fewer than {share(float(np.median(objective.below)))} of {objective.journey} requests fail"
    if isinstance(objective, Throughput):
        return (
            "no station saturates in the peak second"
            if objective.above_rps is None
            else f"carries {rate(float(np.median(objective.above_rps)))}"
        )
    if isinstance(objective, Users):
        return f"carries {number(float(np.median(objective.above)))} users at once with every latency objective kept"
    assert isinstance(objective, Completion)
    return f"p{float(np.median(objective.percentile)) * 100:g} of {objective.queue} jobs done within {duration(float(np.median(objective.below_s)))}"


def miss(objective: Objective, study: Study, month: int, p: FloatArray, asked: float) -> str:
    """What happens when it breaks, how likely, and for how long, as a sentence without its stop."""
    what = "will" if p[month] < 0.5 else "may"
    after = p[month:]
    passing = bool((after[1 : until(objective) - month + 1] >= asked).all()) and month < until(objective)
    name = month_name(str(study.scenario.as_of), month)
    when = "today" if month == 0 and passing else "already today" if month == 0 else f"in {name}" if passing else f"from {name}"
    chance = f"{when} ({percent(1 - float(p[month]))} probability)"
    if isinstance(objective, Latency):
        return f"{objective.journey.capitalize()} {what} miss its {duration(float(np.median(objective.below_s)))} objective {chance}"
    if isinstance(objective, Availability):
        return f"{objective.journey.capitalize()} {what} fall below {share(float(np.median(objective.above)))} availability {chance}"
    if isinstance(objective, Errors):
        return f"{objective.journey.capitalize()} {what} fail more often than it may {chance}"
    if isinstance(objective, Throughput):
        return f"The busiest second {what} be more than {cause(study, month).label} can carry {chance}"
    if isinstance(objective, Users):
        return f"{number(float(np.median(objective.above)))} users at once {what} be too many {chance}"
    assert isinstance(objective, Completion)
    return f"{objective.queue.capitalize()} {what} be done too late {chance}"


@dataclass(frozen=True)
class Cause:
    """The resource that is nearest to saturation in a month's peak second."""

    label: str
    path: str
    utilization: float


def cause(study: Study, month: int) -> Cause:
    """Which resource saturates, or comes nearest to it, in the peak second of *month*; the called before the caller."""
    one = study.middle
    state = carry(one.scenario, one.rps[:, month : month + 1] * one.scenario.traffic.peak_second, one.carried.hit_ratio)
    used = {
        key: float(np.ravel(s.utilization)[0])
        for key, s in state.stations.items()
        if not bought_of(one.scenario.tiers[key[0]], key[1]).waits
    }
    worst = max(used.values(), default=0.0)
    fixed = [r for r in one.resources.values() if r.field in ("limit", "link")]  # a partner's rate limit, the network
    tightest = max(fixed, key=lambda r: float(r.utilization[0, month]))
    share_used = float(tightest.utilization[0, month]) * float(np.median(one.scenario.traffic.peak_second))
    if not used or share_used > worst:
        return Cause(label=f"the {tightest.label}", path=tightest.path, utilization=share_used)
    near = [key for key, value in used.items() if value >= min(worst, 1.0) * 0.98]
    depth = list(state.responses)  # the called first
    key = min(near, key=lambda k: (depth.index(k[0]), bought_of(one.scenario.tiers[k[0]], k[1]).order))
    path = f"tiers.{key[0]}.{key[1]}"
    return Cause(label=study.middle.resources[path].label, path=path, utilization=used[key])


def holds_with(study: Study, name: str) -> tuple[FloatArray, float]:
    """P(objective holds) by month with today's fleet, and the confidence it asks for."""
    judged = study.worlds.judged[name]
    return np.asarray(judged.holds.mean(axis=0)), float(np.median(judged.objective.confidence))


def first_below(p: FloatArray, asked: float) -> float:
    """First month in which a probability is below what was asked; inf where it never is."""
    below = np.flatnonzero(p < asked)
    return float(below[0]) if below.size else float("inf")


def _objectives(study: Study) -> Iterator[Finding]:
    starts = {name: first_below(*holds_with(study, name)) for name in study.worlds.judged}
    soonest = min(starts, key=lambda n: starts[n], default="")
    for name, judged in study.worlds.judged.items():
        p, asked = holds_with(study, name)
        last, start = min(until(judged.objective), p.size - 1), first_below(p, asked)
        kind = BROKEN if start <= last else RISK if start <= last + 6 else HOLDS
        month = min(int(start), last) if np.isfinite(start) else last
        yield Finding(
            kind=kind, phase=1, about=name, rule=f"{promise(name, judged.objective)}, with {percent(asked)} confidence until {month_name(str(study.scenario.as_of), last)}",
            title=_title(study, name, judged, start, last), month=start, value=_value(study, name, judged, month), reason=_reason(study, judged, month, kind),
            remedy="" if kind != BROKEN else remedy(study) if name == soonest else "see the orders in chapter 0" if study.fleet.fails_from is None or study.fleet.fails_from > last else "see the options; the orders alone do not keep every promise", price_usd=_extra(study) if kind == BROKEN else None,
        )  # fmt: skip


def _title(study: Study, name: str, judged: Judged, start: float, last: int) -> str:
    if start <= last:
        return miss(judged.objective, study, int(start), *holds_with(study, name))
    if np.isfinite(start):
        return f"{name.capitalize()} holds until {month_name(str(study.scenario.as_of), start - 1)}"
    return f"{name.capitalize()} holds for all {study.worlds.rps.shape[1] - 1} months of the plan"


def _value(study: Study, name: str, judged: Judged, month: int) -> str:
    p = f"P(holds) {percent(float(judged.holds[:, 0].mean()))} now, {percent(float(judged.holds[:, month].mean()))} in {month_name(str(study.scenario.as_of), month)}"
    objective = judged.objective
    if isinstance(objective, Latency):
        also = "28 days" if objective.over == "peak hour" else "the peak hour"
        slow = float(np.median(judged.value[:, 0]))
        other = float(np.median(judged.also[:, 0])) if judged.also is not None else float("nan")
        return f"{share(slow)} of requests slower than the target today ({share(other)} judged over {also}), {share(1 - float(np.median(objective.percentile)))} allowed; {p}"
    if isinstance(objective, Throughput | Users):
        return f"tightest place {_used(judged.value[:, 0])} used today, {_used(judged.value[:, month])} in {month_name(str(study.scenario.as_of), month)}; {p}"
    return (
        f"{share(float(np.median(judged.value[:, 0])))} bad today, {share(float(np.median(judged.bound)))} allowed{_why_bound(judged)}; {p}"
    )


def _why_bound(judged: Judged) -> str:
    objective = judged.objective
    stricter = isinstance(objective, Errors) and float(np.median(judged.bound)) < float(np.median(objective.below)) * (1 - 1e-9)
    return " (the availability promise of this journey binds)" if stricter else ""


def _used(values: FloatArray) -> str:
    middle = float(np.median(values))
    return share(middle) if np.isfinite(middle) else "fully"


def _reason(study: Study, judged: Judged, month: int, kind: str) -> str:
    if isinstance(judged.objective, Errors):
        for other in study.scenario.objectives.values():
            if isinstance(other, Availability) and other.journey == judged.objective.journey:
                return "availability counted in requests is the stricter promise; see that finding"
    if isinstance(judged.objective, Availability):
        return "every tier on the path must be up, each for the share of requests that reach it; failures are taken as independent"
    if isinstance(judged.objective, Completion):
        station = study.middle.carried.stations[judged.objective.queue, "workers"]
        return f"{judged.objective.queue} workers are {share(float(np.ravel(station.utilization + 0 * study.middle.rps)[month]))} busy in {month_name(str(study.scenario.as_of), month)}"
    if isinstance(judged.objective, Users):
        return "judged at the load of that many users, whatever the forecast says"
    worst = cause(study, month)
    used = share(worst.utilization) if np.isfinite(worst.utilization) else "more than fully"
    return f"in the peak second of {month_name(str(study.scenario.as_of), month)} {worst.label} are {used} used at the median" + (
        "" if kind != HOLDS else ", and still enough"
    )


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
    from perfplan.plan import plan, with_counts

    counts = study.fleet.counts_at(month)
    one = plan(
        with_counts(study.scenario, counts),
        study.middle.rps[:, month : month + 1] * study.scenario.traffic.peak_second,
        percentiles=(),
        objectives=(),
    )
    fixed = {r.label: float(r.utilization[0, 0]) for r in one.resources.values() if not r.ours}
    worst = max(fixed, key=lambda k: fixed[k], default="")
    if worst and fixed[worst] >= 0.85:
        return f"{worst} is {share(fixed[worst])} used in the peak second, and cannot be bought"
    slow = [n for n, j in study.worlds.judged.items() if float(j.holds[:, month].mean()) < float(np.median(j.objective.confidence))]
    return f"what remains is {listed(slow)}: no count that was tried changes it enough" if slow else "no count that was tried is enough"


def _extra(study: Study) -> float:
    return float(np.median(study.fleet.cost_usd[:, study.last] - study.worlds.cost_month_usd[:, study.last]))


def bought(study: Study, orders: list[Order]) -> str:
    """What orders add in all, dearest first, such as "2 replicas and 12 api instances"."""
    return listed([text for _, text in _added(study, orders)])


def _added(study: Study, orders: list[Order]) -> list[tuple[float, str]]:
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for order in orders:
        for path, (old, new) in order.changes.items():
            before.setdefault(path, old)
            after[path] = new
    rows = []
    for path, new in after.items():
        resource = study.worlds.resources.get(path)
        noun = resource.label if resource else path
        price = unit_price(study, path) * (new - before[path])
        rows.append((price, plural(new - before[path], noun)))
    return sorted(rows, key=lambda r: (-r[0], r[1]))


def unit_price(study: Study, path: str) -> float:
    """What one more of *path* costs per month."""
    _, tier, name = path.split(".")
    one = study.scenario.tiers[tier]
    return next((bought.price_usd(one) for bought in kind_of(one).owned.bought if bought.field == name), 0.0)


def lead_time_s(study: Study, path: str) -> float:
    """Lead time of what is bought under *path*."""
    return lead_time_of(study.scenario, path)


# ---- resources ----


def _resources(study: Study) -> Iterator[Finding]:
    asked = max(float(np.median(j.objective.confidence)) for j in study.worlds.judged.values())
    for out in study.run_outs:
        resource = out.resource
        early = out.quantile(1 - asked)
        used = float(np.median(resource.utilization[:, 0]))
        limit = float(np.median(resource.limit))
        kind = RISK if early <= study.last else HOLDS
        as_of = str(study.scenario.as_of)
        lead = lead_time_s(study, resource.path)
        due = study.order_by(early, lead) if np.isfinite(early) else None
        price = unit_price(study, resource.path) if resource.ours else None
        yield Finding(
            kind=kind, phase=2, about=resource.path, month=early, price_usd=price,
            title=_run_out_title(out, as_of, early),
            rule=f"utilization at the peak hour at most {share(limit)}" + (" (N + 1 and the peak second included)" if resource.field in ("instances", "workers", "replicas") else ""),
            value=f"{share(used)} {f'of {count(resource.count)} ' if resource.ours else ''}used today; runs out P5 {month_name(as_of, out.quantile(0.05), short=True)}, P50 {month_name(as_of, out.quantile(0.5), short=True)}, P95 {month_name(as_of, out.quantile(0.95), short=True)}",
            reason=f"{share(float(np.median(resource.utilization[:, study.last])))} in {month_name(as_of, study.last)} at the median" if np.isfinite(np.median(resource.utilization[:, study.last])) else f"saturated in {month_name(as_of, study.last)} at the median",
            remedy=f"order by {day_name(due)} (lead time {weeks(lead)}, {percent(asked)} confidence)" + (f"; one more costs {money(price)} a month" if price else "") if due else "",
        )  # fmt: skip


def _run_out_title(out: RunOut, as_of: str, early: float) -> str:
    name = out.resource.label
    one = out.resource.field in ("storage_limit", "limit", "link")
    name = name[0].upper() + name[1:]
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
    for name, objective in study.scenario.objectives.items():
        for other_name, other in study.scenario.objectives.items():
            if isinstance(objective, Errors) and isinstance(other, Availability) and other.journey == objective.journey:
                below, above = float(np.median(objective.below)), float(np.median(other.above))
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
    for name, tier in study.scenario.tiers.items():
        if not isinstance(tier, Cache):
            continue
        hit = float(np.median(study.middle.carried.hit_ratio[name]))
        reads = float(np.ravel(study.middle.carried.calls_rps[name] + 0 * study.middle.rps)[0])
        origin = study.scenario.tiers[tier.origin]
        if hit > 0.9999 or reads == 0:
            continue
        cold = reads / max(reads * (1 - hit), 1e-9)
        yield Finding(
            kind=RISK if cold > 5 else HOLDS, phase=2, about=f"tiers.{name}", month=0,
            title=f"Without {name}, {tier.origin} would get {number(reads * hit)} more calls a second",
            rule="losing the cache must not take its origin down", value=f"hit ratio {share(hit)}: {number(reads)} look-ups a second, {number(reads * (1 - hit))} misses",
            reason=f"a cold cache sends {number(cold)} times its usual misses to {tier.origin} ({origin.kind})",
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
    from perfplan.sweeps import todays_knee

    found = todays_knee(study)
    wanted = float(np.median(study.scenario.headroom))
    has = found.rps / found.peak_rps
    first = found.saturated[found.first]
    tight = (
        f"{found.first.removeprefix('tiers.').replace('.', ' ')} saturate first, at {rate(first)}"
        if np.isfinite(first)
        else "nothing saturates within eight times today's peak"
    )
    broken = f"; broken at any load: {listed(found.always)}" if found.always else ""
    title = (
        f"Load breaks the first promise at {number(has)} times today's peak"
        if np.isfinite(has)
        else "No load that was tried breaks a promise"
    )
    yield Finding(
        kind=HOLDS if has >= wanted and not found.always else RISK, phase=1, about="headroom", month=0, rule=f"at least {number(wanted)} times today's peak (the checklist asks for 2, and recommends 3)",
        title=title + broken, value=f"{rate(found.rps)} against a peak of {rate(found.peak_rps)}" if np.isfinite(has) else f"more than 8 times {rate(found.peak_rps)}", reason=tight,
        remedy="a fixed factor is a rule of thumb: what the objectives need, month by month, is in the orders" if has < wanted else "",
    )  # fmt: skip


def _budgets(study: Study) -> Iterator[Finding]:
    """A budget that is predicted to be spent below the point at which deployments freeze."""
    freeze = float(np.median(study.scenario.freeze_at))
    for name, judged in study.worlds.judged.items():
        if isinstance(judged.objective, Availability):
            left = float(np.median(left_of_budget(judged)[:, 0]))
            if left < freeze:
                words = f"{share(left)} of its budget left" if left > 0 else "none of its budget left"
                yield Finding(
                    kind=RISK, phase=5, about=name, month=0, title=f"{name.capitalize()} would have {words}: deployments would be frozen",
                    rule=f"deployments stop below {share(freeze)} of the error budget", value=f"{share(float(np.median(judged.value[:, 0])))} of requests fail as predicted, {share(float(np.median(judged.bound)))} may",
                    reason="the availabilities stated for the tiers add up to nearly the whole budget", remedy="a more available database, balancer or partner, or a promise that leaves room",
                )  # fmt: skip


def _timeouts(study: Study) -> Iterator[Finding]:
    for one in broken(ladder(study)):
        low, high = one.lower, one.upper
        times = f" x {one.times:g}" if one.times != 1 else ""
        yield Finding(
            kind=RISK, phase=3, about=low.path if low.stated else high.path, month=0, title=f"{low.label[0].upper()}{low.label[1:]} may last longer than {high.label}",
            rule=one.rule, value=f"{low.path} {duration(low.value_s)}{times} against {high.path} {duration(high.value_s)}",
            reason=f"{low.path}: {low.why}; {high.path}: {high.why}",
            remedy=f"state {low.path} below {duration(high.value_s / one.times)}, or {high.path} above {duration(low.value_s * one.times)}",
        )  # fmt: skip


def left_of_budget(judged: Judged) -> FloatArray:
    """Share of the error budget that is left at the predicted share of bad requests over 28 days, (worlds, months)."""
    peak_hour = isinstance(judged.objective, Latency) and judged.objective.over == "peak hour" and judged.also is not None
    return budget_left(1 - np.asarray(judged.bound), judged.also if peak_hour and judged.also is not None else judged.value)
