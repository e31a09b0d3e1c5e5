"""How a plan gets its place: written beside the old one, then exchanged for it, so that one of the two is always whole.

Beside `plans/shop` stand, while it is made, `plans/.shop.lock` and `plans/.shop.making`. A run that is killed leaves them; the
next one takes them away, and puts the old plan back where the system knows no exchange and the run died between two renames.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from perfplan.system import STOPPING, Lacking, enough_space, exchange, nearest_folder, room_for_sockets, user
from perfplan.terminal import say

ROOM = "perfplan-"  # how the folders for sockets and caches begin; short, as paths of sockets must be
ELSEWHERE = "state another place with --out"


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

    def publish(self) -> Path | None:
        """Put the new plan in the place of the old one, which goes with the stage; where the old one lies then, if there was one."""
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            with contextlib.suppress(FileNotFoundError):
                self.out.rmdir()  # Windows renames onto nothing, not even onto an empty folder
            self.plan.rename(self.out)
            return None
        if not exchange(self.plan, self.out):
            self.out.rename(self.stage / "old")
            self.plan.rename(self.out)
            return self.stage / "old"
        return self.plan


def real(out: str | Path) -> Path:
    """The folder that *out* names, also through links: two names of one folder are one place."""
    return Path(os.path.realpath(out))


def ready(out: Path, bytes_needed: float) -> None:
    """Raise `Lacking` where a plan of so many bytes cannot get the place *out*, asked before the work: who may write, and what is free
    there."""
    folder = nearest_folder(out.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Lacking(f"{folder} cannot be written: {_whose(folder)} ({ELSEWHERE})")
    if out.is_dir() and not (os.access(out, os.W_OK | os.X_OK) and _may_move(out, folder)):
        raise Lacking(f"{out} cannot be replaced: {_whose(out)} ({ELSEWHERE})")
    if os.path.ismount(out):
        raise Lacking(f"{out} cannot be replaced: it is a mount point (state a folder in it with --out)")
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        if not path.is_symlink() and not os.access(path, os.R_OK | (os.W_OK | os.X_OK if path.is_dir() else 0)):
            raise Lacking(f"{path} cannot be carried over to the new plan: {_whose(path)} (move it away, or {ELSEWHERE})")
    enough_space(folder, bytes_needed, f"free some, or {ELSEWHERE}")


def _whose(path: Path) -> str:
    about = path.stat()
    if about.st_uid == user():
        return f"its mode is {stat.filemode(about.st_mode)}, or the disk is read-only"
    with contextlib.suppress(OSError, KeyError, NotImplementedError):
        return f"it belongs to {getattr(path, 'owner')()}"  # noqa: B009  # mypy for Windows refuses it
    return f"it belongs to user {about.st_uid}"


def _may_move(path: Path, folder: Path) -> bool:
    """In a folder for everybody (its sticky bit is set) only its owner may rename what lies there."""
    if user() <= 0 or not folder.stat().st_mode & stat.S_ISVTX:
        return True
    return user() in (path.stat().st_uid, folder.stat().st_uid)


@contextlib.contextmanager
def making(out: Path) -> Iterator[Making]:
    """A stage beside *out* for one plan; nobody else makes a plan there meanwhile, and nothing of it stays."""
    out = real(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = out.parent / f".{out.name}.making"
    with _locked(out.parent / f".{out.name}.lock", out):
        recover(out, stage)
        room = room_for_sockets() / f"{ROOM}{secrets.token_hex(4)}"
        try:
            (stage / "plan").mkdir(parents=True)
            (stage / "room").write_text(str(room), encoding="utf-8")  # first, so that the next run finds it, should this one be killed
            room.mkdir(mode=0o700)
            yield Making(out=out, stage=stage, room=room)
        finally:
            with unhurried():
                shutil.rmtree(room, ignore_errors=True)
                recover(out, stage)


@contextlib.contextmanager
def trying() -> Iterator[Making]:
    """A stage for a plan that gets no place; nothing of it stays."""
    room = room_for_sockets() / f"{ROOM}{secrets.token_hex(4)}"
    try:
        room.mkdir(mode=0o700)
        (room / "stage" / "plan").mkdir(parents=True)
        yield Making(out=room / "stage" / "plan", stage=room / "stage", room=room)
    finally:
        with unhurried():
            shutil.rmtree(room, ignore_errors=True)


_asked: list[int] = []  # signals that asked this process to stop
_leaving: list[bool] = []  # while what was begun is taken away


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Signals that ask to stop end what is made here, cleanly; also where a library swallows the KeyboardInterrupt, see `stop_if_asked`."""

    def stop(number: int, _: object) -> None:
        _asked.append(number)
        if not _leaving:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]  # `nohup` ignores one, and so does this
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Let the block end, also where a second signal asks to stop."""
    _leaving.append(True)
    try:
        yield
    finally:
        _leaving.pop()


def stop_if_asked() -> None:
    """Raise KeyboardInterrupt where a signal has asked to stop."""
    if _asked:
        raise KeyboardInterrupt


def recover(out: Path, stage: Path) -> None:
    """Take away what a run has left; where it died between two renames, put the old plan back."""
    if (stage / "old").is_dir() and not out.exists():
        (stage / "old").rename(out)
    if stage.is_symlink():
        raise Lacking(f"{stage} must be a folder of perfplan's; it is a link (take it away)")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if stat.S_ISREG((stage / "room").lstat().st_mode):
            room = Path((stage / "room").read_text(encoding="utf-8")[:300])
            if room.name.startswith(ROOM) and room.parent == room_for_sockets() and not room.is_symlink():
                shutil.rmtree(room, ignore_errors=True)
    try:
        if stage.is_dir():
            shutil.rmtree(stage)
    except OSError as error:
        raise Lacking(f"{stage} is left of a run and cannot be taken away: {error.strerror} (take it away, or {ELSEWHERE})") from None


@contextlib.contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock file *path*; it is taken away at the end (whoever waited for it sees that, and makes it anew)."""
    lock = filelock.FileLock(path, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        say(f"another run is making {out}; waiting for it", sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        if sys.platform != "win32":  # where an open file cannot be taken away; the library does it there
            path.unlink(missing_ok=True)
        lock.release()
