"""Reading tables: rejects, duplicates, conflicts. docs/specification.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from tests.reference.columns import BILLING_COLUMNS, COLUMNS, KEYS, LIST_COLUMNS, REQUIRED, RowError
from tests.reference.values import (
    Clock,
    column_dates,
    is_placeholder_date,
    read_billed_codes,
    read_range,
    read_value,
    read_word,
    says_nothing,
    undress,
    with_dates_in_iso,
)
from tests.reference.world import DAY, Table


@dataclass
class Loaded:
    """A table after normalisation: one dict per record that is used, the rejects, the tainted patients, all sound rows,
    and the groups that hold more than half of many rows.
    """

    records: list[dict[str, Any]]
    rejects: list[tuple[int, str]]
    tainted: set[str]
    columns: set[str]
    sound: list[dict[str, Any]]
    common_groups: set[str] = field(default_factory=set)

    @property
    def patients(self) -> list[str]:
        """The patient of every sound row."""
        return [row["patient_id"] for row in self.sound]


def load(name: str, table: Table | None, clock: Clock, with_claims_table: bool) -> Loaded:
    """Read one table: own faults first, then exact duplicates, then rows of one id."""
    if table is None:
        return Loaded([], [], set(), set(), [])
    missing = [column for column in REQUIRED[name] if column not in table.columns]
    if missing:
        raise ValueError(f"{name}: required columns missing: {missing}")
    kinds = dict(COLUMNS[name])
    table, ranges = without_ranges(name, table)
    table = with_dates_in_iso(table, {c for c, kind in kinds.items() if kind in ("instant", "date")})
    if name == "calls" and with_claims_table:
        for column in BILLING_COLUMNS:
            del kinds[column]
    exists = {
        column
        for column in kinds
        if column in table.columns
        and (column in REQUIRED[name] or not table.rows or not is_blank(table, column, kinds[column]))
    }
    nothing = {"problem_id": dominating(table, "problem_id") if "problem_id" in exists else set()}
    if name == "calls" and {"claim_id", "patient_id"} <= exists and not with_claims_table:
        nothing["claim_id"] = shared_claims(table)
        if all(id_of(row, "claim_id") in {"", *nothing["claim_id"]} for row in table.rows):
            exists -= {"claim_id"}
    dates = {c: column_dates(table, c, clock) for c in exists if kinds[c] == "instant" and c != "call_start"}
    default_line = name == "claims" or (name == "calls" and not with_claims_table)

    rejects: list[tuple[int, str]] = []
    tainted: set[str] = set()

    def reject(record: int, reason: str) -> None:
        rejects.append((record, reason))
        patient = undress(table.rows[record - 1].get("patient_id", ""))
        if reason != "duplicate row" and "patient_id" in exists and not says_nothing("", patient):
            tainted.add(patient)

    statuses = [undress(row.get("claim_status", "")) for row in table.rows]
    numbers = all(read_word("claim_status", word) is not None for word in statuses if is_number(word))

    good: list[tuple[int, dict[str, Any]]] = []
    for record, row in enumerate(table.rows, start=1):
        try:
            values: dict[str, Any] = {}
            local = clock.of_row(row.get("timezone", "")) if "timezone" in exists else clock
            for column, kind in kinds.items():
                text = undress(row.get(column, "")) if column in exists else ""
                text = "" if says_nothing(column, text) or is_no_date(kind, text) else text
                text = "" if text.strip() in nothing.get(column, ()) or is_key_of_nothing(column, text) else text
                values[column] = read_value(kind, column, text, local, dates.get(column, "no"))
            if "cpt_code" in kinds:
                cell = read_billed_codes(undress(row.get("cpt_code", ""))) if values["cpt_code"] else {}
                values["billed_codes"] = tuple(sorted((code, tuple(sorted(mods))) for code, mods in cell.items()))
            if name == "claims":
                first, last = ranges.get(record, (values["service_date"], None))
                values |= {"service_date": first, "service_date_last": None if last == first else last}
            if "claim_status" in kinds:
                word = undress(row.get("claim_status", "")) if "claim_status" in exists else ""
                known = read_word("claim_status", word) is not None and (numbers or not is_number(word))
                values["claim_status"] = values["claim_status"] if known else "active"
                values["claim_status_sure"] = says_nothing("", word) or known
            for column in REQUIRED[name]:
                word = undress(row.get(column, ""))
                if column == "service_date" and record in ranges:
                    continue
                if values[column] is None and not (column == "provider_id" and is_key_of_nothing(column, word)):
                    raise RowError("blank")
            if default_line and values["claim_line"] is None:
                values["claim_line"] = "1"
            if name == "calls":
                if values["call_end"] is not None and values["call_end"].date_only:
                    values["call_end"] = None
                check_call(values)
            good.append((record, values))
        except RowError as bad:
            reject(record, str(bad))

    groups: dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]] = {}
    for record, values in good:
        groups.setdefault(tuple(values[column] for column in KEYS[name]), []).append((record, values))

    records: list[dict[str, Any]] = []
    for rows in groups.values():
        distinct: list[tuple[int, dict[str, Any]]] = []
        for record, values in rows:
            if any(values == other for _, other in distinct):
                reject(record, "duplicate row")
            else:
                distinct.append((record, values))
        own = [values for _, values in distinct if is_own_record(name, values)]
        records += own
        distinct = [(record, values) for record, values in distinct if not is_own_record(name, values)]
        if not distinct:
            continue
        united = (*LIST_COLUMNS, *(("global_days",) if name == "visits" else ()))
        plain = [{c: v for c, v in values.items() if c not in united} for _, values in distinct]
        if any(one != plain[0] for one in plain):
            if name == "claims" and is_chain([values for _, values in distinct], own):
                records += [values for _, values in distinct]
                continue
            different = [c for c in kinds if any(differs(c, one, plain[0]) for one in plain)]
            for record, _ in distinct:
                reject(record, f"conflicting rows for one id: {', '.join(different)} differ")
            continue
        merged = dict(plain[0])
        for column in LIST_COLUMNS:
            if column in kinds:
                merged[column] = frozenset().union(*(values[column] for _, values in distinct))
        if name == "visits":
            days = [values["global_days"] for _, values in distinct if values["global_days"] is not None]
            merged["global_days"] = max(days, default=None)
        records.append(merged)
    return Loaded(
        records, sorted(rejects), tainted, exists, [values for _, values in good], dominating(table, "group_id")
    )


def without_ranges(name: str, table: Table) -> tuple[Table, dict[int, tuple[date, date]]]:
    """The table without its ranges of service dates, and the days of each, by record."""
    ranges = {}
    for record, row in enumerate(table.rows if name == "claims" else (), start=1):
        days = read_range(undress(row.get("service_date", "")).strip())
        if days is not None:
            ranges[record] = days
    rows = [row | {"service_date": ""} if record in ranges else row for record, row in enumerate(table.rows, start=1)]
    return replace(table, rows=tuple(rows)), ranges


def id_of(row: dict[str, str], column: str) -> str:
    """An id as it stands; "" where it is blank."""
    text = undress(row.get(column, ""))
    return "" if says_nothing(column, text) or is_key_of_nothing(column, text) else text.strip()


def is_key_of_nothing(column: str, text: str) -> bool:
    """A key by which a warehouse points to no record."""
    return column.endswith("_id") and column != "patient_id" and text.strip() in ("0", "-1", "-2", "-3")


def dominating(table: Table, column: str) -> set[str]:
    """The id that more than half of a column's 20 filled rows or more hold, where it has 10 different ones or more."""
    # CHOICE: the rows of a column are all rows of the table, rejected ones and duplicates too.
    counts = Counter(id_of(row, column) for row in table.rows if column in table.columns)
    del counts[""]
    if counts.total() < 20 or len(counts) < 10:
        return set()
    return {text for text, count in counts.items() if 2 * count > counts.total()}


