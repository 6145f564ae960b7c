"""The text of a policy file, and what is wrong with it: messages name the file, the line and the key."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.errors import UsageError

Problem = tuple[tuple[str, ...], str]
"""The path of a key, and what is wrong with it."""


@dataclass(frozen=True)
class PolicyText:
    """A policy as it is written. `where`: its file or name, as messages begin."""

    where: str
    text: str

    def fault(self, path: tuple[str, ...], problem: str) -> UsageError:
        """The error that names the line of a key, and what is wrong with it."""
        line = self._line_of(path)
        return UsageError(f"{self.where}{f', line {line}' if line else ''}: {'.'.join(path)}: {problem}")

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Raise UsageError for what is wrong with these keys, if anything: all of it, in the order of the file."""
        lines = sorted((self._line_of(path) or 0, str(self.fault(path, problem))) for path, problem in problems)
        if lines:
            first, *others = (line for _, line in lines)
            raise UsageError("; ".join([first, *(other.removeprefix(f"{self.where}, ") for other in others)]))

    def _line_of(self, path: tuple[str, ...]) -> int | None:
        """The line that sets a key, or its nearest enclosing table: TOML readers keep no positions."""
        table: tuple[str, ...] = ()
        best: tuple[int, int] | None = None
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := re.match(r"\s*\[+([^\]]+)\]", line):
                table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
                here = table
            elif key := re.match(r"\s*([\w\-. \"']+?)\s*=", line):
                here = (*table, *(part.strip().strip("\"'") for part in key[1].split(".")))
            else:
                continue
            if here == path[: len(here)] and (best is None or len(here) > best[0]):
                best = (len(here), number)
        return best[1] if best else None
