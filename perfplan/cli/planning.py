"""perfplan new, plan, check: from a scenario to a plan."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from perfplan.cli.shared import BREAKS, HOLDS, Commands, inputs, refuse_worlds, scenario_of
from perfplan.faults import within
from perfplan.terminal import say

LONGEST_S = 1_000_000  # that a check may be given


def add(commands: Commands, debug: argparse.ArgumentParser) -> None:
    """Its commands."""
    new = commands.add_parser("new", parents=[debug], help="write a commented starter scenario")
    new.add_argument("name", help="name of the service, and of the folder that is made")
    new.add_argument(
        "--tier", choices=("mvp", "growth", "enterprise"), default="growth", help="targets of the quick reference (default: growth)"
    )
    new.set_defaults(run=_new, needs="check")

    plan = commands.add_parser("plan", parents=[debug], help="plan scenarios and write a plan folder for each")
    inputs(plan, several=True)
    plan.add_argument(
        "--out",
        metavar="DIR",
        help="plan folder (default: plans/FOLDER, FOLDER being that of scenario.yaml; of another file, plans/FOLDER-FILE); of several "
        "scenarios the folder that holds theirs, and comparison.html",
    )
    plan.add_argument("--renamed", action="store_true", help="replace the plan of a service of another name, as this one was called so")
    plan.add_argument("--worlds", type=int, default=2000, help="draws of the uncertain inputs (default: 2000)")
    plan.add_argument(
        "--engine", choices=("one", "stock"), default="one", help="one kernel for all notebooks, or one for each (papermill's own)"
    )
    quick = bool(os.environ.get("PERFPLAN_QUICK"))
    plan.add_argument("--quick", action="store_true", default=quick, help="without plan.pdf and static pictures in notebooks")
    plan.add_argument("--verify", action="store_true", help="simulate the plan's worst months beside the formulas, and show both")
    plan.set_defaults(run=_plan, needs="plan")

    check = commands.add_parser(
        "check", parents=[debug], help="findings, and exit 0 where every objective holds, 1 where some do not, 2 on bad input, 3 else"
    )
    inputs(check)
    check.add_argument("--items", action="store_true", help="the state of every item of the checklist instead")
    check.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    check.add_argument("--watch", action="store_true", help="check again at every save, and say what changed; Ctrl+C ends it")
    check.add_argument("--worlds", type=int, default=500, help="draws of the uncertain inputs (default: 500)")
    check.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="end with exit 3 where it takes longer (default: 60; 0: never)"
    )
    check.set_defaults(run=_check, needs="check")


def _place(path: Path) -> Path:
    """Where a plan goes that was given no place: each scenario file of a folder has one of its own."""
    folder = path.resolve().parent.name or "root"
    return Path("plans") / (folder if path.name == "scenario.yaml" else f"{folder}-{path.stem}")


def _new(options: argparse.Namespace) -> int:
    from perfplan.starter import write

    say(write(options.name, options.tier))
    return 0


def _plan(options: argparse.Namespace) -> int:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see UNASKED in workbook/engine.py
    refuse_worlds(options.worlds)
    files = options.scenario
    if len(files) < 2:
        options.scenario = files[0] if files else None
        path = scenario_of(options)
        _planned(options, path, Path(options.out or _place(path)))
        return 0
    return _plans(options, [Path(file) for file in files])


def _plans(options: argparse.Namespace, paths: Sequence[Path]) -> int:
    """Several scenarios, each in a folder of its own beside the others, and a page that compares them."""
    from perfplan.reading import BadScenario, Problem
    from perfplan.workbook import sides
    from perfplan.workbook.folder import write

    top = Path(options.out or "plans")
    outs = [top / _place(path).name for path in paths]
    if len(set(outs)) < len(outs) or options.demo:
        said = "must have places of their own: name each scenario file once, and files of one folder otherwise; without --demo"
        raise BadScenario("perfplan plan", [Problem(0, "scenario", said)])
    for path, out in zip(paths, outs, strict=True):
        say(f"{path}:")
        _planned(options, path, out)
    made = sides.sides([str(out) for out in outs], options.worlds)
    page = top / "comparison.html"
    write(page.with_suffix(".making"), sides.as_html(made, sides.differing(sides.rows(made), {}), sides.explained(made)))
    os.replace(page.with_suffix(".making"), page)
    say(page)
    return 0


def _planned(options: argparse.Namespace, path: Path, out: Path) -> None:
    """One plan, and what it says in five lines."""
    from perfplan.document.story import story
    from perfplan.workbook import make, place

    real = place.real(out)
    with place.stopping_on_signals():
        study = make(path, real, tuple(options.overrides), options.worlds, options.engine, options.verify, options.renamed, options.quick)
    for line in story(study).lines():
        say(line)
    if options.verify:
        say(_verified(real))
    say(out / "plan.html")


def _verified(out: Path) -> str:
    """Formula against simulation, a line a percentile."""
    from perfplan.tables import verified
    from perfplan.workbook.folder import SCENARIO
    from perfplan.workbook.opening import verified as found

    table = verified(found(str(out / SCENARIO)))
    if table is None:
        return ""
    lines = [
        f"  {r['name']}, {r['journey']} p{r['percentile'] * 100:g}: formula {r['predicted_s'] * 1e3:.4g} ms, simulated "
        f"{r['found_s'] * 1e3:.4g} ± {r['half_s'] * 1e3:.2g} ms ({r['error']:+.1%})"
        for r in table.frame.to_dict("records")
    ]
    return "\n".join([f"{table.title}:", *lines])


def _check(options: argparse.Namespace) -> int:
    from perfplan.reading import BadScenario, Problem, read
    from perfplan.workbook.checking import check, items
    from perfplan.workbook.limits import enough

    refuse_worlds(options.worlds)
    if not 0 <= options.limit <= LONGEST_S:
        raise BadScenario("perfplan", [Problem(0, "--limit", f"must be a number of seconds from 0 to {LONGEST_S}; got {options.limit:g}")])
    if options.watch:
        if options.items or options.format != "text":
            raise BadScenario("perfplan", [Problem(0, "--watch", "prints findings as text; leave out --items and --format")])
        return _watch(options)
    with within(options.limit):
        statement = read(scenario_of(options), tuple(options.overrides))
        enough("check", statement, options.worlds)
        if options.items:
            say(items(statement, options.worlds))
            return HOLDS
        report = check(statement, options.worlds)
    say(report.json() if options.format == "json" else report.text())
    return HOLDS if report.holds else BREAKS


def _watch(options: argparse.Namespace) -> int:
    """Until it is interrupted; exits as the last check would."""
    from perfplan.reading import read
    from perfplan.workbook.checking import watch

    path, holds = scenario_of(options), False
    with contextlib.suppress(KeyboardInterrupt):
        for holds in watch(lambda: read(path, tuple(options.overrides)), path.resolve().parent, options.worlds, say):  # noqa: B007
            pass
    return HOLDS if holds else BREAKS
