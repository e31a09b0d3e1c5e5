"""The command line: perfplan new | plan | check | explore | diff | validate | schema | fields | lab."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from perfplan.system import enough_memory, open_streams
from perfplan.terminal import INTERRUPTED, leaving_on_signals, prepare, say

LONGEST_S = 1_000_000  # that a check may be given
HOLDS, BREAKS, BAD_INPUT, FAILED = 0, 1, 2, 3  # exit codes of check, diff and validate, and 130: interrupted; plan uses 0, 2, 3 and 130


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
        say(f"perfplan: {_expected(error, options) or _fault(error)}", sys.stderr)
        return FAILED


def _expected(error: Exception, options: argparse.Namespace) -> str:
    """What can go wrong without anybody's fault, in words; "" for anything else."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return f"{error.args[0][0][1]}: {error.args[0][0][2]}"  # of all that could not be copied, the first
    if isinstance(error, MemoryError):
        return f"memory ended; {'state fewer --worlds, or ' if hasattr(options, 'worlds') else ''}close other programs"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        elsewhere = ", state another place with --out, or set TMPDIR" if hasattr(options, "out") else ""
        return f"no space is left for {error.filename or 'what is written'} (free some{elsewhere})"
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return "too many files are open; raise the limit (`ulimit -n 4096`)"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) if isinstance(error, OSError) or type(error).__module__.startswith("perfplan.") else ""


def _fault(error: Exception) -> str:
    """Three lines about what nobody foresaw: what, where, how to report it."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return (
        f"{what}\n  where: {_places(error.__traceback__)}\n  This is a fault of perfplan: please report it with the scenario and "
        "what the command prints with --debug; nothing was written."
    )


def _places(trace: TracebackType | None, most: int = 3) -> str:
    """The innermost functions of perfplan on the way to *trace*'s end, the innermost first."""
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _said(frames[::-1], most)


def _said(frames: Iterable[tuple[FrameType, int]], most: int) -> str:
    package = Path(__file__).parent
    ours = [(f, line) for f, line in frames if Path(f.f_code.co_filename).is_relative_to(package)]
    return (
        ", in ".join(f"{f.f_code.co_qualname} ({Path(f.f_code.co_filename).relative_to(package)}:{line})" for f, line in ours[:most])
        or "outside perfplan"
    )


@contextlib.contextmanager
def _within(limit_s: float) -> Iterator[None]:
    """End the process, saying what it was doing, where the block takes longer than *limit_s*; 0: never."""
    main_thread = threading.get_ident()

    def end() -> None:
        frame = sys._current_frames().get(main_thread)
        frames = []
        while frame is not None:
            frames.append((frame, frame.f_lineno))
            frame = frame.f_back
        say(
            f"perfplan: not done within {limit_s:g} s (--limit; 0: none)\n  it was in {_said(frames, 3)}\n  --worlds makes it "
            "shorter; a value far from what is usual may be the cause",
            sys.stderr,
        )
        os._exit(FAILED)

    watch = threading.Timer(limit_s, end)
    watch.daemon = True
    if limit_s > 0:
        watch.start()
    try:
        yield
    finally:
        watch.cancel()


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

    plan = commands.add_parser("plan", parents=[debug], help="plan a scenario and write its plan folder")
    _inputs(plan)
    plan.add_argument(
        "--out",
        metavar="DIR",
        help="plan folder (default: plans/FOLDER, FOLDER being that of scenario.yaml; of another file, plans/FOLDER-FILE)",
    )
    plan.add_argument("--renamed", action="store_true", help="replace the plan of a service of another name, as this one was called so")
    plan.add_argument("--worlds", type=int, default=2000, help="draws of the uncertain inputs (default: 2000)")
    plan.add_argument(
        "--engine", choices=("one", "stock"), default="one", help="one kernel for all notebooks, or one for each (papermill's own)"
    )
    plan.add_argument("--pdf", action="store_true", help="print plan.html as plan.pdf too, where a Chromium is found")
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

    explore = commands.add_parser("explore", parents=[debug], help="turn what a scenario states and see what follows, in the browser")
    _inputs(explore)
    explore.add_argument("--port", type=int, default=0, help="of this machine (default: a free one)")
    explore.add_argument("--no-browser", action="store_true", help="print the address only")
    explore.set_defaults(run=_explore, needs="check")

    diff = commands.add_parser(
        "diff",
        parents=[debug],
        help="what differs between two plans; exit 0 where nothing does beyond the tolerance, 1 where something does",
    )
    diff.add_argument("before", help="plan folder or its plan.json")
    diff.add_argument("now", help="plan folder or its plan.json")
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


def _inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="?", help="scenario file")
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
    from perfplan.document.story import story
    from perfplan.workbook import make, place

    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see UNASKED in workbook/engine.py
    path = _scenario(options)
    out = place.real(options.out or _place(path))
    _refuse_worlds(options.worlds)
    with place.stopping_on_signals():
        study = make(path, out, tuple(options.overrides), options.worlds, options.engine, options.verify, options.renamed, options.pdf)
    for line in story(study).lines():
        say(line)
    if options.verify:
        say(_verified(out))
    say(Path(options.out or _place(path)) / "plan.html")
    return 0


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
    with _within(options.limit):
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
    from perfplan.workbook import comparing

    allowed = comparing.tolerances(options.tolerance)
    before, now = comparing.load(options.before), comparing.load(options.now)
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

    command = [sys.executable, "-m", "jupyterlab", str(workbook(Path.cwd())), *options.unknown]
    if sys.platform != "win32":
        os.execv(sys.executable, command)  # it takes this process' place, and its signals
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
