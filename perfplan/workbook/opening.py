"""What a notebook calls: open a plan by its scenario, and the blocks that are neither figure nor table."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perfplan.artifacts import files as files_of
from perfplan.checklist import ANSWERS, VERDICTS, ItemState, summary, tally, verdict_on
from perfplan.document.findings import findings as all_findings
from perfplan.judging import JUDGED, Judgements, kept_judgements
from perfplan.reading import BadScenario, read
from perfplan.reading.nodes import Problem, overrides_of
from perfplan.scenario.statement import Statement
from perfplan.shown.blocks import HEADING, SHEET, Block, Html, empty_block, finding_block, key, mix, safe
from perfplan.study import Study, sampling_error, study
from perfplan.study.verdicts import BROKEN
from perfplan.words import listed, month_name
from perfplan.workbook.chapters import CHAPTERS
from perfplan.workbook.kept import newest
from perfplan.workbook.limits import enough

WORLDS, SEED = 2000, 7
CACHE = "PERFPLAN_CACHE"  # folder in which one run's notebooks find the plan that was computed for them
_OPEN: dict[str, Study] = {}


def open_plan(scenario: str, overrides: str = "", worlds: str = "", **fields: str) -> Study:
    """The plan of a scenario file with overrides; remembered by content, so that one kernel computes a plan once.

    *overrides*: "field=value; field=value", or a JSON list of them. *worlds*: how many, 2,000 if empty. Other *fields* are notebook
    parameters: `peak_users="80k"` states traffic.peak_users; empty ones are as in the scenario. A relative path is looked up from the
    working folder, then from the folders above it.
    """
    named = [f"{FIELDS[name]}={text}" for name, text in fields.items() if str(text).strip()]  # papermill makes `80000` an int
    statement = stated(find(scenario), (*named, *overrides_of(overrides)))
    count = _count(str(worlds))
    enough("check", statement, count)
    return plan_of(statement, count)


def stated(path: Path, overrides: tuple[str, ...]) -> Statement:
    """The statement of the file at *path*; read once per run, where a run shares a folder: nobody changes its copy of the inputs
    meanwhile."""
    folder = os.environ.get(CACHE)
    if folder is None:
        return read(path, overrides)
    digest = hashlib.sha256(json.dumps([os.path.realpath(path), overrides]).encode("utf-8", "surrogatepass"))
    stored = Path(folder) / f"{digest.hexdigest()}.statement"
    if not stored.is_file():
        stored.write_bytes(pickle.dumps(read(path, overrides)))
    found: Statement = pickle.loads(stored.read_bytes())  # written by this run, into a folder of its own
    return replace(found, file=str(path))


FIELDS = {
    "peak_users": "traffic.peak_users",
    "requests_per_user": "traffic.requests_per_user",
    "growth": "traffic.growth",
    "as_of": "as_of",
}


def _count(worlds: str) -> int:
    text = worlds.strip() or os.environ.get("PERFPLAN_WORLDS", str(WORLDS))
    if not text.isdigit() or not 30 <= int(text) <= 100_000:
        raise BadScenario("parameters", [Problem(0, "worlds", f"must be a whole number from 30 to 100000; got {text}")])
    return int(text)


def find(path: str) -> Path:
    """A relative path from the working folder or the nearest folder above it that has it; else the path as it is."""
    given = Path(path)
    for folder in ([Path.cwd(), *Path.cwd().parents][:4]) if not given.is_absolute() else ():
        if (folder / given).exists():
            return Path(os.path.relpath(folder / given))
    return given


def content_key(statement: Statement, worlds: int) -> str:
    """A hash of everything a plan depends on: the statement's entries, the history, worlds, seed and this code."""
    digest = hashlib.sha256(f"{worlds} {SEED} {code_key()}".encode())
    for path, entry in sorted(statement.entries.items()):
        digest.update(f"{path}\0{entry.text}\0{entry.where}\0{entry.beside}\n".encode("utf-8", "surrogatepass"))
    digest.update(statement.digest().encode())  # history, samples and points
    return digest.hexdigest()


