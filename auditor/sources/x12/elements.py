"""The elements of segments: amounts, dates and composites, each checked for its form.

Source: docs/x12.md, X12.6 (application control structure).
"""

import re

from auditor.sources.x12.interchange import BrokenX12

Elements = list[str]
_AMOUNT = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
_DAY = re.compile(r"\d{8}")
_RANGE = re.compile(r"(\d{8})-(\d{8})")


def padded(elements: Elements, size: int) -> Elements:
    """A segment's elements and blank ones, so many at least, its name included: the last ones may be left out."""
    return elements if len(elements) >= size else elements + [""] * (size - len(elements))


class Values:
    """Checks values once each, since few are different. `amounts`: those that are numbers."""

    def __init__(self) -> None:
        self.amounts: set[str] = set()
        self._dates: dict[str, str] = {}

    def amount(self, text: str, number: int, what: str) -> str:
        """A number as it is written. Raises BrokenX12 where it is none, or blank."""
        if text not in self.amounts:
            if not _AMOUNT.fullmatch(text.strip()):
                raise BrokenX12(number, f"{what} is not a number")
            self.amounts.add(text)
        return text

    def date(self, text: str, number: int, what: str) -> str:
        """A day `2026-03-01`, or a range of days `20260301-20260305`. Raises BrokenX12 for another form."""
        if (found := self._dates.get(text)) is None:
            found = self._dates[text] = _date(text.strip(), number, what)
        return found


def _date(text: str, number: int, what: str) -> str:
    days = _RANGE.fullmatch(text)
    if days and days[1] != days[2]:
        return text
    if not days and not _DAY.fullmatch(text):
        raise BrokenX12(number, f"{what} is not a date CCYYMMDD, or a range of two")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def required(elements: Elements, place: int, number: int, what: str) -> str:
    """An element that must be there, trimmed. Raises BrokenX12 where it is blank, IndexError where it is left out."""
    found = elements[place].strip()
    if not found:
        raise BrokenX12(number, f"{what} is blank")
    return found


def procedure(text: str, component: str, number: int, what: str) -> tuple[str, str]:
    """The code and the modifiers of a composite such as HC:98968:95, as lists are written."""
    parts = text.split(component)
    if len(parts) < 2:
        raise BrokenX12(number, f"{what} is blank")
    return required(parts, 1, number, what), ";".join(filter(None, parts[2:6]))
