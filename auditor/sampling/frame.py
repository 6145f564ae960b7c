"""A reproducible random sample of a finished run's claims or patients: population, strata, allocation and draw.

The units of a stratum are put in the order of SHA-256 of `seed:unit id` and the first n are the sample, so that the draw
can be repeated in any language from frame.csv and the seed alone. Source: docs/sampling.md.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import polars as pl

from auditor import __version__, small_files
from auditor.choices import Strata, Unit
from auditor.errors import InputRefused, UsageError
from auditor.judging.findings import AMOUNT, KEYS
from auditor.reports.folder import building, to_json
from auditor.reports.tables import to_csv, write_csv
from auditor.reports.workbook import sample_book
from auditor.run_summary import Summary
from auditor.runs import past
from auditor.runs.explain import find_run
from auditor.sampling.strata import LEAST, allocate, stratify

POPULATIONS = {
    "audited": ("violation", "review", "incomplete", "clear"),
    "flagged": ("violation", "review"),
    "violation": ("violation",),
    "review": ("review",),
}
DRAW = (
    "Within each stratum, write for every unit of frame.csv the text seed, colon, unit_id in UTF-8; take its SHA-256 in "
    "hexadecimal; sort the units by it as text. The first `drawn` units are the sample, the next `spares` are the spares."
)
FRAME, MANIFEST, SAMPLE = "frame.csv", "frame.json", "sample"
"""Names in the frame's folder; the sample is there as .csv and .xlsx."""
_LARGEST = 1_000_000
"""Units that fit on the sheet of a work paper."""
_LONGEST = 1 << 40
"""Bytes of a run's claims."""
_SEEDS = 2**53
"""Seeds from the system's randomness are below this: every language's numbers hold them exactly."""


@dataclass(frozen=True)
class Design:
    """What is sampled, and how; without a `seed` one is taken from the system's randomness."""

    unit: str = "claim"
    of: str = "audited"
    strata: str = "none"
    size: int = 100
    spares: int = 0
    seed: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A frame and its sample: the units in a fixed order, the sample in draw order, the manifest, and the run's start."""

    frame: pl.DataFrame
    sample: pl.DataFrame
    manifest: dict[str, Any]
    started: str


def draw(folder: Path, design: Design) -> Drawn:
    """Draw a sample from a run; `folder` is the run's, or an output folder, of which the latest run is taken.

    `frame` has unit_id, stratum, claims and amount, sorted by stratum and unit_id; `sample` has a row per drawn unit with
    what a reviewer needs, in draw order, spares last. Amounts are paid, else billed, in the currency of the export; null
    where the export has none.

    Raises UsageError for a design that is impossible or a folder without a run, InputRefused where the run's files
    cannot be read or its population is empty. Source: docs/sampling.md.
    """
    _check(design)
    run = find_run(folder)
    claims, audited, digest = _read(run)
    claims = _with_units(claims.filter(pl.col("disposition").is_in(POPULATIONS[design.of])), design.unit)
    if claims.is_empty():
        raise InputRefused(f"{run}: the population `{design.of}` has no claims to sample; choose another --of")
    units = _units(claims)
    size = min(design.size, units.height)
    frame = stratify(units, design.strata, size).select("unit_id", "stratum", "claims", "amount")
    frame = frame.sort("stratum", "unit_id")
    sizes = dict(sorted(frame.group_by("stratum").len().iter_rows()))
    drawn = allocate(sizes, size)
    spares = {name: min(design.spares, sizes[name] - drawn[name]) for name in sizes}
    seed = secrets.randbelow(_SEEDS) if design.seed is None else design.seed
    manifest = {
        "run_id": audited.run_id,
        "version": __version__,
        "claims_sha256": digest,
        "unit": design.unit,
        "population": design.of,
        "strata_by": design.strata,
        "size": size,
        "size_asked": design.size,
        "seed": seed,
        "seed_from": "system" if design.seed is None else "given",
        "draw": DRAW,
        "units": frame.height,
        "claims": claims.height,
        "amount": str(frame["amount"].sum()),
        "without_amount": frame["amount"].null_count(),
        "lookback_start": str(audited.lookback_start),
        "claims_before_lookback": claims.filter(pl.col("service_date") < audited.lookback_start).height,
        "strata": [
            {"name": name, "units": sizes[name], "drawn": drawn[name], "spares": spares[name]} for name in sizes
        ],
    }
    sample = _sample(claims, chosen(seed, frame, drawn, spares))
    return Drawn(frame, sample, manifest, audited.started)


def write(out: Path, drawn: Drawn) -> None:
    """Write a drawn sample into the new folder `out`: complete or absent at any instant, files 0600, the folder 0700.

    frame.csv, frame.json (the manifest and the SHA-256 of frame.csv), sample.csv and sample.xlsx. Equal runs, designs and
    seeds give equal bytes. Raises UsageError where `out` exists, OutputFailed where it cannot be written.
    """
    if out.exists() or out.is_symlink():
        problem = "this folder exists; name a new folder, because a drawn sample is never replaced"
        raise UsageError(f"--out: {out}: {problem}")
    units = to_csv(drawn.frame).encode()
    manifest = drawn.manifest | {"frame_sha256": hashlib.sha256(units).hexdigest()}
    empty = (pl.lit(None, pl.String).alias(name) for name in sample_book.REVIEW)
    with building(out.parent, out.name) as folder:
        (folder / FRAME).write_bytes(units)
        (folder / MANIFEST).write_text(to_json(manifest), encoding="utf-8")
        write_csv(drawn.sample.with_columns(empty), folder / f"{SAMPLE}.csv")
        sample_book.write(folder / f"{SAMPLE}.xlsx", drawn.sample, manifest["run_id"], drawn.started)


