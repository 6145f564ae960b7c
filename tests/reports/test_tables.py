"""Frames as text for spreadsheets: what would start a formula does not, and nothing else is touched."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from auditor.parsing.typed_table import of_repeats
from auditor.reading.ingest import REJECT_SCHEMA
from auditor.reports import tables
from auditor.reports.tables import to_csv
from auditor.schema.tables import TABLES


def test_only_cells_that_would_start_a_formula_are_guarded() -> None:
    frame = pl.DataFrame({"id": ["=1+1", "a=1", None], "codes": [["-1", "99213"], ["99213"], []], "count": [-1, 2, 3],
                          "plain": ["x", "y", "z"]})  # fmt: skip
    assert to_csv(frame) == "id,codes,count,plain\n'=1+1,'-1;99213,-1,x\na=1,99213,2,y\n,\"\",3,z\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_each_start_of_a_formula_is_guarded(start: str) -> None:
    text = to_csv(pl.DataFrame({"id": ["a", f"{start}x"]}))
    assert text.partition("\na\n")[2].strip('"\n') == f"'{start}x"


def test_rejects_come_in_stretches_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 4)
    monkeypatch.setattr(tables, "_BLOCK", 3)
    records = [(file, record) for record in (30, 1, 2, 3, 4, 5, 6, 40, 41, 9) for file in ("b", "a")]
    rows = pl.DataFrame([(*record, "", "why", "p") for record in records], schema=REJECT_SCHEMA, orient="row")
    inputs: Any = SimpleNamespace(tables={"visits": of_repeats(TABLES["visits"], pl.DataFrame(), rows)})
    stretches = list(tables.rejects(inputs))
    assert pl.concat(stretches).select("source_file", "source_record").rows() == sorted(records)
    assert len(stretches) > 4 and max(found.height for found in stretches) <= 4 + 3
    assert tables.first_rejects(inputs, 7).rows() == pl.concat(stretches).head(7).rows()
