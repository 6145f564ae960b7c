"""`audit98968 cases`: the bodies of its commands. The text forms number the cases; identifiers need --show-ids."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from auditor.cases import book, reviewed, store
from auditor.cases.decide import STATES, Decision, decide
from auditor.cases.night import MARKS
from auditor.errors import InputRefused, UsageError
from auditor.names import harmless, nearest
from auditor.report import tables, text

FORMATS = ("csv", "jsonl")
_ALWAYS = ("number", "rule", "outcome", "state", "mark", "due", "at_risk_amount")
_IDS = ("claim_id", "claim_line", "cpt_code", "service_date", "provider_id", "patient_id")


def today() -> date:
    """The day of a decision that names none, in UTC."""
    return datetime.now(UTC).date()


def day(flag: str, value: str | None) -> date | None:
    """A date as it was given. Raises UsageError."""
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise UsageError(f"{flag}: a date expected, such as 2026-03-31") from None


def listing(place: Path, filters: Mapping[str, str | None], due: str | None, show_ids: bool) -> int:
    """Print the cases that pass the filters."""
    _one_of("--state", filters["state"], STATES)
    _one_of("--mark", filters["mark"], MARKS)
    by = today() + book.days(due) if due else None
    with store.opened(book.ledger_of(place)) as ledger:
        cases = book.listed(ledger, due_by=by, **filters)
    out = text.console(sys.stdout)
    out.print(f"{cases.height:,} cases" if cases.height != 1 else "1 case")
    if cases.is_empty():
        return 0
    table = Table(box=None, pad_edge=False, show_edge=False)
    columns = _ALWAYS + (_IDS if show_ids else ())
    for name in columns:
        table.add_column(
            {"number": "case", "at_risk_amount": "at risk"}.get(name, name.replace("_", " ")), no_wrap=True
        )
    for row in cases.select(columns).iter_rows():
        table.add_row(*("" if value is None else harmless(str(value)) for value in row))
    out.print(table)
    return 0


def export(place: Path, form: str) -> int:
    """Write every case as CSV or JSON Lines."""
    _one_of("--format", form, FORMATS)
    with store.opened(book.ledger_of(place)) as ledger:
        cases = book.listed(ledger)
    sys.stdout.flush()
    sys.stdout.buffer.write((tables.to_csv(cases) if form == "csv" else tables.to_jsonl(cases)).encode())
    sys.stdout.buffer.flush()
    return 0


def show(place: Path, word: str) -> int:
    """Print one case with its history: identifiers are what was asked for."""
    with store.opened(book.ledger_of(place)) as ledger:
        case, history = book.shown(ledger, book.find(ledger, word))
    out = text.console(sys.stdout)
    for name, value in case.items():
        if value is not None:
            out.print(f"{name.replace('_', ' ')}: {harmless(str(value))}")
    out.print("history:")
    for entry in history:
        told = json.dumps(entry["details"], ensure_ascii=False, sort_keys=True)
        out.print(f"  {entry['number']}  {entry['at']}  {harmless(entry['by'])}  {entry['what']}  {harmless(told)}")
    return 0


def decision(place: Path, words: list[str], given: Mapping[str, Any]) -> int:
    """Enter one decision for each of the named cases, all or none."""
    made = Decision(
        state=given["decision"],
        reviewer=given["by"] or "",
        reason=given["reason"] or "",
        on=_not_future(day("--on", given["on"]) or today()),
        until=day("--until", given["until"]),
        investigated_from=day("--investigated-from", given["investigated_from"]),
        investigated_to=day("--investigated-to", given["investigated_to"]),
    )
    with store.opened(book.ledger_of(place)) as ledger, store.writing(ledger):
        decided = [(number, decide(ledger, number, made)) for number in (book.find(ledger, word) for word in words)]
    for number, state in decided:
        due = state.due()
        print_line(f"case {number}: {state.state}" + (f"; report and return by {due}" if due else ""))
    return 0


def note(place: Path, word: str, words: str, by: str | None) -> int:
    """Add a note to a case's history."""
    if not (by or "").strip() or not words.strip():
        raise UsageError("a note needs its text and its author: --by NAME")
    with store.opened(book.ledger_of(place)) as ledger, store.writing(ledger):
        number = book.find(ledger, word)
        reviewed.add_note(ledger, book.finding(ledger, number), str(by), words)
    print_line(f"case {number}: noted")
    return 0


def take(place: Path, workbook: Path, by: str | None) -> int:
    """Enter the decisions of a reviewed work paper."""
    if not (by or "").strip():
        raise UsageError("decisions need their reviewer: --by NAME")
    with store.opened(book.ledger_of(place)) as ledger, store.writing(ledger):
        tally = reviewed.take(ledger, workbook, str(by), today())
    print_line(
        f"{tally.decided:,} decided, {tally.noted:,} noted, {tally.already:,} stood already, "
        f"{tally.older:,} older than the ledger's own decision and left alone"
    )
    return 0


def verify(place: Path) -> int:
    """Prove the history, or name every place where it does not hold."""
    path = book.ledger_of(place)
    with store.opened(path) as ledger:
        faults = list(book.faults(ledger, path.parent))
        entries = ledger.execute("SELECT count(*) FROM history").fetchone()[0]
    if faults:
        for fault in faults:
            print_line(fault)
        raise InputRefused(f"{path}: the history does not hold in {len(faults)} places; keep this file as evidence")
    print_line(f"{entries:,} entries: the history holds")
    return 0


def print_line(line: str) -> None:
    """One line on standard output."""
    text.console(sys.stdout).print(line)


def _not_future(on: date) -> date:
    if on > today():
        raise UsageError("--on: a decision cannot be dated in the future")
    return on


def _one_of(flag: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise UsageError(f"{flag}: {value!r} is not one of {', '.join(allowed)}{nearest(value, allowed)}")
