"""A YAML file as a tree of nodes with lines; scalars stay text. Refuses what a scenario has no use for."""

from __future__ import annotations

import difflib
import functools
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

LARGEST = 1_000_000  # bytes of a scenario file
DEEPEST = 12  # levels of maps and lists


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: the line (0: none, an override), the field and what is wrong."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        at = f"line {self.line}: " if self.line else ""
        return f"{at}{self.path}: {self.message}" if self.path else f"{at}{self.message}"


JOINERS = "\u200c\u200d"  # not seen either, but needed within words of some scripts, and in emoji


def unseen(text: str) -> str:
    """The first character that would not be seen, or would turn the text around, as U+XXXX; "" where there is none."""
    hidden = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in JOINERS), "")
    return f"U+{ord(hidden):04X}" if hidden else ""


class BadScenario(ValueError):
    """All mistakes of a file at once."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file, self.problems = file, sorted(set(problems))
        count = len(self.problems)
        lines = [f"{file}: {count} problem{'s' if count > 1 else ''}", *(f"  {p}" for p in self.problems)]
        super().__init__("\n".join(lines))


def text_of(path: Path) -> str:
    """The text of a scenario file; raises `BadScenario` where it is none."""

    def refuse(message: str) -> BadScenario:
        return BadScenario(str(path), [Problem(0, "", message)])

    try:
        if path.is_dir():
            raise refuse(f"must be a file; it is a folder (name the scenario in it, such as {path / 'scenario.yaml'})")
        if not path.is_file():
            raise refuse("must be a file; there is none (write one with `perfplan new NAME`)")
        if path.stat().st_size > LARGEST:
            raise refuse(
                f"must be at most 1 MB; got {path.stat().st_size / 1e6:.1f} MB (history and measurements go into files of their own)"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"must be text in UTF-8; byte {error.start} is not (a binary file?)") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}") from None
    if not text.strip():
        raise refuse("must state a scenario; the file is empty (write one with `perfplan new NAME`)")
    return text


def tree_of(text: str, file: str) -> yaml.MappingNode:
    """The node tree of a YAML text, for reading only, as the same text is parsed once; raises `BadScenario` on syntax, aliases, tags and
    too deep nesting."""
    try:
        return _tree(text)
    except BadScenario as error:
        raise BadScenario(file, error.problems) from None


@functools.lru_cache(maxsize=4)
def _tree(text: str) -> yaml.MappingNode:
    file = "text"
    try:
        _refuse_tricks(text, file)
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadScenario(file, [Problem(mark.line + 1 if mark else 0, "", f"is not valid YAML: {error.problem}")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 0
        raise BadScenario(file, [Problem(line, "", f"must be plain text; character {error.character!r} is not allowed")]) from None
    except ValueError as error:
        if isinstance(error, BadScenario):
            raise
        raise BadScenario(file, [Problem(0, "", f"is not valid YAML: {error}")]) from None
    if not isinstance(root, yaml.MappingNode):
        raise BadScenario(file, [Problem(1, "", "must be a map of fields such as `name: storefront`; got " + kind_name(root))])
    return root


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_tricks(text: str, file: str) -> None:
    problems, depth = [], 0
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            problems.append(Problem(line, "", f"aliases are not allowed; got *{anchor} (write the value again)"))
        elif anchor:
            problems.append(Problem(line, "", f"anchors are not allowed; got &{anchor} (write the value where it is used)"))
        if tag:
            problems.append(Problem(line, "", f"tags are not allowed; got {tag} (write a plain value)"))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            problems.append(Problem(line, "", f"must nest at most {DEEPEST} levels"))
            break
        if len(problems) > 50:
            break
    if problems:
        raise BadScenario(file, problems)


def kind_name(node: yaml.Node | None) -> str:
    """What a node is, in words for an error text."""
    if isinstance(node, yaml.MappingNode):
        return "a map"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"the text {shorten(node.value)!r}" if isinstance(node, yaml.ScalarNode) else "nothing"


def overrides_of(overrides: str) -> tuple[str, ...]:
    """Overrides from one text: parted by semicolons, as people write them, or a JSON list, which may hold any text.

    >>> overrides_of("traffic.peak=80 rps; tiers.api.instances=4"), overrides_of('["name=a; b"]')
    (('traffic.peak=80 rps', 'tiers.api.instances=4'), ('name=a; b',))
    """
    text = overrides.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return tuple(found)
        raise BadScenario(
            "parameters", [Problem(0, "overrides", f"must be field=value; field=value, or a JSON list of them; got {shorten(text)}")]
        )
    return tuple(part.strip() for part in text.split(";") if part.strip())


def shorten(text: str, width: int = 60) -> str:
    """A text cut for an error message."""
    return text if len(text) <= width else text[: width - 1] + "…"


def child(node: yaml.Node, step: str) -> yaml.Node | None:
    """What stands under a key or at an index; None where nothing does."""
    if isinstance(node, yaml.MappingNode):
        return next((cast(yaml.Node, v) for k, v in node.value if k.value == step), None)
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        return cast(yaml.Node, node.value[int(step)])
    return None


def with_child(node: yaml.CollectionNode, step: str, child: yaml.Node, *, moved: bool) -> yaml.Node:
    """A copy of *node* with *child* at *step*; in a map it stands last, where it is *moved* or new."""
    if isinstance(node, yaml.SequenceNode):
        items = [child if i == int(step) else one for i, one in enumerate(node.value)]
        return yaml.SequenceNode(node.tag, items, node.start_mark, node.end_mark, node.flow_style)
    key = yaml.ScalarNode("tag:yaml.org,2002:str", step, node.start_mark, node.end_mark)
    rows = [(k, v) for k, v in node.value if k.value != step] + [(key, child)]
    if not moved:
        rows = [(k, child if k.value == step else v) for k, v in node.value]
    return yaml.MappingNode(node.tag, rows, node.start_mark, node.end_mark, node.flow_style)


def known(node: yaml.Node) -> set[str]:
    """Keys or indices of a node."""
    if isinstance(node, yaml.MappingNode):
        return {str(k.value) for k, _ in node.value}
    return {str(i) for i in range(len(node.value))} if isinstance(node, yaml.SequenceNode) else set()


def join(path: str, key: str) -> str:
    """The path of a key below a path."""
    return f"{path}.{key}" if path else key


def nearest(word: str, known: Any) -> str:
    """The known word that is most like it, as a hint; else all of them."""
    near = difflib.get_close_matches(word, [str(k) for k in known], 1, 0.5)
    if near:
        return f" ({near[0]}?)"
    return f" (known: {', '.join(sorted(str(k) for k in known)[:20])})" if known else ""
