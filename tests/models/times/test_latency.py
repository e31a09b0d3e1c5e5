import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import expon, gamma, lognorm

from perfplan.models.stations.queueing import MMc
from perfplan.models.times.distributions import Constant, Exponential, Lognormal, Mixture, Series, Visits, Wait
from perfplan.models.times.latency import exceeds, percentiles_s, sides_s
from tests.models.stations.test_queueing import CASES

PS = (0.5, 0.95, 0.99)
BOUND = 0.005  # the error that the module promises


def response(station):
    return Series(parts=(station.wait_law(), Exponential(mean_s=station.service_s)))


@settings(deadline=None)
@given(st.floats(0.05, 0.98), st.integers(1, 100), st.floats(1e-4, 10.0))
def test_a_single_station_agrees_with_its_exact_percentiles(rho, servers, service):
    station = MMc(arrival_rps=rho * servers / service, service_s=service, servers=servers)
    for p, found in zip(PS, percentiles_s(response(station), PS), strict=True):
        assert float(found) == pytest.approx(float(station.response_quantile_s(p)), rel=BOUND)


@pytest.mark.parametrize("stages", [2, 3, 8, 20])
def test_stages_in_series_are_erlang(stages):
    path = Visits(part=Exponential(mean_s=0.01), times=float(stages))
    for p, found in zip(PS, percentiles_s(path, PS), strict=True):
        assert float(found) == pytest.approx(gamma.ppf(p, stages, scale=0.01), rel=BOUND)


@pytest.mark.parametrize("ratio", [1.3, 2.0, 5.0, 12.0])
def test_a_partner_has_its_stated_percentiles(ratio):
    partner = Lognormal.through(0.1, 0.1 * ratio)
    sigma = np.log(ratio) / 2.3263478740408408
    for p, found in zip(PS, percentiles_s(partner, PS), strict=True):
        assert float(found) == pytest.approx(lognorm.ppf(p, sigma, scale=0.1), rel=BOUND)
    assert float(partner.mean_s) == pytest.approx(lognorm.mean(sigma, scale=0.1), rel=1e-12)
    assert float(partner.variance) == pytest.approx(lognorm.var(sigma, scale=0.1), rel=1e-12)


