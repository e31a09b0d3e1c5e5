"""Foreign files become statements: YAML scenarios and traffic histories."""

from perfplan.reading.nodes import BadScenario, Problem
from perfplan.reading.reader import read, stated_text

__all__ = ["BadScenario", "Problem", "read", "stated_text"]
