"""The command line: perfplan new | plan | check | explore | diff | validate | schema | fields | lab."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from perfplan.faults import FAILED, expected, fault, within
from perfplan.system import enough_memory, open_streams
from perfplan.terminal import INTERRUPTED, leaving_on_signals, prepare, say

LONGEST_S = 1_000_000  # that a check may be given
HOLDS, BREAKS, BAD_INPUT = 0, 1, 2  # exit codes of check, diff and validate, FAILED, and 130: interrupted; plan uses 0, 2, 3 and 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    open_streams()
    prepare()
    options, unknown = _parser().parse_known_args(arguments)
    if unknown and options.run is not _lab:
        _parser().parse_args(arguments)  # says what it does not know, and leaves
    options.unknown = unknown
    with leaving_on_signals():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        enough_memory(options.needs)
        return int(options.run(options))
    except KeyboardInterrupt:
        say("perfplan: interrupted; what was there before stands", sys.stderr)
        return INTERRUPTED
    except Exception as error:
        reading = sys.modules.get("perfplan.reading.nodes")  # imported by whoever could raise it
        if reading and isinstance(error, reading.BadScenario):
            say(error, sys.stderr)
            return BAD_INPUT
        if getattr(options, "debug", False):
            raise
        say(f"perfplan: {expected(error, options) or fault(error)}", sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perfplan", description="Capacity plans with tail latency, uncertainty, time and money, from one file."
    )
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of a fault of perfplan")
    commands = parser.add_subparsers(required=True, metavar="command")

    new = commands.add_parser("new", parents=[debug], help="write a commented starter scenario")
    new.add_argument("name", help="name of the service, and of the folder that is made")
    new.add_argument(
        "--tier", choices=("mvp", "growth", "enterprise"), default="growth", help="targets of the quick reference (default: growth)"
    )
    new.set_defaults(run=_new, needs="check")

    plan = commands.add_parser("plan", parents=[debug], help="plan scenarios and write a plan folder for each")
    _inputs(plan, several=True)
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
    _inputs(check)
    check.add_argument("--items", action="store_true", help="the state of every item of the checklist instead")
    check.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    check.add_argument("--watch", action="store_true", help="check again at every save, and say what changed; Ctrl+C ends it")
    check.add_argument("--worlds", type=int, default=500, help="draws of the uncertain inputs (default: 500)")
    check.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="end with exit 3 where it takes longer (default: 60; 0: never)"
    )
    check.set_defaults(run=_check, needs="check")

    sweep = commands.add_parser("sweep", parents=[debug], help="one month of a scenario at many values of some fields: table and figures")
    _inputs(sweep)
    sweep.add_argument(
        "--vary", action="append", default=[], metavar="FIELD=VALUES", help="50k:500k:log20, 1:9:lin5, or values parted by commas"
    )
    sweep.add_argument("--latin", type=int, default=0, metavar="POINTS", help="so many points of a Latin hypercube instead of the grid")
    sweep.add_argument("--month", type=int, default=0, help="which month, from today's (default: 0)")
    sweep.add_argument("--out", default="sweep", metavar="DIR", help="folder for sweep.csv and sweep.html (default: sweep)")
    sweep.set_defaults(run=_sweep, needs="check")

    explore = commands.add_parser("explore", parents=[debug], help="turn what a scenario states and see what follows, in the browser")
    _inputs(explore)
    explore.add_argument("--port", type=int, default=0, help="of this machine (default: a free one)")
    explore.add_argument("--no-browser", action="store_true", help="print the address only")
    explore.set_defaults(run=_explore, needs="check")

    diff = commands.add_parser(
        "diff",
        parents=[debug],
        help="what differs between plans or scenarios; exit 0 where nothing does beyond the tolerance, 1 where something does",
        description=(
            "Two plans: what their plan.json say. Scenarios, or more than two plans: each side planned anew in the same worlds, side by "
            "side, with how much each difference of the inputs explains."
        ),
    )
    diff.add_argument("sides", nargs="+", metavar="side", help="plan folder, its plan.json, or a scenario file")
    diff.add_argument("--worlds", type=int, default=500, help="of scenarios side by side: draws of the uncertain inputs (default: 500)")
    diff.add_argument(
        "--tolerance", action="append", default=[], metavar="KIND=SHARE", help="overlook smaller differences, such as cost=5%%"
    )
    diff.add_argument("--format", choices=("text", "json", "html"), default="text", help="default: text")
    diff.set_defaults(run=_diff, needs="check")

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

    schema = commands.add_parser("schema", parents=[debug], help="print the JSON schema of scenarios, for editors")
    schema.set_defaults(run=_schema, needs="check")

    fields = commands.add_parser("fields", parents=[debug], help="print the reference of all units and fields, as Markdown")
    fields.set_defaults(run=_fields, needs="check")

    lab = commands.add_parser(
        "lab", parents=[debug], help="open JupyterLab on the workbook; other options are JupyterLab's, such as --no-browser or --allow-root"
    )
    lab.set_defaults(run=_lab, needs="check")
    return parser


def _inputs(parser: argparse.ArgumentParser, several: bool = False) -> None:
    parser.add_argument("scenario", nargs="*" if several else "?", help="scenario files" if several else "scenario file")
    parser.add_argument("--demo", action="store_true", help="the storefront that comes with perfplan")
    parser.add_argument(
        "-p",
        dest="overrides",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="state a field anew, such as -p traffic.peak_users=80k",
    )


def _scenario(options: argparse.Namespace) -> Path:
    from perfplan.reading import BadScenario, Problem
    from perfplan.workbook.folder import data_folder

    if options.demo:
        return data_folder() / "storefront" / "scenario.yaml"
    if not options.scenario:
        raise BadScenario("perfplan", [Problem(0, "scenario", "must be named (or use --demo for the storefront that comes with perfplan)")])
    return Path(options.scenario)


def _place(path: Path) -> Path:
    """Where a plan goes that was given no place: each scenario file of a folder has one of its own."""
    folder = path.resolve().parent.name or "root"
    return Path("plans") / (folder if path.name == "scenario.yaml" else f"{folder}-{path.stem}")


def _refuse_worlds(worlds: int) -> None:
    from perfplan.reading import BadScenario, Problem

    if not 30 <= worlds <= 100_000:
        raise BadScenario("perfplan", [Problem(0, "--worlds", f"must be a whole number from 30 to 100000; got {worlds}")])


def _new(options: argparse.Namespace) -> int:
    from perfplan.starter import write

    say(write(options.name, options.tier))
    return 0


def _plan(options: argparse.Namespace) -> int:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see UNASKED in workbook/engine.py
    _refuse_worlds(options.worlds)
    files = options.scenario
    if len(files) < 2:
        options.scenario = files[0] if files else None
        path = _scenario(options)
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

    _refuse_worlds(options.worlds)
    if not 0 <= options.limit <= LONGEST_S:
        raise BadScenario("perfplan", [Problem(0, "--limit", f"must be a number of seconds from 0 to {LONGEST_S}; got {options.limit:g}")])
    if options.watch:
        if options.items or options.format != "text":
            raise BadScenario("perfplan", [Problem(0, "--watch", "prints findings as text; leave out --items and --format")])
        return _watch(options)
    with within(options.limit):
        statement = read(_scenario(options), tuple(options.overrides))
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

    path, holds = _scenario(options), False
    with contextlib.suppress(KeyboardInterrupt):
        for holds in watch(lambda: read(path, tuple(options.overrides)), path.resolve().parent, options.worlds, say):  # noqa: B007
            pass
    return HOLDS if holds else BREAKS


def _sweep(options: argparse.Namespace) -> int:
    from perfplan.plan import MONTHS
    from perfplan.reading import BadScenario, Problem, read
    from perfplan.words import month_name
    from perfplan.workbook import sweeping

    if not 0 <= options.month < MONTHS or not (options.latin == 0 or 2 <= options.latin <= sweeping.MOST):
        said = f"--month must be from 0 to {MONTHS - 1}, --latin from 2 to {sweeping.MOST:,}"
        raise BadScenario("perfplan sweep", [Problem(0, "--month, --latin", f"{said}; got {options.month} and {options.latin}")])
    statement = read(_scenario(options), tuple(options.overrides))
    found = sweeping.axes(statement, options.vary)
    points = sweeping.hypercube(found, options.latin) if options.latin else sweeping.grid(found)
    columns = sweeping.sweep(statement, found, points, options.month)
    when = month_name(str(statement.at().as_of), options.month)
    for line in sweeping.write(Path(options.out), f"{statement.at().name}, {when}", columns, found):
        say(line, sys.stderr)
    holds = int(columns["holds"].sum())
    said = f"{holds:,} of them keep every promise in {when} with every other input at its median"
    say(f"{columns['holds'].size:,} points, {said}: {Path(options.out) / 'sweep.html'}")
    return HOLDS


def _explore(options: argparse.Namespace) -> int:
    from perfplan.reading import BadScenario, Problem, read
    from perfplan.workbench.serving import serve
    from perfplan.workbench.talking import Talk

    if not 0 <= options.port <= 65_535:
        raise BadScenario("perfplan", [Problem(0, "--port", f"must be a port, from 1 to 65535; got {options.port}")])
    talk = Talk(read(_scenario(options), tuple(options.overrides)))
    with contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        serve(talk, options.port, not options.no_browser, say)
    return HOLDS


def _diff(options: argparse.Namespace) -> int:
    from perfplan.reading import BadScenario, Problem
    from perfplan.workbook import comparing, sides

    allowed = comparing.tolerances(options.tolerance)
    if len(options.sides) < 2:
        raise BadScenario("perfplan diff", [Problem(0, "side", "must be two or more plans or scenarios; got one")])
    if len(options.sides) > 2 or any(map(sides.is_scenario, options.sides)):
        _refuse_worlds(options.worlds)
        made = sides.sides(options.sides, options.worlds)
        found, parts = sides.differing(sides.rows(made), allowed), sides.explained(made)
        say({"text": sides.as_text, "json": sides.as_json, "html": sides.as_html}[options.format](made, found, parts).rstrip())
        return BREAKS if found else HOLDS
    before, now = map(comparing.load, options.sides)
    rows = comparing.differences(before, now, allowed)
    if options.format == "html":
        say(comparing.as_html(before, now, rows).rstrip())
    else:
        say((comparing.as_json if options.format == "json" else comparing.as_text)(rows).rstrip())
    return BREAKS if rows else HOLDS


def _validate(options: argparse.Namespace) -> int:
    from perfplan.workbook.place import stopping_on_signals
    from perfplan.workbook.validating import validate

    with stopping_on_signals():
        report, same = validate(Path(options.folder))
    say(report)
    return HOLDS if same else BREAKS


def _schema(_: argparse.Namespace) -> int:
    import json

    from perfplan.schema import json_schema

    say(json.dumps(json_schema(), indent=1))
    return 0


def _fields(_: argparse.Namespace) -> int:
    from perfplan.schema import glossary

    say(glossary().rstrip("\n"))
    return 0


def _lab(options: argparse.Namespace) -> int:
    import subprocess

    from perfplan.workbook.folder import workbook

    root = workbook(Path.cwd())
    quiet = str(Path(__file__).parent / "workbook" / "quiet")  # settings with which nothing asks about news
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (quiet, os.environ.get("JUPYTER_CONFIG_PATH"))))
    check = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    command = [sys.executable, "-m", "jupyterlab", str(root / "notebooks" / "explore.ipynb"), f"--ServerApp.root_dir={root}", check]
    command += options.unknown
    if sys.platform != "win32":
        os.execv(sys.executable, command)  # it takes this process' place, and its signals
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
