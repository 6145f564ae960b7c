"""Write the manual page from the commands' own help and from README.md. `make docs` writes it; a test keeps it current."""

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from auditor import __version__
from cli.app import app

PAGE = Path(__file__).parent / "audit98968.1"
_README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
_DATE = "2026-11-23"
"""Of the release."""


def page() -> str:
    """Return the whole page as roff."""
    root = get_command(app)
    commands = _commands(root, "audit98968")
    runs = dict(commands)["audit98968 run"]
    lines = [
        f'.TH AUDIT98968 1 {_DATE} "audit98968 {__version__}"',
        *_section("NAME", f"audit98968 - {root.help[0].lower()}{root.help[1:].rstrip('.')}"),
        ".SH SYNOPSIS",
        *_joined([f"\\fB{_plain(name)}\\fR {_plain(_usage(command, name))}" for name, command in commands]),
        *_section("DESCRIPTION", _paragraph("A batch auditor")),
        ".SH COMMANDS",
    ]
    for name, command in [("audit98968", root), *commands]:
        lines += [f'.SS "{_plain(name)} {_plain(_usage(command, name))}"']
        if command is not root:
            lines += _joined([_plain(" ".join(text.split())) for text in command.help.split("\n\n")], ".PP")
        for label, text in _records(command, name)[: None if command is root else -1]:  # each ends with --help
            lines += [".TP", f"\\fB{_plain(label)}\\fR", _plain(text)]
    lines += [".SH EXIT STATUS"]
    for code, meaning in re.findall(r"^\| ([\d, ]+) \| (.+) \|$", _README, re.MULTILINE):
        lines += [".TP", f"\\fB{code}\\fR", _plain(_bare(meaning))]
    lines += _section(
        "ENVIRONMENT", "Variables set options of run and check. A flag overrides a variable; a variable overrides the "
        "[run] table of the policy. Separate paths with colons; switches take yes or no."
    )  # fmt: skip
    for option in runs.params:
        if option.name != "print_settings":
            lines += [".TP", f"\\fBAUDIT98968_{option.name.upper()}\\fR", f"As \\fB{_plain(option.opts[0])}\\fR."]
    lines += [".TP", "\\fBNO_COLOR\\fR", "No color on a terminal."]
    lines += _section("FILES", _paragraph("`--out DIR` creates"))
    lines += [".SH EXAMPLES", ".EX"]
    lines += [_plain(command.epilog.removeprefix("Example: ")) for _, command in commands]
    lines += [".EE"]
    return "\n".join(lines) + "\n"


def _commands(group: Any, name: str) -> list[tuple[str, Any]]:
    """Every command that does something, with its whole name."""
    found = []
    for word, command in group.commands.items():
        full = f"{name} {word}"
        found += _commands(command, full) if hasattr(command, "commands") else [(full, command)]
    return found


def _context(command: Any, name: str) -> Any:
    return command.make_context(name, [], resilient_parsing=True)


def _usage(command: Any, name: str) -> str:
    return " ".join(command.collect_usage_pieces(_context(command, name)))


def _records(command: Any, name: str) -> list[tuple[str, str]]:
    context = _context(command, name)
    return [record for option in command.get_params(context) if (record := option.get_help_record(context))]


def _section(title: str, text: str) -> list[str]:
    return [f".SH {title}", _plain(text)]


def _joined(texts: list[str], between: str = ".br") -> list[str]:
    return [line for text in texts for line in (between, text)][1:]


def _paragraph(beginning: str) -> str:
    """The paragraph of README.md that begins so."""
    return _bare(next(text for text in _README.split("\n\n") if text.startswith(beginning)))


def _bare(markdown: str) -> str:
    return " ".join(re.sub(r"[`*]", "", markdown).split())


def _plain(text: str) -> str:
    """Text that roff takes as it is."""
    return re.sub(r"^(?=[.'])", r"\\&", text.replace("\\", "\\e").replace("-", "\\-"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
