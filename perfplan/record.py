"""Frozen records whose fields are declared once: unit, meaning, default and the reason for it.

From one declaration come the check of a file, its error text, the JSON schema, the reference table in the docs and the
column headers. A field is written `service_time_s: Seconds = field("time a thread works on one request")`; its key in
YAML is its name without the unit, `service_time`.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from perfplan.quantity import Law, Misread, Quantity
from perfplan.stated import parse

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A name that must stand under a section of the same scenario, such as `tiers`."""

    section: str
    kinds: tuple[str, ...] = ()  # which kinds of it; empty: any


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Text:
    """Free text; a *pattern* narrows it and *example* shows it."""

    name: str = "text"
    pattern: str = ""
    example: str = ""
    longest: int = 500


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A field as declared: where it stands and what it holds."""

    name: str
    key: str
    help: str
    kind: Any  # Quantity, Reference, Choice, Text, a record class, ("map", kind), ("list", kind), ("one of", classes)
    default: str | None  # as a person would write it; None: must be stated, or empty if *optional*
    reason: str
    optional: bool
    least: str | None = None  # what is believable at least and at most, as a person would write it; None: what its kind allows
    most: str | None = None

    def read(self, text: str) -> Law:
        """The law that *text* stands for, all of its interval what can be believed of the field; raises `Misread`."""
        law = parse(text, self.kind)
        self.believe(law, text)
        return law

    def believe(self, law: Law, text: str) -> None:
        """Raises `Misread` where *law* is more or less than can be believed."""
        got = text if len(text) <= 60 else text[:59] + "…"
        if law.high > self.kind.most or 0 < law.low < self.kind.least:
            raise Misread(f"must be a number of believable size; got {got}")
        if self.least is not None and law.low < parse(self.least, self.kind).mid:
            raise Misread(f"must be at least {self.least}, to be believed; got {got}")
        if self.most is not None and law.high > parse(self.most, self.kind).mid:
            raise Misread(f"must be at most {self.most}, to be believed; got {got}")

    @property
    def example(self) -> str:
        """What may stand there."""
        kind = self.kind
        if isinstance(kind, Quantity):
            return kind.example
        if isinstance(kind, Choice):
            return kind.words[0]
        if isinstance(kind, Text):
            return kind.example or "a text"
        if isinstance(kind, Reference):
            return f"a name of {kind.section}"
        return "a map" if not (isinstance(kind, tuple) and kind[0] == "list") else "a list"

    @property
    def label(self) -> str:
        """What stands over a column of it: its key as words."""
        return self.key.replace("_", " ").capitalize()


def field(
    help: str,
    default: str | None = None,
    *,
    reason: str = "",
    optional: bool = False,
    many: bool = False,
    least: str | None = None,
    most: str | None = None,
) -> Any:
    """Declare a field: its meaning, its default as a person would write it, and the *reason* for that default.

    *optional*: may be absent, then None. *many*: a map or list that may be absent, then empty. *least*, *most*: what is believable.
    """
    about = {
        "help": help,
        "default": default,
        "reason": reason,
        "optional": optional or many or default is not None,
        "least": least,
        "most": most,
    }
    if many:
        return dataclasses.field(default_factory=dict, metadata=about)
    if optional:
        return dataclasses.field(default=None, metadata=about)
    if default is not None:
        return dataclasses.field(default=default, metadata=about)
    return dataclasses.field(metadata=about)


def hidden(default: Any = None) -> Any:
    """A field that no file states: derived data that travels with the record."""
    return dataclasses.field(default=default, metadata={"hidden": True})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field, hidden))
def record(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass whose defaults are read from their text."""
    made = dataclass(frozen=True, kw_only=True)(cls)
    for one in dataclasses.fields(made):  # type: ignore[arg-type]
        if isinstance(one.metadata.get("default"), str):
            kind = declared(made)[one.name].kind
            if isinstance(kind, Quantity):
                default = parse(one.metadata["default"], kind).mid
                setattr(made, one.name, default)
                (made.__init__.__kwdefaults__ or {})[one.name] = default
    return made


def declared(cls: type) -> dict[str, Declared]:
    """The fields of a record class by name, with their kinds."""
    found = _DECLARED.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls, include_extras=True)
        found = _DECLARED[cls] = {f.name: _declare(f, hints[f.name]) for f in dataclasses.fields(cls) if not f.metadata.get("hidden")}
    return found


_DECLARED: dict[type, dict[str, Declared]] = {}


def _declare(one: dataclasses.Field[Any], hint: Any) -> Declared:
    kind = declares(hint)
    key = one.name
    if isinstance(kind, Quantity) and kind.suffix:
        key = one.name.removesuffix(f"_{kind.suffix}")
    about = one.metadata
    return Declared(
        name=one.name,
        key=key,
        help=about.get("help", "which kind it is"),
        kind=kind,
        default=about.get("default"),
        reason=about.get("reason", ""),
        optional=bool(about.get("optional")),
        least=about.get("least"),
        most=about.get("most"),
    )


def declares(hint: Any) -> Any:
    """What a type hint declares: see `Declared.kind`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return args[1]
    if origin in (dict, Mapping):
        return ("map", declares(args[1]))
    if origin in (list, tuple, Sequence):
        return ("list", declares(args[0]))
    if origin is typing.Literal:
        return Choice(words=args)
    rest = [a for a in args if a is not type(None)]
    if len(rest) == 1:
        return declares(rest[0])
    if rest:
        return ("one of", tuple(rest))
    return hint


@functools.cache
def tag_of(cls: type) -> str:
    """The word by which a record class is chosen under `kind:`."""
    return str(typing.get_args(typing.get_type_hints(cls)["kind"])[0])


def but(value: T, /, **changes: Any) -> T:
    """A copy with some fields changed."""
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]
