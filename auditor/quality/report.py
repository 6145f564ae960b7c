"""What the data quality leaves undecidable, with the ids that rules look up.

Source: docs/specification.md#data-quality.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import polars as pl

from auditor.quality.relationships import CLAIMED, PREVIOUS_RECORD

INCOMPATIBLE = 20
"""So many different links of each side, of which fewer than one in as many is in common: the vocabularies differ."""


class Links(NamedTuple):
    """Different links of calls and claims, of visits, and how many of the first are among the second.

    Nearly equal ones are one.
    Where a profile keeps a sketch only, the links that both sketches would keep.
    """

    call_side: int
    visit_side: int
    shared: int

    @property
    def incompatible(self) -> bool:
        """Whether the two sides use different vocabularies."""
        smaller = min(self.call_side, self.visit_side)
        return smaller >= INCOMPATIBLE and self.shared * INCOMPATIBLE < smaller

    @property
    def disjoint(self) -> int:
        """The size of the smaller side, where the two share nothing; else 0."""
        return 0 if self.shared else min(self.call_side, self.visit_side)


@dataclass(frozen=True)
class QualityReport:
    """The data-quality findings that rules depend on.

    `ids`: pairs (`name`), ids (`value`) and `how` they differ from what was found, blank where they do not.
    `placeholders_by_table`: by table the patient ids that are placeholders. `links`: by column of visits, those that
    relate them to calls and claims. `unjoined`: columns of claims of whose different ids the calls have under half.
    `common_groups`: by table the hash of the group that most rows have. `rounded`: columns, as
    `table.column`, whose ids look like rounded numbers.
    """

    ids: pl.DataFrame
    placeholders_by_table: Mapping[str, pl.DataFrame]
    links: Mapping[str, Links]
    unjoined: frozenset[str] = frozenset()
    common_groups: Mapping[str, pl.Series] = field(default_factory=dict)
    rounded: frozenset[str] = frozenset()

    def with_claims(self, claims: pl.DataFrame) -> "QualityReport":
        """The same with the columns of some claims that are `unjoined`."""
        sought = {column: claims[column].drop_nulls().unique() for column in CLAIMED}
        found = {
            column: ids.is_in(self.exact_matches(CLAIMED[column]).implode()).sum() for column, ids in sought.items()
        }
        return replace(self, unjoined=frozenset(name for name, ids in sought.items() if 2 * found[name] < len(ids)))

    @property
    def incompatible_links(self) -> frozenset[str]:
        """The link columns whose vocabularies are incompatible."""
        return frozenset(name for name, links in self.links.items() if links.incompatible)

    def is_rounded(self, *columns: str) -> bool:
        """Whether one of these columns of any table looks rounded."""
        return any(name.partition(".")[2] in columns for name in self.rounded)

    def is_common_group(self, group: str) -> pl.Expr:
        """Whether a column's group is one that most rows of a table have."""
        if not self.common_groups or self.is_rounded("group_id"):
            return pl.lit(self.is_rounded("group_id"))
        return pl.col(group).hash().is_in(pl.concat(self.common_groups.values()).implode()).fill_null(False)

    @cached_property
    def _matches(self) -> Mapping[tuple[object, ...], pl.Series]:
        """The ids by relationship, and whether they match exactly."""
        ids = self.ids.lazy().select("name", "value", exact=pl.col("how") == "").unique().collect()
        return {key: rows["value"] for key, rows in ids.partition_by("name", "exact", as_dict=True).items()}

    def normalized_matches(self, pair: str) -> pl.Series:
        """The ids of a relationship that match an id of the second column only once both are normalized."""
        return self._matches.get((pair, False), self.ids["value"].clear())

    def exact_matches(self, pair: str) -> pl.Series:
        """The ids of a relationship that match exactly."""
        return self._matches.get((pair, True), self.ids["value"].clear())

    def previous_records_present(self) -> pl.DataFrame:
        """The records of earlier findings that the inputs still hold: kind and id."""
        name = pl.col("name")
        found = self.ids.filter(name.str.starts_with(PREVIOUS_RECORD) & (pl.col("how") == ""))
        return found.select(
            _kind=name.str.strip_prefix(PREVIOUS_RECORD).str.split(" ").list.first(), _id="value"
        ).unique()

    @property
    def placeholders(self) -> pl.Series:
        """Those of all tables."""
        return pl.concat(
            [pl.Series("value", dtype=pl.String), *(table["value"] for table in self.placeholders_by_table.values())]
        ).unique()
