"""The plan folder, its notebooks, its page, and the commands that make them."""

import contextlib
import csv
import html
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import websocket

from perfplan.cli import main
from perfplan.workbook import make, opening
from perfplan.workbook.opening import open_plan
from tests.conftest import ROOT, SMALL, STOREFRONT

WORLDS = 60
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The storefront's plan folder, made twice: with other traffic, then as it is."""
    out = tmp_path_factory.mktemp("plans") / "storefront"
    make(STOREFRONT, out, ("traffic.peak_users=70k",), WORLDS)
    make(STOREFRONT, out, (), WORLDS)
    return out


def test_a_plan_folder_holds_what_it_should(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"plan.html", "plan.json", "inputs/scenario.yaml", "inputs/traffic.csv", "tables/orders.csv", "tables/assumptions.csv"} <= names
    assert {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= names
    assert {"configs/load_test.js", "configs/alerts.yml", "inputs/judged.json", "configs/runbook.md"} <= names
    assert (folder / "inputs" / "scenario.yaml").read_bytes() == STOREFRONT.read_bytes()
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]  # nothing left beside it


def test_the_earlier_plan_is_kept_and_compared(folder):
    kept = list((folder / "history").glob("*.json"))
    assert len(kept) == 1
    assert json.loads(kept[0].read_text())["inputs"]["traffic.peak_users"]["text"] == "70k"
    page = (folder / "plan.html").read_text()
    assert "since the plan of 2026-11-24" in page
    assert "Input: traffic.peak_users" in page


def test_the_page_is_one_offline_file_that_tells_the_story(folder):
    page = (folder / "plan.html").read_text()
    assert len(page) < 8_000_000
    told = json.loads((folder / "plan.json").read_text())
    for text in (told["verdict"], told["decision"]):
        assert text.replace("'", "&#x27;") in page.replace("\N{NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")
    own = page[: page.index("plotly.js v")] if "plotly.js v" in page else page
    assert not re.search(r'(?:src|href)="(?!#)', own)
    assert "of 255 items answered" in page
    assert page.count('class="plot"') >= 14
    for name in (
        "plan",
        "requirements",
        "architecture",
        "implementation",
        "testing",
        "monitoring",
        "optimization",
        "trust",
        "assumptions",
        "checklist",
    ):
        assert f'id="{name}"' in page


def test_executed_notebooks_hold_up_under_nbval_and_a_changed_number_or_figure_does_not(folder, tmp_path):
    source = folder / "notebooks" / "3_implementation.ipynb"
    again = tmp_path / "notebooks" / source.name
    shutil.copytree(folder / "inputs", tmp_path / "inputs")
    again.parent.mkdir()

    def nbval(change):
        again.write_text(change(source.read_text()))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "-q",
            "-p",
            "no:cacheprovider",
            "--override-ini=filterwarnings=default",
            "--override-ini=addopts=",
            str(again),
        ]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    same = nbval(lambda t: t)
    assert same.returncode == 0, same.stdout[-3000:]
    assert "passed" in same.stdout
    changed = nbval(lambda t: t.replace("busiest station", "laziest station", 1))
    assert changed.returncode == 1
    figure = nbval(lambda t: re.sub(r'("hovertemplate": ")%\{x:\.0f\} %', r"\1%{x:.3f} %", t, count=1))
    assert figure.returncode == 1


def test_a_notebook_runs_alone_under_plain_papermill(tmp_path):
    target = tmp_path / "out.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        "notebooks/6_optimization.ipynb",
        str(target),
        "-p",
        "scenario",
        "data/storefront/scenario.yaml",
        "-p",
        "peak_users",
        "80k",
        "-p",
        "worlds",
        "40",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "unknown parameter" not in done.stderr
    assert "Traceback" not in target.read_text()


