"""The workbench: what can be turned, what follows, what is kept; in notebooks and in a browser."""

import json
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfplan.quantity import COUNT, GROWTH, SECONDS
from perfplan.reading import BadScenario, read
from perfplan.shown.vector import Bar, Level, Line, bars, lines
from perfplan.stated import parse
from perfplan.words import money
from perfplan.workbench import controls
from perfplan.workbench.answering import WORLDS, Answer
from perfplan.workbench.serving import Server, serve
from perfplan.workbench.talking import Talk
from perfplan.workbench.widget import explore
from tests.conftest import ROOT, STOREFRONT


@pytest.fixture(scope="module")
def talk():
    return Talk(read(STOREFRONT))


def asked(talk, state, step=2, pins=()):
    return talk.respond({"ask": "state", "id": 1, "state": state, "step": step, "pins": list(pins)})


def test_every_stop_of_every_field_can_be_stated(talk):
    opened = talk.respond({"ask": "open"})
    assert {one["path"] for one in opened["controls"]} >= {
        "traffic.peak",
        "traffic.growth",
        "tiers.redis.memory",
        "tiers.api.instances",
        "tiers.api.threads",
        "tiers.postgres.connections",
        "objectives.search p95.below",
    }
    moved = 0
    for path, _ in opened["fields"]:
        made = controls.control(talk.statement, path)
        entry = talk.statement.entries[path]
        values = [parse(text, entry.declared.kind).mid for text in made.stops]
        assert values == sorted(values)
        if made.stops:
            moved += 1
            assert 0 <= made.low <= made.high < len(made.stops)
            assert values[made.low] == pytest.approx(entry.law.low, rel=0.006, abs=1e-9)
            assert values[made.high] == pytest.approx(entry.law.high, rel=0.006, abs=1e-9)
            assert (made.low == made.high) or not entry.law.certain
    assert moved > 100


@settings(max_examples=60)
@given(st.floats(1e-3, 1e12))
def test_what_is_written_can_be_read(value):
    assert parse(controls.written(COUNT, value), COUNT).mid == pytest.approx(value, rel=0.006)


def test_values_are_written_as_people_do():
    assert [controls.written(COUNT, 59_791), controls.written(GROWTH, 0.025), controls.written(SECONDS, 0.3)] == [
        "59.8k",
        "2.5 %/month",
        "300 ms",
    ]


def test_a_move_says_what_it_changed(talk):
    start = asked(talk, {})["parts"]
    assert start["changed"] == ""
    answer = asked(talk, {"traffic.peak": "2600 rps to 2800 rps"})
    assert answer["errors"] == []
    assert "% peak: " in answer["parts"]["changed"]
    assert "earlier" in answer["parts"]["changed"]
    assert "+$" in answer["parts"]["changed"]
    assert set(answer["parts"]) >= {"verdict", "probability", "times", "load", "used", "parts", "fleet", "pinned"}
    assert answer["parts"]["verdict"] != start["verdict"]


def test_one_month_has_one_cost(storefront, talk):
    """The plan's own, whose events cost their days."""
    last = storefront.last
    assert any(e.month == "2027-11" for e in storefront.scenario.traffic.events)  # in the last month
    answer = talk.answer({}, WORLDS)
    plans = float(np.median(storefront.worlds.cost_month_usd[:, last]))
    assert answer.cost_usd(answer.last) == pytest.approx(plans, rel=0.02)
    assert f"{money(answer.cost_usd(answer.last))} in " in asked(talk, {})["parts"]["verdict"]


def test_the_probability_is_that_of_the_plan(storefront, talk):
    answer = talk.answer({}, WORLDS)
    p = np.asarray(storefront.worlds.all_hold.mean(axis=0))[: answer.last + 1]
    error = 4 * np.sqrt(np.maximum(p * (1 - p), 0.01) * (1 / WORLDS + 1 / storefront.worlds.rps.shape[0]))
    assert (np.abs(answer.p - p) <= error).all()


def test_users_in_place_of_a_measured_peak_are_told_to_be(talk):
    assert "users as stated instead of the peak as measured" in asked(talk, {"traffic.peak_users": "66k"})["parts"]["changed"]


