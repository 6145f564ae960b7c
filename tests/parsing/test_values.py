"""Cells → values: what holds nothing, and what a code is beside what stands around it."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from auditor import policy as policies
from auditor.parsing import values
from auditor.parsing.normalise import TypedChunk, type_rows
from auditor.parsing.values import TableParser, read
from auditor.policy import Policy
from auditor.reading.dictionary import NO_HINTS, ColumnHints, byte_range
from auditor.reading.ingest import REJECT_SCHEMA, Chunk
from auditor.rules import select
from auditor.schema.tables import TABLES
from tests.support.reading import one

POLICY = policies.load("default", select, "UTC")


def typed(table: str, column: str, *texts: str | None) -> tuple[TableParser, list[object]]:
    work = TableParser(POLICY, table, len(texts))
    read(work, TABLES[table].columns[column], pl.Series(texts, dtype=pl.String), NO_HINTS)
    return work, work.columns[column].rows().to_list()


@pytest.mark.parametrize("word", ["NULL", "null", " nan ", "\\N", "<null>", "(NULL)", "None", "#N/A", "#n/a"])
@pytest.mark.parametrize(
    "column", ["claim_id", "problem_id", "call_end", "call_minutes", "paid_amount", "purpose", "units"]
)
def test_null_words_are_blank_in_every_column_and_counted(column: str, word: str) -> None:
    work, values = typed("calls", column, word, None)
    assert values == [None, None]
    assert work.problem.to_list() == [0, 0]
    assert work.unrecognised == []
    assert list(work.tallies.values()) == [1]
    assert f"calls.{column}: {{count}} cells hold a null word" in next(iter(work.tallies))


@pytest.mark.parametrize("word", ["none", "NULL", "nan", ""])
def test_none_is_an_answer_to_what_is_documented(word: str) -> None:
    work, values = typed("calls", "doc_advice", word, "rest")
    assert values == [False, True] and not work.tallies


def test_a_null_word_in_a_required_column_rejects_its_row() -> None:
    work, _ = typed("calls", "patient_id", "NULL", "P1")
    assert work.problem.to_list() == [1, 0]
    assert work.problems == [("patient_id", "patient_id is blank")]


@pytest.mark.parametrize(("word", "others"), [("0", ["12", "30"]), ("—", ["V1"]), ("Ä", ["V1"])])
def test_null_words_of_the_policy_are_found_whatever_else_the_column_holds(word: str, others: list[str]) -> None:
    column = pa.chunked_array([pa.array([word.lower(), *others])])
    work = TableParser(POLICY.model_copy(update={"nulls": (word,)}), "visits", 1 + len(others))
    read(
        work,
        TABLES["visits"].columns["originating_call_id"],
        pl.Series(column),
        ColumnHints({}, {"originating_call_id": byte_range(column)}),
    )
    assert work.columns["originating_call_id"].rows().to_list() == [None, *others]


def test_a_text_that_no_row_has_says_nothing() -> None:
    """A dictionary may be that of more rows."""
    work, known = TableParser(POLICY, "visits", 2), ColumnHints({"status": pl.Series(["completed", "strange", None])})
    read(work, TABLES["visits"].columns["status"], pl.Series([2, 2], dtype=pl.UInt32), known)
    assert (work.filled, work.unrecognised, work.columns["status"].rows().to_list()) == (set(), [], [None, None])


@pytest.mark.parametrize("word", ["nil", "NULLA", "N", "0", "P-NULL"])
def test_other_words_are_values(word: str) -> None:
    assert typed("calls", "claim_id", word)[1] == [word]


@pytest.mark.parametrize(
    "written",
    ["98968", "98968-25", "CPT 98968", "CPT:98968", "cpt-98968", "CPT98968", "HCPCS: 98968", "hcpc 98968", "'98968", "[98968]", '"98968"'],
)  # fmt: skip
def test_a_code_is_found_whatever_stands_around_it(written: str) -> None:
    assert typed("calls", "cpt_code", written)[1] == ["98968"]


@pytest.mark.parametrize("written", ["CPT", "HCPCS:", "??", "--"])
def test_no_code(written: str) -> None:
    assert typed("calls", "cpt_code", written)[1] == [None]


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("CPT:99213;CPT 97110", ["97110", "99213"]),
        ("{99213}", ["99213"]),
        ('["99213", "97110-59"]', ["97110", "99213"]),
        ("99213|g0402", ["99213", "G0402"]),
    ],
)
def test_lists_of_codes(written: str, codes: list[str]) -> None:
    assert typed("visits", "cpt_codes", written)[1] == [codes]


@pytest.mark.parametrize(("written", "categories"), [('["F33.1"]', ["F33"]), ("M17.11, {M25.5}", ["M17", "M25"])])
def test_lists_of_diagnoses(written: str, categories: list[str]) -> None:
    assert typed("visits", "diagnosis_codes", written)[1] == [categories]


@pytest.mark.parametrize(
    ("written", "status"),
    [("4", "denied"), ("Paid", "active"), ("1", "active"), ("voided", "void"), ("rejected", "denied"), ("", "active")],
)
def test_statuses_of_a_line(written: str, status: str) -> None:
    work, values = typed("claims", "claim_status", written)
    assert values == [status] and work.unrecognised == []


def test_a_status_that_nobody_knows_is_active_and_listed() -> None:
    work, values = typed("claims", "claim_status", "Denied - CO 97", "Denied - CO 97")
    assert values == ["active", "active"]
    assert work.unrecognised == [("claims", "claim_status", "Denied - CO 97", 2)]


@pytest.mark.parametrize(
    "written",
    ['="00123"', "'00123", "00\u200b123", "\u200e00123", " 00123\u00a0", "00123\u00ad", "\x0000123", "00123\ufeff"],
)
@pytest.mark.parametrize("column", ["call_id", "patient_id", "claim_id", "problem_id"])
def test_armour_and_characters_that_print_nothing_are_taken_off_ids(column: str, written: str) -> None:
    work, values = typed("calls", column, written, "00123")
    assert values == ["00123", "00123"]
    changed = written.strip() != "00123"
    assert [text.split(":")[0] for text in work.tallies] == ([f"calls.{column}"] if changed else [])


@pytest.mark.parametrize("written", ["99213\n99214", '="99213;99214"', "99213\t\u200b99214"])
def test_in_lists_line_ends_divide(written: str) -> None:
    assert typed("visits", "cpt_codes", written)[1] == [["99213", "99214"]]


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("25 min", 25), ("25min.", 25), ("1 minute", 1), ("PT21M30S", 21.5), ("pt1h2m", 62), ("PT90S", 1.5), ("21:30", 21.5),
     ("1:02:00", 62), ("25", 25)],
)  # fmt: skip
def test_lengths(written: str, minutes: float) -> None:
    assert typed("calls", "call_minutes", written)[1] == [int(minutes * 60_000_000)]


@pytest.mark.parametrize("written", ["PT", "25 hours", "min", "P1D", "25 m in"])
def test_lengths_that_are_none(written: str) -> None:
    work, values = typed("calls", "call_minutes", written)
    assert values == [None]
    assert work.problems == [("call_minutes", "call_minutes is no length such as 21 or 21:30 or PT21M30S")]


def test_midnights_of_calls_stay_times_and_a_date_alone_is_none() -> None:
    days = [f"2026-03-{day:02} 00:00:00" for day in range(1, 29)]
    work, values = typed("calls", "call_start", *days, "2026-03-29")
    assert None not in values[:28] and not work.columns["call_start_date_only"].rows()[:28].any()
    assert work.problem.to_list() == [0] * 28 + [1]
    assert work.problems == [("call_start", "call_start has a date but no time")]


def test_a_date_alone_does_not_tell_when_a_call_ended() -> None:
    work, values = typed("calls", "call_end", "2026-03-02", "2026-03-02 09:20")
    assert values[0] is None and values[1] is not None
    assert work.problem.max() == 0


def test_a_status_that_is_no_known_word_is_active_but_not_sure() -> None:
    work, values = typed("claims", "claim_status", "Adjusted 97", "paid", None, "void", "4")
    assert values == ["active", "active", "active", "void", "denied"]
    assert work.columns["claim_status_sure"].rows().to_list() == [False, True, True, True, True]
    assert work.unrecognised == [("claims", "claim_status", "Adjusted 97", 1)]


def test_a_decimal_comma_is_read_where_the_policy_says_so():
    policy = policies.load("default").model_copy(update={"decimal": ","})
    for column, texts, expected in (
        (
            "paid_amount",
            ["1.234,50", "(7,00)", "-3,25", None],
            [Decimal("1234.50"), Decimal("-7"), Decimal("-3.25"), None],
        ),
        ("units", ["1,0", "x", "2", None], [1.0, None, 2.0, None]),
        ("call_minutes", ["21,5", "21:30", "PT21M30S", None], [1_290_000_000] * 3 + [None]),
    ):
        work = TableParser(policy, "calls", 4)
        read(work, TABLES["calls"].columns[column], pl.Series(texts), NO_HINTS)
        assert work.columns[column].rows().to_list() == expected


def call(policy: Policy, **cells: str) -> TypedChunk:
    row = {"call_id": "k", "patient_id": "p", "provider_id": "a", "source_file": "f", "source_record": 1}
    chunk = Chunk(pl.DataFrame(row | cells), pl.DataFrame(schema=REJECT_SCHEMA))
    return type_rows(TABLES["calls"], chunk, policy, values.blanks("calls", policy))


@pytest.mark.parametrize(
    ("start", "written", "end"),
    [
        ("2026-03-02 23:50", "00:15", "2026-03-03 05:15"),
        ("2026-03-02 09:00:10", "9:25 AM", "2026-03-02 14:25"),
        ("2026-03-02 09:00:30", "09:00", "2026-03-02 14:00:30"),
        ("2026-03-07 23:50", "00:05", "2026-03-08 05:05"),
        ("2026-03-02 09:00", "2026-03-02 09:25", "2026-03-02 14:25"),
        ("2026-03-02 09:00", "08:50", None),
        ("2026-03-02 09:00", "soon", None),
    ],
)
def test_an_end_without_a_date_is_the_first_such_time(start: str, written: str, end: str | None):
    policy = policies.load(timezone="America/New_York")
    found = call(policy, call_start=start, call_end_time=written)
    assert found.is_valid.all() == (end is not None)
    if end:
        assert found.column("call_end")[0].replace(tzinfo=None) == datetime.fromisoformat(end)


def test_what_is_no_icd_10_code_is_no_diagnosis():
    found = call(POLICY, call_start="2026-03-02 09:00", diagnosis_codes='["F33.1"];73211009;low mood')
    assert found.column("diagnosis_codes").to_list() == [["F33"]]
    assert sum(count for text, count in found.parser.tallies.items() if "no ICD-10 codes" in text) == 1


CALL = "call_id,patient_id,provider_id,call_start"


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("call_minutes", "25", 1_500_000_000),
        ("call_minutes", "25.5", 1_530_000_000),
        ("call_minutes", "25:30", 1_530_000_000),
        ("call_minutes", "1:00:05", 3_605_000_000),
        ("call_seconds", "90", 90_000_000),
        ("units", "1.0", 1.0),
        ("established", "Y", True),
        ("established", "perhaps", None),
        ("initiated_by", "In-Bound", "patient"),
        ("caller", "Legal Guardian", "guardian"),
        ("purpose", "FOLLOW UP", "follow_up"),
        ("doc_reason", "N/A", False),
        ("doc_reason", "no", False),
        ("doc_reason", "see note", True),
        ("cpt_code", "98968-95", "98968"),
        ("cpt_code", "g0250", "G0250"),
        ("claim_status", "Reversed", "void"),
        ("claim_status", "paid", "active"),
    ],
)
def test_values(tmp_path: Path, policy: Policy, column: str, written: str, value: object):
    table = one(tmp_path, policy, f"{CALL},{column}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rows[column].to_list() == [value]


@pytest.mark.parametrize(
    ("written", "amount"),
    [('"$1,234.50"', "1234.50"), ("(5.25)", "-5.25"), ("-3", "-3.00"), (".5", "0.50"), ("7", "7.00")],
)
def test_money(tmp_path: Path, policy: Policy, written: str, amount: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert str(table.rows["paid_amount"][0]) == amount


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("call_minutes|-1", "call_minutes", "call_minutes is negative"),
        ("call_minutes|1441", "call_minutes", "call_minutes is over 24 h"),
        ("call_minutes|a while", "call_minutes", "call_minutes is no length such as 21 or 21:30 or PT21M30S"),
        ("call_end|2026-03-02 08:59", "call_end", "call_end is before call_start"),
        ("call_end|2026-03-03 09:01", "call_end", "the call is over 24 h"),
        ("paid_amount|five", "paid_amount", "paid_amount is no amount of money"),
        ("units|few", "units", "units is no number"),
    ],
)
def test_values_that_reject_their_row(tmp_path: Path, policy: Policy, cells: str, column: str, reason: str):
    name, written = cells.split("|")
    table = one(tmp_path, policy, f"{CALL},{name}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects.select("column", "reason").rows() == [(column, reason)]


@pytest.mark.parametrize("written", ['"40,00"', '"1,2,3"', "(5", "5)", "--5", '"1,5"'])
def test_amounts_that_could_mean_two_things_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["paid_amount is no amount of money"]


def test_a_code_column_without_a_code_is_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL},cpt_code\n1,P1,D,2026-03-02 09:00,??\n".encode(), "calls")
    assert table.warnings == ("calls.cpt_code: 1 values hold no code; those calls count as not billed",)
