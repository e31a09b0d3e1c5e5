"""Commands: what they print, and how they end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfplan.cli import main
from tests.conftest import ROOT, SMALL, STOREFRONT


def test_check_says_what_holds_by_exit_code(small, capsys):
    assert main(["check", str(STOREFRONT), "--worlds", "60"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN peak second: does not hold in April 2027 and " in out
    assert "sampling error" in out
    small.write_text(SMALL.replace("connections: 20", "connections: 60").replace("instances: 4", "instances: 12"))
    assert main(["check", str(small), "--worlds", "60"]) == 0
    assert main(["check"]) == 2
    assert main(["check", "--items", str(small), "--worlds", "40"]) == 0
    assert "of 255 items answered" in capsys.readouterr().out


def test_a_fault_of_ours_is_told_from_a_broken_promise(small, capsys, monkeypatch):
    def broken(*_):
        return [][0]

    monkeypatch.setattr("perfplan.workbook.checking.run_outs", broken)
    assert main(["check", str(small)]) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "perfplan: IndexError: list index out of range"
    assert "where: check (workbook/checking.py:" in said[1]
    assert "report it with the scenario" in said[2]
    assert len(said) == 3
    with pytest.raises(IndexError):
        main(["check", str(small), "--debug"])


def test_a_check_ends_within_its_limit_and_says_what_it_was_doing(small):
    done = subprocess.run(
        [sys.executable, "-m", "perfplan", "check", str(small), "--limit", "0.01"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("perfplan: not done within 0.01 s (--limit; 0: none)\n  it was in ")
    assert main(["check", str(small), "--limit", "0"]) == 0


@pytest.mark.parametrize("tier", ["mvp", "growth", "enterprise"])
def test_a_new_scenario_is_a_scenario(tier, tmp_path, monkeypatch, capsys):
    from perfplan.reading import read
    from perfplan.starter import TARGETS

    monkeypatch.chdir(tmp_path)
    assert main(["new", "blog", "--tier", tier]) == 0
    statement = read("blog/scenario.yaml")
    p95, errors, available, hit = TARGETS[tier]
    texts = {e.path: e.text for e in statement.entries.values()}
    assert [
        texts["objectives.read p95.below"],
        texts["objectives.write errors.below"],
        texts["objectives.write available.above"],
        texts["tiers.cache.hit_ratio"],
    ] == [p95, errors, available, hit]
    assert (tmp_path / "blog" / "scenario.schema.json").is_file()
    assert main(["new", "blog"]) == 2
    assert "is already there" in capsys.readouterr().err
    assert main(["new", "../x"]) == 2


def test_the_schema_and_the_fields_are_printed(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "perfplan scenario"
    assert main(["fields"]) == 0
    said = capsys.readouterr().out
    assert "| traffic.peak_users |" in said
    assert said == (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), "perfplan fields > docs/glossary.md"


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a process of its own")
def test_lab_opens_on_the_workbench_and_asks_nothing(monkeypatch):
    """Its plugin that asks about news is off, beside whatever settings somebody has."""
    seen = []
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")

    def taken_over(_, command):
        seen.extend(command)
        raise SystemExit(0)

    monkeypatch.setattr("os.execv", taken_over)
    with pytest.raises(SystemExit):
        main(["lab", "--no-browser"])
    assert "--no-browser" in seen
    assert seen[3].endswith("notebooks/explore.ipynb")
    quiet, mine = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert mine == "mine"
    off = json.loads((Path(quiet) / "labconfig" / "page_config.json").read_text())["disabledExtensions"]
    assert off == {"@jupyterlab/apputils-extension:announcements": True}
