"""Scenario files changed at random, with values from the edges of what can be written: every one is planned or refused, in time.

    python benchmarks/fuzz.py [--cases 20000] [--seed 1] [--whole 100]

A case is the storefront or a small scenario in which one to three fields are stated anew: by numbers from nothing to more than there are
atoms, intervals, words, nothing, lists, or another field's text; or in which a line is doubled, moved or taken out. It is checked as
`perfplan check` does, in few worlds; of every hundredth (--whole) all tables and files are made. Clean is: exit 0, 1 or 2 within LIMIT_S,
no warning, less than MEMORY; with exit 2 an error that names the file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from perfplan.artifacts import configs
from perfplan.cli import main as perfplan
from perfplan.document import document, to_json
from perfplan.reading import read
from perfplan.study import study
from perfplan.workbook.folder import all_tables

ROOT = Path(__file__).parents[1]
LIMIT_S = 30
MEMORY = 6 * 2**30
WHOLE_S = 180  # the same with everything that is shown
KINDS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "kinds").glob("*.yaml"))]
NUMBERS = (
    "0",
    "-1",
    "1e-30",
    "1e-9",
    "0.001",
    "0.5",
    "0.999999",
    "1",
    "1.0000001",
    "2",
    "7",
    "100",
    "999",
    "1e4",
    "1e6",
    "1e9",
    "1e20",
    "1e30",
    "1e400",
    "nan",
    "inf",
    "00012",
    "1_000",
    "1,5",
    "٣",
    "½",
)
UNITS = (
    "",
    "ms",
    "us",
    "s",
    "h",
    "d",
    "years",
    "months",
    "%",
    "%/month",
    "%/year",
    "rps",
    "/min",
    "B",
    "kB",
    "GiB",
    "PB",
    "GB/s",
    "Gbit/s",
    "$",
    "$/h",
    "/GB/month",
    "x",
    "k",
    "M",
)
WORDS = (
    "",
    "~",
    "yes",
    "p95",
    "p99.99",
    "p100",
    "read",
    "app",
    "store",
    "ps",
    "fcfs",
    "async",
    "blocking",
    "28 days",
    "peak hour",
    "2026-11",
    "9999-12-31",
    "0001-01-01",
    "[]",
    "{}",
    "[1, 2]",
    "{p50: 1us, p99: 90ms}",
    "{variation: 9}",
    "{variation: 1e-9}",
    "''",
    "🙂" * 300,
    "a=b",
    "../../etc/passwd",
)


SPOT = re.compile(r"(?<=: )[^:{}\[\],\n#]+(?=[,}\n])")  # a scalar that may be stated anew


def value(rng: random.Random, known: list[str]) -> str:
    """Something to state for a field."""
    kind = rng.random()
    if kind < 0.45:
        number, unit = rng.choice(NUMBERS), rng.choice(UNITS)
        return (
            f"${number}/h"
            if unit == "$/h"
            else f"${number}"
            if unit == "$"
            else f"${number}{unit}"
            if unit.startswith("/G")
            else number + unit
        )
    if kind < 0.6:
        low, high = rng.choice(NUMBERS), rng.choice(NUMBERS)
        unit = rng.choice(UNITS)
        return f"{low}{unit} to {high}{unit}" + rng.choice(("", " (80%)", f" around {rng.choice(NUMBERS)}{unit}"))
    return rng.choice(WORDS) if kind < 0.8 else rng.choice(known)


def scaled(rng: random.Random, text: str) -> str:
    """The number in *text* a hundredth to a million times as large."""
    match = re.search(r"\d+\.?\d*", text)
    return text if not match else text[: match.start()] + f"{float(match[0]) * 10 ** rng.uniform(-6, 6):.6g}" + text[match.end() :]


def mutated(rng: random.Random, text: str) -> str:
    """The scenario with one to three fields, or a line, changed."""
    known = SPOT.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        spots = list(SPOT.finditer(text))
        if not spots or rng.random() < 0.07:
            lines = text.splitlines(keepends=True)
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i:i] = rng.choice(([], [lines[j]]))
            del lines[min(i + 1, len(lines) - 1)]
            text = "".join(lines)
            continue
        spot = rng.choice(spots)
        new = scaled(rng, spot[0]) if rng.random() < 0.4 else value(rng, known)
        text = text[: spot.start()] + new + text[spot.end() :]
    return text


def bases() -> list[str]:
    """The scenarios that cases start from; the storefront without its history, which takes time to read."""
    shop = (ROOT / "data" / "storefront" / "scenario.yaml").read_text(encoding="utf-8")
    shop = re.sub(r"history: [^,}\n]+", "growth: 2%/month", shop)
    return [*KINDS, shop]


def shown(path: Path, worlds: int) -> None:
    """Everything that a plan of *path* shows, but the page."""
    made = study(read(path), worlds)
    to_json(document(made))
    files = configs(made)
    if max(map(len, files.values())) > 2_000_000:
        raise MemoryError("a generated file of more than 2 MB")
    all_tables(made)


def fault(path: Path, worlds: int = 30, *, whole: bool = False) -> str:
    """What is wrong with how *path* is checked, or, *whole*, with all that its plan shows; "" where nothing is."""
    out, err = io.StringIO(), io.StringIO()

    def late(*_: object) -> None:
        raise TimeoutError("not done in time")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(WHOLE_S if whole else LIMIT_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("error")
            code = perfplan(["check", str(path), "--worlds", str(worlds), "--limit", "0", "--debug"])
            if whole and code in (0, 1):
                shown(path, worlds)
    except BaseException as error:  # whatever it is, it is a fault; interruption aside
        if isinstance(error, KeyboardInterrupt):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:150]} ({Path(place.filename).name}:{place.lineno})"
    finally:
        signal.alarm(0)
    if code == 2 and not err.getvalue().startswith(str(path)):
        return f"exit 2 without the file's name: {err.getvalue()[:150]}"
    if code in (0, 1) and re.search(r"\bnan\b", out.getvalue()):
        return f"nan: {out.getvalue()[:150]}"
    return "" if code in (0, 1, 2) else f"exit {code}: {err.getvalue()[:200]}"


def main() -> int:
    """Run the cases; print each fault once with its file, and how many were planned."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", type=int, default=100, help="of so many cases one is planned whole, as far as its page; 0: none")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faults: dict[str, list[str]] = {}
    start, planned, starts = time.time(), 0, bases()
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / "scenario.yaml"
        for case in range(options.cases):
            rng = random.Random(f"{options.seed} {case}")
            text = mutated(rng, rng.choice(starts))
            path.write_text(text, encoding="utf-8")
            found = fault(path, whole=options.whole > 0 and case % options.whole == 0)
            if found:
                faults.setdefault(found.rpartition("(")[2] or found, []).append(f"case {case}: {found}")
                print(faults[found.rpartition("(")[2] or found][-1], flush=True)
            elif case % 10 == 0:  # of a tenth: was it planned or refused?
                with contextlib.suppress(Exception):
                    read(path)
                    planned += 1
    print(
        f"{options.cases} cases in {time.time() - start:.0f} s, about {10 * planned} of them planned; "
        f"{sum(map(len, faults.values()))} faults of {len(faults)} kinds"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
