"""Promises on pages, freshness, right results and several journeys, each against an oracle that is not the code's."""

import numpy as np
import pytest

from perfplan.operate import watched
from perfplan.plan import plan
from perfplan.reading import BadScenario, read
from perfplan.study.budget import events_rps
from perfplan.subjects.alerts import burns
from tests.conftest import SMALL, unsearched


def with_promise(small, row, text=SMALL):
    small.write_text(text + f"  mine: {row}\n")
    return read(small)


@pytest.mark.parametrize(("regions", "trips"), [("near: {share: 100%, round_trip: 20ms}", 4), ("near: {share: 100%, round_trip: 80ms}", 9)])
def test_a_page_takes_its_response_more_round_trips_its_bytes_and_the_browser(small, regions, trips):
    """By hand: the response's own share, at the time that is left of the target."""
    text = SMALL.replace("near: {share: 100%, round_trip: 20ms}", regions).replace(
        "share: 100%\n", "share: 100%\n    response: 100kB\n    static: 400kB\n"
    )
    page = f"{{kind: page load, journey: read, below: 2s, round_trips: {trips}, bandwidth: 8Mbit/s, render: 200ms}}"
    trip_s = float(regions.split("round_trip: ")[1].split("ms")[0]) / 1e3
    left = 2 - trips * trip_s - 500e3 * 8 / 8e6 - 0.2  # of the target, the request's own round trip included
    found = plan(with_promise(small, page, text).at(200)).judged["mine"].value
    small.write_text(text.replace("percentile: p95, below: 200ms", f"percentile: p75, below: {left * 1e3:.6f}ms"))
    beside = plan(read(small).at(200)).judged["read p95"].value
    assert found == pytest.approx(beside, rel=1e-3, abs=1e-6)


def test_a_page_that_cannot_be_there_in_time_never_is(small):
    made = plan(with_promise(small, "{kind: page load, journey: read, below: 300ms, render: 400ms}").at())
    assert (made.judged["mine"].value == 1).all()


QUEUE = SMALL.replace("calls: {app: 1, store: 2}", "calls: {app: 1, store: 2, jobs: 0.01}").replace(
    "objectives:\n", "  jobs: {kind: queue, workers: 4, service_time: 2s, price: $0.1/h}\nobjectives:\n"
)


@pytest.mark.parametrize("below", ["61s", "64s", "70s", "40s"])
def test_the_age_of_what_jobs_make_is_that_of_drawn_jobs(small, below):
    """Jobs every minute; the time of one drawn from the station's own law by its tail, the look at a random moment."""
    statement = with_promise(small, f"{{kind: freshness, queue: jobs, every: 60s, below: {below}}}", QUEUE)
    made = plan(statement.at(), months=1)
    rng, late = np.random.default_rng(2), made.state.late
    grid = np.linspace(0, 60, 6001)
    tail = np.array([float(np.ravel(late("jobs", max(t, 1e-9)))[0]) for t in grid])
    times = np.interp(rng.random(400_000), 1 - tail, grid)
    ages = rng.uniform(0, 60, times.size) + times
    assert float(made.judged["mine"].value[0, 0]) == pytest.approx((ages > float(below[:-1])).mean(), abs=3e-3)


def test_right_results_are_judged_by_what_checks_have_shown(small):
    made = plan(with_promise(small, "{kind: correctness, journey: read, above: 99.9%, wrong: 0.05% to 0.2%}").at(2000), months=3)
    holds = made.judged["mine"].holds.mean(axis=0)
    assert holds == pytest.approx(0.5, abs=0.03)  # the middle of the interval is the bound: logit-normal, near enough
    assert np.ptp(holds) == 0


def test_journeys_together_fail_by_how_many_requests_each_has(small):
    text = SMALL.replace(
        "    share: 100%\n    calls: {app: 1, store: 2}\n",
        "    share: 80%\n    calls: {app: 1}\n  pay:\n    share: 20%\n    calls: {app: 1, bank: 1}\n",
    )
    text = text.replace("objectives:\n", "  bank: {kind: partner, p50: 20ms, p99: 90ms, availability: 99%}\nobjectives:\n")
    rows = "  one: {kind: availability, journey: read, above: 99%}\n  two: {kind: availability, journey: pay, above: 99%}\n"
    statement = with_promise(small, "{kind: composite, journeys: [read, pay], above: 99%}", text + rows)
    made = unsearched(statement, 50)
    one, two, both = (made.worlds.judged[name].value for name in ("one", "two", "mine"))
    assert both == pytest.approx(0.8 * one + 0.2 * two)
    assert events_rps(made, "mine") == pytest.approx(events_rps(made, "one") + events_rps(made, "two"))
    burn = next(b for b in burns(made) if b.objective == "mine")
    assert burn.counters.total == 'http_requests_total{journey=~"read|pay"}'


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{kind: composite, journeys: [read, buy], above: 99%}", "must name one of the journeys"),
        ("{kind: freshness, queue: store, every: 1min, below: 2min}", "must name a queue"),
        ("{kind: correctness, journey: read, above: 99%}", "wrong"),
        ("{kind: page load, journey: read, below: 2s, bandwidth: 0}", "bandwidth"),
    ],
)
def test_promises_that_say_too_little_are_refused(small, row, said):
    with pytest.raises(BadScenario, match=said):
        with_promise(small, row)


def test_every_promise_with_a_budget_says_what_is_bad_of_it(small):
    made = with_promise(small, "{kind: page load, journey: read, below: 2s}").at()
    assert watched(made.objectives["mine"]).measured.bad == "late pages"
