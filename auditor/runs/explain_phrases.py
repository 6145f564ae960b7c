"""Why a rule found nothing, is unknown, or does not apply: the rule's own texts, filled in for `explain`."""

from collections import Counter
from collections.abc import Sequence

from auditor.rules import ALL
from auditor.rules.rule import Row
from auditor.run_summary import Summary

NOT_APPLICABLE = "not applicable"
_RULES = {rule.code: rule for rule in ALL}


def clear(code: str, claim: Row, considered: Sequence[Row], run: Summary) -> str:
    """What a rule considered that found nothing. A rule that no longer exists has no text."""
    rule = _RULES.get(code)
    if rule is None:
        return "nothing found"
    if rule.explains_rejected_records and considered:
        kinds = Counter("line" if row["kind"] == "claim" else row["kind"] for row in considered)
        counted = " and ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
        why = Counter(str(row["exclusion_reason"]) for row in considered)
        return f"{counted} considered, none counts: " + ", ".join(
            reason if len(why) == 1 else f"{count} {reason}" for reason, count in why.most_common()
        )
    return rule.nothing.format(**(dict(claim) | run.numbers.filled(claim["cpt_code"])))


def not_applicable(code: str, claim: Row) -> str:
    """Why a rule does not apply to the claim."""
    if claim["disposition"] == NOT_APPLICABLE:
        return "the service date is outside the policy's dates"
    rule = _RULES.get(code)
    if not claim["call_ids"] and (rule is None or rule.reads_calls):
        return "the claim has no call"
    return rule.not_applicable if rule else "the rule does not apply to this claim"


def unknown(code: str, claim: Row, considered: Sequence[Row], run: Summary) -> str:
    """Why a rule is unknown. If the coverage is not the reason, a row of the patient may be missing."""
    rule = _RULES.get(code)
    return rule.why_unknown(claim, considered, run) if rule else "the export does not show it"
