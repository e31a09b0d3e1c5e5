"""Whether the real tools accept the generated files. Each judge runs a Debian package's own program, where it is found.

Servers are started on a socket in a folder of their own, asked, and ended; they end with this process, whatever ends it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from perfplan.artifacts.k6 import threshold_problem
from perfplan.system import LOCAL_SOCKETS, child, is_root, local_socket
from perfplan.workbook.crowd import Backend, kept, possible, queries

PATIENCE_S = 20.0
WHERE = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"  # where Debian keeps servers


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a judge said about a file."""

    judge: str
    accepted: bool | None  # None: the tool is not here
    said: str


def judge(folder: Path, room: Path) -> dict[str, Verdict]:
    """The verdict on every file of *folder*, by name; *room*: a folder for sockets and logs."""
    found = {}
    for path in sorted(folder.iterdir()):
        for pattern, one in JUDGES.items():
            if re.fullmatch(pattern, path.name):
                found[path.name] = _asked(one, path, room)
    return found


def _asked(one: Callable[[Path, Path], Verdict], path: Path, room: Path) -> Verdict:
    name = one.__name__.replace("_", " ")
    if one in SERVERS and not LOCAL_SOCKETS:
        return Verdict(judge=name, accepted=None, said="not judged here: this system has no sockets that are files")
    try:
        return one(path, room)
    except (OSError, subprocess.SubprocessError) as error:
        return Verdict(judge=name, accepted=None, said=f"not judged here: {type(error).__name__}")


def _tool(name: str) -> str | None:
    return shutil.which(name, path=WHERE)


def _run(command: list[str], folder: Path, judge: str) -> Verdict:
    tool = _tool(command[0])
    if tool is None:
        return Verdict(judge=judge, accepted=None, said=f"{command[0]} is not installed here")
    done = subprocess.run([tool, *command[1:]], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **child())
    said = (done.stdout + done.stderr).replace(str(folder), ".").strip()
    return Verdict(judge=judge, accepted=done.returncode == 0, said="accepted" if done.returncode == 0 else said[-600:])


def alerts(path: Path, _: Path) -> Verdict:
    """`promtool check rules`."""
    return _run(["promtool", "check", "rules", path.name], path.parent, "promtool check rules")


def alerts_test(path: Path, _: Path) -> Verdict:
    """`promtool test rules`: every alert fires just above its limit, and is silent just below and without traffic."""
    return _run(["promtool", "test", "rules", path.name], path.parent, "promtool test rules")


def load_test(path: Path, rooms: Path) -> Verdict:
    """`k6 inspect` where k6 is; else k6's grammar of thresholds, by a parser of our own, and the syntax by node."""
    text = path.read_text(encoding="utf-8")
    rules = [rule for row in re.findall(r"^    [^/]*?: \[(.*)\],  //", text, re.M) for rule in re.findall(r'"((?:[^"\\]|\\.)*)"', row)]
    problems = [p for p in map(threshold_problem, [*rules, *re.findall(r"dropped_iterations: \['(.*?)'\]", text)]) if p]
    if problems:
        return Verdict(judge="grammar of k6 thresholds", accepted=False, said="; ".join(problems))
    if _tool("k6"):
        return _run(["k6", "inspect", path.name], path.parent, "k6 inspect")
    if _tool("node") is None:
        return Verdict(judge="grammar of k6 thresholds", accepted=True, said="accepted; neither k6 nor node is installed here")
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        shutil.copyfile(path, Path(room) / "load_test.mjs")
        return _run(["node", "--check", "load_test.mjs"], Path(room), "grammar of k6 thresholds, node --check")


