"""OpenTelemetry: the SDK's environment and declarative configuration, the collector's configuration, alerts on spans, and which spans
journeys need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.servers import PATIENCE_S, run
from perfplan.operate import tended
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, alert_name, anchor, block, decimal, markdown, slug, template
from perfplan.plan.uptime import visits_of
from perfplan.promises import timed
from perfplan.quantity import median
from perfplan.subjects.tracing import Traced, sampled, stated, traced
from perfplan.system import child
from perfplan.tiers import kind_of
from perfplan.words import duration, number, share, size

PLACE, ENDPOINT = "5_monitoring", "http://127.0.0.1:4318"
WAIT_S = 10  # that the collector waits for a trace's spans, at least
SLOWER = 2.0  # times the share of slow requests that is promised, above which spans are an alert


def _ratio(source: Source) -> float:
    """The share that the SDK keeps: all of it where the collector decides."""
    found = sampled(source.study)
    return 1.0 if stated(source.study).sampling == "tail" else float(f"{found.rate:.3g}")


def environment(source: Source) -> str:
    """The environment of a service; the name is what differs."""
    names = [slug(name) for name, tier in source.study.scenario.tiers.items() if kind_of(tier).stands.enters]
    return (
        f"{source.head('#', 'OpenTelemetry SDK, environment')}"
        f"# one of: {', '.join(names)}\n"
        f"OTEL_SERVICE_NAME={names[0]}\n"
        f"OTEL_RESOURCE_ATTRIBUTES=service.namespace={slug(source.study.scenario.name)}\n"
        "OTEL_PROPAGATORS=tracecontext,baggage\n"
        "OTEL_TRACES_EXPORTER=otlp\n"
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        f"OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}\n"
        "OTEL_TRACES_SAMPLER=parentbased_traceidratio\n"
        f"OTEL_TRACES_SAMPLER_ARG={decimal(_ratio(source))}\n"
    )


def declared(source: Source) -> str:
    """The same as the SDK's declarative configuration (OTEL_CONFIG_FILE)."""
    tree: Tree = {
        "file_format": "1.0",
        "resource": {
            "attributes": [
                {"name": "service.name", "value": "${OTEL_SERVICE_NAME}"},
                {"name": "service.namespace", "value": slug(source.study.scenario.name)},
            ]
        },
        "propagator": {"composite": [{"tracecontext": {}}, {"baggage": {}}]},
        "tracer_provider": {
            "processors": [{"batch": {"exporter": {"otlp_http": {"endpoint": f"{ENDPOINT}/v1/traces"}}}}],
            "sampler": {"parent_based": {"root": {"trace_id_ratio_based": {"ratio": _ratio(source)}}}},
        },
    }
    return f"{source.head('#', 'OpenTelemetry SDK, declarative configuration')}{block(tree)}\n"


def _targets(source: Source) -> dict[str, float]:
    """The tightest promised time of each journey, seconds."""
    found: dict[str, float] = {}
    for objective in source.study.scenario.objectives.values():
        if (one := timed(objective)) is not None:
            found[one.journey] = min(found.get(one.journey, float("inf")), median(one.below_s))
    return found


def collector(source: Source) -> str:
    """The collector: what is kept, and metrics of spans for alerts."""
    study, found = source.study, sampled(source.study)
    targets, tail = _targets(source), stated(source.study).sampling == "tail"
    policies: list[Tree] = [{"name": "failed", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]
    if targets:
        policies.append({"name": "slow", "type": "latency", "latency": {"threshold_ms": round(1e3 * min(targets.values()))}})
    policies.append({"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": float(f"{100 * found.rate:.3g}")}})
    rps = sum(row.rps for row in traced(study))
    wait = max(WAIT_S, round(2 * source.ladder.value_s("client_timeout")))
    buckets: list[Tree] = [
        f"{round(1e3 * bound, 3):g}ms" for bound in sorted({0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, *targets.values()})
    ]
    processors: dict[str, Tree] = {"memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}}
    if tail:
        processors["tail_sampling"] = {
            "decision_wait": f"{wait}s",
            "num_traces": max(round(2 * rps * wait), 1000),
            "expected_new_traces_per_sec": max(round(rps), 1),
            "policies": policies,
        }
    processors["batch"] = {"timeout": "5s"}
    kept: list[Tree] = ["memory_limiter", *(["tail_sampling"] if tail else []), "batch"]
    tree: Tree = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:4318"}, "grpc": {"endpoint": "127.0.0.1:4317"}}}},
        "processors": processors,
        "connectors": {"spanmetrics": {"histogram": {"unit": "s", "explicit": {"buckets": buckets}}}},
        "exporters": {"otlp": {"endpoint": "127.0.0.1:14317", "tls": {"insecure": True}}, "prometheus": {"endpoint": "127.0.0.1:8889"}},
        "service": {
            "pipelines": {
                "traces/measured": {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["spanmetrics"]},
                "traces/kept": {"receivers": ["otlp"], "processors": kept, "exporters": ["otlp"]},
                "metrics": {"receivers": ["spanmetrics"], "processors": ["batch"], "exporters": ["prometheus"]},
            }
        },
    }
    one = stated(study)
    remark = (
        f"# {number(found.spans_rps)} spans a second come, {number(found.kept_rps)} are kept: {size(found.stored_bytes)} in "
        f"{duration(median(one.retention_s))}, which {one.backend} must hold. All spans of a trace must reach the same collector.\n"
    )
    return f"{source.head('#', 'OpenTelemetry collector (contrib)')}{remark}{block(tree)}\n"


