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
    off_date = book.has_claims and not set(claim.days) & set(days.values())
    supports, unsure = [], False
    for call in claim.calls if not book.quality.call_astray(claim) else ():
        patient_differs = call.patient != claim.patient
        provider_differs = None not in (call.provider, claim.provider) and call.provider != claim.provider
        lost_patient = book.quality.not_found("patient_id", claim.patient)
        lost_provider = book.quality.not_found("provider_id", claim.provider)
        named = call in claim.named
        wrong = named and ((patient_differs and not lost_patient) or (provider_differs and not lost_provider))
        unsure |= named and ((patient_differs and lost_patient) or (provider_differs and lost_provider))
        if wrong or off_date:
            gap = abs((days[call.id] - claim.service_date).days)
            supports.append(Support("violation", "call", call.id, gap, at_most_review=claim.last_date is not None))
    return from_records("INT002", supports, unsure, book)


def int003(claim: Line, book: Book) -> Verdict:
    supports = []
    for other in book.calls:
        if (
            other.provider is None
            or other.provider != claim.provider
            or other.id in claim.call_ids
            or other.end is None
        ):
            continue
        for own in claim.calls:
            if own.end is not None and min(own.end, other.end) > max(own.start, other.start):
                supports.append(Support("review", "call", other.id, 0))
                break
    unknown = any(call.end is None for call in claim.calls)
    return from_records("INT003", supports, unknown, book)
