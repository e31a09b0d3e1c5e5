"""perfplan validate, budget, drift, schema, fields: what is kept of a plan, and what a scenario may state."""

from __future__ import annotations

import argparse
from pathlib import Path

from perfplan.cli.shared import BREAKS, HOLDS, Commands, inputs, scenario_of
from perfplan.terminal import say


def add(commands: Commands, debug: argparse.ArgumentParser) -> None:
    """Its commands."""
    validate = commands.add_parser(
        "validate",
        parents=[debug],
        help="make a plan again from its inputs and compare everything; exit 0 where all is the same, 1 where something differs",
        description=(
            "Makes a plan again from what lies in its inputs/, with the notebooks of this perfplan, and compares what comes out with what "
            "lies in the folder: cells, plan.json, plan.html, tables and configs. Nothing that lies in the folder is run, and the folder "
            "is not changed."
        ),
    )
    validate.add_argument("folder", help="plan folder")
    validate.set_defaults(run=_validate, needs="plan")

    budget = commands.add_parser(
        "budget",
        parents=[debug],
        help="what is left of the error budgets as measured; with --gate exit 0 where enough is, 1 where not, 2 on bad input, 3 else",
    )
    inputs(budget)
    budget.add_argument(
        "--gate", nargs="?", const="", metavar="SHARE", help="exit 1 where less than this is left of a budget (default: freeze_at)"
    )
    budget.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    budget.set_defaults(run=_budget, needs="check")

    drift = commands.add_parser(
        "drift",
        parents=[debug],
        help="what runs, by its dumps, against what a plan generated; exit 0 where all that was found is as planned, 1 where it differs",
        description=(
            "Dumps: /api/v1/rules and /api/v1/status/config of Prometheus, /api/v2/status of Alertmanager, dashboards as exported, SHOW "
            "CONFIG of PgBouncer as CSV, CONFIG GET * of Redis, nginx -T; in files of any name (of several caches or databases with their "
            "names in it)."
        ),
    )
    drift.add_argument("plan", help="plan folder")
    drift.add_argument("dumps", help="folder of dumps")
    drift.add_argument("--scenario", metavar="FILE", help="beside which measured/deployed.json is written, for the next plan")
    drift.set_defaults(run=_drift, needs="check")

    schema = commands.add_parser("schema", parents=[debug], help="print the JSON schema of scenarios, for editors")
    schema.set_defaults(run=_schema, needs="check")

    fields = commands.add_parser("fields", parents=[debug], help="print the reference of all units and fields, as Markdown")
    fields.set_defaults(run=_fields, needs="check")


def _validate(options: argparse.Namespace) -> int:
    from perfplan.workbook.place import stopping_on_signals
    from perfplan.workbook.validating import validate

    with stopping_on_signals():
        report, same = validate(Path(options.folder))
    say(report)
    return HOLDS if same else BREAKS


def _budget(options: argparse.Namespace) -> int:
    from perfplan.reading import read
    from perfplan.workbook.gating import report

    found = report(read(scenario_of(options), tuple(options.overrides)), options.gate)
    say(found.json() if options.format == "json" else found.text())
    return HOLDS if found.passes else BREAKS


def _drift(options: argparse.Namespace) -> int:
    import datetime

    from perfplan.reading import read
    from perfplan.reading.deployed import AS_PLANNED
    from perfplan.workbook.drifting import drift, keep

    beside = Path(read(Path(options.scenario)).file) if options.scenario else None
    rows, unknown = drift(Path(options.plan), Path(options.dumps))
    for row in rows:
        say(row.line())
    for name in unknown:
        say(f"{name}: not known, and left out")
    if beside is not None:
        say(keep(rows, beside, datetime.date.today()))
    found = [row for row in rows if row.verdict != "not found"]
    return HOLDS if found and all(row.verdict == AS_PLANNED for row in found) else BREAKS


def _schema(_: argparse.Namespace) -> int:
    import json

    from perfplan.schema import json_schema

    say(json.dumps(json_schema(), indent=1))
    return 0


def _fields(_: argparse.Namespace) -> int:
    from perfplan.schema import glossary

    say(glossary().rstrip("\n"))
    return 0
