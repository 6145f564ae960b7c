"""Lists of codes. SPEC.md section 9."""

from __future__ import annotations

import re

FAMILY = ("98966", "98967", "98968")
BANDS = {"98966": (5, 10), "98967": (11, 20), "98968": (21, 30)}

VISIT_CODES_TEXT = """
99202-99205 99211-99215 99242-99245 98000-98015 99441-99443 99341-99350 99304-99310 99315 99316 99381-99387 99391-99397
G0402 G0438 G0439 99281-99285 99221-99223 99231-99239 90791 90792 90832-90839 90845-90847 90853 96156 96158 96159
96164-96171 97802-97804 G0270 G0271 G0447 97161-97168 97110 97112 97116 97140 97530 97535 92507 92526 92521-92524 92540
92557 92625 92002 92004 92012 92014 G0463 T1015 10004-69990
"""
NOT_VISIT_CODES = {"36415", "36416", *FAMILY}
NCCI_0_TEXT = "36591 36592 96523 99421-99423 99484 99487 99489-99496 G0506 G0511 G0512 0734T"
NCCI_1_TEXT = "93792 93793 99424-99427 99439 99446-99449 G0250"
PHYSICIANS_TEXT = "MD DO MBBS MBCHB"
QUALIFIED_TEXT = """
PT DPT OT OTR OTD SLP AUD RD RDN LD LDN LCSW LICSW LISW CSW PSYD PHD EDD LPC LPCC LMHC LCPC LMFT MFT BCBA NP FNP DNP
APRN ARNP CRNP CNS CNM PA PHARMD CGC
"""
PHYSICIANS = set(PHYSICIANS_TEXT.split())
QUALIFIED = set(QUALIFIED_TEXT.split())


def in_list(code: str, text: str) -> bool:
    """Is the code in a list of codes and ranges? Ranges compare five-digit codes only."""
    for item in text.split():
        if "-" in item:
            low, high = item.split("-")
            if re.fullmatch(r"[0-9]{5}", code) and int(low) <= int(code) <= int(high):
                return True
        elif code == item:
            return True
    return False


def is_visit_code(code: str) -> bool:
    """A visit or procedure code of section 9."""
    return code not in NOT_VISIT_CODES and in_list(code, VISIT_CODES_TEXT)
