"""Whether the outputs of a cell say the same as those that were kept, on another machine too.

Another processor adds in another order, and every number differs in its last digits. So numbers in figures and hidden values are the same
within TOLERANCE, shown ones within one unit of their last digit; words, verdicts, dates and counts below a hundred must be equal.
As a plugin of pytest (`pytest --nbval -p perfplan.workbook.alike plans/shop/notebooks`) this is how nbval compares.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-3  # relative, of numbers that nobody reads
TINY = 1e-6  # of the largest number in a row: below it a number is nothing; in a text, as it is
SKIPPED = {"metadata", "traceback", "output_type", "name", "execution_count"}  # of an output: it says where, not what
VIEW = "application/vnd.jupyter.widget-view+json"  # named by chance
PNG = "image/png"  # a static picture of what is compared as numbers
# a date, a year, or a number with what belongs to it; not the digits within a name
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
NUMBER = re.compile(
    rf"(?<![\w.#&])(?<!\w-)(?:(?P<date>\d{{4}}-\d\d(?:-\d\d)?|(?:\d\d?\s)?{MONTH}\s(?:\d{{4}}|\d\d)|(?:19|20)\d\d(?![\d.,]))"
    r"|(?P<number>\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?))"
)
TAG = re.compile(r"(<[^>]*>)")
AROUND = 30  # characters of a text that are shown around a difference


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that is not what it was: by how much, over the larger one (inf: not a number), and whether it may be."""

    size: float
    kept: str
    found: str
    allowed: bool


def differences(kept: Any, found: Any, *, tiny: float = TINY) -> list[Difference]:
    """What differs between two outputs, or parts of them; the largest first. *tiny*, of the largest number in a row, is nothing."""
    return sorted(_walk(kept, found, 0.0, tiny), key=lambda d: (d.allowed, -d.size))


def _walk(kept: Any, found: Any, scale: float, tiny: float) -> Iterator[Difference]:
    if isinstance(kept, Mapping) and isinstance(found, Mapping):
        if "bdata" in kept and "bdata" in found:
            yield from _walk(_unpacked(kept), _unpacked(found), 0.0, tiny)
            return
        skipped = {VIEW, PNG, *(SKIPPED if "output_type" in kept else ())}
        if kept.keys() - skipped != found.keys() - skipped:
            yield _other(", ".join(map(str, kept)), ", ".join(map(str, found)))
        else:
            for key in kept.keys() - skipped:
                if key in ("text/html", "text/plain"):
                    yield from _texts("".join(kept[key]), "".join(found[key]), hidden=key == "text/plain")
                else:
                    yield from _walk(kept[key], found[key], 0.0, tiny)
    elif isinstance(kept, list | tuple) and isinstance(found, list | tuple):
        if len(kept) != len(found):
            yield _other(f"{len(kept)} values", f"{len(found)} values")
            return
        scale = max((abs(v) for v in kept if _number(v) and math.isfinite(v)), default=0.0)
        for one, other in zip(kept, found, strict=True):
            yield from _walk(one, other, scale, tiny)
    elif _number(kept) and _number(found):
        if kept != found and not (math.isnan(kept) and math.isnan(found)):
            size = 0.0 if abs(kept - found) <= tiny * scale else _size(kept, found)
            yield Difference(size=size, kept=f"{kept:.6g}", found=f"{found:.6g}", allowed=size <= TOLERANCE)
    elif isinstance(kept, str) and isinstance(found, str):
        yield from _texts(kept, found, hidden=False)
    elif kept != found:
        yield _other(str(kept), str(found))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(kept: float, found: float) -> float:
    most = max(abs(kept), abs(found))
    return abs(kept - found) / most if math.isfinite(most) and most > 0 else math.inf


def _other(kept: str, found: str) -> Difference:
    return Difference(size=math.inf, kept=kept[: 2 * AROUND], found=found[: 2 * AROUND], allowed=False)


