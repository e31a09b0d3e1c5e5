"""`perfplan drift`: what runs, as its own dumps say, against the files that a plan generated.

A dump is known by what it holds. A file is deployed as planned where everything that it states is found; what servers add of themselves,
and the addresses and secrets that a plan leaves open, are nobody's fault.
"""

from __future__ import annotations

import configparser
import csv
import datetime
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from perfplan.reading import BadScenario, Problem
from perfplan.reading.deployed import AS_PLANNED, DEPLOYED, Deployment, deployments_text, fingerprint, read_deployed
from perfplan.terminal import one_line

LARGEST, MOST_SAID = 50_000_000, 3  # bytes of a dump; differences that are named
NOT_FOUND = "not found"
OPEN = ("url", "targets")  # keys whose values a plan leaves open


@dataclass(frozen=True, kw_only=True)
class Dump:
    """What one server says of itself: settings by name."""

    file: str
    kind: str
    about: str  # which of several: a cache, a database, a dashboard; "": the only one
    found: Any


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One generated file beside what runs."""

    name: str
    verdict: str  # AS_PLANNED, "differs" or "not found"
    said: str
    text: str  # of the file, as planned

    def line(self) -> str:
        """A line for people."""
        return f"{self.name}: {self.verdict}{f': {self.said}' if self.said else ''}"


# ---- what dumps hold ----


def _rules(text: str) -> Iterator[tuple[str, Any]]:
    """/api/v1/rules of Prometheus: rules by kind and name."""
    data = json.loads(text)
    if isinstance(data, dict) and isinstance(data.get("data"), dict) and isinstance(data["data"].get("groups"), list):
        found: dict[tuple[str, str, str], Any] = {}
        for rule in (rule for group in data["data"]["groups"] for rule in group["rules"]):
            labels = rule.get("labels") or {}
            found[_key(rule["name"], labels)] = {
                "expr": _parsed(rule["query"]),
                "for": float(rule.get("duration", 0.0)),
                "labels": labels,
            }
        yield "", found


def _status(text: str) -> Iterator[tuple[str, Any]]:
    """/api/v2/status of Alertmanager: its configuration."""
    data = json.loads(text)
    if isinstance(data, dict) and isinstance(data.get("config"), dict) and isinstance(data["config"].get("original"), str):
        yield "", yaml.safe_load(data["config"]["original"])


def _config(text: str) -> Iterator[tuple[str, Any]]:
    """/api/v1/status/config of Prometheus: its own configuration."""
    data = json.loads(text)
    if isinstance(data, dict) and isinstance(data.get("data"), dict) and isinstance(data["data"].get("yaml"), str):
        yield "", yaml.safe_load(data["data"]["yaml"])


def _dashboard(text: str) -> Iterator[tuple[str, Any]]:
    """A dashboard of Grafana, as exported or from its API: what it asks."""
    data = json.loads(text)
    board = data.get("dashboard", data) if isinstance(data, dict) else {}
    if isinstance(board, dict) and isinstance(board.get("panels"), list):
        yield str(board.get("uid", "")), _asked(board)


def _settings(text: str) -> Iterator[tuple[str, Any]]:
    """SHOW CONFIG of PgBouncer as CSV: values by key."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and {"key", "value"} <= set(rows[0]):
        yield "", {str(row["key"]): str(row["value"] or "") for row in rows}


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    """CONFIG GET * of Redis: names and values on lines of their own."""
    lines = text.splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=False))
    if {"maxmemory", "maxmemory-policy"} <= set(found):
        yield "", found


def _directives(text: str) -> Iterator[tuple[str, Any]]:
    """nginx -T: directives of all files."""
    if re.search(r"^# configuration file .+:$", text, re.M):
        yield "", _lines(text)


READERS: Mapping[str, Callable[[str], Iterator[tuple[str, Any]]]] = {
    "rules": _rules,
    "prometheus": _config,
    "alertmanager": _status,
    "dashboard": _dashboard,
    "pgbouncer": _settings,
    "redis": _pairs,
    "nginx": _directives,
}


