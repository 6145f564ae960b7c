"""Lines of 835s and of 837s: which line of a claim was paid. Source: docs/x12.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from auditor.sources.x12.frames import money
from auditor.sources.x12.settling import SERVICE, TAKES_BACK, settled

LINE = ["claim_id", "claim_line"]
_FACTS = ("patient_id", "provider_id", "payer", "position")
PAID = ("billed_amount", "paid_amount", "claim_status", "processed_date")
"""What a line has from its 835."""
_PAYER = pl.coalesce(
    pl.col("position").max().over("claim_id", "payer"), pl.col("payer").rank("dense").over("claim_id").cast(pl.String)
)
"""Which of its payers a claim's row is from: P, S or T, else a number."""


_OWN = ("record", "file", "unfit", *LINE, "patient_id", "provider_id", "service_date", "cpt_code", "modifiers", "units",
        "payer", *PAID)  # fmt: skip
_AT_ONCE = 100_000
"""Rows of 835s that are matched in memory."""


@dataclass(frozen=True)
class Remitted:
    """The files with the rows of 835s, in order, and how many rows there are."""

    paths: Sequence[Path]
    count: int

    def rows(self) -> pl.LazyFrame:
        """Each with its `row`."""
        return pl.scan_parquet(list(self.paths), row_index_name="row")


@dataclass(frozen=True)
class Matched:
    """What 835s say of the lines of 837s, and beside them.

    `paid`: one row for each line (LINE, PAID, `payer_claim_id`, and `is_replaced`: it is of a claim that another one of its
    id replaces).
    `own`: files with the rows of 835s that stay rows, with their `claim_line` (none where there is no 835). Where an 837 has
    their claim, `unfit` says why: `line` (they fit no line of it), `payer` (of another payer than the line's), or `settled`
    (they conflict, or reverse nothing).
    """

    paid: pl.DataFrame
    own: Sequence[Path]


def sent_on(billed: Sequence[Path]) -> pl.DataFrame:
    """The claims that 837s send to a first payer and, under the same id, to a later one: `claim_id`, `first_patient`."""
    claims = pl.scan_parquet(list(billed)).select("claim_id", "position", first_patient="patient_id")
    later = pl.col("position").is_in(["S", "T"]).fill_null(False)
    first = claims.filter(~later).join(claims.filter(later).select("claim_id").unique(), on="claim_id", how="semi")
    return first.drop("position").unique("claim_id", keep="first", maintain_order=True).collect()


