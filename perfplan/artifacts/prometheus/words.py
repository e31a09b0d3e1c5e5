"""What alerts are called, what they say, and the expressions that rules and their tests share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from perfplan.operate import tended
from perfplan.operate.kind import BUSY, Signal
from perfplan.operate.source import Source
from perfplan.operate.text import alert_name, anchor, slug, template, yaml
from perfplan.plan.paths import origins
from perfplan.promises import counted
from perfplan.scenario.rules import all_called, call_order
from perfplan.signals import signal
from perfplan.subjects.alerts import CPU, DISK, MEMORY, Burn, burns_of
from perfplan.tiers import kind_of
from perfplan.words import share

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Resource:
    """The usual alert on one instance of a host or a container."""

    name: str
    use: str  # PromQL
    limit: float
    advice: str
    page: str  # of the runbook
    per: str  # label of an instance, and its value in tests
    series: Callable[[float], Mapping[str, tuple[float, bool]]]  # in a test at such a use: a value, or what is added each minute

    @property
    def summary(self) -> str:
        """What the alert says."""
        return f"{self.name} above {share(self.limit)} for 5 minutes; {self.advice}"


def _left(free: str, whole: str) -> Callable[[float], Mapping[str, tuple[float, bool]]]:
    return lambda use: {f'{free}{{instance="a"}}': (1 - use, False), f'{whole}{{instance="a"}}': (1.0, False)}


def _of_limit(used: str, resource: str, *, counted: bool) -> Callable[[float], Mapping[str, tuple[float, bool]]]:
    limits = f'kube_pod_container_resource_limits{{pod="a",resource="{resource}"}}'
    return lambda use: {f'{used}{{pod="a"}}': (60 * use if counted else use, counted), limits: (1.0, False)}


_IDLE = 'node_cpu_seconds_total{instance="a",mode="idle"}'
RESOURCES = {  # by who measures hosts
    "node_exporter": (
        Resource(
            name="CpuHigh",
            use='1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle",role!~"primary|replica"}[5m]))',
            limit=CPU,
            advice="more of it",
            page=BUSY,
            per="instance: a",
            series=lambda use: {_IDLE: (60 * (1 - use), True)},
        ),
        Resource(
            name="MemoryHigh",
            use="1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
            limit=MEMORY,
            advice="restart what leaks",
            page="Memory",
            per="instance: a",
            series=_left("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"),
        ),
        Resource(
            name="DiskFull",
            use='1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay"}',
            limit=DISK,
            advice="order storage",
            page="Memory",
            per="instance: a",
            series=_left("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
        ),
    ),
    "cAdvisor": (
        Resource(
            name="CpuHigh",
            use="sum by (pod) (rate(container_cpu_usage_seconds_total[5m])) / "
            'sum by (pod) (kube_pod_container_resource_limits{resource="cpu"})',
            limit=CPU,
            advice="more of it",
            page=BUSY,
            per="pod: a",
            series=_of_limit("container_cpu_usage_seconds_total", "cpu", counted=True),
        ),
        Resource(
            name="MemoryHigh",
            use='sum by (pod) (container_memory_working_set_bytes) / sum by (pod) (kube_pod_container_resource_limits{resource="memory"})',
            limit=MEMORY,
            advice="restart what leaks",
            page="Memory",
            per="pod: a",
            series=_of_limit("container_memory_working_set_bytes", "memory", counted=False),
        ),
        Resource(
            name="DiskFull",
            use="1 - kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes",
            limit=DISK,
            advice="order storage",
            page="Memory",
            per="instance: a",
            series=_left("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
        ),
    ),
}


def resources_of(source: Source) -> list[Resource]:
    """The usual alerts, by the names that the scenario's metrics have."""

    def series(one: Resource, use: float) -> dict[str, tuple[float, bool]]:
        return {source.named(text): value for text, value in one.series(use).items()}

    found = RESOURCES[source.study.scenario.host_metrics]
    return [replace(one, use=source.named(one.use), series=functools.partial(series, one)) for one in found]


