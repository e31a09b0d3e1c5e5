"""What is watched: the table of signals, rules and objectives against Sloth's, dashboards against Grafana's types, traces."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import promql_parser
import pytest
import yaml

from perfplan import tiers
from perfplan.artifacts import configs
from perfplan.artifacts.alertmanager import turns
from perfplan.artifacts.grafana import WIDTH, boards
from perfplan.items import ids
from perfplan.judging.promql import queries
from perfplan.judging.servers import WHERE
from perfplan.models import tracing as sampling
from perfplan.operate.source import Source
from perfplan.operate.text import block
from perfplan.reading import BadScenario, read
from perfplan.record import tag_of
from perfplan.signals import PRESETS, names, presets, signals, signals_of
from perfplan.subjects import tracing
from perfplan.subjects.alerts import ALERTS, burns, factor
from perfplan.subjects.signals import asked
from tests.conftest import SMALL, reference, unsearched

HOSTILE = ["<script>alert(1)</script>", '"}} drop', "{{7*7}}", "${datasource}", "`id`", "*/ alert(1) //", "a'b\"c\\", "$(reboot)"]
needs_promtool = pytest.mark.skipif(shutil.which("promtool", path=WHERE) is None, reason="needs Debian's promtool")


@pytest.fixture(scope="module")
def files(storefront):
    return configs(storefront)


# ---- the table of signals ----


def test_every_kind_of_tier_has_its_signals():
    """Calls by rate, errors and duration, or a resource by utilization, saturation and faults; a new kind must have them too."""
    hosts = {row.method for about in ("host", "container") for row in signals_of(about)}
    assert {"utilization", "saturation", "faults"} <= hosts
    for kind in tiers.KINDS:
        methods = {row.method for row in signals_of(tag_of(kind))}
        bought = tiers.KINDS[kind].owned.bought
        assert {"rate", "errors", "duration"} <= methods or (bought and methods & {"utilization", "saturation"}), kind
    assert {"rate", "errors", "duration"} <= {row.method for row in signals_of("journey")}


def test_every_row_of_the_table_is_one_query_of_its_metric_and_an_item():
    seen = set()
    for row in signals():
        query = row.asked("x", 4.0)
        promql_parser.parse(query)
        assert row.metric in query
        assert all(item in ids() for item in row.items.split())
        assert row.type in ("counter", "gauge", "histogram")
        assert all(label in names() for label in row.labels.split())
        assert (row.about, row.signal) not in seen
        seen.add((row.about, row.signal))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_rename_what_there_is_and_nothing_twice(preset):
    theirs = presets()[preset]
    assert set(theirs) <= names()


def test_names_of_the_scenario_stand_in_every_query_and_nowhere_in_quotes(small):
    small.write_text(SMALL + "metrics: {http_requests_total: reqs_total, http_request_duration_seconds: lat, journey: route, tier: role}\n")
    made = unsearched(read(small), 30)
    for name, text in configs(made).items():
        if name.endswith((".yml", ".json")) and name not in ("otel-collector.yml", "otel-sdk.yml"):
            assert not re.search(r"\bhttp_(requests_total|request_duration_seconds)", text), name
    rules = configs(made)["alerts.yml"]
    assert 'lat_bucket{route="read"' in rules
    assert 'sum(rate(reqs_total{route="read"' in rules


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("{http_request_total: x}", "is no metric or label of perfplan's files (http_requests_total?)"),
        ("{journey: 'a b'}", "must be a metric or label name such as requests_total; got 'a b'"),
        ("{journey: 'x}[5m]) or vector(1) #'}", "must be a metric or label name"),
    ],
)
def test_bad_mappings_get_one_clear_error(small, metrics, said):
    small.write_text(SMALL + f"metrics: {metrics}\n")
    with pytest.raises(BadScenario) as raised:
        read(small)
    assert len(raised.value.problems) == 1
    assert said in raised.value.problems[0].message


@pytest.mark.judge
@needs_promtool
@pytest.mark.parametrize("preset", ["OpenTelemetry", "ingress-nginx"])
def test_rules_of_a_preset_pass_their_unit_tests(statement, tmp_path, preset):
    """Requests and response times may be one histogram there: what counts both must count them once."""
    made = configs(unsearched(statement.but(f"metrics_preset={preset}", "host_metrics=cAdvisor"), 40))
    for name in ("alerts.yml", "alerts_test.yml", "recorded.yml"):
        (tmp_path / name).write_text(made[name])
    for command in ("promtool check rules recorded.yml", "promtool test rules alerts_test.yml"):
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- rules ----


def test_the_ladder_is_that_of_sloth():
    """Its rules for 99.9 % over 30 days: windows that are recorded, factors, short and long windows, who is called."""
    rules = yaml.safe_load((reference() / "sloth" / "getting-started.rules.yml").read_text())
    flat = [rule for group in rules["groups"] for rule in group["rules"]]
    recorded = {match[1] for rule in flat if (match := re.fullmatch(r"slo:sli_error:ratio_rate(\w+)", rule.get("record", "")))}
    ours, days = {(name, hours) for name, hours in (("1h", 1), ("6h", 6), ("1d", 24), ("3d", 72))}, 30
    windows = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"}
    assert windows | {"30d"} == recorded
    told = []
    for rule in (rule for rule in flat if "alert" in rule):
        pairs = re.findall(r"ratio_rate(\w+)\{[^}]*\} > \(([\d.]+) \* ([\d.]+)\)", rule["expr"])
        told += [(*pair, rule["labels"]["sloth_severity"]) for pair in pairs]
    assert len(told) == 8
    for rung in ALERTS:
        name = next(name for name, hours in ours if hours == rung.hours)
        short = {1: "5m", 6: "30m", 24: "2h", 72: "6h"}[rung.hours]
        for window in (name, short):
            found = [
                (float(times), float(budget), severity) for at, times, budget, severity in told if at == window and severity == rung.urgency
            ]
            assert any(times == pytest.approx(factor(rung.spent, rung.hours, days), abs=1e-12) for times, _, _ in found), (window, found)
            assert all(budget == pytest.approx(0.001, abs=1e-12) for _, budget, _ in found)


@pytest.mark.judge
@needs_promtool
def test_what_is_recorded_of_a_period_weighs_events(small, tmp_path):
    """An hour's outage by day costs ten times that of an hour at night; where slices are counted, as much. Played at full length."""
    text = SMALL.replace("  read p95:", "  up: {kind: availability, journey: read, above: 99%, window: 7 days}\n  read p95:")
    expected = {}
    for method in ("occurrences", "ratio of time slices"):
        small.write_text(text.replace("window: 7 days", f"window: 7 days, budgeting: {method}, slice: 5min"))
        rules = yaml.safe_load(configs(unsearched(read(small), 30))["recorded.yml"])
        groups = [one for one in rules["groups"] if one["name"] in ("slices of up", "objective up")]
        kept = ("slo:bad:rate5m", "slo:total:rate5m", "slo:bad:slice", "slo:period_bad:ratio")
        for group in groups:
            group["rules"] = [rule for rule in group["rules"] if rule["record"] in kept]
        (tmp_path / "r.yml").write_text(yaml.safe_dump({"groups": groups}))
        hours = [1 if hour % 24 < 8 else 10 for hour in range(7 * 24)]
        for name, outage in (("night", 27), ("day", 36)):
            good = [0 if hour == outage else 600 * level for hour, level in enumerate(hours)]
            bad = [600 * level if hour == outage else 0 for hour, level in enumerate(hours)]
            played = [
                {"series": f'http_requests_total{{journey="read",code="{code}"}}', "values": _walk(steps)}
                for code, steps in (("200", good), ("500", bad))
            ]
            asks = [{"expr": "slo:period_bad:ratio * 1000", "eval_time": "7d", "exp_samples": [{"labels": '{objective="up"}', "value": 0}]}]
            case = {"interval": "1m", "input_series": played, "promql_expr_test": asks}
            (tmp_path / "t.yml").write_text(yaml.safe_dump({"rule_files": ["r.yml"], "evaluation_interval": "5m", "tests": [case]}))
            done = subprocess.run(["promtool", "test", "rules", "t.yml"], cwd=tmp_path, capture_output=True, text=True, check=False)
            expected[method, name] = float(re.search(r"got: .* (\S+)\s*$", done.stdout + done.stderr, re.M)[1])
    total = sum(hours)
    assert expected["occurrences", "night"] == pytest.approx(1000 / total, rel=0.1)
    assert expected["occurrences", "day"] == pytest.approx(10_000 / total, rel=0.1)
    assert expected["ratio of time slices", "night"] == pytest.approx(1000 / len(hours), rel=0.1)
    assert expected["ratio of time slices", "day"] == pytest.approx(1000 / len(hours), rel=0.1)


