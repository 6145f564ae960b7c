"""837P and 835 → claims, element by element."""

import csv
import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditor import policy as policies
from auditor.errors import InputRefused
from auditor.reading.files import expand
from auditor.rules import select
from auditor.settings import Settings
from auditor.sources.x12 import matching
from tests.support import x12
from tests.support.compare import audited_here
from tests.support.x12 import P, R, billed, claim, interchange, line, of_835, of_837, paid, payment, read

SAMPLE = Path(__file__).parents[2] / "sample_data" / "with_claims"


def one(tmp_path: Path, *texts: str) -> dict[str, Any]:
    """The only row of files."""
    (row,), _ = read(tmp_path, *texts)
    return row


def test_a_service_line_of_an_837p(tmp_path: Path):
    """Its record is the number of its SV1 in the file; diagnoses are those that it points to, in that order."""
    own = line(2, "98968:95:24", "45.50", "D8*20260302", "NM1*82*1*DOE*JAN****XX*3333333333", "REF*6R*R7")
    own[1] = "SV1*HC:98968:95:24*45.50*UN*2***2:1"
    text = of_837(claim("C1", "NM1*82*1*POE*JO****XX*2222222222", lines=[*line(), *own]))
    (first, second), warnings = read(tmp_path, text)
    assert second == {
        "audit98968_record": 17, "claim_id": "C1", "claim_line": "2", "patient_id": "M1", "provider_id": "3333333333",
        "service_date": "2026-03-02", "cpt_code": "98968", "modifiers": "95;24", "units": "2", "billed_amount": "45.50",
        "payer": "PAYER ONE", "frequency_code": "1", "diagnosis_codes": "Z0000;F331",
    }  # fmt: skip
    assert (first["provider_id"], first["diagnosis_codes"], warnings) == ("2222222222", "F331", [])
    assert text.split("~")[17 - 1] == own[1]


def test_a_service_of_an_835(tmp_path: Path):
    """The procedure as billed, the units as billed, the payment's own day, the insured's id with the patient's name."""
    own = of_835(["CLP*C1*1*45*31*0*12*P1", "NM1*QC*1*ROE*Tim", "NM1*IL*1*ROE*ANN****MI*M1", "NM1*82*1*DOE*JAN****XX*2222222222",
                  "SVC*HC:98967*45*31**1*HC:98968:95*2", "DTM*150*20260301", "DTM*151*20260305", "REF*6R*R7"])  # fmt: skip
    assert one(tmp_path, own) == {
        "audit98968_record": 12, "claim_id": "C1", "claim_line": "R7", "patient_id": "M1 TIM", "provider_id": "2222222222",
        "service_date": "20260301-20260305", "cpt_code": "98968", "modifiers": "95", "units": "2", "billed_amount": "45.00",
        "paid_amount": "31.00", "claim_status": "active", "processed_date": "2026-03-20", "payer": "PAYER ONE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("segments", "column", "value"),
    [
        (["SVC*HC:98968*45*31**3"], "units", "3"),
        (["SVC*HC:98968*45*31"], "units", "1"),
        (["SVC*HC:98968*45*31", "REF*HPI*4444444444"], "provider_id", "4444444444"),
        (["SVC*HC:98968*45*31"], "provider_id", "1111111111"),
        (["DTM*232*20260304", "SVC*HC:98968*45*31"], "service_date", "2026-03-04"),
        (["REF*EA*0042", "SVC*HC:98968*45*31"], "patient_id", "0042"),
        (["SVC*HC:99213*45*31", "SVC*HC:98968*45*31"], "claim_line", "2"),
    ],
)  # fmt: skip
def test_what_an_835_has_where_an_element_is_left_out(tmp_path: Path, segments: list[str], column: str, value: str):
    rows, _ = read(tmp_path, of_835(["CLP*C1*1*45*31*0*12*P1", "NM1*QC*1*ROE*ANN****MI*M1", *segments]))
    assert rows[-1][column] == value


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1", "active"),
        ("2", "active"),
        ("4", "denied"),
        ("22", "reversed"),
        ("23", "void"),
        ("25", "void"),
        ("99", "99"),
    ],
)
def test_the_status_of_a_claim(tmp_path: Path, code: str, status: str):
    assert one(tmp_path, of_835(payment("C1", code)))["claim_status"] == status


