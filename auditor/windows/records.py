"""The records of some patients, which the windows look at."""

from dataclasses import dataclass

import polars as pl

from auditor.audit_context import AuditContext
from auditor.billing.lines import Billing


@dataclass(frozen=True)
class PatientRecords:
    """The records of some patients.

    `near_providers`: as `relationships.near_providers`, of lines with any code, and `family`: whether it holds among the
    lines of the family too. `visits` are classified (`windows.visits`); `calls` have the patient_id and call_id of each
    call. `provider_calls` are spans (`windows.calls`) of the calls of the claims' providers, whoever the patient.
    """

    context: AuditContext
    billing: Billing
    near_providers: pl.DataFrame
    visits: pl.DataFrame
    calls: pl.DataFrame
    provider_calls: pl.DataFrame
    has_claims_table: bool

    @property
    def compares_calls(self) -> bool:
        """Whether there is a table of claims, and one of calls to find their calls in."""
        return self.has_claims_table and self.context.has_calls
