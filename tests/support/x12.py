"""Small X12 interchanges, written segment by segment. All names and numbers are invented."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from auditor.policy import load
from auditor.reading.files import expand
from auditor.sources import x12
from auditor.sources.source import Context, Source

P, R = "005010X222A1", "005010X221A1"
"""The versions of an 837P and of an 835."""
BILLING = ("HL*1**20*1", "NM1*85*2*TEST CLINIC*****XX*1111111111")
SUBSCRIBER = ("HL*2*1*22*0", "SBR*P*18", "NM1*IL*1*ROE*ANN****MI*M1", "NM1*PR*2*PAYER ONE*****PI*P1")
PAYER = ("BPR*I*31*C*ACH************20260320", "N1*PR*PAYER ONE", "N1*PE*TEST CLINIC*XX*1111111111", "LX*1")


def line(lx: int = 1, code: str = "98968", charge: str = "45", day: str = "D8*20260302", *more: str) -> list[str]:
    """A service line of an 837P."""
    return [f"LX*{lx}", f"SV1*HC:{code}*{charge}*UN*1***1", f"DTP*472*{day}", *more]


def claim(claim_id: str, *more: str, lines: Sequence[str] | None = None, frequency: str = "1") -> list[str]:
    """A claim of an 837P. `more`: segments between CLM and HI."""
    return [
        f"CLM*{claim_id}*45***11:B:{frequency}",
        *more,
        "HI*ABK:F331*ABF:Z0000",
        *(line() if lines is None else lines),
    ]


def billed(*claims: Sequence[str], before: Sequence[str] = (*BILLING, *SUBSCRIBER)) -> list[str]:
    """The segments of an 837P."""
    return [*before, *(segment for one in claims for segment in one)]


def paid(*claims: Sequence[str], before: Sequence[str] = PAYER, day: str = "20260320") -> list[str]:
    """The segments of an 835."""
    return [*(one.replace("20260320", day) for one in before), *(segment for one in claims for segment in one)]


def payment(
    claim_id: str,
    status: str = "1",
    charge: str = "45",
    amount: str = "31",
    code: str = "98968",
    *more: str,
    payer_id: str = "P1",
) -> list[str]:
    """A claim of an 835 with one service. `more`: segments after SVC."""
    return [
        f"CLP*{claim_id}*{status}*{charge}*{amount}*0*12*{payer_id}", "NM1*QC*1*ROE*ANN****MI*M1",
        f"SVC*HC:{code}*{charge}*{amount}", "DTM*472*20260302", *more,
    ]  # fmt: skip


def interchange(
    *transactions: tuple[str, str, Sequence[str]], delimiters: str = "*:~", after: str = "", number: int = 1
) -> str:
    """An interchange with a group for each transaction: code, version, segments.

    `delimiters`: of elements, components and segments; `after`: what follows each terminator.
    """
    segments = []
    for at, (code, version, body) in enumerate(transactions, 1):
        segments += [
            f"GS*XX*SENDER*RECEIVER*20260303*1200*{at}*X*{version}", f"ST*{code}*{at:04}*{version}", *body,
            f"SE*{len(body) + 2}*{at:04}", f"GE*1*{at}",
        ]  # fmt: skip
    segments += [f"IEA*{len(transactions)}*{number:09}"]
    start = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'SENDER':15}", "ZZ", f"{'RECEIVER':15}", "260303", "1200", "^",
             "00501", f"{number:09}", "0", "T", ":"]  # fmt: skip
    element, component, terminator = delimiters
    written = ["*".join(start), *segments]
    end = terminator + after
    return end.join(one.replace("*", element).replace(":", component) for one in written) + end


def of_837(*claims: Sequence[str], **how: Any) -> str:
    """An interchange with one 837P."""
    return interchange(("837", P, billed(*claims)), **how)


def of_835(*claims: Sequence[str], day: str = "20260320", before: Sequence[str] = PAYER) -> str:
    """An interchange with one 835."""
    return interchange(("835", R, paid(*claims, day=day, before=before)))


def sources(folder: Path, *texts: str | bytes, table: str = "claims") -> Iterator[Source]:
    """The sources of files with these texts."""
    (folder / "x12files").mkdir(exist_ok=True)
    paths = [folder / "x12files" / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    context = Context(load("default", lambda _, words: words), Path(mkdtemp(dir=folder)), frozenset({table}))
    return x12.read(table, expand(table, list(map(str, paths))).located, context)


def read(folder: Path, *texts: str | bytes) -> tuple[list[dict[str, Any]], list[str]]:
    """The claims of files with these texts, and the warnings about them."""
    rows, warnings = [], []
    for source in sources(folder, *texts):
        rows += [row for frame in source.frames for row in frame.to_dicts()]
        warnings += source.warnings
    return rows, warnings


def _day(row: Mapping[str, str]) -> str:
    return row["service_date"].replace("-", "")


def submitted(row: Mapping[str, str]) -> list[str]:
    """A claim of an 837P of one line, from its billing provider on, of a row of the sample."""
    return ["HL*1**20*1", f"NM1*85*1*CLINIC*****XX*{row['provider_id']}", "HL*2*1*22*0", "NM1*IL*1*ROE*ANN****MI*M",
            f"CLM*{row['claim_id']}*{row['billed_amount']}***11:B:1", f"REF*EA*{row['patient_id']}", f"LX*{row['claim_line']}",
            f"SV1*HC:{row['cpt_code']}*{row['billed_amount']}*UN*{row['units']}***", f"DTP*472*D8*{_day(row)}"]  # fmt: skip


def remitted(row: Mapping[str, str]) -> list[str]:
    """The same in an 835."""
    status = {"paid": "1", "denied": "4", "reversed": "22"}[row["claim_status"]]
    return [f"CLP*{row['claim_id']}*{status}*{row['billed_amount']}*{row['paid_amount']}*0*12*X{row['claim_id']}",
            f"REF*EA*{row['patient_id']}", f"SVC*HC:{row['cpt_code']}*{row['billed_amount']}*{row['paid_amount']}",
            f"DTM*472*{_day(row)}"]  # fmt: skip
