"""A CSV file's bytes → blocks of valid UTF-8 text, in bounded memory. Source: docs/specification.md#files."""

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO

import pyarrow as pa

from auditor.errors import InputRefused

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
    b"{": (_JSON := "a JSON document"),
}
"""File kinds by their first bytes: other kinds of exports, and a log-in page that was saved in place of a download."""
_MESSAGES = (
    (re.compile(rb"ISA[^\w\s-]"), "an X12 interchange, such as an 837 or 835"),
    (re.compile(rb"(?:MSH|FHS|BHS)\|"), "a file of HL7 messages"),
    (re.compile(rb"\[\s*\{"), _JSON),
)
"""The same for text formats whose first line could be a CSV header with names and birth dates in it."""
_JSON_LINES = "write its records as lines: jq -c . FILE > FILE.ndjson, or of a list jq -c '.[]' FILE > FILE.ndjson"
_NOT_UTF8 = 'not UTF-8 text; export the file as UTF-8, or set its encoding in the policy: encoding = "cp1252"'
_OPENING = 64
"""Bytes that identify the kind of a file."""
_BLANK = 1 << 16
"""Bytes in which white space may come before them."""
EXPANSION = 500
"""Largest unpacked size of a file, as a multiple of its compressed size."""
_HARMLESS = 1 << 27
"""Unpacked size in bytes that is allowed for every compressed file."""


class Source(io.BufferedIOBase):
    """A file's bytes, read from front to back and, if `digested`, digested on the way. `head` is how they begin.

    What is in it may be `expansion` times its size. Raises InputRefused where the file cannot be read.
    """

    def __init__(self, where: str, stream: BinaryIO, *, digested: bool = True, expansion: int = EXPANSION) -> None:
        """`stream`: a file, or bytes: it can be read again."""
        self._where = where
        self._digested = digested
        self._expansion = expansion
        self.stream = stream
        self._start()
        self.head = self._ahead = self._read(4)

    def _start(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0
        self._ahead = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Leave the stream open so that it can be read again."""

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, fewer only at the end; -1: all that is left."""
        ahead, self._ahead = self._ahead, b""
        if size is None or size < 0:
            return ahead + self._read(-1)
        if size < len(ahead):
            self._ahead = ahead[size:]
            return ahead[:size]
        return ahead + self._read(size - len(ahead)) if size > len(ahead) else ahead

    def _read(self, size: int) -> bytes:
        try:
            data = self.stream.read(size)
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); check the path and its permissions"
            raise InputRefused(f"{self._where}: {problem}") from None
        if self._digested:
            self._digest.update(data)
        self._size += len(data)
        return data

    def require_size(self, expanded: int, size: int | None = None) -> None:
        """Refuse a file that holds so many bytes, and is so small: as much as is read of it. Raises InputRefused."""
        size = self._size if size is None else size
        if expanded > max(_HARMLESS, self._expansion * size):
            raise InputRefused(
                f"{self._where}: its {size:,} bytes decompress to more than {self._expansion:,} times that size; if that is "
                f"correct, raise the limit in the policy, for example max_expansion = {20 * self._expansion}"
            )

    def finish(self) -> tuple[int, str]:
        """Read the rest: the number of all bytes, and their SHA-256 in hexadecimal."""
        while self.read(1 << 20):
            pass
        return self._size, self._digest.hexdigest()

    def rewind(self) -> None:
        self.stream.seek(0)
        self._start()


