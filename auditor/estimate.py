"""The total error amount of a sampled population, from what reviewers found in the sample.

What comes out is an estimate of the error amount found by reviewers, never an overpayment itself. Amounts are in the
currency of the export; positive where too much was paid. Source: docs/sampling.md, which derives and cites every formula.
"""

import functools
import hashlib
import io
import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from auditor.csvfile import open_text, read_columns
from auditor.errors import InputRefused, UsageError
from auditor.frame import FRAME, HEADER_ROW, MANIFEST, REVIEW, SAMPLE, SHEET, chosen

CONFIDENCE = 0.90
"""Of the two-sided intervals."""
FEW_UNITS, FEW_ERRORS = 30, 5
"""Below these an interval that rests on the normal distribution should not be trusted."""
_MONEY = re.compile(r"-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\(\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?\)")
_CENT, _NOISE = Decimal("0.01"), Decimal("0.000001")
_ID, _ERROR = "unit_id", REVIEW[0]


@dataclass(frozen=True)
class Stratum:
    """A stratum's name, its units in the frame, and the error amounts of those reviewed."""

    name: str
    units: int
    errors: Sequence[Decimal | float]

    @property
    def wrong(self) -> int:
        """Reviewed units whose error amount is not zero."""
        return sum(error != 0 for error in self.errors)


@dataclass(frozen=True)
class Amount:
    """An estimate of the total error amount with its 90% two-sided interval.

    `flat` counts the strata, not reviewed as a whole, whose reviewed units do not differ; they add nothing to the standard
    error. `degrees` is None where that is all of them; then the interval has no width.
    """

    total: float
    standard_error: float
    degrees: float | None
    interval: tuple[float, float]
    flat: int

    @property
    def precision(self) -> float:
        """Half the interval's width, in money."""
        return (self.interval[1] - self.interval[0]) / 2

    @property
    def relative_precision(self) -> float | None:
        """Half the interval's width as a share of the estimate, None where the estimate is zero."""
        return self.precision / abs(self.total) if self.total else None


@dataclass(frozen=True)
class Estimate:
    """What a reviewed sample says: units reviewed and in error, the share in error with its 90% interval, the amount."""

    units: int
    reviewed: int
    wrong: int
    rate: float
    rate_interval: tuple[float, float]
    amount: Amount
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class Reviewed:
    """A frame's manifest, its strata with what reviewers found, the estimate, and the file that was read."""

    manifest: dict[str, Any]
    strata: tuple[Stratum, ...]
    estimate: Estimate
    path: Path
    sha256: str


def estimate(strata: Sequence[Stratum]) -> Estimate:
    """Estimate the total error amount and the error rate from simple random samples drawn independently in each stratum.

    A single stratum is a simple random sample. The rate's limits: Cochran (1977), section 3.6 (exact, hypergeometric) for
    one stratum; Korn and Graubard (1998), Survey Methodology 24:193-201, for several. The amount: see `total_of`. Raises
    InputRefused as `total_of` does.
    """
    made = total_of(strata)
    return Estimate(
        units=sum(stratum.units for stratum in strata),
        reviewed=sum(len(stratum.errors) for stratum in strata),
        wrong=sum(stratum.wrong for stratum in strata),
        rate=_rate(strata),
        rate_interval=_rate_interval(strata),
        amount=made,
        cautions=tuple(_cautions(strata, made)),
    )


def total_of(strata: Sequence[Stratum]) -> Amount:
    """The expansion estimator sum(N_h * mean_h) of the total error amount.

    Variance sum(N_h * (N_h - n_h) * s_h^2 / n_h), limits by Student's t. A stratum that was reviewed as a whole adds no
    variance. Sources, in Cochran (1977), Sampling Techniques, 3rd edition: sections 2.6 and 2.7 (mean, variance, finite
    population correction), 2.8 (limits), 5.3 (strata), 5.4 (degrees of freedom after Satterthwaite, n - 1 for one stratum).

    Raises InputRefused where a stratum has no reviewed unit, or one of several.
    """
    total = Fraction(0)
    variances: list[tuple[Fraction, int]] = []
    for place, stratum in enumerate(strata, 1):
        values = [Fraction(error) for error in stratum.errors]
        n = len(values)
        if n == 0 or (n == 1 and stratum.units > 1):
            raise InputRefused(
                f"stratum {place}: {n} of its {stratum.units} units reviewed; a variance needs at least 2, so review more"
            )
        found = sum(values, Fraction(0))
        total += stratum.units * found / n
        if stratum.units > n:
            spread = (sum((value * value for value in values), Fraction(0)) - found**2 / n) / (n - 1)
            variances.append((Fraction(stratum.units * (stratum.units - n), n) * spread, n - 1))
    variance = sum((part for part, _ in variances), Fraction(0))
    degrees = float(variance**2 / sum(part**2 / free for part, free in variances)) if variance else None
    error = math.sqrt(variance)
    half = _student(degrees) * error if degrees else 0.0
    flat = sum(not part for part, _ in variances)
    return Amount(float(total), error, degrees, (float(total) - half, float(total) + half), flat)


