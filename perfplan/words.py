"""How numbers and names read in sentences: three digits, a unit, months by name, whole percents."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


NOTHING = 1e-5  # smaller numbers are not written out


def number(value: float, digits: int = 3) -> str:
    """Three significant digits with thousands separated.

    >>> number(2000), number(0.01234), number(1234567), number(float("inf")), number(3.6e-9)
    ('2,000', '0.0123', '1,230,000', 'without end', 'nearly 0')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "without end"
    if abs(value) < NOTHING:
        return "nearly 0" if value else "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):,.{max(places, 0)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def count(value: float) -> str:
    """A whole number in full.

    >>> count(1234)
    '1,234'
    """
    return f"{value:,.0f}".replace("-", MINUS)


def percent(p: float) -> str:
    r"""A probability in whole percents; under 1 and over 99 say so.

    >>> percent(0.953), percent(0.004), percent(0.999), percent(1.0), percent(0.0)
    ('95\xa0%', 'under 1\xa0%', 'over 99\xa0%', 'over 99\xa0%', 'under 1\xa0%')
    """
    if p < 0.01:
        return f"under 1{NBSP}%"
    return f"over 99{NBSP}%" if p > 0.99 else f"{p * 100:.0f}{NBSP}%"


def share(value: float, digits: int = 3) -> str:
    r"""A share that is no probability, with as many digits as it needs.

    >>> share(0.9991), share(0.5), share(1e-9)
    ('99.91\xa0%', '50\xa0%', 'under 0.001\xa0%')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "saturated"
    if value > 0.99:
        left = 1 - value
        places = 2 if left <= 0 else min(max(1 - math.floor(math.log10(left * 100)), 0), 6)
        text = f"{value * 100:.{places}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + f"{NBSP}%"
    if 0 < value < 1e-5:
        return f"under 0.001{NBSP}%"
    return f"{number(value * 100, digits)}{NBSP}%"


def duration(value_s: float, digits: int = 3) -> str:
    r"""A time in the unit that suits it; ms below one second.

    >>> duration(0.0123), duration(75), duration(7200), duration(86400 * 3), duration(float("inf"))
    ('12.3\xa0ms', '1.25\xa0min', '2\xa0h', '3\xa0days', 'without end')
    """
    if not math.isfinite(value_s):
        return "without end"
    size = abs(value_s)
    if 0 < size < 1e-6:
        return f"under 0.001{NBSP}ms"
    for limit, unit, factor in ((1, "ms", 1e-3), (60, "s", 1), (3600, "min", 60), (86400, "h", 3600)):
        if size < limit:
            return f"{number(value_s / factor, digits)}{NBSP}{unit}"
    days = number(value_s / 86400, digits)
    return f"{days}{NBSP}day{'' if days == '1' else 's'}"


def weeks(value_s: float) -> str:
    r"""A lead time as people say it.

    >>> weeks(86400 * 42), weeks(86400 * 3), weeks(3600)
    ('6 weeks', '3 days', 'under a day')
    """
    days = round(value_s / 86400)
    if days < 1:
        return "under a day"
    if days % 7 == 0:
        return f"{days // 7} week{'s' if days != 7 else ''}"
    return f"{days} day{'s' if days != 1 else ''}"


def money(value: float) -> str:
    """Money rounded to what matters.

    >>> money(14230), money(950.4), money(-3900), money(2_345_678), money(0)
    ('$14,200', '$950', '−$3,900', '$2.35M', '$0')
    """
    sign = MINUS if value < -0.5 else ""
    size = abs(value)
    if size >= 1e6:
        return f"{sign}${number(size / 1e6)}M"
    return f"{sign}${float(f'{size:.3g}'):,.0f}"


def short_money(value: float) -> str:
    """Money in thousands, for the three numbers.

    >>> short_money(14230), short_money(950)
    ('$14.2k', '$950')
    """
    size = abs(value)
    sign = MINUS if value < -0.5 else ""
    if size >= 1e6:
        return f"{sign}${size / 1e6:.2f}M"
    return f"{sign}${size / 1e3:.1f}k" if size >= 1e3 else f"{sign}${size:.0f}"


def change(value: float, write: object = None) -> str:
    """A difference with its sign.

    >>> change(3), change(-2.5), change(0)
    ('+3', '−2.5', '0')
    """
    text = number(abs(value)) if write is None else write(abs(value))  # type: ignore[operator]
    return text if value == 0 else f"{'+' if value > 0 else MINUS}{text}"


def size(value_bytes: float) -> str:
    r"""Bytes in the unit that suits them, in thousands.

    >>> size(1.5e12), size(640e9)
    ('1.5\xa0TB', '640\xa0GB')
    """
    for limit, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value_bytes) >= limit:
            return f"{number(value_bytes / limit)}{NBSP}{unit}"
    return f"{number(value_bytes)}{NBSP}B"


def rate(value_rps: float) -> str:
    r"""Requests per second; what no load that was tried reaches is said so.

    >>> rate(1995)
    '2,000\xa0rps'
    """
    if value_rps == float("inf"):
        return "more than was tried"
    return f"{number(value_rps)}{NBSP}rps"


def month_name(first: str, index: float, short: bool = False) -> str:
    """The month *index* months after *first* ("2026-11").

    >>> month_name("2026-11", 4), month_name("2026-11", 4, short=True), month_name("2026-11", float("inf"))
    ('March 2027', 'Mar ’27', 'later')
    """
    if not math.isfinite(index):
        return "later"
    when = (np.datetime64(first[:7], "M") + np.timedelta64(int(index), "M")).astype(datetime.date)
    return f"{when:%b ’%y}" if short else f"{when:%B %Y}"


def day_name(when: datetime.date, year: bool = True) -> str:
    """A day as people write it.

    >>> day_name(datetime.date(2027, 1, 2))
    '2 January 2027'
    """
    return f"{when.day} {when:%B %Y}" if year else f"{when.day} {when:%B}"


def listed(parts: list[str]) -> str:
    """Parts joined as in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def capital(text: object) -> str:
    """A text with its first letter large; the others stay as they are.

    >>> capital("postgres connections"), capital("p95 of iOS")
    ('Postgres connections', 'P95 of iOS')
    """
    said = str(text)
    return f"{said[:1].upper()}{said[1:]}"