@functools.cache
def code_key() -> str:
    """A hash of the package's own sources: another version computes anew."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def plan_of(statement: Statement, worlds: int = WORLDS) -> Study:
    """The study of *statement*, computed once per content and kernel (and once per run, which shares it with its notebooks)."""
    name = content_key(statement, worlds)
    if name not in _OPEN:
        folder = os.environ.get(CACHE)
        shared = Path(folder) / f"{name}.pickle" if folder else None
        if shared is not None and shared.is_file():
            with shared.open("rb") as file:
                _OPEN[name] = pickle.load(file)  # written by this run, into a folder of its own
        else:
            _OPEN[name] = study(statement, worlds, SEED)
    return _OPEN[name]


def share(made: Study, room: Path) -> None:
    """Leave a study in *room*, the folder of a run, for its notebooks: with all that was made of it."""
    name = content_key(made.statement, made.worlds.rps.shape[0])
    with (room / f"{name}.pickle").open("wb") as file:
        pickle.dump(made, file, protocol=5)  # the others copy each array, and keep the copies


def previous(scenario: str) -> dict[str, Any] | None:
    """The newest earlier plan of the plan folder that *scenario* lies in; None where there is none that can be read."""
    return newest(find(scenario).resolve().parent.parent / "history")


# ---- blocks ----


def style() -> Block:
    """The look of the plan, for a notebook: shown once at its top."""
    sheet = Path(__file__).with_name("look.css").read_text(encoding="utf-8")
    light = ":scope { color-scheme: light; }"  # notebooks have a theme of their own
    return Block(markup=Html(f"<style>@scope (.perfplan) {{ {sheet} {light} }}</style>"), part=SHEET)


def chapter(made: Study, phase: int) -> Block:
    """Title (the answer) and lead of a chapter."""
    title, lead = CHAPTERS[phase].head(made)
    return Block(markup=Html(f"<h2>{safe(title)}</h2><p>{safe(lead)}</p>"), part=HEADING)


def findings(made: Study, phase: int) -> Block:
    """The findings of one phase; promises that break first. Phase 0: what breaks first of all."""
    everything = all_findings(made)
    broken = [f for f in everything if f.kind == BROKEN]
    rows = [f for f in broken if f.month == broken[0].month] if phase == 0 else [f for f in everything if f.phase == phase]
    as_of = str(made.scenario.as_of)
    blocks = []
    for f in rows:
        severity = f.severity + (f", first in {month_name(as_of, f.month)}" if f.kind == BROKEN and f.month > 0 else "")
        blocks.append(finding_block(f.kind, severity, f.title, {"Rule": f.rule, "Value": f.value, "Reason": f.reason, "Remedy": f.remedy}))
    calm = empty_block("Nothing is broken", "Every promise holds for the months asked for, with what there is today.") if phase == 0 else ""
    return Block(markup=Html("".join(blocks) or calm))


def files(made: Study, *beginnings: str, judged: Judgements | None = None) -> Block:
    """The generated files whose names begin so, each behind its name; *judged*: what the real tools said of them."""
    shown, parts = [one for one in files_of(made) if one.name.startswith(beginnings)], []
    for file in shown:
        head = f"<summary>configs/{safe(file.name)}, {safe(verdict_on(file, judged or {}))}</summary>"
        parts.append(f'<details class="code">{head}<pre tabindex="0"><code>{safe(file.text)}</code></pre></details>')
    names = listed([f"configs/{file.name}" for file in shown])
    parts.append(f'<p class="print-only">{safe(names)} lie{"s" * (len(shown) == 1)} beside this page.</p>')
    note = '<p class="note">Generated with the numbers of this plan, each line with its reason; inputs/judged.json has what tools said.</p>'
    return Block(markup=Html(f'<div class="files">{note}{"".join(parts)}</div>'))


def rests(made_of: Study) -> Block:
    """What the numbers rest on, and what they leave out."""
    worlds = made_of.worlds.rps.shape[0]
    most = f"{worlds:,} draws of every uncertain input, stratified; the sampling error of a probability is at most"
    rows = (("Worlds", f"{most} {100 * sampling_error(0.5, worlds):.1f} points."), *RESTS)
    body = "".join(f"<dt>{safe(a)}</dt><dd>{safe(b)}</dd>" for a, b in rows)
    return Block(markup=Html(f'<article class="finding holds"><dl>{body}</dl></article>'))


RESTS = (
    (
        "Stations",
        "M/M/c, or M/G/c where the spread of service times is known, or processor sharing where cores are shared; per node at its share of "
        "the load; which model stands where, and its error, below.",
    ),
    (
        "Percentiles",
        "Cosine series of each journey’s distribution; within 0.5 % of exact results (measured in the project’s benchmarks).",
    ),
    (
        "Independence",
        "The parts of a path are taken as independent; what they share (a slow network, a full disk) makes tails longer than shown.",
    ),
    (
        "Blocking threads",
        "A thread is held for its own work and what it waits for; the wait for a thread is stretched for the spread of that time "
        "(Allen and Cunneen).",
    ),
    (
        "Caches",
        "Che’s characteristic time for LRU under Zipf popularity: within a hundredth of exact results for caches of useful size. "
        "Recency beyond popularity is not modelled.",
    ),
    ("Growth", "A steady rate, compounded, with events on top; seasons are not modelled yet, and no backtest is shown yet."),
    ("Failures", "One at a time, or one zone under every tier; two at once, and repeated requests, are not modelled yet."),
)
VERIFIED = "verified.json"


def verified(scenario: str) -> list[dict[str, Any]] | None:
    """What the simulation of a plan's worst months found; it lies beside the scenario of a plan that was made with --verify."""
    path = find(scenario).with_name(VERIFIED)
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def judged(scenario: str) -> Judgements:
    """What the real tools said of a plan's generated files when it was made; it lies beside the plan's scenario. Nothing elsewhere."""
    path = find(scenario).with_name(JUDGED)
    try:
        return kept_judgements(path)
    except (ValueError, RecursionError) as error:
        raise BadScenario(str(path), [Problem(0, "judged", f"must be what perfplan wrote there: {error}")]) from None


