"""Files that leave the page: their numbers, their grammar, and whether the real tools accept them and refuse broken twins."""

import json
import math
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from perfplan.artifacts import configs
from perfplan.artifacts import files as files_of
from perfplan.artifacts.k6 import threshold_problem, users_at
from perfplan.artifacts.prometheus.words import windows
from perfplan.document.findings import findings
from perfplan.judging import Judgement, judgements, kept_judgements, strangers, written
from perfplan.judging.servers import WHERE
from perfplan.operate.series import buckets
from perfplan.operate.source import Source
from perfplan.operate.text import slug
from perfplan.plan.paths import carry
from perfplan.reading import read
from perfplan.study import study
from perfplan.study.inside import seen
from perfplan.study.ladder import ladder
from perfplan.subjects.alerts import burns
from perfplan.tiers.place import Place
from tests.conftest import SMALL

TOOLS = {
    "alerts.yml": "promtool",
    "alerts_test.yml": "promtool",
    "recorded.yml": "promtool",
    "prometheus.yml": "promtool",
    "otel-alerts.yml": "promtool",
    "alertmanager.yml": "amtool",
    "sloth.yml": "python3",
    "pyrra.yml": "python3",
    "openslo.yml": "python3",
    "otel-sdk.yml": "python3",
    "grafana-slo.json": "python3",
    "grafana-performance.json": "python3",
    "grafana-capacity.json": "python3",
    "grafana-database.json": "python3",
    "load_test.js": "node",
    "nginx.conf": "nginx",
    "redis-redis.conf": "redis-server",
    "pgbouncer-postgres.ini": "pgbouncer",
}


@pytest.fixture(scope="module")
def files(storefront):
    return configs(storefront)


@pytest.fixture(scope="module")
def judges(storefront):
    return {file.name: file.judge for file in files_of(storefront) if file.judge is not None}


