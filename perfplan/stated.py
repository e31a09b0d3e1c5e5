"""Numbers as people state them: "12ms", "2GiB", "99.9%", "40k to 60k" are understood here and nowhere else."""

from __future__ import annotations

import math
import re

from perfplan.quantity import BYTES, BYTES_UNITS, FRACTION, GROWTH, LOG, LOGIT, PERCENTILE, SECONDS, Law, Misread, Quantity, certain

_NUMBER = r"[+-]?(?:\d{1,3}(?:[,_]\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"


_ONE = re.compile(rf"(?P<sign>-?)\s*(?P<dollar>\$?)\s*(?P<number>{_NUMBER})\s*(?P<unit>[^\d\s.,+-].*)?", re.IGNORECASE)


_RANGE = re.compile(
    r"(?P<low>.+?)\s+to\s+(?P<high>.+?)(?:\s*\((?P<cover>[^()]*)\))?(?:\s+around\s+(?P<mid>.+?))?(?:\s*\((?P<cover2>[^()]*)\))?"
)


_THOUSANDS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


_LONGEST = 200  # characters; no quantity needs more, and patterns stay fast


def parse(text: str, quantity: Quantity) -> Law:
    """Read a stated number: "50k", "12ms", "40k to 60k", "40k to 60k (80%)", "40k to 60k around 50k".

    An interval is the middle 90 % unless a share in brackets says otherwise. Raises `Misread` with rule, value and
    way out.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise Misread(f"must be {a(quantity.name)} such as {quantity.example}; got a text of {len(text)} characters")
    match = _RANGE.fullmatch(text)
    if not match:
        return certain(_one(text, quantity))
    return _interval(match, text, quantity)


def _interval(match: re.Match[str], text: str, quantity: Quantity) -> Law:
    low_text, high_text, mid_text = match["low"], match["high"], match["mid"]
    unit = (_ONE.fullmatch(high_text) or {"unit": ""})["unit"]
    if unit and (one := _ONE.fullmatch(low_text)) and (not one["unit"] or one["unit"] in _THOUSANDS) and unit not in _THOUSANDS:
        low_text += unit  # "40 to 60ms": the unit stands once, at the end
    if unit and mid_text and (one := _ONE.fullmatch(mid_text)) and not one["unit"] and unit not in _THOUSANDS:
        mid_text += unit
    low, high = _one(low_text, quantity), _one(high_text, quantity)
    cover = match["cover"] or match["cover2"]
    coverage = _one(cover, FRACTION) if cover else 0.9
    if not 0.01 <= coverage <= 0.999:
        raise Misread(f"must cover a share within 1% to 99.9%; got ({cover})")
    if low >= high:
        way = f"write {match['high']} to {match['low']}" if low > high else f"a certain number is just {match['low']}"
        raise Misread(f"must run from low to high; got {text} ({way})")
    _inside(low, high, text, quantity)
    if quantity.whole:
        raise Misread(f"must be one certain whole number, since it is bought; got {text} (write {match['high']})")
    to, back = quantity.scale.to, quantity.scale.back
    mid = _one(mid_text, quantity) if mid_text else float(back((to(low) + to(high)) / 2))
    if not low < mid < high:
        raise Misread(f"must have its middle inside the interval; got {text}")
    return Law(low=low, mid=mid, high=high, coverage=coverage, scale=quantity.scale)


def _inside(low: float, high: float, text: str, quantity: Quantity) -> None:
    """An interval may not touch a border that its scale cannot reach."""
    if quantity.scale is LOG and low <= 0:
        raise Misread(f"must start above 0 as an interval; got {text} (start it at a small number)")
    if quantity.scale is LOGIT and (low <= 0 or high >= 1):
        raise Misread(f"must lie between 0% and 100%, both excluded, as an interval; got {text} (such as 99% to 99.99%)")


def _one(text: str, quantity: Quantity) -> float:
    text = text.strip()
    if quantity is PERCENTILE and re.fullmatch(r"[pP]\d\d(\.\d+)?", text):
        text = text[1:] + "%"
    dash = re.fullmatch(r"([^-–…]*[\w%])\s*[-–…]\s*(\$?\d.*)", text)
    if dash and not re.search(r"\de-\d", text):
        raise Misread(f"must be one number, or an interval with `to`; got {text} (write {dash[1]} to {dash[2]})")
    match = _ONE.fullmatch(text)
    if not match:
        raise Misread(f"must be {a(quantity.name)} such as {quantity.example}; got {text!r}" + _no_number(text))
    number = float(re.sub("[,_]", "", match["number"])) * (-1 if match["sign"] else 1)
    unit = (match["unit"] or "").strip()
    if unit[:1] in _THOUSANDS and (match["dollar"] or unit[1:] == "" or unit[1:].strip() in quantity.units) and unit not in quantity.units:
        number, unit = number * _THOUSANDS[unit[0]], unit[1:].strip()
    factor = _factor(unit, bool(match["dollar"]), text, number, quantity)
    value = number * factor if factor >= 1 else number / (1 / factor)  # 99.9 / 100 is 0.999, 99.9 * 0.01 is not
    if quantity is GROWTH and unit.endswith("/year"):
        value = math.expm1(math.log1p(max(value, -0.999999)) / 12)
    _check(value, text, number, unit, quantity)
    return value


def a(noun: str) -> str:
    """A noun with its article.

    >>> a("rate"), a("amount of money")
    ('a rate', 'an amount of money')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _no_number(text: str) -> str:
    if text.lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        return " (not a number that can be planned with)"
    return ""


