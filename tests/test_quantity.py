import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan import quantity as q
from perfplan.quantity import Misread
from perfplan.stated import parse

KINDS = [q.SECONDS, q.RPS, q.BYTES, q.USD, q.USD_PER_HOUR, q.FRACTION, q.RATIO, q.COUNT, q.BYTES_PER_SECOND]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12ms", q.SECONDS, 0.012),
        ("1.5 min", q.SECONDS, 90.0),
        ("6 weeks", q.SECONDS, 6 * 7 * 86400.0),
        ("400 rps", q.RPS, 400.0),
        ("60/min", q.RPS, 1.0),
        ("2/min", q.RPS, 2 / 60),
        ("2GiB", q.BYTES, 2 * 2.0**30),
        ("2GB", q.BYTES, 2e9),
        ("10Gbit/s", q.BYTES_PER_SECOND, 1.25e9),
        ("$14,200", q.USD, 14_200.0),
        ("$12k", q.USD, 12_000.0),
        ("$0.12/h", q.USD_PER_HOUR, 0.12),
        ("$73/month", q.USD_PER_HOUR, 0.1),
        ("$0.05/GB", q.USD_PER_BYTE, 0.05e-9),
        ("99.9%", q.FRACTION, 0.999),
        ("0.999", q.FRACTION, 0.999),
        ("55k", q.COUNT, 55_000.0),
        ("1_000", q.COUNT, 1_000.0),
        ("8M", q.COUNT, 8e6),
        ("2x", q.RATIO, 2.0),
        ("p95", q.PERCENTILE, 0.95),
        ("24", q.WHOLE, 24.0),
        ("2.5%/month", q.GROWTH, 0.025),
        ("12%/year", q.GROWTH, 1.12 ** (1 / 12) - 1),
    ],
)
def test_a_stated_number_means_what_it_says(text, kind, value):
    law = parse(text, kind)
    assert law.certain
    assert law.mid == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("12", q.SECONDS, "12ms or 12s?"),
        ("99.9", q.FRACTION, "99.9%"),
        ("2mb", q.BYTES, "2MB or 2MiB?"),
        ("2Mbit", q.BYTES, "8 bits"),
        ("60k to 40k", q.COUNT, "write 40k to 60k"),
        ("40k to 40k", q.COUNT, "a certain number is just 40k"),
        ("nan", q.COUNT, "not a number"),
        ("inf", q.SECONDS, "not a number"),
        ("1e400", q.COUNT, "believable size"),
        ("-3", q.WHOLE, "1 or more"),
        ("0", q.WHOLE, "1 or more"),
        ("2.5", q.WHOLE, "a whole number"),
        ("3 to 5", q.WHOLE, "certain whole number"),
        ("0ms", q.SECONDS, "more than 0"),
        ("yes", q.COUNT, "such as 55k"),
        ("0777x", q.COUNT, "pure number"),
        ("0 to 5", q.COUNT, "more than 0"),
        ("99% to 100%", q.FRACTION, "both excluded"),
        ("40k to 60k around 90k", q.COUNT, "middle inside"),
        ("40k to 60k (100%)", q.COUNT, "1% to 99.9%"),
        ("$0.12", q.USD_PER_HOUR, "$0.12/h"),
        ("400", q.RPS, "a unit is missing"),
        ("30k-36k", q.COUNT, "write 30k to 36k"),
        ("10ms – 20ms", q.SECONDS, "write 10ms to 20ms"),
        ("x" * 5000, q.COUNT, "5000 characters"),
    ],
)
def test_a_mistake_says_rule_value_and_way_out(text, kind, says):
    with pytest.raises(Misread) as caught:
        parse(text, kind)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


positive = st.floats(1e-6, 1e9)
shares = st.floats(0.001, 0.999)


@given(positive, st.floats(1.001, 100), st.floats(0.02, 0.995))
def test_stated_borders_of_a_positive_number_come_back(low, factor, coverage):
    low = float(f"{low:.6g}")
    high = float(f"{low * factor:.9g}")
    law = parse(f"{low!r} to {high!r} ({coverage * 100:.3f}%)", q.COUNT)
    edge = (1 - round(coverage * 100, 3) / 100) / 2
    assert law.quantile(edge) == pytest.approx(low, rel=1e-6)
    assert law.quantile(1 - edge) == pytest.approx(high, rel=1e-6)


@given(shares, shares, shares)
def test_a_stated_middle_is_the_median(a, b, c):
    low, mid, high = sorted(round(x, 6) for x in (a, b, c))
    if low < mid < high:
        law = parse(f"{low} to {high} around {mid}", q.FRACTION)
        assert [float(law.quantile(p)) for p in (0.05, 0.5, 0.95)] == pytest.approx([low, mid, high], rel=1e-6)


@given(st.floats(1e-9, 1 - 1e-9), shares, shares)
def test_no_draw_leaves_the_domain(p, a, b):
    low, high = sorted((round(a, 6), round(b, 6)))
    if low < high:
        assert 0 <= parse(f"{low} to {high}", q.FRACTION).quantile(p) <= 1
        assert parse(f"{low} to {high}", q.COUNT).quantile(p) > 0
        assert parse(f"-{high * 50}%/month to {high * 60}%/month", q.GROWTH).quantile(p) > -1


@given(st.sampled_from(KINDS), st.floats(1e-4, 0.99))
def test_what_is_shown_can_be_read_again(kind, value):
    scaled = value if kind is q.FRACTION else value * 1e4
    shown = kind.show(scaled, digits=9)
    assert parse(shown, kind).mid == pytest.approx(scaled, rel=1e-5)


def test_the_unit_may_stand_once_at_the_end():
    law = parse("40 to 60ms", q.SECONDS)
    assert (law.low, law.high) == pytest.approx((0.04, 0.06))
    assert parse("2 to 3%/month", q.GROWTH).low == pytest.approx(0.02)


def test_quantiles_take_arrays_and_rise():
    p = np.linspace(0.01, 0.99, 99)
    values = parse("40k to 60k around 45k", q.COUNT).quantile(p)
    assert np.all(np.diff(values) > 0)


def test_a_stored_quantity_is_still_the_same_object():
    assert pickle.loads(pickle.dumps(q.FRACTION)) is q.FRACTION
    assert pickle.loads(pickle.dumps(q.WHOLE_OR_NONE)) is q.WHOLE_OR_NONE


def test_units_are_what_tables_of_units_say():
    assert q.MONTH == 365.25 / 12 * 86400
    assert math.isclose(parse("1TiB", q.BYTES).mid, 1_099_511_627_776)  # IEC 80000-13
