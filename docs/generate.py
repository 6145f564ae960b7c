"""Write the generated pages from the code itself. `make docs` writes them; a test checks that they are current."""

import re
import shlex
from pathlib import Path

from auditor.rules import ALL, pages
from auditor.schema.tables import TABLES, Column
from tests.support.catalogue import CANARY, Case, cases

FOLDER = Path(__file__).parent
_PRINTABLE = re.compile(rb"[\n -~]{1,2000}")
"""An input that a page shows."""


def rules_page() -> str:
    """Every rule's page, as `audit98968 rules show` prints it."""
    parts = ["# Rules", "Written by `make docs` from the rules; `audit98968 rules show CODE` prints the same text."]
    for rule in ALL:
        title, _, body = pages.page(rule).partition("\n\n")
        parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def tables_page() -> str:
    """Every canonical column with its kind, meaning, known headers and words."""
    parts = [
        "# Tables",
        "Written by `make docs` from `auditor/schema/tables.py`. Headers match without case, `_`, `-`, spaces and dots, "
        "against the column's name and the other headers given here; `[columns.TABLE]` in a policy maps the rest. "
        "An asterisk marks a required column.",
    ]
    for table in TABLES.values():
        rows = [
            f"| `{column.name}`{'*' if column.required else ''} | {column.kind.value} | {_meaning(column)} | "
            f"{', '.join(f'`{alias}`' for alias in column.aliases)} |"
            for column in table.columns.values()
        ]
        head = "| column | kind | meaning | other headers |\n|---|---|---|---|\n"
        parts.append(
            f"## {table.name}\n\nOne record per {' and '.join(f'`{key}`' for key in table.key)}.\n\n{head}"
            + "\n".join(rows)
        )
    return "\n\n".join(parts) + "\n"


def _meaning(column: Column) -> str:
    if not column.vocabulary:
        return column.meaning
    words = "; ".join(
        f"**{term}**" + (f" ({', '.join(also)})" if also else "") for term, also in column.vocabulary.items()
    )
    return f"{column.meaning}: {words}"


def errors_page() -> str:
    """Every message with its exit code and the least input that calls it forth."""
    parts = [
        "# Messages",
        "Written by `make docs` from `tests/errors/`, where each message lies beside the least input that calls it forth. "
        "A message says where, what, and what to do; it never quotes a cell. Tables that a case does not show are in order. "
        "Rejected rows are in `rejects.csv` of the run's folder, each with its reason.",
    ]
    by_code: dict[str, list[Case]] = {}
    for case in cases():
        by_code.setdefault(case.golden.split()[1], []).append(case)
    for code, found in sorted(by_code.items(), key=lambda item: int(item[0])):
        parts += [f"## Exit {code}", *(_error(case) for case in found)]
    return "\n\n".join(parts) + "\n"


def _error(case: Case) -> str:
    parts = [f"### {case.name}", _fenced(case.golden.partition("\n")[2]), case.preparation]
    if (case.folder / "arguments").exists():
        parts.append(_fenced(shlex.join(["audit98968", *case.arguments(case.folder)])))
    for name, path in case.inputs.items():
        data = path.read_bytes()
        parts.append(f"`{name}`" + ("" if _PRINTABLE.fullmatch(data) else f": {len(data)} bytes"))
        if _PRINTABLE.fullmatch(data):
            parts.append(_fenced(data.decode()))
    if (rejects := case.folder / "rejects.csv").exists():
        parts += ["`rejects.csv`", _fenced(rejects.read_text(encoding="utf-8"))]
    return "\n\n".join(part for part in parts if part)


def _fenced(text: str) -> str:
    shown = text.rstrip().replace(f"-{CANARY}", "").replace(CANARY, "name")
    return f"```\n{shown}\n```" if shown else ""


PAGES = {"rules.md": rules_page, "tables.md": tables_page, "errors.md": errors_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
