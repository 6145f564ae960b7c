"""A reproducible random sample of a finished run's claims or patients: population, strata, allocation and draw.

The units of a stratum are put in the order of SHA-256 of `seed:unit id` and the first n are the sample, so that the draw
can be repeated in any language from frame.csv and the seed alone. Source: docs/sampling.md.
"""

import hashlib
import json
import math
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import polars as pl
from xlsxwriter import Workbook

from auditor import __version__
from auditor.choices import Strata, Unit
from auditor.errors import InputRefused, UsageError
from auditor.explain import find_run
from auditor.findings import KEYS, NOT_APPLICABLE
from auditor.report.folder import _as_output_failure, _sync, to_json
from auditor.report.tables import to_csv, write_csv
from auditor.report.xlsx import Book

UNITS = get_args(Unit)
STRATA = get_args(Strata)
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
SHEET, HEADER_ROW = "Sample", 1
REVIEW = ("error_amount", "note")
_NOTE = (
    "error_amount: 0 where the unit is right, what was paid too much where it is not, negative where too little was paid. "
    "Fill in every row of kind sample; a spare only as docs/sampling.md says. The other cells are locked without a password."
)
_WIDTHS = {"order": 6, "kind": 8, "claims": 7, "unit_id": 30, "stratum": 22, "note": 40}
_ALL = "all"
_LEAST = 2
"""Units of a stratum without which its variance cannot be estimated."""
_AMOUNT_STRATA, _CLASSES = 3, 100
_LARGEST = 1_000_000
"""Units that fit on the sheet of a work paper."""
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
    """A frame and its sample: the units in a fixed order, those left out, the sample in draw order, and the manifest."""

    frame: pl.DataFrame
    without_amount: pl.DataFrame
    sample: pl.DataFrame
    manifest: dict[str, Any]
    started: str


def draw(folder: Path, design: Design) -> Drawn:
    """Draw a sample from a run; `folder` is the run's, or an output folder, of which the latest run is taken.

    `frame` has unit_id, stratum, claims and amount, sorted by stratum and unit_id; `sample` has a row per drawn unit with
    what a reviewer needs, in draw order, spares last. Amounts are paid, else billed, in the currency of the export; a unit
    without any is listed in `without_amount` and not in the frame.

    Raises UsageError for a design that is impossible or a folder without a run, InputRefused where the run's files
    cannot be read or its population has no amount. Source: docs/sampling.md.
    """
    _check(design)
    run = find_run(folder)
    claims, summary, digest = _read(run)
    claims = claims.filter(pl.col("disposition").is_in(list(POPULATIONS[design.of])))
    claims = _with_units(claims, design.unit)
    units = _units(claims)
    whole, apart = (units.filter(pl.col("amount").is_null() == missing) for missing in (False, True))
    if whole.is_empty():
        raise InputRefused(
            f"{run}: the population `{design.of}` has no {design.unit} with an amount, so there is nothing to sample; "
            "choose another --of, or audit an export with paid_amount or billed_amount"
        )
    size = min(design.size, whole.height)
    frame = _stratified(whole, replace(design, size=size))
    frame = frame.select("unit_id", "stratum", "claims", "amount").sort("stratum", "unit_id")
    sizes = dict(sorted(frame.group_by("stratum").len().iter_rows()))
    drawn = allocate(sizes, size)
    spares = {name: min(design.spares, sizes[name] - drawn[name]) for name in sizes}
    seed = secrets.randbelow(_SEEDS) if design.seed is None else design.seed
    sample = _sample(claims, frame, chosen(seed, frame, drawn, spares))
    manifest = {
        "run_id": summary["run_id"],
        "version": __version__,
        "claims_sha256": digest,
        "unit": design.unit,
        "population": design.of,
        "design": "simple" if design.strata == "none" else "stratified",
        "strata_by": design.strata,
        "size": sum(drawn.values()),
        "size_asked": design.size,
        "seed": seed,
        "seed_from": "system" if design.seed is None else "given",
        "draw": DRAW,
        "units": frame.height,
        "claims": int(frame["claims"].sum()),
        "amount": str(frame["amount"].sum()),
        "without_amount": {"units": apart.height, "claims": int(apart["claims"].sum())},
        "strata": [
            {"name": name, "units": sizes[name], "drawn": drawn[name], "spares": spares[name]} for name in sizes
        ],
    }
    return Drawn(frame, apart.select("unit_id", "claims").sort("unit_id"), sample, manifest, summary["started"])