def is_utf8(where: str, source: Source, size: int) -> bool:
    """Whether all of it is UTF-8, or marked as UTF-16. The source is read, and rewound."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for number, block in enumerate(decompressed(where, source, size)):
            if number == 0 and block.startswith(_UTF16):
                break
            if decoder.getstate()[0] or not block.isascii():
                decoder.decode(block)
        else:
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        source.rewind()
    return True


class _Undecodable(Exception):
    """What is wrong with a text, and what of it stands before that."""

    def __init__(self, problem: str, before: bytes) -> None:
        super().__init__(problem)
        self.before = before


def blocks(where: str, source: Source, size: int, encoding: str = "utf-8", *, tabular: bool = True) -> Iterator[bytes]:
    """The text in UTF-8 without a byte-order mark, in blocks of about `size` bytes that hold whole characters.

    `encoding`: what text is in that bears no mark of UTF-16. Raises InputRefused for what is no text in that encoding, and
    where it should be `tabular` for other kinds of documents.
    """
    given = 0
    try:
        for text in _texts(where, source, size, encoding, tabular=tabular):
            yield text
            given += 1
    except _Undecodable as spoilt:
        source.rewind()  # lines are counted only now that one is to be named
        before = chain(islice(_texts(where, source, size, encoding, tabular=tabular), given), (spoilt.before,))
        raise InputRefused(f"{where}, line {_lines(before) + 1}: {spoilt}") from None


def _texts(where: str, source: Source, size: int, encoding: str, *, tabular: bool) -> Iterator[bytes]:
    """As `blocks`. Raises _Undecodable for what stands in a line."""
    decoder, marked = None, False
    opening = rest = b""
    for block in decompressed(where, source, size):
        if decoder is None:
            marked = block.startswith(_UTF16)
            decoder = codecs.getincrementaldecoder("utf-16" if marked else encoding)()
            text = _utf16(where, decoder, block) if marked else block
            text = text.removeprefix(codecs.BOM_UTF8)
            opening = text[:_OPENING]
            if tabular:
                _refuse_foreign(where, text[:_BLANK].lstrip()[:_OPENING])
        else:
            text = _utf16(where, decoder, block) if marked else rest + block
        if (nul := text.find(b"\0")) >= 0:
            if opening.count(0) * 3 >= len(opening):
                raise InputRefused(
                    f"{where}: UTF-16 or UTF-32 text without the byte-order mark of UTF-16; export the file as UTF-8"
                )
            raise _Undecodable("a NUL byte; the file is damaged or is not a text file; export it again", text[:nul])
        rest = b""
        if not marked and not text.isascii():
            text, rest = _whole(text) if encoding == "utf-8" else (_declared(text, encoding), b"")
        yield text
    if marked and decoder:
        _utf16(where, decoder, b"", final=True)
    if rest:
        raise _Undecodable(_NOT_UTF8, b"")


def _whole(text: bytes) -> tuple[bytes, bytes]:
    """The text without the character that its end cuts through, and that character's first bytes."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        if error.end < len(text) or error.reason != "unexpected end of data":
            raise _Undecodable(_NOT_UTF8, text[: error.start]) from None
        return text[: error.start], text[error.start :]
    return text, b""


def _declared(text: bytes, encoding: str) -> bytes:
    try:
        return text.decode(encoding).encode()
    except UnicodeDecodeError as error:
        problem = f"neither UTF-8 nor {encoding} text; export the file as UTF-8"
        raise _Undecodable(problem, text[: error.start]) from None


def _utf16(where: str, decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bytes:
    try:
        return decoder.decode(block, final).encode()
    except UnicodeDecodeError:
        raise InputRefused(f"{where}: marked as UTF-16 but not valid UTF-16; export it again") from None


def _refuse_foreign(where: str, opening: bytes) -> None:
    kinds = [kind for magic, kind in _FOREIGN.items() if opening.startswith(magic)]
    kinds += [kind for begins, kind in _MESSAGES if begins.match(opening)]
    if kinds:
        remedy = _JSON_LINES if kinds[0] == _JSON else "export the table as CSV or Parquet"
        raise InputRefused(f"{where}: this is {kinds[0]}; {remedy}")


def _lines(texts: Iterable[bytes]) -> int:
    """Count the lines of consecutive texts; CR, LF and CRLF each end a line."""
    lines, after_cr = 0, False
    for text in texts:
        lines += text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n") - (after_cr and text.startswith(b"\n"))
        after_cr = text.endswith(b"\r")
    return lines


def decompressed(where: str, source: Source, size: int) -> Iterator[bytes]:
    """The blocks of a file, each but the last of `size` bytes, the first long enough to tell what the file is."""
    if source.head[:2] == _GZIP:
        stream: io.BufferedIOBase = gzip.GzipFile(fileobj=source)
    elif source.head == _ZSTD:
        stream = pa.input_stream(pa.PythonFile(source, mode="r"), compression="zstd")
    else:
        stream = source
    expanded = 0
    while block := _inflated(where, stream, size if expanded else max(size, _OPENING)):
        expanded += len(block)
        source.require_size(expanded)
        yield block


def _inflated(where: str, stream: io.BufferedIOBase, size: int) -> bytes:
    try:
        return stream.read(size)
    except (OSError, EOFError, zlib.error):
        raise InputRefused(f"{where}: the compressed data is damaged or cut short; export or copy it again") from None
