"""The policy: every threshold, list, vocabulary and mapping of an audit, read from TOML and validated.

`types.py` has the types of values, `tables.py` the tables, `model.py` the whole; `load.py` reads files.
"""

from auditor.policy.load import leaves, load, settings, shipped, source
from auditor.policy.model import OF_PAYER, OF_THE_PROGRAM, Policy
from auditor.policy.tables import Lists, Period, Required
from auditor.policy.types import Severity

__all__ = ["OF_PAYER", "OF_THE_PROGRAM", "Lists", "Period", "Policy", "Required", "Severity", "leaves", "load", "settings",
           "shipped", "source"]  # fmt: skip