def spelled(n: float) -> str:
    """A small whole number as a word.

    >>> spelled(8.0), spelled(12)
    ('eight', '12')
    """
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return small[int(n)] if n in range(len(small)) else number(n)


def plural(n: float, noun: str) -> str:
    r"""A counted noun; the noun is given in plural.

    >>> plural(1, "replicas"), plural(12, "instances")
    ('1\xa0replica', '12\xa0instances')
    """
    return f"{count(n)}{NBSP}{noun.removesuffix('s') if n == 1 else noun}"


def verb(noun: str, plural: str = "are", single: str = "is") -> str:
    """The verb of a noun that may be a plural.

    >>> verb("api instances"), verb("payment rate limit"), verb("network link", "run", "runs")
    ('are', 'is', 'runs')
    """
    return plural if noun.endswith("s") else single


def dotted(function: Any) -> str:
    """The full name of a function, class or property, as `import` and a reader find it.

    >>> dotted(dotted)
    'perfplan.words.dotted'
    """
    found = getattr(function, "fget", None) or getattr(function, "__wrapped__", function)
    return f"{found.__module__}.{found.__qualname__}"


def band(middle: str, low: str, high: str) -> str:
    r"""A value over its interval, on two lines of a table cell; intervals that end nowhere say so.

    >>> band("2,000 rps", "1,800", "2,200")
    '2,000 rps\n1,800 … 2,200'
    """
    return f"{middle}\n{low} … {high}".replace("without end", "saturated")
