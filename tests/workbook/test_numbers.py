"""One question has one number in a plan folder: page, tables, generated files, findings, items and plan.json, read as they lie there."""

import csv
import html
import json
import re

import pytest

from perfplan.words import percent


def said(markup):
    """Markup as it is read."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).replace("\N{NO-BREAK SPACE}", " ").strip()


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


class Plan:
    """What a plan folder says, in all its places."""

    def __init__(self, folder):
        self.page = (folder / "plan.html").read_text(encoding="utf-8")
        self.data = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        self.items = {name: row["text"].replace("\N{NO-BREAK SPACE}", " ") for name, row in self.data["checklist"]["items"].items()}
        self.configs = {path.name: path.read_text(encoding="utf-8") for path in (folder / "configs").iterdir()}
        self.tables = {path.stem: rows_of(path) for path in (folder / "tables").glob("*.csv")}
        body = self.page[self.page.index("<main>") :]
        self.figures = [json.loads(text) for text in re.findall(r'<script type="application/json" id="fig-\w+">(.*?)</script>', body)]
        self.text = said(re.sub(r"<script.*?</script>", "", body, flags=re.S))

    def table(self, caption):
        """Rows of the page's table whose caption holds this."""
        found = next(t for t in re.findall(r"<table.*?</table>", self.page, re.S) if caption in said(t.split("</caption>")[0]))
        rows = re.findall(r"<tr.*?</tr>", re.sub(r'<tbody class="print-only">.*?</tbody>', "", found, flags=re.S), re.S)
        return [[said(cell) for cell in re.findall(r"<t[hd][ >].*?</t[hd]>", row, re.S)] for row in rows][1:]

    def labels(self, *words):
        """Labels of figures that hold all of these."""
        every = [a["text"] for figure in self.figures for a in figure["layout"].get("annotations", ())]
        return [text for text in map(said, every) if all(word in text for word in words)]


@pytest.fixture(scope="module")
def plan(folder):
    return Plan(folder)


def one(numbers):
    """The number that all say."""
    numbers = list(numbers)
    assert len(numbers) > 1, "nothing to compare"
    assert len(set(numbers)) == 1, numbers
    return numbers[0]


def numbers(pattern, text):
    return [float(found.replace(",", "")) for found in re.findall(pattern, text)]


def test_dates_to_order_by(plan):
    rows = plan.table("the first is due")
    runbook = dict(re.findall(r"^- (\d+ \w+ \d+): (.*?) \(lead", plan.configs["runbook.md"], re.M))
    lines = re.findall(r"^- (\d+ \w+ \d+): (.*?) \(lead", plan.configs["runbook.md"], re.M)
    assert sorted((day, text.replace("\\", "")) for day, text in lines) == sorted((row[1], row[0]) for row in rows)
    assert one([rows[0][1], re.search(r"the first is due (\d+ \w+ \d+)", plan.text)[1]])
    decided = next(row for row in plan.tables["orders"] if float(row["cost_month_usd"]) > 0 or float(row["effort_s"]) > 0)
    due = next(row[1] for row in rows if row[0] == decided["what"])
    assert one([due, *re.findall(r"Decide: approve .*? by (\d+ \w+ \d+)", plan.text)])
    assert rows[0][1] in runbook
    by_table = {row["resource"]: row["order_by"] for row in plan.tables["run_outs"]}
    first = {}
    for row in rows:
        first.setdefault(row[0].split(":")[0], row[1])
    ordered = {name: day for name, day in first.items() if name in by_table}
    assert len(ordered) > 3
    assert {name: by_table[name] for name in ordered} == ordered
    findings = [f for f in plan.data["findings"] if "order by" in f["remedy"]]
    assert findings
    for finding in findings:
        tier, field = finding["about"].removeprefix("tiers.").split(".")
        named = next(name for name in by_table if name.startswith(tier) and field.split("_")[0] in name.replace("primary cores", "cores"))
        assert one([by_table[named], re.search(r"order by (\d+ \w+ \d+)", finding["remedy"])[1]])


def test_the_size_of_the_pool(plan):
    """The last month asked for: file, runbook, figure, order and fleet."""
    asked = [order for order in plan.data["fleet"] if order["month"] <= plan.data["asked_until"]]
    fleet = asked[-1]["counts"]["tiers.postgres.connections"]
    ordered = [row["what"].split("→")[1] for row in plan.tables["orders"] if "connections" in row["what"]][-1]
    pools = numbers(r"(?m)^postgres(?!-migrations)\S* = .*? pool_size=(\d+)", plan.configs["pgbouncer-postgres.ini"])
    assert one(
        [
            fleet,
            float(ordered),
            *numbers(r"(?m)^default_pool_size = (\d+)", plan.configs["pgbouncer-postgres.ini"]),
            sum(pools),
            *numbers(r"Pool: (\d+) connections", plan.configs["runbook.md"]),
            *numbers(r"plan (\d+)", plan.labels("plan ")[0]),
        ]
    )


