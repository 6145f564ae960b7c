"""The lines: windows that are not covered, FRQ001's sequence, and the other lines near a claim."""

from collections.abc import Callable
from typing import Any

import polars as pl

from auditor import payers
from auditor.parsing.time_zones import first_instant
from auditor.policy import Policy, Required
from auditor.quality.coverage import Coverage
from auditor.quality.relationships import CLAIMED
from auditor.schema.codes import FAMILY, CodeList
from auditor.windows import bounds
from auditor.windows.columns import (
    DATE,
    FLAG,
    FLOAT,
    INSTANT,
    MONEY,
    NUMBER,
    RECORD,
    ROW_NUMBER,
    SMALL,
    TEXT,
    TEXTS,
    Columns,
)
from auditor.windows.records import PatientRecords, paired
from auditor.windows.related import nearly

CLAIM: Columns = {
    "line": (ROW_NUMBER, "the claim's place in the order of lines"),
    "claim_id": (TEXT, "the claim"),
    "claim_line": (TEXT, "its line"),
    "cpt_code": (TEXT, "the code billed"),
    "patient_id": (TEXT, "the patient"),
    "provider_id": (TEXT, "the rendering provider"),
    "units": (FLOAT, "units billed"),
    "modifiers": (TEXTS, "modifiers of the line"),
    "billed_amount": (MONEY, "amount billed"),
    "paid_amount": (MONEY, "amount paid"),
    "service_date": (DATE, "the local date billed"),
    "service_date_last": (DATE, "the last day, if the export gives a range of service dates; else null"),
    "start": (INSTANT, "earliest start of its calls; null without a call"),
    "end": (INSTANT, "latest end of its calls; null if one is unknown"),
    "end_or_start": (INSTANT, "the end, or the start where the end is unknown"),
    "start_date": (DATE, "local date of the start; the service date without a call"),
    "end_date": (DATE, "local date of the end, else of the start; the service date without a call"),
    "minutes": (NUMBER, "cumulative time of its calls in whole minutes"),
    "plain_minutes": (NUMBER, "the plain sum of its calls' times, if it is unknown how much of an overlap counts"),
    "period_minutes": (NUMBER, "the minutes with those of the period's calls that no active line bills"),
    "period_plain": (NUMBER, "the plain sum with the times of the period's calls that no active line bills"),
    "minutes_source": (TEXT, "discussion, stated, clock or mixed"),
    "low": (NUMBER, "least minutes of its code's band"),
    "high": (NUMBER, "most minutes of its code's band"),
    "max_units": (SMALL, "most units that the policy allows"),
    "hours_ahead": (SMALL, "hours after the end in which a visit counts"),
    "has_call": (FLAG, "a call supports it"),
    "has_both_times": (FLAG, "a call has both a clock time and a stated one"),
    "payer": (TEXT, "the insurer billed"),
    "remittance_only": (FLAG, "a payer's line that fits no line of the claim as it was billed"),
    "names_call": (FLAG, "its ids name one of its calls"),
    "has_shared_calls": (FLAG, "a call supports it; without a table of calls, its row names one"),
    "group_id": (TEXT, "billing group of its provider"),
    "specialty": (TEXT, "specialty of its provider"),
    "credential": (TEXT, "credential of its provider, as written"),
    "physician": (FLAG, "a part of the credential is a physician's"),
    "qualified": (FLAG, "a part of the credential is on the qualified list"),
    "reviews_em": (FLAG, "a part is of those who may report E/M services, for which the policy asks for review"),
    "license_start": (DATE, "first day of the provider's license"),
    "license_end": (DATE, "last day of the provider's license"),
    "doc_reason": (FLAG, "a call documents the reason"),
    "doc_summary": (FLAG, "a call documents a summary"),
    "doc_advice": (FLAG, "a call documents the advice"),
    "doc_statement": (FLAG, "a call documents the statement"),
    "doc_identity": (FLAG, "a call documents the caller's identity"),
    "doc_consent": (FLAG, "a call documents the patient's consent"),
    "required_modifiers": (TEXT, "the modifiers of which the policy requires one, in words"),
    "lacks_modifier": (FLAG, "the policy requires one of some modifiers, and the line has none of them"),
    "required_places": (TEXT, "the places of service of which the policy requires one, in words"),
    "has_other_place": (
        FLAG,
        "the policy requires one of some places of service, and the line has another; null if blank",
    ),
    "lookback_not_covered": (FLAG, "the days before are not covered, or visits of the patient may be missing"),
    "postoperative_not_covered": (FLAG, "the same for the longest global period before"),
    "ahead_not_covered": (FLAG, "the same for the hours after"),
    "later_not_covered": (FLAG, "the same for the hours after and the days up to the horizon"),
    "same_day_not_covered": (FLAG, "the same for the service date"),
    "lines_not_covered": (
        FLAG,
        "the frequency period is not covered, or lines of the patient and provider may be missing",
    ),
    "group_lines_not_covered": (FLAG, "the same for lines of the patient and any provider"),
    "provider_unsure": (FLAG, "a row of the providers table may be its provider's, written differently"),
    "provider_rounded": (FLAG, "ids of providers look like rounded numbers"),
    "calls_rounded": (FLAG, "ids by which a claim finds its call look like rounded numbers"),
    "call_unsure": (
        FLAG,
        "a call may be the claim's: its provider is blank, ids are written differently, or hardly any is in the calls",
    ),
    "patient_unjoined": (FLAG, "the patient is not in the calls, and under half of the claims' patients are"),
    "provider_unjoined": (FLAG, "the same for the provider"),
    "counted": (FLAG, "FRQ001 counts it against later ones"),
    "depends_on_unknown": (FLAG, "an earlier claim of its run is unknown"),
}
"""The audited claims, one row each."""

