"""How each item that perfplan can answer is answered: a rule, the function that computes it, the chapter that shows it.

An item stands here only if the function under `formula` is called for it (a test watches). Where the scenario lacks what a rule
needs, the rule returns None and the item stays unanswered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfplan.artifacts import configs, k6, nginx, prometheus
from perfplan.artifacts.runbook import runbook
from perfplan.models import availability, caching, capacity, cost, distributions, growth, latency, queueing, slo
from perfplan.models.capacity import month_quantile
from perfplan.models.growth import in_flight
from perfplan.models.slo import DAYS_28, DAYS_30, error_budget_s
from perfplan.operate import cache, database, tended
from perfplan.operate.kind import STATES, Part, run_out, today, worst
from perfplan.plan import burst, concurrency, judge, paths
from perfplan.plan.paths import origins
from perfplan.plan.resources import STORAGE
from perfplan.plan.uptime import path_availability, visits_of
from perfplan.promises import counted, kind_of, timed
from perfplan.promises.kind import Jobs, Timed
from perfplan.quantity import median
from perfplan.reading import history
from perfplan.study import Study, study
from perfplan.study.ladder import ladder
from perfplan.study.levels import MVP
from perfplan.study.options import try_options
from perfplan.study.sweeps import knee, pools, shares_of_latency, todays_knee
from perfplan.study.verdicts import holds_with, of_promise
from perfplan.study.worlds import ASKED
from perfplan.subjects import ambition
from perfplan.subjects.kind import Found
from perfplan.tiers.place import LINK, Place
from perfplan.tiers.rungs import CLIENT, POOL, REQUEST
from perfplan.words import duration, listed, money, month_name, number, percent, plural, rate, share, size


@dataclass(frozen=True)
class Rule:
    """An item's rule, its chapter and the function that computes its number."""

    judge: Callable[[Study], Found | None]
    place: str
    formula: Callable[..., Any]


# ---- small helpers ----


def _timed(study: Study) -> dict[str, Timed]:
    found = {name: timed(one) for name, one in study.scenario.objectives.items()}
    return {name: one for name, one in found.items() if one is not None}


def _up(study: Study) -> dict[str, float]:
    """The availabilities that are promised, at the median."""
    found = {name: counted(one) for name, one in study.scenario.objectives.items()}
    return {name: median(one.good) for name, one in found.items() if one is not None and one.down}


def _verdict_of(study: Study, names: Iterable[str]) -> str:
    """The worst of what items call the verdicts of promises."""
    return worst(tuple(STATES[of_promise(study, name).word] for name in names))


def _objectives(study: Study, names: Iterable[str]) -> Found | None:
    """The named promises, with P today and in the last month asked for."""
    parts = [
        f"{n}: P(holds) {percent(float(holds_with(study, n)[0][0]))} now, {percent(float(holds_with(study, n)[0][study.last]))} in {month_name(str(study.scenario.as_of), study.last)}"
        for n in names
    ]
    return Found(text="; ".join(parts), verdict=_verdict_of(study, names)) if parts else None


def _parts(study: Study, item: str) -> list[Part]:
    """What each tier whose kind answers an item says to it."""
    answers = {name: tended(tier).items.get(item) for name, tier in study.scenario.tiers.items()}
    said = (answer(study, name, study.scenario.tiers[name]) for name, answer in answers.items() if answer is not None)
    return [part for part in said if part is not None]


def _by_tier(item: str, before: str = "", after: str = "", sep: str = "; ") -> Callable[[Study], Found | None]:
    """An item that kinds of tiers answer (`operate/`): what each tier says, and the worst verdict."""

    def judge(study: Study) -> Found | None:
        parts = _parts(study, item)
        text = before + sep.join(part.text for part in parts) + after
        return Found(text=text, verdict=worst(tuple(part.verdict for part in parts))) if parts else None

    return judge


# ---- phase 1 ----


def _expectations(study: Study) -> Found:
    promised = {one.journey for one in _timed(study).values()}
    lacking = [j for j in study.scenario.journeys if j not in promised]
    text = f"{len(study.scenario.objectives)} objectives over {len(study.scenario.journeys)} journeys"
    return Found(text=text + (f"; no latency objective for {listed(lacking)}" if lacking else ""), verdict="at risk" if lacking else "met")


