"""Prometheus' own configuration: what is scraped, with the labels that every query here asks for, and the files of rules."""

from __future__ import annotations

from collections.abc import Mapping

from perfplan.judging import Answers
from perfplan.operate import tended
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, block, slug
from perfplan.subjects.alerts import burns_of
from perfplan.subjects.signals import Asked, asked
from perfplan.tiers import kind_of

PORTS = {
    "balancer": 9145,
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
        if one.kind != "tier" or kind_of(tiers[one.name]).owned.bought:  # who calls measures what is not ours
            jobs.setdefault(one.row.exporter, {})[one.name if one.kind == "tier" else ""] = one
    tree: Tree = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
        "rule_files": ["recorded.yml", "alerts.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
        "scrape_configs": [_job(source, exporter, about) for exporter, about in jobs.items()],
    }
    series = sum(one.series for one in asked(source.study))
    longest = max((one.days for one in burns_of(source)), default=30)
    remarks = (
        f"about {series:,} series by the table of signals; replace the addresses of the targets, one a host or process",
        f"start with --storage.tsdb.retention.time={longest + 5}d: budgets look back {longest} days, and 15 are kept unless it is told",
        "requests are counted at the balancer (an exporter of its log, or its own metrics): it also sees what nobody answers (502, 504)",
    )
    return source.head("#", "Prometheus") + "".join(f"# {one}\n" for one in remarks) + block(tree) + "\n"


def _job(source: Source, exporter: str, about: Mapping[str, Asked]) -> Tree:
    found: list[Tree] = []
    for name in about:
        label, roles = source.named(LABELS.get(exporter, "tier")), _roles(source, exporter, name)
        at = slug(name) if name else "balancer"
        for role in roles:
            labels: dict[str, Tree] = {label: at} if name else {}
            if role:
                labels[source.named("role")] = role
            host = f"{at}-{role}" if role else at
            found.append({"targets": [f"{host}.internal:{PORTS[exporter]}"], **({"labels": labels} if labels else {})})
    return {"job_name": exporter, "static_configs": found}


def _roles(source: Source, exporter: str, name: str) -> tuple[str, ...]:
    """Of the hosts of a tier, where their metrics tell them apart; else one without a name."""
    roles = tended(source.study.scenario.tiers[name]).roles(source.study.scenario.tiers[name]) if name else ()
    return roles if roles and exporter == "node_exporter" else ("",)


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
