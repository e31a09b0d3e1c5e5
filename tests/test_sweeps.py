"""What would be if: a station whose every answer can be written down, and laws on the storefront."""

import re

import numpy as np
import pytest

from perfplan import words
from perfplan.plan import with_fields
from perfplan.reading import read
from perfplan.study import study
from perfplan.study.changes import what_ifs
from perfplan.study.sweeps import flat_percentiles, knee
from perfplan.tables import breakpoints, latencies
from perfplan.tables import what_ifs as what_if_table
from tests.conftest import SMALL

ONE = """\
name: one
as_of: 2026-11-24
traffic: {peak_users: 500, requests_per_user: 6/min, growth: 0%/month}
regions:
  here: {share: 100%, round_trip: 20ms}
journeys:
  read: {share: 100%, calls: {app: 1}}
tiers:
  app: {kind: service, instances: 1, threads: 1, service_time: 10ms, price: $0.1/h}
objectives:
  read p95: {kind: latency, journey: read, percentile: p95, below: 200ms}
"""


@pytest.fixture
def one(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(ONE, encoding="utf-8")
    return study(read(path), worlds=20)


def test_half_and_twice_of_a_single_server_are_what_is_known_of_it(one):
    found = {r.change: r for r in what_ifs(one)}
    away = np.log(20)  # p95 of M/M/1's response: log(20) / (mu - lambda), 50 requests a second
    for change, mu, rate in (("half the work", 200, 50), ("twice the instances", 100, 25), ("no waits anywhere", 100, 0)):
        row = found[change]
        assert (row.journey, row.before_s) == ("read", pytest.approx(0.02 + away / 50, rel=1e-3))
        assert row.after_s == pytest.approx(0.02 + away / (mu - rate), rel=1e-3)
    assert np.isinf(found["twice the work"].after_s)  # 50 a second of 20 ms: all of its time
    assert found["half the work"].carries == pytest.approx((200 - away / 0.18) / 50, rel=0.03)  # loads are tried in steps of 2.5 %
    assert found["twice the work"].carries == pytest.approx((50 - away / 0.18) / 50, rel=0.03)
    assert found["twice the instances"].cost_change_usd == pytest.approx(0.1 * 730)
    assert np.isnan(found["half the work"].cost_change_usd)  # nobody sells that
    title = what_if_table(one).title
    assert title.startswith("Half the work of app takes read from 79.9\xa0ms to 40\xa0ms at p95; it carries 3.")
    assert breakpoints(one).frame.set_index("resource").demand_s["app instances"] == pytest.approx(0.01)


def test_no_purchase_beats_an_empty_service(storefront):
    *rows, empty = what_ifs(storefront)
    bought = [r for r in rows if r.change.split()[-1] in ("instances", "threads", "cores", "connections", "workers")]
    assert bought
    for row in bought:
        assert row.after_s <= row.before_s * (1 + 1e-3)
        assert row.cost_change_usd >= 0 or row.change == "twice the threads"
        if row.journey == empty.journey:
            assert row.after_s >= empty.after_s * (1 - 1e-3)


def test_a_saturated_service_is_not_told_that_it_gets_no_faster(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(ONE.replace("peak_users: 500", "peak_users: 5000"), encoding="utf-8")
    table = what_if_table(study(read(path), worlds=20))  # 500 a second of 10 ms: five times what it can carry
    carries, instead = (float(n) for n in re.findall(r"[\d.]+", table.title))
    away = np.log(20) / 0.18  # of M/M/1's mu - lambda, so that p95 is 200 ms with the round trip
    assert carries == pytest.approx((200 - away) / 500, rel=0.03)
    assert instead == pytest.approx((100 - away) / 500, rel=0.03)
    assert "takes" not in table.title
    assert table.frame.after_s.iloc[0] == pytest.approx(0.02 + 0.01 * np.log(20), rel=1e-3)  # an empty service
    assert np.isinf(table.frame.before_s).all()


def test_a_promise_that_no_load_keeps_is_not_carried_beyond_all_loads(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(ONE.replace("below: 200ms", "below: 30ms"), encoding="utf-8")  # p95 of an empty service is 50 ms
    table = what_if_table(study(read(path), worlds=20))
    assert "(today –; those that no load keeps aside)" in table.subtitle
    assert table.frame.carries.isna().all()
    assert "carries" not in table.title


def test_what_a_scenario_may_not_say_is_not_tried(small):
    small.write_text(SMALL.replace("connections: 20", "connections: 16, max_connections: 16"))
    tried = {(r.tier, r.change) for r in what_ifs(study(read(small), worlds=20))}
    assert ("store", "twice the cores") in tried
    assert ("store", "twice the connections") not in tried


def test_more_of_a_cache_may_beat_an_empty_service_and_the_table_says_so(tmp_path):
    path = tmp_path / "scenario.yaml"
    more = (
        "  memo: {kind: cache, instances: 1, origin: db, items: 1M, item: 2kB, memory: 400MB}\n  db: {kind: database, cores: 64, "
        "connections: 400, service_time: 50ms}\n"
    )
    path.write_text(
        ONE.replace("calls: {app: 1}", "calls: {app: 1, memo: 1}")
        .replace("threads: 1,", "threads: 64,")
        .replace("objectives:", f"{more}objectives:"),
        encoding="utf-8",
    )
    found = study(read(path), worlds=20)
    rows = {r.change: r for r in what_ifs(found)}
    assert rows["twice the nodes"].after_s < rows["no waits anywhere"].after_s
    assert "unless it is a cache that then holds more" in what_if_table(found).subtitle


def test_what_changes_nothing_is_not_named(storefront):
    told = what_if_table(storefront).frame
    assert "half the publishing time of reports" not in set(told.change)
    assert told.change.iloc[0] == "no waits anywhere"
    assert len(told) < len(what_ifs(storefront))


def test_a_percentile_between_hits_and_misses_is_shown_from_both_sides(small):
    """99 % of the look-ups take a millisecond, the others a query of 50 ms: p99 lies between, and the plan says so."""
    cached = SMALL.replace("{app: 1, store: 2}", "{cache: 1}").replace(
        "  app: {kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}\n",
        "  cache: {kind: cache, origin: store, instances: 4, service_time: 0.1ms, hit_ratio: 99%}\n",
    )
    small.write_text(cached.replace("service_time: 2ms", "service_time: 50ms, service: {variation: 0.02}"), encoding="utf-8")
    found = {p: (low, high) for _, p, low, high in flat_percentiles(study(read(small), worlds=20))}
    assert set(found) == {0.99}
    low, high = found[0.99]
    assert low == pytest.approx(0.0205, abs=0.0008)  # round trip and look-up
    assert high == pytest.approx(0.0205 + 0.05 * np.exp(-2.05 * 0.0224), abs=0.001)  # and the quickest fiftieth of the queries
    assert "p99 of read lies in a gap that hardly any response falls into: 20" in latencies(study(read(small), worlds=20)).subtitle


def test_what_answers_again_what_did_not_change_says_the_same_as_asking_anew(storefront):
    answered = {}
    knee(storefront.scenario, answered)
    for tier, field, by in (("redis", "instances", 2.0), ("payments", "p99_s", 0.5), ("api", "threads", 2.0)):
        changed = with_fields(storefront.scenario, {tier: {field: getattr(storefront.scenario.tiers[tier], field) * by}})
        assert knee(changed, answered) == knee(changed)


def test_what_saturates_first_is_the_lowest_load_and_its_cause_something_that_it_waits_for(storefront):
    found = knee(storefront.scenario)
    assert found.saturated[found.soonest] == min(found.saturated.values())
    assert found.first == found.soonest or found.first in found.called[found.soonest]
    assert found.named.startswith(found.first.words)
    assert f"at {words.rate(found.saturated[found.soonest])}" in found.saturates
