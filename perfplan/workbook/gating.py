"""`perfplan budget`: what is left of the error budgets as measured, for pipelines that deploy only where enough is."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass

from perfplan.document import to_json
from perfplan.plan import plan
from perfplan.quantity import FRACTION, Misread, median
from perfplan.reading import BadScenario, Problem
from perfplan.scenario.statement import Statement
from perfplan.stated import parse
from perfplan.study.budget import Behind, behind_of
from perfplan.words import day_name, listed, share

OLD_DAYS, COVERED = 3, 0.5  # days that outcomes may be old, and share of the window that must be measured, for a gate to open


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `budget` says."""

    name: str
    gate: float | None  # share of a budget that must be left; None: it was not asked for
    as_of: datetime.date
    budgets: tuple[Behind, ...]

    @property
    def blind(self) -> list[str]:
        """Promises of whose window too little was measured to open a gate: rows that end long ago, holes, or no event at all."""
        if self.gate is None:
            return []
        oldest = self.as_of - datetime.timedelta(days=OLD_DAYS)
        return [one.objective for one in self.budgets if one.end.date() < oldest or one.covered < COVERED or not one.events > 0]

    @property
    def short(self) -> list[str]:
        """Promises of whose budget less is left than is asked for."""
        return [one.objective for one in self.budgets if self.gate is not None and one.left < self.gate]

    @property
    def passes(self) -> bool:
        """Whether enough is left of each."""
        return not self.short and not self.blind

    def text(self) -> str:
        """A line a promise, and what the gate says."""
        lines = [_line(one, self.gate) for one in self.budgets]
        if self.gate is not None:
            why = [f"less than {share(self.gate)} is left of {listed(self.short)}"] if self.short else []
            rule = f"outcomes up to {OLD_DAYS} days ago, {share(COVERED)} of the window, some events"
            why += [f"too little is known of {listed(self.blind)} (needed: {rule})"] if self.blind else []
            lines.append(f"gate   {'closed: ' + '; '.join(why) if why else 'open'}")
        return "\n".join(lines)

    def json(self) -> str:
        """The same for programs."""
        rows = [
            asdict(one) | {"start": str(one.start), "end": str(one.end), "exhausted": one.exhausted and str(one.exhausted)}
            for one in self.budgets
        ]
        return to_json(
            {
                "schema": "perfplan/budget/1",
                "name": self.name,
                "gate": self.gate,
                "passes": self.passes,
                "blind": self.blind,
                "budgets": rows,
            }
        )


def report(statement: Statement, gate: str | None) -> Report:
    """What is left of each budget with outcomes; *gate*: what must be, "" as the scenario's freeze_at, None: nobody asks."""
    scenario = statement.at()
    found = behind_of(statement, scenario, plan(scenario, percentiles=(), months=1).judged)
    if not found:
        said = "must name outcomes of at least one promise with a budget (measured.NAME: {objective, outcomes}); nothing was measured"
        raise BadScenario(statement.file, [Problem(0, "measured", said)])
    try:
        asked = None if gate is None else median(scenario.freeze_at) if gate == "" else parse(gate, FRACTION).mid
    except Misread as error:
        raise BadScenario("perfplan budget", [Problem(0, "--gate", str(error))]) from None
    return Report(name=scenario.name, gate=asked, as_of=datetime.date.fromisoformat(str(scenario.as_of)), budgets=tuple(found))


def _line(one: Behind, gate: float | None) -> str:
    word = "SPENT " if one.left < 0 else "LOW   " if gate is not None and one.left < gate else "ok    "
    left = f"{share(one.left, 2)} left" if one.left > 0 else f"overspent, {share(one.spent, 2)} is gone"
    interval = f"{share(max(one.left_low, 0.0), 2)} to {share(max(one.left_high, 0.0), 2)}" if one.left_high > 0 else "none"
    gone = f"; gone on {day_name(one.exhausted)} at this pace" if one.exhausted is not None else ""
    return (
        f"{word} {one.objective}: {left} (90 %: {interval}) of the budget of {one.window} until {day_name(one.end.date())}, "
        f"{share(one.covered, 2)} of it measured; {share(one.good)} good, {share(one.target)} promised; {one.method}{gone}"
    )
