#!/usr/bin/env bash
# The exit status of pyx12's x12valid says nothing about the file.
#
# Expected: x12valid exits with 0 for a valid file and with another status for an
# invalid or a missing one, as validators do in shell pipelines.
# Instead: the command exits with 1 for all three. Started as a module it exits
# with 0 for all three. Only the text on standard error tells them apart.
# Hurts: a data engineer who gates a nightly claims load on x12valid: the load
# never runs, or, with python -m, invalid files pass.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pyx12==4.0.0

venv/bin/python -W error - <<'PYTHON'
import pathlib
import subprocess
import sys
from importlib.metadata import version

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


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""


text = "".join(segment + "~\n" for segment in submission())
pathlib.Path("valid.837").write_text(text)
pathlib.Path("invalid.837").write_text(text.replace("D8*20260302", "D8*20261302"))
print("pyx12", version("pyx12"))
seen = {}
for name in ("valid.837", "invalid.837", "missing.837"):
    command = run("venv/bin/x12valid", name)
    module = run(sys.executable, "-m", "pyx12.scripts.x12valid", name)
    seen[name] = command[0], module[0], command[1]
    print(f"{name}: x12valid exits with {command[0]}, python -m with {module[0]},"
          f" last line: {command[1] or '(none)'}")
expected = {
    "valid.837": (1, 0, "valid.837: OK"),
    "invalid.837": (1, 0, "invalid.837: Failure"),
    "missing.837": (1, 0, ""),
}
if seen != expected:
    raise SystemExit(f"CHANGED: exit statuses and texts are now {seen}")
print("As described: neither exit status depends on the file.")
PYTHON
