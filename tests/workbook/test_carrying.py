"""What people put into plan folders and around them: nothing of it is lost, overwritten, followed out of the folder or mailed on."""

import json
import os
import signal
from pathlib import Path

import pytest

from perfplan.cli import main
from perfplan.reading import BadScenario
from perfplan.system import Lacking
from perfplan.workbook import folder, kept, place
from tests.conftest import SMALL


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


def test_a_new_scenario_is_whole_or_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "scenario.schema.json")

    monkeypatch.setattr("perfplan.starter.json_schema", full)
    assert main(["new", "shop"]) == 3
    assert capsys.readouterr().err == "perfplan: no space is left for scenario.schema.json (free some)\n"
    assert list(tmp_path.iterdir()) == []


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
    from perfplan.cli import planning

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("perfplan.document.story.story", lambda _: type("Told", (), {"lines": lambda self: []})())
    small.with_name("black-friday.yaml").write_text(SMALL.replace("name: small", "name: bf"))
    assert main(["plan", str(small)]) == main(["plan", str(small.with_name("black-friday.yaml"))]) == 0
    assert sorted(p.name for p in (tmp_path / "plans").iterdir()) == ["small", "small-black-friday"]
    assert planning._place(Path("/scenario.yaml")) == Path("plans/root")
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
