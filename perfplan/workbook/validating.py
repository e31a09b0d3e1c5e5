"""`perfplan validate`: can a plan be reproduced? Its notebooks run again from its inputs, and every cell is compared (nbval)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from perfplan.reading import BadScenario, Problem
from perfplan.workbook.opening import CACHE

PARTS = ("inputs", "notebooks", "history")


def validate(folder: Path) -> tuple[str, bool]:
    """A line for each notebook and each cell that differs, and whether all are the same."""
    if not (folder / "plan.json").is_file() or not (folder / "notebooks").is_dir():
        raise BadScenario(str(folder), [Problem(0, "folder", "must be a plan folder, with plan.json, inputs/ and notebooks/")])
    lines, same = [], True
    with tempfile.TemporaryDirectory(prefix="perfplan-") as place:
        for part in PARTS:
            if (folder / part).is_dir():
                shutil.copytree(folder / part, Path(place) / part)
        for path in sorted((Path(place) / "notebooks").glob("*.ipynb")):
            cells = _cells(path, Path(place))
            bad = [(number, what) for number, what in cells if what]
            same &= bool(cells) and not bad
            lines.append(
                f"{path.stem}: {len(cells) - len(bad)} of {len(cells)} cells are the same" if cells else f"{path.stem}: did not run"
            )
            lines += [f"  cell {number}: {what}" for number, what in bad]
    return "\n".join([*lines, "the plan can be reproduced" if same else "the plan cannot be reproduced here"]), same


def _cells(path: Path, place: Path) -> list[tuple[int, str]]:
    """Number of each code cell, and what differs in it; "" where nothing does."""
    report = place / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-c", os.devnull, "--rootdir", str(place), str(path)]  # fmt: skip
    environment = os.environ | {CACHE: str(place)}
    subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    if not report.is_file():
        return []
    sources = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        number = int(re.sub(r"\D", "", case.get("name", "").rpartition("::")[2]) or 0)
        failure = next(iter(case.findall("failure") + case.findall("error")), None)
        source = "".join(sources[number]["source"]).strip().splitlines() if number < len(sources) else []
        found.append((number, f"differs: {source[-1] if source else ''}" if failure is not None else ""))
    return found
