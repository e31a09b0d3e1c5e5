"""Generated files and the real tools that judge them: what a file is, who is asked about it, and what was said.

A file stands in one module: its text, its judge and the judge's broken twin (`perfplan.artifacts`, `perfplan.operate`). Verdicts are kept
with a plan, so that whoever lacks a tool can make the plan again.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perfplan.system import LOCAL_SOCKETS

JUDGED = "judged.json"  # in inputs/


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a judge said about a file."""

    judge: str
    accepted: bool | None  # None: the tool was not there
    said: str


READ = "for people to read"
Judgements = Mapping[str, Judgement]  # by the name of the file


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A real tool, and how it is asked."""

    tool: str  # the program, as Debian calls it
    ask: Callable[[Path, Path], Judgement]  # about a file; with a folder for sockets and logs
    names: tuple[str, ...]  # what it is called where its verdict is kept
    twin: tuple[str, str]  # what stands in the file, and what in its broken twin, which must be refused
    server: bool = False  # whether it is started on a socket that is a file


@dataclass(frozen=True, kw_only=True)
class Answers:
    """An item of the checklist that a file answers: what it says, in which chapter, and the function that writes it."""

    item: str
    text: str
    place: str
    formula: Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that leaves the page, by its name below configs/."""

    name: str
    text: str
    judge: Judge | None  # None: people read it, or its tool does not run here
    answers: tuple[Answers, ...] = ()
    unseen: str = "not deployed, as far as is known"  # what keeps its items at risk
    unjudged: str = READ  # what is said where it has no judge, or beside what its judge says of a part of it


def judgements(files: Iterable[File], folder: Path, room: Path) -> dict[str, Judgement]:
    """The verdict on every file that has a judge, as it lies in *folder*; *room*: a folder for sockets and logs."""
    return {file.name: _asked(file.judge, folder / file.name, room) for file in files if file.judge is not None}


def _asked(judge: Judge, path: Path, room: Path) -> Judgement:
    name = judge.names[0]
    if judge.server and not LOCAL_SOCKETS:
        return Judgement(judge=name, accepted=None, said="not judged here: this system has no sockets that are files")
    try:
        return judge.ask(path, room)
    except (OSError, subprocess.SubprocessError) as error:
        return Judgement(judge=name, accepted=None, said=f"not judged here: {type(error).__name__}")


def written(found: Judgements) -> str:
    """The text of judged.json."""
    return json.dumps({name: asdict(one) for name, one in found.items()}, indent=1, sort_keys=True) + "\n"


def kept_judgements(path: Path) -> Judgements:
    """What judged.json at *path* says; nothing where there is none. Raises `ValueError` where it is not such a file."""
    if not path.is_file():
        return {}
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not all(_is_judgement(row) for row in data.values()):
        raise ValueError("it must say judge, accepted and said of each file")
    return {name: Judgement(**row) for name, row in data.items()}


def _is_judgement(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == {"judge", "accepted", "said"}
        and isinstance(row["judge"], str)
        and isinstance(row["said"], str)
        and (row["accepted"] is None or isinstance(row["accepted"], bool))
    )


def strangers(found: Judgements, files: Iterable[File]) -> list[str]:
    """Names of judged files that nobody makes, or that were judged by nobody who is asked about them."""
    names = {file.name: file.judge.names for file in files if file.judge is not None}
    return [name for name, one in found.items() if one.judge not in names.get(name, ())]
