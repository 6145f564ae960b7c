"""DUR001-003. SPEC.md section 5."""

from __future__ import annotations

from tests.reference.evidence import from_fact
from tests.reference.lines import Book, Line, microseconds, own_time
from tests.reference.lists import BANDS
from tests.reference.world import MINUTE_US, Verdict


def dur001(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR001", "unknown", book)
    low = BANDS[claim.code][0]
    if claim.minutes >= low:
        return from_fact("DUR001", "clear", book)
    enough = book.settings["cumulative"] == "ask" and period_minutes(claim, book) >= low
    return from_fact("DUR001", "review" if enough else "violation", book)


def period_minutes(claim: Line, book: Book) -> int:
    """The claim's minutes with those of the period's calls that no active line bills; one without a time adds nothing."""
    total = book.exact_time(claim)
    assert total is not None
    return int((total + sum(own_time(call) or 0 for call in book.spare_calls(claim))) // MINUTE_US)


def dur002(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR002", "unknown", book)
    return from_fact("DUR002", "violation" if claim.minutes > BANDS[claim.code][1] else "clear", book)


def dur003(claim: Line, book: Book) -> Verdict:
    timed = [
        call
        for call in claim.calls
        if call.clock_end is not None and (call.discussion is not None or call.stated is not None)
    ]
    if not timed:
        return Verdict("not applicable")
    for call in timed:
        length = microseconds(call.clock_end - call.start) if call.clock_end is not None else 0
        for said in (call.discussion, call.stated):
            if said is not None and said - length > MINUTE_US:
                return from_fact("DUR003", "review", book)
    return from_fact("DUR003", "clear", book)
