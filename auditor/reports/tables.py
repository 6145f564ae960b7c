"""Frames → CSV, JSON Lines and Parquet. CSV is made safe for spreadsheets; the others carry exact values."""

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from polars import selectors as cs

from auditor.choices import ALARMS, SETTLED
from auditor.inputs import Inputs
from auditor.judging.findings import AMOUNT, EVIDENCE_ORDER, KEYS
from auditor.reading.ingest import REJECT_SCHEMA
from auditor.rules import SHIPPED
from auditor.rules.sentences import IDENTIFIED
from auditor.schema.outputs import TABLES, VERSION

_ROWS_AT_ONCE, _BLOCK = 50_000, 10_000
_WORST = {"violation": 0, "review": 1, "incomplete": 2, "clear": 3}
IS_SETTLED = pl.col("state").is_in(SETTLED).fill_null(False)
"""Whether a finding was corrected, refunded or dismissed."""
URGENT = pl.col("mark").is_in(ALARMS) & ~IS_SETTLED
"""Whether a finding is new, worse or reopened, and not settled."""
_FORMULA = r"^[=+\-@\t\r]"
_METADATA = {"schema_version": str(VERSION)}
_INSTANT = "%Y-%m-%dT%H:%M:%S%.f%:z"


def with_history(findings: pl.DataFrame, cases: pl.DataFrame | None) -> pl.DataFrame:
    """Findings with their `first_run`, `assignee` and `former`, the reopened decision in words; null without a ledger."""
    if cases is None:
        return findings.with_columns(
            pl.lit(None, pl.String).alias(name) for name in ("first_run", "assignee", "former")
        )
    decided_on = pl.col("decided_on").cast(pl.String)
    former = pl.format("was {} on {} by {}: {}", "reopened_from", decided_on, "reviewer", "reason")
    former = pl.when(pl.col("reopened_from").is_not_null()).then(former)
    history = cases.select("first_run", "assignee", case_number="number", former=former)
    return findings.join(history, on="case_number", how="left", maintain_order="left")


def worst_first(rows: pl.DataFrame, outcome: str, limit: int, *newest: str, last: tuple[str, ...] = ()) -> pl.DataFrame:
    """The worst findings or claims with their `amount`: violation before review, larger amount, newest run, keys, `last`."""
    at = _in_order(rows, pl.lit(0), outcome, newest, last)["at"].head(limit)
    return rows.select(pl.all().gather(at)).with_columns(AMOUNT.alias("amount"))


def urgent_first(findings: pl.DataFrame, limit: int, quota: int = 0, *newest: str) -> pl.DataFrame:
    """Findings with their `amount` and `_urgent` (new, worse or reopened, and not settled), in the order of work.

    New, worse, reopened, open, confirmed, settled; the worst first within each. Where not all fit into the limit, urgent
    ones come before so many of each rule, and these before the rest; `_turn` is that order.
    """
    marks = {mark: sort_key for sort_key, mark in enumerate(ALARMS)}
    group = pl.when(URGENT).then("mark").replace_strict(marks, default=None, return_dtype=pl.UInt8)
    at = pl.col("state").fill_null("open")
    group = group.fill_null(pl.when(at == "open").then(3).when(IS_SETTLED).then(5).otherwise(4))
    urgent, of_rule = pl.col("group") < len(ALARMS), pl.int_range(pl.len()).over("rule")
    turn = pl.when(urgent).then(0).when(of_rule < quota).then(1).otherwise(2)
    order = _in_order(findings, group, "outcome", newest, ("rule",))
    order = order.select("at", _urgent=urgent, _turn=turn.rank("ordinal") - 1).filter(pl.col("_turn") < limit)
    rows = findings.select(pl.all().gather(order["at"]))
    return rows.with_columns(AMOUNT.alias("amount"), order["_urgent"], order["_turn"])


def _in_order(
    rows: pl.DataFrame, group: pl.Expr, outcome: str, newest: tuple[str, ...], last: tuple[str, ...]
) -> pl.DataFrame:
    """Where rows stand (`at`) and what they are sorted by: their group, and as `worst_first` says."""
    rank = pl.col(outcome).replace_strict(_WORST, default=len(_WORST), return_dtype=pl.UInt8)
    keys = rows.select(*KEYS, *last, *newest, group=group, rank=rank, amount=AMOUNT).with_row_index("at")
    by = ["group", "rank", "amount", *newest, *KEYS, *last]
    return keys.sort(by, descending=[name in ("amount", *newest) for name in by], nulls_last=True)


