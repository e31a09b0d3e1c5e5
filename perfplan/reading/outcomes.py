"""What came and how much of it was good: a CSV (or .xz, .gz) of time, good and total, a row a slice of time; lines of `#` are remarks.

Times are UTC, as in a traffic history. A row counts what came from its time to the next row's.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perfplan.quantity import DAY, FloatArray, Misread
from perfplan.reading.history import moments
from perfplan.reading.unpacked import stamp, unpacked

LARGEST, MOST_ROWS = 1_000_000_000, 10_600_000  # bytes, rows
COLUMNS = ("time", "good", "total")


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Good events of all, slice by slice, in the order of time."""

    file: str
    seconds: FloatArray  # since 1970, the start of each slice
    good: FloatArray
    total: FloatArray
    slice_s: float  # the usual step between rows

    @property
    def end_s(self) -> float:
        """The end of the last slice."""
        return float(self.seconds[-1]) + self.slice_s


def read_outcomes(path: Path, name: str) -> Outcomes:
    """The outcomes in *path*; raises `Misread` naming file, row, rule, value and way out. The same file is read once."""
    return _read(path, name, *stamp(path))


@functools.lru_cache(maxsize=32)
def _read(path: Path, name: str, _changed: int, _size: int) -> Outcomes:
    import pandas as pd  # heavy, and needed only where something was measured

    try:
        with unpacked(path, name, LARGEST) as stream:
            table = pd.read_csv(stream, comment="#", usecols=lambda c: c in COLUMNS, dtype=str, keep_default_na=False, nrows=MOST_ROWS + 1)
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, Misread):
            raise
        raise Misread(f"must be a CSV with the columns time, good and total; {name}: {error}") from None
    absent = [column for column in COLUMNS if column not in table]
    if absent or len(table) < 2 or len(table) > MOST_ROWS:
        what = f"lacks {', '.join(absent)}" if absent else f"has {'more' if len(table) > 2 else len(table)}"
        raise Misread(f"must be a CSV with the columns time, good and total and from 2 to {MOST_ROWS:,} rows; {name} {what}")
    times, good, total = moments(table["time"]), *(pd.to_numeric(table[column], errors="coerce") for column in COLUMNS[1:])
    bad = np.flatnonzero((times.isna() | ~np.isfinite(good) | ~np.isfinite(total) | (good < 0) | (total < 0)).to_numpy())
    if bad.size:
        row = table.iloc[bad[0]]
        raise Misread(
            f"row {bad[0] + 2} of {name} must be a time (UTC) and two counts of 0 or more; got "
            f"{', '.join(repr(row[column][:40]) for column in COLUMNS)} (times as 2026-11-24T18:00Z, or seconds or milliseconds since 1970)"
        )
    more = np.flatnonzero((good > total).to_numpy())
    if more.size:
        raise Misread(
            f"row {more[0] + 2} of {name} must have at most as many good as in total; got {table['good'].iloc[more[0]][:40]} of "
            f"{table['total'].iloc[more[0]][:40]} (are the columns swapped, or counters restarted?)"
        )
    if times.duplicated().any():
        raise Misread(f"times must stand once; {name} has {times[times.duplicated()].iloc[0]} twice (add up the rows of one time)")
    order = np.argsort(times.to_numpy())
    seconds = (times.to_numpy()[order].astype("datetime64[s]") - np.datetime64(0, "s")).astype(float)
    step = float(np.median(np.diff(seconds)))
    if step < 1:
        raise Misread(f"must have at most a row a second; {name} has one every {step:g} s or several in one (add them up)")
    if step > DAY:
        raise Misread(f"must have a row for each day at least; {name} has one every {step / DAY:.3g} days")
    return Outcomes(file=name, seconds=seconds, good=good.to_numpy(float)[order], total=total.to_numpy(float)[order], slice_s=step)
