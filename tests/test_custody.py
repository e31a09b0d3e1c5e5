"""What people put into plan folders and around them: nothing of it is lost, overwritten, followed out of the folder or mailed on."""

import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from perfplan.cli import main
from perfplan.reading import BadScenario
from perfplan.system import Lacking
from perfplan.workbook import folder, kept, limits, place
from perfplan.workbook.opening import open_plan
from tests.conftest import SMALL, STOREFRONT

KEPT = Path(__file__).parent / "data" / "plan_1.json"  # of schema 1, from the last version that wrote it


@pytest.fixture
def quick(monkeypatch):
    """Plans without notebooks, page and judges: what is made is plan.json, a note that stands for the page, and inputs/."""

    def fill(making, statement, *_):
        for name, text in {
            "plan.html": "page",
            "notebooks/3_implementation.ipynb": "{}",
            "tables/orders.csv": "a,b",
            "configs/alerts.yml": "x",
        }.items():
            (making.plan / name).parent.mkdir(exist_ok=True)
            (making.plan / name).write_text(text)
        data = json.loads(KEPT.read_text()) | {"name": str(statement.entries["name"].value)}
        (making.plan / "plan.json").write_text(json.dumps(data))
        return None, {}

    monkeypatch.setattr(folder, "fill", fill)


@pytest.fixture
def out(quick, small, tmp_path):
    """A plan folder that was made so."""
    folder.make(small, tmp_path / "plans" / "small")
    return tmp_path / "plans" / "small"


def test_what_lies_in_a_plan_folder_and_is_not_perfplans_is_carried_over(out, small, capsys):
    own = {
        "NOTES.md": "mine",
        "notebooks/what_if.ipynb": "{}",
        "tables/mine.csv": "1",
        "deep/er/x.txt": "y",
        "history/why.txt": "z",
        "inputs/raw.csv": "q",
        "history/old/0001-2026-01-01.json": "{}",
    }
    (out / "empty").mkdir()
    for name, text in own.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    (out / "notebooks" / "3_implementation.ipynb").write_text("annotated")
    for _ in range(2):
        folder.make(small, out)
        assert {name: (out / name).read_text() for name in own} == own
        assert (out / "empty").is_dir()
    assert (out / "edited" / "0001" / "notebooks" / "3_implementation.ipynb").read_text() == "annotated"
    assert (out / "notebooks" / "3_implementation.ipynb").read_text() == "{}"
    assert "kept in edited/0001/: notebooks/3_implementation.ipynb" in capsys.readouterr().err
    assert [p.name for p in kept.history(out / "history")] == ["0001-2026-11-24.json", "0002-2026-11-24.json"]


def test_an_own_file_where_a_new_version_writes_one_is_kept_too(out, small, monkeypatch, capsys):
    (out / "tables" / "new.csv").write_text("mine")
    before = folder.fill

    def fill(making, *rest):
        (making.plan / "tables").mkdir()
        (making.plan / "tables" / "new.csv").write_text("perfplan's")
        return before(making, *rest)

    monkeypatch.setattr(folder, "fill", fill)
    folder.make(small, out)
    assert "yours are kept in edited/0001/: tables/new.csv" in capsys.readouterr().err
    assert (out / "tables" / "new.csv").read_text() == "perfplan's"
    assert (out / "edited" / "0001" / "tables" / "new.csv").read_text() == "mine"


@pytest.mark.parametrize("written", [None, "{", '{"schema": "x"}'])
def test_without_what_was_written_everything_is_kept(out, small, capsys, written):
    (out / "written.json").unlink()
    if written:
        (out / "written.json").write_text(written)
    own = {"NOTES.md": "mine", "notebooks/what_if.ipynb": "mine"}
    maybe = {"configs/own.txt": "mine", "configs/sub/x.txt": "mine", "inputs/raw.csv": "mine", "notebooks/3_implementation.ipynb": "mine"}
    for name, text in (own | maybe).items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    folder.make(small, out)
    assert {name: (out / name).read_text() for name in own} == own
    assert {name: (out / "edited" / "0001" / name).read_text() for name in maybe} == maybe
    assert "perhaps changed, as it was not written down what perfplan wrote, and kept in edited/0001/" in capsys.readouterr().err


