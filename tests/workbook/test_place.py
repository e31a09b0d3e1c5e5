"""A plan is whole, or the old one stands: killed at any moment, made twice at once, interrupted, out of space."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from perfplan.cli import main
from perfplan.workbook import carrying, folder, place
from tests.conftest import DATA

PLAN = json.loads((DATA / "plan_1.json").read_text())
KILLS = 100
FILES = 40


def make(out, number, exchange=True):
    """A plan of many small files that all hold its number, with the history of what stood there."""
    if not exchange:
        place.exchange = lambda *_: False
    with place.making(out) as making:
        carrying.carry_history(making.plan, making.out)
        for i in range(FILES):
            (making.plan / f"{i}.txt").write_text(str(number))
        (making.plan / "plan.json").write_text(json.dumps(PLAN | {"number": number}))
        making.publish()


def child(out, number, exchange):
    """Make a plan in a process of its own; returns its id."""
    pid = os.fork()
    if pid == 0:
        try:
            make(out, number, exchange)
        finally:
            os._exit(0)
    return pid


def number_of(out):
    """The plan's number, after checking that all of it is of one plan."""
    number = json.loads((out / "plan.json").read_text())["number"]
    assert {p.read_text() for p in out.glob("*.txt")} == {str(number)}
    assert len(list(out.glob("*.txt"))) == FILES
    return number


def kept(out):
    return [json.loads(p.read_text())["number"] for p in sorted((out / "history").glob("*.json"))]


def litter(out):
    return [p.name for p in out.parent.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_a_plan_killed_at_any_moment_is_the_old_or_the_new_one_and_history_is_never_lost(tmp_path, monkeypatch, exchange):
    out, chance = tmp_path / "plans" / "shop", random.Random(7)
    own = tmp_path / "own"  # other plans may be made on this machine at the same time
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    start = time.monotonic()
    make(out, 0)
    usual_s = time.monotonic() - start
    last, died_early = 0, 0
    for number in range(1, KILLS // 2 + 1):
        pid = child(out, number, exchange)
        time.sleep(chance.uniform(0, 2 * usual_s))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if out.exists():
            assert number_of(out) in (last, number)
        else:
            assert not exchange  # only between two renames, and then the next run puts it back
        place.recover(out, out.parent / ".shop.making")
        found = number_of(out)
        assert found in (last, number)
        died_early += found == last
        usual_s *= 1.15 if found == last else 0.85  # so that some die before the exchange and some after, on any machine
        assert kept(out) == sorted(kept(out))
        if found == number:
            assert kept(out)[-1] == last  # what it replaced
        last = found
    assert 0 < died_early < KILLS // 2  # some died before, some after
    make(out, 1000)
    assert kept(out)[-1] == last
    assert litter(out) == []
    assert list(own.glob("perfplan-*")) == []


def test_two_runs_into_one_folder_come_one_after_the_other(tmp_path):
    out = tmp_path / "shop"
    for pid in [child(out, number, True) for number in range(1, 9)]:
        os.waitpid(pid, 0)
    assert sorted([*kept(out), number_of(out)]) == list(range(1, 9))
    assert litter(out) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied"), KeyboardInterrupt()]
)
def test_what_stops_a_plan_leaves_the_old_one_and_no_litter(small, tmp_path, monkeypatch, capsys, error):
    out = tmp_path / "plans" / "small"
    make(out, 1)

    def fail(*_):
        raise error

    monkeypatch.setattr(folder, "document", fail)  # after the notebooks have run
    monkeypatch.setattr(folder, "_run", lambda *_: None)
    code = main(["plan", str(small), "--out", str(out), "--worlds", "30"])
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 3)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert number_of(out) == 1
    assert litter(out) == []


def test_interrupting_the_command_ends_its_kernel_and_leaves_nothing(small, tmp_path):
    out = tmp_path / "plans" / "small"
    command = [sys.executable, "-m", "perfplan", "plan", str(small), "--out", str(out), "--worlds", "30"]
    with tempfile.TemporaryDirectory() as own:  # other plans may be made on this machine at the same time
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": own})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not list(Path(own).glob("perfplan-*/kernel.json")):
            time.sleep(0.05)
        kernels = list(Path(own).glob("perfplan-*/kernel.json"))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert kernels
        assert process.returncode == 130
        assert "what was there before stands" in said
        assert not out.exists()
        assert litter(out) == []
        assert not list(Path(own).glob("perfplan-*"))
        deadline = time.monotonic() + 10  # what was killed takes a moment to be gone on a busy machine
        while (left := [p for p in Path("/proc").glob("[0-9]*/cmdline") if own.encode() in _read(p)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left


def _read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def test_history_counts_on_and_survives_an_unreadable_plan(tmp_path):
    out = tmp_path / "shop"
    make(out, 1)
    make(out, 2)
    (out / "plan.json").write_text("{")
    make(out, 3)
    names = sorted(p.name for p in (out / "history").iterdir())
    assert names == ["0001-2026-11-24.json", "0002-plan.json.damaged"]
    make(out, 4)
    assert sorted(p.name for p in (out / "history").iterdir()) == ["0001-2026-11-24.json", "0003-2026-11-24.json"]
