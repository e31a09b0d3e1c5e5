import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan.models.stations.queueing import MMc, drain_time_s, erlang_b, erlang_c
from tests.conftest import DATA

CASES = DATA / "queueing_cases.csv"


def cases(family):
    with CASES.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            params = json.loads(row["params_json"])
            if params["family"] == family:
                yield params, json.loads(row["metric_json"]), float(row["value"]), float(row["halfwidth"] or 0)


def test_erlang_formulas_agree_with_tables_of_forty_digits():
    rows = list(cases("erlang"))
    assert len(rows) == 12
    for params, metric, value, half in rows:
        function = {"erlang_b": erlang_b, "erlang_c": erlang_c}[metric["name"]]
        assert float(function(params["offered_load"], params["servers"])) == pytest.approx(value, rel=1e-9, abs=half)


def test_mmc_agrees_with_reference_means_and_percentiles():
    rows = list(cases("mmc"))
    assert len(rows) == 66
    for params, metric, value, half in rows:
        station = MMc(arrival_rps=params["arrivals"]["rate"], service_s=params["service"]["mean"], servers=params["servers"])
        found = {
            "mean_wait": lambda s, p: s.mean_wait_s,
            "prob_wait": lambda s, p: s.prob_wait,
            "mean_response": lambda s, p: s.mean_response_s,
            "wait_quantile": lambda s, p: s.wait_quantile_s(p),
            "response_quantile": lambda s, p: s.response_quantile_s(p),
        }[metric["name"]](station, metric.get("p"))
        assert float(found) == pytest.approx(value, rel=1e-8, abs=half + 1e-12)


def test_mean_drain_time_agrees_with_first_passage():
    for params, metric, value, half in cases("backlog_drain"):
        if metric["name"] == "mean_drain_time":
            found = drain_time_s(params["backlog"], params["arrivals"]["rate"], params["service"]["mean"], params["servers"])
            assert float(found) == pytest.approx(value, rel=1e-9, abs=half)


loads = st.floats(0.01, 200.0)
servers = st.integers(1, 250)


def by_recurrence(a, c):
    """Erlang B by the textbook recurrence: another algorithm."""
    b = 1.0
    for k in range(1, c + 1):
        b = a * b / (k + a * b)
    return b


@given(loads, servers)
def test_erlang_b_agrees_with_its_recurrence(load, count):
    assert float(erlang_b(load, count)) == pytest.approx(by_recurrence(load, count), rel=1e-9, abs=1e-300)


@given(loads, servers)
def test_one_more_server_never_makes_anyone_wait_longer(load, count):
    assert erlang_c(load, count + 1) <= erlang_c(load, count) + 1e-12
    fewer, more = (MMc(arrival_rps=load, service_s=1.0, servers=c).response_quantile_s(0.95) for c in (count, count + 1))
    assert more <= fewer * (1 + 1e-9)


@given(loads, servers, st.floats(1.0, 1.5))
def test_more_load_never_lowers_latency(load, count, factor):
    calm, busy = (MMc(arrival_rps=a, service_s=1.0, servers=count) for a in (load, load * factor))
    assert busy.mean_wait_s >= calm.mean_wait_s * (1 - 1e-9)
    assert busy.response_quantile_s(0.99) >= calm.response_quantile_s(0.99) * (1 - 1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.999))
def test_one_server_is_the_exponential_of_the_textbook(rho, p):
    station = MMc(arrival_rps=rho, service_s=1.0, servers=1)
    assert float(station.response_quantile_s(p)) == pytest.approx(-np.log(1 - p) / (1 - rho), rel=1e-9)
    assert float(station.mean_response_s) == pytest.approx(1 / (1 - rho), rel=1e-9)


@given(st.floats(0.1, 50.0), st.integers(1, 60), st.floats(0.01, 0.999))
def test_quantile_and_tail_are_inverse(load, count, p):
    station = MMc(arrival_rps=load, service_s=1.0, servers=count)
    if load < count * 0.999:
        assert float(station.response_exceeds(station.response_quantile_s(p))) == pytest.approx(1 - p, rel=1e-8)


def test_saturation_is_an_answer():
    station = MMc(arrival_rps=np.array([9.0, 10.0, 11.0, np.inf]), service_s=1.0, servers=10)
    assert np.isfinite(station.mean_wait_s[0])
    assert np.all(np.isinf(station.mean_wait_s[1:]))
    assert np.all(station.prob_wait[1:] == 1.0)
    assert np.all(np.isinf(station.response_quantile_s(0.5)[1:]))
    assert np.all(station.response_exceeds(1e9)[1:] == 1.0)


def test_large_stations_do_not_overflow():
    # square-root staffing: with beta = 1, P(wait) tends to 1 / (1 + beta Phi(beta) / phi(beta)) (Halfin, Whitt 1981, eq. 2.3)
    from scipy.stats import norm

    c = 100_000.0
    limit = 1 / (1 + norm.cdf(1) / norm.pdf(1))
    assert float(erlang_c(c - np.sqrt(c), c)) == pytest.approx(limit, rel=5e-3)


def test_no_load_waits_for_nobody():
    station = MMc(arrival_rps=0.0, service_s=1.0, servers=3)
    assert float(station.prob_wait) == 0.0
    assert float(station.mean_wait_s) == 0.0


def test_shapes_broadcast_over_worlds_and_months():
    station = MMc(arrival_rps=np.ones((5, 3)), service_s=np.full((5, 1), 0.5), servers=np.array([1.0, 2.0, 3.0]))
    assert station.prob_wait.shape == (5, 3)
    assert station.response_quantile_s(0.9).shape == (5, 3)
