"""Whether nginx and PgBouncer hold as many connections as the files of a plan say, as far as this machine's limits go.

    python benchmarks/connections.py plans/storefront/configs

Everything stays on sockets in a folder of its own; each connection is opened once and closed at the end.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from perfplan.artifacts import nginx
from perfplan.judging import crowd
from perfplan.operate import database


def main() -> int:
    """Print the verdict on every file that names connections."""
    crowd.possible.__defaults__ = (1, 10**6)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        room.chmod(0o711)
        for path in sorted(Path(sys.argv[1]).iterdir()):
            if path.name == "nginx.conf" or path.name.startswith("pgbouncer-"):
                judge = nginx.JUDGE if path.name == "nginx.conf" else database.JUDGE
                print(f"{path.name}: {judge.ask(path, room).said[:300]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
