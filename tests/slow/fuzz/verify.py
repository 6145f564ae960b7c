"""What must hold for every spoilt export, given what the command did with it."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from auditor.reports.summary import without_ids
from auditor.run_summary import Summary
from auditor.schema.tables import TableSpec
from tests.slow.fuzz.exports import CANARY, LINKS, Fact, Table

Facts = dict[str, list[Fact]]
TABLES = ("claims", "findings", "evidence")
_HEADERS = re.compile(r"file has: .*?; (?:accepted headers are|correct)")
NULLS = ("NULL", "\\N", "<null>", "(null)", "nan", "None", "#N/A")
"""What the default policy takes for nothing."""
_DERIVED = ("disposition", "at_risk_amount", "review_amount", "supportable_code")


@dataclass(frozen=True)
class Inside:
    """One table as the auditor holds it, and the files that it came from."""

    spec: TableSpec
    rows: pl.DataFrame
    files: tuple[str, ...]


@dataclass(frozen=True)
class Ran:
    """What a user sees of a run, and the folder that it made (None: it made none)."""

    code: int
    out: str
    err: str
    folder: Path | None


def terminal(ran: Ran, form: str) -> list[str]:
    """Exit codes, complaints in the tool's own words, and no identifier on the terminal."""
    found = []
    if ran.code not in (0, 1, 3):
        found.append(f"exit {ran.code}")
    lines = ran.err.splitlines()
    strange = [line for line in lines if not line.startswith(("audit98968: warning: ", "audit98968: error: "))]
    if strange:
        found.append(f"standard error in words of others: {strange[0][:200]}")
    if sum(line.startswith("audit98968: error: ") for line in lines) != (ran.code == 3):
        found.append("an error line without a refusal, or a refusal without one")
    # A value that a mutation moved into the header line is a header, which a refusal must name.
    shown = _HEADERS.sub("", ran.err) + (ran.out if form in ("text", "none") else "")
    if CANARY in shown:
        found.append(
            "an identifier on the terminal: " + next(line for line in shown.splitlines() if CANARY in line)[:200]
        )
    return found


def summary_of(ran: Ran) -> dict[str, Any]:
    """The summary.json of the run or refusal, empty where there is none."""
    return json.loads((ran.folder / "summary.json").read_text(encoding="utf-8")) if ran.folder else {}


def accounting(ran: Ran, reported: dict[str, Any], raw: dict[str, Table | None]) -> tuple[list[str], int]:
    """Rows in = used + rejected for each file, in summary.json and rejects.csv alike. Returns also the files checked."""
    assert ran.folder
    with (ran.folder / "rejects.csv").open(newline="", encoding="utf-8") as stream:
        rejects = list(csv.DictReader(stream))
    found = []
    by_file: dict[tuple[str, str], list[int]] = {}
    by_table: Counter[str] = Counter()
    for reject in rejects:
        by_file.setdefault((reject["table_name"], reject["source_file"]), []).append(int(reject["source_record"]))
    for file in reported["inputs"]:
        table, rows = file["table"], file["rows"]
        records = by_file.pop((table, file["path"]), [])
        if rows != file["used"] + file["rejected"] or min(rows, file["used"], file["rejected"]) < 0:
            found.append(f"{table}: {rows} rows are not {file['used']} used + {file['rejected']} rejected")
        if len(records) != file["rejected"]:
            found.append(f"{table}: {len(records)} lines in rejects.csv for {file['rejected']} rejected")
        if len(set(records)) != len(records) or any(not 1 <= record <= rows for record in records):
            found.append(f"{table}: record numbers in rejects.csv twice or out of range")
        by_table[table] += file["rejected"]
        plain = raw.get(file["path"])
        if plain is not None and len(plain.rows) != rows:
            found.append(f"{table}: {rows} rows where a plain reader sees {len(plain.rows)}")
    if by_table != Counter({table: counts["rejected"] for table, counts in reported["rejects"].items()}):
        found.append("summary.json differs from itself on rejects")
    if by_file:
        found.append("rejects.csv names a file that is no input")
    return found, len(reported["inputs"])


