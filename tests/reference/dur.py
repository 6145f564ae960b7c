"""DUR001-003. docs/specification.md."""

from __future__ import annotations

from tests.reference.evidence import from_fact
from tests.reference.lines import Book, Line, microseconds
from tests.reference.lists import BANDS
from tests.reference.world import MINUTE_US, Verdict


def dur001(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR001", "unknown", book)
    low = BANDS[claim.code][0]
    if claim.minutes >= low:
        return from_fact("DUR001", "clear", book)
    if claim.period_plain is not None and claim.period_plain >= low:
        return Verdict("review")  # at most: whatever the policy's severity
    enough = claim.period_minutes is not None and claim.period_minutes >= low
    return from_fact("DUR001", "review" if enough else "violation", book)


def dur002(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR002", "unknown", book)
    high = BANDS[claim.code][1]
    if claim.minutes > high:
        return from_fact("DUR002", "violation", book)
    too_long = claim.plain_minutes is not None and claim.plain_minutes > high
    return from_fact("DUR002", "review" if too_long else "clear", book)


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
        for message_text in (call.discussion, call.stated):
            if message_text is not None and message_text - length > MINUTE_US:
                return from_fact("DUR003", "review", book)
    return from_fact("DUR003", "clear", book)
