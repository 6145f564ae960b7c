"""Every rule, in the order of the reports. A new rule is one file and one line in `SHIPPED`."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from auditor.errors import UsageError
from auditor.rules import (
    doc001_reason_not_documented,
    doc002_summary_not_documented,
    doc003_advice_not_documented,
    doc004_statement_not_documented,
    doc005_identity_not_documented,
    doc006_consent_not_documented,
    dur001_call_too_short,
    dur002_call_too_long,
    dur003_stated_time_exceeds_call,
    dur004_stated_time_exceeds_talk_time,
    elg001_not_patient_initiated,
    elg002_new_patient,
    elg003_physician_or_unlisted_credential,
    elg004_license_not_in_force,
    elg005_ineligible_caller,
    elg006_not_a_clinical_call,
    elg007_missing_modifier,
    elg008_direction_differs,
    exc001_bundled_same_day,
    frq001_repeat_within_7_days,
    frq002_other_telephone_code_within_7_days,
    frq003_more_than_one_unit,
    frq004_call_billed_twice,
    frq005_repeat_within_group,
    int001_claim_without_call,
    int002_call_does_not_match_claim,
    int003_overlapping_provider_time,
    int004_call_not_in_phone_log,
    lah001_visit_within_24_hours,
    lah002_soonest_available_visit,
    lbk001_related_visit_before_call,
    lbk002_within_postoperative_period,
    local,
)
from auditor.rules.rule import Rule
from auditor.schema.names import nearest

SHIPPED: tuple[Rule, ...] = (
    dur001_call_too_short.RULE,
    dur002_call_too_long.RULE,
    dur003_stated_time_exceeds_call.RULE,
    dur004_stated_time_exceeds_talk_time.RULE,
    lbk001_related_visit_before_call.RULE,
    lbk002_within_postoperative_period.RULE,
    lah001_visit_within_24_hours.RULE,
    lah002_soonest_available_visit.RULE,
    frq001_repeat_within_7_days.RULE,
    frq002_other_telephone_code_within_7_days.RULE,
    frq003_more_than_one_unit.RULE,
    frq004_call_billed_twice.RULE,
    frq005_repeat_within_group.RULE,
    elg001_not_patient_initiated.RULE,
    elg002_new_patient.RULE,
    elg003_physician_or_unlisted_credential.RULE,
    elg004_license_not_in_force.RULE,
    elg005_ineligible_caller.RULE,
    elg006_not_a_clinical_call.RULE,
    elg007_missing_modifier.RULE,
    elg008_direction_differs.RULE,
    doc001_reason_not_documented.RULE,
    doc002_summary_not_documented.RULE,
    doc003_advice_not_documented.RULE,
    doc004_statement_not_documented.RULE,
    doc005_identity_not_documented.RULE,
    doc006_consent_not_documented.RULE,
    exc001_bundled_same_day.RULE,
    int001_claim_without_call.RULE,
    int002_call_does_not_match_claim.RULE,
    int003_overlapping_provider_time.RULE,
    int004_call_not_in_phone_log.RULE,
)
ALL: tuple[Rule, ...]
"""The rules of the product, then the local ones. They are loaded when first asked for: a module of local rules imports this
package."""
CODES: tuple[str, ...]


@cache
def _all() -> tuple[Rule, ...]:
    return (*SHIPPED, *local.load())


def __getattr__(name: str) -> Any:
    if name == "ALL":
        return _all()
    if name == "CODES":
        return tuple(rule.code for rule in _all())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def select(option: str, selectors: Iterable[str]) -> tuple[str, ...]:
    """Codes, prefixes and names → rule codes, in report order. Raises UsageError, which suggests the nearest name."""
    chosen: set[str] = set()
    for selector in selectors:
        folded = selector.strip().casefold()
        hits = {
            rule.code for rule in _all() if folded and (rule.code.casefold().startswith(folded) or rule.name == folded)
        }
        if not hits:
            accepted = [name for rule in _all() for name in (rule.code, rule.name)]
            why = "; its package is not installed" if local.is_code(selector) else nearest(selector, accepted)
            raise UsageError(f"{option}: no rule {selector!r}{why}; `audit98968 rules list` shows all rules")
        chosen |= hits
    return tuple(rule.code for rule in _all() if rule.code in chosen)