def write(out: Path, drawn: Drawn) -> None:
    """Write a drawn sample into the new folder `out`: complete or absent at any instant, files 0600, the folder 0700.

    frame.csv, without_amount.csv, frame.json (the manifest and the SHA-256 of frame.csv), sample.csv and sample.xlsx.
    Equal runs, designs and seeds give equal bytes. Raises UsageError where `out` exists, OutputFailed where it cannot be
    written.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"--out: {out}: exists already; name a new folder, so that no drawn sample is ever replaced")
    with _as_output_failure(out):
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".frame-", dir=out.parent))
        try:
            _fill(made, drawn)
            for entry in made.iterdir():
                entry.chmod(0o600)
                _sync(entry)
            _sync(made)
            made.rename(out)
            _sync(out.parent)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


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
    ranked: dict[str, list[tuple[str, str]]] = {name: [] for name in drawn}
    for unit, stratum in frame.select("unit_id", "stratum").iter_rows():
        ranked[stratum].append((rank(seed, unit), unit))
    sample, extra = [], []
    for name, units in ranked.items():
        units.sort()
        last = drawn[name] + spares[name]
        sample += [(place, name, unit) for place, unit in units[: drawn[name]]]
        extra += [(place, name, unit) for place, unit in units[drawn[name] : last]]
    kinds = (("sample", sample), ("spare", extra))
    return [(kind, name, unit) for kind, some in kinds for _, name, unit in sorted(some)]


def allocate(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    """Units to draw by stratum: in proportion to its size, by largest remainder, at least 2 or all that it has.

    `sizes` are units by stratum and `size` the whole sample, at most all of them. A stratum whose share is below its least
    gets its least, and the rest is shared again among the others. Ties go to the first name. Raises UsageError where `size`
    is below the sum of the leasts. Source: Cochran (1977), sections 5.3 (proportional allocation) and 5.4 (why two).
    """
    least = {name: min(_LEAST, units) for name, units in sizes.items()}
    if size < (needed := sum(least.values())):
        raise UsageError(
            f"--size: {size} units are too few for {len(sizes)} strata, which need {needed}; "
            "give at least that, or other --strata"
        )
    fixed: dict[str, int] = {}
    while True:
        free = {name: units for name, units in sizes.items() if name not in fixed}
        shared = _largest_remainder(free, size - sum(fixed.values()))
        short = {name: least[name] for name in free if shared[name] < least[name]}
        if not short:
            return {name: fixed.get(name, shared.get(name, 0)) for name in sizes}
        fixed |= short


def cuts(frequencies: Sequence[int], strata: int) -> list[int]:
    """The classes after which to cut a histogram so that the strata have near-equal sums of the roots of its frequencies.

    Fewer cuts come back where classes coincide. Source: Dalenius and Hodges (1959), JASA 54:88-101; Cochran (1977), 5A.7.
    """
    roots = list(accumulate(map(math.sqrt, frequencies)))
    goals = (roots[-1] * number / strata for number in range(1, strata))
    nearest = {min(range(len(roots)), key=lambda at: abs(roots[at] - goal)) for goal in goals}
    return sorted(at for at in nearest if roots[at] < roots[-1])


def _check(design: Design) -> None:
    for flag, value, known in (
        ("--unit", design.unit, UNITS),
        ("--of", design.of, POPULATIONS),
        ("--strata", design.strata, STRATA),
    ):
        if value not in known:
            raise UsageError(f"{flag}: `{value}` is none of {', '.join(known)}")
    if not _LEAST <= design.size <= _LARGEST:
        raise UsageError(f"--size: {design.size} is not from {_LEAST} to {_LARGEST:,}; one unit has no variance")
    if not 0 <= design.spares <= _LARGEST:
        raise UsageError(f"--spares: {design.spares} is not from 0 to {_LARGEST:,}")
    if design.seed is not None and design.seed < 0:
        raise UsageError("--seed: give a whole number from 0 on")
    if design.unit == "patient" and design.strata in ("provider", "month"):
        raise UsageError(
            f"--strata {design.strata}: a patient may belong to several; use it with --unit claim, or choose "
            "none, disposition or amount"
        )


def _read(run: Path) -> tuple[pl.DataFrame, dict[str, Any], str]:
    try:
        raw = (run / "claims.parquet").read_bytes()
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        return pl.read_parquet(raw), summary, hashlib.sha256(raw).hexdigest()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputRefused(
            f"{run}: the run's files cannot be read ({type(error).__name__}); run the audit again"
        ) from None


def _with_units(claims: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The claims with the id of their sampling unit and their own amount."""
    keys = KEYS if unit == "claim" else ("patient_id",)
    ids = [unit_id(unit, *row) for row in claims.select(keys).iter_rows()]
    return claims.with_columns(
        pl.Series("unit_id", ids, dtype=pl.String), amount=pl.coalesce("paid_amount", "billed_amount")
    )


