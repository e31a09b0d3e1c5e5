"""`perfplan check`: in words, as JSON, and again at every save."""

import json

import pytest

from perfplan.cli import main
from perfplan.reading import read
from perfplan.workbook.checking import changes, check, watch


def test_json_says_what_the_words_say(small, capsys):
    code = main(["check", str(small), "--worlds", "60"])
    words = capsys.readouterr().out
    assert main(["check", str(small), "--worlds", "60", "--format", "json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "perfplan/check/1"
    assert found["holds"] == (code == 0)
    assert [("ok " if one["holds"] else "BROKEN") in words for one in found["promises"]] == [True] * len(found["promises"])
    for one in found["promises"]:
        line = next(line for line in words.splitlines() if f" {one['name']}: " in line)
        assert line.startswith("ok" if one["holds"] else "BROKEN")
        assert one["promise"] in line
        assert one["breaks_from"] in line
        assert 0 <= one["lowest_p"] <= 1


def test_a_file_is_checked_again_when_it_is_saved(small, monkeypatch):
    """Whatever was saved: a mistake is said, and the next save is looked at."""
    said = []
    saves = iter(
        [
            lambda text: text.replace("below: 200ms", "below: 22ms"),
            lambda text: text.replace("below: 22ms", "below: 22 apples"),
            lambda text: text.replace("below: 22 apples", "below: 200ms"),
        ]
    )
    text = small.read_text(encoding="utf-8")
    assert "below: 200ms" in text

    def save(_):
        nonlocal text
        text = next(saves)(text)
        small.write_text(text, encoding="utf-8")

    monkeypatch.setattr("perfplan.workbook.checking.time.sleep", save)
    rounds = watch(lambda: read(small), small.parent, 60, said.append)
    found = [next(rounds) for _ in range(4)]
    assert found[2] is False
    assert "must be a duration" in said[2]
    assert "objectives.read p95.below: 200ms -> 22ms\n" in said[1]
    assert found[1] is False
    assert said[1].endswith("BROKEN")
    assert found[3] == found[0]
    assert "objectives.read p95.below: 22ms -> 200ms\n" in said[3]


def test_nothing_changed_says_nothing(small):
    made, report = read(small), check(read(small), 60)
    assert changes(made, report, made, report) == []


def test_watching_prints_words(capsys, small):
    for more in (["--items"], ["--format", "json"]):
        assert main(["check", str(small), "--watch", *more]) == 2
        assert "--watch" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scenario.yaml", "other.yaml"])
def test_links_and_deep_folders_are_not_watched(small, tmp_path, name):
    from perfplan.workbook.checking import _stamps

    deep = small.parent / "a" / "b"
    deep.mkdir(parents=True)
    (deep / name).write_text("x", encoding="utf-8")
    (small.parent / "link.yaml").symlink_to(deep / name)
    assert set(_stamps(small.parent)) == {small}
