"""A k6 load test: open arrival rates around the predicted knee, virtual users by Little's law, promises as thresholds."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.servers import run, tool
from perfplan.operate import watched
from perfplan.operate.source import Source, first, ms
from perfplan.operate.text import comment, js, slug
from perfplan.plan.paths import edge_share
from perfplan.promises import counted
from perfplan.quantity import median
from perfplan.scenario import Scenario
from perfplan.study import Study
from perfplan.subjects.loadtest import JUMP_S, STEP_S, TREADS, Prediction, Stage, limits, predictions
from perfplan.subjects.loadtest import stages as test_stages
from perfplan.tiers import kind_of
from perfplan.words import duration

SPREAD = 2.0  # users reserved over their mean, as arrivals and times vary
METRICS = "avg|min|max|med|count|rate|value"  # aggregations beside p(N); count of counters, rate of rates, value of gauges


RUN = "// k6 run -e BASE_URL=https://127.0.0.1:8443 -e STAGE=load load_test.js     (STAGE: smoke, load, stress, spike, soak)"


def load_test(source: Source) -> str:
    """The script; its stages are chosen by STAGE, its target by BASE_URL."""
    study = source.study
    scenario = study.scenario
    stages = "".join(_stage(one, source) for one in test_stages(study))
    journeys = "".join(
        f"  {{ name: {js(slug(name))}, share: {_share(scenario, name):.6f}, edge: {median(edge_share(scenario, one)):.4f}, "
        f"path: __ENV.PATH_{_variable(name)} || {js('/' + slug(name))} }},  // journeys.{comment(name)}.share\n"
        for name, one in scenario.journeys.items()
    )
    asked = f"{{ tags, timeout: '{ms(source.ladder.value_s('client_timeout'))}ms' }}"
    items, exponent, why = _keys(source)
    asked_for = thresholds(source)
    judged = "\n".join(f"  {js(metric)}: [{', '.join(js(rule) for rule in rules)}],  // {comment(why)}" for metric, rules, why in asked_for)
    return f"""{source.head("//", "k6 load test")}{RUN}
// Stands beside the origin: no round trip, and what the edge answers is not sent. With EDGE=1 all is sent, to the edge's address.
//
// What it should measure, at rates of the whole service; a test that disagrees by more than a fifth disproves the plan:
{_predicted(source)}
import http from 'k6/http';
import exec from 'k6/execution';
import {{ check }} from 'k6';

const BASE_URL = __ENV.BASE_URL || 'https://127.0.0.1:8443';
const STAGE = __ENV.STAGE || 'smoke';

// Journeys with their shares of all requests, and the part of each that the edge answers; PATH_<NAME> sets the path.
const JOURNEYS = [
{journeys}];

// Which of {items:.0f} items a request is for: Zipf with exponent {exponent:g} ({why}), so that caches miss as they do.
const ITEMS = {items:.0f}, EXPONENT = {exponent:g};
function item() {{
  const u = Math.random(), rest = 1 - EXPONENT;
  return Math.floor(Math.abs(rest) < 1e-9 ? Math.pow(ITEMS, u) : Math.pow(1 + u * (Math.pow(ITEMS, rest) - 1), 1 / rest));
}}

// Arrivals do not wait for answers (an open load), as users do not. preAllocatedVUs by Little's law: rate x mean response,
// times {SPREAD:g}. Where k6 cannot start an iteration in time it counts it as dropped, and the test fails.
const STAGES = {{
{stages}}};

// The promises as they are seen here: bounds without round trip, percentiles of what the edge has left.
const PROMISES = {{
  dropped_iterations: ['count==0'],
{judged}
}};
// The stress is to break a promise: each step of it is shown by itself, and the first that passes a bound is the knee.
const TREADS = [{", ".join(f"{100 * one:g}" for one in TREADS)}];  // % of the predicted knee
const FIRST_S = {_first_s(study):g}, STEP_S = {JUMP_S + STEP_S:g};
const STEPS = {{ dropped_iterations: ['count==0'] }};
for (const tread of TREADS) for (const journey of JOURNEYS) {{
  STEPS[`http_req_duration{{journey:${{journey.name}},step:${{tread}}}}`] = ['p(95)>=0'];
  STEPS[`http_req_failed{{journey:${{journey.name}},step:${{tread}}}}`] = ['rate>=0'];
}}
const ANSWERED = {{ checks: ['rate==1'] }};  // the smoke is too short for more