BILLED_AGAIN = (
    TEXT,
    "why it is the same service, billed again: another payer, one paid nothing, or one is of a remittance only",
)

LINE_BEFORE: Columns = RECORD | {
    "depends_on_unknown": (FLAG, "an earlier claim of the claim's run is unknown"),
    "e_counted": (FLAG, "FRQ001 counts the earlier line"),
    "status_known": (FLAG, "the earlier line's status is blank or recognized, and the patient id is not a placeholder"),
    "may_replace": (FLAG, "of the same date, and one of the two replaces a line that was not found"),
    "billed_again": BILLED_AGAIN,
    "same_provider": (FLAG, "of the same provider"),
    "same_code": (FLAG, "of the same code"),
    "same_group": (FLAG, "of the same group and specialty"),
    "common_group": (FLAG, "their group is one that most rows of a table have"),
}
"""Earlier active lines of the family and the patient, within the frequency period."""

SHARED_CALL: Columns = RECORD | {
    "is_telephone": (FLAG, "the other line has a code of the family, or a telephone code of the policy's list"),
    "status_known": (FLAG, "the earlier line's status is blank or recognized"),
    "billed_again": BILLED_AGAIN,
}
"""Other active lines that one of the claim's calls supports too: earlier ones of the family, and any of other codes."""

SAME_DAY: Columns = RECORD | {
    "provider_blank": (FLAG, "a visit without a provider, which may be the claim's"),
    "is_0": (FLAG, "a code is on NCCI list 0"),
    "is_1": (FLAG, "a code is on NCCI list 1"),
    "status_known": (
        FLAG,
        "its status is recognized, the patient id is not a placeholder, and it cannot be the claim's call",
    ),
}
"""Visits and other active lines of the patient, provider and date whose codes bundle with the claim's."""


