"""The envelopes of X12, ISA to IEA, GS to GE and ST to SE, and the transactions inside.

Source: docs/x12.md.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from auditor.sources.x12.elements import Elements, padded
from auditor.sources.x12.interchange import Block, BrokenX12, Delimiters

Handler = Callable[[Elements, int], None]
"""Takes the elements of a segment, its name first, and its number in the file."""
_NAME = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_VERSION = re.compile(r"[0-9A-Z]{1,12}")
_KINDS = {"837": {"005010X222": "837P", "005010X223": "837I", "005010X224": "837D"}, "835": {"005010X221": "835"}}
"""Kinds of transactions by how their versions begin; amendments such as A1 and A2 follow."""


class Transaction(Protocol):
    """What makes rows of one kind of transaction. `claims`: how many there were so far."""

    handlers: Mapping[str, Handler]
    claims: int

    def start(self, delimiters: Delimiters, date: str) -> None:
        """Begin a transaction; `date` is that of its group."""

    def end(self) -> None:
        """End it. Raises BrokenX12."""


class Envelopes:
    """Reads segments in order. `left_out` counts the transactions of other kinds, `read` those that are read."""

    def __init__(self, transactions: Mapping[str, Transaction]) -> None:
        """`transactions`: by kind."""
        self.left_out, self.read = Counter[str](), Counter[str]()
        self._transactions = transactions
        self._valid_names: set[str] = set()
        self._open: list[tuple[str, str]] = []
        self._current: Transaction | None = None
        self._delimiters = Delimiters("", "", "")
        self._envelopes: dict[str, Handler] = {
            "ISA": self._isa, "GS": self._gs, "ST": self._st, "SE": self._se, "GE": self._ge, "IEA": self._iea,
        }  # fmt: skip
        self._handlers: dict[str, Handler] = {}

    def feed(self, block: Block) -> None:
        """Read a block. Raises BrokenX12."""
        separator, number = block.delimiters.element, block.first
        if block.delimiters != self._delimiters:
            self._delimiters = block.delimiters
            self._read_only(self._envelopes)
        handlers, valid_names = self._handlers, self._valid_names
        try:
            for number, segment in enumerate(block.segments, block.first):
                name = segment[:3]
                if name in handlers:
                    elements = segment.split(separator)
                    if len(elements[0]) > 3:
                        self._check_name(segment, number)
                    handlers[name](elements, number)
                elif segment[:4] not in valid_names:
                    self._check_name(segment, number)
        except IndexError:
            raise BrokenX12(number, "it lacks an element") from None

    def _read_only(self, handlers: Mapping[str, Handler]) -> None:
        """Take these handlers from now on, by the first three characters of their segments."""
        self._handlers.clear()
        self._handlers.update({f"{name}{self._delimiters.element}"[:3]: handler for name, handler in handlers.items()})
        self._valid_names.clear()

    def _check_name(self, segment: str, number: int) -> None:
        """A segment that nothing reads must at least have a name, and a place in a transaction."""
        name = segment.split(self._delimiters.element, 1)[0]
        if not _NAME.fullmatch(name):
            raise BrokenX12(number, "it does not begin with the name of a segment")
        if "ST" in (kind for kind, _ in self._open):
            self._valid_names.add(segment[:4])
        elif name != "TA1":
            raise BrokenX12(number, "it is outside a transaction (ST to SE)")

    def _push(self, kind: str, inside: str, control: str, number: int) -> None:
        if (self._open[-1][0] if self._open else "") != inside:
            raise BrokenX12(number, f"{kind} is out of place")
        self._open.append((kind, control.strip()))

    def _pop(self, elements: Elements, kind: str, counted: int, number: int, name: str) -> None:
        """Close an envelope: its trailer repeats its control number and counts what is in it."""
        if not self._open or self._open[-1][0] != kind:
            raise BrokenX12(number, f"{name} is out of place")
        count, control = (text.strip() for text in padded(elements, 3)[1:3])
        if not count.isdecimal() or int(count) != counted:
            raise BrokenX12(number, f"{name} has another count than the file ({counted:,})")
        if control.lstrip("0") != self._open.pop()[1].lstrip("0"):
            raise BrokenX12(number, f"{name} has another control number than {kind}")

    def _isa(self, elements: Elements, number: int) -> None:
        self._push("ISA", "", elements[13], number)
        self._groups, self._before = 0, self._claims()
        self._in_interchange = Counter[str]()

    def _gs(self, elements: Elements, number: int) -> None:
        elements = padded(elements, 9)
        self._push("GS", "ISA", elements[6], number)
        self._groups, self._sets = self._groups + 1, 0
        self._date, self._version = elements[4].strip(), elements[8].strip()

    def _st(self, elements: Elements, number: int) -> None:
        elements = padded(elements, 4)
        self._push("ST", "GS", elements[2], number)
        self._sets, self._first = self._sets + 1, number
        kind = _kind(elements[1].strip(), elements[3].strip() or self._version)
        self._in_interchange[kind] += 1
        self._current = self._transactions.get(kind)
        (self.read if self._current else self.left_out)[kind] += 1
        if self._current:
            self._current.start(self._delimiters, self._date)
            self._read_only({**self._current.handlers, **self._envelopes})

    def _se(self, elements: Elements, number: int) -> None:
        self._pop(elements, "ST", number - self._first + 1 if self._open else 0, number, "SE")
        self._read_only(self._envelopes)
        if self._current:
            self._current.end()

    def _ge(self, elements: Elements, number: int) -> None:
        self._pop(elements, "GS", self._sets if self._open else 0, number, "GE")

    def _iea(self, elements: Elements, number: int) -> None:
        self._pop(elements, "ISA", self._groups if self._open else 0, number, "IEA")
        if self._claims() == self._before:
            found = ", ".join(sorted(self._in_interchange)) or "no transaction"
            raise BrokenX12(number, f"the interchange that ends here gives no claim (it has: {found})")

    def _claims(self) -> int:
        return sum(transaction.claims for transaction in self._transactions.values())


def _kind(code: str, version: str) -> str:
    """The kind of a transaction as messages name it; of an unknown version, with that."""
    if found := _KINDS.get(code, {}).get(version[:10]):
        return found
    if not _VERSION.fullmatch(code):
        return "a transaction without a kind"
    return f"{code} of version {version}" if code in _KINDS and _VERSION.fullmatch(version) else code