def review(folder: Path, reviewed: Path | None = None) -> Reviewed:
    """Read a frame's folder and its reviewed sample, and estimate.

    `reviewed` is a filled-in sample.csv or sample.xlsx; without it, the one of the folder's that is filled in. The sample
    is drawn again from frame.csv and the seed, and the reviewed units must be exactly those. Spares count as part of the
    sample where they were reviewed in draw order.

    Raises UsageError where the folder has no frame or it is not clear which file was filled in; InputRefused, with the row,
    where the frame was changed or a unit is missing, unknown, repeated or without a readable error amount.
    """
    manifest, frame = _frame(folder)
    path = reviewed or _filled_in(folder)
    try:
        sizes, spares = ({each["name"]: int(each[key]) for each in manifest["strata"]} for key in ("drawn", "spares"))
        drawn = chosen(int(manifest["seed"]), frame.select(_ID, "stratum"), sizes, spares)
        units = {each["name"]: int(each["units"]) for each in manifest["strata"]}
        if units != dict(frame.group_by("stratum").len().iter_rows()):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise InputRefused(f"{folder / MANIFEST}: does not fit {FRAME}; it was changed, so draw again") from None
    raw = _bytes(path)
    found = _found(path, raw, drawn)
    errors: dict[str, list[Decimal]] = {name: [] for name in sizes}
    for _, stratum, unit in drawn:
        if unit in found:
            errors[stratum].append(found[unit])
    strata = tuple(Stratum(name, units[name], tuple(errors[name])) for name in sizes)
    digest = hashlib.sha256(raw).hexdigest()
    made = estimate(strata)
    cautions = [*made.cautions, *_about_frame(manifest, frame, found, sum(sizes.values()))]
    return Reviewed(manifest, strata, replace(made, cautions=tuple(cautions)), path, digest)


def to_dict(told: Reviewed) -> dict[str, Any]:
    """The result for programs. Money is a number with two decimal places, rates are shares."""
    made, amount = told.estimate, told.estimate.amount
    return {
        "what": "an estimate of the error amount found by reviewers; it establishes no overpayment",
        **{name: told.manifest[name] for name in ("run_id", "unit", "population", "design", "strata_by", "seed")},
        "frame_sha256": told.manifest["frame_sha256"],
        "reviewed_file": str(told.path),
        "reviewed_sha256": told.sha256,
        "units": made.units,
        "reviewed": made.reviewed,
        "errors_found": made.wrong,
        "error_rate": {"estimate": made.rate, "lower": made.rate_interval[0], "upper": made.rate_interval[1]},
        "error_amount": {
            "estimate": round(amount.total, 2),
            "lower": round(amount.interval[0], 2),
            "upper": round(amount.interval[1], 2),
            "standard_error": round(amount.standard_error, 2),
            "precision": round(amount.precision, 2),
            "relative_precision": amount.relative_precision,
            "degrees_of_freedom": amount.degrees,
        },
        "confidence": CONFIDENCE,
        "sides": 2,
        "strata": [
            {
                "name": stratum.name,
                "units": stratum.units,
                "reviewed": len(stratum.errors),
                "errors_found": stratum.wrong,
                "error_amount_found": round(float(sum(map(Fraction, stratum.errors))), 2),
            }
            for stratum in told.strata
        ],
        "cautions": list(made.cautions),
    }


