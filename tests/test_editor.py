"""The JSON schema in an editor: what a YAML language server completes, explains and marks."""

import json
import os
import shutil
import subprocess
import threading

import pytest

from tests.conftest import ROOT, SMALL


class Server:
    """A language server on its standard streams, with one document open."""

    def __init__(self, command, path, text):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.patience = threading.Timer(60, self.process.kill)  # then reading fails
        self.patience.start()
        self.uri, self.text, self.asked, self.marked = path.as_uri(), text, 0, {}
        self.ask("initialize", processId=os.getpid(), rootUri=path.parent.as_uri(), capabilities={"textDocument": {"hover": {}}})
        self.tell("initialized")
        settings = {"yaml": {"schemaStore": {"enable": False}, "completion": True, "hover": True, "validate": True}}
        self.tell("workspace/didChangeConfiguration", settings=settings)
        self.tell("textDocument/didOpen", textDocument={"uri": self.uri, "languageId": "yaml", "version": 1, "text": text})

    def _send(self, message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.process.stdin.flush()

    def _read(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(self.process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.marked[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:  # it asks for its settings: as they are
            items = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            self._send({"id": message["id"], "result": [None] * len(items)})
        return message

    def tell(self, method, **parameters):
        """A message without an answer."""
        self._send({"method": method, "params": parameters})

    def ask(self, method, **parameters):
        """The answer to a request."""
        self.asked += 1
        self._send({"id": self.asked, "method": method, "params": parameters})
        while (message := self._read()).get("id") != self.asked or "method" in message:
            pass
        return message["result"]

    def at(self, place, after=True):
        """Where *place* stands in the document, or its end."""
        offset = self.text.index(place) + (len(place) if after else 1)
        before = self.text[:offset]
        return {"textDocument": {"uri": self.uri}, "position": {"line": before.count("\n"), "character": offset - before.rfind("\n") - 1}}


@pytest.fixture
def edited(npm, tmp_path):
    """Opens a scenario in the server; it ends with the test."""
    shutil.copy(ROOT / "data" / "scenario.schema.json", tmp_path)
    servers = []

    def edit(text):
        path = tmp_path / f"scenario{len(servers)}.yaml"
        path.write_text(text, encoding="utf-8")
        servers.append(Server(["node", str(npm / ".bin" / "yaml-language-server"), "--stdio"], path, text))
        return servers[-1]

    yield edit
    for server in servers:
        server.patience.cancel()
        server.process.kill()
        server.process.wait(10)
        server.process.stdin.close()
        server.process.stdout.close()


HEAD = "# yaml-language-server: $schema=scenario.schema.json\n"


@pytest.mark.judge
def test_an_editor_completes_fields_of_the_kind_that_is_stated(edited):
    text = HEAD + SMALL + "  store:\n"
    server = edited(text.replace("    calls: {app: 1, store: 2}\n", "    calls: {app: 1, store: 2}\n    \n"))
    found = {item["label"]: item for item in server.ask("textDocument/completion", **server.at("store: 2}\n    "))["items"]}
    assert "calls" not in found  # it is there
    told = found["think_time"]["documentation"]
    assert "pause" in (told["value"] if isinstance(told, dict) else told)


@pytest.mark.judge
def test_an_editor_explains_a_field_where_the_pointer_stands(edited):
    server = edited(HEAD + SMALL)
    said = server.ask("textDocument/hover", **server.at("growth", after=False))["contents"]
    assert "growth" in (said["value"] if isinstance(said, dict) else str(said)).lower()


@pytest.mark.judge
def test_an_editor_marks_what_perfplan_would_refuse_and_nothing_else(edited):
    server = edited(HEAD + SMALL)
    server.ask("textDocument/hover", **server.at("growth", after=False))
    while server.uri not in server.marked:
        server._read()
    assert server.marked[server.uri] == []
    wrong = edited(HEAD + SMALL.replace("share: 100%, round_trip", "shere: 100%, round_trip").replace("kind: latency", "kind: latencies"))
    while not wrong.marked.get(wrong.uri):
        wrong._read()
    said = " ".join(one["message"] for one in wrong.marked[wrong.uri])
    assert "shere" in said
    assert "latency" in said