@pytest.mark.parametrize(
    ("delimiters", "after"), [("*:~", "\r\n"), ("|>\n", ""), ("|>\r", "\n"), ("+<'", "\n"), ("*:|", "")]
)
def test_the_isa_says_the_delimiters(tmp_path: Path, delimiters: str, after: str):
    found = one(tmp_path, of_837(claim("C1"), delimiters=delimiters, after=after))
    assert found == one(tmp_path, of_837(claim("C1")))


@pytest.mark.parametrize("version", [P, "005010X222A2", "005010X222"])
def test_several_interchanges_groups_and_transactions_are_in_a_file(tmp_path: Path, version: str):
    """Each interchange has its own delimiters; a blank or a byte-order mark stands before the first."""
    first = interchange(("837", version, billed(claim("C1"))), ("837", version, billed(claim("C2"), claim("C3"))))
    second = interchange(("835", R, paid(payment("C4"))), delimiters="|>\n", number=2)
    rows, warnings = read(tmp_path, "\ufeff" + first + "\r\n" + second)
    assert ([row["claim_id"] for row in rows], warnings) == (["C1", "C2", "C3", "C4"], [])
    assert rows[-1]["audit98968_record"] == first.count("~") + 10


def test_other_transactions_are_left_out_and_named(tmp_path: Path):
    others = [("837", "005010X223A2", billed(claim("C8"))), ("837", "005010X224A2", billed(claim("C9"))),
              ("999", "005010X231A1", ["AK1*HC*1"]), ("277", "005010X214", []), ("277", "005010X214", []),
              ("837", "004010X098A1", billed(claim("C7"))), ("835", "004010X091A1", paid(payment("C6")))]  # fmt: skip
    rows, warnings = read(tmp_path, interchange(*others, ("837", P, billed(claim("C1")))))
    assert [row["claim_id"] for row in rows] == ["C1"]
    assert warnings == ["transactions other than 837P and 835 are left out: 277 (2), 835 of version 004010X091A1 (1), "
                        "837 of version 004010X098A1 (1), 837D (1), 837I (1), 999 (1)"]  # fmt: skip


def test_names_before_the_claim_are_its_own_and_those_of_other_payers_are_not(tmp_path: Path):
    """Payer, patient and provider are those of the loops before CLM; 2320 to 2330 and 2430 speak of other payers."""
    other = [
        "SBR*S*18",
        "NM1*IL*1*ROE*BOB****MI*M9",
        "NM1*PR*2*OTHER*****PI*P9",
        "REF*F8*X",
        "NM1*82*1*X*Y****XX*9999999999",
    ]
    own = claim("C1", lines=[*other, *line(), "SVD*P9*20*HC:98968**1", "DTP*573*D8*20260401"])
    second = ["HL*3*1*22*0", "SBR*P*18", "NM1*IL*1*POE*EVE****MI*M2", "NM1*PR*2*PAYER TWO*****PI*P2", *claim("C2")]
    (first, after), _ = read(tmp_path, of_837(own, second))
    assert (first["payer"], first["patient_id"], first["provider_id"]) == ("PAYER ONE", "M1", "1111111111")
    assert first["service_date"] == "2026-03-02" and "original_claim_id" not in first
    assert (after["payer"], after["patient_id"]) == ("PAYER TWO", "M2")


def test_a_dependent_is_another_patient_than_the_subscriber_in_both(tmp_path: Path):
    dependent = ["HL*3*2*23*0", "PAT*19", "NM1*QC*1*ROE*Tim", *claim("C2")]
    own_number = ["HL*4*2*23*0", "NM1*QC*1*ROE*Tom", *claim("C3", "REF*EA*0042")]
    rows, _ = read(tmp_path, of_837(claim("C1"), dependent, own_number))
    assert [row["patient_id"] for row in rows] == ["M1", "M1 TIM", "0042"]


def test_the_date_of_a_claim_is_that_of_lines_without_one(tmp_path: Path):
    lines = [*line()[:2], *line(2, day="RD8*20260301-20260305")]
    rows, _ = read(tmp_path, of_837(claim("C1", "DTP*472*RD8*20260309-20260309", lines=lines)))
    assert [row["service_date"] for row in rows] == ["2026-03-09", "20260301-20260305"]