def _factor(unit: str, dollar: bool, text: str, number: float, quantity: Quantity) -> float:
    key = ("$" + unit.replace(" ", "")) if dollar else unit
    if key in quantity.units:
        return quantity.units[key]
    if not key and quantity.bare:
        return 1.0
    raise Misread(f"must be {a(quantity.name)} such as {quantity.example}; got {text}" + _way_out(key, text, number, quantity))


def _way_out(unit: str, text: str, number: float, quantity: Quantity) -> str:
    """The likeliest thing that was meant."""
    known = list(quantity.units)
    if quantity is SECONDS and not unit:
        return f" ({text}ms or {text}s?)"
    if quantity is BYTES and unit.lower().replace("i", "") in {k.lower() for k in BYTES_UNITS}:
        near = [k for k in BYTES_UNITS if k.lower().replace("i", "") == unit.lower().replace("i", "")]
        return f" ({' or '.join(f'{number:g}{k}' for k in near)}? kB, MB, GB count in 1000s, KiB, MiB, GiB in 1024s)"
    if quantity is BYTES and unit.rstrip("s").endswith(("b", "bit")):
        return " (bits? write bytes: 8 bits are 1B)"
    if quantity is BYTES and not unit:
        return f" ({text}kB, {text}MB or {text}GiB?)"
    if not unit and known:
        return f" (a unit is missing: {', '.join(known[:6])})"
    near = [k for k in known if k.lower() == unit.lower()]
    if near:
        return f" ({number:g}{near[0]}?)"
    return f" (its units: {', '.join(known[:10])})" if known else f" (a pure number: {number:g}?)"


def _check(value: float, text: str, number: float, unit: str, quantity: Quantity) -> None:
    if not math.isfinite(value) or abs(value) > 1e30:
        raise Misread(f"must be a number of believable size; got {text}")
    if value > quantity.most or 0 < value < quantity.least:
        bound = f"at most {quantity.show(quantity.most)}" if value > quantity.most else f"at least {quantity.show(quantity.least)}"
        raise Misread(f"must be a number of believable size, {bound}; got {text}")
    low_ok = value > quantity.low if quantity.open_low else value >= quantity.low
    if not (low_ok and value <= quantity.high):
        hint = ""
        if quantity.high == 1.0 and not unit and 1 < number <= 100:
            hint = f" (a percentage? write {text}% or {number / 100:g})"
        raise Misread(f"must be {quantity.domain}; got {text}{hint}")
    if quantity.whole and value != round(value):
        raise Misread(f"must be {quantity.domain}; got {text}")
