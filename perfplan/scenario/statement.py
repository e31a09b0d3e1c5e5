"""A scenario as stated: each field with its text, law, line and source, before any world is drawn."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from perfplan.quantity import FloatArray, Law, Quantity
from perfplan.record import Declared
from perfplan.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One field: where it stands, what was written, the law or word it stands for."""

    path: str
    text: str
    value: Law | str
    declared: Declared
    source: str  # stated, override, fitted or default
    where: str  # "scenario.yaml:41", "-p", "traffic.csv", or the reason of a default
    beside: str = ""  # another value for the same field that this one overrules

    @property
    def law(self) -> Law | None:
        """The law of a number; None for words."""
        return self.value if isinstance(self.value, Law) else None


@dataclass(frozen=True)
class Branch:
    """The shape of the scenario: a record, map or list whose children are branches or paths of entries."""

    make: Callable[[dict[str, Any]], Any]
    children: Mapping[str, Branch | str]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a file says; `at` draws worlds from it, `but` states something else."""

    file: str
    entries: Mapping[str, Entry]
    shape: Branch
    files: tuple[str, ...] = ()  # files beside the scenario that it names
    week: FloatArray | None = None
    history: Any = None
    samples: Mapping[str, Any] = field(default_factory=dict)  # tier to its measured service times
    points: Mapping[str, Any] = field(default_factory=dict)  # name under `measured` to its points
    outcomes: Mapping[str, Any] = field(default_factory=dict)  # and to its outcomes
    deployed: Mapping[str, Any] = field(default_factory=dict)  # what was found to run of generated files, by their names
    overrides: tuple[str, ...] = ()
    options: Mapping[str, Statement] = field(default_factory=dict, repr=False, compare=False)  # this one with all that an option sets
    reread: Callable[[tuple[str, ...]], Statement] = field(repr=False, compare=False)

    def at(self, worlds: int | None = None, seed: int = 7) -> Scenario:
        """The scenario with every uncertain number drawn *worlds* times, shape (worlds, 1); None: at its median.

        Each field has a stream of its own, by its path: overrides and options do not change the draws of the others,
        so that they are compared in the same worlds. Draws are stratified (one per 1/worlds of probability).
        """
        return self._made({path: self.draw(entry, worlds, seed) for path, entry in self.entries.items()})

    def at_points(self, points: Mapping[str, FloatArray]) -> Scenario:
        """The scenario at its median, but for the fields of *points*, by path: each (points, 1), as if they were worlds."""
        values = {path: points.get(path, self.draw(entry, None, 0)) for path, entry in self.entries.items()}
        return self._made(values)

    def _made(self, values: Mapping[str, Any]) -> Scenario:
        made = _build(self.shape, values)
        tiers = {name: _with_shape(tier, self.samples[name].shape) if name in self.samples else tier for name, tier in made.tiers.items()}
        return cast(Scenario, replace(made, week=self.week, tiers=tiers))

    def draw(self, entry: Entry, worlds: int | None, seed: int) -> Any:
        """The value of one entry in every world: shape (worlds, 1), or a scalar where it is certain or *worlds* is None."""
        law = entry.law
        if law is None:
            return entry.value
        if law.certain or worlds is None:
            return law.mid
        rng = np.random.default_rng((seed, zlib.crc32(entry.path.encode())))
        p = (rng.permutation(worlds) + rng.uniform(size=worlds)) / worlds
        return np.asarray(law.quantile(p)).reshape(worlds, 1)

    def but(self, *overrides: str) -> Statement:
        """The same file with more overrides, each such as "tiers.api.instances=30"; checked again."""
        return self.reread((*self.overrides, *overrides)) if overrides else self

    def option(self, name: str) -> Statement:
        """The same file with all that an option of it sets; checked when the file was read."""
        return self.options[name] if name in self.options else self.but(*self.at().options[name].set)

    def digest(self) -> str:
        """A hash of what is stated: every field's text and the history."""
        found = hashlib.sha256()
        for path, entry in sorted(self.entries.items()):
            found.update(f"{path}\0{entry.text}\0".encode("utf-8", "surrogatepass"))
        if self.week is not None:
            found.update(self.week.tobytes())
        for name, samples in sorted(self.samples.items()):
            found.update(f"{name}\0{samples.count}\0".encode() + samples.shape.nodes.tobytes())
        for name, points in sorted(self.points.items()):
            found.update(name.encode() + points.rps.tobytes() + points.seconds.tobytes())
        for name, outcomes in sorted(self.outcomes.items()):
            found.update(name.encode() + outcomes.seconds.tobytes() + outcomes.good.tobytes() + outcomes.total.tobytes())
        return found.hexdigest()[:16]

    def uncertain(self) -> Iterator[Entry]:
        """The entries that are intervals."""
        return (e for e in self.entries.values() if e.law is not None and not e.law.certain)


@dataclass(frozen=True)
class Maker:
    """Makes a record from its fields; a class, so that a statement can be stored."""

    cls: type

    def __call__(self, values: dict[str, Any]) -> Any:
        return self.cls(**values)


def as_tuple(values: dict[str, Any]) -> tuple[Any, ...]:
    """Makes a list of its items."""
    return tuple(values.values())


def _with_shape(tier: Any, shape: Any) -> Any:
    return replace(tier, service=replace(tier.service, shape=shape))


def _build(branch: Branch | str, values: Mapping[str, Any]) -> Any:
    if isinstance(branch, str):
        return values[branch]
    return branch.make({name: _build(child, values) for name, child in branch.children.items()})


def shown(entry: Entry) -> tuple[str, str]:
    """Value and 90 % interval of an entry as a person would write them; the interval is "" where it is certain."""
    law, kind = entry.law, entry.declared.kind
    if law is None or not isinstance(kind, Quantity):
        return str(entry.value), ""
    if law.certain:
        return kind.show(law.mid), ""
    low, high = (kind.show(float(law.quantile(p))) for p in (0.05, 0.95))
    return kind.show(law.mid), f"{low} … {high}"
