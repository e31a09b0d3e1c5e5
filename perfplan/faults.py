"""What can go wrong in a command, in words: what nobody is to blame for, a fault of perfplan, work that takes too long."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType

from perfplan.terminal import say

FAILED = 3  # exit code


def expected(error: Exception, options: argparse.Namespace) -> str:
    """What can go wrong without anybody's fault, in words; "" for anything else."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return f"{error.args[0][0][1]}: {error.args[0][0][2]}"  # of all that could not be copied, the first
    if isinstance(error, MemoryError):
        return f"memory ended; {'state fewer --worlds, or ' if hasattr(options, 'worlds') else ''}close other programs"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        elsewhere = ", state another place with --out, or set TMPDIR" if hasattr(options, "out") else ""
        return f"no space is left for {error.filename or 'what is written'} (free some{elsewhere})"
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return "too many files are open; raise the limit (`ulimit -n 4096`)"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) if isinstance(error, OSError) or type(error).__module__.startswith("perfplan.") else ""


def fault(error: Exception) -> str:
    """Three lines about what nobody foresaw: what, where, how to report it."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return (
        f"{what}\n  where: {_places(error.__traceback__)}\n  This is a fault of perfplan: please report it with the scenario and "
        "what the command prints with --debug; nothing was written."
    )


def _places(trace: TracebackType | None, most: int = 3) -> str:
    """The innermost functions of perfplan on the way to *trace*'s end, the innermost first."""
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _said(frames[::-1], most)


def _said(frames: Iterable[tuple[FrameType, int]], most: int) -> str:
    package = Path(__file__).parent
    ours = [(f, line) for f, line in frames if Path(f.f_code.co_filename).is_relative_to(package)]
    return (
        ", in ".join(f"{f.f_code.co_qualname} ({Path(f.f_code.co_filename).relative_to(package)}:{line})" for f, line in ours[:most])
        or "outside perfplan"
    )


@contextlib.contextmanager
def within(limit_s: float) -> Iterator[None]:
    """End the process, saying what it was doing, where the block takes longer than *limit_s*; 0: never."""
    main_thread = threading.get_ident()

    def end() -> None:
        frame = sys._current_frames().get(main_thread)
        frames = []
        while frame is not None:
            frames.append((frame, frame.f_lineno))
            frame = frame.f_back
        say(
            f"perfplan: not done within {limit_s:g} s (--limit; 0: none)\n  it was in {_said(frames, 3)}\n  --worlds makes it "
            "shorter; a value far from what is usual may be the cause",
            sys.stderr,
        )
        os._exit(FAILED)

    watch = threading.Timer(limit_s, end)
    watch.daemon = True
    if limit_s > 0:
        watch.start()
    try:
        yield
    finally:
        watch.cancel()
