"""Growth, objectives, availability, capacity and cost: textbook numbers, laws and limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from perfplan.models.availability import in_series, k_of_n
from perfplan.models.capacity import SPARE_LIMIT, first_month, month_quantile, nodes_needed, usable_limit
from perfplan.models.cost import machines_month_usd, storage_month_usd, traffic_month_usd
from perfplan.models.growth import burst_backlog, concurrent_users, grown, in_flight, load_levels, peak_rps, usual_week, with_events
from perfplan.models.slo import binding_error_limit, budget_left, error_budget_requests, error_budget_s, month_s


def test_the_checklists_own_numbers():
    assert peak_rps(60_000, 2 / 60) == pytest.approx(2_000.0)  # 60,000 users x 2 a minute / 60
    assert error_budget_s(0.999) / 60 == pytest.approx(43.2)  # 99.9 % of 30 days


@pytest.mark.parametrize(
    ("target", "window_days", "minutes"),
    [(0.9, 30, 4320.0), (0.99, 30, 432.0), (0.999, 28, 40.32), (0.9995, 30, 21.6), (0.9999, 30, 4.32), (0.99999, 30, 0.432)],
)
def test_downtime_table_of_the_site_reliability_workbook(target, window_days, minutes):
    assert error_budget_s(target, window_days * 86400.0) / 60 == pytest.approx(minutes, rel=1e-9)


def test_budgets_in_requests_and_by_calendar_month():
    assert error_budget_requests(0.9995, 2_000_000) == pytest.approx(1000.0)
    assert [month_s(2028, m) / 86400 for m in (2, 4, 12)] == [29.0, 30.0, 31.0]
    assert float(budget_left(0.99, 0.0075)) == pytest.approx(0.25)
    assert float(budget_left(0.99, 0.02)) == pytest.approx(-1.0)


@pytest.mark.parametrize(("errors", "available", "binds"), [(0.01, 0.999, 0.001), (0.001, 0.9995, 0.0005), (0.0001, 0.9999, 0.0001)])
def test_the_quick_references_contradiction_is_resolved_to_the_stricter_promise(errors, available, binds):
    assert binding_error_limit(errors, available) == pytest.approx(binds)


def test_growth_is_compound_interest():
    assert float(grown(100.0, 0.01, 12.0)) == pytest.approx(112.6825030132)
    assert float(grown(100.0, -0.5, 2.0)) == 25.0
    assert grown(np.ones((3, 1)), np.zeros((3, 1)), np.arange(5.0)).shape == (3, 5)


def test_events_multiply_their_month_only():
    found = with_events(6, {1: np.array([[2.0], [3.0]]), 4: 1.5, 9: 7.0, -1: 7.0})
    assert found.tolist() == [[1, 2, 1, 1, 1.5, 1], [1, 3, 1, 1, 1.5, 1]]


@given(st.floats(0.1, 1e5), st.floats(0.001, 10), st.floats(0.0, 100))
def test_littles_law_is_an_identity(rate, response, think):
    users = float(concurrent_users(rate, response, think))
    assert users == pytest.approx(float(in_flight(rate, response)) + rate * think)


def test_a_burst_below_capacity_leaves_nothing():
    assert float(burst_backlog(100.0, 150.0, 1.4, 10.0)) == 0.0
    assert float(burst_backlog(100.0, 130.0, 1.4, 10.0)) == pytest.approx(100.0)


@given(st.lists(st.floats(0.01, 1.0), min_size=168, max_size=168))
def test_load_levels_keep_time_traffic_and_the_peak(hours):
    week = np.array(hours)
    level, share = load_levels(week)
    assert level.size <= 32
    assert share.sum() == pytest.approx(1.0)
    assert (level * share).sum() == pytest.approx(week.mean())
    assert level.max() == week.max()


def test_the_usual_week_is_a_week():
    week = usual_week()
    assert week.shape == (168,)
    assert week.max() == 1.0
    assert 0 < week.min() < 0.3
    assert int(week.argmax()) // 24 == 4  # Friday


@given(st.integers(1, 40), st.integers(0, 40), st.floats(0.01, 0.9999))
def test_k_of_n_is_the_binomial_tail(nodes, needed, p):
    expected = binom.sf(needed - 1, nodes, p) if needed <= nodes else 0.0
    assert float(k_of_n(needed, nodes, p)) == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_a_path_is_never_better_than_its_worst_tier(parts):
    assert float(in_series(*parts)) <= min(parts) + 1e-12


@given(st.floats(0.1, 1000.0), st.integers(1, 64), st.floats(0.2, 0.95), st.integers(0, 1))
def test_needed_nodes_are_enough_and_one_fewer_is_not(load, servers, limit, spare):
    nodes = float(nodes_needed(load, servers, limit, spare))
    assert nodes >= 1

    def enough(n):
        steady = load / servers / n <= limit * (1 + 1e-9)
        lost = spare == 0 or (n > spare and load / servers / (n - spare) <= SPARE_LIMIT * (1 + 1e-9))
        return steady and lost

    assert enough(nodes)
    assert nodes == 1 or not enough(nodes - 1)
    assert load / servers / nodes <= float(usable_limit(nodes, limit, spare)) * (1 + 1e-9)


def test_run_out_months_and_their_quantiles():
    over = np.array([[False, False, True], [True, False, True], [False, False, False], [False, True, True]])
    months = first_month(over)
    assert months.tolist() == [2.0, 0.0, np.inf, 1.0]
    assert [month_quantile(months, p) for p in (0.25, 0.5, 0.75, 1.0)] == [0.0, 1.0, 2.0, np.inf]


def test_cost_is_count_times_price_times_730_hours():
    assert float(machines_month_usd(3, 0.5)) == pytest.approx(1095.0)
    assert float(storage_month_usd(500e9, 0.115e-9)) == pytest.approx(57.5)
    assert float(traffic_month_usd(10e12, 0.06e-9)) == pytest.approx(600.0)
