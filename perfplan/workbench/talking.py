"""A request of the workbench and its answer: what a state gives, a field to turn, a state to keep. Nothing is remembered but answers."""

from __future__ import annotations

import os
import shlex
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from perfplan.plan import today_rps
from perfplan.reading import BadScenario, read, stated_text
from perfplan.reading.nodes import Problem
from perfplan.scenario.statement import Statement
from perfplan.shown.blocks import safe
from perfplan.workbench import controls, views
from perfplan.workbench.answering import QUICK, WORLDS, Answer
from perfplan.workbook.limits import enough

KEPT = 24  # answers
State = Mapping[str, str]  # what is stated otherwise, by field


class Talk:
    """The workbench of one scenario."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._answers: OrderedDict[tuple[tuple[tuple[str, str], ...], int], Answer] = OrderedDict()

    def respond(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to *request*, whatever it is: what cannot be done is said in `errors`, by field."""
        kinds: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "open": self._open,
            "state": self._state,
            "control": self._control,
            "save": self._save,
        }
        answer: dict[str, Any] = {"ask": request.get("ask"), "id": request.get("id"), "errors": []}
        try:
            return answer | kinds[str(request.get("ask"))](request)
        except BadScenario as error:
            return answer | {"errors": [{"path": one.path, "message": one.message} for one in error.problems]}
        except Exception as error:
            return answer | {"errors": [{"path": "", "message": f"this cannot be computed ({type(error).__name__}: {error})"}]}

    def answer(self, state: State, worlds: int) -> Answer:
        """What follows from a state."""
        key = tuple(state.items()), worlds
        if key not in self._answers:
            made = self.statement.but(*(f"{path}={text}" for path, text in state.items()))
            enough("check", made, worlds)
            self._answers[key] = Answer(made, worlds)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key]

    def _open(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """What the workbench begins with."""
        return {
            "name": self.statement.at().name,
            "file": Path(self.statement.file).name,
            "controls": [one.json() for one in controls.first(self.statement)],
            "fields": controls.fields(self.statement),
        }

    def _control(self, request: Mapping[str, Any]) -> dict[str, Any]:
        path = str(request["path"])
        found = controls.control(self.statement, path)
        if found is None:
            raise BadScenario(self.statement.file, [Problem(0, path, "is no field of this scenario")])
        return {"control": found.json()}

    def _state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Step 1: verdict and first figure in a few worlds; step 2: all, in more."""
        state, pinned = _state_of(request["state"]), [(str(one["name"]), _state_of(one["state"])) for one in request.get("pins", ())]
        worlds = QUICK if request.get("step") == 1 else WORLDS
        now = self.answer(state, worlds)
        pins = [(name, self.answer(one, WORLDS)) for name, one in pinned]
        parts = {"verdict": views.verdict(now), "probability": views.probability(now, pins)}
        if request.get("step") != 1:
            start = self.answer({}, WORLDS)
            parts |= {
                "changed": safe(views.what_changed(start, now)),
                "times": views.response_times(now, pins),
                "load": views.by_load(now),
                "used": views.utilization(now),
                "parts": views.waterfall(now),
                "fleet": views.fleet(now),
                "pinned": views.side_by_side(start, now, pins),
            }
        return {"step": request.get("step"), "parts": parts}

    def _save(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A state as a scenario beside the one that is explored, or states as options of such a one; never over a file that is there."""
        states = {str(one["name"]): _state_of(one["state"]) for one in request["states"]}
        if empty := [name for name, state in states.items() if not state]:
            raise BadScenario(
                self.statement.file,
                [Problem(0, "save", f"{', '.join(empty)} states nothing that the scenario does not; nothing was written")],
            )
        stated = {name: [f"{path}={text}" for path, text in state.items()] for name, state in states.items()}
        file, own = Path(self.statement.file), self.statement.overrides
        if request.get("options"):
            text = stated_text(file, own, stated)
        else:
            text = stated_text(file, (*own, *(one for sets in stated.values() for one in sets)))
        kept = keep(file, str(request["name"]), text)
        if not request.get("options"):
            self._same(kept, [one for sets in stated.values() for one in sets])
        return {"saved": kept.name, "path": os.path.relpath(kept)}

    def _same(self, path: Path, sets: list[str]) -> None:
        """Take the file back where it is another scenario than what was shown: a history beats what a file states of the load."""
        shown, made = self.statement.but(*sets), read(path, today=str(self.statement.at().as_of))
        differ = [p for p in ("traffic.peak", "traffic.growth") if _text_of(shown, p) != _text_of(made, p)]
        if differ or abs(today_rps(shown.at()) / today_rps(made.at()) - 1) > SAME:
            path.unlink()
            every = [*self.statement.overrides, *sets]
            paths = ", ".join(one.partition("=")[0] for one in every)
            said = f"in a file the measured history beats {paths}; save it as an option, or plan it with "
            raise BadScenario(str(path), [Problem(0, "save", said + " ".join(f"-p {shlex.quote(one)}" for one in every))])


def _state_of(given: Any) -> dict[str, str]:
    return {str(path): str(text) for path, text in dict(given).items()}


SAME = 1e-6  # of today's peak: two scenarios have the same


def _text_of(statement: Statement, path: str) -> str | None:
    return statement.entries[path].text if path in statement.entries else None


def keep(beside: Path, name: str, text: str) -> Path:
    """Write *text* as a scenario into the folder of *beside*; where it is. Nothing is written over, and nothing elsewhere."""
    path = beside.parent / Path(name.replace("\\", "/")).name
    if not path.name.endswith(".yaml"):
        raise BadScenario(name, [Problem(0, "save", "the name must end in .yaml")])
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:  # also no link that leads elsewhere is there
            file.write(text)
        read(path)  # what was written is a scenario
    except FileExistsError:
        raise BadScenario(name, [Problem(0, "save", f"{path.name} is already there; choose another name")]) from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise BadScenario(name, [Problem(0, "save", f"{path.name} could not be written: {error.strerror}")]) from None
    except BadScenario:
        path.unlink(missing_ok=True)
        raise
    return path
