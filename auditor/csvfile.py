"""One CSV file's bytes → text columns and the records that do not fit the header.

Well-formed files go through pyarrow; a file that it refuses is read again record by record, so that only the ragged
records are lost and each is named. Source: SPEC.md section 2.
"""

import codecs
import csv
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from auditor.errors import InputRefused

_DELIMITERS = (",", "\t", "|", ";")
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook or Office document",
    b"%PDF-": "a PDF document",
    b"SQLite format 3\0": "an SQLite database",
    b"ORC\n": "an ORC file",
    b"ARROW1\0": "an Arrow IPC file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"Obj\x01": "an Avro file",
    b"PAR1": "a compressed Parquet file",
    b"BZh9": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"<": "an HTML or XML page",
    b"{": "a JSON document",
    b"[{": "a JSON document",
}
"""What a file is that begins so: exports of other kinds, and the log-in page that a download saved instead."""

_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
_PART = 1 << 24
"""Bytes decompressed at a time, so that a small file cannot fill the memory before it is refused."""

csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class CsvText:
    """UTF-8 text without a byte-order mark, its delimiter and headers; `body` is where the records begin.

    `declared`: the file was in the declared encoding, not in UTF-8 or UTF-16.
    """

    data: bytes
    declared: bool
    body: int
    delimiter: str
    headers: tuple[str, ...]


def open_text(where: str, raw: bytes, encoding: str = "utf-8") -> CsvText:
    """Decompress, decode and find the header. `encoding` is that of text which is not UTF-8.

    Raises InputRefused for bytes that are no CSV text.
    """
    data, declared = _utf8(where, _decompress(where, raw), encoding)
    data = data[re.match(rb"[\r\n]*", data).end() :]  # type: ignore[union-attr]
    if not re.search(rb"\S", data):
        raise InputRefused(f"{where}: the file is empty: it needs at least a header line; export it again")
    first = re.match(rb'(?:[^\r\n"]++|"[^"]*+")*+(?:\r\n|\r|\n|$)', data)
    if first is None:
        raise InputRefused(f"{where}, line 1: a quote in the header is never closed; correct the header line")
    line = first[0].decode().rstrip("\r\n")
    bare = re.sub(r'"[^"]*"', "", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        headers = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        headers = []
    if not headers or any(delimiter in header and re.search(r"[\r\n]", header) for header in headers):
        raise InputRefused(f"{where}, line 1: a header is not quoted from end to end; correct the header line")
    return CsvText(data, declared, first.end(), delimiter, tuple(headers))


def read_columns(where: str, text: CsvText, positions: Sequence[int]) -> tuple[pl.DataFrame, dict[int, str]]:
    """The wanted columns as text (named by position, in record order) and record number → reason for those lost.

    The frame holds every record that fits the header; `record` is its number, counted from 1 over all records.
    """
    if _well_quoted(text):
        try:
            return _fast(text, positions), {}
        except pa.ArrowInvalid:
            pass
    return _slow(where, text, positions)


def _well_quoted(text: CsvText) -> bool:
    """Whether every quote belongs to a field that is quoted from end to end: pyarrow would guess about any other."""
    if text.data.find(b'"', text.body) < 0:
        return True
    edge = rb"[^" + re.escape(text.delimiter.encode()) + rb"\r\n]"
    fields = rb"(?<!" + edge + rb')"[^"]*+(?:""[^"]*+)*+"(?!' + edge + rb")"
    return b'"' not in re.sub(fields, b"", text.data[text.body :])


def _fast(text: CsvText, positions: Sequence[int]) -> pl.DataFrame:
    if text.body >= len(text.data):
        return _frame([[] for _ in positions], positions, [])
    names = [str(position) for position in range(len(text.headers))]
    wanted = [str(position) for position in positions]
    table = pacsv.read_csv(
        pa.py_buffer(memoryview(text.data)[text.body :]),
        read_options=pacsv.ReadOptions(column_names=names),
        parse_options=pacsv.ParseOptions(delimiter=text.delimiter, newlines_in_values=b'"' in text.data),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.large_string()), include_columns=wanted, strings_can_be_null=False
        ),
    )
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_row_index("record", offset=1)


