"""`audit98968 frame` and `estimate`: draw a sample to review, and estimate from the reviewed sample."""

import sys
from pathlib import Path

from auditor import estimate as estimating
from auditor import frame as framing
from auditor.errors import UsageError
from auditor.estimate import CONFIDENCE, Reviewed
from auditor.frame import Design
from auditor.names import harmless
from auditor.report.folder import to_json
from auditor.report.text import console

FORMATS = ("text", "json")


def frame(run: Path, out: Path, design: Design, *, show_ids: bool = False) -> int:
    """Draw a sample from a run into the new folder `out` and say what was drawn. Returns the exit code."""
    drawn = framing.draw(run, design)
    framing.write(out, drawn)
    told, text = drawn.manifest, console(sys.stdout)
    text.print(f"{told['size']:,} of {told['units']:,} {told['unit']}s drawn; population {told['population']}")
    text.print(f"Frame: {told['claims']:,} claims, {framed(told['amount'])}")
    if apart := told["without_amount"]["units"]:
        text.print(f"{apart:,} {told['unit']}s without an amount are not in the frame; without_amount.csv lists them")
    if told["size"] == told["units"]:
        text.print("Every unit is drawn: this is a full review, not a sample")
    for number, stratum in enumerate(told["strata"], 1):
        name = _stratum(number, stratum["name"], told["strata_by"], show_ids)
        spares = f", spares {stratum['spares']:,}" if stratum["spares"] else ""
        text.print(f"  {name}: {stratum['drawn']:,} of {stratum['units']:,}{spares}")
    origin = "drawn from the system's randomness" if told["seed_from"] == "system" else "as given"
    text.print(f"Seed {told['seed']}, {origin}")
    text.print(f"Fill in error_amount in {out / 'sample.xlsx'} or sample.csv, then: audit98968 estimate {out}")
    return 0


def estimate(folder: Path, reviewed: Path | None, format: str = "text", *, show_ids: bool = False) -> int:
    """Estimate from a reviewed sample and print the result. Returns the exit code."""
    if format not in FORMATS:
        raise UsageError(f"--format: `{format}` is none of {', '.join(FORMATS)}")
    told = estimating.review(folder, reviewed)
    if format == "json":
        sys.stdout.flush()
        sys.stdout.buffer.write(to_json(estimating.to_dict(told)).encode())
        sys.stdout.buffer.flush()
    else:
        _print(told, show_ids)
    return 0


def framed(amount: str) -> str:
    """An exact amount with its thousands marked."""
    whole, point, cents = amount.partition(".")
    return f"{int(whole):,}{point}{cents}"


def _print(told: Reviewed, show_ids: bool) -> None:
    made, amount, text = told.estimate, told.estimate.amount, console(sys.stdout)
    unit, share = told.manifest["unit"], f"{CONFIDENCE:.0%}"
    design = told.manifest["strata_by"]
    text.print(
        f"{made.reviewed:,} of {made.units:,} {unit}s reviewed; population {told.manifest['population']}; "
        + ("simple random sample" if design == "none" else f"stratified by {design}")
    )
    text.print(
        f"{made.wrong:,} with an error: rate {made.rate:.1%}, {share} interval {_range(made.rate_interval, '.1%')}"
    )
    text.print(
        f"Estimated total error amount {amount.total:,.2f}, {share} two-sided interval {_range(amount.interval, ',.2f')}"
    )
    text.print(f"Lower limit, which recoveries use by convention: {amount.interval[0]:,.2f}")
    relative = "" if amount.relative_precision is None else f" ({amount.relative_precision:.1%} of the estimate)"
    degrees = "" if amount.degrees is None else f"; Student's t with {amount.degrees:,.1f} degrees of freedom"
    text.print(f"Standard error {amount.standard_error:,.2f}; precision {amount.precision:,.2f}{relative}{degrees}")
    if design != "none":
        for number, stratum in enumerate(told.strata, 1):
            name = _stratum(number, stratum.name, design, show_ids)
            text.print(
                f"  {name}: {len(stratum.errors):,} of {stratum.units:,} reviewed, {stratum.wrong:,} with an error"
            )
    for caution in made.cautions:
        text.print(f"Caution: {caution}")
    text.print("This is an estimate of the error amount that reviewers found; it establishes no overpayment.")


def _range(limits: tuple[float, float], form: str) -> str:
    return f"{limits[0]:{form}} to {limits[1]:{form}}"


def _stratum(number: int, name: str, by: str, show_ids: bool) -> str:
    """A stratum's name; a provider's is its number unless identifiers may be shown."""
    return harmless(name) if show_ids or by != "provider" else f"stratum {number}"
