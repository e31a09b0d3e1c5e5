"""`perfplan diff`: two plans, what differs between them, as text, JSON or HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perfplan.document import to_json
from perfplan.document.comparison import KINDS, compare
from perfplan.quantity import FRACTION, Misread
from perfplan.reading import BadScenario, Problem
from perfplan.shown.blocks import Column, Table, safe
from perfplan.stated import parse
from perfplan.terminal import one_line
from perfplan.workbook.kept import PLAN, Unreadable
from perfplan.workbook.kept import load as load_plan

HERE = Path(__file__).parent


def load(path: str) -> dict[str, Any]:
    """The plan.json of a plan folder, or the file itself."""
    file = Path(path) / PLAN if Path(path).is_dir() else Path(path)
    try:
        return load_plan(Path(os.path.realpath(file)))
    except Unreadable as error:
        raise BadScenario(str(file), [Problem(0, "plan", f"must be a plan folder or its plan.json; {error}")]) from None


def tolerances(texts: Sequence[str]) -> dict[str, float]:
    """Relative differences to overlook, by kind, from texts such as "cost=5%"."""
    found = {}
    for text in texts:
        kind, _, value = text.partition("=")
        try:
            if kind not in KINDS:
                raise Misread
            found[kind] = parse(value, FRACTION).mid
        except Misread:
            raise BadScenario(
                "perfplan diff",
                [Problem(0, "--tolerance", f"must be KIND=SHARE such as cost=5%, KIND being {', '.join(KINDS)}; got {text!r}")],
            ) from None
    return found


def differences(before: dict[str, Any], now: dict[str, Any], allowed: Mapping[str, float]) -> list[dict[str, Any]]:
    """The rows that differ by more than is allowed for their kind."""
    return [row for row in compare(before, now) if abs(row["difference"]) > allowed.get(row["kind"], 0.0)]


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as lines, by kind."""
    lines = [
        one_line(f"{row['kind']:8}{row['what']}: {row['then']} -> {row['now']}{f' ({change})' if (change := row['change']) else ''}")
        for row in rows
    ]
    return "\n".join([*lines, f"{len(rows)} differences" if len(rows) != 1 else "1 difference"])


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as JSON."""
    return to_json({"schema": "perfplan/diff/1", "differences": list(rows)})


def as_html(before: dict[str, Any], now: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a page of their own, in the look of a plan."""
    import pandas as pd

    keys = ("kind", "what", "then", "now", "change")
    title = f"{now['name']}: the plan of {now['as_of']} against that of {before['as_of']}"
    table = Table(
        name="differences",
        title=f"{len(rows)} differences" if rows else "Nothing differs",
        subtitle="By kind; what is within the tolerance is left out.",
        frame=pd.DataFrame(rows, columns=list(keys)),
        columns=tuple(Column(key=k, header=k.capitalize()) for k in keys),
        stack=2,
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    style = (HERE / "look.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{safe(title)}</title><style>{style}</style></head>'
        f'<body><header class="top"><h1>{safe(title)}</h1></header>'
        f'<main><section class="chapter">{table.html()}</section></main></body></html>\n'
    )