def _patterns(study: Study) -> Found:
    history = study.statement.history
    if history is None:
        return Found(text="no traffic history: the usual week of a consumer service is assumed", verdict="at risk")
    return Found(
        text=f"{history.file}: {len(history.weekly_peak_rps)} weeks; mean hour {share(float(np.mean(history.week)))} of the busiest",
        answer="measured",
    )


def _growth(study: Study) -> Found:
    as_of = str(study.scenario.as_of)
    parts = [
        f"{month_name(as_of, m)} {rate(median(study.worlds.rps[:, m]))} ({number(float(np.quantile(study.worlds.rps[:, m], 0.05)))} … {number(float(np.quantile(study.worlds.rps[:, m], 0.95)))})"
        for m in ASKED
    ]
    return Found(text=", ".join(parts))


def _critical(study: Study) -> Found | None:
    names = sorted({one.journey for one in _timed(study).values()})
    return (
        Found(
            text=f"latency is promised for {listed(names)}, {share(sum(median(study.scenario.journeys[n].share) for n in names))} of all requests"
        )
        if names
        else None
    )


def _regions(study: Study) -> Found:
    regions = study.scenario.regions
    text = ", ".join(f"{n} {share(median(r.share))} at {duration(median(r.round_trip_s))}" for n, r in regions.items())
    slow = [n for n, r in regions.items() for one in _timed(study).values() if median(r.round_trip_s) > median(one.below_s)]
    return Found(text=text, verdict="at risk" if slow else "met")


def _latency(study: Study) -> Found | None:
    found = _objectives(study, _timed(study))
    if found is None:
        return None
    rows = [f"{n} p50/p95/p99 {' / '.join(duration(float(v[0, 0])) for v in ps.values())}" for n, ps in study.middle.percentile_s.items()]
    return Found(text="; ".join(rows) + "; " + found.text, verdict=found.verdict)


def _throughput(study: Study) -> Found | None:
    return _objectives(study, [name for name, one in study.scenario.objectives.items() if kind_of(one).judges.peak_second])


def _peak_second(study: Study) -> Found:
    return Found(text=f"peak hour {rate(today(study, study.middle.rps))}, peak second {rate(today(study, study.middle.second_rps))}")


def _users(study: Study) -> Found:
    users, flying = concurrency(study.middle)
    verdict = _verdict_of(study, [name for name, one in study.scenario.objectives.items() if kind_of(one).says.users(one) is not None])
    return Found(text=f"{number(today(study, users))} users at once, {number(today(study, flying))} requests in flight", verdict=verdict)


def _availability(study: Study) -> Found | None:
    found = _objectives(study, _up(study))
    if found is None:
        return None
    up = [f"{n} {share(float(path_availability(study.middle.scenario, study.middle.carried, n)[0, 0]))}" for n in study.scenario.journeys]
    return Found(text=f"composed from tiers: {', '.join(up)}; {found.text}", verdict=found.verdict)


def _uptime(study: Study) -> Found | None:
    promised = _up(study)
    text = "; ".join(f"{n}: {share(up)} allows {duration(float(error_budget_s(up, DAYS_30)))} in 30 days" for n, up in promised.items())
    return Found(text=text) if promised else None


def _budget(study: Study) -> Found | None:
    parts = [
        f"{n}: {duration(float(error_budget_s(up, DAYS_28)))} in 28 days, {duration(float(error_budget_s(up, DAYS_30)))} in 30"
        for n, up in _up(study).items()
    ]
    return Found(text="; ".join(parts)) if parts else None


def _freeze(study: Study) -> Found | None:
    promised = _up(study)
    at = median(study.scenario.freeze_at)
    text = "; ".join(
        f"{n}: deployments stop when {duration(at * float(error_budget_s(up, DAYS_30)))} of 30 days are left" for n, up in promised.items()
    )
    return Found(text=f"{text}; nothing shows that the policy is in force", verdict="at risk") if promised else None


