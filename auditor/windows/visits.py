"""The visits near a claim: what their codes say, how they relate to it, and where they stand in time."""

import polars as pl

from auditor.policy import Lists
from auditor.schema.codes import FAMILY, CodeList
from auditor.windows import related
from auditor.windows.facts import Facts


def classified(rows: pl.DataFrame, lines: pl.DataFrame, lists: Lists) -> tuple[pl.DataFrame, int]:
    """The visits of the lines' patients, columns prefixed `v_`, with what their codes say.

    Beside it the number of all visits whose codes are in no list.
    """
    different = rows["cpt_codes"].explode().drop_nulls().unique().to_list()

    def listed(entries: tuple[str, ...]) -> set[str]:
        codes = CodeList.of(entries)
        return {code for code in different if code in codes}

    family = set(FAMILY)
    visit_codes = (listed(lists.visit_codes) | (listed(lists.procedures) - listed(lists.not_procedures))) - family
    ncci_0, ncci_1 = listed(lists.ncci_0), listed(lists.ncci_1)
    has_codes = pl.col("cpt_codes").list.len() > 0
    unlisted = rows.select((has_codes & ~_any_of(visit_codes | family | ncci_0 | ncci_1)).sum()).item()
    visits = rows.filter(pl.col("patient_id").is_in(lines["patient_id"].unique().implode())).select(
        "patient_id",
        kind=pl.lit("visit"),
        id="visit_id",
        at="visit_start",
        date_only="visit_start_date_only",
        v_date="visit_start_date",
        v_has_codes=has_codes,
        v_only_family=has_codes & ~_any_of(set(different) - family),
        v_has_visit_code=_any_of(visit_codes),
        v_ncci_0=_any_of(ncci_0),
        v_ncci_1=_any_of(ncci_1),
        **{f"v_{name}": pl.col(name) for name in _VISIT_COLUMNS},
    )
    return visits, unlisted


def _any_of(codes: set[str]) -> pl.Expr:
    """Whether one of a visit's codes is among these."""
    return pl.col("cpt_codes").list.eval(pl.element().is_in(sorted(codes))).list.any()


_VISIT_COLUMNS = (
    "provider_id",
    "modality",
    "status",
    "booked_at",
    "booked_at_date_only",
    "booked_at_date",
    "soonest_available",
    "originating_call_id",
    "diagnosis_codes",
    "problem_id",
    "group_id",
    "specialty",
    "global_days",
)

_CLAIM_COLUMNS = (
    "line",
    "patient_id",
    "provider_id",
    "start",
    "reach",
    "start_date",
    "end_date",
    "call_ids",
    "related_visit_ids",
    "problems",
    "diagnoses",
    "group_id",
    "specialty",
)


