"""The examples of a rule's page as exports: a readable table becomes calls, visits, claims and providers.

Records: k1 a billed call, u1 an unbilled one, v1 a visit, b1 a claims-table line, r1 a record of the phone log,
a bare letter a provider.
"""

import tomllib
from dataclasses import dataclass
from typing import Any

from auditor.rules.rule import Rule
from auditor.schema.tables import TABLES
from tests.reference import Table, World
from tests.support.compare import reaching

COVERAGE = {"as_of": "2026-12-31", "visits_since": "2025-01-01", "claims_since": "2025-01-01"}
_USERS = {"phone_users": {"a": ["a"], "b": ["b"]}}
"""Each provider's extension in the phone log is its id."""
_TABLE = {"k": "calls", "u": "calls", "v": "visits", "b": "claims", "r": "phone_log"}
_START = {"calls": "call_start", "visits": "visit_start", "claims": "service_date", "phone_log": "call_start"}
_KEY = {"calls": "call_id", "visits": "visit_id", "claims": "claim_id", "providers": "provider_id",
        "phone_log": "record_id"}  # fmt: skip


_POLICY = {"relatedness": "relatedness", "horizon_days": "horizon_days", "frequency.anchor": "anchor",
           "credentials.may_report_em": "may_report_em", "required.consent": "consent", "required.modifiers": "modifiers",
           "required.place_of_service": "place_of_service", "lookahead.unrelated_supports": "unrelated_supports_lah001", "lookahead.hours": "lookahead_hours"}  # fmt: skip
"""Policy keys that examples may set, and what the reference calls them."""


@dataclass(frozen=True)
class Example:
    """One table of a page: its rows, and the policy keys that a line `policy: KEY = VALUE` above it sets."""

    rows: list[dict[str, str]]
    settings: dict[str, Any]

    @property
    def expected(self) -> dict[str, str]:
        """Record → outcome and related record."""
        return {row["record"]: row["expect"] for row in self.rows if row["expect"]}

    @property
    def world(self) -> World:
        tables: dict[str, list[dict[str, str]]] = {"calls": [], "visits": [], "claims": [], "providers": [],
                                                   "phone_log": []}  # fmt: skip
        for row in self.rows:
            name = "providers" if row["record"].isalpha() else _TABLE[row["record"][0]]
            tables[name].append(_cells(name, row))
        made = {
            name: _table(name, records) for name, records in tables.items() if records or name in ("calls", "visits")
        }
        made["visits"] = reaching(made["visits"], COVERAGE["as_of"])
        return World(**made, settings=COVERAGE | _USERS | {"holes": "warn"} | self.settings)


def examples(rule: Rule) -> list[Example]:
    """The tables of a rule's page; each has its own header, and a policy line begins a new one."""
    found: list[Example] = []
    header: list[str] = []
    for line in filter(None, map(str.strip, rule.examples.splitlines())):
        if line.startswith("policy: "):
            key, _, value = line.removeprefix("policy: ").partition(" = ")
            found.append(Example([], {_POLICY[key]: tomllib.loads(f"value = {value}")["value"]}))
            header = []
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if not header:
            header = cells
            found = found if found and not found[-1].rows else [*found, Example([], {})]
        else:
            found[-1].rows.append(dict(zip(header, cells, strict=True)))
    return found


def _cells(name: str, row: dict[str, str]) -> dict[str, str]:
    known = TABLES[name].columns
    cells = {column: value for column, value in row.items() if column in known}
    cells |= {"patient_id": row.get("patient", ""), "provider_id": row.get("provider", "") or "a"}
    cells[_KEY[name]] = row["record"]
    if name in _START:
        cells[_START[name]] = row["start"]
    if name == "calls":
        cells.setdefault("call_minutes", "25")
    if name == "claims" or row["record"].startswith("k"):
        cells["cpt_code"] = row.get("cpt_code") or "98968"
    return {column: value for column, value in cells.items() if column in known}


def _table(name: str, records: list[dict[str, str]]) -> Table:
    required = [column.name for column in TABLES[name].columns.values() if column.required]
    return Table(
        tuple(dict.fromkeys([*required, *(column for record in records for column in record)])), tuple(records)
    )
