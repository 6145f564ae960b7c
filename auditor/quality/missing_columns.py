"""The exports have the columns that the rules need.

What it checks: whether any rule can be evaluated, and whether each rule of `--require` can. Where claims are given without
calls or visits, `--require` leaves out the rules that read those.

Why it matters: a rule without its columns finds nothing, which looks like a clean result.

What to do: map the columns in the policy, supply the table, or leave the rule out of `--require`.

Source: docs/specification.md#refusals.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.rules import ALL, CODES
from auditor.rules.rule import OFF, UNASKED
from auditor.run_options import REQUIRED_RULES
from auditor.settings import IGNORED, NOT_SELECTED

_REMEDIES = {
    OFF: "turn it on in the policy",
    UNASKED: "ask for it under [required] in the policy",
    NOT_SELECTED: "select it, too",
    IGNORED: "leave it out of --ignore",
}
"""What to do about a required rule that is not evaluated for another reason than missing data."""


def judge(exports: Exports) -> Iterator[Issue]:
    """No rule at all, or a required one that lacks columns."""
    settings, missing = exports.settings, exports.not_evaluated or {}
    if len(missing) == len(CODES):
        reasons = {f"{code}: {reason}": None for code, reason in missing.items() if code in settings.selected}
        yield CHECK.refuse(
            f"no rule can be evaluated, so nothing would be audited ({'; '.join(reasons)})",
            "map these columns in the policy or select other rules",
        )
    default = tuple(code for code in REQUIRED_RULES if code not in settings.disabled_rules)
    lacking = {rule.code for rule in ALL if rule.lacks_table(exports.tables)}
    for code in default if settings.required is None else settings.required:
        if (reason := missing.get(code)) and code not in lacking:
            yield CHECK.refuse(
                f"required rule {code} cannot be evaluated: {reason}",
                f"{_REMEDIES.get(reason, 'export this data')}, or leave the rule out of --require",
            )


CHECK = Check("Q17", __name__, __doc__, judge, Stage.PLANNED)
