"""FRQ001-005. docs/specification.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.reference.evidence import Support, from_fact, from_records
from tests.reference.lines import Book, Line
from tests.reference.lists import FAMILY, TELEPHONE_TEXT, in_list
from tests.reference.values import fold
from tests.reference.world import Verdict


def frequency_unknown(claim: Line, book: Book) -> bool:
    """Is the week before the claim not fully covered by the lines?"""
    if book.claims_since is None or claim.service_date - timedelta(days=6) < book.claims_since:
        return True
    if book.lacks_lines(claim.service_date - timedelta(days=6), claim.service_date):
        return True
    return is_tainted(claim, book)


def repeat_unknown(claim: Line, book: Book) -> bool:
    """Likewise, or may another line be the provider's?"""
    return frequency_unknown(claim, book) or book.quality.provider_of_lines_astray(claim)


def is_tainted(claim: Line, book: Book) -> bool:
    """May lines of the patient be missing, or be somebody else's?"""
    quality = book.quality
    return (
        claim.patient in book.tainted_lines
        or claim.patient in quality.placeholders_by_table
        or quality.lines_astray(claim)
        or any(line.provider is None for line in book.active if line.patient == claim.patient and line.code in FAMILY)
    )


def days_after(line: Line, earlier: Line) -> int:
    return (line.service_date - earlier.service_date).days


def as_line(line: Line, earlier: Line, outcome: str, at_most_review: bool) -> Support:
    """An earlier line as evidence."""
    is_range = line.last_date is not None or earlier.last_date is not None
    return Support(
        outcome, "claim", earlier.claim_id, days_after(line, earlier), at_most_review=at_most_review or is_range
    )


def in_doubt(claim: Line, earlier: Line, book: Book) -> bool:
    """Review at most: of a status that nobody knows, or of a patient who is nobody."""
    rounded = book.quality.is_rounded("patient_id", "provider_id")
    return rounded or not earlier.status_sure or claim.patient in book.quality.placeholders_by_table


def calls_of(line: Line, book: Book) -> set[str]:
    """Its calls; where there is no table of calls, the one that its row names."""
    return line.call_ids if book.has_calls else line.named_ids


def billed_again(line: Line, earlier: Line, book: Book) -> bool:
    """One service billed to another payer, again after nothing was paid, or by a remittance only: review at most."""
    of_one_claim = (line.claim_id, line.service_date) == (earlier.claim_id, earlier.service_date)
    if of_one_claim and (line.remittance_only or earlier.remittance_only):
        return True
    names_no_call = not line.named or not earlier.named
    alike = line.provider is not None and all(
        getattr(line, name) == getattr(earlier, name) for name in ("patient", "provider", "service_date", "code")
    )
    if not (calls_of(line, book) & calls_of(earlier, book) or (names_no_call and alike)):
        return False
    # CHOICE: payers are compared as words of a vocabulary are.
    payers = {fold(one.payer) for one in (line, earlier) if one.payer is not None}
    return len(payers) == 2 or (line.paid == 0) != (earlier.paid == 0)


def may_replace(line: Line, earlier: Line) -> bool:
    """Of one date, and one of the two replaces a line that was not found."""
    return days_after(line, earlier) == 0 and (line.unmatched or earlier.unmatched)


