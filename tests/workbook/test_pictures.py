"""Figures of executed notebooks where nothing draws them: static pictures, and numbers as text."""

import base64
import copy
import json
import struct
import subprocess
import sys

import pytest

from perfplan.cli import main
from perfplan.shown.drawing import FIGURE, as_text, figure
from perfplan.workbook import alike, handing, pictures
from tests.workbook.chromium import CHROMIUM

HOSTILE = "</script><img src=x onerror=\"document.title='run'\"> ]]> &lt;b&gt;"


@pytest.fixture
def notebooks(folder):
    """Those of the storefront, by name, and a figure with a hostile title among them."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "notebooks").glob("*.ipynb"))}
    hostile = figure(HOSTILE, HOSTILE)
    hostile.add_scatter(x=[1, 2], y=[3, 4], name="a")
    output = {"output_type": "display_data", "metadata": {}, "data": hostile._repr_mimebundle_()}
    found["7_trust"]["cells"].append(
        {"cell_type": "code", "source": "", "metadata": {}, "execution_count": 1, "outputs": [output], "id": "h"}
    )
    return found


def figures_of(notebooks):
    return [o["data"] for nb in notebooks.values() for c in nb["cells"] for o in c.get("outputs", ()) if FIGURE in o.get("data", {})]


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_each_figure_gets_a_picture_that_nbconvert_shows_and_nobody_compares(notebooks, tmp_path):
    before = copy.deepcopy(notebooks)
    assert pictures.pictured(notebooks) == ""
    found = figures_of(notebooks)
    assert len(found) > 20
    for data in found:
        png = base64.b64decode(data["image/png"])
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", png[16:24])
        assert (width, height) == (pictures.WIDTH, data[FIGURE]["layout"]["height"])
        assert len(png) > 2000
    for name, notebook in notebooks.items():
        assert alike.differences(before[name]["cells"], notebook["cells"]) == []
    path = tmp_path / "7_trust.ipynb"
    path.write_text(json.dumps(notebooks["7_trust"]), encoding="utf-8")
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    shown = path.with_suffix(".html").read_text(encoding="utf-8")
    assert all(data["image/png"].strip() in shown for data in figures_of({"": notebooks["7_trust"]}))
    assert "<img src=x" not in shown


def test_without_a_chromium_that_is_said_and_the_numbers_stand_as_text(notebooks, monkeypatch):
    before = copy.deepcopy(notebooks)
    monkeypatch.setattr(handing, "BROWSERS", ("no-such-browser",))
    assert pictures.pictured(notebooks) == "pictures in notebooks were left out: no Chromium was found here"
    monkeypatch.setattr(handing, "BROWSERS", ("false",))
    assert "false ended with 1" in pictures.pictured(notebooks)
    assert notebooks == before
    for data in figures_of(notebooks):
        text = data["text/plain"]
        assert "".join(text) == as_text(data[FIGURE])


def test_numbers_of_a_figure_as_text_are_its_title_and_its_series_in_columns():
    fig = figure("What <b>&", "rps")
    fig.add_scatter(x=["a", "b"], y=[1.0, 20000.0], name="first")
    fig.add_bar(x=["b", "c"], y=[0.5, None], name="second")
    fig.add_scatter(x=["z"], y=[9])  # without a name it is no series
    assert as_text(fig._repr_mimebundle_()[FIGURE]).splitlines() == [
        "What <b>&",
        "rps",
        "    first  second",
        "a       1       –",
        "b  20,000     0.5",
    ]


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_plan_has_them_and_a_pdf_and_validates(small, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("PERFPLAN_QUICK")
    out = tmp_path / "plan"
    assert main(["plan", str(small), "--out", str(out), "--worlds", "30"]) == 0
    assert (out / "plan.pdf").read_bytes()[:5] == b"%PDF-"
    made = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (out / "notebooks").glob("*.ipynb")}
    assert all("image/png" in data for data in figures_of(made))
    capsys.readouterr()
    assert main(["validate", str(out)]) == 0
    assert main(["plan", str(small), "--out", str(out), "--worlds", "30", "--quick"]) == 0
    assert not (out / "plan.pdf").exists()
