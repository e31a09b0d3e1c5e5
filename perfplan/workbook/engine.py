"""One kernel for all notebooks of a plan: a papermill engine that resets the kernel between notebooks instead of starting another.

Starting an interpreter and importing numpy, pandas and plotly costs more than most notebooks. Between two notebooks names,
history and the count of executions are cleared; modules stay imported, and the plan that they remember stays computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from papermill.engines import Engine, papermill_engines

NAME = "perfplan"
RESET = "get_ipython().reset(new_session=True); get_ipython().execution_count = 1"
UNASKED = "import sys; sys.modules.setdefault('rfc3987_syntax', None)"  # jsonschema's check of IRIs, built at import for a second of CPU
START_S, CELL_S = 60.0, 1800.0  # patience with a start and with one cell
_current: list[BlockingKernelClient] = []


class OneKernel(Engine):  # type: ignore[misc]  # papermill is not typed
    """Executes on the kernel of the surrounding `one_kernel`."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Run every code cell; stop at the first that fails."""
        client = _current[-1]
        client.execute_interactive(RESET, silent=True, store_history=False, allow_stdin=False, timeout=CELL_S)
        for index, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, index)
            if cell.cell_type == "code":
                reply = _run(client, cell)
                if reply["content"]["status"] != "ok":
                    nb_man.cell_exception(cell, cell_index=index, exception=CellExecutionError.from_cell_and_msg(cell, reply["content"]))
                    nb_man.cell_complete(cell, cell_index=index)
                    break
            nb_man.cell_complete(cell, cell_index=index)


def _run(client: BlockingKernelClient, cell: Any) -> dict[str, Any]:
    cell.outputs = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
            cell.outputs.append(nbformat.v4.output_from_msg(message))  # type: ignore[no-untyped-call]

    reply = client.execute_interactive(cell.source, allow_stdin=False, timeout=CELL_S, output_hook=collect)
    cell.execution_count = reply["content"]["execution_count"]
    return dict(reply)


@contextlib.contextmanager
def one_kernel(folder: Path, room: Path) -> Iterator[str]:
    """A kernel that works in *folder*, its sockets in *room*; it ends with the block, or with this process.

    Yields the engine's name for papermill.
    """
    papermill_engines.register(NAME, OneKernel)
    sockets = {"transport": "ipc", "ip": f"{room}/k", "connection_file": f"{room}/kernel.json"}  # no port that others could listen on
    manager = KernelManager(kernel_name="python3", **sockets)
    manager.start_kernel(cwd=str(folder), extra_arguments=["--HistoryManager.enabled=False", f"--IPKernelApp.exec_lines={UNASKED}"])
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_S)
        _current.append(client)
        yield NAME
    finally:
        if client in _current:
            _current.remove(client)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
