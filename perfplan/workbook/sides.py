"""`perfplan diff` of scenarios: side by side in the same worlds, and how much each difference of the inputs explains.

What a group of inputs explains of a change is its Shapley value: the mean, over all orders in which the groups could have changed one
after the other, of what it changed in its turn. The parts add up to the change.

References
----------
Shapley: A value for n-person games, in Contributions to the Theory of Games II, 1953.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfplan.document import to_json
from perfplan.document.story import story
from perfplan.plan import plan
from perfplan.quantity import FloatArray, median
from perfplan.reading import BadScenario, Problem, read
from perfplan.scenario.statement import Statement
from perfplan.shown.blocks import Column, Table, safe
from perfplan.shown.vector import Line, lines, sheet
from perfplan.study import Study
from perfplan.study.sweeps import todays_knee
from perfplan.study.worlds import horizon
from perfplan.terminal import one_line
from perfplan.words import change, count, duration, money, month_name, percent, rate, share
from perfplan.workbook.kept import PLAN, Unreadable
from perfplan.workbook.kept import load as load_plan
from perfplan.workbook.opening import plan_of

HERE = Path(__file__).parent
GROUPS = 8  # of inputs whose parts are told apart; with more of them the smaller ones are "the rest"
REST = "the rest"
OVERRULED = ("traffic.peak_users", "traffic.requests_per_user")  # by a history that gives the peak


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the scenarios: how it is called, what it states, and what follows."""

    name: str
    statement: Statement
    study: Study


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question, and each side's answer: as text, and as a number where it is one."""

    kind: str  # of comparison.KINDS
    what: str
    texts: tuple[str, ...]
    values: tuple[float, ...] = ()  # empty: words


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one group of inputs explains of the change of one number from the first side to another."""

    side: str
    number: str
    group: str
    value: float
    text: str


def is_scenario(path: str) -> bool:
    """Whether it is a scenario, and no plan."""
    return Path(path).suffix in (".yaml", ".yml")


def sides(paths: Sequence[str], worlds: int) -> list[Side]:
    """The scenarios, and those that plan folders were made from, in the same worlds."""
    statements = [_statement(path) for path in paths]
    names = _names(paths, statements)
    return [Side(name=n, statement=one, study=plan_of(one, worlds)) for n, one in zip(names, statements, strict=True)]


def _statement(path: str) -> Statement:
    if is_scenario(path):
        return read(path)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    try:
        kept = load_plan(folder / PLAN)
    except Unreadable as error:
        said = error if Path(path).exists() else "it does not exist"
        raise BadScenario(path, [Problem(0, "plan", f"must be a scenario.yaml or a plan folder; {said}")]) from None
    overrides = kept.get("overrides")
    stated = tuple(overrides) if isinstance(overrides, list) and all(isinstance(one, str) for one in overrides) else ()
    return read(folder / "inputs" / "scenario.yaml", stated, today=str(kept["as_of"]))


def _names(paths: Sequence[str], statements: Sequence[Statement]) -> list[str]:
    """What tells them apart: their own names, else those of their files, else of their folders; numbered where that is not enough."""
    own = [str(one.entries["name"].value) for one in statements]
    ways = (own, [Path(p).stem for p in paths], [Path(p).resolve().parent.name for p in paths], [Path(p).resolve().name for p in paths])
    best = next((names for names in ways if len(set(names)) == len(names)), None)
    return best or [f"{name} {i}" for i, name in enumerate(own, 1)]


# ---- side by side ----


def rows(made: Sequence[Side]) -> list[Row]:
    """Verdict, demand, fleet, latency, cost, run-outs, promises, and inputs that differ."""
    last = min(one.study.last for one in made)
    as_of = str(made[0].study.scenario.as_of)
    then = month_name(as_of, last)
    found = [Row(kind="verdict", what="Verdict", texts=tuple(story(one.study).verdict for one in made))]

    def numbers(kind: str, what: str, write: Callable[[float], str], value: Callable[[Study], float]) -> None:
        values = tuple(value(one.study) for one in made)
        found.append(Row(kind=kind, what=what, texts=tuple(map(write, values)), values=values))

    numbers("demand", "Peak hour, now", rate, lambda s: median(s.worlds.rps[:, 0]))
    numbers("demand", f"Peak hour, {then}", rate, lambda s: median(s.worlds.rps[:, last]))
    numbers("demand", "Load that today’s fleet holds", rate, lambda s: todays_knee(s).rps)
    numbers("risk", "P(every promise holds), now", percent, lambda s: float(s.p_all[0]))
    numbers("risk", f"P(every promise holds), {then}, today’s fleet", percent, lambda s: float(s.p_all[last]))
    numbers("risk", f"P(every promise holds), lowest to {then}, today’s fleet", percent, lambda s: float(s.p_all[: last + 1].min()))
    numbers("risk", f"P(every promise holds), {then}, with the plan", percent, lambda s: float(s.fleet.p_all[last]))
    numbers("cost", "Cost per month, now", money, lambda s: median(s.worlds.cost_month_usd[:, 0]))
    numbers("cost", f"Cost per month, {then}, with the plan", money, lambda s: median(s.fleet.cost_usd[:, last]))
    for journey in _together(made, lambda s: s.scenario.journeys):
        numbers("latency", f"p95 of {journey}, now", _seconds, lambda s, j=journey: _p95(s, j))  # type: ignore[misc]
    for place in _together(made, lambda s: s.worlds.resources):
        if any(place in one.study.worlds.resources and one.study.worlds.resources[place].ours for one in made):
            numbers("fleet", f"{place.words}, {then}", _count, lambda s, p=place: _planned(s, p, last))  # type: ignore[misc]
    outs = tuple(one.study.run_outs[0] for one in made)
    found.append(
        Row(
            kind="date",
            what="Runs out first",
            texts=tuple(
                f"{o.resource.label}, {month_name(as_of, o.quantile(0.5))}" if np.isfinite(o.quantile(0.5)) else "nothing" for o in outs
            ),
        )
    )
    for name in _together(made, lambda s: s.scenario.objectives):
        numbers("risk", f"P({name}), {then}, today’s fleet", _percent, lambda s, n=name: _holds(s, n, last))  # type: ignore[misc]
    texts = [{path: entry.text for path, entry in one.statement.entries.items()} for one in made]
    for path in dict.fromkeys(path for one in texts for path in one):
        stated = tuple(one.get(path, "–") for one in texts)
        if len(set(stated)) > 1 and path != "name":
            found.append(Row(kind="input", what=f"Input: {path}", texts=stated))
    return found


def _together(made: Sequence[Side], of: Callable[[Study], Any]) -> list[Any]:
    return list(dict.fromkeys(key for one in made for key in of(one.study)))


def _p95(study: Study, journey: str) -> float:
    found = study.worlds.percentile_s.get(journey)
    return float("nan") if found is None else median(found[0.95][:, 0])


def _planned(study: Study, place: Any, month: int) -> float:
    one = study.worlds.resources.get(place)
    return float("nan") if one is None else float(study.fleet.counts_at(month).get(place, one.count))


def _holds(study: Study, name: str, month: int) -> float:
    found = study.worlds.judged.get(name)
    return float("nan") if found is None else float(found.holds[:, min(month, found.holds.shape[1] - 1)].mean())


def _seconds(value: float) -> str:
    return "–" if math.isnan(value) else duration(value) if math.isfinite(value) else "saturated"


def _count(value: float) -> str:
    return "–" if math.isnan(value) else count(value)


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else percent(value)


def differing(found: Sequence[Row], allowed: Mapping[str, float]) -> list[Row]:
    """Those in which a side differs from the first by more than is allowed for their kind."""
    return [row for row in found if any(_differs(row, i, allowed.get(row.kind, 0.0)) for i in range(1, len(row.texts)))]


def _differs(row: Row, i: int, allowed: float) -> bool:
    if not row.values:
        return row.texts[i] != row.texts[0]
    first, other = row.values[0], row.values[i]
    if math.isnan(first) or math.isnan(other) or math.isinf(first) or math.isinf(other):
        return row.texts[i] != row.texts[0]
    return row.texts[i] != row.texts[0] and abs(other - first) > allowed * (1.0 if row.kind == "risk" else abs(first))


# ---- what explains it ----


NUMBERS = ("peak hour", "cost per month", "slowest p95", "tightest use")


def explained(made: Sequence[Side]) -> list[Part]:
    """Of each other side: what each group of inputs explains of the change from the first, in the last month both ask for, at the median,
    with today's fleet."""
    found = []
    for other in made[1:]:
        groups, values = _values(made[0].statement, other.statement, min(made[0].study.last, other.study.last))
        parts = shapley([values[subset] for subset in _subsets(len(groups))], len(groups)) if groups else np.zeros((0, len(NUMBERS)))
        for group, row in zip(groups, parts, strict=True):
            for number, value, write in zip(NUMBERS, row.tolist(), (rate, money, duration, _points), strict=True):
                text = change(value, write) if math.isfinite(value) else "saturated" if number == "slowest p95" else "–"
                found.append(Part(side=other.name, number=number, group=group, value=float(value), text=text))
    return found


