"""The checks of every cell in SQL, then the core question: `python -m benchmarks.checks EXPORT FINDINGS`.

What it counts goes beside the findings as JSON, in the words of the auditor's summary. As the core question, it handles only
what the generated Parquet exports hold.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from auditor.schema.tables import TABLES, Column, Kind, TableSpec, fold_term
from benchmarks import duck
from benchmarks.columns import ZONE
from benchmarks.lists import POLICY

_MACROS = f"""
create macro fold(word) as translate(lower(trim(word)), '_- ', '');
create macro shown(word) as trim(regexp_replace(word, '[\\p{{Cf}}\\p{{Cc}}]', '', 'g'));
create macro dressed(word) as regexp_matches(word, '[\\p{{Cf}}\\p{{Cc}}]|^\\s*(?:="|'')');
create macro utc(instant) as timezone('{ZONE}', instant);
create macro listed(list) as list_sort(list_distinct(codes(list)));
"""
_MANY = ("call_id", "visit_id", "patient_id", "claim_id")
"""Columns of many different texts."""
_NULLS = ", ".join(f"'{word.casefold()}'" for word in tomllib.loads(POLICY.read_text(encoding="utf-8"))["nulls"])
_LONGEST = {Kind.MINUTES: 1440, Kind.SECONDS: 86400}


def checked(export: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What the rows of both tables say, of every column. `connection` has the core question's macros and views."""
    connection.execute(_MACROS)
    message_text: dict[str, Any] = {"rejects": [], "unrecognised": [], "inputs": [], "joins": []}
    for table in ("calls", "visits"):
        file = export / f"{table}.parquet"
        connection.execute(f"create view every_{table} as from read_parquet('{file}', file_row_number = true)")
        types = dict(row[:2] for row in connection.execute(f"describe every_{table}").fetchall())
        there = [column for name, column in TABLES[table].columns.items() if name in types]
        packed = [column for column in there if types[column.name] == "VARCHAR" and column.name not in _MANY]
        for column in packed:  # of few different texts, each is looked at once
            name = column.name
            connection.execute(
                f"create temp table {name}_of_{table} as select {name}, count(*) as n from every_{table} group by 1"
            )
            counts = ", ".join(_counts(column, "VARCHAR", "sum(n)"))
            connection.execute(f"create temp table cells_{name}_{table} as select {counts} from {name}_of_{table}")
        counts = ", ".join(
            count for column in there if column not in packed for count in _counts(column, types[column.name])
        )
        connection.execute(f"create temp table cells_{table} as select {counts} from every_{table}")
        message_text["unrecognised"] += _unrecognised(connection, table, there)
        _say(connection, table, there)
        rejects = _rejects(connection, TABLES[table], there, types)
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        (rows,) = connection.execute(f"select count(*) from every_{table}").fetchone() or (0,)
        message_text["inputs"].append([table, digest, rows, sum(count for *_, count in rejects)])
        message_text["rejects"] += rejects
    for name in ("patient_id", "provider_id"):
        found = f"select count(distinct {name}) from lines where {name} in (select {name} from every_visits)"
        counts = connection.execute(f"select count(distinct {name}), ({found}) from lines").fetchone() or ()
        message_text["joins"].append([f"visits.{name}", *counts])
    return message_text


def _counts(column: Column, kind: str, rows: str = "count(*)") -> Iterator[str]:
    """Aggregates that look at every cell: what is blank, a null word, dressed, rounded, out of range, or midnight."""
    name = column.name
    yield f"{rows} filter ({name} is not null)"
    if kind == "VARCHAR":
        yield f"{rows} filter (trim({name}) = '' or lower(trim({name})) in ({_NULLS}))"
        yield f"{rows} filter (dressed({name})), max(strlen({name}))"
    if name.endswith("_id"):
        yield rf"{rows} filter (regexp_full_match({name}, '\d+(?:[.,]\d+[eE][+-]?|[eE][+-])\d{{1,2}}'))"
    if kind.startswith("TIMESTAMP"):
        yield f"{rows} filter (year({name}) not between 2 and 9998), {rows} filter ({name}::time = '00:00')"
        yield f"{rows} filter (timezone('{ZONE}', utc({name})) <> {name}), max(utc({name})), min(utc({name}))"


