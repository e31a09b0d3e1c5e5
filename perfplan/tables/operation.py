"""Tables of testing, monitoring and optimization: stages, predictions, burn rates, options, sensitivities."""

from __future__ import annotations

from typing import Any

import numpy as np

from perfplan.blocks import Column, Table
from perfplan.plan.resources import STORAGE, Resource
from perfplan.quantity import HOUR, median
from perfplan.scenario import Option
from perfplan.study import Study, confidence
from perfplan.study.sweeps import steady_knee, todays_knee
from perfplan.subjects.alerts import CPU, DISK, burns
from perfplan.subjects.loadtest import stages as test_stages
from perfplan.tables.common import frame_of, named_month, of_field
from perfplan.words import (
    capital,
    change,
    count,
    duration,
    money,
    number,
    percent,
    rate,
    share,
    weeks,
)


def stages(study: Study) -> Table:
    """Load-test stages around the predicted knee."""
    last, limit = float(np.quantile(study.worlds.rps[:, study.last], 0.95)), steady_knee(study)
    rows: list[dict[str, Any]] = [{"stage": one.name, "load_rps": one.most_rps, "proves": one.proves} for one in test_stages(study)]
    rows.append(
        {"stage": "next year", "load_rps": last, "proves": f"the fleet of {named_month(study, study.last)} carries P95 of its demand"}
    )
    return Table(
        name="stages", title=f"A steady test supports the plan if the first promise breaks near {rate(limit)}", subtitle="Arrival rates for an open load generator; the knee is the highest steady load at which every promise but that of the peak second holds, at the median.", frame=frame_of(rows),
        columns=(Column(key="stage", header="Stage"), Column(key="load_rps", header="Rate", write=rate, bar=True), Column(key="proves", header="What it proves")), stack=1,
    )  # fmt: skip


def predictions(study: Study) -> Table:
    """What a load test should measure, stage by stage: the prediction that is to be proved wrong."""
    found = todays_knee(study)
    limit = steady_knee(study)
    loads = np.array([0.5 * found.peak_rps, found.peak_rps, 0.9 * limit, limit])[None, :]
    state = study.middle.state.at(loads)
    rows: list[dict[str, Any]] = []
    for name in study.scenario.journeys:
        p50, p95, p99 = state.percentiles_s(name, (0.5, 0.95, 0.99))
        rows += [
            {
                "journey": name,
                "load_rps": float(loads[0, i]),
                "p50_s": float(p50[0, i]),
                "p95_s": float(p95[0, i]),
                "p99_s": float(p99[0, i]),
            }
            for i in range(loads.size)
        ]
    return Table(
        name="predictions", title="What a test should measure, written down before it is run", subtitle="Response times as the user sees them, every input at its median, today's fleet.", frame=frame_of(rows),
        columns=(Column(key="journey", header="Journey"), Column(key="load_rps", header="Rate", write=rate), *(Column(key=f"{p}_s", header=p, write=duration) for p in ("p50", "p95", "p99"))), stack=2,
    )  # fmt: skip


def burn_rates(study: Study) -> Table:
    """Burn-rate alerts: factor, windows, and the share of bad requests at which they fire."""
    rows: list[dict[str, Any]] = [
        {
            "objective": one.objective,
            "urgency": one.urgency,
            "spent": one.spent,
            "window_s": one.hours * HOUR,
            "factor": one.factor,
            "bad_share": min(one.limit, 1.0),
            "possible": one.possible,
        }
        for one in burns(study)
    ]
    dead = [r for r in rows if not r["possible"]]
    title = f"{len(dead)} alerts could never fire: their promise allows too much" if dead else "Every alert can fire"
    return Table(
        name="burn_rates", title=title if rows else "No promise to watch", subtitle="Factor = budget spent x window of the promise, 28 or 30 days / alert window (2 % in 1 h, 5 % in 6 h, 10 % in 3 days), as in alerts.yml.",
        frame=frame_of(rows or [{"objective": "none", "urgency": ""} | dict.fromkeys(("spent", "window_s", "factor", "bad_share"), float("nan"))]),
        columns=(Column(key="objective", header="Objective"), Column(key="urgency", header="Urgency"), Column(key="spent", header="Budget spent", write=share), Column(key="window_s", header="In", write=duration), Column(key="factor", header="Burn rate", write=number), Column(key="bad_share", header="Bad requests", write=lambda v: share(v) if v < 1 else "never fires")), stack=3,
    )  # fmt: skip


