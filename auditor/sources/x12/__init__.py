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
from auditor.sources.x12.matching import (
    LINE,
    PAID,
    Matched,
    Remitted,
    matched,
    of_payers,
    payers_numbers,
    sent_on,
    with_original,
)
from auditor.sources.x12.professional import Professional
from auditor.sources.x12.remittance import Remittance
from auditor.sources.x12.transactions import Envelopes

_BLOCK = 1 << 20
"""Bytes that are read at once."""
_ROWS, _FRAME = 25_000, 50_000
"""Rows that wait to be written, and of a frame."""
_UNFIT = {
    "line": "lines of an 835 that fit no line of their claim in an 837",
    "payer": "lines of an 835 that another payer than the first paid as well",
}
"""Why lines of an 835 stand beside those of an 837, as they are warned about."""
_COLUMNS = (*LINE, "patient_id", "provider_id", "service_date", "cpt_code", "modifiers", "units", "billed_amount",
            "paid_amount", "claim_status", "processed_date", "payer", "frequency_code", "original_claim_id",
            "diagnosis_codes", "remittance_only")  # fmt: skip
"""Of the claims table."""
_REQUIRED = (*LINE, "patient_id", "provider_id", "service_date", "cpt_code")


@dataclass
class _File:
    """A file as it was read. `billed`: the rows of its 837s, on disk; `paid`: those of its 835s; `filled`: their columns.

    `services`: the number of rows of its 835s.
    """

    location: Location
    touched: Signature | None
    billed: Path
    paid: Path
    services: int
    filled: set[str]
    envelopes: Envelopes
    transactions: Mapping[str, Professional | Remittance]


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """The claims of files of X12. They are read to disk, then each 837 line is joined with its 835.

    Raises InputRefused for what breaks the syntax, naming the file and the segment.
    """
    if table != "claims":
        raise InputRefused(f"{table}: {locations[0].shown}: this is an X12 interchange, which has claims; use --claims")
    scratch = context.folder / "x12"
    scratch.mkdir()
    found_files = [
        _read(location, scratch / f"{number}-", number, context.policy) for number, location in enumerate(locations)
    ]
    billed = [file.billed for file in found_files]
    remitted = Remitted([file.paid for file in found_files], sum(file.services for file in found_files))
    sent, numbers = sent_on(billed), payers_numbers(billed, remitted)
    found = matched(billed, remitted, sent, scratch)
    for number, file in enumerate(found_files):
        yield _source(number, file, found, numbers, sent)


def _read(location: Location, stem: Path, number: int, policy: Policy) -> _File:
    """Read a file once, from start to end. Raises InputRefused."""
    of_837, of_835 = Professional(), Remittance()
    transactions: dict[str, Professional | Remittance] = {"837P": of_837, "835": of_835}
    envelopes = Envelopes(transactions)
    where, filled, services = f"claims: {location.shown}", set[str](), 0
    billed, paid = (stem.with_name(f"{stem.name}{kind}.parquet") for kind in ("837", "835"))
    try:
        with (
            files.opened(where, location.path) as (stream, touched),
            _writer(billed, professional.COLUMNS) as writer,
            _writer(paid, (*remittance.COLUMNS, "file")) as payments,
        ):
            source = decoding.Source(where, stream, digested=False, expansion=policy.max_expansion)
            pieces = decoding.decompressed(where, source, _BLOCK)
            for block in chain(blocks(pieces, policy.encoding), [None]):
                if block:
                    envelopes.feed(block)
                if len(of_837.rows) >= _ROWS or not block:
                    writer.write_table(_taken(of_837.rows, professional.COLUMNS, filled).to_arrow())
                if len(of_835.rows) >= _ROWS or not block:
                    services += len(of_835.rows)
                    rows = _taken(of_835.rows, remittance.COLUMNS, filled)
                    payments.write_table(rows.with_columns(file=pl.lit(number, pl.UInt32)).to_arrow())
    except BrokenX12 as broken:
        raise InputRefused(
            f"{where}, segment {broken.number:,}: {broken.problem}; correct that segment or ask for the file again"
        ) from None
    except UnicodeDecodeError:
        raise InputRefused(f'{where}: not UTF-8 text; set its encoding in the policy: encoding = "cp1252"') from None
    return _File(location, touched, billed, paid, services, filled, envelopes, transactions)


def _writer(path: Path, columns: Sequence[str]) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, pl.DataFrame(schema=schema(columns)).to_arrow().schema, compression="lz4")


