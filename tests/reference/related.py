"""Whether a visit is related, and whether it counts. docs/specification.md."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.reference.columns import Instant
from tests.reference.lines import Book, Line, Visit
from tests.reference.lists import FAMILY, is_no_visit, is_visit_code
from tests.reference.quality import nearly


def is_linked(visit: Visit, claim: Line) -> bool:
    """A link in either direction between the visit and one of the claim's calls, or from the visit to the claim."""
    if visit.row["originating_call_id"] is not None and visit.row["originating_call_id"] in claim.named_ids:
        return True
    if visit.origin_claim is not None and visit.origin_claim == claim.claim_id:
        return True
    return any(call.row["related_visit_id"] == visit.id for call in claim.calls)


def may_be_the_call_itself(visit: Visit, claim: Line) -> bool:
    """No codes, no modality that can be read, not linked, of the claim's provider or none, and at the time of a call."""
    if visit.codes or visit.row["modality"] not in (None, "unrecognised") or is_linked(visit, claim):
        return False
    if visit.row["provider_id"] not in (None, claim.provider):
        return False
    # CHOICE: a date-only visit starts at its day's first instant here, too.
    return any(
        abs(visit.start - call.start) <= timedelta(minutes=15)
        or (call.end is not None and call.start <= visit.start <= call.end)
        for call in claim.calls
    )


def relate(visit: Visit, claim: Line, book: Book) -> tuple[str, str]:
    """(yes | no | unknown, basis)."""
    related, basis = ladder(visit, claim, book)
    return related, "may be the call itself" if may_be_the_call_itself(visit, claim) else basis


def ladder(visit: Visit, claim: Line, book: Book) -> tuple[str, str]:
    """The first match of the numbered steps."""
    if is_linked(visit, claim):
        return "yes", "linked"
    if book.settings["relatedness"] == "any":
        return "yes", "any"
    # CHOICE: the specification names no basis for "no".
    problem, categories = visit.row["problem_id"], visit.categories
    mute = book.quality.mute if visit.kind == "visit" else frozenset()
    both_problems = bool(claim.problems) and problem is not None
    both_categories = bool(claim.categories and categories)
    if both_problems and "problem_id" not in mute:
        if problem in claim.problems:
            return "yes", "same problem"
        if claim.categories & categories:
            return "unknown", "conflicting"
        # CHOICE: ids that are nearly equal (section 11) weaken a "no" only: the ladder's own words come first.
        if any(nearly(problem, other) for other in claim.problems):
            return "unknown", "unknown"
        return "no", "different problem"
    if both_categories and "diagnosis_codes" not in mute:
        shared = bool(claim.categories & categories)
        return ("yes", "same diagnosis category") if shared else ("no", "different diagnosis category")
    if (both_problems and "problem_id" in mute) or (both_categories and "diagnosis_codes" in mute):
        return "unknown", "another vocabulary"
    if visit.row["provider_id"] is not None and visit.row["provider_id"] == claim.provider:
        return "yes", "same provider"
    same_group = visit.group is not None and visit.group == claim.group
    if same_group and visit.specialty is not None and visit.specialty == claim.specialty:
        return "unknown", "same group"
    return "unknown", "unknown"


def review_at_most(visit: Visit, claim: Line, book: Book) -> bool:
    """Of unrecognised or tentative status, of a patient who is nobody, or perhaps the call itself."""
    nobody = claim.patient in book.quality.placeholders_by_table
    if ladder(visit, claim, book)[1] == "same group" and book.quality.is_common_group(claim.group):
        return True
    if may_be_the_call_itself(visit, claim) or not visit.status_sure:
        return True
    return visit.row["status"] in ("unrecognised", "tentative") or nobody or book.quality.is_call_itself(visit, claim)


def counts(visit: Visit, claim: Line) -> bool:
    """Does the visit count for the claim at all?"""
    if visit.id in claim.named_ids:
        return False
    if visit.codes and all(code in FAMILY for code in visit.codes):
        return False
    if is_linked(visit, claim):
        return True
    if not visit.codes:
        return bool(visit.row["modality"] != "phone")
    return any(is_visit_code(code) for code in visit.codes) or may_count(visit, claim)


def may_count(visit: Visit, claim: Line) -> bool:
    """None of its codes is a visit code, and one is in neither list: it may be a visit."""
    if is_linked(visit, claim) or visit.row["modality"] == "phone" or any(is_visit_code(code) for code in visit.codes):
        return False
    return any(not is_no_visit(code) for code in visit.codes)


def booked_for(visit: Visit, claim: Line, book: Book) -> datetime | None:
    """booked_at as the claim sees it: a date-only value on D(claim start) counts as blank; by days any on that day."""
    booked: Instant | None = visit.row["booked_at"]
    if booked is None:
        return None
    on_the_day = book.clock.day(booked.at) == book.clock.day(claim.first)
    return None if on_the_day and (booked.date_only or claim.by_days) else booked.at


def visits_of(claim: Line, book: Book) -> list[Visit]:
    """The patient's visits, and the billed ones that share no call with the claim and are not among them already."""
    visits = [visit for visit in book.visits if visit.row["patient_id"] == claim.patient]
    billed = [
        visit
        for visit in book.billed_visits
        if visit.row["patient_id"] == claim.patient and not visit.calls & claim.named_ids
    ]
    return visits + [one for one in billed if not any(is_the_same(visit, one, claim) for visit in visits)]


def is_the_same(visit: Visit, billed: Visit, claim: Line) -> bool:
    """Does the visits export hold the billed visit: of its provider or none, its date, not called off, and counting?"""
    same = visit.row["provider_id"] in (None, billed.row["provider_id"]) and visit.day == billed.day
    return same and visit.status not in ("cancelled", "no_show") and counts(visit, claim)
