"""The provider had no license on the service date.

What it checks: the service date is within the provider's license, first and last day included. If one of the two dates
is blank, the license has no limit on that side.

Why it matters: services outside the license are not payable.

How to resolve: check the license with the state board and correct the providers table.

What it cannot see: suspensions, and licenses of other states.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import days

_BEFORE = pl.col("service_date") < pl.col("license_start")
_AFTER = pl.col("service_date") > pl.col("license_end")
_EARLY = (pl.col("license_start") - pl.col("service_date")).dt.total_days()
_LATE = (pl.col("service_date") - pl.col("license_end")).dt.total_days()

RULE = Rule(
    code="ELG004",
    name="license-not-in-force",
    page=__doc__,
    over="claim",
    violation=_BEFORE.fill_null(False) | _AFTER.fill_null(False),
    conclusive=~pl.col("provider_rounded"),
    dated=True,
    unknown=(pl.col("license_start").is_null() & pl.col("license_end").is_null()) | pl.col("provider_unsure"),
    needs=(("providers.license_start", "providers.license_end"),),
    message=pl.when(_BEFORE)
    .then(pl.format("the service date is {} before the provider's license begins", days(_EARLY)))
    .otherwise(pl.format("the service date is {} after the provider's license ended", days(_LATE))),
    nothing="the service date is within the provider's license",
    why_unknown=always("the provider is not in the providers table, or both license dates are blank"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, qualified professional; state licensing law",),
    examples="""
    record | patient | start            | provider | license_start | license_end | expect
    a      |         |                  |          | 2026-01-01    | 2026-03-02  |
    b      |         |                  |          |               | 2026-03-01  |
    d      |         |                  |          | 2026-03-02    |             |
    k1     | p1      | 2026-03-02 09:00 | b        |               |             | violation
    k2     | p2      | 2026-03-02 09:00 | a        |               |             | clear
    k3     | p3      | 2026-03-02 09:00 | c        |               |             | unknown
    k4     | p4      | 2026-03-02 09:00 | d        |               |             | clear
    k5     | p5      | 2026-03-01 09:00 | d        |               |             | violation
    """,
)
