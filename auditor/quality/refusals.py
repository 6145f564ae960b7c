"""Inputs that cannot be audited honestly.

Source: docs/specification.md#refusals.
"""

from collections.abc import Mapping

import polars as pl

from auditor.errors import InputRefused
from auditor.evaluated import disabled_rules
from auditor.inputs import Inputs
from auditor.quality import duration_units, report
from auditor.reading import ingest
from auditor.rules import CODES
from auditor.run_options import REQUIRED_RULES
from auditor.settings import Settings

_REASONS = 3
"""Reasons that a message names at most."""


def require_usable_inputs(inputs: Inputs, settings: Settings) -> None:
    """Refuse tables without rows, with more rejects than allowed, dates that read both ways, or lengths in another unit.

    Raises InputRefused.
    """
    for name, table in inputs.tables.items():
        rows = sum(file.rows for file in inputs.files[name])
        if not rows and not settings.allow_empty:
            raise InputRefused(f"{name}: no rows in {_paths(settings, name)}; if that is right, give --allow-empty")
        faulty = table.faulty
        used, rejected_billed = (
            report.billed(inputs.profiles[name], settings.codes) if name in inputs.profiles else (0, 0)
        )
        for rejected, total, kind in (
            (faulty.height, rows, "rows"),
            (rejected_billed, used + rejected_billed, "billed rows"),
        ):
            if rejected > _allowed(settings.max_rejects, total):
                reasons = faulty.group_by("reason").len().sort("len", "reason", descending=[True, False])["reason"]
                raise InputRefused(
                    f"{name}: {rejected} of {total} {kind} rejected, more than --max-rejects {settings.max_rejects}; "
                    f"most often: {'; '.join(reasons.head(_REASONS))}; `audit98968 check` shows the rest"
                )
    for name, why in report.ambiguous(inputs.profiles):
        if why:
            raise InputRefused(report.AMBIGUOUS.format(table=name, why=f", and {why}"))
    if found := duration_units.suspected_unit(inputs.duration_counts, settings.policy.units):
        column, symptom, unit = found
        raise InputRefused(
            f"calls: 9 of 10 values of {column} {symptom}, as if they were {unit}; say in the policy what they are: "
            f'[units] {column} = "{unit}"'
        )


def require_matching_ids(match_rates: pl.DataFrame, settings: Settings) -> None:
    """Refuse tables whose ids hardly ever meet. Raises InputRefused."""
    if not settings.allow_unjoined and (reason := report.refusal(match_rates)):
        raise InputRefused(reason)


def require_rules(not_evaluable: Mapping[str, str], settings: Settings) -> None:
    """Refuse inputs on which no rule, or not every required rule, can be evaluated. Raises InputRefused."""
    if len(not_evaluable) == len(CODES):
        reasons = {f"{code}: {reason}": None for code, reason in not_evaluable.items() if code in settings.selected}
        raise InputRefused(
            f"no rule can be evaluated, so nothing would be audited ({'; '.join(reasons)}); "
            "map these columns in the policy or select other rules"
        )
    default = tuple(code for code in REQUIRED_RULES if code not in disabled_rules(settings))
    for code in default if settings.required is None else settings.required:
        if reason := not_evaluable.get(code):
            raise InputRefused(
                f"required rule {code} cannot be evaluated: {reason}; supply it, or leave the rule out of --require"
            )


def _paths(settings: Settings, name: str) -> str:
    return ", ".join(map(ingest.shown, settings.paths[name]))


def _allowed(max_rejects: str, rows: int) -> float:
    return float(max_rejects[:-1]) / 100 * rows if max_rejects.endswith("%") else float(max_rejects)