def test_a_promise_is_looked_at_to_its_own_end(small):
    text = small.read_text(encoding="utf-8").replace("below: 200ms}", "below: 200ms, until: 36 months}")
    text += "  read soon: {kind: latency, journey: read, percentile: p95, below: 100ms, until: 2 months}\n"
    small.write_text(text.replace("growth: 1%/month to 3%/month", "growth: 14%/month"), encoding="utf-8")
    answer = Talk(read(small)).answer({}, 60)
    assert (answer.promises["read soon"] < 0.5).any()
    assert answer.breaks_of("read soon") is None


def test_a_senseless_state_is_refused_at_its_field(talk):
    (error,) = asked(talk, {"traffic.growth": "4 apples"})["errors"]
    assert error["path"] == "traffic.growth"
    assert "must be a growth rate such as 2.5%/month" in error["message"]
    (error,) = asked(talk, {"tiers.postgres.max_connections": "10"})["errors"]
    assert "at most max_connections" in error["message"]
    assert asked(talk, {"tiers.nothing.here": "1"})["errors"]
    assert talk.respond({"ask": "nonsense"})["errors"]
    assert talk.respond({"ask": "state", "state": 3})["errors"]


def test_a_saturated_state_says_so(talk):
    answer = asked(talk, {"tiers.api.instances": "2", "tiers.redis.instances": "1"})
    assert answer["errors"] == []
    assert "saturated" in answer["parts"]["times"]
    assert "saturated" in answer["parts"]["used"]
    assert "is saturated at today’s peak" in answer["parts"]["parts"]
    assert "nan" not in "".join(answer["parts"].values()).replace("finance", "")


def test_pinned_states_stand_side_by_side(talk):
    pins = [{"name": "A", "state": {"tiers.api.instances": "44"}}, {"name": "<b>", "state": {"traffic.growth": "4 %/month"}}]
    parts = asked(talk, {"traffic.peak_users": "65k"}, pins=pins)["parts"]
    assert parts["pinned"].count("<th scope=col>") == 5
    assert "&lt;b&gt;" in parts["pinned"]
    assert "<b>A" not in parts["pinned"]
    assert parts["probability"].count("<path") == 3


def test_states_are_kept_as_a_scenario_or_as_options(small):
    talk = Talk(read(small))
    state = {"traffic.peak_users": "4k"}
    save = {"ask": "save", "name": "explored.yaml", "states": [{"name": "now", "state": state}]}
    assert talk.respond(save)["saved"] == "explored.yaml"
    assert float(read(small.parent / "explored.yaml").at().traffic.peak_users) == 4000
    assert "already there" in talk.respond(save)["errors"][0]["message"]
    assert talk.respond(save | {"name": "../../other.yaml"})["saved"] == "other.yaml"
    assert (small.parent / "other.yaml").is_file()  # beside the scenario, wherever the name points
    assert ".yaml" in talk.respond(save | {"name": "x.txt"})["errors"][0]["message"]
    pins = [{"name": 'more: "users", #1', "state": state}, {"name": "yes", "state": {"tiers.app.instances": "7"}}]
    assert talk.respond({"ask": "save", "name": "options.yaml", "states": pins, "options": True})["saved"] == "options.yaml"
    made = read(small.parent / "options.yaml")
    assert set(made.at().options) >= {'more: "users", #1', "yes"}
    assert float(made.option("yes").at().tiers["app"].instances) == 7
    again = Talk(made).respond({"ask": "save", "name": "x.yaml", "states": pins[1:], "options": True})
    assert again["errors"] == [{"path": "options.yes", "message": "is already there; choose another name"}]
    assert not (small.parent / "x.yaml").exists()


def test_what_a_file_cannot_say_is_not_kept_as_one(tmp_path):
    """A history beats the load that a file states; what was shown had it the other way."""
    shutil.copytree(STOREFRONT.parent, tmp_path / "shop")
    talk = Talk(read(tmp_path / "shop" / "scenario.yaml"))
    for state in ({"traffic.peak_users": "200k"}, {"traffic.peak": "3000 rps"}):
        save = {"ask": "save", "name": "kept.yaml", "states": [{"name": "now", "state": state}]}
        (error,) = talk.respond(save)["errors"]
        assert "the measured history beats" in error["message"]
        assert not (tmp_path / "shop" / "kept.yaml").exists()
    save = {"ask": "save", "name": "kept.yaml", "states": [{"name": "now", "state": {"traffic.growth": "4%/month"}}]}
    answer = talk.respond(save)
    shown, made = talk.answer({"traffic.growth": "4%/month"}, 60), Answer(read(tmp_path / "shop" / answer["saved"]), 60)
    assert (shown.p == made.p).all()
    empty = save | {"name": "x.yaml", "states": [{"name": "B", "state": {}}], "options": True}
    assert "states nothing" in talk.respond(empty)["errors"][0]["message"]
    overridden = Talk(read(tmp_path / "shop" / "scenario.yaml", ("traffic.peak_users=80k",)))
    (error,) = overridden.respond(save | {"name": "more.yaml", "states": [{"name": "now", "state": {"tiers.api.instances": "40"}}]})[
        "errors"
    ]
    assert error["message"].endswith("-p traffic.peak_users=80k -p tiers.api.instances=40")


