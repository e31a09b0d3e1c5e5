"""Measurements that a scenario refers to: service times, and points of a load test. CSV, or CSV.xz; lines of `#` say where from.

Service times have the column `seconds`: times of single requests at an idle server. Points have `rps` (of the journey), `percentile`
(such as 95), `seconds`, and may have `half_width` (of a 95 % interval, seconds).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perfplan.models.stations.service import Shape
from perfplan.quantity import FloatArray, Misread
from perfplan.reading.nodes import unseen
from perfplan.reading.unpacked import stamp, unpacked

LARGEST, MOST_ROWS, LONGEST_LINE = 200_000_000, 10_000_000, 10_000  # bytes, rows, bytes of a remark
ABOUT_LINES = 40  # of provenance that are kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Measured service times as a law."""

    file: str
    about: tuple[str, ...]  # what the file says of itself
    shape: Shape
    count: int
    mean_s: float
    error_s: float  # standard error of the mean

    @property
    def text(self) -> str:
        """The mean as it would be stated: its 90 % interval."""
        low, high = self.mean_s - 1.645 * self.error_s, self.mean_s + 1.645 * self.error_s
        return f"{low * 1e3:.6g}ms to {high * 1e3:.6g}ms" if 0 < low < high * (1 - 1e-9) else f"{self.mean_s * 1e3:.6g}ms"


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Measured percentiles at loads."""

    file: str
    about: tuple[str, ...]
    rps: FloatArray
    percentile: FloatArray  # 0..1
    seconds: FloatArray
    half_width_s: FloatArray  # nan where it is not known


def read_samples(path: Path, name: str) -> Samples:
    """The service times in *path*; raises `Misread` naming file, row, rule and way out. The same file is read once."""
    return _samples(path, name, *stamp(path))


def read_points(path: Path, name: str) -> Points:
    """The points in *path*; raises `Misread` naming file, row, rule and way out. The same file is read once."""
    return _points(path, name, *stamp(path))


@functools.lru_cache(maxsize=32)
def _samples(path: Path, name: str, _changed: int, _size: int) -> Samples:
    about, columns = _columns(path, name, ("seconds",), ())
    seconds = columns["seconds"]
    try:
        shape = Shape.of_samples(seconds)
    except ValueError as error:
        raise Misread(f"{name}: {error}") from None
    error_s = float(seconds.std(ddof=1) / np.sqrt(seconds.size)) if seconds.size > 1 else 0.0
    return Samples(file=name, about=about, shape=shape, count=seconds.size, mean_s=float(seconds.mean()), error_s=error_s)


@functools.lru_cache(maxsize=32)
def _points(path: Path, name: str, _changed: int, _size: int) -> Points:
    about, columns = _columns(path, name, ("rps", "percentile", "seconds"), ("half_width",))
    bad = np.flatnonzero((columns["percentile"] <= 0) | (columns["percentile"] >= 100) | (columns["rps"] <= 0))
    if bad.size:
        raise Misread(
            f"point {bad[0] + 1} of {name} must have a percentile above 0 and below 100 and a rate above 0; got "
            f"{columns['percentile'][bad[0]]:g}, {columns['rps'][bad[0]]:g}"
        )
    half = columns.get("half_width", np.full(columns["rps"].size, np.nan))
    return Points(
        file=name, about=about, rps=columns["rps"], percentile=columns["percentile"] / 100, seconds=columns["seconds"], half_width_s=half
    )


def _columns(path: Path, name: str, needed: tuple[str, ...], more: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, FloatArray]]:
    import pandas as pd  # heavy, and needed only where something was measured

    try:
        with unpacked(path, name, LARGEST) as stream:
            lines = [stream.readline(LONGEST_LINE).decode("utf-8").rstrip("\n") for _ in range(ABOUT_LINES)]
        with unpacked(path, name, LARGEST) as stream:
            table = pd.read_csv(
                stream, comment="#", usecols=lambda c: c in needed + more, dtype=str, keep_default_na=False, nrows=MOST_ROWS + 1
            )
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, Misread):
            raise
        raise Misread(f"must be a CSV with the column{'s' * (len(needed) > 1)} {', '.join(needed)}; {name}: {error}") from None
    if len(table) > MOST_ROWS:
        raise Misread(f"must have at most {MOST_ROWS:,} rows; {name} has more")
    absent = [c for c in needed if c not in table]
    if absent or table.empty:
        what = f"lacks {', '.join(absent)}" if absent else "has no rows"
        raise Misread(f"must be a CSV with the column{'s' * (len(needed) > 1)} {', '.join(needed)}; {name} {what}")
    found = {}
    for column in table.columns:
        numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        bad = np.flatnonzero(~np.isfinite(numbers) | (numbers < 0))
        if bad.size and not (column in more and (table[column].iloc[bad] == "").all()):
            raise Misread(
                f"row {bad[0] + 1} of {name} must have a number of 0 or more under {column}; got {table[column].iloc[bad[0]][:40]!r}"
            )
        found[str(column)] = numbers
    about = tuple(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    hidden = next((unseen(line) for line in about if unseen(line)), "")
    if hidden:
        raise Misread(f"what {name} says of itself must be made of characters that are seen; got {hidden}")
    return about, found
