"""A YAML scenario becomes a `Statement`, and each of its options another one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from perfplan.reading.nodes import BadScenario, Problem, child, text_of
from perfplan.reading.walking import Reader
from perfplan.scenario.statement import Entry, Statement


def read(path: str | Path, overrides: tuple[str, ...] = (), *, today: str = "") -> Statement:
    """The statement of the scenario file at *path*, with *overrides* such as "traffic.peak_users=80k" on top.

    *today* (default: the machine's date) is the day of a plan that states none. Raises `BadScenario` with every
    mistake of the file.
    """
    path = Path(path)
    text = text_of(path)
    statement = Reader(path, text, overrides, today or datetime.date.today().isoformat()).statement()
    return replace(statement, options=_options(statement))


WIDE = 10_000  # letters of a line: no value is broken over two


def stated_text(path: Path, overrides: tuple[str, ...], options: Mapping[str, Sequence[str]] | None = None) -> str:
    """The scenario at *path* as YAML with *overrides* written into it, and *options* (what each sets) added.

    Of its comments the one that tells an editor its schema is kept.
    """
    text = text_of(path)
    reader = Reader(path, text, (), "")
    for override in overrides:
        reader.override(override)
    if reader.problems:
        raise BadScenario(str(path), reader.problems)
    for name, sets in (options or {}).items():
        _add_option(reader, name, sets)
    said = "".join(f"#   {ascii(o)[1:-1]}\n" for o in overrides)
    schema = next((line + "\n" for line in text.splitlines()[:5] if line.startswith("# yaml-language-server:")), "")
    yaml_text = yaml.serialize(reader.root, allow_unicode=True, width=WIDE)
    return f"{schema}# {ascii(path.name)[1:-1]}, with what was tried:\n{said}{yaml_text}"


def _add_option(reader: Reader, name: str, sets: Sequence[str]) -> None:
    """One more of the options of the scenario that is being read."""

    def word(text: str) -> yaml.ScalarNode:
        return yaml.ScalarNode("tag:yaml.org,2002:str", text)

    def sheet(rows: Sequence[tuple[str, yaml.Node]]) -> yaml.MappingNode:
        return yaml.MappingNode("tag:yaml.org,2002:map", [(word(key), node) for key, node in rows])

    there = child(reader.root, "options")
    known = list(there.value) if isinstance(there, yaml.MappingNode) else []
    if any(key.value == name for key, _ in known):
        raise BadScenario(str(reader.path), [Problem(0, f"options.{name}", "is already there; choose another name")])
    listed = yaml.SequenceNode("tag:yaml.org,2002:seq", [word(one) for one in sets], flow_style=True)
    rows = [(key, node) for key, node in reader.root.value if key.value != "options"]
    made = yaml.MappingNode("tag:yaml.org,2002:map", [*known, *sheet([(name, sheet([("set", listed)]))]).value])
    reader.root = yaml.MappingNode(reader.root.tag, [*rows, (word("options"), made)])


def _options(statement: Statement) -> dict[str, Statement]:
    """Every option as a statement of its own, all that it sets taken together; it must be a scenario too."""
    options: dict[str, list[Entry]] = {}
    for path, entry in statement.entries.items():
        match = re.fullmatch(r"options\.([^.]+)\.set\.\d+", path)
        if match:
            options.setdefault(match[1], []).append(entry)
    problems, found = [], {}
    for name, entries in options.items():
        try:
            found[name] = statement.but(*(entry.text for entry in entries))
        except BadScenario as error:
            line = int(entries[0].where.rpartition(":")[2]) if entries[0].source == "stated" else 0
            said = ", ".join(entry.text for entry in entries)
            problems += [Problem(line, f"options.{name}.set", f"{said}: {p.path}: {p.message}") for p in error.problems]
    if problems:
        raise BadScenario(statement.file, problems)
    return found