def windows(one: Burn) -> tuple[str, str]:
    """Long and short window of an alert, as PromQL writes them."""
    return _window(one.rung.hours * HOUR), _window(one.rung.hours * HOUR // 12)


def _window(seconds: int) -> str:
    return f"{seconds // HOUR}h" if seconds % HOUR == 0 else f"{seconds // 60}m"


def name_of(one: Burn) -> str:
    """The name of a burn-rate alert."""
    return f"{alert_name(one.objective)}Burns{one.rung.hours}h"


def labels(urgency: str, priority: str = "") -> str:
    """Whom an alert goes to, and how urgently: P0 and P1 call somebody, P2 is read on the next working day."""
    return f"severity: {urgency}, priority: {priority or ('P1' if urgency == 'page' else 'P2')}"


MISSING, MISSING_SUMMARY = "MetricsMissing", "a metric that alerts are made of has vanished: nobody would see an outage"


def noted(summary: str, page: str) -> str:
    """What it says, and the page of the runbook."""
    return f"{{summary: {yaml(template(summary))}, runbook: {yaml(f'runbook.md#{anchor(page)}')}}}"


def page_of(one: Burn) -> str:
    """The page of the runbook that it leads to."""
    return "High latency" if one.counters.good else "High error rate"


def signals_of(source: Source) -> list[tuple[str, Signal]]:
    """What is watched of each tier, causes before what they cause, and of each journey whose failures no promise counts."""
    scenario = source.study.scenario
    caches = origins(scenario)
    order = [*caches, *(name for name in reversed(call_order(scenario)) if name not in caches)]
    found = [(name, signal) for name in order for signal in tended(scenario.tiers[name]).signals(source, name, scenario.tiers[name])]
    promised = {one.journey for objective in scenario.objectives.values() if (one := counted(objective)) is not None}
    found += [(name, _fails(name)) for name in scenario.journeys if name not in promised]
    return [(name, _renamed(source, signal)) for name, signal in found]


def _renamed(source: Source, one: Signal) -> Signal:
    """The same by the names that the scenario's metrics have."""

    def series(use: float) -> dict[str, float]:
        return {source.named(text): value for text, value in one.series(use).items()}

    return replace(one, use=source.named(one.use), series=series)


FAILS = 0.05  # of the requests of a journey without a promise on failures


def _fails(journey: str) -> Signal:
    """Requests of a journey that fail, where no promise says how many may."""
    total = f'http_requests_total{{journey="{slug(journey)}"'

    def series(use: float) -> dict[str, float]:
        return {f'{total},code="200"}}': PER_MINUTE * (1 - use), f'{total},code="500"}}': PER_MINUTE * use}

    return Signal(
        alert="Fails",
        use=signal("journey", "errors").asked(slug(journey)),
        limit=FAILS,
        usual=0.0,
        what=f"requests of {journey} that fail",
        page="High error rate",
        series=series,
        counted=True,
        grows=False,
        severity="page",
    )


PER_MINUTE = 1_000_000  # requests in tests, so that shares are exact enough


def signal_name(tier: str, signal: Signal) -> str:
    """The name of the alert on a signal."""
    return f"{alert_name(tier)}{signal.alert}"


def causes(source: Source, tier: str, signal: Signal) -> list[str]:
    """The alerts that say why, where they fire: on what the tier waits for, and on the caches before it. What pages is kept back by a
    page alone."""
    tiers = source.study.scenario.tiers
    caches, called = origins(source.study.scenario), all_called(source.study.scenario)
    waits = {name for name in called.get(tier, ()) if not any(one.waits for one in kind_of(tiers[name]).owned.bought)}
    why = {name for name, origin in caches.items() if tier == origin} | (set() if tier in caches else waits)
    heard = ("page",) if signal.severity == "page" else ("page", "ticket")
    return [signal_name(name, one) for name, one in signals_of(source) if name in why and one.severity in heard]


def unless(source: Source, tier: str, signal: Signal) -> str:
    """PromQL: a cause has one alert, the deepest."""
    found = causes(source, tier, signal)
    return f'\n      unless on () ALERTS{{alertname=~"{"|".join(found)}",alertstate="firing"}}' if found else ""


def signal_summary(signal: Signal) -> str:
    """What the alert on a signal says."""
    side = "below" if signal.under else "above"
    return f"{signal.what}: {side} {signal.said(signal.limit)} for 5 minutes; usually {signal.said(signal.usual)} at the peak"


def absent(selector: str) -> str:
    """Whether a metric is not there, with its name as a label."""
    return f'label_replace(absent({selector}), "metric", "{selector.partition("{")[0]}", "", "")'


def selectors_of(source: Source) -> list[str]:
    """Every metric without which an alert is silent, once."""
    counted = [one.counters.total for one in burns_of(source)]
    others = [series for _, signal in signals_of(source) for series in list(signal.series(0.5))[:1]]
    parted = [text for text in others if any(text.startswith(f"{total.removesuffix('}')},") for total in counted)]  # of what is counted
    return list(dict.fromkeys([*counted, *(text for text in others if text not in parted)]))


def without_bucket(one: Burn) -> str:
    """Requests are counted but not by a bucket at the target: the burn-rate alerts of the promise would never fire."""
    return f"(sum(rate({one.counters.total}[15m])) > 0) unless sum(rate({one.counters.good}[15m]))"


def by_bucket(found: list[Burn]) -> list[Burn]:
    """One of each promise that is counted by a bucket."""
    return list({one.objective: one for one in found if one.counters.good}.values())


def bounds(one: Burn) -> list[str]:
    """The bound of its bucket, in each spelling."""
    return [text.rpartition(",")[2].removesuffix("}") for text in one.counters.goods]


def no_bucket_name(one: Burn) -> str:
    """The name of the alert on its missing bucket."""
    return f"{alert_name(one.objective)}HasNoBucket"


def no_bucket_summary(one: Burn) -> str:
    """What the alert on its missing bucket says."""
    late = "are late, as they count at the next bucket" if one.counters.nearest[0] else "cannot fire"
    return f"{one.objective}: no histogram bucket at its target; until there is one its burn-rate alerts {late}"


def summary_of(one: Burn) -> str:
    """What a burn-rate alert says."""
    return f"{one.objective}: {share(one.rung.spent)} of the error budget of {one.days} days spent within {windows(one)[0]}"
