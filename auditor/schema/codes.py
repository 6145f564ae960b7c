"""Code lists and credentials: how a policy's lists are read and compared. Source: SPEC.md sections 2 and 9."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

FAMILY = ("98966", "98967", "98968")
AUDITED_BY_DEFAULT = ("98968",)

_FIVE_DIGITS = re.compile(r"\d{5}")
_RANGE = re.compile(r"(\d{5})-(\d{5})")


@dataclass(frozen=True)
class CodeList:
    """Single codes and ranges; a range holds five-digit codes only."""

    singles: frozenset[str]
    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> "CodeList":
        """Read entries such as `99202-99205` or `G0402`."""
        texts = [entry.strip().upper() for entry in entries]
        spans = [match for text in texts if (match := _RANGE.fullmatch(text))]
        return cls(
            frozenset(text for text in texts if not _RANGE.fullmatch(text)),
            tuple((int(span[1]), int(span[2])) for span in spans),
        )

    def __contains__(self, code: str) -> bool:
        """Whether the code is listed."""
        if code in self.singles:
            return True
        return bool(_FIVE_DIGITS.fullmatch(code)) and any(low <= int(code) <= high for low, high in self.ranges)


def credential_parts(credential: str) -> frozenset[str]:
    """The runs of letters of a credential, dots removed: `PA-C` is PA and C, `Ph.D.` is PHD."""
    return frozenset(re.findall(r"[A-Z]+", credential.replace(".", "").upper()))
