"""The core question in hand-written SQL: `python -m benchmarks.duck EXPORT FINDINGS` prints the number of findings."""

import sys
from pathlib import Path

import duckdb

from benchmarks.columns import CALLS, ZONE
from benchmarks.lists import visit_codes

SQL, NARROW = (Path(__file__).with_name(name) for name in ("core.sql", "narrow.sql"))


def answer(export: Path) -> duckdb.DuckDBPyConnection:
    """A connection whose table `findings` holds the answer."""
    connection = duckdb.connect()
    singles, ranges = visit_codes()
    spans = [f"try_cast(code as integer) between {low} and {high}" for low, high in ranges]
    one = ", ".join(f"'{code}'" for code in singles)
    words = {
        "$visit_code": f"code in ({one}) or (regexp_full_match(code, '[0-9]{{5}}') and ({' or '.join(spans)}))",
        "$calls": str(export / "calls.parquet"),
        "$visits": str(export / "visits.parquet"),
        "$zone": ZONE,
        "$columns": ", ".join(CALLS),
    }
    text = (NARROW if export.name.startswith("narrow") else SQL).read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    connection.execute(text)
    return connection


def write(export: Path, file: Path) -> int:
    """Write the findings, and count them."""
    found = answer(export)
    found.execute(f"copy findings to '{file}' (format parquet)")
    return int(found.execute("select count(*) from findings").fetchall()[0][0])


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2])))
