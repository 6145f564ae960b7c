"""DOC001-005: what the note must hold."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule


def _documented(code: str, column: str, what: str, why: str) -> Rule:
    """The five rules differ only in the item that must be documented."""
    return Rule(
        code=code,
        name=f"{column.removeprefix('doc_')}-not-documented",
        page=f"""
What it checks: at least one call of the claim documents {what}.

Why it matters: {why}

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
""",
        over="claim",
        review=~pl.col(column),
        applies=HAS_CALL,
        needs=((f"calls.{column}",),),
        message=pl.lit(f"no call of the claim documents {what}"),
        errs="neither",
        cites=("CPT 98968 billing guide: documentation of the call",),
        examples=f"""
    record | patient | start            | {column} | expect
    k1     | p1      | 2026-03-02 09:00 | n/a | review
    k2     | p2      | 2026-03-02 09:00 |     | review
    k3     | p3      | 2026-03-02 09:00 | see note | clear
    """,
    )


DOC001 = _documented(
    "DOC001", "doc_reason", "the reason for the call", "the reason shows that the patient asked for care."
)
DOC002 = _documented(
    "DOC002", "doc_summary", "a summary of the discussion", "the summary supports the time and the service."
)
DOC003 = _documented("DOC003", "doc_advice", "the advice that was given", "advice shows assessment and management.")
DOC004 = _documented(
    "DOC004",
    "doc_statement",
    "the statement on time and related visits",
    "the statement is what the code's limits rest on.",
)
DOC005 = _documented(
    "DOC005",
    "doc_identity",
    "that the caller's identity was checked",
    "the service must have gone to the patient billed.",
)
