"""The columns of record sets: type and meaning. Each module of windows lists the columns that rules may name."""

import polars as pl

Columns = dict[str, tuple[pl.DataType, str]]
"""Name → type and meaning."""

INSTANT: pl.DataType = pl.Datetime("us", "UTC")
DATE: pl.DataType = pl.Date()
TEXT: pl.DataType = pl.String()
TEXTS: pl.DataType = pl.List(pl.String())
FLAG: pl.DataType = pl.Boolean()
ROW_NUMBER: pl.DataType = pl.UInt32()
NUMBER: pl.DataType = pl.Int64()
SMALL: pl.DataType = pl.Int32()
FLOAT: pl.DataType = pl.Float64()
MONEY: pl.DataType = pl.Decimal(18, 2)

RECORD: Columns = {
    "kind": (TEXT, "visit, line (a billed visit), claim (another line), call, or record (of the phone log)"),
    "id": (TEXT, "the record's id"),
    "at": (INSTANT, "when it started, in UTC"),
    "date_only": (FLAG, "only its day is known"),
    "gap_days": (NUMBER, "local dates between it and the claim"),
    "order": (NUMBER, "sort key for ties within a day: elapsed microseconds, or the later line first"),
    "basis": (TEXT, "what relates it to the claim"),
    "exclusion_reason": (TEXT, "why it supports nothing, if a rule finds that"),
}
"""The columns of every record set."""

RELATED: Columns = {
    "related_kind": (TEXT, "the kind of the related record"),
    "related_id": (TEXT, "its id"),
    "gap_days": (NUMBER, "local dates between it and the claim"),
    "elapsed": (NUMBER, "microseconds between it and the claim"),
    "date_only": (FLAG, "only its day is known"),
    "basis": (TEXT, "what relates it to the claim"),
    "day": (DATE, "its local date"),
    "provider": (TEXT, "its provider, if known"),
    "status": (TEXT, "of a visit, its status"),
    "reason": (TEXT, "of a visit, why it is or is not taken for the same matter, in words"),
    "detail": (TEXT, "what the rule says of it"),
}
"""Columns of the related record that a message may use in addition to the claim's own."""