@functools.cache
def _student(degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def _rate(strata: Sequence[Stratum]) -> float:
    whole = sum(stratum.units for stratum in strata)
    return float(sum(Fraction(s.units * s.wrong, len(s.errors) * whole) for s in strata))


def _rate_interval(strata: Sequence[Stratum]) -> tuple[float, float]:
    """Limits of the share of units in error, kept within what the reviewed units leave possible."""
    units, reviewed, wrong = (
        sum(part) for part in zip(*((s.units, len(s.errors), s.wrong) for s in strata), strict=True)
    )
    if len(strata) == 1:
        low, high = _exact(units, reviewed, wrong)
        return low / units, high / units
    low_share, high_share = _effective(strata, units, reviewed)
    return max(low_share, wrong / units), min(high_share, (units - reviewed + wrong) / units)


def _exact(units: int, reviewed: int, wrong: int) -> tuple[int, int]:
    """The fewest and most units in error that would not be rejected at half of 1 - CONFIDENCE. Cochran (1977), 3.6."""
    from scipy import stats

    tail = (1 - CONFIDENCE) / 2
    possible = range(wrong, units - reviewed + wrong + 1)
    low = bisect_left(possible, True, key=lambda count: stats.hypergeom.sf(wrong - 1, units, count, reviewed) > tail)
    beyond = bisect_left(possible, True, key=lambda count: stats.hypergeom.cdf(wrong, units, count, reviewed) <= tail)
    return possible[low], possible[beyond - 1]


def _effective(strata: Sequence[Stratum], units: int, reviewed: int) -> tuple[float, float]:
    """Clopper-Pearson limits at the effective sample size, which is never more than the sample. Korn and Graubard (1998)."""
    from scipy import stats

    rate, variance = _rate(strata), 0.0
    for stratum in strata:
        n, share = len(stratum.errors), stratum.wrong / len(stratum.errors)
        if stratum.units > n:
            weight = stratum.units * (stratum.units - n) / units**2
            variance += weight * share * (1 - share) / (n - 1)
    size = min(float(reviewed), rate * (1 - rate) / variance) if variance else float(reviewed)
    hits, tail = size * rate, (1 - CONFIDENCE) / 2
    low = float(stats.beta.ppf(tail, hits, size - hits + 1)) if rate > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, size - hits)) if rate < 1 else 1.0
    return low, high


def _cautions(strata: Sequence[Stratum], made: Amount) -> Iterator[str]:
    if all(stratum.units == len(stratum.errors) for stratum in strata):
        return
    reviewed, wrong = (sum(part) for part in zip(*((len(s.errors), s.wrong) for s in strata), strict=True))
    if reviewed < FEW_UNITS:
        yield f"Only {reviewed} units were reviewed, fewer than {FEW_UNITS}: do not trust the interval."
    if wrong < FEW_ERRORS:
        yield f"Only {wrong} reviewed units were in error, fewer than {FEW_ERRORS}: do not trust the interval of the amount."
    if made.degrees is None:
        yield "The reviewed units do not differ, so the interval of the amount has no width: it says nothing of its error."
    elif made.flat:
        yield f"Strata whose reviewed units do not differ: {made.flat}; they add nothing to the standard error."


def _about_frame(
    manifest: Mapping[str, Any], frame: pl.DataFrame, found: Mapping[str, Decimal], size: int
) -> Iterator[str]:
    if apart := manifest["without_amount"]["units"]:
        yield f"{apart:,} units without an amount are not in the frame; the estimate says nothing about them."
    if manifest["population"] != "audited":
        yield f"The estimate speaks of the population `{manifest['population']}` alone, not of the other audited claims."
    amounts = dict(frame.select(_ID, pl.col("amount").cast(pl.Decimal(38, 2))).iter_rows())
    if above := sum(error > amounts[unit] for unit, error in found.items()):
        yield f"{above:,} units have an error amount above their own amount: check them."
    if (extra := len(found) - size) > 0:
        yield f"{extra:,} reviewed spares count as sampled units; that is sound only if it was decided blindly."


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name the reviewed sample") from None


def _frame(folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder}: no {MANIFEST} in it; name the folder that was given to frame --out")
    raw = _bytes(folder / FRAME)
    try:
        manifest: dict[str, Any] = json.loads(_bytes(folder / MANIFEST))
        kept = manifest["frame_sha256"]
    except (ValueError, KeyError, TypeError):
        raise InputRefused(
            f"{folder / MANIFEST}: not as it was written; draw again, or take it from a backup"
        ) from None
    if hashlib.sha256(raw).hexdigest() != kept:
        raise InputRefused(
            f"{folder / FRAME}: its SHA-256 is not the one in {MANIFEST}, so it is not the frame that was sampled; "
            "take it from a backup"
        )
    return manifest, pl.read_csv(io.BytesIO(raw), infer_schema=False)


