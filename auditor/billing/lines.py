"""Calls and claims → one row per billed line, with its calls, cumulative minutes and order.

Source: docs/specification.md#claims-and-their-calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import TypeVar

import polars as pl

from auditor import payers
from auditor.billing import adjustments
from auditor.parsing.adjustment_rows import is_adjustment, that_are_calls
from auditor.parsing.microseconds import MINUTE
from auditor.parsing.typed_table import Table
from auditor.policy import Policy
from auditor.schema.codes import FAMILY, CodeList, credential_parts

_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)
_KEY = ("claim_id", "claim_line", "cpt_code")
_DOCUMENTS = ("doc_reason", "doc_summary", "doc_advice", "doc_statement", "doc_identity", "doc_consent")
_LINE_COLUMNS = ("patient_id", "provider_id", "units", "modifiers", "claim_status", "claim_status_sure", "billed_amount",
              "paid_amount", "payer", "frequency_code", "original_claim_id", "source_file", "source_record")  # fmt: skip
_CALL_COLUMNS = ("call_id", "patient_id", "provider_id", "call_start", "call_start_date", "call_end", "end", "time", "clock",
             "time_source", "stated", "discussion_minutes", "initiated_by", "established", "caller", "purpose", "payer",
             "related_visit_id", "problem_id", "diagnosis_codes", "group_id", "specialty", "provider_credential",
             *_DOCUMENTS)  # fmt: skip
"""The columns of calls that describe a line."""
_PARTIES = ("patient_id", "provider_id")
_INELIGIBLE_PURPOSES = ("scheduling", "administrative")
_UNCOUNTED_PURPOSES = (*_INELIGIBLE_PURPOSES, "follow_up")


@dataclass(frozen=True)
class Billing:
    """What was billed.

    `lines`: the active lines with a code of the family, in the order in which one is *earlier*; `line` is that order, and
    `judge` the number of the policy that judges it (`payers`).
    `line_calls`: one row per line and call of it. `other_lines`: active lines with other codes, and `other_calls`
    which of the calls they bill, `named_by_id` where by the call's id. `visit_lines`: those of them whose claims-table row
    bills a visit, with their `call_ids`; lines of the family have their `named_calls` likewise: the ids of their calls, or
    of the call that the row names where none is found.
    `inactive`: void and denied lines, keys and status.
    """

    lines: pl.DataFrame
    line_calls: pl.DataFrame
    other_lines: pl.DataFrame
    other_calls: pl.DataFrame
    visit_lines: pl.DataFrame
    inactive: pl.DataFrame


def bill(calls: pl.DataFrame, claims: pl.DataFrame | None, providers: pl.DataFrame, policy: Policy) -> Billing:
    """Make the lines of the export: from the claims table, or from the calls where there is none.

    `calls` carry their ends and times.
    """
    rows, calls = calls, that_are_calls(calls)
    claim_lines, pairs = _from_calls(rows, calls) if claims is None else _from_claims(calls, claims)
    active = claim_lines.filter(pl.col("claim_status") == "active")
    family = active.filter(pl.col("cpt_code").is_in(FAMILY))
    line_calls = _with_calls(pairs.join(family.select("row"), on="row", how="semi"), calls)
    facts = _facts(line_calls, policy.timezone)
    lines = family.join(facts, on="row", how="left").with_columns(
        pl.col("service_date").fill_null(pl.col("start_date")),
        pl.coalesce("payer", "call_payer"),
        pl.coalesce("start_date", "service_date"),
        pl.coalesce("end_date", "service_date"),
        named_calls=_named("call_ids"),
        diagnoses=pl.when(pl.col("own_diagnoses").list.len() > 0).then("own_diagnoses").otherwise("call_diagnoses"),
        has_call=pl.col("start").is_not_null(),
        names_call=pl.col("names_call").fill_null(False),
    )
    lines = _with_provider(lines, providers, policy)
    order = ["service_date", "start", "claim_id", "claim_line", "cpt_code"]
    lines = lines.sort(order, nulls_last=True).with_row_index("line")
    of_rows = line_calls.select("row").join(lines.select("row", "line"), on="row", how="left", maintain_order="left")
    line_calls = line_calls.drop("row").with_columns(of_rows["line"])
    supporting = pairs.join(active, on="row", how="semi")
    lines = payers.by_policy(
        payers.with_judge(lines, policy),
        policy,
        lambda some, own: _with_period(some, line_calls, calls, supporting, own),
    )
    other_lines = active.filter(~pl.col("cpt_code").is_in(FAMILY))
    facts_of_others = ("row", *_KEY, "service_date", "claim_status_sure", "provider_id", "payer", "paid_amount",
                       "remittance_only")  # fmt: skip
    other_calls = other_lines.select(*facts_of_others, "own_call_id").join(pairs.drop("named_by_id"), on="row")
    other_calls = _with_payer(other_calls, calls).select(
        pl.exclude("row", "own_call_id", "shares_cell"),
        named_by_id=pl.col("shares_cell") | (pl.col("own_call_id") == pl.col("call_id")).fill_null(False),
    )
    keys = [*_KEY, "patient_id", "provider_id", "service_date"]
    inactive = claim_lines.filter(pl.col("claim_status") != "active").select(*keys, "claim_status", "unmatched")
    lines = lines.drop("row", "own_diagnoses", "call_diagnoses", "call_payer")
    visit_lines = _visit_lines(other_lines, pairs, policy) if claims is not None else _NO_VISIT_LINES
    return Billing(lines, line_calls, other_lines.select(keys), other_calls, visit_lines, inactive)


def _with_calls(pairs: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Pairs of `row` and `call_id` with the columns of the calls, sorted by row, start and id."""
    found = pairs.join(calls.select("call_id", "call_start").with_row_index("at"), on="call_id")
    found = found.sort("row", "call_start", "call_id")
    columns = calls.select(name for name in _CALL_COLUMNS if name not in found.columns)
    return pl.concat([found.drop("at"), columns[found["at"]]], how="horizontal")


