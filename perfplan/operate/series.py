"""Counters of requests and jobs, as Prometheus knows them."""

from __future__ import annotations

import re

import numpy as np

from perfplan.operate.kind import Counters, Indicator
from perfplan.operate.text import slug
from perfplan.quantity import Value, median


def by_code(journey: str) -> Counters:
    """Requests of a journey, bad ones by their status code."""
    labels = f'journey="{slug(journey)}"'
    return Counters(total=f"http_requests_total{{{labels}}}", days=30, bad=f'http_requests_total{{{labels},code=~"5.."}}')


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


def buckets(series: str, bound_s: Value) -> tuple[str, tuple[str, ...]]:
    """Selector of the bucket at *bound_s*, and its single series, one a spelling; *series* ends within its labels."""
    written = spellings(bound_s)
    pattern = "|".join(re.escape(one).replace("\\", "\\\\") for one in written)  # a backslash is written twice in PromQL
    le = f'le="{written[0]}"' if len(written) == 1 else f'le=~"{pattern}"'
    return f"{series},{le}}}", tuple(f'{series},le="{one}"}}' for one in written)
