"""The visits near a claim: whether they count by their codes, how they are related to it, and how far they are from it."""

import polars as pl

from auditor.parsing.time_zones import first_instant
from auditor.policy import Lists
from auditor.schema.codes import FAMILY, CodeList
from auditor.windows import bounds, related
from auditor.windows.columns import FLAG, NUMBER, RECORD, Columns
from auditor.windows.records import PatientRecords, paired

VISIT: Columns = RECORD | {
    "linked": (FLAG, "it names one of the claim's calls, or the claim, as its origin, or one of the calls names it"),
    "is_related": (FLAG, "it is related to the claim"),
    "may_be_related": (FLAG, "related, or it cannot be told"),
    "same_provider": (FLAG, "the claim's provider"),
    "same_group": (FLAG, "the claim's group"),
    "common_group": (FLAG, "the claim's group is one that most rows of a table have"),
    "provider_rounded": (FLAG, "ids of providers look like rounded numbers"),
    "provider_blank": (FLAG, "its provider is blank, and may be the claim's"),
    "qualifies": (FLAG, "it is or may be a visit by its codes and its modality, and not the call itself"),
    "completed": (FLAG, "its status is completed"),
    "scheduled": (FLAG, "its status is scheduled"),
    "has_started": (FLAG, "it started by the instant up to which the visits are complete"),
    "took_place": (FLAG, "completed, or in the past with a blank or unrecognized status"),
    "not_cancelled": (FLAG, "neither cancelled nor a no-show"),
    "status_known": (
        FLAG,
        "its status is blank or recognized, it cannot be the call itself, and the patient id is not a placeholder",
    ),
    "conclusive": (FLAG, "status_known, and it certainly counts as a visit"),
    "not_booked": (FLAG, "the booking time is unknown"),
    "from_call": (FLAG, "linked, or booked from the claim's start on"),
    "in_span": (FLAG, "linked, or booked between the claim's start and the hours after its end"),
    "soonest": (FLAG, "it was the soonest available"),
    "not_soonest": (FLAG, "it was not the soonest available"),
    "soonest_blank": (FLAG, "unknown whether it was the soonest available"),
    "unrelated_supports": (FLAG, "the policy lets unrelated visits support LAH001"),
    "claim_has_problem": (FLAG, "the claim has a problem"),
    "claim_has_diagnosis": (FLAG, "the claim has a diagnosis"),
    "visit_has_problem": (FLAG, "the visit has a problem"),
    "visit_has_diagnosis": (FLAG, "the visit has a diagnosis"),
}
"""Visits of the patient near the claim."""

VISIT_BEFORE: Columns = VISIT | {
    "in_lookback": (FLAG, "within the days before the claim"),
    "in_global_period": (FLAG, "the claim is within its global period"),
    "certainly_before": (FLAG, "its time is known, or its day is an earlier one"),
    "global_days": (NUMBER, "days of its procedure's global period"),
}
"""Those that started before the claim."""

VISIT_AFTER: Columns = VISIT | {
    "within": (FLAG, "from the claim's start up to the hours after its end"),
    "later": (FLAG, "after that, up to the horizon"),
}
"""Those that started since."""


def unlisted(codes: pl.Series, lists: Lists) -> pl.Series:
    """The codes of some lists of codes, without those that a list of the policy knows."""
    listed = _ListedCodes(codes, lists)
    unlisted_codes = listed.maybe - listed.ncci_0 - listed.ncci_1
    all_codes = codes.explode().drop_nulls()
    return all_codes.filter(all_codes.is_in(sorted(unlisted_codes)))


def classified(rows: pl.DataFrame, lists: Lists) -> pl.DataFrame:
    """Visits with columns prefixed `v_`, and what their codes say."""
    listed = _ListedCodes(rows["cpt_codes"], lists)
    has_codes = pl.col("cpt_codes").list.len() > 0
    return rows.select(
        "patient_id",
        kind=pl.lit("visit"),
        id="visit_id",
        at="visit_start",
        date_only="visit_start_date_only",
        v_date="visit_start_date",
        v_has_codes=has_codes,
        v_only_family=has_codes & ~_any_of(listed.different - listed.family),
        v_has_visit_code=_any_of(listed.visit),
        v_may_have_visit_code=_any_of(listed.maybe),
        v_ncci_0=_any_of(listed.ncci_0),
        v_ncci_1=_any_of(listed.ncci_1),
        **{f"v_{name}": pl.col(name) for name in _VISIT_COLUMNS},
    )


