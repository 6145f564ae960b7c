"""Read a reviewed sample and check it against its frame. Source: docs/sampling.md."""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from auditor import small_files
from auditor.errors import InputRefused, UsageError
from auditor.reading.csv import open_text, read_columns
from auditor.reading.decoding import Source
from auditor.reports.workbook.sample_book import HEADER_ROW, REVIEW, SHEET
from auditor.sampling.estimate import Estimate, Stratum, estimate
from auditor.sampling.frame import FRAME, MANIFEST, SAMPLE, chosen

_AMOUNT = r"\$?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?"
_MONEY = re.compile(rf"-?{_AMOUNT}|\({_AMOUNT}\)")
_CENT, _NOISE = Decimal("0.01"), Decimal("0.000001")
_LARGEST = 1 << 30
"""Bytes of a file."""
_ID, _ERROR = "unit_id", REVIEW[0]


@dataclass(frozen=True)
class Reviewed:
    """A frame's manifest, its strata with what reviewers found, the estimate, and the file that was read."""

    manifest: dict[str, Any]
    strata: tuple[Stratum, ...]
    estimate: Estimate
    path: Path
    sha256: str


def review(folder: Path, reviewed: Path | None = None, *, net: bool = False) -> Reviewed:
    """Read a frame's folder and its reviewed sample, and estimate.

    `reviewed` is a filled-in sample.csv or sample.xlsx; without it, the one of the folder's that is filled in. The sample
    is drawn again from frame.csv and the seed, and the reviewed units must be exactly those. Spares count as part of the
    sample where they were reviewed in draw order. `net`: underpayments are subtracted, as in `estimate`.

    Raises UsageError where the folder has no frame or it is not clear which file was filled in; InputRefused, with the row,
    where the frame was changed or a unit is missing, unknown, repeated or without a readable error amount.
    """
    manifest, frame = _frame(folder)
    path = reviewed or _filled_in(folder)
    units = dict(frame.group_by("stratum").len().iter_rows())
    try:
        sizes, spares = ({each["name"]: int(each[key]) for each in manifest["strata"]} for key in ("drawn", "spares"))
        drawn = chosen(int(manifest["seed"]), frame, sizes, spares)
    except (KeyError, TypeError, ValueError):
        problem = f"does not match {FRAME}, because it was changed; draw the sample again"
        raise InputRefused(f"{folder / MANIFEST}: {problem}") from None
    raw = _bytes(path)
    found = _found(path, raw, drawn)
    errors: dict[str, list[Decimal]] = {name: [] for name in sizes}
    for _, stratum, unit in drawn:
        if unit in found:
            errors[stratum].append(found[unit])
    strata = tuple(Stratum(name, units[name], tuple(errors[name])) for name in sizes)
    estimated = estimate(strata, net=net)
    cautions = (*estimated.cautions, *_cautions(manifest, frame, found))
    return Reviewed(manifest, strata, replace(estimated, cautions=cautions), path, hashlib.sha256(raw).hexdigest())


def _cautions(manifest: Mapping[str, Any], frame: pl.DataFrame, found: Mapping[str, Decimal]) -> Iterator[str]:
    if manifest["population"] != "audited":
        yield f"The estimate covers only the population `{manifest['population']}`, not the other audited claims."
    if old := manifest.get("claims_before_lookback"):
        yield (
            f"Claims of the population with service dates before {manifest['lookback_start']}, more than six years before "
            f"the run: {old:,}; overpayments received before that day are outside the lookback period (42 CFR 401.305(f))."
        )
    amounts = dict(frame.select(_ID, pl.col("amount").cast(pl.Decimal(38, 2))).drop_nulls().iter_rows())
    if above := sum(error > amounts.get(unit, error) for unit, error in found.items()):
        yield f"Units with an error amount above their own amount: {above:,}; check them."
    if (extra := len(found) - manifest["size"]) > 0:
        yield f"Reviewed spares counted as sampled units: {extra:,}; this is valid only if they were chosen blindly."


def _bytes(path: Path) -> bytes:
    try:
        return small_files.read(path, _LARGEST)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name the reviewed sample") from None


def _frame(folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder}: this folder has no {MANIFEST}; name the folder that was given to frame --out")
    raw = _bytes(folder / FRAME)
    try:
        manifest: dict[str, Any] = json.loads(_bytes(folder / MANIFEST))
        kept = manifest["frame_sha256"]
    except (ValueError, KeyError, TypeError):
        problem = "the file was changed; draw the sample again, or restore the file from a backup"
        raise InputRefused(f"{folder / MANIFEST}: {problem}") from None
    if hashlib.sha256(raw).hexdigest() != kept:
        raise InputRefused(
            f"{folder / FRAME}: its SHA-256 is not the one in {MANIFEST}, so it is not the frame that was sampled; "
            "restore it from a backup"
        )
    return manifest, pl.read_csv(io.BytesIO(raw), infer_schema=False)


