"""How a plan gets its place: written beside the old one, then exchanged for it, so that one of the two is always whole.

Beside `plans/shop` stand, while it is made, `plans/.shop.lock` and `plans/.shop.making`. A run that is killed leaves them; the
next one takes them away, and puts the old plan back where the system knows no exchange and the run died between two renames.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOM = "perfplan-"  # how the folders for sockets and caches begin; short, as paths of sockets must be


@dataclass(frozen=True, kw_only=True)
class Making:
    """A plan in the making."""

    out: Path  # where it will stand
    stage: Path  # beside it
    room: Path  # for sockets and caches; empty at the end

    @property
    def plan(self) -> Path:
        """The folder that is filled."""
        return self.stage / "plan"

    def publish(self) -> None:
        """Put the new plan in the place of the old one, which goes with the stage."""
        stop_if_asked()
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            self.plan.rename(self.out)
        elif not exchange(self.plan, self.out):
            self.out.rename(self.stage / "old")
            self.plan.rename(self.out)


@contextlib.contextmanager
def making(out: Path) -> Iterator[Making]:
    """A stage beside *out* for one plan; nobody else makes a plan there meanwhile, and nothing of it stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = out.parent / f".{out.name}.making"
    with _locked(out.parent / f".{out.name}.lock", out):
        recover(out, stage)
        room = Path(tempfile.gettempdir()) / f"{ROOM}{secrets.token_hex(4)}"
        try:
            (stage / "plan").mkdir(parents=True)
            (stage / "room").symlink_to(room)  # first, so that the next run finds it, should this one be killed
            room.mkdir(mode=0o700)
            yield Making(out=out, stage=stage, room=room)
        finally:
            shutil.rmtree(room, ignore_errors=True)
            recover(out, stage)


_asked: list[int] = []  # signals that asked this process to stop


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM stop what is made here, cleanly; also where a library swallows the KeyboardInterrupt, see `stop_if_asked`."""

    def stop(number: int, _: object) -> None:
        _asked.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def stop_if_asked() -> None:
    """Raise KeyboardInterrupt where a signal has asked to stop."""
    if _asked:
        raise KeyboardInterrupt


def recover(out: Path, stage: Path) -> None:
    """Take away what a run has left; where it died between two renames, put the old plan back."""
    if (stage / "old").is_dir() and not out.exists():
        (stage / "old").rename(out)
    room = stage / "room"
    if room.is_symlink():
        target = Path(os.readlink(room))
        if target.name.startswith(ROOM) and target.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(target, ignore_errors=True)
    if stage.is_dir():
        shutil.rmtree(stage)


@contextlib.contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock file *path*; it is taken away at the end, so whoever waited for it looks whether it is still there."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run is making {out}; waiting for it", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(handle).st_ino:
                break
        os.close(handle)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux
    if renameat2(here, os.fsencode(one), here, os.fsencode(other), swap) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def carry_history(folder: Path, old: Path) -> None:
    """Carry the earlier plans of *old* over to *folder*, and the plan that is being replaced."""
    target = folder / "history"
    target.mkdir()
    if (old / "history").is_dir():
        shutil.copytree(old / "history", target, dirs_exist_ok=True)
    if (old / "plan.json").is_file():
        text = (old / "plan.json").read_bytes()
        numbers = [int(m[1]) for p in target.iterdir() if (m := re.match(r"(\d{4,})-", p.name))]
        (target / f"{max(numbers, default=0) + 1:04d}-{_day(text)}.json").write_bytes(text)


def _day(text: bytes) -> str:
    try:
        day = str(json.loads(text)["as_of"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"
    return day if re.fullmatch(r"[0-9-]{10}", day) else "unreadable"
