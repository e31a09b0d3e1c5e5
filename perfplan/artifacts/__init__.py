"""Files that leave the page: load test, alert rules, settings of servers, runbook; with the numbers of a study in them.

Each line says where its number comes from. The same inputs give the same bytes on any machine.
"""

from perfplan.artifacts import k6, nginx, prometheus
from perfplan.artifacts.runbook import runbook
from perfplan.operate import tended
from perfplan.operate.source import Source
from perfplan.study import Study, once

__all__ = ["configs"]


@once
def configs(study: Study) -> dict[str, str]:
    """Text of every file by its name below `configs/`."""
    source = Source(study=study)
    files = {
        "load_test.js": k6.load_test(source),
        "alerts.yml": prometheus.rules(source),
        "alerts_test.yml": prometheus.unit_tests(source),
        "nginx.conf": nginx.nginx(source),
        "runbook.md": runbook(source),
    }
    for name, tier in study.scenario.tiers.items():
        files |= tended(tier).files(source, name, tier)
    return files
