"""One CSV file → chunks of text columns, and the records that do not fit the header, in bounded memory.

Well-formed text goes through pyarrow; a chunk that it refuses is read again record by record, so that only the ragged
records are lost and each is named.

Source: docs/specification.md#files.
"""

import contextlib
import csv
import io
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from auditor.errors import InputRefused
from auditor.reading import decoding
from auditor.reading.decoding import Source
from auditor.reading.dictionary import NO_HINTS, ColumnHints, from_arrow

CHUNK = 1 << 25
"""Bytes of text in a chunk."""
_LONGEST = 64_000_000
"""Bytes of a record."""
_SAMPLE, _LEAST_SAMPLE = 1 << 20, 1 << 15
"""Bytes from which columns with few distinct values are detected: at most, and at least."""
_ROWS_PER_VALUE = 20
"""Least rows per distinct value in such a column."""

_DELIMITERS = (",", "\t", "|", ";")
_SEPARATOR = re.compile(r'"?sep=([,;|\t])"?[,;|\t]*', re.IGNORECASE)
"""A first line that names the delimiter."""
_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
_HEAD = 1 << 16
"""Bytes that are searched for a header below the first line."""
_TITLES = 100
"""Lines that are searched for a header by the number of cells."""
_HEADER = re.compile(rb'(?:[^\r\n"]++|"[^"]*+")*+(?:\r\n|\r|\n|$)')

csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class CsvText:
    """A CSV file whose header was read: its delimiter, its headers, and the text of its records, which is read once.

    `declared`: the file is in the declared encoding, not in UTF-8 or UTF-16. `chunk`: bytes of a chunk. `head`: the first
    text of the file, `above` how many of its lines were passed over.
    """

    where: str
    declared: bool
    delimiter: str
    headers: tuple[str, ...]
    records: Iterator[bytes]
    chunk: int
    head: bytes = b""
    above: int = 0


Columns = tuple[pl.DataFrame, ColumnHints, dict[int, str]]
"""The wanted columns as text or dictionary-encoded, named by position, with `record`; and record number → reason for
those lost.
"""


_Quotes = tuple[bool, bool]
"""Whether there are quotes, and line ends within them."""


