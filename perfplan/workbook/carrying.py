"""What lies in a plan folder and is not perfplan's, carried over to the plan that replaces it: nothing of anybody's is lost.

`written.json` in a plan folder holds the hash of every file that was written. What it does not name is somebody's own and keeps its
place; what was changed since goes to `edited/NNNN/`, NNNN being the number of its plan in history/. Links are never followed.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfplan.reading import BadScenario, Problem
from perfplan.workbook.kept import KEPT, PLAN, Unreadable, history, is_damaged, is_ours, load, name_in

WRITTEN, WRITTEN_SCHEMA = "written.json", "perfplan/written/1"
OWN = (
    "plan.json",
    "plan.html",
    "plan.pdf",
    "summary.*",
    "tables.xlsx",
    WRITTEN,
    "inputs/*",
    "notebooks/[0-9]_*.ipynb",
    "tables/*.csv",
    "configs/*",
)  # of a plan without written.json
SIGNS = ("inputs/scenario.yaml", "plan.html")  # that a folder with a damaged plan.json is a plan


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """Paths within the old folder: what is somebody's own, what was changed, and links in history/, which are left out."""

    own: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unsigned: bool = False  # nobody wrote down what perfplan wrote: all of it may have been changed

    def beyond(self, other: Theirs) -> Theirs:
        """What was not there when *other* was looked at."""
        new = {part: tuple(n for n in getattr(self, part) if n not in getattr(other, part)) for part in ("own", "edited", "left_out")}
        return Theirs(unsigned=self.unsigned, **new)


def survey(out: Path, name: str, renamed: bool) -> Theirs:
    """What lies in the folder *out* that a plan called *name* will replace; raises `BadScenario` where it must not be replaced."""
    if not out.exists() and not out.is_symlink():
        return Theirs()
    if not out.is_dir():
        raise _refuse(f"must be a folder; {out} is a file")
    if not any(out.iterdir()):
        return Theirs()
    plan = out / PLAN
    damaged = is_damaged(plan) and all((out / sign).is_file() for sign in SIGNS)
    if not is_ours(plan) and not damaged:
        raise _refuse(f"must be a new folder or one that holds a plan; {out} is something else")
    if not damaged and not renamed:
        _refuse_other_names(plan, name, out)
    return looked_at(out)


def _refuse_other_names(plan: Path, name: str, out: Path) -> None:
    other = name_in(plan)
    if other is not None and other != name:
        raise _refuse(
            f"must be the place of the same service; {out} holds the plan of {other!a}, this one is {name!a} (another place, or "
            "--renamed if the service got another name)"
        )


def _refuse(message: str) -> BadScenario:
    return BadScenario("perfplan plan", [Problem(0, "--out", message)])


def looked_at(out: Path, *, strict: bool = True) -> Theirs:
    """What lies in the plan folder *out* and is not as perfplan wrote it; raises `BadScenario` on links and what is no file, unless not
    *strict*."""
    hashes = _hashes(out / WRITTEN)
    own, edited, left_out = [], [], []
    for path in walk(out):
        name, mode = path.relative_to(out).as_posix(), path.lstat().st_mode
        file, folder = stat.S_ISREG(mode), stat.S_ISDIR(mode)
        if name == "edited" and file and strict:
            raise _refuse(f"must keep edited/ for what was changed; in {out} it is a file (move it away)")
        if not (file or folder):
            left_out.append(name)
            if name.startswith("history/") or not strict:
                continue
            what = "a link" if stat.S_ISLNK(mode) else "no file"
            raise _refuse(f"must hold files and folders only, as plans are mailed; {name} in {out} is {what} (move it away)")
        if name in (WRITTEN, PLAN) or (path.parent == out / "history" and file and KEPT.fullmatch(path.name)):
            continue  # the plan goes to history/, and history/ is carried as it is
        if folder or (name not in hashes and (hashes or not any(fnmatch.fnmatchcase(name, pattern) for pattern in OWN))):
            own.append(name)
        elif hashes.get(name) != hash_of(path):
            edited.append(name)
    return Theirs(own=tuple(own), edited=tuple(edited), left_out=tuple(left_out), unsigned=not hashes)


def walk(folder: Path) -> Iterator[Path]:
    """Everything below *folder* that is no folder with something in it; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            yield from walk(path)
        else:
            yield path


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashes(path: Path) -> dict[str, str]:
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8")) if stat.S_ISREG(path.lstat().st_mode) else None
        return {str(k): str(v) for k, v in data["files"].items()} if data["schema"] == WRITTEN_SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def sign(folder: Path) -> None:
    """Write down what was written."""
    files = {path.relative_to(folder).as_posix(): hash_of(path) for path in walk(folder) if path.relative_to(folder).parts[0] != "history"}
    (folder / WRITTEN).write_text(json.dumps({"schema": WRITTEN_SCHEMA, "files": files}, indent=1) + "\n", encoding="utf-8", newline="\n")


def carry_history(folder: Path, old: Path) -> list[str]:
    """Carry the earlier plans of *old* over to *folder*, and the plan that is being replaced; says in lines what was damaged."""
    target = folder / "history"
    target.mkdir()
    for path in history(old / "history"):
        shutil.copyfile(path, target / path.name, follow_symlinks=False)
    plan = old / PLAN
    if not plan.is_file() or plan.is_symlink():
        return []
    number, damaged = _last(old) + 1, is_damaged(plan)
    name = f"{number:04d}-plan.json.damaged" if damaged else f"{number:04d}-{_day(plan)}.json"
    shutil.copyfile(plan, target / name)
    return [f"the plan that was there is damaged; it is kept as history/{name}"] if damaged or "unreadable" in name else []


def _last(folder: Path) -> int:
    """The highest number in history/, also of what is damaged."""
    place = folder / "history"
    names = [path.name for path in place.iterdir()] if place.is_dir() and not place.is_symlink() else []
    return max((int(m[1]) for name in names if (m := re.match(r"(\d{4,9})-", name))), default=0)


def _day(plan: Path) -> str:
    try:
        return str(load(plan)["as_of"])
    except Unreadable:
        return "unreadable"


def carry(folder: Path, old: Path, what: Theirs) -> list[str]:
    """Copy what is somebody's own from *old* to the new plan in *folder*; says in lines what was done."""
    number, said, moved = _last(folder), [], []
    for name in what.own:
        if (old / name).is_dir():
            (folder / name).mkdir(parents=True, exist_ok=True)
            continue
        if (folder / name).exists():
            moved.append(name)
        else:
            _copy(old / name, folder / name)
    if moved:
        said.append(f"perfplan writes files of these names now, and yours are kept in edited/{number:04d}/: {_named(tuple(moved))}")
    for name in (*moved, *what.edited):
        _copy(old / name, folder / "edited" / f"{number:04d}" / name)
    if what.edited:
        since = "perhaps changed, as it was not written down what perfplan wrote" if what.unsigned else "changed since they were written"
        said.append(f"{since}, and kept in edited/{number:04d}/: {_named(what.edited)}")
    if what.left_out:
        said.append(f"left out, as they are links: {_named(what.left_out)}")
    return said


def _copy(one: Path, other: Path) -> None:
    other.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(one, other, follow_symlinks=False)


def _named(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
