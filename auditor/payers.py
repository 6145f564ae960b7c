"""Which policy judges a line: that of its payer on its service date.

Source: docs/specification.md#payers.

The policies of a run are numbered: 0 is the policy of the run, the others follow in the order in which it names them.
"""

from collections.abc import Callable, Iterable

import polars as pl

from auditor.policy import Policy
from auditor.schema.tables import fold_term

OTHERWISE = "otherwise"


def numbered(policy: Policy) -> tuple[Policy, ...]:
    """The policies of a run by number."""
    return (policy, *policy.policies.values())


def judging(policy: Policy) -> tuple[Policy, ...]:
    """The policies that judge claims."""
    return numbered(policy)[OTHERWISE in policy.payers :]


def with_judge(lines: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Add `judge`: the number of the policy that judges a line by `payer` and `service_date`, null where none does."""
    numbers = {name: pl.lit(number, pl.UInt8) for number, name in enumerate(policy.policies, start=1)}
    judge = pl.lit(0, pl.UInt8)
    spellings = {text: fold_term(text) for text in lines["payer"].drop_nulls().unique()} if policy.payers else {}
    for payer, periods in sorted(policy.payers.items(), key=lambda item: item[0] != OTHERWISE):
        if payer == OTHERWISE:
            judge, named = pl.lit(None, pl.UInt8), pl.lit(True)
        else:
            same = [text for text, folded in spellings.items() if folded == fold_term(payer)]
            named = pl.col("payer").is_in(same).fill_null(False)
        for period in periods:
            day = pl.col("service_date")
            bounds = [day >= period.first] if period.first else []
            bounds += [day <= period.last] if period.last else []
            holds = pl.all_horizontal(named, *bounds).fill_null(False)
            judge = pl.when(holds).then(numbers.get(period.policy, pl.lit(None, pl.UInt8))).otherwise(judge)
    return lines.with_columns(judge=judge)


def by_policy(
    lines: pl.DataFrame, policy: Policy, made: Callable[[pl.DataFrame, Policy], pl.DataFrame]
) -> pl.DataFrame:
    """What is made of the lines of each policy, in the order of `line`; lines that none judges go with that of the run."""
    policies = numbered(policy)
    if len(policies) == 1:
        return made(lines, policy)
    number = pl.col("judge").fill_null(0)
    parts: Iterable[pl.DataFrame] = (made(lines.filter(number == at), some) for at, some in enumerate(policies))
    return pl.concat(parts).sort("line")