export const options = {{
  scenarios: {{ [STAGE]: STAGES[STAGE] }},
  thresholds: STAGE === 'stress' ? STEPS : STAGE === 'smoke' ? ANSWERED : PROMISES,
  insecureSkipTLSVerify: BASE_URL.startsWith('https://127.'),  // a certificate of the moment
}};

export default function () {{
  let left = Math.random();
  const journey = JOURNEYS.find((one) => (left -= one.share) < 0) || JOURNEYS[JOURNEYS.length - 1];
  if (!__ENV.EDGE && Math.random() < journey.edge) return;
  const tags = {{ journey: journey.name }};
  if (STAGE === 'stress') {{
    const passed = (Date.now() - exec.scenario.startTime) / 1000 - FIRST_S;
    tags.step = String(TREADS[Math.floor(passed / STEP_S)] || 'other');
  }}
  const answer = http.get(`${{BASE_URL}}${{journey.path}}?item=${{item()}}`, {asked});  // client_timeout
  check(answer, {{ answered: (one) => one.status < 500 }});
}}
"""


def _first_s(study: Study) -> float:
    """When the first step of the stress begins."""
    return next(one.steps[0][1] for one in test_stages(study) if one.name == "stress")


def _keys(source: Source) -> tuple[float, float, str]:
    """How many items requests are for, the exponent of their popularity, and where that comes from."""
    for name, tier in source.study.scenario.tiers.items():
        if (found := kind_of(tier).varied.by_memory(tier, np.ones(1))) is not None:
            return max(float(found.items), 1.0), float(found.popularity), f"tiers.{comment(name)}"
    return 1e6, 0.9, "no cache says so"


def _predicted(source: Source) -> str:
    """Percentiles of every journey at the loads that are tested, as lines of a comment."""

    def line(one: Prediction) -> str:
        times = (("p50", one.p50_s), ("p95", one.p95_s), ("p99", one.p99_s))
        return f"//   {comment(one.journey)} at {one.load_rps:.0f} a second: {', '.join(f'{name} {duration(at)}' for name, at in times)}"

    return "\n".join(map(line, predictions(source.study, inside=True)))


def thresholds(source: Source) -> list[tuple[str, list[str], str]]:
    """Metric, rules and origin of every promise that a load test can judge: one metric a journey, as k6 allows each once.

    Response times at their bounds beside the origin; of promises on failures of one journey the stricter one.
    """
    study = source.study
    found: dict[str, tuple[list[str], list[str]]] = {}
    for one in limits(study):
        rules, origin = found.setdefault(f"http_req_duration{{journey:{slug(one.journey)}}}", ([], []))
        rules.append(f"p({100 * one.percentile:.4g})<{ms(one.below_s)}")
        origin.append(f"objectives.{comment(one.objective)}")
    for name, objective in study.scenario.objectives.items():
        if (counted_one := counted(objective)) is not None and watched(objective).measured.threshold(objective) is not None:
            binds = median(study.worlds.judged[name].bound)
            found[f"http_req_failed{{journey:{slug(counted_one.journey)}}}"] = ([f"rate<{binds:.6g}"], [f"objectives.{comment(name)}"])
    return [(metric, rules, ", ".join(origin)) for metric, (rules, origin) in found.items()]


def threshold_problem(rule: str) -> str | None:
    """What is wrong with a threshold by k6's grammar: aggregation, operator, number; None where nothing is.

    >>> threshold_problem("p(95)<300"), threshold_problem("count==0")
    (None, None)
    >>> threshold_problem("p95<300")
    "must start with p(N), avg, min, max, med, count, rate or value; got 'p95'"
    """
    match = re.fullmatch(r"\s*(\S.*?)\s*(<=|>=|===|==|!=|<|>)\s*(\S+)\s*", rule)
    if match is None:
        return f"must be an aggregation, an operator and a number; got {rule!r}"
    if not re.fullmatch(rf"(?:{METRICS}|p\((?:100(?:\.0+)?|\d{{1,2}}(?:\.\d+)?)\))", match[1]):
        return f"must start with p(N), avg, min, max, med, count, rate or value; got {match[1]!r}"
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", match[3]):
        return f"must end with a number; got {match[3]!r}"
    return None


def _share(scenario: Scenario, name: str) -> float:
    total = sum(median(j.share) for j in scenario.journeys.values())
    return median(scenario.journeys[name].share) / total


def _variable(name: str) -> str:
    return slug(name).upper().replace("-", "_")


def users_at(source: Source, rps: float) -> int:
    """Virtual users that an arrival rate needs: Little's law over all journeys, at the load's own response times.

    A rate that saturates a station takes the users of the highest rate tried that does not.
    """
    scenario = source.study.scenario
    state = source.study.middle.state.at(np.full((1, 1), rps)).carried
    means = [(_share(scenario, n), first(j.mean_s, (1, 1))) for n, j in state.journeys.items()]
    if not all(math.isfinite(mean) for _, mean in means):  # beyond the knee: what queues is up to the test
        return users_at(source, 0.9 * rps)
    return max(math.ceil(SPREAD * sum(share * rps * mean for share, mean in means)), 2)


def _stage(one: Stage, source: Source) -> str:
    most = max(round(one.most_rps), 1)
    users = users_at(source, most)
    if one.constant:
        runs = f"executor: 'constant-arrival-rate', rate: {most}, timeUnit: '1s', duration: '{_span(one.lasts_s)}',"
    else:
        rows = ", ".join(f"{{ target: {max(round(rps), 0)}, duration: '{_span(seconds)}' }}" for rps, seconds in one.steps)
        runs = f"executor: 'ramping-arrival-rate', startRate: 0, timeUnit: '1s',\n    stages: [{rows}],"
    return f"""  {one.name}: {{  // {comment(one.why)}
    {runs}
    preAllocatedVUs: {users}, maxVUs: {10 * users},  // {SPREAD:g} x {most} a second x mean response
  }},
