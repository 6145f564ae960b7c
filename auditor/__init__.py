"""Batch audit of telephone claims billed as CPT 98968, and of 98966 and 98967 on request.

From Python: `audit`, and what docs/python.md names. The rest may change with any version.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.api import Audit, Table

__version__ = version("audit98968")


def audit(
    *,
    calls: "Table | None" = None,
    visits: "Table | None" = None,
    claims: "Table | None" = None,
    providers: "Table | None" = None,
    phone_log: "Table | None" = None,
    policy: str = "default",
    timezone: str | None = None,
    **options: Any,
) -> "Audit":
    """Audit the claims of an export: of claims alone, of calls and visits, or of all three.

    Each table is a polars frame, or a path or several as on the command line. `policy`: the name of a built-in policy or a
    file; its [run] table is not used. `timezone`: the IANA zone of the exports, where the policy does not set it.
    `options`: `as_of`, `visits_since`, `claims_since`, `service_from`, `service_to` (dates or texts), `codes`, `select`,
    `ignore`, `require` (lists), `max_rejects`, `allow_empty`, `allow_unjoined`, `database`, as on the command line.

    No ledger is kept, and nothing is written.

    Raises `auditor.errors.InputRefused` where the inputs cannot be audited, `auditor.errors.UsageError` for wrong options or
    a wrong policy.
    """
    from auditor import api  # light until it is called: help imports this package

    tables = {"calls": calls, "visits": visits, "claims": claims, "providers": providers, "phone_log": phone_log}
    return api.audited(tables, policy, timezone, options)
