"""Prometheus' own configuration: what is scraped, with the labels that every query here asks for, and the files of rules."""

from __future__ import annotations

from perfplan.judging import Answers
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, block, slug
from perfplan.subjects.signals import Asked, asked
from perfplan.tiers import kind_of

PORTS = {
    "services": 8000,
    "node_exporter": 9100,
    "cAdvisor": 8080,
    "kube-state-metrics": 8081,
    "postgres_exporter": 9187,
    "pgbouncer_exporter": 9127,
    "redis_exporter": 9121,
    "nginx": 9113,
}
LABELS = {"redis_exporter": "cache", "services": "service"}  # by exporter: the label that says whom a target is about; else: tier
PLACE = "5_monitoring"


def scraping(source: Source) -> str:
    """prometheus.yml."""
    jobs: dict[str, dict[str, Asked]] = {}
    tiers = source.study.scenario.tiers
    for one in asked(source.study):
        if one.kind == "proxy" or (one.kind == "tier" and kind_of(tiers[one.name]).owned.bought):  # who calls measures what is not ours
            jobs.setdefault(one.row.exporter, {})[one.name] = one
    tree: Tree = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
        "rule_files": ["recorded.yml", "alerts.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
        "scrape_configs": [_job(source, exporter, list(about.values())) for exporter, about in jobs.items()],
    }
    series = sum(one.series for one in asked(source.study))
    remark = f"# about {series:,} series by the table of signals; replace the addresses of the targets\n"
    return source.head("#", "Prometheus") + remark + block(tree) + "\n"


def _job(source: Source, exporter: str, about: list[Asked]) -> Tree:
    found: list[Tree] = []
    for one in about:
        label = source.named(LABELS.get(exporter, "tier"))
        name = slug(one.name) if one.name else "proxy"
        labels: dict[str, Tree] = {"labels": {label: name}} if one.name else {}
        found.append({"targets": [f"{name}.internal:{PORTS[exporter]}"], **labels})
    return {"job_name": exporter, "static_configs": found}


def answers(source: Source) -> tuple[Answers, ...]:
    """The items of the checklist that the signals answer, each with what is measured for it."""
    by_item: dict[str, list[str]] = {}
    for one in asked(source.study):
        for item in one.row.items.split():
            by_item.setdefault(item, []).append(one.row.says)
    return tuple(
        Answers(item=item, text=f"{len(says)} signals: {'; '.join(dict.fromkeys(says))}", place=PLACE, formula=asked)
        for item, says in by_item.items()
        if item.startswith("5.1")
    )