def shared_claims(table: Table) -> set[str]:
    """The claim ids of calls that are found with two patients or more, as they stand."""
    pairs = {(id_of(row, "claim_id"), id_of(row, "patient_id")) for row in table.rows}
    counts = Counter(claim for claim, patient in pairs if claim and patient)
    return {claim for claim, count in counts.items() if count > 1}


def is_number(word: str) -> bool:
    return word.strip().replace(".", "").isdecimal()


def each_code(row: dict[str, Any], numbered: bool) -> list[dict[str, Any]]:
    """A row for each code of its cell; the code is added to a numbered line."""
    rows = []
    for code, modifiers in row["billed_codes"]:
        several = len(row["billed_codes"]) > 1
        line = f"{row['claim_line']}/{code}" if several and numbered else row["claim_line"]
        facts = {
            "cpt_code": code,
            "claim_line": line,
            "modifiers": row["modifiers"] | set(modifiers),
            "source": id(row),
        }
        rows.append(row | facts | {"own_line": row["claim_line"], "shares_cell": several})
    return rows


def is_blank(table: Table, column: str, kind: str) -> bool:
    """Whether no row says anything in the column."""
    texts = (undress(row.get(column, "")) for row in table.rows)
    return all(
        says_nothing(column, text) or is_no_date(kind, text) or is_key_of_nothing(column, text) for text in texts
    )


