"""`audit98968 cases`: the bodies of its commands. The text forms number the cases; identifiers need --show-ids."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from sqlite3 import Connection
from typing import Any, get_args

import polars as pl
import typer
from rich.table import Table

from auditor import zones
from auditor.cases import proof, queries, reviewed, store
from auditor.cases.decide import Decision, assign, decide, refundable
from auditor.cases.queries import published
from auditor.cases.states import MARKS, STATES
from auditor.choices import GONE, CaseOrder, ExportFormat, FoundOutcome, ListFormat
from auditor.errors import LedgerDamaged, UsageError
from auditor.judging.findings import KEYS
from auditor.reports import tables, text
from auditor.rules import CODES, select
from auditor.runs import past
from auditor.schema.names import counted, harmless
from auditor.schema.tables import fold_term
from cli.flags import require_choice
from cli.log import log
from cli.streams import data

_LABELS = {"number": "case", "rule": "rule", "outcome": "outcome", "state": "state", "mark": "mark", "found": "first found",
          "age": "days open", "due": "due", "left": "days left", "amount": "amount", "assignee": "assignee"}  # fmt: skip
_IDS = ("claim_id", "claim_line", "cpt_code", "service_date", "provider_id", "patient_id")
_ABOUT_A_PATIENT = ("finding_id", "related_id", "related_at", "decided_record", "reviewer", "reason")
"""Columns that are left blank without --show-ids, beside the identifiers."""
_OF_CASE = {"claim": "claim_id", "patient": "patient_id", "provider": "provider_id", "outcome": "outcome",
            "assignee": "assignee"}  # fmt: skip
"""Filters of one value, and the column that has it."""
_NUMBERS = ("number", "age", "left", "amount")
"""Columns aligned to the right."""
_SPANS = ("until", "investigated_from", "investigated_to", "identified_on")
_WIDE = 10_000


def today() -> date:
    """The day of a decision that names none, in UTC."""
    return datetime.now(UTC).date()


def _day(name: str, value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise UsageError(f"--{name.replace('_', '-')}: a date expected, such as 2026-03-31") from None


@contextmanager
def _read(location: Path) -> Iterator[Connection]:
    """One state of the ledger to read; a warning says that it does not hold. Raises LedgerDamaged if it cannot be read."""
    path = queries.ledger_of(location)
    with store.opened(path) as ledger, store.reading(ledger):
        if fault := proof.fault_of(ledger, path, path.parent):
            log.warn(fault)
        try:
            yield ledger
        except (pl.exceptions.PolarsError, ValueError, TypeError, LookupError, ArithmeticError):
            if not fault:
                raise
            raise LedgerDamaged(f"{path}: its cases have values that this program did not write") from None


@contextmanager
def _write(location: Path) -> Iterator[Connection]:
    """A transaction of a ledger that holds. Raises LedgerDamaged for another: a decision would be lost with it."""
    path = queries.ledger_of(location)
    with store.opened(path) as ledger, store.writing(ledger):
        proof.require_sound_ledger(ledger, path, path.parent)
        yield ledger


def listing(location: Path, given: Mapping[str, Any]) -> int:
    """Print the cases that pass the filters."""
    choices = {"state": STATES, "mark": MARKS, "sort": get_args(CaseOrder), "format": get_args(ListFormat)}
    for name in (name for name in choices if given[name] is not None):
        require_choice(f"--{name}", given[name], choices[name])
    by = today() + queries.days(given["due"]) if given["due"] else None
    with _read(location) as ledger:
        since = queries.run_since(ledger, given["since"]) if given["since"] else None
        _list(queries.list_cases(ledger, by, since, state=given["state"], mark=given["mark"]), location, given)
    return 0


def _list(cases: pl.DataFrame, location: Path, given: Mapping[str, Any]) -> None:
    cases = _filtered(cases, location, given)
    cases = cases.with_columns(left=(pl.col("due") - today()).dt.total_days(), found=past.day_of("first_run"))
    is_open = (pl.col("state") == "open") & ~pl.col("mark").is_in(GONE)
    cases = cases.with_columns(age=pl.when(is_open).then((pl.lit(today()) - pl.col("found")).dt.total_days()))
    whole = _sorted(cases, given["sort"])
    cases = whole.head(given["limit"] or whole.height)
    headings = _LABELS | ({name: name.replace("_", " ") for name in _IDS} if given["show_ids"] else {})
    rows = published(cases, queries.ledger_of(location).parent)
    if not given["show_ids"]:
        hidden = [pl.lit(None, rows.schema[name]).alias(name) for name in (*_IDS, *_ABOUT_A_PATIENT)]
        rows = rows.with_columns(*hidden, tables.without_ids())
    if given["format"] != "text":
        records = [json.loads(line) for line in tables.to_jsonl(rows).splitlines()]
        as_json = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
        data(tables.to_csv(rows) if given["format"] == "csv" else as_json)
        return
    _print_list(cases.with_columns(rows["message"]), whole, headings)


def _filtered(cases: pl.DataFrame, location: Path, given: Mapping[str, Any]) -> pl.DataFrame:
    """The cases of the rules, claims, patients, providers, payers and outcomes that are asked for. Raises UsageError."""
    if given["rule"] is not None:
        cases = cases.filter(pl.col("rule").is_in(_rules(given["rule"].split(","), {*cases["rule"]})))
    if given["outcome"] is not None:
        require_choice("--outcome", given["outcome"], get_args(FoundOutcome))
    for name, column in _OF_CASE.items():
        if given[name] is not None:
            cases = cases.filter(pl.col(column).fill_null("") == given[name])
    if given["payer"] is not None:
        payers = published(cases, queries.ledger_of(location).parent)["payer"].fill_null("")
        cases = cases.filter(payers.map_elements(fold_term, pl.String) == fold_term(given["payer"]))
    return cases


def _rules(asked: list[str], in_ledger: set[str]) -> tuple[str, ...]:
    """Rule codes, those of uninstalled packages among them: their cases stay. Raises UsageError."""
    gone = tuple(text.strip().upper() for text in asked if text.strip().upper() in in_ledger - {*CODES})
    return gone + select("--rule", [text for text in asked if text.strip().upper() not in gone])


def _sorted(cases: pl.DataFrame, order: str | None) -> pl.DataFrame:
    """In an order that was asked for: the largest amount first, the oldest date first."""
    if order in (None, "due"):
        return cases
    if order == "amount":
        return cases.sort(pl.col("amount").cast(pl.Float64), "number", descending=[True, False], nulls_last=True)
    return cases.sort("number" if order == "case" else order, "number", nulls_last=True)


def _print_list(cases: pl.DataFrame, whole: pl.DataFrame, headings: dict[str, str]) -> None:
    """How many of the whole by state, and their claims' amounts once; then each case with its finding's sentence.

    The sentence has a line of its own on a terminal, and ends the case's line elsewhere.
    """
    found = whole.filter(~pl.col("mark").is_in(GONE))
    states = Counter(found["state"])
    counts = [f"{states[name]:,} {name}" for name in STATES if states[name]]
    counts += [f"{number:,} {name.replace('_', ' ')}" for name in GONE if (number := whole.filter(mark=name).height)]
    if overdue := whole.filter(pl.col("left") < 0).height:
        counts.append(f"{overdue:,} overdue")
    claims = found.unique(KEYS)
    amount = claims.select(pl.col("amount").cast(pl.Decimal(18, 2)).sum()).item()
    out = text.console(sys.stdout)
    totals = f"{counted(whole.height, 'case')}{': ' if counts else ''}{', '.join(counts)}"
    out.print(f"{totals}; {amount:,.2f} on {counted(claims.height, 'claim')}" if amount else totals)
    if cases.is_empty():
        return
    if not cases["due"].count():
        headings = {name: heading for name, heading in headings.items() if name not in ("due", "left")}
    if not cases["assignee"].count():
        headings = {name: heading for name, heading in headings.items() if name != "assignee"}
    between, heading_of_sentences = ("\n    ", "") if sys.stdout.isatty() else ("  ", "what was found")
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name, heading in headings.items():
        table.add_column(heading, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for row in cases.select(*headings).iter_rows():
        table.add_row(*("" if value is None else harmless(str(value)) for value in row))
    out.width = max(out.width, _WIDE)  # a terminal wraps the line; a narrow table would cut the ids
    with out.capture() as lines:
        out.print(table, soft_wrap=True)
    for line, sentence in zip(lines.get().splitlines(), [heading_of_sentences, *cases["message"]], strict=True):
        out.out(line + (f"{between}{harmless(sentence)}" if sentence else ""))
    if more := whole.height - cases.height:
        out.print(f"and {more:,} more")


def export(location: Path, form: str) -> int:
    """Write every case as CSV or JSON Lines."""
    require_choice("--format", form, get_args(ExportFormat))
    with _read(location) as ledger:
        cases = published(queries.list_cases(ledger), queries.ledger_of(location).parent)
    data(tables.to_csv(cases) if form == "csv" else tables.to_jsonl(cases))
    return 0


def show(location: Path, case_text: str) -> int:
    """Print one case with its history: identifiers are what was asked for."""
    folder = queries.ledger_of(location).parent
    with _read(location) as ledger:
        number = queries.find(ledger, case_text)
        history = queries.history_of(ledger, number)
        case = published(queries.list_cases(ledger, number=number), folder).row(0, named=True)
        _show(case, history, zones.zone(queries.zone_of(folder)))
    return 0


def _show(case: Mapping[str, Any], history: list[dict[str, Any]], zone: tzinfo) -> None:
    out = text.console(sys.stdout)
    for name, value in case.items():
        if value is not None:
            out.print(f"{name.replace('_', ' ') + ':':18} {harmless(str(value))}")
    out.print("history:")
    for entry in history:
        at = datetime.fromisoformat(entry["at"]).astimezone(zone).isoformat(" ", "seconds")
        sentence = "; ".join(_history_entry(entry["what"], entry["details"]))
        out.print(f"  {entry['number']}  {at}  {harmless(entry['by'])}: {harmless(sentence)}")


def _history_entry(event: str, details: Mapping[str, Any]) -> Iterator[str]:
    if event == "note":
        yield f"note: {details['text']}"
    elif event == "assigned":
        yield f"assigned to {details['to'] or 'nobody'}"
    elif event == "decided":
        yield f"{details['state']} on {details['on']}, because: {details['reason']}"
        yield from (f"{name.replace('_', ' ')} {details[name]}" for name in (*_SPANS, "amount") if name in details)
    elif event == "restored":
        yield f"restored from the run folders: {details['state']}, {details['mark']}"
    else:
        yield f"{event} in run {details['run']}" + (f": {details['why']}" if "why" in details else "")
        if decision := details.get("decision"):
            yield f"it was {decision}"
        now, before = details.get("facts", {}), details.get("before", {})
        yield from (
            f"{name.replace('_', ' ')} was {before[name] or 'blank'}, is {now[name] or 'blank'}"
            for name in before
            if before[name] != now[name]
        )


def decision(location: Path, case_names: list[str], given: Mapping[str, Any]) -> int:
    """Enter one decision for each of the named cases, or of those that pass the filters, all or none.

    What filters choose is only counted, by rule and amount, unless `yes` is given.
    """
    if not (case_names := _chosen(location, case_names, given, given["decision"])):
        return 0
    amount = _dollars(given["amount"])
    if amount is not None and len(case_names) > 1:
        raise UsageError("--amount is the refund of one case; decide the cases one by one")
    if (on := _day("on", given["on"]) or today()) > today():
        raise UsageError("--on: a decision cannot be dated in the future")
    days = {name: _day(name, given[name]) for name in _SPANS}
    by, reason = given["by"] or "", given["reason"] or ""
    path = queries.ledger_of(location)
    new_decision = Decision(given["decision"], by, reason, on, **days, amount=amount)
    with store.opened(path) as ledger:
        proof.require_sound_ledger(ledger, path, path.parent)
        numbers = list(dict.fromkeys(queries.find(ledger, case) for case in case_names))
        more = given["yes"] or (amount is not None and _asked(refundable(ledger, numbers[0]), amount))
        with store.writing(ledger):
            decided = [(number, decide(ledger, number, new_decision, more=more)) for number in numbers]
        dues = dict(queries.list_cases(ledger, number=numbers).select("number", "due").iter_rows())
    for number, state in decided:
        print_line(f"case {number}: {state.state}" + (f"; report and return by {dues[number]}" if dues[number] else ""))
    return 0


def assignment(location: Path, case_names: list[str], given: Mapping[str, Any]) -> int:
    """Enter who works on the named cases, or on those that pass the filters; what filters choose needs `yes`."""
    if not (given["by"] or "").strip() or given["to"] is None:
        raise UsageError("an assignment needs who works on the cases and who says so: --to NAME --by NAME")
    if not (case_names := _chosen(location, case_names, given, "assigned")):
        return 0
    with _write(location) as ledger:
        numbers = list(dict.fromkeys(queries.find(ledger, case) for case in case_names))
        assign(ledger, numbers, given["to"], given["by"])
    name = harmless(given["to"].strip()) or "nobody"
    print_line(f"{counted(len(numbers), 'case')} assigned to {name}")
    return 0


def _chosen(location: Path, case_names: list[str], given: Mapping[str, Any], what: str) -> list[str]:
    """The cases that are named, or the numbers of those that pass the filters, which are counted and need `yes`."""
    filtered = any(given[name] is not None for name in ("rule", "payer", *_OF_CASE))
    if filtered == bool(case_names):
        filters = ", ".join(f"--{name}" for name in ("rule", "provider", "payer", "patient", "claim", "assignee"))
        raise UsageError(f"name the cases, or else choose them with {filters} or --outcome")
    if not filtered:
        return case_names
    with _read(location) as ledger:
        chosen = _filtered(queries.list_cases(ledger, state=given["state"] or "open"), location, given)
    numbers = [str(number) for number in chosen["number"]]
    _print_chosen(chosen, what)
    if not given["yes"] or not numbers:
        done = "assigned" if what == "assigned" else "decided"
        print_line(f"Nothing was {done}{'; add --yes to do so' if numbers else ''}.")
        return []
    return numbers


def _print_chosen(cases: pl.DataFrame, state: str) -> None:
    """How many cases of each rule a decision is for, and the amounts of their claims, each once."""
    for (rule,), some in cases.sort("rule", "number").group_by("rule", maintain_order=True):
        amount = some.unique(KEYS).select(pl.col("amount").cast(pl.Decimal(18, 2)).sum()).item()
        print_line(f"{rule}: {counted(some.height, 'case')}, {amount or 0:,.2f}")
    print_line(f"{counted(cases.height, 'case')} to be {state}")


def _dollars(text: str | None) -> Decimal | None:
    """An amount as it was given. Raises UsageError."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", text) or not Decimal(text):
        raise UsageError("--amount: dollars expected, such as 30.50")
    return Decimal(text)


