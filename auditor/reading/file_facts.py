"""What reading a file finds beside its rows. Source: docs/specification.md#files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Word = tuple[str, str, str]
"""`keep` or `drop`, a header, and a word of the policy's [rows]."""


@dataclass(frozen=True)
class FileFacts:
    """Counts and marks of a file, or of some of its rows; those of parts add up.

    `left_out`: rows that are neither used nor rejected, `headers`: those of them that repeat the header. `words`: the words
    of [rows] that some row has. `unread`: of unread columns up to two digests of different values. `zoned`: of columns of
    instants with a type of their own, whether it has a zone.
    """

    left_out: int = 0
    headers: int = 0
    words: frozenset[Word] = frozenset()
    unread: Mapping[str, frozenset[str]] = field(default_factory=dict)
    zoned: Mapping[str, bool] = field(default_factory=dict)

    def __add__(self, other: "FileFacts") -> "FileFacts":
        """Of both."""
        unread = {
            name: frozenset(sorted(self.unread.get(name, frozenset()) | other.unread.get(name, frozenset()))[:2])
            for name in {**self.unread, **other.unread}
        }
        return FileFacts(
            self.left_out + other.left_out,
            self.headers + other.headers,
            self.words | other.words,
            unread,
            {**self.zoned, **other.zoned},
        )
