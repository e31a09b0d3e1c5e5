"""The explorer and its notebook."""

import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT


def test_the_explorer_follows_its_sliders_and_saves_a_scenario(small, statement):
    from perfplan.reading import read
    from perfplan.workbook.exploring import Explorer, explore

    shop = Explorer(statement)
    assert {c.path for c in shop.controls} >= {
        "traffic.peak_users",
        "traffic.growth",
        "tiers.redis.memory",
        "tiers.api.instances",
        "tiers.api.threads",
        "tiers.postgres.connections",
        "objectives.search p95.below",
    }
    found = explore(str(small))
    before = found.verdict.value
    users = next(c for c in found.controls if c.path == "traffic.peak_users")
    users.slider.value = 4 * users.start
    assert found.verdict.value != before
    assert [float(t.y[0]) > 0 for t in found.latency.data] == [True]
    path = found.save()
    assert path == small.parent / "explored.yaml"
    assert float(read(path).at().traffic.peak_users) == pytest.approx(4 * users.start, rel=0.01)
    assert found.save() is None  # it is there already
    assert "already there" in found.saved.value
    found.name.value = "../../other.yaml"
    assert found.save() == small.parent / "other.yaml"  # beside the scenario, wherever the name points


def test_the_explorer_and_the_plan_say_one_cost(storefront, statement):
    """A month of an event costs its days, wherever it is asked for."""
    from perfplan.plan import plan
    from perfplan.words import money
    from perfplan.workbook.exploring import WORLDS, Explorer

    last = storefront.last
    assert any(e.month == "2027-11" for e in storefront.scenario.traffic.events)  # in the last month
    asked = float(np.median(plan(statement.at(WORLDS), percentiles=(), objectives=()).cost_month_usd[:, last]))
    assert asked == pytest.approx(float(np.median(storefront.worlds.cost_month_usd[:, last])), rel=0.02)
    assert f"{money(asked)} a month at the end" in Explorer(statement).verdict.value


def test_the_explore_notebook_runs(tmp_path):
    command = [
        sys.executable,
        "-m",
        "papermill",
        "notebooks/explore.ipynb",
        str(tmp_path / "out.ipynb"),
        "-p",
        "scenario",
        "data/storefront/scenario.yaml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "application/vnd.jupyter.widget-view+json" in (tmp_path / "out.ipynb").read_text()
