"""What tests of the workbook share: a plan folder of the storefront, and plans that are made without notebooks."""

import json
import os

import pytest
from filelock import FileLock

from perfplan.document import document, to_json
from perfplan.reading import read
from perfplan.study import study
from perfplan.workbook import folder as module
from perfplan.workbook import make
from tests.conftest import DATA, STOREFRONT

WORLDS = 60
KEPT = DATA / "plan_1.json"  # of schema 1, from the last version that wrote it


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The storefront's plan folder, where an earlier plan stood, of other traffic; one for all that run tests at a time."""
    room = tmp_path_factory.getbasetemp()
    room = room.parent if "PYTEST_XDIST_WORKER" in os.environ else room
    out = room / "plans" / "storefront"
    with FileLock(room / "storefront.lock"):
        if not (out / "plan.html").is_file():
            out.mkdir(parents=True)
            earlier = study(read(STOREFRONT, ("traffic.peak_users=70k",)), WORLDS)
            (out / "plan.json").write_text(to_json(document(earlier)), encoding="utf-8")
            make(STOREFRONT, out, (), WORLDS)
    return out


@pytest.fixture
def quick(monkeypatch):
    """Plans without notebooks, page and judges: what is made is plan.json, a note that stands for the page, and inputs/."""

    def fill(making, statement, *_):
        for name, text in {
            "plan.html": "page",
            "notebooks/3_implementation.ipynb": "{}",
            "tables/orders.csv": "a,b",
            "configs/alerts.yml": "x",
        }.items():
            (making.plan / name).parent.mkdir(exist_ok=True)
            (making.plan / name).write_text(text)
        data = json.loads(KEPT.read_text()) | {"name": str(statement.entries["name"].value)}
        (making.plan / "plan.json").write_text(json.dumps(data))
        return None, {}

    monkeypatch.setattr(module, "fill", fill)


@pytest.fixture
def out(quick, small, tmp_path):
    """A plan folder that was made so."""
    make(small, tmp_path / "plans" / "small")
    return tmp_path / "plans" / "small"
