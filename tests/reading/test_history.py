"""Traffic histories: what they say of peak, week and growth, and what is wrong with them."""

import gzip
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfplan.plan.demand import today_rps
from perfplan.reading import BadScenario, read
from perfplan.study import study
from perfplan.subjects import demand
from perfplan.subjects.demand import used_level
from perfplan.words import NBSP
from tests.conftest import SMALL


def problems(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadScenario) as caught:
        read(path)
    return str(caught.value)


HISTORY = "time,requests\n" + "\n".join(
    f"{np.datetime64('2026-01-05T00', 'h') + np.timedelta64(h, 'h')}:00Z,{round(3600 * (50 + 50 * (h % 24 == 20)) * 1.001 ** (h / 24))}"
    for h in range(24 * 7 * 20)
)


WITH_HISTORY = SMALL.replace("peak_users: 900 to 1100, requests_per_user: 6/min, growth: 1%/month to 3%/month", "history: traffic.csv")


def hourly(weekly, start="2026-01-05T00", write=lambda at: f"{at}:00Z"):
    """A history whose busiest hour of each week, Friday at 20:00, is one of *weekly* (rps; nan: no rows); the others are half of it."""
    rows = ["time,requests"]
    for week, peak in enumerate(weekly):
        for h in range(168):
            at = np.datetime64(start, "h") + np.timedelta64(168 * week + h, "h")
            if np.isfinite(peak):
                rows.append(f"{write(at)},{3600 * peak * (1 if h == 116 else 0.5):.0f}")
    return "\n".join(rows)


def of_history(small, text):
    (small.parent / "traffic.csv").write_text(text)
    small.write_text(WITH_HISTORY)
    return read(small)


def test_a_history_gives_peak_week_and_trend(small):
    statement = of_history(small, HISTORY)
    scenario = statement.at()
    assert scenario.traffic.growth_per_month == pytest.approx(1.001 ** (365.25 / 12) - 1, rel=1e-3)
    assert scenario.traffic.peak_rps == pytest.approx(100 * 1.001**139.8, rel=5e-3)
    assert int(scenario.week.argmax()) % 24 == 20
    assert statement.entries["traffic.peak"].source == "fitted"
    assert statement.files == ("traffic.csv",)


def test_a_compressed_history_says_the_same_and_one_that_is_damaged_or_endless_is_refused(small, monkeypatch):
    plain = of_history(small, HISTORY)
    path = small.parent / "traffic.csv.gz"
    path.write_bytes(gzip.compress(HISTORY.encode()))
    stated = SMALL.replace("growth: 1%/month to 3%/month", "history: traffic.csv.gz")
    small.write_text(stated)
    assert np.array_equal(read(small).history.weekly_peak_rps, plain.history.weekly_peak_rps)
    path.write_bytes(gzip.compress(HISTORY.encode())[:3000])
    assert "traffic.csv.gz: Compressed file ended" in problems(small, stated)
    path.write_bytes(gzip.compress(HISTORY.encode()))
    monkeypatch.setattr("perfplan.reading.history.MOST_ROWS", 100)
    os.utime(path, ns=(1, 1))
    assert "must have at most 100 rows, 20 years of minutes; traffic.csv.gz has more" in problems(small, stated)


def test_the_peak_is_the_hour_that_was_seen_with_its_date(small):
    statement = of_history(small, hourly([100, 110, 100, 105, 100, 110, 120, 100, 149, 101]))
    assert statement.at().traffic.peak_rps == pytest.approx(149, rel=1e-4)
    assert statement.entries["traffic.peak"].where == "traffic.csv: the busiest hour of its last 4 weeks, 2026-03-06 20:00"


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_a_week_without_requests_is_left_out_and_named(small, nothing):
    weekly = [100.0 * 1.01**k for k in range(20)]
    whole = of_history(small, hourly(weekly)).at()
    weekly[7] = nothing
    statement = of_history(small, hourly(weekly))
    scenario = statement.at()
    assert scenario.traffic.growth_per_month == pytest.approx(whole.traffic.growth_per_month, rel=1e-3)
    assert scenario.traffic.peak_rps == pytest.approx(whole.traffic.peak_rps)
    assert np.isfinite(scenario.week).all()
    assert "left out, as hardly any hour of them has requests: the week from 2026-02-23" in statement.entries["traffic.growth"].where


