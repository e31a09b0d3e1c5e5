"""The plan folder and its notebooks."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from perfplan import tables
from perfplan.cli import main
from perfplan.reading import read
from perfplan.workbook import make, opening
from perfplan.workbook.chapters import CHAPTERS
from perfplan.workbook.opening import open_plan
from tests.conftest import ROOT, SMALL, STOREFRONT
from tests.workbook.conftest import WORLDS


def test_a_plan_folder_holds_what_it_should(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"plan.html", "plan.json", "inputs/scenario.yaml", "inputs/traffic.csv", "tables/orders.csv", "tables/assumptions.csv"} <= names
    assert {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= names
    assert {"configs/load_test.js", "configs/alerts.yml", "inputs/judged.json", "configs/runbook.md"} <= names
    assert (folder / "inputs" / "scenario.yaml").read_bytes() == STOREFRONT.read_bytes()
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]  # nothing left beside it


def test_the_earlier_plan_is_kept_and_compared(folder):
    kept = list((folder / "history").glob("*.json"))
    assert len(kept) == 1
    assert json.loads(kept[0].read_text())["inputs"]["traffic.peak_users"]["text"] == "70k"
    page = (folder / "plan.html").read_text()
    assert "since the plan of 2026-11-24" in page
    assert "Input: traffic.peak_users" in page


def test_executed_notebooks_hold_up_under_nbval_and_a_changed_number_or_figure_does_not(folder, tmp_path):
    """All chapters, cell by cell, and two with a change, from another folder; their kernels find the study shared here, as in a run."""
    for part in ("inputs", "notebooks", "history"):
        shutil.copytree(folder / part, tmp_path / part)
    (tmp_path / "room").mkdir()
    opening.share(opening.plan_of(read(folder / "inputs" / "scenario.yaml"), WORLDS), tmp_path / "room")

    path = tmp_path / "notebooks" / "3_implementation.ipynb"
    kept = path.read_text()
    changed = {
        "a_word": kept.replace("busiest station", "laziest station", 1),
        "a_figure": re.sub(r'("hovertemplate": ")%\{x:\.0f\} %', r"\1%{x:.3f} %", kept, count=1),
    }
    for name, text in changed.items():
        assert text != kept
        path.with_stem(name).write_text(text)
    names = [*(chapter.notebook for chapter in CHAPTERS), *changed]
    options = ["--nbval", "-q", "-p", "no:cacheprovider", "--override-ini=filterwarnings=default", "--override-ini=addopts="]
    command = [sys.executable, "-m", "pytest", *options, *(str(tmp_path / "notebooks" / f"{name}.ipynb") for name in names)]
    variables = os.environ | {opening.CACHE: str(tmp_path / "room")}
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "room", check=False, env=variables).stdout
    failed = {Path(line.split("::")[0].removeprefix("FAILED ")).stem for line in told.splitlines() if line.startswith("FAILED")}
    assert failed == set(changed), told[-3000:]
    assert "passed" in told


def test_a_notebook_runs_alone_under_plain_papermill(tmp_path):
    target = tmp_path / "out.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        "notebooks/6_optimization.ipynb",
        str(target),
        "-p",
        "scenario",
        "data/storefront/scenario.yaml",
        "-p",
        "peak_users",
        "80k",
        "-p",
        "worlds",
        "40",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "unknown parameter" not in done.stderr
    assert "Traceback" not in target.read_text()


def test_a_senseless_parameter_gives_the_error_of_the_file():
    from perfplan.reading import BadScenario

    with pytest.raises(BadScenario, match="must be a count such as 55k; got 'many'"):
        open_plan(str(STOREFRONT), peak_users="many")
    with pytest.raises(BadScenario, match="from 30 to 100000"):
        open_plan(str(STOREFRONT), worlds="3")
    with pytest.raises(BadScenario, match=re.escape("tiers.apii")):
        open_plan(str(STOREFRONT), overrides="tiers.apii.instances=3")


def test_a_plan_is_computed_once_per_content():
    one = open_plan(str(STOREFRONT), worlds="40")
    assert open_plan(str(STOREFRONT), worlds="40") is one
    assert open_plan(str(STOREFRONT), worlds="40", peak_users="70k") is not one


def test_another_scenario_does_not_get_the_storefronts_numbers(small, tmp_path, capsys):
    assert main(["plan", str(small), "--out", str(tmp_path / "p"), "--worlds", "40"]) == 0
    page = (tmp_path / "p" / "plan.html").read_text()
    assert not re.search(r"\bpostgres\b", page)
    out = capsys.readouterr().out.strip().splitlines()
    assert len(out) == 6
    assert out[-1].endswith("plan.html")


def test_a_failing_notebook_is_reported_and_the_old_plan_stands(folder, monkeypatch, tmp_path):
    from perfplan.workbook import folder as module

    before = (folder / "plan.json").read_bytes()
    broken = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", broken)
    path = broken / "4_testing.ipynb"
    path.write_text(path.read_text().replace("figures.stages(study)", "figures.no_such_figure(study)"))
    monkeypatch.setattr(module, "notebooks_folder", lambda: broken)
    with pytest.raises(module.CellFailed) as caught:
        make(STOREFRONT, folder, (), WORLDS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "4_testing" in lines[0]
    assert "no_such_figure" in lines[1]
    assert "AttributeError" in lines[2]
    assert (folder / "plan.json").read_bytes() == before
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_neither_the_order_of_notebooks_nor_time_zone_and_language_change_a_byte(tmp_path):
    code = (
        "import sys; from perfplan.workbook import folder, make\n"
        "folder.CHAPTERS = tuple(reversed(folder.CHAPTERS)) if sys.argv[2] == 'reversed' else folder.CHAPTERS\n"
        f"make({str(STOREFRONT)!r}, sys.argv[1], (), 30)"
    )
    here, there = tmp_path / "here", tmp_path / "there"
    for out, order, more in (
        (here, "forward", {"TZ": "UTC"}),
        (there, "reversed", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "5"}),
    ):
        subprocess.run([sys.executable, "-c", code, str(out), order], env=os.environ | more, check=True, capture_output=True)
    files = [p.relative_to(here) for p in here.rglob("*") if p.is_file()]
    assert len(files) > 50
    assert {p.relative_to(there) for p in there.rglob("*") if p.is_file()} == set(files)
    assert [str(p) for p in files if (here / p).read_bytes() != (there / p).read_bytes()] == []


def test_diff_shows_what_differs_by_kind_and_overlooks_what_is_allowed(folder, tmp_path, capsys):
    earlier = next((folder / "history").glob("*.json"))  # with 70,000 users instead of 55,000 to 65,000
    assert main(["diff", str(folder), str(folder)]) == 0
    assert capsys.readouterr().out == "0 differences\n"
    assert main(["diff", str(earlier), str(folder)]) == 1
    text = capsys.readouterr().out
    assert "input   Input: traffic.peak_users: 70k -> 55k to 65k" in text
    kinds = [line.split()[0] for line in text.splitlines()[:-1]]
    assert {"input", "demand", "cost"} <= set(kinds)
    assert main(["diff", str(earlier), str(folder), "--tolerance", "demand=50%", "--tolerance", "cost=60%", "--format", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)["differences"]
    assert not {"demand", "cost"} & {row["kind"] for row in rows}
    assert main(["diff", str(earlier), str(folder), "--format", "html"]) == 1
    page = capsys.readouterr().out
    assert "default-src 'none'" in page
    assert "55k to 65k" in page
    for bad in (
        ["diff", str(tmp_path), str(folder)],
        ["diff", str(folder), str(folder), "--tolerance", "cost"],
        ["diff", str(STOREFRONT.with_name("none.yaml")), str(folder)],
    ):
        assert main(bad) == 2
        assert len(capsys.readouterr().err.splitlines()) == 2


def test_texts_that_a_spreadsheet_would_run_are_only_text(small, tmp_path):
    small.write_text(
        SMALL.replace(
            "growth: 1%/month to 3%/month}",
            "growth: 1%/month to 3%/month, events: [{name: \"=cmd|' /C calc'!A0\", month: 2027-01, factor: 1.1}]}",
        )
    )
    make(small, tmp_path / "plan", (), 40)
    tables = {p.name: p.read_text() for p in (tmp_path / "plan" / "tables").glob("*.csv")}
    assert "'=cmd" in tables["assumptions.csv"]
    cells = [cell for text in tables.values() for row in csv.reader(text.splitlines()) for cell in row]
    assert [c for c in cells if re.match(r"[=@\t\r]", c)] == []


def test_a_wheel_brings_notebooks_and_data(tmp_path):
    if os.environ.get("PERFPLAN_NO_WHEEL"):
        pytest.skip("building a wheel was switched off")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "-w", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    import zipfile

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for wanted in (
        "perfplan/notebooks/0_capacity_plan.ipynb",
        "perfplan/data/storefront/scenario.yaml",
        "perfplan/items.csv",
        "perfplan/workbook/look.css",
        "perfplan/py.typed",
    ):
        assert any(name.endswith(wanted) for name in names), wanted


def test_the_plan_folder_is_not_where_the_scenario_is(tmp_path):
    assert Path(STOREFRONT).parent.name == "storefront"
    assert not (STOREFRONT.parent / "plan.html").exists()


def test_a_run_reads_its_scenario_once(small, tmp_path, monkeypatch):
    seen, real = [], opening.read
    monkeypatch.setattr(opening, "read", lambda path, overrides: seen.append(path) or real(path, overrides))
    monkeypatch.setenv(opening.CACHE, str(tmp_path))
    first = opening.stated(small, ("traffic.growth=2%/month",))
    monkeypatch.chdir(small.parent)
    again = opening.stated(Path(small.name), ("traffic.growth=2%/month",))
    assert (len(seen), again.file) == (1, small.name)
    assert again.digest() == first.digest()
    assert opening.stated(small, ()).digest() != first.digest()


def test_the_notebooks_of_a_run_get_what_the_run_has_made(statement, tmp_path, monkeypatch):
    """Tables are made once a plan: the study that a kernel opens has them."""
    made = opening.plan_of(statement, 30)
    titles = [table(made).title for table in tables.OF_A_STUDY]
    opening.share(made, tmp_path)
    monkeypatch.setenv(opening.CACHE, str(tmp_path))
    monkeypatch.setattr(opening, "_OPEN", {})
    monkeypatch.setattr(opening, "study", None)  # nothing is planned again
    found = opening.plan_of(statement, 30)
    assert found is not made
    assert [found.kept[table].title for table in tables.OF_A_STUDY] == titles
