"""plan.json: every number of a plan with unit, formula and interval, in a stable, versioned schema; and plan against plan.

Layout, version 2: `perfplan` (the version that made it), `inputs` by path of the field (text, value, interval, unit, source), `numbers`
by key (value, P5, P95, unit, formula), `fleet` (orders), `findings`, `options`, `checklist`; of a plan folder, `overrides` and `files`
(hashes of what lies in inputs/). Keys are sorted; no time of day, no path of a machine. Version 1 named neither the version nor the
overrides.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from perfplan import VERSION
from perfplan.checklist import states, tally
from perfplan.findings import findings
from perfplan.judging import Judgements
from perfplan.models.capacity import first_month
from perfplan.models.growth import concurrent_users, in_flight
from perfplan.models.latency import percentiles_s
from perfplan.plan import Plan, concurrency, demand_rps, judge, month_names, plan
from perfplan.quantity import FloatArray, Quantity
from perfplan.story import story
from perfplan.study import SHOWN, Study, confidence
from perfplan.study.verdicts import holds_with
from perfplan.words import change, count, dotted, money, month_name, number, percent, rate

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
                "price_usd": t.price_usd,
            }
            for t in study.options
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
                low, middle, high = np.quantile(values[:, m], (0.05, 0.5, 0.95), method="higher")
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
        quantiles = {k: out.quantile(p) for k, p in (("p05", 0.05), ("value", 0.5), ("p95", 0.95))}
        found[f"run_out.{out.resource.place}"] = quantiles | {"unit": "months from as_of", "formula": dotted(first_month)}
    return found


# ---- plan against plan ----

KINDS = ("verdict", "input", "demand", "fleet", "cost", "date", "risk")


def compare(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """What differs between two plans, as rows: kind (one of KINDS), what, then, now, change, and the relative difference.

    The difference is that of the numbers over the earlier one (of probabilities: their plain difference); inf where it is
    none of numbers.
    """
    rows = _compare_run_outs(before, now)
    for path in sorted(set(before["inputs"]) | set(now["inputs"])):
        then, new = (d["inputs"].get(path, {}) for d in (before, now))
        if then.get("text") != new.get("text") and path != "as_of":
            rows.append(
                _row("input", f"Input: {path}", then.get("text", "–"), new.get("text", "–"), _ratio(then.get("value"), new.get("value")))
            )
    for kind, key, label, write in (
        ("demand", "demand.peak_hour", "Peak hour", rate),
        ("cost", "cost.plan", "Cost per month with the plan", money),
        ("risk", "p_all.today_fleet", "P(every promise holds), today’s fleet", percent),
        ("risk", "p_all.plan", "P(every promise holds), with the plan", percent),
    ):
        rows += _compare_numbers(before, now, kind, key, label, write)
    rows += _compare_fleet(before, now)
    if before["verdict"] != now["verdict"]:
        rows.append(_row("verdict", "Verdict", before["verdict"], now["verdict"], math.inf))
    return sorted(rows, key=lambda row: KINDS.index(row["kind"]))


def _row(kind: str, what: str, then: str, now: str, difference: float, change_text: str | None = None) -> dict[str, Any]:
    shown = f"{change(round(100 * difference, 1))} %" if change_text is None and math.isfinite(difference) else change_text or ""
    return {"what": what, "then": then, "now": now, "change": shown, "kind": kind, "difference": difference}


def _ratio(then: float | None, new: float | None) -> float:
    return math.inf if not then or new is None else new / then - 1


def _compare_numbers(before: dict[str, Any], now: dict[str, Any], kind: str, key: str, label: str, write: Any) -> list[dict[str, Any]]:
    rows = []
    for name, new in now["numbers"].items():
        if name.startswith(f"{key}.") and name in before["numbers"]:
            then = before["numbers"][name]["value"]
            if then is not None and new["value"] is not None and not math.isclose(then, new["value"], rel_tol=5e-3, abs_tol=5e-3):
                what = f"{label}, {month_name(name.rpartition('.')[2], 0)}"
                points = new["value"] - then
                about = (points, f"{change(round(100 * points))} points") if write is percent else (_ratio(then, new["value"]), None)
                rows.append(_row(kind, what, write(then), write(new["value"]), *about))
    return rows


def _compare_run_outs(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, new in now["numbers"].items():
        if name.startswith("run_out.") and name in before["numbers"]:
            then = before["numbers"][name]["value"]
            dates = [
                month_name(str(d["as_of"]), v if v is not None and math.isfinite(v) else math.inf)
                for d, v in ((before, then), (now, new["value"]))
            ]
            if dates[0] != dates[1]:
                what = f"Runs out (P50): {name.removeprefix('run_out.').removeprefix('tiers.').replace('.', ' ')}"
                rows.append(_row("date", what, dates[0], dates[1], math.inf))
    return rows


def _compare_fleet(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    last: list[dict[str, Any]] = [
        max((o for o in d["fleet"] if o["month"] <= d["asked_until"]), key=lambda o: o["month"], default={"counts": {}})["counts"]
        for d in (before, now)
    ]
    rows = []
    for path in sorted(set(last[0]) | set(last[1])):
        then, new = (c.get(path) for c in last)
        if then != new:
            old_text, new_text = (count(n) if n is not None else "as today" for n in (then, new))
            text = change(new - then, number) if then is not None and new is not None else ""
            rows.append(_row("fleet", f"Fleet: {path}", old_text, new_text, _ratio(then, new), text))
    return rows
