"""The plan against other evidence: measured latencies that the scenario names, and a simulation of its worst months.

The simulation takes nothing from the formulas but the hit ratios: requests run through pools of threads, connections and cores, held
one inside the other as the scenario says. Where both agree, the approximations of `plan/paths.py` are good for this plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.models.simulate import Arrivals, Draw, Maybe, Pool, Spend, Step, percentiles
from perfplan.plan import State
from perfplan.plan.paths import edge_share, hit_ratios
from perfplan.quantity import FloatArray, Value, median
from perfplan.scenario import Scenario
from perfplan.scenario.rules import entry_of
from perfplan.study import Study
from perfplan.tiers import kind_of
from perfplan.tiers.kind import There
from perfplan.words import month_name

PERCENTILES = (0.5, 0.95, 0.99)
ERROR = 0.20  # beyond its own half width, from which a measured point is a warning
REQUESTS, MOST = 150_000, 24  # of a replication; replications


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A percentile of a journey, predicted and as it was found otherwise."""

    name: str  # of the measurement, or of the month that was simulated
    journey: str
    rps: float  # of this journey
    percentile: float
    predicted_s: float
    found_s: float
    half_s: float  # half width of the 95 % interval of what was found; nan where it is not known

    @property
    def error(self) -> float:
        """(predicted - found) / found."""
        return self.predicted_s / self.found_s - 1

    @property
    def beyond(self) -> float:
        """The error in size, less the half width of what was found."""
        half = 0.0 if np.isnan(self.half_s) else self.half_s
        return max(abs(self.predicted_s - self.found_s) - half, 0.0) / self.found_s


def measured(study: Study) -> tuple[Compared, ...]:
    """Every measured point beside the prediction at its load, every input at its median, today's fleet."""
    scenario, rows = study.scenario, []
    total = sum(median(j.share) for j in scenario.journeys.values())
    for name, one in scenario.measured.items():
        if one.points is None or one.journey is None:
            continue
        points = study.statement.points[name]
        share = median(scenario.journeys[one.journey].share) / total
        for p in np.unique(points.percentile):
            which = points.percentile == p
            state = State(scenario, points.rps[which][None, :] / share)
            predicted = state.percentiles_s(one.journey, (float(p),))[0][0]
            columns = (points.rps[which], predicted, points.seconds[which], points.half_width_s[which])
            rows += [
                Compared(
                    name=name,
                    journey=one.journey,
                    rps=float(r),
                    percentile=float(p),
                    predicted_s=float(y),
                    found_s=float(x),
                    half_s=float(h),
                )
                for r, y, x, h in zip(*columns, strict=True)
            ]
    return tuple(sorted(rows, key=lambda r: (r.name, r.rps, r.percentile)))


def simulated(study: Study, *, requests: int = REQUESTS, most: int = MOST) -> tuple[Compared, ...]:
    """The worst months simulated: today with today's fleet, and the busiest month asked for with the plan's. Inputs at their medians."""
    demand = study.middle.rps[0]
    busiest = int(demand[: study.last + 1].argmax())
    rows: list[Compared] = []
    planned = any(order.month <= busiest for order in study.fleet.orders)
    for month, changed in dict.fromkeys([(0, False), (busiest, planned)]):
        scenario, rps = study.planned(month) if changed else study.scenario, float(demand[month])
        name = f"{month_name(str(scenario.as_of), month)}, {'the plan’s fleet' if changed else 'today’s fleet'}"
        state = State(scenario, np.array([[rps]]))
        pools, journeys = system(scenario)
        found = percentiles(pools, journeys, Arrivals(rates=[rps]), PERCENTILES, requests=requests, most=most, seed=study.seed)
        total = sum(weight for weight, _ in journeys.values())
        for journey, estimates in found.items():
            predicted = state.percentiles_s(journey, PERCENTILES)
            rows += [
                Compared(
                    name=name,
                    journey=journey,
                    rps=rps * journeys[journey][0] / total,
                    percentile=p,
                    predicted_s=float(y[0, 0]),
                    found_s=e.value,
                    half_s=e.half,
                )
                for p, y, e in zip(PERCENTILES, predicted, estimates, strict=False)
            ]
    return tuple(rows)


# ---- a scenario as programs over pools ----


def system(
    scenario: Scenario, hits: Mapping[str, Value] | None = None, before: Mapping[str, tuple[Step, ...]] | None = None
) -> tuple[dict[str, Pool], dict[str, tuple[float, tuple[Step, ...]]]]:
    """The pools of *scenario*, at its medians, and each journey as (share, steps); *before*: what each call to a tier begins with, such
    as to be refused where it has failed."""
    pools: dict[str, Pool] = {}
    for name, tier in scenario.tiers.items():
        pools |= kind_of(tier).program.pools(name, tier)
    calls = _Calls(scenario, hit_ratios(scenario) if hits is None else hits, before or {})
    return pools, {name: (median(j.share), _journey(scenario, name, calls)) for name, j in scenario.journeys.items()}


def _journey(scenario: Scenario, name: str, calls: _Calls) -> tuple[Step, ...]:
    journey, entry = scenario.journeys[name], entry_of(scenario, name)
    others = tuple(s for called, visits in journey.calls.items() if called != entry for s in calls.several(called, median(visits)))
    inside = others
    if entry is not None:
        visits = median(journey.calls[entry])
        more = calls.several(entry, max(visits - 1, 0.0))
        inside = calls.one(entry, others) if visits >= 1 else (Maybe(visits, calls.one(entry, others), others),)
        inside = (*inside, *more)
    full = (Spend(Draw.samples(_round_trips(scenario, 1.0))), *inside)
    edge = median(edge_share(scenario, journey))
    if scenario.cdn is None or edge == 0:
        return full
    near = Spend(Draw.samples(_round_trips(scenario, median(scenario.cdn.round_trip_share))))
    return (Maybe(edge, (near, Spend(Draw.exponential(median(scenario.cdn.response_s)))), full),)


def _round_trips(scenario: Scenario, factor: float) -> FloatArray:
    """A thousand users' round trips."""
    shares = np.array([median(r.share) for r in scenario.regions.values()])
    places = np.searchsorted(np.cumsum(shares) / shares.sum(), (np.arange(1000) + 0.5) / 1000)
    return np.array([median(r.round_trip_s) for r in scenario.regions.values()])[np.minimum(places, shares.size - 1)] * factor


@dataclass(frozen=True)
class _Calls:
    """Calls to the tiers of a scenario as steps."""

    scenario: Scenario
    hits: Mapping[str, Value]
    before: Mapping[str, tuple[Step, ...]]

    def several(self, name: str, visits: float) -> tuple[Step, ...]:
        """*visits* calls to a tier, one after the other; a fraction left over is a call with that probability."""
        once, whole = self.one(name), int(visits + 1e-9)
        rest = visits - whole
        return once * whole + ((Maybe(rest, once),) if rest > 1e-9 else ())

    def one(self, name: str, beside: tuple[Step, ...] = ()) -> tuple[Step, ...]:
        """A call to a tier, which may hold its server while it calls others, and what the journey calls *beside* it."""
        tier = self.scenario.tiers[name]
        there = There(name=name, hit=median(self.hits.get(name, 0.0)), beside=beside, call=self.several)
        return (*self.before.get(name, ()), *kind_of(tier).program.steps(tier, there))
