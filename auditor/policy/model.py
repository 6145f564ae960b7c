"""The policy: every threshold, list, vocabulary and mapping of an audit, as one validated object.

Source: docs/specification.md#policy.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from auditor.policy import tables, types
from auditor.schema.tables import TABLES, YES_NO, fold_term, is_number


class Policy(tables.PolicyTable):
    """One validated policy. `sha256` is the hash of its file.

    `systems`: table → the source that ships, whose headers it may have (`sources.known`). `payers`: payer, or `otherwise`, →
    its periods; `policies`: those that they name, each with this mapping.
    """

    name: str
    description: str = ""
    sources: tuple[tables.Document, ...] = ()
    verified_on: date | None = None
    unverified: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    encoding: types.Encoding
    max_expansion: Annotated[int, Field(ge=2, le=types.MOST)]
    decimal: Literal[".", ","]
    nulls: tuple[str, ...]
    placeholder_dates: types.DateBounds
    timezone: types.Timezone
    dst: Literal["reject", "first", "second"]
    instant_formats: tuple[types.InstantFormat, ...]
    zone_names: Mapping[str, types.Offset]
    timezones: Mapping[str, types.Timezone]
    skip_rows: Mapping[
        Literal["calls", "visits", "claims", "providers", "phone_log"], Annotated[int, Field(ge=0, le=1000)]
    ]
    rows: Mapping[str, tables.RowChoice]
    units: Mapping[Literal["call_minutes", "call_seconds", "discussion_minutes", "talk_seconds"], types.Unit]
    relatedness: Literal["evidence", "any"]
    reversals: Literal["ask", "real"]
    horizon_days: int = Field(ge=1, le=366, strict=True)
    coverage: tables.Closures
    ids: tables.Ids
    phone_log: tables.PhoneLog
    bands: Mapping[Literal["98966", "98967", "98968"], tables.Band]
    lookback: tables.Lookback
    lookahead: tables.Lookahead
    duration: tables.Duration
    frequency: tables.Frequency
    severity: Mapping[str, types.Severity]
    required: tables.Required
    overpayment_clock: types.Clock = None
    payers: Mapping[str, tables.Periods] = {}
    lists: tables.Lists
    credentials: tables.Credentials
    list_files: Mapping[str, Mapping[str, str]] = {}
    columns: Mapping[str, Mapping[str, str | tuple[str, ...]]] = {}
    values: Mapping[str, Mapping[str, Mapping[str, str | tuple[str, ...]]]] = {}
    run: tables.RunDefaults = tables.RunDefaults()  # type: ignore[valid-type]
    sha256: str = ""
    timezone_defaulted: bool = False
    own_keys: frozenset[str] = frozenset()
    systems: Mapping[str, str] = {}
    policies: Mapping[str, "Policy"] = {}

    def sources_of(self, table: str, column: str) -> tuple[str, ...]:
        """The export's headers that the policy maps to a canonical column; empty if it maps none."""
        mapped = self.columns.get(table, {}).get(column, ())
        return (mapped,) if isinstance(mapped, str) else mapped

    def must_have(self, table: str, column: str) -> bool:
        """Whether the headers that a column is mapped to must be there; those of a source that ships need not."""
        return table not in self.systems or f"columns.{table}.{column}" in self.own_keys

    def rows_above(self, table: str) -> int:
        """The number of lines above the header of a table's CSV files."""
        return next((rows for name, rows in self.skip_rows.items() if name == table), 0)

    def has_zone(self, table: str, column: str) -> bool:
        """Whether the policy sets a zone for a column or its table."""
        return table in self.timezones or f"{table}.{column}" in self.timezones

    def zone_of(self, table: str, column: str) -> str:
        """The zone of a column's values without an offset."""
        return self.timezones.get(f"{table}.{column}", self.timezones.get(table, self.timezone))

    def terms(self, table: str, column: str, *, numbers: bool = True) -> dict[str, str]:
        """Folded value → term for a vocabulary column, the policy's own values included.

        `numbers`: whether the numbers of the vocabulary count, too.
        """
        vocabulary = TABLES[table].columns[column].vocabulary or YES_NO
        by_text = {fold_term(text): term for term, texts in vocabulary.items() for text in (term, *texts)
                   if numbers or not is_number(text)}  # fmt: skip
        for key, value in self.values.get(table, {}).get(column, {}).items():
            pairs = {fold_term(text): term for text, term in _term_pairs(key, value, by_text)}
            own_terms = pairs.keys() & set(map(fold_term, vocabulary))
            if any(by_text.get(text) not in (None, pairs[text]) for text in own_terms):
                raise ValueError(f"{key!r} is a term itself and cannot mean another term")
            by_text |= pairs
        return by_text


def _term_pairs(key: str, value: str | tuple[str, ...], terms: Mapping[str, str]) -> list[tuple[str, str]]:
    """Both forms are accepted: `"seen today" = "completed"` and `completed = ["seen today"]`."""
    if isinstance(value, str) and fold_term(value) in terms:
        return [(key, terms[fold_term(value)])]
    if fold_term(key) in terms:
        return [(text, terms[fold_term(key)]) for text in ([value] if isinstance(value, str) else value)]
    raise ValueError("neither side is a known term; the terms are " + ", ".join(sorted(set(terms.values()))))


OF_PAYER = ("name", "description", "sources", "verified_on", "unverified", "effective_from", "effective_to", "relatedness",
            "horizon_days", "bands", "lookback", "lookahead", "duration", "frequency", "severity", "required",
            "overpayment_clock")  # fmt: skip
"""What the policy of a payer may set; everything else holds for the whole run."""
OF_THE_PROGRAM = ("sha256", "timezone_defaulted", "own_keys", "list_files", "policies", "systems")
"""Fields that no file sets."""
