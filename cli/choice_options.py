"""Options that take one of a few values, and their completion."""

from collections.abc import Callable, Iterable
from typing import Any, get_args

import typer


def completing(candidates: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completion of the last word of a comma-separated list."""

    def completions(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in candidates() if name.startswith(last)]

    return completions


def choice(literal: Any, help: str) -> Any:
    """An option that takes one of the words of a Literal."""
    accepted = get_args(literal)
    return typer.Option(metavar="|".join(accepted), help=help, autocompletion=completing(lambda: accepted))
