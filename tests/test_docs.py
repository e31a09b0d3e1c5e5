"""The README: every code block in it runs, every command exists."""

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from perfplan.cli import _parser
from perfplan.reading import read
from tests.conftest import ROOT, SMALL

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"sh", "yaml", "python"}


def test_python_examples_say_what_comes_out(monkeypatch):
    monkeypatch.chdir(ROOT)
    for kind, text in BLOCKS:
        if kind == "python":
            test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
            assert test.examples
            assert doctest.DocTestRunner().run(test).failed == 0


def test_yaml_examples_are_valid_scenarios(small):
    for kind, text in BLOCKS:
        if kind == "yaml":
            section = next(iter(yaml.safe_load(text)))
            line = next(row for row in SMALL.splitlines() if row.startswith(f"{section}:"))
            small.write_text(SMALL.replace(line, text.strip()))
            assert read(small).at().traffic.peak_users > 50_000


def commands():
    for kind, text in BLOCKS:
        if kind == "sh":
            for line in text.strip().splitlines():
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_is_one_that_exists(command, tmp_path, monkeypatch):
    program, *rest = command
    program = program.removeprefix(".venv/bin/")
    if rest[:1] == ["-m"]:  # the commands of a new environment; they are run in fresh clones
        assert rest[1] in ("venv", "pip", "pytest")
        assert not any(part.startswith("-c") and not (ROOT / rest[rest.index(part) + 1]).is_file() for part in rest)
    elif program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "perfplan":
        options = _parser().parse_args(rest)
        monkeypatch.chdir(tmp_path)
        if rest[0] in ("new", "check") and "--watch" not in rest:
            if rest[0] == "check":
                from perfplan.starter import write

                write("blog", "growth")
                options.worlds = 40
            assert options.run(options) in (0, 1)
    elif program == "python":
        table = ROOT / rest[-1]  # every fortieth of its rows: all of them are answered by test_references.py and test_caching.py
        rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / table.name).write_text("".join([rows[0], *rows[1::40]]), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *rest[:-1], str(tmp_path / table.name)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "answered" in done.stdout
    elif program == "for":  # a list of traffic numbers: twice the users, twice the peak
        loop = " ".join(command).replace("60k 80k 120k", "60k 120k").replace("out-$n", f"{shlex.quote(str(tmp_path))}/out-$n")
        paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        subprocess.run(
            ["bash", "-euc", loop], cwd=ROOT, env=os.environ | {"PATH": paths, "PERFPLAN_WORLDS": "30"}, check=True, capture_output=True
        )
        peaks = []
        for users in ("60k", "120k"):
            cells = json.loads((tmp_path / f"out-{users}.ipynb").read_text(encoding="utf-8"))["cells"]
            shown = "".join("".join(o["data"].get("text/html", "")) for c in cells for o in c.get("outputs", ()) if "data" in o)
            peaks.append(float(re.search(r"peak hour.*?([\d,]+)\s*rps", shown, re.DOTALL)[1].replace(",", "")))
        assert peaks[1] == pytest.approx(2 * peaks[0], rel=0.01)
    else:
        assert program == "papermill"
        assert (ROOT / next(r for r in rest if r.startswith("notebooks/"))).is_file()


def test_the_map_names_only_what_is_there():
    for page in ("CONTRIBUTING.md", "docs/adding.md", "docs/decisions.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
            if "NAME" not in name and not name.startswith(("plans/", "configs/", "tables/", "inputs/", "history/")):
                assert list(ROOT.glob(f"perfplan/**/{name}")) or (ROOT / name).exists(), f"{page}: {name}"