def _walk(steps):
    """A counter that grows by a step of its own in each hour's sixty samples."""
    at, found = 0, []
    for step in steps:
        found.append(f"{at}+{step // 60}x59")
        at += step // 60 * 60
    return " ".join(found)


def test_the_plan_stands_in_the_rules_month_by_month(storefront, files):
    rules = [rule for group in yaml.safe_load(files["recorded.yml"])["groups"] for rule in group["rules"]]
    middle = next(rule["expr"] for rule in rules if rule["record"] == "plan:peak_rps:p50")
    values = [float(value) for value in re.findall(r"vector\(([\d.]+)\)", middle)]
    inside = sum(
        np.asarray(r) * (1 - np.asarray(storefront.worlds.carried.edge[n])) for n, r in storefront.worlds.carried.journey_rps.items()
    )
    assert values == pytest.approx(np.median(inside, axis=0)[: len(values)], rel=1e-3)
    assert len(values) == storefront.last + 1
    limits = {(rule["labels"]["tier"], rule["labels"]["field"]) for rule in rules if rule["record"] == "plan:limit:ratio"}
    assert ("postgres", "connections") in limits


# ---- objectives for other tools ----


def test_objectives_for_other_tools_say_the_same(storefront, files):
    sloth = {one["name"]: one for one in yaml.safe_load(files["sloth.yml"])["slos"]}
    pyrra = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(files["pyrra.yml"])}
    openslo = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(files["openslo.yml"]) if one["kind"] == "SLO"}
    assert set(sloth) == set(pyrra) == set(openslo)
    for one in burns(storefront):
        name = next(name for name in sloth if name.startswith(re.sub(r"\W+", "-", one.objective)))
        assert sloth[name]["objective"] == pytest.approx(100 * (1 - one.budget), abs=1e-9)
        assert float(pyrra[name]["target"]) == pytest.approx(100 * (1 - one.budget), abs=1e-9)
        assert pyrra[name]["window"] == openslo[name]["timeWindow"][0]["duration"] == f"{one.days}d"
        assert openslo[name]["objectives"][0]["target"] == pytest.approx(1 - one.budget, abs=1e-12)
    assert sloth[next(n for n in sloth if n.startswith("checkout-available"))]["objective"] == 99.9
    assert "99.90000000000" not in files["sloth.yml"]


