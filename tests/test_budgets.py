"""Error budgets of a scenario: ahead with maintenance and drills, behind as measured, the gate, alerts where little comes."""

import json
from types import MappingProxyType

import numpy as np
import pytest

from perfplan.cli import main
from perfplan.plan.maintenance import placed
from perfplan.reading import BadScenario, read
from perfplan.study.budget import behind, left, remaining
from perfplan.subjects import alerts, budgets
from tests.conftest import SMALL, unsearched

UP = SMALL.replace("price: $0.05/h}", "price: $0.05/h, availability: 99.95%}") + "  up: {kind: availability, journey: read, above: 99.9%}\n"


def study_of(path, text, worlds=200):
    path.write_text(text, encoding="utf-8")
    return unsearched(read(path), worlds)


# ---- ahead ----


def test_a_window_of_maintenance_that_counts_spends_what_comes_within_it(small):
    without = study_of(small, UP)
    window = "maintenance:\n  patches: {day: Sunday, start: 20:00, lasts: 6min%s}\n"
    counted, planned = (study_of(small, UP + window % more) for more in ("", ", counted: no"))
    week = placed(counted.scenario, counted.scenario.maintenance["patches"])
    assert week.time == pytest.approx(6 / (7 * 24 * 60))
    shares = [s.worlds.judged["up"].value[:, 0] for s in (without, counted, planned)]
    assert shares[1] == pytest.approx(1 - (1 - shares[0]) * (1 - week.requests))
    assert np.array_equal(shares[0], shares[2])
    eaten = {one.cause: one.share for one in budgets.eaters(counted) if one.objective == "up" and not one.once}
    assert eaten["maintenance"] == pytest.approx(week.requests / 0.001)
    assert sum(eaten.values()) == pytest.approx(1 - float(np.median(left(counted.worlds.judged["up"])[:, 0])), rel=1e-3)  # all of it


def test_a_window_without_a_day_is_placed_where_fewest_requests_come(small):
    made = study_of(small, UP + "maintenance:\n  patches: {lasts: 90min}\n  long: {lasts: 30h, every: 30d}\n")
    for one in made.scenario.maintenance.values():
        found = placed(made.scenario, one)
        days = [(f"maintenance.patches.day={day}", hour) for day in ("Monday", "Wednesday", "Saturday") for hour in (0, 3, 4, 12, 20)]
        stated = [read(small).but(day, f"maintenance.patches.start={hour:02d}:00").at() for day, hour in days]
        others = [placed(other, other.maintenance["patches"]) for other in stated]
        if one.lasts_s == 90 * 60:
            assert all(found.requests <= other.requests + 1e-12 for other in others)
        assert found.placed


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("{lasts: 1h, day: Sunday}", "day and start belong together"),
        ("{lasts: 1h, day: Someday, start: 03:00}", "must be one of Monday"),
        ("{lasts: 1h, day: Sunday, start: 24:00}", "must be a time of day such as 03:30"),
        ("{lasts: 20h, every: 1d}", "must be at most half of `every`"),
    ],
)
def test_windows_that_make_no_sense_are_refused(small, window, said):
    small.write_text(UP + f"maintenance:\n  patches: {window}\n")
    with pytest.raises(BadScenario, match=said):
        read(small)


def test_what_is_left_varies_less_over_longer_windows_round_the_same_mean(small):
    """Outages come at random: the share of a window that fails has the mean of the long run and a variance of one over the window."""
    bad = {}
    for window in ("7 days", "90 days"):
        made = study_of(small, UP.replace("above: 99.9%", f"above: 99.9%, window: {window}"), worlds=700)
        bad[window] = 1 - remaining(made)["up"][:, :6]
    predicted = made.worlds.judged["up"].value[:, :6] / 0.001
    assert bad["90 days"].mean() == pytest.approx(predicted.mean(), rel=0.05)
    assert bad["7 days"].mean() == pytest.approx(predicted.mean(), rel=0.1)
    assert bad["7 days"].var() / bad["90 days"].var() == pytest.approx(90 / 7, rel=0.25)


