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
    made = _Builder(study)
    for name in reversed(call_order(study.scenario)):
        tier = study.scenario.tiers[name]
        if isinstance(tier, Database):
            made.database(name, tier)
        elif isinstance(tier, Partner):
            made.partner(name, tier)
        elif isinstance(tier, Service):
            made.service(name, tier)
        else:  # a cache waits as long as its origin; a queue for nothing
            made.tops[name] = [pair for called in calls_of(study.scenario, name) for pair in made.tops.get(called, ())]
    made.client()
    return Ladder(rungs=(*made.rungs, made.idle), relations=tuple(made.relations))


class _Builder:
    """Adds rungs and relations tier by tier."""

    def __init__(self, study: Study) -> None:
        self.study, self.made, self.scenario = study, study.middle, study.scenario
        self.rungs: list[Rung] = []
        self.relations: list[Relation] = []
        self.tops: dict[str, list[tuple[Rung, float]]] = {}  # what a caller of each tier must outlast, and how often
        balancer_s = float(np.median(self.scenario.balancer_idle_s))
        self.idle = Rung(
            path="balancer_idle", label="idle connection at the balancer", value_s=balancer_s, stated=True, why="stated or its default"
        )

    def add(self, path: str, label: str, stated: Value | None, derived_s: float, why: str) -> Rung:
        """One more rung: what is stated overrules what is derived."""
        value = derived_s if stated is None else float(np.median(stated))
        self.rungs.append(
            Rung(path=path, label=label, value_s=value, stated=stated is not None, why="stated" if stated is not None else why)
        )
        return self.rungs[-1]

    def relate(self, lower: Rung, upper: Rung, rule: str, times: float = 1.0) -> None:
        """One more relation."""
        self.relations.append(Relation(lower=lower, upper=upper, times=times, rule=rule))

    def slow_s(self, path: Distribution) -> float:
        """P99.9 at today's peak hour; a second where that is without end."""
        found = float(percentiles_s(path, (RARE,), self.made.rps.shape)[0][0, 0])
        return found if np.isfinite(found) else 1.0

    def database(self, name: str, tier: Database) -> None:
        """Wait for a connection, query, and how long the pool keeps an idle connection."""
        at = f"tiers.{name}"
        wait_s = float(np.ravel(self.made.carried.stations[name, "connections"].wait_quantile_s(RARE))[0])
        wait_s = MARGIN * (wait_s if np.isfinite(wait_s) else 1.0)
        acquire = self.add(
            f"{at}.acquire_timeout",
            f"{name}: wait for a connection",
            tier.acquire_timeout_s,
            round_up(max(wait_s, SHORTEST_S)),
            f"{MARGIN:g} x p99.9 of the wait",
        )
        query_s = max(MARGIN * self.slow_s(self.made.carried.responses[name]), 2 * acquire.value_s)
        why = f"{MARGIN:g} x p99.9 of a query, at least twice the wait for its connection"
        statement = self.add(f"{at}.statement_timeout", f"{name}: one query", tier.statement_timeout_s, round_up(query_s), why)
        kept = self.add(
            f"{at}.idle_timeout",
            f"{name}: idle pooled connection",
            tier.idle_timeout_s,
            0.75 * self.idle.value_s,
            "three quarters of the balancer's",
        )
        self.relate(acquire, statement, "nobody waits longer for a connection than for an answer")
        self.relate(kept, self.idle, "the pool drops idle connections before balancer or firewall do")
        self.tops[name] = [(statement, 1.0), (acquire, 1.0)]

    def partner(self, name: str, tier: Partner) -> None:
        """One call to somebody else, made again as often as stated."""
        slow_s = 1.5 * self.slow_s(self.made.carried.responses[name])
        own = self.add(
            f"tiers.{name}.timeout", f"{name}: one call", tier.timeout_s, round_up(slow_s), "1.5 x p99.9 of what the partner states"
        )
        self.tops[name] = [(own, 1.0 + float(np.median(tier.retries)))]

    def service(self, name: str, tier: Service) -> None:
        """One request, with all that it waits for, and how long an idle connection of the balancer stays open."""
        at, below = f"tiers.{name}", self._below(name)
        entered = [self.made.carried.journeys[j] for j in self.scenario.journeys if entry_of(self.scenario, j) == name]
        slow_s = max(self.slow_s(e) for e in entered or [self.made.carried.responses[name]])
        longest_s = max([0.0, *(r.value_s * times for r, times in below)])
        why = f"{MARGIN:g} x p99.9 of its slowest journey, and above every time-out below it"
        own = self.add(
            f"{at}.request_timeout", f"{name}: one request", tier.request_timeout_s, round_up(max(MARGIN * slow_s, 1.2 * longest_s)), why
        )
        for rung, times in below:
            self.relate(rung, own, "a request outlasts each call it makes, retries included", times)
        keep = self.add(
            f"{at}.keep_alive",
            f"{name}: idle connection of the balancer",
            tier.keep_alive_s,
            1.25 * self.idle.value_s,
            "a quarter longer than the balancer's",
        )
        self.relate(self.idle, keep, "the balancer drops idle connections before the service does")
        self.tops[name] = [(own, 1.0)]

    def client(self) -> None:
        """The client outlasts every service."""
        requests = [r for r in self.rungs if r.path.endswith(".request_timeout")]
        longest_s = max([SHORTEST_S, *(r.value_s for r in requests)])
        client = self.add(
            "client_timeout",
            "client: one request",
            self.scenario.client_timeout_s,
            round_up(1.5 * longest_s),
            "half as long again as the service's",
        )
        for rung in requests:
            self.relate(rung, client, "a client waits longer than the service works for it")

    def _below(self, name: str) -> list[tuple[Rung, float]]:
        """The time-outs of everything that the service *name* waits for, each once."""
        mine = [c for j, journey in self.scenario.journeys.items() if entry_of(self.scenario, j) == name for c in journey.calls]
        called = dict.fromkeys([*calls_of(self.scenario, name), *mine])
        found = {rung.path: (rung, times) for one in called if one != name for rung, times in self.tops.get(one, ())}
        return list(found.values())


def broken(made: Ladder) -> Iterator[Relation]:
    """The relations that do not hold."""
    return (r for r in made.relations if not r.holds)