def test_too_few_weeks_that_are_left_are_refused_with_those_that_are_empty(small):
    (small.parent / "traffic.csv").write_text(hourly([100.0] * 7 + [0.0]))
    assert "covers 7; left out, as hardly any hour of them has requests: the week from 2026-02-23" in problems(small, WITH_HISTORY)


def test_a_step_or_a_spike_does_not_bend_the_trend_and_is_named(small):
    for weekly, said in (
        ([150.0] * 4 + [300.0] * 4, "a step of +100% in the week from 2026-02-02"),
        ([150.0] * 5 + [450.0] + [150.0] * 2, "the peak of 450 rps in the week from 2026-02-09"),
    ):
        statement = of_history(small, hourly(weekly))
        assert statement.at().traffic.growth_per_month == pytest.approx(0, abs=1e-3)
        assert said in statement.entries["traffic.growth"].where


def test_growth_that_no_history_can_promise_must_be_stated(small):
    (small.parent / "traffic.csv").write_text(hourly([100 * 1.05**k for k in range(12)]))
    text = problems(small, WITH_HISTORY)
    assert "traffic.growth: must be stated, such as 2.5%/month: traffic.csv says +23.6% a month" in text
    small.write_text(WITH_HISTORY.replace("history: traffic.csv", "history: traffic.csv, growth: 4%/month"))
    entry = read(small).entries["traffic.growth"]
    assert (entry.law.mid, entry.source) == (0.04, "stated")
    assert "+23.6% a month" in entry.beside


def test_what_a_history_says_must_be_believable_too(small):
    (small.parent / "traffic.csv").write_text(hourly([1e12] * 9))
    assert "traffic.history: traffic.csv says of peak: must be a number of believable size" in problems(small, WITH_HISTORY)
    (small.parent / "traffic.csv").write_text(hourly([1000 * 0.9**k for k in range(12)]))
    month = f"{0.9 ** (365.25 / 12 / 7) - 1:+.1%} a month"
    assert f"traffic.growth: must be stated, such as 2.5%/month: traffic.csv says {month}" in problems(small, WITH_HISTORY)


def test_the_interval_holds_the_slopes_of_both_halves(small):
    weekly = [100 * 1.02**k for k in range(10)] + [100 * 1.02**9 * 0.99**k for k in range(10)]
    law = of_history(small, hourly(weekly)).entries["traffic.growth"].law
    month = 365.25 / 12 / 7
    assert law.low <= 0.99**month - 1 + 1e-3
    assert law.high >= 1.02**month - 1 - 1e-3


def seconds_of(at):
    return int(at.astype("datetime64[s]").astype(int))


@pytest.mark.parametrize(
    "write",
    [
        lambda at: f"{at}:00",
        lambda at: f"{at}:00:00+00:00",
        lambda at: seconds_of(at),
        lambda at: f"{seconds_of(at)}.5",
        lambda at: 1000 * seconds_of(at),
        lambda at: str(at).replace("-", "").replace("T", "") + "00",
        lambda at: str(at).replace("-", "").replace("T", "") + "0000",
        lambda at: str(at).replace("-", "").replace("T", ""),
    ],
)
def test_moments_are_read_however_tools_write_them(small, write):
    same = of_history(small, hourly([100 * 1.01**k for k in range(10)], write=write)).at()
    assert same.traffic.peak_rps == pytest.approx(100 * 1.01**9, rel=1e-4)
    assert int(same.week.argmax()) == 116


def test_moments_of_two_kinds_are_refused_with_their_row(small):
    text = hourly([100.0] * 8, write=seconds_of).splitlines()
    text[5] = "2026-01-05T04:00Z,9"
    (small.parent / "traffic.csv").write_text("\n".join(text))
    assert "row 2 of traffic.csv must be a time and a count of 0 or more; got '17" in problems(small, WITH_HISTORY)


