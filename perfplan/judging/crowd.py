"""Many connections at once: does a server take as many as were planned? For the judges of generated files.

A pooler needs a database behind it. `Backend` speaks as much of PostgreSQL's protocol (version 3) as lets a pooler log in and send a
query, and keeps the query waiting, so that every query holds a connection of its own.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from perfplan.system import local_socket, most_files

MOST = 2000  # connections that a judge opens; more are opened by benchmarks/connections.py
SPARE_FILES = 200  # of this process, for everything else
PATIENCE_S, CALM_S = 10.0, 2.0
LOGGED_IN = b"R\x00\x00\x00\x08\x00\x00\x00\x00"  # AuthenticationOk
READY = b"Z\x00\x00\x00\x05I"
SETTINGS = (
    ("server_version", "15.0"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
)


def possible(planned: int, each: int = 1, most: int = MOST) -> int:
    """How many of *planned* connections can be opened here, where one takes *each* files of this process."""
    return max(min(planned, most, (most_files() - SPARE_FILES) // each), 1)


def message(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's protocol; the first of a client has no *kind*."""
    return kind + struct.pack("!i", len(body) + 4) + body


def startup(database: str) -> bytes:
    """What a client of *database* says first."""
    return message(b"", b"\x00\x03\x00\x00" + b"\x00".join([b"user", b"judge", b"database", database.encode(), b"", b""]))


@contextlib.contextmanager
def opened(path: Path, count: int) -> Iterator[Iterator[socket.socket]]:
    """*count* connections to the socket at *path*, one after the other; all stay open to the end."""
    with contextlib.ExitStack() as stack:

        def links() -> Iterator[socket.socket]:
            for _ in range(count):
                link = stack.enter_context(local_socket())
                link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(PATIENCE_S), 0))
                link.connect(str(path))  # waits where many come at once; with a time-out of Python's it would give up instead
                link.settimeout(PATIENCE_S)
                yield link

        yield links()


def kept(path: Path, count: int, question: bytes, wanted: bytes) -> int:
    """How many of *count* connections answer *question* with *wanted*, each asked as soon as it is open, and are open when the last has
    answered."""
    good = 0
    with contextlib.suppress(OSError), opened(path, count) as links:
        answered = [link for link in links if _answers(link, question, wanted)]
        for link in answered:
            link.setblocking(False)
            try:
                link.recv(1)  # nothing to read and not waiting: it was closed
            except BlockingIOError:
                good += 1
            except OSError:
                continue
    return good


def _answers(link: socket.socket, question: bytes, wanted: bytes) -> bool:
    try:
        link.sendall(question)
        return wanted in link.recv(65536)
    except OSError:
        return False


class Backend:
    """A database on a socket of its own that logs everybody in and answers no query until it is closed."""

    def __init__(self, path: Path) -> None:
        self.asked = 0  # connections with a query
        self._all = threading.Condition()
        self._ended, self._end = socket.socketpair()
        self._door = local_socket()
        self._door.bind(str(path))
        path.chmod(0o777)
        self._door.listen(512)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, count: int) -> int:
        """How many connections have a query: *count*, or fewer where no more come for a while."""
        with self._all:
            while self.asked < count and self._all.wait(CALM_S):
                pass
            return self.asked

    def close(self) -> None:
        """End all connections."""
        self._end.close()
        self._thread.join(PATIENCE_S)

    def _serve(self) -> None:
        known: set[socket.socket] = set()  # that have been logged in
        with selectors.DefaultSelector() as ready, contextlib.ExitStack() as stack:
            for one in (self._ended, self._door):
                ready.register(stack.enter_context(one), selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    link = key.fileobj
                    if link is self._ended:
                        return
                    if link is self._door:
                        ready.register(stack.enter_context(self._door.accept()[0]), selectors.EVENT_READ)
                    elif isinstance(link, socket.socket) and not self._heard(link, known):
                        ready.unregister(link)

    def _heard(self, link: socket.socket, known: set[socket.socket]) -> bool:
        """Answer what came on a connection; whether more is to come."""
        try:
            said = link.recv(4096)
            if said and link not in known:
                known.add(link)
                settings = b"".join(message(b"S", f"{k}\0{v}\0".encode()) for k, v in SETTINGS)
                link.sendall(LOGGED_IN + settings + message(b"K", b"\x00" * 8) + READY)
            elif said[:1] == b"Q":
                with self._all:
                    self.asked += 1
                    self._all.notify_all()
        except OSError:
            return False
        return bool(said)


def queries(path: Path, database: str, backend: Backend, count: int) -> int:
    """How many of *count* clients of a pooler at *path* have a query at the *backend* at once."""
    with contextlib.suppress(OSError), opened(path, count) as opening:
        links = list(opening)
        for link in links:
            link.sendall(startup(database))
        for link in links:
            answer = b""
            while READY not in answer and (part := link.recv(4096)):
                answer += part
                if answer[:1] == b"E":
                    break
            link.sendall(message(b"Q", b"SELECT 1\x00"))
        return backend.wait_for(count)
    return backend.asked
