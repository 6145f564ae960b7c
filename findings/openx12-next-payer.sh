#!/usr/bin/env bash
# openx12 gives each 837P claim the payer of the next claim.
#
# Expected: claims[0]["payer"] is the payer of the first claim. In an 837P the
# payer's NM1*PR segment stands in the subscriber's loop, before the claim's CLM.
# Instead: each payer is attached to the claim before it. The first payer is lost,
# the last claim has none. pyx12 finds the file valid. No error, no warning.
# Hurts: a compliance officer who counts telephone claims by payer in submitted
# files: each claim is audited by the rules of another payer.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    openx12==0.2.1 pyx12==4.0.0

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import pyx12.params
import pyx12.x12n_document
from openx12 import x837p

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


with open("claims.837", "w") as file:
    file.write("~\n".join(submission()) + "~\n")
with open("claims.837") as file:
    claims = x837p.parse(file.read()).claims
valid = is_valid("claims.837")
seen = [claim.get("payer", {}).get("id_value") for claim in claims]
print("openx12", version("openx12"), "pyx12", version("pyx12"))
print("valid by pyx12:", valid)
for claim, own, given in zip(claims, PAYERS, seen):
    print(f"{claim['claim_number']}: payer in the file {own}, by openx12 {given}")
if not valid or seen != ["PAYER2", "PAYER3", None]:
    raise SystemExit(f"CHANGED: the payers are now {seen}; valid: {valid}")
print("As described: each claim has its neighbor's payer, the last has none.")
PYTHON
