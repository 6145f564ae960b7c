"""The policy's lists name the codes of the visits.

What it checks: codes of visits that no list of the policy contains.

Why it matters: such a code does not show whether it is a visit. A visit without other codes supports review at most.

What to do: add the codes to a list of the policy: `[lists] visit_codes.add` or `no_visit.add`.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator, Mapping

from auditor.quality.issue import Check, Exports, Issue
from auditor.schema.names import counted


def judge(exports: Exports) -> Iterator[Issue]:
    """All such codes in one issue."""
    if codes := exports.profiles["visits"].unlisted_codes:
        yield CHECK.undecidable(
            f"visits.cpt_codes: {described(codes)} not on a list of the policy; a "
            "visit without other codes supports review at most",
            "add each code to a list in the policy: [lists] visit_codes.add or no_visit.add",
            ("LBK001", "LBK002", "LAH001", "LAH002"),
            table="visits",
            column="cpt_codes",
        )


def described(codes: Mapping[str, int]) -> str:
    """How many codes and uses there are, with the verb."""
    uses, are = counted(sum(codes.values()), "use"), "is" if len(codes) == 1 else "are"
    return f"{counted(len(codes), 'code')} ({uses}) {are}"


CHECK = Check("Q05", __name__, __doc__, judge)
