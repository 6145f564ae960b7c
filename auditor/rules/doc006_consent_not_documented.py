"""No consent of the patient on record.

What it checks: at least one call of the claim documents the patient's consent to the service (`doc_consent`). The rule is
evaluated only if the policy asks for it: `[required] consent = true`, as the policy `medicare` does.

Why it matters: some payers pay for services by telephone only if the patient agreed to them, because the patient may owe
a share of the cost.

How to resolve: find the consent in the record and correct the export. If the payer lets one consent hold for a year, look
in the notes of the months before the call, too.

What it cannot see: who gave the consent, when, and for what; any text but a denial counts as documented.
"""

from dataclasses import replace

from auditor.rules.documented import documented

_RULE = documented("DOC006", "doc_consent", "the patient's consent", __doc__)
RULE = replace(
    _RULE,
    since="0.3.0",
    asked=lambda policy: () if policy.required.consent else None,
    cites=("the payer's requirements, which the policy cites",),
    examples=f"\n    policy: required.consent = true{_RULE.examples}",
)
