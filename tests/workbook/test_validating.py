"""`perfplan validate`: a plan is made again from its inputs, and what was forged or lost in its folder is found; nothing in it is run."""

import copy
import json
import os
import random
import re
import shutil

import pytest

from perfplan.cli import main
from perfplan.workbook import folder, make
from perfplan.workbook.chapters import CHAPTERS
from perfplan.workbook.validating import beside
from tests.conftest import SMALL

WORLDS = 30


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A small plan's folder, with an earlier plan in its history."""
    room = tmp_path_factory.mktemp("validate")
    (room / "scenario.yaml").write_text(SMALL, encoding="utf-8")
    make(room / "scenario.yaml", room / "plan", ("traffic.peak_users=800 to 900",), WORLDS)
    make(room / "scenario.yaml", room / "plan", ("tiers.app.instances=5",), WORLDS)
    return room / "plan"


@pytest.fixture
def other(plan, tmp_path):
    """A copy of the plan, to be forged."""
    shutil.copytree(plan, tmp_path / "plan")
    return tmp_path / "plan"


def perturbed(value, factor, rng):
    """Figures and hidden values, each number times *factor* or its inverse."""
    if isinstance(value, dict):
        return {
            k: v if k in ("execution_count", "metadata", "text/html", "source", "id") else perturbed(v, factor, rng)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [perturbed(v, factor, rng) for v in value]
    if isinstance(value, float):
        return value * factor ** rng.choice((-1, 1))
    return value


@pytest.mark.parametrize(("factor", "same"), [(1.00001, True), (1.01, False)])
def test_kept_figures_may_be_off_by_a_hundred_thousandth_but_not_by_a_hundredth(plan, other, factor, same):
    path = other / "notebooks" / "3_implementation.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = perturbed(copy.deepcopy(cell["outputs"]), factor, random.Random(3))
    path.write_text(json.dumps(notebook))
    lines, found, largest = beside(other, plan)
    assert found is same
    if same:
        assert 0.9e-5 < largest < 1.1e-5
    else:
        said = "\n".join(lines)
        assert re.search(r"cell \d+: differs: figures\.", said)
        sizes = [float(v) for v in re.findall(r"\((\d+\.\d+)%\)", said)]
        assert sizes == sorted(sizes, reverse=True)
        assert 0.9 < sizes[0] < 2.1


def replaced(name, one, other):
    """A forgery: in the file *name*, *other* stands for the first *one*."""

    def forge(folder):
        text = (folder / name).read_text(encoding="utf-8")
        assert one in text
        (folder / name).write_text(text.replace(one, other, 1), encoding="utf-8")

    return forge


def told_twice(folder):
    """An output is forged, its cell tagged as not to be compared."""
    path = folder / "notebooks" / "3_implementation.ipynb"
    notebook = json.loads(path.read_text().replace("the busiest station", "the laziest station", 1))
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["nbval-ignore-output", "nbval-skip"]
    path.write_text(json.dumps(notebook))


def scripted(folder):
    page = folder / "plan.html"
    page.write_text(page.read_text().replace("</body>", "<script>alert(1)</script></body>"))


def recolumned(folder):
    """A small number beside a large one, of another column."""
    path = folder / "tables" / "budgets.csv"
    rows = [row.split(",") for row in path.read_text().splitlines()]
    rows[1][1] = "0.05" if rows[1][1] != "0.05" else "0.95"
    path.write_text("\n".join(",".join(row) for row in rows))


def inserted(folder):
    path = folder / "notebooks" / "0_capacity_plan.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"].insert(1, {"cell_type": "markdown", "source": ["# FORGED"], "metadata": {}})
    path.write_text(json.dumps(notebook))


def exchanged(folder):
    page = folder / "plan.html"
    text = page.read_text()
    one, other = list(dict.fromkeys(re.findall(r'data-fig="(fig-[0-9a-f]{8})"', text)))[:2]
    page.write_text(
        text.replace(f'data-fig="{one}"', "X").replace(f'data-fig="{other}"', f'data-fig="{one}"').replace("X", f'data-fig="{other}"', 1)
    )


