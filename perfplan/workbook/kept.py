"""plan.json of plans that were made before, here or elsewhere: read with suspicion, as anybody may have written it."""

from __future__ import annotations

import datetime
import json
import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perfplan.document import SCHEMAS

PLAN = "plan.json"
LARGEST = 20_000_000  # bytes; that of the storefront has 0.4 MB
KEPT = re.compile(r"(\d{4,9})-.*\.json")  # an earlier plan in history/, by number


class Unreadable(ValueError):
    """A file that is no plan, or a damaged one; says what is wrong with it."""


def load(path: Path) -> dict[str, Any]:
    """The plan in the file at *path*; raises `Unreadable`."""
    data = _json(path)
    if not isinstance(data, dict) or data.get("schema") not in SCHEMAS:
        found = data.get("schema") if isinstance(data, dict) else None
        raise Unreadable(f"its schema must be {' or '.join(SCHEMAS)}; got {str(found)[:60]!r}")
    for key, good in SHAPE.items():
        if key not in data:
            raise Unreadable(f"{key} is missing")
        if not good(data[key]):
            raise Unreadable(f"{key} is not what a plan holds there; got {str(data[key])[:60]!r}")
    return data


def is_ours(path: Path) -> bool:
    """Whether the file at *path* says that it is a plan of perfplan, of this version or another."""
    try:
        data = _json(path)
    except Unreadable:
        return False
    return isinstance(data, dict) and bool(re.fullmatch(r"perfplan/plan/\d{1,4}", str(data.get("schema"))))


def name_in(path: Path) -> str | None:
    """The service that the plan at *path* says it is for, also where the rest cannot be read."""
    try:
        data = _json(path)
    except Unreadable:
        return None
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else None


def is_damaged(path: Path) -> bool:
    """Whether the file at *path* is no JSON at all, as after a fault of the disk."""
    try:
        _json(path)
    except Unreadable:
        return True
    return False


def history(folder: Path) -> list[Path]:
    """The earlier plans in *folder*, in order: regular files named NNNN-*.json; links are not followed."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    found = [(int(m[1]), p.name, p) for p in folder.iterdir() if (m := KEPT.fullmatch(p.name)) and stat.S_ISREG(p.lstat().st_mode)]
    return [path for _, _, path in sorted(found)]


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest earlier plan in *folder* that can be read; None where there is none."""
    for path in reversed(history(folder)):
        try:
            return load(path)
        except Unreadable:
            continue
    return None


def _json(path: Path) -> Any:
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("it is no regular file")
        if about.st_size > LARGEST:
            raise Unreadable(f"it has {about.st_size / 1e6:.0f} MB; a plan has at most {LARGEST / 1e6:.0f}")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from None
    except RecursionError:
        raise Unreadable("it nests too deep") from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("it is no JSON") from None


# ---- what stands where: as much as reading, comparing and showing a plan rely on ----


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def _month(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value))


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e300)


def _rows(good: Callable[[str, dict[str, Any]], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(isinstance(row, dict) and good(key, row) for key, row in value.items())


def _input(_: str, row: dict[str, Any]) -> bool:
    return _text(row.get("text")) and _number(row.get("value"))


def _value(key: str, row: dict[str, Any]) -> bool:
    return "value" in row and _number(row["value"]) and (key.startswith("run_out.") or _month(key.rpartition(".")[2]))


def _orders(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and _month(row.get("month"))
        and isinstance(row.get("counts"), dict)
        and all(_number(n) and n is not None for n in row["counts"].values())
        for row in value
    )


SHAPE: dict[str, Callable[[Any], bool]] = {
    "name": _text,
    "as_of": _date,
    "verdict": _text,
    "asked_until": _month,
    "inputs": _rows(_input),
    "numbers": _rows(_value),
    "fleet": _orders,
}
