"""Options that take one of a few words, and their completion."""

from collections.abc import Callable, Iterable
from typing import Any, get_args

import typer


def completing(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completion of the last word of a comma-separated list."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in known() if name.startswith(last)]

    return complete


def choice(words: Any, help: str) -> Any:
    """An option that takes one of the words of a Literal."""
    known = get_args(words)
    return typer.Option(metavar="|".join(known), help=help, autocompletion=completing(lambda: known))