def test_slices_and_windows_of_the_calendar_in_openslo(small):
    how = "window: quarter, budgeting: time slices, slice: 5min, slice_good: 90%"
    small.write_text(SMALL + f"  up: {{kind: availability, journey: read, above: 99%, {how}}}\n")
    found = [
        one for one in yaml.safe_load_all(configs(unsearched(read(small), 30))["openslo.yml"]) if one["metadata"].get("displayName") == "up"
    ]
    spec = found[0]["spec"]
    assert spec["budgetingMethod"] == "Timeslices"
    assert spec["objectives"][0] == {"displayName": "up", "target": 0.99, "timeSliceTarget": 0.9, "timeSliceWindow": "5m"}
    assert spec["timeWindow"][0] == {
        "duration": "1Q",
        "isRolling": False,
        "calendar": {"startTime": "2026-10-01 00:00:00", "timeZone": "UTC"},
    }


def test_hostile_names_stay_text_in_yaml_json_and_promql(small):
    text, plain = SMALL, ("read", "app", "store", "read p95", "near")
    for name, hostile in zip(plain, HOSTILE, strict=False):
        quoted = json.dumps(hostile)
        text = re.sub(rf"(?<![\w']){name}(?=:)", lambda _, q=quoted: q, text)
        text = re.sub(rf"journey: {name}\b", lambda _, q=quoted: f"journey: {q}", text)
    small.write_text(text.replace("name: small", f"name: {json.dumps(HOSTILE[6])}"))
    made = configs(unsearched(read(small), 30))
    for name, file in made.items():
        if name.endswith(".yml"):
            assert list(yaml.safe_load_all(file)), name
        if name.endswith(".json"):
            titles = [panel["title"] for panel in json.loads(file)["panels"]]
            assert not any("{{" in title for title in titles)
        for query in queries(file):
            promql_parser.parse(query)
            assert not any(one in query for one in HOSTILE)
        if name.endswith(".md"):
            assert "<script" not in file
    openslo = [one for one in yaml.safe_load_all(made["openslo.yml"]) if one["kind"] == "SLO"]
    assert openslo[0]["metadata"]["displayName"] == HOSTILE[3]