def test_a_senseless_parameter_gives_the_error_of_the_file():
    from perfplan.reading import BadScenario

    with pytest.raises(BadScenario, match="must be a count such as 55k; got 'many'"):
        open_plan(str(STOREFRONT), peak_users="many")
    with pytest.raises(BadScenario, match="from 30 to 100000"):
        open_plan(str(STOREFRONT), worlds="3")
    with pytest.raises(BadScenario, match=re.escape("tiers.apii")):
        open_plan(str(STOREFRONT), overrides="tiers.apii.instances=3")


def test_a_plan_is_computed_once_per_content():
    one = open_plan(str(STOREFRONT), worlds="40")
    assert open_plan(str(STOREFRONT), worlds="40") is one
    assert open_plan(str(STOREFRONT), worlds="40", peak_users="70k") is not one


def test_another_scenario_does_not_get_the_storefronts_numbers(small, tmp_path, capsys):
    assert main(["plan", str(small), "--out", str(tmp_path / "p"), "--worlds", "40"]) == 0
    page = (tmp_path / "p" / "plan.html").read_text()
    assert "postgres" not in page
    out = capsys.readouterr().out.strip().splitlines()
    assert len(out) == 6
    assert out[-1].endswith("plan.html")


def test_a_failing_notebook_is_reported_and_the_old_plan_stands(folder, monkeypatch, tmp_path):
    from perfplan.workbook import folder as module

    before = (folder / "plan.json").read_bytes()
    broken = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", broken)
    path = broken / "4_testing.ipynb"
    path.write_text(path.read_text().replace("figures.stages(study)", "figures.no_such_figure(study)"))
    monkeypatch.setattr(module, "notebooks_folder", lambda: broken)
    with pytest.raises(module.CellFailed) as caught:
        make(STOREFRONT, folder, (), WORLDS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "4_testing" in lines[0]
    assert "no_such_figure" in lines[1]
    assert "AttributeError" in lines[2]
    assert (folder / "plan.json").read_bytes() == before
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_check_says_what_holds_by_exit_code(small, capsys):
    assert main(["check", str(STOREFRONT), "--worlds", "60"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN peak second: does not hold from" in out
    assert "sampling error" in out
    small.write_text(SMALL.replace("connections: 20", "connections: 60").replace("instances: 4", "instances: 12"))
    assert main(["check", str(small), "--worlds", "60"]) == 0
    assert main(["check"]) == 2
    assert main(["check", "--items", str(small), "--worlds", "40"]) == 0
    assert "of 255 items answered" in capsys.readouterr().out


def test_a_fault_of_ours_is_told_from_a_broken_promise(small, capsys, monkeypatch):
    def broken(*_):
        return [][0]

    monkeypatch.setattr("perfplan.workbook.checking.run_outs", broken)
    assert main(["check", str(small)]) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "perfplan: IndexError: list index out of range"
    assert "where: check (workbook/checking.py:" in said[1]
    assert "report it with the scenario" in said[2]
    assert len(said) == 3
    with pytest.raises(IndexError):
        main(["check", str(small), "--debug"])


def test_a_check_ends_within_its_limit_and_says_what_it_was_doing(small):
    done = subprocess.run(
        [sys.executable, "-m", "perfplan", "check", str(small), "--limit", "0.01"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("perfplan: not done within 0.01 s (--limit; 0: none)\n  it was in ")
    assert main(["check", str(small), "--limit", "0"]) == 0


@pytest.mark.parametrize("tier", ["mvp", "growth", "enterprise"])
def test_a_new_scenario_is_a_scenario(tier, tmp_path, monkeypatch, capsys):
    from perfplan.reading import read
    from perfplan.starter import TARGETS

    monkeypatch.chdir(tmp_path)
    assert main(["new", "blog", "--tier", tier]) == 0
    statement = read("blog/scenario.yaml")
    p95, errors, available, hit = TARGETS[tier]
    texts = {e.path: e.text for e in statement.entries.values()}
    assert [
        texts["objectives.read p95.below"],
        texts["objectives.write errors.below"],
        texts["objectives.write available.above"],
        texts["tiers.cache.hit_ratio"],
    ] == [p95, errors, available, hit]
    assert (tmp_path / "blog" / "scenario.schema.json").is_file()
    assert main(["new", "blog"]) == 2
    assert "is already there" in capsys.readouterr().err
    assert main(["new", "../x"]) == 2


def test_the_schema_and_the_fields_are_printed(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "perfplan scenario"
    assert main(["fields"]) == 0
    assert "| traffic.peak_users |" in capsys.readouterr().out


HOSTILE = [
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    '"}}, {',
    "{{7*7}}",
    "${document.title='run'}",
    "`id`",
    "a & b <b>",
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE plans; --",
    "x" * 90,
    "\u05e9\u05dc\u05d5\u05dd",
    "../../etc/passwd",
    "]]>",
    "\\u003cscript>",
    "%3Cscript%3E",
    "&lt;b&gt;",
    "$HOME",
    "<!--",
    "*/",
    "// \\",
]


def hostile_scenario(shift):
    """A scenario in which every field that takes text holds a hostile one; names may not hold . = ; so those are left out there."""
    free = HOSTILE[shift:] + HOSTILE[:shift]
    names = [n for n in free if not re.search(r"[.=;]", n)]
    read, app, store, near, promise, option, load = names[:7]
    q = lambda text: json.dumps(text, ensure_ascii=False)  # noqa: E731
    return f"""
name: {q(free[0])}
as_of: 2026-11-24
traffic:
  peak_users: 900 to 1100
  requests_per_user: 6/min
  growth: 1%/month to 3%/month
  events: [{{name: {q(free[1])}, month: 2027-01, factor: 1.2}}]
regions: {{{q(near)}: {{share: 100%, round_trip: 20ms}}}}
journeys: {{{q(read)}: {{share: 100%, calls: {{{q(app)}: 1, {q(store)}: 2}}}}}}
tiers:
  {q(app)}: {{kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}}
  {q(store)}: {{kind: database, cores: 4, connections: 20, service_time: 2ms, hold_time: 1ms, price: $0.05/h}}
objectives: {{{q(promise)}: {{kind: latency, journey: {q(read)}, percentile: p95, below: 200ms}}}}
options: {{{q(option)}: {{set: [traffic.burst=11s]}}}}
measured: {{{q(load)}: {{journey: {q(read)}, points: points.csv}}}}
answers: {{2.1.1.c: {{value: {q(free[2])}, owner: {q(free[3])}, date: 2026-10-01, note: {q(free[4])}, link: {q(free[5])}}}}}
"""


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("shift", [0, 6, 12])
def test_hostile_text_in_every_field_is_only_text_in_page_and_files(tmp_path, shift, capsys):
    path = tmp_path / "hostile" / "scenario.yaml"
    path.parent.mkdir()
    path.write_text(hostile_scenario(shift), encoding="utf-8")
    path.with_name("points.csv").write_text(f"# {HOSTILE[shift]}\nrps,percentile,seconds\n50,95,0.5\n", encoding="utf-8")
    out = tmp_path / "plan"
    assert main(["plan", str(path), "--out", str(out), "--worlds", "30"]) == 0
    assert json.loads((out / "plan.json").read_text())["name"] == HOSTILE[shift]
    said = opened(
        out / "plan.html",
        "addEventListener('load', () => setTimeout(() => tell([document.title, document.body.innerText, "
        "document.querySelectorAll('img, main script:not([type])').length]), 800))",
        tmp_path,
    )
    assert said[0].startswith(HOSTILE[shift])  # nothing has run
    assert said[2] == 0
    for text in HOSTILE[shift : shift + 2]:
        assert re.sub(r"\s+", " ", text) in re.sub(r"\s+", " ", said[0] + said[1]), text
    cells = [c for p in (out / "tables").glob("*.csv") for row in csv.reader(p.read_text().splitlines()) for c in row]
    assert [c for c in cells if re.match(r"[=@\t\r]", c)] == []
    refused = {n: v["said"] for n, v in json.loads((out / "inputs" / "judged.json").read_text()).items() if v["accepted"] is False}
    assert refused == {}
    assert {p.parent for p in out.rglob("*") if p.is_file()} <= {
        out,
        *(out / d for d in ("inputs", "notebooks", "tables", "configs", "history")),
    }
    assert "\x1b" not in capsys.readouterr().out


def test_neither_the_order_of_notebooks_nor_time_zone_and_language_change_a_byte(tmp_path):
    code = (
        "import sys; from perfplan.workbook import folder, make\n"
        "folder.CHAPTERS = tuple(reversed(folder.CHAPTERS)) if sys.argv[2] == 'reversed' else folder.CHAPTERS\n"
        f"make({str(STOREFRONT)!r}, sys.argv[1], (), 30)"
    )
    here, there = tmp_path / "here", tmp_path / "there"
    for out, order, more in (
        (here, "forward", {"TZ": "UTC"}),
        (there, "reversed", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "5"}),
    ):
        subprocess.run([sys.executable, "-c", code, str(out), order], env=os.environ | more, check=True, capture_output=True)
    files = [p.relative_to(here) for p in here.rglob("*") if p.is_file()]
    assert len(files) > 50
    assert {p.relative_to(there) for p in there.rglob("*") if p.is_file()} == set(files)
    assert [str(p) for p in files if (here / p).read_bytes() != (there / p).read_bytes()] == []


def test_diff_shows_what_differs_by_kind_and_overlooks_what_is_allowed(folder, tmp_path, capsys):
    earlier = next((folder / "history").glob("*.json"))  # with 70,000 users instead of 55,000 to 65,000
    assert main(["diff", str(folder), str(folder)]) == 0
    assert capsys.readouterr().out == "0 differences\n"
    assert main(["diff", str(earlier), str(folder)]) == 1
    text = capsys.readouterr().out
    assert "input   Input: traffic.peak_users: 70k -> 55k to 65k" in text
    kinds = [line.split()[0] for line in text.splitlines()[:-1]]
    assert {"input", "demand", "cost"} <= set(kinds)
    assert main(["diff", str(earlier), str(folder), "--tolerance", "demand=50%", "--tolerance", "cost=60%", "--format", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)["differences"]
    assert not {"demand", "cost"} & {row["kind"] for row in rows}
    assert main(["diff", str(earlier), str(folder), "--format", "html"]) == 1
    page = capsys.readouterr().out
    assert "default-src 'none'" in page
    assert "55k to 65k" in page
    for bad in (
        ["diff", str(tmp_path), str(folder)],
        ["diff", str(folder), str(folder), "--tolerance", "cost"],
        ["diff", str(STOREFRONT), str(folder)],
    ):
        assert main(bad) == 2
        assert len(capsys.readouterr().err.splitlines()) == 2


def test_texts_that_a_spreadsheet_would_run_are_only_text(small, tmp_path):
    small.write_text(
        SMALL.replace(
            "growth: 1%/month to 3%/month}",
            "growth: 1%/month to 3%/month, events: [{name: \"=cmd|' /C calc'!A0\", month: 2027-01, factor: 1.1}]}",
        )
    )
    make(small, tmp_path / "plan", (), 40)
    tables = {p.name: p.read_text() for p in (tmp_path / "plan" / "tables").glob("*.csv")}
    assert "'=cmd" in tables["assumptions.csv"]
    cells = [cell for text in tables.values() for row in csv.reader(text.splitlines()) for cell in row]
    assert [c for c in cells if re.match(r"[=@\t\r]", c)] == []


@pytest.mark.parametrize("hidden", ["\u202e", "\u200f", "\u2066", "\ufeff", "\x07", "\x1b[31m", "\ud800", "\u2028", "a\nb"])
def test_text_that_is_not_seen_is_refused_by_its_number(small, hidden):
    from perfplan.reading import BadScenario, read

    for where in ("name: small", "  near:"):
        plain = where.strip(" :").removeprefix("name: ")
        small.write_text(SMALL.replace(where, where.replace(plain, json.dumps(plain + hidden))), encoding="utf-8")
        with pytest.raises(
            BadScenario,
            match=r"characters that are seen; got U\+[0-9A-F]{4,6}|special characters are not allowed|control character|invalid Unicode",
        ):
            read(small)


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_the_page_without_requests_or_violations(folder, tmp_path, width):
    shot, log = tmp_path / "page.png", tmp_path / "net.json"
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},900",
        "--virtual-time-budget=8000",
        f"--screenshot={shot}",
        "--enable-logging=stderr",
        f"--log-net-log={log}",
        f"file://{folder / 'plan.html'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert shot.stat().st_size > 40_000
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    asked = set(re.findall(r'"url":"https?://([^/"]*)', log.read_text()))
    assert {
        host for host in asked if not host.endswith((".google.com", ".googleapis.com", ".gvt1.com"))
    } == set()  # the browser's own updates


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_figures_are_drawn_when_they_are_scrolled_to(folder, tmp_path):
    """In real time over the browser's own protocol: with virtual time a browser without a screen makes one frame only."""
    profile = tmp_path / "profile"
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--window-size=1280,900",
        "--remote-debugging-port=0",
        "--remote-allow-origins=*",
        f"file://{folder / 'plan.html'}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with page_of(profile) as ask:
            drawn = "plots.filter(el => el.querySelector('.main-svg')).length"
            until(
                lambda: ask("document.readyState === 'complete' && typeof plots !== 'undefined'") and ask(drawn) > 0
            )  # first a blank page
            figures, near = ask("plots.length"), ask(drawn)
            for number in range(figures):
                ask(f"plots[{number}].scrollIntoView({{ behavior: 'instant' }})")
                until(lambda at=number: ask(f"!!plots[{at}].querySelector('.main-svg')"))
            assert 1 <= near < figures
            assert ask(drawn) == figures >= 19
    finally:
        process.terminate()
        process.wait(30)


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.05)


@contextlib.contextmanager
def page_of(profile):
    """A function that evaluates JavaScript in the first page of a browser which is being started with *profile*."""
    port = profile / "DevToolsActivePort"
    until(lambda: port.exists() and len(port.read_text().splitlines()) == 2)
    address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json"
    found = []

    def there():
        with contextlib.suppress(OSError):
            found[:] = [p for p in json.loads(urllib.request.urlopen(address, timeout=10).read()) if p["type"] == "page"]
        return bool(found)

    until(there)
    link = websocket.create_connection(found[0]["webSocketDebuggerUrl"], timeout=60)
    numbers = itertools.count(1)

    def ask(expression):
        number = next(numbers)
        link.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": {"expression": expression, "returnByValue": True}}))
        while (answer := json.loads(link.recv())).get("id") != number:
            pass
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    try:
        yield ask
    finally:
        link.close()


def opened(page, script, tmp_path, width=1280, theme="light"):
    """What a script says that runs in the page after it has loaded; the page's policy is taken out, as it would refuse it."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text()).replace(
        '<html lang="en">', f'<html lang="en" data-theme="{theme}">'
    )
    told = (
        "const tell = said => { const p = document.createElement('pre'); p.id = 'told'; p.textContent = JSON.stringify(said); "
        "document.body.append(p); };"
    )
    path = tmp_path / "opened.html"
    path.write_text(text.replace("</body></html>", f"<script>{told}{script}</script></body></html>"))
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},1200",
        "--virtual-time-budget=30000",
        "--dump-dom",
        f"file://{path}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    return json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)[1]))


COVERED = r"""addEventListener('load', () => setTimeout(() => {
  plots.forEach(draw);
  let texts = 0;
  const found = [];
  plots.forEach(el => {
    const frame = el.querySelector('.main-svg').getBoundingClientRect();
    const all = [...el.querySelectorAll('.annotation-text-g text, .xtick text, .ytick text, .bartext, text.heatmap-label')];
    const boxes = all.map(t => [t.textContent, t.getBoundingClientRect()]).filter(([_, b]) => b.width);
    texts += boxes.length;
    boxes.forEach(([said, b], i) => {
      const beside = b.left < frame.left - 2 || b.right > frame.right + 2;
      if (beside || b.top < frame.top - 3 || b.bottom > frame.bottom + 3) found.push(['outside', said]);
      boxes.slice(0, i).forEach(([other, o]) => {
        const wide = Math.min(b.right, o.right) - Math.max(b.left, o.left), high = Math.min(b.bottom, o.bottom) - Math.max(b.top, o.top);
        if (wide > 1.5 && high > 3.5) found.push([other, said]);
      });
    });
  });
  tell([texts, found]);
}, 500));"""


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize(
    "overrides",
    [(), ("traffic.peak_users=900", "traffic.growth=0%/month"), ("traffic.growth=20%/month", "tiers.postgres.connections=20")],
)
def test_no_label_of_a_figure_covers_another_or_leaves_its_figure(tmp_path, overrides):
    make(STOREFRONT, tmp_path / "plan", overrides, 30)
    for width in (1280, 390):
        texts, found = opened(tmp_path / "plan" / "plan.html", COVERED, tmp_path, width)
        assert texts > 150
        assert found == [], width


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_an_accessibility_checker_finds_nothing_serious(folder, npm, tmp_path, width, theme):
    axe = (npm / "axe-core" / "axe.min.js").read_text()
    script = axe + (
        "\naddEventListener('load', () => setTimeout(() => axe.run({ resultTypes: ['violations'] }).then(r => "
        "tell([r.passes.length, r.violations.map(v => [v.impact, v.id, v.nodes[0].html])])), 1000));"
    )
    passes, violations = opened(folder / "plan.html", script, tmp_path, width, theme)
    assert passes > 20
    assert [v for v in violations if v[0] in ("serious", "critical")] == []


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_numbers_open_tables_sort_and_copy_without_formulas(folder, tmp_path):
    script = """addEventListener('load', () => setTimeout(() => {
      const button = document.querySelector('.three button.n');
      button.click();
      const sheet = document.getElementById(button.getAttribute('popovertarget'));
      const table = [...document.querySelectorAll('.table > table')].find(t => t.caption?.textContent.includes('gets the most calls'));
      const column = () => [...table.tBodies].flatMap(b => [...b.rows]).map(r => Number(r.cells[1].dataset.v));
      const head = table.tHead.rows[0].cells[1];
      head.querySelector('button').click();
      const up = column();
      head.querySelector('button').click();
      tell({ open: sheet.matches(':popover-open'), said: sheet.innerText, up, down: column(), sorted: head.getAttribute('aria-sort'),
             csv: csv(table).split('\\r\\n').length, field: [field('=1+1'), field('-2.5'), field('@x'), field('a"b'), field('-x')] });
    }, 500));"""
    told = opened(folder / "plan.html", script, tmp_path)
    assert told["open"]
    assert "worlds in which every one of 8 promises holds" in told["said"]
    assert "traffic." in told["said"]
    assert told["up"] == sorted(told["up"])
    assert told["down"] == sorted(told["up"], reverse=True)
    assert told["sorted"] == "descending"
    assert told["csv"] == len(told["up"]) + 2
    assert told["field"] == ['"\'=1+1"', '"-2.5"', '"\'@x"', '"a""b"', '"\'-x"']


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_the_page_prints_to_a4(folder, tmp_path):
    pdf = tmp_path / "plan.pdf"
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=30000",
        f"--print-to-pdf={pdf}",
        f"file://{folder / 'plan.html'}",
    ]
    subprocess.run(command, capture_output=True, timeout=180, check=True)
    content = pdf.read_bytes()
    boxes = set(re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", content))
    assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(595, 842)}  # A4 in points
    assert len(re.findall(rb"/Type ?/Page\b", content)) > 10  # ten chapters, each on a page of its own


def test_a_wheel_brings_notebooks_and_data(tmp_path):
    if os.environ.get("PERFPLAN_NO_WHEEL"):
        pytest.skip("building a wheel was switched off")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "-w", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    import zipfile

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for wanted in (
        "perfplan/notebooks/0_capacity_plan.ipynb",
        "perfplan/data/storefront/scenario.yaml",
        "perfplan/items.csv",
        "perfplan/workbook/look.css",
        "perfplan/py.typed",
    ):
        assert any(name.endswith(wanted) for name in names), wanted


def test_the_plan_folder_is_not_where_the_scenario_is(tmp_path):
    assert Path(STOREFRONT).parent.name == "storefront"
    assert not (STOREFRONT.parent / "plan.html").exists()


def test_the_explorer_follows_its_sliders_and_saves_a_scenario(small, statement):
    from perfplan.reading import read
    from perfplan.workbook.exploring import Explorer, explore

    shop = Explorer(statement)
    assert {c.path for c in shop.controls} >= {
        "traffic.peak_users",
        "traffic.growth",
        "tiers.redis.memory",
        "tiers.api.instances",
        "tiers.api.threads",
        "tiers.postgres.connections",
        "objectives.search p95.below",
    }
    found = explore(str(small))
    before = found.verdict.value
    users = next(c for c in found.controls if c.path == "traffic.peak_users")
    users.slider.value = 4 * users.start
    assert found.verdict.value != before
    assert [float(t.y[0]) > 0 for t in found.latency.data] == [True]
    path = found.save()
    assert path == small.parent / "explored.yaml"
    assert float(read(path).at().traffic.peak_users) == pytest.approx(4 * users.start, rel=0.01)
    assert found.save() is None  # it is there already
    assert "already there" in found.saved.value
    found.name.value = "../../other.yaml"
    assert found.save() == small.parent / "other.yaml"  # beside the scenario, wherever the name points


def test_the_explorer_and_the_plan_say_one_cost(storefront, statement):
    """A month of an event costs its days, wherever it is asked for."""
    from perfplan.plan import plan
    from perfplan.words import money
    from perfplan.workbook.exploring import WORLDS, Explorer

    last = storefront.last
    assert any(e.month == "2027-11" for e in storefront.scenario.traffic.events)  # in the last month
    asked = float(np.median(plan(statement.at(WORLDS), percentiles=(), objectives=()).cost_month_usd[:, last]))
    assert asked == pytest.approx(float(np.median(storefront.worlds.cost_month_usd[:, last])), rel=0.02)
    assert f"{money(asked)} a month at the end" in Explorer(statement).verdict.value


def test_the_explore_notebook_runs(tmp_path):
    command = [
        sys.executable,
        "-m",
        "papermill",
        "notebooks/explore.ipynb",
        str(tmp_path / "out.ipynb"),
        "-p",
        "scenario",
        "data/storefront/scenario.yaml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "application/vnd.jupyter.widget-view+json" in (tmp_path / "out.ipynb").read_text()


def test_a_run_reads_its_scenario_once(small, tmp_path, monkeypatch):
    seen, real = [], opening.read
    monkeypatch.setattr(opening, "read", lambda path, overrides: seen.append(path) or real(path, overrides))
    monkeypatch.setenv(opening.CACHE, str(tmp_path))
    first = opening.stated(small, ("traffic.growth=2%/month",))
    monkeypatch.chdir(small.parent)
    again = opening.stated(Path(small.name), ("traffic.growth=2%/month",))
    assert (len(seen), again.file) == (1, small.name)
    assert again.digest() == first.digest()
    assert opening.stated(small, ()).digest() != first.digest()