def dumps(folder: Path) -> tuple[list[Dump], list[str]]:
    """What lies in a folder, and the names of files that nobody knows; raises `BadScenario` where there is nothing."""
    if not folder.is_dir():
        raise BadScenario("perfplan drift", [Problem(0, "dumps", f"must be a folder of dumps; there is none at {folder}")])
    found, unknown = [], []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        name = path.relative_to(folder).as_posix()
        made = _read(path, name)
        found += made
        unknown += [] if made else [name]
    if not found:
        ways = (
            "rules.json (curl .../api/v1/rules), alertmanager.json (/api/v2/status), SHOW CONFIG as CSV, CONFIG GET *, nginx -T, dashboards"
        )
        raise BadScenario("perfplan drift", [Problem(0, "dumps", f"must hold what servers say of themselves: {ways}; {folder} holds none")])
    return found, unknown


def _read(path: Path, name: str) -> list[Dump]:
    if path.stat().st_size > LARGEST:
        raise _refused(name, f"must have at most {LARGEST / 1e6:.0f} MB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(name, "must be text in UTF-8") from None
    for kind, reader in READERS.items():
        try:
            made = [Dump(file=name, kind=kind, about=about, found=found) for about, found in reader(text)]
        except json.JSONDecodeError as error:
            if path.suffix == ".json":
                raise _refused(name, f"must be JSON as the server gave it; line {error.lineno}: {error.msg} (cut off?)") from None
            continue
        except (KeyError, TypeError, ValueError, yaml.YAMLError, csv.Error) as error:
            raise _refused(name, f"looks like a dump of {kind}, but is none that can be read: {one_line(str(error))[:120]}") from None
        if made:
            return made
    return []


def _refused(name: str, what: str) -> BadScenario:
    return BadScenario(f"dumps/{name}", [Problem(0, "dumps", what)])


# ---- beside what was generated ----


def drift(plan: Path, folder: Path) -> tuple[list[Drift], list[str]]:
    """Each generated file that can be looked for, beside what runs; and the files of *folder* that nobody knows."""
    configs = plan / "configs"
    if not configs.is_dir() or not (plan / "plan.json").is_file():
        raise BadScenario("perfplan drift", [Problem(0, "plan", f"must be a plan folder with configs/; {plan} is none")])
    found, unknown = dumps(folder)
    planned = [(path, kind) for path in sorted(configs.iterdir()) for kind, pattern in PLANNED.items() if re.fullmatch(pattern, path.name)]
    rows = []
    for path, kind in planned:
        alone = sum(other == kind for _, other in planned) == 1
        rows.append(_beside(path.name, kind, path.read_text(encoding="utf-8"), [one for one in found if one.kind == kind], alone))
    return rows, unknown


PLANNED = {  # by kind: the files that it generates
    "rules": r"(alerts|recorded|otel-alerts)\.yml",
    "prometheus": r"prometheus\.yml",
    "alertmanager": r"alertmanager\.yml",
    "dashboard": r"grafana-.+\.json",
    "pgbouncer": r"pgbouncer-.+\.ini",
    "redis": r"redis-.+\.conf",
    "nginx": r"nginx\.conf",
}


def _beside(name: str, kind: str, text: str, found: Sequence[Dump], alone: bool) -> Drift:
    """The best of the dumps that may be of this file: where several are planned, or several were found, that with its name."""
    about = re.sub(r"^(pgbouncer|redis)-|\.\w+$", "", name)
    uid = json.loads(text)["uid"] if kind == "dashboard" else ""
    mine = [one for one in found if one.about == uid] if kind == "dashboard" else list(found)
    if kind in ("pgbouncer", "redis") and not (alone and len(found) == 1):
        mine = [one for one in found if re.search(rf"(?<![a-z0-9]){re.escape(about)}(?![a-z0-9])", one.file)]
    if not mine:
        return Drift(name=name, verdict=NOT_FOUND, said="", text=text)
    said = min((list(DIFFERENCES[kind](text, one.found)) for one in mine), key=len)
    few = "; ".join(said[:MOST_SAID]) + (f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else "")
    return Drift(name=name, verdict="differs" if said else AS_PLANNED, said=few, text=text)


def _rule_differences(text: str, found: Mapping[Any, Any]) -> Iterator[str]:
    for rule in (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]):
        name, labels = rule.get("alert") or rule["record"], rule.get("labels") or {}
        there = found.get(_key(name, labels)) or next((one for key, one in found.items() if "alert" in rule and key[0] == name), None)
        wanted = {"expr": _parsed(rule["expr"]), "for": _seconds(str(rule.get("for", "0s"))), "labels": labels}
        if there is None:
            yield f"{name} is not there"
        else:
            yield from (
                f"{name}: {key} planned {_short(value)}, found {_short(there[key])}" for key, value in wanted.items() if value != there[key]
            )