def _points(value: float) -> str:
    return f"{100 * value:.3g} points"


def _subsets(n: int) -> list[frozenset[int]]:
    """All of them, by the number whose bits they are."""
    return [frozenset(i for i in range(n) if k >> i & 1) for k in range(2**n)]


def shapley(values: Sequence[FloatArray], n: int) -> FloatArray:
    """Shapley values of *n* players, (n, numbers), from the *values* of all subsets, (numbers,) each; subset k has player i where bit i of
    k is set.

    >>> shapley([np.array([0.0]), np.array([2.0]), np.array([0.0]), np.array([6.0])], 2).ravel().tolist()
    [4.0, 2.0]
    """
    table = np.array(values, dtype=float)
    parts = np.zeros((n, table.shape[1]))
    weight = [math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n) for size in range(n)]
    with np.errstate(invalid="ignore"):
        for k, i in itertools.product(range(2**n), range(n)):
            if not k >> i & 1:
                parts[i] += weight[k.bit_count()] * (table[k | 1 << i] - table[k])
    return parts


def _values(first: Statement, other: Statement, last: int) -> tuple[list[str], dict[frozenset[int], FloatArray]]:
    """Groups of inputs that differ, and the numbers of each mix of both sides: the groups of a subset as the *other* states them."""
    differ: dict[str, list[str]] = {}
    for path in dict.fromkeys([*first.entries, *other.entries]):
        texts = [one.entries[path].text if path in one.entries else None for one in (first, other)]
        if texts[0] != texts[1] and path != "name":
            sources = {one.entries[path].source for one in (first, other) if path in one.entries}
            group = REST if None in texts or not sources <= {"stated", "override", "default"} else ".".join(path.split(".")[:2])
            differ.setdefault(group, []).append(path)

    def mixed(groups: Sequence[str], chosen: frozenset[int]) -> FloatArray:
        taken = {groups[i] for i in chosen}
        base, away = (other, first) if REST in taken else (first, other)
        wanted = [g for g in groups if g != REST and (g in taken) == (base is first)]
        sets = [f"{path}={away.entries[path].text}" for g in wanted for path in merged[g]]
        try:
            return _numbers(base.but(*sets), last)
        except BadScenario:  # half of a change is no scenario
            return np.full(len(NUMBERS), np.nan)

    both = ["traffic.peak" in one.entries and one.entries["traffic.peak"].source not in ("stated", "override") for one in (first, other)]
    if all(both):  # a history beats what is stated of users, on both sides
        differ = {group: [p for p in paths if p not in OVERRULED] for group, paths in differ.items()}
        differ = {group: paths for group, paths in differ.items() if paths}
    merged = differ
    names = sorted(differ, key=lambda group: (group == REST, group))
    if len(names) > GROUPS:
        start = mixed(names, frozenset())
        size = {g: _size(mixed(names, frozenset([i])), start) for i, g in enumerate(names)}
        kept = sorted((g for g in names if g != REST), key=lambda g: -size[g])[: GROUPS - 1]
        merged = {g: differ[g] for g in kept} | {REST: [p for g in names if g not in kept for p in differ[g]]}
        names = [*sorted(kept), REST]
    ends = {frozenset[int](): _numbers(first, last), frozenset(range(len(names))): _numbers(other, last)}
    found = {chosen: mixed(names, chosen) for chosen in _subsets(len(names))} | ({} if names else ends)
    reached = all(np.allclose(found[chosen], values, rtol=1e-6, equal_nan=True) for chosen, values in ends.items())
    if names and (not reached or any(np.isnan(values).any() for values in found.values())):  # half of the change is no scenario
        return [REST], {frozenset(): ends[frozenset()], frozenset([0]): _numbers(other, last)}
    return names, found


