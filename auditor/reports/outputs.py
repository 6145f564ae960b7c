"""JSON Schemas of what a run writes: a row of each table as in JSON Lines, and the summary. `audit98968 schema` prints them.

Source: docs/specification.md#outputs.
"""

from collections.abc import Mapping
from typing import Any

from auditor.run_summary import Summary
from auditor.schema.outputs import TABLES, VERSION, Column, Columns

_TYPES: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "whole number": {"type": "integer"},
    "number": {"type": "number"},
    "dollars": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"},
    "yes/no": {"type": "boolean"},
    "list of text": {"type": "array", "items": {"type": "string"}},
}


def schemas() -> dict[str, Any]:
    """JSON Schemas by name."""
    rows = {name: head(name) | _row(name, columns) for name, columns in TABLES.items()}
    return rows | {"summary": head("summary") | Summary.model_json_schema(mode="serialization")}


def head(name: str) -> dict[str, Any]:
    """How a schema begins."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": f"urn:audit98968:schema:{name}:{VERSION}"}


def _row(name: str, columns: Columns) -> dict[str, Any]:
    return {
        "title": name,
        "description": f"schema_version {VERSION}",
        "type": "object",
        "properties": {column.name: _property(column) for column in columns.values()},
        "required": list(columns),
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, Any]:
    kind = _TYPES[column.type]
    if not column.null:
        return kind | {"description": column.meaning}
    return kind | {"type": [kind["type"], "null"], "description": f"{column.meaning}; null: {column.null}"}