def _taken(rows: list[tuple[Any, ...]], columns: Sequence[str], filled: set[str]) -> pl.DataFrame:
    """The rows as a frame; the list is emptied, and columns with values are noted."""
    frame = of_rows(rows, columns)
    rows.clear()
    filled |= {values.name for values in frame if values.null_count() < frame.height}
    return frame


def _source(number: int, file: _File, found: Matched, numbers: pl.DataFrame, sent: pl.DataFrame) -> Source:
    own = [pl.scan_parquet(path).filter(pl.col("file") == number) for path in found.own]
    counts = pl.concat(own).group_by("unfit").len().collect().rows() if own else []
    unfit = {words: count for why, words in _UNFIT.items() for other, count in counts if other == why}
    filled = file.filled | {*LINE, *_REQUIRED}
    filled |= {"original_claim_id"} if "replaced" in filled else set()
    filled |= set(PAID) if found.paid.height or file.services else set()
    filled |= {"remittance_only"} if unfit else set()
    columns = [name for name in _COLUMNS if name in filled]
    source = Source(file.location, iter(()), list(_warnings(file, unfit)))
    source.understood = [
        f"{kind}: {counted(count, 'transaction')} with {counted(file.transactions[kind].claims, 'claim')}"
        for kind, count in sorted(file.envelopes.read.items())
    ]
    billed = _billed(file, found, numbers, sent, source.warnings)
    beside = (rows for some in own for rows in some.collect().iter_slices(_FRAME))
    source.frames = (_as_claims(rows, columns) for rows in chain(billed, beside))
    return source


def _warnings(file: _File, unfit: Mapping[str, int]) -> Iterator[str]:
    if file.envelopes.left_out:
        kinds = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(file.envelopes.left_out.items()))
        yield f"transactions other than 837P and 835 are left out: {kinds}"
    if lost_pointers := sum(one.lost_pointers for one in file.transactions.values()):
        yield f"pointers to diagnoses that the claim does not have are left out (lines: {lost_pointers:,})"
    for words, count in unfit.items():
        yield f"{words} (lines: {count:,}) are kept as lines of their own: one service billed again"


def _billed(
    file: _File, found: Matched, numbers: pl.DataFrame, sent: pl.DataFrame, warnings: list[str]
) -> Iterator[pl.DataFrame]:
    """The lines of a file's 837s with what was paid of them, at least one frame."""
    files.require_unchanged(f"claims: {file.location.shown}", file.location.path, file.touched)
    yield pl.DataFrame(schema={"record": pl.UInt32})
    lost = 0
    for batch in pq.ParquetFile(file.billed).iter_batches(_FRAME):
        rows = with_original(of_payers(pl.DataFrame(batch), sent), numbers)
        lost += rows.select((pl.col("replaced").is_not_null() & pl.col("original_claim_id").is_null()).sum()).item()
        itself = pl.when(pl.col("replaced").is_not_null()).then("claim_id")
        rows = rows.with_columns(pl.coalesce("original_claim_id", itself))
        yield _with_payment(rows, found.paid) if found.own else rows
    if lost:
        warnings.append(
            f"the payer's numbers of replaced claims (REF*F8) that are in no 835 (lines: {lost:,}): each counts as the "
            "claim's own id; name the 835s as well"
        )


def _with_payment(rows: pl.DataFrame, paid: pl.DataFrame) -> pl.DataFrame:
    """Lines of 837s with the amounts and the status of their 835s; a replacement has none of what it replaces."""
    rows = rows.rename({"billed_amount": "charge"}).join(paid, on=LINE, how="left", maintain_order="left")
    of_replaced = (pl.col("is_replaced") & (pl.col("replaced") == pl.col("payer_claim_id"))).fill_null(False)
    rows = rows.with_columns(pl.when(~of_replaced).then(pl.col(name)).alias(name) for name in PAID)
    return rows.with_columns(pl.coalesce("billed_amount", "charge"))


def _as_claims(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Rows as the claims table has them."""
    absent = [pl.lit(None, pl.String).alias(name) for name in columns if name not in rows.columns]
    rows = rows.with_columns(absent)
    if "unfit" in rows.columns and "remittance_only" in columns:
        rows = rows.with_columns(remittance_only=pl.when(pl.col("unfit").is_in(["line", "payer"])).then(pl.lit("yes")))
    return rows.select(pl.col("record").alias(RECORD), pl.col(columns).cast(pl.String))
