"""No advice on record.

What it checks: at least one call of the claim documents the advice that was given.

Why it matters: advice shows assessment and management.

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
"""

from auditor.rules.documented import documented

RULE = documented("DOC003", "doc_advice", "the advice that was given", __doc__)
