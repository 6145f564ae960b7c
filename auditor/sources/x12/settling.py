"""Which row of an 835 stands of those about one service line: a payment, its reversal, a correction, a denial.

Source: docs/specification.md#replacements-and-reversals, docs/specification.md#several-rows-of-one-line.
"""

import polars as pl

from auditor.billing import adjustments
from auditor.parsing import duplicates
from auditor.schema.tables import CLAIMS

SERVICE = ("claim_id", "claim_line", "payer")
"""What the rows of one service have in common."""
TAKES_BACK = (
    (pl.col("claim_status") == "reversed") | (pl.min_horizontal("billed_amount", "paid_amount") < 0)
).fill_null(False)
"""Of a row with amounts as decimals: it is a reversal."""


def settled(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, each with its `role`.

    `stands`: at most one of a service; its status may be void now. `conflicts`. `apart`: a reversal that found nothing.
    `settled`: it says nothing more. `is_corrected`: a payment that followed a reversal.

    `rows`: of 835s, with SERVICE, amounts as decimals.
    """
    doubtful = (pl.len().over(SERVICE) > 1) | TAKES_BACK.any().over("claim_id")
    rows = rows.with_row_index("at").with_columns(doubtful=doubtful, role=pl.lit("stands"), is_corrected=pl.lit(False))
    simple, several = (rows.filter(some).drop("doubtful") for some in (~pl.col("doubtful"), pl.col("doubtful")))
    if several.is_empty():
        return simple
    return pl.concat([simple, _of_several(several).select(simple.columns)], rechunk=True)


def _of_several(rows: pl.DataFrame) -> pl.DataFrame:
    typed = _as_claims(rows)
    found = duplicates.resolve(CLAIMS, duplicates.duplicate_keys(CLAIMS, typed))
    kept, conflicts = (some["source_record"].implode() for some in (found.kept, found.conflicts))
    lines = typed.filter(pl.col("source_record").is_in(kept)).drop("source_file").rename({"source_record": "row"})
    after = adjustments.settle(lines).select("unmatched", at="row", after="claim_status")
    rows = rows.join(after, on="at", how="left").sort("processed_date", "at").with_columns(
        role=pl.when(pl.col("at").is_in(conflicts)).then(pl.lit("conflicts"))
        .when("unmatched").then(pl.lit("apart"))
        .when(pl.col("after").is_in(["active", "denied"])).then(pl.lit("stands"))
        .otherwise(pl.lit("settled"))
    )  # fmt: skip
    paid = (pl.col("role") == "settled") & ~TAKES_BACK
    nothing = ~pl.col("role").is_in(["stands", "conflicts"]).any().over(SERVICE)
    last = paid & nothing & (pl.col("at") == pl.col("at").filter(paid).last().over(SERVICE)).fill_null(False)
    return rows.with_columns(
        role=pl.when(last).then(pl.lit("stands")).otherwise("role"),
        claim_status=pl.when(last).then(pl.lit("void")).otherwise("claim_status"),
        is_corrected=~last & TAKES_BACK.any().over(SERVICE),
    )


def _as_claims(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as typed claims, those of one service with one id; they differ in what such rows may differ in.

    Where one is taken back, the numbers of the claim and the payment, and its place among equal rows of its transaction,
    tell a correction from a copy of what it corrects.
    """
    equal = (*SERVICE, "billed_amount", "paid_amount", "units", "modifiers", "claim_status", "payer_claim_id")
    place = pl.int_range(pl.len()).over("file", "transaction", *equal)
    event = pl.concat_str("payer_claim_id", "trace", place, separator=":", ignore_nulls=True)
    number = pl.when(TAKES_BACK.any().over(SERVICE)).then(event)
    claim = pl.concat_str("claim_id", pl.lit("\n"), pl.col("payer").fill_null(""))
    nothing = {name: pl.lit("") for name in ("source_file", "provider_id", "cpt_code")}
    return rows.select(
        **nothing,
        source_record="at",
        claim_id=claim,
        claim_line="claim_line",
        patient_id=pl.concat_str(claim, pl.lit("\n"), "claim_line"),
        service_date=pl.lit(None, pl.Date),
        claim_status="claim_status",
        frequency_code=pl.lit(None, pl.String),
        original_claim_id=pl.lit(None, pl.String),
        billed_amount="billed_amount",
        paid_amount="paid_amount",
        units="units",
        modifiers=pl.concat_str("modifiers", number, separator=";", ignore_nulls=True).str.split(";"),
        diagnosis_codes=pl.lit([], pl.List(pl.String)),
        processed_date=pl.col("processed_date").str.to_date(strict=False),
    )
