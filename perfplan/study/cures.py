"""What would cure a failure: the cheapest change that the scenario's language can say, after which nothing is full while it lasts.

Tried one by one: more of what is full (and of what is full then), a shorter time-out of what hangs, each option of the scenario, and
zones, where all of a tier stands in one. Combinations of these are not tried.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.models.times.latency import exceeds
from perfplan.plan import with_counts, with_fields
from perfplan.promises import counted
from perfplan.quantity import FloatArray, median
from perfplan.record import declared
from perfplan.scenario import Scenario
from perfplan.study import Study, once
from perfplan.study.failures import Failed, Failing, alike, failures
from perfplan.study.ladder import ladder
from perfplan.study.options import Proposed
from perfplan.study.search.candidates import once_usd
from perfplan.study.search.worlds import with_options
from perfplan.study.worlds import confidence, take_worlds
from perfplan.tiers import Tier, bought_of, count_of, kind_of
from perfplan.tiers.kind import LOST, NODE, ZONE, Failure
from perfplan.tiers.place import Place
from perfplan.tiers.rungs import STEPS

ROUNDS = 40  # of more of what is full
FEW = 200  # worlds in which a cure must be enough
HELPS = 0.9  # of the requests that fail without it: more is no cure
ZONES = 3.0  # that a cloud's region has


@dataclass(frozen=True, kw_only=True)
class Cure:
    """One change, and what a failure does with it."""

    name: str  # of an option; of other changes ""
    overrides: Sequence[str]  # as `-p` takes them
    monthly_usd: float
    once_usd: float
    cuts: float  # share of the usual calls that a shorter time-out gives up
    after: Failed


@once
def cures(study: Study) -> list[Cure | None]:
    """Of each of the failures that fills something, or takes all of a tier in one zone, the cheapest cure; None where none was found."""
    asking = _Asking.of(study)
    return [asking.cheapest(row) if wanted(study.scenario, row) else None for row in failures(study)]


def wanted(scenario: Scenario, row: Failed) -> bool:
    """Whether a cure is looked for."""
    return row.breaks or in_one_zone(scenario, row)


def in_one_zone(scenario: Scenario, row: Failed) -> bool:
    """Whether all of a tier is lost because it stands in one zone."""
    tier = scenario.tiers.get(row.tier)
    return tier is not None and row.failure.takes == LOST and _zones(tier) == 1


def _zones(tier: Tier) -> float:
    """The zones that the nodes of *tier* are spread over; 0 where it has none of ours."""
    found = kind_of(tier).fails.zones(tier)
    return 0.0 if found is None else median(found)


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """A change, and the scenario with it: at its median under today's load, and in worlds."""

    overrides: Sequence[str]
    failing: Failing
    drawn: Scenario
    name: str = ""
    monthly_usd: float = 0.0
    once_usd: float = 0.0
    cuts: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """A study asked for cures."""

    study: Study
    failing: Failing
    drawn: Scenario
    rps: FloatArray

    @classmethod
    def of(cls, study: Study) -> _Asking:
        drawn = take_worlds(study.worlds.scenario, FEW)
        return cls(study=study, failing=Failing.of(study), drawn=drawn, rps=study.worlds.rps[:FEW, :1])

    def cheapest(self, row: Failed) -> Cure | None:
        """Of all that was found to be enough the one that costs least to the last month asked for."""
        months = self.study.last + 1
        found = sorted(self._enough(row), key=lambda one: one.once_usd + one.monthly_usd * months)
        found = [one for one in found if self._helps(one, row)]
        if not found:
            return None
        best = found[0]
        after = best.failing.failed(row.tier, self._then(best, row), row.times)
        return Cure(
            name=best.name,
            overrides=best.overrides,
            monthly_usd=best.monthly_usd,
            once_usd=best.once_usd,
            cuts=best.cuts,
            after=best.failing.surely(after, best.drawn, self.rps),
        )

    def _enough(self, row: Failed) -> Iterator[_Tried]:
        if row.breaks:
            yield from self._shorter(row)
            yield from self._more(row)
            yield from self._options(row)
        if in_one_zone(self.failing.scenario, row):
            yield from self._spread(row)

    def _holds(self, tried: _Tried, row: Failed) -> bool:
        """Whether nothing is full with it at the median, and in as many worlds as is asked."""
        failure = self._then(tried, row)
        if tried.failing.first(row.tier, failure, row.times)[1] >= 1:
            return False
        return tried.failing.p_breaks(row.tier, failure, row.times, tried.drawn, self.rps) <= 1 - confidence(self.failing.scenario)

    def _then(self, tried: _Tried, row: Failed) -> Failure:
        """The failure of *row* as it is with what was tried: of what stood in one zone and does no longer, that of one of them."""
        if row.tier not in tried.failing.scenario.tiers:
            return row.failure
        tier = tried.failing.scenario.tiers[row.tier]
        spread = _left(tried, row) if in_one_zone(self.failing.scenario, row) and _zones(tier) > 1 else []
        return spread[0] if spread else next(one for one in kind_of(tier).fails.failures(tier) if alike(one, row.failure))

    def _helps(self, tried: _Tried, row: Failed) -> bool:
        """Whether clearly fewer requests fail with it; where none fails, that nothing is full is enough."""
        return row.share == 0 or tried.failing.failed(row.tier, self._then(tried, row), row.times).share < HELPS * row.share

    def _stated(self, fields: Mapping[Place, float]) -> tuple[str, ...]:
        """Other values of fields as overrides; none where no file could say so."""
        one = Proposed(name="", fields=fields)
        return one.texts(self.failing.scenario) if one.can_be(self.failing.scenario) else ()

    def _with(self, counts: Mapping[Place, float]) -> _Tried:
        """Other counts."""
        scenario = with_counts(self.failing.scenario, counts)
        usd = sum(self._month_usd(scenario, name) - self._month_usd(self.failing.scenario, name) for name in {p.tier for p in counts})
        failing = dataclasses.replace(self.failing, scenario=scenario)
        return _Tried(overrides=self._stated(counts), failing=failing, drawn=with_counts(self.drawn, counts), monthly_usd=usd)

    def _month_usd(self, scenario: Scenario, name: str) -> float:
        """What a tier costs a month, with the data of today; its calls are the same."""
        tier, stored = scenario.tiers[name], self.study.middle.stored_bytes.get(name)
        held = 0.0 if stored is None else float(np.ravel(stored)[0])
        return median(kind_of(tier).owned.month_usd(tier, held, 0.0))

    def _more(self, row: Failed) -> Iterator[_Tried]:
        """More of what is full, until nothing is; then as little of each as is enough."""
        counts: dict[Place, float] = {}
        tried = self._with(counts)
        for _ in range(ROUNDS):
            first, used = tried.failing.first(row.tier, self._then(tried, row), row.times)
            if used < 1 and self._holds(tried, row):
                break
            if first is None or not np.isfinite(used):
                return
            tier = tried.failing.scenario.tiers[first.tier]
            one, count = bought_of(tier, first.field), count_of(tier, first.field)
            more = one.sized(tier, count, math.ceil(count * used * (1 + 1e-9))) if used >= 1 else one.larger(tier, count)
            if more <= count:
                return
            counts[first] = more
            tried = self._with(counts)
        else:
            return
        for place in reversed(list(counts)):
            rest = {other: count for other, count in counts.items() if other != place}
            if self._holds(self._with(rest), row):
                counts = rest
                continue
            low, high = count_of(self.failing.scenario.tiers[place.tier], place.field), counts[place]
            while high - low > 1:
                middle = float((low + high) // 2)
                fewer = self._with(counts | {place: middle})
                low, high = (low, middle) if fewer.overrides and self._holds(fewer, row) else (middle, high)
            counts[place] = high
        if (tried := self._with(counts)).overrides:
            yield tried

    def _shorter(self, row: Failed) -> Iterator[_Tried]:
        """The longest round time-out with which nothing is full, where it is the tier's own."""
        tier, waits_s = self.failing.scenario.tiers.get(row.tier), self.failing.waits_s.get(row.tier, 0.0)
        own = [rung for rung in ladder(self.study).rungs if rung.place.tier == row.tier and rung.value_s <= waits_s]
        if tier is None or not row.failure.hangs or not own:
            return
        rung = max(own, key=lambda one: one.value_s)
        name = next(n for n, one in declared(type(tier)).items() if one.key == rung.place.field)
        for value_s in _rounds(rung.value_s):
            failing = dataclasses.replace(self.failing, waits_s={**self.failing.waits_s, row.tier: waits_s * value_s / rung.value_s})
            tried = _Tried(overrides=self._stated({Place(row.tier, name): value_s}), failing=failing, drawn=self.drawn)
            if tried.overrides and self._holds(tried, row):
                usual = self.failing.normal.state.carried.responses[row.tier]
                cuts = float(exceeds(usual, value_s, (1, 1))[0, 0])
                if self._affords(row.tier, cuts):
                    yield dataclasses.replace(tried, cuts=cuts)
                return

    def _affords(self, tier: str, cuts: float) -> bool:
        """Whether every promise on failures is still kept where this share of the usual calls to a tier is given up."""
        scenario = self.failing.scenario
        for name, judged in self.study.middle.judged.items():
            one = counted(scenario.objectives[name])
            visits = median(scenario.journeys[one.journey].calls.get(tier, 0.0)) if one is not None else 0.0
            value, bound = (float(np.ravel(np.asarray(v, dtype=float))[0]) for v in (judged.value, judged.bound))
            if visits and value <= bound < value + visits * cuts:
                return False
        return True

    def _options(self, row: Failed) -> Iterator[_Tried]:
        """Each option of the scenario."""
        for name, option in self.failing.scenario.options.items():
            statement = with_options(self.study.statement, frozenset([name]))
            scenario = statement.at()
            bill = sum(self._month_usd(scenario, tier) - self._month_usd(self.failing.scenario, tier) for tier in scenario.tiers)
            tried = _Tried(
                name=name,
                overrides=tuple(option.set),
                failing=dataclasses.replace(self.failing, scenario=scenario),
                drawn=take_worlds(statement.at(self.study.worlds.rps.shape[0], self.study.seed), FEW),
                monthly_usd=median(option.monthly_usd) + bill,
                once_usd=once_usd(self.failing.scenario, option),
            )
            if self._holds(tried, row):
                yield tried

    def _spread(self, row: Failed) -> Iterator[_Tried]:
        """Its nodes over ZONES, of which one is lost; a lone one gets company."""
        tier = self.failing.scenario.tiers[row.tier]
        counts = {one.field: count_of(tier, one.field) for one in kind_of(tier).owned.bought if one.each or one.spare}
        lone = {Place(row.tier, name): count + 1 for name, count in counts.items() if count <= 1 and len(counts) == 1}
        fields = {Place(row.tier, "zones"): ZONES}
        tried = self._with(lone)
        changed = {place.field: value for place, value in fields.items()}
        failing = dataclasses.replace(tried.failing, scenario=with_fields(tried.failing.scenario, {row.tier: changed}))
        drawn = with_fields(tried.drawn, {row.tier: changed})
        tried = dataclasses.replace(tried, overrides=self._stated(fields | lone), failing=failing, drawn=drawn)
        if tried.overrides and _left(tried, row) and self._holds(tried, row):
            yield tried


def _left(tried: _Tried, row: Failed) -> list[Failure]:
    """The failures of its tier that leave something of it: the loss of a zone, else of a node; the worst first."""
    tier = tried.failing.scenario.tiers[row.tier]
    found = [one for one in kind_of(tier).fails.failures(tier) if one.takes in (ZONE, NODE)]
    return sorted(found, key=lambda one: (one.takes != ZONE, -one.fails))


def _rounds(below_s: float) -> list[float]:
    """Round times below *below_s*, down to a hundredth of it, the longest first.

    >>> _rounds(3.0)[:4], _rounds(3.0)[-1]
    ([2.0, 1.5, 1.0, 0.7], 0.03)
    """
    scale = 10.0 ** math.floor(math.log10(below_s))
    values = {float(f"{step * scale * 10.0**-k:.6g}") for k in range(3) for step in STEPS}
    return sorted((v for v in values if below_s / 100 * (1 - 1e-9) <= v < below_s * (1 - 1e-9)), reverse=True)
