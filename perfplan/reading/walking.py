"""The walk through a scenario: every field checked against its declaration, all mistakes collected."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from perfplan.items import ids
from perfplan.models.times.distributions import Lognormal
from perfplan.quantity import Misread, Quantity
from perfplan.reading.deployed import DEPLOYED, Deployment, read_deployed
from perfplan.reading.fitted import fitted
from perfplan.reading.history import History, read_history
from perfplan.reading.measured import Points, Samples, read_points, read_samples
from perfplan.reading.nodes import (
    BadScenario,
    Problem,
    child,
    join,
    kind_name,
    known,
    nearest,
    shorten,
    tree_of,
    unseen,
    with_child,
)
from perfplan.reading.outcomes import Outcomes, read_outcomes
from perfplan.record import Choice, Declared, Reference, Text, declared, tag_of
from perfplan.scenario import Scenario
from perfplan.scenario.rules import problems as rules_broken
from perfplan.scenario.statement import Branch, Entry, Maker, Statement, as_tuple
from perfplan.signals import names as metric_names
from perfplan.stated import a, parse
from perfplan.tiers.work import WIDEST, ServiceLaw, too_wide

T = TypeVar("T")
OVERRIDE_LINE = 0  # the line of what a command line states
_NAME = re.compile(r"[^\x00-\x1f\x7f.=;]{1,100}")


class Reader:
    """One reading of one text; collects problems as it walks."""

    def __init__(self, path: Path, text: str, overrides: tuple[str, ...], today: str) -> None:
        self.path, self.text, self.overrides, self.today = path, text, overrides, today
        self.problems: list[Problem] = []
        self.entries: dict[str, Entry] = {}
        self.root = tree_of(text, str(path))
        self.samples: dict[str, Samples] = {}
        self.points: dict[str, Points] = {}
        self.outcomes: dict[str, Outcomes] = {}
        self.deployed: Mapping[str, Deployment] = {}
        self.beside: dict[str, str] = {}  # field to what a file says of it
        self.overridden: set[str] = set()  # paths that `-p` states
        self.fitted: dict[str, str] = {}  # path to what it was fitted to

    def statement(self) -> Statement:
        """Walk, fill in what history and calendar give, check the rules between fields."""
        self.names = {k.value: [n.value for n, _ in v.value] for k, v in self.root.value if isinstance(v, yaml.MappingNode)}
        for override in self.overrides:
            self.override(override)
        self._services()
        shape = self._record(self.root, Scenario, "")
        history = self._history()
        self._read_measured("points", read_points, self.points)
        self._read_measured("outcomes", read_outcomes, self.outcomes)
        if (self.path.parent / DEPLOYED).is_file():
            self.deployed = self._beside("", DEPLOYED, read_deployed) or {}
        if not self.problems:
            made = self._made(shape, history)
            self.problems += [Problem(self._line(path), path, message) for path, message in rules_broken(made.at())]
        if self.problems:
            raise BadScenario(str(self.path), self.problems)
        return made

    def _made(self, shape: Branch, history: History | None) -> Statement:
        files = (
            *((self.entries["traffic.history"].text,) if history else ()),
            *(one.file for one in self.samples.values()),
            *(two.file for two in self.points.values()),
            *(three.file for three in self.outcomes.values()),
            *((DEPLOYED,) if self.deployed else ()),
        )
        for path, said in self.beside.items():
            if path in self.entries:
                self.entries[path] = replace(self.entries[path], beside=said)
        reread = functools.partial(_reread, self.path, self.text, self.today)
        return Statement(
            file=str(self.path),
            entries=self.entries,
            shape=self._complete(shape, history),
            files=tuple(dict.fromkeys(files)),
            history=history,
            samples=self.samples,
            points=self.points,
            outcomes=self.outcomes,
            deployed=self.deployed,
            week=history.week if history else None,
            overrides=self.overrides,
            reread=reread,
        )

    # ---- the walk: one method a kind of node ----

    def _record(self, node: yaml.Node, cls: type, path: str) -> Branch:
        fields = {one.key: one for one in declared(cls).values()}
        children: dict[str, Branch | str] = {}
        given = self._keys(node, path)
        for key, (at, value) in given.items():
            if key in fields:
                child = self._any(value, fields[key], join(path, key))
                if child is not None:
                    children[fields[key].name] = child
            else:
                self._bad(at, join(path, key), f"is not a field here{nearest(key, fields)}")
        for key, one in fields.items():
            if key not in given:
                self._absent(node, one, join(path, key), children)
        return Branch(make=Maker(cls), children=children)

    def _absent(self, node: yaml.Node, one: Declared, path: str, children: dict[str, Branch | str]) -> None:
        if not one.optional:
            self._bad(node, path, f"is missing: {one.help} (such as {one.example})")
        elif one.default is not None:
            value = parse(one.default, one.kind) if isinstance(one.kind, Quantity) else one.default
            self.entries[path] = Entry(path=path, text=one.default, value=value, declared=one, source="default", where=one.reason)
            children[one.name] = path

    def _any(self, node: yaml.Node, one: Declared, path: str) -> Branch | str | None:
        kind = one.kind
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            self._bad(node, path, f"is empty: {one.help} (write {one.example}, or take the line out)")
            return None
        if isinstance(kind, tuple):
            return self._one_of(node, kind[1], path) if kind[0] == "one of" else self._many(node, one, path)
        if isinstance(kind, type):
            return self._record(node, kind, path)
        return self._scalar(node, one, path)

    def _many(self, node: yaml.Node, one: Declared, path: str) -> Branch | None:
        what, kind = one.kind
        inner = replace(one, kind=kind)
        if what == "list":
            if not isinstance(node, yaml.SequenceNode):
                self._bad(node, path, f"must be a list ({one.help}); got {kind_name(node)}")
                return None
            items = {str(i): self._any(item, inner, f"{path}.{i}") for i, item in enumerate(node.value)}
            return Branch(make=as_tuple, children={k: v for k, v in items.items() if v is not None})
        section = declared(Scenario).get(one.name)
        children: dict[str, Branch | str] = {}
        for key, (at, value) in self._keys(node, path).items():
            if one.key == "calls" and key not in self.names.get("tiers", ()):
                self._bad(at, f"{path}.{key}", f"is not a tier of this scenario{nearest(key, self.names.get('tiers', ()))}")
                continue
            if section is not None and unseen(key):
                self._bad(
                    at, path, key=key, message=f"names must be made of characters that are seen; got {unseen(key)} in {shorten(key)!a}"
                )
                continue
            if section is not None and not _NAME.fullmatch(key) and one.key != "answers":
                self._bad(
                    at,
                    path,
                    key=key,
                    message=f"names must be 1 to 100 characters without . = ; and control characters; got {shorten(key)!r}",
                )
                continue
            if one.key == "answers" and key not in ids():
                self._bad(at, f"{path}.{key}", f"is not an item of the checklist{nearest(key, ids())}")
                continue
            if one.key == "metrics" and key not in metric_names():
                said = f"is no metric or label of perfplan's files{nearest(key, metric_names())}; tables/signals.csv of a plan lists them"
                self._bad(at, f"{path}.{key}", said)
                continue
            child = self._any(value, inner, f"{path}.{key}")
            if child is not None:
                children[key] = child
        if not children and not one.optional and isinstance(node, yaml.MappingNode) and not node.value:
            self._bad(node, path, f"must name at least one: {one.help}")
        return Branch(make=dict, children=children)

    def _one_of(self, node: yaml.Node, classes: tuple[type, ...], path: str) -> Branch | None:
        tags = {tag_of(c): c for c in classes}
        found = {k.value: v for k, v in node.value} if isinstance(node, yaml.MappingNode) else {}
        if not found:
            self._bad(node, path, f"must be a map with `kind: {' | '.join(tags)}`; got {kind_name(node)}")
            return None
        tag = getattr(found.get("kind"), "value", None)
        if not isinstance(tag, str) or tag not in tags:
            got = f"got {tag}{nearest(tag, tags)}" if isinstance(tag, str) else "it is missing"
            self._bad(found.get("kind", node), f"{path}.kind", f"must be one of {', '.join(tags)}; {got}")
            return None
        return self._record(node, tags[tag], path)

    def _scalar(self, node: yaml.Node, one: Declared, path: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._bad(node, path, f"must be one value such as {one.example}; got {kind_name(node)}")
            return None
        text = str(node.value)
        try:
            value = one.read(text) if isinstance(one.kind, Quantity) else self._word(text, one.kind)
        except Misread as error:
            self._bad(node, path, str(error))
            return None
        line = node.start_mark.line + 1
        stated, fitted = path not in self.overridden, self.fitted.get(path, "")
        where = fitted or (f"{self.path.name}:{line}" if stated else f"-p {path}={text}")
        source = "fitted" if fitted else "stated" if stated else "override"
        self.entries[path] = Entry(path=path, text=text, value=value, declared=one, source=source, where=where)
        return path

    def _word(self, text: str, kind: Choice | Reference | Text) -> str:
        if isinstance(kind, Choice) and text not in kind.words:
            raise Misread(f"must be one of {', '.join(kind.words)}; got {shorten(text)}{nearest(text, kind.words)}")
        if isinstance(kind, Reference) and text not in self.names.get(kind.section, ()):
            raise Misread(f"must name one of the {kind.section}; got {shorten(text)}{nearest(text, self.names.get(kind.section, ()))}")
        if isinstance(kind, Reference) and kind.kinds and self._kind_of(kind.section, text) not in kind.kinds:
            raise Misread(f"must name a {' or '.join(kind.kinds)}; {text} is a {self._kind_of(kind.section, text)}")
        if isinstance(kind, Text) and unseen(text):
            raise Misread(f"must be one line of characters that are seen; got {unseen(text)} in {shorten(text)!a}")
        if isinstance(kind, Text) and len(text) > kind.longest:
            raise Misread(f"must be at most {kind.longest} characters; got {len(text)}")
        if isinstance(kind, Text) and kind.pattern and not re.fullmatch(kind.pattern, text):
            raise Misread(f"must be {a(kind.name)} such as {kind.example}; got {shorten(text)!r}")
        return text

    def _kind_of(self, section: str, name: str) -> str:
        node: Any = next((v for k, v in self.root.value if k.value == section), None)
        row = next((v for k, v in node.value if k.value == name), None)
        return next((str(v.value) for k, v in row.value if k.value == "kind"), "") if isinstance(row, yaml.MappingNode) else ""

    def _keys(self, node: yaml.Node, path: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._bad(node, path, f"must be a map of fields; got {kind_name(node)}")
            return {}
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._bad(key, path, f"keys must be words; got {kind_name(key)}")
            elif key.value in found:
                self._bad(
                    key, join(path, key.value), f"stands twice (first on line {found[key.value][0].start_mark.line + 1}); take one out"
                )
            else:
                found[key.value] = (key, value)
        return found

    # ---- overrides, history, calendar ----

    def override(self, override: str) -> None:
        path, sign, text = override.partition("=")
        path, text = path.strip(), text.strip()
        if not sign or not path or not text:
            self._bad(None, "", f"an override must be field=value, such as traffic.peak_users=80k; got {shorten(override)!r}")
            return
        nodes: list[yaml.Node] = [self.root]
        steps = path.split(".")
        for i, step in enumerate(steps[:-1]):
            below = child(nodes[-1], step)
            if below is None:
                there = known(nodes[-1]) | ({one.key for one in declared(Scenario).values()} if i == 0 else set())
                self._bad(None, path, f"there is no {'.'.join(steps[: i + 1])} in this scenario{nearest(step, there)}")
                return
            nodes.append(below)
        last, key = nodes[-1], steps[-1]
        if not isinstance(last, yaml.MappingNode) and child(last, key) is None:
            self._bad(None, path, f"there is no {key} here to override")
            return
        self._put(nodes, steps, text)
        inside = zip(nodes, steps, strict=True)
        self.overridden.add(".".join(str(int(step)) if isinstance(node, yaml.SequenceNode) else step for node, step in inside))

    def _put(self, nodes: Sequence[yaml.Node], steps: list[str], text: str) -> None:
        """State *text* at *steps*, which lead through *nodes*; the tree that was parsed stays as it is, as others read it too."""
        last = nodes[-1]
        made: yaml.Node = yaml.ScalarNode("tag:yaml.org,2002:str", text, last.start_mark, last.end_mark)
        for node, step in zip(reversed(nodes), reversed(steps), strict=True):
            made = with_child(cast(yaml.CollectionNode, node), step, made, moved=node is last)
        self.root = cast(yaml.MappingNode, made)

    def _history(self) -> History | None:
        entry = self.entries.get("traffic.history")
        return self._beside("traffic.history", entry.text, read_history) if entry else None

    def _beside(self, path: str, name: str, reader: Callable[[Path, str], T]) -> T | None:
        """What *reader* finds in the file *name*, which must lie below the scenario's folder."""
        try:
            file = (self.path.parent / name).resolve()
            if not file.is_relative_to(self.path.parent.resolve()):
                raise Misread(f"must lie below the scenario's folder; got {shorten(name)}")
            return reader(file, name)
        except (ValueError, OSError) as error:  # a name that no file can have is one of these; so is a Misread
            self.problems.append(Problem(self._line(path), path, str(error)))
            return None

    def _read_measured(self, field: str, reader: Callable[[Path, str], T], into: dict[str, T]) -> None:
        for path, entry in self.entries.items():
            match = re.fullmatch(rf"measured\.([^.]+)\.{field}", path)
            found = self._beside(path, entry.text, reader) if match else None
            if match and found is not None:
                into[match[1]] = found

    def _services(self) -> None:
        """Service times that `service` gives: written into the tree where `service_time` is not stated, else beside it."""
        tiers = child(self.root, "tiers")
        for key, tier in tiers.value if isinstance(tiers, yaml.MappingNode) else ():
            law = child(tier, "service") if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(law, yaml.MappingNode):
                continue
            said, where = self._mean_of(str(key.value), law)
            stated = child(tier, "service_time")
            if said and stated is None:
                now = cast(yaml.MappingNode, child(self.root, "tiers"))
                self._put([self.root, now, tier], ["tiers", str(key.value), "service_time"], said)
                self.fitted[f"tiers.{key.value}.service_time"] = where
            elif said:
                self.beside[f"tiers.{key.value}.service_time"] = f"{where} says {said}"

    def _mean_of(self, tier: str, law: yaml.MappingNode) -> tuple[str, str]:
        """The mean that a `service` gives, as text, and where from; "" where it gives none."""
        words = {k.value: str(v.value) for k, v in law.value if isinstance(v, yaml.ScalarNode) and isinstance(k, yaml.ScalarNode)}
        if "samples" in words:
            found = self._beside(f"tiers.{tier}.service.samples", words["samples"], read_samples)
            if found is not None:
                self.samples[tier] = found
                return found.text, found.file
            return "1ms", words["samples"]  # the file's own problem is enough
        kinds = {name: declared(ServiceLaw)[f"{name}_s"].kind for name in ("p50", "p99")}
        try:
            half, most = (parse(words[name], kind) for name, kind in kinds.items())
        except (KeyError, Misread):
            return "", ""
        if most.mid > WIDEST * half.mid:
            self.problems.append(Problem(law.start_mark.line + 1, f"tiers.{tier}.service.p99", too_wide(half.mid, most.mid)))
            return "1ms", "p50 and p99"  # the problem is enough
        ends = sorted(
            {
                float(Lognormal.through(half.quantile(p), most.quantile(p)).mean_s)
                for p in (0.05, 0.95)
                if most.quantile(p) > half.quantile(p)
            }
        )
        return (" to ".join(f"{end * 1e3:.6g}ms" for end in ends), "p50 and p99") if ends else ("", "")

    def _complete(self, shape: Branch, history: History | None) -> Branch:
        """Fill what the file leaves to the calendar and to the traffic history."""
        children = dict(shape.children)
        if "as_of" not in children:
            one = declared(Scenario)["as_of"]
            self.entries["as_of"] = Entry(path="as_of", text=self.today, value=self.today, declared=one, source="default", where="today")
            children["as_of"] = "as_of"
        if history is not None:
            traffic = children["traffic"]
            assert isinstance(traffic, Branch)
            children["traffic"] = Branch(make=traffic.make, children={**traffic.children, **self._of_history(history)})
        return Branch(make=shape.make, children=children)

    def _of_history(self, history: History) -> dict[str, str]:
        line = self._line("traffic.history")
        return fitted(self.entries, history, lambda path, message: self.problems.append(Problem(line, path, message)))

    def _line(self, path: str) -> int:
        """The line where *path*, or the nearest thing above it, stands."""
        node: yaml.Node = self.root
        reached = ""
        for step in path.split("."):
            below = child(node, step)
            if below is None:
                break
            node, reached = below, join(reached, step)
        return OVERRIDE_LINE if reached in self.overridden else int(node.start_mark.line) + 1

    def _bad(self, node: yaml.Node | None, path: str, message: str, *, key: str = "") -> None:
        stated = node is not None and path not in self.overridden and join(path, key) not in self.overridden
        self.problems.append(Problem(node.start_mark.line + 1 if node is not None and stated else OVERRIDE_LINE, path, message))


def _reread(path: Path, text: str, today: str, overrides: tuple[str, ...]) -> Statement:
    return Reader(path, text, overrides, today).statement()
