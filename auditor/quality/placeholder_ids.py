"""A patient id belongs to one patient.

What it checks: patient ids that identify no patient (`0`, `-1`, `9999`, `unknown`, `test`), that lost digits in
a spreadsheet, or that have far more rows than any other patient.

Why it matters: rows with a placeholder may belong to any patient. Rules that compare a patient's records give such claims
review at most.

What to do: correct the ids in the export. Name placeholders of your own in the policy (`[ids] placeholders`), and real
patients in `[ids] not_placeholders`.

Source: docs/specification.md#placeholder-patients.
"""

import re
from collections.abc import Iterator

import polars as pl

from auditor.parsing.numbers import SCIENTIFIC
from auditor.policy import Policy
from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import TableProfile
from auditor.reading.dictionary import ByteRange
from auditor.schema.names import counted

MANY_PATIENTS = 2_000
"""With so many patients, one with a hundredth of the rows has more than twenty times the mean of the others."""
_AFFECTS = ("LBK001", "LBK002", "LAH001", "LAH002", "FRQ001", "FRQ002", "FRQ005", "EXC001")
_WORDS = ("unknown", "test")
_NUMBERS = "0|-1|9{3,}"


def looks_like_placeholder(patient: pl.Expr, policy: Policy) -> pl.Expr:
    """Whether an id is a placeholder by its looks: a word of the policy's or of ours, or a number that lost digits."""
    listed = patient.str.to_lowercase().is_in([word.casefold() for word in policy.ids.placeholders])
    number = pl.when(patient.str.contains(SCIENTIFIC)).then(patient)
    digits, exponent = (
        number.str.extract(SCIENTIFIC, 2).fill_null("").str.len_chars(),
        number.str.extract(SCIENTIFIC, 3),
    )
    own = rf"(?i)^(?:{_NUMBERS}|{'|'.join(_WORDS)})$"
    return patient.str.contains(own) | listed | (digits < exponent.cast(pl.UInt32)).fill_null(False)


def may_look_like_placeholder(patients: pl.Series, extent: ByteRange, policy: Policy) -> pl.Series:
    """A mask of all ids that are placeholders by their looks, in one search of each; a few others may be among them.

    `extent`: the bytes of the ids.
    """
    words = [*_WORDS, *(word.casefold() for word in policy.ids.placeholders)]
    if extent.begins_with_capital and not any(map(extent.may_be, words)):
        return pl.repeat(False, len(patients), dtype=pl.Boolean, eager=True)
    listed = "|".join(map(re.escape, words))
    return patients.str.contains(rf"(?i)^(?:{_NUMBERS}|{listed})$|{SCIENTIFIC}|[^\x00-\x7f]")


def placeholder_ids(patients: pl.DataFrame, distinct: int, rows: int, policy: Policy) -> pl.DataFrame:
    """The placeholders of a table and their rows: `patients` are ids (`value`) with a `count` of the table's rows.

    `distinct`: how many patients there are, or MANY_PATIENTS.
    """
    count = pl.col("count")
    heavy = (count * 100 > rows) & (count * (distinct - 1) > 20 * (rows - count))
    taken_out = pl.col("value").str.to_lowercase().is_in([word.casefold() for word in policy.ids.not_placeholders])
    return patients.filter((heavy | looks_like_placeholder(pl.col("value"), policy)) & ~taken_out).select(
        "value", "count"
    )


def of_profile(profile: TableProfile, policy: Policy) -> pl.DataFrame:
    """The placeholders of a table."""
    by_patient = profile.rows_by_patient
    patients = pl.DataFrame(
        {"value": list(by_patient), "count": list(by_patient.values())}, schema={"value": pl.String, "count": pl.Int64}
    )
    distinct = min(len(profile.sketches.get("patient_id", ())), MANY_PATIENTS)
    return placeholder_ids(patients, distinct, sum(profile.rows_by_date.values()), policy)


def judge(exports: Exports) -> Iterator[Issue]:
    """Each table with placeholders."""
    for table, found in exports.report.placeholders_by_table.items():
        rows = counted(int(found["count"].sum()), "row")
        yield CHECK.undecidable(
            f"{table}.patient_id: a placeholder replaces the patient's id in {rows}, which "
            "may belong to any patient, so their claims get review at most",
            "if the id is a real patient's, add it to the policy: [ids] not_placeholders",
            _AFFECTS,
            table=table,
            column="patient_id",
        )


CHECK = Check("Q04", __name__, __doc__, judge)