def with_coverage(records: PatientRecords, some: pl.DataFrame | None = None) -> pl.DataFrame:
    """The lines, or some of them, with their band and what the coverage leaves open; where nothing tells, it is open."""
    visits, lines = (
        pl.col("patient_id").is_in(patients.to_list())
        for patients in (records.context.patients_with_rejected_visits, records.context.patients_with_rejected_lines)
    )
    quality = records.context.quality

    def any_normalized(names: str, pair: str) -> pl.Expr:
        matches = quality.normalized_matches(pair)
        return pl.col(names).list.set_intersection(matches.implode()).list.len() > 0 if len(matches) else pl.lit(False)

    def nearly_in(column: str, pair: str) -> pl.Expr:
        return pl.col(column).is_in(quality.normalized_matches(pair).implode())

    is_placeholder = pl.col("patient_id").is_in(quality.placeholders.implode())
    visits = (
        visits | pl.lit(not records.context.has_visits) | is_placeholder | nearly_in("patient_id", "patient in visits")
    )
    of_family = nearly_in("patient_id", "patient in lines")
    of_others = nearly_in("patient_id", "patient in other lines")
    lines = lines | is_placeholder | of_family
    by_provider = nearly_in("provider_id", "provider in visits") | pl.col("provider_id").is_null()
    is_nobody = pl.col("provider_id").is_null()
    lines = lines | pl.col("patient_id").is_in(records.billing.lines.filter(is_nobody)["patient_id"].implode())
    of_billed_visits = nearly_in("patient_id", "patient in billed visits")
    came_from = any_normalized("named_calls", "call in visits") | nearly_in("claim_id", "claim in visits")
    visit_named_by_call = any_normalized("related_visit_ids", "visit in visits")
    may_be_missing = {
        "lookback_not_covered": visits | came_from | visit_named_by_call | of_billed_visits,
        "postoperative_not_covered": visits | by_provider | visit_named_by_call,
        "ahead_not_covered": visits | came_from | of_billed_visits,
        "later_not_covered": visits | came_from,
        "same_day_not_covered": visits | by_provider | of_family | of_others | pl.col("near_provider").is_not_null(),
        "lines_not_covered": lines | pl.col("near_provider").fill_null(False),
        "group_lines_not_covered": lines,
    }

    calls = (("own_call_id", "call"), ("patient_id", "patient"), ("provider_id", "provider"))
    call_unsure = pl.any_horizontal(nearly_in(column, f"{kind} in calls") for column, kind in calls) | is_nobody
    unjoined = {
        column: ~pl.col("own_call_id" if column == "call_id" else column).is_in(quality.exact_matches(pair).implode())
        if column in quality.unjoined else pl.lit(False)
        for column, pair in CLAIMED.items()
    }  # fmt: skip
    by_other_ids = pl.lit(bool(quality.unjoined & {"patient_id", "provider_id"}))
    call_unsure |= ~pl.col("has_call") & (
        pl.col("near_call_of_nobody") | by_other_ids | unjoined["call_id"].fill_null(False)
    )
    keys = ["patient_id", "provider_id"]
    near = records.near_providers.group_by(keys).agg(near_provider=pl.col("family").any())
    billed = (records.billing.lines if some is None else some).join(near, on=keys, how="left", maintain_order="left")
    billed = billed.with_columns(
        **bounds.window_edges(records.context.policy.timezone),
        shared_calls=pl.col("call_ids" if records.context.has_calls else "named_calls"),
        place=pl.col("line").cast(pl.Float64),
    )
    billed = billed.with_columns(
        is_placeholder=is_placeholder.fill_null(False),
        calls_rounded=pl.lit(quality.is_rounded("call_id", "claim_id", "patient_id", "provider_id")),
        provider_rounded=pl.lit(quality.is_rounded("provider_id")),
        call_rounded=pl.col("has_call") & _found_by_rounded(records),
        provider_unsure=nearly_in("provider_id", "provider in providers").fill_null(True),
        call_unsure=call_unsure.fill_null(False) if records.compares_calls else pl.lit(False),
        has_shared_calls=pl.col("shared_calls").list.len().fill_null(0) > 0,
        patient_unjoined=unjoined["patient_id"],
        provider_unjoined=unjoined["provider_id"].fill_null(True),
        lines_tainted=lines,
        **may_be_missing,
    ).drop("near_provider")
    covered = records.context.coverage
    return payers.by_policy(billed, records.context.policy, lambda some, own: _with_windows(some, covered, own))