def piece(chunk: int) -> int:
    """Bytes that are parsed at once: few enough for the processor's cache, since each is looked at several times."""
    return max(1, chunk // 8)


def open_text(
    where: str, source: Source, encoding: str = "utf-8", chunk: int = CHUNK, skip: int | Callable[[bytes], int] = 0
) -> CsvText:
    """Decompress, decode and find the header, below `skip` lines, or as many as that makes of the first text.

    `encoding` is that of text which is not UTF-8.

    Raises InputRefused for bytes that are no CSV text, here and while the records are read.
    """
    declared = encoding != "utf-8" and not decoding.is_utf8(where, source, piece(chunk))
    blocks = decoding.blocks(where, source, piece(chunk), encoding if declared else "utf-8")
    first = next(blocks, b"")
    above = skip if isinstance(skip, int) else skip(first[:_HEAD])
    text = _with_header(where, declared, chain((_LINES.sub(b"", first, above) if above else first,), blocks), chunk)
    return replace(text, head=first[:_HEAD], above=above)


def lines_above(text: CsvText, fits: Callable[[Sequence[str]], bool]) -> int | None:
    """The number of lines above the first one that fits as a header; None if no line does."""
    for above, line in enumerate(text.head.splitlines()):
        for delimiter in _DELIMITERS:
            with contextlib.suppress(csv.Error, UnicodeDecodeError):
                row = next(csv.reader([line.decode()], delimiter=delimiter, strict=True), [])
                if fits(row):
                    return above
    return None


def lines_above_widest(head: bytes) -> int:
    """The number of lines above the first one that has the most frequent number of cells."""
    rows = head.decode(errors="replace").splitlines()[:_TITLES]
    if not rows or _SEPARATOR.fullmatch(rows[0]):
        return 0
    delimiter = max(_DELIMITERS, key=lambda mark: sum(row.count(mark) for row in rows))
    with contextlib.suppress(csv.Error):
        widths = [len(next(csv.reader([row], delimiter=delimiter), [])) for row in rows]
        usual = max(set(widths), key=widths.count)
        return widths.index(usual) if usual > 2 else 0
    return 0


def _with_header(
    where: str, declared: bool, blocks: Iterator[bytes], chunk: int, delimiter: str | None = None
) -> CsvText:
    data, first = b"", None
    for block in blocks:
        data = (data + block).lstrip(b"\r\n")
        first = _HEADER.match(data)
        if first and first.end() < len(data) and not data.isspace():
            break
        if len(data) > _LONGEST:
            raise _endless(f"{where}, line 1")
    if not data or data.isspace():
        raise InputRefused(f"{where}: the file is empty and has no header line; export it again")
    if first is None:
        raise InputRefused(f"{where}, line 1: a quotation mark in the header is not closed; correct the header line")
    line = first[0].decode().rstrip("\r\n")
    separator_match = _SEPARATOR.fullmatch(line) if delimiter is None else None
    if separator_match:  # a line of Excel's, and no row
        return _with_header(where, declared, chain((data[first.end() :],), blocks), chunk, separator_match[1])
    bare = re.sub(r'"[^"]*"', "", line)
    delimiter = delimiter or max(_DELIMITERS, key=bare.count)
    try:
        headers = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        headers = []
    if not headers or any(delimiter in header and re.search(r"[\r\n]", header) for header in headers):
        raise InputRefused(f"{where}, line 1: only a part of a header is in quotation marks; correct the header line")
    return CsvText(where, declared, delimiter, tuple(headers), chain((data[first.end() :],), blocks), chunk)


def read_columns(text: CsvText, positions: Sequence[int], repeating: Collection[int] = ()) -> Iterator[Columns]:
    """The wanted columns in chunks of whole records, at least one; `record` counts from 1 over all records.

    Those positions of `repeating` whose first values repeat are dictionary-encoded.
    """
    low_cardinality: list[str] | None = None
    tables: list[pa.Table] = []
    before = size = 0
    for data, quotes in _pieces(text):
        table = None
        if quotes is not None:
            if low_cardinality is None:
                low_cardinality = _low_cardinality(text, data, positions, repeating)
            with contextlib.suppress(pa.ArrowInvalid):
                table = _fast(text, data, positions, quotes, low_cardinality)
                tables.append(table)
                size += len(data)
        if tables and (table is None or size >= text.chunk):
            yield (chunk := _numbered(tables, low_cardinality or (), before))
            before, size, tables = before + chunk[0].height, 0, []
        if table is None:
            blocks: Iterable[bytes | memoryview] = (data,) if quotes is not None else chain((data,), text.records)
            for frame, hints, malformed in _slow(text, blocks, positions, before):
                yield frame, hints, malformed
                before += frame.height + len(malformed)
    if tables:
        yield _numbered(tables, low_cardinality or (), before)


def read_table(text: CsvText, positions: Sequence[int]) -> pa.Table:
    """All records of a small file. Raises ArrowInvalid where they are more than a chunk, or to be read one by one."""
    tables = [pa.table({str(position): pa.array([], pa.large_string()) for position in positions})]
    for data, quotes in _pieces(text):
        if quotes is None or sum(table.nbytes for table in tables) > text.chunk:
            raise pa.ArrowInvalid
        tables += [_fast(text, data, positions, quotes, ())] if len(data) else []
    return pa.concat_tables(tables)


def _pieces(text: CsvText) -> Iterator[tuple[memoryview, _Quotes | None]]:
    """Pieces of whole records, at least one; None for the last one if the rest of the text belongs to it too."""
    data, size, ended, first = b"", piece(text.chunk), False, True
    while not ended:
        while len(data) < size and not ended:
            block = next(text.records, None)
            ended = block is None
            data += block or b""
        end = len(data) if ended else _last_end(data)
        if not end and not ended and len(data) < _LONGEST and _within_field(data, text.delimiter):
            size = 2 * len(data)
            continue
        if ended and not data and not first:
            return
        quoted = b'"' in data
        newlines = quoted and _quoted_newlines(data[:end], text.delimiter)
        if newlines is None or not (end or ended):
            yield memoryview(data), None
            return
        yield memoryview(data)[:end], (quoted, newlines)
        data, size, first = data[end:], piece(text.chunk), False


def lines(text: CsvText) -> io.TextIOWrapper:
    """The text of the records, line by line with its line ends, for the csv module."""
    return _wrapped(_Text(text.where, text.records))


def _wrapped(stream: "_Text") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(stream, 1 << 16), encoding="utf-8", newline="")