def test_the_hour_that_autumn_repeats_is_refused_by_name(small):
    local = hourly([100.0] * 10, start="2026-09-28T00", write=lambda at: f"{at}:00")
    (small.parent / "traffic.csv").write_text(local + "\n2026-10-25T02:00,180000")
    assert "2026-10-25 02:00:00 twice (the hour that autumn repeats? write times in UTC" in problems(small, WITH_HISTORY)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace("requests", "hits", 1), "columns time and requests"),
        (lambda t: t.replace(",180000", ",many", 1), "row 2 of traffic.csv must be a time and a count"),
        (lambda t: t.replace(",180000", ",-5", 1), "row 2 of traffic.csv"),
        (lambda t: "\n".join(t.splitlines()[:200]), "at least 8 whole weeks"),
        (lambda t: t + "\n" + t.splitlines()[1], "twice"),
        (lambda t: "time,requests\n", "none"),
    ],
)
def test_a_bad_history_says_row_rule_and_value(small, change, says):
    (small.parent / "traffic.csv").write_text(change(HISTORY))
    text = problems(small, SMALL.replace("growth: 1%/month to 3%/month", "history: traffic.csv"))
    assert says in text
    assert "traffic.history" in text


def test_what_was_measured_beats_what_is_stated_and_an_override_beats_both(small):
    """Stated: 1,000 users x 6/min = 100 rps; measured: twice as much, until the day of the plan or years before it."""
    stated = SMALL.replace("peak_users: 900 to 1100,", "history: traffic.csv, peak_users: 1000,")
    for start, peak in (("2026-07-06T00", 200), ("2024-07-01T00", 100)):
        (small.parent / "traffic.csv").write_text(hourly([200] * 20, start))
        small.write_text(stated)
        assert today_rps(read(small).at()) == pytest.approx(peak, rel=0.01)
    (small.parent / "traffic.csv").write_text(hourly([200] * 20, "2026-07-06T00"))
    statement = read(small)
    assert statement.entries["traffic.peak_users"].beside.startswith("not used: traffic.csv says")
    assert today_rps(statement.but("traffic.peak_users=1000").at()) == pytest.approx(100)
    assert today_rps(statement.but("traffic.requests_per_user=12/min").at()) == pytest.approx(200)
    assert statement.but("traffic.peak_users=1000").entries["traffic.peak_users"].beside.startswith("traffic.csv says")


def test_both_levels_are_said_and_a_sale_that_the_calendar_lacks_is_asked_for(small):
    weeks = [200.0] * 20
    weeks[8] = 500.0  # the week from 31 August 2026
    (small.parent / "traffic.csv").write_text(hourly(weeks, "2026-07-06T00"))
    small.write_text(SMALL.replace("peak_users: 900 to 1100,", "history: traffic.csv, peak_users: 1000,"))
    made = study(read(small), worlds=20)
    said = used_level(made).replace(NBSP, " ")
    assert "rests on a peak hour of 200 rps, as measured (traffic.csv, the busiest hour of its last 4 weeks" in said
    assert "as stated (peak_users x requests_per_user) it would be 100 rps: 50 % less, " in said
    assert 34 < float(re.search(r"([\d.]+) months of growth", said)[1]) < 36.5  # ln 2 / ln 1.02 = 35.0
    assert "every promise would then hold with over 99 % with today's fleet" in said
    same = demand.at_other(made, replace(demand.level(made), other_rps=200.0))
    assert same[:2] == (made.p_all[made.last], made.fleet.p_all[made.last])  # the level that is used: nothing moves
    assert same[2] == pytest.approx(0, abs=1e-6)
    titles = [one.title for one in demand.findings(made)]
    assert any("week of 2026-08-31 was far above" in title for title in titles)
    event = "events: [{name: sale, month: 2027-09, factor: 2.5}], history: traffic.csv, peak_users: 1000,"
    small.write_text(SMALL.replace("peak_users: 900 to 1100,", event))
    assert not any("far above" in one.title for one in demand.findings(study(read(small), worlds=20)))
