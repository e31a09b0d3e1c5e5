import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan.models.caching import characteristic_time, items_in_memory, lru_hit_ratio, miss_rate, zipf_classes
from tests.models.stations.test_queueing import CASES


def lru_rows(family):
    with CASES.with_name("cache_cases.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            params = json.loads(row["params_json"])
            if params["family"] == family and params["policy"]["name"] == "lru":
                yield params, float(row["value"]), float(row["halfwidth"] or 0)


def test_lru_agrees_with_simulated_caches():
    rows = list(lru_rows("irm_policy"))
    assert len(rows) == 12
    for params, value, half in rows:
        found = float(lru_hit_ratio(params["popularity"]["n"], params["popularity"]["alpha"], params["capacity"]))
        assert found == pytest.approx(value, abs=half + 0.002)


def test_lru_is_near_exact_results_even_for_tiny_caches():
    rows = list(lru_rows("irm_exact"))
    assert len(rows) == 5
    for params, value, _ in rows:  # catalogues of 3 to 100 items: Che is made for more
        found = float(lru_hit_ratio(params["popularity"]["n"], params["popularity"]["alpha"], params["capacity"]))
        assert found == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize(("items", "exponent"), [(1_000, 0.7), (50_000, 1.0), (200_000, 1.3)])
def test_classes_hold_the_exact_zipf_distribution(items, exponent):
    share = np.arange(1, items + 1) ** -float(exponent)
    share /= share.sum()
    count, each = zipf_classes(items, exponent)
    assert float(count.sum()) == pytest.approx(items)
    top = np.cumsum(count)
    exact = np.concatenate([[0.0], np.cumsum(share)])[np.round(top).astype(int)]
    assert np.cumsum(count * each) == pytest.approx(exact, abs=2e-5)


def exact_time(items, exponent, capacity):
    """Che's equation over every single item, by bisection: another algorithm."""
    share = np.arange(1, items + 1) ** -float(exponent)
    share /= share.sum()
    low, high = 0.0, 1e12
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if -np.expm1(-share * mid).sum() < capacity else (low, mid)
    return low, float((share * -np.expm1(-share * low)).sum())


@pytest.mark.parametrize(("items", "exponent", "capacity"), [(10_000, 0.8, 300), (30_000, 1.1, 5_000), (5_000, 0.6, 4_500)])
def test_classes_change_neither_time_nor_hit_ratio(items, exponent, capacity):
    time, hit = exact_time(items, exponent, capacity)
    assert float(characteristic_time(*zipf_classes(items, exponent), capacity)) == pytest.approx(time, rel=2e-3)
    assert float(lru_hit_ratio(items, exponent, capacity)) == pytest.approx(hit, abs=1e-4)


@given(st.floats(3, 12), st.floats(0.3, 1.6), st.floats(0.001, 0.9))
def test_hit_ratio_is_a_share_and_more_memory_never_hurts(log_items, exponent, part):
    items = 10**log_items
    small, large = (float(lru_hit_ratio(items, exponent, max(items * f, 10))) for f in (part, min(part * 1.2, 1.0)))
    assert 0 <= small <= large + 1e-9 <= 1 + 1e-9


def test_limits():
    assert float(lru_hit_ratio(1000, 0.9, 1000)) == 1.0
    assert float(lru_hit_ratio(1000, 0.9, 5000)) == 1.0
    uniform = float(lru_hit_ratio(10_000, 1e-9, 2_500))
    assert uniform == pytest.approx(0.25, abs=1e-3)  # equal popularity: hits = the share that fits
    assert items_in_memory(1e9, 1e3, 2) == 2e6
    assert miss_rate(10.0, 1.0) == 0.0


def test_worlds_broadcast():
    assert lru_hit_ratio(np.full((7, 1), 1e6), np.linspace(0.6, 1.2, 7)[:, None], 1e4).shape == (7, 1)
