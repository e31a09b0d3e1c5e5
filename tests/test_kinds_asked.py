"""Nobody asks what kind of tier a thing is, but for its own file: a new kind would be answered wrongly there, and nobody would say so.

What still asks is counted, and the count may only shrink.
"""

import ast
import textwrap

import pytest

from perfplan.tiers import KINDS
from tests.conftest import ROOT

NAMES = {kind.__name__ for kind in KINDS}
WORDS = {"service", "cache", "database", "queue", "partner"}
LEFT = {  # modules that still ask, and how often
    "artifacts/__init__.py": 2,
    "artifacts/runbook.py": 8,
    "artifacts/servers.py": 6,
    "checklist/rules.py": 15,
    "figures/architecture.py": 2,
    "figures/settings.py": 1,
    "findings.py": 1,
    "sweeps.py": 2,
    "tables/architecture.py": 5,
    "tables/overview.py": 1,
}


def questions(text):
    """How often a module asks for a kind of tier: its class named anywhere but in an import or a hint, or its word compared."""
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
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = any(isinstance(one, ast.Attribute) and one.attr in ("kind", "__name__") for one in sides)
            found += named and any(isinstance(one, ast.Constant) and one.value in WORDS for side in sides for one in ast.walk(side))
    return found


def test_the_count_of_those_who_ask_only_shrinks():
    package = ROOT / "perfplan"
    found = {path.relative_to(package).as_posix(): questions(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")}
    homes = {name: count for name, count in found.items() if count and not name.startswith("tiers/")}
    assert homes == LEFT


@pytest.mark.parametrize(
    "planted",
    [
        "isinstance(tier, Cache)",
        "type(tier) is Queue",
        "type(tier) in (Queue, Partner)",
        "_of(study, Database)",
        "tier.kind == 'queue'",
        "tier.kind in ('queue', 'cache')",
        "type(tier).__name__ == 'service'",
        "match tier:\n    case Service():\n        pass",
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
