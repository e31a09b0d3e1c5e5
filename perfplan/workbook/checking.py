"""`perfplan check`: today's fleet judged quickly, for pipelines."""

from __future__ import annotations

import numpy as np

from perfplan.checklist import states, summary
from perfplan.operate import watched
from perfplan.plan import plan, until
from perfplan.quantity import median
from perfplan.scenario.statement import Statement
from perfplan.study import study
from perfplan.study.verdicts import early, first_below
from perfplan.study.worlds import horizon, run_outs, sampling_error
from perfplan.words import month_name, percent, share


def check(statement: Statement, worlds: int, seed: int = 7) -> tuple[str, bool]:
    """A report in words, and whether every objective holds with its confidence in every month up to its own."""
    drawn = statement.at(worlds, seed)
    months = horizon(drawn) + 1
    made = plan(drawn, percentiles=(), months=months)
    as_of = str(drawn.as_of)
    lines, holds = [], True
    for name, judged in made.judged.items():
        p = np.asarray(judged.holds.mean(axis=0))
        asked, last = median(judged.objective.confidence), min(until(judged.objective), months - 1)
        start = first_below(p[: last + 1], asked)
        good = not np.isfinite(start)
        holds &= good
        when = f"holds to {month_name(as_of, last)}, the end asked for" if good else f"does not hold from {month_name(as_of, start)}"
        lowest = float(p[: last + 1].min())
        error = sampling_error(lowest, worlds)
        lines.append(
            f"{'ok    ' if good else 'BROKEN'} {name}: {when}; lowest P {percent(lowest)} (± {share(error, 2)} sampling error), "
            f"{percent(asked)} asked; {watched(judged.objective).spoken.sentence(judged.objective)}"
        )
    for out in run_outs(made):
        month, named = early(drawn, out)
        if np.isfinite(month):
            lines.append(
                f"note   {out.resource.label} may run out from {month_name(as_of, month)} ({named}), P50 "
                f"{month_name(as_of, out.quantile(0.5))}"
            )
    p_all = made.all_hold.mean(axis=0)
    lines.append(
        f"P(every objective holds): {percent(float(p_all[0]))} now, {percent(float(p_all[-1]))} in "
        f"{month_name(as_of, months - 1)}; {worlds} worlds"
    )
    return "\n".join(lines), holds


def items(statement: Statement, worlds: int) -> str:
    """The state of every item, a line each, and the count."""
    found = states(study(statement, worlds))
    lines = [f"{s.item.id:9} {s.verdict:14} {s.answer:9} {s.item.text}: {s.text}" for s in found]
    return "\n".join([*lines, summary(found)])
