"""What the rules of the phone log have in common."""

from auditor.rules.reasons import always
from auditor.rules.rule import Why

NEEDS = (("phone_log",), ("calls",))
READS = (
    "calls.purpose",
    *(f"phone_log.{name}" for name in ("record_id", "extension", "user", "from_number", "to_number", "direction")),
    *(f"phone_log.{name}" for name in ("call_end", "talk_seconds")),
)
"""The columns by which calls find their records."""

NO_LOG = "no phone_log in the inputs"
"""Why the rules are not evaluated without a phone log."""


def why_unknown(own: str) -> Why:
    """Why one of the rules is unknown."""
    return always(f"a call has no record, or the log does not cover it or its provider; or {own}")
