"""Write traffic.csv: 18 months of hourly requests of an invented shop, from a fixed seed.

    python data/storefront/make_traffic.py

A week profile (evening peak, busy Sundays) x growth of 2.4 % a month x slow noise of a few weeks x hourly noise; two sales.
The busiest hours of the last weeks are near 2,000 requests per second.
"""

from pathlib import Path

import numpy as np

SEED, WEEKS, GROWTH_PER_MONTH, PEAK_RPS = 20261124, 78, 0.024, 1_960.0

rng = np.random.default_rng(SEED)
times = np.datetime64("2025-05-26T00", "h") + np.arange(WEEKS * 168).astype("timedelta64[h]")
hour, day = np.arange(times.size) % 24, np.arange(times.size) // 24 % 7
of_day = 0.50 + 0.42 * np.cos((hour - 20) * 2 * np.pi / 24) - 0.09 * np.cos((hour - 13) * 4 * np.pi / 24)
of_week = np.array([0.90, 0.88, 0.88, 0.90, 0.93, 0.95, 1.00])[day]
trend = (1 + GROWTH_PER_MONTH) ** ((np.arange(times.size) - times.size) / (24 * 365.25 / 12))
slow = np.repeat(np.cumsum(rng.normal(0, 0.012, WEEKS)) * 0.8 ** np.arange(WEEKS)[::-1].clip(0, 8), 168)
sale = np.ones(times.size)
for start, factor in (("2025-11-28", 1.35), ("2026-04-17", 1.12)):
    inside = (times >= np.datetime64(start)) & (times < np.datetime64(start) + np.timedelta64(3, "D"))
    sale[inside] = factor
shape = of_day * of_week / (of_day.max() * of_week.max())
requests = np.round(3600 * PEAK_RPS * shape * trend * sale * np.exp(slow * 0.4 + rng.normal(0, 0.02, times.size)))
lines = [f"{time}:00Z,{count:.0f}" for time, count in zip(times, requests, strict=True)]
Path(__file__).with_name("traffic.csv").write_text("time,requests\n" + "\n".join(lines) + "\n")
