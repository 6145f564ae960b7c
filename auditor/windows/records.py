"""The records of some patients, which the windows look at."""

from collections.abc import Mapping
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


def paired(claims: pl.DataFrame, others: pl.DataFrame, days: Mapping[str, pl.Expr], near: pl.Expr) -> pl.DataFrame:
    """Claims with other records of their patients where `near` holds, and the `days` between them.

    Most pairs of a patient are far apart: they are found by the few columns that tell, and only the near ones are filled.
    """
    read = {name for value in (near, *days.values()) for name in value.meta.root_names()} | {"patient_id"}
    own, other = (
        side.lazy().select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(at), *(read & {*side.columns}))
        for side, at in ((claims, "_own"), (others, "_other"))
    )
    pairs = own.join(other, on="patient_id").with_columns(**days).filter(near).select("_own", "_other", *days).collect()
    filled = claims[pairs["_own"]], others.drop("patient_id")[pairs["_other"]], pairs.select(*days)
    return pl.concat(filled, how="horizontal")
