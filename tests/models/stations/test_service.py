"""Services of any law: exact limits, reference simulations, and what is refused."""

import csv
import json

import numpy as np
import pytest
from scipy.stats import gamma

from perfplan.models.beyond.general import MG1, MDc
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.service import QueueWait, Served, Shape, Station
from perfplan.models.times.distributions import Exponential, Series
from perfplan.models.times.latency import percentiles_s
from tests.conftest import ROOT

PS = (0.5, 0.95, 0.99)


def response(shape, rho, servers):
    station = MMc(arrival_rps=rho * servers, service_s=1.0, servers=float(servers))
    return Series(parts=(QueueWait.of(station, shape), Served(mean_s=1.0, shape=shape)))


def quantiles(law, count=20_000):
    return Shape.of_samples(law.ppf((np.arange(count) + 0.5) / count))


def of_law(law):
    if law["law"] == "lognormal":
        return Shape.lognormal(float(np.sqrt(np.log1p(law["scv"]))))
    if law["law"] == "gamma":
        return quantiles(gamma(1 / law["scv"], scale=law["scv"]))
    return Shape.of_samples(np.linspace(law["low"], law["high"], 20_001)) if law["law"] == "uniform" else None


@pytest.mark.parametrize("servers", [1, 3, 40])
def test_exponential_services_are_m_m_c(servers):
    shape, station = quantiles(gamma(1.0)), MMc(arrival_rps=0.85 * servers, service_s=1.0, servers=float(servers))
    exact = percentiles_s(Series(parts=(station.wait_law(), Exponential(mean_s=1.0))), PS)
    for found, wanted in zip(percentiles_s(response(shape, 0.85, servers), PS), exact, strict=True):
        assert float(found) == pytest.approx(float(wanted), rel=0.01)


def test_one_server_is_pollaczek_and_khinchine():
    law = gamma(2.0, scale=0.5)
    exact = MG1(arrival_rps=0.8, service=lambda s: (1 + s / 2) ** -2.0, service_s=1.0, scv=0.5)
    for p, found in zip(PS, percentiles_s(response(quantiles(law), 0.8, 1), PS), strict=True):
        assert float(found) == pytest.approx(float(exact.response_quantile_s(p)), rel=0.01)
    wait = QueueWait.of(MMc(arrival_rps=0.8, service_s=1.0, servers=1.0), Shape.lognormal(1.0))
    assert float(wait.mean_s) == pytest.approx(0.8 * np.e / 2 / 0.2, rel=1e-6)


def test_constant_services_wait_as_crommelin_says():
    for servers, rho in ((2, 0.7), (4, 0.8), (10, 0.9)):
        station = MMc(arrival_rps=rho * servers, service_s=1.0, servers=float(servers))
        wait = QueueWait.of(station, Shape.of_samples(np.ones(10)))
        assert float(wait.mean_s) == pytest.approx(MDc(arrival_rps=rho * servers, service_s=1.0, servers=servers).mean_wait_s, rel=0.01)


