"""Every query of a file, parsed by Prometheus' own grammar."""

from __future__ import annotations

import json
import re
from pathlib import Path

from perfplan.judging import Judge, Judgement

PARSED = "promql-parser, each query"
QUERY = re.compile(r'"?\b(?:expr|query|error_query|total_query|metric)"?: ("(?:[^"\\]|\\.)*")')
VARIABLES = (("{{.window}}", "5m"), ("$__rate_interval", "5m"), ("$__range", "1h"))  # of Sloth and Grafana, in place of a time


def queries(text: str) -> list[str]:
    """Every query that stands in a YAML or JSON text, with times for variables."""
    found = [str(json.loads(match)) for match in QUERY.findall(text)]
    for variable, time in VARIABLES:
        found = [query.replace(variable, time) for query in found]
    return found


def _ask(path: Path, _: Path) -> Judgement:
    try:
        import promql_parser
    except ImportError:
        return Judgement(judge=PARSED, accepted=None, said="promql-parser is not installed here")
    found = queries(path.read_text(encoding="utf-8"))
    for query in found:
        try:
            promql_parser.parse(query)
        except ValueError as error:
            return Judgement(judge=PARSED, accepted=False, said=f"{str(error)[:200]} in {query[:200]}")
    return Judgement(judge=PARSED, accepted=bool(found), said="accepted" if found else "holds no query")


def judge(good: str, bad: str) -> Judge:
    """The judge of a file whose broken twin has *bad* where *good* stood."""
    return Judge(tool="python3", ask=_ask, names=(PARSED,), twin=(good, bad))
