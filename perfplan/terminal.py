"""What a command says, and how it is stopped: in letters that the stream can show, nothing that a terminal would obey, no traceback.

Texts come from files that somebody else may have written: control characters are shown, never sent.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from perfplan.system import STOPPING

INTERRUPTED = 130
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ALL = re.compile(f"{_OBEYED.pattern}|\n")
_PLAIN = {
    "→": "->",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+-",
    "×": "x",
    "·": "-",
    "≤": "<=",
    "≥": ">=",
    "≈": "about ",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "\u00a0": " ",
    "\u202f": " ",
}


def prepare() -> None:
    """Let both streams show any text: what their encoding lacks is written otherwise."""
    codecs.register_error("perfplan", _otherwise)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if stream.encoding and codecs.lookup(stream.encoding).name != "utf-8":
                stream.reconfigure(errors="perfplan")  # type: ignore[union-attr]


def _otherwise(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


def say(text: object, stream: TextIO | None = None) -> None:
    """Write a text, its control characters shown; whoever does not read it to its end does no harm (`perfplan check ... | head`)."""
    out = stream or sys.stdout
    if out is None or out.closed:
        return
    try:
        out.write(f"{_OBEYED.sub(_shown, str(text))}\n")
        out.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # for what is written at the end


def one_line(text: str) -> str:
    """A text from a file as part of a line: its ends of lines are shown, so that it cannot look like a line of ours."""
    return _ALL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "    "}.get(match[0], f"\\u{ord(match[0]):04x}")


@contextlib.contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Until something is made there is nothing to take away: signals that ask to stop end the process at once, whatever library is being
    imported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in STOPPING if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, leave) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(_: int, __: object) -> None:
    """End the process now."""
    with contextlib.suppress(OSError):
        os.write(2, b"perfplan: interrupted\n")
    os._exit(INTERRUPTED)
