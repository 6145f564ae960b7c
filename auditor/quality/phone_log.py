"""The calls are in the phone log.

What it checks: how many calls of audited claims have a record in the phone log, of those that it covers.

Why it matters: if many have none, the log is of other lines, its clock or zone differs, or the policy lacks users of the
providers; then a call without a record says nothing, and INT004 is not evaluated.

What to do: list each provider's extensions, users and own numbers under `[phone_log.users]` in the policy, and set the
log's zone under `[timezones]`.

Source: docs/specification.md#phone-log.
"""

from collections.abc import Iterator
from typing import NamedTuple

from auditor.quality.issue import Check, Exports, Issue
from auditor.schema.names import counted

_TENTHS = 9
"""Calls inside the log that have a record, at least, for INT004."""
SPARSE = f"under {_TENTHS} in 10 calls of audited claims inside the phone log have a record there"
"""Why INT004 is not evaluated."""


class InPhoneLog(NamedTuple):
    """The audited claims' calls that the log covers, and those that have a record there."""

    calls: int
    matched: int

    @property
    def is_sparse(self) -> bool:
        """Whether too few have a record."""
        return 10 * self.matched < _TENTHS * self.calls


def judge(exports: Exports) -> Iterator[Issue]:
    """A log that has none of the calls, or too few records of them."""
    found = exports.in_phone_log
    if found and not found.calls:
        yield CHECK.warn(
            "phone_log: no call of an audited claim is of a provider in the phone log and within its dates, so the rules of "
            "the phone log are unknown",
            "list each provider's extensions, users and own numbers under [phone_log.users] in the policy",
            table="phone_log",
        )
    elif found and found.is_sparse:
        yield CHECK.undecidable(
            f"phone_log: {found.matched:,} of {counted(found.calls, 'call')} of audited claims inside the log have a record "
            "there, so INT004 is not evaluated",
            "set the log's zone under [timezones], and complete [phone_log.users] in the policy",
            ("INT004",),
            table="phone_log",
        )


CHECK = Check("Q32", __name__, __doc__, judge)
