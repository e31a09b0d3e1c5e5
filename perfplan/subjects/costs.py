"""What it costs."""

from __future__ import annotations

from perfplan.models import cost
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.subjects.kind import MONITORING, Found, Item
from perfplan.words import money


def _today(study: Study) -> Found | None:
    usd = median(study.worlds.cost_month_usd[:, 0])
    requests = median(study.worlds.month_requests[:, 0])
    per = f", {money(usd / requests * 1e6)} per million requests" if requests > 0 else ""
    if usd <= 0:
        return None  # nothing is priced
    return Found(text=f"{money(usd)} a month today{per}; no date stands beside the prices", verdict="at risk")


ITEMS = (Item("5.3.3.c", _today, MONITORING, cost.machines_month_usd),)
