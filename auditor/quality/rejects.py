"""Nearly all rows can be used.

What it checks: whether a table has rows, whether more of its rows are rejected (without duplicates) than `--max-rejects`
allows, and whether more of its rows with an audited code are.

Why it matters: a rejected visit is not found, and a rejected call is not audited. Many rejects usually
mean a wrong column, unit, or format, not single typing errors.

What to do: look at the reasons (`audit98968 check`, `rejects.csv`) and correct the policy or the export. Give
`--max-rejects` or `--allow-empty` if the export is correct.

Source: docs/specification.md#refusals.
"""

import re
from collections.abc import Iterator, Sequence

import polars as pl

from auditor.errors import UsageError
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.profile import TableProfile
from auditor.reading import ingest
from auditor.reading.file_facts import FileFacts
from auditor.reading.ingest import SourceFile

_REASONS = 3
"""Reasons that a message names at most."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Tables without rows, or with too many rejects."""
    settings = exports.settings
    for name, table in exports.tables.items():
        rows = sum(file.records for file in exports.files[name])
        if not rows and not settings.allow_empty:
            paths = ", ".join(map(ingest.shown, settings.paths[name]))
            yield _no_rows(name, paths, exports)
        used, rejected_billed = billed(exports.profiles[name], settings.codes) if name in exports.profiles else (0, 0)
        for rejected, total, kind in (
            (int(table.faulty["count"].sum()), rows, "rows"),
            (rejected_billed, used + rejected_billed, "billed rows"),
        ):
            if rejected > _allowed(settings.max_rejects, total):
                yield CHECK.refuse(
                    f"{name}: {rejected} of {total} {kind} were rejected, more than --max-rejects {settings.max_rejects}; "
                    f"the most frequent reasons: {'; '.join(_most_frequent(table.faulty))}",
                    f"{_way_out(name, table.faulty, exports.files[name])}`audit98968 check` shows the rest"
                    + _null_word(table.faulty),
                    table=name,
                )


def _no_rows(table: str, paths: str, exports: Exports) -> Issue:
    """A table without rows, perhaps because the policy leaves out all of them."""
    facts = sum((file.facts for file in exports.files[table]), FileFacts())
    choice, left_out = exports.policy.rows.get(table), facts.left_out - facts.headers
    if choice is None or not left_out:
        held = "".join(f" ({fact})" for file in exports.files[table] for fact in file.understood)
        return CHECK.refuse(f"{table}: no rows in {paths}{held}", "if that is correct, give --allow-empty", table=table)
    keys = " and ".join(key for key, columns in (("keep", choice.keep), ("drop", choice.drop)) if columns)
    return CHECK.refuse(
        f"{table}: [rows.{table}] {keys} in the policy leaves out every row ({left_out:,}) of {paths}",
        "correct its words, or give --allow-empty if the table has no records",
        table=table,
    )


def _way_out(name: str, faulty: pl.DataFrame, files: Sequence[SourceFile]) -> str:
    """How to leave out rows that are no records, where a required cell is blank in the most of them."""
    common = next(iter(_most_frequent(faulty)), "")
    column = common.removesuffix(" is blank")
    headers = next((file.mapping[column] for file in files if column in file.mapping), ())
    if common != f"{column} is blank" or len(headers) != 1:
        return ""
    return f'if these rows are no records, leave them out: [rows.{name}] drop = {{ "{headers[0]}" = [""] }}; '


def billed(profile: TableProfile, codes: Sequence[str]) -> tuple[int, int]:
    """The rows of a table with one of the codes: used, and rejected other than as duplicates."""
    used, rejected = (
        sum(by_code.get(code, 0) for code in codes) for by_code in (profile.billed_used, profile.billed_rejected)
    )
    return used, rejected


def _most_frequent(faulty: pl.DataFrame) -> list[str]:
    counts = faulty.group_by("reason").agg(pl.sum("count")).sort("count", "reason", descending=[True, False])
    return counts["reason"].head(_REASONS).to_list()


def _null_word(faulty: pl.DataFrame) -> str:
    """What to do where a value that means a blank repeats."""
    counts = faulty.filter(pl.col("reason").str.contains(" is not a")).group_by("reason").agg(pl.sum("count"))
    unread = (counts["count"] > 1).any()
    return (
        "; if a value that cannot be read repeats and means a blank, add it to `nulls` in the policy" if unread else ""
    )


def limit(origin: str, text: str) -> str:
    """What `--max-rejects` says. Raises UsageError for what is neither rows nor a percentage."""
    if not re.fullmatch(r"\d+|\d+(\.\d+)?%", text):
        raise UsageError(f"{origin}: must be a number of rows or a percentage, such as 10 or 0.5%")
    return text


def _allowed(max_rejects: str, rows: int) -> float:
    return float(max_rejects[:-1]) / 100 * rows if max_rejects.endswith("%") else float(max_rejects)


CHECK = Check("Q01", __name__, __doc__, judge, Stage.READ)