def test_the_load_that_breaks_the_first_promise(plan):
    loads = [
        *numbers(r"load breaks the first promise above ([\d,]+) rps", plan.items["2.1.4"]),
        *numbers(
            r"([\d,]+) rps against a peak", next(f for f in plan.data["findings"] if f["about"] == "headroom")["value"].replace(" ", " ")
        ),
        *numbers(r"first promise breaks ([\d,]+)", plan.labels("first promise breaks")[0]),
        *numbers(r"today’s fleet holds ([\d,]+)", plan.labels("today’s fleet holds")[0]),
        *numbers(r"([\d,]+) rps", plan.table("The first objective breaks")[0][1]),
    ]
    assert one(loads)
    times = re.findall(r"breaks (?:the first promise )?at ([\d.]+) times today's peak", plan.text)
    assert one([*times, re.match(r"[\d.]+", plan.items["1.3.2"])[0], plan.table("The first objective breaks")[0][2]])
    steady = re.findall(r"first promise breaks near ([\d,]+) rps", plan.text)
    crossed = re.findall(r"crosses the predicted knee at ([\d,]+)", plan.text)
    assert one([*steady, *crossed, *re.findall(r"of the predicted knee, ([\d,]+) requests", plan.configs["load_test.js"])])


def test_what_it_costs(plan):
    month = plan.data["asked_until"]
    exact = plan.data["numbers"][f"cost.plan.{month}"]["value"]
    assert f"${round(exact, -2):,.0f}" in plan.text or f"${exact:,.0f}" in plan.text
    written = re.findall(r"Cost with the plan in \w+ \d+: (\$[\d,]+) a month", plan.text)
    last = next(column for column in plan.tables["costs"][0] if column not in ("tier", "month_0", "month_36"))
    rows = {row[0]: row[1:] for row in plan.table("of the cost in")}
    assert one([*written, rows["all, with the plan"][1]])
    assert float(plan.tables["costs"][0][last]) == pytest.approx(exact, rel=1e-6)
    today = plan.data["numbers"][f"cost.today_fleet.{plan.data['as_of'][:7]}"]["value"]
    assert float(plan.tables["costs"][1]["month_0"]) == pytest.approx(today, rel=1e-6)
    assert plan.items["5.3.3.c"].startswith(f"{rows['all, today' + chr(39) + 's fleet'][0]} a month today")
    assert one(re.findall(r"\((\+\$[\d,]+) a month then\)", plan.text))
    monthly = [float(row["cost_month_usd"]) for row in plan.tables["orders"]]
    chosen = next(row for row in plan.tables["ways"] if row["way"] == "the plan")
    assert sum(monthly) == pytest.approx(float(chosen["monthly_usd"]), rel=1e-6)
    assert one(re.findall(r"(\+\$[\d,]+) in all to \w+ \d+ \(", plan.text))


def test_percentiles_at_todays_peak(plan):
    """Every input at its median."""
    slowest = re.search(r"a test should find (\w+) at p95 ([\d.]+ ms)", plan.text)
    runbook = dict(
        re.findall(
            r"(\w+) ([\d.]+ ms)", plan.configs["runbook.md"].replace("\N{NO-BREAK SPACE}", " ").split("the peak hour: ")[1].split("\n")[0]
        )
    )
    items = dict(re.findall(r"(\w+) p50/p95/p99 [\d.]+ ms / ([\d.]+ ms)", plan.items["1.2.1"]))
    peak = min({float(row["load_rps"]) for row in plan.tables["predictions"]}) * 2
    table = {
        r["journey"]: f"{1e3 * float(r['p95_s']):.3g} ms" for r in plan.tables["predictions"] if abs(float(r["load_rps"]) / peak - 1) < 1e-9
    }
    whole = {row["journey"]: f"{1e3 * float(row['p95_s']):.3g} ms" for row in plan.tables["tail"] if row["part"] == "together"}
    assert set(items) == set(table) == set(runbook) == set(whole)
    for journey in items:
        assert one([items[journey], table[journey], runbook[journey], whole[journey]])
    assert one([slowest[2], items[slowest[1]], re.search(r"p95 is ([\d.]+ ms)", plan.items["QR.1"])[1]])


def test_burn_rates(plan):
    rule = plan.configs["alerts.yml"].replace("\N{NO-BREAK SPACE}", " ")
    rows = plan.table("as in alerts.yml") if "as in alerts.yml" in plan.text else ()
    for objective, said, factor, bad, *_ in rows:
        hours = {"1 h": 1, "6 h": 6, "1 day": 24, "3 days": 72}[said.partition(" in ")[2]]
        name = "".join(part.capitalize() for part in objective.split())
        alert = re.search(rf": ([\d.]+) x [^\n]*\n  - alert: {name}Burns{hours}h .*?\n.*?\n.*?> 0\) > ([\d.e-]+)\)", rule)
        if bad == "never fires":
            assert alert is None
        else:
            assert (alert[1], f"{100 * float(alert[2]):.3g} %") == (factor, bad)


def test_when_the_first_thing_runs_out(plan):
    first = plan.tables["run_outs"][0]
    label = re.search(r"Runs out first (.*?) \(2\)", plan.text)[1]
    assert one(
        [first["resource"], label, plan.table("run out first")[0][0], re.search(rf"({label}) run out first", plan.text, re.I)[1].lower()]
    )


def test_how_sure_it_is(plan):
    """P of all promises in the last month asked for, with the plan."""
    month = plan.data["asked_until"]
    with_plan = percent(plan.data["numbers"][f"p_all.plan.{month}"]["value"]).replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"with the plan ([\w ]*\d+ %)", plan.text)[1] == with_plan