def _filled_in(folder: Path) -> Path:
    """The one of sample.xlsx and sample.csv with an error amount in it."""
    both = [folder / f"{SAMPLE}{ending}" for ending in (".xlsx", ".csv")]
    filled = [path for path in both if path.is_file() and any(error for _, _, error in _rows(path, _bytes(path)))]
    if len(filled) == 1:
        return filled[0]
    if filled:
        raise UsageError(f"{folder}: {SAMPLE}.xlsx and {SAMPLE}.csv both hold error amounts; say which with --reviewed")
    raise UsageError(f"{folder}: no {_ERROR} is filled in yet; fill in {SAMPLE}.xlsx, or name the file with --reviewed")


def _rows(path: Path, raw: bytes) -> Iterator[tuple[str, str, str]]:
    """(where, unit id, error amount) of each row, as text, trimmed."""
    if path.suffix.lower() == ".xlsx":
        try:
            sheet = fastexcel.read_excel(raw).load_sheet(SHEET, header_row=HEADER_ROW, dtypes="string").to_polars()
        except fastexcel.FastExcelError:
            raise InputRefused(f"{path}: not a workbook with a sheet {SHEET}; keep the work paper as it was") from None
        word, first, heads = "row", HEADER_ROW + 2, sheet.columns
        frame = sheet.rename({head: str(at) for at, head in enumerate(heads)}).with_row_index("record", first)
    else:
        text = open_text(str(path), raw)
        word, heads = "record", list(text.headers)
        frame, lost = read_columns(str(path), text, range(len(heads)))
        for number, reason in lost.items():
            raise InputRefused(f"{path}, record {number}: {reason}; correct that record")
    names = [head.strip().casefold() for head in heads]
    for name in (_ID, _ERROR):
        if names.count(name) != 1:
            raise InputRefused(
                f"{path}: {names.count(name)} columns {name} where one is needed; keep the header as it was"
            )
    columns = ("record", str(names.index(_ID)), str(names.index(_ERROR)))
    for number, unit, error in frame.select(columns).iter_rows():
        yield f"{path}, {word} {number}", (unit or "").strip(), (error or "").strip()


def _found(path: Path, raw: bytes, drawn: Sequence[tuple[str, str, str]]) -> dict[str, Decimal]:
    """Unit id → error amount of every reviewed unit: all of the sample, and spares from the first of their stratum on."""
    kinds = {unit: kind for kind, _, unit in drawn}
    seen: dict[str, str] = {}
    found: dict[str, Decimal] = {}
    for where, unit, error in _rows(path, raw):
        if not unit and not error:
            continue
        if unit not in kinds:
            raise InputRefused(
                f"{where}: its unit_id is none of the drawn units; restore it from the file as it was drawn"
            )
        if unit in seen:
            raise InputRefused(f"{where}: the unit of {seen[unit].rsplit(', ', 1)[1]} again; keep one of the two")
        seen[unit] = where
        if error:
            found[unit] = _money(where, error)
        elif kinds[unit] == "sample":
            raise InputRefused(f"{where}: no {_ERROR}; write 0 where the unit is right")
    for order, (kind, _, unit) in enumerate(drawn, 1):
        if kind == "sample" and unit not in seen:
            raise InputRefused(
                f"{path}: the unit of order {order} is missing; restore its row from the file as it was drawn"
            )
    skipped: set[str] = set()
    for order, (kind, stratum, unit) in enumerate(drawn, 1):
        if kind == "spare" and unit in found and stratum in skipped:
            raise InputRefused(
                f"{path}: the spare of order {order} is reviewed and one before it in its stratum is not; "
                "spares are taken in their order, so review that one too"
            )
        if kind == "spare" and unit not in found:
            skipped.add(stratum)
    return found


def _money(where: str, text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise InputRefused(f"{where}: {_ERROR} is no amount of money; write it as 12.50, or -12.50 for an underpayment")
    value = Decimal(re.sub(r"[^\d.]", "", text))
    cents = value.quantize(_CENT)
    if abs(value - cents) > _NOISE:
        raise InputRefused(f"{where}: {_ERROR} has more than two decimal places; round it to cents")
    return -cents if text[0] in "-(" else cents
