"""Foreign files become statements: YAML scenarios and traffic histories."""

from perfplan.reading.document import BadScenario, Problem
from perfplan.reading.statement import read, stated_text

__all__ = ["BadScenario", "Problem", "read", "stated_text"]
