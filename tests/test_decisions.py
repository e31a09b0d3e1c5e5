"""Decisions that are asked for and that were taken."""

import pytest

from perfplan import tables
from perfplan.document.findings import findings
from perfplan.reading import BadScenario, read
from perfplan.study import study
from perfplan.study.remedy import positions
from perfplan.subjects.decisions import asked, taken
from tests.conftest import STOREFRONT


def test_a_decision_is_due_from_its_review_on(small):
    text = small.read_text(encoding="utf-8")
    rows = "\n".join(
        f"  {name}: {{choice: x, owner: me, date: 2026-01-01, reason: why{review}}}"
        for name, review in (
            ("past", ", review: 2026-11-23"),
            ("today", ", review: 2026-11-24"),
            ("later", ", review: 2026-11-25"),
            ("never", ""),
        )
    )
    small.write_text(f"{text}decisions:\n{rows}\n", encoding="utf-8")
    made = study(read(small), worlds=40)
    assert {one.name for one in taken(made) if one.due} == {"past", "today"}
    assert {one.about for one in findings(made) if "is due for review" in one.title} == {"past", "today"}
    shown = tables.decisions(made)
    assert [row for row in shown.frame["state"] if row == "due for review"] == ["due for review"] * 2
    assert "2 of 4 taken ones are due again" in shown.title


def test_what_is_asked_for_is_what_is_ordered(storefront):
    found = asked(storefront)
    assert [one.order for one in found] == list(positions(storefront))
    by_label = {out.resource.label: out for out in storefront.run_outs}
    for one in found:
        if one.order.name in by_label and by_label[one.order.name].quantile(0.5) <= storefront.last:
            assert storefront.named(int(by_label[one.order.name].quantile(0.5))) in one.without


@pytest.mark.parametrize("bad", ["date: 2026-13-01", "date: soon"])
def test_a_decision_has_a_day(small, bad):
    text = small.read_text(encoding="utf-8")
    small.write_text(f"{text}decisions:\n  a: {{choice: x, owner: me, {bad}, reason: why}}\n", encoding="utf-8")
    with pytest.raises(BadScenario, match=r"decisions\.a\.date"):
        read(small)


def test_names_of_decisions_stay_text(tmp_path):
    hostile = "<script>alert(1)</script>"
    override = read(STOREFRONT)
    made = study(override.but(f"decisions.no second region before 2028.choice={hostile}"), worlds=40)
    assert hostile not in tables.decisions(made).html()
