"""Rows of a frame as the XML of a sheet, made column by column.

xlsxwriter spends 7 microseconds on a cell, and a large audit has millions. So it writes the workbook with its formats,
filters and charts, and the rows of the tables are put into the finished sheets here. Text is always an inline string:
nothing in a cell can become a formula, a link or a number.
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl
from xlsxwriter.utility import xl_col_to_name

_EPOCH = 25_569
"""1 January 1970 as Excel counts days."""
_CHUNK = 25_000
_LONGEST = 16_000
"""Characters of a cell; Excel allows 32,767 units of UTF-16."""
_LEVEL = 3
"""Of compression: half the time of the default for a tenth more bytes."""

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\ufffe": "\ufffd", "\uffff": "\ufffd"} | {
    chr(code): f"_x{code:04X}_" for code in range(32) if chr(code) not in "\t\n"
}


@dataclass(frozen=True)
class Column:
    """A column of a sheet: its name in the frame, its heading, the kind of its values (a format's name), its width.

    A `link` column holds cell references such as `#'Claims'!A3`; its heading is what the reader clicks.
    """

    name: str
    head: str
    kind: str = "text"
    width: int = 12


@dataclass(frozen=True)
class Rows:
    """What to put into one sheet: below `above` rows, the rows of `frame`."""

    frame: pl.DataFrame
    columns: Sequence[Column]
    above: int


def fill(workbook: IO[bytes], path: Path, sheets: Mapping[int, Rows]) -> None:
    """Copy a workbook to `path`, adding rows to its sheets (numbered from 1). Raises OSError."""
    members = {f"xl/worksheets/sheet{number}.xml": rows for number, rows in sheets.items()}
    with (
        zipfile.ZipFile(workbook) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as out,
    ):
        for entry in source.infolist():
            info = zipfile.ZipInfo(entry.filename, entry.date_time)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, entry.external_attr
            rows = members.get(entry.filename)
            text = source.read(entry)
            if rows is None or rows.frame.is_empty():
                out.writestr(info, text, compresslevel=_LEVEL)
                continue
            # zipfile chooses the format for files over 2 GiB before it knows the size.
            info.file_size = rows.frame.height * len(rows.columns) * 100
            with out.open(info, "w") as sheet:
                _insert(sheet, text.decode(), rows)


def _insert(sheet: IO[bytes], text: str, rows: Rows) -> None:
    last = rows.above + rows.frame.height
    text = re.sub(r'(<dimension ref="A1:[A-Z]+)\d+"', rf'\g<1>{last}"', text, count=1)
    before, end, after = text.partition("</sheetData>")
    styles = {
        at: style
        for first, final, style in re.findall(r'<col min="(\d+)" max="(\d+)"[^>]* style="(\d+)"', before)
        for at in range(int(first) - 1, int(final))
    }
    sheet.write(before.encode())
    for chunk in rows.frame.with_row_index("_row", rows.above + 1).iter_slices(_CHUNK):
        cells = [_cell(chunk, column, at, styles.get(at, "0")) for at, column in enumerate(rows.columns)]
        number = pl.col("_row").cast(pl.String)
        row = pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>"), ignore_nulls=True)
        sheet.write("".join(chunk.select(row).to_series().to_list()).encode())
    sheet.write((end + after).encode())


def _cell(frame: pl.DataFrame, column: Column, at: int, style: str) -> pl.Expr:
    """The XML of one cell, null where there is no value."""
    value = _as_stored(frame, column)
    where = pl.lit(f'<c r="{xl_col_to_name(at)}') + pl.col("_row").cast(pl.String) + pl.lit(f'" s="{style}"')
    if column.kind == "link":
        head = column.head
        return where + ' t="str"><f>HYPERLINK("' + value + f'","{head}")</f><v>{head}</v></c>'
    if column.kind == "text":
        return where + ' t="inlineStr"><is><t xml:space="preserve">' + value + "</t></is></c>"
    return where + "><v>" + value + "</v></c>"


def _as_stored(frame: pl.DataFrame, column: Column) -> pl.Expr:
    """The value as text: days since 1900 in local time, exact decimals, or escaped text."""
    value, dtype = pl.col(column.name), frame.schema[column.name]
    if isinstance(dtype, pl.Datetime):
        value = value.dt.replace_time_zone(None).dt.epoch("us") / 86_400_000_000 + _EPOCH
    elif dtype == pl.Date:
        value = value.dt.epoch("d") + _EPOCH
    elif isinstance(dtype, pl.List):
        value = value.list.join("; ")
    text = value.cast(pl.String)
    if column.kind != "text":
        return text
    # Excel reads _x0041_ as a character by its number; an id that looks so is escaped the same way.
    coded = text.str.contains(r"_x[0-9A-Fa-f]{4}_")
    text = pl.when(coded).then(text.str.replace_all("_x", "_x005F_x", literal=True)).otherwise(text)
    text = text.str.head(_LONGEST).str.replace_many(list(_ESCAPED), list(_ESCAPED.values()))
    return pl.when(text != "").then(text)
