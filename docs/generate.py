"""Write the generated pages from the code itself. `make docs` writes them; a test checks that they are current."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from auditor.policy import load, shipped
from auditor.quality import checks
from auditor.rules import SHIPPED, pages
from auditor.run_options import RUN_OPTIONS
from auditor.run_summary import Summary
from auditor.schema import outputs
from auditor.schema.tables import TABLES, Column
from auditor.sources import known
from auditor.windows import LISTED
from auditor.windows.columns import RECORD, RELATED, Columns
from tests.support.catalogue import CANARY, Case, cases

FOLDER = Path(__file__).parent
_PRINTABLE = re.compile(rb"[\n -~]{1,2000}")
"""An input that a page shows."""


def rules_page() -> str:
    """Every rule's page, as `audit98968 rules show` prints it."""
    parts = ["# Rules", "`make docs` writes this page from the rules; `audit98968 rules show CODE` prints one of them."]
    for rule in SHIPPED:
        title, _, body = pages.page(rule).partition("\n\n")
        parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def tables_page() -> str:
    """Every canonical column with its kind, meaning, known headers and words."""
    parts = [
        "# Tables",
        "This page lists every column that the program reads. `make docs` writes it from `auditor/schema/tables.py`.",
        "A header of an export matches the column's name or one of the other headers listed here. Case, `_`, `-`, "
        "spaces, and dots make no difference. To map any other header, use `[columns.TABLE]` in a policy. An asterisk "
        "marks a required column.",
    ]
    for table in TABLES.values():
        rows = [
            f"| `{column.name}`{'*' if column.required else ''} | {column.kind.value} | {_meaning(column)} | "
            f"{', '.join(f'`{alias}`' for alias in column.aliases)} |"
            for column in table.columns.values()
        ]
        keys = " and ".join(f"`{key}`" for key in table.key)
        parts += [
            f"## {table.name}",
            f"One record per {keys}.",
            _table("column | kind | meaning | other headers", rows),
        ]
    return "\n\n".join(parts) + "\n"


def sources_page() -> str:
    """Every source that ships: what it reads of which columns, and what that rests on."""
    parts = [
        "# Sources that ship",
        "This page lists the systems whose exports are known. `make docs` writes it from `auditor/sources/known/`. "
        "`--source TABLE=NAME` takes the columns, zone, units, words and rows of a table from here; "
        "[the specification](specification.md#sources-that-ship) says how. A source is *verified* where its maker's "
        "description of the fields was read.",
    ]
    for name in known.names():
        content = known.content(name)
        parts += [f"## {name}", f"{content['system']}, {'verified' if content['verified'] else 'not verified'}."]
        parts += [_facts(table, content[table]) for table in TABLES if table in content]
        rests = [f"<{page['address']}> ({page['read']}): {page['says']}" for page in content["documentation"]]
        about = (
            ("Notes", content.get("notes")),
            ("Not confirmed by a description", content.get("unverified")),
            ("Rests on", rests),
        )
        parts += ["\n".join([f"{title}:\n", *(f"- {item}" for item in items)]) for title, items in about if items]
    return "\n\n".join(parts) + "\n"


def _facts(table: str, content: Mapping[str, Any]) -> str:
    """A source's table: the header of each column, then what else it sets, as a policy would."""
    rows = [
        f"| `{table}.{column}` | {_headers(names).replace(', ', ' + ')} |"
        for column, names in content["columns"].items()
    ]
    rows += [f"| time zone | {content['timezone']} |"] if "timezone" in content else []
    rows += [f"| time zone of `{column}` | {zone} |" for column, zone in content.get("timezones", {}).items()]
    rows += [f"| `instant_formats` | {_headers(content['instant_formats'])} |"] if "instant_formats" in content else []
    rows += [f"| `{column}`: {term} | {_headers(words)} |" for column, terms in content.get("values", {}).items()
             for term, words in terms.items()]  # fmt: skip
    rows += [f"| rows: {mode} `{header}` | {_headers(words)} |" for mode, columns in content.get("rows", {}).items()
             for header, words in columns.items()]  # fmt: skip
    return _table("column or key | header or value", rows)


def _headers(names: str | Sequence[str]) -> str:
    return ", ".join(f"`{name}`" if name else "a blank cell" for name in ([names] if isinstance(names, str) else names))


