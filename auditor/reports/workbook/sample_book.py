"""sample.xlsx: the sampled units as a workbook in which only the reviewer's columns can be edited."""

from pathlib import Path

import polars as pl

from auditor.reports.workbook.sheets import ROWS_ABOVE, Column, opened

SHEET, HEADER_ROW = "Sample", ROWS_ABOVE - 1
REVIEW = ("error_amount", "note")
"""The columns that a reviewer fills in."""
_NOTE = (
    "error_amount: 0 if the payment is correct, the overpaid amount if too much was paid, negative if too little was paid. "
    "Fill in every row of kind sample; use a spare only as docs/sampling.md explains. The other cells are locked without a "
    "password."
)
_WIDTHS = {
    "draw_order": 6,
    "kind": 8,
    "claims": 7,
    "claim_lines": 11,
    "cpt_codes": 10,
    "unit_id": 27,
    "stratum": 22,
}


def write(path: Path, sample: pl.DataFrame, run_id: str, started: str) -> None:
    """Write a drawn sample; `started` is the run's start, so that equal samples give equal bytes. Raises OSError."""
    columns = [Column(name, name, _kind(name, dtype), _WIDTHS.get(name, 13)) for name, dtype in sample.schema.items()]
    review = [Column(REVIEW[0], REVIEW[0], "open_amount", 13), Column(REVIEW[1], REVIEW[1], "open", 40)]
    with opened(path, "Sample to review", run_id, started) as book:
        sheet = book.table(SHEET, sample, [*columns, *review], _NOTE, locked=True)
        sheet.data_validation(ROWS_ABOVE, len(columns), ROWS_ABOVE - 1 + sample.height, len(columns), {
            "validate": "decimal", "criteria": "between", "minimum": -1e9, "maximum": 1e9,
            "error_title": REVIEW[0], "error_message": "Enter an amount; 0 if the payment is correct.",
        })  # fmt: skip


def _kind(name: str, dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else "money" if name.endswith("amount") else "number"
