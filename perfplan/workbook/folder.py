"""The plan folder: inputs, executed notebooks, tables, plan.json, plan.html, history; written beside, then put in place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perfplan import tables
from perfplan.artifacts import configs
from perfplan.blocks import Table
from perfplan.checklist import states
from perfplan.document import document, to_json
from perfplan.reading import read
from perfplan.scenario.statement import Statement
from perfplan.uncertainty import Study
from perfplan.verify import simulated
from perfplan.workbook.judging import judge
from perfplan.workbook.opening import CACHE, VERIFIED, WORLDS, plan_of, verified
from perfplan.workbook.page import CHAPTERS, page
from perfplan.workbook.place import Making, carry_history, stop_if_asked
from perfplan.workbook.place import making as making_of

SCENARIO = "inputs/scenario.yaml"


class CellFailed(RuntimeError):
    """A notebook did not run; says which, which cell, and what."""


def notebooks_folder() -> Path:
    """Where the notebooks are: in the checkout, or where the wheel put them."""
    return _shipped("notebooks")


def data_folder() -> Path:
    """Where the example scenarios are."""
    return _shipped("data")


def _shipped(name: str) -> Path:
    checkout = Path(__file__).parents[2] / name
    return checkout if checkout.is_dir() else Path(sysconfig.get_path("data")) / "share" / "perfplan" / name


def make(
    path: str | Path, out: str | Path, overrides: tuple[str, ...] = (), worlds: int = WORLDS, engine: str = "one", verify: bool = False
) -> Study:
    """Plan the scenario at *path* and write the plan folder *out*; returns the study.

    Everything is written beside *out* and put in its place at the end: a failure leaves the old plan. See `perfplan.workbook.place`.
    """
    statement = read(path, overrides)
    with making_of(Path(out)) as making:
        study = _fill(making, statement, worlds, engine, verify)
        making.publish()
    return study


def _fill(making: Making, statement: Statement, worlds: int, engine: str, verify: bool) -> Study:
    folder = making.plan
    inputs = _inputs(folder, statement)
    carry_history(folder, making.out)
    kept = (
        *statement.overrides,
        *((f"as_of={statement.entries['as_of'].text}",) if statement.entries["as_of"].source == "default" else ()),
    )
    with _environment({CACHE: str(making.room)}):
        study = plan_of(read(folder / SCENARIO, kept), worlds)
        if verify:
            rows = [asdict(row) for row in simulated(study)]
            (folder / "inputs" / VERIFIED).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        with _engine(engine, folder, making.room) as name:
            notebooks = {file: _run(file, folder, kept, worlds, name) for file in _progress([file for file, _, _ in CHAPTERS])}
    made = document(study) | {"files": inputs}
    (folder / "plan.json").write_text(to_json(made), encoding="utf-8")
    (folder / "plan.html").write_text(page(study, notebooks), encoding="utf-8")
    _tables(folder / "tables", study, verified(str(folder / SCENARIO)))
    _configs(folder / "configs", study, making.room)
    return study


def _configs(folder: Path, study: Study, room: Path) -> None:
    folder.mkdir()
    for name, text in configs(study).items():
        (folder / name).write_text(text, encoding="utf-8")
    verdicts = {name: {"judge": v.judge, "accepted": v.accepted, "said": v.said} for name, v in judge(folder, room).items()}
    (folder / "judged.json").write_text(json.dumps(verdicts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _inputs(folder: Path, statement: Statement) -> dict[str, str]:
    """Copy the scenario and every file it names; returns their hashes."""
    source = Path(statement.file)
    target = folder / "inputs"
    target.mkdir()
    hashes = {}
    for name, file in (("scenario.yaml", source), *((n, source.parent / n) for n in statement.files)):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        hashes[name] = hashlib.sha256(copy.read_bytes()).hexdigest()
    if statement.overrides:
        (target / "overrides.txt").write_text("\n".join(statement.overrides) + "\n", encoding="utf-8")
    return hashes


def _engine(name: str, folder: Path, room: Path) -> contextlib.AbstractContextManager[str | None]:
    """One kernel for all notebooks, or papermill's own engine, which starts one for each."""
    if name == "stock":
        return contextlib.nullcontext()
    from perfplan.workbook.engine import one_kernel

    return one_kernel(folder, room)


def _run(name: str, folder: Path, overrides: tuple[str, ...], worlds: int, engine: str | None) -> Any:
    """Execute one notebook by papermill and keep it in the plan folder."""
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    target = folder / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(exist_ok=True)
    parameters = {"scenario": SCENARIO, "overrides": json.dumps(overrides, ensure_ascii=False) if overrides else "", "worlds": str(worlds)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of papermill's and the kernel client's own code
            made = papermill.execute_notebook(
                str(notebooks_folder() / f"{name}.ipynb"),
                None,
                engine_name=engine,
                parameters=parameters,
                cwd=str(folder),
                progress_bar=False,
                log_output=False,
                kernel_name="python3",
                config=Config(KernelManager={"transport": "ipc"}),  # no port that others could listen on
            )
        stop_if_asked()
    except PapermillExecutionError as error:
        stop_if_asked()  # then the cell failed for that
        raise CellFailed(
            f"notebook {name} did not run\n  cell {error.exec_count}: {error.source.strip().splitlines()[0]}\n  {error.ename}: {error.evalue}"
        ) from None
    _without_times(made)
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return made


def _without_times(notebook: Any) -> None:
    """Take out when, how long and by which engine: the same inputs give the same file."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.id = "injected-parameters"  # papermill draws one at random
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)


def _progress(names: list[str]) -> Iterator[str]:
    """The names, with a bar where someone looks at a terminal."""
    if not sys.stderr.isatty():
        yield from names
        return
    from tqdm import tqdm

    yield from tqdm(names, desc="notebooks", unit="notebook")


def _tables(folder: Path, study: Study, simulated: list[dict[str, Any]] | None) -> None:
    folder.mkdir()
    for one in [*all_tables(study), *(t for t in (tables.measured(study), tables.verified(simulated)) if t)]:
        one.tidy().map(_no_formula).to_csv(folder / f"{one.name}.csv", index=False, lineterminator="\n")


def _no_formula(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, with an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and re.match(r"[=@\t\r]|[+-](?![\d.$])", value) else value


def all_tables(study: Study) -> list[Table]:
    """Every table of a plan."""
    t = tables
    plain = (
        t.orders, t.run_outs, t.needed, t.costs, t.demand, t.rates, t.objectives, t.indicators, t.budgets, t.headroom, t.tiers_of_ambition, t.latencies, t.bottlenecks,
        t.breakpoints, t.what_ifs, t.availabilities, t.caches, t.pools, t.stations, t.jobs, t.timeouts, t.stages, t.predictions, t.burn_rates, t.watch, t.options, t.sensitivities, t.assumptions, t.models, t.accuracy,
    )  # fmt: skip
    return [make_table(study) for make_table in plain] + [t.items(states(study), str(phase)) for phase in range(1, 7)]


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
