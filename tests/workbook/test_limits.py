"""What is asked before the work: space, rights, memory, names."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from perfplan.cli import main
from perfplan.reading import BadScenario
from perfplan.system import Lacking
from perfplan.workbook import folder, limits, place
from perfplan.workbook.opening import open_plan
from tests.conftest import SMALL, STOREFRONT


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


@pytest.mark.parametrize("name", ["con", "NUL", "aux.x", "shop.", "COM1"])
def test_a_new_folder_has_a_name_that_every_system_allows(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    assert "must be a name that every system allows" in capsys.readouterr().err


def test_a_bomb_beside_a_scenario_is_refused_by_what_it_unpacks_to(small, monkeypatch):
    import lzma

    (small.parent / "s.csv.xz").write_bytes(lzma.compress(b"seconds\n" + b"x" * 3_000_000))
    small.write_text(SMALL.replace("service_time: 10ms", "service: {samples: s.csv.xz}"))
    monkeypatch.setattr("perfplan.reading.measured.LARGEST", 1_000_000)
    with pytest.raises(BadScenario, match=r"must be at most 1 MB, unpacked; s\.csv\.xz is larger"):
        folder.read(small)


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
