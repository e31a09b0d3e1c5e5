"""The unit tests of the rule file: each alert beyond and within its limit, and in the outage that it is for; a usual week."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from perfplan.artifacts.prometheus.filling import SCALING, filling_of
from perfplan.artifacts.prometheus.words import (
    MISSING,
    MISSING_SUMMARY,
    PER_MINUTE,
    Resource,
    by_bucket,
    causes,
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
)
from perfplan.operate.kind import UNSEEN, Signal
from perfplan.operate.source import Source
from perfplan.operate.text import yaml
from perfplan.plan.demand import week_of
from perfplan.quantity import median
from perfplan.study.inside import seen
from perfplan.subjects.alerts import Burn, burns_of


def unit_tests(source: Source) -> str:
    """Unit tests for promtool: just above fires; just below, and without traffic, all is silent."""
    lines = [
        source.head("#", "promtool unit tests of alerts.yml") + "rule_files: [alerts.yml]",
        f"evaluation_interval: {EVALUATED_MINUTES}m",
        "tests:",
    ]
    alerts = [one for one in burns_of(source) if one.possible]
    lines += _cases(alerts, "just above", 1.02, fires=True) + _cases(alerts, "just below", 0.98, fires=False)
    lines += _no_traffic(alerts)
    lines += _bucket_cases(by_bucket(burns_of(source)))
    lines += _signal_cases(source)
    lines += _filling_cases(source)
    lines += _missing_case(source) + _slow_cases(alerts) + _week_case(source, alerts)
    for one in resources_of(source):
        for word, used, fires in (("just above", one.limit + 0.01, True), ("just below", one.limit - 0.01, False)):
            lines += _resource_case(one, word, used, fires)
    return "\n".join(lines) + "\n"


EVALUATED_MINUTES = 360  # between evaluations in unit tests: rare, as three days are played


def _series(one: Burn, bad: int, total: int) -> list[tuple[str, int]]:
    """The counters of a promise with their steps: of a histogram all and those within the target, else by status code.

    The bucket is spelled in one way where the alert is to fire and in the other where it is not.
    """
    if one.counters.good:
        return [(one.counters.total, total), (one.counters.goods[-1 if bad > total * one.limit else 0], total - bad)]
    failed, answered = one.counters.by_code
    return [(failed, bad), (answered, total - bad)]


T = TypeVar("T")


def _once(series: Mapping[str, T]) -> dict[str, T]:
    """Without series that others part by status code: where one metric counts both, they are the same requests."""
    parted = [text for text in series if "le=" not in text]
    return {text: value for text, value in series.items() if not any(one.startswith(f"{text.removesuffix('}')},") for one in parted)}


def _no_traffic(alerts: list[Burn]) -> list[str]:
    """All alerts in one test without any traffic."""
    if not alerts:
        return []
    minutes = 13 * EVALUATED_MINUTES
    series = dict.fromkeys(text for one in alerts for text, _ in _series(one, 0, 0))
    return [
        "- name: no traffic",
        "  interval: 30m",
        "  input_series:",
        *(line for text in series for line in (f"  - series: {_quoted(text)}", f"    values: '0+0x{minutes // 30}'")),
        "  alert_rule_test:",
        *(line for one in alerts for line in (f"  - eval_time: {minutes}m", f"    alertname: {name_of(one)}", "    exp_alerts: []")),
    ]


def _bucket_cases(found: Sequence[Burn]) -> list[str]:
    """Two tests: counted without a bucket at the target they fire, with one they are silent."""
    lines = []
    for word, fires in (("no bucket", True), ("a bucket", False)) if found else ():
        played = dict.fromkeys(one.counters.total for one in found) if fires else {}
        played |= {} if fires else dict.fromkeys(text for one in found for text in (one.counters.total, one.counters.goods[-1]))
        lines += [f"- name: {word} at the target", "  interval: 5m", "  input_series:"]
        for text in played:
            lines += [f"  - series: {_quoted(text)}", f"    values: '0+1x{2 * EVALUATED_MINUTES // 5}'"]
        lines.append("  alert_rule_test:")
        for one in found:
            lines += [f"  - eval_time: {2 * EVALUATED_MINUTES}m", f"    alertname: {no_bucket_name(one)}"]
            lines += _expected(fires, labels("ticket"), no_bucket_summary(one), UNSEEN)
    return lines


def _cases(alerts: list[Burn], word: str, factor: float, *, fires: bool) -> list[str]:
    """A test a window, as a test costs a start; promises that count the same requests differently cannot share one."""
    tests: list[tuple[dict[str, int], list[Burn]]] = []
    for one in alerts:
        series = dict(_series(one, round(PER_MINUTE * min(one.limit * factor, 1.0)), PER_MINUTE))
        for counted, members in tests:
            if members[0].rung.hours == one.rung.hours and all(counted.get(text, step) == step for text, step in series.items()):
                counted.update(series)
                members.append(one)
                break
        else:
            tests.append((series, [one]))
    return [line for counted, members in tests for line in _case(members, word, counted, fires=fires)]


def _case(members: list[Burn], word: str, series: Mapping[str, int], *, fires: bool) -> list[str]:
    """One test of alerts with the same window."""
    hours = members[0].rung.hours
    step_minutes = max(hours * 60 // 12 // 5, 1)  # five samples in the short window
    minutes = max(hours * 60, EVALUATED_MINUTES) + EVALUATED_MINUTES
    steps = minutes // step_minutes + 1
    lines = [f"- name: {yaml(f'{hours}h windows, {word}')}", f"  interval: {step_minutes}m", "  input_series:"]
    for text, step in _once(series).items():
        lines += [f"  - series: {_quoted(text)}", f"    values: '0+{step}x{steps}'"]
    lines.append("  alert_rule_test:")
    for one in members:
        lines += [
            f"  - eval_time: {minutes}m",
            f"    alertname: {name_of(one)}",
            *_expected(fires, labels(one.rung.urgency, one.rung.priority), summary_of(one), page_of(one)),
        ]
    return lines


def _signal_cases(source: Source) -> list[str]:
    """Beyond their limits they fire, of a cause and what it causes the cause alone; at the usual peak, held, they are silent. A test each,
    as a test costs a start."""
    found = signals_of(source)
    caused = [row for row in found if causes(source, *row)]
    deepest = [row for row in found if row not in caused]
    lines = _signals_played("every bottleneck beyond its limit", found, deepest, silent=caused)
    for tier, one in caused:  # without what may have caused it
        lines += _signals_played(f"{signal_name(tier, one)} by itself", [(tier, one)], [(tier, one)])
    calm = _calm(found)
    return lines + _signals_played("every bottleneck as usual at the peak", calm, [], silent=calm)


def _calm(found: Sequence[tuple[str, Signal]]) -> list[tuple[str, Signal]]:
    """Those that the plan's usual peak does not make fire."""
    return [(tier, one) for tier, one in found if (one.usual > one.limit if one.under else one.usual < one.limit)]


