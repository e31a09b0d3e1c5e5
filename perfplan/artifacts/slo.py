"""Objectives as other tools state them: inputs for Sloth, for Pyrra and in OpenSLO. Their queries are judged; the tools do not run here."""

from __future__ import annotations

from perfplan.judging import File
from perfplan.judging.promql import judge
from perfplan.models.slo import MONTH, OCCURRENCES, RATIO, ROLLING, SLICES, window_start
from perfplan.operate import watched
from perfplan.operate.series import bad_of, total_of
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, alert_name, block, decimal, slug, visible
from perfplan.promises import budget_of
from perfplan.promises.kind import Budgeted
from perfplan.quantity import median
from perfplan.subjects.alerts import ALERTS, Burn, burns_of

JUDGE = judge("sum(rate(", "sum(rat((")


def _promises(source: Source) -> list[tuple[Burn, Budgeted, str]]:
    """Each promise that is counted, how, and in words."""
    found = []
    for one in {burn.objective: burn for burn in burns_of(source)}.values():
        objective = source.study.scenario.objectives[one.objective]
        stated = budget_of(objective)
        assert stated is not None  # promises without a budget have no alerts
        found.append((one, stated, visible(watched(objective).spoken.sentence(objective))))
    return found


def _target(one: Burn) -> float:
    """Share that must be good, of what the counters count."""
    return round(1 - one.budget, 12)


def sloth(source: Source) -> str:
    """Input of `sloth generate` (prometheus/v1)."""
    slos: list[Tree] = [
        {
            "name": slug(one.objective),
            "objective": round(100 * _target(one), 9),
            "description": said,
            "sli": {"events": {"error_query": bad_of(one.counters, "{{.window}}"), "total_query": total_of(one.counters, "{{.window}}")}},
            "alerting": {
                "name": f"{alert_name(one.objective)}BudgetBurns",
                "labels": {"objective": slug(one.objective)},
                "page_alert": {"labels": {"severity": "page", "priority": ALERTS[0].priority}},
                "ticket_alert": {"labels": {"severity": "ticket", "priority": ALERTS[-1].priority}},
            },
        }
        for one, _, said in _promises(source)
    ]
    others = sorted({f"{one.days}d" for one, _, _ in _promises(source) if one.days != 30})
    more = f"# Sloth takes a window of 30 days unless it is told another (--default-slo-period); promised here too: {', '.join(others)}\n"
    tree: Tree = {"version": "prometheus/v1", "service": slug(source.study.scenario.name), "slos": slos}
    return f"{source.head('#', 'Sloth input')}{more if others else ''}{block(tree)}\n"


def pyrra(source: Source) -> str:
    """ServiceLevelObjective resources of Pyrra, one a document."""
    parts = []
    for one, _, said in _promises(source):
        of = one.counters
        indicator: Tree = {"latency": {"success": {"metric": of.good}, "total": {"metric": of.total}}}
        if of.bad:
            indicator = {"ratio": {"errors": {"metric": of.bad}, "total": {"metric": of.total}}}
        tree: Tree = {
            "apiVersion": "pyrra.dev/v1alpha1",
            "kind": "ServiceLevelObjective",
            "metadata": {"name": slug(one.objective).replace("_", "-"), "labels": {"service": slug(source.study.scenario.name)}},
            "spec": {
                "target": decimal(round(100 * _target(one), 9)),
                "window": f"{one.days}d",
                "description": said,
                "indicator": indicator,
            },
        }
        parts.append(f"---\n{block(tree)}\n")
    return source.head("#", "Pyrra resources") + "".join(parts)


METHODS = {OCCURRENCES: "Occurrences", SLICES: "Timeslices", RATIO: "RatioTimeslices"}


def openslo(source: Source) -> str:
    """OpenSLO v1: a data source, the service, and an SLO a promise."""
    service, parts = slug(source.study.scenario.name), []
    trees: list[Tree] = [
        {
            "apiVersion": "openslo/v1",
            "kind": "DataSource",
            "metadata": {"name": "prometheus"},
            "spec": {"type": "Prometheus", "connectionDetails": {"url": "http://localhost:9090"}},
        },
        {
            "apiVersion": "openslo/v1",
            "kind": "Service",
            "metadata": {"name": service},
            "spec": {"description": visible(source.study.scenario.name)},
        },
    ]
    trees += [_openslo(source, one, stated, said, service) for one, stated, said in _promises(source)]
    parts = [f"---\n{block(tree)}\n" for tree in trees]
    return source.head("#", "OpenSLO") + "".join(parts)


def _openslo(source: Source, one: Burn, stated: Budgeted, said: str, service: str) -> Tree:
    def counted(query: str) -> Tree:
        return {"metricSource": {"metricSourceRef": "prometheus", "type": "Prometheus", "spec": {"query": query}}}

    objective: dict[str, Tree] = {"displayName": visible(one.objective), "target": _target(one)}
    if stated.method != OCCURRENCES:
        objective |= {"timeSliceWindow": f"{max(round(stated.slice_s / 60), 1)}m"}
    if stated.method == SLICES:
        objective |= {"timeSliceTarget": round(median(stated.slice_good), 9)}
    window: Tree = {"duration": f"{one.days}d", "isRolling": True}
    if stated.window not in ROLLING:
        start = window_start(stated.window, source.study.as_of)
        calendar: Tree = {"startTime": f"{start} 00:00:00", "timeZone": "UTC"}
        window = {"duration": "1M" if stated.window == MONTH else "1Q", "isRolling": False, "calendar": calendar}
    name = slug(one.objective).replace("_", "-")
    bad, total = bad_of(one.counters, "5m"), total_of(one.counters, "5m")
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "displayName": visible(one.objective)},
        "spec": {
            "description": said,
            "service": service,
            "indicator": {
                "metadata": {"name": f"{name}-bad"},
                "spec": {"ratioMetric": {"counter": False, "bad": counted(bad), "total": counted(total)}},
            },
            "timeWindow": [window],
            "budgetingMethod": METHODS[stated.method],
            "objectives": [objective],
        },
    }


def files(source: Source) -> tuple[File, ...]:
    """sloth.yml, pyrra.yml and openslo.yml."""
    if not burns_of(source):
        return ()
    made = {"sloth": sloth(source), "pyrra": pyrra(source), "openslo": openslo(source)}
    return tuple(
        File(
            name=f"{name}.yml",
            text=text,
            judge=PYRRA if name == "pyrra" else JUDGE,
            unjudged=f"not judged beyond its queries: no {name.capitalize()} runs here",
        )
        for name, text in made.items()
    )


PYRRA = judge('metric: "', 'metric: "{{')
