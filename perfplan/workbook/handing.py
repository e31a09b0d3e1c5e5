"""What is handed on beside plan.html: a summary for places that show Markdown, its picture, all tables as one workbook, a PDF."""

from __future__ import annotations

import datetime
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfplan.document.story import story
from perfplan.quantity import quantiles
from perfplan.shown.blocks import Table
from perfplan.shown.frames import more_dollars
from perfplan.shown.vector import Level, Line, alone, lines
from perfplan.study import Study
from perfplan.study.remedy import positions
from perfplan.study.sweeps import todays_knee
from perfplan.system import child
from perfplan.words import change, count, day_name, duration, money, percent, rate, share, size, weeks

SUMMARY, PICTURE, TABLES, PDF = "summary.md", "summary.svg", "tables.xlsx", "plan.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PAPER = ("--no-pdf-header-footer", "--generate-pdf-document-outline")
PATIENCE_S = 120.0
MOST_SHEETS_NAME = 31  # letters of a sheet's name, as spreadsheets have it
UNITS = {"_s": "s", "_usd": "$", "_rps": "1/s", "_bytes": "B"}
WRITTEN_IN = {money: "$", more_dollars: "$", rate: "1/s", duration: "s", size: "B", share: "share of 1", percent: "share of 1"}


NOTHING = "&#8203;"  # stands where a name would become a link, or call somebody


def _text(text: str) -> str:
    """Text in Markdown that is only text, on a line of its own, however long.

    >>> _text("a_b <c> | @all $5")
    'a\\\\_b &lt;c&gt; \\\\| @&#8203;all \\\\$5'
    """
    plain = re.sub(r"[\x00-\x20\x85\u2028\u2029]+", " ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", plain)
    return re.sub(r"@|://|www\.", lambda found: {"@": f"@{NOTHING}", "://": f":{NOTHING}//", "www.": f"www{NOTHING}."}[found[0]], plain)


def summary(study: Study) -> str:
    """The verdict, the three numbers, the decision and the orders, as Markdown; its picture lies beside it."""
    told = story(study)
    rows = "\n".join(f"| {_text(h.name)} | **{_text(h.value)}** | {_text(h.note)} |" for h in told.headlines)
    beside = "\n".join(f"- **{_text(name)}**: {_text(text)}" for name, text in told.rests)
    return f"""# {_text(study.scenario.name)}: capacity plan of {day_name(study.as_of)}

**{_text(told.verdict)}** {_text(told.remedy)}

![Demand against the load that today’s fleet holds]({PICTURE})

| | | |
|---|---|---|
{rows}

## Decision

{_text(told.decision)}

- **Why**: {_text(told.why)}
- **If nothing is done**: {_text(told.nothing)}

## Orders

{_orders(study)}

## What it rests on

{beside or "Nothing beside the scenario."}

The whole plan, with every number opened: plan.html.
"""


def _orders(study: Study) -> str:
    rows = [
        f"| {day_name(one.by)} | {_text(one.text)} | {weeks(one.lead_s) if one.lead_s else 'none'} | "
        f"{_text(change(one.monthly_usd, money))} | {_text(money(one.once_usd))} |"
        for one in positions(study)
    ]
    head = "| By | What | Lead time | a month, in the last one | once |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) if rows else "Nothing is to be ordered for the months asked for."


def picture(study: Study) -> str:
    """Demand, and the load at which every promise holds with today's fleet: a file of its own."""
    low, middle, high = quantiles(study.worlds.rps, (0.05, 0.5, 0.95))
    months, holds = np.arange(middle.size, dtype=float), todays_knee(study).rps
    step = max(1, round(middle.size / 5))
    drawn = [Line(name="demand P50", values=middle), Line(name="P95", values=high, thin=True), Line(name="P5", values=low, thin=True)]
    levels = [Level(name="today’s fleet", value=holds)] if np.isfinite(holds) and holds > 0 else []
    ticks = [(float(m), study.named(int(m), short=True)) for m in range(0, middle.size, step)]
    return alone(lines("Peak hour, requests per second, against what today’s fleet holds", ticks, months, drawn, count, levels=levels))


# ---- tables ----


