"""What a process may use of its system, asked before the work; what one system lacks is replaced here, or said where it is missed.

Linux has everything. macOS exchanges folders by two renames and leaves the ending of children to Python. Windows, besides, has no sockets
that are files: the kernel is reached over loopback, and generated files are not judged.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FEWEST_FILES, USUAL_FILES, UNLIMITED_FILES = 64, 4096, 1_000_000  # open at once: a plan takes 50, the judges of connections two each
FEWEST_NAMES = 150  # files that a plan and its rooms are made of
LONGEST_ROOM = 58  # characters: a socket's path ends at 107, and what stands in a room is up to 40 long
CODE = {"check": (0.2e9, 0.3e9), "plan": (0.6e9, 0.8e9)}  # bytes that a command takes without numbers, and addresses it asks for besides
LOCAL_SOCKETS = hasattr(socket, "AF_UNIX")
CONTAINERS = (  # folder, most memory, what is used of it, and what of that are files that give way
    ("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
PASSED_ON = (  # to what a plan starts: how to find programs, write text and hold temporary files; nothing that is somebody's secret
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUTF8",
    "PYTHONHASHSEED",
    "VIRTUAL_ENV",
    "HOME",
    "USERPROFILE",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "APPDATA",
    "LOCALAPPDATA",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "JUPYTER_PATH",
    "JUPYTER_DATA_DIR",
    "IPYTHONDIR",
    "NUMBA_CACHE_DIR",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class Lacking(RuntimeError):
    """The system has too little of something for the work; says of what, how much is needed, and the way out."""


def open_streams() -> None:
    """Give the numbers 0 to 2 to streams that were closed, so that no file gets them by chance."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115  # for the process


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a library prints past Python, into the process's own output, goes nowhere meanwhile; what Python writes is not touched."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError):  # closed: nothing can come out
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).fflush(None)  # what waits in C's buffer belongs nowhere, too
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):  # TypeError: Windows
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux
    if renameat2(here, os.fsencode(one), here, os.fsencode(other), swap) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def local_socket() -> socket.socket:
    """A socket whose address is a file; where LOCAL_SOCKETS."""
    return socket.socket(getattr(socket, "AF_UNIX"))  # noqa: B009  # mypy for Windows does not know it


def child() -> dict[str, Any]:
    """Options of `subprocess.Popen`: few variables, and the child ends when this process does, also when that is killed; Linux knows
    how."""
    return {"env": environment()} | ({"preexec_fn": _die_with_parent} if sys.platform == "linux" else {})


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def is_root() -> bool:
    """Whether this process may do everything."""
    return user() == 0


def user() -> int:
    """Number of the user whose rights this process has; -1 where users have none."""
    return int(getattr(os, "geteuid", lambda: -1)())


def environment() -> dict[str, str]:
    """The variables that what a plan starts may see; PERFPLAN_ ones besides."""
    return {name: text for name, text in os.environ.items() if name in PASSED_ON or name.startswith("PERFPLAN_")}


def enough_files() -> None:
    """Let this process open as many files as its limit can be raised to; raises `Lacking` where that is too few."""
    if sys.platform != "win32" and most_files() < USUAL_FILES:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = USUAL_FILES if hard == resource.RLIM_INFINITY else min(USUAL_FILES, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if most_files() < FEWEST_FILES:
        raise Lacking(
            f"{FEWEST_FILES} files must be open at once; this process may open {most_files()} (raise it: `ulimit -n {USUAL_FILES}`)"
        )


def most_files() -> int:
    """How many files this process may open at once."""
    return _limit("RLIMIT_NOFILE", UNLIMITED_FILES)


def _limit(name: str, unlimited: int) -> int:
    try:
        import resource
    except ImportError:  # Windows
        return unlimited
    if sys.platform == "win32":
        return unlimited
    soft = resource.getrlimit(getattr(resource, name))[0]
    return unlimited if soft == resource.RLIM_INFINITY else soft


def enough_memory(command: str, data: float = 0.0, work: str = "it", way_out: str = "close other programs") -> None:
    """Raise `Lacking` where *command* with *data* bytes of numbers has too little memory, or may not ask for as many addresses as it
    does."""
    used, reserved = CODE[command]
    room, addresses = free_memory(), _address_space()
    if used + data > room:
        raise Lacking(f"{work} would need about {_gb(used + data)} GB of memory; {_gb(room)} GB are free ({way_out})")
    if used + reserved + data > addresses:
        raise Lacking(
            f"{work} would need about {_gb(used + reserved + data)} GB of memory and addresses; this process may have "
            f"{_gb(addresses)} GB (raise `ulimit -v`, or {way_out})"
        )


def free_for_data(command: str) -> float:
    """Bytes of numbers for which there is memory."""
    used, reserved = CODE[command]
    return max(min(free_memory() - used, _address_space() - used - reserved), 0.0)


def _gb(count: float) -> str:
    return f"{count / 1e9:.2g}"


def free_memory() -> float:
    """Bytes that can still be used: what the machine has free, and what a container's limit leaves."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for folder, most, now, cached in CONTAINERS:
        with contextlib.suppress(OSError, ValueError):
            rows = dict(row.split() for row in (Path(folder) / "memory.stat").read_text().splitlines())
            used = float((Path(folder) / now).read_text()) - float(rows.get(cached, 0))  # files kept in memory give way
            free = min(free, float((Path(folder) / most).read_text()) - used)
    return max(free, 0.0)


def _address_space() -> int:
    return _limit("RLIMIT_AS", 2**63)


def room_for_sockets() -> Path:
    """A folder for temporary files whose name is short enough for sockets in it; the usual one where it is."""
    usual = Path(tempfile.gettempdir())
    if not LOCAL_SOCKETS or (len(os.fsencode(usual)) <= LONGEST_ROOM and re.fullmatch(r"[A-Za-z0-9_./-]+", str(usual))):
        return usual
    other = Path("/tmp")
    if other.is_dir() and os.access(other, os.W_OK | os.X_OK):
        return other
    raise Lacking(
        f"sockets need a folder with a short and plain name; {usual} has more than {LONGEST_ROOM} characters, or others than "
        "letters, digits and ._- (set TMPDIR to another one)"
    )


def enough_space(folder: Path, bytes_needed: float, way_out: str) -> None:
    """Raise `Lacking` where the file system of *folder* has less free than is needed."""
    free = shutil.disk_usage(folder).free
    if free < bytes_needed:
        raise Lacking(f"{folder} must have {bytes_needed / 1e6:.0f} MB free; it has {free / 1e6:.1f} MB ({way_out})")
    if sys.platform != "win32" and (about := os.statvfs(folder)).f_files > 0 and about.f_favail < FEWEST_NAMES:
        raise Lacking(f"{folder} must have room for {FEWEST_NAMES} files; its file system has {about.f_favail} left ({way_out})")


def nearest_folder(path: Path) -> Path:
    """*path*, or the nearest folder above it that exists."""
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path.cwd())
