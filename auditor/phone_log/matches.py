"""Which record of the phone log each call is. Source: docs/specification.md#phone-log."""

import polars as pl

from auditor.parsing.microseconds import MINUTE
from auditor.phone_log.records import PhoneRecords

_KEYS = ("distance", "at", "call_id", "record", "row")
"""The order in which pairs are taken: the first three, and what settles the rest."""


def matched(calls: pl.DataFrame, records: PhoneRecords, minutes: int) -> pl.DataFrame:
    """The calls inside the log: `call_id`, and of the record that it is `record`, `log_at`, `talk` and `log_direction`.

    `calls`: provider_id, call_id and call_start. A call without a record has nulls.
    """
    inside = calls.filter(
        pl.col("provider_id").is_in(records.users["provider_id"].implode())
        & pl.col("call_start").is_between(pl.lit(records.first), pl.lit(records.last))
    ).unique("call_id")
    taken = _taken(_pairs(inside, records, minutes * MINUTE))
    rows = records.rows.with_row_index("row").rename({"direction": "log_direction"})
    found = taken.join(rows, on="row", how="left").select("call_id", "record", "talk", "log_direction", log_at="at")
    return inside.select("call_id").join(found, on="call_id", how="left")


def _pairs(calls: pl.DataFrame, records: PhoneRecords, most: int) -> pl.DataFrame:
    """Calls and records of their providers whose starts are no further apart than `most` microseconds.

    They meet in the stretches of that length around both, so that a provider's day is never joined with itself.
    """
    width = max(most, 1)
    stretch = pl.col("at").dt.epoch("us") // width
    of_users = records.rows.with_row_index("row").select("row", "user", "record", "at")
    own = of_users.join(records.users, on="user").with_columns(
        stretch=pl.concat_list(stretch - 1, stretch, stretch + 1)
    )
    own = own.explode("stretch", empty_as_null=False)
    of_calls = calls.with_columns(stretch=pl.col("call_start").dt.epoch("us") // width)
    pairs = of_calls.join(own, on=["provider_id", "stretch"])
    distance = (pl.col("call_start") - pl.col("at")).dt.total_microseconds().abs()
    return pairs.select(*_KEYS[1:], distance=distance).filter(pl.col("distance") <= most).unique().sort(_KEYS)


def _taken(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs that are taken in their order, each call and each record once.

    A pair that comes first for both its call and its record is taken; it leaves the others without them.
    """
    taken = [pairs.clear()]
    while pairs.height:
        first = pairs.filter(pl.col("call_id").is_first_distinct() & pl.col("row").is_first_distinct())
        taken.append(first)
        pairs = pairs.join(first, on="call_id", how="anti", maintain_order="left")
        pairs = pairs.join(first, on="row", how="anti", maintain_order="left")
    return pl.concat(taken)
