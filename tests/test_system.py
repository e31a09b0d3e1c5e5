"""Systems that lack something, streams that cannot show everything, signals, kernels that die: each is said for what it is, and nothing
is left."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from perfplan import system, terminal
from perfplan.artifacts import configs
from perfplan.cli import main
from perfplan.operate.text import slug
from perfplan.study import study
from perfplan.workbook import engine, folder
from perfplan.workbook.engine import KernelDied, one_kernel
from tests.conftest import ROOT, STOREFRONT
from tests.workbook.test_page import hostile_scenario

PERFPLAN = [sys.executable, "-m", "perfplan"]


def run(*arguments, **more):
    return subprocess.run([*PERFPLAN, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, **more)


# ---- streams ----


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_stream_that_lacks_letters_gets_others(encoding):
    done = subprocess.run(
        [*PERFPLAN, "check", str(STOREFRONT), "--worlds", "30"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 1
    assert done.stderr == b""
    said = done.stdout.decode(encoding)
    assert ("+- " if encoding == "ascii" else "± ") in said
    assert "\\u" not in said


def test_every_sign_that_perfplan_writes_has_other_letters_or_a_number():
    terminal.prepare()
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="perfplan")
    terminal.say("a → b … 5 ± 1 – x’s “y” 3 × 2 ≥ 1 \u05e9 \U0001f600", out)
    assert out.buffer.getvalue() == b'a -> b ... 5 +- 1 - x\'s "y" 3 x 2 >= 1 \\u05e9 \\U0001f600\n'


def test_a_reader_who_leaves_early_is_no_error(small):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PERFPLAN, "check", str(small), "--worlds", "30"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["check", "plan"])
def test_closed_streams_give_their_numbers_to_no_file(small, tmp_path, command):
    more = f"--out {tmp_path / 'plan'}" if command == "plan" else ""
    closed = f"exec {sys.executable} -m perfplan {command} {small} {more} --worlds 30 <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], check=False).returncode == 0


# ---- limits ----


@pytest.mark.parametrize(
    ("command", "limit", "said"),
    [
        ("plan", "ulimit -v 800000", r"it would need about 1\.4 GB of memory and addresses; this process may have 0\.82 GB"),
        ("check", "ulimit -v 400000", r"it would need about 0\.5 GB of memory and addresses; this process may have 0\.41 GB"),
        ("plan", "ulimit -n 32", r"64 files must be open at once; this process may open 32 \(raise it: `ulimit -n 4096`\)"),
    ],
)
def test_a_limit_is_said_before_the_work(small, tmp_path, command, limit, said):
    more = f"--out {tmp_path / 'plan'}" if command == "plan" else ""
    start = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", f"{limit}; exec {sys.executable} -m perfplan {command} {small} {more}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert re.fullmatch(rf"perfplan: {said}.*\n", done.stderr)
    assert time.monotonic() - start < 20  # not half an hour
    assert not (tmp_path / "plan").exists()


def test_memory_that_ends_all_the_same_is_said(small, monkeypatch, capsys):
    def ended(*_):
        raise MemoryError

    monkeypatch.setattr("perfplan.workbook.checking.run_outs", ended)
    assert main(["check", str(small), "--worlds", "30"]) == 3
    assert capsys.readouterr().err == "perfplan: memory ended; state fewer --worlds, or close other programs\n"


def test_sockets_lie_where_names_are_short(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert system.room_for_sockets() == Path("/tmp")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(system.Lacking, match="set TMPDIR to another one"):
        system.room_for_sockets()


def test_a_container_that_may_use_less_than_its_machine_has_less(monkeypatch, tmp_path):
    for name, text in {"memory.max": "1000000\n", "memory.current": "700000\n", "memory.stat": "anon 1\nfile 500000\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(system, "CONTAINERS", ((str(tmp_path), "memory.max", "memory.current", "file"),))
    assert system.free_memory() == 800_000
    (tmp_path / "memory.max").write_text("max\n")
    assert system.free_memory() > 1e6


@pytest.mark.parametrize("command", ["new x", "schema", "fields", "diff a b", "validate a", "lab"])
def test_no_command_hangs_where_memory_is_short(command, tmp_path):
    done = subprocess.run(
        ["sh", "-c", f"ulimit -v 200000; exec {sys.executable} -m perfplan {command}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=30,
    )
    assert done.returncode == 3
    assert "GB of memory and addresses; this process may have 0.2 GB" in done.stderr


def test_a_folder_for_temporary_files_with_a_strange_name_is_not_used_for_sockets(monkeypatch, tmp_path):
    for name in ("a b", "x;y", "ü"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", f"/tmp/{name}")
        assert system.room_for_sockets() == Path("/tmp")


def test_a_file_system_without_names_left_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(system.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1e9})())
    monkeypatch.setattr(os, "statvfs", lambda _: type("About", (), {"f_files": 20, "f_favail": 3})())
    with pytest.raises(system.Lacking, match="must have room for 150 files; its file system has 3 left"):
        system.enough_space(tmp_path, 1.0, "free some")


def test_a_workbook_that_was_copied_half_is_copied_again(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "shipped", lambda name: ROOT / name)
    monkeypatch.setattr(folder.Path, "is_relative_to", lambda *_: False)
    copy = folder.shutil.copytree

    def half(one, other):
        copy(one, other)
        raise OSError(28, "No space left on device", str(other))

    monkeypatch.setattr(folder.shutil, "copytree", half)
    with pytest.raises(OSError, match="No space"):
        folder.workbook(tmp_path)
    monkeypatch.setattr(folder.shutil, "copytree", copy)
    assert folder.workbook(tmp_path) == tmp_path / "perfplan-lab"
    assert sorted(p.name for p in (tmp_path / "perfplan-lab").iterdir()) == ["data", "notebooks"]
    (tmp_path / "perfplan-lab" / "notebooks" / "mine.ipynb").write_text("mine")
    folder.workbook(tmp_path)
    assert (tmp_path / "perfplan-lab" / "notebooks" / "mine.ipynb").read_text() == "mine"


# ---- signals ----


def hearing():
    """Signals as a terminal's shell leaves them: `nohup` and jobs in the background ignore some."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def stopped(number, when, *arguments, env=None):
    """What a command says and leaves when the signal comes once *when*(its id) is true."""
    process = subprocess.Popen(
        [*PERFPLAN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=hearing
    )
    deadline = time.monotonic() + 60
    while not when(process.pid) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    return process.returncode, out, said


def maps(name):
    def seen(pid):
        with contextlib.suppress(OSError):
            return name in Path(f"/proc/{pid}/maps").read_text()
        return False

    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("library", ["_multiarray_umath", "scipy/special/_ufuncs"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["INT", "HUP"])
def test_a_signal_while_libraries_are_imported_ends_at_once(small, number, library):
    code, out, said = stopped(number, maps(library), "check", small)
    assert (code, out) == (130, "")
    assert said == "perfplan: interrupted\n"


def test_a_hangup_while_a_plan_is_made_leaves_nothing(small, tmp_path):
    out = tmp_path / "plans" / "small"
    with tempfile.TemporaryDirectory() as own:
        code, _, said = stopped(
            signal.SIGHUP,
            lambda _: list(Path(own).glob("perfplan-*/kernel.json")),
            "plan",
            small,
            "--out",
            out,
            "--worlds",
            "30",
            env=os.environ | {"TMPDIR": own},
        )
        assert (code, said) == (130, "perfplan: interrupted; what was there before stands\n")
        assert list(Path(own).iterdir()) == list(out.parent.iterdir()) == []


def test_a_signal_while_a_plan_is_validated_leaves_nothing(small, tmp_path):
    folder.make(small, tmp_path / "plan", (), 30)
    with tempfile.TemporaryDirectory() as own:
        started = lambda _: list(Path(own).glob("perfplan-*/kernel.json"))  # noqa: E731
        code, _, said = stopped(signal.SIGINT, started, "validate", tmp_path / "plan", env=os.environ | {"TMPDIR": own})
        assert (code, said) == (130, "perfplan: interrupted; what was there before stands\n")
        assert list(Path(own).iterdir()) == []


def test_a_signal_that_is_ignored_stays_ignored(small):
    ignoring = [
        sys.executable,
        "-c",
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
    ]
    process = subprocess.Popen([*ignoring, "-m", "perfplan", "check", str(small), "--worlds", "30"], stdout=subprocess.PIPE)
    while not maps("_multiarray_umath")(process.pid):
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert b"P(every objective holds)" in process.communicate(timeout=60)[0]
    assert process.returncode == 0


# ---- the kernel ----


def test_a_kernel_that_is_killed_ends_the_plan_in_two_seconds(small, tmp_path, monkeypatch, capsys):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = json.loads(path.read_text())
        cell = next(c for c in text["cells"] if c["cell_type"] == "code" and "parameters" not in c["metadata"].get("tags", ()))
        cell["source"] = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        (notebooks / path.name).write_text(json.dumps(text))
    monkeypatch.setattr(folder, "notebooks_folder", lambda: notebooks)
    monkeypatch.setattr(folder, "plan_of", lambda *_: None)
    monkeypatch.setattr(folder, "_computed", lambda *_: {})
    for name in ("one", "stock"):
        assert main(["plan", str(small), "--out", str(tmp_path / "plan"), "--worlds", "30", "--engine", name]) == 3
        assert re.fullmatch(r"perfplan: the kernel was killed .*\(out of memory\?\).*\n", capsys.readouterr().err)
        assert not (tmp_path / "plan").exists()


def test_a_dead_kernel_is_noticed_soon_and_one_that_does_not_start_says_why(tmp_path, monkeypatch):
    with one_kernel(tmp_path, tmp_path):
        start = time.monotonic()
        with pytest.raises(KernelDied, match="killed by signal 9"):
            engine._current[-1].execute("import os; os.kill(os.getpid(), 9)")
        assert time.monotonic() - start < 2
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no sockets today')")
    monkeypatch.setattr(engine, "environment", lambda: {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(KernelDied, match=r"the kernel ended \(status \d+: SystemExit: no sockets today\)"), one_kernel(tmp_path, tmp_path):
        pass


def test_what_a_plan_starts_sees_few_variables(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PERFPLAN_WORLDS", "60")
    seen = system.environment()
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert {"PATH", "PERFPLAN_WORLDS"} <= set(seen)
    assert system.child()["env"] == seen


# ---- systems that lack something ----

LACKING = """if True:
    import os, signal, subprocess, sys
    import filelock, jupyter_client.manager, papermill, psutil  # which know their own system
    sys.modules["fcntl"] = sys.modules["resource"] = sys.modules["pwd"] = None
    for module, names in ((os, ["geteuid", "getuid", "setuid"]), (signal, ["SIGHUP"])):
        for name in names:
            delattr(module, name)
    import ctypes
    def no_library(name, *rest, **more):
        raise TypeError("no library without a name")
    ctypes.CDLL = no_library
    started = subprocess.Popen.__init__
    def start(self, *rest, **more):
        assert more.get("preexec_fn") is None
        started(self, *rest, **more)
    subprocess.Popen.__init__ = start
    from perfplan import system
    system.LOCAL_SOCKETS = False  # asyncio itself needs them here
    system.local_socket = None
    class System:
        platform = "win32"
        def __getattr__(self, name):
            return getattr(sys, name)
    system.sys = System()
    from perfplan.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_check_plan_diff_and_validate_run_where_the_system_has_less(small, tmp_path):
    def lacking(*arguments):
        return subprocess.run(
            [sys.executable, "-c", LACKING, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    done = lacking("check", small, "--worlds", "30")
    assert done.returncode == 0, done.stderr
    done = lacking("plan", small, "--worlds", "30")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "plans" / "small"
    judged = json.loads((out / "inputs" / "judged.json").read_text())
    assert judged["pgbouncer-store.ini"]["said"] == "not judged here: this system has no sockets that are files"
    assert lacking("diff", out, out).stdout == "0 differences\n"
    done = lacking("validate", out)
    assert done.stdout.endswith("the plan can be reproduced\n"), done.stdout + done.stderr
    assert sorted(p.name for p in out.parent.iterdir()) == ["small"]


RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)


@pytest.mark.parametrize("shift", [0, 6, 12])
def test_names_of_files_are_legal_on_every_system(tmp_path, shift):
    from perfplan.reading import read

    path = tmp_path / "scenario.yaml"
    (tmp_path / "points.csv").write_text("rps,percentile,seconds\n50,95,0.5\n")
    path.write_text(hostile_scenario(shift), encoding="utf-8")
    names = [*configs(study(read(path), 30)), *configs(study(read(STOREFRONT), 30))]
    names += [f"redis-{slug(name)}.conf" for name in ("con", "NUL.txt", "a:b", "x.", " y", "z" * 90)]
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name), name
        assert not RESERVED.fullmatch(name)
        assert not name.endswith(".")
