#!/usr/bin/env bash
# hccinfhir scores the diagnoses of a claim that was voided.
#
# Expected: CLM05-3 of an 837P says what a claim is: 1 the original, 7 a replacement, 8 a
# void. A practice that voids a claim takes its diagnoses back, so that the score
# of the patient is that of the other claims, or the frequency is at least among
# the fields, so that the caller can leave the claim out.
# Instead: the void is one more claim with the same diagnoses. The frequency is in no
# field, and neither is the number of the claim that is voided (REF*F8). A void alone
# gives the patient a condition that nobody bills.
# Hurts: plans that compute risk scores from 837 files: they report diagnoses that the
# practice has withdrawn, and may have to pay back.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check hccinfhir==0.4.0

# It loads its own data through a deprecated function.
venv/bin/python -W error -W 'ignore:path is deprecated:DeprecationWarning' - <<'PYTHON'
from importlib.metadata import version

from hccinfhir import Demographics, HCCInFHIR, extract_sld


def submitted(frequency: str) -> str:
    """An 837P with one claim for an office visit, for diabetes."""
    replaced = ["REF*F8*PAYER1"] if frequency == "8" else []
    claim = ["CLM*C1*100***11:B:" + frequency + "*Y*A*Y*Y", *replaced, "HI*ABK:E119", "LX*1", "SV1*HC:99213*100*UN*1***1",
             "DTP*472*D8*20260302"]
    before = ["BHT*0019*00*1*20260303*1200*CH", "NM1*41*2*SENDER*****46*1", "PER*IC*A*TE*5555550100", "NM1*40*2*PLAN*****46*2",
              "HL*1**20*1", "NM1*85*2*CLINIC*****XX*1112223338", "N3*1 MAIN ST", "N4*VANCOUVER*WA*98662", "REF*EI*720000000",
              "HL*2*1*22*0", "SBR*P*18*******MB", "NM1*IL*1*ROE*ANN****MI*M1", "DMG*D8*19560101*F", "NM1*PR*2*PLAN*****PI*P1"]
    body = ["ST*837*0001*005010X222A1", *before, *claim]
    isa = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'SENDER':15}", "ZZ", f"{'PLAN':15}", "260303", "1200", "^", "00501",
           "000000001", "0", "T", ":"]
    return "~".join(["*".join(isa), "GS*HC*SENDER*PLAN*20260303*1200*1*X*005010X222A1", *body, f"SE*{len(body) + 1}*0001",
                     "GE*1*1", "IEA*1*000000001", ""])


print("hccinfhir", version("hccinfhir"))
patient = Demographics(age=70, sex="F", dual_elgbl_cd="00", orec="0", crec="0", new_enrollee=False, snp=False, low_income=False)
scores = {}
for name, frequency in (("original", "1"), ("void", "8")):
    lines = extract_sld(submitted(frequency), format="837")
    found = HCCInFHIR().run_from_service_data(lines, patient)
    scores[name] = round(found.risk_score, 3), sorted(found.hcc_list)
    print(f"{name}: CLM05-3 = {frequency}, score and conditions {scores[name]}")
fields = {name for line in lines for name, value in line.model_dump().items() if str(value) in ("8", "PAYER1")}
nothing = round(HCCInFHIR().run_from_service_data([], patient).risk_score, 3)
print(f"no claim: score {nothing}; fields with the frequency or the voided number: {sorted(fields)}")
if scores["void"] != scores["original"] or scores["void"][0] == nothing or fields:
    raise SystemExit(f"CHANGED: {scores}, {nothing}, {fields}")
print("As described: the voided claim still counts, without a word.")
PYTHON