def _slis(study: Study) -> Found:
    return Found(text=f"each of the {len(study.scenario.objectives)} objectives has the definition of its indicator in chapter 1")


def _headroom(study: Study) -> Found:
    found = todays_knee(study)
    has, wanted = found.rps / found.peak_rps, median(study.scenario.headroom)
    return Found(
        text=f"{number(has)} times today's peak before a promise breaks; {number(wanted)} wanted, 3 recommended",
        verdict="met" if has >= 3 else "at risk" if has >= wanted else "not met",
    )


def _volume(study: Study, tier: str) -> tuple[str, str]:
    place = Place(tier, STORAGE)
    return run_out(study, place) if place in study.middle.resources else ("no limit of its own", "met")


def _storage(study: Study) -> Found | None:
    names = list(study.middle.stored_bytes)
    if not names:
        return None
    texts, verdicts = zip(*(_volume(study, n) for n in names), strict=True)
    return Found(
        text="; ".join(
            f"{n}: {size(today(study, study.middle.stored_bytes[n]))} now, {size(today(study, study.middle.stored_bytes[n], 36))} in 36 months, {t}"
            for n, t in zip(names, texts, strict=True)
        ),
        verdict=worst(verdicts),
    )


def _bandwidth(study: Study) -> Found:
    text, verdict = run_out(study, LINK)
    return Found(
        text=f"{size(today(study, study.middle.sent_bytes))}/s out, {size(today(study, study.middle.received_bytes))}/s in at the peak hour; the link {text}",
        verdict=verdict,
    )


def _burst(study: Study) -> Found:
    backlog, drain, name = burst(study.middle)
    waiting = today(study, backlog)
    text = f"a burst of {number(median(study.scenario.traffic.peak_second))} times for {duration(median(study.scenario.traffic.burst_s))} leaves {number(waiting)} requests waiting for {name}"
    return Found(
        text=f"{text}, gone after {duration(today(study, drain))}" if waiting else f"{text}: it is carried",
        verdict="met" if waiting == 0 else "at risk",
    )


# ---- phase 2 ----


def _breakpoints(study: Study) -> Found:
    found = todays_knee(study)
    return Found(
        text=f"{found.saturates}; load breaks the first promise above {rate(found.rps)}"
        + (f"; broken at any load: {listed(found.always)}" if found.always else ""),
        verdict="met" if found.rps > found.peak_rps * 2 else "at risk",
    )


def _jobs(study: Study) -> dict[str, Jobs]:
    found = {name: kind_of(one).says.jobs(one) for name, one in study.scenario.objectives.items()}
    return {name: one for name, one in found.items() if one is not None}


def _queue_depth(study: Study) -> Found | None:
    parts = []
    for jobs in _jobs(study).values():
        rps = today(study, study.middle.carried.calls_rps[jobs.tier])
        parts.append(f"{jobs.tier}: {number(float(in_flight(rps, median(jobs.below_s))))} jobs in the queue at its target")
    return Found(text="; ".join(parts) + "; no policy is shown to be deployed", verdict="at risk") if parts else None


def _hierarchy(study: Study) -> Found | None:
    caches = origins(study.scenario)
    if not caches and study.scenario.cdn is None:
        return None
    parts = (
        [
            f"edge answers {share(sum(today(study, study.middle.carried.edge[n]) * median(j.share) for n, j in study.scenario.journeys.items()))} of all requests"
        ]
        if study.scenario.cdn
        else []
    )
    parts += [f"{n} hits {share(today(study, study.middle.carried.hit_ratio[n]))}" for n in caches]
    return Found(text="; ".join(parts) + "; with a cold cache its origin is not yet modelled", verdict="at risk")


def _edge(study: Study) -> Found | None:
    return (
        Found(
            text=f"edge hit ratio {share(median(study.scenario.cdn.hit_ratio))} as stated",
            verdict="met" if median(study.scenario.cdn.hit_ratio) >= MVP.hits else "at risk",
        )
        if study.scenario.cdn
        else None
    )