# ---- behind ----


def outcomes(hours, bad_at=MappingProxyType({}), n=1000, bad=1, start="2026-10-01"):
    t0 = np.datetime64(start, "s")
    rows = [f"{t0 + np.timedelta64(h, 'h')}Z,{n - bad_at.get(h, bad)},{n}" for h in range(hours)]
    return "\n".join(["time,good,total", *rows]) + "\n"


MEASURED = UP + "measured:\n  production: {objective: up, outcomes: o.csv}\n"


def test_what_was_measured_is_counted_within_its_window(small):
    small.with_name("o.csv").write_text(outcomes(24 * 40, {5: 1000, 24 * 39: 300}, bad=0))
    one = behind(study_of(small, MEASURED, 30))[0]
    assert one.good == pytest.approx(1 - 300 / (720 * 1000))  # the outage of the first day has left the window
    assert one.left == pytest.approx(1 - 300 / (720 * 1000) / 0.001)
    assert one.low < one.good < one.high
    assert one.covered == pytest.approx(1.0)
    month = behind(study_of(small, MEASURED.replace("above: 99.9%", "above: 99.9%, window: month"), 30))[0]
    assert str(month.start) == "2026-11-01"
    assert month.left == pytest.approx(1 - 300 / (30 * 24 * 1000) / 0.001)  # of November's whole budget, nine days into it
    quarter = behind(study_of(small, MEASURED.replace("above: 99.9%", "above: 99.9%, window: quarter"), 30))[0]
    assert quarter.left == pytest.approx(1 - 1300 / (92 * 24 * 1000) / 0.001)


def test_slices_count_time_and_not_requests(small):
    text = outcomes(24 * 30, {100: 1000, 101: 1000}, bad=0)
    small.with_name("o.csv").write_text(text)
    how = "above: 99%, budgeting: time slices, slice: 1h, slice_good: 90%"
    one = behind(study_of(small, MEASURED.replace("above: 99.9%", how), 30))[0]
    assert one.good == pytest.approx(1 - 2 / 720)
    assert one.left == pytest.approx(1 - 2 / 7.2)
    ratio = behind(study_of(small, MEASURED.replace("above: 99.9%", how.replace("time slices", "ratio of time slices")), 30))[0]
    assert ratio.good == pytest.approx(1 - 2 / 720)


def test_a_budget_of_the_calendar_says_when_it_is_gone(small):
    small.with_name("o.csv").write_text(outcomes(24 * 10, bad=2, start="2026-11-01"))  # twice what may be bad
    made = study_of(small, MEASURED.replace("above: 99.9%", "above: 99.9%, window: month"), 30)
    one = behind(made)[0]
    assert str(one.exhausted) == "2026-11-16"
    found = next(f for f in budgets.findings(made) if f.about == "up")
    assert "16 November 2026 at this pace" in found.title


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,good\n2026-01-01T00:00Z,1\n2026-01-01T01:00Z,1\n", "o.csv lacks total"),
        ("time,good,total\n2026-01-01T00:00Z,1,2\n", "o.csv has 1"),
        (
            "time,good,total\n2026-01-01T00:00Z,3,2\n2026-01-01T01:00Z,1,2\n",
            "row 2 of o.csv must have at most as many good as in total; got 3 of 2",
        ),
        ("time,good,total\n2026-01-01T00:00Z,x,2\n2026-01-01T01:00Z,1,2\n", "row 2 of o.csv must be a time"),
        ("time,good,total\n2026-01-01T00:00Z,1,2\nyesterday,1,2\n", "row 3 of o.csv must be a time"),
        ("time,good,total\n2026-01-01T00:00Z,1,2\n2026-01-01T00:00Z,1,2\n", "twice"),
        ("time,good,total\n2026-01-01T00:00Z,1,2\n2026-02-01T00:00Z,1,2\n", "a row for each day at least"),
        ("time,good,total\n2026-01-01T00:00Z,-1,2\n2026-01-02T00:00Z,1,2\n", "row 2 of o.csv must be a time"),
    ],
)
def test_bad_outcomes_get_one_clear_error(small, text, said):
    small.with_name("o.csv").write_text(text)
    small.write_text(MEASURED)
    with pytest.raises(BadScenario) as raised:
        read(small)
    assert len(raised.value.problems) == 1
    assert said in raised.value.problems[0].message
    assert raised.value.problems[0].path == "measured.production.outcomes"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{outcomes: o.csv}", "outcomes and objective belong together"),
        ("{journey: read}", "must name points"),
        ("{objective: read p96, outcomes: o.csv}", "must name one of the objectives"),
    ],
)
def test_outcomes_of_nothing_are_refused(small, row, said):
    small.with_name("o.csv").write_text(outcomes(48))
    small.write_text(MEASURED.replace("{objective: up, outcomes: o.csv}", row))
    with pytest.raises(BadScenario, match=said):
        read(small)


