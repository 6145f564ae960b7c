"""`audit98968 frame` and `estimate`: draw a sample to review, and estimate from the reviewed sample."""

import sys
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from auditor.choices import EstimateFormat
from auditor.reading.files import shown
from auditor.reports.folder import to_json
from auditor.reports.text import console
from auditor.sampling import frame as framing
from auditor.sampling.estimate import Estimate
from auditor.sampling.frame import Design
from auditor.sampling.rat_stats import CONFIDENCE
from auditor.sampling.reviewed_sample import Reviewed, review
from auditor.schema.names import counted, harmless
from cli.flags import require_choice
from cli.streams import data


def frame(run: Path, out: Path, design: Design, *, show_ids: bool = False) -> int:
    """Draw a sample from a run into the new folder `out` and say what was drawn. Returns the exit code."""
    drawn = framing.draw(run, design)
    framing.write(out, drawn)
    manifest, text = drawn.manifest, console(sys.stdout)
    drawn_of = f"{manifest['size']:,} of {counted(manifest['units'], manifest['unit'])} drawn"
    text.print(f"{drawn_of}; population {manifest['population']}")
    text.print(f"Frame: {counted(manifest['claims'], 'claim')}, {Decimal(manifest['amount']):,}")
    if unknown := manifest["without_amount"]:
        text.print(f"{counted(unknown, manifest['unit'])} without an amount")
    if old := manifest["claims_before_lookback"]:
        text.print(
            f"{counted(old, 'claim')} with service dates before {manifest['lookback_start']}, six years before the run"
        )
    if manifest["size"] == manifest["units"]:
        text.print("Every unit is drawn: this is a full review, not a sample")
    for number, stratum in enumerate(manifest["strata"], 1):
        name = _stratum(number, stratum["name"], manifest["strata_by"], show_ids)
        spares = f", spares {stratum['spares']:,}" if stratum["spares"] else ""
        text.print(f"  {name}: {stratum['drawn']:,} of {stratum['units']:,}{spares}")
    origin = "drawn from the system's randomness" if manifest["seed_from"] == "system" else "as given"
    text.print(f"Seed {manifest['seed']}, {origin}")
    workbook = shown(out / "sample.xlsx")
    text.print(f"Fill in error_amount in {workbook} or sample.csv, then: audit98968 estimate {shown(out)}")
    return 0


def estimate(
    folder: Path, reviewed: Path | None, format: str = "text", *, net: bool = False, show_ids: bool = False
) -> int:
    """Estimate from a reviewed sample and print the result; `net`: subtract underpayments. Returns the exit code."""
    require_choice("--format", format, get_args(EstimateFormat))
    found = review(folder, reviewed, net=net)
    if format == "json":
        data(to_json(_to_dict(found, show_ids)))
    else:
        _print(found, show_ids)
    return 0


def _to_dict(found: Reviewed, show_ids: bool) -> dict[str, Any]:
    """The result for programs. Money is a number with two decimal places, the rate is a share."""
    design = found.manifest["strata_by"]
    result = asdict(found.estimate) | {"precision": found.estimate.precision}
    for name in ("total", "lower", "upper", "standard_error", "precision", "rat_stats_lower", "rat_stats_upper"):
        result[name] = round(result[name], 2)
    sizes = found.estimate.full_sample.items()
    result["full_sample"] = [{"precision": precision, "units": units} for precision, units in sizes]
    return {
        "what": "an estimate of the error amount found by reviewers; it establishes no overpayment",
        **{name: found.manifest[name] for name in ("run_id", "unit", "population", "strata_by", "seed", "frame_sha256")},
        **{name: found.manifest.get(name) for name in ("lookback_start", "claims_before_lookback")},
        "reviewed_file": str(found.path),
        "reviewed_sha256": found.sha256,
        "confidence": CONFIDENCE,
        **result,
        "strata": [
            {"name": _stratum(number, each.name, design, show_ids), "units": each.units,
             "reviewed": len(each.errors), "wrong": each.wrong,
             "found": float(sum(each.errors))}
            for number, each in enumerate(found.strata, 1)
        ],
    }  # fmt: skip


def _print(found: Reviewed, show_ids: bool) -> None:
    result, manifest, text = found.estimate, found.manifest, console(sys.stdout)
    design = manifest["strata_by"]
    text.print(
        f"{result.reviewed:,} of {result.units:,} {manifest['unit']}s reviewed; population {manifest['population']}; "
        + ("simple random sample" if design == "none" else f"stratified by {design}")
    )
    method = "exact hypergeometric" if len(found.strata) == 1 else "normal"
    text.print(
        f"{result.wrong:,} with an error; estimated error rate {result.rate:.1%}, {CONFIDENCE:.0%} interval "
        f"{result.wrong_lower:,} to {result.wrong_upper:,} {manifest['unit']}s in error ({method} limits, as in RAT-STATS)"
    )
    if result.underpaid:
        how = "subtracted from the total" if result.netted else "not subtracted; --net-underpayments subtracts them"
        text.print(f"Underpayments found: {counted(result.underpaid, 'unit')}, {-result.underpayments:,.2f}, {how}")
    text.print(
        f"Estimated total error amount {result.total:,.2f}, "
        f"{CONFIDENCE:.0%} two-sided interval {result.lower:,.2f} to {result.upper:,.2f}"
    )
    text.print(f"Lower limit, which recoveries use by convention: {result.lower:,.2f}")
    text.print(f"RAT-STATS of the OIG gives {_rat_stats(result)}")
    share = f" ({result.precision / abs(result.total):.1%} of the estimate)" if result.total else ""
    degrees = f"; Student's t with {result.degrees:,.1f} degrees of freedom" if result.degrees else ""
    text.print(f"Standard error {result.standard_error:,.2f}; precision {result.precision:,.2f}{share}{degrees}")
    if result.full_sample:
        sizes = ", ".join(f"{units:,} for {share:.0%}" for share, units in result.full_sample.items())
        text.print(f"Full sample at {CONFIDENCE:.0%} confidence, {manifest['unit']}s by precision: {sizes}")
    if design != "none":
        for number, stratum in enumerate(found.strata, 1):
            name = _stratum(number, stratum.name, design, show_ids)
            reviewed = f"{len(stratum.errors):,} of {stratum.units:,} reviewed"
            text.print(f"  {name}: {reviewed}, {stratum.wrong:,} with an error")
    for caution in result.cautions:
        text.print(f"Caution: {caution}")
    text.print("This is an estimate of the error amount that reviewers found; it establishes no overpayment.")


def _rat_stats(result: Estimate) -> str:
    if (result.rat_stats_lower, result.rat_stats_upper) == (result.lower, result.upper):
        return "the same interval"
    return f"{result.rat_stats_lower:,.2f} to {result.rat_stats_upper:,.2f} (normal quantile for a stratified sample)"


def _stratum(number: int, name: str, by: str, show_ids: bool) -> str:
    """A stratum's name; a provider's is its number unless identifiers may be shown."""
    return harmless(name) if show_ids or by != "provider" else f"stratum {number}"