_NO_VISIT_LINES = pl.DataFrame(
    schema={
        **dict.fromkeys(("patient_id", "provider_id", "claim_id"), pl.String()),
        "service_date": pl.Date(),
        "claim_status_sure": pl.Boolean(),
        **dict.fromkeys(("own_diagnoses", "call_ids"), pl.List(pl.String())),
    }
)


def _visit_lines(others: pl.DataFrame, pairs: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """As `Billing.visit_lines`."""
    billing = others.filter(pl.col("cpt_code").is_in(policy.lists.visit_codes_in(others["cpt_code"].unique())))
    calls = pairs.join(billing, on="row", how="semi").group_by("row").agg(call_ids="call_id")
    return billing.join(calls, on="row", how="left").select(_NO_VISIT_LINES.columns)


def _named(calls: str) -> pl.Expr:
    """The ids of a line's calls; where there is none, of the call that its row names."""
    own = pl.concat_list(pl.col("own_call_id")).list.drop_nulls()
    return pl.when(pl.col(calls).list.len().fill_null(0) > 0).then(calls).otherwise(own)


def _with_payer(pairs: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Pairs of `row` and `call_id` whose row's own `payer`, where it is blank, is that of its earliest call."""
    stated = calls.select("call_id", "call_start", call_payer="payer")
    found = pairs.select("row", "call_id").join(stated, on="call_id").sort("call_start", "call_id")
    found = found.select("row", "call_payer").unique("row", keep="first", maintain_order=True)
    return pairs.join(found, on="row", how="left").with_columns(pl.coalesce("payer", "call_payer")).drop("call_payer")


def with_end_and_time(calls: _Frame) -> _Frame:
    """Add each call's `end`, its own `time` (microseconds), `time_source` and the `clock` between start and end.

    A stated time that falls short of the clock by whole hours is unknown (`lost_hours`): a spreadsheet may drop them.
    """
    written = pl.coalesce("call_minutes", "call_seconds")
    clock = (pl.col("call_end") - pl.col("call_start")).dt.total_microseconds()
    hours = ((clock - written) / (60 * MINUTE)).round(0)
    lost_hours = ((hours >= 1) & ((clock - written - hours * 60 * MINUTE).abs() <= MINUTE)).fill_null(False)
    stated = pl.when(~lost_hours).then(written)
    length = pl.coalesce(stated, "discussion_minutes")
    source = (
        pl.when(pl.col("discussion_minutes").is_not_null())
        .then(pl.lit("discussion"))
        .when(stated.is_not_null())
        .then(pl.lit("stated"))
        .when(clock.is_not_null() & ~lost_hours)
        .then(pl.lit("clock"))
    )
    return calls.with_columns(
        stated=stated,
        clock=clock,
        end=pl.coalesce("call_end", pl.col("call_start") + pl.duration(microseconds=length)),
        time=pl.coalesce("discussion_minutes", stated, pl.when(~lost_hours).then(clock)),
        lost_hours=lost_hours,
        time_source=source,
    )


def _each_code(rows: pl.DataFrame, *, numbered: bool) -> pl.DataFrame:
    """Rows whose cell holds several codes, once for each; `own_line` is the row's, and `shares_cell` marks them.

    Modifiers in the cell join those of the row. `numbered`: the code is added to the line.
    """
    rows = rows.with_columns(own_line=pl.col("claim_line"), shares_cell=pl.lit(False))
    several = rows.filter(pl.col("cpt_code_parts").is_not_null())
    if several.is_empty():
        return rows
    several = several.with_columns(part=pl.col("cpt_code_parts").str.split(" "))
    several = several.with_columns(shares_cell=pl.col("part").list.len() > 1).explode("part")
    part = pl.col("part").str.split(":")
    line = pl.concat_str(pl.col("claim_line").fill_null("1"), pl.lit("/"), part.list.first())
    several = several.with_columns(
        cpt_code=part.list.first(),
        claim_line=pl.when(pl.col("shares_cell") & numbered).then(line).otherwise("claim_line"),
        modifiers=pl.concat_list("modifiers", part.list.slice(1)).list.unique().list.sort(),
    )
    return pl.concat([rows.filter(pl.col("cpt_code_parts").is_null()), several.select(rows.columns)])


def _from_calls(rows: pl.DataFrame, calls: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Claim lines and (row, call_id) pairs: calls of one claim, line and code; a codeless call joins its claim's line.

    `rows`: all of them; an adjustment is a line of its own.
    """
    billed = [*_KEY, "call_id", "call_start", "call_start_date", *_LINE_COLUMNS, "shares_cell"]
    read = ({*billed} - {"shares_cell"}) | {"cpt_code_parts"}
    rows = _each_code(rows.select(read).filter(pl.col("cpt_code").is_not_null()), numbered=False)
    rows = rows.with_columns(pl.coalesce("claim_id", "call_id"))
    adjusts = rows.select(is_adjustment()).to_series()
    rows = rows.select(billed).with_columns(pl.col("claim_line").fill_null("1"))
    calls = calls.with_columns(pl.col("claim_line").fill_null("1"), shares_cell=pl.lit(False)).select(billed)
    coded, adjusting = rows.filter(~adjusts), rows.filter(adjusts)
    codeless = calls.filter(pl.col("cpt_code").is_null() & pl.col("claim_id").is_not_null()).drop("cpt_code")
    keys = coded.select(_KEY).join(codeless, on="claim_id", how="semi").unique()
    one_code = keys.filter(pl.col("cpt_code").n_unique().over("claim_id") == 1)
    joining = codeless.join(one_code, on=["claim_id", "claim_line"], how="inner")
    claim_lines = (
        pl.concat([coded, joining.select(billed), adjusting])
        .with_columns(
            own=pl.concat(
                [
                    pl.repeat(0, len(coded) + len(joining), dtype=pl.Int64, eager=True),
                    pl.int_range(1, len(adjusting) + 1, eager=True),
                ]
            )
        )
        .sort("call_start", "call_id", "own")
        .group_by(*_KEY, "own", maintain_order=True)
        .agg(
            "call_id",
            "shares_cell",
            *(pl.col(fact).first() for fact in _LINE_COLUMNS),
            service_date=pl.col("call_start_date").first(),
        )
        .with_columns(
            own_diagnoses=pl.lit([], pl.List(pl.String)),
            own_call_id=pl.lit(None, pl.String),
            place_of_service=pl.lit(None, pl.String),
            service_date_last=pl.lit(None, pl.Date),
            near_call_of_nobody=pl.lit(False),
            remittance_only=pl.lit(False),
        )
        .drop("own")
        .with_row_index("row")
    )
    pairs = claim_lines.select("row", "call_id", "shares_cell").explode("call_id", "shares_cell")
    return adjustments.settle(claim_lines.drop("call_id", "shares_cell")), pairs.with_columns(named_by_id=pl.lit(True))


def _from_claims(calls: pl.DataFrame, claims: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Claim lines and their (row, call_id) pairs.

    By the line's call, else by the calls' claim, else by patient, provider and date.
    """
    claim_lines = _each_code(claims, numbered=True).select(
        *_KEY,
        "service_date",
        "call_id",
        *_LINE_COLUMNS,
        own_diagnoses="diagnosis_codes",
        own_call_id="call_id",
        processed_date="processed_date",
        place_of_service="place_of_service",
        service_date_last="service_date_last",
        own_line="own_line",
        remittance_only=pl.col("remittance_only").fill_null(False),
    )
    claim_lines = adjustments.settle(claim_lines.with_row_index("row"))
    active = claim_lines.filter(pl.col("claim_status") == "active")
    by_call = active.filter(pl.col("call_id").is_not_null()).select("row", "call_id")
    rest = active.filter(pl.col("call_id").is_null())
    claimed = calls.filter(pl.col("claim_id").is_not_null()).select("call_id", "claim_id", call_line="claim_line")
    by_claim = (
        rest.select("row", "claim_id", claim_line="own_line")
        .join(claimed, on="claim_id", how="inner")
        .filter(pl.col("call_line").is_null() | (pl.col("call_line") == pl.col("claim_line")))
        .select("row", "call_id")
    )
    by_id = pl.concat([by_call, by_claim])
    eligible = calls.filter(~pl.col("purpose").is_in(_INELIGIBLE_PURPOSES).fill_null(False)).join(
        by_id, on="call_id", how="anti"
    )
    dated = rest.join(by_claim, on="row", how="anti").select("row", *_PARTIES, "service_date", "service_date_last")
    eligible = eligible.select("call_id", *_PARTIES, day="call_start_date")
    by_date = _on_their_days(dated, eligible, *_PARTIES)
    of_nobody = _on_their_days(dated, eligible.filter(pl.col("provider_id").is_null()), "patient_id")["row"]
    claim_lines = claim_lines.with_columns(near_call_of_nobody=pl.col("row").is_in(of_nobody.implode()))
    pairs = pl.concat([by_id.with_columns(named_by_id=pl.lit(True)), by_date.with_columns(named_by_id=pl.lit(False))])
    return claim_lines.drop("call_id", "processed_date", "own_line"), pairs.with_columns(shares_cell=pl.lit(False))


def _on_their_days(lines: pl.DataFrame, calls: pl.DataFrame, *who: str) -> pl.DataFrame:
    """Pairs of `row` and `call_id`: the calls of these parties on one of a line's days."""
    on_the_first = lines.join(calls, left_on=[*who, "service_date"], right_on=[*who, "day"], how="inner")
    ranges = lines.drop_nulls("service_date_last").join(calls, on=who, how="inner")
    later = (pl.col("day") > pl.col("service_date")) & (pl.col("day") <= pl.col("service_date_last"))
    return pl.concat([pairs.select("row", "call_id") for pairs in (on_the_first, ranges.filter(later))])


def _facts(line_calls: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """One row per line: what its calls say together. Calls are in call order.

    Most lines have one call, where nothing overlaps and every list is in order: they go without the costly steps.
    """
    several = pl.col("row").is_duplicated()
    alone = line_calls.filter(~several).with_columns(fresh="time", doubtful=pl.lit(False))
    facts = pl.concat([
        _call_facts(alone, lambda texts: texts),
        _call_facts(_laid_out(line_calls.filter(several), "row", timezone), lambda texts: texts.unique().sort()),
    ])  # fmt: skip
    return facts.with_columns(
        start_date=pl.col("start").dt.convert_time_zone(timezone).dt.date(),
        end_date=pl.coalesce("end", "start").dt.convert_time_zone(timezone).dt.date(),
        end_or_start=pl.coalesce("end", "start"),
    )


def _laid_out(calls: pl.DataFrame, key: str, timezone: str) -> pl.DataFrame:
    """Add `fresh`, the time of a call that no earlier call of its key took, and `doubtful`.

    A call takes its own time from its start on; one that starts at midnight overlaps nothing. Doubtful is a call that
    overlaps another and states over a minute less than its clock shows: nobody knows when in it that time was. `calls`
    are in call order, by key.
    """
    start, length, until = pl.col("call_start"), pl.col("time"), pl.col("until")
    at_midnight = start.dt.convert_time_zone(timezone).dt.time() == time()
    calls = calls.with_columns(
        until=pl.when(~at_midnight & (length > 0)).then(start + pl.duration(microseconds=length))
    ).with_columns(
        before=until.cum_max().forward_fill().shift(1).over(key),
        after=pl.when(until.is_not_null()).then(start).shift(-1).backward_fill().over(key),
    )
    taken = (pl.col("before") - start).dt.total_microseconds().clip(lower_bound=0).fill_null(0)
    overlaps = ((pl.col("before") > start) | (pl.col("after") < until)) & until.is_not_null()
    return calls.with_columns(
        fresh=pl.when(until.is_null()).then(length).otherwise((length - taken).clip(lower_bound=0)),
        doubtful=(overlaps & (length + MINUTE < pl.col("clock"))).fill_null(False),
    )


def _times() -> dict[str, pl.Expr]:
    """`total`, the time of calls that are `_laid_out`, and `plain`, their sum where one is doubtful."""
    return {
        "total": pl.col("fresh").sum(),
        "plain": pl.when(pl.col("doubtful").any()).then(pl.col("time").sum()),
        "source": pl.when(pl.col("time_source").n_unique() == 1)
        .then(pl.col("time_source").first())
        .otherwise(pl.lit("mixed")),
    }


def _call_facts(line_calls: pl.DataFrame, listed: Callable[[pl.Expr], pl.Expr]) -> pl.DataFrame:
    """What the calls of each line, `_laid_out`, say. `listed` puts texts in order, each once."""
    is_complete = pl.col("time").is_not_null().all()
    times = {name: pl.when(is_complete).then(value) for name, value in _times().items()}

    def texts(name: str) -> pl.Expr:
        return listed(pl.col(name).drop_nulls())

    return line_calls.group_by("row", maintain_order=True).agg(
        start=pl.col("call_start").min(),
        end=pl.when(pl.col("end").is_not_null().all()).then(pl.col("end").max()),
        minutes=times["total"] // MINUTE,
        plain_minutes=times["plain"] // MINUTE,
        minutes_source=times["source"],
        call_ids=texts("call_id"),
        names_call=pl.col("named_by_id").any(),
        related_visit_ids=texts("related_visit_id"),
        problems=texts("problem_id"),
        call_diagnoses=listed(pl.col("diagnosis_codes").explode().drop_nulls()),
        call_payer=pl.col("payer").first(),
        group_id=pl.col("group_id").drop_nulls().first(),
        specialty=pl.col("specialty").drop_nulls().first(),
        credential=pl.col("provider_credential").drop_nulls().first(),
        has_both_times=pl.any_horizontal(
            pl.col("clock").is_not_null() & pl.col(stated_time).is_not_null()
            for stated_time in ("discussion_minutes", "stated")
        ).any(),
        call_dates=pl.col("call_start_date").unique(),
        **{name: pl.col(name).any() for name in _DOCUMENTS},
    )


def _with_period(
    lines: pl.DataFrame, line_calls: pl.DataFrame, calls: pl.DataFrame, supporting: pl.DataFrame, policy: Policy
) -> pl.DataFrame:
    """Add `period_minutes` and `period_plain`: with the calls of patient and provider that support no active line.

    Where the policy counts them in, they are the minutes.
    """
    of_claim = {"minutes": "period_minutes", "plain_minutes": "period_plain"}
    if policy.duration.cumulative == "claim":
        return lines.with_columns(pl.col(name).alias(period) for name, period in of_claim.items())
    spare = calls.filter(~pl.col("purpose").is_in(_UNCOUNTED_PURPOSES).fill_null(False))
    timed = ["call_start", "call_id", "time", "clock", "time_source"]
    dated = spare.select(*timed, "patient_id", "provider_id", "call_start_date").join(
        supporting, on="call_id", how="anti"
    )
    first = pl.col("service_date").dt.offset_by(f"-{policy.frequency.last_day}d")
    near = (
        lines.filter(pl.col("minutes").is_not_null())
        .select("line", "patient_id", "provider_id", "service_date")
        .join(dated, on=["patient_id", "provider_id"])
        .filter(pl.col("call_start_date").is_between(first, "service_date"))
        .select("line", *timed)
    )
    counted = pl.concat([near, line_calls.join(near, on="line", how="semi").select(near.columns)])
    unknown = counted.filter(pl.col("time").is_null())["line"]
    counted = counted.filter(pl.col("time").is_not_null()).sort("line", "call_start", "call_id")
    added = _laid_out(counted, "line", policy.timezone).group_by("line").agg(**_times()).select(
        "line", period_minutes=pl.col("total") // MINUTE, period_plain=pl.col("plain") // MINUTE, period_source="source"
    )  # fmt: skip
    lines = lines.join(added, on="line", how="left", maintain_order="left")
    alone = pl.col("period_minutes").is_null()
    lines = lines.with_columns(
        pl.when(alone).then(name).otherwise(period).alias(period)
        for name, period in (of_claim | {"minutes_source": "period_source"}).items()
    )
    if policy.duration.cumulative == "period":
        is_complete = ~pl.col("line").is_in(unknown.implode())
        periods = ("period_minutes", "period_plain", "period_source")
        lines = lines.with_columns(pl.when(is_complete).then(name).alias(name) for name in periods)
        lines = lines.with_columns(
            minutes="period_minutes", plain_minutes="period_plain", minutes_source="period_source"
        )
    return lines.drop("period_source")


def _with_provider(lines: pl.DataFrame, providers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Fill group, specialty and credential from the provider's row; add the license and what the credential says."""
    columns = ("group_id", "specialty", "credential")
    rows = providers.select(
        "provider_id", "license_start", "license_end", *(pl.col(name).alias(f"_{name}") for name in columns)
    )
    lines = lines.join(rows, on="provider_id", how="left").with_columns(
        pl.coalesce(name, f"_{name}") for name in columns
    )
    lists = policy.lists
    written = lines["credential"].drop_nulls().unique().to_list()
    parts = {text: credential_parts(text, policy.credentials.words) for text in written}
    credential = pl.col("credential")

    def holds(entries: tuple[str, ...], name: str) -> pl.Expr:
        listed = CodeList.of(entries)
        matching = [text for text in written if any(part in listed or part == name for part in parts[text])]
        return pl.when(credential.is_not_null()).then(credential.is_in(matching))

    return lines.drop(f"_{name}" for name in columns).with_columns(
        physician=holds(lists.physicians, "physician"),
        qualified=holds(lists.qualified, "qualified"),
        may_report_em=holds(lists.may_report_em, "may_report_em"),
    )


def provider_rows(providers: Table | None) -> pl.DataFrame:
    """The providers' rows, or none of the same shape."""
    if providers is not None:
        return providers.rows
    texts = ("provider_id", "group_id", "specialty", "credential")
    dates = ("license_start", "license_end")
    return pl.DataFrame(schema=[*((name, pl.String()) for name in texts), *((name, pl.Date()) for name in dates)])