@pytest.fixture
def folder(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def room():
    """A folder that others may pass through: pgbouncer refuses to be root, and becomes somebody else."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool, path=WHERE) is None, reason=f"needs Debian's {tool}")


@pytest.mark.parametrize(
    ("below", "written"),
    [
        ("300ms", ["0.3"]),
        ("5s", ["5", "5.0"]),
        ("2.5s", ["2.5"]),
        ("50us", ["5e-05", "0.00005"]),
    ],
)
def test_a_bucket_is_found_however_its_bound_is_written(below, written):
    """Go's shortest form (prometheus/common), Python's and Prometheus 3's with the digit behind the point."""
    good, goods = buckets('seconds_bucket{journey="read"', {"300ms": 0.3, "5s": 5.0, "2.5s": 2.5, "50us": 50e-6}[below])
    assert [re.search('le="(.*)"', series)[1] for series in goods] == written
    pattern = re.search('le=~?"(.*)"', good)[1].replace("\\\\", "\\")
    assert all(re.fullmatch(pattern, text) for text in written)
    assert not re.fullmatch(pattern, written[0] + "0")


# what k6's documentation shows as valid, and what its parser refuses (exit 104)
@pytest.mark.parametrize(
    "rule", ["p(95)<300", "p(99.9) < 1.5", "avg<200", "rate<0.01", "count==0", "max>=1e3", "med<=50", "value!=0", "rate===1"]
)
def test_thresholds_of_k6_grammar_are_accepted(rule):
    assert threshold_problem(rule) is None


@pytest.mark.parametrize("rule", ["p95<300", "p(101)<5", "p(-1)<5", "95th<300", "avg=<2", "avg<fast", "<300", "", "p(95)<300ms"])
def test_other_thresholds_are_refused(rule):
    assert threshold_problem(rule) is not None


def test_every_file_names_its_inputs_and_the_same_inputs_give_the_same_bytes(storefront, files):
    digest = storefront.statement.digest()
    assert all(f"sha256:{digest}" in text for text in files.values())
    assert {file.name: file.text for file in files_of.__wrapped__(storefront)} == files
    assert storefront.statement.but("traffic.burst=11s").digest() != digest


def test_the_load_test_asks_for_the_promises_and_the_rates_of_the_plan(storefront, files):
    text = files["load_test.js"]
    assert "dropped_iterations: ['count==0']" in text
    bound = round(1e3 * seen(storefront)["search p95"].below_s)
    assert f'"http_req_duration{{journey:search}}": ["p(95)<{bound}"]' in text
    assert 150 < bound < 300  # without the round trips, of 22 to 180 ms
    assert '"http_req_failed{journey:checkout}": ["rate<0.001"]' in text  # the availability, which is stricter than 1 % of errors
    assert '"http_req_duration{journey:browse}": ["p(92.25)<' in text  # 5 % of all are 7.75 % of those that the edge does not answer
    assert re.search(r"soak: .*\n\s+executor: 'constant-arrival-rate', rate: 171\d,", text)  # 0.8 x 2,144 of the history
    shares = [float(s) for s in re.findall(r"share: ([\d.]+)", text)]
    assert sum(shares) == pytest.approx(1, abs=2e-6)
    assert shares == pytest.approx([0.62, 0.28, 0.10], abs=1e-6)


def test_virtual_users_follow_littles_law(storefront):
    source = Source(study=storefront)
    made = storefront.middle
    for rps in (200.0, 1500.0):
        state = carry(made.scenario, made.rps[:, :1] * 0 + rps, made.carried.hit_ratio)
        busy = sum(float(state.journey_rps[n][0, 0]) * float(j.mean_s[0, 0]) for n, j in state.journeys.items())
        assert users_at(source, rps) == max(math.ceil(2 * busy), 2)


def test_burn_rates_are_those_of_the_workbook(storefront):
    found = {(b.objective, b.rung.hours): b for b in burns(storefront)}
    thirty = [found["checkout available", hours] for hours in (1, 6, 24, 72)]
    assert [b.factor for b in thirty] == pytest.approx([14.4, 6.0, 3.0, 1.0])  # The Site Reliability Workbook, table 5-2 and Sloth's
    assert [b.limit for b in thirty] == pytest.approx([0.0144, 0.006, 0.003, 0.001])
    assert [windows(b) for b in thirty] == [("1h", "5m"), ("6h", "30m"), ("24h", "2h"), ("72h", "6h")]
    assert [(b.rung.urgency, b.rung.priority) for b in thirty] == [("page", "P0"), ("page", "P1"), ("ticket", "P2"), ("ticket", "P2")]
    assert found["browse p95", 1].factor == pytest.approx(0.02 * 28 * 24)  # promised over 28 days


def test_the_ladder_keeps_its_order_and_says_where_what_is_stated_does_not(storefront, small):
    made = ladder(storefront)
    assert all(r.holds for r in made.relations)
    client = made.value_s("client_timeout")
    assert (
        made.value_s("acquire_timeout", "postgres")
        < made.value_s("statement_timeout", "postgres")
        < made.value_s("request_timeout", "api")
        < client
    )
    assert made.value_s("timeout", "payments") < made.value_s("request_timeout", "api")
    assert made.value_s("idle_timeout", "postgres") < made.value_s("balancer_idle") < made.value_s("keep_alive", "api")
    small.write_text(SMALL.replace("hold_time: 1ms", "hold_time: 1ms, statement_timeout: 30s, idle_timeout: 5min") + "client_timeout: 2s\n")
    found = {f.about: f for f in findings(study(read(small), worlds=40)) if f.phase == 3}
    assert (
        found["client_timeout"].value == "tiers.app.request_timeout 50\N{NO-BREAK SPACE}s against client_timeout 2\N{NO-BREAK SPACE}s"
    )  # it outlasts a statement of 30 s
    assert (
        "tiers.store.idle_timeout 5\N{NO-BREAK SPACE}min against balancer_idle 1\N{NO-BREAK SPACE}min"
        in found["tiers.store.idle_timeout"].value
    )


def test_identifiers_are_plain_and_different_for_different_names():
    names = [
        "api",
        "Api",
        "API",
        "a b",
        "a-b",
        "a_b",
        "a  b",
        "../../etc/passwd",
        "=cmd|' /C calc'!A0",
        "ä",
        "日本",
        "x" * 10_000,
        "x" * 9_999,
        "",
        "1",
    ]
    found = [slug(n) for n in names]
    assert len({f.lower() for f in found}) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,60}", f) for f in found)