def _asked(left: Decimal | None, amount: Decimal) -> bool:
    """Whether a person at a terminal wants to enter a refund of more than is left; nobody is asked otherwise."""
    if left is None or amount <= left or not sys.stdin.isatty():
        return False
    return typer.confirm("This is more than what is left to refund for the claim. Enter it?", err=True)


def note(location: Path, case_text: str, note_text: str, by: str | None) -> int:
    """Add a note to a case's history."""
    if not (by or "").strip() or not note_text.strip():
        raise UsageError("a note needs its text and its author: --by NAME")
    with _write(location) as ledger:
        number = queries.find(ledger, case_text)
        reviewed.add_note(ledger, queries.finding(ledger, number), str(by), note_text)
    print_line(f"case {number}: noted")
    return 0


def import_workbook(location: Path, workbook: Path, by: str | None) -> int:
    """Enter the decisions of a reviewed work paper."""
    if not (by or "").strip():
        raise UsageError("decisions need their reviewer: --by NAME")
    with _write(location) as ledger:
        tally = reviewed.import_workbook(ledger, workbook, str(by), today())
    print_line(f"{tally.decided:,} decided, {tally.noted:,} noted, {tally.already:,} taken before")
    if tally.left:
        numbers = ", ".join(str(number) for number in tally.left)
        print_line(f"{len(tally.left):,} left alone, decided or found changed since the work paper: cases {numbers}")
    return 0


def print_line(line: str) -> None:
    """One line on standard output."""
    text.console(sys.stdout).print(line)
