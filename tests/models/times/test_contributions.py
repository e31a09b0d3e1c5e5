"""What slow requests are made of: integrals that were not made by the code, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import expon, gamma

from perfplan.figures import tail, waterfall
from perfplan.models.times.contributions import contributions_s
from perfplan.models.times.distributions import Constant, Exponential, Mixture, Named, Scaled, Series, Visits, Wait
from perfplan.models.times.latency import percentiles_s
from perfplan.reading import read
from perfplan.shown.latency import MOST_JOURNEYS
from perfplan.study import study
from perfplan.study.sweeps import TAIL, parts_of_the_tail
from perfplan.tables import tail as tail_table
from tests.conftest import SMALL


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_two_exponential_parts_share_a_percentile_as_their_densities_say(p):
    one, other = Named(name="one", part=Exponential(mean_s=1.0)), Named(name="other", part=Exponential(mean_s=3.0))
    whole = Series(parts=(one, other))
    found = contributions_s(whole, ("one", "other"), [p])
    q = float(percentiles_s(whole, (p,))[0])
    at = quad(lambda x: expon.pdf(x) * expon.pdf(q - x, scale=3.0), 0, q)[0]
    expected = quad(lambda x: x * expon.pdf(x) * expon.pdf(q - x, scale=3.0), 0, q)[0] / at
    assert found["one"][0] == pytest.approx(expected, rel=0.01)
    assert found["one"][0] + found["other"][0] == pytest.approx(q, rel=1e-9)


def test_a_miss_that_is_rare_is_all_of_the_tail_and_nothing_of_the_middle():
    fast, slow = Named(name="hit", part=Exponential(mean_s=0.001)), Named(name="miss", part=Exponential(mean_s=1.0))
    whole = Mixture(weights=(0.9, 0.1), parts=(fast, slow))
    found = contributions_s(whole, ("hit", "miss", "elsewhere"), [0.5, 0.99])
    assert found["elsewhere"].tolist() == [0.0, 0.0]
    assert found["miss"][1] == pytest.approx(np.log(10), rel=0.01)  # p99 of all is p90 of the misses
    assert found["hit"][1] < 1e-6
    assert found["hit"][0] > 0.9 * float(percentiles_s(whole, (0.5,))[0])


def test_a_part_that_is_passed_twice_counts_twice():
    part, rest = (Named(name=name, part=Exponential(mean_s=1.0)) for name in ("part", "rest"))
    found = contributions_s(Series(parts=(Visits(part=part, times=2.0), rest)), ("part", "rest"), [0.9])
    q = float(gamma(3).ppf(0.9))
    assert [found["part"][0], found["rest"][0]] == pytest.approx([2 * q / 3, q / 3], rel=0.01)


def test_a_saturated_path_is_endless_in_all_parts():
    wait, work = Wait(probability=1.0, rate_rps=0.0), Named(name="work", part=Exponential(mean_s=1.0))
    assert np.isinf(contributions_s(Series(parts=(wait, work)), ["work"], [0.5])["work"]).all()


@settings(deadline=None, max_examples=20)
@given(factor=st.floats(0.1, 10), p=st.floats(0.1, 0.99), times=st.sampled_from([1.0, 1.5, 3.0]))
def test_a_scaled_time_has_scaled_percentiles(factor, p, times):
    one = Visits(part=Series(parts=(Exponential(mean_s=0.2), Constant(mean_s=0.1))), times=times)
    plain = float(percentiles_s(one, (p,))[0])
    assert float(percentiles_s(Scaled(part=one, factor=factor), (p,))[0]) == pytest.approx(factor * plain, rel=2e-3)


def test_parts_of_the_storefronts_tail_add_up_to_its_percentiles(storefront):
    found = parts_of_the_tail(storefront)
    assert set(found) == set(storefront.scenario.journeys)
    for name, parts in found.items():
        together = sum(parts.values())
        asked = [float(np.ravel(storefront.middle.percentile_s[name][p])[0]) for p in TAIL]
        assert together == pytest.approx(asked, rel=2e-3)
        assert (np.array(list(parts.values())) >= 0).all()
    checkout = found["checkout"]
    assert max(checkout, key=lambda part: checkout[part][1]) == "payments"  # a partner of half a second at p99


def test_journeys_that_look_alike_keep_their_bars_and_the_slowest_is_among_them(tmp_path):
    names = [f"checkout with a gift card number {i} of many" for i in range(6)]
    journeys = "".join(
        f"  {n}: {{share: {share}%, calls: {{app: 1, edge: {i + 1}}}}}\n"
        for i, (n, share) in enumerate(zip(names, (15, 15, 15, 15, 20, 20), strict=True))
    )
    text = (
        SMALL.replace("  read:\n    share: 100%\n    calls: {app: 1, store: 2}\n", journeys)
        .replace("store:", "edge:")
        .replace("journey: read", f"journey: {names[0]}")
    )
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    made = study(read(path), worlds=20)
    fig = tail(made)
    bars = {y for trace in fig.data for y in trace.y}
    assert len(bars) == MOST_JOURNEYS * len(TAIL)
    assert sum(sum(trace.x) for trace in fig.data) == pytest.approx(100 * len(bars))
    assert names[5] in fig.layout.title.text  # the most calls
    assert len({y for trace in waterfall(made).data for y in trace.y}) == 6
    parts = parts_of_the_tail(made)[names[5]]
    whole = [float(np.ravel(made.middle.percentile_s[names[5]][p])[0]) for p in TAIL]
    assert sum(parts.values()) == pytest.approx(whole, rel=2e-3)  # a tier named edge is not lost


def test_a_saturated_journey_has_no_bars_but_a_table(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(SMALL.replace("service_time: 10ms", "service_time: 2s"), encoding="utf-8")
    made = study(read(path), worlds=20)
    assert tail(made).layout.title.text == "Every journey is saturated"
    assert "saturated" in str(tail_table(made).title)