@pytest.mark.judge
@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(t)) for n, t in TOOLS.items()])
def test_the_real_tool_accepts_the_file(folder, room, judges, name):
    verdict = judges[name].ask(folder / name, room)
    assert verdict.accepted is True, verdict.said
    assert verdict.judge in judges[name].names


def test_every_judge_is_asked(judges):
    assert {name: judge.tool for name, judge in judges.items()} == TOOLS


@pytest.mark.judge
@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(t)) for n, t in TOOLS.items()])
def test_the_real_tool_refuses_a_broken_twin(folder, room, judges, name):
    path, (good, bad) = folder / name, judges[name].twin
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, bad, 1))
    verdict = judges[name].ask(path, room)
    assert verdict.accepted is False


TOO_FEW = {
    "nginx.conf": (r"worker_connections \d+", "worker_connections 256"),
    "pgbouncer-postgres.ini": (r"max_db_connections=\d+", "max_db_connections=3"),
}


@pytest.mark.judge
@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(TOOLS[n])) for n in TOO_FEW])
def test_a_file_that_cannot_hold_the_planned_connections_is_refused(folder, room, judges, name):
    path = folder / name
    path.write_text(re.sub(*TOO_FEW[name], path.read_text(), count=1))
    verdict = judges[name].ask(path, room)
    assert verdict.accepted is False
    assert re.match(r"\d+ of \d+ connections held; \d+ are planned", verdict.said)


@pytest.mark.judge
@needs("pgbouncer")
def test_a_pool_over_many_nodes_opens_all_its_connections(small, tmp_path, room):
    """700 connections of 400 a node on a primary and a replica: no pool may ask a node for more than it takes."""
    small.write_text(SMALL.replace("connections: 20", "connections: 700, replicas: 1, read_share: 80%"))
    file = next(one for one in files_of(study(read(small), worlds=30)) if one.name == "pgbouncer-store.ini")
    text = file.text
    pools = [tuple(map(int, p)) for p in re.findall(r"pool_size=(\d+) max_db_connections=(\d+)", text)]
    assert sum(size for size, _ in pools) == 700
    assert all(size <= most == 400 for size, most in pools)
    (tmp_path / "pgbouncer-store.ini").write_text(text, encoding="utf-8")
    verdict = file.judge.ask(tmp_path / "pgbouncer-store.ini", room)
    assert verdict.accepted is True, verdict.said
    assert verdict.said.startswith("accepted; opened")


HOSTILE = ["<script>alert(1)</script>", '"}} drop', "{{7*7}}", "${x}", "`id`", "*/ alert(1) //", "a'b\"c", "$(reboot)", "x" * 100]


