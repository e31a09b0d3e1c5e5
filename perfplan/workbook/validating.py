"""`perfplan validate`: can a plan be reproduced? Its notebooks run again from its inputs, and nbval compares every cell as `alike` says."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfplan.reading import BadScenario, Problem
from perfplan.workbook import alike
from perfplan.workbook.opening import CACHE

PARTS = ("inputs", "notebooks", "history")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A code cell that ran again: its last line, whether it ran, and what differs from what was kept, the largest first."""

    number: int
    source: str
    good: bool
    rows: tuple[dict[str, Any], ...] = ()
    count: int = 0  # of all that differs

    @property
    def largest(self) -> float:
        """The largest difference; inf where it is none of numbers."""
        return max((row["size"] for row in self.rows), default=0.0)

    def __str__(self) -> str:
        first = next((row for row in self.rows if not row["allowed"]), None)
        if first is None:
            return f"cell {self.number}: differs: {self.source} (it did not run)"
        size = f" ({first['size']:.2%})" if math.isfinite(first["size"]) else ""
        more = f", and {self.count - 1} more" if self.count > 1 else ""
        return f"cell {self.number}: differs: {self.source}: {first['found']!r}, kept {first['kept']!r}{size}{more}"


def validate(folder: Path) -> tuple[str, bool]:
    """A line for each notebook and each cell that differs, the furthest off first, and whether all are the same."""
    if not (folder / "plan.json").is_file() or not (folder / "notebooks").is_dir():
        raise BadScenario(str(folder), [Problem(0, "folder", "must be a plan folder, with plan.json, inputs/ and notebooks/")])
    lines, same, largest = [], True, 0.0
    with tempfile.TemporaryDirectory(prefix="perfplan-") as place:
        for part in PARTS:
            if (folder / part).is_dir():
                shutil.copytree(folder / part, Path(place) / part)
        for path in sorted((Path(place) / "notebooks").glob("*.ipynb")):
            cells = _cells(path, Path(place))
            bad = sorted((cell for cell in cells if not cell.good), key=lambda cell: -cell.largest)
            near = [cell for cell in cells if cell.good and cell.rows]
            largest = max([largest, *(cell.largest for cell in near)])
            same &= bool(cells) and not bad
            within = f", {len(near)} of them within {max(c.largest for c in near):.1g}" if near else ""
            lines.append(
                f"{path.stem}: {len(cells) - len(bad)} of {len(cells)} cells are the same{within}" if cells else f"{path.stem}: did not run"
            )
            lines += [f"  {cell}" for cell in bad]
    how = f", on a machine that adds otherwise: numbers differ by up to {largest:.1g}, no word does" if largest else ""
    return "\n".join([*lines, f"the plan can be reproduced{how}" if same else "the plan cannot be reproduced here"]), same


def _cells(path: Path, place: Path) -> list[Cell]:
    """Each code cell, run again."""
    report, differ = place / "report.xml", place / "differences.jsonl"
    for old in (report, differ):
        old.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "perfplan.workbook.alike", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-c", os.devnull, "--rootdir", str(place), str(path)]  # fmt: skip
    environment = os.environ | {CACHE: str(place), alike.REPORT: str(differ)}
    subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    if not report.is_file():
        return []
    said = [json.loads(line) for line in differ.read_text(encoding="utf-8").splitlines()] if differ.is_file() else []
    rows = {one["cell"]: one for one in said}
    sources = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        number = int(re.sub(r"\D", "", case.get("name", "").rpartition("::")[2]) or 0)
        failure = next(iter(case.findall("failure") + case.findall("error")), None)
        source = "".join(sources[number]["source"]).strip().splitlines() if number < len(sources) else []
        about = rows.get(number, {"rows": [], "count": 0})
        found.append(
            Cell(number=number, source=source[-1] if source else "", good=failure is None, rows=tuple(about["rows"]), count=about["count"])
        )
    return found