def pairs_of(claims: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Each claim with its patient's visits from the longest lookback to the horizon, related and flagged."""
    policy = facts.policy
    start, end, at = pl.col("start"), pl.col("reach"), pl.col("at")
    ahead = end + pl.duration(hours=policy.lookahead.hours)
    ahead_days = -(-policy.lookahead.hours // 24)
    horizon = end + pl.duration(hours=24 * policy.horizon_days)
    back_days = (pl.col("start_date") - pl.col("v_date")).dt.total_days()
    after_days = (pl.col("v_date") - pl.col("end_date")).dt.total_days()
    postoperative = pl.col("v_global_days").is_in(list(policy.lookback.postoperative_days)).fill_null(False)
    furthest = max(policy.horizon_days, ahead_days) + 1
    near = (
        ((back_days <= policy.lookback.days) | (postoperative & (back_days <= pl.col("v_global_days"))))
        & (after_days <= furthest)
    )  # fmt: skip
    pairs = (
        claims.lazy()
        .filter("has_call")
        .select(_CLAIM_COLUMNS)
        .join(facts.visits.lazy(), on="patient_id", how="inner")
        .filter(near)
        .collect()
    )
    groups = facts.providers.select(v_provider_id="provider_id", _group="group_id", _specialty="specialty")
    pairs = pairs.join(groups, on="v_provider_id", how="left").with_columns(
        v_group_id=pl.coalesce("v_group_id", "_group"), v_specialty=pl.coalesce("v_specialty", "_specialty")
    )
    pairs = related.relate(pairs, policy.relatedness)
    on_the_day = pl.col("v_booked_at_date_only") & (pl.col("v_booked_at_date") == pl.col("start_date"))
    status, date_only = pl.col("v_status"), pl.col("date_only")
    past = (at <= pl.lit(facts.coverage.as_of, pl.Datetime("us", "UTC"))).fill_null(False)
    in_person = ~pl.col("v_has_codes") & (pl.col("v_modality") != "phone").fill_null(True)
    return pairs.with_columns(
        booked_at=pl.when(on_the_day).then(None).otherwise("v_booked_at"),
        before=at < start,
        back_days=back_days,
        back_elapsed=(start - at).dt.total_microseconds(),
        after_days=after_days.clip(lower_bound=0),
        after_elapsed=(at - end).dt.total_microseconds().clip(lower_bound=0),
        within=pl.when(date_only)
        .then((after_days <= ahead_days) & ((after_days >= 0) | (at >= start)))
        .otherwise(at.is_between(start, ahead)),
        later=pl.when(date_only)
        .then(after_days.is_between(ahead_days + 1, policy.horizon_days))
        .otherwise((at > ahead) & (at <= horizon)),
        ahead=ahead,
        counts=~pl.col("call_ids").list.contains(pl.col("id"))
        & ~pl.col("v_only_family")
        & (pl.col("linked") | in_person | pl.col("v_has_visit_code")),
        completed=(status == "completed").fill_null(False),
        undone=(status.is_null() | (status == "unrecognised")),
        past=past,
        scheduled=(status == "scheduled").fill_null(False),
        live=~status.is_in(["cancelled", "no_show"]).fill_null(False),
        sure=(status != "unrecognised").fill_null(True),
        postoperative=postoperative,
        same_group=(pl.col("group_id") == pl.col("v_group_id")).fill_null(False),
        may_be_related=pl.col("relation") != related.NO,
        is_related=pl.col("relation") == related.YES,
        unrelated_supports=pl.lit(policy.lookahead.unrelated_supports),
    ).with_columns(
        kept=pl.col("completed") | (pl.col("undone") & past),
        from_call=pl.col("linked") | (pl.col("booked_at") >= start).fill_null(False),
        in_span=pl.col("linked") | pl.col("booked_at").is_between(start, pl.col("ahead")).fill_null(False),
        not_booked=pl.col("booked_at").is_null(),
        soonest=pl.col("v_soonest_available").fill_null(False),
        not_soonest=~pl.col("v_soonest_available").fill_null(True),
        soonest_blank=pl.col("v_soonest_available").is_null(),
        why_not=_why_not(),
    ).drop(pl.selectors.list())  # fmt: skip


def _why_not() -> pl.Expr:
    """Why a visit supports nothing, where the rule finds that it does not."""
    return (
        pl.when(~pl.col("counts"))
        .then(pl.lit("does not count as a visit"))
        .when(~pl.col("may_be_related"))
        .then(pl.lit("unrelated"))
        .when(~pl.col("live"))
        .then(pl.lit("did not take place"))
        .otherwise(pl.lit("its booking, status or date does not meet the rule"))
    )


def before(pairs: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Visits that started before the claim."""
    return pairs.filter("before").with_columns(
        gap_days="back_days",
        order="back_elapsed",
        in_lookback=pl.col("back_days").is_between(0, facts.policy.lookback.days),
        certainly_before=~pl.col("date_only") | (pl.col("back_days") >= 1),
        in_global_period=pl.col("postoperative") & (pl.col("back_days") <= pl.col("v_global_days")),
    )


def after(pairs: pl.DataFrame) -> pl.DataFrame:
    """Visits during the claim, within the first hours after it (`within`), or up to the horizon (`later`)."""
    return pairs.filter(pl.col("within") | pl.col("later")).with_columns(gap_days="after_days", order="after_elapsed")
