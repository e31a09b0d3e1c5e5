"""plan.html: one offline file from the executed notebooks. No request to anywhere; scripts run by hash only."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perfplan import tables
from perfplan.checklist import states, summary
from perfplan.document.story import Headline, Opened, Story, story
from perfplan.judging import Judgements
from perfplan.scenario.statement import shown
from perfplan.shown import look
from perfplan.shown.blocks import HEADING, SHEET, Column, Table, safe, unbundled
from perfplan.shown.blocks import MAKERS as MAKERS_SEE
from perfplan.shown.drawing import FIGURE, numbers_of, place_text, plain, value_text
from perfplan.shown.frames import frame_of
from perfplan.study import Study
from perfplan.words import NBSP, day_name
from perfplan.workbook.chapters import ARCHITECT, CHAPTERS, READERS, SRE, Chapter
from perfplan.workbook.levers import markup, script
from perfplan.workbook.opening import checklist_table

HERE = Path(__file__).parent
MAKERS = (ARCHITECT, SRE)  # who reads what the plan rests on


def page(study: Study, notebooks: dict[str, Any], judged: Judgements) -> str:
    """The whole page; *notebooks* by name, executed, as plain nbformat dicts; *judged*: what tools said of the generated files."""
    from plotly.offline import get_plotlyjs

    told = story(study)
    chapters = [_chapter(f"{i} {one.name}", one, notebooks[one.notebook]) for i, one in enumerate(CHAPTERS)]
    chapters += [_assumptions(study), _checklist(study, judged)]
    names = [(one.name, one.readers) for one in CHAPTERS] + [("Assumptions", MAKERS), ("Checklist", MAKERS)]
    links = "".join(f'<li data-for="{" ".join(who)}"><a href="#{n.lower()}">{n}</a></li>' for n, who in names)
    readers = "".join(f'<option value="{key}">{name}</option>' for key, name in (("", "everybody"), *READERS.items()))
    scripts = [get_plotlyjs(), (HERE / "look.js").read_text(encoding="utf-8"), script()]
    title = f"{study.scenario.name} · capacity plan · {day_name(study.as_of)}"
    body = _spaced(_first_screen(study, told, notebooks[CHAPTERS[0].notebook]) + "".join(chapters))
    swap = f'<script type="application/json" id="swap">{json.dumps(look.SWAP)}</script>'
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{safe(title)}</title><style>{_sheets(title)}</style></head><body>
<a class="skip" href="#plan">Skip to the chapters</a>
<header class="top"><h1><b class="name">{safe(study.scenario.name)}</b> · capacity plan · {day_name(study.as_of)}</h1>
<ul><li class="screen-only"><label>For <select class="tool" id="reader">{readers}</select></label></li>
<li data-for="{" ".join(MAKERS)}"><a href="#assumptions">Assumptions</a></li><li><button class="tool" id="print">Print</button></li>
<li><button class="tool" id="theme">Dark</button></li></ul></header>
<div class="bar"><nav aria-label="Chapters"><ol>{links}</ol></nav></div>
<main>{body}</main>{swap}{"".join(f"<script>{s}</script>" for s in scripts)}</body></html>
"""


def _sheets(title: str) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in ("look.css", "page.css")) + _paper(title)


def _paper(title: str) -> str:
    """The head of printed pages: every letter that could end a string of a style sheet, or the sheet, is written as its number."""
    plain = "".join(one if one.isalnum() or one in " ·.,-" else f"\\{ord(one):06x}" for one in title)
    return f'@page {{ @top-left {{ content: "{plain}"; font: 8pt sans-serif; color: #5a6067; }} }}'


def _policy(scripts: Sequence[str]) -> str:
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"


def _spaced(markup: str) -> str:
    """A no-break space between a number and its unit."""
    return re.sub(r"(\d) (%|ms|rps|s|GB|TB|MB)(?![\w])", rf"\1{NBSP}\2", markup)


# ---- first screen ----


def _first_screen(study: Study, told: Story, overview: Any) -> str:
    picture = "".join(_figure(data[FIGURE], lead="lead") for data in _outputs(overview) if FIGURE in data and _leads(data[FIGURE]))
    nothing = "" if told.asked else " quiet"
    beside = "".join(f"<p><b>{safe(name)}</b> {safe(text)}</p>" for name, text in told.rests)
    rests = f'<div class="rests">{beside}</div>' if beside else ""
    sheets = "".join(_opened(h.opened, i) for i, h in enumerate(told.headlines, 1))
    return (
        '<section data-nav="plan" aria-label="The plan in short">'
        f'<div class="verdict" data-planned><h2>{safe(told.verdict)}</h2><p>{safe(told.remedy)}</p>{rests}</div>'
        f'<dl class="three">{"".join(_headline(h, i) for i, h in enumerate(told.headlines, 1))}</dl>{picture}{markup(study)}'
        f'<div class="decide{nothing}" data-planned><p>{safe(told.decision)}</p>'
        f"<details><summary>Why?</summary><p>{safe(told.why)}</p></details>"
        f"<details><summary>What if we do nothing?</summary><p>{safe(told.nothing)}</p></details></div>{sheets}</section>"
    )


def _headline(one: Headline, number: int) -> str:
    value = str(safe(one.value))
    if one.broken:
        value = (
            value.replace(str(safe(one.broken)), f'<span class="broken">{safe(one.broken)}</span>')
            if one.value.count(one.broken) == 1
            else f'{value.rpartition("→")[0]}→ <span class="broken">{safe(one.broken)}</span>'
        )
    button = f'<button class="n name" popovertarget="n{number}" aria-haspopup="dialog">{value}<sup>({number})</sup></button>'
    return f"<div><dt>{safe(one.name)}</dt><dd>{button}</dd><dd>{safe(one.note)}</dd></div>"


