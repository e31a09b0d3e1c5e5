"""`perfplan validate`: can a plan be reproduced? It is made again from its inputs, and everything that came out is compared as `alike`
says.

The folder may come from anybody: nothing in it is run, links in it are not followed, and what it says of itself (tags in notebooks,
hashes of what was written) decides nothing.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfplan import VERSION
from perfplan.artifacts import files
from perfplan.judging import JUDGED, Judgements, kept_judgements, strangers
from perfplan.reading import BadScenario, Problem, read
from perfplan.reading.history import LARGEST as LARGEST_INPUT
from perfplan.study import Study
from perfplan.system import enough_files
from perfplan.terminal import one_line
from perfplan.workbook.alike import Difference, differences
from perfplan.workbook.carrying import WRITTEN, hash_of, walk
from perfplan.workbook.chapters import CHAPTERS
from perfplan.workbook.folder import SCENARIO, copy_inputs, fill
from perfplan.workbook.handing import PDF, PICTURE, SUMMARY, TABLES
from perfplan.workbook.kept import LARGEST as LARGEST_PLAN
from perfplan.workbook.kept import PLAN, Unreadable, history, load
from perfplan.workbook.limits import enough, enough_for_rooms
from perfplan.workbook.opening import VERIFIED
from perfplan.workbook.place import Making, real, trying

SMALL = 1e-4  # of the largest in a column of a table
LARGEST = 100_000_000  # bytes of a notebook, a page or a table


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A cell or a file that was made again, and what differs in it from what was kept, the largest first."""

    name: str
    rows: Sequence[Difference]

    @property
    def good(self) -> bool:
        """Whether nothing differs that must not."""
        return all(row.allowed for row in self.rows)

    @property
    def largest(self) -> float:
        """The largest difference; inf where it is none of numbers."""
        return max((row.size for row in self.rows), default=0.0)

    def __str__(self) -> str:
        first = next(row for row in self.rows if not row.allowed)
        size = f" ({first.size:.2%})" if math.isfinite(first.size) else ""
        more = f", and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        return one_line(f"{self.name}: {f'{first.found!r}, kept {first.kept!r}{size}' if first.found else first.kept}{more}")


def validate(plan: Path) -> tuple[str, bool]:
    """A line for each part of a plan and each place that differs, the furthest off first, and whether all is the same."""
    plan = real(plan)
    try:
        said = load(plan / PLAN)
    except Unreadable as error:
        raise _refuse(plan, f"must be a plan folder, with plan.json, inputs/ and what else a plan holds; plan.json: {error}") from None
    with trying() as making:
        changed = _inputs(plan, said, making.stage / "given")
        _history(plan, making.plan)
        judged = _judged(making.stage / "given" / "inputs")
        study = _again(making.stage / "given" / "inputs", said, making, judged)
        changed += [
            f"inputs/{JUDGED}: {one_line(name)} was judged by nobody that perfplan asks" for name in strangers(judged, files(study))
        ]
        lines, same, largest = beside(plan, making.plan)
    same &= not changed
    how = f", on a machine that adds otherwise: numbers differ by up to {largest:.1g}, no word does" if largest else ""
    end = f"the plan can be reproduced{how}" if same else "the plan cannot be reproduced here"
    taken = f"what tools said of its files is taken from inputs/{JUDGED}; none is asked again"
    return "\n".join([*_version(said), *changed, *lines, taken, end]), same


def beside(plan: Path, made: Path) -> tuple[list[str], bool, float]:
    """A plan folder beside one that was *made* anew: the report in lines, whether they are the same, and the largest difference that may
    be."""
    lines, every = [], []
    for part, noun, places in _parts(plan, made):
        bad = sorted((place for place in places if not place.good), key=lambda place: -place.largest)
        near = [place.largest for place in places if place.good and place.rows]
        within = f", {len(near)} of them within {max(near):.1g}" if near else ""
        count = f"{len(places) - len(bad)} of {len(places)} {noun} are the same{within}"
        lines.append(f"{part}: {count if noun else 'differs' if bad else f'the same{within}'}")
        lines += [f"  {place}" for place in bad]
        every += places
    lines += [f"not compared, as perfplan did not make it: {one_line(name)}" for name in _own(plan, made)]
    lines += [f"not compared: {name}, made of what is" for name in (TABLES, PDF) if (plan / name).is_file()]
    return lines, all(place.good for place in every), max((place.largest for place in every if place.good), default=0.0)


def _refuse(plan: Path, message: str) -> BadScenario:
    return BadScenario(str(plan), [Problem(0, "folder", message)])


