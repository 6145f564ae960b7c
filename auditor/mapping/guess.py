"""What a canonical column may be in an export, and the words of headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.mapping.values import Source
from auditor.schema.tables import Column

CERTAIN, LIKELY, GUESS = "certain", "likely", "guess"

_SHORT = {"amt": "amount", "appt": "appointment", "apt": "appointment", "cd": "code", "chrg": "charge", "clm": "claim",
          "cnt": "count", "cred": "credential", "dept": "department", "dgns": "diagnosis", "diag": "diagnosis",
          "dr": "doctor",
          "dt": "date", "dttm": "time", "dur": "duration", "dx": "diagnosis", "lic": "license", "licence": "license",
          "mdfr": "modifier", "mins": "minutes", "nbr": "number", "no": "number", "num": "number", "pat": "patient",
          "phys": "physician", "physn": "physician", "pmt": "payment", "prf": "performing", "proc": "procedure",
          "prov": "provider", "prvdr": "provider", "pt": "patient", "pty": "specialty", "qty": "quantity",
          "resched": "rescheduled", "sbmtd": "billed", "secs": "seconds", "spclty": "specialty", "srvc": "service",
          "svc": "service", "tm": "time", "ts": "time", "enc": "encounter"}  # fmt: skip
"""Abbreviations that exports use, in the words of `tables.py`."""


@dataclass(frozen=True)
class Guess:
    """A canonical column's sources, how sure that is, and why.

    `unit`: what its lengths are, where minutes are not meant. `values`: of joined flags, what each combination means.
    """

    column: Column
    sources: tuple[Source, ...]
    sure: str
    why: str
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether the policy should say it at once."""
        return self.sure != GUESS

    @property
    def filled(self) -> float:
        """Share of rows that have a value: of a list, as many as of its fullest column."""
        shares = [source.filled for source in self.sources]
        return max(shares) if self.column.is_list else min(shares)


def tokens(name: str) -> list[str]:
    """The words of a header, abbreviations written out, without those that name a zone."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    found = [_SHORT.get(token, token) for token in re.findall(r"[a-z]+|\d+", spaced.casefold())]
    return [token for token in found if token not in ("utc", "gmt", "zulu", "local")]
