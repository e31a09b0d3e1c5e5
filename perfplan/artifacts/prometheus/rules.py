"""The rule file: burn rates, buckets that are needed, bottlenecks of the plan, metrics that vanish, hosts."""

from __future__ import annotations

from perfplan.artifacts.prometheus.words import (
    MISSING,
    MISSING_SUMMARY,
    PAGES,
    RESOURCES,
    absent,
    bad_of,
    bounds,
    by_bucket,
    labels,
    name_of,
    no_bucket_name,
    no_bucket_summary,
    noted,
    page_of,
    ratio,
    selectors_of,
    signal_name,
    signal_summary,
    signals_of,
    summary_of,
    unless,
    windows,
    without_bucket,
)
from perfplan.operate.kind import UNSEEN
from perfplan.operate.source import Source
from perfplan.operate.text import comment
from perfplan.subjects.alerts import burns, covered
from perfplan.words import number, share


def rules(source: Source) -> str:
    """The rule file."""
    lines = [source.head("#", "Prometheus alert rules") + "groups:", "- name: burn rates", "  rules:"]
    for one in burns(source.study):
        origin = f"objectives.{comment(one.objective)}"
        if not one.possible:
            lines.append(
                f"  # {origin}: {number(one.factor)} x {share(one.budget)} of requests is more than all of them; no alert over "
                f"{windows(one)[0]}"
            )
            continue
        long, short = windows(one)
        lines += [
            f"  - alert: {name_of(one)}  # {origin}",
            f"    # {share(one.rung.spent)} of the budget of {one.days} days in {long}: {number(one.factor)} x "
            f"{share(one.budget)} of requests",
            "    expr: >-",
            f"      ({ratio(one.counters, long)} > {one.limit:.6g})",
            f"      and ({ratio(one.counters, short)} > {one.limit:.6g})",
            *([f"      and ({bad_of(one.counters, long, 'increase')} >= {one.least - 0.5:g})"] if one.least > 1 else []),
            f"    labels: {{{labels(one.rung.urgency, one.rung.priority)}}}",
            f"    annotations: {noted(summary_of(one), page_of(one))}",
        ]
    for name, stricter in covered(source.study).items():
        lines.append(f"  # objectives.{comment(name)}: the same counters, and it allows more than objectives.{comment(stricter)} above")
    histograms = by_bucket(burns(source.study))
    lines += ["- name: buckets", "  rules:"] if histograms else []
    for one in histograms:
        lines += [
            f"  # objectives.{comment(one.objective)} is counted by a bucket at its target: the histogram must have the bound "
            f"{' or '.join(bounds(one))}",
            f"  - alert: {no_bucket_name(one)}",
            "    expr: >-",
            f"      {without_bucket(one)}",
            "    for: 15m",
            f"    labels: {{{labels('ticket')}}}",
            f"    annotations: {noted(no_bucket_summary(one), UNSEEN)}",
        ]
    signals = signals_of(source)
    lines += ["- name: bottlenecks of the plan", "  rules:"] if signals else []
    for tier, signal in signals:
        lines += [
            f"  # {comment(tier)}: usually {signal.said(signal.usual)} at today's peak, by the plan",
            f"  - alert: {signal_name(tier, signal)}",
            "    expr: >-",
            f"      {signal.use} {'<' if signal.under else '>'} {signal.limit:.6g}{unless(source, tier, signal)}",
            "    for: 5m",
            f"    labels: {{{labels(signal.severity)}}}",
            f"    annotations: {noted(signal_summary(signal), signal.page)}",
        ]
    selectors = selectors_of(source)
    if selectors:
        lines += [
            "- name: missing",
            "  rules:",
            "  # without these the alerts above are silent whatever happens",
            f"  - alert: {MISSING}",
            "    expr: >-",
            f"      {' or '.join(map(absent, selectors))}",
            "    for: 15m",
            f"    labels: {{{labels('page')}}}",
            f"    annotations: {noted(MISSING_SUMMARY, UNSEEN)}",
        ]
    lines += ["- name: resources", "  rules:"]
    for name, use, limit, advice in RESOURCES:
        lines += [
            f"  - alert: {name}  # checklist: {share(limit)} for 5 minutes",
            "    expr: >-",
            f"      {use} > {limit:g}",
            "    for: 5m",
            f"    labels: {{{labels('ticket')}}}",
            f"    annotations: {noted(f'{name} above {share(limit)} for 5 minutes; {advice}', PAGES[name])}",
        ]
    return "\n".join(lines) + "\n"