def _version(said: dict[str, Any]) -> list[str]:
    made_by = said.get("perfplan")
    if made_by == VERSION:
        return []
    return [
        f"made by {f'perfplan {one_line(str(made_by)[:20])}' if made_by else 'a perfplan before 0.2.0'}; this is {VERSION}: what "
        "differs may be of that"
    ]


# ---- making it again ----


def _inputs(plan: Path, said: dict[str, Any], target: Path) -> list[str]:
    """Copy what lies in inputs/; a line for each file that is not the one the plan was made from."""
    hashes: dict[str, str] = said["files"] if isinstance(said.get("files"), dict) else {}
    lines = []
    for name in _files(plan, "inputs"):
        if (plan / name).lstat().st_size > LARGEST_INPUT:
            raise _refuse(plan, f"{name} must have at most {LARGEST_INPUT / 1e6:.0f} MB")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(plan / name, target / name, follow_symlinks=False)
        own = name.removeprefix("inputs/")
        if own in hashes and hashes[own] != hash_of(target / name):
            lines.append(f"{name}: is not the file that the plan was made from")
    lines += [f"inputs/{one_line(name)}: is missing" for name in hashes if not (target / "inputs" / name).is_file()]
    if not (target / SCENARIO).is_file():
        raise _refuse(plan, f"must hold {SCENARIO}, and no links")
    return lines


def _files(plan: Path, part: str) -> list[str]:
    """Names of the regular files in a part of a folder, itself no link."""
    top = plan / part
    if top.is_symlink() or not top.is_dir():
        return []
    return [p.relative_to(plan).as_posix() for p in walk(top) if stat.S_ISREG(p.lstat().st_mode)]


def _history(plan: Path, target: Path) -> None:
    (target / "history").mkdir()
    for path in history(plan / "history"):
        if path.lstat().st_size <= LARGEST_PLAN:
            shutil.copyfile(path, target / "history" / path.name, follow_symlinks=False)


def _judged(inputs: Path) -> Judgements:
    try:
        return kept_judgements(inputs / JUDGED)
    except (ValueError, RecursionError) as error:
        raise BadScenario(
            f"inputs/{JUDGED}", [Problem(0, "judged", f"must be what perfplan wrote there: {one_line(str(error))}")]
        ) from None


def _again(inputs: Path, said: dict[str, Any], making: Making, judged: Judgements) -> Study:
    overrides = said.get("overrides")
    if not (isinstance(overrides, list) and all(isinstance(one, str) for one in overrides)):
        overrides = (inputs / "overrides.txt").read_text(encoding="utf-8").splitlines() if (inputs / "overrides.txt").is_file() else []
    worlds = said.get("worlds")
    if not (isinstance(worlds, int | float) and 30 <= worlds <= 100_000 and float(worlds).is_integer()):
        raise BadScenario("plan.json", [Problem(0, "worlds", f"must be a whole number from 30 to 100000; got {str(worlds)[:20]}")])
    enough_files()
    try:
        statement = read(inputs / "scenario.yaml", tuple(overrides), today=str(said["as_of"]))
        enough("plan", statement, int(worlds))
        enough_for_rooms(statement, int(worlds))
        statement = copy_inputs(making.plan, inputs / "scenario.yaml", statement)
    except BadScenario as error:
        raise BadScenario(SCENARIO, error.problems) from None
    study, _ = fill(making, statement, int(worlds), "one", (inputs / VERIFIED).is_file(), judged)
    return study


# ---- comparing ----


def _parts(plan: Path, made: Path) -> list[tuple[str, str, list[Compared]]]:
    """The parts that are compared: what each is called, what it is made of (a file: ""), and its places."""
    parts = [
        (name, "cells", _cells(plan / f"notebooks/{name}.ipynb", made / f"notebooks/{name}.ipynb"))
        for name in (one.notebook for one in CHAPTERS)
    ]
    parts += [(part, "files", [_place(name, plan, made) for name in _files(made, part)]) for part in ("tables", "configs")]
    single = (PLAN, "plan.html", SUMMARY, PICTURE, f"inputs/{VERIFIED}", f"inputs/{JUDGED}", "inputs/overrides.txt")
    return parts + [(name, "", [_place(name, plan, made)]) for name in single if (made / name).is_file()]


def _place(name: str, plan: Path, made: Path) -> Compared:
    return Compared(name=name, rows=_compared(plan / name, made / name))


def _own(plan: Path, made: Path) -> list[str]:
    """What lies in the folder and was not made."""
    names = [p.relative_to(plan).as_posix() for p in walk(plan) if p.is_symlink() or not p.is_dir()]
    return [
        name
        for name in names
        if not (made / name).is_file() and name not in (WRITTEN, PDF) and not name.startswith(("history/", "edited/"))
    ]


