"""Whether a visit is related to a claim: the first step that matches decides.

Source: docs/specification.md#whether-a-visit-is-related.
"""

import polars as pl

from auditor.parsing.identifiers import folded
from auditor.reading.dictionary import byte_range_of
from auditor.windows import bounds

YES, NO, UNKNOWN = "yes", "no", "unknown"


def shares(left: str, right: str) -> pl.Expr:
    """Whether two list columns have an element in common."""
    return pl.col(left).list.set_intersection(pl.col(right)).list.len().fill_null(0) > 0


def nearly(text: str, several: str) -> pl.Expr:
    """Whether a text is nearly equal to one of a list's, and not the same as any."""
    like = pl.col(several).list.eval(folded(pl.element())).list.contains(folded(pl.col(text)))
    return (like & ~pl.col(several).list.contains(pl.col(text))).fill_null(False)


def nearly_in(rows: pl.DataFrame, text: str, several: str) -> pl.Expr:
    """As `nearly`, for these rows: where folding changes no text, nearly equal ones are the same."""
    are_bare = (byte_range_of(texts).is_bare for texts in (rows[text], rows[several].explode()))
    return pl.lit(False) if all(are_bare) else nearly(text, several)


def relate(
    pairs: pl.DataFrame, relatedness: str, calls: pl.DataFrame, line_calls: pl.DataFrame, incompatible: frozenset[str]
) -> pl.DataFrame:
    """Add `linked`, `relation` (yes, no, unknown), `basis`, `may_be_call`, and what there is to compare, to pairs.

    A pair is a claim and a visit. The claim's side is unprefixed, the visit's is prefixed `v_`. `calls`: patient_id and
    call_id of all calls; `line_calls`: `line`, `call_start` and `end` of the lines' calls; `incompatible`: columns of visits
    in another vocabulary, whose steps are passed over.
    """
    pairs = _flag(pairs, "from_claim", _from_claim(pairs, calls))
    from_call = pl.col("named_calls").list.contains(pl.col("v_originating_call_id"))
    named_by_call = pl.col("related_visit_ids").list.contains(pl.col("id"))
    pairs = pairs.with_columns(
        claim_has_problem=_has_any("problems"),
        claim_has_diagnosis=_has_any("diagnoses"),
        visit_has_problem=pl.col("v_problem_id").is_not_null(),
        visit_has_diagnosis=_has_any("v_diagnosis_codes"),
    )
    both_problems, both_diagnoses = (
        pl.col(f"claim_has_{name}") & pl.col(f"visit_has_{name}") for name in ("problem", "diagnosis")
    )
    of_visit = pl.col("kind") == "visit"
    skip_problems = both_problems & of_visit & pl.lit("problem_id" in incompatible)
    skip_diagnoses = both_diagnoses & of_visit & pl.lit("diagnosis_codes" in incompatible)
    both_problems &= ~skip_problems
    both_diagnoses &= ~skip_diagnoses
    same_group = (pl.col("group_id") == pl.col("v_group_id")) & (pl.col("specialty") == pl.col("v_specialty"))
    pairs = pairs.with_columns(
        linked=(from_call & pl.col("v_originating_call_id").is_not_null()).fill_null(False)
        | named_by_call.fill_null(False)
        | pl.col("from_claim"),
        same_provider=(pl.col("provider_id") == pl.col("v_provider_id")).fill_null(False),
    )
    same_problem = pl.col("problems").list.contains(pl.col("v_problem_id"))
    same_diagnosis = shares("diagnoses", "v_diagnosis_codes")
    ladder = (
        pl.when(both_problems & same_problem).then(_step(YES, "same problem"))
        .when(both_problems & same_diagnosis).then(_step(UNKNOWN, "conflicting"))
        .when(both_problems & nearly("v_problem_id", "problems")).then(_step(UNKNOWN, "unknown"))
        .when(both_problems).then(_step(NO, "different problem"))
        .when(both_diagnoses & same_diagnosis).then(_step(YES, "same diagnosis category"))
        .when(both_diagnoses).then(_step(NO, "different diagnosis category"))
        .when(skip_problems | skip_diagnoses).then(_step(UNKNOWN, "another vocabulary"))
        .when(pl.col("same_provider")).then(_step(YES, "same provider"))
        .when(same_group.fill_null(False)).then(_step(UNKNOWN, "same group"))
        .otherwise(_step(UNKNOWN, "unknown"))
    )  # fmt: skip
    rest = ladder if relatedness == "evidence" else _step(YES, "any")
    step = pl.when("linked").then(_step(YES, "linked")).otherwise(rest)
    pairs = pairs.with_columns(step.alias("step")).unnest("step").drop("from_claim")
    pairs = _flag(pairs, "may_be_call", _call_itself(pairs, line_calls))
    return pairs.with_columns(basis=pl.when("may_be_call").then(pl.lit("may be the call itself")).otherwise("basis"))


def _has_any(column: str) -> pl.Expr:
    return pl.col(column).list.len().fill_null(0) > 0


def _from_claim(pairs: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Pairs whose visit came from the claim by its claim_id, which is the call_id of no call of the patient."""
    named = pairs.filter(pl.col("v_originating_call_id") == pl.col("claim_id"))
    if named.is_empty():
        return named
    return named.join(calls, left_on=["patient_id", "claim_id"], right_on=["patient_id", "call_id"], how="anti")


def _call_itself(pairs: pl.DataFrame, line_calls: pl.DataFrame) -> pl.DataFrame:
    """Pairs whose visit may be the entry that the visits export has for one of the claim's calls."""
    provider = pl.col("v_provider_id").is_null() | pl.col("same_provider")
    modality = pl.col("v_modality").is_null() | (pl.col("v_modality") == "unrecognised")
    alike = pairs.filter(~pl.col("linked") & ~pl.col("v_has_codes") & provider & modality).select(
        "line", "kind", "id", "at"
    )
    near = alike.join(line_calls.select("line", "call_start", "end"), on="line")
    apart, at = (pl.col("at") - pl.col("call_start")).abs(), pl.col("at")
    return near.filter((apart <= bounds.CALL_ITSELF) | at.is_between("call_start", "end").fill_null(False))


def _flag(pairs: pl.DataFrame, name: str, some: pl.DataFrame) -> pl.DataFrame:
    """Add a flag: whether a pair is among some, by `line` and the visit's `kind` and `id`."""
    if some.is_empty():
        return pairs.with_columns(pl.lit(False).alias(name))
    key = ["line", "kind", "id"]
    found = some.select(*key, pl.lit(True).alias(name)).unique()
    pairs = pairs.join(found, on=key, how="left", maintain_order="left")
    return pairs.with_columns(pl.col(name).fill_null(False))


def _step(relation: str, basis: str) -> pl.Expr:
    return pl.struct(relation=pl.lit(relation), basis=pl.lit(basis))
