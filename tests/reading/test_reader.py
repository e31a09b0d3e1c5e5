"""Scenario files: what they mean, and what their mistakes say."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from perfplan.cli import main
from perfplan.reading import BadScenario, read, stated_text
from perfplan.record import declared
from perfplan.scenario import Scenario
from perfplan.scenario.statement import shown
from perfplan.study import study
from perfplan.tiers import Cache, words_of
from perfplan.workbook.opening import open_plan
from tests.conftest import SMALL, STOREFRONT


def problems(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadScenario) as caught:
        read(path)
    return str(caught.value)


def test_the_storefront_says_what_its_file_says(statement):
    scenario = statement.at()
    assert scenario.name == "storefront"
    assert scenario.traffic.peak_users == pytest.approx(np.sqrt(55_000 * 65_000))
    assert scenario.tiers["postgres"].connections == 40
    assert scenario.tiers["redis"].utilization_limit == pytest.approx(0.6)  # a default
    assert isinstance(scenario.tiers["redis"], Cache)
    assert statement.entries["tiers.api.threads"].where.startswith("scenario.yaml:")
    assert statement.entries["traffic.peak_users"].beside.startswith("not used: traffic.csv says")
    assert statement.entries["traffic.growth"].source == "fitted"
    assert shown(statement.entries["traffic.peak_users"]) == ("59791", "55000 … 65000")


def test_worlds_are_the_same_for_the_same_seed_and_field(statement):
    one, two = statement.at(50), statement.but("tiers.api.instances=40").at(50)
    assert np.array_equal(one.traffic.peak_users, two.traffic.peak_users)
    assert one.traffic.peak_users.shape == (50, 1)
    assert not np.array_equal(one.traffic.peak_users, statement.at(50, seed=8).traffic.peak_users)
    assert two.tiers["api"].instances == 40
    inside = (one.traffic.peak_users > 55_000) & (one.traffic.peak_users < 65_000)
    assert inside.mean() == pytest.approx(0.9, abs=0.021)  # stratified: one draw per fiftieth


TIERS = ", ".join(words_of(lambda kind: True))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "service_time: 10ms",
            "service_time: 12",
            "line 11: tiers.app.service_time: must be a duration such as 12ms; got 12 (12ms or 12s?)",
        ),
        ("service_time: 10ms", "servise_time: 10ms", "tiers.app.servise_time: is not a field here (service_time?)"),
        ("instances: 4", "instances: 0", "tiers.app.instances: must be a whole number, 1 or more; got 0"),
        ("instances: 4", "instances: -4", "tiers.app.instances: must be a whole number, 1 or more; got -4"),
        ("instances: 4", "instances: 4, instances: 5", "tiers.app.instances: stands twice (first on line 11)"),
        ("instances: 4", "instances: ~", "tiers.app.instances: is empty"),
        ("instances: 4", "instances: null", "tiers.app.instances: is empty"),
        ("instances: 4", "instances: [4]", "tiers.app.instances: must be one value such as 24; got a list"),
        ("instances: 4", "instances: 1e400", "believable size"),
        ("instances: 4", "instances: .nan", "got '.nan' (not a number"),
        ("instances: 4", "instances: yes", "got 'yes'"),
        ("instances: 4", "instances: &x 4", "anchors are not allowed; got &x"),
        ("instances: 4", "instances: !!python/object:os.system 4", "tags are not allowed"),
        (
            "kind: service",
            "kind: servise",
            f"tiers.app.kind: must be one of {TIERS}; got servise (service?)",
        ),
        ("{kind: service, ", "{", f"tiers.app.kind: must be one of {TIERS}; it is missing"),
        ("share: 100%\n    calls", "share: 120%\n    calls", "within 0% to 100%; got 120%"),
        ("share: 100%\n    calls", "share: 60%\n    calls", "journeys: shares must sum to 100%; got 60%"),
        ("share: 100%\n    calls", "share: 99.9\n    calls", "(a percentage? write 99.9% or 0.999)"),
        ("peak_users: 900 to 1100", "peak_users: 60k to 40k", "must run from low to high; got 60k to 40k (write 40k to 60k)"),
        ("calls: {app: 1, store: 2}", "calls: {app: 1, stor: 2}", "journeys.read.calls.stor: is not a tier of this scenario (store?)"),
        ("calls: {app: 1, store: 2}", "calls: {}", "must name at least one"),
        ("journey: read", "journey: reed", "must name one of the journeys; got reed (read?)"),
        ("threads: 8,", "threads: 8, calls: {app: 1},", "calls run in a circle: app -> app"),
        ("threads: 8,", "threads: 8, discipline: ps,", "tiers.app.discipline: must be fcfs where io is blocking"),
        ("threads: 8,", "threads: 8, contention: 5%,", "tiers.app.contention: is about cores that requests share; state discipline: ps"),
        (
            "cores: 4,",
            "cores: 512, hyperthread_gain: 30%,",
            "tiers.store.cores: must be at most 400 where cores hinder each other (hyperthread_gain); got 512",
        ),
        ("connections: 20", "connections: 5000", "must be at most max_connections of all nodes, 400; got 5000"),
        ("growth: 1%/month to 3%/month", "peak_second: 1.2", "traffic.growth: must be stated where there is no history file"),
        ("peak_users: 900 to 1100, ", "", "peak_users with requests_per_user"),
        ("as_of: 2026-11-24", "as_of: 2026-02-30", "as_of: must be a day of the calendar; got 2026-02-30"),
        ("as_of: 2026-11-24", "as_of: soon", "must be a date such as 2026-11-24"),
        (
            "name: small",
            "name: small\nanswers: {9.9.9: {value: yes, owner: me, date: 2026-01-01}}",
            "answers.9.9.9: is not an item of the checklist",
        ),
        (
            "objectives:",
            "  mails: {kind: queue, workers: 2, service_time: 5ms}\nobjectives:\n  sent: {kind: completion, queue: mails, below: 5s}",
            "objectives.sent.queue: must be a queue that gets jobs; nobody calls mails (a journey or a service must)",
        ),
        ("name: small", 'name: "a\\nb"', "must be one line of characters that are seen"),
    ],
)
def test_a_mistake_is_named_with_line_field_rule_value_and_way_out(small, old, new, says):
    assert old in SMALL
    text = problems(small, SMALL.replace(old, new, 1))
    assert says in text
    assert text.startswith(str(small))
    assert len(text.splitlines()) <= 3  # one clear message each


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"   \n\n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "must be text in UTF-8"),
        (b"name: \x00x", "must be plain text"),
        (b"- a\n- b\n", "must be a map of fields"),
        (b"just words", "must be a map of fields"),
        (b"name: [unclosed", "is not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML"),
        (b"x: " + b"[" * 5000, "at most 12 levels"),
        (b"name: x" + b"y" * 1_000_001, "at most 1 MB"),
    ],
)
def test_a_file_that_is_no_scenario_says_so(small, content, says):
    start = time.perf_counter()
    assert says in problems(small, content)
    assert time.perf_counter() - start < 20


def test_an_alias_bomb_is_refused_unopened(small):
    bomb = "a: &a [x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))
    assert "anchors are not allowed" in problems(small, bomb)


def test_all_mistakes_of_a_file_come_at_once(small):
    text = problems(small, SMALL.replace("10ms", "10").replace("instances: 4", "instances: 0").replace("below: 200ms", "below: 200"))
    assert text.splitlines()[0].endswith("3 problems")
    assert len(text.splitlines()) == 4


def test_longer_circles_and_missing_files_are_named(small):
    text = SMALL.replace("store: {", "b: {kind: service, instances: 1, service_time: 1ms, calls: {app: 1}}\n  store: {").replace(
        "threads: 8,", "threads: 8, calls: {b: 1},"
    )
    assert "calls run in a circle" in problems(small, text)
    assert "there is no nowhere.csv" in problems(small, SMALL.replace("growth: 1%/month to 3%/month", "history: nowhere.csv"))
    assert "must lie below the scenario's folder" in problems(
        small, SMALL.replace("growth: 1%/month to 3%/month", "history: ../../etc/passwd")
    )
    with pytest.raises(BadScenario, match="there is none"):
        read(small.parent / "absent.yaml")
    with pytest.raises(BadScenario, match="must be a file"):
        read(small.parent)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("traffic.peak_user=80k", "traffic.peak_user: is not a field here (peak_users?)"),
        ("tiers.ap.instances=3", "there is no tiers.ap in this scenario (app?)"),
        ("nothing", "field=value"),
        ("tiers.app.instances=", "field=value"),
        ("tiers.app.instances=many", "tiers.app.instances: must be a whole number such as 24; got 'many'"),
        ("traffic.events.0.factor=2", "there is no traffic.events in this scenario"),
    ],
)
def test_overrides_are_checked_like_the_file(small, override, says):
    with pytest.raises(BadScenario) as caught:
        read(small, (override,))
    assert says in str(caught.value)
    assert "line" not in str(caught.value)


def test_an_override_states_a_field_anew(small):
    statement = read(small, ("traffic.peak_users=80k", "objectives.read p95.below=1s"))
    assert statement.at().traffic.peak_users == 80_000
    assert statement.entries["traffic.peak_users"].source == "override"
    assert statement.but("traffic.peak_users=90k").at().traffic.peak_users == 90_000


def test_options_must_be_scenarios_too(small):
    text = problems(small, SMALL + "options:\n  more: {set: [tiers.app.instances=0]}\n")
    assert "options.more.set: tiers.app.instances=0: tiers.app.instances: must be a whole number, 1 or more; got 0" in text


def test_options_are_checked_as_a_whole(small):
    """What is wrong alone may be right together, and the other way round."""
    small.write_text(SMALL + "options:\n  shared: {set: [tiers.app.io=async, tiers.app.discipline=ps]}\n")
    assert list(read(small).at().options) == ["shared"]
    text = problems(small, SMALL + "options:\n  big: {set: [tiers.store.connections=400, tiers.store.max_connections=300]}\n")
    assert (
        "line 16: options.big.set: tiers.store.connections=400, tiers.store.max_connections=300: tiers.store.connections: must be" in text
    )


@pytest.mark.parametrize("name", ["a;b", "[1]", 'say "x"', "a; b=c"])
def test_overrides_of_any_text_reach_a_notebook_as_a_list(small, name):
    found = open_plan(str(small), json.dumps([f"name={name}"]), worlds="30")
    assert found.scenario.name == name


def test_overrides_that_are_no_list_say_so(small):
    with pytest.raises(BadScenario, match=r"overrides: must be field=value; field=value, or a JSON list of them; got \[1, 2\]"):
        open_plan(str(small), "[1, 2]")


def test_a_proposal_for_a_tiny_cache_is_a_scenario(small):
    tiny = SMALL.replace("objectives:", "  cache: {kind: cache, instances: 2, origin: store, memory: 300B, item: 10B}\nobjectives:")
    small.write_text(tiny.replace("store: 2}", "cache: 2}"))
    assert "half as much memory again for cache" in {t.name for t in study(read(small), worlds=30).options}


def test_without_a_day_the_plan_is_of_today(small):
    small.write_text(SMALL.replace("as_of: 2026-11-24\n", ""))
    assert read(small, today="2027-01-31").at().as_of == "2027-01-31"


def test_bad_input_ends_with_exit_code_2_and_writes_nothing(small, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.write_text(SMALL.replace("10ms", "10"))
    assert main(["plan", str(small), "--out", "plans/x"]) == 2
    assert main(["check", str(small)]) == 2
    assert "10ms or 10s?" in capsys.readouterr().err
    assert not (tmp_path / "plans").exists()


def test_every_field_says_what_it_means_and_why_its_default():
    from perfplan.schema import all_fields

    rows = all_fields()
    assert len(rows) > 100
    for row in rows:
        assert row["meaning"], row
        assert row["default"] in ("–", "must be stated") or row["reason"], row
    assert {"traffic.peak_users", "tiers.NAME (service).instances"} <= {r["field"] for r in rows}


def test_the_schema_accepts_the_storefront_and_refuses_a_typo():
    import json

    import yaml
    from jsonschema import Draft202012Validator

    from perfplan.schema import json_schema

    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    data = yaml.load(STOREFRONT.read_text(), Loader=yaml.BaseLoader)
    validator = Draft202012Validator(schema)
    assert list(validator.iter_errors(data)) == []
    data["tiers"]["api"]["instnaces"] = "3"
    assert list(validator.iter_errors(data))
    committed = STOREFRONT.parents[1] / "scenario.schema.json"
    assert json.loads(committed.read_text()) == schema, "run: perfplan schema > data/scenario.schema.json"


def test_one_declaration_gives_key_unit_and_default():
    fields = declared(Cache)
    assert fields["service_time_s"].key == "service_time"
    assert fields["memory_bytes"].key == "memory"
    assert fields["service_time_s"].default == "0.3ms"
    assert Cache(kind="cache", instances=1, origin="x").service_time_s == pytest.approx(0.0003)
    assert set(declared(Scenario)) >= {"traffic", "tiers", "objectives"}


def test_a_text_is_parsed_once_and_what_overrides_change_is_a_copy(small, monkeypatch):
    small.write_text(f"# {small}\n{SMALL}", encoding="utf-8")  # a text that nobody has read before
    parsed, compose = [], yaml.compose
    monkeypatch.setattr(yaml, "compose", lambda *text, **how: parsed.append(text) or compose(*text, **how))
    before = {path: entry.text for path, entry in read(small).entries.items()}
    assert read(small, ("tiers.app.instances=9",)).but("tiers.store.cores=8").at().tiers["app"].instances == 9
    assert {path: entry.text for path, entry in read(small).entries.items()} == before
    assert len(parsed) == 1


def test_what_was_tried_is_written_with_its_schema_and_no_value_over_two_lines(small):
    schema = "# yaml-language-server: $schema=scenario.schema.json\n"
    small.write_text(schema + SMALL.replace("price: $0.1/h", "price: $0.1/h, lead_time: 2 weeks"))
    text = stated_text(small, ("tiers.app.instances=5",))
    assert text.startswith(schema)
    assert "2 weeks" in text
    small.write_text(text)
    assert read(small).entries["tiers.app.instances"].text == "5"