def _table(heads: str, rows: Iterable[str]) -> str:
    return "\n".join([f"| {heads} |", f"|{'---|' * len(heads.split(' | '))}", *rows])


def _meaning(column: Column) -> str:
    if not column.vocabulary:
        return column.meaning
    words = (
        f"**{term or 'blank'}**" + (f" ({', '.join(also)})" if also else "") for term, also in column.vocabulary.items()
    )
    return f"{column.meaning}: {'; '.join(words)}"


def errors_page() -> str:
    """Every message with its exit code and the smallest input that triggers it."""
    parts = [
        "# Messages",
        "This page lists every message with the smallest input that triggers it. `make docs` writes it from "
        "`tests/errors/`. A message says where the problem is, what it is, and what to do; it never quotes a value of a "
        "cell. Tables that an example does not show are valid. `rejects.csv` in the run's folder lists every rejected row "
        "with its reason.",
    ]
    by_code: dict[str, list[Case]] = {}
    for case in cases():
        by_code.setdefault(case.golden.split()[1], []).append(case)
    for code, found in sorted(by_code.items(), key=lambda item: int(item[0])):
        parts += [f"## Exit code {code}", *(_error(case) for case in found)]
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


def outputs_page() -> str:
    """Every file of a run folder with its columns and keys."""
    parts = [
        "# Outputs",
        "This page lists every file that a run writes for other programs. `report.html` and `report.xlsx` are for people. "
        "`make docs` writes this page from `auditor/schema/outputs.py` and `auditor/run_summary.py`; `audit98968 schema` "
        "prints the same content as JSON Schemas.",
        f"The schema_version is {outputs.VERSION}. It is in `summary.json` and in the metadata of every Parquet file.",
        "- Dollars are decimals with two places in Parquet and numbers in JSON.\n"
        "- Instants have the offset of the policy's zone.\n"
        "- A CSV cell that would start a formula has a `'` before it.",
    ]
    for name, columns in outputs.TABLES.items():
        forms = {"rejects": ("csv",), "evidence": ("parquet",)}.get(name, ("parquet", "csv"))
        rows = [
            f"| `{column.name}` | {column.type} | {column.meaning} | {column.null or 'never'} |"
            for column in columns.values()
        ]
        files = ", ".join(f"`{name}.{form}`" for form in forms)
        parts += [f"## {name}", files, _table("column | type | meaning | null", rows)]
    parts += ["## summary.json", _table("key | type | meaning", _keys("", Summary))]
    return "\n\n".join(parts) + "\n"


