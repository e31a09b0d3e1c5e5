"""The figures of the plan, for notebooks: each takes a study and returns a `go.Figure` whose title is its finding; none is shown here."""

from perfplan.shown.alerts import burn, coverage
from perfplan.shown.budgets import budget_kept, budget_left
from perfplan.shown.caching import hit_ratio
from perfplan.shown.costs import cost_bridge, cost_by_tier
from perfplan.shown.demand import growth, regions, sources, week
from perfplan.shown.failures import chart as failures
from perfplan.shown.headroom import latency_by_load, saturation
from perfplan.shown.latency import tail_figure as tail
from perfplan.shown.latency import waterfall
from perfplan.shown.loadtest import prediction, script
from perfplan.shown.loadtest import stages_figure as stages
from perfplan.shown.objectives import promise_by_month
from perfplan.shown.operating import system
from perfplan.shown.options import frontier, tornado
from perfplan.shown.overview import lead as demand
from perfplan.shown.resources import threads, utilization
from perfplan.shown.signals import dashboards
from perfplan.shown.staging import staging
from perfplan.shown.trust import accuracy_figure as accuracy
from perfplan.shown.trust import measured_figure as measured
from perfplan.shown.waiting import pool_wait

__all__ = [
    "accuracy",
    "budget_kept",
    "budget_left",
    "burn",
    "cost_bridge",
    "cost_by_tier",
    "coverage",
    "dashboards",
    "demand",
    "failures",
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
    "script",
    "sources",
    "stages",
    "staging",
    "system",
    "tail",
    "threads",
    "tornado",
    "utilization",
    "waterfall",
    "week",
]
