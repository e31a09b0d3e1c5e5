"""The tables of the plan, for notebooks: tidy numbers in base units, and how a reader sees them. Each takes a study and returns a
`Table`."""

from perfplan.shown.alerts import burn_rates, watch
from perfplan.shown.ambition import tiers_of_ambition
from perfplan.shown.assumptions import assumptions, items
from perfplan.shown.budgets import budget_eaters, budgets, budgets_measured
from perfplan.shown.caching import caches
from perfplan.shown.costs import costs
from perfplan.shown.decisions import decisions
from perfplan.shown.demand import demand, rates
from perfplan.shown.failures import cure_table as cures
from perfplan.shown.failures import table as failures
from perfplan.shown.headroom import breakpoints, headroom
from perfplan.shown.latency import bottlenecks, latencies, tail, what_ifs
from perfplan.shown.loadtest import predictions, stages
from perfplan.shown.objectives import availabilities, indicators, objectives
from perfplan.shown.operating import pages, scaling
from perfplan.shown.options import options, sensitivities, ways
from perfplan.shown.overview import changes
from perfplan.shown.resources import needed, orders, run_outs, stations
from perfplan.shown.signals import signals
from perfplan.shown.timeouts import timeouts
from perfplan.shown.tracing import traces
from perfplan.shown.trust import accuracy, measured, models, verified
from perfplan.shown.waiting import jobs, pools

OF_A_STUDY = (  # those that every plan has, in the order of its chapters
    orders,
    ways,
    run_outs,
    needed,
    costs,
    demand,
    rates,
    objectives,
    indicators,
    budgets,
    budget_eaters,
    headroom,
    tiers_of_ambition,
    latencies,
    tail,
    bottlenecks,
    breakpoints,
    what_ifs,
    failures,
    cures,
    availabilities,
    caches,
    pools,
    stations,
    jobs,
    timeouts,
    stages,
    predictions,
    burn_rates,
    watch,
    signals,
    traces,
    pages,
    scaling,
    options,
    decisions,
    sensitivities,
    assumptions,
    models,
    accuracy,
)
__all__ = [
    "OF_A_STUDY",
    "accuracy",
    "assumptions",
    "availabilities",
    "bottlenecks",
    "breakpoints",
    "budget_eaters",
    "budgets",
    "budgets_measured",
    "burn_rates",
    "caches",
    "changes",
    "costs",
    "cures",
    "decisions",
    "demand",
    "failures",
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
    "pages",
    "pools",
    "predictions",
    "rates",
    "run_outs",
    "scaling",
    "sensitivities",
    "signals",
    "stages",
    "stations",
    "tail",
    "tiers_of_ambition",
    "timeouts",
    "traces",
    "verified",
    "watch",
    "ways",
    "what_ifs",
]
