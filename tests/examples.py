"""The examples of a rule's page as exports: a readable table becomes calls, visits, claims and providers.

Records: k1 a billed call, u1 an unbilled one, v1 a visit, b1 a claims-table line, a bare letter a provider.
"""

from reference import Table, World

from auditor.rules.rule import Rule
from auditor.schema.tables import TABLES

COVERAGE = {"as_of": "2026-12-31", "visits_since": "2025-01-01", "claims_since": "2025-01-01"}
_TABLE = {"k": "calls", "u": "calls", "v": "visits", "b": "claims"}
_START = {"calls": "call_start", "visits": "visit_start", "claims": "service_date"}
_KEY = {"calls": "call_id", "visits": "visit_id", "claims": "claim_id", "providers": "provider_id"}


def rows(rule: Rule) -> list[dict[str, str]]:
    lines = [line.strip() for line in rule.examples.strip().splitlines()]
    header, *body = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(header, cells, strict=True)) for cells in body]


def world(rule: Rule) -> World:
    tables: dict[str, list[dict[str, str]]] = {"calls": [], "visits": [], "claims": [], "providers": []}
    for row in rows(rule):
        name = "providers" if row["record"].isalpha() else _TABLE[row["record"][0]]
        tables[name].append(_cells(name, row))
    made = {name: _table(name, records) for name, records in tables.items() if records or name in ("calls", "visits")}
    return World(**made, settings=dict(COVERAGE))


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
