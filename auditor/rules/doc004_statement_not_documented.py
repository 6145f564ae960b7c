"""No statement on time and related visits on record.

What it checks: at least one call of the claim documents the statement on time and related visits.

Why it matters: the statement is what the code's limits rest on.

How to resolve: find it in the record and correct the export, or complete the note as the payer allows.

What it cannot see: the quality of the note; any text but a denial counts as documented.
"""

from auditor.rules.documented import documented

RULE = documented("DOC004", "doc_statement", "the statement on time and related visits", __doc__)
