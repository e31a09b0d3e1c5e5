"""Files beside a scenario, plain or compressed (.gz, .xz, .bz2), as streams of bytes no longer than they may be."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from perfplan.quantity import Misread

CHUNK = 1 << 20


def unpacked(path: Path, name: str, most: int) -> BinaryIO:
    """The bytes of the file *name* at *path*; raises `Misread` where there is none, or more than *most* once unpacked."""
    if path.is_dir():
        raise Misread(f"must be a file beside the scenario; {name} is a folder")
    if not path.is_file():
        raise Misread(f"must be a file beside the scenario; there is no {name}")
    try:
        with _opened(path) as stream:
            size = 0
            while part := stream.read(CHUNK):
                size += len(part)
                if size > most:
                    raise Misread(f"must be at most {most / 1e6:,.0f} MB, unpacked; {name} is larger")
        return _opened(path)
    except PermissionError as error:
        raise Misread(f"must be a file that can be read; {name}: {error.strerror}") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Misread(f"must be a whole file; {name}: {error}") from None


def _opened(path: Path) -> BinaryIO:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(BinaryIO, gzip.open(path))
    if suffix == ".xz":
        return cast(BinaryIO, lzma.open(path))
    return cast(BinaryIO, bz2.open(path)) if suffix == ".bz2" else path.open("rb")


def stamp(path: Path) -> tuple[int, int]:
    """When a file was written and how long it is, by which a copy that was read is known again; zeros where there is none."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size
