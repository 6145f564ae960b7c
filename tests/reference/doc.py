"""DOC001-006. docs/specification.md."""

from __future__ import annotations

from tests.reference.evidence import from_fact
from tests.reference.lines import Book, Line
from tests.reference.world import Verdict

DOC_COLUMNS = {
    "DOC001": "doc_reason",
    "DOC002": "doc_summary",
    "DOC003": "doc_advice",
    "DOC004": "doc_statement",
    "DOC005": "doc_identity",
    "DOC006": "doc_consent",
}


def doc(rule: str, claim: Line, book: Book) -> Verdict:
    documented = any(call.row[DOC_COLUMNS[rule]] for call in claim.calls)
    return from_fact(rule, "clear" if documented else "review", book)