def nginx(path: Path, rooms: Path) -> Verdict:
    """nginx is started with the file, its port replaced by a socket, and asked for /healthz on as many connections as are planned."""
    tool = _tool("nginx")
    if tool is None:
        return Verdict(judge="nginx", accepted=None, said="nginx is not installed here")
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        config = path.read_text(encoding="utf-8").replace("listen 127.0.0.1:8080;", f"listen unix:{room}/socket;")
        (Path(room) / "nginx.conf").write_text(config, encoding="utf-8")
        command = [
            tool,
            "-p",
            room,
            "-c",
            "nginx.conf",
            "-e",
            "stderr",
            "-g",
            f"daemon off; pid {room}/pid; error_log stderr; {_as_root()}",
        ]
        with _started(command, Path(room)) as server:
            answer = _ask(server, Path(room) / "socket", b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n")
            planned = re.search(r"^  # (\d+) connections in the peak second", config, re.M)
            if b"200 OK" not in answer or not planned:
                return _verdict("nginx, asked for /healthz", answer, b"200 OK", server)
            count = possible(int(planned[1]))
            good = kept(Path(room) / "socket", count, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK")
            return _crowded("nginx, asked for /healthz", good, count, int(planned[1]), server)


def _as_root() -> str:
    return "user root;" if is_root() else ""


def redis(path: Path, rooms: Path) -> Verdict:
    """redis-server is started with the file, on a socket, and asked what memory it may use."""
    tool = _tool("redis-server")
    if tool is None:
        return Verdict(judge="redis-server", accepted=None, said="redis-server is not installed here")
    wanted = re.search(r"^maxmemory (\d+)$", path.read_text(encoding="utf-8"), re.M)
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        command = [tool, str(path.resolve()), "--port", "0", "--unixsocket", f"{room}/socket", "--dir", room, "--daemonize", "no"]
        with _started(command, Path(room)) as server:
            answer = _ask(server, Path(room) / "socket", b"CONFIG GET maxmemory\r\nQUIT\r\n")
            return _verdict("redis-server, asked for maxmemory", answer, wanted[1].encode() if wanted else b"?", server)


def pgbouncer(path: Path, rooms: Path) -> Verdict:
    """pgbouncer is started with the file, on a socket, before databases that keep every query waiting; each pool must fill."""
    tool = _tool("pgbouncer")
    if tool is None:
        return Verdict(judge="pgbouncer", accepted=None, said="pgbouncer is not installed here")
    wanted = re.search(r"^default_pool_size = (\d+)$", path.read_text(encoding="utf-8"), re.M)
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        rooms.chmod(0o711)
        os.chmod(room, 0o777)  # pgbouncer refuses to be root, and becomes somebody else
        text = path.read_text(encoding="utf-8").replace("\nlisten_addr = 127.0.0.1\n", f"\nlisten_addr =\nunix_socket_dir = {room}\n")
        text = text.replace("\nauth_type = scram-sha-256\n", "\nauth_type = any\nadmin_users = judge\n")
        pools = re.findall(r"^(\S+) = host=127\.0\.0\.1 port=(\d+) pool_size=(\d+)", text, re.M)
        text = re.sub(
            r"^(query_timeout|query_wait_timeout) = .*$", r"\1 = 60", text, flags=re.M
        )  # queries wait here until the last has come
        text = re.sub(r" = host=127\.0\.0\.1 port=", f" = host={room} user=judge port=", text)
        (Path(room) / "judge.ini").write_text(text, encoding="utf-8")
        user = ["-u", "nobody"] if is_root() else []
        with _started([tool, *user, "judge.ini"], Path(room)) as server:
            start = b"\x00\x03\x00\x00user\x00judge\x00database\x00pgbouncer\x00\x00"
            query = b"SHOW CONFIG;\x00"
            login, asked = _long(len(start) + 4) + start, b"Q" + _long(len(query) + 4) + query
            answer = _ask(server, Path(room) / ".s.PGSQL.6432", login, asked, until=b"Z\x00\x00\x00\x05I")
            at = answer.find(b"default_pool_size")
            verdict = _verdict("pgbouncer, asked for its pool size", answer[at : at + 60], wanted[1].encode() if wanted else b"?", server)
            for name, port, size in pools if verdict.accepted else ():
                count = possible(int(size), each=2)
                with contextlib.closing(Backend(Path(room) / f".s.PGSQL.{port}")) as backend:
                    good = queries(Path(room) / ".s.PGSQL.6432", name, backend, count)
                verdict = _crowded("pgbouncer, its pools filled", good, count, int(size), server)
                if not verdict.accepted:
                    break
            return verdict


def _long(value: int) -> bytes:
    return value.to_bytes(4, "big")


JUDGES: dict[str, Callable[[Path, Path], Verdict]] = {
    r"alerts\.yml": alerts,
    r"alerts_test\.yml": alerts_test,
    r"load_test\.js": load_test,
    r"nginx\.conf": nginx,
    r"redis-.*\.conf": redis,
    r"pgbouncer-.*\.ini": pgbouncer,
}
NAMES = {  # by which judges are called
    "grammar of k6 thresholds", "grammar of k6 thresholds, node --check", "k6 inspect", "promtool check rules", "promtool test rules", "nginx", "nginx, asked for /healthz",
    "pgbouncer", "pgbouncer, asked for its pool size", "pgbouncer, its pools filled", "redis-server", "redis-server, asked for maxmemory",
    *(one.__name__.replace("_", " ") for one in JUDGES.values()),
}  # fmt: skip
SERVERS = (nginx, redis, pgbouncer)  # that are started on a socket


@dataclass
class Server:
    """A started server and what it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """The end of its log, without the folder's name."""
        return self.log.read_text(encoding="utf-8", errors="replace").replace(str(self.log.parent), ".").strip()[-600:]


@contextlib.contextmanager
def _started(command: list[str], room: Path) -> Iterator[Server]:
    log = room / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=room, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **child())
    try:
        yield Server(process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ask(server: Server, path: Path, *questions: bytes, until: bytes = b"") -> bytes:
    """What the server answers on its socket, to each question *until* that or until it hangs up; nothing where it has ended."""
    deadline = time.monotonic() + PATIENCE_S / 2
    while time.monotonic() < deadline and server.process.poll() is None:
        with local_socket() as link, contextlib.suppress(OSError):
            link.settimeout(PATIENCE_S / 2)
            link.connect(str(path))
            return b"".join(_answer(link, question, until) for question in questions)
        time.sleep(0.02)
    return b""


def _answer(link: socket.socket, question: bytes, until: bytes) -> bytes:
    link.sendall(question)
    answer = b""
    while not (until and until in answer) and (part := link.recv(65536)):
        answer += part
    return answer


def _crowded(judge: str, good: int, count: int, planned: int, server: Server) -> Verdict:
    """The verdict on *good* of *count* connections that were opened, of those planned."""
    some = f"; opened {count} of the {planned} connections planned" if count < planned else f"; opened all {planned} connections planned"
    if good == count:
        return Verdict(judge=judge, accepted=True, said=f"accepted{some}")
    return Verdict(judge=judge, accepted=False, said=f"{good} of {count} connections held; {planned} are planned. {server.said()}")


def _verdict(judge: str, answer: bytes, wanted: bytes, server: Server) -> Verdict:
    good = wanted in answer
    return Verdict(judge=judge, accepted=good, said="accepted" if good else server.said() or f"answered {answer[:200]!r}")
