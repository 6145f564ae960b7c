"""Ids of audited claims are found in the other exports.

What it checks: for each relationship between the exports, how many different ids match exactly, and how many match only
after both are normalized (case, leading zeros, a trailing `.0`, blanks, hyphens and commas, a reference's form, rounding by
a spreadsheet). It also counts clear claims whose patient has no visit.

Why it matters: if the ids do not match, the audit finds no visit, and every claim looks clean.

What to do: set in the policy which differences to ignore (`[ids]`), export the ids as text, or export the tables of one
practice together. If it is correct that few ids match, give `--allow-unjoined`.

Source: docs/specification.md#match-rates.
"""

from collections.abc import Iterator, Sequence

from auditor.parsing.identifiers import DIFFERENCES
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.relationships import BY_NAME, MANY_CLAIMS, OF_LINES, Relationship
from auditor.schema.names import counted, found_of

_ENOUGH = 20
"""Ids from which on it shows that something is wrong with all."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Relationships whose ids match once normalized, or hardly ever."""
    if exports.match_rates is None:
        return
    if exports.clear_by_absence:
        claims = counted(exports.clear_by_absence, "clear claim")
        yield CHECK.warn(
            f"visits.patient_id: the export has no visit of the patients of {claims}",
            "check that the export has all visits and that the patient ids match",
            table="visits",
            column="patient_id",
        )
    for name, values, found, near, how, unmatched in exports.match_rates.iter_rows():
        pair, kinds = BY_NAME[name], how.split(" and ") if how else []
        if pair.refused and values >= _ENOUGH and found * 20 < values and not exports.settings.allow_unjoined:
            yield _refusal(pair, values, found, near, kinds)
        if near:
            yield _normalized(pair, values, near, kinds)
        if found * 2 < values and name not in OF_LINES:
            yield _warning(pair, _matched(pair, values, found))
        elif unmatched and name == "provider in visits":
            providers = f"{counted(unmatched, 'provider')} with {MANY_CLAIMS} or more audited claims"
            yield _warning(pair, f"{pair.second}: the export has no visit of {providers}")


def _refusal(pair: Relationship, values: int, found: int, near: int, kinds: Sequence[str]) -> Issue:
    problem = _matched(pair, values, found)
    remedy = (
        "check that the exports belong together and use the same kind of id (`audit98968 check` shows how ids match); if "
        "so few matches are correct, give --allow-unjoined"
    )
    if near:
        problem, remedy = f"{problem}, and {near:,} more if the audit ignores {_differing(kinds)}", _remedy(pair, kinds)
    return CHECK.refuse(problem, remedy, table=pair.table, column=pair.column)


def _matched(pair: Relationship, values: int, found: int) -> str:
    return f"{pair.second}: this column contains {found_of(found, values, pair.first)}"


def _normalized(pair: Relationship, values: int, near: int, kinds: Sequence[str]) -> Issue:
    *others, last = pair.affects
    affected = f"{', '.join(others)} and {last}" if others else last
    return CHECK.undecidable(
        f"{pair.second}: this column contains {found_of(near, values, pair.first)} only if the audit "
        f"ignores {_differing(kinds)}; {affected} are unknown for their claims",
        _remedy(pair, kinds),
        pair.affects,
        table=pair.table,
        column=pair.column,
    )


def _warning(pair: Relationship, message: str) -> Issue:
    return CHECK.warn(message, "check that the exports use the same ids", table=pair.table, column=pair.column)


def _differing(kinds: Sequence[str]) -> str:
    return " and ".join(DIFFERENCES.get(kind, kind) for kind in kinds)


def _remedy(pair: Relationship, kinds: Sequence[str]) -> str:
    if not set(kinds) <= set(DIFFERENCES):
        return "export the ids as text"
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    return f"if the ids mean the same, set this in the policy: [ids] {pair.ids} = [{listed}]"


CHECK = Check("Q02", __name__, __doc__, judge, Stage.JUDGED)
