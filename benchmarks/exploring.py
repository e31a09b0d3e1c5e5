"""From a slider to verdict and figures, in a real browser: medians of twenty moves of the workbench, served on loopback.

    python benchmarks/exploring.py [SCENARIO] [--moves 20] [--pictures DIR]

Chromium is driven over its own protocol; a move sets a slider, as a hand on a keyboard would, and waits for the verdict (step 1) and for
all figures (step 2). The times are those of the page, by its own clock.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from pathlib import Path

import numpy as np

from perfplan.reading import read
from perfplan.workbench.talking import Talk
from tests.workbook.chromium import workbench

ROOT = Path(__file__).parents[1]
MOVE = """
new Promise((done) => {
  const root = document.querySelector('.workbench');
  const sliders = [...root.querySelectorAll('input[type=range]')];
  const one = sliders[%d %% sliders.length];
  const start = performance.now();
  const verdict = root.querySelector('.verdict');
  let first = null;
  const told = new MutationObserver(() => { first = first ?? performance.now() - start; });
  told.observe(verdict, { childList: true });
  const watch = new MutationObserver(() => {
    if (root.dataset.busy === '') { watch.disconnect(); told.disconnect(); done([first, performance.now() - start]); }
  });
  watch.observe(root, { attributes: true, attributeFilter: ['data-busy'] });
  one.value = Number(one.value) + %d;
  one.dispatchEvent(new Event('input', { bubbles: true }));
})
"""


def main(path: Path, moves: int, pictures: Path | None) -> int:
    with tempfile.TemporaryDirectory() as room, workbench(Talk(read(path)), Path(room)) as page:
        page.run(MOVE % (0, 1))  # what is loaded and compiled once
        times = np.array([page.run(MOVE % (i, 1 + i % 3)) for i in range(1, moves + 1)])
        first, all_of_it = np.median(times, axis=0)
        print(f"{path.parent.name}: verdict and first figure {first:.0f} ms, all figures {all_of_it:.0f} ms (medians of {moves} moves)")
        print(f"  at 1280 px the page is {page.run('document.documentElement.scrollWidth')} px wide")
        for width in (1280, 1600, 390) if pictures is not None else ():
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=1100, deviceScaleFactor=1, mobile=width < 600)
            page.run("new Promise((done) => setTimeout(done, 500))")
            seen = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
            (pictures / f"explore-{width}.png").write_bytes(base64.b64decode(seen))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", type=Path, default=ROOT / "data" / "storefront" / "scenario.yaml")
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    sys.exit(main(asked.scenario, asked.moves, asked.pictures))
