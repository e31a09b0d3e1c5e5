"""The plan folder: inputs, executed notebooks, tables, plan.json, plan.html, history; written beside, then put in place."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perfplan import tables
from perfplan.artifacts import files as files_of
from perfplan.checklist import states
from perfplan.document import document, to_json
from perfplan.judging import JUDGED, Judgements, judgements
from perfplan.judging import written as judged_text
from perfplan.reading import BadScenario, Problem, read
from perfplan.scenario.statement import Statement
from perfplan.shown.blocks import Table
from perfplan.study import Study
from perfplan.study.verify import simulated
from perfplan.system import LOCAL_SOCKETS, enough_files
from perfplan.terminal import say
from perfplan.workbook.carrying import carry, carry_history, hash_of, looked_at, sign, survey
from perfplan.workbook.chapters import CHAPTERS
from perfplan.workbook.handing import PDF, PICTURE, SUMMARY, TABLES, paper, picture, spreadsheet, summary
from perfplan.workbook.limits import SPACE, enough, enough_for_rooms
from perfplan.workbook.opening import CACHE, VERIFIED, WORLDS, plan_of, share, stated, verified
from perfplan.workbook.page import page
from perfplan.workbook.pictures import pictured
from perfplan.workbook.place import Making, ready, real, stop_if_asked, unhurried
from perfplan.workbook.place import making as making_of

SCENARIO = "inputs/scenario.yaml"


class CellFailed(RuntimeError):
    """A notebook did not run; says which, which cell, and what."""


def notebooks_folder() -> Path:
    """Where the notebooks are."""
    return shipped("notebooks")


def data_folder() -> Path:
    """Where the example scenarios are."""
    return shipped("data")


def shipped(name: str) -> Path:
    """A folder that travels inside the package; in a checkout it lies beside it."""
    package = Path(__file__).parents[1]
    return package / name if (package / name).is_dir() else package.parent / name


LAB = "perfplan-lab"  # the copy that JupyterLab opens


def workbook(here: Path) -> Path:
    """The folder for JupyterLab to open: the checkout where one works in it, else *here*, with a copy of notebooks and examples in LAB.

    What is there already stays as it is.
    """
    package = Path(__file__).parents[1]
    if not (package / "notebooks").is_dir() and here.resolve().is_relative_to(package.parent):
        return package.parent
    for name in ("notebooks", "data"):
        if not (here / LAB / name).exists():
            half = here / LAB / f".{name}.making"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(shipped(name), half)
            half.rename(here / LAB / name)
    return here / LAB


def make(
    path: str | Path,
    out: str | Path,
    overrides: tuple[str, ...] = (),
    worlds: int = WORLDS,
    engine: str = "one",
    verify: bool = False,
    renamed: bool = False,
    quick: bool = True,
) -> Study:
    """Plan the scenario at *path* and write the plan folder *out*; returns the study.

    Everything is written beside *out* and put in its place at the end: a failure leaves the old plan. See `perfplan.workbook.place`. What
    is somebody's own in the old folder is carried over, see `perfplan.workbook.carrying`; *renamed*: also where that is the plan of a
    service of another name; *quick*: without what a Chromium makes, plan.pdf and static pictures in notebooks. Raises `BadScenario` where
    *out* must not be replaced, and `Lacking` where the system has too little for the work.
    """
    out = real(out)
    statement = read(path, overrides)
    _refuse_to_hold(out, statement)
    survey(out, str(statement.entries["name"].value), renamed)  # before anything in it is looked at for size and rights
    _ready(out, statement, worlds)
    with making_of(out) as making:
        said = carry_history(making.plan, out)
        statement = copy_inputs(making.plan, Path(path), statement)
        survey(out, str(statement.entries["name"].value), renamed)
        study, notebooks = fill(making, statement, worlds, engine, verify)
        said += [] if quick else _handed(making.plan, notebooks)
        stop_if_asked()
        sign(making.plan)
        found = survey(out, str(statement.entries["name"].value), renamed)  # what has come meanwhile is carried too
        said += [*carry(making.plan, out, found), *_large(making.plan, statement)]
        stop_if_asked()
        with unhurried():  # from here on the new plan stands, and whoever asks to stop is too late
            old = making.publish()
            if old is not None:
                said += carry(out, old, looked_at(old, strict=False).beyond(found))
            for line in said:
                say(line, sys.stderr)
    return study


def _handed(folder: Path, notebooks: dict[str, Any]) -> list[str]:
    """What a Chromium makes of the plan; what was left out, and why."""
    left = pictured(notebooks)
    if not left:
        for name, notebook in notebooks.items():
            _keep(folder / "notebooks" / f"{name}.ipynb", notebook)
    return list(filter(None, (left, paper(folder / "plan.html", folder / PDF))))


def _refuse_to_hold(out: Path, statement: Statement) -> None:
    """A plan replaces its folder whole, so what it is made from must lie elsewhere."""
    for name in (statement.file, *(str(Path(statement.file).parent / file) for file in statement.files)):
        if real(name).is_relative_to(out):
            raise BadScenario(
                "perfplan plan", [Problem(0, "--out", f"must be a folder that holds nothing the plan is made from; {out} holds {name}")]
            )


LARGE = 5_000_000  # bytes of an input of which it is said that the plan keeps a copy


def _large(folder: Path, statement: Statement) -> list[str]:
    sizes = {name: (folder / "inputs" / name).stat().st_size for name in statement.files if name.endswith(".csv")}
    return [
        f"inputs/ holds a copy of {name} ({size / 1e6:.0f} MB); {name}.gz would be read as well"
        for name, size in sizes.items()
        if size > LARGE
    ]


def _ready(out: Path, statement: Statement, worlds: int) -> None:
    """Raise `Lacking` where the work could not be ended."""
    enough_files()
    enough("plan", statement, worlds)
    own = sum(file.stat().st_size for file in _walked(out))
    inputs = sum((Path(statement.file).parent / name).stat().st_size for name in statement.files)
    ready(out, SPACE + own + inputs)
    enough_for_rooms(statement, worlds)


def _walked(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        yield from (Path(base) / name for name in names if not (Path(base) / name).is_symlink())


def fill(
    making: Making, statement: Statement, worlds: int, engine: str, verify: bool, judged: Judgements | None = None
) -> tuple[Study, dict[str, Any]]:
    """Make everything of a plan but what is carried over, in the folder *making* is for; *statement*: of the copy in inputs/.

    *judged*: what tools said of its files; None: they are asked now.
    """
    folder = making.plan
    kept = (
        *statement.overrides,
        *((f"as_of={statement.entries['as_of'].text}",) if statement.entries["as_of"].source == "default" else ()),
    )
    with _environment({CACHE: str(making.room)}):
        study = plan_of(stated(folder / SCENARIO, kept), worlds)
        if verify:
            rows = [asdict(row) for row in simulated(study)]
            write(folder / "inputs" / VERIFIED, json.dumps(rows, indent=1) + "\n")
        judged = _computed(making, study, statement, judged)
        with _engine(engine, folder, making.room) as name:
            notebooks = {file: _run(file, folder, kept, worlds, name) for file in _progress([one.notebook for one in CHAPTERS])}
    write(folder / "plan.html", page(study, notebooks, judged))
    write(folder / SUMMARY, summary(study))
    write(folder / PICTURE, picture(study))
    return study, notebooks


def _computed(making: Making, study: Study, statement: Statement, judged: Judgements | None) -> Judgements:
    """Write what needs no notebook: configs, tables, plan.json; then leave the study, with all that was made of it, to the notebooks."""
    folder = making.plan
    judged = _configs(folder, study, making.room, judged)
    _tables(folder / "tables", study, judged, verified(str(folder / SCENARIO)))
    files = {path.relative_to(folder / "inputs").as_posix(): hash_of(path) for path in sorted(_walked(folder / "inputs"))}
    made = document(study, judged) | {"files": files, "overrides": list(statement.overrides)}
    write(folder / "plan.json", to_json(made))
    share(study, making.room)
    return judged


def write(path: Path, text: str) -> None:
    """Write the same bytes on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def _configs(folder: Path, study: Study, room: Path, judged: Judgements | None) -> Judgements:
    """Write the generated files, and what tools say of them beside the inputs: whoever lacks a tool can make the plan again."""
    made, configs = files_of(study), folder / "configs"
    configs.mkdir()
    for file in made:
        write(configs / file.name, file.text)
    found = judgements(made, configs, room) if judged is None else judged
    write(folder / "inputs" / JUDGED, judged_text(found))
    return found


