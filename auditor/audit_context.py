"""What is the same for all patients of one audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from auditor.identity import Identity
from auditor.policy import Policy
from auditor.quality.coverage import Coverage
from auditor.quality.report import QualityReport


@dataclass(frozen=True, kw_only=True)
class AuditContext:
    """What is the same for all patients of one audit.

    `providers`: the provider table's rows, may be empty; `audited`: which lines to audit, over the columns of a line;
    `not_evaluated`: rule code → reason; `has_calls`, `has_visits`: whether there are such tables;
    `phone_matches`: as `phone_log.matches.matched`, of the audited claims' calls; empty without a phone log.
    `patients_with_rejected_*`: ids of patients with a rejected visit or line. `with_evidence`: whether it is published.
    """

    policy: Policy
    providers: pl.DataFrame
    codes: tuple[str, ...]
    audited: pl.Expr
    coverage: Coverage
    quality: QualityReport
    not_evaluated: Mapping[str, str]
    identity: Identity
    has_calls: bool
    has_visits: bool
    patients_with_rejected_visits: pl.Series
    patients_with_rejected_lines: pl.Series
    phone_matches: pl.DataFrame = field(default_factory=pl.DataFrame)
    with_evidence: bool = True
