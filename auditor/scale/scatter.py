"""Exports → buckets of patients: every row goes where its patient goes, on any machine and in any version.

Patients whose records name each other, such as one claim with calls of two patients, meet in a bucket of their own, so that
each bucket can be audited as if it were a whole export. Source: SPEC.md section 5, Laws.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.cells import instants, values
from auditor.cells.normalise import instant_columns
from auditor.policy import Policy
from auditor.reading import ingest
from auditor.reading.ingest import Part, SourceFile
from auditor.scale import DRIVER, Parcel
from auditor.schema.tables import TABLES, Kind

BUCKET = "bucket-"
KEYS = "keys-"
PATIENT = "_patient"
"""A column of digests of patients; digests that agree by chance only let more patients meet."""

_GATHERED = 32 << 20
"""Bytes of text that are divided at a time; with more, the time goes into getting memory."""

_CELL, _TEXT, _PACKED = 40, 6, 8
"""Bytes of memory for each cell of a Parquet file and for each byte of text, and how far text may be compressed."""

_ODD = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Scattered:
    """What a part of a file says of its table. `dates`: column → whether all values are midnight, and how many there are."""

    table: str
    file: SourceFile
    columns: frozenset[str]
    lost: pl.DataFrame
    dates: dict[str, tuple[bool, int]]


@dataclass(frozen=True)
class Scatter:
    """Divides the rows of a part of a file among the buckets. With one bucket nothing is divided."""

    policy: Policy
    buckets: int
    has_claims_table: bool

    def __call__(self, part: Part) -> Iterator[Parcel]:
        """The rows by bucket, the ids that link patients, and what the part says of its table."""
        spec = TABLES[part.table]
        open_ = dict.fromkeys(instant_columns(spec), (True, 0))
        columns: frozenset[str] = frozenset()
        lost, frames, size = [], [], 0.0
        for chunk in ingest.read_part(part, self.policy, without_billing=self.has_claims_table):
            if isinstance(chunk, SourceFile):
                break
            columns |= frozenset(chunk.frame.columns).intersection(spec.columns)
            for name in open_.keys() & columns:
                if open_[name][0]:
                    days = spec.columns[name].kind is Kind.DATE
                    midnights, count = instants.midnights(chunk.frame[name], self.policy, days=days)
                    open_[name] = midnights, open_[name][1] + count
            lost.append(chunk.lost)
            frames.append(chunk.frame)
            size += chunk.frame.estimated_size()
            if size > _GATHERED:
                yield from self._divide(part, frames)
                frames, size = [], 0.0
        yield from self._divide(part, frames)
        dates = {name: open_[name] for name in open_.keys() & columns}
        told = Scattered(part.table, chunk, columns, pl.concat(lost), dates)  # type: ignore[arg-type]
        yield Parcel(DRIVER, "scattered", (part.number, part.first_record), told)

    def _divide(self, part: Part, frames: list[pl.DataFrame]) -> Iterator[Parcel]:
        if not frames:
            return
        frame = ingest.stack(frames)
        order = part.number, frame.select(pl.col("source_record").first().fill_null(0)).item()
        if self.buckets == 1:
            yield Parcel(address(BUCKET, 0), part.table, order, frame)
            return
        patients = digest(frame["patient_id"])
        frame = frame.with_columns(patients.alias(PATIENT))
        keys = pl.concat(
            pl.DataFrame({"key": link, PATIENT: patients}).drop_nulls() for link in self._links(part.table, frame)
        )
        for number, rows in parted(keys, "key", fewer(self.buckets)):
            yield Parcel(address(KEYS, number), "keys", order, rows)
        if frame.is_empty():  # so that exports without a row have a bucket too
            yield Parcel(address(BUCKET, 0), part.table, order, frame)
        for number, rows in parted(frame, PATIENT, self.buckets):
            yield Parcel(address(BUCKET, number), part.table, order, rows)

    def _links(self, table: str, frame: pl.DataFrame) -> list[pl.Series]:
        """Digests of the ids that must mean one patient, each kind of id apart: visits, calls, claims."""
        if table == "visits":
            return [_link(self._blank_as_null(frame["visit_id"]), "v")]
        blank = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
        call, claim, code = (
            self._blank_as_null(frame[name]) if name in frame.columns else blank
            for name in ("call_id", "claim_id", "cpt_code")
        )
        if table == "calls" and not self.has_claims_table:  # a billed call without a claim_id is its own claim
            claim = pl.select(pl.coalesce(claim, pl.when(code.is_not_null()).then(call))).to_series()
        return [_link(call, "c"), _link(claim, "n")]

    def _blank_as_null(self, texts: pl.Series) -> pl.Series:
        texts = texts.cast(pl.String).str.strip_chars()
        return texts.set((texts == "") | values.null_words(texts, self.policy), None)


def need(parts: Iterable[Part]) -> int:
    """About how many bytes of memory an audit takes if nothing is divided. What cannot be looked at counts nothing."""
    total = 0
    for part in {(part.table, part.number): part for part in parts}.values():  # a file is looked at once
        with contextlib.suppress(OSError, pa.ArrowException):
            if not part.path.is_file():  # a pipe can be read only once
                continue
            with part.path.open("rb") as file:
                magic = file.read(4)
                if magic == b"PAR1":
                    found = pq.read_metadata(file)
                    total += found.num_rows * found.num_columns * _CELL
                else:
                    packed = magic.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
                    total += part.path.stat().st_size * _TEXT * (_PACKED if packed else 1)
    return total


def crossing(to: str, parcels: list[Parcel]) -> Iterator[Parcel]:
    """The patients that share an id with another one."""
    keys = pl.concat(parcel.body for parcel in parcels)
    parcels.clear()
    shared = keys.filter(pl.col("key").is_duplicated()).group_by("key").agg(pl.col(PATIENT).unique())
    patients = shared.filter(pl.col(PATIENT).list.len() > 1).select(pl.col(PATIENT).explode().unique()).to_series()
    if not patients.is_empty():
        yield Parcel(DRIVER, "meeting", (0, 0), patients)


@dataclass(frozen=True)
class Gather:
    """Sends the rows of these patients to the bucket where they meet."""

    patients: pl.Series
    to: str

    def __call__(self, to: str, parcels: list[Parcel]) -> Iterator[Parcel]:
        """Their rows, as new parcels; those at the old address stay as they are."""
        for parcel in parcels:
            rows = parcel.body.filter(pl.col(PATIENT).is_in(self.patients.implode()))
            if rows.height:
                yield Parcel(self.to, parcel.kind, parcel.order, rows)


def rows_of(parcels: Iterable[Parcel], table: str, elsewhere: pl.Series) -> list[pl.DataFrame]:
    """A table's rows at a bucket, without the patients that are elsewhere, in the order of files and records."""
    frames = [parcel.body for parcel in parcels if parcel.kind == table]
    if not elsewhere.is_empty():
        frames = [frame.filter(~pl.col(PATIENT).is_in(elsewhere.implode())) for frame in frames]
    return [frame.drop(PATIENT, strict=False) for frame in frames]


