"""Scenarios side by side: the same worlds, what differs, and what explains it."""

import itertools
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.cli import main
from perfplan.reading import BadScenario, read
from perfplan.workbook import sides
from perfplan.workbook.sides import GROUPS, NUMBERS, REST, differing, explained, rows, shapley
from tests.conftest import STOREFRONT


def brute(values, n):
    """The mean over all orders of what each adds in its turn."""
    found = np.zeros(n)
    for order in itertools.permutations(range(n)):
        at = 0
        for i in order:
            found[i] += values[at | 1 << i] - values[at]
            at |= 1 << i
    return found / math.factorial(n)


@settings(max_examples=40)
@given(st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.floats(-1e3, 1e3), min_size=2**n, max_size=2**n))))
def test_shapley_values_are_the_mean_over_all_orders(case):
    n, values = case
    found = shapley([np.array([v]) for v in values], n)[:, 0]
    assert found == pytest.approx(brute(values, n), abs=1e-9)
    assert found.sum() == pytest.approx(values[-1] - values[0], abs=1e-6)


@pytest.fixture
def pair(small):
    other = small.parent / "other.yaml"
    text = small.read_text(encoding="utf-8")
    text = text.replace("name: small", "name: larger").replace("instances: 4", "instances: 6").replace("900 to 1100", "1400 to 1500")
    other.write_text(text, encoding="utf-8")
    return small, other


def test_parts_add_up_to_the_change(pair):
    made = sides.sides([str(one) for one in pair], 60)
    parts = explained(made)
    assert {one.group for one in parts} == {"tiers.app", "traffic.peak_users"}
    last = made[0].study.last
    before, after = (sides._numbers(one.statement, last) for one in made)
    for i, number in enumerate(NUMBERS):
        assert sum(one.value for one in parts if one.number == number) == pytest.approx(after[i] - before[i], rel=1e-9, abs=1e-12)
    (users,) = [one.value for one in parts if one.number == "peak hour" and one.group == "traffic.peak_users"]
    assert users == pytest.approx(after[0] - before[0])


def test_rows_are_those_of_the_plans(pair):
    made = sides.sides([str(one) for one in pair], 60)
    assert [one.name for one in made] == ["small", "larger"]
    found = {row.what: row for row in rows(made)}
    for i, one in enumerate(made):
        assert found["Peak hour, now"].values[i] == pytest.approx(float(np.median(one.study.worlds.rps[:, 0])))
        assert found["P(every promise holds), now"].values[i] == float(one.study.p_all[0])
    assert found["Input: tiers.app.instances"].texts == ("4", "6")
    assert not differing(rows([made[0], made[0]]), {})


def test_the_same_twice_differs_in_nothing(small, capsys):
    assert main(["diff", str(small), str(small), "--worlds", "40"]) == 0
    assert "|" in capsys.readouterr().out
    assert main(["diff", str(small)]) == 2
    assert "two or more" in capsys.readouterr().err


