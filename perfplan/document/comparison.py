"""Plan against plan: what changed between two plan.json."""

from __future__ import annotations

import math
from typing import Any

from perfplan.words import change, count, money, month_name, number, percent, rate

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
