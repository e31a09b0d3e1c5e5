"""Values far from what is usual: each is planned in time, or refused at the door with what is believable."""

import random
import re
import sys

import pytest

from perfplan.artifacts import configs
from perfplan.cli import main
from perfplan.reading import BadScenario, read
from perfplan.study import study
from perfplan.workbook.folder import all_tables
from tests.conftest import ROOT, SMALL

sys.path.insert(0, str(ROOT / "benchmarks"))
import fuzz

STORE = "service_time: 2ms, hold_time: 1ms"
EXTREMES = {
    "two percentiles far apart": (STORE, "service: {p50: 1us, p99: 90ms}", "must be at most 100 times its p50, to be believed as one law"),
    "two percentiles as far apart as may be": (STORE, "service: {p50: 1ms, p99: 100ms}", None),
    "a p99 of an hour": (STORE, "service: {p50: 1us, p99: 1h}", "must be at most 100 times its p50"),
    "growth twice a month": ("1%/month to 3%/month", "200%/month", "growth: must be a number of believable size, at most 100%/month; got"),
    "growth of all there is": ("1%/month to 3%/month", "1e20%/month", "growth: must be a number of believable size"),
    "growth as fast as may be": ("1%/month to 3%/month", "50%/month to 100%/month", None),
    "every percentile": ("percentile: p95", "percentile: 100%", "percentile: must be within p1 to p99.9999; got 100%"),
    "the last percentile": ("percentile: p95", "percentile: p99.9999", None),
    "a round trip of a year": ("round_trip: 20ms", "round_trip: 1 year", "round_trip: must be at most 10s, to be believed; got 1 year"),
    "threads without number": ("threads: 8", "threads: 1e20", "threads: must be a number of believable size"),
    "a lead time of ages": ("threads: 8", "threads: 8, lead_time: 1e9 years", "lead_time: must be a number of believable size"),
    "a lead time of years": (
        "threads: 8",
        "threads: 8, lead_time: 5 years",
        "lead_time: must be at most 3 years, to be believed; got 5 years",
    ),
    "the longest lead time": ("instances: 4, threads: 8", "instances: 1, threads: 1, lead_time: 3 years", None),
    "nothing may be used": (
        "threads: 8",
        "threads: 8, utilization_limit: 0%",
        "utilization_limit: must be at least 1%, to be believed; got 0%",
    ),
    "next to nothing may be used": ("threads: 8", "threads: 8, utilization_limit: 1%", None),
    "the end of the calendar": ("2026-11-24", "9999-12-31", "as_of: must be a day from 2000 to 2199; got 9999-12-31"),
    "the last day": ("2026-11-24", "2199-12-31", None),
    "as many threads as may be": ("instances: 4, threads: 8", "instances: 100000, threads: 10000", None),
    "nobody": ("900 to 1100", "0.000001", "peak_users: must be at least 1, to be believed; got 0.000001"),
    "one user": ("900 to 1100", "1", None),
    "everybody": ("900 to 1100", "1e12", None),
    "many calls that time out": ("calls: {app: 1, store: 2}", "calls: {app: 1, store: 10000}", None),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_a_value_is_planned_in_time_or_refused_at_the_door(small, capsys, name):
    old, new, says = EXTREMES[name]
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    small.write_text(text)
    if says is None:
        assert main(["check", str(small), "--worlds", "30"]) in (0, 1)
    else:
        with pytest.raises(BadScenario) as caught:
            read(small)
        assert says in str(caught.value)


def test_no_number_is_a_row_of_zeros(small):
    small.write_text(SMALL.replace("900 to 1100, requests_per_user: 6/min", "1, requests_per_user: 0.001/day"))
    made = study(read(small), worlds=30)
    assert not [t.name for t in all_tables(made) if "0.000000" in t.html()]
    assert not [name for name, text in configs(made).items() if re.search(r"(#|//|;|\*\*).*0\.000000", text)]


def test_what_the_search_proposes_is_believable(small):
    """A load that no fleet carries: the search buys as much as there is, and its own counts are a scenario."""
    small.write_text(SMALL.replace("900 to 1100", "1e9 to 2e9"))
    found = study(read(small), worlds=30)
    assert all(n <= 100_000 for order in found.fleet.orders for n in order.counts.values())


@pytest.mark.parametrize("seed", range(10))
def test_fields_changed_at_random_are_planned_or_refused(tmp_path, seed):
    """Fifty cases a seed, as benchmarks/fuzz.py makes them by the ten thousand."""
    path = tmp_path / "scenario.yaml"
    found = {}
    for case in range(50):
        rng = random.Random(f"suite {seed} {case}")
        text = fuzz.mutated(rng, rng.choice(fuzz.bases()))
        path.write_text(text, encoding="utf-8")
        found[case] = fuzz.fault(path, whole=case == 0)
    assert {case: fault for case, fault in found.items() if fault} == {}
