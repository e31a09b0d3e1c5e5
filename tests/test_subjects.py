"""One question has one number: what tables, figures, items and files say of the same thing."""

import re

import numpy as np
import pytest

from perfplan import figures
from perfplan.artifacts import configs
from perfplan.checklist import states
from perfplan.document.findings import findings
from perfplan.figures import stages as stages_figure
from perfplan.operate.kind import STATES
from perfplan.reading import read
from perfplan.study import study
from perfplan.study.levels import LEVELS, reached
from perfplan.study.remedy import positions
from perfplan.study.sweeps import NOWHERE, TRIED, todays_knee
from perfplan.study.verdicts import HOLDS, order_by
from perfplan.subjects.alerts import burns, covered, factor
from perfplan.subjects.loadtest import stages
from perfplan.tables import burn_rates, objectives, tiers_of_ambition
from perfplan.tables import models as models_table
from perfplan.tables import stages as stages_table
from perfplan.tables import stations as stations_table
from tests.conftest import ROOT, SMALL


def test_burn_rates_on_the_page_are_those_of_the_alerts(storefront):
    """The workbook's table 5-2: 14.4, 6 and 1 over 30 days."""
    assert [round(factor(spent, hours, 30), 9) for spent, hours in ((0.02, 1), (0.05, 6), (0.10, 72))] == [14.4, 6.0, 1.0]
    rows = burn_rates(storefront).frame
    rules = configs(storefront)["alerts.yml"]
    for row, one in zip(rows.itertuples(), sorted(burns(storefront), key=lambda one: one.rung.priority), strict=True):
        assert (row.objective, row.factor) == (one.objective, one.factor)
        assert row.bad_share == min(one.limit, 1.0)
        if one.possible:
            assert f"> {one.limit:.6g})" in rules
    counted = {
        name
        for name, judged in storefront.worlds.judged.items()
        if judged.objective.kind in ("latency", "availability", "errors", "completion")
    }
    assert set(rows.objective) | set(covered(storefront)) == counted
    assert covered(storefront) == {"checkout errors": "checkout available"}


@pytest.mark.parametrize(("failed", "level"), [(0.00005, "Enterprise"), (0.0004, "Growth"), (0.0009, "MVP"), (0.0031, "none")])
def test_the_stricter_of_error_rate_and_availability_decides_a_level(failed, level):
    assert reached(lambda one: failed < one.binding_errors) == level
    assert [round(one.binding_errors, 9) for one in LEVELS] == [0.0001, 0.0005, 0.001]


def test_table_and_items_of_the_quick_reference_say_the_same(storefront, small):
    small.write_text(SMALL.replace("connections: 20,", "connections: 20, availability: 99.93%,"))
    for made in (storefront, study(read(small), worlds=30)):
        rows = tiers_of_ambition(made).frame
        said = {one.item.id: one.text for one in states(made)}
        for item, row in zip(("QR.1", "QR.2", "QR.3", "QR.4"), rows.itertuples(), strict=False):
            assert f"tier reached {row.reached}" in said[item]
            assert row.here in said[item]


def test_the_load_test_is_the_same_in_script_table_and_figure(storefront):
    script = configs(storefront)["load_test.js"]
    rates = {
        name: [int(n) for n in re.findall(r"(?:target|rate): (\d+)", body)]
        for name, body in re.findall(r"^  (\w+): \{  // .*\n((?:    .*\n)+)", script, re.M)
    }
    table = dict(zip(stages_table(storefront).frame.stage, stages_table(storefront).frame.load_rps, strict=True))
    for one in stages(storefront):
        assert max(rates[one.name]) == max(round(table[one.name]), 1) == max(round(one.most_rps), 1)
    line = stages_figure(storefront).data[0]
    drawn = [one for one in stages(storefront) if one.name != "soak"]
    assert max(line.y) == max(one.most_rps for one in drawn)
    assert line.x[-1] == pytest.approx(sum(one.lasts_s for one in drawn) / 60)
    assert {round(y) for y in line.y if y} <= {n for one in drawn for n in (*rates[one.name], round(one.most_rps))}


def test_how_far_was_looked_is_said_as_it_is():
    assert NOWHERE == "nothing saturates within eight times today's peak"
    assert np.isclose(TRIED, 8)


@pytest.mark.parametrize("wanted", [1.2, 1.5, 4.0])
def test_finding_and_items_say_the_same_of_headroom(storefront, small, wanted):
    small.write_text(SMALL + f"headroom: {wanted}\n")
    made = study(read(small), worlds=30)
    finding = next(one for one in findings(made) if one.about == "headroom")
    said = {one.item.id: one.verdict for one in states(made)}
    assert {said["1.3.2"], said["2.1.4"]} == {STATES[finding.kind]}
    assert (finding.kind == HOLDS) == (todays_knee(made).rps / todays_knee(made).peak_rps >= wanted)


def test_every_finding_is_shown_by_the_chapter_it_belongs_to(storefront):
    """Chapters are numbered as findings say; 0 shows what breaks first."""
    phases = {int(phase) for path in (ROOT / "perfplan" / "subjects").glob("*.py") for phase in re.findall(r"phase=(\d)", path.read_text())}
    assert {one.phase for one in findings(storefront)} <= phases
    shown = {
        int(path.name[0])
        for path in (ROOT / "notebooks").glob("[0-9]_*.ipynb")
        if f"opening.findings(study, {path.name[0]})" in path.read_text()
    }
    assert shown == phases | {0}


def test_each_promise_is_marked_by_its_own_confidence(small):
    """The second asks for less, and gets it."""
    small.write_text(SMALL.replace("below: 200ms}", "below: 200ms, confidence: 99%}\n  second: {kind: throughput, confidence: 50%}"))
    made = study(read(small), worlds=30)
    rows = objectives(made).frame
    assert list(rows.shown_broken) == [p < asked for p, asked in zip(rows.p_last, rows.asked, strict=True)]
    assert "shown_broken" not in objectives(made).tidy().columns


def test_a_station_of_a_cache_is_no_thread(storefront):
    """What serves is asked of the kind, in the table of stations as in that of models."""
    names = {row.station for row in stations_table(storefront).frame.itertuples()}
    assert {"redis instances", "api threads of one instance"} <= names
    assert {row.station for row in models_table(storefront).frame.itertuples()} >= {"redis instances", "api threads"}


def test_what_runs_out_is_ordered_on_the_day_on_which_the_plan_orders_it(storefront):
    ordered = {}
    for row in positions(storefront):
        if row.more:
            ordered.setdefault(row.name, row.by)
    days = {out.resource.label: order_by(storefront, out) for out in storefront.run_outs}
    assert len(ordered) > 2
    assert {name: days[name] for name in ordered} == ordered
    assert all(isinstance(day, str) or day >= storefront.as_of for day in days.values())


def test_a_tier_has_one_colour_and_pattern_in_all_figures(storefront):
    seen = {}
    for made in (figures.tail(storefront), figures.waterfall(storefront)):
        for bar in made.data:
            mark = bar.marker.color, bar.marker.pattern.shape
            assert seen.setdefault(bar.name, mark) == mark
    assert len(set(seen.values())) == len(seen) > 5


def test_a_full_peak_second_is_said_where_no_station_is_full_at_the_peak_hour(storefront):
    second = storefront.middle.state.second.carried.stations.values()
    full = sum(float(np.ravel(one.utilization)[storefront.last]) >= 1 for one in second)
    assert full > 0
    assert f"{full} of {len(second)} stations are full" in figures.threads(storefront).layout.title.text