def _found_by_rounded(records: PatientRecords) -> pl.Expr:
    """Whether a line's calls are found by ids that look like rounded numbers: another call may be the line's."""
    rounded = records.context.quality.is_rounded
    if not records.has_claims_table:
        return (pl.col("call_ids").list.len() > 1) & pl.lit(rounded("claim_id"))
    return (
        pl.when(pl.col("own_call_id").is_not_null()).then(pl.lit(rounded("call_id")))
        .when("names_call").then(pl.lit(rounded("claim_id")))
        .otherwise(pl.lit(rounded("patient_id", "provider_id")))
    )  # fmt: skip


def _with_windows(lines: pl.DataFrame, covered: Coverage, policy: Policy) -> pl.DataFrame:
    """The numbers of the policy, and which windows of the lines the exports do not cover."""

    def of_band(limit: str) -> pl.Expr:
        limits = {code: getattr(policy.bands[code], limit) for code in FAMILY}  # type: ignore[index]
        return pl.col("cpt_code").replace_strict(limits, return_dtype=pl.Int64)

    return lines.with_columns(
        low=of_band("low"),
        high=of_band("high"),
        max_units=pl.lit(policy.frequency.max_units),
        hours_ahead=pl.lit(policy.lookahead.hours),
        reviews_em=pl.col("may_report_em") & (policy.credentials.may_report_em == "review"),
        **_requirements(policy.required),
        **{name: uncovered | pl.col(name) for name, uncovered in bounds.not_covered(covered, policy).items()},
    )


def _requirements(required: Required) -> dict[str, pl.Expr]:
    """What the policy requires of a line, and whether the line lacks it."""
    modifiers, places = required.modifiers, required.place_of_service
    place = pl.col("place_of_service").str.extract(r"0*(\d+)").str.zfill(2)
    has_modifier = pl.col("modifiers").list.eval(pl.element().is_in(modifiers)).list.any()
    return {
        "required_modifiers": pl.lit(" or ".join(modifiers)),
        "lacks_modifier": ~has_modifier if modifiers else pl.lit(False),
        "required_places": pl.lit(" or ".join(places)),
        "has_other_place": ~place.is_in(places) if places else pl.lit(False),
    }


