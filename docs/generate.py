"""Write the generated pages from the code itself. `make docs` writes them; a test checks that they are current."""

from pathlib import Path

from auditor import pages
from auditor.rules import ALL
from auditor.tables import TABLES, Column

FOLDER = Path(__file__).parent


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
        "Written by `make docs` from `auditor/tables.py`. Headers match without case, `_`, `-`, spaces and dots, against "
        "the column's name and the other headers given here; `[columns.TABLE]` in a policy maps the rest. An asterisk "
        "marks a required column.",
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


PAGES = {"rules.md": rules_page, "tables.md": tables_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