def spreadsheet(path: Path, tables: Sequence[Table], day: datetime.date) -> None:
    """One sheet a table, after a list of them: heads and units stand still, numbers are numbers, text is text whatever it begins with."""
    import xlsxwriter

    quiet = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), quiet) as book:
        book.set_properties({"created": datetime.datetime.combine(day, datetime.time())})
        bold, grey = book.add_format({"bold": True}), book.add_format({"font_color": "#5a6067"})
        contents = book.add_worksheet("contents")
        contents.write_row(0, 0, ["sheet", "what it says", "what is shown"], bold)
        contents.freeze_panes(1, 0)
        contents.set_column(0, 2, 40)
        taken = {"contents"}
        for i, one in enumerate(tables, 1):
            name = _sheet_name(one.name, taken)
            for column, text in enumerate((name, one.title, one.subtitle)):
                contents.write_string(i, column, text)
            sheet, frame = book.add_worksheet(name), one.tidy()
            sheet.freeze_panes(2, 1)
            sheet.set_column(0, max(len(frame.columns) - 1, 0), 16)
            frame = frame[[key for key in frame.columns if f"{key}_s" not in frame.columns]]  # what is said again in words
            written = {one.key: WRITTEN_IN.get(one.write) for one in one.columns if one.write is not None}
            for column, key in enumerate(map(str, frame.columns)):
                unit = next((end for end in UNITS if key.endswith(end)), "")
                sheet.write_string(0, column, key.removesuffix(unit).replace("_", " "), bold)
                sheet.write(1, column, UNITS.get(unit) or ("$" if key == "usd" or "_usd_" in key else written.get(key)), grey)
            for row, record in enumerate(frame.itertuples(index=False), 2):
                for column, value in enumerate(record):
                    _cell(sheet, row, column, value)


def _sheet_name(wanted: str, taken: set[str]) -> str:
    """A name that a spreadsheet allows, and no other sheet has, whatever the case of its letters."""
    base = re.sub(r"[\[\]:*?/\\']", " ", wanted)[:MOST_SHEETS_NAME] or "table"
    name, again = base, 2
    while name.lower() in taken:
        name, again = f"{base[: MOST_SHEETS_NAME - 4]} {again}", again + 1
    taken.add(name.lower())
    return name


def _cell(sheet: Any, row: int, column: int, value: Any) -> None:
    if isinstance(value, bool | np.bool_):
        sheet.write_boolean(row, column, bool(value))
    elif isinstance(value, int | float | np.integer | np.floating):
        if math.isfinite(value):
            sheet.write_number(row, column, float(value))
        elif math.isinf(value):
            sheet.write_string(row, column, "without end")
    elif value is not None and value != "":
        sheet.write_string(row, column, str(value)[:32_000])


# ---- paper ----


def browser() -> str | None:
    """A Chromium that is installed here; None where none is."""
    return next((found for name in BROWSERS if (found := shutil.which(name)) is not None), None)


class Unbrowsed(RuntimeError):
    """A Chromium did not do what was asked, or is not here; says why."""


def browsed(page: Path, *arguments: str) -> str:
    """What a Chromium says of *page*, with *arguments* beside those that keep it quiet. Raises `Unbrowsed`."""
    program = browser()
    if program is None:
        raise Unbrowsed("no Chromium was found here")
    with tempfile.TemporaryDirectory() as room:
        command = [program, *FLAGS, *arguments, f"--user-data-dir={room}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False, encoding="utf-8", **child())
        except subprocess.TimeoutExpired:
            raise Unbrowsed(f"{Path(program).name} took longer than {PATIENCE_S:g} s") from None
    if done.returncode != 0:
        raise Unbrowsed(f"{Path(program).name} ended with {done.returncode}")
    return str(done.stdout)


def paper(page: Path, target: Path) -> str:
    """Print *page* as a PDF with its chapters as bookmarks; what was left out, and why, "" where nothing was."""
    with tempfile.TemporaryDirectory() as room:
        printed = Path(room) / PDF
        try:
            browsed(page, *PAPER, f"--print-to-pdf={printed}")
        except Unbrowsed as error:
            return f"{PDF} was left out: {error}"
        if not printed.is_file():
            return f"{PDF} was left out: nothing was printed"
        shutil.copyfile(printed, target)
    return ""
