"""The 255 items: complete, honest, every reference alive."""

import csv
import dataclasses
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
from perfplan.record import but
from perfplan.scenario import Answer
from perfplan.study import study
from perfplan.study.cures import cures
from perfplan.study.failures import failures
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
    assert "; accepted by k6 inspect; no run of it is shown" in found["4.1.2"].text
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


def with_answers(made, given):
    """The same study with other answers of people."""
    middle = dataclasses.replace(made.middle, scenario=but(made.scenario, answers=given))
    answered = dataclasses.replace(made, middle=middle)
    answered.kept.update({find: find(made) for find in (failures, cures)})  # of load and fleets: they know no answers
    return {one.item.id: one for one in states(answered)}


def signed(value="yes", note="as agreed"):
    return Answer(value=value, owner="team", date="2026-11-01", review=None, link=None, note=note)


@pytest.fixture(scope="module")
def bare():
    """Scenarios without evidence and without answers."""
    found = []
    for path, without in ((STOREFRONT, ["traffic.growth=2%/month"]), (ROOT / "tests" / "kinds" / "everything.yaml", [])):
        found.append(with_answers(study(read(path).but(*without), worlds=20), {}))
    return found


def test_without_evidence_and_answers_models_wishes_and_files_meet_only_computed_items(bare):
    """Nobody has measured, decided or deployed anything; documents of the plan are there."""
    for found in bare:
        met = [(s.item.kind, s.item.id) for s in found.values() if s.verdict == "met" and s.answer != "measured"]
        assert {kind for kind, _ in met} == {"computed", "artefact"}
        assert {id for kind, id in met if kind == "artefact"} == {"6.3.1", "6.3.2", "6.3.5"}


def test_answers_change_their_items_and_what_those_are_parts_of(storefront):
    """Every ninth item at a time, so that whoever changes another is not among those answered each time."""
    before = with_answers(storefront, {})
    for start in range(9):
        rows = items()[start::9]
        for one in (signed(), signed("no"), signed("not applicable")):
            after = with_answers(storefront, {row.id: one for row in rows})
            changed = {id for id, state in after.items() if (state.verdict, state.text) != (before[id].verdict, before[id].text)}
            assert changed <= {row.id for row in rows} | {row.parent for row in rows}
            assert {row.id for row in rows} <= changed


def test_parts_answer_what_is_about_them_alone(storefront):
    """The edge functions are the sum of their parts; scaling out is no better than its parts, and a decision of its own."""
    edge = {f"2.5.5.{letter}": signed("not applicable", "none are planned") for letter in "abcd"}
    assert with_answers(storefront, edge)["2.5.5"].verdict == "not applicable"
    assert with_answers(storefront, edge | {"2.5.5.a": signed("no")})["2.5.5"].verdict == "not met"
    stateless = {f"2.1.1.{letter}": signed() for letter in "abc"}
    assert with_answers(storefront, stateless)["2.1.1"].verdict == "at risk"
    assert "nobody answers for it" in with_answers(storefront, stateless)["2.1.1"].text
    answered = with_answers(storefront, stateless | {"2.1.1": signed()})
    assert answered["2.1.1"].verdict == answered["2.1.1.c"].verdict == "at risk"


def test_words_that_answer_nothing_answer_nothing(storefront):
    for value in ("TODO", "tbd", "?", "example"):
        assert with_answers(storefront, {"2.4.5": signed(value)})["2.4.5"].verdict == "unanswered"
    assert with_answers(storefront, {"2.4.5": signed("two people", None)})["2.4.5"].verdict == "at risk"  # a decision needs its reason
    assert with_answers(storefront, {"2.4.5": signed("two people")})["2.4.5"].verdict == "met"


