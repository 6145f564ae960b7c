"""The JSON Schema of a policy file, for editors that complete and check TOML.

Source: docs/specification.md#policy.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from auditor import policy
from auditor.policy import Policy
from auditor.reports.outputs import head
from auditor.schema.outputs import VERSION
from auditor.schema.tables import TABLES

_WHOLE = ("Period", "Source")
"""Tables that have no default to complete them."""
_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def policy_schema() -> dict[str, Any]:
    """What a policy file may hold. Keys that it leaves out have their defaults, which the schema names."""
    schema = Policy.model_json_schema()
    defined = schema["$defs"]
    top: dict[str, Any] = defined.pop("Policy")
    for name, table in {**defined, "": top}.items():
        if name not in _WHOLE:
            table.pop("required", None)
    keys = {name: key for name, key in top["properties"].items() if name not in policy.OF_THE_PROGRAM}
    for name, default in tomllib.loads(policy.source("default")).items():
        if not isinstance(default, dict):
            keys[name]["default"] = default
    keys["overpayment_clock"] = {"enum": [60, ""], "default": 60}
    keys["payers"] = {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "string"}, _list_of({"$ref": "#/$defs/Period"})]},
    }
    keys["sources"] = _list_of({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Source"}]})
    keys["columns"] = _columns()
    keys["rows"] = _closed({name: {"$ref": "#/$defs/RowChoice"} for name in TABLES})
    for name, codes in defined["Lists"]["properties"].items():
        defined["Lists"]["properties"][name] = {"anyOf": [codes, _CHANGES]}
    return head("policy") | top | {"description": f"schema_version {VERSION}", "properties": keys, "$defs": defined}


_CHANGES = {
    "type": "object",
    "properties": {
        "add": {"type": "array", "items": {"type": "string"}},
        "file": {"type": "string", "description": "a CSV file, relative to the policy's"},
        "column": {"type": "string", "description": "the file's column of codes"},
    },
    "additionalProperties": False,
}
"""Changes to a shipped list."""


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _columns() -> dict[str, Any]:
    """Each table's columns, which the headers of an export are mapped to."""
    return _closed({name: _closed(dict.fromkeys(table.columns, _TEXTS)) for name, table in TABLES.items()})


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