def _last_end(data: bytes) -> int:
    """Where the last record ends that ends in this text, if every quote in it belongs to a well-quoted field."""
    for newline in (b"\n", b"\r"):
        end = data.rfind(newline) + 1
        if b'"' in data and data.count(b'"', 0, end) % 2:  # within a field
            end = _end_outside(data, newline, max(0, end - _SAMPLE), end) or _end_outside(data, newline, 0, end)
        if end:
            return end
    return 0


def _end_outside(data: bytes, newline: bytes, start: int, end: int) -> int:
    """Behind the last newline in this part of the text that stands in no quoted field; 0: there is none."""
    text = np.frombuffer(data, np.uint8)[start:end]
    within = np.logical_xor.accumulate(text == ord('"')) ^ bool(data.count(b'"', 0, start) % 2)
    outside = np.flatnonzero((text == newline[0]) & ~within)
    return start + int(outside[-1]) + 1 if len(outside) else 0


def _bare(text: bytes, delimiter: str, but: bytes = b'"') -> bytes:
    """The text without the fields that are quoted from end to end and hold none of the bytes `but`, a quote apart."""
    edge = rb"[^" + re.escape(delimiter.encode()) + rb"\r\n]"
    inner = rb"[^" + but + rb"]*+"
    return re.sub(rb'"(?<!' + edge + rb'")' + inner + rb'(?:""' + inner + rb')*+"(?!' + edge + rb")", b"", text)


def _quoted_newlines(text: bytes, delimiter: str) -> bool | None:
    """Whether quoted fields hold line ends; None for a quote of any other kind, which pyarrow would guess about."""
    if b'"' not in _bare(text, delimiter, rb'"\r\n'):
        return False
    return None if b'"' in _bare(text, delimiter) else True


def _within_field(text: bytes, delimiter: str) -> bool:
    """Whether a text without a record's end may stop within a field that only needs more text."""
    bare = _bare(text, delimiter)
    at = bare.find(b'"')
    return at < 1 or bare[at - 1 : at] in (delimiter.encode(), b"\n", b"\r")


def _low_cardinality(
    text: CsvText, data: memoryview, positions: Sequence[int], repeating: Collection[int]
) -> list[str]:
    """The columns of `repeating` that hold few values, as far as the first records tell."""
    if len(data) < _LEAST_SAMPLE:
        return []
    sample = bytes(data[:_SAMPLE])
    sample = sample[: _last_end(sample)]
    try:
        rows, _ = from_arrow(_fast(text, memoryview(sample), positions, (True, b'"' in sample), ()), ())
    except pa.ArrowInvalid:
        return []
    return [name for name in map(str, repeating) if rows[name].n_unique() * _ROWS_PER_VALUE <= rows.height]


def _fast(
    text: CsvText,
    data: memoryview,
    positions: Sequence[int],
    quotes: _Quotes,
    low_cardinality: Collection[str],
) -> pa.Table:
    """The wanted columns. Raises ArrowInvalid for a record of another width than the header's."""
    quoted, newlines = quotes
    names = [str(position) for position in range(len(text.headers))]
    wanted = [str(position) for position in positions]
    encoded = dict.fromkeys(low_cardinality, pa.dictionary(pa.int32(), pa.string()))
    return pacsv.read_csv(
        pa.py_buffer(data),
        pacsv.ReadOptions(column_names=names),
        pacsv.ParseOptions(delimiter=text.delimiter, quote_char='"' if quoted else False, newlines_in_values=newlines),
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.large_string()) | encoded,
            include_columns=wanted, strings_can_be_null=False, check_utf8=False,
        ),
    )  # fmt: skip


