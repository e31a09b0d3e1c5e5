"""Chromium, driven over its own protocol: a page of it, and the workbench in one."""

import contextlib
import json
import shutil
import subprocess
import threading
import time
import urllib.request

import websocket

from perfplan.workbench.serving import Server
from perfplan.workbook.handing import FLAGS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SETTLED = """new Promise((done) => { const root = document.querySelector('.workbench'); const look = () =>
  root && root.dataset.busy === '' && root.dataset.shown ? done(true) : setTimeout(look, 20); look(); })"""


class Page:
    """A page of Chromium."""

    def __init__(self, socket):
        self.socket, self.sent = socket, 0

    def call(self, method, **parameters):
        """One call of its protocol."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.sent:
            pass
        return answer["result"]

    def run(self, script):
        """The value of a script, its promise kept."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def settled(self):
        """Wait until all that was asked is shown."""
        assert self.run(SETTLED)


@contextlib.contextmanager
def opened(url, profile):
    """A page at *url*, 1280 px wide; Chromium keeps its things in *profile*, and ends with the block."""
    with contextlib.ExitStack() as stack:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        port = profile / "DevToolsActivePort"
        while not (port.is_file() and port.read_text().count("\n")):
            assert process.poll() is None
            time.sleep(0.05)
        with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json") as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        found = Page(websocket.create_connection(tab["webSocketDebuggerUrl"], suppress_origin=True, timeout=120))
        stack.callback(found.socket.close)
        found.call("Page.enable")
        found.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        found.call("Page.navigate", url=url)
        while found.run("location.href") == "about:blank":
            time.sleep(0.05)
        yield found


@contextlib.contextmanager
def workbench(talk, profile):
    """The workbench of *talk*, served on loopback and opened."""
    with Server(talk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with opened(server.url, profile) as page:
                while not page.run("Boolean(document.querySelector('.workbench'))"):
                    time.sleep(0.05)
                page.settled()
                yield page
        finally:
            server.shutdown()
