"""A traffic history (CSV of time and requests, hourly) becomes peak, week profile and trend.

The trend is a straight line through the logarithm of weekly peaks; its interval comes from the residuals' standard error,
widened for their autocorrelation. Valid for steady growth; seasons longer than a month and changes of trend are not seen.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from perfplan.quantity import LOG, LOG1P, FloatArray, Law, Misread

HOURS_PER_WEEK = 168
FEWEST_WEEKS = 8
LARGEST = 1_000_000_000  # bytes


@dataclass(frozen=True, kw_only=True)
class History:
    """What a history file says: laws of peak and growth, the week's shape, and the series for figures."""

    file: str
    peak: Law  # requests per second in the busiest hour of the last four weeks
    growth: Law  # per month
    week: FloatArray  # (168,) load of each hour of the week over that of the busiest hour
    times: FloatArray  # (weeks,) seconds since 1970 of each week's start
    weekly_peak_rps: FloatArray  # (weeks,)


def read_history(path: Path, name: str) -> History:
    """Read the CSV at *path*; raises `Misread` naming row, rule and way out. The same file is read once."""
    if not path.is_file():
        raise Misread(f"must be a file beside the scenario; there is no {name}")
    about = path.stat()
    return _read(path, name, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=8)
def _read(path: Path, name: str, _changed: int, _size: int) -> History:
    seconds, requests = _columns(path, name)
    hours = _hourly(seconds, requests, name)
    weeks = hours.size // HOURS_PER_WEEK
    if weeks < FEWEST_WEEKS:
        raise Misread(f"must cover at least {FEWEST_WEEKS} whole weeks; {name} covers {weeks} (state traffic.growth and peak instead)")
    table = hours[hours.size - weeks * HOURS_PER_WEEK :].reshape(weeks, HOURS_PER_WEEK) / 3600
    start = seconds[0] + (hours.size - weeks * HOURS_PER_WEEK) * 3600 + np.arange(weeks) * HOURS_PER_WEEK * 3600
    peaks = np.nanmax(table, axis=1)
    shape = np.nanmean(table / peaks[:, None], axis=0)
    first = (int(seconds[0]) // 3600 + hours.size - weeks * HOURS_PER_WEEK + 72) % HOURS_PER_WEEK  # 1970 began on a Thursday
    return History(
        file=name, peak=_peak(peaks), growth=_trend(peaks), week=np.roll(shape / shape.max(), first),
        times=start, weekly_peak_rps=peaks,
    )  # fmt: skip


def _columns(path: Path, name: str) -> tuple[FloatArray, FloatArray]:
    import pandas as pd  # heavy, and needed only where a history is given

    if path.stat().st_size > LARGEST:
        raise Misread(f"must be at most 1 GB; {name} is larger")
    try:
        table = pd.read_csv(path, usecols=["time", "requests"], dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise Misread(f"must be a CSV with the columns time and requests; {name}: {error}") from None
    times = pd.to_datetime(table["time"], utc=True, errors="coerce", format="ISO8601").dt.tz_localize(None)
    numbers = pd.to_numeric(table["requests"], errors="coerce")
    bad = np.flatnonzero((times.isna() | numbers.isna() | (numbers < 0) | np.isinf(numbers)).to_numpy())
    if bad.size:
        row = table.iloc[bad[0]]
        raise Misread(
            f"row {bad[0] + 2} of {name} must be a time and a count of 0 or more; got {row['time'][:40]!r}, {row['requests'][:40]!r}"
        )
    if times.empty or times.duplicated().any():
        raise Misread(
            f"times must be there and stand once; {name} has {'none' if times.empty else str(times[times.duplicated()].iloc[0]) + ' twice'}"
        )
    order = np.argsort(times.to_numpy())
    seconds = (times.to_numpy()[order].astype("datetime64[s]") - np.datetime64(0, "s")).astype(float)
    return seconds, numbers.to_numpy(dtype=float)[order]


def _hourly(seconds: FloatArray, requests: FloatArray, name: str) -> FloatArray:
    """One number an hour; hours without a row are unknown, not zero."""
    slot = ((seconds - seconds[0]) // 3600).astype(int)
    if slot[-1] > 24 * 366 * 20:
        raise Misread(f"must cover at most 20 years; {name} runs from {seconds[0]:.0f} to {seconds[-1]:.0f} seconds since 1970")
    hours = np.full(slot[-1] + 1, np.nan)
    np.add.at(known := np.zeros_like(hours), slot, requests)
    hours[slot] = known[slot]
    if np.isnan(hours).mean() > 0.2 or not np.nansum(hours) > 0:
        raise Misread(f"must have a row for nearly every hour, and some requests; {name} lacks {np.isnan(hours).mean():.0%} of its hours")
    return hours


def _peak(peaks: FloatArray) -> Law:
    """The busiest hour of the last four weeks; the interval is the spread of weekly peaks round their trend."""
    weeks = np.arange(peaks.size)
    slope, base = np.polyfit(weeks, np.log(peaks), 1)
    spread = float(np.std(np.log(peaks) - base - slope * weeks, ddof=2))
    mid = float(np.exp(base + slope * (peaks.size - 1)))
    wide = max(spread, 1e-3) * float(ndtri(0.95))
    return Law(low=mid * np.exp(-wide), mid=mid, high=mid * np.exp(wide), scale=LOG)


def _trend(peaks: FloatArray) -> Law:
    weeks = np.arange(peaks.size)
    (slope, base), covariance = np.polyfit(weeks, np.log(peaks), 1, cov=True)
    rest = np.log(peaks) - base - slope * weeks
    echo = float(np.clip(np.corrcoef(rest[1:], rest[:-1])[0, 1], 0, 0.95))
    error = float(np.sqrt(covariance[0, 0] * (1 + echo) / (1 - echo)))
    weeks_per_month = 365.25 / 12 / 7
    low, mid, high = (float(np.expm1(weeks_per_month * (slope + z * max(error, 1e-6)))) for z in ndtri([0.05, 0.5, 0.95]))
    return Law(low=low, mid=mid, high=high, scale=LOG1P)
