#!/usr/bin/env bash
# x12sdk reads no claims from an X12 file whose segments end with a line feed.
#
# Expected: the character after ISA16 ends each segment, whichever it is. pyx12 finds
# the file with line feeds valid. A reader that does not support them raises an error.
# Instead: the model reader yields nothing and raises nothing. The same segments
# that end with a tilde give one transaction set.
# Hurts: a data engineer with one trading partner who sends such files: the nightly
# load succeeds with 0 claims, and nobody misses them.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    x12sdk==2.2.0 pyx12==4.0.0

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import pyx12.params
import pyx12.x12n_document
from x12sdk.io import X12ModelReader

PAYERS = ["PAYER1", "PAYER2", "PAYER3"]


def submission() -> list[str]:
    """Return the segments of an 837P: one claim for each of three payers."""
    body = """ST*837*0001*005010X222A1
BHT*0019*00*BATCH1*20260303*1200*CH
NM1*41*2*TEST CLINIC*****46*SENDER1
PER*IC*OFFICE*TE*5555550100
NM1*40*2*TEST CLEARINGHOUSE*****46*RECEIVER1
HL*1**20*1
NM1*85*2*TEST CLINIC*****XX*1234567893
N3*2 TEST STREET
N4*SPRINGFIELD*IL*627010000
REF*EI*123456789""".splitlines()
    for number, payer in enumerate(PAYERS, 1):
        body += f"""HL*{number + 1}*1*22*0
SBR*P*18*******CI
NM1*IL*1*TEST{number}*PERSON****MI*MEMBER{number}
N3*1 TEST STREET
N4*SPRINGFIELD*IL*62701
DMG*D8*19700101*F
NM1*PR*2*TEST PAYER {number}*****PI*{payer}
CLM*CLAIM{number}*31.25***11:B:1*Y*A*Y*Y
HI*ABK:Z0000
LX*1
SV1*HC:98968*31.25*UN*1***1
DTP*472*D8*20260302""".splitlines()
    header = """ISA*00*          *00*          *ZZ*SENDER1        *ZZ*RECEIVER1      \
*260303*1200*^*00501*000000001*0*T*:
GS*HC*SENDER1*RECEIVER1*20260303*1200*1*X*005010X222A1""".splitlines()
    return [*header, *body, f"SE*{len(body) + 1}*0001", "GE*1*1", "IEA*1*000000001"]


def is_valid(name: str) -> bool:
    """Validate a file with pyx12."""
    return bool(pyx12.x12n_document.x12n_document(
        pyx12.params.params(), name, fd_997=None, fd_html=None, fd_xmldoc=None))


def count(name: str) -> int:
    with X12ModelReader(name) as reader:
        return sum(1 for _ in reader.models())


print("x12sdk", version("x12sdk"), "pyx12", version("pyx12"))
seen = {}
for name, terminator in [("tilde.837", "~"), ("line-feed.837", "\n")]:
    with open(name, "w", newline="") as file:
        file.write("".join(segment + terminator for segment in submission()))
    seen[name] = count(name), is_valid(name)
    print(f"{name}: transaction sets by x12sdk {seen[name][0]}, valid by pyx12 {seen[name][1]}")
if seen != {"tilde.837": (1, True), "line-feed.837": (0, True)}:
    raise SystemExit(f"CHANGED: transaction sets and validity are now {seen}")
print("As described: the valid file with line feeds gives 0 transaction sets and no error.")
PYTHON
