"""Recording rules: each promise's share of bad requests over the windows of its alerts and over its own, what is left of its budget, and
what the plan says: limits, demand by month, cost.

The period's share is that of events, whatever came when: sums of what was bad over sums of all. Without traffic nothing is recorded.
"""

from __future__ import annotations

import numpy as np

from perfplan.models.slo import OCCURRENCES, SLICES
from perfplan.operate.series import bad_of, total_of
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, block, decimal, slug
from perfplan.plan.demand import MONTHS
from perfplan.promises import budget_of
from perfplan.promises.kind import Budgeted
from perfplan.quantity import MONTH, FloatArray, median, quantiles
from perfplan.study import Study
from perfplan.study.inside import inside_rps
from perfplan.study.sweeps import todays_knee
from perfplan.subjects.alerts import Burn, burns_of
from perfplan.subjects.signals import Asked, asked

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")  # of the alerts, short and long
STEP = "5m"


def recorded(source: Source) -> str:
    """The file."""
    first = list({one.objective: one for one in burns_of(source)}.values())
    groups: list[Tree] = [
        *[group for one in first for group in _sliced(source, one)],
        *[_group(f"objective {one.objective}", _objective(source, one)) for one in first],
        _group("signals", [_signal(one) for one in asked(source.study)]),
        _group("plan", _plan(source.study)),
    ]
    return f"{source.head('#', 'Prometheus recording rules')}{block({'groups': groups})}\n"


Rule = dict[str, Tree]


def _rule(record: str, expr: str, **labels: str) -> Rule:
    return {"record": record, "expr": expr, "labels": {**labels}}


def _group(name: str, rules: list[Rule]) -> Rule:
    return {"name": name, "rules": rules}


def _objective(source: Source, one: Burn) -> list[Rule]:
    """A promise's rules, each labelled with its slug."""
    name, of = slug(one.objective), one.counters
    at = f'{{objective="{name}"}}'
    rules = [
        _rule(f"slo:bad:ratio_rate{window}", f"{bad_of(of, window)} / ({total_of(of, window)} > 0)", objective=name) for window in WINDOWS
    ]
    rules += [
        _rule(f"slo:bad:rate{STEP}", bad_of(of, STEP), objective=name),
        _rule(f"slo:total:rate{STEP}", total_of(of, STEP), objective=name),
        _rule("slo:objective:ratio", f"vector({decimal(round(1 - one.budget, 12))})", objective=name),
        _rule("slo:error_budget:ratio", f"vector({decimal(one.budget)})", objective=name),
        _rule("slo:period:days", f"vector({one.days})", objective=name),
        _rule("slo:period_bad:ratio", _period(source, one, at), objective=name),
        _rule("slo:period_budget_left:ratio", f"1 - slo:period_bad:ratio{at} / slo:error_budget:ratio{at}", objective=name),
    ]
    rules += [
        _rule("slo:burn_rate:ratio", f"slo:bad:ratio_rate{window}{at} / slo:error_budget:ratio{at}", objective=name, window=window)
        for window in WINDOWS
    ]
    return rules


def _stated(source: Source, one: Burn) -> Budgeted:
    stated = budget_of(source.study.scenario.objectives[one.objective])
    assert stated is not None  # promises without a budget have no alerts
    return stated


def _sliced(source: Source, one: Burn) -> list[Rule]:
    """Where a budget counts slices of time: each slice as it ends, in a group that is evaluated once a slice."""
    stated = _stated(source, one)
    if stated.method == OCCURRENCES:
        return []
    step = f"{round(stated.slice_s)}s"
    share = f"{bad_of(one.counters, step)} / ({total_of(one.counters, step)} > 0)"
    if stated.method == SLICES:
        share = f"({share}) > bool {decimal(round(1 - stated.slice_good, 12))}"
    rule = _rule("slo:bad:slice", share, objective=slug(one.objective))
    return [{"name": f"slices of {one.objective}", "interval": step, "rules": [rule]}]


def _period(source: Source, one: Burn, at: str) -> str:
    """The bad share of the promise's window, as its budget counts it; a window of the calendar is a rolling one of as many days here."""
    window = f"{one.days}d"
    if _stated(source, one).method == OCCURRENCES:
        return f"sum_over_time(slo:bad:rate{STEP}{at}[{window}]) / (sum_over_time(slo:total:rate{STEP}{at}[{window}]) > 0)"
    return f"avg_over_time(slo:bad:slice{at}[{window}])"


def _signal(one: Asked) -> Rule:
    """One row of the table of signals."""
    labels = {one.kind: slug(one.name)} if one.name else {}
    return _rule(f"{one.row.about}:{one.row.signal.replace(' ', '_')}", one.query, **labels)


# ---- the plan ----


def _by_month(study: Study, values: FloatArray) -> str:
    """A number of each month as a function of time: that of the month that it is now."""
    start = (np.datetime64(study.as_of, "s") - np.datetime64(0, "s")).astype(float)
    edges = start + MONTH * np.arange(values.size + 1)
    rows = [
        f"vector({decimal(float(f'{value:.4g}'))}) and on () (vector(time()) >= {edges[m]:.0f} < {edges[m + 1]:.0f})"
        for m, value in enumerate(values)
    ]
    return " or ".join(rows)


def _plan(study: Study) -> list[Rule]:
    """What was planned: demand with its band, cost, the load at which something breaks, limits of what is used."""
    months = min(study.last + 1, MONTHS)
    demand = quantiles(inside_rps(study)[:, :months], (0.05, 0.5, 0.95))
    cost = np.median(study.fleet.cost_usd, axis=0)[:months]
    rules = [_rule(f"plan:peak_rps:{name}", _by_month(study, row)) for name, row in zip(("p5", "p50", "p95"), demand, strict=True)]
    rules.append(_rule("plan:cost_month_usd:p50", _by_month(study, cost)))
    knee, edge = todays_knee(study), float(inside_rps(study)[:, 0].mean() / study.worlds.rps[:, 0].mean())
    if np.isfinite(knee.rps):
        rules.append(_rule("plan:capacity_rps", f"vector({decimal(float(f'{knee.rps * edge:.4g}'))})"))
    for out in study.run_outs:
        one = out.resource
        limit = median(one.limit)
        if np.isfinite(limit):
            rules.append(
                _rule("plan:limit:ratio", f"vector({decimal(float(f'{limit:.4g}'))})", tier=slug(one.place.tier), field=one.place.field)
            )
    return rules