def _size(values: FloatArray, start: FloatArray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(np.abs(np.where(np.isfinite(values) & (start != 0), values / start - 1, 0.0))))


def _numbers(statement: Statement, last: int) -> FloatArray:
    """NUMBERS of a scenario at its median, in month *last*."""
    scenario = statement.at()
    made = plan(scenario, percentiles=(0.95,), months=max(last, horizon(scenario)) + 1, at_months=[last], objectives=())
    slowest = max(float(values[0.95][0, last]) for values in made.percentile_s.values())
    used = max(float(np.broadcast_to(one.utilization, made.rps.shape)[0, last]) for one in made.resources.values())
    return np.array([float(made.rps[0, last]), float(made.cost_month_usd[0, last]), slowest, used])


# ---- shown ----


def as_text(made: Sequence[Side], found: Sequence[Row], parts: Sequence[Part]) -> str:
    """A line a row, the sides one after the other; then what explains it."""
    out = [f"{'':8}{' | '.join(one.name for one in made)}"]
    out += [one_line(f"{row.kind:8}{row.what}: {' | '.join(row.texts)}") for row in found]
    for side, number in dict.fromkeys((one.side, one.number) for one in parts):
        told = sorted((one for one in parts if (one.side, one.number) == (side, number)), key=lambda one: -abs(np.nan_to_num(one.value)))
        said = "; ".join(f"{one.group} {one.text}" for one in told if one.value != 0)
        out.append(one_line(f"explains {side}, {number}: {said or 'nothing changes'}"))
    return "\n".join(out)