def test_what_comes_while_a_plan_is_made_is_carried_too(out, small, monkeypatch):
    before, publish = folder.fill, place.Making.publish

    def fill(*rest):
        (out / "LATE.md").write_text("late")
        (out / "configs" / "alerts.yml").write_text("changed")
        return before(*rest)

    def last_moment(making):
        (out / "LATER.md").write_text("later")
        return publish(making)

    monkeypatch.setattr(folder, "fill", fill)
    monkeypatch.setattr(place.Making, "publish", last_moment)
    folder.make(small, out)
    assert [(out / name).read_text() for name in ("LATE.md", "LATER.md", "edited/0001/configs/alerts.yml")] == ["late", "later", "changed"]


def test_a_folder_that_is_no_plan_is_refused_before_it_is_searched(small, tmp_path, monkeypatch):
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "x").write_text("x")
    monkeypatch.setattr(folder, "_ready", lambda *_: pytest.fail("it was searched"))
    with pytest.raises(BadScenario, match="is something else"):
        folder.make(small, tmp_path / "large")


def test_a_signal_that_comes_when_the_new_plan_stands_is_too_late(out, small, monkeypatch):
    publish = place.Making.publish

    def asked(making):
        old = publish(making)
        os.kill(os.getpid(), signal.SIGTERM)
        (old / "LATE.md").write_text("late")
        return old

    monkeypatch.setattr(place.Making, "publish", asked)
    with place.stopping_on_signals():
        folder.make(small, out)
    assert (out / "LATE.md").read_text() == "late"
    assert len(kept.history(out / "history")) == 1


def test_a_service_that_is_renamed_while_its_plan_waits_is_another_service(out, small, monkeypatch):
    before = folder.carry_history

    def renamed(*rest):
        small.write_text(SMALL.replace("name: small", "name: other"))
        return before(*rest)

    monkeypatch.setattr(folder, "carry_history", renamed)
    with pytest.raises(BadScenario, match="holds the plan of 'small', this one is 'other'"):
        folder.make(small, out)


def test_what_cannot_be_carried_over_is_said_before_the_work(tmp_path):
    with tempfile.TemporaryDirectory() as room:
        out = Path(room) / "plan"
        for one in (Path(room), out, out / "mine"):
            one.mkdir(exist_ok=True)
            one.chmod(0o777)
        (out / "SECRET.md").write_text("x")
        (out / "SECRET.md").chmod(0o600)
        said = as_nobody(lambda: [_said(out)], Path(room) / "said") if os.geteuid() == 0 else "skipped"
        assert said in (
            "skipped",
            f"{out / 'SECRET.md'} cannot be carried over to the new plan: it belongs to root (move it away, or state another "
            "place with --out)",
        )
        (out / "SECRET.md").chmod(0o644)
        (out / "mine").chmod(0o755)
        said = as_nobody(lambda: [_said(out)], Path(room) / "said") if os.geteuid() == 0 else "skipped"
        assert said in (
            "skipped",
            f"{out / 'mine'} cannot be carried over to the new plan: it belongs to root (move it away, or state another place with --out)",
        )


def test_a_mount_point_is_no_place(tmp_path, monkeypatch):
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    with pytest.raises(Lacking, match=r"it is a mount point \(state a folder in it"):
        place.ready(tmp_path / "volume", 1.0)