def test_the_gate_closes_where_less_is_left_than_asked(small, capsys):
    small.with_name("o.csv").write_text(outcomes(24 * 30, {100: 500}, bad=0, start="2026-10-25"))  # 0.7 of the budget of 720
    small.write_text(MEASURED)
    assert main(["budget", str(small)]) == 0
    assert main(["budget", str(small), "--gate"]) == 0  # 31 % left, 25 % asked
    assert "gate   open" in capsys.readouterr().out
    assert main(["budget", str(small), "--gate", "40%"]) == 1
    assert "closed: less than 40\N{NO-BREAK SPACE}% is left of up" in capsys.readouterr().out
    assert main(["budget", str(small), "--gate", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["budgets"][0]["left"] == pytest.approx(1 - 500 / 720)
    assert main(["budget", str(small), "--gate", "much"]) == 2
    small.write_text(UP)
    assert main(["budget", str(small), "--gate"]) == 2
    assert "nothing was measured" in capsys.readouterr().err


# ---- alerts where little comes, or much is allowed ----

LITTLE = UP.replace("900 to 1100, requests_per_user: 6/min", "50, requests_per_user: 1/h")


def test_an_alert_asks_for_more_where_one_failure_would_set_it_off(small, storefront):
    made = study_of(small, LITTLE, 30)
    found = [one for one in alerts.analysed(made) if one.burn.objective == "up" and one.burn.rung.hours == 1]
    assert found[0].burn.least > 1
    assert found[0].false_unasked > 1 > alerts.SELDOM >= found[0].false_a_month
    said = [f for f in alerts.findings(made) if f.about == "up"]
    assert any("So little comes at night" in f.title and "probes a minute" in f.remedy for f in said)
    assert all(one.burn.least == 1 for one in alerts.analysed(storefront))


def test_an_alert_that_can_never_fire_is_said_with_the_first_that_can(small):
    made = study_of(small, UP.replace("above: 99.9%", "above: 90%"), 30)  # 14.4 x 10 % is more than all
    dead = [one for one in alerts.burns(made) if one.objective == "up" and not one.possible]
    assert [one.rung.hours for one in dead] == [1]
    found = next(f for f in alerts.findings(made) if f.about == "up")
    assert "over 1 h could never fire" in found.title
    assert "the alert over 6 h is the first that fires, at 60\N{NO-BREAK SPACE}% bad requests" in found.remedy
    assert "more than 93.1\N{NO-BREAK SPACE}% good" in found.remedy  # 1 - 1 / 14.4


def test_a_rotation_that_cannot_last_is_said(small):
    made = study_of(small, UP + "on_call: {people: 1, hours: 100h}\n", 30)
    found = next(f for f in alerts.findings(made) if f.about == "on_call")
    assert "1 person takes all turns" in found.title
    assert "2.83\N{NO-BREAK SPACE}days of a week are covered by nobody" in found.title
    good = study_of(small, UP + "on_call: {people: 6}\n", 30)
    assert not [f for f in alerts.findings(good) if f.about == "on_call"]
    assert alerts.rotation(good).each == pytest.approx(alerts.rotation(good).pages_a_week / 6)
    assert alerts.rotation(study_of(small, UP, 30)) is None


# ---- what a reviewer has found ----


def test_a_gate_does_not_open_on_what_nobody_measured(small, capsys):
    """Rows that ended long ago, two rows of a month, and rows without any event."""
    for text in (
        outcomes(24 * 30, bad=0, start="2020-01-01"),
        outcomes(2, bad=0, start="2026-11-23"),
        outcomes(24 * 30, n=0, bad=0, start="2026-10-25"),
    ):
        small.with_name("o.csv").write_text(text)
        small.write_text(MEASURED)
        assert main(["budget", str(small), "--gate"]) == 1
        assert "too little is known of up" in capsys.readouterr().out


def test_holes_are_not_measured(small):
    rows = outcomes(24 * 30, bad=0, start="2026-10-25").splitlines()
    small.with_name("o.csv").write_text("\n".join([rows[0], *rows[1:49], *rows[-48:]]) + "\n")
    one = behind(study_of(small, MEASURED, 30))[0]
    assert one.covered == pytest.approx(4 / 30, rel=0.01)


def test_a_last_row_that_ends_in_the_next_month_is_of_its_own(small):
    text = "time,good,total\n" + "".join(f"2026-10-{day:02d}T06:00Z,99,100\n" for day in range(1, 32))
    small.with_name("o.csv").write_text(text)
    one = behind(study_of(small, MEASURED.replace("above: 99.9%", "above: 99.9%, window: month"), 30))[0]
    assert str(one.start) == "2026-10-01"
    assert one.good == pytest.approx(0.99)


def test_the_same_promise_twice_is_told_once(small):
    made = study_of(
        small, UP.replace("availability: 99.95%", "availability: 99%") + "  twin: {kind: availability, journey: read, above: 99.9%}\n", 30
    )
    assert {one.about for one in budgets.findings(made)} >= {"up", "twin"}
    assert {one.objective for one in budgets.eaters(made) if not one.once} == {"read p95", "up"}


def test_rare_maintenance_strikes_one_window_in_three(small):
    """Three hours a quarter, by a budget of three hours a month: a window without is kept, one with it is not."""
    text = UP.replace("above: 99.9%", "above: 99.8%").replace("availability: 99.95%", "availability: 99.9999%")
    made = study_of(small, text + "maintenance:\n  moves: {day: Sunday, start: 18:00, lasts: 3h, every: 90d}\n", 300)
    after = remaining(made)["up"][:, :6]
    assert float((after < 0.2).mean()) == pytest.approx(1 / 3, abs=0.04)


def test_promises_on_the_same_requests_over_other_windows_have_alerts_of_their_own(small):
    made = study_of(
        small,
        UP.replace("above: 99.9%", "above: 99.9%, window: 90 days")
        + "  short: {kind: availability, journey: read, above: 99.8%, window: 7 days}\n",
        30,
    )
    limits = {(one.objective, one.rung.hours): one.limit for one in alerts.burns(made)}
    assert limits["up", 1] == pytest.approx(0.0432)
    assert limits["short", 1] == pytest.approx(0.00672)
    assert alerts.covered(made) == {}


@pytest.mark.parametrize("journeys", ["[]", "[read, read]"])
def test_a_composite_of_nothing_or_of_one_twice_is_refused(small, journeys):
    small.write_text(SMALL + f"  all: {{kind: composite, journeys: {journeys}, above: 99%}}\n")
    with pytest.raises(BadScenario, match="must name at least one"):
        read(small)
