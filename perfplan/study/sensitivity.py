"""What moves the answer: every uncertain input, and how much the outcome differs where it is high and where it is low."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perfplan.plan import Plan
from perfplan.quantity import FloatArray
from perfplan.scenario.statement import Statement
from perfplan.study.worlds import broken_from, horizon


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How much an uncertain input moves an outcome: mean outcome where it is in its upper third less that in its lower third."""

    path: str
    months: float  # of the first broken promise
    cost_usd: float  # per month, in the last month asked for


def sensitivities(statement: Statement, made: Plan, seed: int = 7) -> list[Moved]:
    """Every uncertain input with what it moves, the strongest first."""
    worlds = made.rps.shape[0]
    if worlds < 30:
        return []
    broken = np.minimum(broken_from(made), made.rps.shape[1])
    cost = made.cost_month_usd[:, horizon(made.scenario, made.rps.shape[1])]
    found = []

    def moved(outcome: FloatArray, low: Any, high: Any) -> float:
        """Difference of the means; 0 where it is within two standard errors."""
        one, other = outcome[low], outcome[high]
        error = float(np.sqrt(one.var() / one.size + other.var() / other.size))
        difference = float(other.mean() - one.mean())
        return difference if abs(difference) > 2.5 * error else 0.0

    for entry in statement.uncertain():
        order = np.argsort(np.ravel(statement.draw(entry, worlds, seed)))
        low, high = order[: worlds // 3], order[-(worlds // 3) :]
        found.append(
            Moved(
                path=entry.path,
                months=moved(broken, low, high),
                cost_usd=moved(cost, low, high),
            )
        )
    return sorted(found, key=lambda m: (-abs(m.months), -abs(m.cost_usd)))