def _opened(one: Opened, number: int) -> str:
    """The sheet behind a number: on the screen it slides in, on paper it stands in a numbered list."""
    columns = (Column("input", "Input"), Column("value", "Value", str), Column("interval", "P5 … P95", str), Column("source", "Source"))
    rows = [
        {"input": e.path, "value": shown(e)[0], "interval": shown(e)[1] or "certain", "source": f"{e.source}: {e.where}"}
        for e in one.inputs
    ]
    table = Table(name="", title="", subtitle="", frame=frame_of(rows), columns=columns, stack=2, captioned=False).html() if rows else ""
    return (
        f'<div class="opened" popover id="n{number}" role="dialog" aria-label="{safe(one.title)}">'
        f'<button class="close tool" popovertarget="n{number}" popovertargetaction="hide">Close</button>'
        f'<h3><span class="print-only nobr">({number}) </span>{safe(one.title)}</h3>'
        f"<code>{safe(one.formula)}</code>{table}<p>{safe(one.trust)}</p></div>"
    )


# ---- chapters ----


def _chapter(title: str, one: Chapter, notebook: Any) -> str:
    """A chapter from its executed notebook: the heading goes to its top, the lead figure to the first screen."""
    head, parts = f"<h2>{safe(title)}</h2>", []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(_markdown("".join(cell["source"])))
        for data in (o.get("data", {}) for o in cell.get("outputs", ())):
            part, markup = unbundled(data)
            if part == HEADING:
                head = markup
            elif FIGURE in data and not _leads(data[FIGURE]):
                parts.append(_figure(data[FIGURE]))
            elif part != SHEET:
                parts.append(markup)
    return _section(one.name, title, one.reader, one.readers, head, [*parts, _code(notebook)])


def _leads(figure: dict[str, Any]) -> bool:
    """Whether it is the picture of the first screen."""
    return bool(figure["layout"].get("meta", {}).get("leads"))


def _code(notebook: Any) -> str:
    """The cells of a chapter's notebook, behind a toggle."""
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    text = "\n\n".join(c for c in cells if c.strip())
    return f'<details class="code"><summary>Code of this chapter</summary><pre tabindex="0"><code>{safe(text)}</code></pre></details>'


def _section(anchor: str, name: str, reader: str, readers: Sequence[str], head: str, parts: list[str]) -> str:
    side = f'<p class="side"><b>{safe(name)}</b>{safe(reader)}</p>'
    return f'<section class="chapter" id="{anchor.lower()}" data-for="{" ".join(readers)}">{side}{head}{"".join(parts)}</section>'


def _outputs(notebook: Any) -> list[dict[str, Any]]:
    return [o.get("data", {}) for cell in notebook["cells"] for o in cell.get("outputs", ())]


def _markdown(text: str) -> str:
    """Text of a notebook: headings and what is only for the notebook's reader are left out."""
    import mistune

    kept = [p for p in text.split("\n\n") if not p.startswith(("# ", "<!-- notebook"))]
    return str(mistune.html("\n\n".join(kept))).strip() if kept else ""


def _figure(data: dict[str, Any], lead: str = "") -> str:
    """The page lifts title and subtitle out of a figure: as text they wrap, can be selected and are read aloud."""
    layout = dict(data["layout"])
    title = layout.get("title", {})
    finding, subtitle = title.get("text", ""), title.get("subtitle", {}).get("text", "")
    height = layout.get("meta", {}).get("height", 360)
    margin = dict(layout.get("margin", {}))
    layout["title"] = {"text": "", "subtitle": {"text": ""}, "automargin": False}
    layout["margin"] = margin | {"t": margin.get("t", 8)}
    layout.pop("height", None)
    text = json.dumps({"data": data["data"], "layout": layout}, sort_keys=True).replace("<", "\\u003c")
    name = f"fig-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    caption = "" if lead else f"<b>{safe(plain(finding))}</b>"
    numbers = "" if lead else _numbers(data)
    own = MAKERS_SEE if layout.get("meta", {}).get("detail") else ""
    return (
        f'<div class="figure"{own}><figure><figcaption class="{lead}">{caption}<small>{safe(plain(subtitle))}</small></figcaption>'
        f'<div class="plot" style="--h:{height}px" data-fig="{name}" role="img" aria-label="{safe(plain(finding))}"></div>'
        f'<script type="application/json" id="{name}">{text}</script></figure>{numbers}</div>'
    )


def _numbers(data: dict[str, Any]) -> str:
    """The numbers of a figure's named series, as a table that scripts are not needed for."""
    names, rows, every = numbers_of(data)
    if not names:
        return ""
    head = "".join(f'<th class="num">{safe(plain(name))}</th>' for name in names)
    body = "".join(
        f"<tr><th>{safe(place_text(place))}</th>{''.join(f'<td class=num>{safe(value_text(v))}</td>' for v in values)}</tr>"
        for place, values in rows.items()
    )
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    some = f", one in {every}" if every > 1 else ""
    return f'<details class="screen-only"><summary>The numbers{some}</summary><div class="scroll">{table}</div></details>'


# ---- trust, assumptions, checklist ----


def _assumptions(study: Study) -> str:
    table = tables.assumptions(study)
    return _section(
        "Assumptions", f"{len(CHAPTERS)} Assumptions", "For whoever doubts", MAKERS, f"<h2>{safe(table.title)}</h2>", [table.html()]
    )


def _checklist(study: Study, judged: Judgements) -> str:
    found = states(study, judged)
    head = f"<h2>{safe(summary(found).split(';')[0])}</h2>"
    return _section("Checklist", f"{len(CHAPTERS) + 1} Checklist", "For architect and SRE", MAKERS, head, [checklist_table(found)])
