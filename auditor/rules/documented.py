"""The documentation rules differ only in the item that must be documented."""

import polars as pl

from auditor.rules.rule import TELEPHONE_SERVICES, Rule


def documented(code: str, column: str, meaning: str, page: str) -> Rule:
    """The rule that requests review if no call of the claim documents an item; `column` is the calls' column for it."""
    return Rule(
        code=code,
        name=f"{column.removeprefix('doc_')}-not-documented",
        page=page,
        over="claim",
        review=~pl.col(column),
        reads_calls=True,
        needs=(("calls",), (f"calls.{column}",)),
        message=pl.lit(f"no call of the claim documents {meaning}"),
        nothing=f"a call of the claim documents {meaning}",
        errs="neither",
        cites=(f"{TELEPHONE_SERVICES}: guidelines; the payer's documentation requirements",),
        examples=f"""
    record | patient | start            | {column} | expect
    k1     | p1      | 2026-03-02 09:00 | n/a | review
    k2     | p2      | 2026-03-02 09:00 |     | review
    k3     | p3      | 2026-03-02 09:00 | see note | clear
    """,
    )
