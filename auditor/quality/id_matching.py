"""Ids of audited claims are found in the other exports.

What it checks: for each relationship between the exports, how many different ids are found as they are, and how many only
once both are normalized (case, leading zeros, a trailing `.0`, blanks and hyphens, rounding by a spreadsheet). It also
counts clear claims whose patient is in no visit.

Why it matters: a wrong key reads like a clean record. No visit is found, so nothing is wrong.

What to do: say in the policy that ids are the same (`[ids]`), export them as text, or export the tables of one practice
together. Give `--allow-unjoined` if it is right.

Source: docs/specification.md#match-rates.
"""

from collections.abc import Iterator, Sequence

from auditor.parsing.identifiers import DIFFERENCES
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.relationships import BY_NAME, MANY_CLAIMS, OF_LINES, Relationship

_ENOUGH = 20
"""Ids from which on it shows that something is wrong with all."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Relationships whose ids match once normalized, or hardly ever."""
    if exports.match_rates is None:
        return
    if exports.clear_by_absence:
        yield CHECK.warn(
            f"{exports.clear_by_absence:,} claims are clear although their patient is in no visit at all: nothing was "
            "there to find"
        )
    for name, values, found, near, how, unmatched in exports.match_rates.iter_rows():
        pair, kinds = BY_NAME[name], how.split(" and ") if how else []
        if pair.refused and values >= _ENOUGH and found * 20 < values and not exports.settings.allow_unjoined:
            yield _refusal(pair, values, found, near, kinds)
        if near:
            yield _normalized(pair, values, near, kinds)
        if found * 2 < values and name not in OF_LINES:
            yield _warning(pair, f"{pair.second}: of {values:,} {pair.first} {found:,} are found there")
        elif unmatched and name == "provider in visits":
            providers = f"{unmatched:,} providers of {MANY_CLAIMS} or more audited claims"
            yield _warning(pair, f"{pair.second}: {providers} are in no visit")


def _refusal(pair: Relationship, values: int, found: int, near: int, kinds: Sequence[str]) -> Issue:
    problem, table, column = (
        f"{pair.second}: of {values:,} {pair.first} {found:,} are found there",
        pair.table,
        pair.column,
    )
    if near:
        problem += f", and {near:,} nearly ({_differing(kinds)})"
        return CHECK.refuse(problem, _remedy(pair, kinds), table=table, column=column)
    return CHECK.refuse(
        problem,
        "do the exports belong together, and is it the same kind of id? `audit98968 check` shows how ids join; if it is "
        "right, give --allow-unjoined",
        table=table,
        column=column,
    )


def _normalized(pair: Relationship, values: int, near: int, kinds: Sequence[str]) -> Issue:
    *others, last = pair.affects
    affected = f"{', '.join(others)} and {last}" if others else last
    return CHECK.undecidable(
        f"{pair.second}: {near:,} of {values:,} {pair.first} are there nearly, but not as they stand "
        f"({_differing(kinds)}); {affected} are unknown for their claims",
        _remedy(pair, kinds),
        pair.affects,
        table=pair.table,
        column=pair.column,
    )


def _warning(pair: Relationship, message: str) -> Issue:
    return CHECK.warn(message, table=pair.table, column=pair.column)


def _differing(kinds: Sequence[str]) -> str:
    return " and ".join(DIFFERENCES.get(kind, kind) for kind in kinds)


def _remedy(pair: Relationship, kinds: Sequence[str]) -> str:
    if not set(kinds) <= set(DIFFERENCES):
        return "export the ids as text"
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    return f"if they are the same, say so in the policy: [ids] {pair.ids} = [{listed}]"


CHECK = Check("Q02", __name__, __doc__, judge, Stage.JUDGED)
