"""The JSON schema of a scenario and the reference of its fields, both from the declarations."""

from __future__ import annotations

from typing import Any

from perfplan.quantity import KINDS, Quantity
from perfplan.record import Choice, Declared, Reference, Text, declared, tag_of
from perfplan.scenario import Scenario


def json_schema() -> dict[str, Any]:
    """The schema (2020-12) that makes an editor complete and check a scenario."""
    made = _record(Scenario)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "perfplan scenario"} | made


GIVEN = ("service_time_s",)  # must be there, but another field may give it


def _record(cls: type) -> dict[str, Any]:
    fields = declared(cls)
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip(),
        "additionalProperties": False,
        "properties": {one.key: _field(one) for one in fields.values()},
        "required": [one.key for one in fields.values() if not one.optional and one.name not in GIVEN],
    }


def _field(one: Declared) -> dict[str, Any]:
    text = one.help + (f". Default: {one.default} ({one.reason})" if one.default is not None else "")
    made = _kind(one.kind) | {"description": text}
    if one.default is not None:
        made["default"] = one.default
    return made


def _kind(kind: Any) -> dict[str, Any]:
    if isinstance(kind, Quantity):
        return {"type": ["string", "number"], "examples": [kind.example]}
    if isinstance(kind, Choice):
        return {"const": kind.words[0]} if len(kind.words) == 1 else {"enum": list(kind.words)}
    if isinstance(kind, Text):
        pattern = {"pattern": f"^({kind.pattern})$"} if kind.pattern else {}
        return {"type": ["string", "number"] if not pattern else "string", "maxLength": kind.longest} | pattern
    if isinstance(kind, Reference):
        return {"type": "string"}
    if isinstance(kind, tuple):
        what, inner = kind
        if what == "map":
            return {"type": "object", "additionalProperties": _kind(inner)}
        if what == "list":
            return {"type": "array", "items": _kind(inner)}
        return {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"enum": [tag_of(c) for c in inner]}},
            "allOf": [_branch(c) for c in inner],
        }
    return _record(kind)


def _branch(cls: type) -> dict[str, Any]:
    return {"if": {"properties": {"kind": {"const": tag_of(cls)}}, "required": ["kind"]}, "then": _record(cls)}


def all_fields() -> list[dict[str, str]]:
    """Every field: path, kind, meaning, default with its reason, example; maps show as NAME."""
    rows: list[dict[str, str]] = []
    _walk(Scenario, "", rows)
    return rows


def glossary() -> str:
    """Every unit and every field, as Markdown: docs/glossary.md."""
    units = "".join(_unit_row(kind) for kind in sorted(KINDS.values(), key=lambda one: one.name))
    tables: dict[str, list[str]] = {}
    for row in all_fields():
        above = row["field"].rpartition(".")[0]
        default = row["default"] if not row["reason"] else f"{row['default']}: {row['reason']}"
        cells = (row["field"], row["kind"], row["meaning"], default)
        tables.setdefault(above or "scenario.yaml", []).append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n")
    fields = "".join(
        f"\n## {above}\n\n| field | kind | meaning | default, and why |\n|---|---|---|---|\n{''.join(rows)}"
        for above, rows in tables.items()
    )
    return (
        "# Glossary\n\nMade from the declarations: `perfplan fields > docs/glossary.md`. NAME stands for names that you give.\n\n"
        "## Kinds of numbers\n\nEach may be an interval, such as `40k to 60k`, but whole numbers, which are bought.\n\n"
        f"| kind | base unit | units | domain | such as |\n|---|---|---|---|---|\n{units}{fields}"
    )


def _unit_row(kind: Quantity) -> str:
    written = ", ".join(f"`{unit}`" for unit in kind.units) or "–"
    return f"| {kind.name} | {kind.unit or '–'} | {written} | {kind.domain} | `{kind.example}` |\n"


def _walk(cls: type, prefix: str, rows: list[dict[str, str]]) -> None:
    for one in declared(cls).values():
        path = f"{prefix}{one.key}"
        rows.append(
            {
                "field": path,
                "kind": kind_name(one.kind) + _believable(one),
                "meaning": one.help,
                "default": one.default or ("–" if one.optional else "must be stated"),
                "reason": one.reason,
            }
        )
        _below(one.kind, path, rows)


def _believable(one: Declared) -> str:
    """What is believable of a field, where that is less than what its kind allows."""
    said = [f"at {rule} {bound}" for rule, bound in (("least", one.least), ("most", one.most)) if bound]
    return f"; {', '.join(said)}" if said else ""


def _below(kind: Any, path: str, rows: list[dict[str, str]]) -> None:
    if isinstance(kind, type):
        _walk(kind, f"{path}.", rows)
    elif isinstance(kind, tuple) and kind[0] == "one of":
        for cls in kind[1]:
            _walk(cls, f"{path} ({tag_of(cls)}).", rows)
    elif isinstance(kind, tuple):
        _below(kind[1], f"{path}.{'NAME' if kind[0] == 'map' else 'N'}", rows)


def kind_name(kind: Any) -> str:
    """A kind in words, with an example."""
    if isinstance(kind, Quantity):
        return f"{kind.name}, such as {kind.example}"
    if isinstance(kind, Choice):
        return " or ".join(kind.words)
    if isinstance(kind, Text):
        return kind.name
    if isinstance(kind, Reference):
        return f"a name under {kind.section}"
    if isinstance(kind, tuple):
        return {"map": "map by name", "list": "list", "one of": "map, by its kind"}[kind[0]]
    return "map"
