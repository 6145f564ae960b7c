"""The times of a column have a zone in every file, or in none.

What it checks: columns of times that have a zone in some Parquet files of a table, and none in others.

Why it matters: times without a zone are read in the policy's zone. If they are in another one, visits move by hours.

What to do: export all files alike, or set the zone of the others under `[timezones]`.

Source: docs/specification.md#instants.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """The columns of each table."""
    for table, files in exports.files.items():
        for column in {name: None for file in files for name in file.facts.zoned}:
            known = [(file.facts.zoned[column], file.path) for file in files if column in file.facts.zoned]
            zoned, local = ([path for is_zoned, path in known if is_zoned == wanted] for wanted in (True, False))
            if zoned and local:
                yield CHECK.warn(
                    f"{table}.{column}: times have a zone in {_named(zoned)} and no zone in {_named(local)}, where they are "
                    f"read in {exports.policy.zone_of(table, column)}",
                    f'if that is wrong, set [timezones] "{table}.{column}"',
                    table=table,
                    column=column,
                )


def _named(paths: list[str]) -> str:
    """The first file, and how many more there are."""
    more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return f"the file {paths[0]}{more}"


CHECK = Check("Q25", __name__, __doc__, judge, by_table=True)
