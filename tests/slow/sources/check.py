"""The sample through each kind of source: its findings and claims are those of a CSV that says the same.

python -m tests.slow.sources.check (starts PostgreSQL and moto's S3 server on loopback ports, and stops them)
"""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import boto3
import duckdb
import polars as pl
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.result import Result
from auditor.rules import select
from auditor.schema.tables import INITIATED_BY
from auditor.settings import Settings
from tests.slow.databases.server import PASSWORD, started
from tests.slow.object_stores.check import moto
from tests.sources.test_workbooks import as_workbook
from tests.support import fhir, lakes, x12

SAMPLE = Path(__file__).parents[3] / "sample_data" / "with_claims"
TABLES = ("calls", "visits", "claims", "providers")
PLACES = ("source_file", "source_record")
Rows = list[dict[str, str]]
Paths = Mapping[str, Sequence[Path | str]]


def rows_of(path: Path) -> Rows:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


ROWS: Mapping[str, Rows] = {table: rows_of(SAMPLE / f"{table}.csv") for table in TABLES}


def frame(table: str) -> pl.DataFrame:
    """Text, blank cells as nulls."""
    return pl.read_csv(SAMPLE / f"{table}.csv", infer_schema=False)


def audited(paths: Paths, database: str | None = None) -> tuple[Result, int]:
    """The result, and the rows that were read."""
    settings = Settings(
        paths={table: tuple(map(str, some)) for table, some in paths.items()}, database=database, max_rejects="100%",
        policy=policies.load(str(SAMPLE / "policy.toml"), select),
    )  # fmt: skip
    with Local() as engine:
        result = pipeline.audit(pipeline.read(settings, engine), settings, engine)
        return result, sum(file.rows for several in result.inputs.files.values() for file in several)


def compare(kind: str, paths: Paths, expected: Paths, database: str | None = None) -> None:
    """Print what was read and found. Raises AssertionError where the findings or the claims are not those of the other."""
    (by_csv, _), (found, rows) = audited(expected), audited(paths, database)
    for name in ("findings", "claims"):
        ours, theirs = (getattr(result, name).drop(PLACES) for result in (found, by_csv))
        assert ours.height > 2, kind
        assert_frame_equal(ours, theirs)
    print(
        f"{kind:26} | {rows:6,} | {found.findings.height:3} findings, {found.claims.height:3} claims: equal", flush=True
    )


def each(folder: Path, suffix: str, write: Callable[[str, Path], object]) -> dict[str, list[Path]]:
    """The paths of the tables, as they are written."""
    paths = {table: folder / f"{table}{suffix}" for table in TABLES}
    for table, path in paths.items():
        write(table, path)
    return {table: [path] for table, path in paths.items()}


def written(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def as_json_lines(table: str, path: Path) -> None:
    written(path, (json.dumps({name: text for name, text in row.items() if text}) for row in ROWS[table]))


def as_csv(rows: Rows, path: Path, columns: Sequence[str]) -> None:
    pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row").write_csv(path)


def files(folder: Path, expected: Paths) -> None:
    """Kinds of files and of folders, with all columns."""
    compare("CSV", expected, expected)
    compare("Parquet", each(folder, ".parquet", lambda table, path: frame(table).write_parquet(path)), expected)
    for suffix in (".xlsx", ".ods"):
        paths = each(folder, suffix, lambda table, path: as_workbook(SAMPLE / f"{table}.csv", path, table))
        compare(suffix.removeprefix(".").upper(), paths, expected)
    compare("JSON Lines", each(folder, ".jsonl", as_json_lines), expected)
    compare("Delta", each(folder, "-delta", lambda table, path: write_deltalake(path, frame(table))), expected)
    for table in TABLES:
        lakes.iceberg(folder / "iceberg", table, frame(table).to_arrow(compat_level=pl.CompatLevel.oldest()))
    compare("Iceberg", {table: [folder / "iceberg" / "n" / table] for table in TABLES}, expected)


def database(kind: str, folder: Path, url: str, expected: Paths) -> None:
    """Queries of the tables. ADBC writes them to PostgreSQL and SQLite, as text."""
    if kind == "DuckDB":
        with duckdb.connect(url.removeprefix("duckdb:///")) as connection:
            for table in TABLES:
                connection.execute(f"create table {table} as from read_csv('{SAMPLE / table}.csv', all_varchar = true)")
    else:
        driver = import_module(f"adbc_driver_{kind.lower()}.dbapi")
        with driver.connect(url.replace("sqlite:///", "")) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.adbc_ingest(table, frame(table).to_arrow(), mode="create")
            connection.commit()
    queries = each(folder, ".sql", lambda table, path: path.write_text(f"select * from {table}"))
    compare(kind, queries, expected, url)


def s3(folder: Path, expected: Paths) -> None:
    with moto(folder):
        client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        client.create_bucket(Bucket="exports")
        for table in TABLES:
            client.upload_file(str(SAMPLE / f"{table}.csv"), "exports", f"{table}.csv")
        compare("S3", {table: [f"s3://exports/{table}.csv"] for table in TABLES}, expected)


def resources(folder: Path) -> None:
    """FHIR beside a CSV of the columns that it can say."""
    paths = each(folder, ".ndjson", lambda table, path: fhir.write(table, ROWS[table], path))
    readable = {
        table: [{name: row[name] for name in fhir.COLUMNS[table] if name in row} for row in ROWS[table]]
        for table in TABLES
    }
    for row in readable["calls"]:
        row["initiated_by"] = {"callback": ""}.get(row["initiated_by"], row["initiated_by"])
        row["caller"] = "patient" if fhir.term(INITIATED_BY, row["initiated_by"]) == "patient" else ""
    expected = each(folder, ".csv", lambda table, path: as_csv(readable[table], path, list(readable[table][0])))
    compare("FHIR", paths, expected)


def interchanges(folder: Path, expected: Paths) -> None:
    """837 and 835 beside a CSV of the claims without the ids of calls, which X12 does not have."""
    claims, in_force = ROWS["claims"], [row for row in ROWS["claims"] if row["claim_status"] != "reversed"]
    as_csv(
        [{**row, "call_id": ""} for row in claims],
        folder / "claims.csv",
        [name for name in claims[0] if name != "call_id"],
    )
    submitted, remitted = folder / "submitted.837", folder / "remitted.835"
    submitted.write_text(x12.interchange(("837", x12.P, x12.billed(*map(x12.submitted, in_force), before=()))))
    paid = (x12.remitted(row) for row in claims if row["paid_amount"])
    remitted.write_text(x12.interchange(("835", x12.R, x12.paid(*paid))))
    compare(
        "837 and 835", {**expected, "claims": [remitted, submitted]}, {**expected, "claims": [folder / "claims.csv"]}
    )


def main() -> None:
    """Each kind in a folder of its own."""
    os.environ["PGPASSWORD"] = PASSWORD
    print(f"{'table kind':26} | {'rows':>6} | findings", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        expected = each(folder, ".csv", lambda table, path: shutil.copy(SAMPLE / f"{table}.csv", path))
        files(folder, expected)
        database("SQLite", folder, f"sqlite:///{folder}/sample.db", expected)
        database("DuckDB", folder, f"duckdb:///{folder}/sample.duckdb", expected)
        database("PostgreSQL", folder, stack.enter_context(started()), expected)
        s3(folder, expected)
        for check in (resources, lambda some: interchanges(some, expected)):
            check(Path(stack.enter_context(tempfile.TemporaryDirectory())))
    print("All findings are equal.")


if __name__ == "__main__":
    main()