def test_the_payers_number_of_a_replaced_claim_is_looked_up_in_the_835s(tmp_path: Path):
    replacing = of_837(claim("C2", "REF*F8*P7", frequency="7"), claim("C3", "REF*F8*P8", frequency="8"))
    rows, warnings = read(tmp_path, replacing, of_835(payment("C1", payer_id="P7")))
    found = [(row["claim_id"], row["original_claim_id"], row["frequency_code"]) for row in rows[:2]]
    assert found == [("C2", "C1", "7"), ("C3", "C3", "8")]
    assert warnings == ["the payer's numbers of replaced claims (REF*F8) that are in no 835 (lines: 1): each counts as the "
                        "claim's own id; name the 835s as well"]  # fmt: skip


LINES = [
    *line(1, "98968", "45", "D8*20260302", "REF*6R*R1"),
    *line(2, "99213", "90"),
    *line(3, "98967", "45"),
    *line(4, "98967", "45"),
]


@pytest.mark.parametrize(
    ("service", "lines"),
    [
        (["SVC*HC:99999*1*31", "REF*6R*R1"], ["1"]),
        (["SVC*HC:99999*1*31", "REF*6R*2"], ["2"]),
        (["SVC*HC:99213*90*31", "DTM*472*20260302"], ["2"]),
        (["SVC*HC:99212*90*31**1*HC:99213", "DTM*472*20260302", "REF*6R*unknown"], ["2"]),
        (["SVC*HC:99213*90*31", "DTM*472*20260303"], []),
        (["SVC*HC:98967*45*31", "DTM*472*20260302"], []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("paid_first", [True, False])
def test_a_payment_is_joined_with_its_line(tmp_path: Path, service: list[str], lines: list[str], paid_first: bool):
    """By REF*6R, by LX, or by date, code and charge where they fit one line only; whatever comes first."""
    texts = [of_837(claim("C1", lines=LINES)), of_835(["CLP*C1*1*45*31*0*12*P1", "NM1*QC*1*X*Y****MI*M8", *service])]
    rows, warnings = read(tmp_path, *(reversed(texts) if paid_first else texts))
    joined = [
        row
        for row in rows
        if row["patient_id"] == "M1" and row["diagnosis_codes" if "diagnosis_codes" in row else "units"]
    ]
    assert [row["claim_line"] for row in joined if row.get("paid_amount") and not row.get("remittance_only")] == lines
    assert len(rows) == 4 + (not lines) and len(warnings) == (not lines)


def test_a_payment_that_fits_no_line_is_kept_beside_its_claim(tmp_path: Path):
    """With the claim's patient, provider and payer, and a line of its own where the claim has that line already."""
    rows, warnings = read(tmp_path, of_837(claim("C1")), of_835(payment("C1", "1", "45", "31", "98967")))
    assert [(row["claim_line"], row["patient_id"], row["cpt_code"]) for row in rows] == [
        ("1", "M1", "98968"),
        ("1/835", "M1", "98967"),
    ]
    assert rows[1]["remittance_only"] == "yes"
    assert warnings == ["lines of an 835 that fit no line of their claim in an 837 (lines: 1) are kept as lines of their own: "
                        "one service billed again"]  # fmt: skip


REVERSAL = payment("C1", "22", "-45", "-31")


@pytest.mark.parametrize(
    ("remittances", "amount", "status"),
    [
        ([[payment("C1")]], "31.00", "active"),
        ([[payment("C1")], [REVERSAL, payment("C1", "1", "45", "28")]], "28.00", "active"),
        ([[payment("C1")], [REVERSAL]], "31.00", "void"),
        ([[payment("C1"), REVERSAL, payment("C1", payer_id="P2")]], "31.00", "active"),
        ([[payment("C1"), REVERSAL, payment("C1", payer_id="P2")]] * 2, "31.00", "active"),
        ([[payment("C1"), REVERSAL, payment("C1")]], "31.00", "active"),
        ([[payment("C1"), REVERSAL, payment("C1")]] * 2, "31.00", "active"),
        ([[payment("C1"), REVERSAL] * 2], "31.00", "void"),
        ([[payment("C1")], [payment("C1", "4", "45", "0")]], "0.00", "denied"),
        ([[payment("C1", "4", "45", "0")], [payment("C1")]], "31.00", "active"),
        ([[payment("C1")], [payment("C1")]], "31.00", "active"),
        ([[["CLP*C1*4*45*0*0*12*P1", "NM1*QC*1*ROE*ANN****MI*M1"]]], "0.00", "denied"),
        ([[["CLP*C1*4*45*0*0*12*P1", "NM1*QC*1*ROE*ANN****MI*M1"]], [payment("C1")]], "31.00", "active"),
    ],
)  # fmt: skip
def test_the_lines_of_a_service_are_settled_before_they_are_joined(
    tmp_path: Path, remittances: list[list[list[str]]], amount: str, status: str
):
    texts = [of_835(*claims, day=f"202604{day:02}") for day, claims in enumerate(remittances, 1)]
    row = one(tmp_path, of_837(claim("C1")), *reversed(texts))
    assert (row["paid_amount"], row["claim_status"]) == (amount, status)


@pytest.mark.parametrize("number", ["P1", "P2"])
def test_what_is_paid_again_after_its_reversal_stands_without_an_837_too(tmp_path: Path, number: str):
    """A payment that equals the one that was taken back is no copy of it; the same remittance twice is one."""
    again = of_835(payment("C1"), REVERSAL, payment("C1", payer_id=number), payment("C2"))
    rows, _ = read(tmp_path, again, again)
    found = [(row["claim_id"], row["paid_amount"], row["claim_status"]) for row in rows]
    assert found == [("C1", "31.00", "active"), ("C2", "31.00", "active"), ("C2", "31.00", "active")]


def test_payments_of_one_day_are_distinguished_by_their_traces(tmp_path: Path):
    first, second = ([*x12.PAYER[:1], f"TRN*1*{trace}*1123456789", *x12.PAYER[1:]] for trace in ("T1", "T2"))
    texts = of_835(payment("C1"), before=first), of_835(REVERSAL, payment("C1"), before=second)
    row = one(tmp_path, of_837(claim("C1")), *texts, texts[1])
    assert (row["paid_amount"], row["claim_status"]) == ("31.00", "active")


def test_a_claim_that_is_denied_as_a_whole_is_denied_line_by_line_until_a_line_is_paid(tmp_path: Path):
    denied = ["CLP*C1*4*90*0*0*12*P1", "NM1*QC*1*ROE*ANN****MI*M1"]
    later = payment("C1", "1", "45", "31", "98968", "REF*6R*2")
    texts = of_837(claim("C1", lines=[*line(), *line(2)])), of_835(denied), of_835(later, day="20260401")
    rows, _ = read(tmp_path, *texts)
    assert [(row["claim_status"], row["paid_amount"]) for row in rows] == [("denied", "0.00"), ("active", "31.00")]


def test_a_reversal_that_finds_no_payment_stays_a_row_and_leaves_the_line(tmp_path: Path):
    rows, _ = read(tmp_path, of_837(claim("C1")), of_835(REVERSAL))
    assert [(row["claim_line"], row.get("claim_status"), row.get("paid_amount")) for row in rows] == [
        ("1", None, None), ("1", "reversed", "-31.00")]  # fmt: skip


def test_a_second_payer_pays_a_line_of_its_own(tmp_path: Path):
    """The 837 was sent to the first; what the other one pays is one service billed again."""
    second = [segment.replace("ONE", "TWO") for segment in x12.PAYER]
    texts = of_835(payment("C1", "2", "45", "6"), before=second), of_835(payment("C1")), of_837(claim("C1"))
    rows, warnings = read(tmp_path, *texts)
    found = {(row["claim_line"], row["payer"], row["paid_amount"], row.get("remittance_only")) for row in rows}
    assert found == {("1/S", "PAYER TWO", "6.00", "yes"), ("1", "PAYER ONE", "31.00", None)} and len(warnings) == 1


@pytest.mark.parametrize("statuses", [("1", "2"), ("1",), ("2",), ()])
def test_a_claim_that_was_sent_to_a_second_payer_too(tmp_path: Path, statuses: tuple[str, ...]):
    """It has lines of its own, of the patient of the first claim, with what the second payer paid."""
    second = [
        "HL*3*1*22*0",
        "SBR*S*18",
        "NM1*IL*1*ROE*ANN****MI*X1",
        "NM1*PR*2*PAYER TWO*****PI*P2",
        *claim("C1"),
        *claim("C2"),
    ]
    remittances = [
        of_835(
            payment("C1", status, "45", status),
            before=[segment.replace("ONE", "TWO" if status == "2" else "ONE") for segment in x12.PAYER],
        )
        for status in statuses
    ]
    rows, warnings = read(tmp_path, *remittances, of_837(claim("C1"), second))
    found = [(row["claim_id"], row["claim_line"], row["patient_id"], row["payer"]) for row in rows]
    assert found == [("C1", "1", "M1", "PAYER ONE"), ("C1", "1/S", "M1", "PAYER TWO"), ("C2", "1", "X1", "PAYER TWO")]
    paid = ["1.00" if "1" in statuses else None, "2.00" if "2" in statuses else None, None]
    assert [row.get("paid_amount") for row in rows] == paid and not warnings


def test_without_an_837_a_second_payer_pays_lines_of_its_own(tmp_path: Path):
    """All that it says of a line is of one line, of the patient and provider that the first payer knows."""
    second = [segment.replace("ONE", "TWO") for segment in x12.PAYER]
    own = [[one.replace("M1", "X1") for one in payment("C1", *how)] for how in (("2", "45", "6"), ("22", "-45", "-6"))]
    rows, warnings = read(tmp_path, of_835(*own, before=second), of_835(payment("C1"), payment("C2")))
    found = [(row["claim_id"], row["claim_line"], row["patient_id"], row.get("remittance_only")) for row in rows]
    assert found == [
        ("C1", "1/S", "M1", "yes"),
        ("C1", "1/S", "M1", "yes"),
        ("C1", "1", "M1", None),
        ("C2", "1", "M1", None),
    ]
    assert len(warnings) == 1


@pytest.mark.parametrize("own_first", [True, False])
def test_a_payer_that_gives_a_replacement_the_same_number(tmp_path: Path, own_first: bool):
    """The number is of the other claim, and of the same patient's, whichever remittance comes first."""
    others = [segment.replace("M1", "M9") for segment in payment("C0")]
    texts = [of_835(others, payment("C1"), day="20260401"), of_835(payment("C2", amount="28"), day="20260402")]
    submitted = of_837(claim("C1"), claim("C2", "REF*F8*P1", frequency="7"))
    rows, _ = read(tmp_path, submitted, *(reversed(texts) if own_first else texts))
    assert [(row["claim_id"], row["original_claim_id"]) for row in rows[:2]] == [("C1", None), ("C2", "C1")]


def test_a_replacement_has_what_was_paid_after_the_reversal_under_the_number_that_it_replaces(tmp_path: Path):
    corrected = of_835(REVERSAL, payment("C1", amount="28"), day="20260402")
    submitted = of_837(claim("C1"), claim("C1", "REF*F8*P1", frequency="7"))
    rows, _ = read(tmp_path, submitted, of_835(payment("C1"), day="20260401"), corrected)
    assert (rows[1]["frequency_code"], rows[1]["paid_amount"]) == ("7", "28.00")


def test_a_replacement_has_nothing_of_the_denial_of_the_claim_that_it_replaces(tmp_path: Path):
    again = claim("C1", "REF*F8*P1", frequency="7")
    rows, _ = read(tmp_path, of_837(claim("C1"), again), of_835(payment("C1", "4", "45", "0")))
    assert [(row["frequency_code"], row["claim_status"]) for row in rows] == [("1", "denied"), ("7", None)]


ONE = of_837(claim("C1"))


def changed(text: str, segment: str, other: str) -> str:
    assert f"{segment}~" in text
    return text.replace(f"{segment}~", f"{other}~")


@pytest.mark.parametrize(
    ("text", "segment", "problem"),
    [
        (changed(ONE, "SE*13*0001", "SE*12*0001"), 15, "SE has another count than the file (13)"),
        (changed(ONE, "GE*1*1", "GE*2*1"), 16, "GE has another count than the file (1)"),
        (changed(ONE, "IEA*1*000000001", "IEA*2*000000001"), 17, "IEA has another count than the file (1)"),
        (changed(ONE, "SE*13*0001", "SE*13*0002"), 15, "SE has another control number than ST"),
        (ONE[: ONE.index("GE*")], 16, "the file ends before IEA: it was cut off"),
        (ONE[: ONE.index("HI*") + 6], 11, "the file ends before IEA: it was cut off"),
        (ONE[:105], 1, "it is not an ISA segment of fixed width, with which an interchange begins"),
        (ONE[:90], 1, "it is not an ISA segment of fixed width, with which an interchange begins"),
        (changed(ONE, "HI*ABK:F331*ABF:Z0000", ""), 11, "it does not begin with the name of a segment"),
        (changed(ONE, "HI*ABK:F331*ABF:Z0000", "ANN ROE"), 11, "it does not begin with the name of a segment"),
        (changed(ONE, "LX*1", "CLMX*1"), 12, "it does not begin with the name of a segment"),
        (changed(ONE, "CLM*C1*45***11:B:1", "CLM*C1*forty***11:B:1"), 10, "CLM02 is not a number"),
        (changed(ONE, "DTP*472*D8*20260302", "DTP*472*D8*3/2/2026"), 14, "DTP03 is not a date CCYYMMDD, or a range of two"),
        (changed(ONE, "DTP*472*D8*20260302", "DTP*472"), 14, "it lacks an element"),
        (changed(ONE, "LX*1", "NTE*1"), 13, "SV1 is outside a service line (LX)"),
        (of_837(claim("C1", lines=[])), 10, "the claim has no service line (LX)"),
        (changed(ONE, "GE*1*1", "SE*1*1"), 16, "SE is out of place"),
        (interchange(("999", "005010X231A1", ["AK1*HC*1"])), 7, "the interchange that ends here gives no claim (it has: 999)"),
        (ONE + interchange(("835", R, paid()), number=2), 27, "the interchange that ends here gives no claim (it has: 835)"),
        (ONE + "M1 ROE", 18, "it is not an ISA segment of fixed width, with which an interchange begins"),
    ],
)  # fmt: skip
def test_what_breaks_the_syntax_ends_the_run(tmp_path: Path, text: str, segment: int, problem: str):
    with pytest.raises(InputRefused) as refusal:
        read(tmp_path, text)
    where = f"claims: {tmp_path}/x12files/0.txt, segment {segment}: {problem}; "
    assert str(refusal.value) == f"{where}correct that segment or ask for the file again"


def test_a_file_that_changes_before_it_is_used_ends_the_run(tmp_path: Path):
    (source,) = x12.sources(tmp_path, ONE)
    source.location.path.write_text(ONE + " ")
    with pytest.raises(InputRefused, match="the file changed while it was read; run again"):
        next(source.frames)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("calls", ONE, "this is an X12 interchange, which has claims; use --claims"),
        (
            "claims",
            ONE.encode().replace(b"CLINIC", b"CLINIQU\xc9"),
            'not UTF-8 text; set its encoding in the policy: encoding = "cp1252"',
        ),
    ],
)
def test_what_is_no_file_of_claims_is_refused(tmp_path: Path, table: str, text: str | bytes, message: str):
    with pytest.raises(InputRefused) as refusal:
        next(x12.sources(tmp_path, text, table=table))
    assert str(refusal.value) == f"{table}: {tmp_path}/x12files/0.txt: {message}"


def test_what_a_file_has_is_understood(tmp_path: Path):
    (source,) = x12.sources(
        tmp_path, interchange(("837", P, billed(claim("C1"), claim("C2"))), ("835", R, paid(payment("C1"))))
    )
    assert source.understood == ["835: 1 transaction with 1 claim", "837P: 1 transaction with 2 claims"]


def test_pointers_to_no_diagnosis_are_left_out_and_counted(tmp_path: Path):
    (row,), warnings = read(
        tmp_path, of_837(claim("C1", lines=["LX*1", "SV1*HC:98968*45*UN*1***2:3:0", "DTP*472*D8*20260302"]))
    )
    assert row["diagnosis_codes"] == "Z0000"
    assert warnings == ["pointers to diagnoses that the claim does not have are left out (lines: 1)"]


def test_a_folder_gives_its_interchanges_and_names_the_other_files(tmp_path: Path):
    for name, text in {
        "a.837": ONE,
        "b.EDI": ONE,
        "c.txt": ONE,
        "notes.txt": "ISA, Bob and Ann",
        "d.835": "",
        "e.pdf": ONE,
    }.items():
        (tmp_path / name).write_text(text)
    found = expand("claims", [str(tmp_path)])
    assert [one.path.name for one in found.located] == ["a.837", "b.EDI", "c.txt"]
    assert sorted(path.name for path in found.strays) == ["d.835", "e.pdf", "notes.txt"] and not found.paths
    (tmp_path / "a.837").unlink()
    (tmp_path / "a.837.gz").write_bytes(gzip.compress(ONE.encode()))
    assert [one.path.name for one in expand("claims", [str(tmp_path)]).located] == ["a.837.gz", "b.EDI", "c.txt"]
    (named,) = expand("claims", [str(tmp_path / "e.pdf")]).located
    assert named.kind.name == "x12"


def test_a_compressed_file_is_read_and_one_that_is_cut_short_is_not(tmp_path: Path):
    packed = gzip.compress(ONE.encode())
    assert read(tmp_path, packed) == read(tmp_path, ONE)
    with pytest.raises(InputRefused, match="the compressed data is damaged or cut short"):
        read(tmp_path, packed[:-20])


def test_a_remittance_of_which_every_line_is_joined_is_a_source_without_rows(tmp_path: Path):
    sources = list(x12.sources(tmp_path, of_837(claim("C1")), of_835(payment("C1"))))
    assert [[frame.height for frame in source.frames] for source in sources] == [[0, 1], [0]]


def test_how_many_claims_are_matched_at_once_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    again = claim("C1", "REF*F8*P9", frequency="7")
    texts = [of_835(*(payment(f"C{n}", payer_id=f"P{n}") for n in range(12)), payment("C7", code="98967"), REVERSAL),
             of_837(*(claim(f"C{n}") for n in range(3, 12)), again), of_835(payment("C4", "22", "-45", "-31"))]  # fmt: skip
    whole, warnings = read(tmp_path, *texts)
    monkeypatch.setattr(matching, "_AT_ONCE", 2)
    parts, same = read(tmp_path, *texts)
    order = ("claim_id", "claim_line", "audit98968_record")
    assert_frame_equal(*(pl.DataFrame(rows, infer_schema_length=None).sort(order) for rows in (whole, parts)))
    assert len(whole) == 13 and warnings == same != []


@pytest.mark.slow
def test_the_sample_through_837_and_835_gives_equal_findings(tmp_path: Path):
    """The sample's claims without their calls' ids, which X12 does not have, as CSV and as X12; with calls and without."""
    with (SAMPLE / "claims.csv").open() as stream:
        rows = [row | {"call_id": ""} for row in csv.DictReader(stream)]
    with (tmp_path / "claims.csv").open("w") as stream:
        writer = csv.DictWriter(stream, [name for name in rows[0] if name != "call_id"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    in_force = [row for row in rows if row["claim_status"] != "reversed"]
    (tmp_path / "a.835").write_text(
        interchange(("835", R, paid(*(x12.remitted(row) for row in rows if row["paid_amount"]))))
    )
    (tmp_path / "b.837").write_text(
        interchange(("837", P, billed(*(x12.submitted(row) for row in in_force), before=())))
    )
    for tables in (("calls", "visits", "providers"), ()):
        by_csv, by_x12 = (
            audited_here(_settings(tables, claims))
            for claims in ([tmp_path / "claims.csv"], [tmp_path / "a.835", tmp_path / "b.837"])
        )
        for found in ("findings", "claims"):
            left, right = (getattr(result, found).drop("source_file", "source_record") for result in (by_csv, by_x12))
            assert left.equals(right) and left.height > 2


def _settings(tables: tuple[str, ...], claims: list[Path]) -> Settings:
    paths = {table: (str(SAMPLE / f"{table}.csv"),) for table in tables} | {"claims": tuple(map(str, claims))}
    policy = policies.load(str(SAMPLE / "policy.toml"), select)
    return Settings(paths=paths, policy=policy, as_of=None, visits_since=None, claims_since=None, service_from=None,
                    service_to=None, codes=("98968",), required=(), max_rejects="100%", allow_empty=True, allow_unjoined=True)  # fmt: skip
