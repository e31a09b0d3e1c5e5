"""The rule file: burn rates, buckets that are needed, bottlenecks of the plan, metrics that vanish, hosts."""

from __future__ import annotations

from perfplan.artifacts.prometheus.filling import SCALING, filling_of
from perfplan.artifacts.prometheus.words import (
    MISSING,
    MISSING_SUMMARY,
    absent,
    bounds,
    by_bucket,
    labels,
    name_of,
    no_bucket_name,
    no_bucket_summary,
    noted,
    page_of,
    resources_of,
    selectors_of,
    signal_name,
    signal_summary,
    signals_of,
    summary_of,
    unless,
    windows,
    without_bucket,
)
from perfplan.models.slo import OCCURRENCES
from perfplan.operate.kind import UNSEEN
from perfplan.operate.series import bad_of, ratio
from perfplan.operate.source import Source
from perfplan.operate.text import comment
from perfplan.promises import budget_of
from perfplan.subjects.alerts import burns_of, covered
from perfplan.words import number, share


def rules(source: Source) -> str:
    """The rule file."""
    groups = (
        ("burn rates", _burns),
        ("buckets", _buckets),
        ("bottlenecks of the plan", _bottlenecks),
        ("capacity ahead", _ahead),
        ("missing", _missing),
        ("resources", _hosts),
    )
    made = ((name, lines(source)) for name, lines in groups)
    parts = [line for name, lines in made if lines for line in (f"- name: {name}", "  rules:", *lines)]
    return "\n".join([source.head("#", "Prometheus alert rules") + "groups:", *parts]) + "\n"


def _rule(name: str, expr: str, labelled: str, annotations: str, *, remark: str = "", lasts: str = "") -> list[str]:
    """One alert; *expr* by lines."""
    return [
        f"  - alert: {name}{remark}",
        "    expr: >-",
        *(f"      {line}" for line in expr.split("\n")),
        *([f"    for: {lasts}"] if lasts else []),
        f"    labels: {{{labelled}}}",
        f"    annotations: {annotations}",
    ]


def _burns(source: Source) -> list[str]:
    lines = []
    for one in burns_of(source):
        origin, (long, short) = f"objectives.{comment(one.objective)}", windows(one)
        if not one.possible:
            lines.append(f"  # {origin}: {number(one.factor)} x {share(one.budget)} is more than all requests; no alert over {long}")
            continue
        burnt = f"{share(one.rung.spent)} of the budget of {one.days} days in {long}"
        lines.append(f"  # {burnt}: {number(one.factor)} x {share(one.budget)} of requests")
        parts = [f"({ratio(one.counters, long)} > {one.limit:.6g})", f"and ({ratio(one.counters, short)} > {one.limit:.6g})"]
        parts += [f"and ({bad_of(one.counters, long, 'increase')} >= {one.least - 0.5:g})"] if one.least > 1 else []
        if (method := budget_of(source.study.scenario.objectives[one.objective])) is not None and method.method != OCCURRENCES:
            lines.append(f"  # its budget counts {method.method}; alerts count events, and may come earlier or later than it goes")
        noting = noted(summary_of(one), page_of(one))
        lines += _rule(name_of(one), "\n".join(parts), labels(one.rung.urgency, one.rung.priority), noting, remark=f"  # {origin}")
    for name, stricter in covered(source.study).items():
        other = f"objectives.{comment(stricter)} above allows as little or less of them"
        lines.append(f"  # objectives.{comment(name)}: the same counters and window; {other}")
    return lines


def _buckets(source: Source) -> list[str]:
    lines = []
    for one in by_bucket(burns_of(source)):
        lines.append(
            f"  # objectives.{comment(one.objective)} is counted by a bucket at its target: the histogram must have the bound "
            f"{' or '.join(bounds(one))}"
        )
        lines += _rule(no_bucket_name(one), without_bucket(one), labels("ticket"), noted(no_bucket_summary(one), UNSEEN), lasts="15m")
    return lines


def _bottlenecks(source: Source) -> list[str]:
    lines = []
    for tier, signal in signals_of(source):
        lines.append(f"  # {comment(tier)}: usually {signal.said(signal.usual)} at today's peak, by the plan")
        expr = f"{signal.use} {'<' if signal.under else '>'} {signal.limit:.6g}{unless(source, tier, signal)}"
        lines += _rule(signal_name(tier, signal), expr, labels(signal.severity), noted(signal_summary(signal), signal.page), lasts="5m")
    return lines


def _ahead(source: Source) -> list[str]:
    """What the plan's own growth fills within 30 days: the most of a week, as it would be then."""
    lines = []
    for one in filling_of(source):
        lines.append(f"  # {comment(one.tier)}: {one.why}")
        lines += _rule(one.name, one.use + f" > {one.limit:.6g}", labels("ticket"), noted(one.summary, SCALING), lasts="1h")
    return lines


def _missing(source: Source) -> list[str]:
    """Without these the alerts above are silent whatever happens."""
    selectors = selectors_of(source)
    if not selectors:
        return []
    return _rule(MISSING, " or ".join(map(absent, selectors)), labels("page"), noted(MISSING_SUMMARY, UNSEEN), lasts="15m")


def _hosts(source: Source) -> list[str]:
    lines = []
    for host in resources_of(source):
        remark = f"  # checklist: {share(host.limit)} for 5 minutes"
        lines += _rule(
            host.name, f"{host.use} > {host.limit:g}", labels("ticket"), noted(host.summary, host.page), remark=remark, lasts="5m"
        )
    return lines