@pytest.mark.parametrize("text", ["a: b", "- x", "# c", "yes", "'", '"', "\\", "\n", "\x07", "é", "\U0001f600", "{{x}}", "1e400", "", "~"])
def test_any_text_comes_back_from_block_yaml(text):
    tree = {"k": text, "l": [text, {"m": text}], text or "e": 1.5}
    assert yaml.safe_load(block(tree)) == tree


# ---- Alertmanager ----


@pytest.mark.parametrize("people", range(1, 41))
def test_turns_cover_each_day_of_a_month_once(people):
    days = [day for turn in turns(people) for day in range(int(turn.split(":")[0]), int(turn.split(":")[1]) + 1)]
    assert days == list(range(1, 32))
    assert len(turns(people)) == min(people, 31)


# ---- dashboards ----


def test_panels_stand_side_by_side_and_never_on_each_other(storefront):
    for board in boards(storefront):
        taken = set()
        for one in board.panels:
            assert one.x + one.wide <= WIDTH
            cells = {(x, y) for x in range(one.x, one.x + one.wide) for y in range(one.y, one.y + one.high)}
            assert not cells & taken
            taken |= cells


TYPED = "import {{ Dashboard, ThresholdsMode }} from '@grafana/schema';\nconst board: Dashboard = {text};\nexport default board;\n"


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_dashboards_are_of_grafanas_types(files, npm, tmp_path):
    (tmp_path / "node_modules").symlink_to(npm)
    boards = {name: text for name, text in files.items() if name.startswith("grafana-")}
    assert len(boards) == 4

    def compiles(text):
        typed = text.replace('"mode": "absolute"', '"mode": ThresholdsMode.Absolute')  # an enumeration takes no text
        (tmp_path / "board.ts").write_text(TYPED.format(text=typed))
        options = "--noEmit --strict --skipLibCheck --target es2022 --module es2022 --moduleResolution bundler --types node board.ts"
        command = ["node", str(npm / "typescript" / "bin" / "tsc"), *options.replace("--types node ", "").split()]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for name, text in boards.items():
        done = compiles(text)
        assert done.returncode == 0, (name, done.stdout[:2000])
    assert compiles(boards["grafana-slo.json"].replace('"gridPos"', '"gridPosition"', 1)).returncode != 0
    assert compiles(boards["grafana-slo.json"].replace('"schemaVersion": 39', '"schemaVersion": "39"', 1)).returncode != 0


# ---- traces ----


def test_a_sample_of_that_size_shows_the_share_beyond_a_percentile_so_well():
    rng = np.random.default_rng(3)
    n = round(float(sampling.samples_needed(0.99)))
    beyond = rng.binomial(n, 0.01, 4000) / n
    assert beyond.std() / 0.01 == pytest.approx(sampling.PRECISION, rel=0.05)