def reports(ran: Ran, reported: dict[str, Any], form: str) -> list[str]:
    """The exit code follows from the claims, and standard output holds what was asked for."""
    assert ran.folder
    flagged = reported["claims"]["violation"] + reported["claims"]["review"]
    found = [] if ran.code == (1 if flagged else 0) else [f"exit {ran.code} with {flagged} flagged claims"]
    findings = pl.read_parquet(ran.folder / "findings.parquet")
    claims = pl.read_parquet(ran.folder / "claims.parquet")
    if claims.height != reported["claims"]["audited"] + reported["claims"]["not_applicable"]:
        found.append("claims.parquet and summary.json differ")
    for name, frame in (("findings", findings), ("claims", claims)):
        with (ran.folder / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
            if len(list(csv.DictReader(stream))) != frame.height:
                found.append(f"{name}.csv and {name}.parquet differ")
    lines: int | None = None
    if form == "json" and json.loads(ran.out) != without_ids(Summary.model_validate(reported)).published():
        found.append("standard output is not summary.json")
    elif form == "jsonl":
        lines = len([json.loads(line) for line in ran.out.split("\n") if line])
    elif form == "csv":
        lines = len(list(csv.DictReader(ran.out.split("\n"))))
    if lines not in (None, findings.height) and form == "jsonl":
        found.append(f"{lines} findings on standard output for {findings.height}")
    return found


class Touched:
    """Whose rows differ between two readings of an export, and whoever shares an id with one of those rows."""

    def __init__(self, before: Facts, after: Facts) -> None:
        differing = {name: _distinct(before[name]) ^ _distinct(after[name]) for name in before}
        self.rows = differing
        every = [dict(row) for name in before for row in _distinct(before[name]) | _distinct(after[name])]
        changed = [dict(row) for rows in differing.values() for row in rows]
        licensed = {row["provider_id"] for row in map(dict, differing.get("providers", ())) if "provider_id" in row}
        changed += [row for row in every if row.get("provider_id") in licensed]
        self.patients: set[str] = set()
        self.links: set[str] = set()
        self._add(changed)
        while True:
            known = (len(self.patients), len(self.links))
            self._add(
                row for row in every if _bare(row.get("patient_id", "")) in self.patients or self.links & _links(row)
            )
            if known == (len(self.patients), len(self.links)):
                break
        self.providers = {_bare(row.get("provider_id", "")) for row in (*changed, *every) if self.owns(row)}
        self.providers |= {_bare(row.get("provider_id", "")) for row in changed}

    def owns(self, row: Fact) -> bool:
        """Whether a row may be judged otherwise than before."""
        return _bare(row.get("patient_id", "")) in self.patients or bool(self.links & _links(row))

    def _add(self, rows: Iterable[Fact]) -> None:
        for row in rows:
            self.links |= _links(row)
            if row.get("patient_id"):
                self.patients.add(_bare(row["patient_id"]))


def _distinct(rows: list[Fact]) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(row.items())) for row in rows}


def _links(row: Fact) -> set[str]:
    return {_bare(row[name]) for name in LINKS if row.get(name)}


def _bare(text: str) -> str:
    """An id without characters that print nothing, and without a spreadsheet's armour."""
    text = "".join(one for one in text if unicodedata.category(one) not in ("Cc", "Cf")).strip()
    return re.sub(r'^="(.*)"$', r"\1", text).removeprefix("'")


def used_rows(ran: Ran, observed: dict[str, Inside], by_file: Facts) -> list[str]:
    """A row that is not rejected is used: its id is among the records, each once, and no two used rows are the same."""
    assert ran.folder
    with (ran.folder / "rejects.csv").open(newline="", encoding="utf-8") as stream:
        lost = {(reject["source_file"], int(reject["source_record"])) for reject in csv.DictReader(stream)}
    found = []
    for name, inside in observed.items():
        key = inside.spec.key
        rows = [
            row for file in inside.files for at, row in enumerate(by_file[file], 1) if (file, at) not in lost
        ]  # fmt: skip
        nothing = {*NULLS, ""}
        wanted = {tuple("1" if (bare := _bare(row.get(part, ""))) in nothing else bare for part in key) for row in rows}
        used = [tuple(str(part).strip() for part in record) for record in inside.rows.select(key).iter_rows()]
        if wanted != set(used) or len(used) != len(set(used)):
            found.append(f"{name}: {len(wanted)} ids of rows that were not rejected, {len(used)} records")
        if len(_distinct(rows)) != len(rows):
            found.append(f"{name}: {len(rows) - len(_distinct(rows))} copies of rows neither collapsed nor rejected")
    return found


