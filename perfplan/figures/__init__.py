"""The figures of the plan: each takes a study and returns a `go.Figure` whose title is its finding; none is shown here."""

from perfplan.figures.architecture import hit_ratio, latency_by_load, saturation, tail, waterfall
from perfplan.figures.operation import budget_left, burn, frontier, tornado
from perfplan.figures.overview import cost_by_tier, demand, promise_by_month, utilization
from perfplan.figures.requirements import growth, regions, week
from perfplan.figures.settings import pool_wait, prediction, stages, threads
from perfplan.figures.trust import accuracy, measured

__all__ = [
    "accuracy",
    "budget_left",
    "burn",
    "cost_by_tier",
    "demand",
    "frontier",
    "growth",
    "hit_ratio",
    "latency_by_load",
    "measured",
    "pool_wait",
    "prediction",
    "promise_by_month",
    "regions",
    "saturation",
    "stages",
    "tail",
    "threads",
    "tornado",
    "utilization",
    "waterfall",
    "week",
]