FORGED = {
    "a word of a cell": (told_twice, r"  cell \d+: differs: .*busiest.*, kept .*laziest"),
    "code of a cell": (
        replaced("notebooks/4_testing.ipynb", "tables.stages(study)", "tables.costs(study)"),
        r"  cell \d+: holds another text or code",
    ),
    "a chapter": (lambda folder: (folder / "notebooks" / "5_monitoring.ipynb").unlink(), r"5_monitoring: 0 of \d+ cells are the same"),
    "all chapters": (lambda folder: shutil.rmtree(folder / "notebooks"), r"0_capacity_plan: 0 of \d+ cells"),
    "a sentence of the page": (
        replaced("plan.html", "Every promise holds", "No promise holds"),
        r"plan\.html: differs\n  plan\.html: '.*Every promise.*kept '.*No promise",
    ),
    "a number of the page": (replaced("plan.html", ">$8", ">$9"), r"plan\.html: differs"),
    "a script in the page": (scripted, r"it holds other figures or scripts"),
    "the page": (lambda folder: (folder / "plan.html").unlink(), r"plan\.html: it is missing"),
    "a verdict": (replaced("plan.json", "Every promise holds", "Some promise holds"), r"plan\.json: differs"),
    "a table": (replaced("tables/orders.csv", ",", ";"), r"tables/orders\.csv"),
    "a file for a server": (
        replaced("configs/pgbouncer-store.ini", "default_pool_size = ", "default_pool_size = 9"),
        r"configs: \d+ of \d+ files are the same\n  configs/pgbouncer",
    ),
    "what a judge said": (replaced("inputs/judged.json", '"accepted": true', '"accepted": false'), r"inputs/judged\.json: differs"),
    "what was stated anew": (replaced("inputs/overrides.txt", "=5", "=6"), r"overrides\.txt: differs"),
    "a share in a table": (recolumned, r"tables/budgets\.csv"),
    "a text between cells": (inserted, r"0_capacity_plan: 0 of \d+ cells"),
    "a judge": (replaced("inputs/judged.json", '"judge": "promtool', '"judge": "a friend of promtool'), r"inputs/judged\.json: differs"),
    "figures exchanged": (exchanged, r"plan\.html: differs"),
    "a link": (
        lambda folder: ((folder / "plan.html").unlink(), (folder / "plan.html").symlink_to("/etc/hostname")),
        r"plan\.html: it is missing",
    ),
    "no notebook": (lambda folder: (folder / "notebooks" / "7_trust.ipynb").write_text("[]"), r"it cannot be read as a notebook"),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_was_forged_or_lost_is_found(plan, other, what):
    assert beside(other, plan)[1]
    forge, said = FORGED[what]
    forge(other)
    lines, same, _ = beside(other, plan)
    assert not same
    assert re.search(said, "\n".join(lines)), lines


def test_a_number_of_plan_json_may_differ_in_its_last_digits_only(plan, other):
    path = other / "plan.json"
    data = json.loads(path.read_text())
    key = next(k for k in data["numbers"] if k.startswith("demand.peak_hour"))
    for factor, same in ((1 + 1e-6, True), (1.02, False)):
        value = data["numbers"][key]["value"] * factor
        path.write_text(json.dumps(data | {"numbers": data["numbers"] | {key: data["numbers"][key] | {"value": value}}}))
        assert beside(other, plan)[1] is same


def test_a_plan_from_anybody_is_made_again_and_nothing_in_it_is_run(other, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    mark = tmp_path / "it has run"
    code = f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text(str(dict(os.environ)))\n"
    for name in ("conftest.py", "notebooks/conftest.py", "numpy.py", "inputs/sitecustomize.py", "perfplan.py", "inputs/pandas.py"):
        (other / name).write_text(code)
    path = other / "notebooks" / "3_implementation.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["source"] = code
    path.write_text(json.dumps(notebook))
    (other / "history" / "0009-2026-01-01.json").symlink_to("/etc/hostname")
    (other / "NOTES.md").write_text("mine")
    before = {p: p.read_bytes() for p in other.rglob("*") if p.is_file()}
    monkeypatch.setattr(folder, "judgements", None)  # no tool is asked: what it said is in the plan
    assert main(["validate", str(other)]) == 1
    said = capsys.readouterr().out
    assert not mark.exists()
    assert "what tools said of its files is taken from inputs/judged.json; none is asked again" in said
    assert re.search(r"3_implementation: \d+ of \d+ cells are the same\n  cell 1: holds another text or code", said)
    assert "not compared, as perfplan did not make it: NOTES.md" in said
    assert "the plan cannot be reproduced here" in said
    for name in (one.notebook for one in CHAPTERS):
        if name != "3_implementation":
            assert re.search(rf"{name}: (\d+) of \1 cells are the same\n", said)
    assert before == {p: p.read_bytes() for p in other.rglob("*") if p.is_file()}


def test_a_plan_of_another_version_or_of_changed_inputs_is_told_so_first(other, capsys):
    replaced("inputs/scenario.yaml", "name: small", "name: smell")(other)
    replaced("plan.json", '"perfplan": "', '"perfplan": "9.')(other)
    (other / "inputs" / "judged.json").write_text(
        json.dumps({"alerts.yml": {"judge": "a friend of promtool", "accepted": True, "said": "accepted"}})
    )
    assert main(["validate", str(other)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"made by perfplan 9\.\S+; this is \S+: what differs may be of that", lines[0])
    assert lines[1:4] == [
        "inputs/judged.json: is not the file that the plan was made from",
        "inputs/scenario.yaml: is not the file that the plan was made from",
        "inputs/judged.json: alerts.yml was judged by nobody that perfplan asks",
    ]
    assert "plan.json: differs" in lines


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (lambda folder: (folder / "plan.json").unlink(), "plan.json: it cannot be read: No such file"),
        (lambda folder: shutil.rmtree(folder / "inputs"), "must hold inputs/scenario.yaml"),
        (replaced("plan.json", '"worlds": 30.0', '"worlds": 3e9'), "worlds: must be a whole number from 30 to 100000"),
        (replaced("plan.json", '"numbers"', '"numbers_"'), "numbers is missing"),
        (lambda folder: os.truncate(folder / "plan.json", 100), "it is no JSON"),
        (lambda folder: (folder / "inputs" / "judged.json").write_text("[]"), "judged: must be what perfplan wrote there"),
    ],
)
def test_what_is_no_plan_folder_is_refused(other, capsys, forge, said):
    forge(other)
    assert main(["validate", str(other)]) == 2
    assert said in capsys.readouterr().err


def test_noise_within_a_column_is_nothing_and_a_share_beside_millions_is_something():
    from perfplan.workbook.validating import _csv

    kept = "what,share,count\na,0.95,6000000\nb,1e-9,5000000\n"
    assert all(d.allowed for d in _csv(kept, kept.replace("1e-9", "3e-9")))
    assert not all(d.allowed for d in _csv(kept, kept.replace("0.95", "0.05")))
    with pytest.raises(ValueError, match="zip"):
        _csv(kept, kept + "one more,1\n")


def test_what_was_simulated_may_differ_in_its_last_digits_only():
    """verified.json is a list of rows, plan.json a map."""
    from perfplan.workbook.validating import _json

    rows = [{"name": "peak", "found_s": 0.25, "predicted_s": 0.24}]
    assert all(d.allowed for d in _json(json.dumps(rows), json.dumps([rows[0] | {"found_s": 0.25000001}])))
    assert not all(d.allowed for d in _json(json.dumps(rows), json.dumps([rows[0] | {"found_s": 0.3}])))