def _filled_in(folder: Path) -> Path:
    """The one of sample.xlsx and sample.csv with an error amount in it."""
    both = [folder / f"{SAMPLE}{ending}" for ending in (".xlsx", ".csv")]
    filled = [path for path in both if path.is_file() and any(error for _, _, error in _rows(path, _bytes(path)))]
    if len(filled) == 1:
        return filled[0]
    problem = f"{_ERROR} is blank in every row; fill in {SAMPLE}.xlsx, or name the file with --reviewed"
    if filled:
        problem = f"{SAMPLE}.xlsx and {SAMPLE}.csv both have error amounts; choose one with --reviewed"
    raise UsageError(f"{folder}: {problem}")


def _rows(path: Path, raw: bytes) -> Iterator[tuple[str, str, str]]:
    """(where, unit id, error amount) of each row, as text, trimmed."""
    if path.suffix.lower() == ".xlsx":
        try:
            frame = fastexcel.read_excel(raw).load_sheet(SHEET, header_row=HEADER_ROW, dtypes="string").to_polars()
        except fastexcel.FastExcelError:
            problem = f"not a workbook with a sheet {SHEET}; restore the workbook as it was drawn"
            raise InputRefused(f"{path}: {problem}") from None
        heads, unit_name = frame.columns, "row"
        numbers: Iterable[int] = range(HEADER_ROW + 2, HEADER_ROW + 2 + frame.height)
    else:
        text = open_text(str(path), Source(str(path), io.BytesIO(raw)))
        chunks = list(read_columns(text, range(len(text.headers))))
        for number, reason in (each for _, _, lost in chunks for each in lost.items()):
            raise InputRefused(f"{path}, record {number}: {reason}; correct that record")
        frame = pl.concat(frame for frame, _, _ in chunks)
        heads, unit_name, numbers = list(text.headers), "record", frame["record"]
        frame = frame.drop("record")
    names = [head.strip().casefold() for head in heads]
    for name in (_ID, _ERROR):
        if names.count(name) != 1:
            raise InputRefused(
                f"{path}: the header has {names.count(name)} columns {name}, not one; restore the header as it was drawn"
            )
    units, errors = (frame.to_series(names.index(name)).fill_null("").str.strip_chars() for name in (_ID, _ERROR))
    places = (f"{path}, {unit_name} {number}" for number in numbers)
    return zip(places, units, errors, strict=True)


def _found(path: Path, raw: bytes, drawn: Sequence[tuple[str, str, str]]) -> dict[str, Decimal]:
    """Unit id → error amount of every reviewed unit: all of the sample, and spares from the first of their stratum on."""
    kinds = {unit: kind for kind, _, unit in drawn}
    units: dict[str, str] = {}
    found: dict[str, Decimal] = {}
    for where, unit, error in _rows(path, raw):
        if not unit and not error:
            continue
        if unit not in kinds:
            problem = "the unit_id is not one of the drawn units; restore it from the file as it was drawn"
            raise InputRefused(f"{where}: {problem}")
        if unit in units:
            raise InputRefused(f"{where}: the same unit as in {units[unit].rsplit(', ', 1)[1]}; keep one of the two")
        units[unit] = where
        if error:
            found[unit] = _money(where, error)
        elif kinds[unit] == "sample":
            raise InputRefused(f"{where}: {_ERROR} is blank; write 0 if the payment is correct")
    skipped: set[str] = set()
    for order, (kind, stratum, unit) in enumerate(drawn, 1):
        if unit not in found and kind == "sample":
            problem = f"the unit of order {order} is missing; restore its row from the file as it was drawn"
            raise InputRefused(f"{path}: {problem}")
        if unit not in found:
            skipped.add(stratum)
        elif stratum in skipped:
            raise InputRefused(
                f"{path}: the spare of order {order} is reviewed, but an earlier one of its stratum is not; "
                "spares are used in their order, so review that one too"
            )
    return found


def _money(where: str, text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise InputRefused(f"{where}: {_ERROR} is not a valid amount; write it as 12.50, or -12.50 for an underpayment")
    value = Decimal(re.sub(r"[^\d.]", "", text))
    cents = value.quantize(_CENT)
    if abs(value - cents) > _NOISE:
        raise InputRefused(f"{where}: {_ERROR} has more than two decimal places; round it to cents")
    return -cents if text[0] in "-(" else cents
