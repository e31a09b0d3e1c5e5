"""`perfplan sweep`: every point is what a plan of that scenario says."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan.cli import main
from perfplan.plan import plan
from perfplan.quantity import COUNT, WHOLE
from perfplan.reading import BadScenario, read
from perfplan.workbook import sweeping
from perfplan.workbook.sweeping import Axis, axes, grid, hypercube, page, sweep
from tests.conftest import STOREFRONT

VARIED = ("traffic.peak_users=50k:120k:log5", "tiers.redis.memory=4GiB,16GiB", "tiers.api.instances=30,44")


@pytest.mark.parametrize("month", [0, 5])
def test_each_point_is_the_plan_of_its_scenario(month):
    statement = read(STOREFRONT)
    found = axes(statement, VARIED)
    points = grid(found)
    columns = sweep(statement, found, points, month)
    assert columns["holds"].size == 20
    for i in (0, 3, 11, 19):
        stated = statement.but(*(f"{one.path}={one.text(float(points[one.path][i]))}" for one in found)).at()
        made = plan(stated, percentiles=(0.95,), months=month + 1)
        assert columns["peak_rps"][i] == pytest.approx(float(made.rps[0, month]), rel=1e-9)
        assert columns["cost_month_usd"][i] == pytest.approx(float(made.cost_month_usd[0, month]), rel=1e-9)
        assert bool(columns["holds"][i]) == bool(made.all_hold[0, month])
        for journey, values in made.percentile_s.items():
            assert columns[f"{journey} p95_s"][i] == pytest.approx(float(values[0.95][0, month]), rel=1e-3)


def test_many_loads_of_a_point_are_interpolated_within_a_hundredth(monkeypatch):
    """Against the same points, each planned by itself; data that grow with months are those of the month that is asked for."""
    statement = read(STOREFRONT)
    found = axes(statement, ("traffic.peak_users=40k:160k:log60", "tiers.api.service_time=6ms,14ms", "tiers.api.instances=30,44"))
    quick = sweep(statement, found, grid(found), 5)
    monkeypatch.setattr(sweeping, "FEW", 10**9)
    each = sweep(statement, found, grid(found), 5)
    assert quick.keys() == each.keys()
    for name, values in each.items():
        if name == "holds" or values.dtype == object:
            assert (quick[name] == values).mean() > 0.99, name
        else:
            assert quick[name] == pytest.approx(values, rel=0.01), name


def test_loads_alone_are_those_of_one_scenario(monkeypatch):
    statement = read(STOREFRONT)
    found = axes(statement, ("traffic.peak_users=40k:400k:log80",))
    quick = sweep(statement, found, grid(found))
    monkeypatch.setattr(sweeping, "FEW", 10**9)
    each = sweep(statement, found, grid(found))
    assert not np.isfinite(each["checkout p95_s"]).all()  # some saturate
    for name in ("peak_rps", "checkout p95_s", "tightest_of_limit", "cost_month_usd"):
        assert quick[name] == pytest.approx(each[name], rel=0.01), name
    assert (quick["holds"] == each["holds"]).all()


def test_what_is_varied_beats_what_was_measured():
    """The peak of a history is not that of the users who are stated."""
    statement = read(STOREFRONT)
    found = axes(statement, ("traffic.peak_users=50k,100k",))
    columns = sweep(statement, found, grid(found))
    assert columns["peak_rps"][1] == pytest.approx(2 * columns["peak_rps"][0])


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=5, unique=True), st.integers(2, 60), st.integers(0, 99))
def test_a_hypercube_has_one_point_in_each_slice(values, points, seed):
    values = np.sort(np.array(values))
    axis, other = Axis(path="a", kind=COUNT, values=np.array([0.0, 1.0])), Axis(path="b", kind=COUNT, values=values)
    found = hypercube([axis, other], points, seed)
    assert sorted((found["a"] * points).astype(int).tolist()) == list(range(points))
    assert values[0] <= found["b"].min() <= found["b"].max() <= values[-1]
    counts = hypercube([Axis(path="c", kind=WHOLE, values=np.array([1.0, 9.0]))], points, seed)["c"]
    assert (counts == np.round(counts)).all()


@pytest.mark.parametrize(
    ("varied", "said"),
    [
        ((), "must name a field and its values"),
        (("tiers.none.here=1,2",), "must be a number that the scenario states"),
        (("traffic.peak_users=5:1:log5",), "from a lower to a higher value"),
        (("traffic.peak_users=1 apple,2",), "got 1 apple"),
        (("traffic.peak_users=10k to 20k,30k",), "no intervals"),
        (("traffic.peak_users=1k", "traffic.peak_users=2k"), "must be varied once"),
        (("tiers.postgres.connections=40,4000",), "must be at most max_connections"),
        (("traffic.peak_users=1k:9k:lin2000", "tiers.redis.memory=1GB:9GB:lin2000"), "must be fewer"),
    ],
)
def test_senseless_sweeps_are_refused(varied, said):
    def swept():
        statement = read(STOREFRONT)
        found = axes(statement, varied)
        return sweep(statement, found, grid(found))

    with pytest.raises(BadScenario, match=said):
        swept()


def test_a_sweep_is_a_table_and_a_page(small, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["sweep", str(small), "--vary", "traffic.peak_users=500:2000:lin4", "--vary", "tiers.app.service_time=5ms,10ms"]
    assert main([*command, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "8 points" in said
    assert "in November 2026 with every other input at its median" in said
    assert "small, November 2026: 8 points" in (out / "sweep.html").read_text(encoding="utf-8")
    with (out / "sweep.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["holds"] for row in rows} <= {"True", "False"}
    assert main([*command, "--out", str(out), "--latin", "30"]) == 0
    assert len((out / "sweep.csv").read_text().splitlines()) == 31
    assert main([*command, "--month", "99"]) == 2
    (out / "sweep.html").unlink()
    (out / "sweep.csv").write_text("mine")
    assert main([*command, "--out", str(out)]) == 2
    assert (out / "sweep.csv").read_text() == "mine"
    assert {one.name for one in out.iterdir()} - {"sweep.parquet"} == {"sweep.csv"}  # that is there where pyarrow is


def test_a_hypercube_of_counts_has_a_limit_and_its_page_no_contour(small):
    statement = read(small)
    found = axes(statement, ("tiers.app.service_time=5ms:10ms:lin2", "traffic.peak_users=500:2000:lin2"))
    columns = sweep(statement, found, hypercube(found, 50))
    assert "contour" not in page("x", pd.DataFrame(columns), found).partition("plotly.js v")[0].lower()
    assert len(page("x", pd.DataFrame(columns), found)) < 8_000_000
    many = axes(read(STOREFRONT), ("tiers.api.instances=1:100000:lin2",))
    points = {many[0].path: np.arange(1.0, 3001.0)}
    with pytest.raises(BadScenario, match="must be fewer"):
        sweep(read(STOREFRONT), many, points)


def test_names_stay_text_in_its_figures():
    hostile = "<script>alert(1)</script>"
    frame = pd.DataFrame({hostile: [1.0, 2.0], "b": [1.0, 2.0], "x p95_s": [0.1, 0.2], "holds": [True, False], "tightest": [hostile] * 2})
    found = [Axis(path=name, kind=COUNT, values=np.array([1.0, 2.0])) for name in (hostile, "b")]
    assert hostile not in page(hostile, frame, found)
