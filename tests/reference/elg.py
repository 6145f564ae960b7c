"""ELG001-007. docs/specification.md."""

from __future__ import annotations

import re

from tests.reference.evidence import from_fact, worst
from tests.reference.lines import Book, Line
from tests.reference.lists import MAY_REPORT_EM, PHYSICIANS, QUALIFIED
from tests.reference.world import Verdict

# CHOICE: of the words and codes that the policy ships, those that the worlds and examples hold.
WRITTEN_OUT = {
    "pmhnp-bc": {"NP"},
    "physical therapist": {"PT"},
    "physician assistant": {"PA"},
}
TAXONOMY = {"207": "MD", "208": "MD", "2251": "PT", "363L": "NP"}


def elg001(claim: Line, book: Book) -> Verdict:
    table = {"provider": "violation", "callback": "review", None: "unknown", "patient": "clear"}
    return from_fact("ELG001", worst([table[call.row["initiated_by"]] for call in claim.calls]), book)


def elg002(claim: Line, book: Book) -> Verdict:
    table = {False: "violation", None: "unknown", True: "clear"}
    return from_fact("ELG002", worst([table[call.row["established"]] for call in claim.calls]), book)


def elg003(claim: Line, book: Book) -> Verdict:
    if claim.credential is None:
        return from_fact("ELG003", "unknown", book)
    fine = "unknown" if book.quality.provider_unsure(claim) else "clear"
    parts = set(re.findall(r"[A-Z]+", claim.credential.replace(".", "").upper()))
    if re.fullmatch(r"(\d{3}|\d{2}[A-Z])[A-Z0-9]{6}X", claim.credential.upper()):
        parts = {meaning for start, meaning in TAXONOMY.items() if claim.credential.upper().startswith(start)}
    parts |= WRITTEN_OUT.get(claim.credential.casefold(), set())
    if parts & PHYSICIANS:
        return from_fact("ELG003", "violation", book)
    if parts & MAY_REPORT_EM and book.settings["may_report_em"] == "review":
        return from_fact("ELG003", "review", book)
    return from_fact("ELG003", fine if parts & QUALIFIED else "review", book)


def elg004(claim: Line, book: Book) -> Verdict:
    row = book.providers.get(claim.provider)
    if row is None or (row["license_start"] is None and row["license_end"] is None):
        return from_fact("ELG004", "unknown", book)
    fine = "unknown" if book.quality.provider_unsure(claim) else "clear"
    too_early = row["license_start"] is not None and claim.service_date < row["license_start"]
    too_late = row["license_end"] is not None and claim.service_date > row["license_end"]
    verdict = from_fact("ELG004", "violation" if too_early or too_late else fine, book)
    doubtful = claim.last_date is not None and verdict.outcome == "violation"
    return Verdict("review") if doubtful else verdict


def elg005(claim: Line, book: Book) -> Verdict:
    table = {"other": "violation", None: "unknown"}
    return from_fact("ELG005", worst([table.get(call.row["caller"], "clear") for call in claim.calls]), book)


def elg006(claim: Line, book: Book) -> Verdict:
    table = {"scheduling": "violation", "administrative": "violation", "follow_up": "violation", None: "unknown"}
    return from_fact("ELG006", worst([table.get(call.row["purpose"], "clear") for call in claim.calls]), book)


def elg007(claim: Line, book: Book) -> Verdict:
    modifiers, places = book.settings["modifiers"], book.settings["place_of_service"]
    if modifiers and not claim.modifiers & set(modifiers):
        return from_fact("ELG007", "review", book)
    if not places:
        return from_fact("ELG007", "clear", book)
    number = re.search(r"\d+", claim.place_of_service or "")
    if number is None:
        return from_fact("ELG007", "unknown", book)
    return from_fact("ELG007", "clear" if int(number[0]) in map(int, places) else "review", book)
