"""Small readable tables, audited and compared with the reference."""

from pathlib import Path
from typing import Any

from auditor.result import Result
from tests.reference import Table, World
from tests.support import compare

COVERED = {"as_of": "2026-12-31", "visits_since": "2025-01-01", "claims_since": "2025-01-01", "holes": "warn"}
"""Two years of coverage for a handful of rows, which are holes nearly everywhere."""


def rows(text: str) -> Table:
    """A readable table: the header, then one record a line, cells between bars."""
    header, *body = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return Table(tuple(header), tuple(dict(zip(header, cells, strict=True)) for cells in body))


NO_VISITS = rows("visit_id | patient_id | visit_start\nv0 | p0 | 2026-01-01 09:00")


def audit(tmp_path: Path, calls: str, visits: Table = NO_VISITS, **settings: Any) -> Result:
    world = World(calls=rows(calls), visits=compare.reaching(visits, COVERED["as_of"]), settings=COVERED | settings)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    return result
