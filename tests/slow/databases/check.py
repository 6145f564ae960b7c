"""Queries of a real PostgreSQL: findings, one snapshot, types, errors, secrets, and 10 million visits (VISITS=N for fewer).

`make databases` runs it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from auditor.errors import InputRefused
from auditor.policy import load
from auditor.reading.kinds import Location, of_name
from auditor.rules import select
from auditor.schema.outputs import TABLES
from auditor.sources import databases
from auditor.sources.source import Context
from tests.slow.databases.server import PASSWORD, USER, started

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "sample_data"
VISITS = int(os.environ.get("VISITS", "10_000_000"))
OWN = "source_file", "source_record", "mark", "case_number", "state"
"""Columns that differ: a server gives rows in its own order, and one of the runs has a ledger."""
MEMORY = 600
"""MiB that a process may take while it reads, whatever the number of rows."""
BASE = "select 'v' as visit_id, 'p' as patient_id, "
MADE = """create table visits as select 'V' || lpad(n::text, 9, '0') as visit_id, 'P' || n % 400000 as patient_id,
  'D' || n % 900 as provider_id, timestamp '2025-01-01' + n % 600 * interval '1 day' as visit_start,
  timestamp '2025-01-01 00:40' + n % 600 * interval '1 day' as visit_end, (array['phone', 'in_person'])[1 + n % 2] as modality,
  (array['completed', 'scheduled'])[1 + n % 2] as status, timestamp '2024-12-01' + n % 500 * interval '1 day' as booked_at,
  '9083' || n % 5 as cpt_codes, 'F33.' || n % 9 as diagnosis_codes from generate_series(1, {}) as n"""
REFUSED = {
    "'1'::money": "::numeric",
    "interval '1 hour'": "extract(epoch from group_id) / 60",
    "'10:00+02'::timetz": "::time",
    "row(1, 2)": ".FIELD",
    "(select c from only pairs as c limit 1)": ".FIELD",
    "array[row(1)]": ".FIELD",
    "'a'::bytea": "encode(group_id, 'hex')",
    "'1'::price": "::numeric",
}
FAILING = {
    "selec 'CANARY'": "syntax error",
    "select *\nfrom CANARY": r"names a table .*\(line 2, SQLSTATE 42P01\)",
    "select CANARY from visits": "names a column",
    "insert into visits values ('CANARY') returning *": "writes",
    "with a as (delete from visits returning *) select * from a": "writes",
    "select 1; select 2": "more than one statement",
    BASE + "now() as visit_start, 'CANARY'::int as status": "a value does not fit",
    "select visit_id, patient_id, visit_start, ('CANARY' || status)::int as status from visits": "a value does not fit",
    "select visit_id, patient_id, visit_start, pg_terminate_backend(pg_backend_pid()) as status from visits": "57P01|went away",
}


def execute(url: str, *statements: str) -> None:
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def rows(folder: Path, url: str, text: str, timezone: str = "UTC") -> pl.DataFrame:
    (folder / "visits.sql").write_text(text)
    kind = of_name(folder / "visits.sql")
    assert kind
    run = Context(load("default", select, timezone), folder, frozenset({"visits"}), url)
    with run.stack:
        (source,) = databases.read("visits", [Location(kind, folder / "visits.sql", "visits.sql")], run)
        return pl.DataFrame(pa.concat_tables(source.frames))


def audit(folder: Path, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments], cwd=folder, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def findings_are_those_of_csv(folder: Path, url: str) -> None:
    tables = ("calls", "visits", "providers")
    for table in tables:
        frame = pl.read_csv(SAMPLE / f"{table}.csv", infer_schema=False)
        with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(f"sample_{table}", frame.to_arrow(), mode="create")
        columns = [
            f"{name}::timestamp" if name in ("call_start", "call_end", "visit_start", "visit_end", "booked_at") else
            f"{name}::numeric(10, 2)" if name.endswith("_amount") else f"{name}::date" if name.startswith("license") else name
            for name in frame.columns
        ]  # fmt: skip
        (folder / f"{table}.sql").write_text(f"select {', '.join(columns)}\nfrom sample_{table}; -- all\n")
    common = ("--policy", str(SAMPLE / "policy.toml"), "--fail-on", "never", "--format", "csv", "--write", "csv")
    files = [word for table in tables for word in (f"--{table}", str(SAMPLE / f"{table}.csv"))]
    queries = [word for table in tables for word in (f"--{table}", f"{table}.sql")]
    csv = audit(folder, "run", *files, *common)
    sql = audit(folder, "run", *queries, *common, "--database", url, "--out", "out")
    same = [pl.read_csv(text.encode(), infer_schema=False).drop(OWN) for text in (csv.stdout, sql.stdout)]
    different = [name for name in same[0].columns if not same[0][name].equals(same[1][name])]
    assert same[0].height and not different, different
    summary = json.loads((folder / "out" / "latest" / "summary.json").read_text())
    assert [one["kind"] for one in summary["inputs"]] == ["query"] * 3
    assert "the session's time zone is America/New_York" in summary["inputs"][0]["understood"]


def types_are_exact_or_refused(folder: Path, url: str) -> None:
    execute(url, "create extension citext", "create domain price as money", "create table pairs (x int, y text)",
            "create type mood as enum ('sad', 'glad')")  # fmt: skip
    found = rows(
        folder, url,
        BASE + "s as visit_start, 31.10::numeric as global_days, '6ccd780c-baba-1026-9564-5b8c656024db'::uuid as provider_id, "
        "'AbC'::citext as problem_id, 'glad'::mood as modality, '{\"a\": 1}'::jsonb as group_id, time '24:00' as specialty, "
        "array[1.5, 2] as diagnosis_codes, s::date as visit_end, (s at time zone 'UTC')::text as status "
        "from (values (timestamptz '2026-03-02 03:00+00'), ('infinity'), ('-infinity')) as v(s)", "America/New_York",
    )  # fmt: skip
    assert found.drop("visit_start", "visit_end", "status").row(0) == (
        "v", "p", "31.10", "6ccd780c-baba-1026-9564-5b8c656024db", "AbC", "glad", '{"a": 1}', "24:00:00", "1.5;2",
    )  # fmt: skip
    assert found["visit_start"].dt.year().to_list() == [2026, 9999, 1]
    assert found["visit_end"].cast(pl.String).to_list() == ["2026-03-01", "9999-12-31", "0001-01-02"]
    for kind, remedy in REFUSED.items():
        rows(folder, url, f"{BASE} now() as visit_start, {kind} as photo")
        text = refusal(folder, url, f"{BASE} now() as visit_start, {kind} as group_id")
        assert "column 'group_id'" in text and text.endswith(remedy.removeprefix("group_id")), text


def refusal(folder: Path, url: str, text: str) -> str:
    try:
        rows(folder, url, text)
    except InputRefused as error:
        return str(error)
    raise AssertionError(f"not refused: {text}")


def errors_are_explained_and_not_quoted(folder: Path, url: str) -> None:
    for text, problem in FAILING.items():
        message = refusal(folder, url, text)
        assert re.search(problem, message) and "CANARY" not in message, message
    wrong = url.replace(f"{USER}@", f"{USER}:WRONG{PASSWORD}@")
    assert "refused the user or the password" in refusal(folder, wrong, BASE + "now() as visit_start")
    assert "no such database" in refusal(folder, url.replace("/postgres", "/none"), BASE + "now() as visit_start")


def all_tables_see_one_snapshot(folder: Path, url: str) -> None:
    execute(url, "create table few as select n::text as visit_id, 'p' as patient_id, now() as visit_start "
                 "from generate_series(1, 1000) as n")  # fmt: skip
    run = Context(load("default", select), folder, frozenset({"visits"}), url)
    (folder / "visits.sql").write_text("select * from few")
    kind = of_name(folder / "visits.sql")
    assert kind
    counts = []
    with run.stack:
        for source in databases.read("visits", [Location(kind, folder / "visits.sql", str(n)) for n in range(3)], run):
            execute(
                url,
                "insert into few select 'x', 'p', now() from generate_series(1, 10)",
                "delete from few where visit_id = '7'",
            )
            counts.append(sum(map(len, source.frames)))
    assert counts == [1000] * 3 and rows(folder, url, "select * from few").height == 1029, counts


def no_secret_is_shown(folder: Path, url: str) -> None:
    execute(url, "create function told(text) returns text language plpgsql as "
                 "$$ begin raise warning 'CANARY %', $1; return $1; end $$")  # fmt: skip
    (folder / "visits.sql").write_text(
        "select told(visit_id) as visit_id, patient_id, visit_start, CANARY from few limit 5"
    )
    held = url.replace(f"{USER}@", f"{USER}:{PASSWORD}@")
    sample = ("--calls", str(SAMPLE / "calls.csv"), "--visits", "visits.sql", "--timezone", "UTC", "--allow-unjoined")
    log = ("--log-file", "log", "--log-format", "json")
    for column, code in (("CANARY", 3), ("1 as other", 0)):
        text = (folder / "visits.sql").read_text().replace("CANARY", column)
        (folder / "visits.sql").write_text(text)
        for given, variables in (((held,), {}), ((url,), {"PGPASSWORD": PASSWORD})):
            for command in (("run", "--fail-on", "never", "--out", "leaks", "--require", "DUR001"), ("check",)):
                done = audit(folder, *command, *sample, *log, "--database", *given, code=code, **variables)
                assert ("other users of this machine" in done.stderr) is (given == (held,))
                shown = done.stdout + done.stderr + (folder / "log").read_text()
                shown += "".join(
                    path.read_text(errors="replace") for path in folder.glob("leaks/**/*.*") if path.is_file()
                )
                assert PASSWORD not in shown and f"{USER}@" not in shown and "CANARY %" not in shown
                assert "WARNING" not in done.stderr, done.stderr


READ = """
import os, resource, sys, time
from adbc_driver_postgresql import dbapi
began = time.time()
with dbapi.connect(os.environ["URL"]) as connection, connection.cursor() as cursor:
    cursor.execute("select * from visits")
    rows = cursor.fetch_arrow_table().num_rows
