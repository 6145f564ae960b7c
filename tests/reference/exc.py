"""EXC001. docs/specification.md."""

from __future__ import annotations

from datetime import timedelta

from tests.reference.evidence import Support, from_records
from tests.reference.lines import Book, Line, Visit
from tests.reference.lists import NCCI_0_TEXT, NCCI_1_TEXT, in_list
from tests.reference.related import review_at_most
from tests.reference.world import Verdict


def exclusion(codes: frozenset[str]) -> str | None:
    """What a set of same-day codes supports."""
    if any(in_list(code, NCCI_0_TEXT) for code in codes):
        return "violation"
    if any(in_list(code, NCCI_1_TEXT) for code in codes):
        return "review"
    return None


def same_day_gap(claim: Line, visit: Visit) -> timedelta:
    """Elapsed: back from the visit to the claim's start, or ahead from its end; none without a call."""
    if claim.start is None:
        return timedelta(0)
    if visit.start < claim.start:
        return claim.start - visit.start
    return max(timedelta(0), visit.start - (claim.end or claim.start))


def exc001(claim: Line, book: Book) -> Verdict:
    supports, nobody_knows = [], False
    nobody = claim.patient in book.quality.placeholders_by_table
    for visit in book.visits:
        same = visit.row["patient_id"] == claim.patient and visit.row["provider_id"] in (claim.provider, None)
        if not same or visit.day != claim.service_date or visit.status in ("cancelled", "no_show"):
            continue
        outcome = exclusion(visit.codes)
        if outcome is not None:
            if visit.row["provider_id"] is None:
                nobody_knows = True
                continue
            doubt = review_at_most(visit, claim, book) or claim.last_date is not None
            gap = same_day_gap(claim, visit)
            supports.append(Support(outcome, "visit", visit.id, 0, visit.date_only, gap, at_most_review=doubt))
    for line in book.active:
        same = line.patient == claim.patient and line.provider == claim.provider is not None and line.key != claim.key
        outcome = exclusion(frozenset({line.code}))
        if same and line.service_date == claim.service_date and outcome is not None:
            supports.append(
                Support(outcome, "claim", line.claim_id, 0, at_most_review=nobody or claim.last_date is not None)
            )
    unknown = (
        nobody_knows
        or book.visits_since is None
        or claim.service_date < book.visits_since
        or book.as_of is None
        or claim.service_date > book.clock.day(book.as_of)
        or claim.patient in book.tainted_visits
        or nobody
        or book.lacks_visits(claim.service_date, claim.service_date)
        or book.quality.patient_astray(claim)
        or book.quality.provider_astray(claim)
        or book.quality.lines_of_any_code_astray(claim)
    )
    return from_records("EXC001", supports, unknown, book)
