"""LBK001-002. docs/specification.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.reference.evidence import Support, from_records
from tests.reference.lines import Book, Line, Visit
from tests.reference.related import counts, may_count, relate, review_at_most, visits_of
from tests.reference.world import Verdict


def is_kept(visit: Visit, book: Book) -> bool:
    """Completed, or of blank or unrecognised status and, if not completed, with its start reached by as_of."""
    if visit.status == "completed":
        return True
    return visit.status in (None, "unrecognised") and book.as_of is not None and visit.start <= book.as_of


def behind(rule: str, visit: Visit, claim: Line, outcome: str, basis: str, book: Book) -> Support:
    """A visit before the claim as evidence; gaps run from the visit to the claim's start."""
    gap = (book.clock.day(claim.first) - visit.day).days
    doubt = (
        claim.by_days
        or book.quality.relation_rounded(basis)
        or claim.last_date is not None
        or review_at_most(visit, claim, book)
        or (rule == "LBK001" and may_count(visit, claim))
    )
    # CHOICE: by days the claim starts with its service date, and a visit of that day is no time before it.
    elapsed = max(timedelta(0), claim.first - visit.start)
    return Support(outcome, visit.kind, visit.id, gap, visit.date_only, elapsed, basis, doubt)


def is_before(visit: Visit, claim: Line) -> bool:
    """Does the visit start before the claim? By days, not after the service date."""
    return visit.day <= claim.service_date if claim.by_days else visit.start < claim.first


def back_unknown(claim: Line, days: int, book: Book) -> bool:
    """Is the time before the claim not fully covered by the visits export?"""
    if (
        not book.has_visits
        or book.visits_since is None
        or book.clock.day(claim.first) - timedelta(days=days) < book.visits_since
    ):
        return True
    if book.as_of is None or claim.first > book.as_of:
        return True
    day = book.clock.day(claim.first)
    if book.lacks_visits(day - timedelta(days=days), day):
        return True
    return (
        claim.patient in book.tainted_visits
        or claim.patient in book.quality.placeholders_by_table
        or book.quality.patient_astray(claim)
    )


def lbk001(claim: Line, book: Book) -> Verdict:
    supports = []
    for visit in visits_of(claim, book):
        if not counts(visit, claim) or not is_before(visit, claim):
            continue
        gap = (book.clock.day(claim.first) - visit.day).days
        if not 0 <= gap <= 7:
            continue
        related, basis = relate(visit, claim, book)
        if related == "no":
            continue
        if is_kept(visit, book):
            doubtful = related == "unknown" or (visit.date_only and gap == 0)
            supports.append(behind("LBK001", visit, claim, "review" if doubtful else "violation", basis, book))
        elif visit.status == "scheduled" and book.as_of is not None and visit.start <= book.as_of:
            supports.append(behind("LBK001", visit, claim, "review", basis, book))
    quality = book.quality
    unknown = back_unknown(claim, 7, book) or quality.came_from_astray(claim) or quality.named_astray(claim)
    unknown = unknown or quality.billed_visits_astray(claim)
    return from_records("LBK001", supports, unknown, book)


def lbk002(claim: Line, book: Book) -> Verdict:
    if "24" in claim.modifiers:
        return Verdict("not applicable")
    supports, nobody_knows = [], False
    for visit in book.visits:
        # CHOICE: the specification says "a visit", not "a counting visit": any visit with global days is weighed.
        days = visit.row["global_days"]
        if visit.row["patient_id"] != claim.patient or days not in (10, 90) or not is_kept(visit, book):
            continue
        same_provider = visit.row["provider_id"] is not None and visit.row["provider_id"] == claim.provider
        same_group = visit.group is not None and visit.group == claim.group
        blank = visit.row["provider_id"] is None
        if not (same_provider or same_group or blank) or not is_before(visit, claim):
            continue
        gap = (book.clock.day(claim.first) - visit.day).days
        if not (1 if visit.date_only or claim.by_days else 0) <= gap <= days:
            continue
        related, basis = relate(visit, claim, book)
        if related == "no":
            continue
        sure = basis in ("linked", "same problem", "same diagnosis category", "any")
        if same_provider or same_group:
            by_provider = same_provider and not book.quality.is_rounded("provider_id")
            by_group = not by_provider and (not same_group or book.quality.is_common_group(claim.group))
            support = behind("LBK002", visit, claim, "violation" if sure else "review", basis, book)
            supports.append(replace(support, at_most_review=support.at_most_review or by_group))
        else:
            nobody_knows = True
    quality = book.quality
    unknown = (
        nobody_knows or back_unknown(claim, 90, book) or quality.provider_astray(claim) or quality.named_astray(claim)
    )
    return from_records("LBK002", supports, unknown, book)
