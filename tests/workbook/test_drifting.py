"""What runs beside what was generated: dumps of the real servers that run the files, and each way in which a dump can be wrong."""

import datetime
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from perfplan.artifacts import configs
from perfplan.checklist import states
from perfplan.cli import main
from perfplan.judging.servers import WHERE, ask, started, tool
from perfplan.reading import BadScenario, read
from perfplan.reading.deployed import AS_PLANNED, DEPLOYED, Deployment, deployments_text, fingerprint
from perfplan.workbook.drifting import drift
from tests.conftest import SMALL, unsearched

CACHED = SMALL.replace("store: 2}", "cache: 3, store: 2}").replace(
    "objectives:\n", "  cache: {kind: cache, instances: 2, service_time: 0.2ms, origin: store, items: 100k, memory: 100MB}\nobjectives:\n"
)


def needs(*tools):
    return pytest.mark.skipif(any(shutil.which(one, path=WHERE) is None for one in tools), reason=f"needs Debian's {', '.join(tools)}")


@pytest.fixture
def planned(small, tmp_path):
    """A plan folder with its files, and a folder for dumps."""
    small.write_text(CACHED)
    folder = tmp_path / "plan"
    (folder / "configs").mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    for name, text in configs(unsearched(read(small), 30)).items():
        (folder / "configs" / name).write_text(text, encoding="utf-8")
    (tmp_path / "dumps").mkdir()
    return folder, tmp_path / "dumps"


def said(planned):
    return {row.name: (row.verdict, row.said) for row in drift(*planned)[0]}