def _keys(place: str, model: type[BaseModel]) -> Iterator[str]:
    """A line for each key of a part of the summary, and those of its parts."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        many = {list: "[]", dict: ".*"}.get(get_origin(field.annotation), "")  # type: ignore[call-overload]
        key = f"{place}{field.alias or name}{many if inner else ''}"
        kind = re.sub(
            r"\b(?:typing|(?<!')datetime)\.|<class '(?:datetime\.)?(\w+)'>", r"\1", str(field.annotation)
        ).replace("|", "or")
        yield f"| `{key}` | {'object' if inner else kind} | {field.description or ''} |"
        if inner:
            yield from _keys(f"{key}.", inner)


def quality_page() -> str:
    """Every check of the exports: its page, when it judges, and the section of the specification."""
    parts = [
        "# Checks of the exports",
        "If a check finds a problem, the run refuses the exports, warns about them, or leaves rules unknown. "
        "`audit98968 check` shows the results. `make docs` writes this page from `auditor/quality/`.",
    ]
    for check in sorted(checks.ALL, key=lambda check: check.code):
        judged = f"The check runs {check.stage.value}; see the [specification]"
        page = re.sub(r"Source: docs/(\S+)\.$", rf"{judged}(\1).", (check.page or "").strip())
        parts.append(f"## {check.code} {check.name.replace('_', ' ')}\n\n{page}")
    return "\n\n".join(parts) + "\n"


def policy_page() -> str:
    """Every key of a policy with its default and meaning, and an example."""
    parts = [
        "# The policy",
        "This page lists every policy key with its default. `make docs` writes it from `auditor/policies/default.toml`; "
        "`audit98968 policies show default` prints that file.",
        "A policy file needs only the keys that it changes. An unknown key is an error, and the message suggests the "
        "nearest key. `audit98968 init` writes a first policy for your exports.",
    ]
    root = FOLDER.parent
    source = (root / "auditor" / "policies" / "default.toml").read_text(encoding="utf-8")
    source = re.sub(r"^# \[.*?(?=^\[)", "", source, flags=re.M | re.S)  # sections that are examples
    section, rows = "", {"": list[str]()}
    for line in source.splitlines():
        if found := re.match(r"\[(\w+)\] *(?:# (.*))?", line):
            section = found[1]
            rows[section] = [f"| | | {found[2].replace('|', 'or')} |"] if found[2] else []
        elif found := re.match(r'(?:# )?([\w.]+|".*?") = (.+?)(?:  +# (.*))?$', line):
            default = "not set" if line.startswith("#") else "a list" if found[2] == "[" else f"`{found[2]}`"
            rows[section].append(f"| `{found[1]}` | {default} | {(found[3] or '').replace('|', 'or')} |")
    for name, lines in rows.items():
        parts += [f"## [{name}]" if name else "## Top-level keys", _table("key | default | meaning", lines)]
    options = [f"| `{option.name}` | {option.help_text} |" for option in RUN_OPTIONS if option.in_policy]
    example = (root / "sample_data" / "policy.toml").read_text(encoding="utf-8").strip()
    parts += [
        "## [columns.TABLE]\n\nThe header in the export for a column of [tables.md](tables.md), or several headers that are "
        'joined with a space: `visit_start = ["Day", "Time"]`.',
        "## [values.TABLE.COLUMN]\n\nThe meaning of a value in the export: "
        '`seen = "completed"`, or `completed = ["seen", "arrived"]`.',
        "## [run]\n\nOptions of `audit98968 run`. A flag overrides a variable such as `AUDIT98968_FAIL_ON`; a variable "
        "overrides these keys. Relative paths begin at the folder of the policy; a file in `database` begins at the working "
        "folder.",
        _table("key | meaning", options),
        "## In an editor\n\n`audit98968 schema policy > policy.schema.json` writes a JSON Schema. "
        "With `#:schema ./policy.schema.json` as the first line of a policy, "
        "Even Better TOML and Taplo check it (`taplo check clinic.toml`).",
        f"## An example\n\n```toml\n{example}\n```",
        "## Built-in policies\n\n`audit98968 policies show NAME` prints a policy. None of them says that a payer covers the "
        "codes: each follows the sources below as far as they were read.",
        *map(_built_in, shipped()),
    ]
    return "\n\n".join(parts) + "\n"


def _built_in(name: str) -> str:
    """A built-in policy: its description, its sources, when they were read, and what they could not confirm."""
    policy = load(name)
    read = f"Sources read on {policy.verified_on}:" if policy.verified_on else "Sources (no date of reading):"
    sources = [f"- {source}" for source in policy.sources]
    doubts = ["", "Not verified:", "", *(f"- {text}" for text in policy.unverified)] if policy.unverified else []
    return "\n".join([f"### {name}", "", policy.description, "", read, "", *sources, *doubts])


def windows_page() -> str:
    """The columns that rules may name, by record set."""
    parts = [
        "# Columns that rules read",
        "A rule is evaluated on the rows of one record set. `make docs` writes this page from `auditor/windows/`; "
        "[local_rules.md](local_rules.md) says how to write a rule.",
        "## Every record set but `claim`",
        _columns(RECORD),
        *(
            part
            for name, columns in LISTED.items()
            for part in (
                f"## {name}",
                _columns({key: columns[key] for key in columns if columns[key] != RECORD.get(key)}),
            )
        ),
        "## In messages, beside the columns of `claim`",
        _columns(RELATED),
    ]
    return "\n\n".join(parts) + "\n"


def _columns(columns: Columns) -> str:
    rows = (f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in columns.items())
    return _table("column | type | meaning", rows)


PAGES = {
    "rules.md": rules_page,
    "windows.md": windows_page,
    "tables.md": tables_page,
    "sources.md": sources_page,
    "errors.md": errors_page,
    "outputs.md": outputs_page,
    "policy.md": policy_page,
    "quality.md": quality_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