def billed(lines: pl.DataFrame, zone: str) -> pl.DataFrame:
    """The visits that lines bill (`Billing.visit_lines`) with columns of classified visits, and the lines' `v_call_ids`."""
    return lines.select(
        "patient_id",
        kind=pl.lit("line"),
        id="claim_id",
        at=first_instant(pl.col("service_date"), zone),
        date_only=pl.lit(True),
        v_date="service_date",
        v_has_codes=pl.lit(True),
        v_only_family=pl.lit(False),
        v_has_visit_code=pl.lit(True),
        v_may_have_visit_code=pl.lit(False),
        v_provider_id="provider_id",
        v_status=pl.lit("completed"),
        v_status_sure="claim_status_sure",
        v_diagnosis_codes="own_diagnoses",
        v_call_ids="call_ids",
    )


class _ListedCodes:
    """The different codes of some visits, and which of them the lists of the policy know."""

    def __init__(self, codes: pl.Series, lists: Lists) -> None:
        self.different = set(codes.explode().drop_nulls().unique().to_list())
        self.family = set(FAMILY)
        self.visit = lists.visit_codes_in(self.different)
        self.maybe = self.different - self.visit - lists.no_visit_codes_in(self.different)
        self.ncci_0, self.ncci_1 = self._listed(lists.ncci_0), self._listed(lists.ncci_1)

    def _listed(self, entries: tuple[str, ...]) -> set[str]:
        codes = CodeList.of(entries)
        return {code for code in self.different if code in codes}


def _any_of(codes: set[str]) -> pl.Expr:
    """Whether one of a visit's codes is among these."""
    return pl.col("cpt_codes").list.eval(pl.element().is_in(sorted(codes))).list.any()


_VISIT_COLUMNS = ("provider_id", "modality", "status", "status_sure", "booked_at", "booked_at_date_only", "booked_at_date",
                  "soonest_available", "originating_call_id", "diagnosis_codes", "problem_id", "group_id",
                  "specialty", "global_days")  # fmt: skip

_CLAIM_COLUMNS = ("line", "claim_id", "patient_id", "provider_id", "by_days", "window_start", "window_end", "start_date",
                  "end_date", "named_calls", "related_visit_ids", "problems", "diagnoses", "group_id", "specialty",
                  "is_placeholder")  # fmt: skip


