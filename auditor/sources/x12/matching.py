"""Lines of 835s and of 837s: which line of a claim was paid. Source: docs/x12.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from auditor.sources.x12.frames import money
from auditor.sources.x12.settling import settled

LINE = ["claim_id", "claim_line"]
_FACTS = ("patient_id", "provider_id", "payer", "position")
PAID = ("billed_amount", "paid_amount", "claim_status", "processed_date")
"""What a line has from its 835."""


@dataclass(frozen=True)
class Matched:
    """What 835s say of the lines of 837s, and beside them.

    `paid`: one row for each line (LINE, PAID, `payer_claim_id`, and `is_replaced`: another claim of that id replaces it).
    `own`: rows of 835s that stay rows, with their `claim_line`; where an 837 has their claim, `unfit` says why: `line` (they
    fit no line of it), `payer` (of another payer than the line's), or `settled` (they conflict, or reverse nothing).
    """

    paid: pl.DataFrame
    own: pl.DataFrame


def matched(billed: Sequence[Path], paid: pl.DataFrame) -> Matched:
    """Find the line of each row of the 835s. `billed`: files of the 837s' rows."""
    lines = _lines(billed, paid)
    paid = paid.with_row_index("row").with_columns(
        money("billed_amount"), money("paid_amount"), line_id=pl.coalesce("reference", "place")
    )
    alone = paid.join(lines, on="claim_id", how="anti").with_columns(
        claim_line="line_id", unfit=pl.lit(None, pl.String)
    )
    known = paid.join(lines, on="claim_id", how="semi")
    of_claims, known = known.filter(pl.col("place") == "0"), known.filter(pl.col("place") != "0")
    whole = _of_whole_claims(of_claims, lines)
    found = pl.concat([_with_line(known, lines), whole], how="diagonal")
    fitting = settled(found.drop_nulls("claim_line").select(sorted(found.columns)))
    stands = _of_first_payer(fitting, lines)
    unfit = pl.concat([
        found.filter(pl.col("claim_line").is_null()).with_columns(unfit=pl.lit("line")),
        of_claims.join(whole, on="row", how="anti").with_columns(unfit=pl.lit("line")),
        stands.filter(~pl.col("is_first")).with_columns(unfit=pl.lit("payer")),
        fitting.filter(pl.col("role").is_in(["conflicts", "apart"])).with_columns(unfit=pl.lit("settled")),
    ], how="diagonal")  # fmt: skip
    own = pl.concat([alone, _as_lines(unfit, lines)], how="diagonal")
    replaced = lines.group_by(LINE).agg(is_replaced=pl.col("replaced").n_unique() > 1)
    return Matched(stands.filter("is_first").select(*LINE, *PAID, "payer_claim_id").join(replaced, on=LINE), own)


def _lines(billed: Sequence[Path], paid: pl.DataFrame) -> pl.DataFrame:
    """The lines of the 837s whose claims are paid."""
    columns = (*LINE, "reference", "service_date", "cpt_code", "billed_amount", *_FACTS, "replaced")
    claims = paid.lazy().select("claim_id").unique()
    return pl.scan_parquet(list(billed)).select(columns).join(claims, on="claim_id", how="semi").collect()


def _with_line(paid: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Rows of 835s with the `claim_line` that they fit: by REF*6R, else by LX, else by date, code and charge."""
    day, charge = pl.col("service_date").str.replace_all("-", "").str.head(8), money("billed_amount").abs()
    service = {"day": day, "code": pl.col("cpt_code"), "charge": charge}
    by_keys: tuple[tuple[dict[str, pl.Expr], dict[str, pl.Expr]], ...] = (
        ({"key": pl.col("reference")}, {"key": pl.col("reference")}),
        ({"key": pl.col("reference")}, {"key": pl.col("claim_line")}),
        (service, service),
    )
    paid = paid.with_columns(claim_line=pl.lit(None, pl.String))
    for own, theirs in by_keys:
        fits = lines.select("claim_id", **theirs, found="claim_line").drop_nulls().unique()
        fits = fits.filter(pl.struct("claim_id", *theirs).is_unique())
        found = paid.with_columns(**own).join(fits, on=["claim_id", *own], how="left", maintain_order="left")
        paid = found.with_columns(pl.coalesce("claim_line", "found")).drop("found", *own)
    return paid


def _of_whole_claims(paid: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """A claim that is paid as a whole, once for each line: with nothing, or where it has one line only."""
    of_claim = lines.unique(LINE, maintain_order=True).select(*LINE, charge=money("billed_amount"))
    found = paid.join(of_claim, on="claim_id", maintain_order="left")
    is_only = pl.len().over("row") == 1
    return found.filter(is_only | (pl.col("paid_amount") == 0)).with_columns(
        billed_amount=pl.when(is_only).then("billed_amount").otherwise(
            pl.when(pl.col("billed_amount") < 0).then(-pl.col("charge")).otherwise("charge")
        )
    ).drop("charge")  # fmt: skip


def _of_first_payer(fitting: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The rows that stand, and which of a line is `is_first`: of the payer whose turn the 837 was, else the earliest."""
    turn = lines.unique(LINE, keep="first", maintain_order=True).select(*LINE, turn="position")
    stands = fitting.filter(pl.col("role") == "stands").join(turn, on=LINE, how="left")
    order = (
        pl.when(pl.col("position") == pl.col("turn")).then(0).when(pl.col("position").is_null()).then(1).otherwise(2)
    )
    ordered = stands.with_columns(order=order).sort(*LINE, "order", "processed_date", "row")
    return ordered.with_columns(is_first=pl.struct(LINE).is_first_distinct())


def _as_lines(unfit: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Rows of 835s beside the lines of their claims: with the claim's patient and provider, and a `claim_line` of their own.

    A reversal that found nothing keeps its line's, so that it may find one in another claim.
    """
    claims = lines.unique("claim_id", keep="first", maintain_order=True)
    facts = claims.select("claim_id", *(pl.col(name).alias(f"claim's {name}") for name in _FACTS))
    taken = lines.select(*LINE).unique().with_columns(taken=True)
    unfit = unfit.with_columns(claim_line=pl.coalesce("claim_line", "line_id")).sort("row")
    unfit = unfit.join(facts, on="claim_id").join(taken, on=LINE, how="left", maintain_order="left")
    by_others = pl.col("unfit") == "payer"
    payer = pl.col("payer").rank("dense").over("claim_id")
    apart = (pl.col("role") == "apart").fill_null(False)
    mark = (
        pl.when(apart).then(pl.lit(""))
        .when(by_others).then(pl.format("/{}", pl.coalesce("position", pl.lit("payer"))))
        .when(pl.col("taken").fill_null(False)).then(pl.lit("/835"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    another = pl.when((payer > 1) & ~apart).then(pl.format("/{}", payer)).otherwise(pl.lit(""))
    own_payer = by_others | (pl.col("position") != pl.col("claim's position")).fill_null(False)
    return unfit.with_columns(
        claim_line=pl.concat_str("claim_line", mark, another),
        patient_id=pl.coalesce("claim's patient_id", "patient_id"),
        provider_id=pl.coalesce("claim's provider_id", "provider_id"),
        payer=pl.when(own_payer).then("payer").otherwise(pl.coalesce("claim's payer", "payer")),
    )