def test_a_difference_beyond_the_tolerance_has_exit_1(pair, capsys):
    command = ["diff", *map(str, pair), "--worlds", "40"]
    assert main([*command, "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "perfplan/sides/1"
    assert found["sides"] == ["small", "larger"]
    assert {one["number"] for one in found["explained"]} == set(NUMBERS)


def test_many_differences_are_told_apart_up_to_a_number(small):
    text = small.read_text(encoding="utf-8")
    tiers = "".join(f"  t{i}: {{kind: database, cores: 4, service_time: 1ms, price: $0.1/h}}\n" for i in range(10))
    calls = ", ".join(f"t{i}: 1" for i in range(10))
    one = text.replace("objectives:", f"{tiers}objectives:").replace("store: 2}", f"store: 2, {calls}}}")
    (small.parent / "one.yaml").write_text(one.replace("name: small", "name: one"), encoding="utf-8")
    two = one.replace("name: small", "name: two").replace("cores: 4, service_time: 1ms", "cores: 8, service_time: 1ms")
    (small.parent / "two.yaml").write_text(two, encoding="utf-8")
    first, other = (read(small.parent / name) for name in ("one.yaml", "two.yaml"))
    groups, values = sides._values(first, other, 3)
    assert len(groups) == GROUPS
    assert groups[-1] == REST
    assert values[frozenset(range(GROUPS))] == pytest.approx(sides._numbers(other, 3))
    assert values[frozenset()] == pytest.approx(sides._numbers(first, 3))


def test_a_tier_more_is_the_rest(small):
    text = small.read_text(encoding="utf-8")
    more = text.replace("objectives:", "  more: {kind: database, cores: 4, service_time: 1ms, price: $0.3/h}\nobjectives:")
    more = more.replace("store: 2}", "store: 2, more: 1}").replace("name: small", "name: more").replace("instances: 4", "instances: 5")
    (small.parent / "more.yaml").write_text(more, encoding="utf-8")
    first, other = read(small), read(small.parent / "more.yaml")
    groups, values = sides._values(first, other, 3)
    assert groups == ["tiers.app", REST]
    assert values[frozenset([0, 1])] == pytest.approx(sides._numbers(other, 3))
    assert values[frozenset([0])] == pytest.approx(sides._numbers(first.but("tiers.app.instances=5"), 3))


def test_what_makes_sense_only_together_is_explained_together(small):
    """Other tiers and journeys: half of the change is no scenario."""
    text = (
        small.read_text(encoding="utf-8")
        .replace("name: small", "name: other")
        .replace("app", "web")
        .replace("read:", "fetch:")
        .replace("journey: read", "journey: fetch")
    )
    (small.parent / "other.yaml").write_text(text.replace("threads: 8", "threads: 6"), encoding="utf-8")
    first, other = read(small), read(small.parent / "other.yaml")
    groups, values = sides._values(first, other, 3)
    assert groups == [REST]
    assert values[frozenset([0])] == pytest.approx(sides._numbers(other, 3))
    assert values[frozenset()] == pytest.approx(sides._numbers(first, 3))


def test_what_a_history_overrules_explains_nothing():
    first = read(STOREFRONT)
    entry = first.entries["traffic.peak_users"]
    other = replace(
        first, entries={**first.entries, "traffic.peak_users": replace(entry, text="400k to 450k")}
    )  # as another file would have it
    assert sides._values(first, other, 3)[0] == []
    groups, values = sides._values(first, first.but("tiers.api.instances=44"), 3)
    assert groups == ["tiers.api"]
    assert values[frozenset()] == pytest.approx(sides._numbers(first, 3))


def test_names_stay_text(pair, capsys):
    small, other = pair
    hostile = "<script>alert(1)</script>"
    other.write_text(other.read_text(encoding="utf-8").replace("name: larger", f"name: '{hostile}'"), encoding="utf-8")
    assert main(["diff", str(small), str(other), "--worlds", "40", "--format", "html"]) == 1
    page = capsys.readouterr().out
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r'(?:src|href)="', page)


def test_sides_are_called_so_that_they_differ(small, tmp_path):
    again = tmp_path / "again" / "scenario.yaml"
    again.parent.mkdir()
    again.write_text(small.read_text(encoding="utf-8"), encoding="utf-8")
    statements = [read(small), read(again)]
    assert sides._names([str(small), str(again)], statements) == ["small", "again"]
    assert sides._names([str(small), str(small)], [statements[0]] * 2) == ["small 1", "small 2"]


def test_what_is_no_plan_is_refused(tmp_path, small):
    with pytest.raises(BadScenario, match=r"must be a scenario\.yaml or a plan folder"):
        sides.sides([str(small), str(tmp_path)], 40)


def test_several_scenarios_get_a_folder_each_and_a_comparison(pair, tmp_path, monkeypatch, capsys):
    made, found = [], sides.sides([str(one) for one in pair], 40)
    monkeypatch.setattr("perfplan.cli.planning._planned", lambda options, path, out: made.append((path, out)))
    monkeypatch.setattr("perfplan.workbook.sides.sides", lambda paths, worlds: found if paths == [str(out) for _, out in made] else [])
    out = tmp_path / "plans"
    out.mkdir()
    assert main(["plan", *map(str, pair), "--worlds", "40", "--out", str(out)]) == 0
    assert made == [(pair[0], out / "small"), (pair[1], out / "small-other")]
    assert "larger" in (out / "comparison.html").read_text(encoding="utf-8")
    assert str(out / "comparison.html") in capsys.readouterr().out
    assert main(["plan", str(pair[0]), str(pair[0]), "--worlds", "40", "--out", str(out)]) == 2
