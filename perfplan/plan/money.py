"""What everything costs a month."""

from __future__ import annotations

from collections.abc import Mapping

from perfplan.models.cost import traffic_month_usd
from perfplan.plan.demand import peak_seconds
from perfplan.plan.paths import Carried
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Scenario
from perfplan.tiers import kind_of


def cost_usd(
    scenario: Scenario, carried: Carried, stored: Mapping[str, FloatArray], sent: FloatArray, edge: FloatArray, month_factor: Value
) -> dict[str, FloatArray]:
    """Dollars a month of each tier and of traffic, (worlds, months)."""
    flat = 0 * carried.rps
    seconds = month_factor * peak_seconds(scenario)
    cost: dict[str, FloatArray] = {}
    for name, tier in scenario.tiers.items():
        cost[name] = kind_of(tier).owned.month_usd(tier, stored.get(name, 0.0), carried.calls_rps[name] * seconds) + flat
    cost["egress"] = traffic_month_usd(sent * seconds, scenario.egress_usd_per_byte)
    if scenario.cdn:
        cost["cdn"] = traffic_month_usd(edge * seconds, scenario.cdn.egress_usd_per_byte)
    return cost