def alerts(source: Source) -> str:
    """Alerts on spans that are slower than promised, with the journey's name as the span's."""
    rules: list[Tree] = []
    for name, objective in source.study.scenario.objectives.items():
        one = timed(objective)
        if one is None:
            continue
        span = f'span_kind="SPAN_KIND_SERVER",span_name="{slug(one.journey)}"'
        allowed, bound = 1 - median(one.percentile), decimal(median(one.below_s))
        good = f'sum(rate(traces_span_metrics_duration_seconds_bucket{{{span},le="{bound}"}}[10m]))'
        total = f"sum(rate(traces_span_metrics_duration_seconds_count{{{span}}}[10m]))"
        limit = min(SLOWER * allowed, 0.9)
        rules.append(
            {
                "alert": f"{alert_name(name)}SlowSpans",
                "expr": f"1 - {good} / ({total} > 0) > {decimal(round(limit, 9))}",
                "for": "10m",
                "labels": {"severity": "ticket", "priority": "P2"},
                "annotations": {
                    "summary": template(
                        f"{name}: more than {share(limit)} of the spans of {one.journey} take longer than {duration(median(one.below_s))}; "
                        "look at the slow traces, by the tier that takes most of their time"
                    ),
                    "runbook": f"runbook.md#{anchor('High latency')}",
                },
            }
        )
    return f"{source.head('#', 'Alerts on spans')}{block({'groups': [{'name': 'slow transactions', 'rules': rules}]})}\n"


def spans(source: Source) -> str:
    """Which spans and attributes each journey needs, for whoever instruments it."""
    scenario, rows = source.study.scenario, {row.journey: row for row in traced(source.study)}
    parts = [f"# Spans of {markdown(scenario.name)}\n\n{source.head('>', 'Spans and their attributes').replace(chr(10), '  ' + chr(10))}\n"]
    parts += [_journey(source, name, row) for name, row in rows.items()]
    return "\n".join(parts)


def _journey(source: Source, name: str, row: Traced) -> str:
    study = source.study
    lines = [
        f"## {markdown(name)}\n",
        f"{row.spans:.3g} spans a request on average; the server's span is called `{slug(name)}`, as alerts and dashboards ask for it.\n",
        "| span | kind | attributes | a request |",
        "|---|---|---|---|",
        f"| `{slug(name)}` | SERVER | `http.route`, `http.request.method`, `http.response.status_code` | 1 |",
    ]
    visits = visits_of(study.middle.scenario, name, study.middle.carried.hit_ratio)
    for tier, times in visits.items():
        lines.append(f"| `{slug(tier)}` | {tended(study.scenario.tiers[tier]).span} | {float(median(times)):.3g} |")
    return "\n".join(lines) + "\n"


# ---- judges ----

READ, CHECKED = "OpenTelemetry SDK for Python", "promtool check rules"
CODE = "import sys; from opentelemetry.configuration import configure_sdk, load_config_file; configure_sdk(load_config_file(sys.argv[1]))"


def _started(path: Path, _: Path) -> Judgement:
    """An SDK is configured by the file."""
    command = [sys.executable, "-W", "ignore", "-c", CODE, path.name]
    environment = {"OTEL_SERVICE_NAME": "judge"}
    done = subprocess.run(
        ["env", *(f"{key}={value}" for key, value in environment.items()), *command],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        **child(),
    )
    said = done.stderr.strip()
    if done.returncode and "ModuleNotFoundError" in said:
        return Judgement(judge=READ, accepted=None, said="opentelemetry-sdk[file-configuration] is not installed here")
    return Judgement(judge=READ, accepted=done.returncode == 0, said="accepted" if done.returncode == 0 else said[-600:])


def _check(path: Path, _: Path) -> Judgement:
    return run([*CHECKED.split(), path.name], path.parent, CHECKED)


SDK = Judge(tool="python3", ask=_started, names=(READ,), twin=("ratio: ", "ratioo: "))
RULES = Judge(tool="promtool", ask=_check, names=(CHECKED,), twin=('"10m"', '"ten"'))
NOT_JUDGED = "not judged: no collector runs here"


def files(source: Source) -> tuple[File, ...]:
    """The files, where there is a service that makes spans."""
    if not traced(source.study) or not any(kind_of(tier).stands.enters for tier in source.study.scenario.tiers.values()):
        return ()
    sdk = (
        Answers(item="5.4.1", text="the SDK, the collector, and the spans of each journey", place=PLACE, formula=collector),
        Answers(item="5.4.1.a", text="environment and declarative configuration of the SDK", place=PLACE, formula=declared),
    )
    slow = (Answers(item="5.4.4", text="spans slower than promised", place=PLACE, formula=alerts),)
    found = [
        File(name="otel-sdk.yml", text=declared(source), judge=SDK, answers=sdk),
        File(name="otel-sdk.env", text=environment(source), judge=None, unjudged="not judged; it says what otel-sdk.yml says, which is"),
        File(name="otel-collector.yml", text=collector(source), judge=None, unjudged=NOT_JUDGED),
        File(name="otel-spans.md", text=spans(source), judge=None),
    ]
    return (*found, *([File(name="otel-alerts.yml", text=alerts(source), judge=RULES, answers=slow)] if _targets(source) else []))