print(rows, time.time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
STAGE = """
import os, pathlib, resource, time
from auditor.policy import load
from auditor.reading.files import expand
from auditor.rules import select
from auditor.sources import staging
began = time.time()
with staging.staged({"visits": expand("visits", ["all.sql"])}, load("default", select), pathlib.Path("."), database=os.environ["URL"]) as found:
    import pyarrow.parquet as pq
    rows = pq.ParquetFile(found["visits"][0][0].path).metadata.num_rows
    print(rows, time.time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def many_visits_take_bounded_memory(folder: Path, url: str) -> None:
    """Beside ADBC's own reading to Arrow, in turns; the least of three each."""
    execute(url, "drop table if exists visits", MADE.format(VISITS), "analyze visits")
    (folder / "all.sql").write_text("select * from visits")
    least: dict[str, float] = {}
    for name, program in 3 * [("ADBC", READ), ("staging", STAGE)]:
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, text=True, capture_output=True,
                              env=os.environ | {"URL": url, "PYTHONPATH": str(ROOT)}, check=True)  # fmt: skip
        count, seconds, memory = map(float, done.stdout.split())
        assert count == VISITS
        print(f"  {name}: {seconds:.1f} s, {memory:.0f} MiB", flush=True)
        assert name == "ADBC" or memory < MEMORY
        least[name] = min(seconds, least.get(name, seconds))
    print(f"  staging takes {least['staging'] / least['ADBC']:.2f} times as long as ADBC takes to read to Arrow")


def no_published_column_is_a_reserved_word(_: Path, url: str) -> None:
    """Of the server's own list; `T`: may name a function or a type, but no column."""
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select word from pg_get_keywords() where catcode in ('R', 'T')")
        words = {word for (word,) in cursor.fetchall()}
    assert len(words) > 90 and not [name for columns in TABLES.values() for name in columns if name in words]


CHECKS = (no_published_column_is_a_reserved_word, findings_are_those_of_csv, types_are_exact_or_refused, all_tables_see_one_snapshot, no_secret_is_shown,
          errors_are_explained_and_not_quoted, many_visits_take_bounded_memory)  # fmt: skip


def main() -> None:
    """Run the checks, each in a folder of its own."""
    os.environ["PGPASSWORD"] = PASSWORD
    with started() as url:
        execute(url, MADE.format(200_000))
        for check in CHECKS:
            began = time.time()
            with tempfile.TemporaryDirectory() as folder:
                check(Path(folder), url)
            print(f"{check.__name__.replace('_', ' ')}: {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