def test_a_stage_that_was_planted_harms_nothing(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ".plan.making").symlink_to(elsewhere)
    with pytest.raises(Lacking, match="it is a link"), place.making(tmp_path / "plan"):
        pass
    assert list(elsewhere.iterdir()) == []
    (tmp_path / ".plan.making").unlink()
    (tmp_path / ".plan.making").mkdir()
    os.mkfifo(tmp_path / ".plan.making" / "room")
    with place.making(tmp_path / "plan"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere"]


def test_an_own_file_called_edited_is_refused(out, small):
    (out / "edited").write_text("mine")
    with pytest.raises(BadScenario, match="it is a file"):
        folder.make(small, out)


@pytest.mark.parametrize("name", ["con", "NUL", "aux.x", "shop.", "COM1"])
def test_a_new_folder_has_a_name_that_every_system_allows(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    assert "must be a name that every system allows" in capsys.readouterr().err


def test_a_new_scenario_is_whole_or_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "scenario.schema.json")

    monkeypatch.setattr("perfplan.starter.json_schema", full)
    assert main(["new", "shop"]) == 3
    assert capsys.readouterr().err == "perfplan: no space is left for scenario.schema.json (free some)\n"
    assert list(tmp_path.iterdir()) == []


def test_an_explored_scenario_is_written_beside_the_other_or_not_at_all(small, tmp_path, monkeypatch):
    from perfplan.workbook.exploring import explore

    found = explore(str(small))
    (small.parent / "explored.yaml").symlink_to(tmp_path / "outside.yaml")
    assert found.save() is None
    assert not (tmp_path / "outside.yaml").exists()
    found.name.value = "x.yaml"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perfplan.workbook.exploring.stated_text", lambda *_: "x")
    monkeypatch.setattr("pathlib.Path.open", full)
    assert found.save() is None
    assert "could not be written: No space left" in found.saved.value


def test_a_bomb_beside_a_scenario_is_refused_by_what_it_unpacks_to(small, monkeypatch):
    import lzma

    (small.parent / "s.csv.xz").write_bytes(lzma.compress(b"seconds\n" + b"x" * 3_000_000))
    small.write_text(SMALL.replace("service_time: 10ms", "service: {samples: s.csv.xz}"))
    monkeypatch.setattr("perfplan.reading.measured.LARGEST", 1_000_000)
    with pytest.raises(BadScenario, match=r"must be at most 1 MB, unpacked; s\.csv\.xz is larger"):
        folder.read(small)


def test_a_folder_that_is_no_plan_is_not_replaced(quick, small, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for text in ('{"schema": "terraform/plan/1"}', "{}", "[]", "{", '{"schema": "perfplan/plan/x"}'):
        (other / "plan.json").write_text(text)
        with pytest.raises(BadScenario, match="must be a new folder or one that holds a plan"):
            folder.make(small, other)
        assert (other / "plan.json").read_text() == text
    with pytest.raises(BadScenario, match="is a file"):
        folder.make(small, other / "plan.json")


def test_a_folder_that_holds_what_the_plan_is_made_from_is_not_replaced(out, tmp_path, small):
    inside = out / "scenario.yaml"
    inside.write_text(SMALL)
    with pytest.raises(BadScenario, match=r"holds .*scenario\.yaml"):
        folder.make(inside, out)
    with pytest.raises(BadScenario, match="holds"):
        folder.make(out / "inputs" / "scenario.yaml", out)
    (tmp_path / "link").symlink_to(out)
    with pytest.raises(BadScenario, match="holds"):
        folder.make(inside, tmp_path / "link")
    assert inside.read_text() == SMALL


def test_each_scenario_of_a_folder_has_a_place_of_its_own(quick, small, tmp_path, monkeypatch, capsys):
    from perfplan import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("perfplan.document.story.story", lambda _: type("Told", (), {"lines": lambda self: []})())
    small.with_name("black-friday.yaml").write_text(SMALL.replace("name: small", "name: bf"))
    assert main(["plan", str(small)]) == main(["plan", str(small.with_name("black-friday.yaml"))]) == 0
    assert sorted(p.name for p in (tmp_path / "plans").iterdir()) == ["small", "small-black-friday"]
    assert cli._place(Path("/scenario.yaml")) == Path("plans/root")
    small.write_text(SMALL.replace("name: small", "name: tiny"))
    assert main(["plan", str(small)]) == 2
    said = capsys.readouterr().err
    assert "holds the plan of 'small', this one is 'tiny'" in said
    assert "--renamed" in said
    assert main(["plan", str(small), "--renamed"]) == 0
    assert json.loads((tmp_path / "plans" / "small" / "plan.json").read_text())["name"] == "tiny"


def test_a_link_to_a_plan_is_its_plan(out, small, tmp_path):
    link = tmp_path / "elsewhere" / "current"
    link.parent.mkdir()
    link.symlink_to(out)
    folder.make(small, link)
    assert link.is_symlink()
    assert len(kept.history(out / "history")) == 1
    assert sorted(p.name for p in link.parent.iterdir()) == ["current"]
    with place.making(link) as making:
        assert making.out == out.resolve()
        assert (out.parent / ".small.lock").exists()


def test_links_are_not_followed_out_of_the_folder(out, small, tmp_path, capsys):
    secret = tmp_path / "secret.json"
    secret.write_text('{"password": "hunter2"}')
    (out / "history" / "0001-2026-01-01.json").symlink_to(secret)
    (out / "history" / "0002-2026-01-01.json").symlink_to(tmp_path)
    (out / "history" / "more").symlink_to(tmp_path)
    for _ in range(2):
        folder.make(small, out)
    assert "left out, as they are links: history/0001-2026-01-01.json, history/0002" in capsys.readouterr().err
    assert not [p for p in out.rglob("*") if p.is_symlink() or (p.is_file() and b"hunter2" in p.read_bytes())]
    (out / "latest").symlink_to(secret)
    with pytest.raises(BadScenario, match=r"latest in .* is a link \(move it away\)"):
        folder.make(small, out)
    (out / "latest").unlink()
    os.mkfifo(out / "pipe")
    with pytest.raises(BadScenario, match=r"pipe in .* is no file"):
        folder.make(small, out)


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


def test_a_scenario_that_changes_while_a_plan_waits_is_named_by_its_own_path(small, tmp_path, monkeypatch):
    before = folder.carry_history

    def edited(*rest):
        small.write_text(SMALL.replace("kind: service", "kind: servant"))
        return before(*rest)

    monkeypatch.setattr(folder, "carry_history", edited)
    with pytest.raises(BadScenario) as caught:
        folder.make(small, tmp_path / "plan")
    assert str(caught.value).startswith(f"{small}: 1 problem")
    assert not (tmp_path / "plan").exists()


def test_space_and_rights_are_asked_before_the_work(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder, "fill", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000_000})())
    assert main(["plan", str(small), "--out", str(tmp_path / "plan")]) == 3
    assert re.search(
        r"perfplan: \S+ must have \d+ MB free; it has 1\.0 MB \(free some, or state another place with --out\)", capsys.readouterr().err
    )