def _known(name: str) -> pl.Expr:
    """The sum of the amounts that are known, null where none is."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def _units(claims: pl.DataFrame) -> pl.DataFrame:
    """One row per sampling unit: claims, amount, worst disposition; provider and month, which a claim alone has."""
    worst = pl.col("disposition").cast(pl.Enum([*POPULATIONS["audited"], NOT_APPLICABLE])).min().cast(pl.String)
    month = pl.col("service_date").first().dt.strftime("%Y-%m").fill_null("unknown")
    return claims.group_by("unit_id", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("claims"),
        _known("amount"),
        worst.alias("disposition"),
        pl.col("provider_id").first().fill_null("unknown").alias("provider"),
        month.alias("month"),
    )


def _stratified(units: pl.DataFrame, design: Design) -> pl.DataFrame:
    """The units with their stratum. Of providers and months, those with a share below 2 units are put together."""
    if design.strata == "none":
        return units.with_columns(stratum=pl.lit(_ALL))
    if design.strata == "amount":
        return _by_amount(units)
    named = units.with_columns(stratum=pl.lit(f"{design.strata} ") + pl.col(design.strata))
    if design.strata == "disposition":
        return named
    small = pl.len().over("stratum") * design.size < _LEAST * units.height
    several = pl.col("stratum").filter(small).n_unique() > 1
    return named.with_columns(
        stratum=pl.when(small & several).then(pl.lit(f"other {design.strata}s")).otherwise("stratum")
    )


def _by_amount(units: pl.DataFrame) -> pl.DataFrame:
    """Up to three strata of amounts, cut by the cumulative root of the frequency over 100 classes of equal width."""
    cents = units.select((pl.col("amount") * 100).cast(pl.Int64))["amount"].to_list()
    least, span = min(cents), max(cents) - min(cents)
    classes = [min(_CLASSES - 1, (value - least) * _CLASSES // span) if span else 0 for value in cents]
    frequencies = [0] * _CLASSES
    for at in classes:
        frequencies[at] += 1
    ends = cuts(frequencies, _AMOUNT_STRATA)
    numbered = units.with_columns(part=pl.Series([1 + sum(at > end for end in ends) for at in classes], dtype=pl.Int64))
    lowest, highest = (getattr(pl.col("amount"), name)().over("part").cast(pl.String) for name in ("min", "max"))
    return numbered.with_columns(stratum=pl.format("amount {}: {} to {}", "part", lowest, highest))


def _largest_remainder(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    whole = sum(sizes.values())
    shares = {name: divmod(size * units, whole) for name, units in sizes.items()}
    left = size - sum(share for share, _ in shares.values())
    first = sorted(sizes, key=lambda name: (-shares[name][1], name))[:left]
    return {name: shares[name][0] + (name in first) for name in sizes}


def _sample(claims: pl.DataFrame, frame: pl.DataFrame, drawn: Iterable[tuple[str, str, str]]) -> pl.DataFrame:
    """The work paper's rows: a unit each; a patient's claims side by side, in one order in every list."""
    order = pl.DataFrame(
        list(drawn), schema={"kind": pl.String, "stratum": pl.String, "unit_id": pl.String}, orient="row"
    ).with_row_index("order", offset=1)
    lists = {
        "patient_id": pl.col("patient_id").first(),
        "provider_ids": pl.col("provider_id"),
        "claim_ids": pl.col("claim_id"),
        "claim_lines": pl.col("claim_line"),
        "cpt_codes": pl.col("cpt_code"),
        "service_dates": pl.col("service_date").cast(pl.String),
        "call_ids": pl.col("call_ids").list.join(" "),
        "dispositions": pl.col("disposition"),
        "violations": pl.col("violations").list.join(" "),
        "reviews": pl.col("reviews").list.join(" "),
        "amounts": pl.col("amount").cast(pl.String),
    }
    told = claims.join(order.select("unit_id"), on="unit_id", how="semi").sort("unit_id", "service_date", *KEYS)
    told = told.group_by("unit_id", maintain_order=True).agg(
        *(values.fill_null("unknown").alias(name) for name, values in lists.items()),
        *map(_known, ("billed_amount", "paid_amount")),
    )
    joined = order.join(told, on="unit_id", how="left").join(
        frame.select("unit_id", "claims", "amount"), on="unit_id", how="left"
    )
    texts = [pl.col(name).list.join("; ") for name in lists if name != "patient_id"]
    return (
        joined.with_columns(texts)
        .sort("order")
        .select("order", "kind", "unit_id", "stratum", "claims", *lists, "billed_amount", "paid_amount", "amount")
    )


def _fill(folder: Path, drawn: Drawn) -> None:
    units = to_csv(drawn.frame).encode()
    (folder / FRAME).write_bytes(units)
    write_csv(drawn.without_amount, folder / "without_amount.csv")
    manifest = drawn.manifest | {"frame_sha256": hashlib.sha256(units).hexdigest()}
    (folder / MANIFEST).write_text(to_json(manifest), encoding="utf-8")
    empty = (pl.lit(None, pl.String).alias(name) for name in REVIEW)
    write_csv(drawn.sample.with_columns(empty), folder / f"{SAMPLE}.csv")
    _write_xlsx(folder / f"{SAMPLE}.xlsx", drawn)


def _write_xlsx(path: Path, drawn: Drawn) -> None:
    """The work paper: a note, the header, the units; locked but for the reviewer's columns."""
    heads, rows = [*drawn.sample.columns, *REVIEW], drawn.sample.height
    first, last = HEADER_ROW + 1, HEADER_ROW + rows
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with Workbook(path, plain) as opened:
        started = datetime.fromisoformat(drawn.started).replace(tzinfo=None)
        opened.set_properties({"title": "Sample to review", "comments": drawn.manifest["run_id"], "created": started})
        formats = Book(opened, last + 1).formats
        amount = opened.add_format({"locked": False, "bg_color": "#FFFBE6", "num_format": "#,##0.00"})
        sheet = opened.add_worksheet(SHEET)
        sheet.write_string(0, 0, _NOTE, formats["note"])
        for at, head in enumerate(heads):
            kind = amount if head == REVIEW[0] else formats["open" if head in REVIEW else _kind(head)]
            sheet.set_column(at, at, _WIDTHS.get(head, 14), kind)
            sheet.write_string(HEADER_ROW, at, head, formats["head"])
        for number, row in enumerate(drawn.sample.iter_rows(named=True), start=first):
            for at, (head, value) in enumerate(row.items()):
                if value is not None and _kind(head) == "text":
                    sheet.write_string(number, at, value, formats["text"])
                elif value is not None:
                    sheet.write_number(number, at, value, formats[_kind(head)])
            for at, kind in enumerate((amount, formats["open"]), start=len(row)):
                sheet.write_blank(number, at, None, kind)
        sheet.data_validation(first, len(heads) - 2, last, len(heads) - 2, {
            "validate": "decimal", "criteria": "between", "minimum": -1e9, "maximum": 1e9,
            "error_title": REVIEW[0], "error_message": "An amount of money; 0 where the unit is right.",
        })  # fmt: skip
        sheet.freeze_panes(first, 0)
        sheet.autofilter(HEADER_ROW, 0, last, len(heads) - 1)
        sheet.protect("", {"autofilter": True, "format_columns": True, "format_rows": True})
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(HEADER_ROW)


def _kind(head: str) -> str:
    if head in ("order", "claims"):
        return "number"
    return "money" if head in ("billed_amount", "paid_amount", "amount") else "text"
