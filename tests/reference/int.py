"""INT001-003. docs/specification.md."""

from __future__ import annotations

from tests.reference.evidence import Support, from_fact, from_records
from tests.reference.lines import Book, Line
from tests.reference.world import Verdict


def int001(claim: Line, book: Book) -> Verdict:
    missing = "unknown" if book.quality.call_astray(claim) else "violation"
    return from_fact("INT001", "clear" if claim.calls else missing, book)


def int002(claim: Line, book: Book) -> Verdict:
    days = {call.id: book.clock.day(call.start) for call in claim.calls}
    off_date = book.has_claims and claim.service_date not in days.values()
    supports = []
    for call in claim.calls if not book.quality.call_astray(claim) else ():
        wrong = call in claim.named and (call.patient != claim.patient or call.provider != claim.provider)
        if wrong or off_date:
            supports.append(Support("violation", "call", call.id, abs((days[call.id] - claim.service_date).days)))
    return from_records("INT002", supports, False, book)


def int003(claim: Line, book: Book) -> Verdict:
    supports = []
    for other in book.calls:
        if other.provider != claim.provider or other.id in claim.call_ids or other.end is None:
            continue
        for own in claim.calls:
            if own.end is not None and min(own.end, other.end) > max(own.start, other.start):
                supports.append(Support("review", "call", other.id, 0))
                break
    unknown = any(call.end is None for call in claim.calls)
    return from_records("INT003", supports, unknown, book)
