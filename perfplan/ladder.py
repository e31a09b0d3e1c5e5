"""The time-outs along each path as a ladder: what is stated, what follows from the plan, and whether their order is right.

A caller must wait longer than what it calls, else work goes on for nobody: acquire < statement < request < client, and a
partner's time-out with its retries within the request's. Whoever uses an idle connection again must drop it before the
other side does, else a request meets a closed one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.models.distributions import Distribution
from perfplan.models.latency import percentiles_s
from perfplan.quantity import Value
from perfplan.scenario import Database, Partner, Service
from perfplan.scenario.rules import call_order, calls_of, entry_of
from perfplan.uncertainty import Study

RARE = 0.999  # time-outs are set beyond what this share of calls needs at today's peak hour
MARGIN = 3.0  # and so many times, as a time-out must never cut what is only slow
SHORTEST_S = 0.05
STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # time-outs are round numbers


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One time-out: where it is set, what it limits, and where its value comes from."""

    path: str  # field of the scenario that states it
    label: str
    value_s: float
    stated: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class Relation:
    """An order that two time-outs must have."""

    lower: Rung
    upper: Rung
    times: float  # how often the lower one must fit into the upper
    rule: str

    @property
    def holds(self) -> bool:
        """Whether the order is right."""
        return self.lower.value_s * self.times < self.upper.value_s


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """All time-outs and their relations."""

    rungs: tuple[Rung, ...]
    relations: tuple[Relation, ...]

    def value_s(self, path: str) -> float:
        """The time-out of a field."""
        return next(r.value_s for r in self.rungs if r.path == path)


def round_up(value_s: float) -> float:
    """The next round number.

    >>> round_up(0.012), round_up(2.1), round_up(0.05)
    (0.015, 3.0, 0.05)
    """
    scale = 10.0 ** np.floor(np.log10(value_s))
    return next(float(round(step * scale, 6)) for step in STEPS if step * scale >= value_s * (1 - 1e-9))


@functools.lru_cache(maxsize=4)
def ladder(study: Study) -> Ladder:
    """The time-outs of the scenario, callees first; what is not stated follows from today's peak hour at the median."""
    made = study.middle
    rungs: list[Rung] = []
    relations: list[Relation] = []
    scenario = made.scenario

    def add(path: str, label: str, stated: Value | None, derived_s: float, why: str) -> Rung:
        value = derived_s if stated is None else float(np.median(stated))
        rungs.append(Rung(path=path, label=label, value_s=value, stated=stated is not None, why="stated" if stated is not None else why))
        return rungs[-1]

    def slow_s(path: Distribution) -> float:
        """P99.9 at today's peak hour; ten mean service times where that is without end."""
        found = float(percentiles_s(path, (RARE,), made.rps.shape)[0][0, 0])
        return found if np.isfinite(found) else 1.0

    idle = Rung(path="balancer_idle", label="idle connection at the balancer", value_s=float(np.median(scenario.balancer_idle_s)),
                stated=True, why="stated or its default")  # fmt: skip
    tops: dict[str, list[tuple[Rung, float]]] = {}
    for name in reversed(call_order(scenario)):
        tier, at = scenario.tiers[name], f"tiers.{name}"
        if isinstance(tier, Database):
            wait_s = float(np.ravel(made.carried.stations[name, "connections"].wait_quantile_s(RARE))[0])
            acquire = add(f"{at}.acquire_timeout", f"{name}: wait for a connection", tier.acquire_timeout_s,
                          round_up(max(MARGIN * (wait_s if np.isfinite(wait_s) else 1.0), SHORTEST_S)), f"{MARGIN:g} x p99.9 of the wait")  # fmt: skip
            statement = add(f"{at}.statement_timeout", f"{name}: one query", tier.statement_timeout_s,
                            round_up(max(MARGIN * slow_s(made.carried.responses[name]), 2 * acquire.value_s)),
                            f"{MARGIN:g} x p99.9 of a query, at least twice the wait for its connection")  # fmt: skip
            relations.append(
                Relation(lower=acquire, upper=statement, times=1, rule="nobody waits longer for a connection than for an answer")
            )
            kept = add(
                f"{at}.idle_timeout",
                f"{name}: idle pooled connection",
                tier.idle_timeout_s,
                0.75 * idle.value_s,
                "three quarters of the balancer's",
            )
            relations.append(
                Relation(lower=kept, upper=idle, times=1, rule="the pool drops idle connections before balancer or firewall do")
            )
            tops[name] = [(statement, 1.0), (acquire, 1.0)]
        elif isinstance(tier, Partner):
            own = add(
                f"{at}.timeout",
                f"{name}: one call",
                tier.timeout_s,
                round_up(1.5 * slow_s(made.carried.responses[name])),
                "1.5 x p99.9 of what the partner states",
            )
            tops[name] = [(own, 1.0 + float(np.median(tier.retries)))]
        elif isinstance(tier, Service):
            below = _below(study, name, tops)
            entered = [made.carried.journeys[j] for j in scenario.journeys if entry_of(scenario, j) == name] or [
                made.carried.responses[name]
            ]
            longest = max([0.0, *(r.value_s * times for r, times in below)])
            own = add(f"{at}.request_timeout", f"{name}: one request", tier.request_timeout_s,
                      round_up(max([MARGIN * max(slow_s(e) for e in entered), 1.2 * longest])),
                      f"{MARGIN:g} x p99.9 of its slowest journey, and above every time-out below it")  # fmt: skip
            relations += [
                Relation(lower=r, upper=own, times=times, rule="a request outlasts each call it makes, retries included")
                for r, times in below
            ]
            keep = add(
                f"{at}.keep_alive",
                f"{name}: idle connection of the balancer",
                tier.keep_alive_s,
                1.25 * idle.value_s,
                "a quarter longer than the balancer's",
            )
            relations.append(Relation(lower=idle, upper=keep, times=1, rule="the balancer drops idle connections before the service does"))
            tops[name] = [(own, 1.0)]
        else:
            tops[name] = [pair for called in calls_of(scenario, name) for pair in tops.get(called, ())]
    requests = [r for r in rungs if r.path.endswith(".request_timeout")]
    longest = max([SHORTEST_S, *(r.value_s for r in requests)])
    client = add(
        "client_timeout", "client: one request", scenario.client_timeout_s, round_up(1.5 * longest), "half as long again as the service's"
    )
    relations += [Relation(lower=r, upper=client, times=1, rule="a client waits longer than the service works for it") for r in requests]
    return Ladder(rungs=(*rungs, idle), relations=tuple(relations))


def _below(study: Study, name: str, tops: dict[str, list[tuple[Rung, float]]]) -> list[tuple[Rung, float]]:
    """The time-outs of everything that the service *name* waits for, each once."""
    scenario = study.scenario
    called = [
        *calls_of(scenario, name),
        *(c for j, journey in scenario.journeys.items() if entry_of(scenario, j) == name for c in journey.calls),
    ]
    found: dict[str, tuple[Rung, float]] = {}
    for one in dict.fromkeys(called):
        for rung, times in tops.get(one, ()) if one != name else ():
            found[rung.path] = rung, times
    return list(found.values())


def broken(made: Ladder) -> Iterator[Relation]:
    """The relations that do not hold."""
    return (r for r in made.relations if not r.holds)
