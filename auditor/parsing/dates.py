"""Which local date a cell states. Source: docs/specification.md#instants, *Date columns*."""

import polars as pl

from auditor.parsing import instants
from auditor.parsing.instant_columns import reject_times
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Dates as Date. Midnights and times without an offset are dates as written; other times are moved to `timezone`."""
    zone = parser.policy.zone_of(parser.table, column.name)
    found = instants.read(values, parser.policy, days=True, date_only=False, zone=zone, count=parser.count)
    reject_times(parser, column, values, found)
    parser.add(column.name, found.local.dt.date())
