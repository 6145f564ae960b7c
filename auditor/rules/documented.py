"""What the five rules on documentation share: they differ in the item that must be documented."""

import polars as pl

from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule


def documented(code: str, column: str, meaning: str, page: str) -> Rule:
    """The rule that asks for review where no call of the claim documents an item; `column` is the export's."""
    return Rule(
        code=code,
        name=f"{column.removeprefix('doc_')}-not-documented",
        page=page,
        over="claim",
        review=~pl.col(column),
        applies=HAS_CALL,
        needs=((f"calls.{column}",),),
        message=pl.lit(f"no call of the claim documents {meaning}"),
        nothing="documented",
        errs="neither",
        cites=(f"{TELEPHONE_SERVICES}: guidelines; what the payer asks the record to show",),
        examples=f"""
    record | patient | start            | {column} | expect
    k1     | p1      | 2026-03-02 09:00 | n/a | review
    k2     | p2      | 2026-03-02 09:00 |     | review
    k3     | p3      | 2026-03-02 09:00 | see note | clear
    """,
    )
