"""Documents that are this plan: the architecture with a diagram, objectives and budgets, how each tier is scaled, and what was decided.

Markdown that links into the plan's page beside it.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from perfplan.judging import File
from perfplan.operate import tended, watched
from perfplan.operate.source import Source
from perfplan.operate.text import markdown, mermaid
from perfplan.promises import budget_of
from perfplan.quantity import median
from perfplan.scenario.rules import call_order
from perfplan.subjects.alerts import burns
from perfplan.subjects.budgets import budgets, policy
from perfplan.subjects.flows import flows
from perfplan.subjects.scaling import Start, starts
from perfplan.tiers import count_of, kind_of
from perfplan.words import NBSP, day_name, duration, number, rate, share, weeks

PAGE = "../plan.html"


def _head(source: Source, title: str, about: str) -> str:
    head = source.head(">", title).replace("\n", "  \n")
    return f"# {title}: {markdown(source.study.scenario.name)}\n\n{head}\n{about}\n"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, tuple("---" for _ in header), *rows)]
    return "\n".join(lines) + "\n"


# ---- architecture ----


def architecture(source: Source) -> str:
    """What there is, who calls whom and how often, and the models that it is planned with."""
    study, scenario = source.study, source.study.scenario
    found = flows(study)
    names = list(dict.fromkeys(name for one in found for name in (one.caller, one.called)))
    ids = {name: f"n{i}" for i, name in enumerate(names)}
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'  {ids[name]}["{mermaid(name)}{_size(source, name)}"]' for name in names]
    lines += [f'  {ids[one.caller]} -->|"{rate(one.rps).replace(NBSP, " ")}"| {ids[one.called]}' for one in found]
    rows = []
    for name in reversed(call_order(scenario)):
        tier = scenario.tiers[name]
        counts = ", ".join(f"{one.field} {_planned(source, name, one.field)}" for one in kind_of(tier).owned.bought) or "not ours"
        response = study.middle.carried.responses[name]
        rows.append((markdown(name), tier.kind, markdown(counts), duration(float(np.ravel(response.mean_s)[0]))))
    about = f"Today's peak hour, {rate(float(study.middle.rps[0, 0]))}; numbers and models: [{PAGE}]({PAGE}#architecture).\n"
    table = _table(("tier", "kind", "today, and by the plan", "mean response today"), rows)
    return _head(source, "Performance architecture", about) + "\n" + "\n".join([*lines, "```", "", table])


def _size(source: Source, name: str) -> str:
    """What is there of a tier, for its box."""
    tier = source.study.scenario.tiers.get(name)
    first = next(iter(kind_of(tier).owned.bought), None) if tier is not None else None
    return f": {number(count_of(tier, first.field))} {first.field}" if tier is not None and first is not None else ""


def _planned(source: Source, name: str, field: str) -> str:
    today, planned = count_of(source.study.scenario.tiers[name], field), source.count(name, field)[0]
    return f"{number(today)}, as now" if planned == today else f"{number(today)} → {number(planned)} for {source.month}"


# ---- objectives ----


def objectives(source: Source) -> str:
    """Every promise with its indicator and budget, and what is done as budgets run out."""
    study, found = source.study, {one.objective: one for one in budgets(source.study)}
    rows = []
    for name, objective in study.scenario.objectives.items():
        indicator, one, stated = watched(objective).measured.indicator(objective), found.get(name), budget_of(objective)
        budget = "none"
        if one is not None and stated is not None:
            budget = f"{share(1 - one.target)} of {stated.window}, {stated.method}: {number(one.budget_requests)} events today"
        seen = next((burn.budget for burn in burns(study) if burn.objective == name), None)
        if one is not None and seen is not None and abs(seen / (1 - one.target) - 1) > 1e-6:
            budget += f"; {share(seen)} of what its counters see, as the edge answers the others"
        sentence = watched(objective).spoken.sentence(objective)
        counted = f"{indicator.event}: {indicator.good}"
        rows.append(tuple(map(markdown, (name, sentence, counted, indicator.where, budget))))
    owners = "whoever decides on deployments"
    steps = [(share(median(step.left)), markdown(step.action), markdown(step.owner or owners)) for step in policy(study)]
    kept, left = f"[{PAGE}]({PAGE}#requirements)", f"[{PAGE}]({PAGE}#monitoring)"
    about = f"What of them holds, and until when: {kept}; what is left of the budgets: {left}.\n"
    return (
        _head(source, "Objectives and error budgets", about)
        + "\n"
        + _table(("promise", "what is promised", "what is counted, and what is good", "where", "budget"), rows)
        + "\n## As a budget runs out\n\n"
        + _table(("left", "what is done", "by"), steps)
        + "\n`perfplan budget SCENARIO --gate` ends with 1 where less is left than deployments need.\n"
    )


# ---- scaling ----


def scaling(source: Source) -> str:
    """Of each tier: the load at which to start, what to do, how long it takes and the way back."""
    scenario, parts = source.study.scenario, []
    for name in reversed(call_order(scenario)):
        tier = scenario.tiers[name]
        said = tended(tier).scaling(source, name, tier)
        if not said:
            continue
        lines = [f"## {markdown(name)}\n", f"{said.removeprefix('- ')}\n"]
        mine = (one for one in starts(source.study) if one.place.tier == name)
        lines += [f"- `{one.place.field}`: {_start(one)}; {markdown(_planned(source, name, one.place.field))}" for one in mine]
        commands = tended(tier).commands(source, name, tier)
        lines += ["", "```sh", *commands, "```", BACK] if commands else [""]
        parts.append("\n".join(lines))
    about = (
        f"Who runs out when, and what is to be ordered by which day, events of the plan included: [{PAGE}]({PAGE}#plan). Loads here are "
        "of all requests that come to the balancer in the peak hour, as the dashboards show them, and know growth alone.\n"
    )
    return _head(source, "Scaling, tier by tier", about) + "\n" + "\n".join(parts)


BACK = "\nThe way back: the same with the count that was there, in a quiet hour, once the peak is over and nothing waits.\n"


def _start(one: Start) -> str:
    """The load at which to start, so that what is ordered is there before its limit is passed."""
    if not np.isfinite(one.full_rps):
        return f"within its limit at every load that was tried (lead time {weeks(one.lead_s)})"
    return f"start at {rate(one.start_rps)}: its limit is reached at {rate(one.full_rps)}, and it takes {weeks(one.lead_s)}"


# ---- decisions ----


def decisions(source: Source) -> str:
    """What was decided about purchases and what was answered to the checklist, as one log, the newest first."""
    scenario, as_of = source.study.scenario, source.study.as_of
    rows: list[tuple[str, str, str, str, str | None, str | None, str | None]] = [
        (one.date, name, one.choice, one.owner, one.reason, one.review, one.link) for name, one in scenario.decisions.items()
    ]
    rows += [(one.date, f"item {id}", one.value, one.owner, one.note, one.review, one.link) for id, one in scenario.answers.items()]
    lines = []
    for date, about, choice, owner, why, review, link in sorted(rows, key=lambda row: row[0], reverse=True):
        due = datetime.date.fromisoformat(review) if review else None
        again = "" if due is None else f"{day_name(due)}{' (due)' if due <= as_of else ''}"
        lines.append((day_name(datetime.date.fromisoformat(date)), *map(markdown, (about, choice, owner, why or "", again, link or ""))))
    asks = f"What the plan asks to be decided now: [{PAGE}]({PAGE}#plan).\n"
    table = _table(("date", "about", "decided", "by", "why", "to be looked at again", "where"), lines)
    none = "None is recorded: `decisions:` and `answers:` of the scenario.\n"
    return f"{_head(source, 'Decisions', asks)}\n{table if lines else none}"


def files(source: Source) -> tuple[File, ...]:
    """The documents."""
    made = {"architecture.md": architecture, "objectives.md": objectives, "scaling.md": scaling, "decisions.md": decisions}
    return tuple(File(name=name, text=make(source), judge=None) for name, make in made.items())