def sequence(lines: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Add `counted` and `depends_on_unknown`, as they are where the policy counts what FRQ001 does not flag.

    `counted`: FRQ001 does not flag the line by its own policy; `depends_on_unknown`: an earlier one of its run is unknown.
    A run is a series of claims of one patient, provider and code, each within the period of the one before it. `lines` are
    in line order.
    """
    series = (
        lines.filter(pl.col("cpt_code").is_in(records.context.codes))
        .group_by("patient_id", "provider_id", "cpt_code", maintain_order=True)
        .agg(SEQUENCED)
        .with_row_index("series")
        .explode(SEQUENCED)
    )
    marked = lines.join(sequenced(series, records).drop("series"), on="line", how="left", maintain_order="left")
    return marked.with_columns(pl.col("counted", "depends_on_unknown").fill_null(False))


SEQUENCED = ("line", "service_date", "lines_not_covered", "lines_tainted", "judge")
"""What FRQ001's sequence reads of a line."""


def sequenced(series: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """`series`, `line`, `counted` and `depends_on_unknown`, of lines that stand series by series, each in line order."""
    policies = payers.numbered(records.context.policy)

    def of_policy(value: Callable[[Policy], Any], nobody: Any) -> pl.Expr:
        if len(policies) == 1:
            return pl.lit(value(policies[0]))
        of_number = {number: value(policy) for number, policy in enumerate(policies)} | {None: nobody}
        return pl.col("judge").replace_strict(of_number)

    series = series.with_columns(
        last_day=of_policy(lambda policy: policy.frequency.last_day, policies[0].frequency.last_day),
        flags=of_policy(lambda policy: policy.severity.get("FRQ001") != "off", False),
        reported=of_policy(lambda policy: policy.frequency.anchor == "reported", False),
    )
    gap = (pl.col("service_date") - pl.col("service_date").shift(1)).dt.total_days()
    new = (pl.col("series") != pl.col("series").shift(1)).fill_null(True)
    furthest = max(policy.frequency.last_day for policy in policies)
    claims = series.with_columns(
        run=(new | (gap > furthest)).cum_sum(),
        own_run=(new | (gap > pl.col("last_day"))).cum_sum(),
        repeats=pl.col("flags") & pl.col("reported") & ~new & (gap <= pl.col("last_day")),
    )
    claims = claims.with_row_index("at")
    claims = claims.with_columns(counted=pl.col("at").is_in(_counted(claims.filter(~pl.col("repeats"))).implode()))
    unknown = pl.col("counted") & pl.col("lines_not_covered") & (pl.col("flags") | pl.col("lines_tainted"))
    earlier = unknown.cum_sum() - unknown
    depends = earlier > pl.when(_first("own_run")).then(earlier).forward_fill()
    return claims.select("series", "line", "counted", depends_on_unknown=depends)


def as_counted(lines: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The lines as the policy counts them: where it counts every one, none depends on another."""
    if policy.frequency.anchor == "unflagged":
        return lines
    return lines.with_columns(counted=pl.lit(True), depends_on_unknown=pl.lit(False))


def _first(run: str) -> pl.Expr:
    """The first claim of a run, where the claims stand run by run."""
    return (pl.col(run) != pl.col(run).shift(1)).fill_null(True)


def _counted(claims: pl.DataFrame) -> pl.Series:
    """Where the claims are (`at`) that no counted one before them flags.

    Rounds take the first undecided claim of every run as counted and drop those that it flags: as many rounds as the
    longest run has counted claims.
    """
    rounds, undecided, first = [], claims, _first("run")
    while not undecided.is_empty():
        rounds.append(undecided.filter(first)["at"])
        anchor = pl.when(first).then("service_date").forward_fill()
        beyond = (pl.col("service_date") - anchor).dt.total_days() > pl.col("last_day")
        undecided = undecided.filter(~first & (beyond | ~pl.col("flags") | pl.col("reported")))
    return pl.concat(rounds) if rounds else claims["at"]


_BILLED_AGAIN = ("payer", "paid_amount", "names_call", "shared_calls", "claim_id", "remittance_only")
"""What tells whether one service was billed again, beside the `_LINE_COLUMNS`."""
_LINE_COLUMNS = ("line", "patient_id", "provider_id", "service_date", "cpt_code", "group_id", "specialty")


def _line_record(zone: str) -> list[pl.Expr]:
    """A line as a record; `at` is its start, or the midnight of its date if the start is unknown."""
    at = pl.coalesce("start", first_instant(pl.col("service_date"), zone))
    names = (*_LINE_COLUMNS, *_BILLED_AGAIN, "place", "counted", "start", "claim_status_sure", "unmatched",
             "service_date_last")  # fmt: skip
    earlier = [pl.col(name).alias(f"e_{name}") for name in names if name != "patient_id"]
    return [pl.col("patient_id"), *earlier, pl.col("claim_id").alias("id"), at.alias("at")]


def _as_records(pairs: pl.DataFrame) -> pl.DataFrame:
    same_group = (pl.col("group_id") == pl.col("e_group_id")) & (pl.col("specialty") == pl.col("e_specialty"))
    return pairs.with_columns(
        kind=pl.lit("claim"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit("does not meet the rule"),
        day="e_service_date",
        provider="e_provider_id",
        order=-pl.col("e_line").cast(pl.Int64),
        elapsed=bounds.elapsed("start", "e_start"),
        same_provider=pl.col("provider_id") == pl.col("e_provider_id"),
        same_code=pl.col("cpt_code") == pl.col("e_cpt_code"),
        same_group=same_group.fill_null(False),
    )


def _billed_again() -> pl.Expr:
    """For two lines of one service: `payer` where it was billed to another, `paid` where just one was paid nothing."""
    payer, e_payer = (pl.col(name).str.to_lowercase().str.replace_all(r"[\s_-]", "") for name in ("payer", "e_payer"))
    paid_nothing, e_paid_nothing = ((pl.col(name) == 0).fill_null(False) for name in ("paid_amount", "e_paid_amount"))
    return pl.when(payer != e_payer).then(pl.lit("payer")).when(paid_nothing != e_paid_nothing).then(pl.lit("paid"))


def _is_beside() -> pl.Expr:
    """Whether two lines are of one claim and date, and one of them is a payer's that fits no line of the claim."""
    alike = (pl.col(name) == pl.col(f"e_{name}") for name in ("claim_id", "service_date"))
    return pl.all_horizontal(*alike) & (pl.col("remittance_only") | pl.col("e_remittance_only"))


def _same_service() -> pl.Expr:
    """Whether two lines of one patient have a call in common, or one names no call and they are alike."""
    shared = pl.col("shared_calls").list.set_intersection("e_shared_calls").list.len() > 0
    alike = pl.all_horizontal(
        pl.col(name) == pl.col(f"e_{name}") for name in ("provider_id", "service_date", "cpt_code")
    )
    return shared.fill_null(False) | (~(pl.col("names_call") & pl.col("e_names_call")) & alike)


def before(
    claims: pl.DataFrame, lines: pl.DataFrame, records: PatientRecords, counted: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Earlier active lines of the family for the claim's patient, within the frequency period.

    `counted`: by `line` and `e_line`, where FRQ001 counts other lines for a claim than `lines` say (`other_days.Moved`).
    """
    days = bounds.days_between("service_date", "e_service_date")
    is_earlier = (pl.col("e_place") < pl.col("place")) & (pl.col("e_line") != pl.col("line"))
    names = (*_LINE_COLUMNS, *_BILLED_AGAIN, "place", "start", "depends_on_unknown", "is_placeholder", "unmatched")
    pairs = paired(
        claims.select(names),
        lines.select(_line_record(records.context.policy.timezone)),
        {"gap_days": days},
        is_earlier & bounds.in_period(records.context.policy, days),
    )
    if counted is not None:
        own = counted.rename({"counted": "e_counted"})
        pairs = pairs.drop("e_counted").join(own, on=["line", "e_line"], how="left")
    unmatched = (pl.col("unmatched") | pl.col("e_unmatched")) & (pl.col("gap_days") == 0)
    rounded = records.context.quality.is_rounded("patient_id", "provider_id")
    status_known = (
        ~pl.lit(rounded)
        & pl.col("e_claim_status_sure")
        & ~pl.col("is_placeholder")
        & pl.col("e_service_date_last").is_null()
    )
    return _as_records(pairs).with_columns(
        status_known=status_known,
        common_group=records.context.quality.is_common_group("group_id"),
        may_replace=unmatched,
        billed_again=pl.coalesce(
            pl.when(_same_service()).then(_billed_again()), pl.when(_is_beside()).then(pl.lit("remittance"))
        ),
    )


def shared_call(claims: pl.DataFrame, lines: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Other active lines that one of the claim's calls supports too: earlier ones of the family, and any of other codes."""
    telephone = CodeList.of(records.context.policy.lists.telephone)
    other_calls = records.billing.other_calls
    family = records.billing.line_calls.select("line", "call_id")
    if not records.context.has_calls:
        family = lines.select("line", call_id="shared_calls").explode("call_id").drop_nulls()
    listed = [code for code in other_calls["cpt_code"].unique() if code in telephone]
    keys = [
        "claim_id",
        "claim_line",
        "cpt_code",
        "service_date",
        "claim_status_sure",
        "provider_id",
        "payer",
        "paid_amount",
        "remittance_only",
    ]
    of_family = family.join(lines.select("line", "start", *keys), on="line")
    candidates = pl.concat([
        of_family.with_columns(is_telephone=pl.lit(True), by_id=pl.lit(True)),
        other_calls.filter(pl.col("call_id").is_in(family["call_id"].implode())).select(
            line=pl.lit(None, pl.UInt32), call_id="call_id", start=pl.lit(None, pl.Datetime("us", "UTC")),
            **{name: pl.col(name) for name in keys},
            is_telephone=pl.col("cpt_code").is_in(listed), by_id="named_by_id",
        ),
    ]).rename({name: f"e_{name}" for name in ("line", "start", *keys)})  # fmt: skip
    shared = family.join(
        claims.select(*_LINE_COLUMNS, "payer", "paid_amount", "claim_id", "remittance_only", "start"), on="line"
    )
    shared = shared.join(candidates, on="call_id", how="inner").filter(
        pl.when(pl.col("e_line").is_null())
        .then(pl.col("is_telephone") | pl.col("by_id"))
        .otherwise(pl.col("e_line") < pl.col("line"))
    )
    order = ["e_service_date", "e_start", "e_claim_id", "e_claim_line", "e_cpt_code"]
    shared = shared.drop("call_id").unique().sort(order, nulls_last=True).with_row_index("position")
    return shared.with_columns(
        kind=pl.lit("claim"),
        id="e_claim_id",
        at=pl.coalesce("e_start", first_instant(pl.col("e_service_date"), records.context.policy.timezone)),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit("does not meet the rule"),
        gap_days=bounds.days_between("service_date", "e_service_date").abs(),
        day="e_service_date",
        provider="e_provider_id",
        order=-pl.col("position").cast(pl.Int64),
        elapsed=bounds.elapsed("start", "e_start"),
        status_known=pl.col("e_claim_status_sure") & ~pl.lit(records.context.quality.is_rounded("call_id", "claim_id")),
        billed_again=pl.coalesce(_billed_again(), pl.when(_is_beside()).then(pl.lit("remittance"))),
    )


def same_day(claims: pl.DataFrame, lines: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Visits and other active lines of the claim's patient, provider and date whose codes are on an NCCI list."""
    ncci = {name: CodeList.of(getattr(records.context.policy.lists, name)) for name in ("ncci_0", "ncci_1")}
    names = ("line", "patient_id", "provider_id", "is_placeholder", "call_ids", "start")
    own = claims.select(*names, day="service_date", end="end_or_start")
    took_place = ~pl.col("v_status").is_in(["cancelled", "no_show"]).fill_null(False)
    visit_rows = records.visits.filter((pl.col("v_ncci_0") | pl.col("v_ncci_1")) & took_place).select(
        "patient_id", "kind", "id", "at", "date_only", provider_id="v_provider_id", day="v_date", status="v_status",
        is_0="v_ncci_0", is_1="v_ncci_1", status_known="v_status_sure",
    )  # fmt: skip
    other_lines = records.billing.other_lines
    lines_too = pl.concat([other_lines, lines.select(other_lines.columns)]).rename({"service_date": "day"})
    different = lines_too["cpt_code"].unique().to_list()
    on_0, on_1 = ([code for code in different if code in ncci[name]] for name in ("ncci_0", "ncci_1"))
    code = pl.col("cpt_code")
    line_rows = lines_too.filter(code.is_in(on_0 + on_1)).select(
        "patient_id",
        kind=pl.lit("claim"),
        id="claim_id",
        at=pl.lit(None, pl.Datetime("us", "UTC")),
        date_only=pl.lit(False),
        provider_id="provider_id",
        day="day",
        is_0=code.is_in(on_0),
        is_1=code.is_in(on_1),
        status_known=pl.lit(True),
    )
    by_day = own.join(
        pl.concat([visit_rows, line_rows], how="diagonal"), on=["patient_id", "day"], how="inner", suffix="_other"
    )
    same_or_blank = (pl.col("provider_id_other") == pl.col("provider_id")).fill_null(pl.col("kind") == "visit")
    pairs = by_day.filter(same_or_blank).with_columns(provider_blank=pl.col("provider_id_other").is_null())
    back, after = pl.col("start") - pl.col("at"), pl.col("at") - pl.col("end")
    elapsed = pl.max_horizontal(back, after, pl.duration()).dt.total_microseconds()
    is_call = (pl.col("kind") == "visit") & nearly("id", "call_ids")
    return pairs.with_columns(
        status_known=pl.col("status_known")
        & ~pl.col("is_placeholder")
        & ~is_call
        & ~pl.lit(records.context.quality.is_rounded("patient_id", "provider_id")),
        gap_days=pl.lit(0, pl.Int64),
        provider="provider_id",
        order=elapsed,
        basis=pl.lit(None, pl.String),
        exclusion_reason=pl.lit("does not meet the rule"),
    ).drop("call_ids")