def _compared(plan: Path, made: Path) -> list[Difference]:
    """How a file differs from what was made now."""
    try:
        one, other = _read(plan), made.read_text(encoding="utf-8")
        how = _HOW.get(made.suffix, _text)
        return [] if one == other else how(one, other)
    except Unlike as error:
        return [_different(str(error))]
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        return [_different(f"it cannot be read as {made.suffix[1:]}")]


def _cells(plan: Path, made: Path) -> list[Compared]:
    """The cells of a notebook, each with what it shows; metadata and tags decide nothing."""
    now = json.loads(made.read_text(encoding="utf-8"))["cells"]
    try:
        was = json.loads(_read(plan))["cells"]
        if len(was) != len(now):
            raise Unlike(f"it has {len(was)} cells, perfplan's has {len(now)}")
        return [_cell(number, *pair) for number, pair in enumerate(zip(was, now, strict=True))]
    except Unlike as error:
        found = str(error)
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        found = "it cannot be read as a notebook"
    return [Compared(name=f"cell {number}", rows=[_different(found)]) for number in range(len(now))]


def _cell(number: int, was: dict[str, Any], now: dict[str, Any]) -> Compared:
    lines = "".join(now["source"]).strip().splitlines()
    if (was["cell_type"], "".join(was["source"])) != (now["cell_type"], "".join(now["source"])):
        return Compared(name=f"cell {number}", rows=[_different("holds another text or code than perfplan's notebook")])
    return Compared(name=f"cell {number}: differs: {lines[-1] if lines else ''}", rows=differences(was.get("outputs"), now.get("outputs")))


class Unlike(Exception):
    """A file that cannot be compared; says why."""


def _read(path: Path) -> str:
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise Unlike("it is missing")
    if path.stat().st_size > LARGEST:
        raise Unlike(f"it has {path.stat().st_size / 1e6:.0f} MB")
    return path.read_text(encoding="utf-8")


def _different(what: str) -> Difference:
    return Difference(size=math.inf, kept=what, found="", allowed=False)


def _text(kept_text: str, made: str) -> list[Difference]:
    return differences({"text/html": kept_text}, {"text/html": made})


def _json(kept_text: str, made: str) -> list[Difference]:
    one, other = (json.loads(text) for text in (kept_text, made))
    if isinstance(one, dict) and isinstance(other, dict):  # a plan; what the simulation saw is a list
        one, other = ({k: v for k, v in data.items() if k not in ("files", "perfplan")} for data in (one, other))
    return differences(one, other)


def _csv(kept_text: str, made: str) -> list[Difference]:
    """Column by column, as those of one unit; a difference of two plans may be all noise where it is small beside the others."""
    one, other = (_columns([[_number(cell) for cell in row] for row in csv.reader(text.splitlines())]) for text in (kept_text, made))
    return differences(one, other, tiny=SMALL)


def _columns(rows: list[list[str | float]]) -> list[list[str | float]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _number(cell: str) -> str | float:
    try:
        return float(cell) if re.fullmatch(r"-?\d[\d.e+-]*", cell) and not re.fullmatch(r"(19|20)\d\d(-.*)?", cell) else cell
    except ValueError:
        return cell


SCRIPT = re.compile(r"(<script[^>]*>)(.*?)</script>", re.S)
FIGURE = re.compile(r"\bfig-[0-9a-f]{8}\b")  # named by the hash of its numbers


def _numbered(text: str) -> str:
    """The names of figures, which are hashes of their numbers, by their order."""
    names: dict[str, str] = {}
    return FIGURE.sub(lambda match: names.setdefault(match[0], f"figure {len(names)}"), text)


def _page(kept_text: str, made: str) -> list[Difference]:
    """The text as read, the numbers of its figures, and its scripts to the letter."""
    one, other = (SCRIPT.split(_numbered(text)) for text in (kept_text, made))
    if len(one) != len(other):
        return [_different("it holds other figures or scripts")]
    found: list[Difference] = []
    for at in range(0, len(one), 3):
        found += _text(one[at], other[at])
        if at + 2 < len(one):
            (tag, script), (tag_now, script_now) = one[at + 1 : at + 3], other[at + 1 : at + 3]
            if tag != tag_now or ("json" not in tag and script != script_now):
                found.append(_different("a script is not perfplan's"))
            elif script != script_now:
                found += differences(json.loads(script), json.loads(script_now))
    return sorted(found, key=lambda d: (d.allowed, -d.size))


_HOW: dict[str, Callable[[str, str], list[Difference]]] = {".html": _page, ".json": _json, ".csv": _csv}
