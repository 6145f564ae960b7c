"""sample.xlsx: the drawn units as a work paper, locked but for the reviewer's columns."""

from datetime import datetime
from pathlib import Path

import polars as pl
from xlsxwriter import Workbook

from auditor.reports.workbook.workbook import Book

SHEET, HEADER_ROW = "Sample", 1
REVIEW = ("error_amount", "note")
"""The columns that a reviewer fills in."""
_NOTE = (
    "error_amount: 0 where the unit is right, what was paid too much where it is not, negative where too little was paid. "
    "Fill in every row of kind sample; a spare only as docs/sampling.md says. The other cells are locked without a password."
)
_WIDTHS = {
    "order": 6,
    "kind": 8,
    "claims": 7,
    "claim_lines": 11,
    "cpt_codes": 10,
    "unit_id": 27,
    "stratum": 22,
    "note": 40,
}


def write(path: Path, sample: pl.DataFrame, run_id: str, started: str) -> None:
    """Write a drawn sample; `started` is the run's start, so that equal samples give equal bytes. Raises OSError."""
    heads, last = [*sample.columns, *REVIEW], HEADER_ROW + sample.height
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with Workbook(path, plain) as opened:
        created = datetime.fromisoformat(started).replace(tzinfo=None)
        opened.set_properties({"title": "Sample to review", "comments": run_id, "created": created})
        formats = Book(opened, last + 1).formats
        amount = opened.add_format({"locked": False, "bg_color": "#FFFBE6", "num_format": "#,##0.00"})
        sheet = opened.add_worksheet(SHEET)
        sheet.write_string(0, 0, _NOTE, formats["note"])
        for at, head in enumerate(heads):
            kind = "open" if head in REVIEW else "text" if sample.schema[head] == pl.String else "number"
            kind = "money" if kind == "number" and head.endswith("amount") else kind
            how = amount if head == REVIEW[0] else formats[kind]
            sheet.set_column(at, at, _WIDTHS.get(head, 13), how)
            sheet.write_string(HEADER_ROW, at, head, formats["head"])
            values = sample[head] if head in sample.columns else [None] * sample.height
            for row, value in enumerate(values, start=HEADER_ROW + 1):
                if value is None:
                    sheet.write_blank(row, at, None, how)
                elif kind == "text":
                    sheet.write_string(row, at, value, how)
                else:
                    sheet.write_number(row, at, value, how)
        errors = len(sample.columns)
        sheet.data_validation(HEADER_ROW + 1, errors, last, errors, {
            "validate": "decimal", "criteria": "between", "minimum": -1e9, "maximum": 1e9,
            "error_title": REVIEW[0], "error_message": "An amount of money; 0 where the unit is right.",
        })  # fmt: skip
        sheet.freeze_panes(HEADER_ROW + 1, 0)
        sheet.autofilter(HEADER_ROW, 0, last, len(heads) - 1)
        sheet.protect("", {"autofilter": True, "format_columns": True, "format_rows": True})
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(HEADER_ROW)