"""


def _span(seconds: float) -> str:
    """A time as k6 writes it.

    >>> _span(14400.0), _span(300.0), _span(10.0)
    ('4h', '5m', '10s')
    """
    unit, size = next(((unit, size) for unit, size in (("h", 3600), ("m", 60)) if seconds % size == 0), ("s", 1))
    return f"{seconds / size:.0f}{unit}"


# ---- its judge ----

GRAMMAR, PLACE = "grammar of k6 thresholds", "4_testing"


def _ask(path: Path, rooms: Path) -> Judgement:
    """`k6 inspect` where k6 is; else k6's grammar of thresholds, by a parser of our own, and the syntax by node."""
    text = path.read_text(encoding="utf-8")
    rules = [rule for row in re.findall(r"^  [^/]*?: \[(.*)\],  //", text, re.M) for rule in re.findall(r'"((?:[^"\\]|\\.)*)"', row)]
    problems = [p for p in map(threshold_problem, [*rules, *re.findall(r"dropped_iterations: \['(.*?)'\]", text)]) if p]
    if problems:
        return Judgement(judge=GRAMMAR, accepted=False, said="; ".join(problems))
    if tool("k6"):
        return run(["k6", "inspect", path.name], path.parent, "k6 inspect")
    if tool("node") is None:
        return Judgement(judge=GRAMMAR, accepted=True, said="accepted; neither k6 nor node is installed here")
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        shutil.copyfile(path, Path(room) / "load_test.mjs")
        return run(["node", "--check", "load_test.mjs"], Path(room), f"{GRAMMAR}, node --check")


JUDGE = Judge(tool="node", ask=_ask, names=(GRAMMAR, f"{GRAMMAR}, node --check", "k6 inspect"), twin=("['count==0']", "['count=0']"))


def files(source: Source) -> tuple[File, ...]:
    """load_test.js."""
    return (File(name="load_test.js", text=load_test(source), judge=JUDGE, answers=ANSWERS, unseen="no run of it is shown"),)


ANSWERS = (
    Answers(item="4.1.2", text="journeys with their shares as open arrivals", place=PLACE, formula=load_test),
    Answers(item="4.1.3", text="promises as thresholds, dropped iterations included", place=PLACE, formula=thresholds),
    Answers(item="4.1.3.a", text="a threshold for each latency promise", place=PLACE, formula=thresholds),
    Answers(
        item="4.1.2.c",
        text="each journey as one request; its steps are yours to add",
        place=PLACE,
        formula=load_test,
    ),
    Answers(item="4.1.2.d", text="requests in the shares of the journeys", place=PLACE, formula=load_test),
    Answers(item="4.1.3.b", text="a threshold for each promise on errors", place=PLACE, formula=thresholds),
    Answers(item="4.1.3.c", text="today's peak hour as open arrivals, none of them dropped", place=PLACE, formula=load_test),
    *(
        Answers(item=f"4.2.{place}", text=f"stage {name}", place=PLACE, formula=test_stages)
        for place, name in enumerate(("smoke", "load", "stress", "spike", "soak"), 1)
    ),
    Answers(item="CB.5", text="k6 options with stages and thresholds", place=PLACE, formula=load_test),
)
