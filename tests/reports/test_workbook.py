"""report.xlsx, reopened as a reader would: by its XML, with nothing but the standard library."""

import re
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from auditor.reports.page.phrases import first_steps
from auditor.reports.workbook import workbook as xlsx
from auditor.result import Result
from auditor.run_summary import LedgerPart, RunFigures, Summary, Tally
from tests.reports.test_page import HOSTILE, SAMPLE, exports, run

NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")

Sheet = dict[str, str | float]


class Book:
    """The cells of a workbook by sheet and reference; text is str, numbers are float."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.parts = {
                name: archive.read(name).decode() for name in archive.namelist() if name.endswith((".xml", ".rels"))
            }
        strings = ElementTree.fromstring(self.parts["xl/sharedStrings.xml"])
        texts = ("".join(node.itertext()) for node in strings.findall("m:si", NS))
        self.shared = [ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) for text in texts]
        names = ElementTree.fromstring(self.parts["xl/workbook.xml"]).findall("m:sheets/m:sheet", NS)
        self.xml = {node.attrib["name"]: self.parts[f"xl/worksheets/sheet{at}.xml"] for at, node in enumerate(names, 1)}
        self.sheets = {name: self._cells(text) for name, text in self.xml.items()}

    def _cells(self, text: str) -> Sheet:
        cells: Sheet = {}
        for node in ElementTree.fromstring(text).iterfind("m:sheetData/m:row/m:c", NS):
            kind, where = node.get("t", "n"), node.attrib["r"]
            if (value := node.findtext("m:v", None, NS)) is not None:
                cells[where] = self.shared[int(value)] if kind == "s" else value if kind == "str" else float(value)
        return cells

    def rows(self, name: str) -> list[dict[str, str | float | None]]:
        """The rows below the header of a table, by heading."""
        cells = self.sheets[name]
        heads = {
            re.sub(r"\d+", "", where): str(text) for where, text in cells.items() if re.fullmatch(r"[A-Z]+2", where)
        }
        last = max(int(re.sub(r"\D+", "", where)) for where in cells)
        return [{head: cells.get(f"{column}{at}") for column, head in heads.items()} for at in range(3, last + 1)]

    def pairs(self) -> dict[str, str | float | None]:
        """The labels of the first sheet with the value beside each."""
        cells = self.sheets["Summary"]
        return {str(text): cells.get(f"B{where[1:]}") for where, text in cells.items() if where[0] == "A"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Summary, Book]:
    path = tmp_path_factory.mktemp("xlsx") / "report.xlsx"
    result, reported = run(SAMPLE)
    xlsx.write(path, result, reported)
    return result, reported, Book(path)


def test_numbers_are_those_of_the_summary(sample: tuple[Result, Summary, Book]) -> None:
    _, reported, book = sample
    written = reported.published()
    pairs = book.pairs()
    for name in ("violation", "review", "incomplete", "clear", "audited"):
        assert pairs[name] == written["claims"][name]
    assert pairs["claims in violation"] == written["money"]["at_risk"]
    assert pairs["separately: claims to review"] == written["money"]["review"]
    rules = {row["Rule"]: row for row in book.rows("Rules")}
    for rule in written["rules"]:
        row = rules[rule["code"]]
        if rule["evaluated"]:
            counted = (row["Claims it applies to"], row["Violation"], row["Review"], row["Unknown"])
            assert counted == (rule["applicable"], rule["violation"], rule["review"], rule["unknown"])
        else:
            assert (row["Evaluated"], row["Reason not evaluated"], row["Violation"]) == ("NO", rule["reason"], None)
    run_sheet = {row["Name"]: row["Value"] for row in book.rows("Run")}
    assert run_sheet["policy.sha256"] == written["policy"]["sha256"] and run_sheet["run_id"] == written["run_id"]
    assert len(book.rows("Rejects")) == sum(entry["rejected"] for entry in written["rejects"].values())


def test_findings_and_claims_are_complete_and_typed(sample: tuple[Result, Summary, Book]) -> None:
    result, reported, book = sample
    written = reported.published()
    findings, claims = book.rows("Findings"), book.rows("Claims")
    assert len(findings) == result.findings.height and len(claims) == result.claims.height
    assert sum(row["Potential overpayment (once per claim)"] or 0 for row in findings) == written["money"]["at_risk"]
    reported_rows = {(row["claim_id"], row["rule"]): row for row in result.findings.to_dicts()}
    for row in findings:
        expected = reported_rows[row["Claim id"], row["Rule"]]
        assert row["Patient id"] == expected["patient_id"] and row["What was found"] == expected["message"]
        assert _day(row["Service date"]).date() == expected["service_date"]
        if expected["related_at"]:
            assert _day(row["Time of related record"]) == expected["related_at"].replace(tzinfo=None)
    assert findings[0]["Outcome"] == "violation"


def _day(serial: object) -> datetime:
    assert isinstance(serial, float)
    return datetime.combine(date(1899, 12, 30), datetime.min.time()) + timedelta(seconds=round(serial * 86400))


def test_links_find_their_claim_in_any_order(sample: tuple[Result, Summary, Book]) -> None:
    book = sample[2]
    for sheet, other in (("Findings", "Claims"), ("Claims", "Findings")):
        links = re.findall(
            rf"""<c r="A(\d+)"[^>]*><f>HYPERLINK\("#'{other}'!A"&amp;MATCH\(B(\d+),{other}!\$B:\$B,0\),""",
            book.xml[sheet],
        )
        assert links
        there = {text for where, text in book.sheets[other].items() if where[0] == "B" and where[1:].isdigit()}
        for here, sought in links:
            assert here == sought
            assert book.sheets[sheet][f"B{here}"] in there
        assert book.xml[sheet].count("<f>") == len(links)


def test_the_reviewers_columns_stand_beside_the_reason(sample: tuple[Result, Summary, Book]) -> None:
    result, _, book = sample
    text, last = book.xml["Findings"], sample[0].findings.height + 2
    heads = [head for where, head in book.sheets["Findings"].items() if where[1:] == "2"]
    at = heads.index("What was found")
    assert heads[at + 1 : at + 4] == ["Decision", "Note", "Decided on"]
    assert heads[1] == "Claim id"
    assert re.search(rf'sqref="(?P<at>[A-Z])3:(?P=at){last}"', text)
    assert '"confirmed,corrected,refunded,dismissed"' in text
    assert "<sheetProtection" not in "".join(book.xml.values())  # sorted and filtered as it is
    assert 'xSplit="2" ySplit="2"' in text and 'state="frozen"' in text
    assert re.search(rf'<autoFilter ref="A2:[A-Z]+{last}"', text)
    widths = re.findall(r'<col min="(\d+)" max="(\d+)" width="([\d.]+)"', text)
    assert sum((int(end) - int(first) + 1) * float(width) for first, end, width in widths if int(end) <= at + 4) < 185
    assert "protected health information" in text and 'orientation="landscape"' in text
    assert result.findings.height == 65


def test_what_is_new_comes_first(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, _ = sample
    marks = ["persisting", "new", "worse", "reopened", "persisting"]
    states = ["open", "open", "open", "open", "dismissed"]
    number = pl.int_range(pl.len())
    findings = result.findings.with_columns(
        mark=(number % 5).replace_strict(dict(enumerate(marks)), return_dtype=pl.String),
        state=(number % 5).replace_strict(dict(enumerate(states)), return_dtype=pl.String),
        case_number=number,
    )  # fmt: skip
    cases = findings.select("mark", "state", number="case_number", first_run=pl.lit("run1"), assignee=pl.lit("Bea"))
    cases = cases.with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("reopened_from", "decided_on", "reviewer", "reason")
    )
    xlsx.write(tmp_path / "r.xlsx", replace(result, findings=findings), reported, cases)
    written = Book(tmp_path / "r.xlsx").rows("Findings")
    assert {row["Assigned to"] for row in written} == {"Bea"}
    rows = [(row["Since last run"], row["State"]) for row in written]
    order = [
        ("new", "open"),
        ("worse", "open"),
        ("reopened", "open"),
        ("persisting", "open"),
        ("persisting", "dismissed"),
    ]
    assert rows == sorted(rows, key=order.index)
    assert len(set(rows)) == 5


def test_charts_are_native(sample: tuple[Result, Summary, Book]) -> None:
    assert {f"xl/charts/chart{at}.xml" for at in (1, 2, 3)} <= set(sample[2].parts)


def test_the_findings_are_printed_to_be_read(sample: tuple[Result, Summary, Book]) -> None:
    book = sample[2]
    text, last = book.xml["Findings"], sample[0].findings.height + 2
    heads = {where.rstrip("2"): head for where, head in book.sheets["Findings"].items() if where[1:] == "2"}
    area = re.search(r"Findings!\$A\$1:\$([A-Z])\$(\d+)</definedName>", book.parts["xl/workbook.xml"])
    assert area and int(area[2]) == last and "Findings!$2:$2</definedName>" in book.parts["xl/workbook.xml"]
    printed = [head for column, head in heads.items() if column <= area[1]]
    assert {"Claim id", "What was found", "Decision", "Note", "Provider id", "Patient id"} <= set(printed)
    widths = re.findall(r'<col min="(\d+)" max="(\d+)" width="([\d.]+)"', text)
    assert sum(float(width) for first, _, width in widths if int(first) <= len(printed)) < 205
    assert 'fitToHeight="0"' in text and 'orientation="landscape"' in text and "&amp;RPage &amp;P of &amp;N" in text
    longest = max(range(3, last + 1), key=lambda row: len(str(book.rows("Findings")[row - 3]["What was found"])))
    height = re.search(rf'<row r="{longest}"[^>]* ht="(\d+)"', text)
    assert height and int(height[1]) >= 45


def test_the_summary_begins_with_the_answer(sample: tuple[Result, Summary, Book]) -> None:
    cells, claims, money = sample[2].sheets["Summary"], sample[1].claims, sample[1].money
    assert cells["A2"] == f"{claims.violation} of {claims.audited} claims in violation; {claims.review} more to review"
    assert (cells["A3"], cells["B3"]) == ("At risk", f"${money.at_risk:,.2f} in {claims.violation} claims in violation")
    assert cells["A5"] == "Do first"
    found = claims.violation + claims.review
    assert cells["B5"] == f"review {found} claims with findings: sheet Findings, the worst first"


def test_what_is_due_and_what_is_new_come_before_the_rest(sample: tuple[Result, Summary, Book]) -> None:
    one = Tally(findings=1, claims=1, amount=9.0)
    due = one.model_copy(update={"next_due": date(2026, 9, 1)})
    part = LedgerPart(run=2, work={"confirmed": due}, this_run={"new": one})
    assert list(first_steps(sample[1].model_copy(update={"ledger": part, "warnings": []})))[:2] == [
        "correct or refund 1 confirmed case, the next one by 2026-09-01",
        "review 1 finding that is new, worse or reopened: first on sheet Findings",
    ]


def test_the_chart_of_rules_has_every_rule_with_findings(sample: tuple[Result, Summary, Book]) -> None:
    fired = sum(1 for rule in sample[1].rules if rule.violation or rule.review)
    charts = [text for name, text in sample[2].parts.items() if name.startswith("xl/charts/chart")]
    of_rules = next(text for text in charts if "Claims by rule; rules without findings are left out" in text)
    first, last = re.findall(r"<c:cat>.*?Summary!\$A\$(\d+):\$A\$(\d+)", of_rules)[0]
    assert fired > 12 and int(last) - int(first) + 1 == fired


def test_the_last_runs_are_a_sheet_with_charts(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, alone = sample
    assert alone.rows("Last runs") == []
    runs = [RunFigures(run=str(at), audited=9, violation_rate=0.5, new=at) for at in range(2)]
    xlsx.write(tmp_path / "r.xlsx", result, reported.model_copy(update={"trend": runs}))
    book = Book(tmp_path / "r.xlsx")
    assert [list(row.values()) for row in book.rows("Last runs")] == [
        [str(at), 9.0, 0.5, float(at), None, None] for at in range(2)
    ]
    drawn = [text for name, text in book.parts.items() if name.startswith("xl/charts/chart") and "Last runs" in text]
    assert len(drawn) == 3


def test_hostile_ids_are_text(tmp_path: Path) -> None:
    ids = (*HOSTILE, "<r><t>x</t></r>", "_x0041_", "+1", "007", "a&b;c")
    result, reported = run(exports(tmp_path, ids))
    xlsx.write(tmp_path / "r.xlsx", result, reported)
    book = Book(tmp_path / "r.xlsx")
    assert (
        {str(row["Patient id"]).rstrip(" ") for row in book.rows("Claims")}
        == set(result.claims["patient_id"])
        == set(ids)
    )
    assert "http" not in "".join(text for name, text in book.parts.items() if "worksheets/_rels" in name).replace(
        "http://schemas.openxmlformats.org", ""
    )


def test_long_tables_are_cut_to_the_worst_and_say_so(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, whole = sample
    xlsx.write(tmp_path / "r.xlsx", result, reported, rows=30)
    book = Book(tmp_path / "r.xlsx")
    findings, claims = book.rows("Findings"), book.rows("Claims")
    assert findings == whole.rows("Findings")[:30] and claims == whole.rows("Claims")[:30]
    ranks = [("violation", "review").index(str(row["Outcome"])) for row in whole.rows("Findings")]
    assert ranks == sorted(ranks) and len(set(ranks)) == 2
    violations = [row["Claim amount"] for row in whole.rows("Findings") if row["Outcome"] == "violation"]
    assert violations == sorted(violations, reverse=True)  # type: ignore[type-var]
    assert "30 of 65 findings" in str(book.sheets["Findings"]["A1"])
    assert "findings.csv has 35 more rows" in str(book.sheets["Findings"]["A1"])
    assert f"claims.csv has {result.claims.height - 30:,} more rows" in str(book.sheets["Claims"]["A1"])


def test_of_equal_findings_the_newest_come_first(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, _ = sample
    findings = result.findings.with_columns(
        mark=pl.lit("persisting"), state=pl.lit("open"), case_number=pl.int_range(pl.len())
    )
    cases = findings.select(
        "mark", "state", number="case_number", first_run=pl.format("run{}", pl.col("case_number") % 3)
    )
    blank = ("reopened_from", "decided_on", "reviewer", "reason", "assignee")
    cases = cases.with_columns(pl.lit(None, pl.String).alias(name) for name in blank)
    xlsx.write(tmp_path / "r.xlsx", replace(result, findings=findings), reported, cases)
    rows = Book(tmp_path / "r.xlsx").rows("Findings")
    order = [
        (row["Outcome"] == "review", -float(row["Claim amount"] or 0), -int(str(row["First found in"])[3:]))
        for row in rows
    ]
    assert order == sorted(order) and len(set(order)) < len(order)


def test_numbers_that_excel_would_round_are_text(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, _ = sample
    long = replace(
        result, findings=result.findings.with_columns(paid_amount=pl.lit("12345678901234.56").cast(pl.Decimal(18, 2)))
    )
    xlsx.write(tmp_path / "r.xlsx", long, reported)
    assert {row["Claim amount"] for row in Book(tmp_path / "r.xlsx").rows("Findings")} == {"12345678901234.56"}


def test_rows_are_visible_and_no_higher_than_excel_allows(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, _ = sample
    for message in ("", "x" * 5000):
        xlsx.write(
            tmp_path / "r.xlsx",
            replace(result, findings=result.findings.with_columns(message=pl.lit(message))),
            reported,
        )
        rows = re.findall(r'<row r="(\d+)"[^>]* ht="([\d.]+)"', Book(tmp_path / "r.xlsx").xml["Findings"])
        assert all(0 < float(height) <= 409 for row, height in rows if int(row) > 2)


def test_empty_result(tmp_path: Path) -> None:
    result, reported = run(exports(tmp_path, ("a",), code="99213"))
    xlsx.write(tmp_path / "r.xlsx", result, reported)
    book = Book(tmp_path / "r.xlsx")
    assert book.rows("Findings") == [] and book.rows("Claims") == []
    assert book.pairs()["Service dates"] == "no claim was audited"


def test_amounts_that_are_not_in_the_export_are_not_zero(tmp_path: Path) -> None:
    result, reported = run(exports(tmp_path, ("a", "b")))
    xlsx.write(tmp_path / "r.xlsx", result, reported)
    assert Book(tmp_path / "r.xlsx").pairs()["claims in violation"] == "not known"


def test_equal_results_give_equal_files(sample: tuple[Result, Summary, Book], tmp_path: Path) -> None:
    result, reported, _ = sample
    for name in ("a.xlsx", "b.xlsx"):
        xlsx.write(tmp_path / name, result, reported)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
