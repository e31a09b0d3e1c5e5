"""The workbench in a notebook: the same front, with the kernel behind it."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from perfplan.reading import read
from perfplan.reading.nodes import overrides_of
from perfplan.workbench.front import front, style
from perfplan.workbench.talking import Talk
from perfplan.workbook.opening import find


class Workbench(anywidget.AnyWidget):
    """Controls of a scenario and what follows; the last line of a cell shows it."""

    _esm = front()
    _css = style()
    opened = traitlets.Dict().tag(sync=True)

    def __init__(self, talk: Talk, **more: Any) -> None:
        super().__init__(opened=talk.respond({"ask": "open"}), **more)
        self.talk = talk
        self.on_msg(self._asked)

    def _asked(self, _: Any, request: Any, __: Any) -> None:
        self.send(self.talk.respond(request if isinstance(request, dict) else {}))


def explore(scenario: str, overrides: str = "") -> Workbench:
    """The workbench of a scenario file."""
    return Workbench(Talk(read(find(scenario), overrides_of(overrides))))
