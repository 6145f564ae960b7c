"""What the types of a policy cannot check: names of tables, columns and words, and values that depend on each other."""

from auditor.policy.model import Policy
from auditor.policy.text import PolicyText, Problem
from auditor.schema.codes import FAMILY
from auditor.schema.names import nearest
from auditor.schema.tables import TABLES, Kind

_TERMS, _INSTANTS = (
    {
        name: tuple(column.name for column in table.columns.values() if column.kind in kinds)
        for name, table in TABLES.items()
    }
    for kinds in ((Kind.TERM, Kind.FLAG, Kind.DOCUMENTED), (Kind.INSTANT, Kind.DATE))
)
"""The columns of each table that have a vocabulary, and those of dates."""


def check(policy: Policy, file: PolicyText) -> None:
    """Raise UsageError for names that mean nothing, else for the first value that another one contradicts."""
    file.refuse(_unknown_names(policy, file))
    if not policy.zone_names and any("%Z" in form for form in policy.instant_formats):
        kind = '%Z needs the zone names and their offsets; add them: [zone_names] EST = "-05:00"'
        raise file.fault(("instant_formats",), kind)
    for word, meaning in policy.credentials.words.items():
        if meaning.lower() in ("clear", "review"):  # no credential: a slip in the key
            problem = f"unknown key{nearest(word, ('may_report_em',)) or '; the key is may_report_em'}"
            raise file.fault(("credentials", word), problem)
    if policy.effective_from and policy.effective_to and policy.effective_from > policy.effective_to:
        raise file.fault(("effective_to",), "is before effective_from")
    for code in FAMILY:
        if policy.bands[code].low > policy.bands[code].high:  # type: ignore[index]
            raise file.fault(("bands", code), "low is above high")


def _unknown_names(policy: Policy, file: PolicyText) -> list[Problem]:
    """Keys that name no table or column. Raises UsageError for words that are no terms."""
    unknown: list[Problem] = []

    def accepted(path: tuple[str, ...], names: tuple[str, ...]) -> bool:
        if path[-1] not in names:
            unknown.append((path, f"unknown name{nearest(path[-1], names)}"))
        return path[-1] in names

    for table in policy.rows:
        accepted(("rows", table), tuple(TABLES))
    for table, columns in policy.columns.items():
        for column in columns if accepted(("columns", table), tuple(TABLES)) else ():
            accepted(("columns", table, column), tuple(TABLES[table].columns))
    for table, mappings in policy.values.items():
        for column in mappings if accepted(("values", table), tuple(TABLES)) else ():
            if accepted(("values", table, column), _TERMS[table]):
                _require_terms(policy, file, table, column)
    zoned = (*TABLES, *(f"{table}.{column}" for table, columns in _INSTANTS.items() for column in columns))
    for key in policy.timezones:
        accepted(("timezones", key), zoned)
    return unknown


def _require_terms(policy: Policy, file: PolicyText, table: str, column: str) -> None:
    try:
        policy.terms(table, column)
    except ValueError as error:
        raise file.fault(("values", table, column), str(error)) from None
