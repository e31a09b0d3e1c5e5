"""Files that leave the page: load test, alert rules, settings of servers, runbook; with the numbers of a study in them.

Each line says where its number comes from. The same inputs give the same bytes on any machine.
"""

from perfplan.artifacts import alertmanager, documents, grafana, k6, nginx, otel, prometheus, runbook, slo
from perfplan.judging import File
from perfplan.operate import tended
from perfplan.operate.source import Source
from perfplan.study import Study, once

__all__ = ["configs", "files"]
WHOLE = (  # of the whole service; those of a kind of tier stand with it
    k6.files,
    prometheus.files,
    alertmanager.files,
    slo.files,
    grafana.files,
    otel.files,
    nginx.files,
    runbook.files,
    documents.files,
)


@once
def files(study: Study) -> tuple[File, ...]:
    """Every file."""
    source = Source(study=study)
    whole = [file for make in WHOLE for file in make(source)]
    return (*whole, *(file for name, tier in study.scenario.tiers.items() for file in tended(tier).files(source, name, tier)))


def configs(study: Study) -> dict[str, str]:
    """Text of every file by its name below `configs/`."""
    return {file.name: file.text for file in files(study)}
