"""Files that leave the page: load test, alert rules, settings of servers, runbook; with the numbers of a study in them.

Each line says where its number comes from. The same inputs give the same bytes on any machine.
"""

import functools

from perfplan.artifacts import k6, prometheus, servers
from perfplan.artifacts.common import Source
from perfplan.artifacts.runbook import runbook
from perfplan.artifacts.text import slug
from perfplan.tiers import Cache, Database
from perfplan.uncertainty import Study

__all__ = ["configs"]


@functools.lru_cache(maxsize=4)
def configs(study: Study) -> dict[str, str]:
    """Text of every file by its name below `configs/`."""
    source = Source(study=study)
    files = {
        "load_test.js": k6.load_test(source),
        "alerts.yml": prometheus.rules(source),
        "alerts_test.yml": prometheus.unit_tests(source),
        "nginx.conf": servers.nginx(source),
        "runbook.md": runbook(source),
    }
    for name, tier in study.scenario.tiers.items():
        if isinstance(tier, Database):
            files[f"pgbouncer-{slug(name)}.ini"] = servers.pgbouncer(source, name)
        elif isinstance(tier, Cache):
            files[f"redis-{slug(name)}.conf"] = servers.redis(source, name)
    return files