def copy_inputs(folder: Path, source: Path, statement: Statement) -> Statement:
    """Copy the scenario and every file it names; returns the statement of the copy, which nobody changes meanwhile."""
    target = folder / "inputs"
    target.mkdir()
    for name, file in (("scenario.yaml", source), *((n, source.parent / n) for n in statement.files)):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    if statement.overrides:
        write(target / "overrides.txt", "\n".join(statement.overrides) + "\n")
    try:
        return read(target / "scenario.yaml", statement.overrides)
    except BadScenario as error:  # it was changed since it was read
        raise BadScenario(str(source), error.problems) from None


def _engine(name: str, folder: Path, room: Path) -> contextlib.AbstractContextManager[str | None]:
    """One kernel for all notebooks, or papermill's own engine, which starts one for each."""
    if name == "stock":
        return contextlib.nullcontext()
    from perfplan.workbook.engine import one_kernel

    return one_kernel(folder, room)


def _run(name: str, folder: Path, overrides: tuple[str, ...], worlds: int, engine: str | None) -> Any:
    """Execute one notebook by papermill and keep it in the plan folder."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from perfplan.workbook.engine import KernelDied

    target = folder / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(exist_ok=True)
    stop_if_asked()
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
                config=Config(KernelManager={"transport": "ipc" if LOCAL_SOCKETS else "tcp"}),  # no port that others could listen on
            )
        stop_if_asked()
    except DeadKernelError:
        stop_if_asked()
        raise KernelDied(f"the kernel was killed (out of memory?) while notebook {name} ran") from None
    except PapermillExecutionError as error:
        stop_if_asked()  # then the cell failed for that
        raise CellFailed(
            f"notebook {name} did not run\n  cell {error.exec_count}: {error.source.strip().splitlines()[0]}\n  {error.ename}: "
            f"{error.evalue}"
        ) from None
    _without_times(made)
    _keep(target, made)
    return made


def _keep(target: Path, notebook: Any) -> None:
    write(target, json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


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


def _tables(folder: Path, study: Study, judged: Judgements, simulated: list[dict[str, Any]] | None) -> None:
    folder.mkdir()
    made = all_tables(study, judged, simulated)
    spreadsheet(folder.parent / TABLES, made, study.as_of)
    for one in made:
        one.tidy().map(_no_formula).to_csv(folder / f"{one.name}.csv", index=False, lineterminator="\n")


def _no_formula(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, with an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and re.match(r"[=@\t\r]|[+-](?![\d.$])", value) else value


def all_tables(study: Study, judged: Judgements | None = None, simulated: list[dict[str, Any]] | None = None) -> list[Table]:
    """Every table of a plan; *judged*: what tools said of its files, *simulated*: what its worst months showed."""
    found = states(study, judged)
    made = [make_table(study) for make_table in tables.OF_A_STUDY] + [tables.items(found, str(phase)) for phase in range(1, 7)]
    return made + [table for table in (tables.measured(study), tables.budgets_measured(study), tables.verified(simulated)) if table]


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