def watch(study: Study) -> Table:
    """What to watch: the utilization at which each resource must be ordered, against the usual alert thresholds."""
    rows: list[dict[str, Any]] = []
    for out in study.run_outs:
        one = out.resource
        rows.append(
            {
                "resource": one.label,
                "now": median(one.utilization[:, 0]),
                "limit": median(one.limit),
                "usual": _usual(one),
                "earlier": median(one.limit) < _usual(one),
            }
        )
    early = [r for r in rows if r["earlier"]]
    return Table(
        name="watch", title=f"{len(early)} of {len(rows)} resources must be watched below the usual alert threshold", subtitle="Utilization today, the limit this plan works with, and the threshold that checklists name (80 %; disks 90 %).", frame=frame_of(rows),
        columns=(Column(key="resource", header="Resource"), Column(key="now", header="Today", write=share, bar=True), Column(key="limit", header="Limit of the plan", write=share), Column(key="usual", header="Usual alert", write=share)), stack=3,
    )  # fmt: skip


def _usual(one: Resource) -> float:
    return DISK if one.place.field == STORAGE else CPU


def options(study: Study) -> Table:
    """Options in the same worlds, ranked by P, then by months gained."""
    rows: list[dict[str, Any]] = [{
        "option": t.name, "p_all": t.p_all, "months_gained": t.months_gained, "p95_change_s": t.p95_change_s, "cost_change_usd": t.cost_change_usd,
        "price_usd": t.price_usd, "effort_s": t.effort_s, "lead_time_s": t.lead_time_s, "by": "proposed" if t.proposed else "stated" if t.overrides else "",
    } for t in study.options]  # fmt: skip
    asked = confidence(study.scenario)
    best = study.options[0]
    month = named_month(study, study.last, short=False)
    name = f"{capital(best.name)}"
    title = (
        f"{name} reaches {percent(best.p_all)} in {month}"
        if best.p_all >= asked
        else f"No option alone reaches {percent(asked)}; {best.name} comes nearest, with {percent(best.p_all)} in {month}"
    )
    if not best.overrides:
        title = "Nothing has to be done: no option is needed" if best.p_all >= asked else "No option that was tried helps"
    return Table(
        name="options", title=title, subtitle=f"Planned in the same worlds. P: every promise holds in {named_month(study, study.last, short=False)}; months gained until P falls below {percent(asked)}; ms: mean over journeys of p95 at today's load. Hollow bars: less than asked for.", frame=frame_of(rows),
        columns=(
            Column(key="option", header="Option"), Column(key="p_all", header=f"P {named_month(study, study.last)}", write=percent, bar=True, hollow=lambda v: v < asked), Column(key="months_gained", header="Months gained", write=lambda v: change(v, count)),
            Column(key="p95_change_s", header="p95, ms", write=lambda v: change(round(v * 1e3, 1))), Column(key="cost_change_usd", header="$ per month", write=lambda v: change(round(v), money)), of_field(Option, "price_usd", money), of_field(Option, "effort_s", lambda v: weeks(v) if v else "–"), Column(key="by", header="From"),
        ), stack=3, first=True,
    )  # fmt: skip


def sensitivities(study: Study) -> Table:
    """What each uncertain input moves."""
    rows: list[dict[str, Any]] = [{"input": m.path, "months": m.months, "cost_usd": m.cost_usd} for m in study.moved]
    top = study.moved[0] if study.moved else None
    return Table(
        name="sensitivities", title=f"{top.path} moves the first broken promise most: measure it again first" if top and top.months else "No uncertain input moves the date of the first broken promise", subtitle=f"Mean over worlds where the input is in its upper third, less its lower third (– : within sampling error): months until a promise breaks, and cost in {named_month(study, study.last, short=False)}.",
        frame=frame_of(rows or [{"input": "none", "months": float("nan"), "cost_usd": float("nan")}]), columns=(Column(key="input", header="Input"), Column(key="months", header="Months", write=lambda v: change(round(v, 1)), bar=True), Column(key="cost_usd", header="$ per month", write=lambda v: change(round(v), money))), stack=2,
    )  # fmt: skip
