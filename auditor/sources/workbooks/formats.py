"""What a number format shows of a cell. Source: ECMA-376, part 1, 18.8.30 and 18.8.31."""

import re
from dataclasses import dataclass

_LITERAL = re.compile(r'"([^"]*)"|\\(.)|[_*].')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_ALWAYS = 99
BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "m/d/yyyy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "m/d/yyyy h:mm", 32: "h:mm", 33: "h:mm:ss", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
} | dict.fromkeys((27, 28, 29, 30, 31, 34, 35, 36, *range(50, 59)), "yyyy/m/d")  # fmt: skip
"""Formats that files name by number only."""


@dataclass(frozen=True)
class Format:
    """What a format shows.

    `dated`: a date or a time; `timed`: a time; `elapsed`: a length, as [h]:mm. `digits`: the least digits of a whole
    number; one of fewer is shown with others than it has.
    """

    dated: bool
    timed: bool
    elapsed: bool
    digits: int


def of_code(code: str) -> Format:
    """What a format's code means."""
    section = code.split(";")[0]
    literals = "".join("".join(found) for found in _LITERAL.findall(section))
    bare = _LITERAL.sub("", section)
    elapsed = bool(_ELAPSED.search(bare))
    signs = _BRACKETS.sub("", bare).lower().replace("general", "").replace("am/pm", "h").replace("a/p", "h")
    timed = elapsed or "h" in signs or "s" in signs
    dated = timed or bool(re.search("[dmy]", signs))
    changed = re.search(r"\d", literals) or re.search(r"[e%./]|,(?![#0?])", signs)
    return Format(dated, timed, elapsed, 0 if dated else _ALWAYS if changed else signs.count("0"))