def test_reference_simulations_of_poisson_arrivals_are_met():
    with (ROOT / "tests" / "data" / "queueing_cases.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if '"gi_g_c"' in r["params_json"]]
    checked = 0
    for row in rows:
        case, metric = json.loads(row["params_json"]), json.loads(row["metric_json"])
        shape = of_law(case["service"])
        if case["arrivals"]["interarrival"]["law"] != "exponential" or metric["name"] != "response_quantile" or metric["p"] < 0.9:
            continue
        station = MMc(arrival_rps=1 / case["arrivals"]["interarrival"]["mean"], service_s=1.0, servers=float(case["servers"]))
        found = percentiles_s(Series(parts=(QueueWait.of(station, shape), Served(mean_s=1.0, shape=shape))), (metric["p"],))[0]
        assert float(found) == pytest.approx(float(row["value"]), rel=0.015)
        checked += 1
    assert checked >= 8


def test_worlds_and_months_broadcast_and_saturation_is_without_end():
    rho = np.array([[0.5, 0.9, 1.0, 1.4], [0.2, 0.95, 0.99, 3.0]])
    station = MMc(arrival_rps=4 * rho, service_s=np.array([[1.0], [1.0]]), servers=4.0)
    shape = Shape.lognormal(1.2)
    found = percentiles_s(Series(parts=(QueueWait.of(station, shape), Served(mean_s=station.service_s, shape=shape))), (0.95,), rho.shape)[
        0
    ]
    assert np.array_equal(np.isinf(found), rho >= 1)
    one = percentiles_s(response(shape, 0.9, 4), (0.95,))[0]
    assert found[0, 1] == pytest.approx(float(one), rel=1e-3)
    assert (found[:, 1] > found[:, 0]).all()


def test_samples_of_a_known_law_have_its_tail_and_others_keep_their_own():
    draw = np.random.default_rng(3)
    shape = Shape.of_samples(0.002 + draw.lognormal(-4, 1.2, 4_000))
    assert shape.nodes.max() > 30  # beyond the largest sample: recognized
    assert shape.factor == pytest.approx(0.002 + np.exp(-4 + 0.72), rel=0.1)
    two = np.concatenate([np.full(900, 1.0), np.full(100, 10.0)])
    kept = Shape.of_samples(two)
    assert kept.factor == pytest.approx(1.9)
    assert kept.scv == pytest.approx(two.var() / 1.9**2)
    assert kept.nodes.max() == pytest.approx(10 / 1.9)


@pytest.mark.parametrize("samples", [[], [0.0, 0.0], [1.0, -1.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_samples_that_are_no_times_are_refused(samples):
    with pytest.raises(ValueError, match="service times must"):
        Shape.of_samples(np.array(samples))


def test_a_million_samples_and_one_sample_are_laws_too():
    many = Shape.of_samples(np.random.default_rng(4).exponential(1.0, 1_000_000))
    assert many.factor == pytest.approx(1.0, rel=0.01)
    assert many.nodes.size <= 2000
    assert Shape.of_samples(np.array([0.3])).scv == 0.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("servers", [1, 2, 48, 100_000])
@pytest.mark.parametrize("scv", [0.0, 0.01, 4.0, 100.0])
def test_the_edges_of_load_size_and_spread_give_answers_without_warnings(servers, scv):
    shape = Shape.of_samples(np.ones(5)) if scv == 0 else Shape.lognormal(float(np.sqrt(np.log1p(scv))))
    for rho in (0.0, 1e-9, 0.5, 0.999, 1 - 1e-12, 1.0, 1 + 1e-12, 50.0):
        half, most = (float(v) for v in percentiles_s(response(shape, rho, servers), (0.5, 0.99)))
        assert np.isinf(half) == (rho >= 1)
        assert half <= most


@pytest.mark.parametrize("servers", [2, 8, 32])
def test_percentiles_between_the_steps_of_a_law_do_not_fall_onto_the_wrong_one(servers):
    two = np.concatenate([np.full(900, 1 / 1.9), np.full(100, 10 / 1.9)])
    half, most = percentiles_s(response(Shape.of_samples(two), 0.3, servers), (0.5, 0.95))
    assert float(half) == pytest.approx(1 / 1.9, rel=0.03)
    assert float(most) == pytest.approx(10 / 1.9, rel=0.03)


def test_a_station_says_of_waits_what_paths_are_made_of():
    plain = MMc(arrival_rps=3.2, service_s=1.0, servers=4.0)
    same = Station(arrival_rps=3.2, service_s=1.0, servers=4.0)
    for name in ("prob_wait", "mean_wait_s", "mean_response_s"):
        assert float(getattr(same, name)) == pytest.approx(float(getattr(plain, name)), rel=1e-12)
    for p in (0.5, 0.9, 0.99):
        assert float(same.wait_quantile_s(p)) == pytest.approx(float(plain.wait_quantile_s(p)), rel=1e-12)
        assert float(same.response_quantile_s(p)) == pytest.approx(float(plain.response_quantile_s(p)), rel=1e-12)
    crommelin = MDc(arrival_rps=3.2, service_s=1.0, servers=4)
    constant = Station(arrival_rps=3.2, service_s=1.0, servers=4.0, shape=Shape.of_samples(np.ones(5)))
    for p in (0.9, 0.99):
        assert float(constant.wait_quantile_s(p)) == pytest.approx(crommelin.wait_quantile_s(p), rel=0.03)
    assert float(constant.response_exceeds(float(constant.response_quantile_s(0.95)))) == pytest.approx(0.05, rel=0.05)
    idle, full = (Station(arrival_rps=r, service_s=1.0, servers=4.0, shape=Shape.lognormal(1.3)) for r in (1e-9, 4.0))
    assert float(idle.wait_quantile_s(0.99)) == 0.0
    assert np.isinf(full.wait_quantile_s(0.99))
    assert np.isinf(full.mean_wait_s)