def test_a_port_that_is_taken_is_said(server):
    port = server.server_address[1]
    with pytest.raises(BadScenario, match=rf"--port {port}: cannot be had"):
        serve(server.talk, port, False, print)
    request = urllib.request.Request(f"{server.url.partition('?')[0]}ask", data=b"[" * 100_000, headers={"X-Token": server.token})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["errors"]


def test_what_is_kept_is_written_whole_or_not_at_all(small, tmp_path, monkeypatch):
    talk = Talk(read(small))
    save = {"ask": "save", "name": "explored.yaml", "states": [{"name": "now", "state": {"tiers.app.instances": "5"}}]}
    (small.parent / "explored.yaml").symlink_to(tmp_path / "outside.yaml")
    assert "already there" in talk.respond(save)["errors"][0]["message"]
    assert not (tmp_path / "outside.yaml").exists()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perfplan.workbench.talking.stated_text", lambda *_: "x")
    monkeypatch.setattr("pathlib.Path.open", full)
    assert "could not be written: No space left" in talk.respond(save | {"name": "y.yaml"})["errors"][0]["message"]
    assert not (small.parent / "y.yaml").exists()


@pytest.fixture
def server(small):
    with Server(Talk(read(small))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_nothing_is_shown_without_the_token(server):
    base = server.url.partition("?")[0]
    with urllib.request.urlopen(server.url) as answer:
        assert "<main>" in answer.read().decode()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    host = base.removeprefix("http://").strip("/")
    for request in (
        urllib.request.Request(base),
        urllib.request.Request(f"{base}?token=x"),
        urllib.request.Request(f"{base}front.js"),
        urllib.request.Request(f"{base}ask", data=b'{"ask": "open"}'),
        urllib.request.Request(server.url, headers={"Host": "attacker.example"}),
        urllib.request.Request(f"{base}ask", data=b'{"ask": "open"}', headers={"X-Token": server.token, "Host": "attacker.example"}),
    ):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
    assert host.startswith("127.0.0.1:")
    request = urllib.request.Request(f"{base}ask", data=b'{"ask": "open"}', headers={"X-Token": server.token})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["controls"]
    request = urllib.request.Request(f"{base}ask", data=b"[", headers={"X-Token": server.token})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["errors"]


def test_the_explore_notebook_runs_and_answers(tmp_path, small):
    command = [sys.executable, "-m", "papermill", "notebooks/explore.ipynb", str(tmp_path / "out.ipynb"), "-p", "scenario", str(STOREFRONT)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    heard = []
    found = explore(str(small))
    found.send = heard.append
    found._asked(found, {"ask": "state", "id": 5, "state": {}, "step": 1}, [])
    assert heard[0]["id"] == 5
    assert set(heard[0]["parts"]) == {"verdict", "probability"}
    assert found.opened["controls"]


# ---- pictures ----


def test_pictures_escape_what_they_are_given():
    hostile = '</text><script>alert(1)</script>"&'
    drawn = lines(
        hostile,
        [(0.0, hostile)],
        np.arange(2.0),
        [Line(name=hostile, values=np.array([1.0, np.nan]))],
        str,
        levels=[Level(name=hostile, value=1.0)],
    )
    assert "<script" not in drawn + bars(hostile, [Bar(name=hostile, text=hostile, end=1.0)])


@given(st.lists(st.floats(0, 1e9) | st.just(float("nan")) | st.just(float("inf")), min_size=2, max_size=30), st.floats(1e-6, 1e9))
def test_lines_stay_in_their_picture(values, level):
    drawn = lines(
        "x",
        [],
        np.arange(float(len(values))),
        [Line(name="a", values=np.array(values))],
        "{:g}".format,
        levels=[Level(name="b", value=level)],
    )
    assert "nan" not in drawn.replace('aria-label="x"', "")
    assert "inf" not in drawn
