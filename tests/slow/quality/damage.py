"""One thing wrong with a sound export: a key, a column, a file, a zone, a unit, a format, a month, a code, a word."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Rows = list[dict[str, str]]
Export = dict[str, Rows]
"""Table → its rows as text."""

IDS = (
    *(("visits", name) for name in ("patient_id", "provider_id", "problem_id", "originating_call_id", "visit_id")),
    *(("calls", name) for name in ("patient_id", "provider_id", "problem_id", "related_visit_id")),
    *(("claims", name) for name in ("patient_id", "provider_id", "call_id")),
    ("providers", "provider_id"),
)
TIMES = (("visits", "visit_start"), ("visits", "booked_at"), ("calls", "call_start"), ("claims", "service_date"))
SPELLINGS: dict[str, Callable[[str], str]] = {
    "without zeros": lambda text: text.lstrip("0") or "0",
    "more zeros": lambda text: f"000{text}",
    "decimal": lambda text: f"{text}.0",
    "hyphen": lambda text: f"{text[:2]}-{text[2:]}",
    "inner blank": lambda text: f"{text[:2]} {text[2:]}",
    "armour": lambda text: f'="{text}"',
    "apostrophe": lambda text: f"'{text}",
    "zero width": lambda text: f"\u200b{text}",
    "reference": lambda text: f"Patient/{text}",
    "urn": lambda text: f"urn:uuid:{text}",
    "version": lambda text: f"https://ehr.example/fhir/Patient/{text}/_history/2",
    "commas": lambda text: f"{text[:-3]},{text[-3:]}" if text[-3:].isdecimal() else text,
    "rounded": lambda text: f"{float('1' + text):.2E}" if text.isdecimal() else text,
    "another id": lambda text: f"X{sum(map(ord, text)) * 7919 % 99991}-{text[::-1]}",
}
FORMS: dict[str, Callable[[datetime], str]] = {
    "day first": lambda at: f"{at:%d/%m/%Y %H:%M}",
    "month first": lambda at: f"{at:%m/%d/%Y %H:%M}",
    "epoch": lambda at: f"{(at - datetime(1970, 1, 1)).total_seconds():.0f}",
    "spreadsheet days": lambda at: f"{(at - datetime(1899, 12, 30)) / timedelta(days=1):.6f}",
    "date only": lambda at: f"{at:%Y-%m-%d}",
    "midnight": lambda at: f"{at:%Y-%m-%d} 00:00:00",
    "words": lambda at: f"{at:%B %d, %Y %H:%M}",
    "two digit year": lambda at: f"{at:%d/%m/%y %H:%M}",
    "14 digits": lambda at: f"{at:%Y%m%d%H%M%S}",
    "12 digits": lambda at: f"{at:%Y%m%d%H%M}",
    "8 digits": lambda at: f"{at:%Y%m%d}",
    "epoch milliseconds": lambda at: f"{(at - datetime(1970, 1, 1)).total_seconds():.0f}000",
    "DB2": lambda at: f"{at:%Y-%m-%d-%H.%M.%S}.000000",
    "Oracle": lambda at: f"{at:%d-%b-%y %I.%M.%S.000000 %p}",
    "JavaScript": lambda at: f"{at:%a %b %d %Y %H:%M:%S} GMT-0500 (Eastern Standard Time)",
    "zone name": lambda at: f"{at:%Y-%m-%d %H:%M:%S} EST",
}
UNITS: dict[str, Callable[[float], str]] = {
    "seconds": lambda minutes: f"{minutes * 60:.0f}",
    "hours": lambda minutes: f"{minutes / 60:.4f}",
    "days": lambda minutes: f"{minutes / 1440:.6f}",
    "m:ss without hours": lambda minutes: f"{minutes % 60:.0f}:00",
}
CODES: dict[str, Callable[[str], str]] = {
    "CPT in front": lambda code: f"CPT {code}",
    "CPT and a colon": lambda code: f"CPT:{code}",
    "brackets": lambda code: f'["{code}"]',
    "braces": lambda code: f"{{{code}}}",
    "with a modifier": lambda code: f"{code}-25",
    "SNOMED": lambda code: f"{sum(map(ord, code)) * 104729}",
    "local code": lambda code: f"OV{code[-2:]}",
}
WORDS = ("NULL", "\\N", "nan", "None", "#N/A", "NA", "N/A", "<NA>", "NaT", "[NULL]", "(blank)", "*Unspecified", "UNK", ".", "?",
         "-", "--------")  # fmt: skip
KEYS = ("0", "-1", "-2", "-3")
"""A warehouse's keys of rows that mean not applicable."""
PLACEHOLDER_DATES = ("1900-01-01", "1900-01-01T00:00:00", "1753-01-01", "1970-01-01", "9999-12-31", "0001-01-01")


@dataclass(frozen=True)
class Damage:
    """What was done: its kind, and the table and column that it was done to."""

    kind: str
    table: str
    column: str


