"""A file of X12 → blocks of its segments, each interchange by the delimiters that its own ISA segment states.

Source: docs/x12.md, X12.5 (interchange control structures).
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

_WIDTHS = (3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
"""Characters of ISA and of its elements."""
_HEADER = sum(_WIDTHS) + len(_WIDTHS)
"""Characters of an ISA segment with its terminator."""
_BETWEEN = "\ufeff \t\r\n\0\x1a"
"""What may stand around interchanges."""
_BROKEN_NAME = "it is not an ISA segment of fixed width, with which an interchange begins"


class BrokenX12(Exception):
    """What is wrong with a segment, by its number in the file, from 1; never with a value of it."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number, self.problem = number, problem


@dataclass(frozen=True)
class Delimiters:
    """The characters that separate elements, components of an element, and segments."""

    element: str
    component: str
    segment: str

    @classmethod
    def of(cls, header: str, number: int) -> "Delimiters":
        """Those that an ISA segment states. Raises BrokenX12 for one that is not of fixed width."""
        found = cls(header[3:4], header[104:105], header[105:106])
        widths = tuple(map(len, header[: _HEADER - 1].split(found.element))) if found.element else ()
        marks = {found.element, found.component, found.segment}
        if not header.startswith("ISA") or widths != _WIDTHS or len(marks - {""}) < 3 or any(map(str.isalnum, marks)):
            raise BrokenX12(number, _BROKEN_NAME)
        return found


@dataclass(frozen=True)
class Block:
    """Segments that follow one another in one interchange; `first` is the number of the first in the file.

    `is_last`: they end the interchange.
    """

    first: int
    delimiters: Delimiters
    segments: list[str]
    is_last: bool


def blocks(pieces: Iterator[bytes], encoding: str) -> Iterator[Block]:
    """The segments of a file's bytes, in blocks of bounded size; CR and LF after a terminator are left out.

    Raises BrokenX12, also for a file that ends before IEA; UnicodeDecodeError.
    """
    decoder, number = codecs.getincrementaldecoder(encoding)(), 1

    def more() -> str:
        """The text that follows, empty at the end."""
        for piece in pieces:
            if text := decoder.decode(piece):
                return text
        return decoder.decode(b"", final=True)

    text = more().lstrip(_BETWEEN)
    while text:
        while len(text) < _HEADER and (added := more()):
            text += added
        delimiters, is_last = Delimiters.of(text, number), False
        while not is_last:
            end, is_last = _end(text, delimiters)
            segments = _split(text[:end], delimiters.segment)
            yield Block(number, delimiters, segments, is_last)
            number, text = number + len(segments), text[end:]
            if not is_last:
                text = _extended(text, more(), delimiters, number)
        while not (text := text.lstrip(_BETWEEN)) and (text := more()):
            pass


def _extended(text: str, added: str, delimiters: Delimiters, number: int) -> str:
    """The rest of a text and what follows it; the last IEA of a file may lack its terminator."""
    if added:
        return text + added
    rest = text.strip(_BETWEEN)
    if not rest.startswith(f"IEA{delimiters.element}"):
        raise BrokenX12(number, "the file ends before IEA: it was cut off")
    return rest + delimiters.segment


def _end(text: str, delimiters: Delimiters) -> tuple[int, bool]:
    """Where the last whole segment ends, and whether it is that of the interchange."""
    trailer, terminator = f"IEA{delimiters.element}", delimiters.segment
    start = text.find(trailer)
    while start >= 0:
        before = text[max(start - 3, 0) : start]
        _, found, after = before.rpartition(terminator)
        if not after.strip("\r\n") and (found or len(before) == start):
            end = text.find(terminator, start) + 1
            return (end, True) if end else (start, False)
        start = text.find(trailer, start + 1)
    return text.rfind(terminator) + 1, False


def _split(text: str, terminator: str) -> list[str]:
    """The segments of a text that ends with a terminator."""
    for after in ("\r\n", "\n", "\r"):
        while terminator + after in text:
            text = text.replace(terminator + after, terminator)
    return text.lstrip("\r\n").split(terminator)[:-1]
