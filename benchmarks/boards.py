"""Every query of the dashboards on a real Prometheus that scrapes a server which speaks the metrics they ask for.

    python benchmarks/boards.py [OVERRIDE ...]        such as metrics_preset=OpenTelemetry host_metrics=cAdvisor

The server's series are made of the queries' own selectors, parsed by promql-parser: counters that grow, gauges, histograms. The recorded
rules of the plan are loaded. Each query must return numbers. On loopback; needs Debian's prometheus. About a minute.
"""

from __future__ import annotations

import http.server
import json
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import promql_parser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from perfplan.artifacts import configs  # noqa: E402
from perfplan.judging.promql import queries  # noqa: E402
from perfplan.reading import read  # noqa: E402
from tests.conftest import STOREFRONT, unsearched  # noqa: E402

PROMETHEUS, SERVER, WAIT_S = 19190, 19191, 45
BUCKETS = ("0.005", "0.05", "0.1", "0.25", "0.27", "0.3", "0.5", "1", "2.5", "5", "5.0", "+Inf")
SAMPLES = {"5..": "500", "[45]..": "404", "tmpfs|overlay": "ext4"}  # what a pattern stands for


def selectors(query: str) -> list[promql_parser.VectorSelector]:
    """Every selector within a query."""
    found, open_ones = [], [promql_parser.parse(query)]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, promql_parser.VectorSelector):
            found.append(one)
        open_ones += [getattr(one, name) for name in ("expr", "lhs", "rhs", "vector_selector") if getattr(one, name, None) is not None]
        open_ones += [part for part in getattr(one, "args", None) or () if not isinstance(part, str | float)]
    return found


def series(query: str) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Single series that a query's selectors find, with the labels that it sums by."""
    by = {label.strip() for part in re.findall(r"by \(([^)]*)\)", query) for label in part.split(",")} - {"le"}
    made = set()
    for one in selectors(query):
        if ":" in str(one.name):
            continue  # a recorded one
        labels = dict.fromkeys(by, "a")
        for matcher in one.matchers.matchers:
            how, value = str(matcher.op), matcher.value
            if how.endswith("Equal") and "Not" not in how:
                labels[matcher.name] = value
            elif "Not" not in how:
                value = value.replace("\\\\", "\\")
                sample = SAMPLES.get(value) or next(iter(re.split(r"\||\(", value)))
                labels[matcher.name] = sample.replace("\\", "")
        buckets = BUCKETS if str(one.name).endswith("_bucket") and "le" not in labels else [""]
        made |= {(str(one.name), tuple(sorted((labels | ({"le": le} if le else {})).items()))) for le in buckets}
        if "code" in labels or "status" in labels or "http_response_status_code" in labels:
            ok = {key: "200" if value == "500" else value for key, value in labels.items()}
            made.add((str(one.name), tuple(sorted(ok.items()))))
    return made


def exposition(found: set[tuple[str, tuple[tuple[str, str], ...]]], since: float) -> str:
    """All series at a moment: what counts grows by its share, what is measured stays."""
    lines = []
    for name, labels in sorted(found):
        at = dict(labels)
        counts = name.endswith(("_total", "_bucket", "_count", "_sum")) or re.search(
            r"kill|Segs|xact|blks|deadlocks|accepted|handled", name
        )
        bound = at.get("le", "")
        share = 1.0 if bound in ("", "+Inf") else min(0.2 + 0.7 * min(float(bound), 1.0), 0.95)
        share *= 0.02 if "500" in at.values() or "404" in at.values() else 1.0
        value = (
            1000 + 100 * share * since
            if counts
            else 8.0
            if "limit" in name or "size" in name or "Total" in name or "max_bytes" in name
            else 3.0
        )
        inside = ",".join(f"{key}={json.dumps(text)}" for key, text in labels)
        lines.append(f"{name}{{{inside}}} {value:.6g}")
    return "\n".join(lines) + "\n"


def main(overrides: tuple[str, ...]) -> int:
    files = configs(unsearched(read(STOREFRONT, overrides), 40))
    boards = {name: queries(text) for name, text in files.items() if name.startswith("grafana-")}
    everything = [*(query for asked in boards.values() for query in asked), *queries_of_rules(files["recorded.yml"])]
    found = set().union(*(series(query) for query in everything))
    start = time.monotonic()

    class Speaker(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = exposition(found, time.monotonic() - start).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", SERVER), Speaker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        (room / "recorded.yml").write_text(files["recorded.yml"])
        (room / "prometheus.yml").write_text(
            "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 5s}\nrule_files: [recorded.yml]\n"
            f"scrape_configs: [{{job_name: x, honor_labels: true, static_configs: [{{targets: ['127.0.0.1:{SERVER}']}}]}}]\n"
        )
        with (room / "log").open("wb") as log:
            command = [
                "prometheus",
                "--config.file=prometheus.yml",
                f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
                "--storage.tsdb.path=data",
            ]
            process = subprocess.Popen(command, cwd=room, stdout=log, stderr=log)
        try:
            time.sleep(WAIT_S)
            return sum(empty(name, asked) for name, asked in boards.items())
        finally:
            process.terminate()
            process.wait(20)
            server.shutdown()


def queries_of_rules(text: str) -> list[str]:
    """What the recording rules ask."""
    return [query for query in queries(text) if "vector(time())" not in query]


def empty(name: str, asked: list[str]) -> int:
    """How many queries of a dashboard return no number; prints a line."""
    bad = []
    for query in asked:
        url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url) as answer:
            rows = json.load(answer)["data"]["result"]
        if not rows or not all(math.isfinite(float(row["value"][1])) for row in rows):
            bad.append(query)
    print(f"{name}: {len(asked) - len(bad)} of {len(asked)} queries return numbers")
    for query in bad:
        print(f"  none: {query}")
    return len(bad)


if __name__ == "__main__":
    sys.exit(1 if main(tuple(sys.argv[1:])) else 0)
