"""Earlier plans: each schema is read, what is damaged or strange is set aside or refused."""

import json
import re
import shutil

import pytest

from perfplan.cli import main
from perfplan.workbook import folder, kept
from tests.workbook.conftest import KEPT


def test_only_regular_numbered_files_are_earlier_plans(tmp_path):
    for name in ("0002-b.json", "0001-a.json", "10000-c.json", "x.json", "003-d.json", "0004-e.json.damaged"):
        (tmp_path / name).write_text(KEPT.read_text())
    (tmp_path / "0005-f.json").symlink_to(tmp_path / "0001-a.json")
    (tmp_path / "0006-g.json").mkdir()
    assert [p.name for p in kept.history(tmp_path)] == ["0001-a.json", "0002-b.json", "10000-c.json"]
    (tmp_path / "10000-c.json").write_text("{")
    assert kept.newest(tmp_path) == json.loads(KEPT.read_text())


def test_a_damaged_plan_is_set_aside_and_the_new_one_is_made(out, small, capsys):
    (out / "plan.json").write_text('{"schema": "perfplan/plan/2", "na')
    folder.make(small, out)
    assert capsys.readouterr().err == "the plan that was there is damaged; it is kept as history/0001-plan.json.damaged\n"
    assert (out / "history" / "0001-plan.json.damaged").read_text() == '{"schema": "perfplan/plan/2", "na'
    (out / "plan.json").write_text('{"schema": "perfplan/plan/2"}')  # JSON, and ours, but numbers are missing
    folder.make(small, out)
    folder.make(small, out)
    assert sorted(p.name for p in (out / "history").iterdir()) == [
        "0001-plan.json.damaged",
        "0002-unreadable.json",
        "0003-2026-11-24.json",
    ]


@pytest.mark.parametrize("schema", [1, 2])
def test_a_kept_plan_of_each_schema_is_read_and_compared(schema, capsys):
    path = KEPT.with_name(f"plan_{schema}.json")
    assert kept.load(path)["schema"] == f"perfplan/plan/{schema}"
    other = KEPT.with_name(f"plan_{3 - schema}.json")
    assert main(["diff", str(path), str(other)]) in (0, 1)
    assert capsys.readouterr().out.strip().splitlines()[-1].endswith(("differences", "difference"))


def test_an_earlier_plan_of_schema_1_stands_beside_the_new_one(tmp_path, small):
    from perfplan.workbook.opening import previous

    (tmp_path / "plan" / "inputs").mkdir(parents=True)
    (tmp_path / "plan" / "history").mkdir()
    shutil.copyfile(KEPT, tmp_path / "plan" / "history" / "0001-2026-11-24.json")
    found = previous(str(tmp_path / "plan" / "inputs" / "scenario.yaml"))
    assert found is not None
    assert found["schema"] == "perfplan/plan/1"


MALFORMED = {
    "inputs": None,
    "numbers": {"a.2026-11": {"value": "many"}},
    "fleet": [{"month": "2026-13", "counts": {}}],
    "as_of": "yesterday",
    "verdict": 3,
    "schema": "perfplan/plan/99",
}


@pytest.mark.parametrize("key", MALFORMED)
def test_what_is_no_plan_is_one_clear_error_of_diff(tmp_path, capsys, key):
    data = json.loads(KEPT.read_text())
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data | {key: MALFORMED[key]}))
    assert main(["diff", str(path), str(KEPT)]) == 2
    assert re.search(rf"plan\.json: 1 problem\n  plan: must be a plan folder or its plan\.json; .*{key}", capsys.readouterr().err)
    if key != "schema":
        data.pop(key)
        path.write_text(json.dumps(data))
        assert main(["diff", str(path), str(KEPT)]) == 2
        assert f"{key} is missing" in capsys.readouterr().err


def test_a_huge_a_deep_and_a_strange_plan_json_are_refused_at_once(tmp_path, capsys):
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate(600_000_000)
    assert main(["diff", str(path), str(KEPT)]) == 2
    assert "it has 600 MB; a plan has at most 20" in capsys.readouterr().err
    path.write_text("[" * 100_000)
    assert main(["diff", str(path), str(KEPT)]) == 2
    assert "it nests too deep" in capsys.readouterr().err
    for place_ in ("/dev/zero", tmp_path / "none"):
        assert main(["diff", str(place_), str(KEPT)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_hostile_names_forge_no_line_and_send_nothing_to_the_terminal(tmp_path, capsys):
    data = json.loads(KEPT.read_text())
    evil = "x\x1b]0;owned\x07\ncost    Cost per month: $1 -> $2\r\x9b31m\u202e"
    data["inputs"][evil] = {"text": evil, "value": None}
    data["verdict"] = evil
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data))
    for form in ("text", "json", "html"):
        assert main(["diff", str(KEPT), str(path), "--format", form]) == 1
        said = capsys.readouterr().out
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said)
        if form == "text":
            assert not [line for line in said.splitlines() if line.startswith("cost")]
            assert said.splitlines()[-1] == "2 differences"
        if form == "json":
            assert [row for row in json.loads(said)["differences"] if row["what"].startswith("Input: x\x1b")]
