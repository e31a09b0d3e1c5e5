"""What was found deployed of a plan's files: `measured/deployed.json` beside the scenario, written by `perfplan drift`."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perfplan.quantity import Misread

DEPLOYED, SCHEMA = "measured/deployed.json", "perfplan/deployed/1"
AS_PLANNED = "deployed as planned"
FRESH_DAYS = 90  # after which nobody knows any more
LARGEST = 5_000_000  # bytes


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What was found of one generated file."""

    hash: str  # fingerprint of the file that was looked for
    date: str
    verdict: str
    said: str  # how it differs


def fingerprint(text: str) -> str:
    """A hash of a generated file, without what says from which inputs and for which day it was made."""
    bare = re.sub(r"sha256:[0-9a-f]+|capacity plan of \d{4}-\d\d-\d\d", "", text, flags=re.I)
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def deployments_text(found: Mapping[str, Deployment]) -> str:
    """The text of deployed.json."""
    return json.dumps({"schema": SCHEMA, "files": {name: asdict(one) for name, one in found.items()}}, indent=1, sort_keys=True) + "\n"


def read_deployed(path: Path, name: str) -> Mapping[str, Deployment]:
    """What deployed.json at *path* says; raises `Misread` where it is not what `perfplan drift` wrote."""
    way = "it must be what `perfplan drift` wrote there (run it again, or delete the file)"
    try:
        if path.stat().st_size > LARGEST:
            raise Misread(f"must have at most {LARGEST / 1e6:.0f} MB; {way}")
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise Misread(f"{name} is of schema {str(data['schema'])[:40]!r}; {way}")
        return {str(file): _deployment(row) for file, row in data["files"].items()}
    except Misread:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Misread(f"{name} cannot be read ({type(error).__name__}); {way}") from None


def _deployment(row: Mapping[str, Any]) -> Deployment:
    made = Deployment(**row)
    if not all(isinstance(value, str) for value in asdict(made).values()):
        raise TypeError
    datetime.date.fromisoformat(made.date)
    return made