def _key(name: str, labels: Mapping[str, str]) -> tuple[str, str, str]:
    """A rule's name; of recorded ones also what tells them apart."""
    return name, json.dumps(dict(labels), sort_keys=True), ""


def _parsed(query: str) -> str:
    """A query as its grammar writes it, so that spaces and brackets do not count."""
    import promql_parser

    return str(promql_parser.parse(query).prettify())


def _is_time(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(r"(\d+(ms|[smhd]))+", value) is not None


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhd])", text))


def _tree_differences(text: str, found: Any) -> Iterator[str]:
    yield from _within(yaml.safe_load(text), found, "")


def _within(planned: Any, found: Any, at: str) -> Iterator[str]:
    """What is planned and not found, at its place; servers may add of their own."""
    if isinstance(planned, dict) and isinstance(found, dict):
        for key, value in planned.items():
            if key not in OPEN:
                yield from _within(value, found.get(key), f"{at}.{key}".lstrip("."))
    elif isinstance(planned, list) and isinstance(found, list):
        if len(planned) != len(found):
            yield f"{at}: {len(planned)} planned, {len(found)} found"
        for i, (one, other) in enumerate(zip(planned, found, strict=False)):
            yield from _within(one, other, f"{at}[{i}]")
    elif planned != found and not (_is_time(planned) and _is_time(found) and _seconds(planned) == _seconds(found)):
        yield f"{at}: planned {_short(planned)}, found {_short(found)}"


def _asked(board: Mapping[str, Any]) -> list[str]:
    return sorted(_parsed(str(target["expr"])) for panel in board["panels"] for target in panel.get("targets", ()) if "expr" in target)


def _board_differences(text: str, found: Sequence[str]) -> Iterator[str]:
    planned = _asked(json.loads(text))
    yield from (f"no panel asks {_short(query)}" for query in sorted(set(planned) - set(found)))
    yield from (f"a panel asks {_short(query)}, which is not planned" for query in sorted(set(found) - set(planned)))


def _ini_differences(text: str, found: Mapping[str, str]) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=(";", "#", "%"))
    parser.read_string(text)
    for key, value in parser["pgbouncer"].items():
        if key in found and found[key].strip() != value.strip():
            yield f"{key}: planned {_short(value)}, found {_short(found[key])}"
        elif key not in found:
            yield f"{key} is not there"


def _conf_differences(text: str, found: Mapping[str, str]) -> Iterator[str]:
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if not key or key.startswith("#") or key in ("include", "bind", "port", "replicaof"):
            continue
        wanted = value.strip().strip('"')
        if key not in found:
            yield f"{key} is not there"
        elif found[key].strip() != wanted:
            yield f"{key}: planned {_short(wanted)}, found {_short(found[key])}"


def _lines(text: str) -> list[str]:
    """Directives without remarks and spaces."""
    bare = (re.sub(r"\s+", " ", re.sub(r"#.*$", "", line)).strip() for line in text.splitlines())
    return [line for line in bare if line and line not in ("{", "}")]


def _line_differences(text: str, found: Sequence[str]) -> Iterator[str]:
    there = set(found)
    for line in _lines(text):
        if line not in there and not line.startswith(("include", "pid", "error_log", "access_log", "server 127.")):
            yield f"{_short(line)} is not there"


DIFFERENCES: Mapping[str, Callable[[str, Any], Iterator[str]]] = {
    "rules": _rule_differences,
    "prometheus": _tree_differences,
    "alertmanager": _tree_differences,
    "dashboard": _board_differences,
    "pgbouncer": _ini_differences,
    "redis": _conf_differences,
    "nginx": _line_differences,
}


def _short(value: object) -> str:
    text = one_line(str(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


# ---- kept ----


def keep(rows: Sequence[Drift], scenario: Path, day: datetime.date) -> Path:
    """Write what was found to measured/deployed.json beside the scenario; earlier finds of other files stay."""
    path = scenario.resolve().parent / DEPLOYED
    made = dict(read_deployed(path, DEPLOYED)) if path.is_file() else {}
    for one in rows:
        if one.verdict != NOT_FOUND or one.name not in made:
            made[one.name] = Deployment(hash=fingerprint(one.text), date=str(day), verdict=one.verdict, said=one.said)
    path.parent.mkdir(exist_ok=True)
    making = path.with_suffix(".making")
    making.write_text(deployments_text(made), encoding="utf-8")
    os.replace(making, path)
    return path
