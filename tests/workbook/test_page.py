"""plan.html: one offline file, whatever people wrote, as browsers, checkers of accessibility and printers see it."""

import contextlib
import csv
import html
import itertools
import json
import re
import subprocess
import time
import urllib.request

import pytest
import websocket

from perfplan.cli import main
from perfplan.words import percent
from perfplan.workbook import make
from perfplan.workbook.handing import FLAGS
from tests.conftest import SMALL, STOREFRONT
from tests.workbook.chromium import CHROMIUM


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
    [(), ("traffic.peak_users=900", "traffic.growth=0%/month"), ("traffic.growth=8%/month", "tiers.postgres.connections=20")],
)
def test_no_label_of_a_figure_covers_another_or_leaves_its_figure(folder, tmp_path, overrides):
    plan = tmp_path / "plan" if overrides else folder
    if overrides:
        make(STOREFRONT, plan, overrides, 30)
    for width in (1280, 390):
        texts, found = opened(plan / "plan.html", COVERED, tmp_path, width)
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


MOVING = """
  const plot = document.querySelector('.lead + .plot'), byId = name => document.getElementById(name);
  const [load, count] = ['lever-load', 'lever-count'].map(byId), picture = () => [plot.dataset.fig, plot.getAttribute('aria-label')];
  const shown = () => [...document.querySelectorAll('.three > div')].map(div => div.innerText).concat(picture());
  const mark = selector => getComputedStyle(document.querySelector(selector), '::before').content;
  const put = (slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); };
  const move = (l, c) => { put(load, l); put(count, c); };
"""


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_sliders_move_picture_p_and_run_out_and_what_they_do_not_move_is_marked(folder, tmp_path):
    script = f"""addEventListener('load', () => setTimeout(() => {{ {MOVING}
      const start = shown(), y = () => plot.data.find(t => t.name === 'demand').y, demand = [...y()], states = [];
      for (const [l, c] of [[0, 0], [40, 0], [16, +count.max], [26, 1]]) {{
        move(l, c);
        states.push({{ l, c, shown: shown(), times: y()[5] / demand[5], mark: mark('.verdict'), says: byId('what-if-says').innerText,
          spoken: [load, count].map(s => s.getAttribute('aria-valuetext')) }});
      }}
      const moved = shown();
      dispatchEvent(new Event('beforeprint'));
      const paper = shown();
      dispatchEvent(new Event('afterprint'));
      const after = shown();
      byId('as-planned').click();
      const stored = JSON.parse(byId('levers').textContent);
      tell({{ start, states, moved, paper, after, back: shown(), mark: mark('.verdict'), demand, again: [...y()], stored }});
    }}, 800));"""
    told = opened(folder / "plan.html", script, tmp_path)
    stored = told["stored"]
    assert told["back"] == told["paper"] == told["start"]  # on paper stands what was planned
    assert told["after"] == told["moved"] != told["start"]
    assert told["again"] == told["demand"]
    assert told["mark"] == "none"
    for state in told["states"]:
        p = [one / 1000 for one in stored["p"][state["c"]][state["l"]]]
        assert [percent(p[0]), percent(p[-1])] == re.findall(r"(?:under |over )?\d+\xa0%", state["shown"][0])[:2]
        when = stored["when"][state["c"]][state["l"]][1]
        assert ("nothing" if when is None else stored["labels"][stored["out"][state["c"]][state["l"]]]) in state["shown"][1]
        assert when is None or stored["names"][round(when)] in state["shown"][1]
        assert state["times"] == pytest.approx(stored["loads"][state["l"]])
        assert state["mark"] == '"as planned"'
        assert state["shown"][2].startswith(told["start"][2][:20])  # cost stays
        assert f"{stored['counts'][state['c']]:g}" in state["spoken"][1]
        assert state["says"].endswith(".")


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_an_accessibility_checker_finds_nothing_serious_wherever_the_sliders_stand(folder, npm, tmp_path):
    axe = (npm / "axe-core" / "axe.min.js").read_text()
    script = f"""{axe}
      addEventListener('load', () => setTimeout(async () => {{ {MOVING}
        const found = [];
        for (const [l, c] of [[0, 0], [40, +count.max], [40, 0], [0, +count.max]]) {{
          move(l, c);
          const said = await axe.run(document.querySelector('section'), {{ resultTypes: ['violations'] }});
          found.push([said.passes.length, said.violations.map(v => [v.impact, v.id, v.nodes[0].html])]);
        }}
        tell(found);
      }}, 800));"""
    for passes, violations in opened(folder / "plan.html", script, tmp_path):
        assert passes > 10
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
@pytest.mark.parametrize(("reader", "least", "most"), [("", 10, 30), ("director", 2, 3)])  # few enough to be read in a meeting
def test_the_page_prints_to_a4(folder, tmp_path, reader, least, most):
    pdf, page = tmp_path / "plan.pdf", tmp_path / "plan.html"
    text = (folder / "plan.html").read_text(encoding="utf-8")
    page.write_text(text.replace('<html lang="en">', f'<html lang="en" data-reader="{reader}">', 1), encoding="utf-8")
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=30000",
        f"--print-to-pdf={pdf}",
        f"file://{page}",
    ]
    subprocess.run(command, capture_output=True, timeout=180, check=True)
    content = pdf.read_bytes()
    boxes = set(re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", content))
    assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(595, 842)}  # A4 in points
    assert least <= len(re.findall(rb"/Type ?/Page\b", content)) <= most


@pytest.mark.judge
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_reader_sees_what_is_theirs(folder, tmp_path):
    script = """addEventListener('load', () => setTimeout(() => {
      const reader = document.getElementById('reader'), seen = {};
      for (const one of reader.options) {
        reader.value = one.value; reader.dispatchEvent(new Event('change'));
        seen[one.value] = [...document.querySelectorAll('section.chapter')].filter(s => s.checkVisibility()).map(s => s.id);
      }
      tell(seen);
    }, 500));"""
    told = opened(folder / "plan.html", script, tmp_path)
    assert len(told[""]) == 11
    assert told["director"] == ["plan"]
    assert set(told["architect"]) | set(told["sre"]) == set(told[""])