def unit_id(kind: str, *parts: str) -> str:
    """One text for a unit: its kind and its parts, each percent-encoded (RFC 3986), joined by colons.

    Different units have different ids, and no spreadsheet takes one for a number, a date or a formula.
    """
    return ":".join((kind, *(quote(part, safe="") for part in parts)))


def rank(seed: int, unit: str) -> str:
    """The SHA-256 of `seed:unit` in hexadecimal: the unit's place in the draw."""
    return hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest()


def chosen(
    seed: int, frame: pl.DataFrame, drawn: Mapping[str, int], spares: Mapping[str, int]
) -> list[tuple[str, str, str]]:
    """(kind, stratum, unit_id) of the sample and then the spares, each in the order of `rank`.

    `frame` has unit_id and stratum; `drawn` and `spares` are numbers of units by stratum.
    """
    parts: dict[str, list[tuple[str, str, str, str]]] = {"sample": [], "spare": []}
    for (stratum,), rows in frame.group_by(["stratum"]):
        name = str(stratum)
        ranked = sorted((rank(seed, unit), unit) for unit in rows["unit_id"])
        last = drawn[name] + spares[name]
        for at, (position, unit) in enumerate(ranked[:last]):
            kind = "sample" if at < drawn[name] else "spare"
            parts[kind].append((position, kind, name, unit))
    return [(kind, name, unit) for part in parts.values() for _, kind, name, unit in sorted(part)]


def _check(design: Design) -> None:
    values = (("--unit", design.unit, get_args(Unit)), ("--of", design.of, POPULATIONS),
             ("--strata", design.strata, get_args(Strata)))  # fmt: skip
    for flag, value, accepted in values:
        if value not in accepted:
            raise UsageError(f"{flag}: `{value}` must be one of {', '.join(accepted)}")
    if not LEAST <= design.size <= _LARGEST:
        raise UsageError(f"--size: {design.size} must be from {LEAST} to {_LARGEST:,}; one unit has no variance")
    if not 0 <= design.spares <= _LARGEST:
        raise UsageError(f"--spares: {design.spares} must be from 0 to {_LARGEST:,}")
    if design.seed is not None and design.seed < 0:
        raise UsageError("--seed: must be a whole number, 0 or more")
    if design.unit == "patient" and design.strata in ("provider", "month"):
        raise UsageError(
            f"--strata {design.strata}: a patient may be in several strata; use it with --unit claim, or choose "
            "none, disposition or amount"
        )


def _read(run: Path) -> tuple[pl.DataFrame, Summary, str]:
    try:
        raw = small_files.read(run / "claims.parquet", _LONGEST, plain=True)
        return pl.read_parquet(raw), past.read(run / "summary.json"), hashlib.sha256(raw).hexdigest()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        problem = f"the run's files cannot be read ({type(error).__name__}); run the audit again"
        raise InputRefused(f"{run}: {problem}") from None


def _with_units(claims: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The claims with the id of their sampling unit and their own amount."""
    keys = KEYS if unit == "claim" else ("patient_id",)
    ids = [unit_id(unit, *row) for row in claims.select(keys).iter_rows()]
    return claims.with_columns(pl.Series("unit_id", ids, dtype=pl.String), amount=AMOUNT)


def _known_sum(name: str) -> pl.Expr:
    """The sum of the amounts that are known, null where none is."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def _units(claims: pl.DataFrame) -> pl.DataFrame:
    """One row per sampling unit: claims, amount, worst disposition; provider and month, which a claim alone has."""
    return claims.group_by("unit_id").agg(
        pl.len().alias("claims"),
        _known_sum("amount"),
        disposition=pl.col("disposition").cast(pl.Enum(POPULATIONS["audited"])).min().cast(pl.String),
        provider=pl.col("provider_id").first().fill_null("unknown"),
        month=pl.col("service_date").first().dt.strftime("%Y-%m").fill_null("unknown"),
    )


def _sample(claims: pl.DataFrame, drawn: Iterable[tuple[str, str, str]]) -> pl.DataFrame:
    """The work paper's rows: a unit each; a patient's claims side by side, in one order in every list."""
    order = pl.DataFrame(list(drawn), schema=dict.fromkeys(("kind", "stratum", "unit_id"), pl.String()), orient="row")
    texts = {
        "patient_ids": pl.col("patient_id").unique(maintain_order=True),
        "provider_ids": pl.col("provider_id"),
        "claim_ids": pl.col("claim_id"),
        "claim_lines": pl.col("claim_line"),
        "cpt_codes": pl.col("cpt_code"),
        "service_dates": pl.col("service_date").cast(pl.String),
        "call_ids": pl.col("call_ids").list.join(" "),
        "dispositions": pl.col("disposition"),
        "violations": pl.col("violations").list.join(" "),
        "reviews": pl.col("reviews").list.join(" "),
    }
    per_unit = claims.join(order, on="unit_id", how="semi").sort("unit_id", "service_date", *KEYS).group_by("unit_id").agg(
        pl.len().alias("claims"),
        *(text.fill_null("unknown").str.join("; ").alias(name) for name, text in texts.items()),
        *map(_known_sum, ("billed_amount", "paid_amount", "amount")),
    )  # fmt: skip
    joined = order.with_row_index("draw_order", offset=1).join(per_unit, on="unit_id", how="left").sort("draw_order")
    first = ("draw_order", "kind", "unit_id", "stratum")
    return joined.select(*first, pl.exclude(first))