def _unpacked(packed: Mapping[str, Any]) -> list[float]:
    """The numbers of one of plotly's packed arrays."""
    return [float(v) for v in np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])]


def _texts(kept: str, found: str, *, hidden: bool) -> Iterator[Difference]:
    """Differences of two texts with numbers in them; *hidden*: nobody reads the digits, as those within an HTML tag."""
    if kept == found:
        return
    if hidden:  # columns of a frame are as wide as their longest number
        kept, found = (re.sub(r"\s+", " ", text) for text in (kept, found))
    pieces = [list(_pieces(text, hidden)) for text in (kept, found)]
    after = [piece[0] for piece in pieces[0][1:]] + [""]
    for (one, other), next_ in zip(itertools.zip_longest(*pieces), itertools.chain(after, itertools.repeat("")), strict=False):
        if one == other:
            continue
        if one is None or other is None or not (one[1] and other[1] and one[2] == other[2]):
            yield _other(*_around(kept, found))
            return
        yield _numbers(one[0], other[0], hidden=one[2], share=next_.lstrip().startswith("%"))


def _pieces(text: str, hidden: bool) -> Iterator[tuple[str, bool, bool]]:
    """The text cut into (piece, whether it is a number, whether it is hidden); dates are words."""
    for part in TAG.split(text):
        inside, start = hidden or part.startswith("<"), 0
        for match in NUMBER.finditer(part):
            if match["number"]:
                yield part[start : match.start()], False, inside
                yield match["number"], True, inside
                start = match.end()
        yield part[start:], False, inside


def _numbers(kept: str, found: str, *, hidden: bool, share: bool) -> Difference:
    """Two numbers of a text; *share*: in percent. Whole numbers below 100 are counts, and must be equal."""
    one, other = (float(text.replace(",", "")) for text in (kept, found))
    size = 0.0 if one == other or (hidden and abs(one - other) <= TINY) else _size(one, other)
    last = min(_last_digit(kept), _last_digit(found))
    counted = all(re.fullmatch(r"\d{1,2}", text) for text in (kept, found)) and not share  # of things, which are bought or promised
    allowed = size <= TOLERANCE if hidden else abs(one - other) <= 1.0001 * last and not counted
    return Difference(size=size, kept=kept, found=found, allowed=allowed)


def _last_digit(text: str) -> float:
    """One unit of the last digit that is shown; zeros behind the third digit of a whole number are rounding.

    >>> [_last_digit(text) for text in ("0.25", "1,990", "60,000", "143,174", "12")]
    [0.01, 10.0, 100.0, 1.0, 1.0]
    """
    mantissa, _, power = text.replace(",", "").partition("e")
    whole, _, decimals = mantissa.partition(".")
    zeros = 0 if decimals else min(len(whole) - len(whole.rstrip("0")), max(len(whole) - 3, 0))
    return float(10.0 ** (int(power or 0) - len(decimals) + zeros))


def _around(kept: str, found: str) -> tuple[str, str]:
    """Both texts around the first character in which they differ."""
    at = next((i for i, (a, b) in enumerate(zip(kept, found, strict=False)) if a != b), min(len(kept), len(found)))
    start = max(at - AROUND, 0)
    return kept[start : at + AROUND], found[start : at + AROUND]


# ---- as a plugin ----


def pytest_configure(config: Any) -> None:
    """Let nbval's cells compare as this module does."""
    from nbval.plugin import IPyNbCell  # type: ignore[import-untyped]

    IPyNbCell.compare_outputs = _compare


def _compare(cell: Any, test: Sequence[Any], ref: Sequence[Any], skip_compare: Any = None) -> bool:
    from nbval.plugin import transform_streams_for_comparison

    kept, found = ([dict(o) for o in transform_streams_for_comparison(outputs)] for outputs in (ref, test))
    cell.comparison_traceback = [f"{row.found}, kept {row.kept}\n" for row in differences(kept, found) if not row.allowed]
    return not cell.comparison_traceback