def of_payers(rows: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    """Rows of 837s with `is_later`: lines that a later payer had after the first, which then end in `/S` or `/T`.

    Their patient is the first payer's. `sent`: of `sent_on`.
    """
    if sent.is_empty():
        return rows.with_columns(is_later=pl.lit(False))
    rows = rows.join(sent.with_columns(sent=True), on="claim_id", how="left", maintain_order="left")
    later = pl.col("sent").fill_null(False) & pl.col("position").is_in(["S", "T"]).fill_null(False)
    return rows.with_columns(
        claim_line=pl.when(later).then(pl.format("{}/{}", "claim_line", "position")).otherwise("claim_line"),
        patient_id=pl.when(later).then(pl.coalesce("first_patient", "patient_id")).otherwise("patient_id"),
        is_later=later,
    ).drop("sent", "first_patient")


def payers_numbers(billed: Sequence[Path], remitted: Remitted) -> pl.DataFrame:
    """The claims of each payer's number (CLP07) that an 837 names, the earliest that was paid first.

    Result: `number`, `original_claim_id`, `of` (its patient).
    """
    named = pl.scan_parquet(list(billed)).select(number="replaced").drop_nulls().unique()
    paid = remitted.rows().with_columns(number="payer_claim_id").join(named, on="number", how="semi")
    claims = paid.sort("processed_date", "row").select("number", original_claim_id="claim_id", of="patient_id")
    return claims.unique(["number", "original_claim_id"], keep="first", maintain_order=True).collect()


def with_original(rows: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Rows of 837s with the claim that the payer's number in REF*F8 is of: of several another claim, of the same patient."""
    replaced = rows.select("record", "claim_id", "patient_id", number="replaced").drop_nulls("number")
    found = replaced.join(numbers, on="number", maintain_order="left_right")
    own = pl.col("original_claim_id") == pl.col("claim_id")
    other_patient = (pl.col("of") != pl.col("patient_id")).fill_null(True)
    found = found.sort("record", own, other_patient, maintain_order=True).unique("record", keep="first")
    return rows.join(found.select("record", "original_claim_id"), on="record", how="left", maintain_order="left")


def matched(billed: Sequence[Path], remitted: Remitted, sent: pl.DataFrame, folder: Path) -> Matched:
    """Find the line of each row of the 835s, some claims at a time.

    `billed`: files of the 837s' rows; `sent`: of `sent_on`; `folder`: for files.
    """
    parts = -(-remitted.count // _AT_ONCE)
    paid, own = list[pl.DataFrame](), list[Path]()
    for part in range(parts):
        rows = remitted.rows().filter(pl.col("claim_id").hash() % parts == part).collect()
        of_lines, beside = _matched(billed, rows.sort("row"), sent)
        paid.append(of_lines)
        own.append(folder / f"own-{part}.parquet")
        beside.write_parquet(own[-1], compression="lz4")
    return Matched(pl.concat(paid, rechunk=True) if paid else pl.DataFrame(), own)


def _matched(billed: Sequence[Path], paid: pl.DataFrame, sent: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is paid of lines, and the rows of 835s that stay rows."""
    lines = of_payers(_lines(billed, paid), sent)
    later, lines = lines.filter("is_later").select(LINE).unique(), lines.filter(~pl.col("is_later"))
    paid = paid.with_columns(money("billed_amount"), money("paid_amount"), claim_line=pl.coalesce("reference", "place"))
    is_billed = paid["claim_id"].is_in(lines["claim_id"].unique().implode())
    alone = _by_payer(_without_repaid(paid.filter(~is_billed)))
    whole = is_billed & (paid["place"] == "0")
    of_claims, known = paid.filter(whole), paid.filter(is_billed & ~whole)
    of_lines = _of_whole_claims(of_claims, lines)
    found = pl.concat([known.with_columns(line=_line_of(known, lines)), of_lines], how="diagonal", rechunk=True)
    fitting = found.drop_nulls("line").with_columns(claim_line="line")
    fitting = settled(fitting.select(sorted(fitting.columns)))
    stands = _of_first_payer(fitting, lines)
    stands = stands.with_columns(turned=pl.format("{}/{}", "claim_line", "position"))
    to_later = stands.join(later, left_on=["claim_id", "turned"], right_on=LINE, how="semi")
    stands = stands.join(to_later, on="at", how="anti")
    unfit = pl.concat([
        found.filter(pl.col("line").is_null()).with_columns(unfit=pl.lit("line")),
        of_claims.join(of_lines, on="row", how="anti").with_columns(unfit=pl.lit("line")),
        stands.filter(~pl.col("is_first")).with_columns(unfit=pl.lit("payer")),
        fitting.filter(pl.col("role").is_in(["conflicts", "apart"])).with_columns(unfit=pl.lit("settled")),
    ], how="diagonal", rechunk=True)  # fmt: skip
    own = pl.concat([alone, _as_lines(unfit, lines)], how="diagonal").sort("row").unique("row", maintain_order=True)
    replacing = lines.filter(pl.col("replaced").is_not_null())
    of_lines = _of_claims(lines, replacing).group_by(LINE).agg(is_replaced=pl.col("replaced").n_unique() > 1)
    first = pl.concat([
        some.select(*LINE, *PAID, "payer_claim_id", "is_corrected")
        for some in (stands.filter("is_first"), to_later.with_columns(claim_line="turned"))
    ])  # fmt: skip
    first = first.join(of_lines, on=LINE, how="left", maintain_order="left")
    amounts = pl.col("billed_amount", "paid_amount").cast(pl.String)
    first = first.with_columns(amounts, pl.col("is_replaced") & ~pl.col("is_corrected")).drop("is_corrected")
    return first, own.select(_OWN)


def _lines(billed: Sequence[Path], paid: pl.DataFrame) -> pl.DataFrame:
    """The lines of the 837s whose claims are paid."""
    columns = (*LINE, "reference", "service_date", "cpt_code", "billed_amount", *_FACTS, "replaced")
    claims = paid.lazy().select("claim_id").unique()
    return pl.scan_parquet(list(billed)).select(columns).join(claims, on="claim_id", how="semi").collect()


def _line_of(paid: pl.DataFrame, lines: pl.DataFrame) -> pl.Series:
    """The line that each row of 835s fits: by REF*6R, else by LX, else by date, code and charge. Null: none, or several."""
    day, charge = pl.col("service_date").str.replace_all("-", "").str.head(8), money("billed_amount").abs()
    service = {"day": day, "code": pl.col("cpt_code"), "charge": charge}
    by_keys: tuple[tuple[dict[str, pl.Expr], dict[str, pl.Expr]], ...] = (
        ({"key": pl.col("reference")}, {"key": pl.col("reference")}),
        ({"key": pl.col("reference")}, {"key": pl.col("claim_line")}),
        (service, service),
    )
    found = pl.Series("line", [None] * paid.height, dtype=pl.String)
    for own, theirs in by_keys:
        left = paid.select("claim_id", row="row", **own).filter(found.is_null()).drop_nulls()
        fits = lines.select("claim_id", **theirs, line="claim_line").drop_nulls().unique()
        fits = fits.filter(pl.struct("claim_id", *theirs).is_unique())
        fitting = left.join(fits, on=["claim_id", *own])
        at = paid.select(
            pl.col("row").replace_strict(fitting["row"], fitting["line"], default=None, return_dtype=pl.String)
        )
        found = found.fill_null(at.to_series())
    return found


def _of_whole_claims(paid: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """A claim that is paid as a whole, once for each line: with nothing, or where it has one line only."""
    of_claim = _of_claims(lines, paid).unique(LINE, maintain_order=True)
    of_claim = of_claim.select("claim_id", line="claim_line", charge=money("billed_amount"))
    found = paid.join(of_claim, on="claim_id", maintain_order="left")
    is_only = pl.len().over("row") == 1
    return found.filter(is_only | (pl.col("paid_amount") == 0)).with_columns(
        billed_amount=pl.when(is_only).then("billed_amount").otherwise(
            pl.when(pl.col("billed_amount") < 0).then(-pl.col("charge")).otherwise("charge")
        )
    ).drop("charge")  # fmt: skip


def _of_first_payer(fitting: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The rows that stand, and which of a line is `is_first`: of the payer whose turn the 837 was, else the earliest."""
    stands = fitting.filter(pl.col("role") == "stands")
    several = stands.select(pl.struct(LINE).is_duplicated()).to_series()
    alone, stands = stands.filter(~several).with_columns(is_first=True), stands.filter(several)
    turn = _of_claims(lines, stands).unique(LINE, keep="first", maintain_order=True).select(*LINE, turn="position")
    stands = stands.join(turn, on=LINE, how="left")
    order = (
        pl.when(pl.col("position") == pl.col("turn")).then(0).when(pl.col("position").is_null()).then(1).otherwise(2)
    )
    ordered = stands.with_columns(order=order).sort(*LINE, "order", "processed_date", "row")
    ordered = ordered.with_columns(is_first=pl.struct(LINE).is_first_distinct())
    return pl.concat([alone, ordered.select(alone.columns)], rechunk=True)


def _of_claims(lines: pl.DataFrame, paid: pl.DataFrame) -> pl.DataFrame:
    """The lines of the claims of some rows."""
    return lines.filter(pl.col("claim_id").is_in(paid["claim_id"].unique().implode()))


def _without_repaid(alone: pl.DataFrame) -> pl.DataFrame:
    """Rows of 835s without those that are settled, of services that were paid, taken back and paid the same again.

    As rows of the claims table, the equal payments would be one.
    """
    taken_back = alone.filter(TAKES_BACK).select(SERVICE).unique()
    several = alone.join(taken_back, on=SERVICE, how="semi", nulls_equal=True)
    of_record = ("row", "record", "file", "place", "reference", "payer_claim_id", "trace", "transaction")
    equal = several.filter(pl.struct(pl.exclude(of_record)).is_duplicated()).select(SERVICE)
    repaid = alone.join(equal, on=SERVICE, how="semi", nulls_equal=True)
    if repaid.is_empty():
        return alone
    kept = settled(repaid).filter(pl.col("role") != "settled").drop("at", "role", "is_corrected")
    return pl.concat([alone.join(repaid, on="row", how="anti"), kept.select(alone.columns)], rechunk=True)


def _by_payer(alone: pl.DataFrame) -> pl.DataFrame:
    """Rows of 835s whose claims are in no 837. Of several payers the first has the lines, the others lines beside them."""
    alone = alone.with_columns(unfit=pl.lit(None, pl.String))
    several = alone.select("claim_id", "payer").unique().filter(pl.col("claim_id").is_duplicated())["claim_id"].unique()
    if several.is_empty():
        return alone
    is_shared = alone["claim_id"].is_in(several.implode())
    order = pl.col("position").replace_strict({"P": 0, "S": 2, "T": 3}, default=1)
    shared = alone.filter(is_shared).with_columns(order=order).sort("claim_id", "order", "processed_date", "row")
    first = {name: pl.col(name).first().over("claim_id") for name in ("payer", "patient_id", "provider_id")}
    by_others = (pl.col("payer") != first["payer"]).fill_null(True)
    shared = shared.with_columns(
        claim_line=pl.when(by_others).then(pl.format("{}/{}", "claim_line", _PAYER)).otherwise("claim_line"),
        patient_id=pl.coalesce(first["patient_id"], "patient_id"),
        provider_id=pl.coalesce(first["provider_id"], "provider_id"),
        unfit=pl.when(by_others).then(pl.lit("payer")),
    )
    return pl.concat([alone.filter(~is_shared), shared.drop("order")], rechunk=True)


def _as_lines(unfit: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Rows of 835s beside the lines of their claims: with the claim's patient and provider, and a `claim_line` of their own.

    A reversal that found nothing keeps its line's, so that it may find one in another claim.
    """
    lines = _of_claims(lines, unfit)
    claims = lines.unique("claim_id", keep="first", maintain_order=True)
    facts = claims.select("claim_id", *(pl.col(name).alias(f"claim's {name}") for name in _FACTS))
    taken = lines.select(*LINE).unique().with_columns(taken=True)
    unfit = unfit.sort("row").join(facts, on="claim_id").join(taken, on=LINE, how="left", maintain_order="left")
    by_others, apart = pl.col("unfit") == "payer", (pl.col("role") == "apart").fill_null(False)
    beside = pl.when("taken").then(pl.lit("/835")).otherwise(pl.lit(""))
    several = pl.col("payer").n_unique().over("claim_id") > 1
    mark = (
        pl.when(apart).then(pl.lit(""))
        .when(by_others).then(pl.format("/{}", _PAYER))
        .when(several).then(pl.format("{}/{}", beside, _PAYER))
        .otherwise(beside)
    )  # fmt: skip
    own_payer = by_others | (pl.col("position") != pl.col("claim's position")).fill_null(False)
    return unfit.with_columns(
        claim_line=pl.concat_str("claim_line", mark),
        patient_id=pl.coalesce("claim's patient_id", "patient_id"),
        provider_id=pl.coalesce("claim's provider_id", "provider_id"),
        payer=pl.when(own_payer).then("payer").otherwise(pl.coalesce("claim's payer", "payer")),
    )
