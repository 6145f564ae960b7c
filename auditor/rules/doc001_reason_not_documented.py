"""No reason for the call on record.

What it checks: at least one call of the claim documents the reason for the call.

Why it matters: the reason shows that the patient asked for care.

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
"""

from auditor.rules.documented import documented

RULE = documented("DOC001", "doc_reason", "the reason for the call", __doc__)