def without_ids() -> pl.Expr:
    """The message without id, provider and date of the related record; null where it may have others.

    That is where an older version wrote it, or a local rule.
    """
    sentence, shipped = pl.col("message"), [rule.code for rule in SHIPPED]
    shown = sentence.str.replace(IDENTIFIED, "a ${1}").str.replace("^a visit billed on claim", "a billed visit")
    names_none = pl.col("related_id").is_null() & ~sentence.str.contains(r"\d{4}-\d\d-\d\d")
    sentence = pl.when(names_none).then(sentence).when(sentence.str.contains(IDENTIFIED)).then(shown)
    return pl.when(pl.col("rule").is_in(shipped)).then(sentence).alias("message")


def rejects(inputs: Inputs | None) -> Iterator[pl.DataFrame]:
    """Table, file, record, column and reason of every rejected row; never the patient, never a value.

    Sorted, in stretches, of which there is at least one.
    """
    columns = list(TABLES["rejects"])
    yield pl.DataFrame(schema={"table_name": pl.String(), **REJECT_SCHEMA, "column_name": pl.String()}).select(columns)
    for name, table in sorted(inputs.tables.items() if inputs else ()):
        named = table.all_rejects.with_columns(column_name="column", table_name=pl.lit(name)).select(columns)
        for is_in_stretch in _stretches(table.all_rejects):
            yield named.filter(is_in_stretch).sort(columns).collect()


def first_rejects(inputs: Inputs, limit: int) -> pl.DataFrame:
    """The first so many of `rejects`."""
    stretches, taken = rejects(inputs), [pl.DataFrame()]
    while sum(rows.height for rows in taken) < limit and (rows := next(stretches, None)) is not None:
        taken.append(rows)
    return pl.concat(taken, how="diagonal").head(limit)


def _stretches(rows: pl.LazyFrame) -> Iterator[pl.Expr]:
    """In order of files and records, what is true of about `_ROWS_AT_ONCE` rows of one file each."""
    file, record = pl.col("source_file"), pl.col("source_record")
    blocks = rows.group_by(file, block=record // _BLOCK).len().sort(file, "block").collect(engine="streaming")
    number = pl.col("len").cum_sum().over(file) // _ROWS_AT_ONCE
    ends = blocks.group_by(file, number.alias("number"), maintain_order=True).agg(
        low=pl.min("block"), high=pl.max("block")
    )
    for name, _, low, high in ends.iter_rows():
        yield (file == name) & record.is_between(low * _BLOCK, (high + 1) * _BLOCK - 1)


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as Parquet. Raises OSError; polars would not say why a disk takes no more."""
    stream = io.BytesIO()
    frame.write_parquet(stream, metadata=_METADATA)
    path.write_bytes(stream.getbuffer())


def write_evidence(evidence: pl.LazyFrame, claim_ids: pl.Series, path: Path) -> None:
    """Write the evidence as Parquet, sorted, a stretch of the claims' sorted ids at a time. Raises OSError."""
    cuts = claim_ids.gather_every(_ROWS_AT_ONCE)[1:].unique(maintain_order=True).to_list()
    at, writer = pl.col("claim_id"), None
    with ExitStack() as stack:
        for low, high in pairwise([None, *cuts, None]):
            from_low = at >= low if low is not None else pl.lit(True)
            rows = evidence.filter(from_low & (at < high if high is not None else pl.lit(True))).collect()
            table = rows.sort(EVIDENCE_ORDER).to_arrow(compat_level=pl.CompatLevel.oldest())
            table = table.replace_schema_metadata(_METADATA)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd"))
            writer.write_table(table)


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as CSV, in UTF-8, a stretch of rows at a time. Raises OSError."""
    write_csv_of((frame.slice(first, _ROWS_AT_ONCE) for first in range(0, max(1, frame.height), _ROWS_AT_ONCE)), path)


def write_csv_of(stretches: Iterable[pl.DataFrame], path: Path) -> None:
    """Write stretches of rows as one CSV file. Raises OSError."""
    with path.open("wb") as file:
        for number, rows in enumerate(stretches):
            file.write(_csv(rows, header=number == 0).getbuffer())


def to_csv(frame: pl.DataFrame) -> str:
    """CSV text: instants as ISO 8601 with offset, lists joined with `;`, a leading `'` before what starts a formula."""
    return _csv(frame).getvalue().decode()


def _csv(frame: pl.DataFrame, *, header: bool = True) -> io.BytesIO:
    plain = frame.with_columns(cs.datetime().dt.to_string(_INSTANT), cs.list().list.join(";"))
    formulas = plain.select(cs.string().str.contains(_FORMULA).any()).row(0, named=True)
    stream = io.BytesIO()
    plain.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA)).then("'" + pl.col(name)).otherwise(name).alias(name)
        for name, has_formula in formulas.items()
        if has_formula
    ).write_csv(stream, include_header=header)
    return stream


def to_jsonl(frame: pl.DataFrame) -> str:
    """JSON Lines text; money is a number with at most two decimal places."""
    return frame.with_columns(cs.datetime().dt.to_string(_INSTANT), cs.decimal().cast(pl.Float64)).write_ndjson()
