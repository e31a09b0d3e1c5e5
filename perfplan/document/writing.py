"""plan.json: every number of a plan with unit, formula and interval, in a stable, versioned schema.

Layout, version 2: `perfplan` (the version that made it), `inputs` by path of the field (text, value, interval, unit, source), `numbers`
by key (value, P5, P95, unit, formula), `fleet` (orders), `findings`, `options`, `failures`, `checklist`; of a plan folder, `overrides`
and `files` (hashes of what lies in inputs/). Keys are sorted; no time of day, no path of a machine. Version 1 named neither the version
nor the overrides.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from perfplan import VERSION
from perfplan.checklist import states, tally
from perfplan.document.findings import findings
from perfplan.document.story import story
from perfplan.judging import Judgements
from perfplan.models.capacity import first_month
from perfplan.models.growth import concurrent_users, in_flight
from perfplan.models.times.latency import percentiles_s
from perfplan.plan import Plan, concurrency, demand_rps, judge, month_names, plan
from perfplan.quantity import FloatArray, Quantity, quantiles
from perfplan.study import SHOWN, Study, confidence
from perfplan.study.failures import Failing, failures
from perfplan.study.verdicts import holds_with
from perfplan.words import dotted

SCHEMA = "perfplan/plan/2"
SCHEMAS = ("perfplan/plan/1", SCHEMA)  # that can be read, for history and comparison


def document(study: Study, judged: Judgements | None = None) -> dict[str, Any]:
    """The plan as plain data, ready for JSON; *judged*: what tools said of its files."""
    told = story(study)
    found = states(study, judged)
    return {
        "schema": SCHEMA,
        "perfplan": VERSION,
        "name": study.scenario.name,
        "as_of": str(study.scenario.as_of),
        "worlds": int(study.worlds.rps.shape[0]),
        "seed": study.seed,
        "confidence": confidence(study.scenario),
        "asked_until": _month(study, study.last),
        "verdict": told.verdict,
        "remedy": told.remedy,
        "decision": told.decision,
        "inputs": _inputs(study),
        "numbers": _numbers(study),
        "fleet": [
            {
                "month": _month(study, o.month),
                "counts": {str(k): n for k, n in o.counts.items()},
                "changes": {str(k): list(v) for k, v in o.changes.items()},
                "options": list(o.options),
            }
            for o in study.fleet.orders
        ],
        "findings": [
            {
                "kind": f.kind,
                "phase": f.phase,
                "about": f.about,
                "title": f.title,
                "rule": f.rule,
                "value": f.value,
                "reason": f.reason,
                "remedy": f.remedy,
                "price_month_usd": f.price_usd,
            }
            for f in findings(study)
        ],
        "options": [
            {
                "name": t.name,
                "overrides": list(t.overrides),
                "p_all": t.p_all,
                "months_gained": t.months_gained,
                "cost_month_usd": t.cost_change_usd,
                "cost_until_usd": t.total_usd,
                "price_usd": t.price_usd,
            }
            for t in study.options
        ],
        "failures": [
            {
                "tier": row.tier,
                "what": row.failure.what,
                "failed": row.share,
                "without_need": row.beyond,
                "p_full": row.p_breaks,
                "requests": row.requests,
                "lost_usd": row.lost_usd,
                "heals_s": row.heals_s,
                "formula": dotted(Failing.failed),
            }
            for row in failures(study)
        ],
        "checklist": {
            "items": {s.item.id: {"answer": s.answer, "verdict": s.verdict, "text": s.text, "formula": s.formula} for s in found},
            "answered": tally(found)[-1].answered,
            "of": tally(found)[-1].total,
        },
    }


def to_json(data: dict[str, Any]) -> str:
    """The text of plan.json: sorted, indented, with null for what is without end."""
    return json.dumps(_plain(data), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float | np.number):
        return float(f"{float(value):.10g}") if math.isfinite(float(value)) else None
    return str(value)


def _month(study: Study, month: int) -> str:
    return str(month_names(study.scenario)[month])


def _inputs(study: Study) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for path, entry in study.statement.entries.items():
        row: dict[str, Any] = {"text": entry.text, "source": entry.source, "where": entry.where}
        if entry.law is not None and isinstance(entry.declared.kind, Quantity):
            row |= {"value": entry.law.mid, "unit": entry.declared.kind.unit}
            if not entry.law.certain:
                row |= {"p05": float(entry.law.quantile(0.05)), "p95": float(entry.law.quantile(0.95))}
        rows[path] = row
    return rows


def _numbers(study: Study) -> dict[str, Any]:
    made = study.worlds
    users, flying = concurrency(made)
    found: dict[str, Any] = {}

    def put(key: str, values: FloatArray, unit: str, formula: Any) -> None:
        for m in SHOWN:
            if m < values.shape[1]:
                low, middle, high = quantiles(values[:, m], (0.05, 0.5, 0.95))
                found[f"{key}.{_month(study, m)}"] = {
                    "value": float(middle),
                    "p05": float(low),
                    "p95": float(high),
                    "unit": unit,
                    "formula": dotted(formula),
                }

    put("demand.peak_hour", made.rps, "1/s", demand_rps)
    put("demand.peak_second", made.second_rps, "1/s", Plan.second_rps)
    put("demand.users", users, "", concurrent_users)
    put("demand.in_flight", flying, "", in_flight)
    put("traffic.out", made.sent_bytes, "B/s", plan)
    put("cost.today_fleet", made.cost_month_usd, "USD/month", Plan.cost_month_usd)
    put("cost.plan", study.fleet.cost_usd, "USD/month", Plan.cost_month_usd)
    for name, ps in made.percentile_s.items():
        for p, values in ps.items():
            put(f"latency.{name}.p{p * 100:g}", values, "s", percentiles_s)
    for name, data in made.stored_bytes.items():
        put(f"storage.{name}", data, "B", plan)
    for place, resource in made.resources.items():
        put(f"utilization.{place}", resource.utilization, "", resource.formula)
    for name in made.judged:
        held, asked = holds_with(study, name)
        for m in SHOWN:
            found[f"p_holds.{name}.{_month(study, m)}"] = {
                "value": float(held[m]),
                "unit": "",
                "formula": dotted(judge),
                "asked": asked,
            }
    for m in SHOWN:
        found[f"p_all.today_fleet.{_month(study, m)}"] = {
            "value": float(study.p_all[m]),
            "unit": "",
            "formula": dotted(Plan.all_hold),
        }
        found[f"p_all.plan.{_month(study, m)}"] = {
            "value": float(study.fleet.p_all[m]),
            "unit": "",
            "formula": dotted(Plan.all_hold),
        }
    for out in study.run_outs:
        when = {k: out.quantile(p) for k, p in (("p05", 0.05), ("value", 0.5), ("p95", 0.95))}
        found[f"run_out.{out.resource.place}"] = when | {"unit": "months from as_of", "formula": dotted(first_month)}
    return found


# ---- plan against plan ----
