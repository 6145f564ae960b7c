"""What the windows look at."""

from dataclasses import dataclass

import polars as pl

from auditor.billing.lines import Billing
from auditor.policy import Policy
from auditor.quality.coverage import Coverage
from auditor.quality.report import QualityReport

HOUR = 3_600_000_000
"""Microseconds in an hour."""


@dataclass(frozen=True)
class Facts:
    """What the windows look at.

    `near_providers`: as `joins`, of lines with any code, and `family`: whether it holds among those of the family, too.
    `visits` are classified (`windows.visits`), `calls` have the patient_id and call_id of each call, `providers` may be
    empty. `tainted_*` are the patients with a rejected visit or line. `provider_calls` are spans (`windows.calls`) of the
    calls of the claims' providers, whoever the patient.
    """

    billing: Billing
    near_providers: pl.DataFrame
    visits: pl.DataFrame
    calls: pl.DataFrame
    providers: pl.DataFrame
    patients_with_rejected_visits: pl.Series
    patients_with_rejected_lines: pl.Series
    provider_calls: pl.DataFrame
    has_claims_table: bool
    coverage: Coverage
    quality: QualityReport
    policy: Policy
    codes: tuple[str, ...]
