"""Write outcomes.csv: 40 days of checkouts of an invented shop, hour by hour, those that were answered and all, from a fixed seed.

    python data/storefront/make_outcomes.py

A tenth of the requests of traffic.csv; one of 5,000 fails by itself, and two incidents: 25 minutes in which a third fails, and a
failover of the database of 40 seconds in which all do.
"""

import csv
from pathlib import Path

import numpy as np

SEED, HOURS, SHARE, USUAL = 20261124, 40 * 24, 0.10, 1 / 5000
INCIDENTS = {300: (1 / 3) * 25 / 60, 752: 40 / 3600}  # by hour: share of its requests that fails

rng = np.random.default_rng(SEED)
here = Path(__file__)
with here.with_name("traffic.csv").open() as lines:
    rows = list(csv.DictReader(lines))[-HOURS:]
text = ["# checkout requests at the load balancer: answered without an error of ours, and all", "time,good,total"]
for hour, row in enumerate(rows):
    total = round(SHARE * float(row["requests"]))
    bad = rng.binomial(total, min(USUAL + INCIDENTS.get(hour, 0.0), 1.0))
    text.append(f"{row['time']},{total - bad},{total}")
here.with_name("outcomes.csv").write_text("\n".join(text) + "\n")
