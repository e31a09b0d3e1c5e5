"""`perfplan check`: today's fleet judged quickly, for pipelines: in words, as JSON, or again at every save."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from perfplan.checklist import states, summary
from perfplan.document import to_json
from perfplan.operate import watched
from perfplan.plan import plan, until
from perfplan.quantity import median
from perfplan.reading import BadScenario
from perfplan.scenario.statement import Statement
from perfplan.study import study
from perfplan.study.verdicts import early, first_below, when_below
from perfplan.study.worlds import horizon, run_outs, sampling_error
from perfplan.words import month_name, percent, share


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Whether a promise holds with its confidence to its end, with today's fleet."""

    name: str
    promise: str  # in words
    holds: bool
    breaks_from: str  # month; "" where it holds
    broken: str  # the months in which it does not hold, in words
    until: str  # the last month asked for
    lowest_p: float
    sampling_error: float  # half of the 95 % interval
    asked_p: float


@dataclass(frozen=True, kw_only=True)
class Out:
    """A resource that may run out within the plan."""

    resource: str
    may_from: str  # month
    named: str  # with which probability
    median: str  # month


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `check` says."""

    name: str
    worlds: int
    holds: bool
    promises: tuple[Kept, ...]
    run_outs: tuple[Out, ...]
    p_now: float
    p_last: float  # that all promises hold, in the last month
    p_lowest: float
    lowest: str  # the month of that
    last: str

    def text(self) -> str:
        """A line for each promise, each resource that may run out, and all promises together."""
        return "\n".join([*map(_promise, self.promises), *map(_out, self.run_outs), _all(self)])

    def json(self) -> str:
        """The same for programs."""
        return to_json({"schema": "perfplan/check/1", **asdict(self)})


def check(statement: Statement, worlds: int, seed: int = 7) -> Report:
    """Whether every objective holds with its confidence in every month up to its own."""
    drawn = statement.at(worlds, seed)
    months = horizon(drawn) + 1
    made = plan(drawn, percentiles=(), months=months)
    as_of = str(drawn.as_of)
    promises = []
    for name, judged in made.judged.items():
        p = np.asarray(judged.holds.mean(axis=0))
        asked, last = median(judged.objective.confidence), min(until(judged.objective), months - 1)
        start = first_below(p[: last + 1], asked)
        lowest = float(p[: last + 1].min())
        promises.append(
            Kept(
                name=name,
                promise=watched(judged.objective).spoken.sentence(judged.objective),
                holds=not np.isfinite(start),
                breaks_from=month_name(as_of, start) if np.isfinite(start) else "",
                broken=when_below(p[: last + 1], asked, lambda m: month_name(as_of, m)),
                until=month_name(as_of, last),
                lowest_p=lowest,
                sampling_error=sampling_error(lowest, worlds),
                asked_p=asked,
            )
        )
    outs = []
    for out in run_outs(made):
        month, named = early(drawn, out)
        if np.isfinite(month):
            middle = month_name(as_of, out.quantile(0.5))
            outs.append(Out(resource=out.resource.label, may_from=month_name(as_of, month), named=named, median=middle))
    p_all = made.all_hold.mean(axis=0)
    return Report(
        name=drawn.name,
        worlds=worlds,
        holds=all(one.holds for one in promises),
        promises=tuple(promises),
        run_outs=tuple(outs),
        p_now=float(p_all[0]),
        p_last=float(p_all[-1]),
        p_lowest=float(p_all.min()),
        lowest=month_name(as_of, int(p_all.argmin())),
        last=month_name(as_of, months - 1),
    )


def _promise(one: Kept) -> str:
    when = f"holds to {one.until}, the end asked for" if one.holds else f"does not hold {one.broken}"
    return (
        f"{'ok    ' if one.holds else 'BROKEN'} {one.name}: {when}; lowest P {percent(one.lowest_p)} "
        f"(± {share(one.sampling_error, 2)} sampling error), {percent(one.asked_p)} asked; {one.promise}"
    )


def _out(one: Out) -> str:
    return f"note   {one.resource} may run out from {one.may_from} ({one.named}), P50 {one.median}"


def _all(report: Report) -> str:
    least = f", lowest {percent(report.p_lowest)} in {report.lowest}" if report.p_lowest < min(report.p_now, report.p_last) else ""
    return (
        f"P(every objective holds): {percent(report.p_now)} now, {percent(report.p_last)} in {report.last}{least}; {report.worlds} worlds"
    )


def items(statement: Statement, worlds: int) -> str:
    """The state of every item, a line each, and the count."""
    found = states(study(statement, worlds))
    lines = [f"{s.item.id:9} {s.verdict:14} {s.answer:9} {s.item.text}: {s.text}" for s in found]
    return "\n".join([*lines, summary(found)])


# ---- again and again ----

EVERY_S = 0.2  # that files are looked at


def watch(read_it: Callable[[], Statement], folder: Path, worlds: int, say: Callable[[str], None]) -> Iterator[bool]:
    """Check at every save of a file in the scenario's *folder*, and say the verdict and what changed; yields whether all holds, each time.

    What cannot be read is said, and looked at again at the next save.
    """
    before: tuple[Statement, Report] | None = None
    seen: Mapping[Path, tuple[int, int]] = {}
    while True:
        now = _stamps(folder)
        if now == seen:
            time.sleep(EVERY_S)
            continue
        seen = now
        try:
            statement = read_it()
            report = check(statement, worlds)
        except BadScenario as error:
            say(str(error))
            yield False
            continue
        lines = [report.text()] if before is None else changes(*before, statement, report)
        say("\n".join([*lines, "holds" if report.holds else "BROKEN"]))
        before = statement, report
        yield report.holds


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """When the files of a folder, and of those in it, were last written, and their sizes; links are not followed."""
    found = {}
    for path in (*folder.glob("*"), *folder.glob("*/*")):
        if path.is_file() and not path.is_symlink():
            state = path.stat()
            found[path] = (state.st_mtime_ns, state.st_size)
    return found


def changes(was: Statement, before: Report, statement: Statement, now: Report) -> list[str]:
    """What differs: fields that were stated otherwise, then lines of the report."""
    fields = dict.fromkeys([*was.entries, *statement.entries])
    texts = [(path, *(one.entries[path].text if path in one.entries else "not stated" for one in (was, statement))) for path in fields]
    lines = [f"       {path}: {old} -> {new}" for path, old, new in texts if old != new]
    said, out = set(before.text().splitlines()), {one.resource for one in now.run_outs}
    gone = [f"note   {one.resource} lasts now" for one in before.run_outs if one.resource not in out]
    return [*lines, *(line for line in now.text().splitlines() if line not in said), *gone]