def _said(path):
    try:
        place.ready(path, 1.0)
    except Lacking as error:
        return str(error)
    return "ready"


def as_nobody(ask, room):
    """What *ask* says in a process of another user, by lines."""
    said = os.open(room, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            os.write(said, "\n".join(ask()).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(said)
    return room.read_text()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs two users")
def test_a_place_of_somebody_else_is_refused_at_once():
    with tempfile.TemporaryDirectory() as room:
        theirs, mine = Path(room) / "theirs", Path(room) / "shared"
        for one, mode in ((Path(room), 0o755), (theirs, 0o755), (mine, 0o1777), (mine / "plan", 0o755)):
            one.mkdir(exist_ok=True)
            one.chmod(mode)
        said = as_nobody(lambda: [_said(path) for path in (theirs / "plan", mine / "plan", mine / "new")], Path(room) / "said")
        assert said.splitlines() == [
            f"{theirs} cannot be written: it belongs to root (state another place with --out)",
            f"{mine / 'plan'} cannot be replaced: it belongs to root (state another place with --out)",
            "ready",
        ]


def test_too_many_worlds_for_the_memory_are_refused_with_how_many_fit(small, monkeypatch, capsys):
    monkeypatch.setattr("perfplan.system.free_memory", lambda: 1e9)
    assert main(["check", str(small), "--worlds", "100000"]) == 3
    said = capsys.readouterr().err
    assert re.search(
        r"100,000 worlds of this scenario would need about \S+ GB of memory; 1 GB are free \(state fewer worlds: about ([\d,]+) fit\)",
        said,
    )
    fit = int(re.search(r"about ([\d,]+) fit", said)[1].replace(",", ""))
    limits.enough("check", folder.read(small), fit)
    with pytest.raises(Lacking, match="fewer worlds"):
        open_plan(str(small), worlds="100000")
    with pytest.raises(Lacking):
        limits.enough("check", folder.read(small), round(fit * 1.1))


def test_a_large_copy_is_said_with_the_way_to_a_smaller_one(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder, "LARGE", 100_000)
    folder.make(STOREFRONT, tmp_path / "plan")
    assert re.search(r"inputs/ holds a copy of traffic\.csv \(\d+ MB\); traffic\.csv\.gz would be read as well\n", capsys.readouterr().err)