def test_storage_bounds_the_share_of_traces_that_is_kept(small):
    free = tracing.sampled(unsearched(read(_with(small, "tracing: {percentile: p99.9}")), 30))
    assert free.rate == free.wanted
    little = free.stored_bytes / 4
    made = unsearched(read(_with(small, f"tracing: {{percentile: p99.9, storage: {little / 1e6:.6f}MB, sampling: head}}")), 30)
    found = tracing.sampled(made)
    assert found.stored_bytes == pytest.approx(little, rel=1e-3)
    assert found.rate == pytest.approx(free.wanted / 4, rel=0.01)
    said = next(tracing.findings(made))
    assert "The storage of traces holds" in said.title
    spans = sum(row.rps * row.spans for row in tracing.traced(made))
    assert found.spans_rps == pytest.approx(spans)
    assert tracing.traced(made)[0].spans == pytest.approx(1 + 1 + 1 + 2)  # the request, the call to app at both ends, two to store


def _with(path: Path, more: str) -> Path:
    path.write_text(SMALL + more + "\n")
    return path


def test_the_items_of_monitoring_are_answered(storefront):
    from perfplan.checklist import states

    found = {state.item.id: state for state in states(storefront)}
    waiting = {"5.4.1.b", "5.4.1.c", "5.2.3", "1.2.1.b"}  # traces, forecasts, times of pages
    unanswered = {id for id, state in found.items() if id.startswith(("5.1", "5.2", "5.3", "5.4", "1.2")) and state.verdict == "unanswered"}
    assert unanswered <= waiting
    assert len(asked(storefront)) > 80
    assert Source(study=storefront).named("http_requests_total") == "http_requests_total"


def test_every_label_of_hosts_that_rules_ask_for_is_set_where_they_are_scraped(files):
    """Exporters of hosts know neither tier nor role: a rule that asks for one that no target has never fires."""
    jobs = {job["job_name"]: job["static_configs"] for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"]}
    hosts = {tuple(sorted(target.get("labels", {}).items())) for target in jobs["node_exporter"]}
    asked_for = set(re.findall(r'role="(\w+)",tier="([\w-]+)"', files["alerts.yml"]))
    assert asked_for
    for role, tier in asked_for:
        assert (("role", role), ("tier", tier)) in hosts
    caches = set(re.findall(r'cache="([\w-]+)"', files["alerts.yml"]))
    assert caches == {target["labels"]["cache"] for target in jobs["redis_exporter"]}
    assert "payments" not in files["prometheus.yml"]  # who calls measures what is not ours
    assert "balancer" in jobs


@pytest.mark.judge
@needs_promtool
def test_ratios_are_there_before_the_first_error_and_slices_count_slices(small, tmp_path):
    """No series of failed requests yet: nothing is bad, and the budget is whole. Then five bad minutes of a day, by slices of a minute."""
    how = "window: 7 days, budgeting: time slices, slice: 1min, slice_good: 95%"
    small.write_text(SMALL.replace("  read p95:", f"  up: {{kind: availability, journey: read, above: 99%, {how}}}\n  read p95:"))
    rules = yaml.safe_load(configs(unsearched(read(small), 30))["recorded.yml"])
    kept = [group for group in rules["groups"] if group["name"] in ("slices of up", "objective up")]
    assert next(group for group in kept if group["name"] == "slices of up")["interval"] == "60s"
    (tmp_path / "r.yml").write_text(yaml.safe_dump({"groups": kept}))
    good = {"series": 'http_requests_total{journey="read",code="200"}', "values": "0+150x5759"}  # every 15 s
    bad = {"series": 'http_requests_total{journey="read",code="500"}', "values": f"{'_ ' * 5600}0x0 0+75x19 1500x100"}

    def asks(played, at):
        test = {"expr": "slo:period_bad:ratio * 1e6", "eval_time": at, "exp_samples": [{"labels": '{objective="up"}', "value": 1}]}
        case = {"interval": "15s", "input_series": played, "promql_expr_test": [test]}
        (tmp_path / "t.yml").write_text(yaml.safe_dump({"rule_files": ["r.yml"], "evaluation_interval": "1m", "tests": [case]}))
        done = subprocess.run(["promtool", "test", "rules", "t.yml"], cwd=tmp_path, capture_output=True, text=True, check=False)
        return float(re.search(r"got: .* (\S+)\s*$", done.stdout + done.stderr, re.M)[1]) / 1e6

    assert asks([good], "2h") == 0
    assert asks([good, bad], "1d") == pytest.approx(5 / 1440, rel=0.35)  # of 1,440 slices five, give or take the edges
