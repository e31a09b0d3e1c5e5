"""The workbench in a browser: moves, the latest of which wins, mistakes, pins, undo; heard and used without eyes and mouse."""

import json

import pytest

from perfplan.reading import read
from perfplan.workbench.talking import Talk
from tests.workbook.chromium import CHROMIUM, workbench

pytestmark = [pytest.mark.judge, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]


@pytest.fixture
def page(small, tmp_path):
    """The workbench of a small scenario."""
    with workbench(Talk(read(small)), tmp_path / "profile") as found:
        yield found


def shown(page):
    """The verdict that is on the page."""
    return page.run("document.querySelector('.workbench .verdict').innerText")


SLIDE = """(() => { const one = document.querySelector('.workbench input[type=range][aria-label="%s"]');
  one.value = %d; one.dispatchEvent(new Event('input', {bubbles: true})); one.dispatchEvent(new Event('change', {bubbles: true})); })()"""


def test_the_latest_move_wins_and_undo_goes_back(page):
    first = shown(page)
    assert "P(every promise holds)" in first
    for stop in (9, 2, 8, 3, 0):  # faster than anybody answers
        page.run(SLIDE % ("app instances", stop))
    page.settled()
    last = shown(page)
    assert last != first
    page.run("[...document.querySelectorAll('.workbench button')].find(b => b.textContent === 'Back to the start').click()")
    page.settled()
    assert shown(page) == first
    page.run(SLIDE % ("app instances", 0))
    page.settled()
    assert shown(page) == last
    page.run("[...document.querySelectorAll('.workbench button')].find(b => b.textContent === 'Undo').click()")
    page.settled()
    assert shown(page) == first


TYPE = """(() => { const one = document.querySelectorAll('.workbench input.value')[0];
  one.value = %s; one.dispatchEvent(new Event('change', {bubbles: true})); })()"""


def test_a_mistake_stands_under_its_field_and_no_old_figure_beside_it(page):
    page.run(TYPE % json.dumps("<b>many</b>"))
    page.settled()
    assert "must be" in page.run("document.querySelector('.workbench .control .error').innerText")
    assert page.run("document.querySelectorAll('.workbench figure').length") == 0
    assert page.run("document.querySelectorAll('.workbench .errors b').length") == 0
    page.run(TYPE % json.dumps("950"))
    page.settled()
    assert page.run("document.querySelectorAll('.workbench figure').length") == 5
    assert page.run("document.querySelector('.workbench .control .error').innerText") == ""


AXE = """axe.run({resultTypes: ['violations']}).then(r => [r.passes.length, r.violations.map(v => [v.impact, v.id, v.nodes[0].html])])"""
HEARD = """[...document.querySelectorAll('input[type=range]')].map(s => [s.getAttribute('aria-label'), s.getAttribute('aria-valuetext')])"""
PIN = "[...document.querySelectorAll('.workbench button')].find(b => b.textContent === 'Pin this state').click()"


def test_it_is_heard_fits_and_shows_what_is_pinned(page, npm):
    page.run((npm / "axe-core" / "axe.min.js").read_text())
    states = ["", PIN, SLIDE % ("app instances", 0), PIN, TYPE % json.dumps("nonsense")]
    for state in states:
        page.run(state or "0")
        page.settled()
        found = page.run(AXE)
        assert found[0] > 10
        assert [one for one in found[1] if one[0] in ("serious", "critical")] == []
        assert page.run("document.documentElement.scrollWidth") <= 1280
    assert page.run("document.querySelectorAll('.workbench .pins li').length") == 2
    assert all(all(one) for one in page.run(HEARD))


def test_nothing_is_asked_of_anybody_else(page):
    hosts = page.run("[...new Set(performance.getEntriesByType('resource').map(one => new URL(one.name).hostname))]")
    assert hosts == ["127.0.0.1"]
