"""What a whole plan costs against one bare notebook: CPU of the command and of all processes that it started and waited for.

    python benchmarks/execution.py [--worlds 2000] [--engine one]

The peer: `papermill` on one notebook that imports numpy, pandas and plotly and draws ten figures. Aim: at most 3 times that.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
STOREFRONT = ROOT / "data" / "storefront" / "scenario.yaml"


def ten_figures(path: Path) -> None:
    """Write the peer's notebook."""
    cells = ["import numpy as np\nimport pandas as pd\nimport plotly.graph_objects as go"]
    cells += [
        f"frame = pd.DataFrame({{'x': np.arange(200), 'y': np.sin(np.arange(200) / {i + 3})}})\ngo.Figure(go.Scatter(x=frame.x, y=frame.y))"
        for i in range(10)
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def cpu_s(command: list[str]) -> float:
    """CPU time of *command* and of all that it started and waited for; the kernels are among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="*", default=[60, 2000])
    parser.add_argument("--engine", choices=("one", "stock"), default="one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        ten_figures(Path(room) / "ten.ipynb")
        bare = min(cpu_s([sys.executable, "-m", "papermill", f"{room}/ten.ipynb", f"{room}/out.ipynb"]) for _ in range(3))
        print(f"bare papermill, ten figures: {bare:.1f} s CPU")
        for worlds in options.worlds:
            command = [
                sys.executable,
                "-m",
                "perfplan",
                "plan",
                str(STOREFRONT),
                "--worlds",
                str(worlds),
                "--engine",
                options.engine,
                "--out",
                f"{room}/plan",
            ]
            whole = cpu_s(command)
            print(f"whole plan, {worlds:,} worlds, engine {options.engine}: {whole:.1f} s CPU, {whole / bare:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
