"""Write docs/rules.md from the rules themselves. `make docs` writes it; a test checks that it is current."""

from pathlib import Path

from auditor import pages
from auditor.rules import ALL

PATH = Path(__file__).parent / "rules.md"


def rules_page() -> str:
    """Every rule's page, as `audit98968 rules show` prints it."""
    parts = ["# Rules", "Written by `make docs` from the rules; `audit98968 rules show CODE` prints the same text."]
    for rule in ALL:
        title, _, body = pages.page(rule).partition("\n\n")
        parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PATH.write_text(rules_page(), encoding="utf-8")
