"""From a slider to verdict and figures, in a real browser: medians of twenty moves of the workbench, served on loopback.

    python benchmarks/exploring.py [SCENARIO] [--moves 20] [--pictures DIR]

Chromium is driven over its own protocol; a move sets a slider, as a hand on a keyboard would, and waits for the verdict (step 1) and for
all figures (step 2). The times are those of the page, by its own clock.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import websocket

from perfplan.reading import read
from perfplan.workbench.serving import Server
from perfplan.workbench.talking import Talk

ROOT = Path(__file__).parents[1]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
)
MOVE = """
new Promise((done) => {
  const root = document.querySelector('.workbench');
  const sliders = [...root.querySelectorAll('input[type=range]')];
  const one = sliders[%d %% sliders.length];
  const start = performance.now();
  const verdict = root.querySelector('.verdict');
  let first = null;
  const told = new MutationObserver(() => { first = first ?? performance.now() - start; });
  told.observe(verdict, { childList: true });
  const watch = new MutationObserver(() => {
    if (root.dataset.busy === '') { watch.disconnect(); told.disconnect(); done([first, performance.now() - start]); }
  });
  watch.observe(root, { attributes: true, attributeFilter: ['data-busy'] });
  one.value = Number(one.value) + %d;
  one.dispatchEvent(new Event('input', { bubbles: true }));
})
"""


class Browser:
    """A page of Chromium."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket, self.sent = socket, 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of its protocol."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.sent:
            pass
        return dict(answer["result"])

    def run(self, script: str) -> Any:
        """The value of a script, its promise kept."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path, width: int, height: int) -> None:
        """What is seen at a size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        time.sleep(0.5)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]))


@contextlib.contextmanager
def browser(url: str) -> Iterator[Browser]:
    """Chromium at *url*; it ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        command = [shutil.which("chromium") or "chromium", *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            line = next(row for row in process.stderr if "DevTools listening on" in row)
            port = line.split(":")[-1].split("/")[0]
            threading.Thread(target=process.stderr.read, daemon=True).start()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                page = next(one for one in json.load(answer) if one["type"] == "page")
            socket = websocket.create_connection(page["webSocketDebuggerUrl"], suppress_origin=True, timeout=120)
            found = Browser(socket)
            found.call("Page.enable")
            found.call("Page.navigate", url=url)
            while not found.run("document.querySelector('.workbench')?.dataset.shown"):
                time.sleep(0.2)
            yield found
            socket.close()
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def served(talk: Talk) -> Iterator[Server]:
    """The workbench on loopback."""
    with Server(talk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def main(path: Path, moves: int, pictures: Path | None) -> int:
    with served(Talk(read(path))) as server, browser(server.url) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        page.run(MOVE % (0, 1))  # what is loaded and compiled once
        times = np.array([page.run(MOVE % (i, 1 + i % 3)) for i in range(1, moves + 1)])
        first, all_of_it = np.median(times, axis=0)
        print(f"{path.parent.name}: verdict and first figure {first:.0f} ms, all figures {all_of_it:.0f} ms (medians of {moves} moves)")
        for width in (1280, 1600, 390):
            wide = page.run("document.documentElement.scrollWidth") if width == 1280 else None
            if wide is not None:
                print(f"  at 1280 px the page is {wide} px wide")
            if pictures is not None:
                page.picture(pictures / f"explore-{width}.png", width, 1100)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", type=Path, default=ROOT / "data" / "storefront" / "scenario.yaml")
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    sys.exit(main(asked.scenario, asked.moves, asked.pictures))