def test_hit_or_miss_agrees_with_the_reference():
    count = 0
    with CASES.with_name("cache_cases.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            params, metric = json.loads(row["params_json"]), json.loads(row["metric_json"])
            if params["family"] != "latency_mixture" or params["hit_latency_ms"]["law"] != "exponential" or metric.get("p", 0) > 0.995:
                continue
            hit, miss = (Exponential(mean_s=params[k]["mean"]) for k in ("hit_latency_ms", "miss_latency_ms"))
            both = Mixture(weights=(params["hit_ratio"], 1 - params["hit_ratio"]), parts=(hit, miss))
            found = both.mean_s if metric["name"] == "mean_latency_ms" else percentiles_s(both, (metric["p"],))[0]
            assert float(found) == pytest.approx(float(row["value"]), rel=BOUND)
            count += 1
    assert count == 16


def test_a_whole_path_agrees_with_a_simulation():
    rng, n = np.random.default_rng(5), 1_000_000
    api, pool = MMc(arrival_rps=200.0, service_s=0.02, servers=5), MMc(arrival_rps=900.0, service_s=0.01, servers=10)

    def draw(station):
        return (rng.uniform(size=n) < station.prob_wait) * rng.exponential(1 / station.wait_rate_rps, n) + rng.exponential(
            station.service_s, n
        )

    regions = rng.choice([0.02, 0.09, 0.18], n, p=[0.7, 0.2, 0.1])
    partner = (rng.uniform(size=n) < 0.25) * rng.lognormal(np.log(0.2), 0.6, n)
    simulated = regions + draw(api) + draw(pool) + draw(pool) + partner
    path = Series(
        parts=(
            Mixture(weights=(0.7, 0.2, 0.1), parts=(Constant(mean_s=0.02), Constant(mean_s=0.09), Constant(mean_s=0.18))),
            response(api),
            Visits(part=response(pool), times=2.0),
            Visits(part=Lognormal(median_s=0.2, sigma=0.6), times=0.25),
        )
    )
    assert float(path.mean_s) == pytest.approx(simulated.mean(), rel=3e-3)
    assert float(path.variance) == pytest.approx(simulated.var(), rel=1e-2)
    for p, found in zip(PS, percentiles_s(path, PS), strict=True):
        below, above = np.quantile(simulated, [p - 3 * np.sqrt(p * (1 - p) / n), p + 3 * np.sqrt(p * (1 - p) / n)])
        assert below * (1 - BOUND) <= float(found) <= above * (1 + BOUND)
        assert float(exceeds(path, found)) == pytest.approx(1 - p, rel=2e-2)


SHARES = (0.3, 0.05, 1e-2, 1e-3, 2.25e-4, 1e-4, 1e-5, 1e-6)


def hyperexponential(weights, means):
    """Its distribution, and the time beyond which a share comes: by bisection of the closed form."""
    parts = Mixture(weights=weights, parts=tuple(Exponential(mean_s=m) for m in means))

    def beyond(share):
        return brentq(
            lambda t: sum(w * np.exp(-t / m) for w, m in zip(weights, means, strict=True)) - share, 0, 50 * max(means), xtol=1e-15
        )

    return parts, beyond


TAILS = {
    "M/M/1": (response(MMc(arrival_rps=0.5, service_s=1.0, servers=1)), lambda q: -2 * np.log(q)),
    "M/M/16 near saturation": (
        response(MMc(arrival_rps=15.984, service_s=1.0, servers=16)),
        lambda q: float(MMc(arrival_rps=15.984, service_s=1.0, servers=16).response_quantile_s(1 - q)),
    ),
    "eight stages": (Visits(part=Exponential(mean_s=0.01), times=8.0), lambda q: gamma.isf(q, 8, scale=0.01)),
    **{f"lognormal {s}": (Lognormal(median_s=0.1, sigma=s), lambda q, s=s: lognorm.isf(q, s, scale=0.1)) for s in (0.1, 0.6, 1.0, 1.9)},
    "hits and misses": hyperexponential((0.99, 0.01), (0.001, 0.05)),
    "rarely slow": hyperexponential((1 - 3e-5, 3e-5), (0.001, 0.3)),
    "mostly slow": hyperexponential((0.2, 0.8), (0.01, 30.0)),
}


@pytest.mark.parametrize("later_s", [0.0, 0.02])
@pytest.mark.parametrize("name", TAILS)
def test_shares_beyond_a_time_and_far_percentiles_are_those_of_the_closed_form(name, later_s):
    path, beyond = TAILS[name]
    late = Series(parts=(Constant(mean_s=later_s), path)) if later_s else path
    for share in SHARES:
        t_s = float(beyond(share)) + later_s
        assert float(exceeds(late, t_s)) == pytest.approx(share, rel=0.02)
        assert float(percentiles_s(late, (1 - share,))[0]) == pytest.approx(t_s, rel=BOUND)


def test_a_share_that_need_not_be_precise_is_known_to_be_small():
    path, beyond = TAILS["lognormal 0.6"]
    for share in (1e-2, 1e-4, 1e-6):
        found = float(exceeds(path, beyond(share), least=1e-2))
        assert found < 1e-3 if share < 1e-2 else found == pytest.approx(share, rel=0.02)


def test_a_branch_that_is_rare_and_very_slow_does_not_blur_the_others():
    """One call in ten thousand takes half a minute beside calls of a millisecond: p99 is that of the others, and the share is known to a
    hundredth of it."""
    fast = Series(parts=(Constant(mean_s=0.02), Exponential(mean_s=1e-3), Exponential(mean_s=3e-4)))
    path = Series(parts=(fast, Visits(part=Exponential(mean_s=30.0), times=1e-4)))
    for p in (0.5, 0.95, 0.99):
        assert float(percentiles_s(path, (p,))[0]) == pytest.approx(float(percentiles_s(fast, (p,))[0]), rel=0.005)
    for t_s in (0.022, 0.023, 0.025, 0.03):
        true = (1e-3 * np.exp(-(t_s - 0.02) / 1e-3) - 3e-4 * np.exp(-(t_s - 0.02) / 3e-4)) / 7e-4 * (1 - 1e-4) + 1e-4
        assert abs(float(exceeds(path, t_s)) - true) < max(0.02 * true, 1e-4)


def test_a_percentile_on_the_border_of_a_mixture_has_two_sides():
    path, beyond = hyperexponential((0.99, 0.01), (0.001, 1.0))
    low, high = sides_s(path, 0.99)
    assert low == pytest.approx(beyond(0.0102), rel=0.01)  # 8.5 ms
    assert high == pytest.approx(beyond(0.0098), rel=0.01)  # 20 ms
    steady, beyond = TAILS["M/M/1"]
    low, high = sides_s(steady, 0.99)
    assert high / low < 1.01


@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_order_of_parts_changes_nothing(a, b):
    one, two = (response(MMc(arrival_rps=r, service_s=1.0, servers=1)) for r in (a, b))
    forth, back = (percentiles_s(Series(parts=p), PS) for p in ((one, two), (two, one)))
    assert [float(v) for v in forth] == pytest.approx([float(v) for v in back], rel=1e-4)


def test_saturated_cells_are_without_end_and_the_others_are_not():
    station = MMc(arrival_rps=np.array([[0.5, 0.9, 1.0, 2.0]]), service_s=1.0, servers=1)
    p50, p99 = percentiles_s(response(station), (0.5, 0.99))
    assert np.isfinite(p50[0, :2]).all()
    assert np.isinf(p99[0, 2:]).all()
    assert exceeds(response(station), 3.0)[0, 2:].tolist() == [1.0, 1.0]


def test_a_part_that_is_never_taken_may_be_saturated():
    dead = response(MMc(arrival_rps=2.0, service_s=1.0, servers=1))
    path = Mixture(weights=(1.0, 0.0), parts=(Exponential(mean_s=1.0), dead))
    assert float(path.mean_s) == 1.0
    assert float(percentiles_s(Visits(part=Exponential(mean_s=2.0), times=1.0), (0.9,))[0]) == pytest.approx(
        expon.ppf(0.9, scale=2.0), rel=1e-3
    )


def test_beside_a_part_that_is_never_taken_and_without_end_the_others_decide():
    taken = np.array([[1.0], [0.5]])
    wait = Wait(probability=np.array([[1.0], [0.0]]), rate_rps=np.array([[0.0], [1.0]]))  # in the first cell nobody is ever served
    law = Mixture(weights=(taken, 1 - taken), parts=(Exponential(mean_s=1.0), Series(parts=(wait, Exponential(mean_s=1.0)))))
    assert exceeds(law, 3.0, (2, 1)) == pytest.approx(np.exp(-3), rel=0.005)


def test_cells_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(1)
    rates = rng.uniform(0.1, 0.95, (70, 20))
    everything = percentiles_s(response(MMc(arrival_rps=rates, service_s=1.0, servers=1)), (0.95,))[0]
    alone = percentiles_s(response(MMc(arrival_rps=rates[3:4, 5:6], service_s=1.0, servers=1)), (0.95,))[0]
    assert everything[3, 5] == pytest.approx(float(alone[0, 0]), rel=1e-4)
