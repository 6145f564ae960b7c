"""No check of the caller's identity on record.

What it checks: at least one call of the claim documents that the caller's identity was checked.

Why it matters: the service must have gone to the patient billed.

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
"""

from auditor.rules.documented import documented

RULE = documented("DOC005", "doc_identity", "that the caller's identity was checked", __doc__)
