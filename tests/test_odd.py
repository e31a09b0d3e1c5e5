"""Services unlike the storefront: everything that is shown must come out, without warnings and without nonsense."""

import re

import pytest

from perfplan import figures
from perfplan.checklist import states
from perfplan.cli import main
from perfplan.document import document, to_json
from perfplan.document.story import story
from perfplan.plan import plan, today_rps, with_counts
from perfplan.reading import read
from perfplan.study import study
from perfplan.tiers.place import Place
from perfplan.workbook.folder import all_tables
from perfplan.workbook.opening import chapter, findings
from tests.conftest import SMALL

OVERLOAD = SMALL.replace("900 to 1100", "90k to 110k")
ODD = {
    "saturated today": OVERLOAD,
    "one instance": SMALL.replace("instances: 4", "instances: 1"),
    "partner only": SMALL.replace("calls: {app: 1, store: 2}", "calls: {app: 1}")
    .replace(
        "{kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}",
        "{kind: partner, p50: 50ms, p99: 90ms, limit: 500 rps}",
    )
    .replace("  store: {kind: database, cores: 4, connections: 20, service_time: 2ms, hold_time: 1ms, price: $0.05/h}\n", ""),
    "traffic certain, the rest not": SMALL.replace("900 to 1100", "1000")
    .replace("1%/month to 3%/month", "2%/month")
    .replace("service_time: 10ms", "service_time: 9ms to 11ms")
    + (
        "  many: {kind: users, above: 2k}\n  second: {kind: throughput}\n  month: {kind: latency, journey: read, below: 150ms, over: "
        "28 days}\n"
    ),
    "only a target uncertain": SMALL.replace("900 to 1100", "1000")
    .replace("1%/month to 3%/month", "2%/month")
    .replace("below: 200ms", "below: 40ms to 300ms"),
    "shrinking": SMALL.replace("1%/month to 3%/month", "-4%/month to -1%/month"),
    "growing fast": SMALL.replace("1%/month to 3%/month", "20%/month to 30%/month"),
    "an event today, one long ago, one far away": SMALL.replace(
        "growth: ",
        "events: [{name: a, month: 2026-11, factor: 1.3}, {name: b, month: 2020-01, factor: 2}, {name: c, month: 2040-01, "
        "factor: 2}], growth: ",
    ),
    "everything at the edge": SMALL.replace("regions:", "cdn: {hit_ratio: 100%}\nregions:").replace(
        "share: 100%\n    calls", "share: 100%\n    cacheable: 100%\n    calls"
    ),
    "a link that is too thin": SMALL.replace("regions:", "link: 1MB/s\nregions:") + "  second: {kind: throughput}\n",
    "tiers that nobody calls": SMALL.replace(
        "objectives:",
        """  idle a: {kind: queue, workers: 2, service_time: 5ms}
  idle b: {kind: service, instances: 2, service_time: 5ms}
  idle c: {kind: database, cores: 2, replicas: 2, service_time: 5ms}
  idle d: {kind: cache, instances: 2, origin: idle c}
  idle e: {kind: partner, p50: 5ms, p99: 50ms, limit: 5 rps}
objectives:""",
    ),
    "a promise that no fleet keeps": SMALL + "  up: {kind: availability, journey: read, above: 99.999%}\n",
    "promises that end at different times": SMALL.replace("below: 200ms}", "below: 200ms, until: 2 months}")
    + "  later: {kind: latency, journey: read, below: 400ms, until: 24 months}\n",
}
FIGURES = [getattr(figures, name) for name in figures.__all__]


@pytest.mark.parametrize("name", ODD)
def test_everything_that_is_shown_comes_out(small, name):
    small.write_text(ODD[name])
    made = study(read(small), worlds=40)
    told = story(made)
    words = [*told.lines(), told.why, told.nothing, *(f.title + f.value + f.reason + f.remedy for f in told.findings)]
    words += [t.title + str(t.html()) for t in all_tables(made)]
    words += [repr(chapter(made, phase)) + repr(findings(made, phase)) for phase in range(8)]
    words += [s.text for s in states(made)]
    words += [str(drawn.layout.title.text) for draw in FIGURES if (drawn := draw(made)) is not None]
    for text in words:
        assert not re.search(r"\b(nan|inf|None)\b", text), text[:300]
        assert "without end rps" not in text.replace("\xa0", " "), text[:300]
    assert "Infinity" not in to_json(document(made))


def studied(small, text):
    small.write_text(text)
    return study(read(small), worlds=40)


def test_an_event_of_this_month_is_not_what_today_means(small):
    small.write_text(ODD["an event today, one long ago, one far away"])
    with_event = read(small).at()
    small.write_text(SMALL)
    assert today_rps(with_event) == pytest.approx(today_rps(read(small).at()))
    one, other = (plan(s, percentiles=(), objectives=()).stored_bytes["store"][0, 36] for s in (with_event, read(small).at()))
    assert one == pytest.approx(other)


