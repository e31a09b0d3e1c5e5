"""A plan as data and in sentences: plan.json, what changed between two of them, all findings, the story."""

from perfplan.document.writing import SCHEMA, SCHEMAS, document, to_json

__all__ = ["SCHEMA", "SCHEMAS", "document", "to_json"]
