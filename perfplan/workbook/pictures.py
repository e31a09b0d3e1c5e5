"""Static pictures of the figures, beside the interactive ones, in executed notebooks: for places that draw nothing, such as GitHub.

One Chromium draws them all. Notebooks that are tested by nbval are compared without them.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfplan.shown.drawing import FIGURE
from perfplan.system import child
from perfplan.workbook.alike import PNG
from perfplan.workbook.handing import FLAGS, PATIENCE_S, browser

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
    found = _drawn([one[FIGURE] for one in figures])
    if isinstance(found, str):
        return f"pictures in notebooks were left out: {found}"
    for data, picture in zip(figures, found, strict=True):
        if picture:
            data[PNG] = picture + "\n"
    return "" if all(found) else f"{found.count('')} of {len(found)} pictures in notebooks were left out: they could not be drawn"


def _figures(notebooks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for notebook in notebooks.values():
        for cell in notebook["cells"]:
            yield from (o["data"] for o in cell.get("outputs", ()) if FIGURE in o.get("data", {}))


def _drawn(figures: list[Any]) -> list[str] | str:
    """A PNG of each, as base64; or why there is none."""
    from plotly.offline import get_plotlyjs

    program = browser()
    if program is None:
        return "no Chromium was found here"
    given = json.dumps(figures).replace("<", "\\u003c")
    with tempfile.TemporaryDirectory() as room:
        page = Path(room) / "figures.html"
        scripts = f"<script>{get_plotlyjs()}</script><script>{SCRIPT.replace('WIDTH', str(WIDTH))}</script>"
        text = f'<!doctype html><meta charset="utf-8"><body><script type="application/json" id="figures">{given}</script>{scripts}</body>'
        page.write_text(text, encoding="utf-8")
        command = [program, *FLAGS, f"--user-data-dir={room}/profile", "--virtual-time-budget=60000", "--dump-dom", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False, encoding="utf-8", **child())
        except subprocess.TimeoutExpired:
            return f"{Path(program).name} took longer than {PATIENCE_S:g} s"
    told = DRAWN.search(done.stdout)
    if done.returncode != 0 or told is None:
        return f"{Path(program).name} ended with {done.returncode} and drew nothing"
    pictures: list[str] = json.loads(html.unescape(told[1]))
    return pictures if len(pictures) == len(figures) else "some were not drawn"
