"""The quick reference of the checklist: what MVP, Growth and Enterprise ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfplan.models.slo import binding_error_limit

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Level:
    """One column of it."""

    name: str
    p95_s: float
    errors: float  # as it stands; see `binding_errors`
    available: float
    hits: float

    @property
    def binding_errors(self) -> float:
        """Share of requests that may fail: an availability counted in requests may allow fewer than the error rate beside it."""
        return binding_error_limit(self.errors, self.available)


LEVELS = (  # the highest first
    Level(name="Enterprise", p95_s=0.150, errors=0.0001, available=0.9999, hits=0.95),
    Level(name="Growth", p95_s=0.300, errors=0.001, available=0.9995, hits=0.90),
    Level(name="MVP", p95_s=0.500, errors=0.01, available=0.999, hits=0.80),
)
MVP = LEVELS[-1]


def reached(meets: Callable[[Level], bool]) -> str:
    """The highest level that is met; NONE where none is.

    >>> reached(lambda level: 0.2 < level.p95_s), reached(lambda level: 0.0009 <= level.binding_errors), reached(lambda level: False)
    ('Growth', 'MVP', 'none')
    """
    return next((level.name for level in LEVELS if meets(level)), NONE)
