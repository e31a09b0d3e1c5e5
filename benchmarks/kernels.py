"""Whether a plan is reproduced by another BLAS kernel than made it, as it would be on another processor.

    python benchmarks/kernels.py [KERNEL ...]     # names of OpenBLAS: Nehalem, Sandybridge, Haswell, SkylakeX, ...

A kernel that this processor cannot run ends the process; take it out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Make a plan with the processor's own kernel; validate it with others."""
    perfplan = [sys.executable, "-m", "perfplan"]
    with tempfile.TemporaryDirectory() as room:
        out = str(Path(room) / "plan")
        subprocess.run(
            [*perfplan, "plan", str(ROOT / "data" / "storefront" / "scenario.yaml"), "--out", out], check=True, capture_output=True
        )
        for kernel in sys.argv[1:] or ["Nehalem"]:
            done = subprocess.run(
                [*perfplan, "validate", out], env=os.environ | {"OPENBLAS_CORETYPE": kernel}, capture_output=True, text=True, check=False
            )
            print(f"{kernel}: exit {done.returncode}\n{done.stdout}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
