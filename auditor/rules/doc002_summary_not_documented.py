"""No summary of the discussion on record.

What it checks: at least one call of the claim documents a summary of the discussion.

Why it matters: the summary supports the time and the service.

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
"""

from auditor.rules.documented import documented

RULE = documented("DOC002", "doc_summary", "a summary of the discussion", __doc__)
