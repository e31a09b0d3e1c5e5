"""The time-outs along each path as a ladder: what is stated, what follows from the plan, and whether their order is right.

A caller must wait longer than what it calls, else work goes on for nobody: acquire < statement < request < client, and a
partner's time-out with its retries within the request's. Whoever uses an idle connection again must drop it before the
other side does, else a request meets a closed one. Each kind of tier says its own time-outs (`tiers/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.models.times.frequencies import Distribution
from perfplan.models.times.latency import percentiles_s
from perfplan.quantity import Value, median
from perfplan.scenario.rules import call_order, calls_of, entry_of
from perfplan.study import Study, once
from perfplan.tiers import kind_of
from perfplan.tiers.place import Place
from perfplan.tiers.rungs import CLIENT, IDLE, REQUEST, SHORTEST_S, Outlasted, Relation, Rung, round_up

RARE = 0.999  # time-outs are set beyond what this share of calls needs at today's peak hour


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """All time-outs and their relations."""

    rungs: tuple[Rung, ...]
    relations: tuple[Relation, ...]
    longest_s: Mapping[str, float]  # by tier: how long a call to it may take until its caller gives up, retries included

    def value_s(self, field: str, tier: str = "") -> float:
        """The time-out of a field of *tier*, or of the scenario."""
        return next(r.value_s for r in self.rungs if r.place == Place(tier, field))


@once
def ladder(study: Study) -> Ladder:
    """The time-outs of the scenario, callees first; what is not stated follows from today's peak hour at the median."""
    scenario, made = study.scenario, _Builder()
    idle = Rung(
        place=Place("", "balancer_idle"),
        label="idle connection at the balancer",
        value_s=median(scenario.balancer_idle_s),
        stated=True,
        why="stated or its default",
        role=IDLE,
    )
    tops: dict[str, Sequence[Outlasted]] = {}  # what a caller of each tier must outlast
    for name in reversed(call_order(scenario)):
        tier = scenario.tiers[name]
        made.tier = name
        tops[name] = kind_of(tier).kept.times_out(tier, _Seen(study=study, name=name, idle=idle, below=_below(study, name, tops)), made)
    made.tier = ""
    requests: dict[Place, Outlasted] = {r.place: (r, 1.0) for r in made.rungs if r.role == REQUEST}
    for key, journey in scenario.journeys.items():
        if entry_of(scenario, key) is None:  # the client itself makes these calls
            requests |= {rung.place: (rung, times) for called in journey.calls for rung, times in tops[called]}
    longest_s = max([SHORTEST_S, *(rung.value_s * times for rung, times in requests.values())])
    why = "half as long again as the service's"
    client = made.add("client_timeout", "client: one request", scenario.client_timeout_s, round_up(1.5 * longest_s), why, CLIENT)
    for rung, times in requests.values():
        made.relate(rung, client, "a client waits longer than the service works for it", times)
    longest = {name: max((rung.value_s * times for rung, times in top), default=client.value_s) for name, top in tops.items()}
    return Ladder(rungs=(*made.rungs, idle), relations=tuple(made.relations), longest_s=longest)


class _Builder:
    """Collects rungs and relations; see `perfplan.tiers.rungs.Rungs`."""

    def __init__(self) -> None:
        self.tier = ""  # whose fields they are
        self.rungs: list[Rung] = []
        self.relations: list[Relation] = []

    def add(self, field: str, label: str, stated: Value | None, derived_s: float, why: str, role: str) -> Rung:
        value = derived_s if stated is None else median(stated)
        why = why if stated is None else "stated"
        self.rungs.append(Rung(place=Place(self.tier, field), label=label, value_s=value, stated=stated is not None, why=why, role=role))
        return self.rungs[-1]

    def relate(self, lower: Rung, upper: Rung, rule: str, times: float = 1.0) -> None:
        self.relations.append(Relation(lower=lower, upper=upper, times=times, rule=rule))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """See `perfplan.tiers.rungs.Seen`."""

    study: Study
    name: str
    idle: Rung
    below: Sequence[Outlasted]

    def answer_s(self) -> float:
        return self._slow_s(self.study.middle.carried.responses[self.name])

    def journey_s(self) -> float:
        scenario, journeys = self.study.scenario, self.study.middle.carried.journeys
        entered = [path for journey, path in journeys.items() if entry_of(scenario, journey) == self.name]
        return max((self._slow_s(path) for path in entered), default=0.0) or self.answer_s()

    def wait_s(self, field: str) -> float:
        found = float(np.ravel(self.study.middle.carried.stations[Place(self.name, field)].wait_quantile_s(RARE))[0])
        return found if np.isfinite(found) else 1.0

    def _slow_s(self, path: Distribution) -> float:
        found = float(percentiles_s(path, (RARE,), self.study.middle.rps.shape)[0][0, 0])
        return found if np.isfinite(found) else 1.0


def _below(study: Study, name: str, tops: dict[str, Sequence[Outlasted]]) -> list[Outlasted]:
    """The time-outs of everything that *name* waits for, each once."""
    scenario = study.scenario
    mine = [c for j, journey in scenario.journeys.items() if entry_of(scenario, j) == name for c in journey.calls]
    called = dict.fromkeys([*calls_of(scenario, name), *mine])
    found = {rung.place: (rung, times) for one in called if one != name for rung, times in tops.get(one, ())}
    return list(found.values())


def broken(made: Ladder) -> Iterator[Relation]:
    """The relations that do not hold."""
    return (r for r in made.relations if not r.holds)