def missing(title: str, needed: str) -> Block:
    """A question that this plan does not answer yet, and what it needs."""
    return Block(markup=empty_block(title, needed))


def checklist_table(found: Sequence[ItemState]) -> Html:
    """How many of the items have which answer and verdict, by phase."""
    rows = tally(found)
    answer_kinds = [(a, a if a != "none" else "no answer") for a in ANSWERS]
    css = {"met": "met", "at risk": "risk", "not met": "notmet", "not applicable": "na", "unanswered": "unanswered"}
    verdict_kinds = [(css[v], v) for v in VERDICTS]
    body = "".join(
        f'<tr role="row"><th role="rowheader" scope="row">{safe(t.phase)}</th><td role="cell" class="num" data-label="Items">{t.total}</td>'
        f'<td role="cell" class="num" data-label="Not met">{f"<b class=broken>{t.verdicts[2]}</b>" if t.verdicts[2] else 0}</td>'
        f'<td role="cell" class="wide" data-label="Answers">{mix(answer_kinds, t.answers)}</td>'
        f'<td role="cell" class="wide" data-label="Verdicts">{mix(verdict_kinds, t.verdicts)}</td></tr>'
        for t in rows[:-1]
    )
    total = rows[-1]
    worst = max(rows[:-1], key=lambda t: t.verdicts[2])
    title = (
        f"{worst.phase} has {worst.verdicts[2]} of the {total.verdicts[2]} items that are not met"
        if total.verdicts[2]
        else "No item is not met"
    )
    keys = "".join(
        f"<div><b>{head}</b>{key(kinds, counts)}</div>"
        for head, kinds, counts in (("Answers", answer_kinds, total.answers), ("Verdicts", verdict_kinds, total.verdicts))
    )
    head = "".join(
        f'<th role="columnheader" scope="col"{c}>{h}</th>'
        for h, c in (("Phase", ""), ("Items", " class=num"), ("Not met", " class=num"), ("Answers", ""), ("Verdicts", ""))
    )
    said = f"{summary(found)}. A bar is a whole phase, its parts in the order of the keys below."
    return Html(
        '<div class="table"><table role="table" class="stack" style="--cols:2">'
        f"<caption><b>{safe(title)}</b><small>{safe(said)}</small></caption>"
        f'<thead><tr role="row">{head}</tr></thead><tbody>{body}</tbody></table><div class="keys">{keys}</div></div>'
    )
