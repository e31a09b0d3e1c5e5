"""A traffic history (CSV of time and requests, hourly, as it is or compressed: .gz, .xz) becomes peak, week profile and trend.

The peak is the one that was seen, the busiest hour of the last four weeks; its interval is the spread of weekly peaks round their trend
(`models/trend.py`). Weeks without requests are left out and named. Seasons longer than a month and changes of trend are not seen.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from perfplan.models.trend import Trend, trend
from perfplan.quantity import LOG, LOG1P, FloatArray, Law, Misread
from perfplan.reading.unpacked import stamp, unpacked

HOURS_PER_WEEK = 168
WEEKS_PER_MONTH = 365.25 / 12 / 7
FEWEST_WEEKS = 8
LAST_WEEKS = 4  # whose busiest hour is the peak
LARGEST, MOST_ROWS = 1_000_000_000, 10_600_000  # bytes, and rows, as a compressed file may hold many
FASTEST, UNSURE = 0.15, 0.50  # growth or decline a month, and the upper end, beyond which a history says too little of the months to come
MOMENTS = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # digits without anything between: year to minute, or to second


@dataclass(frozen=True, kw_only=True)
class History:
    """What a history file says: laws of peak and growth, the week's shape, and the series for figures."""

    file: str
    peak: Law  # requests per second in the busiest hour of the last four weeks
    peak_where: str  # and when that was
    growth: Law | None  # per month; None where it must be stated
    growth_where: str  # what it rests on, or why it must be stated
    week: FloatArray  # (168,) load of each hour of the week over that of the busiest hour
    times: FloatArray  # (weeks,) seconds since 1970 of each week's start
    weekly_peak_rps: FloatArray  # (weeks,)
    spikes: tuple[int, ...] = ()  # places of weeks far above the trend, such as sales


def read_history(path: Path, name: str) -> History:
    """Read the CSV at *path*; raises `Misread` naming row, rule and way out. The same file is read once."""
    return _read(path, name, *stamp(path))


@functools.lru_cache(maxsize=8)
def _read(path: Path, name: str, _changed: int, _size: int) -> History:
    seconds, requests = _columns(path, name)
    hours = _hourly(seconds, requests, name)
    weeks = hours.size // HOURS_PER_WEEK
    before = hours.size - weeks * HOURS_PER_WEEK
    table = hours[before:].reshape(weeks, HOURS_PER_WEEK) / 3600
    start = seconds[0] // 3600 * 3600 + (before + np.arange(weeks) * HOURS_PER_WEEK) * 3600.0
    kept = (np.isfinite(table).mean(axis=1) >= 0.5) & (np.nan_to_num(table).max(axis=1) > 0)
    if kept.sum() < FEWEST_WEEKS:
        raise Misread(
            f"must cover at least {FEWEST_WEEKS} whole weeks with requests; {name} covers {kept.sum()}{_left_out(start[~kept])} "
            "(state traffic.growth and peak instead)"
        )
    table, times = table[kept], start[kept]
    peaks = np.nanmax(table, axis=1)
    found = trend((times - times[0]) / (HOURS_PER_WEEK * 3600), peaks)
    first = (int(start[0]) // 3600 + 72) % HOURS_PER_WEEK  # 1970 began on a Thursday
    shape = np.nan_to_num(np.nanmean(table / peaks[:, None], axis=0))
    growth, growth_where = _growth(found, times, peaks, _left_out(start[~kept]))
    peak, peak_where = _peak(table, times, found.spread)
    return History(
        file=name,
        peak=peak,
        peak_where=peak_where,
        growth=growth,
        growth_where=growth_where,
        week=np.roll(shape / shape.max(), first),
        times=times,
        weekly_peak_rps=peaks,
        spikes=tuple(i for i in found.spikes if peaks[i] > np.median(peaks[max(i - LAST_WEEKS, 0) : i + LAST_WEEKS + 1])),
    )


def moments(texts: Any) -> Any:
    """Moments of a column of text: ISO 8601, seconds or milliseconds since 1970, or digits from the year to the minute or second."""
    import pandas as pd

    digits = texts.str.fullmatch(r"\d{9,14}(?:\.\d+)?")
    if not len(texts) or not digits.all():
        return pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601").dt.tz_localize(None)
    length = texts.str.partition(".")[0].str.len()
    if (length == 10).all() and texts.str.startswith("20").all():  # as seconds since 1970 that would be 2033 and later
        return pd.to_datetime(texts, errors="coerce", format="%Y%m%d%H")
    if length.nunique() > 1:
        return pd.Series(pd.NaT, index=texts.index)
    if int(length.iloc[0]) in MOMENTS:
        return pd.to_datetime(texts, errors="coerce", format=MOMENTS[int(length.iloc[0])])
    scale = {9: 1.0, 10: 1.0, 13: 1e-3}.get(int(length.iloc[0]))
    return pd.to_datetime(texts.astype(float) * scale, unit="s", errors="coerce") if scale else pd.Series(pd.NaT, index=texts.index)


def _twice(again: Any) -> str:
    """Which time stands twice, and whether it is the hour that a clock repeats in autumn."""
    autumn = ((again.dt.day_of_week == 6) & (again.dt.hour <= 3)).all()
    way = " (the hour that autumn repeats? write times in UTC, or with their offset, such as +02:00)" if autumn else ""
    return f"{again.iloc[0]} twice{way}"


def _columns(path: Path, name: str) -> tuple[FloatArray, FloatArray]:
    import pandas as pd  # heavy, and needed only where a history is given

    try:
        with unpacked(path, name, LARGEST) as stream:
            table = pd.read_csv(stream, usecols=["time", "requests"], dtype=str, keep_default_na=False, nrows=MOST_ROWS + 1)
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, Misread):
            raise
        raise Misread(f"must be a CSV with the columns time and requests; {name}: {error}") from None
    if len(table) > MOST_ROWS:
        raise Misread(f"must have at most {MOST_ROWS:,} rows, 20 years of minutes; {name} has more")
    times = moments(table["time"])
    numbers = pd.to_numeric(table["requests"], errors="coerce")
    bad = np.flatnonzero((times.isna() | numbers.isna() | (numbers < 0) | np.isinf(numbers)).to_numpy())
    if bad.size:
        row = table.iloc[bad[0]]
        raise Misread(
            f"row {bad[0] + 2} of {name} must be a time and a count of 0 or more; got {row['time'][:40]!r}, "
            f"{row['requests'][:40]!r} (times as 2026-11-24T18:00Z, as 202611241800, or in seconds or milliseconds since 1970, "
            "all alike)"
        )
    if times.empty or times.duplicated().any():
        raise Misread(f"times must be there and stand once; {name} has {'none' if times.empty else _twice(times[times.duplicated()])}")
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


