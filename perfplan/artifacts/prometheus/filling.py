"""What the plan's own growth fills within 30 days: bottlenecks by the most of a week, volumes by what they hold, and traffic beyond the
plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.artifacts.prometheus.words import signal_name, signals_of
from perfplan.operate.kind import Signal
from perfplan.operate.source import Source
from perfplan.operate.text import alert_name, slug
from perfplan.quantity import median, quantiles
from perfplan.study.inside import inside_rps
from perfplan.subjects.alerts import DISK
from perfplan.tiers import kind_of
from perfplan.words import rate, share, size

SCALING = "Scaling, tier by tier"  # heading of the runbook
CERTAIN = 0.95  # growth that is not passed in so many worlds
BEYOND = 3  # months of the plan that traffic may not be ahead of


@dataclass(frozen=True, kw_only=True)
class Filling:
    """One alert on what will be full."""

    name: str
    tier: str
    use: str  # PromQL: how far it would be used
    limit: float
    why: str
    summary: str
    series: Callable[[float], Mapping[str, tuple[float, bool]]]  # in a test at so many times the limit: a value, or what comes each minute


def filling_of(source: Source) -> list[Filling]:
    """Every alert on what the plan's growth fills."""
    study = source.study
    growth = float(quantiles(study.worlds.rps[:, 1] / study.worlds.rps[:, 0], (CERTAIN,))[0]) if study.worlds.rps.shape[1] > 1 else 1.0
    found = [_bottleneck(tier, one, growth) for tier, one in signals_of(source) if not one.under and not one.seconds and one.grows]
    return [*found, *_volumes(source), *_traffic(source)]


def _bottleneck(tier: str, one: Signal, growth: float) -> Filling:
    limit = min(one.limit, 1.0)

    def series(factor: float) -> dict[str, tuple[float, bool]]:
        return {text: (value, one.counted) for text, value in one.series(min(factor * limit / growth, 1.0)).items()}

    return Filling(
        name=f"{signal_name(tier, one)}Soon",
        tier=tier,
        use=f"max_over_time(({one.use})[7d:5m]) * {growth:.6g}",
        limit=limit,
        why=f"load grows by {share(growth - 1)} in 30 days in 95 of 100 worlds of the plan; what waits grows faster",
        summary=f"{one.what}: at the plan's growth above {one.said(limit)} within 30 days, by the most of the last week",
        series=series,
    )


def _volumes(source: Source) -> list[Filling]:
    """Volumes of what holds data, by the plan's growth of what is held."""
    found = []
    for name, tier in source.study.worlds.scenario.tiers.items():
        held = kind_of(tier).owned.held(tier)
        if held is not None and held.limit_bytes is not None:
            grows = float(np.quantile(np.asarray(held.growth_bytes, dtype=float), CERTAIN))
            found.append(_volume(source, name, grows, median(held.limit_bytes)))
    return found


def _volume(source: Source, name: str, grows_bytes: float, limit_bytes: float) -> Filling:
    at = f'tier="{slug(name)}",fstype!~"tmpfs|overlay"'
    free, whole = (source.named(f"node_filesystem_{what}_bytes{{{at}}}") for what in ("avail", "size"))
    played = [source.named(f'node_filesystem_{what}_bytes{{tier="{slug(name)}"}}') for what in ("avail", "size")]

    def series(factor: float) -> dict[str, tuple[float, bool]]:
        used = factor * DISK * limit_bytes - grows_bytes
        return {played[0]: (limit_bytes - used, False), played[1]: (limit_bytes, False)}

    return Filling(
        name=f"{alert_name(name)}VolumeFullSoon",
        tier=name,
        use=f"max((1 - ({free} - {grows_bytes:.6g}) / {whole}) and {whole} >= {0.5 * limit_bytes:.6g})",
        limit=DISK,
        why=f"{size(grows_bytes)} a month in 95 of 100 worlds of the plan; of its volumes those of half the planned size or more",
        summary=f"the volume of {name}: at the plan's growth above {share(DISK)} within 30 days",
        series=series,
    )


def _traffic(source: Source) -> list[Filling]:
    """Traffic above the plan's band of the next months: the plan is out of date."""
    study = source.study
    inside = inside_rps(study)
    most = float(quantiles(inside[:, : BEYOND + 1], (CERTAIN,))[0].max())
    counted = [source.named(f'http_requests_total{{journey="{slug(name)}"}}') for name in study.scenario.journeys]
    every = "|".join(slug(name) for name in study.scenario.journeys)
    total = source.named(f'sum(rate(http_requests_total{{journey=~"{every}"}}[1h]))')

    def series(factor: float) -> dict[str, tuple[float, bool]]:
        return {text: (60 * factor * most / len(counted), True) for text in counted}

    return [
        Filling(
            name="TrafficBeyondPlan",
            tier="traffic",
            use=f"max_over_time(({total})[7d:1h])",
            limit=most,
            why=f"the peak hour of the next {BEYOND} months is below {rate(most)} at the balancer in 95 of 100 worlds of the plan",
            summary=f"traffic is above {rate(most)} in an hour, more than planned for the next {BEYOND} months: plan again",
            series=series,
        )
    ]