def _numbered(tables: Sequence[pa.Table], low_cardinality: Collection[str], before: int) -> Columns:
    frame, hints = from_arrow(pa.concat_tables(tables), low_cardinality)
    return frame.with_row_index("record", offset=before + 1), hints, {}


class _Text(io.RawIOBase):
    """Blocks as one stream. Refuses a record that is longer than any: who reads tells where `record` begins."""

    def __init__(self, where: str, blocks: Iterable[bytes | memoryview]) -> None:
        self._where = where
        self._blocks = iter(blocks)
        self._block = memoryview(b"")
        self.given = self.mark = 0
        self.record = 1
        self.last = b""

    def readable(self) -> bool:
        return True

    def readinto(self, room: "memoryview", /) -> int:  # type: ignore[override]
        while not self._block:
            if (block := next(self._blocks, None)) is None:
                return 0
            self._block = memoryview(block)
        size = min(len(room), len(self._block))
        room[:size] = self._block[:size]
        self._block = self._block[size:]
        self.given += size
        self.last = bytes(room[:size][-1:])
        if self.given - self.mark > _LONGEST:
            raise _endless(f"{self._where}, record {self.record}")
        return size


def _slow(
    text: CsvText, blocks: Iterable[bytes | memoryview], positions: Sequence[int], before: int
) -> Iterator[Columns]:
    """The records by the csv module, in batches, at least one; `before`: records before them."""
    where, width = text.where, len(text.headers)
    stream = _Text(where, blocks)
    reader = csv.reader(_wrapped(stream), delimiter=text.delimiter, strict=True)
    columns: list[list[str]] = [[] for _ in positions]
    records: list[int] = []
    malformed: dict[int, str] = {}
    number, began, fields = before, 0, width
    while True:
        if stream.given - began > piece(text.chunk):
            yield _frame(columns, positions, records), NO_HINTS, malformed
            columns, records, malformed, began = [[] for _ in positions], [], {}, stream.given
        stream.mark, stream.record = stream.given, number + 1
        line = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            if fields < width and stream.last not in (b"\n", b"\r"):
                raise InputRefused(
                    f"{where}: the file is cut off: its last record has {fields} of {width} fields and no line end; "
                    "export it again"
                ) from None
            break
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputRefused(
                    f"{where}, record {number + 1}: a quotation mark is not closed, so the rest of the file cannot be read; "
                    "correct that record or export the file again"
                ) from None
            number += 1
            if reader.line_num - line > 1:
                raise InputRefused(
                    f"{where}, record {number}: a quoted field over several lines does not end properly, so its "
                    "records cannot be separated; correct that record or export the file again"
                ) from None
            malformed[number] = "text after a closing quotation mark"
            continue
        if not row:
            continue
        number, fields = number + 1, len(row)
        if fields < width or any(cell.strip() for cell in row[width:]):
            malformed[number] = f"the record has {fields} field{'s' * (fields != 1)}, but the header has {width}"
            continue
        records.append(number)
        for column, position in zip(columns, positions, strict=True):
            column.append(row[position])
    yield _frame(columns, positions, records), NO_HINTS, malformed


def _frame(columns: list[list[str]], positions: Sequence[int], records: list[int]) -> pl.DataFrame:
    texts = {str(position): pl.String for position in positions}
    return pl.DataFrame([records, *columns], schema={"record": pl.UInt32, **texts}, orient="col")


def _endless(where: str) -> InputRefused:
    return InputRefused(
        f"{where}: longer than {_LONGEST:,} bytes, perhaps because a quotation mark is not closed; "
        "correct that record or export the file again"
    )
