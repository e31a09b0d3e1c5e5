"""Where a number stands in a scenario: a field of a tier, or one of the scenario's own."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A field of a tier; of the scenario itself where *tier* is empty.

    >>> str(Place("api", "instances")), Place("api", "instances").words, str(LINK)
    ('tiers.api.instances', 'api instances', 'link')
    """

    tier: str
    field: str

    def __str__(self) -> str:
        return f"tiers.{self.tier}.{self.field}" if self.tier else self.field

    @property
    def words(self) -> str:
        """In a sentence."""
        return f"{self.tier} {self.field}".strip()


LINK = Place("", "link")