def _day(seconds: float, unit: str = "D") -> str:
    return str(np.datetime64(int(seconds), "s").astype(f"datetime64[{unit}]")).replace("T", " ")


def _left_out(starts: FloatArray) -> str:
    """Weeks without requests, by name; "" where there are none."""
    if not starts.size:
        return ""
    return (
        f"; left out, as hardly any hour of them has requests: the week{'s' * (starts.size > 1)} from "
        f"{', '.join(_day(s) for s in starts[:3])}{' and more' * (starts.size > 3)}"
    )


def _peak(table: FloatArray, times: FloatArray, spread: float) -> tuple[Law, str]:
    """The busiest hour of the last weeks, as it was seen; the interval is the spread of weekly peaks round their trend."""
    last = table[-LAST_WEEKS:]
    week, hour = divmod(int(np.nanargmax(last)), HOURS_PER_WEEK)
    seen, wide = float(last[week, hour]), max(spread, 1e-3) * float(ndtri(0.95))
    when = _day(times[-last.shape[0] :][week] + hour * 3600.0, "m")
    return Law(
        low=seen * np.exp(-wide), mid=seen, high=seen * np.exp(wide), scale=LOG
    ), f"the busiest hour of its last {last.shape[0]} weeks, {when}"


def _growth(found: Trend, times: FloatArray, peaks: FloatArray, left_out: str) -> tuple[Law | None, str]:
    """The law of growth and what it rests on; None with the reason where it must be stated."""
    edges = max(found.high - found.slope, 1e-6), max(found.slope - found.low, 1e-6)
    low, mid, high = (float(np.expm1(WEEKS_PER_MONTH * s)) for s in (found.slope - edges[1], found.slope, found.slope + edges[0]))
    said = f"median slope of {times.size} weekly peaks{_odd(found, times, peaks)}{left_out}"
    if abs(mid) > FASTEST or high > UNSURE:
        return None, f"{mid:+.1%} a month, {low:+.1%} to {high:+.1%}{_odd(found, times, peaks)}"
    return Law(low=low, mid=mid, high=high, scale=LOG1P), said


def _odd(found: Trend, times: FloatArray, peaks: FloatArray) -> str:
    """Steps and spikes by name, as they do not belong to the trend."""
    said = [f"a step of {np.expm1(found.step_size):+.0%} in the week from {_day(times[found.step])}"] if found.step is not None else []
    said += [f"the peak of {peaks[i]:.4g} rps in the week from {_day(times[i])}" for i in found.spikes[:3]]
    return f"; aside from {', '.join(said)}{' and more' * (len(found.spikes) > 3)}" if said else ""