def rejected_rows(ran: Ran, after: Facts, by_file: Facts, touched: Touched) -> list[str]:
    """Each rejected record is a row that was spoilt, or shares an id with one, or repeats another row."""
    assert ran.folder
    found = []
    with (ran.folder / "rejects.csv").open(newline="", encoding="utf-8") as stream:
        for reject in csv.DictReader(stream):
            name, rows = reject["table_name"], after[reject["table_name"]]
            row = by_file[reject["source_file"]][int(reject["source_record"]) - 1]
            provider = name == "providers" and _bare(row.get("provider_id", "")) in touched.providers
            copies = reject["reason"] == "duplicate row" and rows.count(row) > 1
            if not (provider or copies or touched.owns(row) or tuple(sorted(row.items())) in touched.rows[name]):
                found.append(f"{name}: record {reject['source_record']} was not spoilt: {reject['reason']}")
    return found


def _reasons(ran: Ran) -> str:
    """Why rows of the providers were rejected."""
    assert ran.folder
    with (ran.folder / "rejects.csv").open(newline="", encoding="utf-8") as stream:
        return " ".join(reject["reason"] for reject in csv.DictReader(stream) if reject["table_name"] == "providers")


def verdicts(
    before: dict[str, pl.DataFrame], ran: Ran, by_file: Facts, touched: Touched
) -> tuple[list[str], Counter[str]]:
    """Claims, findings and evidence of untouched patients are what they were. Returns also how many were compared.

    INT003 reads the provider's other calls by design: it is left out where one of these was touched. A provider who
    is in two tables nearly alike, or in none any more, is doubted for all his claims: then only those of other
    providers are compared.
    """
    assert ran.folder
    doubted = re.search(
        r"provider\S*( of audited claims only if the audit ignores|_id: the export has no visit of \d+ providers)|conflicting",
        ran.err + _reasons(ran),
    )
    now = {name: pl.read_parquet(ran.folder / f"{name}.parquet") for name in TABLES}
    apart = pl.col("patient_id").is_in(list(touched.patients)).not_()
    kept = before["claims"].filter(apart)
    counted = Counter(patients=kept["patient_id"].n_unique(), claims=kept.height)
    found = []
    key = ["claim_id", "claim_line", "cpt_code"]
    for busy in (False,) if doubted else (False, True):
        mine = pl.col("provider_id").is_in(list(touched.providers)) == busy
        ours, theirs = ({} for _ in range(2))
        for tables, chosen in ((before, ours), (now, theirs)):
            claims = tables["claims"].filter(apart & mine)
            chosen["claims"] = claims
            for name in ("findings", "evidence"):
                chosen[name] = tables[name].join(claims.select(key), on=key, how="semi", maintain_order="left")
        for name in TABLES:
            left, right = _comparable(ours[name], busy), _comparable(theirs[name], busy)
            if not left.equals(right):
                lost, new = _apart(left, right), _apart(right, left)
                found.append(f"{name} of untouched patients changed: {lost} → {new}")
    sources = now["claims"].filter(apart).select("patient_id", "source_file", "source_record")
    for patient, file, record in sources.iter_rows():
        if by_file[file][record - 1].get("patient_id") != patient:
            found.append(f"a claim's source_record {record} is another patient's row")
    return found, counted


def _comparable(frame: pl.DataFrame, busy: bool) -> pl.DataFrame:
    frame = frame.drop("source_file", "source_record", "case_number", strict=False)
    if not busy:
        return frame
    if "rule" in frame.columns:
        frame = frame.filter(pl.col("rule") != "INT003")
    lists = [name for name in ("violations", "reviews", "unknowns", "not_applicable") if name in frame.columns]
    without = pl.element().filter(pl.element() != "INT003")
    return frame.drop(*_DERIVED, strict=False).with_columns(pl.col(name).list.eval(without) for name in lists)


def _apart(frame: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    there = set(map(str, other.to_dicts()))
    return [text[:600] for row in frame.to_dicts() if (text := str(row)) not in there][:2]
