"""Reading other sources beside their libraries' own reading: `python -m benchmarks.sources [ROWS]` prints the ratios.

A workbook of ROWS calls beside fastexcel, all columns as text; as many FHIR Encounters beside polars.
"""

import json
import sys
import tempfile
from pathlib import Path

import fastexcel
import polars as pl

from auditor import policy as policies
from auditor.reading import files
from auditor.rules import select
from auditor.sources import staging
from benchmarks import exports, sitting

ROWS, ROUNDS, CAP = 200_000, 3, 16
DATA = Path("build/bench")
FILES = {"calls": "calls.xlsx", "visits": "visits.ndjson"}
AIMS = {"calls": "at most 1.5", "visits": "at most 3"}


def make(export: Path, folder: Path, rows: int) -> None:
    """Write calls as a workbook, with cells of dates and numbers, and visits as Encounters."""
    calls = pl.read_parquet(export / "calls.parquet").head(rows)
    calls.with_columns(pl.col(pl.Datetime).dt.replace_time_zone(None)).write_excel(folder / FILES["calls"])
    visits = pl.read_parquet(export / "visits.parquet").head(rows)
    with (folder / FILES["visits"]).open("w", encoding="utf-8") as lines:
        for row in visits.iter_rows(named=True):
            lines.write(json.dumps(_encounter(row)) + "\n")


def _encounter(row: dict[str, object]) -> dict[str, object]:
    return {
        "resourceType": "Encounter",
        "id": row["visit_id"],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"coding": [{"system": "http://snomed.info/sct", "code": "185349003"}]}],
        "subject": {"reference": f"Patient/{row['patient_id']}"},
        "participant": [{"individual": {"reference": f"Practitioner/{row['provider_id']}"}}],
        "period": {"start": str(row["visit_start"]), "end": str(row["visit_end"])},
    }


def read(who: str, table: str, path: Path) -> None:
    """Read a file as the audit does, or as its library does."""
    if who == "audit":
        with staging.staged({table: files.expand(table, [str(path)])}, policies.load("default", select), path.parent):
            pass
    elif table == "calls":
        fastexcel.read_excel(path).load_sheet(0, dtypes="string").to_polars()
    else:
        pl.read_ndjson(path)


def main() -> None:
    """Measure both, each in a process of its own, in turn."""
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
        return
    rows = int(sys.argv[1]) if sys.argv[1:] else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(exports.export(DATA, rows // 10 + 1), folder, rows)
        for table, file in FILES.items():
            runs: dict[str, list[dict[str, float]]] = {"audit": [], "library": []}
            for _ in range(ROUNDS):
                for who, some in runs.items():
                    command = [sys.executable, "-m", "benchmarks.sources", "read", who, table, str(folder / file)]
                    some.append(sitting.measure(command, folder, CAP))
            ours, theirs = map(sitting.summed, runs.values())
            ratios = ", ".join(f"{name} {ours[name] / theirs[name]:.2f}" for name in ("best", "cpu", "peak"))
            print(f"{file}, {rows:,} rows, against its library: {ratios} ({AIMS[table]})")
            if ours["code"] or theirs["code"]:
                sys.exit(f"exit codes {ours['code']} and {theirs['code']}")


if __name__ == "__main__":
    main()
