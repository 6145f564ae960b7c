"""All tables of a run as they were read."""

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.engines import KeptRows
from auditor.parsing.typed_table import Table
from auditor.phone_log.records import PhoneRecords
from auditor.quality.profile import Profiles
from auditor.quality.report import QualityReport
from auditor.reading.ingest import SourceFile


@dataclass(frozen=True)
class Inputs:
    """The exports as read. `tables` have no rows; `kept` are those that can matter, of calls, visits and claims.

    `phone`: the records of the phone log.
    """

    tables: Mapping[str, Table]
    files: Mapping[str, tuple[SourceFile, ...]]
    profiles: Profiles
    quality: QualityReport
    kept: Mapping[str, KeptRows]
    phone: PhoneRecords | None = None


def existing(inputs: Inputs) -> frozenset[str]:
    """Tables, and columns as `table.column`; `lines.units` and the like where the billed lines have them."""
    names = {f"{name}.{column}" for name, table in inputs.tables.items() for column in table.columns}
    billing_table = inputs.tables["claims" if "claims" in inputs.tables else "calls"]
    return frozenset(names | set(inputs.tables) | {f"lines.{column}" for column in billing_table.columns})