def _unrecognised(connection: duckdb.DuckDBPyConnection, table: str, columns: list[Column]) -> list[list[Any]]:
    """Words that no vocabulary knows, with their rows."""
    found = []
    for column in (column for column in columns if column.kind == Kind.TERM):
        words = {fold_term(word) for term, others in (column.vocabulary or {}).items() for word in (term, *others)}
        known = ", ".join(f"'{word}'" for word in sorted(words))
        found += connection.execute(
            f"select '{table}', '{column.name}', shown({column.name}) as value, sum(n)::int from {column.name}_of_{table} "
            f"where trim({column.name}) <> '' and fold({column.name}) not in ({known}) group by value order by value"
        ).fetchall()
    return [list(row) for row in found]


def _say(connection: duckdb.DuckDBPyConnection, table: str, columns: list[Column]) -> None:
    """What is counted by day, hour, patient, provider and list, and which codes no list knows."""
    at = "call_start" if table == "calls" else "visit_start"
    for name, what in {
        "days": f"select {at}::date, count(*) from every_{table} group by 1",
        "hours": f"select hour({at}), count(*) from every_{table} group by 1",
        "patients": f"select patient_id, count(*) from every_{table} group by 1 having count(*) * 1000 > "
        f"(select count(*) from every_{table}) or regexp_matches(patient_id, '(?i)^(?:0|-1|9{{3,}}|unknown|test)$')",
        "few": f"select approx_count_distinct(patient_id), approx_count_distinct(provider_id) from every_{table}",
    }.items():
        connection.execute(f"create temp table {name}_{table} as {what}")
    for column in (column for column in columns if column.is_list):
        split = "listed" if column.kind == Kind.CODES else "categories"
        connection.execute(
            f"create temp table {column.name}_{table} as select unnest({split}({column.name})) as item, sum(n) as count "
            f"from {column.name}_of_{table} group by 1"
        )


def _rejects(
    connection: duckdb.DuckDBPyConnection, spec: TableSpec, columns: list[Column], types: dict[str, str]
) -> list[list[Any]]:
    """Rows that cannot be used, by column and reason: of each the first thing that is wrong; then those of one id."""
    wrong = []
    for column in columns:
        name = column.name
        if column.required:
            blank = f"{name} is null" if types[name] != "VARCHAR" else f"coalesce(trim({name}), '') = ''"
            wrong.append((name, f"{name} is blank", blank))
        if column.kind in _LONGEST:
            wrong += [
                (name, f"{name} is negative", f"{name} < 0"),
                (name, f"{name} is over 24 h", f"{name} > {_LONGEST[column.kind]}"),
            ]
    if spec.name == "calls":
        wrong.append(("call_end", "call_end is before call_start", "call_end < call_start"))
        wrong.append(("call_end", "the call is over 24 h", "call_end > call_start + interval 24 hours"))
    first = " ".join(f"when {test} then {number}" for number, (_, _, test) in enumerate(wrong, 1))
    (key,), table = spec.key, spec.name
    plain = ", ".join(column.name for column in columns if not column.is_list)
    every = ", ".join(f"listed({column.name})" if column.is_list else column.name for column in columns)
    connection.execute(f"""
        create temp table faulty_{table} as
        select file_row_number, case {first} else 0 end as problem from every_{table} where problem > 0;
        create temp table repeated_{table} as
        with again as (select {key} from every_{table} group by 1 having count(*) > 1)
        select e.*, dense_rank() over (partition by {key} order by {plain}) as variant,
               row_number() over (partition by {every} order by file_row_number) as copy
        from every_{table} e join again using ({key}) anti join faulty_{table} f on f.file_row_number = e.file_row_number;
    """)
    counted = connection.execute(f"select problem, count(*) from faulty_{table} group by 1").fetchall()
    rejects = [[table, *wrong[number - 1][:2], count] for number, count in counted]
    same, differ = connection.execute(
        f"with one as (select *, max(variant) over (partition by {key}) as variants from repeated_{table}) "
        "select count(*) filter (copy > 1), count(*) filter (copy = 1 and variants > 1) from one"
    ).fetchone() or (0, 0)
    rejects += [[table, "", reason, count] for reason, count in
                (("duplicate row", same), ("conflicting rows for one id", differ)) if count]  # fmt: skip
    return sorted(rejects)


def write(export: Path, file: Path) -> None:
    """Write the findings and what was counted."""
    connection = duck.answer(export)
    connection.execute(f"copy findings to '{file}' (format parquet)")
    file.with_suffix(".json").write_text(json.dumps(checked(export, connection)))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