def _signals_played(
    name: str, played: Sequence[tuple[str, Signal]], loud: Sequence[tuple[str, Signal]], silent: Sequence[tuple[str, Signal]] = ()
) -> list[str]:
    """A test in which *played* are beyond their limits where any is *loud*, else as usual; *loud* fire, *silent* do not."""
    if not played:
        return []
    lines, rules = [f"- name: {yaml(name)}", "  interval: 1m", "  input_series:"], ["  alert_rule_test:"]
    for _, one in played:
        use = one.beyond(1.05) if loud else one.usual
        for text, value in one.series(min(use, 1.0) if one.counted else use).items():
            step = f"0+{value:.6g}" if one.counted else f"{value:.6g}+0"
            lines += [f"  - series: {_quoted(text)}", f"    values: '{step}x{2 * EVALUATED_MINUTES}'"]
    for tier, one in (*loud, *silent):
        rules += [f"  - eval_time: {2 * EVALUATED_MINUTES}m", f"    alertname: {signal_name(tier, one)}"]
        rules += _expected((tier, one) in loud, labels(one.severity), signal_summary(one), one.page)
    return lines + rules


def _filling_cases(source: Source) -> list[str]:
    """Just so full that the plan's growth of 30 days fills it, and just not."""
    found, lines = filling_of(source), []
    for word, factor, fires in (("full in 30 days", 1.02, True), ("not full in 30 days", 0.98, False)):
        if not found:
            continue
        lines += [f"- name: {word}", "  interval: 5m", "  input_series:"]
        played: dict[str, str] = {}
        for one in found:
            for text, (value, counted) in one.series(factor).items():
                played[text] = f"0+{5 * value:.6g}" if counted else f"{value:.6g}+0"
        for text, values in played.items():
            lines += [f"  - series: {_quoted(text)}", f"    values: '{values}x{AHEAD // 5}'"]
        lines.append("  alert_rule_test:")
        for one in found:
            lines += [f"  - eval_time: {AHEAD}m", f"    alertname: {one.name}"]
            lines += _expected(fires, labels("ticket"), one.summary, SCALING)
    return lines


AHEAD = 2 * EVALUATED_MINUTES  # minutes that are played of what fills


def _missing_case(source: Source) -> list[str]:
    """Metrics that are there for a while and then vanish."""
    selectors, there = selectors_of(source), EVALUATED_MINUTES // 2
    if not selectors:
        return []
    lines = ["- name: metrics vanish", "  interval: 30m", "  input_series:"]
    for text in selectors:
        lines += [f"  - series: {_quoted(text)}", f"    values: '0+1x{there // 30}'"]
    lines += ["  alert_rule_test:", f"  - eval_time: {4 * EVALUATED_MINUTES}m", f"    alertname: {MISSING}", "    exp_alerts:"]
    for text in selectors:
        own = "".join(f"{name}: {yaml(value)}, " for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))
        lines += [
            f"    - exp_labels: {{{own}metric: {text.partition('{')[0]}, {labels('page')}}}",
            f"      exp_annotations: {noted(MISSING_SUMMARY, UNSEEN)}",
        ]
    return lines


