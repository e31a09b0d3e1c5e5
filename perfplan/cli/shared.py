"""What commands share: exit codes, the scenario that is named, how overrides are stated."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

HOLDS, BREAKS, BAD_INPUT = 0, 1, 2  # exit codes, FAILED, and 130: interrupted; plan uses 0, 2, 3 and 130


def inputs(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """The scenario, the demo and overrides."""
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


def scenario_of(options: argparse.Namespace) -> Path:
    """The scenario file that is named."""
    from perfplan.reading import BadScenario, Problem
    from perfplan.workbook.folder import data_folder

    if options.demo:
        return data_folder() / "storefront" / "scenario.yaml"
    if not options.scenario:
        raise BadScenario("perfplan", [Problem(0, "scenario", "must be named (or use --demo for the storefront that comes with perfplan)")])
    return Path(options.scenario)


def refuse_worlds(worlds: int) -> None:
    """Raises `BadScenario` where so many worlds cannot be drawn."""
    from perfplan.reading import BadScenario, Problem

    if not 30 <= worlds <= 100_000:
        raise BadScenario("perfplan", [Problem(0, "--worlds", f"must be a whole number from 30 to 100000; got {worlds}")])