def _sharding(study: Study) -> Found | None:
    parts = _parts(study, "2.3.5")
    needed = any(part.verdict != "met" for part in parts)
    return Found(text="; ".join(part.text for part in parts), verdict="at risk" if needed else "not applicable") if parts else None


def _static(study: Study) -> Found | None:
    if study.scenario.cdn is None:
        return None
    all_bytes = today(study, study.middle.edge_bytes)
    return Found(
        text=f"the edge carries {size(all_bytes)}/s at the peak, {size(today(study, study.middle.sent_bytes))}/s still leave the data centre"
    )


def _cacheable(study: Study) -> Found | None:
    if study.scenario.cdn is None:
        return None
    return Found(text=", ".join(f"{n} {share(median(j.cacheable))} cacheable" for n, j in study.scenario.journeys.items()))


# ---- phases 3, 5, 6 and the quick reference ----


def _batching(study: Study) -> Found | None:
    tried = [t for t in study.options if any(".calls." in o for o in t.overrides)]
    return (
        Found(
            text="; ".join(
                f"{t.name}: P(all hold) {percent(t.p_all)} in {month_name(str(study.scenario.as_of), study.last)}" for t in tried
            ),
            verdict="at risk",
        )
        if tried
        else None
    )


def _cost(study: Study) -> Found:
    cost = median(study.worlds.cost_month_usd[:, 0])
    requests = median(study.worlds.month_requests[:, 0])
    per = f", {money(cost / requests * 1e6)} per million requests" if requests > 0 else ""
    return Found(text=f"{money(cost)} a month today{per}; list prices as stated")


def _document(study: Study) -> Found:
    return Found(text=f"plan.html of {study.as_of}, made from these inputs", answer="artefact")


def _database_share(study: Study) -> Found | None:
    names = [place.tier for place in pools(study)]
    rows = shares_of_latency(study)
    reach = {j: visits_of(study.scenario, j, study.middle.carried.hit_ratio) for j in rows}
    parts = []
    for journey, shares in rows.items():
        total = sum(sum(v) for v in shares.values())
        inside = sum(today(study, reach[journey].get(n, 0.0)) * today(study, study.middle.carried.responses[n].mean_s) for n in names)
        parts.append(f"{journey} {share(min(inside / total, 1.0))}")
    return Found(text=f"share of the mean response time that is spent in databases: {', '.join(parts)}") if names else None


def _limit(study: Study) -> Found:
    return Found(text=todays_knee(study).saturates)


def _run_out_months(study: Study) -> Found:
    soonest = min(month_quantile(r.months, 0.05) for r in study.run_outs)
    return Found(
        text=f"first resource runs out in {month_name(str(study.scenario.as_of), soonest)} (P5); orders and dates stand in chapter 0",
        answer="artefact",
    )


# ---- files that leave the page ----


def _file(pattern: str, what: str) -> Callable[[Study], Found | None]:
    """An item that generated files answer; nobody has shown yet that they are deployed."""

    def judge(study: Study) -> Found | None:
        names = [name for name in configs(study) if re.fullmatch(pattern, name)]
        files = listed([f"configs/{name}" for name in names])
        return (
            Found(f"{files}: {what}; judged in configs/judged.json; not deployed, as far as is known", "at risk", "artefact")
            if names
            else None
        )

    return judge


def _ladder(study: Study) -> Found | None:
    made = ladder(study)
    if not any(rung.role == POOL for rung in made.rungs):
        return None
    wrong = [r for r in made.relations if not r.holds]
    steps = ", ".join(f"{r.label} {duration(r.value_s)}" for r in made.rungs if r.role in (POOL, REQUEST, CLIENT))
    return Found(f"{steps}; {len(wrong)} of {len(made.relations)} relations are wrong", "not met" if wrong else "met")


def _idle(study: Study) -> Found | None:
    made = ladder(study)
    rows = [r for r in made.relations if "idle" in r.rule]
    wrong = [r for r in rows if not r.holds]
    return (
        Found(
            "; ".join(f"{r.lower.label} {duration(r.lower.value_s)} < {r.upper.label} {duration(r.upper.value_s)}" for r in rows),
            "not met" if wrong else "met",
        )
        if rows
        else None
    )


