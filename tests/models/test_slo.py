"""Windows, budgets in decimals, the three ways to count, against decimals, the calendar and OpenSLO's worked example."""

import calendar
import datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan.models import slo
from perfplan.quantity import DAY


@pytest.mark.parametrize("window_days", [7, 28, 30, 90, 31])
@pytest.mark.parametrize("target", ["0.9", "0.95", "0.99", "0.995", "0.999", "0.9995", "0.9999", "0.99999"])
def test_budgets_are_exact_in_decimals(target, window_days):
    exact = (1 - Decimal(target)) * window_days * 86_400
    assert slo.error_budget_s(float(target), window_days * DAY) == float(exact)
    assert Decimal(repr(slo.complement(float(target)))) == 1 - Decimal(target)


@given(st.decimals(min_value="0.5", max_value="0.999999", places=6), st.integers(1, 10**12))
def test_budgets_in_requests_are_exact_in_decimals(target, requests):
    assert slo.error_budget_requests(float(target), requests) == float((1 - target) * requests)


@given(st.dates(datetime.date(2001, 1, 1), datetime.date(2100, 12, 31)))
def test_windows_of_the_calendar_hold_their_day_and_have_its_length(day):
    assert slo.window_days("month", day) == calendar.monthrange(day.year, day.month)[1]
    quarter = [m for m in range(1, 13) if (m - 1) // 3 == (day.month - 1) // 3]
    assert slo.window_days("quarter", day) == sum(calendar.monthrange(day.year, month)[1] for month in quarter)
    for window in slo.WINDOWS:
        start = slo.window_start(window, day)
        assert start <= day < start + datetime.timedelta(days=slo.window_days(window, day))
    assert slo.window_start("28 days", day) + datetime.timedelta(days=27) == day


def test_the_worked_example_of_openslo():
    """Two weeks, 24,000 requests a day, 95 % promised, 1 % failing as usual and 99 % in an attack, slices of a minute."""
    requests, slices = 336_000, 20_160
    minutes = slo.outage_share(slo.SLICES, 0.95, 0.99, 0.01) * slices
    assert divmod(round(minutes), 60) == (16, 48)
    assert round(minutes / slices * requests * 0.99) == 16_632  # that fail in as long an attack
    ratio = float(slo.outage_share(slo.RATIO, 0.95, 0.99, 0.01)) * slices
    assert divmod(int(ratio), 60) == (13, 42)  # 0.04 / 0.98 of 336 h: 13 h 42.86 min
    assert round(ratio) == 13 * 60 + 43


@pytest.mark.parametrize("method", slo.BUDGETINGS)
def test_an_outage_of_that_share_spends_all_of_the_budget_and_no_more(method):
    total, share = np.full(20_000, 10.0), float(slo.outage_share(method, 0.95, 0.99, 0.01))
    bad = np.where(np.arange(total.size) < share * total.size, 9.9, 0.1)
    assert float(slo.bad_share(method, bad, total, 0.9)) == pytest.approx(0.05, abs=1e-4)


def test_an_hour_at_the_peak_costs_ten_times_an_hour_at_night_where_requests_are_counted():
    """99.9 % of 30 days with ten times as much by day: 231 % of the budget at the peak, 23 % at night; by slices 139 % at any time."""
    hours = np.tile(np.where(np.arange(24) < 8, 1.0, 10.0), 30) * 1000
    night, day = np.zeros(720), np.zeros(720)
    night[3], day[12] = hours[3], hours[12]
    spent = [[float(slo.bad_share(method, bad, hours, 0.5)) / 0.001 for bad in (night, day)] for method in slo.BUDGETINGS]
    mean = hours.mean()
    assert spent[0] == pytest.approx([1000 / mean / 720 / 0.001, 10_000 / mean / 720 / 0.001])
    assert spent[1] == pytest.approx([1 / 0.72] * 2)
    assert spent[2] == pytest.approx([1 / 0.72] * 2)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=40))
def test_shares_lie_between_none_and_all(rows):
    bad, total = np.array([min(r) for r in rows], dtype=float), np.array([max(r) for r in rows], dtype=float)
    for method in slo.BUDGETINGS:
        assert 0 <= float(slo.bad_share(method, bad, total, 0.95)) <= 1
    assert slo.bad_share_error(slo.OCCURRENCES, np.arange(len(rows)) * 60.0, bad, total) >= 0


def test_the_error_of_a_share_is_that_of_failures_that_come_together():
    """Against the spread over many histories: incidents of an hour, one in ten days, a third of whose requests fail."""
    rng = np.random.default_rng(4)
    at, total = np.arange(24 * 60) * 3600.0, np.full(24 * 60, 1000.0)
    shares, errors = [], []
    for _ in range(400):
        bad = rng.binomial(1000, np.where(rng.random(total.size) < 1 / 240, 1 / 3, 0.0002)).astype(float)
        shares.append(float(slo.bad_share(slo.OCCURRENCES, bad, total)))
        errors.append(slo.bad_share_error(slo.OCCURRENCES, at, bad, total))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(shares), rel=0.15)
