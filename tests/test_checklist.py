"""The 255 items: complete, honest, every reference alive."""

import csv
import inspect
import os
import sys
import time
from pathlib import Path

import pytest

from perfplan.artifacts import files
from perfplan.checklist import ANSWERS, ITEMS, VERDICTS, collected, states, summary, tally
from perfplan.items import BOXES, items
from perfplan.judging import Judgement
from perfplan.reading import read
from perfplan.reading.history import read_history
from perfplan.study import study
from tests.conftest import ROOT, SMALL, STOREFRONT

REFERENCE = Path(os.environ.get("PERFPLAN_REFERENCE", ROOT.parent / "shared" / "reference"))


def test_all_items_are_there_once():
    ids = [item.id for item in items()]
    assert len(ids) == len(set(ids)) == 270
    assert sum(item.counts for item in items()) == BOXES


def test_ids_and_texts_are_those_of_the_list():
    original = REFERENCE.parent / "checklist.csv"
    if not original.is_file():
        pytest.skip("the original list is not beside this checkout")
    with original.open(newline="", encoding="utf-8") as file:
        rows = [(r["id"], r["text"]) for r in csv.DictReader(file)]
    assert [(i.id, i.text) for i in items()] == rows


def answers_of_files(made):
    return [(answer.item, answer) for file in files(made) for answer in file.answers]


def test_every_rule_belongs_to_an_item_and_a_chapter(storefront):
    ids = {item.id for item in items()}
    for name, rule in [*ITEMS.items(), *answers_of_files(storefront)]:
        assert name in ids
        assert (ROOT / "notebooks" / f"{rule.place}.ipynb").is_file()


def test_no_item_is_answered_twice(storefront):
    by_files = [name for name, _ in answers_of_files(storefront)]
    assert not ITEMS.keys() & set(by_files)
    assert len(by_files) == len(set(by_files))
    with pytest.raises(ValueError, match=r"item QR.1 is answered twice, by perfplan.subjects.ambition"):
        collected([[ITEMS["QR.1"]], [ITEMS["CI.1"], ITEMS["QR.1"]]])


def test_items_of_files_say_what_a_tool_said_of_them(storefront):
    """No tool was asked, one accepted, one refused."""
    judged = {
        "load_test.js": Judgement(judge="k6 inspect", accepted=True, said="accepted"),
        "alerts.yml": Judgement(judge="promtool check rules", accepted=False, said="line 3"),
    }
    found = {one.item.id: one for one in states(storefront, judged)}
    assert (found["4.1.2"].verdict, found["5.2.1"].verdict, found["3.4.1"].verdict) == ("at risk", "not met", "at risk")
    assert "; accepted by k6 inspect; not deployed" in found["4.1.2"].text
    assert "; refused by promtool check rules; not deployed" in found["5.2.1"].text
    assert "; not judged here; not deployed" in found["3.4.1"].text
    assert all("not judged here" in one.text for one in states(storefront) if one.item.id in ("4.1.2", "5.2.1", "3.4.1"))


def codes(formula):
    """The code of a function, or of the methods of a class."""
    formula = inspect.unwrap(formula)
    if not isinstance(formula, type):
        return {formula.__code__}
    methods = [m.fget if isinstance(m, property) else m for m in vars(formula).values()]
    return {m.__code__ for m in methods if inspect.isfunction(m)}


def test_the_formula_of_every_item_is_called_for_it():
    """Watched while a plan is made that nobody has made before, and its items judged."""
    changed = [f"tiers.redis.memory={7 + time.time() % 1}GiB", "tiers.reports.service_time=3s"]
    statement, called = read(STOREFRONT).but(*changed), set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code) if event == "call" else None)
    try:
        read_history.__globals__["_read"].cache_clear()
        made = study(statement, worlds=30)
        read(STOREFRONT)
        states(made)
    finally:
        sys.setprofile(None)
    rules = [*ITEMS.items(), *answers_of_files(made)]
    assert [name for name, rule in rules if not codes(rule.formula) & called] == []


def test_every_state_is_one_of_the_words(storefront, capsys):
    found = states(storefront)
    assert {s.answer for s in found} <= set(ANSWERS)
    assert {s.verdict for s in found} <= set(VERDICTS)
    assert all(s.text for s in found)
    for s in found:
        assert (s.answer == "none") == (s.verdict == "unanswered"), s.item.id
    with capsys.disabled():
        print(f"\n{summary(found)}")


def test_counts_add_up(storefront):
    rows = tally(states(storefront))
    assert [t.total for t in rows[:-1]] == [24, 69, 56, 39, 49, 18]  # boxes of the checklist by phase
    assert rows[-1].total == BOXES
    for t in rows:
        assert sum(t.answers) == sum(t.verdicts) == t.total


def test_broken_promises_show_in_the_items(storefront):
    by_id = {s.item.id: s for s in states(storefront)}
    assert by_id["1.2.2"].verdict == "not met"  # the peak second saturates
    assert by_id["1.1.2"].answer == "measured"
    assert by_id["2.1.1.a"].answer == "attested"
    assert (by_id["5.2.1"].answer, by_id["5.2.1"].verdict) == ("artefact", "at risk")  # nobody has shown that it is deployed
    assert by_id["5.2.3"].answer == "none"
    assert by_id["5.2.3"].text.startswith("needs ")


def answers(small, text):
    small.write_text(SMALL + "answers:\n" + text)
    return {s.item.id: s for s in states(study(read(small), worlds=40))}


def test_attested_answers_age_and_can_say_no(small):
    found = answers(
        small,
        '  2.1.1.c: {value: "yes", owner: a, date: 2026-10-01}\n'
        '  2.2.1.d: {value: "yes", owner: a, date: 2024-10-01}\n'
        '  2.3.2.a: {value: "no", owner: a, date: 2026-10-01}\n'
        "  2.5.5.a: {value: not applicable, owner: a, date: 2026-10-01, note: no experiments at the edge}\n"
        "  2.5.5.b: {value: not applicable, owner: a, date: 2026-10-01}\n"
        '  2.5.5.c: {value: "yes", owner: a, date: 2024-10-01, review: 2027-10-01}\n',
    )
    assert [found[i].verdict for i in ("2.1.1.c", "2.2.1.d", "2.3.2.a", "2.5.5.a", "2.5.5.c")] == [
        "met",
        "at risk",
        "not met",
        "not applicable",
        "met",
    ]
    assert "stale" in found["2.2.1.d"].text
    assert "needs its reason" in found["2.5.5.b"].text


def test_items_without_what_they_need_stay_unanswered(small):
    small.write_text(SMALL)
    found = {s.item.id: s for s in states(study(read(small), worlds=40))}
    assert found["2.2.1.c"].answer == "none"  # no cache in this scenario
    assert found["1.2.4"].answer == "none"  # no availability objective


def test_an_answer_does_not_outweigh_a_tool_that_refuses(small):
    small.write_text(SMALL + 'answers:\n  3.4.1: {value: "yes", owner: a, date: 2026-10-01}\n')
    made = study(read(small), worlds=30)
    for accepted, verdict in ((True, "met"), (False, "not met")):
        judged = {"nginx.conf": Judgement(judge="nginx", accepted=accepted, said="")}
        found = next(one for one in states(made, judged) if one.item.id == "3.4.1")
        assert (found.answer, found.verdict) == ("artefact", verdict)
