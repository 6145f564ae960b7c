"""Frames as text for spreadsheets: what would start a formula does not, and nothing else is touched."""

import polars as pl

from auditor.reports.tables import to_csv


def test_only_cells_that_would_start_a_formula_are_guarded() -> None:
    frame = pl.DataFrame({"id": ["=1+1", "a=1", None], "codes": [["-1", "99213"], ["99213"], []], "count": [-1, 2, 3],
                          "plain": ["x", "y", "z"]})  # fmt: skip
    assert to_csv(frame) == "id,codes,count,plain\n'=1+1,'-1;99213,-1,x\na=1,99213,2,y\n,\"\",3,z\n"
