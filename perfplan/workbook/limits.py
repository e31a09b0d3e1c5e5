"""How much memory and space a plan takes, measured on scenarios of 2 to 100 tiers and 2 to 40 journeys (88 to 2,387 entries): asked for
before the work.

Numbers grow with the worlds and with a scenario's entries, which tiers and journeys are most of: a world of the storefront takes 154 kB to
plan and 58 kB to check, one of a hundred tiers 645 kB and 108 kB. What is asked for is a quarter to twice as much again.
"""

from __future__ import annotations

from perfplan.scenario.statement import Statement
from perfplan.system import enough_memory, enough_space, free_for_data, room_for_sockets

USED = {"check": (60e3, 80.0), "plan": (250e3, 250.0)}  # bytes of memory per world: in any case, and per entry
CACHED = 15e3, 150.0  # the same in the file by which the kernel is given the study
SPACE = 30e6  # bytes of a plan folder, or of what its judges write, without inputs and what is carried over


def enough(command: str, statement: Statement, worlds: int) -> None:
    """Raise `Lacking` where the memory does not suffice for so many worlds, with how many fit."""
    each = _each(USED[command], statement)
    fit = int(free_for_data(command) / each)
    way_out = f"state fewer worlds: about {fit:,} fit" if fit >= 30 else "close other programs"
    enough_memory(command, each * worlds, f"{worlds:,} worlds of this scenario", way_out)


def enough_for_rooms(statement: Statement, worlds: int) -> None:
    """Raise `Lacking` where temporary files have too little space."""
    needed = SPACE + _each(CACHED, statement) * worlds
    enough_space(room_for_sockets(), needed, "free some, or set TMPDIR to a folder with more")


def _each(bytes_of: tuple[float, float], statement: Statement) -> float:
    """Bytes per world of a statement."""
    always, entry = bytes_of
    return always + entry * len(statement.entries)
