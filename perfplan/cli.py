"""The command line: perfplan new | plan | check | diff | validate | schema | fields | lab."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType

LONGEST_S = 1_000_000  # that a check may be given
HOLDS, BREAKS, BAD_INPUT, FAILED, INTERRUPTED = 0, 1, 2, 3, 130  # exit codes of check, diff and validate; plan uses 0, 2, 3 and 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    from perfplan.reading import BadScenario

    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BadScenario as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("perfplan: interrupted; what was there before stands", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `perfplan check ... | head`
        sys.stderr.close()
        return FAILED
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        expected = isinstance(error, OSError) or type(error).__module__.startswith("perfplan.")
        print(f"perfplan: {error}" if expected else _fault(error), file=sys.stderr)
        return FAILED


def _fault(error: Exception) -> str:
    """Three lines about what nobody foresaw: what, where, how to report it."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"perfplan: {what}\n  where: {_places(error.__traceback__)}\n  This is a fault of perfplan: please report it with the scenario and what the command prints with --debug; nothing was written."


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
        print(
            f"perfplan: not done within {limit_s:g} s (--limit; 0: none)\n  it was in {_said(frames, 3)}\n  --worlds makes it shorter; a value far from what is usual may be the cause",
            file=sys.stderr, flush=True,
        )  # fmt: skip
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
    new.set_defaults(run=_new)

    plan = commands.add_parser("plan", parents=[debug], help="plan a scenario and write its plan folder")
    _inputs(plan)
    plan.add_argument("--out", metavar="DIR", help="plan folder (default: plans/NAME, NAME being the folder of the scenario)")
    plan.add_argument("--worlds", type=int, default=2000, help="draws of the uncertain inputs (default: 2000)")
    plan.add_argument(
        "--engine", choices=("one", "stock"), default="one", help="one kernel for all notebooks, or one for each (papermill's own)"
    )
    plan.add_argument("--verify", action="store_true", help="simulate the plan's worst months beside the formulas, and show both")
    plan.set_defaults(run=_plan)

    check = commands.add_parser(
        "check", parents=[debug], help="findings, and exit 0 where every objective holds, 1 where some do not, 2 on bad input, 3 else"
    )
    _inputs(check)
    check.add_argument("--items", action="store_true", help="the state of every item of the checklist instead")
    check.add_argument("--worlds", type=int, default=500, help="draws of the uncertain inputs (default: 500)")
    check.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="end with exit 3 where it takes longer (default: 60; 0: never)"
    )
    check.set_defaults(run=_check)

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
    diff.set_defaults(run=_diff)

    validate = commands.add_parser(
        "validate",
        parents=[debug],
        help="run a plan's notebooks again from its inputs and compare them cell by cell; exit 0 where all are the same",
    )
    validate.add_argument("folder", help="plan folder")
    validate.set_defaults(run=_validate)

    schema = commands.add_parser("schema", parents=[debug], help="print the JSON schema of scenarios, for editors")
    schema.set_defaults(run=_schema)

    fields = commands.add_parser("fields", parents=[debug], help="print the reference of all fields")
    fields.set_defaults(run=_fields)

    lab = commands.add_parser("lab", parents=[debug], help="open JupyterLab on the workbook")
    lab.set_defaults(run=_lab)
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


def _refuse_other_folders(out: Path) -> None:
    """A plan replaces a plan; it never replaces anything else."""
    from perfplan.reading import BadScenario, Problem

    if out.is_dir() and (not any(out.iterdir()) or (out / "plan.json").is_file()):
        return
    if out.exists() or out.is_symlink():
        raise BadScenario("perfplan plan", [Problem(0, "--out", f"must be a new folder or one that holds a plan; {out} is something else")])


def _refuse_worlds(worlds: int) -> None:
    from perfplan.reading import BadScenario, Problem

    if not 30 <= worlds <= 100_000:
        raise BadScenario("perfplan", [Problem(0, "--worlds", f"must be a whole number from 30 to 100000; got {worlds}")])


def _new(options: argparse.Namespace) -> int:
    from perfplan.starter import write

    print(write(options.name, options.tier))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from perfplan.story import story
    from perfplan.workbook import make, place

    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see UNASKED in workbook/engine.py
    path = _scenario(options)
    out = Path(options.out) if options.out else Path("plans") / path.resolve().parent.name
    _refuse_other_folders(out)
    _refuse_worlds(options.worlds)
    with place.stopping_on_signals():
        study = make(path, out, tuple(options.overrides), options.worlds, options.engine, options.verify)
    for line in story(study).lines():
        print(line)
    if options.verify:
        print(_verified(out))
    print(out / "plan.html")
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
        f"  {r['name']}, {r['journey']} p{r['percentile'] * 100:g}: formula {r['predicted_s'] * 1e3:.4g} ms, simulated {r['found_s'] * 1e3:.4g} ± {r['half_s'] * 1e3:.2g} ms ({r['error']:+.1%})"
        for r in table.frame.to_dict("records")
    ]
    return "\n".join([f"{table.title}:", *lines])


def _check(options: argparse.Namespace) -> int:
    from perfplan.reading import BadScenario, Problem, read
    from perfplan.workbook.checking import check, items

    _refuse_worlds(options.worlds)
    if not 0 <= options.limit <= LONGEST_S:
        raise BadScenario("perfplan", [Problem(0, "--limit", f"must be a number of seconds from 0 to {LONGEST_S}; got {options.limit:g}")])
    with _within(options.limit):
        statement = read(_scenario(options), tuple(options.overrides))
        report, holds = (items(statement, options.worlds), True) if options.items else check(statement, options.worlds)
    print(report)
    return HOLDS if holds else BREAKS


def _diff(options: argparse.Namespace) -> int:
    from perfplan.workbook import comparing

    allowed = comparing.tolerances(options.tolerance)
    before, now = comparing.load(options.before), comparing.load(options.now)
    rows = comparing.differences(before, now, allowed)
    if options.format == "html":
        print(comparing.as_html(before, now, rows).rstrip())
    else:
        print((comparing.as_json if options.format == "json" else comparing.as_text)(rows).rstrip())
    return BREAKS if rows else HOLDS


def _validate(options: argparse.Namespace) -> int:
    from perfplan.workbook.validating import validate

    report, same = validate(Path(options.folder))
    print(report)
    return HOLDS if same else BREAKS


def _schema(_: argparse.Namespace) -> int:
    import json

    from perfplan.schema import json_schema

    print(json.dumps(json_schema(), indent=1))
    return 0


def _fields(_: argparse.Namespace) -> int:
    from perfplan.schema import all_fields

    print("| field | kind | meaning | default | why |\n|---|---|---|---|---|")
    for row in all_fields():
        print("| " + " | ".join(value.replace("|", "\\|") for value in row.values()) + " |")
    return 0


def _lab(_: argparse.Namespace) -> int:
    import os

    from perfplan.workbook.folder import notebooks_folder

    os.execvp(sys.executable, [sys.executable, "-m", "jupyterlab", str(notebooks_folder().parent)])


if __name__ == "__main__":
    sys.exit(main())
