"""Asking real tools: a program is run with a file, or a server is started on a socket, asked, and ended.

Servers end with this process, whatever ends it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perfplan.judging import Judgement
from perfplan.system import child, local_socket

PATIENCE_S = 20.0
WHERE = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"  # where Debian keeps servers


def tool(name: str) -> str | None:
    """Where a program is; None where it is not installed."""
    return shutil.which(name, path=WHERE)


def lacking(name: str, judge: str) -> Judgement:
    """The verdict of a tool that is not here."""
    return Judgement(judge=judge, accepted=None, said=f"{name} is not installed here")


def run(command: list[str], folder: Path, judge: str) -> Judgement:
    """The verdict of a program that is run in *folder*: accepted where it ends well."""
    program = tool(command[0])
    if program is None:
        return lacking(command[0], judge)
    done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **child())
    said = (done.stdout + done.stderr).replace(str(folder), ".").strip()
    return Judgement(judge=judge, accepted=done.returncode == 0, said="accepted" if done.returncode == 0 else said[-600:])


@dataclass
class Server:
    """A started server and what it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """The end of its log, without the folder's name."""
        return self.log.read_text(encoding="utf-8", errors="replace").replace(str(self.log.parent), ".").strip()[-600:]


@contextlib.contextmanager
def started(command: list[str], room: Path) -> Iterator[Server]:
    """A server, started in *room* with its log there; ended at the end."""
    log = room / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=room, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **child())
    try:
        yield Server(process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(server: Server, path: Path, *questions: bytes, until: bytes = b"") -> bytes:
    """What the server answers on its socket, to each question *until* that or until it hangs up; nothing where it has ended."""
    deadline = time.monotonic() + PATIENCE_S / 2
    while time.monotonic() < deadline and server.process.poll() is None:
        with local_socket() as link, contextlib.suppress(OSError):
            link.settimeout(PATIENCE_S / 2)
            link.connect(str(path))
            return b"".join(_answer(link, question, until) for question in questions)
        time.sleep(0.02)
    return b""


def _answer(link: socket.socket, question: bytes, until: bytes) -> bytes:
    link.sendall(question)
    answer = b""
    while not (until and until in answer) and (part := link.recv(65536)):
        answer += part
    return answer


TLS_CONF = "ssl_certificate certificate.pem;\nssl_certificate_key key.pem;\n"


def certified(room: Path) -> bool:
    """Put a certificate of the moment for localhost, its key and the file that names both into *room*; False where openssl is not here."""
    program = tool("openssl")
    if program is None:
        return False
    wanted = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out certificate.pem"
    asked = [program, "req", "-x509", *wanted.split()]
    done = subprocess.run(asked, cwd=room, capture_output=True, timeout=PATIENCE_S, check=False, **child())
    (room / "tls.conf").write_text(TLS_CONF, encoding="utf-8")
    return done.returncode == 0


def encrypted(path: Path) -> str:
    """The protocol that a server on a socket chooses over TLS where HTTP/2 is offered; "" where it does not answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the certificate is one of the moment
    context.set_alpn_protocols(["h2", "http/1.1"])
    with contextlib.suppress(OSError), local_socket() as link:
        link.settimeout(PATIENCE_S / 2)
        link.connect(str(path))
        with context.wrap_socket(link, server_hostname="localhost") as safe:
            return safe.selected_alpn_protocol() or ""
    return ""


def crowded(judge: str, good: int, count: int, planned: int, server: Server) -> Judgement:
    """The verdict on *good* of *count* connections that were opened, of those planned."""
    some = f"; opened {count} of the {planned} connections planned" if count < planned else f"; opened all {planned} connections planned"
    if good == count:
        return Judgement(judge=judge, accepted=True, said=f"accepted{some}")
    return Judgement(judge=judge, accepted=False, said=f"{good} of {count} connections held; {planned} are planned. {server.said()}")


def verdict(judge: str, answer: bytes, wanted: bytes, server: Server) -> Judgement:
    """The verdict on an answer: accepted where it holds what is wanted."""
    good = wanted in answer
    return Judgement(judge=judge, accepted=good, said="accepted" if good else server.said() or f"answered {answer[:200]!r}")
