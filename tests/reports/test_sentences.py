"""One finding's sentence, from every output of one run: the same everywhere, and without ids where none may be shown."""

import csv
import html
import io
import json
import re
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from tests.support.catalogue import printed

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount
KEY1,PAT1,DOC1,2026-03-09 09:00,25,98968,31.25
"""
VISITS = """visit_id,patient_id,provider_id,visit_start,status
VIS1,PAT1,DOC2,2026-03-06 10:00,completed
VIS2,PAT2,DOC2,2026-01-02 10:00,completed
VIS3,PAT2,DOC2,2026-05-02 10:00,completed
"""
TAIL = (
    " (completed) started 3 days before the call; neither record has a diagnosis or a problem, "
    "so it cannot be told whether they are related"
)
SENTENCE = f"visit VIS1 by provider DOC2 on 2026-03-06{TAIL}"
WITHOUT_IDS = f"a visit{TAIL}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of the same exports, of which the second shows ids, and the findings as JSON Lines."""
    folder = tmp_path_factory.mktemp("sentences")
    (folder / "calls.csv").write_text(CALLS)
    (folder / "visits.csv").write_text(VISITS)
    inputs = ["--calls", str(folder / "calls.csv"), "--visits", str(folder / "visits.csv"), "--timezone", "UTC"]
    inputs += ["--fail-on", "never", "--select", "LBK001", "--require", "LBK001"]
    out = ["--out", str(folder / "out")]
    (folder / "text").write_text(printed("run", *inputs, *out))
    (folder / "ids").write_text(printed("run", *inputs, *out, "--show-ids"))
    (folder / "jsonl").write_text(printed("run", *inputs, "--format", "jsonl"))
    return folder


def test_files_and_commands_that_carry_ids_have_the_same_sentence(run: Path) -> None:
    latest, jsonl = run / "out" / "latest", json.loads((run / "jsonl").read_text())
    sheet = fastexcel.read_excel(latest / "report.xlsx").load_sheet("Findings", header_row=1, dtypes="string")
    found = {
        "findings.parquet": pl.read_parquet(latest / "findings.parquet")["message"][0],
        "findings.csv": next(csv.DictReader(io.StringIO((latest / "findings.csv").read_text())))["message"],
        "cases.parquet": pl.read_parquet(latest / "cases.parquet")["message"][0],
        "workbook": sheet.to_polars()["What was found"][0],
        "jsonl": jsonl["message"],
        "cases export": json.loads(printed("cases", "export", str(run / "out"), "--format", "jsonl"))["message"],
        "cases list": json.loads(printed("cases", "list", str(run / "out"), "--show-ids", "--format", "json"))[0][
            "message"
        ],
        "digest": json.loads(printed("digest", str(run / "out"), "--show-ids", "--format", "json"))["cases"][0][
            "message"
        ],
    }
    assert found == dict.fromkeys(found, SENTENCE)


def test_texts_contain_the_sentence(run: Path) -> None:
    page = html.unescape(re.sub(r"</?bdi[^>]*>", "", (run / "out" / "latest" / "report.html").read_text()))
    texts = {
        "page": page,
        "terminal": (run / "ids").read_text(),
        "cases list": printed("cases", "list", str(run / "out"), "--show-ids"),
        "explain": " ".join(printed("explain", str(run / "out"), "KEY1").split()),
    }
    assert {name: SENTENCE in text for name, text in texts.items()} == dict.fromkeys(texts, True)


def test_without_show_ids_the_sentence_names_no_record(run: Path) -> None:
    out = str(run / "out")
    listed = json.loads(printed("cases", "list", out, "--format", "json"))[0]
    urgent = json.loads(printed("digest", out, "--format", "json"))["cases"][0]
    assert (listed["message"], urgent["message"]) == (WITHOUT_IDS, WITHOUT_IDS)
    for text in ((run / "text").read_text(), printed("cases", "list", out), printed("digest", out)):
        assert WITHOUT_IDS in text
        assert not re.search("VIS1|DOC2|PAT1|KEY1|2026-03-06", text)