def digest(texts: pl.Series) -> pl.Series:
    """64 bits of each text; blanks around it do not count, and null is as the empty text."""
    frame = pl.DataFrame({"text": texts.cast(pl.String).str.strip_chars().fill_null("")})
    frame = frame.select("text", size=pl.col("text").str.len_bytes())
    frame = frame.with_columns(digest=pl.col("size").cast(pl.UInt64))
    words = frame.select(pl.col("size").max().fill_null(0).add(7) // 8).item()
    padded = pl.concat_str(pl.lit("\0" * 8 * words), "text").cast(pl.Binary)
    for word in range(words):
        eight = padded.bin.slice(-8 * (word + 1), 8).bin.reinterpret(dtype=pl.UInt64, endianness="little")
        frame = frame.with_columns(mixed=(pl.col("digest") ^ eight) * _ODD)
        mixed = (pl.col("mixed") ^ (pl.col("mixed") // 2**32)) * _ODD
        frame = frame.with_columns(digest=pl.when(pl.col("size") > 8 * word).then(mixed).otherwise("digest"))
    return frame.select(pl.col("digest") ^ (pl.col("digest") // 2**29)).to_series()


def _link(ids: pl.Series, kind: str) -> pl.Series:
    made = digest(ids) ^ (ord(kind) * _ODD % 2**64)
    return pl.select(pl.when(ids.is_not_null()).then(made)).to_series()


def fewer(buckets: int) -> int:
    """Into how many parts that is divided which takes little room beside the buckets."""
    return 1 + buckets // 8


def address(prefix: str, number: int) -> str:
    """The address of a bucket, or of a part of what is exchanged."""
    return f"{prefix}{number:05d}"


def parted(frame: pl.DataFrame, column: str, parts: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """The frame's rows by part: where a digest, or the digest of a text, belongs."""
    digests = frame[column] if frame.schema[column] == pl.UInt64 else digest(frame[column])
    number = (digests // 2**32 % parts).cast(pl.UInt32).alias("_part")
    divided = frame.with_columns(number).partition_by("_part", as_dict=True, include_key=False, maintain_order=True)
    return ((int(key[0]), rows) for key, rows in divided.items())