def as_json(made: Sequence[Side], found: Sequence[Row], parts: Sequence[Part]) -> str:
    """The same for programs."""
    return to_json(
        {
            "schema": "perfplan/sides/1",
            "sides": [one.name for one in made],
            "rows": [{"kind": r.kind, "what": r.what, "texts": list(r.texts), "values": list(r.values)} for r in found],
            "explained": [{"side": p.side, "number": p.number, "group": p.group, "value": p.value} for p in parts],
        }
    )


def as_html(made: Sequence[Side], found: Sequence[Row], parts: Sequence[Part]) -> str:
    """The same as a page of its own, in the look of a plan."""
    import pandas as pd

    title = " · ".join(one.name for one in made)
    keys = [f"side_{i}" for i in range(len(made))]
    frame = pd.DataFrame([{"kind": r.kind, "what": r.what, **dict(zip(keys, r.texts, strict=True))} for r in found])
    heads = tuple(Column(key, one.name, str) for key, one in zip(keys, made, strict=True))
    worlds = made[0].study.worlds.rps.shape[0]
    shown = [
        Table(
            name="sides",
            title=f"{len(found)} answers side by side",
            subtitle=f"The same {worlds:,} worlds for all; numbers at the median, with today’s fleet where nothing else is said.",
            frame=frame,
            columns=(Column("what", "What"), *heads),
            stack=2,
            rows=len(found),
        ).html()
    ]
    for side in dict.fromkeys(one.side for one in parts):
        by_group: dict[str, dict[str, Any]] = {}
        for part in parts:
            if part.side == side:
                by_group.setdefault(part.group, {"group": part.group})[part.number] = part.text
        shown.append(
            Table(
                name="explained",
                title=f"What makes {side} differ from {made[0].name}",
                subtitle="Shapley values: each group of inputs in its turn, over all orders; they add up to the change, at the median.",
                frame=pd.DataFrame(list(by_group.values())),
                columns=(Column("group", "Inputs"), *(Column(number, number.capitalize(), str) for number in NUMBERS)),
                stack=2,
            ).html()
        )
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    style = (HERE / "look.css").read_text(encoding="utf-8") + sheet() + FIGURES
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{safe(title)}</title><style>{style}</style></head>'
        f'<body><header class="top"><h1>{safe(title)}</h1></header><main><section class="chapter">{shown[0]}'
        f'<div class="pair">{_chart(made, "P(every promise holds) by month, today’s fleet", _p_all, share, 1.0)}'
        f"{_chart(made, 'Cost per month with the plan, median', _cost, money)}</div>{''.join(shown[1:])}</section></main></body></html>\n"
    )


FIGURES = (
    "\n.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem; margin-block: 1.5rem; }"
)


def _p_all(study: Study) -> FloatArray:
    return np.asarray(study.p_all)


def _cost(study: Study) -> FloatArray:
    return np.median(study.fleet.cost_usd, axis=0)


def _chart(
    made: Sequence[Side], title: str, of: Callable[[Study], FloatArray], write: Callable[[float], str], top: float | None = None
) -> str:
    last = min(one.study.last for one in made)
    months = np.arange(last + 1.0)
    ticks = [(float(m), made[0].study.named(m, short=True)) for m in range(0, last + 1, max(1, round(last / 4)))]
    drawn = [Line(name=one.name, values=of(one.study)[: last + 1], tone=i) for i, one in enumerate(made)]
    return lines(title, ticks, months, drawn, write, top=top)
