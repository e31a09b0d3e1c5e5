"""The algebra of times: closed forms, scipy's own sums, laws of operations, sampling, reference fork-joins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from perfplan.models.beyond import combined, laws

PS = np.array([0.01, 0.5, 0.9, 0.99, 0.999])
ALL = {
    "exponential": laws.exponential(2.0),
    "erlang": laws.erlang(2.0, 4),
    "gamma": laws.gamma(2.0, 3.0),
    "hyperexponential": laws.hyperexponential([0.9, 0.1], [1.0, 11.0]),
    "lognormal": laws.lognormal(2.0, 4.0),
    "weibull": laws.weibull(0.8, 2.0),
    "bounded pareto": laws.bounded_pareto(1.5, 0.5, 200.0),
    "constant": laws.constant(2.0),
    "samples": laws.empirical(np.random.default_rng(1).exponential(2.0, 501)),
    "sum": combined.series(laws.lognormal(1.0, 1.0), laws.exponential(0.5), laws.constant(0.5)),
    "all of three": combined.parallel(laws.exponential(1.0), laws.erlang(1.0, 2), laws.weibull(1.5, 1.0)),
    "first of two": combined.race(laws.lognormal(1.0, 1.0), laws.exponential(2.0)),
    "two of three": combined.k_of(2, laws.exponential(1.0), laws.exponential(2.0), laws.exponential(3.0)),
    "mixture": laws.mixture([0.8, 0.2], [laws.exponential(0.1), laws.lognormal(2.0, 1.0)]),
    "scaled": combined.scaled(laws.erlang(1.0, 3), 2.0, 0.5),
    "timeout": combined.timeout(laws.exponential(1.0), 2.0),
}


def test_sums_of_exponential_times_are_erlang():
    found = combined.series(*[laws.exponential(1.0)] * 5).quantile(PS)
    assert found == pytest.approx(stats.gamma(5).ppf(PS), rel=1e-6)
    apart = combined.series(laws.exponential(1.0), laws.exponential(0.25), laws.constant(3.0))
    t = apart.quantile(PS) - 3.0
    assert (np.exp(-t) - 0.25 * np.exp(-4 * t)) / 0.75 == pytest.approx(1 - PS, rel=1e-6)


def test_the_longest_and_the_shortest_of_exponential_times_are_closed():
    assert combined.parallel(*[laws.exponential(1.0)] * 10).quantile(PS) == pytest.approx(-np.log(-np.expm1(np.log(PS) / 10)), rel=1e-9)
    assert combined.race(laws.exponential(1.0), laws.exponential(0.25)).quantile(PS) == pytest.approx(-np.log1p(-PS) / 5, rel=1e-9)
    assert combined.parallel(*[laws.exponential(1.0)] * 4).mean == pytest.approx(25 / 12, rel=1e-8)
    third = combined.k_of(3, *[laws.exponential(1.0)] * 5)
    assert third.mean == pytest.approx(1 / 5 + 1 / 4 + 1 / 3, rel=1e-8)
    assert third.within(third.quantile(PS)) == pytest.approx(PS, rel=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_quantile_moments_transform_and_samples_agree(name):
    law = ALL[name]
    draw = law.sample(np.random.default_rng(7), 4_000)
    assert draw.mean() == pytest.approx(law.mean, abs=5 * np.sqrt(max(law.variance, 1e-12) / draw.size))
    for p in (0.25, 0.5, 0.9):
        t = float(law.quantile(p))
        assert float(law.within(t * (1 + 1e-9))) >= p - 1e-7
        assert float(law.within(t * (1 - 1e-9))) <= p + 1e-7 or float(law.within(t)) > p + 1e-7  # a step
        assert abs(float((draw <= t * (1 + 1e-9)).mean()) - float(law.within(t * (1 + 1e-9)))) < 0.04
    h = 1e-4 / law.mean
    assert (1 - float(np.real(law.transform(h)))) / h == pytest.approx(law.mean - h * (law.variance + law.mean**2) / 2, rel=1e-4)


@settings(deadline=None, max_examples=25)
@given(a=st.floats(0.1, 5), b=st.floats(0.1, 5), p=st.floats(0.05, 0.99))
def test_hedging_helps_and_waiting_for_both_costs(a, b, p):
    one, other = laws.exponential(a), laws.erlang(b, 3)
    first, both, after = (float(make(one, other).quantile(p)) for make in (combined.race, combined.parallel, combined.series))
    assert first <= min(float(one.quantile(p)), float(other.quantile(p))) * (1 + 1e-9)
    assert max(float(one.quantile(p)), float(other.quantile(p))) <= both * (1 + 1e-9)
    assert both <= after * (1 + 1e-6)


def test_what_is_no_question_is_refused():
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1"):
        combined.race(laws.exponential(1.0), laws.constant(2.0)).quantile(1.0)
    with pytest.raises(ValueError, match="1 to 2 can be waited for; got 3"):
        combined.k_of(3, laws.exponential(1.0), laws.exponential(1.0))
    for wrong in ([], [-1.0], [np.nan]):
        with pytest.raises(ValueError, match="times must be finite"):
            laws.empirical(np.array(wrong))
