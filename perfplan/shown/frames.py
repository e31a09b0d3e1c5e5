"""What the tables share: frames, bands over worlds, months as words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from perfplan.quantity import FloatArray, quantiles
from perfplan.record import declared
from perfplan.shown.blocks import Column
from perfplan.study import Study
from perfplan.study.worlds import ASKED
from perfplan.words import change, duration, money, month_name, rate, share

HORIZONS = (0, *ASKED)
Rows = list[dict[str, Any]]


def frame_of(rows: Rows, columns: Sequence[Column] = ()) -> pd.DataFrame:
    """Rows as a frame; without any, one that says "none" in the first of *columns*."""
    first = [column.key for column in columns[:1]]
    none = dict.fromkeys(first, "none") | {column.key: math.nan if column.numeric else "" for column in columns[1:]}
    return pd.DataFrame(rows or [none])


def band_of(values: FloatArray, month: int) -> tuple[float, float, float]:
    """P5, P50 and P95 over worlds in *month*."""
    low, middle, high = quantiles(values[:, month], (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def first_of(value: object, shape: tuple[int, ...], month: int = 0) -> float:
    """A value of one world in *month*; *shape*: (1, months)."""
    return float(np.broadcast_to(np.asarray(value, dtype=float), shape)[0, month])


def of_field(record: type, name: str, write: Callable[[Any], str], *, bar: bool = False) -> Column:
    """The column of a field that the scenario states, headed as declared."""
    return Column(name, declared(record)[name].label, write, bar=bar)


# ---- how values are written ----


@dataclass(frozen=True)
class Month:
    """Writes a month, counted from that of the plan, as its name."""

    as_of: str

    def __call__(self, month: Any) -> str:
        return month_name(self.as_of, float(month), short=True)


@dataclass(frozen=True)
class Below:
    """Whether a value does not reach a bound."""

    bound: float

    def __call__(self, value: Any) -> bool:
        return bool(value < self.bound)


@dataclass(frozen=True)
class Above:
    """Whether a value passes a bound."""

    bound: float

    def __call__(self, value: Any) -> bool:
        return bool(value > self.bound)


def number_text(value: object) -> str:
    """A number that is text already, such as a band: stands at the right."""
    return str(value)


def month_of(study: Study) -> Month:
    """Writes months of a study."""
    return Month(str(study.scenario.as_of))


def share_or_saturated(value: float) -> str:
    """A share, or that it has no end."""
    return share(value) if math.isfinite(value) else "saturated"


def more_money(value: float) -> str:
    """Dollars with their sign."""
    return change(value, money)


def more_dollars(value: float) -> str:
    """Whole dollars with their sign."""
    return change(round(value), money)


def more_dollars_if_any(value: float) -> str:
    """The same; a dash where there is no price."""
    return "–" if np.isnan(value) else more_dollars(value)


def more_months(value: float) -> str:
    """Months with their sign, to a tenth."""
    return change(round(value, 1))


def duration_or_none(value: float) -> str:
    """A time, or a dash where there is none."""
    return "–" if math.isnan(value) else duration(value)


def rate_or_any(value: float) -> str:
    """A load that is the highest: none, or beyond all that were tried."""
    return "any that was tried" if not math.isfinite(value) else "none" if value == 0 else rate(value)
