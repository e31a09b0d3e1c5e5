"""Service laws and measurements from files beside the scenario; the plan against simulation."""

import json

import numpy as np
import pytest

from perfplan.cli import main
from perfplan.document.findings import findings
from perfplan.models.beyond.general import MG1
from perfplan.models.beyond.sharing import shared_response_quantile_s
from perfplan.models.times.latency import percentiles_s
from perfplan.plan.paths import carry
from perfplan.reading import BadScenario, read
from perfplan.study import study
from perfplan.study.verify import measured, simulated
from perfplan.tables import measured as measured_table
from perfplan.tables import models
from tests.conftest import ROOT

MEASURED = ROOT / "data" / "measured" / "scenario.yaml"
SCENARIO = """
name: one
as_of: 2026-11-24
traffic: {{peak: 40rps, growth: 0%/month}}
regions: {{here: {{share: 100%, round_trip: 1us}}}}
journeys: {{ask: {{share: 100%, calls: {{app: 1}}}}}}
tiers:
  app: {{kind: service, instances: 1, threads: 1, {law}}}
objectives: {{fast: {{kind: latency, journey: ask, below: 1s}}}}
{more}
"""


@pytest.fixture
def scenario(tmp_path):
    def write(law, more="", **files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        path = tmp_path / "scenario.yaml"
        path.write_text(SCENARIO.format(law=law, more=more))
        return path

    return write


def response(statement, p):
    made = statement.at()
    return float(percentiles_s(carry(made, np.array([[40.0]])).journeys["ask"], (p,), (1, 1))[0][0, 0])


def test_samples_give_mean_and_tail(scenario):
    times = np.random.default_rng(1).gamma(4.0, 0.005, 20_000)
    statement = read(scenario("service: {samples: app.csv}", app="# on 24 November\nseconds\n" + "\n".join(f"{t:.6f}" for t in times)))
    entry = statement.entries["tiers.app.service_time"]
    assert (entry.source, entry.where) == ("fitted", "app.csv")
    assert statement.at().tiers["app"].service_time_s == pytest.approx(times.mean(), rel=1e-3)
    assert statement.samples["app"].about == ("on 24 November",)
    assert statement.files == ("app.csv",)
    exact = MG1(arrival_rps=40.0, service=lambda s: (1 + s * times.mean() / 4) ** -4.0, service_s=float(times.mean()), scv=0.25)
    for p in (0.5, 0.95, 0.99):
        assert response(statement, p) == pytest.approx(float(exact.response_quantile_s(p)), rel=0.02)


def test_a_stated_time_overrules_the_samples_and_both_are_shown(scenario):
    statement = read(scenario("service_time: 10ms, service: {samples: app.csv}", app="seconds\n0.02\n0.04\n"))
    entry = statement.entries["tiers.app.service_time"]
    assert (entry.source, entry.beside[:12]) == ("stated", "app.csv says")
    assert statement.at().tiers["app"].service_time_s == 0.010
    assert statement.at().tiers["app"].service.shape.scv == pytest.approx(1 / 9)


def test_percentiles_and_variation_are_lognormal(scenario):
    by_percentiles = read(scenario("service: {p50: 10ms, p99: 40ms}"))
    sigma = np.log(4) / 2.3263478740408408
    assert by_percentiles.at().tiers["app"].service_time_s == pytest.approx(0.010 * np.exp(sigma**2 / 2), rel=1e-5)
    variation = f"{np.sqrt(np.expm1(sigma**2)):.6f}"
    by_variation = read(scenario(f"service_time: {10 * np.exp(sigma**2 / 2):.6f}ms, service: {{variation: {variation}}}"))
    assert response(by_percentiles, 0.95) == pytest.approx(response(by_variation, 0.95), rel=1e-3)
    steady = read(scenario("service_time: 10ms, service: {variation: 0.05}"))
    assert response(steady, 0.95) < response(read(scenario("service_time: 10ms")), 0.95)


@pytest.mark.parametrize(
    ("law", "text", "message"),
    [
        (
            "service: {samples: app.csv}",
            "time\n1\n",
            r"app.service.samples: .*must be a CSV with the column seconds; app.csv lacks seconds",
        ),
        ("service: {samples: app.csv}", "seconds\n1\n-2\n", r"row 2 of app.csv must have a number of 0 or more under seconds; got '-2'"),
        ("service: {samples: app.csv}", "seconds\n", "app.csv has no rows"),
        ("service: {samples: app.csv}", "seconds\n0\n0\n", "not all zero"),
        ("service: {samples: absent.csv}", "", "there is no absent.csv"),
        ("service: {samples: ../app.csv}", "", "must lie below the scenario's folder"),
        ("service: {p50: 10ms}", "", "service_time: is missing.*`service` may give it"),
        ("service: {p50: 10ms, p99: 5ms}", "", "must be more than its p50|service_time: is missing"),
        ("service: {variation: 1}", "", "service_time: is missing"),
        ("service_time: 1ms, service: {variation: 1, samples: app.csv}", "seconds\n1\n", "must be given one way"),
    ],
)
def test_a_law_that_is_none_is_refused_with_file_field_and_way_out(scenario, law, text, message):
    with pytest.raises(BadScenario, match=message):
        read(scenario(law, app=text))


@pytest.mark.parametrize("name", ["a\\0b", "x" * 10_000, "\\ud800", "a\\nb"])
def test_a_name_that_no_file_has_is_a_problem_of_its_field(scenario, name):
    with pytest.raises(BadScenario, match=r"app.service.samples|special characters|surrogate|invalid Unicode"):
        read(scenario(f'service: {{samples: "{name}"}}'))


def test_cores_that_are_shared_answer_as_the_exact_model_of_sharing(scenario):
    exact = shared_response_quantile_s(0.95, 40.0, 0.010, 1)
    shared = read(scenario("service_time: 10ms, io: async, discipline: ps"))
    assert response(shared, 0.95) == pytest.approx(exact, rel=0.02)
    queued = read(scenario("service_time: 10ms, io: async"))
    assert response(queued, 0.95) == pytest.approx(-np.log(0.05) * 0.010 / (1 - 0.4), rel=0.01)
    made = study(shared, worlds=20)
    assert [r.error for r in simulated(made)] == pytest.approx([0.0] * len(simulated(made)), abs=0.03)
    assert "processor sharing" in str(models(made).frame["model"].iloc[0])


def test_measured_points_beside_the_prediction(scenario):
    more = "measured: {test: {journey: ask, points: test.csv}}"
    path = scenario("service_time: 10ms", more, test="rps,percentile,seconds,half_width\n40,95,0.05,0.001\n40,50,0.0115,\n")
    made = study(read(path), 30)
    half, most = measured(made)
    assert most.predicted_s == pytest.approx(np.log(20) / (100 - 40), rel=0.01)  # M/M/1
    assert half.predicted_s == pytest.approx(np.log(2) / 60, rel=0.01)
    assert most.beyond == pytest.approx(0.0, abs=0.02)
    bad = study(read(scenario("service_time: 10ms", more, test="rps,percentile,seconds\n40,95,0.2\n")), 30)
    assert [f.title for f in findings(bad) if f.about == "measured.test"] == ["test is missed by 75\u00a0% at 40\u00a0rps"]
    assert "1 of 1 measured points are missed" in measured_table(bad).title
    with pytest.raises(BadScenario, match=r"point 1 of test.csv must have a percentile above 0 and below 100"):
        read(scenario("service_time: 10ms", more, test="rps,percentile,seconds\n40,100,0.2\n"))


def test_the_measured_scenario_predicts_the_servers_it_was_measured_on():
    rows = measured(study(read(MEASURED), 30))
    assert len(rows) >= 20
    assert np.median([r.beyond for r in rows]) < 0.05
    assert max(r.beyond for r in rows) < 0.20


def test_the_storefront_agrees_with_its_simulation():
    made = study(read(ROOT / "data" / "storefront" / "scenario.yaml"), 60)
    rows = simulated(made, requests=40_000, most=8)
    assert len(rows) == 18
    for row in rows:
        assert row.beyond < 0.12, row
    assert {r.journey for r in rows} == set(made.scenario.journeys)


def test_verify_prints_and_keeps_what_was_simulated(scenario, tmp_path, capsys):
    out = tmp_path / "plan"
    assert main(["plan", str(scenario("service_time: 10ms")), "--out", str(out), "--worlds", "30", "--verify"]) == 0
    said = capsys.readouterr().out
    assert "The simulation of the worst months agrees within" in said
    assert "ask p95: formula" in said
    rows = json.loads((out / "inputs" / "verified.json").read_text())
    exact = {0.5: np.log(2) / 60, 0.95: np.log(20) / 60, 0.99: np.log(100) / 60}
    for row in [r for r in rows if "today" in r["name"]]:
        assert row["found_s"] == pytest.approx(exact[row["percentile"]], abs=2 * row["half_s"])
    assert (out / "tables" / "verified.csv").is_file()
    assert "agrees within" in (out / "plan.html").read_text()
