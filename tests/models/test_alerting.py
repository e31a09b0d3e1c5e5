"""Burn-rate alerts at the traffic that is there: against the workbook's table, and against windows that slide over drawn failures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.models.alerting import detection_s, failures_needed, false_alerts, reset_s

MONTH = 30 * 86_400.0


def test_detection_times_of_the_workbook():
    """The Site Reliability Workbook, ch. 5: (1 - target) / errors x window x burn rate; 99.9 %."""
    for factor, hours, at_all, at_tenth in ((14.4, 1, 0.864, 8.64), (6, 6, 2.16, 21.6), (1, 72, 4.32, 43.2)):
        found = detection_s(factor * 0.001, hours * 3600, np.array([1.0, 0.1, 0.0005]))
        assert found / 60 == pytest.approx([at_all, at_tenth, np.inf])


@given(st.floats(0.001, 0.5), st.floats(0.0, 0.9), st.floats(1.01, 50.0))
def test_when_it_fires_the_long_window_holds_just_the_limit(limit, before, beyond):
    usual, bad = before * limit, min(beyond * limit, 1.0)
    after = float(detection_s(limit, 3600.0, bad, usual))
    if bad > limit:
        assert (usual * (3600 - after) + bad * after) / 3600 == pytest.approx(limit)
        assert 0 <= after <= 3600
        gone = float(reset_s(limit, 300.0, bad))
        assert bad * (300 - gone) / 300 == pytest.approx(limit)


def _starts(rng, rate, needed, windows_s, lasts_s):
    """How often both counts of windows that slide over drawn failures come to be enough: looked at after each failure."""
    at = np.cumsum(rng.exponential(1 / rate, int(rate * lasts_s * 1.1)))
    before = [np.arange(at.size) - np.searchsorted(at, at - window) for window in windows_s]
    was = np.all([count >= least for count, least in zip(before, needed, strict=True)], axis=0)
    now = np.all([count + 1 >= least for count, least in zip(before, needed, strict=True)], axis=0)
    return (now & ~was).sum() * lasts_s / at[-1]


@pytest.mark.parametrize(("rate", "needed"), [(0.001, (6, 1)), (0.002, (12, 3)), (0.0005, (2, 1)), (0.0001, (1, 1)), (0.01, (45, 6))])
def test_false_alerts_are_those_of_drawn_failures(rate, needed):
    rng = np.random.default_rng(11)
    found = float(false_alerts(rate, needed, (3600.0, 300.0), 1e8))
    drawn = [_starts(rng, rate, needed, (3600.0, 300.0), 1e8) for _ in range(4)]
    assert found == pytest.approx(np.mean(drawn), rel=0.03, abs=4 * np.sqrt(found / 4))


def test_one_failed_request_of_fifty_an_hour_pages():
    """At half of what 99.9 % allows, 2.5 % of the hours hold a failure, which sets off 14.4 x: about 18 in 30 days."""
    assert float(failures_needed(0.0144, 3600.0, 50 / 3600)) == 1
    assert float(failures_needed(0.0144, 3600.0, 69.5 / 3600)) == 2
    assert float(false_alerts(0.5 * 0.001 * 50 / 3600, (1, 1), (3600.0, 300.0), MONTH)) == pytest.approx(17.7, abs=0.4)


@settings(deadline=None)
@given(st.floats(1e-6, 100.0), st.integers(1, 50), st.integers(1, 20))
def test_asking_for_more_gives_no_more_false_alerts_where_they_are_seldom(rate, long, short):
    short, needed_long = min(short, long), max(long, int(3 * rate * 3600) + 1)
    one, more = (float(false_alerts(rate, (n, short), (3600.0, 300.0), MONTH)) for n in (needed_long, needed_long + 1))
    assert 0 <= more <= one * (1 + 1e-9) + 1e-9
