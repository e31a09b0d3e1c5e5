"""What the tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from perfplan.blocks import Column
from perfplan.quantity import FloatArray
from perfplan.record import declared
from perfplan.study import Study
from perfplan.study.worlds import ASKED
from perfplan.words import (
    month_name,
)

HORIZONS = (0, *ASKED)
LEADING, RECOMMENDED = 2.0, 3.0  # headroom multipliers of the checklist


def named_month(study: Study, index: float, short: bool = True) -> str:
    """The name of the month *index* months after the day of the plan."""
    return month_name(str(study.scenario.as_of), index, short=short)


def band_of(values: FloatArray, month: int) -> tuple[float, float, float]:
    """P5, P50 and P95 over worlds in *month*."""
    low, middle, high = np.quantile(values[:, month], (0.05, 0.5, 0.95), method="higher")
    return float(low), float(middle), float(high)


def number_text(value: object) -> str:
    """A number that is text already, such as a band: stands at the right."""
    return str(value)


def of_field(record: type, name: str, write: Callable[[Any], str], *, key: str = "", bar: bool = False) -> Column:
    """The column of a field that the scenario states, headed as declared."""
    return Column(key=key or name, header=declared(record)[name].label, write=write, bar=bar)


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame."""
    return pd.DataFrame(rows)


def month_writer(study: Study) -> Callable[[Any], str]:
    """Writes a month index as the name of a month."""
    return lambda index: named_month(study, float(index))