def frq001_all(
    book: Book, book_of: Callable[[Line], Book | None], anchors_of: dict[tuple[str, str, str], list[Line]] | None = None
) -> dict[tuple[str, str, str], Verdict]:
    """FRQ001 for every active line of the audited codes, each patient, provider and code decided in order.

    Each line by the policy that judges it, whose book `book_of` has; a line that none judges, or one whose rule is off, is
    never flagged. `anchors_of` is filled with the counted lines before each.
    """
    sequences: dict[tuple[str, str, str], list[Line]] = {}
    for line in book.active:  # already in the order of lines
        if line.code in book.settings["codes"]:
            sequences.setdefault((line.patient, line.provider, line.code), []).append(line)
    verdicts = {}
    for sequence in sequences.values():
        tainted = is_tainted(sequence[0], book)
        counted: list[Line] = []
        before: list[Line] = []
        previous: Line | None = None
        spread = tainted
        for line in sequence:
            if previous is not None and days_after(line, previous) > 6:
                spread = tainted
            previous = line
            own = book_of(line)
            if own is None or own.settings["severity"].get("FRQ001") == "off":
                counted.append(line)
                before.append(line)
                continue
            reported = own.settings["anchor"] == "reported"
            anchors = [
                earlier
                for earlier in (before if reported else counted)
                if line.provider and 0 <= days_after(line, earlier) <= 6
            ]
            before.append(line)
            if anchors_of is not None:
                anchors_of[line.key] = anchors
            outcome, doubtful = "clear", False
            if anchors:
                outcome = "violation"
            elif repeat_unknown(line, book):
                outcome = "unknown"
            if not anchors:
                counted.append(line)
            if not reported:
                if spread and outcome == "violation":
                    doubtful = True
                elif spread and outcome == "clear":
                    outcome = "unknown"
            if outcome == "unknown":
                spread = True
            supports = [
                as_line(
                    line,
                    earlier,
                    "violation",
                    doubtful
                    or in_doubt(line, earlier, book)
                    or may_replace(line, earlier)
                    or billed_again(line, earlier, book),
                )
                for earlier in anchors
            ]
            verdicts[line.key] = from_records("FRQ001", supports, outcome == "unknown", own, latest=True)
    return verdicts


def earlier_lines(claim: Line, book: Book) -> list[Line]:
    """Active lines before the claim, in the order of lines."""
    return [line for line in book.active if line.order < claim.order]


def frq002(claim: Line, book: Book) -> Verdict:
    supports = []
    for line in earlier_lines(claim, book):
        same = line.patient == claim.patient and line.provider == claim.provider and line.provider is not None
        other_code = line.code in FAMILY and line.code != claim.code
        if same and other_code and 0 <= days_after(claim, line) <= 6:
            doubtful = in_doubt(claim, line, book) or billed_again(claim, line, book)
            supports.append(as_line(claim, line, "review", doubtful))
    return from_records("FRQ002", supports, repeat_unknown(claim, book), book, latest=True)


def frq003(claim: Line, book: Book) -> Verdict:
    if claim.units is None:
        return from_fact("FRQ003", "unknown", book)
    return from_fact("FRQ003", "violation" if claim.units > 1 else "clear", book)


def frq004(claim: Line, book: Book) -> Verdict:
    found = []
    for line in book.active:
        shared = calls_of(line, book) & calls_of(claim, book)
        if not shared or line.key == claim.key:
            continue
        if line.code in FAMILY:
            outcome = "violation" if line.order < claim.order else None
        elif in_list(line.code, TELEPHONE_TEXT):
            outcome = "violation"
        else:
            outcome = "review" if line.own_calls & shared else None
        if outcome is not None:
            gap = abs(days_after(claim, line))
            # CHOICE: a line of another telephone code counts likewise where it is the later one.
            doubtful = not line.status_sure or billed_again(claim, line, book)
            found.append((gap, line, Support(outcome, "claim", line.claim_id, gap, at_most_review=doubtful)))
    # CHOICE: of other lines the one nearest in days is named, of several the latest, whose start is not asked.
    found.sort(key=lambda item: (-item[0], line_place(item[1])))
    return from_records("FRQ004", [support for _, _, support in found], False, book, latest=True)


def line_place(line: Line) -> tuple[object, ...]:
    """The order of lines; a line outside the family has no start."""
    start = line.start if line.code in FAMILY else None
    far = datetime.max.replace(tzinfo=UTC)
    return (line.service_date, start is None, start or far, line.claim_id, line.claim_line, line.code)


def frq005(claim: Line, book: Book) -> Verdict:
    if claim.group is None or claim.specialty is None:
        return Verdict("not applicable")
    supports = []
    for line in earlier_lines(claim, book):
        same = line.patient == claim.patient and line.code == claim.code and line.provider != claim.provider
        same = same and None not in (line.provider, claim.provider)
        same_group = line.group == claim.group and line.specialty == claim.specialty
        if same and same_group and 0 <= days_after(claim, line) <= 6:
            doubtful = in_doubt(claim, line, book) or billed_again(claim, line, book)
            doubtful = doubtful or book.quality.is_common_group(claim.group)
            supports.append(as_line(claim, line, "review", doubtful))
    return from_records("FRQ005", supports, frequency_unknown(claim, book), book, latest=True)
