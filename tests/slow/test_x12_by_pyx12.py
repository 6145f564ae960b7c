"""Whole 837P and 835 files that pyx12 finds valid are read as it reads their segments.

Needs pyx12, which is no dependency: pip install pyx12==4.0.0
"""

import random
from io import StringIO
from pathlib import Path

import pytest

from tests.support.x12 import read

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260303*1200*^*00501*000000001*0*T*:"
HEAD_837 = """BHT*0019*00*BATCH1*20260303*1200*CH
NM1*41*2*TEST CLINIC*****46*SENDER
PER*IC*OFFICE*TE*5555550100
NM1*40*2*TEST CLEARINGHOUSE*****46*RECEIVER
HL*1**20*1
NM1*85*2*TEST CLINIC*****XX*1234567893
N3*2 TEST STREET
N4*SPRINGFIELD*IL*627010000
REF*EI*123456789"""
HEAD_835 = """BPR*I*100*C*ACH*CCP*01*999999992*DA*1*1512345678**01*999988880*DA*1*20260320
TRN*1*1*1512345678
DTM*405*20260319
N1*PR*PAYER ONE
N3*1 TEST STREET
N4*SPRINGFIELD*IL*62701
PER*BL*OFFICE*TE*5555550100
N1*PE*TEST CLINIC*XX*1234567893
LX*1"""


def submitted(number: int, choose: random.Random) -> str:
    """A subscriber with one claim of one to three lines."""
    date = choose.choice(["D8*20260302", "RD8*20260301-20260305"])
    lines = "\n".join(
        f"LX*{lx}\nSV1*HC:98968:95*{20 + lx}*UN*{choose.randint(1, 2)}***{choose.choice(['1', '2:1'])}\nDTP*472*{date}\n"
        f"REF*6R*R{lx}"
        for lx in range(1, choose.randint(2, 4))
    )
    own_number = choose.choice(["", f"\nREF*EA*N{number}"])
    total = sum(20 + lx for lx in range(1, lines.count("LX*") + 1))
    return f"""HL*{number + 1}*1*22*0
SBR*P*18*******CI
NM1*IL*1*TEST*PERSON****MI*M{number}
N3*1 TEST STREET
N4*SPRINGFIELD*IL*62701
DMG*D8*19700101*F
NM1*PR*2*PAYER {choose.randint(1, 3)}*****PI*P1
CLM*C{number}*{total}***11:B:1*Y*A*Y*Y{own_number}
HI*ABK:F331*ABF:Z0000
NM1*82*1*DOE*JANE****XX*1999999984
{lines}"""


def remitted(number: int, choose: random.Random) -> str:
    """A claim that is paid with one service."""
    paid = choose.randint(0, 45)
    return f"""CLP*C{number}*1*45*{paid}*0*12*P{number}*11*1
CAS*CO*45*{45 - paid}
NM1*QC*1*TEST*PERSON****MI*M{number}
SVC*HC:98968:95*45*{paid}**1
DTM*472*20260302"""


def written(code: str, group: str, version: str, body: str, delimiters: str) -> str:
    segments = body.splitlines()
    start = [
        ISA,
        f"GS*{group}*SENDER*RECEIVER*20260303*1200*1*X*{version}",
        f"ST*{code}*0001" + f"*{version}" * (code == "837"),
    ]
    end = [f"SE*{len(segments) + 2}*0001", "GE*1*1", "IEA*1*000000001"]
    element, component, terminator = delimiters
    text = "".join(f"{segment}\0" for segment in (*start, *segments, *end))
    return text.replace("*", element).replace(":", component).replace("\0", terminator)


@pytest.mark.parametrize("delimiters", ["*:~", "|>\n", "*:'"])
@pytest.mark.parametrize("seed", range(5))
def test_files_that_pyx12_finds_valid(tmp_path: Path, seed: int, delimiters: str):
    pytest.importorskip("pyx12")
    import pyx12.params
    import pyx12.x12file
    import pyx12.x12n_document

    choose = random.Random(seed)
    bodies = {
        ("837", "HC", "005010X222A1"): "\n".join([HEAD_837, *(submitted(n, choose) for n in range(1, 20))]),
        ("835", "HP", "005010X221A1"): "\n".join([HEAD_835, *(remitted(n, choose) for n in range(1, 20))]),
    }
    for (code, group, version), body in bodies.items():
        text = written(code, group, version, body, delimiters)
        (tmp_path / code).write_text(text, newline="")
        assert pyx12.x12n_document.x12n_document(
            pyx12.params.params(), str(tmp_path / code), fd_997=None, fd_html=None, fd_xmldoc=None
        )
        by_pyx12 = list(pyx12.x12file.X12Reader(StringIO(text)))
        rows, warnings = read(tmp_path, text)
        assert warnings == [] and len(rows) == sum(segment.get_seg_id() in ("SV1", "SVC") for segment in by_pyx12)
        of_number = {row["audit98968_record"]: row for row in rows}
        claim = {}
        for number, segment in enumerate(by_pyx12, 1):
            name = segment.get_seg_id()
            claim |= {name: segment}
            if name in ("SV1", "SVC"):
                row = of_number[number]
                assert row["claim_id"] == claim["CLM" if name == "SV1" else "CLP"].get_value("01")
                assert (row["cpt_code"], row["modifiers"]) == (segment.get_value("01-2"), segment.get_value("01-3"))
                assert float(row["billed_amount"]) == float(segment.get_value("02"))
                assert row["units"] == (segment.get_value("04") if name == "SV1" else segment.get_value("05"))
                assert name == "SV1" or float(row["paid_amount"]) == float(segment.get_value("03"))