def _slow_cases(alerts: list[Burn]) -> list[str]:
    """Outages: all requests take 20 s and the histogram has only the bounds that clients have unasked; half of the requests are slow."""
    timed = [one for one in alerts if one.counters.good and one.counters.nearest[0]]
    lines = []
    for word, share_slow, bucket in (("all slow, default buckets", 1.0, "nearest"), ("half of the requests slow", 0.5, "goods")):
        together: dict[int, list[Burn]] = {}
        for one in {one.objective: one for one in reversed(timed) if one.limit < share_slow}.values():  # of each the shortest window
            together.setdefault(one.rung.hours, []).append(one)
        for members in together.values():
            played: dict[str, int] = {}
            for one in members:
                series = one.counters.nearest[1] if bucket == "nearest" else one.counters.goods[0]
                played |= {one.counters.total: PER_MINUTE, series: round(PER_MINUTE * (1 - share_slow))}
            lines += _case(members, word, played, fires=True)
    return lines


def _week_case(source: Source, alerts: list[Burn]) -> list[str]:
    """A usual week with its peak, as many bad requests and as much use as the plan expects: all is silent that its usual peak keeps within
    limits, and nothing is missing."""
    study, week = source.study, week_of(source.study.scenario)
    parts = {name: one.part for name, one in seen(study).items()}
    lines: list[str] = ["- name: a usual week with its peak", f"  interval: {WEEK_MINUTES}m", "  input_series:"]
    calm, played = [], dict[str, list[int]]()
    used = dict.fromkeys(selectors_of(source), "1") | _hosts(source)
    for _, signal in _calm(signals_of(source)):
        for text, value in signal.series(signal.usual).items():
            used[text] = f"0+{value * WEEK_MINUTES:.6g}" if signal.counted else f"{value:.6g}"
    for one in alerts:
        bad = median(study.worlds.judged[one.objective].value[:, 0]) / parts.get(one.objective, 1.0)
        if bad >= one.limit:
            continue  # the promise is broken today: it fires, rightly
        calm.append(one)
        for text, step in _series(one, round(PER_MINUTE * bad), PER_MINUTE):
            played.setdefault(text, [round(step * WEEK_MINUTES * float(level) / 1000) for level in week])
    for text, steps in _once(played).items():
        lines += [f"  - series: {_quoted(text)}", f"    values: '{_walk(steps)}'"]
    samples = len(week) * 60 // WEEK_MINUTES
    for text, values in used.items():
        if text not in played and not any(text.startswith(f"{one.removesuffix('}')},") for one in played):
            lines += [f"  - series: {_quoted(text)}", f"    values: '{values}{'' if '+' in values else '+0'}x{samples}'"]
    silent = [*map(name_of, calm), *(signal_name(*row) for row in _calm(signals_of(source))), MISSING]
    silent += [one.name for one in resources_of(source)]
    lines.append("  alert_rule_test:")
    for hour in sorted({int(np.argmax(week)) + 1, 24, 72, 120, 167}):
        at = hour * 60 // EVALUATED_MINUTES * EVALUATED_MINUTES
        for name in silent:
            lines += [f"  - eval_time: {at}m", f"    alertname: {name}", "    exp_alerts: []"]
    return lines


WEEK_MINUTES = 5  # between samples of a week


def _hosts(source: Source) -> dict[str, str]:
    """A host with room: half of its CPU, memory and disk free."""
    played = {text: value for one in resources_of(source) for text, value in one.series(0.5).items()}
    return {text: f"0+{value * WEEK_MINUTES:g}" if counted else f"{value:g}" for text, (value, counted) in played.items()}


def _walk(steps: Sequence[int]) -> str:
    """A counter that grows by a step of its own in each hour's samples."""
    found, at, each = [], 0, 60 // WEEK_MINUTES
    for step in steps:
        found.append(f"{at}+{step}x{each - 1}")
        at += step * each
    return " ".join(found)


def _resource_case(one: Resource, word: str, used: float, fires: bool) -> list[str]:
    series = ((text, f"0+{value:.6g}x720" if counted else f"{value:.6g}+0x720") for text, (value, counted) in one.series(used).items())
    return [
        f"- name: {yaml(f'{one.name}, {word}')}",
        "  interval: 1m",
        "  input_series:",
        *(line for text, values in series for line in (f"  - series: {_quoted(text)}", f"    values: '{values}'")),
        "  alert_rule_test:",
        f"  - eval_time: {2 * EVALUATED_MINUTES}m",
        f"    alertname: {one.name}",
        *_expected(fires, f"{one.per}, {labels('ticket')}", one.summary, one.page),
    ]


def _expected(fires: bool, labelled: str, summary: str, page: str) -> list[str]:
    if not fires:
        return ["    exp_alerts: []"]
    return [
        "    exp_alerts:",
        f"    - exp_labels: {{{labelled}}}",
        f"      exp_annotations: {noted(summary, page)}",
    ]


def _quoted(series: str) -> str:
    return "'" + series.replace("'", "''") + "'"