def is_no_date(kind: str, text: str) -> bool:
    """Whether the text is a placeholder in a column of dates or instants."""
    return kind in ("date", "instant") and is_placeholder_date(text)


def adjusts(values: dict[str, Any]) -> bool:
    """A replacement, a void, or a negative amount: a record of its own."""
    amounts = [values.get(name) for name in ("billed_amount", "paid_amount")]
    negative = any(amount is not None and amount < 0 for amount in amounts)
    return (
        values.get("frequency_code") in ("replacement", "void") or negative or values.get("claim_status") == "reversed"
    )


def is_own_record(name: str, values: dict[str, Any]) -> bool:
    """Adjustments conflict with no row of their id; nor do void and denied rows of a claims table."""
    # CHOICE: a call is a call whatever its line's status, so rows of one call_id conflict as before.
    return adjusts(values) or (name == "claims" and values["claim_status"] in ("void", "denied"))


def differs(column: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Do two rows differ in a column? A list differs in no row."""
    others = {"claim_status": "claim_status_sure", "cpt_code": "billed_codes", "service_date": "service_date_last"}
    beside = others.get(column, column)
    return column in one and (one[column] != other[column] or one[beside] != other[beside])


MAY_CHANGE = (
    "claim_status",
    "claim_status_sure",
    "billed_amount",
    "paid_amount",
    "units",
    "modifiers",
    "processed_date",
    "source",
)


def unchanging(values: dict[str, Any]) -> dict[str, Any]:
    """What the rows of one line have in common, however it is paid."""
    return {column: value for column, value in values.items() if column not in MAY_CHANGE}


def is_chain(active: list[dict[str, Any]], own: list[dict[str, Any]]) -> bool:
    """Do active rows of one id follow one another: by their dates, or because reversals leave one of them?"""
    # CHOICE: adjustments of other lines of the claim are not asked, so that a table can be read by itself.
    acting = [
        row for row in own if row["frequency_code"] in ("replacement", "void") and row["claim_status"] != "denied"
    ]
    if any(row["original_claim_id"] in (None, row["claim_id"]) for row in acting):
        return True
    if any(unchanging(row) != unchanging(active[0]) for row in active):
        return False
    left = sorted(active, key=place_in_chain)
    for reversal in own:
        if reversal in acting or reversal["claim_status"] not in ("active", "reversed"):
            continue
        undone = [row for row in left if takes_back(reversal, row)]
        if undone:
            left.remove(undone[-1])
    if all(
        {c: v for c, v in row.items() if c not in LIST_COLUMNS}
        == {c: v for c, v in left[0].items() if c not in LIST_COLUMNS}
        for row in left
    ):
        return True
    dates = [row["processed_date"] for row in left]
    return None not in dates and len(set(dates)) == len(dates)


def place_in_chain(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["processed_date"] is not None, row["processed_date"] or 0)


def takes_back(reversal: dict[str, Any], row: dict[str, Any]) -> bool:
    """Are the amounts opposite where the reversal's are negative?"""
    pairs = [(reversal[name], row[name]) for name in ("billed_amount", "paid_amount")]
    return all(theirs == -mine for mine, theirs in pairs if mine is not None and mine < 0)


def check_call(values: dict[str, Any]) -> None:
    """The faults that one call row can have across its columns."""
    if values["call_start"].date_only:
        raise RowError("date-only")
    if values["call_end"] is not None:
        if values["call_end"].at < values["call_start"].at:
            raise RowError("end before start")
        if values["call_end"].at - values["call_start"].at > DAY:
            raise RowError("over 24 h")
