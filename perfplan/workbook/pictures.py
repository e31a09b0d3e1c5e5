"""Static pictures of the figures, beside the interactive ones, in executed notebooks: for places that draw nothing, such as GitHub.

One Chromium draws them all. Notebooks that are tested by nbval are compared without them.
"""

from __future__ import annotations

import html
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfplan.shown.drawing import FIGURE
from perfplan.workbook.alike import PNG
from perfplan.workbook.handing import Unbrowsed, browsed

WIDTH = 900  # pixels; figures are as high as they say
DRAWN = re.compile(r'<pre id="drawn">(.*?)</pre>', re.DOTALL)
SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
(async () => {
  const drawn = [];
  for (const { data, layout } of figures) {
    layout.annotations = layout.annotations?.filter(a => a.name !== "narrow");
    try {
      const url = await Plotly.toImage({ data, layout }, { format: "png", width: WIDTH, height: layout.height ?? 430, scale: 1 });
      drawn.push(url.slice(url.indexOf(",") + 1));
    } catch { drawn.push(""); }
  }
  const said = document.createElement("pre");
  said.id = "drawn";
  said.textContent = JSON.stringify(drawn);
  document.body.replaceChildren(said);
})();
"""


def pictured(notebooks: Mapping[str, Any]) -> str:
    """Put a picture beside each figure of the *notebooks*, by name; what was left out, and why, "" where nothing was."""
    figures = list(_figures(notebooks))
    try:
        found = _drawn([one[FIGURE] for one in figures])
    except Unbrowsed as error:
        return f"pictures in notebooks were left out: {error}"
    for data, picture in zip(figures, found, strict=True):
        if picture:
            data[PNG] = picture + "\n"
    return "" if all(found) else f"{found.count('')} of {len(found)} pictures in notebooks were left out: they could not be drawn"


def _figures(notebooks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for notebook in notebooks.values():
        for cell in notebook["cells"]:
            yield from (o["data"] for o in cell.get("outputs", ()) if FIGURE in o.get("data", {}))


def _drawn(figures: list[Any]) -> list[str]:
    """A PNG of each, as base64; "" where it could not be drawn. Raises `Unbrowsed`."""
    from plotly.offline import get_plotlyjs

    given = json.dumps(figures).replace("<", "\\u003c")
    scripts = f"<script>{get_plotlyjs()}</script><script>{SCRIPT.replace('WIDTH', str(WIDTH))}</script>"
    text = f'<!doctype html><meta charset="utf-8"><body><script type="application/json" id="figures">{given}</script>{scripts}</body>'
    with tempfile.TemporaryDirectory() as room:
        page = Path(room) / "figures.html"
        page.write_text(text, encoding="utf-8")
        told = DRAWN.search(browsed(page, "--virtual-time-budget=60000", "--dump-dom"))
    if told is None:
        raise Unbrowsed("nothing was drawn")
    pictures: list[str] = json.loads(html.unescape(told[1]))
    return pictures