def test_nobody_can_sign_away_what_is_computed(storefront):
    """An answer may lower a verdict, and take an item out with a reason; it does not raise what a rule says."""
    assert with_answers(storefront, {"1.2.2": signed()})["1.2.2"].verdict == "not met"
    assert with_answers(storefront, {"1.2.2.b": signed("no")})["1.2.2.b"].verdict == "not met"
    assert with_answers(storefront, {"1.2.2": signed("not applicable")})["1.2.2"].verdict == "not applicable"


BETTER = (
    ["tiers.api.instances=60", "tiers.postgres.connections=90", "tiers.postgres.cores=16"],
    ["tiers.api.service_time=9ms to 10ms", "tiers.payments.availability=99.99%", "tiers.postgres.storage_limit=9TB"],
    ["tiers.redis.memory=13GB", "cdn.hit_ratio=95%"],
)


def test_a_better_number_worsens_no_verdict():
    order, statement = ("not met", "at risk", "met", "not applicable"), read(STOREFRONT)
    before = {s.item.id: s for s in states(study(statement.but("traffic.growth=2%/month"), worlds=25))}
    for better in BETTER:
        after = {s.item.id: s for s in states(study(statement.but("traffic.growth=2%/month", *better), worlds=25))}
        assert [
            (id, old.verdict, after[id].verdict)
            for id, old in before.items()
            if old.verdict != "unanswered" and order.index(after[id].verdict) < order.index(old.verdict)
        ] == []


def test_what_is_not_there_makes_its_items_not_applicable(small):
    small.write_text(SMALL)
    found = {s.item.id: s for s in states(study(read(small), worlds=20))}
    assert (found["3.3.1.b"].verdict, found["3.3.1.b"].text) == ("not applicable", "no tier of kind cache is stated")
    assert found["2.2.1"].verdict == "unanswered"  # whether one is needed is still asked


def test_the_storefront_answers_110_items(storefront):
    assert tally(states(storefront))[-1].answered >= 110


def answers(small, text):
    small.write_text(SMALL + "answers:\n" + text)
    return {s.item.id: s for s in states(study(read(small), worlds=40))}


def test_attested_answers_age_and_can_say_no(small):
    found = answers(
        small,
        '  5.2.4: {value: "two people", owner: a, date: 2026-10-01, note: each has a week}\n'
        '  2.2.1.d: {value: "yes", owner: a, date: 2024-10-01}\n'
        '  2.3.2.a: {value: "no", owner: a, date: 2026-10-01}\n'
        "  2.5.5.a: {value: not applicable, owner: a, date: 2026-10-01, note: no experiments at the edge}\n"
        "  3.4.3: {value: not applicable, owner: a, date: 2026-10-01}\n"
        '  2.5.5.c: {value: "yes", owner: a, date: 2024-10-01, review: 2027-10-01, note: cookies}\n',
    )
    assert [found[i].verdict for i in ("5.2.4", "2.2.1.d", "2.3.2.a", "2.5.5.a", "2.5.5.c")] == [
        "met",
        "at risk",
        "not met",
        "not applicable",
        "met",
    ]
    assert "stale" in found["2.2.1.d"].text
    assert "needs its reason" in found["3.4.3"].text


def test_items_without_what_they_need_stay_unanswered(small):
    small.write_text(SMALL)
    found = {s.item.id: s for s in states(study(read(small), worlds=40))}
    assert found["2.2.1.c"].answer == "none"  # no cache in this scenario
    assert found["1.2.3.a"].answer == "none"  # no availability objective


def test_an_answer_does_not_outweigh_a_tool_that_refuses(small):
    small.write_text(SMALL + 'answers:\n  3.5.3: {value: "yes", owner: a, date: 2026-10-01}\n')
    made = study(read(small), worlds=30)
    for accepted, verdict in ((True, "met"), (False, "not met")):
        judged = {"nginx.conf": Judgement(judge="nginx", accepted=accepted, said="")}
        found = next(one for one in states(made, judged) if one.item.id == "3.5.3")
        assert (found.answer, found.verdict) == ("artefact", verdict)
