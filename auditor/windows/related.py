"""The relatedness ladder: is a visit about what the claim is about? Source: SPEC.md section 4."""

import polars as pl

from auditor.cells.ids import folded

YES, NO, UNKNOWN = "yes", "no", "unknown"


def shares(left: str, right: str) -> pl.Expr:
    """Whether two list columns have an element in common."""
    return pl.col(left).list.set_intersection(pl.col(right)).list.len().fill_null(0) > 0


def nearly(one: str, several: str) -> pl.Expr:
    """Whether a text is nearly equal to one of a list's, and not the same as any."""
    like = pl.col(several).list.eval(folded(pl.element())).list.contains(folded(pl.col(one)))
    return (like & ~pl.col(several).list.contains(pl.col(one))).fill_null(False)


def relate(pairs: pl.DataFrame, relatedness: str) -> pl.DataFrame:
    """Add `linked`, `relation` (yes, no, unknown) and `basis` to (claim, visit) pairs.

    The claim's side is unprefixed, the visit's is prefixed `v_`.
    """
    from_call = pl.col("call_ids").list.contains(pl.col("v_originating_call_id"))
    named_by_call = pl.col("related_visit_ids").list.contains(pl.col("id"))
    both_problems = (pl.col("problems").list.len() > 0) & pl.col("v_problem_id").is_not_null()
    both_diagnoses = (pl.col("diagnoses").list.len().fill_null(0) > 0) & (pl.col("v_diagnosis_codes").list.len() > 0)
    same_group = (pl.col("group_id") == pl.col("v_group_id")) & (pl.col("specialty") == pl.col("v_specialty"))
    pairs = pairs.with_columns(
        linked=(from_call & pl.col("v_originating_call_id").is_not_null()).fill_null(False)
        | named_by_call.fill_null(False),
        same_provider=(pl.col("provider_id") == pl.col("v_provider_id")).fill_null(False),
    )
    same_problem = pl.col("problems").list.contains(pl.col("v_problem_id"))
    same_diagnosis = shares("diagnoses", "v_diagnosis_codes")
    ladder = (
        pl.when(both_problems & same_problem)
        .then(_step(YES, "same problem"))
        .when(both_problems & both_diagnoses & same_diagnosis)
        .then(_step(UNKNOWN, "conflicting"))
        .when(both_problems & nearly("v_problem_id", "problems"))
        .then(_step(UNKNOWN, "unknown"))
        .when(both_problems)
        .then(_step(NO, "different problem"))
        .when(both_diagnoses & same_diagnosis)
        .then(_step(YES, "same diagnosis category"))
        .when(both_diagnoses)
        .then(_step(NO, "different diagnosis category"))
        .when(pl.col("same_provider"))
        .then(_step(YES, "same provider"))
        .when(same_group.fill_null(False))
        .then(_step(UNKNOWN, "same group"))
        .otherwise(_step(UNKNOWN, "unknown"))
    )
    rest = ladder if relatedness == "evidence" else _step(YES, "any")
    step = pl.when("linked").then(_step(YES, "linked")).otherwise(rest)
    return pairs.with_columns(step.alias("step")).unnest("step")


def _step(relation: str, basis: str) -> pl.Expr:
    return pl.struct(relation=pl.lit(relation), basis=pl.lit(basis))
