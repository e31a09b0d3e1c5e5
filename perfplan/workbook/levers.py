"""The levers of the page: two sliders that move its first picture, P and what runs out first, with what was computed for them."""

from __future__ import annotations

import json
from pathlib import Path

from perfplan.shown.blocks import safe
from perfplan.shown.levers import moved, told, trusted
from perfplan.study import Study
from perfplan.study.levers import levers


def markup(study: Study) -> str:
    """The sliders; without scripts they are not there."""
    numbers, found = told(study), levers(study)
    if numbers is None or found is None:
        return f'<p class="note screen-only">{safe(trusted(study))}</p>'
    figure = json.loads(moved(study, found).to_json())
    stored = {"levers": numbers, "levers-figure": figure}
    data = "".join(f'<script type="application/json" id="{name}">{_text(value)}</script>' for name, value in stored.items())
    sliders = _slider("load", "Load", len(numbers["loads"]), numbers["forecast"])
    if len(numbers["counts"]) > 1:
        sliders += _slider("count", numbers["label"], len(numbers["counts"]), numbers["today"])
    return (
        f'<div class="levers screen-only" id="what-if" role="group" aria-label="What if" hidden><b>What if</b>{sliders}'
        '<button class="tool" id="as-planned" disabled>As planned</button>'
        f'<p role="status" id="what-if-says"></p><small>{safe(trusted(study))}</small></div>{data}'
    )


def _slider(name: str, label: str, stops: int, at: int) -> str:
    return (
        f'<label for="lever-{name}">{safe(label)}</label>'
        f'<input type="range" id="lever-{name}" min="0" max="{stops - 1}" value="{at}"><output for="lever-{name}"></output>'
    )


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")


def script() -> str:
    """What moves them."""
    return (Path(__file__).parent / "levers.js").read_text(encoding="utf-8")
