"""How much memory and space a plan takes, measured on three scenarios (1 to 3 journeys, 67 to 197 entries): asked for before the work.

Numbers grow with the square of a scenario's entries: more journeys meet more tiers, promises and options. 100,000 worlds of the storefront
take 21 GB to plan and 8 GB to check.
"""

from __future__ import annotations

from perfplan.scenario.statement import Statement
from perfplan.system import enough_memory, enough_space, free_for_data, room_for_sockets

USED = {"check": 2.2, "plan": 5.4}  # bytes of memory per world and pair of entries, over 37 months
CACHED = 0.8  # the same in the file by which the kernel is given the study
SPACE = 30e6  # bytes of a plan folder, or of what its judges write, without inputs and what is carried over


def enough(command: str, statement: Statement, worlds: int) -> None:
    """Raise `Lacking` where the memory does not suffice for so many worlds, with how many fit."""
    each = USED[command] * len(statement.entries) ** 2
    fit = int(free_for_data(command) / each)
    way_out = f"state fewer worlds: about {fit:,} fit" if fit >= 30 else "close other programs"
    enough_memory(command, each * worlds, f"{worlds:,} worlds of this scenario", way_out)


def enough_for_rooms(statement: Statement, worlds: int) -> None:
    """Raise `Lacking` where temporary files have too little space."""
    needed = SPACE + CACHED * len(statement.entries) ** 2 * worlds
    enough_space(room_for_sockets(), needed, "free some, or set TMPDIR to a folder with more")
