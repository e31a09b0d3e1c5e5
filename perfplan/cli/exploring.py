"""perfplan sweep, explore, diff, lab: turning what a scenario states, and laying plans side by side."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from perfplan.cli.shared import BREAKS, HOLDS, Commands, inputs, refuse_worlds, scenario_of
from perfplan.terminal import say


def add(commands: Commands, debug: argparse.ArgumentParser) -> None:
    """Its commands."""
    sweep = commands.add_parser("sweep", parents=[debug], help="one month of a scenario at many values of some fields: table and figures")
    inputs(sweep)
    sweep.add_argument(
        "--vary", action="append", default=[], metavar="FIELD=VALUES", help="50k:500k:log20, 1:9:lin5, or values parted by commas"
    )
    sweep.add_argument("--latin", type=int, default=0, metavar="POINTS", help="so many points of a Latin hypercube instead of the grid")
    sweep.add_argument("--month", type=int, default=0, help="which month, from today's (default: 0)")
    sweep.add_argument("--out", default="sweep", metavar="DIR", help="folder for sweep.csv and sweep.html (default: sweep)")
    sweep.set_defaults(run=_sweep, needs="check")

    explore = commands.add_parser("explore", parents=[debug], help="turn what a scenario states and see what follows, in the browser")
    inputs(explore)
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

    lab = commands.add_parser(
        "lab", parents=[debug], help="open JupyterLab on the workbook; other options are JupyterLab's, such as --no-browser or --allow-root"
    )
    lab.set_defaults(run=_lab, needs="check", others=True)


def _sweep(options: argparse.Namespace) -> int:
    from perfplan.plan import MONTHS
    from perfplan.reading import BadScenario, Problem, read
    from perfplan.words import month_name
    from perfplan.workbook import sweeping

    if not 0 <= options.month < MONTHS or not (options.latin == 0 or 2 <= options.latin <= sweeping.MOST):
        said = f"--month must be from 0 to {MONTHS - 1}, --latin from 2 to {sweeping.MOST:,}"
        raise BadScenario("perfplan sweep", [Problem(0, "--month, --latin", f"{said}; got {options.month} and {options.latin}")])
    statement = read(scenario_of(options), tuple(options.overrides))
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
    talk = Talk(read(scenario_of(options), tuple(options.overrides)))
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
        refuse_worlds(options.worlds)
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


def _lab(options: argparse.Namespace) -> int:
    import subprocess

    from perfplan.workbook.folder import workbook

    root = workbook(Path.cwd())
    quiet = str(Path(__file__).parents[1] / "workbook" / "quiet")  # settings with which nothing asks about news
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (quiet, os.environ.get("JUPYTER_CONFIG_PATH"))))
    check = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    command = [sys.executable, "-m", "jupyterlab", str(root / "notebooks" / "explore.ipynb"), f"--ServerApp.root_dir={root}", check]
    command += options.unknown
    if sys.platform != "win32":
        os.execv(sys.executable, command)  # it takes this process' place, and its signals
    return subprocess.run(command, check=False).returncode