def fetched(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.judge
@needs("prometheus", "prometheus-alertmanager")
def test_rules_and_routes_as_their_servers_say_them(planned, tmp_path):
    folder, dumps = planned
    configs, room = folder / "configs", tmp_path / "room"
    shutil.copytree(configs, room)
    commands = (
        ["prometheus", "--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:19290", "--storage.tsdb.path=data"],
        [
            *("prometheus-alertmanager", "--config.file=alertmanager.yml", "--web.listen-address=127.0.0.1:19293"),
            *("--storage.path=am", "--cluster.listen-address="),
        ],
    )
    running = [subprocess.Popen(one, cwd=room, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for one in commands]
    try:
        (dumps / "rules.json").write_text(fetched("http://127.0.0.1:19290/api/v1/rules"))
        (dumps / "config.json").write_text(fetched("http://127.0.0.1:19290/api/v1/status/config"))
        (dumps / "am.json").write_text(fetched("http://127.0.0.1:19293/api/v2/status"))
    finally:
        for process in running:
            process.terminate()
            process.wait(20)
    found = said(planned)
    assert found["alerts.yml"] == (AS_PLANNED, "")
    assert found["recorded.yml"] == (AS_PLANNED, "")
    assert found["alertmanager.yml"] == (AS_PLANNED, "")
    assert found["prometheus.yml"] == (AS_PLANNED, "")
    assert found["otel-alerts.yml"][0] == "differs"  # prometheus.yml does not load it
    assert found["nginx.conf"] == ("not found", "")
    alerts = configs / "alerts.yml"
    alerts.write_text(alerts.read_text().replace("for: 5m", "for: 7m", 1))
    verdict, why = said(planned)["alerts.yml"]
    assert (verdict, why.partition(": ")[2]) == ("differs", "for planned 420.0, found 300.0")
    routes = configs / "alertmanager.yml"
    routes.write_text(routes.read_text().replace('repeat_interval: "4h"', 'repeat_interval: "5h"'))
    assert said(planned)["alertmanager.yml"] == ("differs", "route.routes[1].repeat_interval: planned 5h, found 4h")


@pytest.mark.judge
@needs("redis-server")
def test_settings_of_redis_as_it_says_them(planned):
    folder, dumps = planned
    text = (folder / "configs" / "redis-cache.conf").read_text()
    with tempfile.TemporaryDirectory() as room:
        (Path(room) / "redis.conf").write_text(text)
        (Path(room) / "secrets.conf").write_text("requirepass judge\n")
        command = [tool("redis-server"), "redis.conf", "--port", "0", "--unixsocket", f"{room}/socket", "--dir", room, "--daemonize", "no"]
        with started(command, Path(room)) as server:
            answer = ask(server, Path(room) / "socket", b"AUTH judge\r\nCONFIG GET *\r\nQUIT\r\n").decode()
    lines = [line for line in answer.split("\r\n") if not line.startswith(("$", "*", "+"))]
    (dumps / "config-get.txt").write_text("\n".join(lines))
    assert said(planned)["redis-cache.conf"] == (AS_PLANNED, "")
    (folder / "configs" / "redis-cache.conf").write_text(text.replace("allkeys-lru", "allkeys-lfu"))
    assert said(planned)["redis-cache.conf"] == ("differs", "maxmemory-policy: planned allkeys-lfu, found allkeys-lru")


@pytest.mark.judge
@needs("nginx", "openssl")
def test_directives_of_nginx_as_it_says_them(planned, tmp_path):
    from perfplan.judging.servers import certified

    folder, dumps = planned
    room = tmp_path / "room"
    room.mkdir()
    assert certified(room)
    (room / "nginx.conf").write_text((folder / "configs" / "nginx.conf").read_text())
    done = subprocess.run([tool("nginx"), "-T", "-p", str(room), "-c", "nginx.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (dumps / "nginx.txt").write_text(done.stdout)
    assert said(planned)["nginx.conf"] == (AS_PLANNED, "")
    planned_text = (folder / "configs" / "nginx.conf").read_text()
    (folder / "configs" / "nginx.conf").write_text(planned_text.replace("worker_processes auto", "worker_processes 3"))
    assert said(planned)["nginx.conf"][0] == "differs"


def test_dashboards_by_what_their_panels_ask(planned):
    folder, dumps = planned
    board = json.loads((folder / "configs" / "grafana-slo.json").read_text())
    (dumps / "export.json").write_text(json.dumps({"dashboard": board, "meta": {}}))
    found = said(planned)
    assert found["grafana-slo.json"] == (AS_PLANNED, "")
    assert found["grafana-capacity.json"] == ("not found", "")
    board["panels"][0]["targets"][0]["expr"] = "vector(1)"
    (dumps / "export.json").write_text(json.dumps(board))
    verdict, why = said(planned)["grafana-slo.json"]
    assert verdict == "differs"
    assert "a panel asks vector(1), which is not planned" in why


def test_settings_of_pgbouncer_as_csv(planned):
    folder, dumps = planned
    lines = [
        line.partition(" = ") for line in (folder / "configs" / "pgbouncer-store.ini").read_text().partition("[pgbouncer]")[2].splitlines()
    ]
    rows = [f"{key},{value},,yes" for key, sign, value in lines if sign and not key.startswith(";")]
    (dumps / "show_config.csv").write_text("key,value,default,changeable\n" + "\n".join(rows) + "\nverbose,0,0,yes\n")
    assert said(planned)["pgbouncer-store.ini"] == (AS_PLANNED, "")
    smaller = "\n".join(rows).replace("default_pool_size,20", "default_pool_size,5")
    (dumps / "show_config.csv").write_text("key,value,default,changeable\n" + smaller)
    assert said(planned)["pgbouncer-store.ini"] == ("differs", "default_pool_size: planned 20, found 5")


# ---- what is kept, and what the next plan makes of it ----


def test_only_what_was_found_deployed_is_met_and_not_for_ever(small):
    small.write_text(CACHED)
    text = configs(unsearched(read(small), 30))["alerts.yml"]

    def item(**more):
        one = Deployment(**({"hash": fingerprint(text), "date": "2026-11-20", "verdict": AS_PLANNED, "said": ""} | more))
        (small.parent / "measured").mkdir(exist_ok=True)
        (small.parent / DEPLOYED).write_text(deployments_text({"alerts.yml": one}))
        found = {state.item.id: state for state in states(unsearched(read(small), 30))}["5.2.1.a"]
        return found.verdict, found.text

    assert item()[0] == "met"
    assert "deployed as planned on 2026-11-20" in item()[1]
    assert item(date="2026-08-01") == ("at risk", item(date="2026-08-01")[1])
    assert "115 days ago: look again" in item(date="2026-08-01")[1]
    assert item(hash="0" * 16)[0] == "at risk"
    assert "of an earlier plan" in item(hash="0" * 16)[1]
    assert item(verdict="differs", said="for planned 7, found 5")[0] == "at risk"
    assert "differs on 2026-11-20 (for planned 7, found 5)" in item(verdict="differs", said="for planned 7, found 5")[1]


def test_the_command_says_and_keeps_what_it_finds(planned, small, capsys):
    folder, dumps = planned
    board = (folder / "configs" / "grafana-slo.json").read_text()
    (dumps / "export.json").write_text(board)
    (dumps / "notes.txt").write_text("nothing of a server")
    assert main(["drift", str(folder), str(dumps), "--scenario", str(small)]) == 0
    out = capsys.readouterr().out
    assert "grafana-slo.json: deployed as planned" in out
    assert "notes.txt: not known, and left out" in out
    kept = json.loads((small.parent / DEPLOYED).read_text())["files"]
    assert kept["grafana-slo.json"]["date"] == str(datetime.date.today())
    assert read(small).deployed["grafana-slo.json"].verdict == AS_PLANNED
    assert DEPLOYED in read(small).files  # so that a plan folder holds it
    (dumps / "export.json").write_text(board.replace("slo:period_bad:ratio", "slo:other", 1))
    assert main(["drift", str(folder), str(dumps)]) == 1


def test_one_dump_is_of_one_file_and_an_earlier_find_stays(planned, small):
    folder, dumps = planned
    configs = folder / "configs"
    (configs / "redis-other.conf").write_text((configs / "redis-cache.conf").read_text())
    rows = [
        line.split(" ", 1)
        for line in (configs / "redis-cache.conf").read_text().splitlines()
        if line and not line.startswith(("#", "include"))
    ]
    (dumps / "redis-cache.txt").write_text("\n".join(part.strip('"') for row in rows for part in row) + "\n")
    found = said(planned)
    assert found["redis-cache.conf"] == (AS_PLANNED, "")
    assert found["redis-other.conf"] == ("not found", "")
    assert main(["drift", str(folder), str(dumps), "--scenario", str(small)]) == 0
    (dumps / "redis-cache.txt").unlink()
    (dumps / "board.json").write_text((configs / "grafana-slo.json").read_text())
    assert main(["drift", str(folder), str(dumps), "--scenario", str(small)]) == 0
    assert read(small).deployed["redis-cache.conf"].verdict == AS_PLANNED


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rules.json", '{"data": {"groups": [', "must be JSON as the server gave it; line 1"),
        ("rules.json", '{"data": {"groups": [{"rules": [{"name": "x", "query": "sum("}]}]}}', "looks like a dump of rules, but is none"),
        ("am.json", '{"config": {"original": "a: [b"}}', "looks like a dump of alertmanager"),
        ("x.txt", b"\xff\xfe\x00", "must be text in UTF-8"),
    ],
)
def test_bad_dumps_get_one_clear_error(planned, name, text, said):
    folder, dumps = planned
    (dumps / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadScenario) as raised:
        drift(folder, dumps)
    assert len(raised.value.problems) == 1
    assert said in str(raised.value)
    assert f"dumps/{name}" in str(raised.value)


def test_no_dumps_and_no_plan_are_said(planned, tmp_path):
    with pytest.raises(BadScenario, match="must hold what servers say of themselves"):
        drift(*planned)
    with pytest.raises(BadScenario, match="must be a folder of dumps"):
        drift(planned[0], tmp_path / "nowhere")
    with pytest.raises(BadScenario, match="must be a plan folder"):
        drift(tmp_path, planned[1])


NONE = (
    '{"schema": "perfplan/deployed/1"}',
    '{"schema": "other", "files": {}}',
    '{"schema": "perfplan/deployed/1", "files": {"a": {"hash": 1}}}',
)


@pytest.mark.parametrize("text", ["", "[]", *NONE])
def test_a_deployed_json_that_is_none_is_said(small, text):
    (small.parent / "measured").mkdir()
    (small.parent / DEPLOYED).write_text(text)
    with pytest.raises(BadScenario, match="must be what `perfplan drift` wrote there"):
        read(small)