def _calendar(study: Study) -> Found | None:
    orders = sum(o.month <= study.last for o in study.fleet.orders)
    return Found(
        f"configs/runbook.md: what to look at every week and every month, and {plural(orders, 'orders')} by date", "at risk", "artefact"
    )


_1, _2, _3, _4, _5, _6 = "1_requirements", "2_architecture", "3_implementation", "4_testing", "5_monitoring", "6_optimization"
_POOL, _REDIS, _NGINX, _K6, _ALERTS, _RUNBOOK = (
    r"pgbouncer-.*\.ini",
    r"redis-.*\.conf",
    r"nginx\.conf",
    r"load_test\.js",
    r"alerts\.yml",
    r"runbook\.md",
)
RULES: dict[str, Rule] = {
    "1.1.1": Rule(_expectations, _1, judge),
    "1.1.2": Rule(_patterns, _1, history.read_history),
    "1.1.3": Rule(_growth, _1, growth.grown),
    "1.1.4": Rule(_critical, _1, judge),
    "1.1.5": Rule(_regions, _1, paths.round_trip),
    "1.2.1": Rule(_latency, _1, latency.percentiles_s),
    "1.2.1.a": Rule(lambda s: _objectives(s, _timed(s)), _1, latency.exceeds),
    "1.2.1.c": Rule(lambda s: _objectives(s, _jobs(s)), _1, queueing.MMc.response_exceeds),
    "1.2.2": Rule(_throughput, _1, judge),
    "1.2.2.a": Rule(_peak_second, _1, growth.peak_rps),
    "1.2.2.b": Rule(_users, _1, growth.concurrent_users),
    "1.2.3": Rule(_availability, _1, availability.in_series),
    "1.2.3.a": Rule(_uptime, _1, slo.error_budget_s),
    "1.2.4": Rule(_budget, _1, slo.error_budget_s),
    "1.2.4.a": Rule(_budget, _1, slo.error_budget_s),
    "1.2.4.b": Rule(_freeze, _1, slo.error_budget_s),
    "1.2.5": Rule(_slis, _1, judge),
    "1.3.1": Rule(_peak_second, _1, growth.peak_rps),
    "1.3.2": Rule(_headroom, _1, knee),
    "1.3.3": Rule(_storage, _1, capacity.first_month),
    "1.3.4": Rule(_bandwidth, _1, capacity.first_month),
    "1.3.5": Rule(_burst, _1, growth.burst_backlog),
    "2.1.3.a": Rule(
        _by_tier("2.1.3.a", "highest utilization before a promise breaks: ", "; no policy is shown to be deployed", ", "), _2, knee
    ),
    "2.1.3.c": Rule(_queue_depth, _2, growth.in_flight),
    "2.1.4": Rule(_breakpoints, _2, knee),
    "2.2.1": Rule(_hierarchy, _2, caching.lru_hit_ratio),
    "2.2.1.b": Rule(_edge, _2, paths.edge_share),
    "2.2.1.c": Rule(_by_tier("2.2.1.c", sep=", "), _2, caching.lru_hit_ratio),
    "2.2.2.a": Rule(_by_tier("2.2.2.a"), _2, caching.miss_rate),
    "2.3.1.a": Rule(_by_tier("2.3.1.a"), _2, queueing.MMc),
    "2.3.1.c": Rule(_by_tier("2.3.1.c"), _2, queueing.MMc),
    "2.3.3": Rule(_by_tier("2.3.3"), _2, queueing.erlang_c),
    "2.3.3.a": Rule(_by_tier("2.3.3.a"), _2, queueing.MMc),
    "2.3.4": Rule(_by_tier("2.3.4", after="; lag is not modelled yet"), _2, queueing.MMc),
    "2.3.5": Rule(_sharding, _2, capacity.first_month),
    "2.4.1.a": Rule(_by_tier("2.4.1.a"), _2, queueing.MMc),
    "2.4.1.b": Rule(_by_tier("2.4.1.b"), _2, distributions.Lognormal),
    "2.4.1.c": Rule(_by_tier("2.4.1.c"), _2, queueing.MMc),
    "2.4.1.d": Rule(_by_tier("2.4.1.d"), _2, queueing.MMc),
    "2.5.1.a": Rule(_static, _2, cost.traffic_month_usd),
    "2.5.1.b": Rule(_cacheable, _2, paths.edge_share),
    "3.1.3": Rule(_by_tier("3.1.3"), _3, queueing.MMc),
    "3.1.4.a": Rule(_batching, _3, try_options),
    "2.3.3.b": Rule(_ladder, _3, ladder),
    "2.3.3.c": Rule(_idle, _3, ladder),
    "2.5.3": Rule(_file(_NGINX, "cache headers of static files and of each journey"), _3, nginx.nginx),
    "3.2.3": Rule(_file(_POOL, "pool sizes and time-outs of the plan"), _3, database.pgbouncer),
    "3.2.3.a": Rule(_file(_POOL, "pool mode, sizes, limits and time-outs"), _3, database.pgbouncer),
    "3.3.1.a": Rule(_file(_REDIS, "memory, eviction and clients of a node"), _3, cache.redis),
    "3.4.1": Rule(_file(_NGINX, "upstreams of the planned instances, limits and time-outs"), _3, nginx.nginx),
    "3.5.3": Rule(_file(_NGINX, "gzip for text; Brotli needs a module that Debian's package lacks"), _3, nginx.nginx),
    "4.1.2": Rule(_file(_K6, "journeys with their shares as open arrivals"), _4, k6.load_test),
    "4.1.3": Rule(_file(_K6, "promises as thresholds, dropped iterations included"), _4, k6.thresholds),
    "4.1.3.a": Rule(_file(_K6, "a threshold for each latency promise"), _4, k6.thresholds),
    "5.2.1": Rule(_file(_ALERTS, "burn-rate alerts of every promise counted in requests"), _5, prometheus.rules),
    "5.2.1.a": Rule(_file(_ALERTS, "2 % of the budget within 1 h pages"), _5, slo.burn_rate),
    "5.2.1.b": Rule(_file(_ALERTS, "5 % of the budget within 6 h pages"), _5, slo.burn_rate),
    "5.2.1.c": Rule(_file(_ALERTS, "10 % of the budget within 3 days opens a ticket"), _5, slo.burn_rate),
    "5.2.2": Rule(_file(_ALERTS, "CPU, memory and disk"), _5, prometheus.rules),
    "5.2.2.a": Rule(_file(_ALERTS, "CPU above 80 % for 5 minutes"), _5, prometheus.rules),
    "5.2.2.b": Rule(_file(_ALERTS, "memory above 85 % for 5 minutes"), _5, prometheus.rules),
    "5.2.2.c": Rule(_file(_ALERTS, "disk above 90 % for 5 minutes"), _5, prometheus.rules),
    "6.1.1": Rule(_calendar, _6, runbook),
    "6.2.2": Rule(_file(_NGINX, "gzip for text; Brotli needs a module that Debian's package lacks"), _6, nginx.nginx),
    "6.2.4": Rule(_file(_POOL, "a pooler in front of the database"), _6, database.pgbouncer),
    "6.3.3": Rule(_file(_RUNBOOK, "the five common issues with this system's numbers"), _6, runbook),
    "CB.4": Rule(_file(_NGINX, "public, immutable, 30 days for files with a hash in their name"), _3, nginx.nginx),
    "CB.5": Rule(_file(_K6, "k6 options with stages and thresholds"), _4, k6.load_test),
    "5.3.3.c": Rule(_cost, _5, cost.machines_month_usd),
    "6.2.8": Rule(_batching, _6, try_options),
    "6.3.1": Rule(_document, _6, study),
    "6.3.2": Rule(_document, _6, study),
    "6.3.5": Rule(_run_out_months, _6, capacity.month_quantile),
    "CB.1": Rule(_peak_second, _1, growth.peak_rps),
    **{one.id: Rule(one.judge, one.place, one.formula) for one in ambition.ITEMS},
    "CI.1": Rule(_database_share, _2, shares_of_latency),
    "CI.3": Rule(_limit, _2, knee),
}
