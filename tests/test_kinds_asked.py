"""Nobody asks what kind of tier or of promise a thing is, but for its own files: a new kind would be answered wrongly there, and nobody
would say so."""

import ast
import textwrap

import pytest

from perfplan import promises, tiers
from perfplan.record import tag_of
from tests.conftest import ROOT

KINDS = (*tiers.KINDS, *promises.KINDS)
NAMES = {kind.__name__ for kind in KINDS}
WORDS = {tag_of(kind) for kind in KINDS}
HOMES = ("tiers/", "promises/", "operate/")  # a kind's own files, and the tables that name them all
FIELDS = {  # who looks at fields by their names, and of what
    "cli/__init__.py": "options of a command line",
    "faults.py": "options of a command line",
    "models/times/frequencies.py": "any dataclass of times",
    "models/times/latency.py": "any dataclass of times",
    "models/beyond/network.py": "fields of the same record",
    "plan/demand.py": "any dataclass, for its arrays",
    "reading/nodes.py": "nodes of a YAML text",
    "reading/walking.py": "nodes of a YAML text",
    "study/worlds.py": "any dataclass, for its arrays",
    "system.py": "modules that a system may lack",
    "words.py": "functions, for their names",
    "workbook/carrying.py": "fields of the same record",
    "workbook/engine.py": "a kernel's process",
    "workbook/place.py": "a path's owner, which a system may lack",
}


def questions(text, *, fields=True):
    """How often a module asks for a kind: its class named anywhere but in an import or a hint, its word compared, a field looked for by
    its name."""
    tree = ast.parse(text)
    hints = set()
    for node in ast.walk(tree):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.AST):
                hints |= {id(one) for one in ast.walk(hint)}
    found = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found += node.id in NAMES and id(node) not in hints
            found += fields and node.id in ("getattr", "hasattr")
        elif isinstance(node, ast.Attribute):
            found += node.attr in NAMES and id(node) not in hints
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = any(isinstance(one, ast.Attribute) and one.attr in ("kind", "__name__") for one in sides)
            found += named and any(_word(one) for side in sides for one in ast.walk(side))
        elif isinstance(node, ast.Dict):  # looked up by a word
            found += sum(_word(key) for key in node.keys if key is not None) > 1
        elif isinstance(node, ast.MatchValue):
            found += _word(node.value)
    return found


def _word(node):
    return isinstance(node, ast.Constant) and node.value in WORDS


def test_nobody_asks_for_a_kind():
    package = ROOT / "perfplan"
    asked = {}
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        if not name.startswith(HOMES) and (count := questions(path.read_text(encoding="utf-8"), fields=name not in FIELDS)):
            asked[name] = count
    assert asked == {}


@pytest.mark.parametrize(
    "planted",
    [
        "isinstance(tier, Cache)",
        "isinstance(objective, promises.Latency | promises.Errors)",
        "type(tier) is Queue",
        "type(tier) in (Queue, Partner)",
        "_of(study, Database)",
        "tier.kind == 'queue'",
        "tier.kind in ('queue', 'cache')",
        "type(tier).__name__ == 'service'",
        "match tier:\n    case Service():\n        pass",
        "match objective.kind:\n    case 'latency':\n        pass",
        "{'queue': 1, 'cache': 2}[tier.kind]",
        "hasattr(tier, 'workers')",
        "getattr(objective, 'journey', None)",
    ],
)
def test_a_planted_question_is_found(planted):
    assert questions(planted) >= 1


def test_imports_and_hints_are_no_questions():
    text = """
    from perfplan.tiers import Cache, Tier
    def one(tier: Cache, others: list[Cache]) -> Cache | None:
        made: Cache = tier
        return made
    """
    assert questions(textwrap.dedent(text)) == 0
