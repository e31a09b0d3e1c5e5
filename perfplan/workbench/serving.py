"""The workbench in a browser without Jupyter: a server on this machine alone, which answers nobody without its token."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from perfplan.reading import BadScenario, Problem
from perfplan.shown.blocks import safe
from perfplan.workbench.front import front, style
from perfplan.workbench.talking import Talk

HOST = "127.0.0.1"
LONGEST = 1_000_000  # bytes of a request
SHIM = """
import { render } from "./front.js?token=TOKEN";
const heard = [];
const said = (answer) => heard.forEach((one) => one(answer));
const ask = (message) => fetch("./ask", { method: "POST", headers: { "X-Token": "TOKEN" }, body: JSON.stringify(message) })
  .then((answer) => answer.json())
  .catch(() => ({ id: message.id, errors: [{ path: "", message: "perfplan has ended; start it again" }] }));
const opened = await ask({ ask: "open" });
document.title = `Explore ${opened.name}`;
const model = { get: () => opened, send: (message) => { ask(message).then(said); }, on: (_, one) => { heard.push(one); } };
render({ model, el: document.querySelector("main") });
"""


def page(talk: Talk, token: str) -> str:
    """The page that holds the workbench."""
    name = safe(talk.statement.at().name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Explore {name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><style>'
        f":root {{ color-scheme: light dark }} body {{ margin: 0; background: light-dark(#ffffff, #15181b) }}\n{style()}</style></head>"
        f'<body><main></main><script type="module" src="./shim.js?token={token}"></script></body></html>'
    )


class Server(ThreadingHTTPServer):
    """Loopback, a free port, a token."""

    daemon_threads = True

    def __init__(self, talk: Talk, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.talk, self.token, self.lock = talk, secrets.token_urlsafe(24), threading.Lock()

    @property
    def url(self) -> str:
        """Where it is, token included."""
        return f"http://{HOST}:{self.server_address[1]}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The page and its scripts."""
        where = urlsplit(self.path)
        given = parse_qs(where.query).get("token", [""])[0]
        made = {
            "/": lambda: ("text/html", page(self.server.talk, self.server.token)),
            "/front.js": lambda: ("text/javascript", front()),
            "/shim.js": lambda: ("text/javascript", SHIM.replace("TOKEN", self.server.token)),
        }
        if not self._known(given):
            self._send(403, "text/plain", "the address that perfplan printed has a token; nothing is shown without it\n")
        elif where.path in made:
            self._send(200, *made[where.path]())  # type: ignore[no-untyped-call]
        else:
            self._send(404, "text/plain", "there is no such page\n")

    def do_POST(self) -> None:
        """A request of the front."""
        length = str(self.headers.get("Content-Length", ""))
        if not self._known(self.headers.get("X-Token", "")) or urlsplit(self.path).path != "/ask":
            self._send(403, "text/plain", "not without the token\n")
            return
        if not length.isdigit() or int(length) > LONGEST:
            self._send(413, "text/plain", "too long\n")
            return
        try:
            request: Any = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            request = {}
        with self.server.lock:  # one plan at a time
            answer = self.server.talk.respond(request if isinstance(request, dict) else {})
        self._send(200, "application/json", json.dumps(answer))

    def _known(self, token: str) -> bool:
        """Whether it comes by the address that was printed, which no other page has."""
        port = self.server.server_address[1]
        near = self.headers.get("Host", "") in (f"{HOST}:{port}", f"localhost:{port}")
        return near and hmac.compare_digest(token.encode(), self.server.token.encode())

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            (
                "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; "
                "frame-ancestors 'none'",
            ),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the address holds the token."""


def serve(talk: Talk, port: int, browser: bool, say: Any) -> None:
    """Serve until it is interrupted."""
    try:
        server = Server(talk, port)
    except OSError as error:
        said = f"cannot be had ({error.strerror}); leave --port out for a free one"
        raise BadScenario("perfplan explore", [Problem(0, f"--port {port}", said)]) from None
    with server:
        say(f"{server.url}\nPress Ctrl+C to end.")
        if browser:
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        server.serve_forever(poll_interval=0.2)
