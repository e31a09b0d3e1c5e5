"""The levers of the page, against plans of their own in the same worlds, and as laws."""

import dataclasses
import json

import numpy as np
import pytest

from perfplan.plan import plan, with_counts
from perfplan.reading import read
from perfplan.shown.levers import told, trusted
from perfplan.study import study
from perfplan.study.levers import COUNTS, FORECAST, LOADS, QUANTILES, Few, levers
from perfplan.study.remedy import positions
from perfplan.study.worlds import run_outs
from perfplan.tiers.place import Place
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def found(storefront):
    return levers(storefront)


def test_p_and_the_run_out_are_within_three_points_and_a_month_of_plans_that_were_not_computed_for_them(storefront, found):
    few, rng = Few(storefront), np.random.default_rng(5)
    points = [(int(rng.integers(found.counts.size)), int(rng.integers(LOADS.size))) for _ in range(20)]
    for i, k in points:
        made = plan(with_counts(few.scenario, {found.place: found.counts[i]}), few.rps * LOADS[k], percentiles=())
        made = dataclasses.replace(made, aside=storefront.worlds.aside)
        assert made.all_hold[:, : storefront.last + 1].mean(axis=0) == pytest.approx(found.p[i, k], abs=0.03), (found.counts[i], LOADS[k])
        first = run_outs(made)[0]
        assert found.first[i][k] == first.resource.place or first.quantile(0.5) == found.months[i, k, 1]
        if np.isfinite(first.quantile(0.5)) or np.isfinite(found.months[i, k, 1]):
            assert first.quantile(0.5) == pytest.approx(found.months[i, k, 1], abs=1)


def test_at_the_forecast_with_todays_count_they_say_what_the_plan_says(storefront, found):
    assert found.worlds == storefront.worlds.rps.shape[0]  # fewer than are picked from: all of them
    assert found.p[found.today, FORECAST] == pytest.approx(storefront.p_all[: storefront.last + 1], abs=0.03)
    first = storefront.run_outs[0]
    assert found.first[found.today][FORECAST] == first.resource.place
    assert found.months[found.today, FORECAST].tolist() == [first.quantile(q) for q in QUANTILES]


def test_more_load_keeps_no_more_and_lasts_no_longer(found):
    assert (np.diff(found.p, axis=1) <= 1e-12).all()
    late = np.where(np.isfinite(found.months), found.months, 1e9)
    assert (np.diff(late[:, :, 1], axis=1) <= 0).all()


def test_what_is_moved_is_what_costs_money_and_is_decided_first(storefront, found):
    paid = [row for row in positions(storefront) if not row.free and row.more]
    assert storefront.worlds.resources[found.place].label == paid[0].name
    assert 2 <= found.counts.size <= COUNTS
    assert found.counts[found.today] == getattr(storefront.scenario.tiers[found.place.tier], found.place.field)


def test_without_an_order_it_is_what_runs_out_first(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(SMALL.replace("instances: 4", "instances: 40").replace("cores: 4", "cores: 40"))
    made = study(read(path), worlds=30)
    assert not made.fleet.orders
    assert levers(made).place == next(one.resource.place for one in made.run_outs if one.resource.ours)


def test_one_world_is_enough(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(SMALL.replace("900 to 1100", "1000").replace("1%/month to 3%/month", "2%/month"))
    made = study(read(path), worlds=30)
    assert made.worlds.rps.shape[0] == 1
    assert set(np.unique(levers(made).p)) <= {0.0, 1.0}


def test_a_promise_that_no_load_keeps_and_one_that_every_load_keeps(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(
        SMALL.replace("below: 200ms", "below: 21ms") + "  always: {kind: latency, journey: read, percentile: p50, below: 30s}\n"
    )
    made = study(read(path), worlds=30)
    assert "read p95" in made.fleet.aside  # nothing keeps it: P is of the other
    assert (levers(made).p == 1).all()
    kept = made.worlds.aside
    object.__setattr__(made, "worlds", dataclasses.replace(made.worlds, aside={}))
    made.kept.clear()
    assert (levers(made).p == 0).all()
    object.__setattr__(made, "worlds", dataclasses.replace(made.worlds, aside=kept))


def test_where_what_lies_between_is_not_told_well_enough_nothing_is_offered_and_that_is_said(small, monkeypatch):
    made = study(read(small), worlds=30)
    assert told(made) is not None
    assert "a plan made to check that differs by" in trusted(made)
    made.kept.clear()
    monkeypatch.setattr(Few, "off", lambda *_: (0.04, 0.0))
    assert levers(made) is None
    assert told(made) is None
    assert trusted(made).startswith("No sliders are offered")


def test_what_the_page_gets_is_plain_json_whatever_things_are_called(tmp_path):
    name = "</script><b>&\"'"
    path = tmp_path / "scenario.yaml"
    quoted = json.dumps(name)
    path.write_text(SMALL.replace("app:", f"{quoted}:").replace("{app: 1", f"{{{quoted}: 1").replace("  app", f"  {quoted}"))
    made = study(read(path), worlds=30)
    from perfplan.workbook.levers import markup

    text = markup(made)
    assert "</script><b>" not in text
    assert levers(made).place in (Place(name, "instances"), Place("store", "cores"), Place("store", "connections"))
    stored = text.split('id="levers">')[1].split("</script>")[0]
    assert json.loads(stored)["counts"] == levers(made).counts.tolist()
