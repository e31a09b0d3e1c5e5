"""What a plan that is made again may differ in, and what not."""

import base64

import numpy as np
import pytest

from perfplan.workbook.alike import differences


def html(text):
    return [{"output_type": "display_data", "data": {"text/html": text}}]


def same(kept, found):
    return all(d.allowed for d in differences(kept, found))


@pytest.mark.parametrize(
    ("kept", "found", "alike"),
    [
        ("p95 540 ms", "p95 541 ms", True),  # a unit of the last digit
        ("p95 540 ms", "p95 545 ms", False),
        ("p95 20 ms", "p95 20.1 ms", True),
        ("97 % at peak", "98 % at peak", True),
        ("2 instances", "3 instances", False),  # a count
        ("9 of 10 worlds", "10 of 10 worlds", False),
        ("nothing: 0", "nothing: 1", False),
        ("$26,300 a month", "$26,400 a month", True),  # three digits are shown
        ("$26,300 a month", "$27,300 a month", False),
        ("60,000 users", "70,000 users", False),
        ("98 % at peak", "98 % at Peak", False),
        ("holds until April 2027", "holds until April 2028", False),
        ("Nov 27", "Nov 28", False),
        ("by 31 March 2027", "by 30 March 2027", False),
        ("as of 2026-11-28", "as of 2026-11-29", False),
        ("of 2027 it", "of 2028 it", False),
        ("-3.2 %", "-3.3 %", True),
        ("-3.2 %", "3.2 %", False),
        ("x 1,990 y", "x 1,990 y z", False),
        ("sha256:12ab", "sha256:13ab", False),
        ('<td data-v="0.123456789">0.123</td>', '<td data-v="0.123459">0.123</td>', True),
        ('<td data-v="0.123456789">0.123</td>', '<td data-v="0.1247">0.123</td>', False),
        ('<td style="width:37.3%">0.37</td>', '<td class="x" style="width:37.3%">0.37</td>', False),
    ],
)
def test_shown_text_is_equal_but_for_its_last_digit(kept, found, alike):
    assert same(html(kept), html(found)) is alike
    assert same(html(found), html(kept)) is alike


def figure(*values):
    return [{"data": {"application/vnd.plotly.v1+json": {"data": [{"x": list(values), "name": "p95 of 12"}]}}}]


def packed(*values):
    data = base64.b64encode(np.array(values).tobytes()).decode()
    return [{"data": {"application/vnd.plotly.v1+json": {"data": [{"x": {"dtype": "f8", "bdata": data}}]}}}]


@pytest.mark.parametrize("of", [figure, packed])
def test_numbers_of_figures_may_differ_by_a_thousandth(of):
    values = np.array([1.0, 300.0, 1e-9])
    assert same(of(*values), of(*values * 1.00001))
    assert not same(of(*values), of(*values * 1.01))
    assert same(of(*values), of(1.0, 300.0, 0.0))  # nothing, beside the others
    assert not same(of(*values), of(1.0, 300.0))
    assert not same(of(*values), of(1.0, 300.0, float("inf")))


def test_a_small_number_is_measured_by_its_own_row():
    """A load of thousands in one trace does not hide that a latency in another has doubled."""
    both = [{"data": {"application/vnd.plotly.v1+json": {"data": [{"y": [60_000.0]}, {"y": [0.05, 0.1]}]}}}]
    other = [{"data": {"application/vnd.plotly.v1+json": {"data": [{"y": [60_000.0]}, {"y": [0.1, 0.1]}]}}}]
    assert not same(both, other)
    assert not same([{"data": {"text/plain": "instances 3"}}], [{"data": {"text/plain": "instances 4"}}])


def test_the_largest_difference_that_may_not_be_comes_first():
    rows = differences(figure(1.0, 2.0, 3.0), figure(1.0, 2.2, 3.0001))
    assert [(r.kept, r.found, r.allowed) for r in rows] == [("2", "2.2", False), ("3", "3.0001", True)]
    assert rows[0].size == pytest.approx(0.2 / 2.2)


def test_outputs_of_another_kind_or_number_are_not_the_same():
    assert not same(html("a"), [*html("a"), *html("b")])
    assert not same(html("a"), [{"data": {"text/plain": "a"}}])
    assert not same([{"stdout": "a"}], [{"stderr": "a"}])
    assert same([], [])


def test_names_of_what_is_drawn_are_words_and_those_of_streams_are_not():
    def trace(name):
        return [{"output_type": "display_data", "data": {"application/vnd.plotly.v1+json": {"data": [{"x": [1.0], "name": name}]}}}]

    assert not same(trace("browse"), trace("brows"))
    assert same([{"output_type": "stream", "name": "stdout", "text": "x"}], [{"output_type": "stream", "name": "stderr", "text": "x"}])
