"""Typer's options and groups of commands, made of what is declared."""

import inspect
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from auditor.run_options import RUN_OPTIONS, RunOption

group = partial(typer.Typer, no_args_is_help=True, rich_markup_mode=None)
"""A program of several commands, which shows its help if none is given."""


def rule_names() -> Iterable[str]:
    """For completion: codes and names of rules."""
    from auditor.rules import ALL

    return [name for rule in ALL for name in (rule.code, rule.name)]


def policy_names() -> Iterable[str]:
    """For completion: the policies that ship."""
    from auditor.policy import shipped

    return shipped()


def _timezones() -> Iterable[str]:
    from auditor import zones

    return sorted(zones.names())


_TYPES = {"rules": rule_names, "policy": policy_names, "timezone": _timezones}


def completing(candidates: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completion of the last word of a comma-separated list."""

    def completions(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in candidates() if name.startswith(last)]

    return completions


def argument(metavar: str, help: str, **more: Any) -> Any:
    """An argument with its help."""
    return typer.Argument(metavar=metavar, help=help, **more)


def option(metavar: str, help: str, **more: Any) -> Any:
    """An option that takes a value."""
    return typer.Option(metavar=metavar, help=help, **more)


def switch(flag: str, help: str) -> Any:
    """An option that is given or not."""
    return typer.Option(flag, help=help)


def choice(literal: Any, help: str) -> Any:
    """An option that takes one of the words of a Literal."""
    accepted = get_args(literal)
    return typer.Option(metavar="|".join(accepted), help=help, autocompletion=completing(lambda: accepted))


def require_choice(origin: str, text: str, choices: Collection[str]) -> None:
    """Raise UsageError, naming the option or variable, if the text is not one of the choices."""
    from auditor.errors import UsageError
    from auditor.schema.names import nearest

    if text not in choices:
        raise UsageError(f"{origin}: {text!r} is not one of {', '.join(choices)}{nearest(text, choices)}")


class GroupedCommand(TyperCommand):
    """A command whose help shows its declared options under their headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, the command's own last."""
        heading = {option.name: option.group for option in RUN_OPTIONS}
        groups: dict[str, list[tuple[str, str]]] = {option.group: [] for option in RUN_OPTIONS}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(heading.get(str(parameter.name), "Options"), []).append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def with_options(options: Iterable[RunOption]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command these declared options before its own; None stands for one not given."""

    def decorated(command: Callable[..., int]) -> Callable[..., int]:
        own = inspect.signature(command).parameters.values()
        parameters = [*map(_parameter, options), *(each for each in own if each.kind is each.KEYWORD_ONLY)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorated


def _parameter(option: RunOption) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    if option.kind == "switch":
        switch = Annotated[bool, typer.Option(option.flag, help=option.help_text)]
        return inspect.Parameter(option.name, keyword, default=False, annotation=switch)
    accepted = _TYPES.get(option.kind) or ((lambda: option.choices) if option.choices else None)
    declared = typer.Option(
        option.flag,
        metavar=option.metavar or "|".join(option.choices),
        help=option.help_text,
        autocompletion=completing(accepted) if accepted else None,
    )
    kind = list[str] if option.kind == "paths" else str
    return inspect.Parameter(option.name, keyword, default=None, annotation=Annotated[kind | None, declared])
