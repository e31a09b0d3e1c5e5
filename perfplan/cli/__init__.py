"""The command line: perfplan new | plan | check | sweep | explore | diff | lab | validate | budget | drift | schema | fields."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from perfplan.cli import exploring, keeping, planning
from perfplan.cli.shared import BAD_INPUT
from perfplan.faults import FAILED, expected, fault
from perfplan.system import enough_memory, open_streams
from perfplan.terminal import INTERRUPTED, leaving_on_signals, prepare, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    open_streams()
    prepare()
    options, unknown = _parser().parse_known_args(arguments)
    if unknown and not options.others:
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
    debug.set_defaults(others=False)  # whether it takes options that are not its own
    debug.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of a fault of perfplan")
    commands = parser.add_subparsers(required=True, metavar="command")

    for part in (planning, exploring, keeping):
        part.add(commands, debug)
    return parser
