"""One kernel for all notebooks of a plan: a papermill engine that resets the kernel between notebooks instead of starting another.

Starting an interpreter and importing numpy, pandas and plotly costs more than most notebooks. Between two notebooks names,
history and the count of executions are cleared; modules stay imported, and the plan that they remember stays computed.
"""

from __future__ import annotations

import contextlib
import queue
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from papermill.engines import Engine, papermill_engines

from perfplan.system import LOCAL_SOCKETS, environment
from perfplan.workbook.place import stop_if_asked

NAME = "perfplan"
RESET = "get_ipython().reset(new_session=True); get_ipython().execution_count = 1"
UNASKED = "import sys; sys.modules.setdefault('rfc3987_syntax', None)"  # jsonschema's check of IRIs, built at import for a second of CPU
START_S, CELL_S = 60.0, 1800.0  # patience with a start and with one cell
POLL_S = 0.2  # how often somebody looks whether the kernel is alive
_current: list[Kernel] = []


class KernelDied(RuntimeError):
    """The kernel ended before it was asked to."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A started kernel and where it writes what is no output of a cell."""

    manager: KernelManager
    client: BlockingKernelClient
    log: Path

    def execute(self, code: str, hook: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Run *code*, its outputs going to *hook*; returns the reply. Raises `KernelDied` soon after the kernel has ended."""
        deadline = time.monotonic() + CELL_S
        asked = self.client.execute(code, silent=hook is None, store_history=hook is not None, allow_stdin=False)
        while True:
            message = self._next(self.client.get_iopub_msg, deadline)
            if message["parent_header"].get("msg_id") != asked:
                continue
            if hook:
                hook(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self._next(self.client.get_shell_msg, deadline)
            if reply["parent_header"].get("msg_id") == asked:
                return reply

    def _next(self, get: Callable[..., dict[str, Any]], deadline: float) -> dict[str, Any]:
        while True:
            try:
                return dict(get(timeout=POLL_S))
            except queue.Empty:
                stop_if_asked()
                if not self.manager.is_alive():
                    raise KernelDied(self.why()) from None
                if time.monotonic() > deadline:
                    raise KernelDied(f"a cell took longer than {CELL_S / 60:.0f} minutes; state fewer --worlds") from None

    def why(self) -> str:
        """Why it ended, as far as one can see."""
        process = getattr(self.manager.provisioner, "process", None)
        status = process.poll() if process else None
        last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if self.log.is_file() else []
        if status is not None and status < 0:
            return f"the kernel was killed by signal {-status} (out of memory?)"
        return f"the kernel ended (status {status}{': ' + last[0][:200] if last else ''}); it may lack memory, files or sockets"


class OneKernel(Engine):  # type: ignore[misc]  # papermill is not typed
    """Executes on the kernel of the surrounding `one_kernel`."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Run every code cell; stop at the first that fails."""
        kernel = _current[-1]
        kernel.execute(RESET)
        for index, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, index)
            if cell.cell_type == "code":
                reply = _run(kernel, cell)
                if reply["content"]["status"] != "ok":
                    nb_man.cell_exception(cell, cell_index=index, exception=CellExecutionError.from_cell_and_msg(cell, reply["content"]))
                    nb_man.cell_complete(cell, cell_index=index)
                    break
            nb_man.cell_complete(cell, cell_index=index)


def _run(kernel: Kernel, cell: Any) -> dict[str, Any]:
    cell.outputs = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
            cell.outputs.append(nbformat.v4.output_from_msg(message))  # type: ignore[no-untyped-call]

    reply = kernel.execute(cell.source, collect)
    cell.execution_count = reply["content"]["execution_count"]
    return reply


@contextlib.contextmanager
def one_kernel(folder: Path, room: Path) -> Iterator[str]:
    """A kernel that works in *folder*, its sockets in *room*; it ends with the block, or with this process.

    Yields the engine's name for papermill.
    """
    papermill_engines.register(NAME, OneKernel)
    sockets = {"transport": "ipc", "ip": f"{room}/k"} if LOCAL_SOCKETS else {"transport": "tcp"}  # no port that others could listen on
    manager = KernelManager(kernel_name="python3", connection_file=f"{room}/kernel.json", **sockets)
    log = room / "kernel.log"
    with log.open("wb") as out:
        warnings.filterwarnings(
            "ignore", "coroutine .* was never awaited", RuntimeWarning
        )  # of the client, interrupted as it starts a kernel
        manager.start_kernel(
            cwd=str(folder),
            env=environment(),
            extra_arguments=["--HistoryManager.enabled=False", f"--IPKernelApp.exec_lines={UNASKED}"],
            stdout=out,
            stderr=out,
        )
    kernel = Kernel(manager=manager, client=manager.client(), log=log)
    kernel.client.start_channels()
    try:
        _wait(kernel)
        _current.append(kernel)
        yield NAME
    finally:
        if kernel in _current:
            _current.remove(kernel)
        kernel.client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def _wait(kernel: Kernel) -> None:
    """Until it answers on both of its channels; like `wait_for_ready`, but a kernel that has died is noticed at once."""
    deadline = time.monotonic() + START_S
    while True:
        kernel.client.kernel_info()
        try:
            if kernel.client.get_shell_msg(timeout=POLL_S)["msg_type"] == "kernel_info_reply":
                kernel.client.get_iopub_msg(timeout=POLL_S)
                break
        except queue.Empty:
            stop_if_asked()
            if not kernel.manager.is_alive() or time.monotonic() > deadline:
                raise KernelDied(kernel.why()) from None
    with contextlib.suppress(queue.Empty):
        while True:
            kernel.client.get_iopub_msg(timeout=POLL_S)