def test_an_event_costs_its_days_and_needs_its_peak(small):
    small.write_text(SMALL.replace("growth: ", "events: [{name: a, month: 2027-01, factor: 2, lasts: 7d}], growth: "))
    from perfplan.plan import month_factors

    factor = float(month_factors(read(small).at())[0, 2])
    assert 2 * factor == pytest.approx(1 + 7 / 30.4375)


def test_storage_does_not_start_again_when_something_is_bought(small):
    small.write_text(SMALL.replace("hold_time: 1ms", "hold_time: 1ms, storage: 100GB, storage_growth: 10GB"))
    scenario = read(small).at()
    whole = plan(scenario, percentiles=(), objectives=())
    part = plan(with_counts(scenario, {Place("app", "instances"): 9.0}), whole.rps[:, 20:], percentiles=(), objectives=(), first=20)
    assert part.stored_bytes["store"][0].tolist() == pytest.approx(whole.stored_bytes["store"][0, 20:].tolist())


def test_the_caller_waits_as_long_as_it_keeps_a_connection(small):
    small.write_text(SMALL.replace("hold_time: 1ms", "hold_time: 30ms"))
    made = plan(read(small).at(), months=1)
    assert made.percentile_s["read"][0.5][0, 0] > 0.02 + 0.06  # round trip and two calls that keep a connection for 30 ms


def test_threads_that_wait_for_uneven_things_wait_longer_than_exponential_ones(small):
    import numpy as np

    from perfplan.models.stations.queueing import MMc
    from perfplan.plan.paths import carry

    text = SMALL.replace("tiers:\n", "tiers:\n  pay: {kind: partner, p50: 100ms, p99: 900ms}\n").replace(
        "{app: 1, store: 2}", "{app: 1, store: 2, pay: 0.1}"
    )
    small.write_text(text)
    state = carry(read(small).at(), np.array([[250.0]]))
    wait = state.responses["app"].parts[0]
    station = state.stations["app", "instances"]
    exponential = MMc(arrival_rps=station.arrival_rps, service_s=station.service_s, servers=station.servers)
    assert float(np.ravel(wait.mean_s)[0]) > 1.5 * float(np.ravel(exponential.mean_wait_s)[0])
    assert float(np.ravel(station.mean_wait_s)[0]) == float(np.ravel(wait.mean_s)[0])  # the station says what the path says


def test_what_cannot_be_delivered_in_time_is_not_there_in_time(small):
    made = studied(small, SMALL.replace("instances: 4", "instances: 1").replace("price: $0.1/h", "price: $0.1/h, lead_time: 120d"))
    first = next(o for o in made.fleet.orders if any("instances" in path for path in o.changes))
    assert first.month >= 4
    assert made.fleet.p_all[0] == made.p_all[0]


def test_a_thin_link_breaks_the_peak_second(small):
    made = studied(small, ODD["a link that is too thin"])
    assert not made.worlds.judged["second"].holds.any()
    assert set(made.fleet.aside["second"]) == set(range(37))
    assert made.p_all[0] == 1.0  # of the promise that can be kept
    assert "the network link is 571 % used" in story(made).verdict.replace("\xa0", " ")


def test_a_promise_counts_until_its_own_end(small):
    made = studied(small, ODD["promises that end at different times"].replace("below: 200ms", "below: 25ms"))
    assert not made.worlds.judged["read p95"].holds.any()
    assert sorted(made.fleet.aside["read p95"]) == [0, 1, 2]  # until its own end
    assert made.p_all[3] > 0.9


def test_a_plan_never_replaces_anything_but_a_plan(small, tmp_path, capsys):
    before = small.read_bytes()
    assert main(["plan", str(small), "--out", str(small)]) == 2
    assert small.read_bytes() == before
    assert main(["plan", str(small), "--out", str(small.parent)]) == 2
    assert "must be a folder that holds nothing the plan is made from" in capsys.readouterr().err
    assert main(["check", str(small), "--worlds", "0"]) == 2
    assert main(["plan", str(small), "--out", str(tmp_path / "x"), "--worlds", "1000000000"]) == 2
    assert not (tmp_path / "x").exists()


def test_a_horizon_beyond_the_plan_is_refused(small):
    from perfplan.reading import BadScenario

    small.write_text(SMALL.replace("below: 200ms}", "below: 200ms, until: 60 months}"))
    with pytest.raises(BadScenario, match="at most 36 months"):
        read(small)


@pytest.mark.parametrize("users", ["900M", "900000M"])
@pytest.mark.parametrize("over", ["28 days", "peak hour"])
def test_a_load_far_beyond_everything_breaks_every_promise_and_nothing_else(small, users, over):
    from perfplan.workbook.checking import check

    small.write_text(SMALL.replace("900 to 1100", users).replace("below: 200ms", f"below: 200ms, over: {over}"))
    drawn = read(small).at(20)
    made = plan(drawn, both=True, percentiles=())
    assert not made.all_hold.any()
    judged = made.judged["read p95"]
    assert (judged.value == 1).all()
    assert (judged.also == 1).all()
    assert check(read(small), 30).holds is False
