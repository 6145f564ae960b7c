"""What the windows look at."""

from dataclasses import dataclass

import polars as pl

from auditor.billing import Billing
from auditor.coverage import Coverage
from auditor.normalise import Table
from auditor.policy import Policy

HOUR = 3_600_000_000
"""Microseconds in an hour."""


@dataclass(frozen=True)
class Facts:
    """What the windows look at. `calls` carry their `end`; `providers` may be empty.

    `tainted_lines` are the patients with a rejected line.
    """

    billing: Billing
    calls: pl.DataFrame
    visits: Table
    providers: pl.DataFrame
    tainted_lines: pl.Series
    has_claims_table: bool
    coverage: Coverage
    policy: Policy
    codes: tuple[str, ...]