@pytest.mark.judge
@needs("promtool")
def test_hostile_names_are_only_text_in_every_file(small, tmp_path, room):
    text, names = SMALL, dict(zip(("read", "app", "store", "read p95", "near"), HOSTILE, strict=False))
    for plain, hostile in names.items():
        quoted = json.dumps(hostile)
        text = re.sub(rf"(?<![\w']){plain}(?=:)", lambda _, q=quoted: q, text)
        text = re.sub(rf"journey: {plain}\b", lambda _, q=quoted: f"journey: {q}", text)
    small.write_text(
        text.replace("name: small", f"name: {json.dumps(HOSTILE[5])}").replace(
            "traffic: {", "traffic: {events: [{name: \"'; # =cmd|' /C calc'!A0\", month: 2027-01, factor: 1.1}], "
        )
    )
    made = files_of(study(read(small), worlds=40))
    (tmp_path / "configs").mkdir()
    for file in made:
        assert re.fullmatch(r"[a-z0-9_.-]+", file.name)
        (tmp_path / "configs" / file.name).write_text(file.text, encoding="utf-8")
    for name, verdict in judgements(made, tmp_path / "configs", room).items():
        assert verdict.accepted in (True, None), (name, verdict.said)
    assert not any("<script" in file.text for file in made if file.name == "runbook.md")


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_typescript_finds_k6s_types_kept(files, npm, tmp_path):
    (tmp_path / "load_test.js").write_text(files["load_test.js"])
    (tmp_path / "globals.d.ts").write_text("declare const __ENV: Record<string, string | undefined>;\n")

    def compile_it():
        command = [
            "node",
            str(npm / "typescript" / "bin" / "tsc"),
            "--allowJs",
            "--checkJs",
            "--noEmit",
            "--strict",
            "--noImplicitAny",
            "false",
            "--skipLibCheck",
            "--target",
            "es2022",
            "--module",
            "es2022",
            "--moduleResolution",
            "bundler",
            "--typeRoots",
            str(npm / "@types"),
            "--types",
            "k6",
            "load_test.js",
            "globals.d.ts",
        ]
        (tmp_path / "node_modules").exists() or (tmp_path / "node_modules").symlink_to(npm)
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = compile_it()
    assert done.returncode == 0, done.stdout
    (tmp_path / "load_test.js").write_text(files["load_test.js"].replace("http.get(", "http.fetch("))
    assert compile_it().returncode != 0


def test_a_client_that_calls_a_partner_itself_outlasts_it():
    scenario = """
name: direct
as_of: 2026-11-24
traffic: {peak_users: 1000, requests_per_user: 6/min, growth: 1%/month}
regions: {near: {share: 100%, round_trip: 20ms}}
journeys: {read: {share: 100%, calls: {app: 1}}}
tiers: {app: {kind: partner, p50: 50ms, p99: 90ms, retries: 1}}
objectives: {read p95: {kind: latency, journey: read, percentile: p95, below: 200ms}}
"""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / "scenario.yaml"
        path.write_text(scenario)
        made = ladder(study(read(path), 30))
    assert made.value_s("client_timeout") > 2 * made.value_s("timeout", "app")  # the call, and once more
    assert all(relation.holds for relation in made.relations)
    assert [(str(r.lower.place), r.times) for r in made.relations if r.upper.place == Place("", "client_timeout")] == [
        ("tiers.app.timeout", 2.0)
    ]


# ---- what was said is kept ----


def test_what_judges_said_comes_back_as_it_was_kept(tmp_path):
    said = {"nginx.conf": Judgement(judge="nginx", accepted=None, said="nginx is not installed here")}
    (tmp_path / "judged.json").write_text(written(said))
    assert kept_judgements(tmp_path / "judged.json") == said
    assert kept_judgements(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"nginx.conf": true}',
        '{"nginx.conf": {"judge": "nginx", "accepted": "yes", "said": ""}}',
        '{"a": {"judge": "b", "accepted": 1, "said": ""}}',
        "{",
    ],
)
def test_what_nobody_kept_is_refused(tmp_path, text):
    (tmp_path / "judged.json").write_text(text)
    with pytest.raises(ValueError, match=r"judge, accepted and said|Expecting"):
        kept_judgements(tmp_path / "judged.json")


def test_strangers_among_judges_are_named(storefront):
    good = Judgement(judge="promtool check rules", accepted=True, said="accepted")
    friend = Judgement(judge="a friend of promtool", accepted=True, said="accepted")
    assert strangers({"alerts.yml": good, "load_test.js": friend, "other.yml": good}, files_of(storefront)) == ["load_test.js", "other.yml"]