def damage(export: Export, rng: random.Random) -> Damage | None:
    """Damage the export in place; None where the table or column drawn is not there."""
    make = rng.choice(
        (_ids, _ids, _ids, _times, _times, _shift, _units, _month, _cut, _codes, _drop, _swap, _null, _null, _nobody, _status,
         _keys, _placeholder_dates, _headers_again, _ledger, _flags, _deleted, _blocked, _doubles, _folder_value, _amounts)
    )  # fmt: skip
    return make(export, rng)


def _some(rows: Rows, rng: random.Random) -> Rows:
    """All rows, half of them, or the last third, as if from another file."""
    how = rng.choice(("all", "all", "half", "third"))
    return {"all": rows, "half": rows[::2], "third": rows[-len(rows) // 3 :]}[how]


def _ids(export: Export, rng: random.Random) -> Damage | None:
    (table, column), (name, spell) = rng.choice(IDS), rng.choice(list(SPELLINGS.items()))
    if table not in export or column not in export[table][0]:
        return None
    for row in _some(export[table], rng):
        row[column] = spell(row[column]) if row[column] else ""
    return Damage(f"id {name}", table, column)


def _null(export: Export, rng: random.Random) -> Damage | None:
    (table, column), word = rng.choice(IDS), rng.choice(WORDS)
    if table not in export or column not in export[table][0]:
        return None
    for row in export[table]:
        row[column] = row[column] or word
    return Damage("null word", table, column)


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo else at


def _times(export: Export, rng: random.Random) -> Damage | None:
    (table, column), (name, write) = rng.choice(TIMES), rng.choice(list(FORMS.items()))
    if table not in export or column not in export[table][0]:
        return None
    for row in _some(export[table], rng):
        if at := _read(row[column]):
            row[column] = write(at)
    return Damage(f"times as {name}", table, column)


def _shift(export: Export, rng: random.Random) -> Damage | None:
    (table, column), hours = rng.choice(TIMES[:3]), rng.choice((4, 5, 8, -5))
    for row in export[table]:
        if (at := _read(row[column])) and len(row[column]) > 10:
            row[column] = f"{at + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}"
    return Damage("zone shifted", table, column)


def _units(export: Export, rng: random.Random) -> Damage | None:
    column, (name, write) = rng.choice(("call_minutes", "discussion_minutes")), rng.choice(list(UNITS.items()))
    for row in export["calls"]:
        try:
            row[column] = write(float(row[column]))
        except ValueError:
            continue
    return Damage(f"lengths in {name}", "calls", column)


def _month(export: Export, rng: random.Random) -> Damage | None:
    table, column = rng.choice((("visits", "visit_start"), ("claims", "service_date"), ("calls", "call_start")))
    if table not in export:
        return None
    months = sorted({row[column][:7] for row in export[table] if row[column]})
    gone = rng.choice(months[1:-1])
    export[table][:] = [row for row in export[table] if row[column][:7] != gone]
    return Damage("month lost", table, column)


def _cut(export: Export, rng: random.Random) -> Damage | None:
    table = rng.choice([table for table in export if table != "providers"])
    rows, share = export[table], rng.choice((0.2, 0.5, 0.7))
    kept = rows[: int(len(rows) * share)] if rng.random() < 0.5 else [row for row in rows if rng.random() < share]
    export[table][:] = kept
    return Damage("rows lost", table, "")


def _codes(export: Export, rng: random.Random) -> Damage | None:
    table, column = rng.choice(
        (("visits", "cpt_codes"), ("visits", "cpt_codes"), ("calls", "cpt_code"), ("claims", "cpt_code"))
    )
    name, write = rng.choice(list(CODES.items()))
    if table not in export or (table != "visits" and name in ("SNOMED", "local code")):
        return None
    for row in export[table]:
        row[column] = ";".join(write(code) for code in row[column].split(";")) if row.get(column) else ""
    return Damage(f"codes as {name}", table, column)


def _drop(export: Export, rng: random.Random) -> Damage | None:
    table = rng.choice(list(export))
    column = rng.choice(list(export[table][0]))
    if column in ("claim_id", "claim_line", "cpt_code", "service_date") and table != "visits":
        return None
    for row in export[table]:
        del row[column]
    return Damage("column dropped", table, column)


def _swap(export: Export, rng: random.Random) -> Damage | None:
    one, other = rng.choice((("visit_start", "booked_at"), ("visit_start", "visit_end"), ("patient_id", "provider_id")))
    for row in export["visits"]:
        row[one], row[other] = row.get(other, ""), row.get(one, "")
    return Damage("columns swapped", "visits", one)


def _nobody(export: Export, rng: random.Random) -> Damage | None:
    table = rng.choice([table for table in export if table != "providers"])
    nobody = rng.choice(("0", "UNKNOWN", "99999", "2.98725E+13"))
    for row in export[table][:: rng.choice((3, 7))]:
        row["patient_id"] = nobody
    return Damage("placeholder", table, "patient_id")


def _status(export: Export, rng: random.Random) -> Damage | None:
    words = {"completed": "Completed - billed", "scheduled": "SCH", "cancelled": "CX", "no_show": "Missed"}
    for row in export["visits"]:
        row["status"] = words.get(row["status"], row["status"])
    return Damage("status words", "visits", "status")


def _keys(export: Export, rng: random.Random) -> Damage | None:
    """Every third value of an id column is a warehouse's key; where nothing was, it says what the blank said."""
    (table, column), key = rng.choice(IDS), rng.choice(KEYS)
    if table not in export or column not in export[table][0]:
        return None
    rows, only_blanks = export[table], rng.random() < 0.5
    for row in rows if only_blanks else rows[::3]:
        row[column] = (row[column] or key) if only_blanks else key
    return Damage("warehouse key", table, column)


def _placeholder_dates(export: Export, rng: random.Random) -> Damage | None:
    """Blanks of a column of dates are written as a date; or some dates are lost to one."""
    table, column = rng.choice((("visits", "booked_at"), ("visits", "visit_end"), ("calls", "call_end"),
                                ("visits", "visit_start"), ("providers", "license_end")))  # fmt: skip
    if table not in export or column not in export[table][0]:
        return None
    text, rows = rng.choice(PLACEHOLDER_DATES), export[table]
    for row in rows[::4]:
        row[column] = text
    for row in rows:
        row[column] = row[column] or text
    return Damage("placeholder date", table, column)


def _headers_again(export: Export, rng: random.Random) -> Damage | None:
    """Files were put together: the header stands among the rows."""
    table = rng.choice([table for table in export if table != "providers"])
    for at in sorted(rng.sample(range(1, len(export[table])), 3), reverse=True):
        export[table].insert(at, {name: name for name in export[table][0]})
    return Damage("header again", table, "")


def _ledger(export: Export, rng: random.Random) -> Damage | None:
    """A claim's payment follows as a row of its own, with a negative amount."""
    if "claims" not in export:
        return None
    with_payments: Rows = []
    for row in export["claims"]:
        payment = row | {name: f"-{row[name]}" for name in ("billed_amount", "paid_amount") if row.get(name)}
        with_payments += [row | {"Trans Type": "Charge"}, payment | {"Trans Type": "Payment"}]
    export["claims"][:] = with_payments
    return Damage("payments negative", "claims", "")


def _flags(export: Export, rng: random.Random) -> Damage | None:
    """Flags instead of a status."""
    for row in export["visits"]:
        status = row.pop("status", "")
        row |= {"kept_ind": "NY"[status == "completed"], "cancel_ind": "NY"[status == "cancelled"]}
    return Damage("status in flags", "visits", "status")


def _deleted(export: Export, rng: random.Random) -> Damage | None:
    """Rows that the source deleted are still there, with a flag: visits of other days, charges of other claims."""
    table = rng.choice([table for table in ("visits", "claims") if table in export])
    key, moved = ("visit_id", "visit_start") if table == "visits" else ("claim_id", "service_date")
    rows = export[table]
    ghosts = []
    for row in rows[:: rng.choice((3, 9))]:
        if at := _read(row[moved]):
            day = (at - timedelta(days=2)).isoformat()
            ghosts.append(row | {key: f"{row[key]}x", moved: day[: len(row[moved])]})
    rows[:] = [row | {"Is Deleted": "0"} for row in rows] + [row | {"Is Deleted": "1"} for row in ghosts]
    return Damage("deleted rows", table, "Is Deleted")


def _blocked(export: Export, rng: random.Random) -> Damage | None:
    """Slots of a schedule that no patient has."""
    rows = export["visits"]
    for at in sorted(rng.sample(range(len(rows)), 6), reverse=True):
        slot = {name: rows[at][name] if name in ("provider_id", "visit_start") else "" for name in rows[at]}
        rows.insert(at, slot | {"visit_id": f"slot{at}", "status": "Lunch"})
    return Damage("blocked slots", "visits", "patient_id")


def _doubles(export: Export, rng: random.Random) -> Damage | None:
    """Every table's ids of a kind went through a double: neighbors became one number."""
    column = rng.choice(("patient_id", "provider_id"))
    ids = sorted({row[column] for rows in export.values() for row in rows if row.get(column)})
    double = {text: str(int(float(10**17 + 7 * number))) for number, text in enumerate(ids)}
    for rows in export.values():
        for row in rows:
            row |= {column: double[row[column]]} if row.get(column) else {}
    return Damage("ids as doubles", "calls", column)


def _folder_value(export: Export, rng: random.Random) -> Damage | None:
    """A column's value stands in the names of the folders alone, as Hive writes it."""
    return Damage("value in the path", "visits", rng.choice(("status", "modality")))


def _amounts(export: Export, rng: random.Random) -> Damage | None:
    """Amounts in cents, with another sign, or with a currency."""
    table = "claims" if "claims" in export else "calls"
    name, write = rng.choice((("trailing minus", lambda text: f"{text}-"), ("parentheses", lambda text: f"({text})"),
                              ("currency", lambda text: f"USD {text}")))  # fmt: skip
    for row in export[table]:
        row |= {column: write(row[column]) for column in ("billed_amount", "paid_amount") if row.get(column)}
    return Damage(f"amounts with {name}", table, "billed_amount")
