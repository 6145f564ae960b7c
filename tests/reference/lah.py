"""LAH001-002. docs/specification.md."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

from tests.reference.evidence import Support, from_records
from tests.reference.lines import Book, Line, Visit
from tests.reference.related import booked_for, counts, may_count, relate, review_at_most, visits_of
from tests.reference.world import DAY, Verdict


def ahead(rule: str, visit: Visit, claim: Line, outcome: str, basis: str, book: Book) -> Support:
    """A visit after the claim as evidence; gaps run from the claim's end (its start where the end is unknown)."""
    end = claim.last
    gap = max(0, (visit.day - book.clock.day(end)).days)
    doubt = (
        claim.by_days
        or book.quality.relation_rounded(basis)
        or claim.last_date is not None
        or review_at_most(visit, claim, book)
        or may_count(visit, claim)
        or (rule == "LAH001" and visit.date_only)
    )
    elapsed = max(timedelta(0), visit.start - end)
    return Support(outcome, visit.kind, visit.id, gap, visit.date_only, elapsed, basis, doubt)


def ahead_unknown(claim: Line, book: Book, first: date, last: date) -> bool:
    """Is the day after the claim, or are these dates, not fully covered by the visits export?"""
    if book.lacks_visits(first, last):
        return True
    if not book.has_visits or book.as_of is None or window_end(claim, book) > book.as_of:
        return True
    if claim.end is None and not claim.by_days:
        return True
    if claim.patient in book.tainted_visits or claim.patient in book.quality.placeholders_by_table:
        return True
    return book.quality.patient_astray(claim) or book.quality.came_from_astray(claim)


def ahead_hours(book: Book) -> timedelta:
    return timedelta(hours=book.settings["lookahead_hours"])


def ahead_days(book: Book) -> int:
    """The days that those hours touch."""
    return math.ceil(ahead_hours(book) / DAY)


def window_end(claim: Line, book: Book) -> datetime:
    """The end of the hours ahead; by days, that of the last day that they touch."""
    if claim.by_days:
        return book.clock.last_instant(claim.service_date + timedelta(days=ahead_days(book)))
    return claim.last + ahead_hours(book)


def in_lah001_window(visit: Visit, claim: Line, book: Book) -> bool:
    end = claim.last
    if visit.date_only or claim.by_days:
        last = book.clock.day(end)
        if last <= visit.day <= last + timedelta(days=ahead_days(book)):
            return True
        # CHOICE: a date-only visit on a day between the calls of one claim lies in the window by its first instant.
        return claim.first <= visit.start and visit.day < last
    return claim.first <= visit.start <= end + ahead_hours(book)


def in_lah002_window(visit: Visit, claim: Line, book: Book) -> bool:
    end = claim.last
    horizon: int = book.settings["horizon_days"]
    if visit.date_only or claim.by_days:
        last = book.clock.day(end)
        return last + timedelta(days=ahead_days(book) + 1) <= visit.day <= last + timedelta(days=horizon)
    return end + ahead_hours(book) < visit.start <= end + horizon * DAY


def lah001(claim: Line, book: Book) -> Verdict:
    supports = []
    for visit in visits_of(claim, book):
        if not counts(visit, claim):
            continue
        if not in_lah001_window(visit, claim, book):
            continue
        related, basis = relate(visit, claim, book)
        linked = basis == "linked"
        booked = booked_for(visit, claim, book)
        from_call = linked or (booked is not None and booked >= claim.first)
        outcome = None
        if visit.status in ("completed", "scheduled", None, "unrecognised"):
            if linked:
                outcome = "violation"
            elif related == "yes":
                outcome = "violation" if booked is None or from_call else "review"
            elif related == "unknown":
                outcome = "violation" if from_call else "review"
            elif from_call:
                outcome = "review"
        elif from_call and related != "no":
            outcome = "review"
        if related == "no" and not book.settings["unrelated_supports_lah001"]:
            outcome = None
        if outcome is not None:
            supports.append(ahead("LAH001", visit, claim, outcome, basis, book))
    first, last = book.clock.day(claim.first), book.clock.day(claim.last) + timedelta(days=ahead_days(book))
    unknown = ahead_unknown(claim, book, first, last) or book.quality.billed_visits_astray(claim)
    return from_records("LAH001", supports, unknown, book)


def lah002(claim: Line, book: Book) -> Verdict:
    supports = []
    undated = False
    end = claim.last
    for visit in visits_of(claim, book):
        if not counts(visit, claim):
            continue
        soonest = visit.row["soonest_available"]
        if soonest is False or not in_lah002_window(visit, claim, book):
            continue
        related, basis = relate(visit, claim, book)
        linked = basis == "linked"
        booked = booked_for(visit, claim, book)
        in_span = linked or (booked is not None and claim.first <= booked <= window_end(claim, book))
        outcome = None
        if visit.status in ("completed", "scheduled", None, "unrecognised"):
            if soonest is True:
                if linked or (in_span and related != "no") or (booked is None and related == "yes"):
                    outcome = "violation"
                elif in_span or (booked is None and related == "unknown"):
                    outcome = "review"
            elif linked or (in_span and related != "no"):
                outcome = "review"
            # CHOICE: "kept" is the word of section 4 here; the note (start <= as_of) belongs to LBK001 and LBK002.
            if related != "no" and booked is None and soonest is None and visit.kind == "visit":
                undated = True
        elif linked or (in_span and related != "no"):
            outcome = "review"
        if outcome is not None:
            supports.append(ahead("LAH002", visit, claim, outcome, basis, book))
    day = book.clock.day(end)
    last = day + timedelta(days=book.settings["horizon_days"])
    unknown = undated or ahead_unknown(claim, book, day + timedelta(days=1), last)
    return from_records("LAH002", supports, unknown, book)
