"""Visits use the problem ids and diagnoses of calls and claims.

What it checks: whether the visits, and the calls and claims, share problem ids (or diagnosis categories).

Why it matters: a visit is related to a call by its problem or diagnosis. If the two exports use different vocabularies,
no id matches, and no visit seems related.

What to do: export the same kind of id in both. If each side has 20 or more different ids and fewer than 1 in 20 are
shared, the audit does not compare them. A relation that would rest on them is then unknown.

Source: docs/specification.md#links-in-another-vocabulary.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import NORMALIZED_PROBLEMS, SKETCH_SIZE, Profiles
from auditor.quality.report import INCOMPATIBLE, Links

LINKED = {"problem_id": "problems of calls and claims", "diagnosis_codes": "diagnosis categories of calls and claims"}
"""Columns of visits that calls and claims have too, and what is sought in them."""
_NOTABLE = {"problem_id": 2, "diagnosis_codes": 8}
"""So many different links of each side, and none in common, are worth a word."""


def links(profiles: Profiles) -> Iterator[tuple[str, Links]]:
    """The links of each column of visits that relates them to calls and claims."""
    for name, sketch in (("problem_id", NORMALIZED_PROBLEMS), ("diagnosis_codes", "diagnosis_codes")):
        by_table = {table: set(profile.sketches.get(sketch, ())) for table, profile in profiles.items()}
        last = min((max(hashes) for hashes in by_table.values() if len(hashes) >= SKETCH_SIZE), default=None)
        by_table = {
            table: {value for value in hashes if not last or value <= last} for table, hashes in by_table.items()
        }
        visit_side = by_table.pop("visits")
        call_side = set[int]().union(*by_table.values())
        yield name, Links(len(call_side), len(visit_side), len(call_side & visit_side))


def judge(exports: Exports) -> Iterator[Issue]:
    """Columns that share hardly any value: those in another vocabulary first."""
    for name in sorted(exports.report.incompatible_links):
        yield CHECK.undecidable(
            f"visits.{name}: hardly any value of this column occurs in the calls or claims; where both state one, a "
            "visit is related only by a link or by the other of problem and diagnosis",
            "export the same kind of value in both",
            ("related",),
            table="visits",
            column=name,
        )
    for name, found in exports.report.links.items():
        if _NOTABLE[name] <= found.disjoint < INCOMPATIBLE:
            yield CHECK.warn(
                f"visits.{name}: no value of this column occurs in the calls or claims",
                "check that both exports use the same kind of value",
                table="visits",
                column=name,
            )


CHECK = Check("Q03", __name__, __doc__, judge)
