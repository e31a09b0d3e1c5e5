"""What is handed on beside plan.html: Markdown, a picture, a spreadsheet, paper."""

import datetime
import math
import re
import shutil
import xml.etree.ElementTree as tree

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan import tables
from perfplan.document.story import story
from perfplan.shown.blocks import Column, Table
from perfplan.study.remedy import positions
from perfplan.workbook import handing

HOSTILE = '=HYPERLINK("http://evil")|<script>alert(1)</script> @all `x` $1$ [a](http://b) \\ _i_ **b**'


def table(name="t", frame=None):
    made = pd.DataFrame({"what": ["a"], "cost_usd": [1.5]}) if frame is None else frame
    return Table(name=name, title=HOSTILE, subtitle="", frame=made, columns=(Column("what", "What"),))


def test_the_summary_says_what_the_first_screen_says(storefront):
    text, told = handing.summary(storefront), story(storefront)
    plain = re.sub(r"\\(.)", r"\1", text)
    assert told.verdict in plain
    assert told.decision in plain
    for one in told.headlines:
        assert one.value in plain
    for one in positions(storefront):
        assert one.text in plain
    assert f"({handing.PICTURE})" in text


@pytest.mark.parametrize("text", [HOSTILE, "a\n# b\n| c", "```\n@team www.x.y"])
def test_names_stay_text_in_markdown(text):
    """As a reader of GitHub's Markdown shows them."""
    import mistune

    shown = mistune.create_markdown(plugins=["table", "strikethrough", "url", "math"])(f"| {handing._text(text)} |\n|---|\n| x |\n")
    assert not re.search(r"<(script|a|em|strong|code|del|h1)\b|class=.math", shown)
    assert shown.count("<th>") == 1
    assert "@all" not in shown
    assert "@team" not in shown


def test_the_picture_is_a_file_of_its_own(storefront):
    root = tree.fromstring(handing.picture(storefront))
    assert root.tag.endswith("svg")
    assert not [one for one in root.iter() if one.tag.endswith(("script", "image", "use"))]
    assert len([one for one in root.iter() if one.tag.endswith("path")]) == 3


def test_numbers_are_numbers_and_text_is_text(tmp_path):
    frame = pd.DataFrame(
        {
            "what": [HOSTILE, "+1", "-x", "@y", "123", "http://z", "", None],
            "cost_usd": [1.5, -2, math.inf, math.nan, 1e300, 0, np.int64(3), True],
            "wait_s": [0.25] * 8,
        }
    )
    path = tmp_path / "tables.xlsx"
    handing.spreadsheet(path, [table("a/b[c]*?:\\'" + "x" * 40, frame), table("A b c"), table("a b c")], datetime.date(2026, 11, 24))
    book = openpyxl.load_workbook(path)
    assert len(book.sheetnames) == len({one.lower() for one in book.sheetnames}) == 4
    assert all(len(one) <= 31 for one in book.sheetnames)
    sheet = book.worksheets[1]
    assert [one.value for one in sheet[1]] == ["what", "cost", "wait"]
    assert [one.value for one in sheet[2]] == [None, "$", "s"]
    assert sheet.freeze_panes == "B3"
    names = [sheet.cell(row, 1) for row in range(3, 11)]
    assert [one.value for one in names] == [*frame["what"][:6], None, None]
    assert {one.data_type for one in names[:6]} == {"s"}
    assert not any(one.hyperlink for row in sheet.iter_rows() for one in row)
    assert [sheet.cell(row, 2).value for row in range(3, 11)] == [1.5, -2, "without end", None, 1e300, 0, 3, True]
    assert [one.value for one in book.worksheets[0]["B"]][1] == HOSTILE


def test_every_table_of_a_plan_has_its_sheet(storefront, tmp_path):
    made = [make(storefront) for make in tables.OF_A_STUDY]
    for name in ("one.xlsx", "two.xlsx"):
        handing.spreadsheet(tmp_path / name, made, storefront.as_of)
    book = openpyxl.load_workbook(tmp_path / "one.xlsx")
    assert len(book.sheetnames) == len(made) + 1
    for sheet, one in zip(book.worksheets[1:], made, strict=True):
        assert sheet.max_row == max(len(one.tidy()) + 2, 2)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


@given(st.lists(st.text(max_size=60), min_size=1, max_size=40))
def test_sheets_have_names_that_spreadsheets_allow(wanted):
    taken = {"contents"}
    found = [handing._sheet_name(one, taken) for one in wanted]
    assert len({one.lower() for one in found}) == len(found)
    assert all(0 < len(one) <= 31 and not re.search(r"[\[\]:*?/\\']", one) for one in found)


def test_without_a_browser_the_paper_is_left_out_and_said_so(monkeypatch, tmp_path):
    monkeypatch.setattr("perfplan.workbook.handing.browser", lambda: None)
    assert "no Chromium was found" in handing.paper(tmp_path / "plan.html", tmp_path / "plan.pdf")
    monkeypatch.setattr("perfplan.workbook.handing.browser", lambda: shutil.which("false"))
    assert "false ended with 1" in handing.paper(tmp_path / "plan.html", tmp_path / "plan.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.judge
@pytest.mark.skipif(handing.browser() is None, reason="no Chromium here")
def test_paper_has_bookmarks_and_numbered_pages(tmp_path):
    page = tmp_path / "plan.html"
    page.write_text("<!doctype html><title>x</title><h1>One</h1><h2>Two</h2><p>text", encoding="utf-8")
    assert handing.paper(page, tmp_path / "plan.pdf") == ""
    made = (tmp_path / "plan.pdf").read_bytes()
    assert made.startswith(b"%PDF")
    assert b"/Outlines" in made


def test_printed_pages_carry_the_name_whatever_it_is():
    from perfplan.workbook.page import _paper

    text = _paper('"; } </style><script>x</script> \\ {')
    assert text.count('"') == 2
    assert "<" not in text
