"""Counters of requests and jobs, as Prometheus knows them."""

from __future__ import annotations

import re

import numpy as np

from perfplan.models.times.latency import exceeds
from perfplan.operate.kind import BUSY, HANGS, Counters, Indicator, Signal, at_limit
from perfplan.operate.source import Source
from perfplan.operate.text import slug
from perfplan.quantity import Value, median
from perfplan.study import Study
from perfplan.tiers.place import Place
from perfplan.tiers.work import stated_answer
from perfplan.words import duration


def by_code(journey: str) -> Counters:
    """Requests of a journey, bad ones by their status code."""
    labels = f'journey="{slug(journey)}"'
    name = f"http_requests_total{{{labels}"
    return Counters(total=f"{name}}}", bad=f'{name},code=~"5.."}}', by_code=(f'{name},code="500"}}', f'{name},code="200"}}'))


def answered(journey: str) -> Indicator:
    """What is counted of a promise that requests do not fail."""
    return Indicator(
        event=f"a request of {journey}", good="answered, and not with an error of the server's (5xx, time-out)", where="the load balancer"
    )


def spellings(bound_s: Value) -> tuple[str, ...]:
    """How clients and servers write a bucket's bound: Go's shortest form, whole seconds with and without ".0" (Prometheus 3 adds it).

    >>> spellings(0.3), spellings(5.0), spellings(31557600.0)
    (('0.3',), ('5', '5.0'), ('3.15576e+07', '31557600', '31557600.0'))
    """
    bound = median(bound_s)
    digits = np.format_float_scientific(bound, trim="-", exp_digits=2)
    plain = np.format_float_positional(bound, trim="-")
    whole = (plain, f"{plain}.0") if "." not in plain else (plain,)
    return (digits, *whole) if bound < 1e-4 or bound >= 1e6 else whole


DEFAULT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # bounds that Prometheus' clients have unasked


def default_bucket(series: str, bound_s: float) -> tuple[str, str]:
    """Selector of the first bucket at or above *bound_s* that clients have unasked, and one of its series; "" where they have none."""
    above = next((one for one in DEFAULT if one >= bound_s), None)
    if above is None:
        return "", ""
    selector, spelled = buckets(series, above)
    return selector, spelled[0]


def buckets(series: str, bound_s: Value) -> tuple[str, tuple[str, ...]]:
    """Selector of the bucket at *bound_s*, and its single series, one a spelling; *series* ends within its labels."""
    written = spellings(bound_s)
    pattern = "|".join(re.escape(one).replace("\\", "\\\\") for one in written)  # a backslash is written twice in PromQL
    le = f'le="{written[0]}"' if len(written) == 1 else f'le=~"{pattern}"'
    return f"{series},{le}}}", tuple(f'{series},le="{one}"}}' for one in written)


def bad_of(of: Counters, window: str, what: str = "rate") -> str:
    """Bad requests over a window: none where all are good and no series of bad ones is there yet; without a bucket at the target those
    beyond the next one."""
    total, bad, good, nearest = (f"sum({what}({series}[{window}]))" for series in (of.total, of.bad, of.good, of.nearest[0]))
    good = f"({good} or {nearest})" if of.nearest[0] not in ("", of.good) else good
    return f"({bad} or 0 * {total})" if of.bad else f"({total} - {good})"


def total_of(of: Counters, window: str, what: str = "rate") -> str:
    """All requests over a window."""
    return f"sum({what}({of.total}[{window}]))"


def ratio(of: Counters, window: str) -> str:
    """Share of bad requests over a window; no traffic gives no sample, so that nothing fires."""
    return f"{bad_of(of, window)} / ({total_of(of, window)} > 0)"


def by_names(source: Source, of: Counters) -> Counters:
    """The same counters by the names that the scenario's metrics have."""
    name = source.named
    return Counters(
        total=name(of.total),
        bad=name(of.bad),
        good=name(of.good),
        nearest=(name(of.nearest[0]), name(of.nearest[1])),
        goods=tuple(map(name, of.goods)),
        by_code=tuple(map(name, of.by_code)),
    )


# ---- bottlenecks ----

SLOW_CALLS = 0.10  # of all calls to somebody else: ten times what a p99 lets through
CALLS = 6000.0  # a minute, in tests


def slow_calls(name: str, p50_s: Value, p99_s: Value, gives_up_s: float) -> tuple[Signal, ...]:
    """Calls to somebody else's service that are slower than 99 of 100 should be; those that are given up are, where the bound is lower."""
    below = [one for one in DEFAULT if one < gives_up_s]
    slow = min(next((one for one in DEFAULT if one >= median(p99_s)), np.inf), max(below, default=np.inf))
    if not np.isfinite(slow):
        return ()
    count = f'http_client_request_duration_seconds_count{{partner="{slug(name)}"}}'
    bucket, series = default_bucket(f'http_client_request_duration_seconds_bucket{{partner="{slug(name)}"', slow)
    usual = float(exceeds(stated_answer(median(p50_s), median(p99_s)), slow, (1, 1))[0, 0])
    one = Signal(
        alert="Slow",
        use=f"1 - sum(rate({bucket}[5m])) / (sum(rate({count}[5m])) > 0)",
        limit=max(SLOW_CALLS, min(3 * usual, 0.9)),
        usual=usual,
        what=f"calls to {name} that take longer than {duration(slow)}",
        page=HANGS,
        series=lambda use: {count: CALLS, series: CALLS * (1 - use)},
        counted=True,
        grows=False,
        severity="page",
    )
    return (one,)


def host_cpu(study: Study, place: Place, role: str) -> Signal:
    """CPU of the hosts of a tier in one *role*."""
    limit, usual = at_limit(study, place)
    labels = f'mode="idle",role="{role}",tier="{slug(place.tier)}"'
    return Signal(
        alert=f"{role.capitalize()}Busy",
        use=f"1 - avg(rate(node_cpu_seconds_total{{{labels}}}[5m]))",
        limit=limit,
        usual=usual,
        what=f"CPU of the {role} of {place.tier}",
        page=BUSY,
        series=lambda use: {f"node_cpu_seconds_total{{{labels}}}": 60 * (1 - use)},
        counted=True,
    )
