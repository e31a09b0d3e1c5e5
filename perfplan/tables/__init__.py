"""The tables of the plan: tidy numbers in base units, and how a reader sees them. Each takes a study and returns a `Table`."""

from perfplan.tables.architecture import (
    availabilities,
    bottlenecks,
    breakpoints,
    caches,
    jobs,
    latencies,
    pools,
    stations,
    tail,
    timeouts,
    what_ifs,
)
from perfplan.tables.assurance import assumptions, items
from perfplan.tables.operation import burn_rates, options, predictions, sensitivities, stages, watch
from perfplan.tables.overview import changes, costs, needed, orders, run_outs
from perfplan.tables.requirements import budgets, demand, headroom, indicators, objectives, rates, tiers_of_ambition
from perfplan.tables.trust import accuracy, measured, models, verified

__all__ = [
    "accuracy",
    "assumptions",
    "availabilities",
    "bottlenecks",
    "breakpoints",
    "budgets",
    "burn_rates",
    "caches",
    "changes",
    "costs",
    "demand",
    "headroom",
    "indicators",
    "items",
    "jobs",
    "latencies",
    "measured",
    "models",
    "needed",
    "objectives",
    "options",
    "orders",
    "pools",
    "predictions",
    "rates",
    "run_outs",
    "sensitivities",
    "stages",
    "stations",
    "tail",
    "tiers_of_ambition",
    "timeouts",
    "verified",
    "watch",
    "what_ifs",
]
