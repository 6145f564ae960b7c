"""The sheet of the last runs: what summary.json has in `trend`, with a native chart of each figure."""

import polars as pl

from auditor.reports.page.charts import INK
from auditor.reports.workbook.columns import RUNS
from auditor.reports.workbook.sheets import ROWS_ABOVE, WorkbookWriter
from auditor.run_summary import Summary

_NOTE = "The last runs up to this one, each with the figures that it had."
_WIDTH, _HEIGHT = 380, 200


def write(book: WorkbookWriter, summary: Summary) -> None:
    """Add the sheet."""
    schema = {"run": pl.String, **dict.fromkeys([column.name for column in RUNS[1:]], pl.Float64)}
    runs = pl.DataFrame([run.model_dump() for run in summary.trend], schema=schema)
    sheet = book.table("Last runs", runs, RUNS, _NOTE)
    shown = [at for at, column in enumerate(RUNS) if at and runs[column.name].count()]
    for place, at in enumerate(shown if runs.height > 1 else ()):
        rows = (ROWS_ABOVE, ROWS_ABOVE + runs.height - 1)
        chart = book.book.add_chart({"type": "column"})
        chart.add_series({
            "categories": ["Last runs", rows[0], 0, rows[1], 0], "values": ["Last runs", rows[0], at, rows[1], at],
            "fill": {"color": INK["accent"]}, "gap": 30,
        })  # fmt: skip
        chart.set_title({"name": RUNS[at].heading, "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        chart.set_x_axis({"visible": False})
        form = {"share": "0%", "money": "$#,##0"}.get(RUNS[at].kind, "#,##0")
        chart.set_y_axis(
            {"min": 0, "num_format": form, "major_gridlines": {"visible": True, "line": {"color": "#E4E7EC"}}}
        )
        chart.set_size({"width": _WIDTH, "height": _HEIGHT})
        x, y = place % 2, place // 2
        sheet.insert_chart(1, len(RUNS) + 1, chart, {"x_offset": x * (_WIDTH + 10), "y_offset": y * (_HEIGHT + 10)})
