"""Every rule, in the order of the reports. A new rule is one file and one name here."""

from collections.abc import Iterable

from auditor.errors import UsageError
from auditor.rules.bundling import EXC001
from auditor.rules.documentation import DOC001, DOC002, DOC003, DOC004, DOC005
from auditor.rules.eligibility import ELG001, ELG002, ELG003, ELG004, ELG005, ELG006
from auditor.rules.frequency import FRQ001, FRQ002, FRQ003, FRQ004, FRQ005
from auditor.rules.integrity import INT001, INT002, INT003
from auditor.rules.lookahead import LAH001, LAH002
from auditor.rules.lookback import LBK001
from auditor.rules.minutes import DUR001, DUR002, DUR003
from auditor.rules.postoperative import LBK002
from auditor.rules.rule import Rule
from auditor.schema.names import nearest

ALL: tuple[Rule, ...] = (
    DUR001, DUR002, DUR003, LBK001, LBK002, LAH001, LAH002, FRQ001, FRQ002, FRQ003, FRQ004, FRQ005, ELG001, ELG002, ELG003,
    ELG004, ELG005, ELG006, DOC001, DOC002, DOC003, DOC004, DOC005, EXC001, INT001, INT002, INT003,
)  # fmt: skip
CODES = tuple(rule.code for rule in ALL)


def select(option: str, words: Iterable[str]) -> tuple[str, ...]:
    """Codes, prefixes and names → rule codes, in report order. Raises UsageError that suggests the nearest."""
    chosen: set[str] = set()
    for word in words:
        folded = word.strip().casefold()
        hits = {
            rule.code for rule in ALL if folded and (rule.code.casefold().startswith(folded) or rule.name == folded)
        }
        if not hits:
            known = [name for rule in ALL for name in (rule.code, rule.name)]
            raise UsageError(f"{option}: no rule {word!r}{nearest(word, known)}; `audit98968 rules list` shows all")
        chosen |= hits
    return tuple(code for code in CODES if code in chosen)