def pairs_of(claims: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Each claim with its patient's visits from the longest lookback to the horizon, related and flagged.

    So are the visits that lines bill, where they share no call with the claim and the visits export lacks them.
    """
    policy = records.context.policy
    back_days, after_days = bounds.days_between("start_date", "v_date"), bounds.days_between("v_date", "end_date")
    billed_visits = billed(records.billing.visit_lines, policy.timezone)
    visits = pl.concat([records.visits, billed_visits], how="diagonal")
    shares_call = pl.lit(False) if billed_visits.is_empty() else related.shares("named_calls", "v_call_ids")
    days = {"back_days": back_days, "after_days": after_days}
    pairs = paired(claims.select(_CLAIM_COLUMNS), visits, days, bounds.near(policy) & ~shares_call)
    groups = records.context.providers.select(v_provider_id="provider_id", _group="group_id", _specialty="specialty")
    group_id, specialty = pl.coalesce("v_group_id", "_group"), pl.coalesce("v_specialty", "_specialty")
    pairs = pairs.join(groups, on="v_provider_id", how="left").with_columns(v_group_id=group_id, v_specialty=specialty)
    incompatible = records.context.quality.incompatible_links
    pairs = related.relate(pairs, policy.relatedness, records.calls, records.billing.line_calls, incompatible)
    common_group = records.context.quality.is_common_group("group_id")
    on_the_day = (pl.col("v_booked_at_date_only") | pl.col("by_days")) & (
        pl.col("v_booked_at_date") == pl.col("start_date")
    )
    rounded = records.context.quality.is_rounded
    bases = {"same problem": ("problem_id",), "same provider": ("provider_id",),
             "linked": ("call_id", "claim_id", "visit_id", "originating_call_id", "related_visit_id")}  # fmt: skip
    is_rounded = pl.lit(rounded("patient_id")) | pl.col("basis").is_in([b for b, ids in bases.items() if rounded(*ids)])
    status, near_call = pl.col("v_status"), related.nearly_in(pairs, "id", "named_calls")
    has_started = (pl.col("at") <= pl.lit(records.context.coverage.as_of, pl.Datetime("us", "UTC"))).fill_null(False)
    in_person = (pl.col("v_modality") != "phone").fill_null(True)
    surely_qualifies = pl.col("linked") | (in_person & ~pl.col("v_has_codes")) | pl.col("v_has_visit_code")
    pairs = pairs.with_columns(
        booked_at=pl.when(on_the_day).then(None).otherwise("v_booked_at"),
        before=bounds.before(),
        back_elapsed=bounds.elapsed("window_start", "at").clip(lower_bound=0),
        after_days=pl.col("after_days").clip(lower_bound=0),
        after_elapsed=bounds.elapsed("at", "window_end").clip(lower_bound=0),
        within=bounds.within(policy),
        later=bounds.beyond(policy),
        ahead=bounds.ahead(policy),
        qualifies=~pl.col("named_calls").list.contains(pl.col("id"))
        & ~pl.col("v_only_family")
        & (surely_qualifies | (in_person & pl.col("v_may_have_visit_code"))),
        surely_qualifies=surely_qualifies,
        completed=(status == "completed").fill_null(False),
        undone=(status.is_null() | (status == "unrecognised")),
        has_started=has_started,
        scheduled=(status == "scheduled").fill_null(False),
        not_cancelled=~status.is_in(["cancelled", "no_show"]).fill_null(False),
        status_known=~is_rounded & pl.col("v_status_sure") & ~pl.col("is_placeholder") & ~pl.col("may_be_call") & ~near_call
        & ~pl.col("by_days") & ~((pl.col("basis") == "same group") & common_group),
        common_group=common_group,
        provider_rounded=pl.lit(rounded("provider_id")),
        provider_blank=pl.col("v_provider_id").is_null(),
        postoperative=bounds.is_postoperative(policy),
        same_group=(pl.col("group_id") == pl.col("v_group_id")).fill_null(False),
        may_be_related=pl.col("relation") != related.NO,
        is_related=pl.col("relation") == related.YES,
        unrelated_supports=pl.lit(policy.lookahead.unrelated_supports),
    ).with_columns(
        conclusive=pl.col("status_known") & pl.col("surely_qualifies"),
        took_place=pl.col("completed") | (pl.col("undone") & has_started),
        from_call=pl.col("linked") | (pl.col("booked_at") >= pl.col("window_start")).fill_null(False),
        in_span=pl.col("linked") | pl.col("booked_at").is_between("window_start", "ahead").fill_null(False),
        not_booked=pl.col("booked_at").is_null(),
        soonest=pl.col("v_soonest_available").fill_null(False),
        not_soonest=~pl.col("v_soonest_available").fill_null(True),
        soonest_blank=pl.col("v_soonest_available").is_null(),
        exclusion_reason=_exclusion_reason(),
    ).drop(pl.selectors.list())  # fmt: skip
    return _without_known(pairs)


def _without_known(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs without the billed visits that the visits export has: of one date, and of one provider or none."""
    billed_pairs, key = pairs.filter(kind="line"), ["line", "v_date"]
    if billed_pairs.is_empty():
        return pairs
    counting = pairs.filter((pl.col("kind") == "visit") & pl.col("qualifies") & pl.col("not_cancelled"))
    of_any, of_one = (counting.filter(pl.col("v_provider_id").is_null() == blank) for blank in (True, False))
    billed_pairs = billed_pairs.join(of_any, on=key, how="anti").join(of_one, on=[*key, "v_provider_id"], how="anti")
    return pl.concat([pairs.filter(kind="visit"), billed_pairs])


def _exclusion_reason() -> pl.Expr:
    """Why a visit supports nothing, where the rule finds that it does not."""
    return (
        pl.when(~pl.col("qualifies")).then(pl.lit("does not count as a visit"))
        .when(~pl.col("may_be_related")).then(pl.lit("unrelated"))
        .when(~pl.col("not_cancelled")).then(pl.lit("did not take place"))
        .otherwise(pl.lit("the rule does not apply to its booking, status or date"))
    )  # fmt: skip


_IN_MESSAGES = {"day": "v_date", "provider": "v_provider_id", "status": "v_status"}
"""What messages say of a visit. Named after the pairs are filtered, so that nothing is copied twice."""


def before(pairs: pl.DataFrame, records: PatientRecords) -> pl.DataFrame:
    """Visits that started before the claim."""
    return pairs.filter("before").with_columns(
        gap_days="back_days",
        order="back_elapsed",
        in_lookback=bounds.in_lookback(records.context.policy),
        certainly_before=~(pl.col("date_only") | pl.col("by_days")) | (pl.col("back_days") >= 1),
        in_global_period=bounds.in_global_period(records.context.policy),
        global_days="v_global_days",
        **_IN_MESSAGES,
    )


def after(pairs: pl.DataFrame) -> pl.DataFrame:
    """Visits during the claim, within the first hours after it (`within`), or up to the horizon (`later`)."""
    return pairs.filter(pl.col("within") | pl.col("later")).with_columns(
        gap_days="after_days", order="after_elapsed", **_IN_MESSAGES
    )
