"""Queries of SQLite and DuckDB: what comes of the rows, one snapshot, and what is refused. PostgreSQL: tests/slow/databases."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from auditor.engines.local import Local
from auditor.errors import InputRefused, UsageError
from auditor.mapping import values
from auditor.policy import load
from auditor.reading.kinds import Location, of_name
from auditor.rules import select
from auditor.settings import Settings
from auditor.sources import databases
from auditor.sources.databases.address import has_password, scheme_of
from auditor.sources.databases.query import read_query
from auditor.sources.source import Context
from tests.support.engines import audited

SAMPLE = Path(__file__).parents[2] / "sample_data"
VISIT = "select 'v1' as visit_id, 'p1' as patient_id, timestamp '2026-03-02 09:00' as visit_start"
ENGINES = ("sqlite", "duckdb")


def query(tmp_path: Path, text: str, name: str = "visits") -> Location:
    path = tmp_path / f"{name}.sql"
    path.write_text(text)
    kind = of_name(path)
    assert kind
    return Location(kind, path, path.name)


def context(tmp_path: Path, url: str, timezone: str = "UTC", **more) -> Context:
    return Context(load("default", select, timezone), tmp_path, frozenset({"visits", "calls"}), url, **more)


def rows(tmp_path: Path, url: str, text: str, **more) -> pl.DataFrame:
    run = context(tmp_path, url, **more)
    with run.stack:
        (source,) = databases.read("visits", [query(tmp_path, text)], run)
        return pl.DataFrame(pa.concat_tables(source.frames))


@pytest.fixture
def lite(tmp_path) -> str:
    with sqlite3.connect(tmp_path / "a b.db") as connection:
        connection.execute(
            "create table visits (visit_id, patient_id, visit_start, global_days, status, cpt_codes blob)"
        )
    connection.close()
    return f"sqlite:///{tmp_path}/a b.db"


@pytest.fixture
def duck(tmp_path) -> str:
    duckdb.connect(str(tmp_path / "a b.duckdb")).close()
    return f"duckdb:///{tmp_path}/a b.duckdb"


def fill(url: str, *rows: tuple) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executemany("insert into visits values (?, ?, ?, ?, ?, ?)", rows)
    connection.close()


def sample_database(tmp_path: Path, engine: str) -> str:
    """The sample's tables, all text, and the policy's queries."""
    for table in ("calls", "visits", "providers"):
        query(tmp_path, f"-- the {table}; all\nselect * from {table};\n-- end", table)
    if engine == "duckdb":
        with duckdb.connect(str(tmp_path / "sample.duckdb")) as connection:
            for table in ("calls", "visits", "providers"):
                csv = f"read_csv('{SAMPLE / table}.csv', all_varchar = true)"
                connection.execute(f"create table {table} as from {csv}")
        return f"duckdb:///{tmp_path}/sample.duckdb"
    with sqlite3.connect(tmp_path / "sample.db") as lite:
        for table in ("calls", "visits", "providers"):
            frame = pl.read_csv(SAMPLE / f"{table}.csv", infer_schema=False)
            lite.execute(f"create table {table} ({', '.join(frame.columns)})")
            lite.executemany(f"insert into {table} values ({', '.join('?' * frame.width)})", frame.iter_rows())
    lite.close()
    return f"sqlite:///{tmp_path}/sample.db"


def judged(folder: Path, suffix: str, database: str | None = None) -> list[pl.DataFrame]:
    """Findings and claims of the sample."""
    paths = {table: (f"{folder / table}{suffix}",) for table in ("calls", "visits", "providers")}
    with Local() as place:
        settings = Settings(paths=paths, policy=load(str(SAMPLE / "policy.toml"), select), database=database)
        result, _ = audited(settings, place)
        return [result.findings.drop("source_file"), result.claims.drop("source_file")]


@pytest.fixture(scope="module")
def from_csv() -> list[pl.DataFrame]:
    return judged(SAMPLE, ".csv")


@pytest.mark.parametrize("engine", ENGINES)
def test_findings_are_those_of_the_same_rows_as_csv(tmp_path, engine, from_csv):
    url = sample_database(tmp_path, engine)
    for csv, sql in zip(from_csv, judged(tmp_path, ".sql", url), strict=True):
        assert csv.height and csv.equals(sql)


def test_cells_of_sqlite_are_text_whatever_their_kinds(tmp_path, lite):
    """ADBC alone rounds 1234567.89 to seven digits beside a text, and fails where a text follows 1,024 nulls."""
    blanks = [(f"v{n}", n, None, None, None, None) for n in range(2_000)]
    fill(lite, *blanks, ("w", "00123", "2026-03-02", 1234567.89, "", None), ("x", 7.0, 20260302, 31.0, "seen", None))
    last = rows(tmp_path, lite, "select * from visits").tail(2)
    assert last.drop("cpt_codes").rows() == [
        ("w", "00123", "2026-03-02", "1234567.89", ""),
        ("x", "7", "20260302", "31", "seen"),
    ]


def test_only_columns_that_are_read_are_refused(tmp_path, lite):
    fill(lite, ("v", "p", "2026-03-02", None, None, b"\xff"))
    with pytest.raises(
        InputRefused, match=r"column 'cpt_codes' holds bytes; write it as text in the query: hex\(cpt_codes\)"
    ):
        rows(tmp_path, lite, "select * from visits")
    text = "select visit_id, patient_id, visit_start, cpt_codes as photo, 1 as photo from visits"
    assert rows(tmp_path, lite, text).row(0, named=True)["photo"] is None


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("interval '1 hour'", "epoch(group_id) / 60"),
        ("timetz '10:00+02'", "group_id::time"),
        ("{'x': 1}", "group_id.FIELD"),
        ("[{'x': 1}]", "group_id.FIELD"),
        ("map {'x': 1}", "group_id['KEY']"),
        ("'a'::blob", "hex(group_id)"),
    ],
)
def test_types_without_one_text_are_refused_with_the_cast_to_write(tmp_path, duck, kind, remedy):
    unread = rows(tmp_path, duck, f"{VISIT}, {kind} as photo")
    assert unread["photo"].to_list() == [None]
    with pytest.raises(InputRefused) as refusal:
        rows(tmp_path, duck, f"{VISIT}, {kind} as group_id")
    assert "visits: visits.sql: column 'group_id' has the type" in str(refusal.value)
    assert str(refusal.value).endswith(f"; cast it in the query: {remedy}")


def test_values_of_duckdb_are_exact(tmp_path, duck):
    found = rows(
        tmp_path,
        duck,
        f"{VISIT}, 31.10::decimal(38, 2) as global_days, uuid '6ccd780c-baba-1026-9564-5b8c656024db' as provider_id, "
        "'s'::enum('s', 't') as status, [90834, 98968] as cpt_codes, time '24:00' as group_id, '{\"a\": 1}'::json as modality, "
        "timestamptz 'infinity' as visit_end, timestamp_s '-infinity' as booked_at, date '0044-03-15 (BC)' as soonest_available, "
        "31.0::double as problem_id",
    )
    assert found.drop("visit_start", "visit_end", "booked_at", "soonest_available").row(0) == (
        "v1", "p1", "31.10", "6ccd780c-baba-1026-9564-5b8c656024db", "s", "90834;98968", "24:00:00", '{"a": 1}', 31.0,
    )  # fmt: skip
    placeholders = ("visit_end", "booked_at", "soonest_available")
    assert [found[name].dt.year().item() for name in placeholders] == [9999, 1, 1]


def test_a_session_is_in_the_zone_of_the_policy_and_the_report_says_so(tmp_path, duck):
    run = context(tmp_path, duck, "America/New_York")
    text = "select 'v' as visit_id, timestamptz '2026-03-02 03:00+00'::date::text as patient_id, now() as visit_start"
    with run.stack:
        (source,) = databases.read("visits", [query(tmp_path, text)], run)
        (_, row) = source.frames
    assert row["patient_id"].to_pylist() == ["2026-03-01"]
    assert source.understood == [f"a query of {duck}", "the session's time zone is America/New_York"]


def test_all_tables_see_one_snapshot(tmp_path, lite):
    """A program that writes between two queries changes nothing."""
    path = lite.removeprefix("sqlite:///")
    write = f"import sqlite3; c = sqlite3.connect({path!r}); c.execute('pragma journal_mode = wal'); "
    insert = "c.execute(\"insert into visits values ('n', 'p', '2026-03-02', null, null, null)\"); c.commit()"
    subprocess.run([sys.executable, "-c", write + insert], check=True)
    run = context(tmp_path, lite)
    with run.stack:
        locations = [query(tmp_path, "select * from visits"), query(tmp_path, "select * from visits where 1", "more")]
        counts = []
        for source in databases.read("visits", locations, run):
            counts.append(sum(map(len, source.frames)))
            subprocess.run([sys.executable, "-c", write + insert], check=True)
    assert counts == [1, 1] and rows(tmp_path, lite, "select * from visits").height == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("select 1; select 2", "the file holds more than one statement"),
        ("select ';' /* ; */ -- ;\n; select \"\" ;", "more than one statement"),
        ("-- nothing\n;", "the file holds no query"),
        ("insert into visits (visit_id) values ('CANARY') returning *", "the query writes"),
        ("delete from visits", "the query writes"),
        ("-- CANARY\nDROP table visits", "the query writes"),
        ("selec 'CANARY'", "syntax error"),
        ("select *\nfrom CANARY", "names a table"),
        ("select CANARY from visits", "names a column"),
        ("attach 'CANARY.db' as x", "syntax error"),
        ("vacuum into 'CANARY.db'", "the query writes"),
        ("copy visits to 'CANARY.csv'", "the query writes"),
        ("with a as (copy visits to 'CANARY.csv') select * from a", "syntax error|writes|other files"),
        ("from read_csv('CANARY.csv')", "syntax error|writes|other files"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_refused_is_not_quoted(tmp_path, lite, duck, engine, text, problem):
    if engine == "duckdb":
        with duckdb.connect(duck.removeprefix("duckdb:///")) as connection:
            connection.execute("create table visits as select 'v' as visit_id")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputRefused, match=problem) as refusal:
        rows(tmp_path, {"sqlite": lite, "duckdb": duck}[engine], text)
    assert "CANARY" not in str(refusal.value) and str(refusal.value).startswith("visits: visits.sql: ")
    assert sorted(tmp_path.iterdir()) == sorted({*before, tmp_path / "visits.sql"})


def test_a_query_that_gives_other_rows_each_time_is_refused(tmp_path, lite):
    numbers = "with recursive n(x) as (select 1 union all select x + 1 from n limit abs(random()) % 100000)"
    with pytest.raises(InputRefused, match=r"count\(\*\) of the query is [\d,]+, but [\d,]+ rows? came"):
        rows(tmp_path, lite, f"{numbers} select x visit_id, 1 patient_id, 2 visit_start from n")


def test_a_query_without_rows_has_its_columns(tmp_path, lite, duck):
    assert rows(tmp_path, lite, "select * from visits").columns[:3] == ["visit_id", "patient_id", "visit_start"]
    assert rows(tmp_path, duck, f"{VISIT} limit 0").schema["visit_start"] == pl.Datetime("us")


@pytest.mark.parametrize(
    "quoted", ["'it''s; x'", '"a;b"', "$$ ; $$", "$t$ ; $$ ; $t$", "E'\\'; x'", "/* ; */ 1", "--;\n1"]
)
def test_semicolons_within_a_statement(tmp_path, quoted):
    text = f"select {quoted}"
    assert read_query("visits", query(tmp_path, f"\ufeff{text} ; -- end;\n /* ; */ ;")).text == f"{text} "


def test_init_looks_at_all_columns_of_the_first_rows(tmp_path, lite):
    fill(lite, *((f"v{n}", "p", "2026-03-02 09:00", None, "seen", b"\xff") for n in range(6_000)))
    query(tmp_path, "select * from visits")
    found = values.read("visits", [str(tmp_path / "visits.sql")], load("default", select), lite)
    assert [(one.name, one.values.len()) for one in found.sources][:2] == [("visit_id", 5000), ("patient_id", 5000)]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:///none.db", "none.db: no such file"),
        ("sqlite:///none.db?password=S3CRET", "none.db: no such file"),
        ("duckdb:///none.duckdb", "no such file"),
        ("postgresql://ann:S3CRET@127.0.0.1:1/claims", "postgresql://127.0.0.1:1/claims: no server answers"),
        ("postgresql:///claims?service=no%20such&password=S3CRET", "the service is not in the service file"),
        ("postgresql:///claims?passwrd=S3CRET", "the URL is not valid"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path, url, problem):
    with pytest.raises(InputRefused, match=problem) as refusal:
        rows(tmp_path, url, VISIT)
    assert not {"S3CRET", "ann"} & set(str(refusal.value).replace("@", " ").replace(":", " ").split())
    assert refusal.value.__cause__ is None and (refusal.value.__context__ is None or refusal.value.__suppress_context__)


@pytest.mark.parametrize(
    "url", [None, "", "claims.db", "mysql://ann:S3CRET@h/x", "host=h password=S3CRET", "sqlite://x.db"]
)
def test_what_is_no_url_of_a_database_is_not_quoted(url):
    problem = "not the URL of a database" if url else "a query needs a database"
    with pytest.raises(UsageError, match=f"--database: {problem}; give ") as refusal:
        scheme_of("--database", url)
    assert "S3CRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("postgresql://ann:p@h/x", True),
        ("postgresql://ann@h/x", False),
        ("postgresql://h:5432/x", False),
        ("postgresql:///x?user=ann&password=p", True),
        ("postgresql:///x?service=nightly", False),
        ("sqlite:////data/a:b@c.db", False),
    ],
)
def test_passwords_in_urls(url, held):
    assert has_password(url) is held


def test_without_a_url_a_query_asks_for_one(tmp_path):
    with pytest.raises(UsageError, match=r"visits: visits\.sql: a query needs a database"):
        rows(tmp_path, None, VISIT)


def test_without_the_extra_the_message_names_it(tmp_path, lite, monkeypatch):
    monkeypatch.setattr("auditor.sources.source.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"adbc_driver_sqlite is not installed; .*'audit98968\[databases\]'"):
        rows(tmp_path, lite, VISIT)


def test_files_that_cannot_be_read(tmp_path, lite):
    (tmp_path / "none.db").write_text("no database")
    (tmp_path / "none.duckdb").write_text("no database")
    (tmp_path / "latin.sql").write_bytes("select 'Andr\xe9'".encode("latin-1"))
    gone = Location(query(tmp_path, "").kind, tmp_path / "gone.sql", "gone.sql")
    for opened, problem in (
        (lambda: rows(tmp_path, f"duckdb:///{tmp_path}/none.duckdb", VISIT), "it is not a database of this kind or version.*; correct --database, or try again later"),
        (lambda: rows(tmp_path, f"sqlite:///{tmp_path}/none.db", "select * from visits"), "the database is not a SQLite file"),
        (lambda: read_query("visits", gone), "gone.sql: cannot be read"),
        (lambda: read_query("visits", replace(gone, path=tmp_path / "latin.sql")), "the query is not UTF-8"),
        (lambda: rows(tmp_path, lite, "select cast(x'ff' as text) visit_id, 'p' patient_id, 1 visit_start"),
         "holds bytes that are not UTF-8"),
    ):  # fmt: skip
        with pytest.raises(InputRefused, match=problem):
            opened()
