"""X12: 837P and 835 → the claims table. Source: docs/x12.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import decoding, files
from auditor.reading.files import Signature
from auditor.reading.kinds import Location
from auditor.schema.names import counted
from auditor.sources.source import RECORD, Context, Source
from auditor.sources.x12 import professional, remittance
from auditor.sources.x12.frames import of_rows, schema
from auditor.sources.x12.interchange import BrokenX12, blocks
from auditor.sources.x12.matching import LINE, PAID, Matched, matched, of_payers, payers_numbers, sent_on, with_original
from auditor.sources.x12.professional import Professional
from auditor.sources.x12.remittance import Remittance
from auditor.sources.x12.transactions import Envelopes

_BLOCK = 1 << 20
"""Bytes that are read at once."""
_ROWS = 25_000
"""Rows of a frame."""
_COLUMNS = (*LINE, "patient_id", "provider_id", "service_date", "cpt_code", "modifiers", "units", "billed_amount",
            "paid_amount", "claim_status", "processed_date", "payer", "frequency_code", "original_claim_id",
            "diagnosis_codes", "remittance_only")  # fmt: skip
"""Of the claims table."""
_REQUIRED = (*LINE, "patient_id", "provider_id", "service_date", "cpt_code")


@dataclass
class _File:
    """A file as it was read. `billed`: the rows of its 837s, on disk; `paid`: those of its 835s; `filled`: their columns."""

    location: Location
    touched: Signature | None
    billed: Path
    paid: pl.DataFrame
    filled: set[str]
    envelopes: Envelopes
    transactions: Mapping[str, Professional | Remittance]


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """The claims of files of X12. 837s are read to disk and 835s into memory, then each 837 line is joined with its 835.

    Raises InputRefused for what breaks the syntax, naming the file and the segment.
    """
    if table != "claims":
        raise InputRefused(f"{table}: {locations[0].shown}: this is an X12 interchange, which has claims; use --claims")
    scratch = context.folder / "x12"
    scratch.mkdir()
    found_files = [
        _read(location, scratch / f"{number}.parquet", number, context.policy)
        for number, location in enumerate(locations)
    ]
    paid = pl.concat([file.paid for file in found_files], rechunk=True)
    billed = [file.billed for file in found_files]
    sent = sent_on(billed)
    found = matched(billed, paid, sent) if paid.height else None
    for number, file in enumerate(found_files):
        yield _source(number, file, found, paid, sent)


def _read(location: Location, billed: Path, number: int, policy: Policy) -> _File:
    """Read a file once, from start to end. Raises InputRefused."""
    of_837, of_835 = Professional(), Remittance()
    transactions: dict[str, Professional | Remittance] = {"837P": of_837, "835": of_835}
    envelopes = Envelopes(transactions)
    where, filled, paid = f"claims: {location.shown}", set[str](), []
    try:
        with (
            files.opened(where, location.path) as (stream, touched),
            pq.ParquetWriter(billed, _empty(professional.COLUMNS).to_arrow().schema, compression="lz4") as writer,
        ):
            source = decoding.Source(where, stream, digested=False, expansion=policy.max_expansion)
            pieces = decoding.decompressed(where, source, _BLOCK)
            for block in chain(blocks(pieces, policy.encoding), [None]):
                if block:
                    envelopes.feed(block)
                if len(of_837.rows) >= _ROWS or not block:
                    writer.write_table(_taken(of_837.rows, professional.COLUMNS, filled).to_arrow())
                if len(of_835.rows) >= _ROWS or not block:
                    paid.append(_taken(of_835.rows, remittance.COLUMNS, filled))
    except BrokenX12 as broken:
        raise InputRefused(
            f"{where}, segment {broken.number:,}: {broken.problem}; correct that segment or ask for the file again"
        ) from None
    except UnicodeDecodeError:
        raise InputRefused(f'{where}: not UTF-8 text; set its encoding in the policy: encoding = "cp1252"') from None
    own = pl.concat(paid).with_columns(file=pl.lit(number, pl.UInt32))
    return _File(location, touched, billed, own, filled, envelopes, transactions)


def _empty(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema(columns))


def _taken(rows: list[tuple[Any, ...]], columns: Sequence[str], filled: set[str]) -> pl.DataFrame:
    """The rows as a frame; the list is emptied, and columns with values are noted."""
    frame = of_rows(rows, columns)
    rows.clear()
    filled |= {values.name for values in frame if values.null_count() < frame.height}
    return frame


def _source(number: int, file: _File, found: Matched | None, paid: pl.DataFrame, sent: pl.DataFrame) -> Source:
    own = found.own.filter(pl.col("file") == number) if found else None
    beside = own["unfit"].is_in(["line", "payer"]) if own is not None else pl.Series([False])
    filled = file.filled | {*LINE, *_REQUIRED}
    filled |= {"original_claim_id"} if "replaced" in filled else set()
    filled |= set(PAID) if found and (found.paid.height or file.paid.height) else set()
    filled |= {"remittance_only"} if beside.any() else set()
    columns = [name for name in _COLUMNS if name in filled]
    source = Source(file.location, iter(()))
    source.understood = [
        f"{kind}: {counted(count, 'transaction')} with {counted(file.transactions[kind].claims, 'claim')}"
        for kind, count in sorted(file.envelopes.read.items())
    ]
    source.frames = _frames(file, found, own, paid, sent, columns, source.warnings)
    return source


def _frames(
    file: _File,
    found: Matched | None,
    own: pl.DataFrame | None,
    paid: pl.DataFrame,
    sent: pl.DataFrame,
    columns: list[str],
    warnings: list[str],
) -> Iterator[pl.DataFrame]:
    files.require_unchanged(f"claims: {file.location.shown}", file.location.path, file.touched)
    if file.envelopes.left_out:
        kinds = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(file.envelopes.left_out.items()))
        warnings.append(f"transactions other than 837P and 835 are left out: {kinds}")
    if lost_pointers := sum(one.lost_pointers for one in file.transactions.values()):
        warnings.append(f"pointers to diagnoses that the claim does not have are left out (lines: {lost_pointers:,})")
    yield _as_claims(pl.DataFrame(schema={"record": pl.UInt32}), columns)
    numbers, lost = payers_numbers(paid), 0
    for batch in pq.ParquetFile(file.billed).iter_batches(_ROWS):
        rows = with_original(of_payers(pl.DataFrame(batch), sent), numbers)
        lost += rows.select((pl.col("replaced").is_not_null() & pl.col("original_claim_id").is_null()).sum()).item()
        itself = pl.when(pl.col("replaced").is_not_null()).then("claim_id")
        rows = rows.with_columns(pl.coalesce("original_claim_id", itself))
        yield _as_claims(_with_payment(rows, found) if found else rows, columns)
    if own is not None:
        yield from (_as_claims(some, columns) for some in own.iter_slices(_ROWS))
        warnings += _of_unfit(own)
    if lost:
        warnings.append(
            f"the payer's numbers of replaced claims (REF*F8) that are in no 835 (lines: {lost:,}): each counts as the "
            "claim's own id; name the 835s as well"
        )


def _with_payment(rows: pl.DataFrame, found: Matched) -> pl.DataFrame:
    """Lines of 837s with the amounts and the status of their 835s; a replacement has none of what it replaces."""
    paid = found.paid.with_columns(pl.col("billed_amount", "paid_amount").cast(pl.String))
    rows = rows.rename({"billed_amount": "charge"}).join(paid, on=LINE, how="left", maintain_order="left")
    of_replaced = (pl.col("is_replaced") & (pl.col("replaced") == pl.col("payer_claim_id"))).fill_null(False)
    rows = rows.with_columns(pl.when(~of_replaced).then(pl.col(name)).alias(name) for name in PAID)
    return rows.with_columns(pl.coalesce("billed_amount", "charge"))


def _of_unfit(own: pl.DataFrame) -> Iterator[str]:
    words = {
        "line": "lines of an 835 that fit no line of their claim in an 837",
        "payer": "lines of an 835 that another payer than the first paid as well",
    }
    for unfit, what in words.items():
        if count := own.filter(pl.col("unfit") == unfit).height:
            yield f"{what} (lines: {count:,}) are kept as lines of their own: one service billed again"


def _as_claims(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Rows as the claims table has them."""
    absent = [pl.lit(None, pl.String).alias(name) for name in columns if name not in rows.columns]
    rows = rows.with_columns(absent)
    if "unfit" in rows.columns and "remittance_only" in columns:
        rows = rows.with_columns(remittance_only=pl.when(pl.col("unfit").is_in(["line", "payer"])).then(pl.lit("yes")))
    return rows.select(pl.col("record").alias(RECORD), pl.col(columns).cast(pl.String))