def _slow(where: str, text: CsvText, positions: Sequence[int]) -> tuple[pl.DataFrame, dict[int, str]]:
    width = len(text.headers)
    stream = io.TextIOWrapper(io.BytesIO(text.data[text.body :]), encoding="utf-8", newline="")
    reader = csv.reader(stream, delimiter=text.delimiter, strict=True)
    columns: list[list[str]] = [[] for _ in positions]
    records: list[int] = []
    lost: dict[int, str] = {}
    number = 0
    while True:
        line = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputRefused(
                    f"{where}, record {number + 1}: a quote is opened and never closed, so the rest of the file cannot be "
                    "told apart; correct that record or export the file again"
                ) from None
            number += 1
            if reader.line_num - line > 1:
                raise InputRefused(
                    f"{where}, record {number}: a quoted field runs over several lines and does not end properly, so the "
                    "records in it cannot be told apart; correct that record or export the file again"
                ) from None
            lost[number] = "text after a closing quote"
            continue
        if not row:
            continue
        number += 1
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            lost[number] = f"{len(row)} fields where the header has {width}"
            continue
        records.append(number)
        for column, position in zip(columns, positions, strict=True):
            column.append(row[position])
    return _frame(columns, positions, records), lost


def _frame(columns: list[list[str]], positions: Sequence[int], records: list[int]) -> pl.DataFrame:
    series = [
        pl.Series(str(position), column, dtype=pl.String) for position, column in zip(positions, columns, strict=True)
    ]
    return pl.DataFrame([pl.Series("record", records, dtype=pl.UInt32), *series])


def _decompress(where: str, raw: bytes) -> bytes:
    if raw[:2] == b"\x1f\x8b":
        stream: io.BufferedIOBase = gzip.GzipFile(fileobj=io.BytesIO(raw))
    elif raw[:4] == b"\x28\xb5\x2f\xfd":
        stream = pa.input_stream(pa.py_buffer(raw), compression="zstd")
    else:
        return raw
    parts = []
    room = _MEMORY // 2
    try:
        with stream:
            while part := stream.read(_PART):
                parts.append(part)
                room -= len(part)
                if room < 0:
                    raise InputRefused(
                        f"{where}: decompressed, it fills more than half of this machine's memory; export several files"
                    )
    except (OSError, EOFError, zlib.error):
        raise InputRefused(f"{where}: the compressed data is damaged or cut short; export or copy it again") from None
    return b"".join(parts)


def _utf8(where: str, data: bytes, encoding: str) -> tuple[bytes, bool]:
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked:
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise InputRefused(f"{where}: marked as UTF-16 but not valid UTF-16; export it again") from None
    data = data.removeprefix(codecs.BOM_UTF8)
    for magic, kind in _FOREIGN.items():
        if data.startswith(magic):
            raise InputRefused(f"{where}: this is {kind}; export the table as CSV or Parquet")
    if (nul := data.find(b"\0")) >= 0:
        if data[:64].count(0) * 3 >= len(data[:64]):
            raise InputRefused(
                f"{where}: UTF-16 or UTF-32 text without the byte-order mark of UTF-16; export the file as UTF-8"
            )
        raise InputRefused(
            f"{where}, line {_line(data, nul)}: a NUL byte; the file is damaged or no text; export it again"
        )
    if not marked and not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            return _declared(where, data, encoding, error.start), True
    return data, False


def _declared(where: str, data: bytes, encoding: str, offset: int) -> bytes:
    """Text that is not UTF-8, from its offset on, in the encoding that the policy declares."""
    if encoding == "utf-8":
        raise InputRefused(
            f"{where}, line {_line(data, offset)}: not UTF-8 text; export the file as UTF-8, or declare what it is in the "
            'policy: encoding = "cp1252"'
        )
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"{where}, line {_line(data, error.start)}: neither UTF-8 nor {encoding} text; export the file as UTF-8"
        ) from None


def _line(data: bytes, offset: int) -> int:
    """Line number, from 1, of an offset; CR, LF and CRLF each end a line."""
    return len(re.findall(rb"\r\n|\r|\n", data[:offset])) + 1
