"""The claim's own calls, and the provider's other calls that overlap them."""

import polars as pl

from auditor.parsing.microseconds import HOUR
from auditor.windows import bounds
from auditor.windows.columns import FLAG, INSTANT, NUMBER, RECORD, TEXT, Columns
from auditor.windows.records import PatientRecords

OWN_CALL: Columns = RECORD | {
    "initiated_by": (TEXT, "patient, provider or callback; null where blank or not recognised"),
    "established": (FLAG, "whether the patient was established"),
    "caller": (TEXT, "patient, parent, guardian or other"),
    "purpose": (TEXT, "clinical, scheduling, administrative or follow_up"),
    "stated": (NUMBER, "stated length, in microseconds"),
    "discussion_minutes": (NUMBER, "discussion, in microseconds"),
    "clock": (NUMBER, "end less start, in microseconds"),
    "other_party": (FLAG, "the claim names it, and its patient or provider is another"),
    "calls_rounded": (FLAG, "ids by which a claim finds its call look like rounded numbers"),
    "party_unsure": (FLAG, "the claim names it, and hardly any patient or provider of claims is in the calls"),
    "differs": (TEXT, "what certainly differs from the claim, of patient, provider and date, in words"),
    "none_on_date": (FLAG, "there is a claims table, and no call of the claim is on the service date"),
}
"""The claim's own calls."""

OVERLAP: Columns = RECORD
"""Other calls of the provider that overlap one of the claim's."""


def own_call(claims: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """The claim's own calls."""
    calls = records.billing.line_calls.select(
        "line", "named_by_id", "initiated_by", "established", "caller", "purpose", "stated", "discussion_minutes", "clock",
        id="call_id", at="call_start", call_patient="patient_id", call_provider="provider_id", call_date="call_start_date",
    )  # fmt: skip
    own = claims.select(
        "line", "patient_id", "provider_id", "service_date", "service_date_last", "call_dates", "call_unsure",
        "patient_unjoined", "provider_unjoined", "calls_rounded",
    )  # fmt: skip
    other = {
        name: pl.col("named_by_id") & (pl.col(f"call_{name}") != pl.col(f"{name}_id"))
        for name in ("patient", "provider")
    }
    sure = {name: differs & ~pl.col(f"{name}_unjoined") for name, differs in other.items()}
    day, last = pl.col("service_date"), pl.coalesce("service_date_last", "service_date")
    on_a_day = pl.col("call_date").is_between(day, last).any().over("line")
    none_on_date = (
        pl.lit(records.has_claims_table) & ~pl.col("call_unsure") & ~pl.col("call_dates").list.contains(day) & ~on_a_day
    )
    words = [
        pl.when(differs.fill_null(False)).then(pl.lit(name)) for name, differs in {**sure, "date": none_on_date}.items()
    ]
    return calls.join(own, on="line", how="inner").with_columns(
        kind=pl.lit("call"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit("does not meet the rule"),
        day="call_date",
        gap_days=bounds.days_between("call_date", "service_date").abs(),
        order=pl.lit(0, pl.Int64),
        elapsed=pl.lit(None, pl.Int64),
        other_party=~pl.col("call_unsure") & (sure["patient"] | sure["provider"]),
        party_unsure=pl.any_horizontal(differs & pl.col(f"{name}_unjoined") for name, differs in other.items()),
        differs=pl.concat_str(words, separator=" and ", ignore_nulls=True),
        none_on_date=none_on_date,
    )


PHONE_RECORD: Columns = RECORD | {
    "covered": (FLAG, "the phone log has the call, if there was one"),
    "matched": (FLAG, "the log has a record of the call"),
    "talk": (NUMBER, "length of the talk by the log, in microseconds"),
    "length": (NUMBER, "stated length of the call, else end less start, in microseconds"),
    "wanted_direction": (TEXT, "direction of the record by who initiated the call"),
    "log_direction": (TEXT, "inbound or outbound by the log"),
}
"""The claim's own calls with their records in the phone log."""

_DIRECTIONS = {"patient": "inbound", "provider": "outbound", "callback": "outbound"}


def phone_record(claims: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """The claim's own calls, each as its record in the phone log, or as itself without one."""
    calls = records.billing.line_calls.join(claims.select("line"), on="line", how="semi")
    log = records.context.phone_matches
    rows = calls.join(log.with_columns(covered=pl.lit(True)), on="call_id", how="left")
    is_matched = pl.col("record").is_not_null()
    return rows.select(
        "line",
        "talk",
        "log_direction",
        covered=pl.col("covered").fill_null(False),
        matched=is_matched,
        length=pl.coalesce(pl.max_horizontal("discussion_minutes", "stated"), "clock"),
        wanted_direction=pl.col("initiated_by").replace_strict(_DIRECTIONS, default=None, return_dtype=pl.String),
        kind=pl.when(is_matched).then(pl.lit("record")).otherwise(pl.lit("call")),
        id=pl.coalesce("record", "call_id"),
        at=pl.coalesce("log_at", "call_start"),
        date_only=pl.lit(False),
        gap_days=pl.lit(0, pl.Int64),
        order=pl.lit(0, pl.Int64),
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit("does not meet the rule"),
    )


NO_SPANS = pl.DataFrame(schema={"provider_id": TEXT, "id": TEXT, "from": INSTANT, "to": INSTANT})
"""As `spans` of no call."""


def spans(calls: pl.DataFrame) -> pl.DataFrame:
    """The spans of calls: provider_id, id, `from`, `to`; only what is longer than nothing."""
    taken = calls.select("provider_id", id="call_id", **{"from": "call_start", "to": "end"})
    return taken.filter(pl.col("to") > pl.col("from"))


def own_spans(lines: pl.DataFrame, line_calls: pl.DataFrame) -> pl.DataFrame:
    """The spans of the lines' calls, with `line`, the line's provider and `call_ids`."""
    own = line_calls.filter(pl.col("end") > pl.col("call_start"))
    own = own.select("line", **{"from": "call_start", "to": "end"})
    return own.join(lines.select("line", "call_ids", "provider_id"), on="line")


def touching(own: pl.DataFrame, other_spans: pl.DataFrame) -> pl.LazyFrame:
    """Own spans with the same provider's others (`id`, `from_other`, `to_other`) that overlap them; some more than once.

    They meet in the hours that both touch, so that a provider's day is never joined with itself.
    """

    def by_hour(periods: pl.DataFrame) -> pl.LazyFrame:
        first = pl.col("from").dt.epoch("us") // HOUR
        last = (pl.col("to").dt.epoch("us") - 1) // HOUR
        begun = periods.lazy().with_columns(hour=first)
        later = begun.filter(last > first).with_columns(hour=pl.int_ranges(first + 1, last + 1))
        return pl.concat([begun, later.explode("hour", empty_as_null=False)])

    pairs = by_hour(own).join(by_hour(other_spans), on=["provider_id", "hour"], how="inner", suffix="_other")
    overlaps = pl.max_horizontal("from", "from_other") < pl.min_horizontal("to", "to_other")
    return pairs.filter(overlaps & ~pl.col("call_ids").list.contains(pl.col("id")))


def overlap(claims: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Other calls of the claim's provider that overlap one of its calls by more than zero time."""
    own = own_spans(claims, records.billing.line_calls)
    pairs = touching(own, records.provider_calls).select("line", "id", at="from_other").unique().collect()
    return pairs.with_columns(
        kind=pl.lit("call"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit(""),
        gap_days=pl.lit(0, pl.Int64),
        order=pl.lit(0, pl.Int64),
    )
