"""Does a change of the code change any result? The commit before and the code as it is plan the same scenarios, and every byte is compared.

    python benchmarks/same.py COMMIT [--quick] [--worlds 60]

Scenarios: the demos, tests/kinds/*.yaml and the odd ones of tests/test_odd.py. Each is planned by both as a command; plan.json (without
the names of formulas, whose code may move, and without the version), configs/ and tables/ must be the same. --quick computes plan.json,
generated files and tables in one process each, without notebooks, page and judges.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
QUICK = """if True:
    import json, sys
    from pathlib import Path
    from perfplan.artifacts import configs
    from perfplan.document import document, to_json
    from perfplan.reading import read
    try:
        from perfplan.study import study
    except ImportError:  # before it had a folder of its own
        from perfplan.uncertainty import study
    from perfplan.workbook.folder import all_tables
    for path, out in zip(sys.argv[2::2], sys.argv[3::2]):
        made, folder = study(read(path), int(sys.argv[1])), Path(out)
        for part in ("configs", "tables"):
            (folder / part).mkdir(parents=True)
        (folder / "plan.json").write_text(to_json(document(made)))
        for name, text in configs(made).items():
            (folder / "configs" / name).write_text(text)
        for one in all_tables(made):
            (folder / "tables" / f"{one.name}.csv").write_text(f"{one.title}\\n{one.subtitle}\\n{one.tidy().to_csv()}")
"""


@contextlib.contextmanager
def tree(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder of their own."""
    with tempfile.TemporaryDirectory() as room:
        place = Path(room) / "tree"
        subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(place)], check=True)


def scenarios(room: Path, before: Path) -> dict[str, Path]:
    """Every scenario by name, in files; of tests/kinds those that the commit before knows, too."""
    sys.path.insert(0, str(ROOT))
    from tests.test_odd import ODD

    found = {one: ROOT / "data" / one / "scenario.yaml" for one in ("storefront", "measured")}
    found |= {path.stem: path for path in sorted((ROOT / "tests" / "kinds").glob("*.yaml")) if (before / path.relative_to(ROOT)).is_file()}
    for name, text in ODD.items():
        place = room / name.replace(" ", "-").replace(",", "") / "scenario.yaml"
        place.parent.mkdir(parents=True)
        place.write_text(text, encoding="utf-8")
        found[place.parent.name] = place
    return found


def planned(code: Path, files: dict[str, Path], out: Path, worlds: int, quick: bool) -> float:
    """Plan all *files* with the package in *code*; returns the seconds of CPU."""
    environment = os.environ | {"PYTHONPATH": str(code)}
    start = os.times()
    if quick:
        pairs = [part for name, path in files.items() for part in (str(path), str(out / name))]
        subprocess.run([sys.executable, "-c", QUICK, str(worlds), *pairs], env=environment, cwd=out, check=True)
    else:
        for name, path in files.items():
            command = [sys.executable, "-m", "perfplan", "plan", str(path), "--out", str(out / name), "--worlds", str(worlds)]
            done = subprocess.run(command, env=environment, cwd=out, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {done.stderr}"
    end = os.times()
    return end.children_user + end.children_system - start.children_user - start.children_system


def results(folder: Path) -> dict[str, str]:
    """The hash of each file that must be the same."""
    found = {"plan.json": json.dumps(_without_names(json.loads((folder / "plan.json").read_text(encoding="utf-8"))), sort_keys=True)}
    for part in ("configs", "tables"):
        found |= {f"{part}/{path.name}": path.read_text(encoding="utf-8") for path in (folder / part).iterdir()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in found.items()}


def _without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_names(v) for k, v in value.items() if k not in ("formula", "perfplan")}
    return [_without_names(v) for v in value] if isinstance(value, list) else value


def main() -> int:
    """Plan with both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worlds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room, tree(options.commit) as before:
        files = scenarios(Path(room) / "scenarios", before)
        cpu = {}
        for name, code in (("before", before), ("now", ROOT)):
            (Path(room) / name).mkdir()
            start = time.monotonic()
            cpu[name] = planned(code, files, Path(room) / name, options.worlds, options.quick)
            print(f"{name}: {len(files)} scenarios, {cpu[name]:.0f} s CPU, {time.monotonic() - start:.0f} s", flush=True)
        different = 0
        for name in files:
            was, now = (results(Path(room) / side / name) for side in ("before", "now"))
            wrong = sorted(part for part in was.keys() | now.keys() if was.get(part) != now.get(part))
            different += bool(wrong)
            print(f"{name}: {'the same' if not wrong else 'differs: ' + ', '.join(wrong)}")
        print(
            f"{len(files) - different} of {len(files)} scenarios are the same in every byte; CPU {cpu['now'] / cpu['before']:.3f} of before"
        )
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
