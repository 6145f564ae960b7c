"""Foreign keys between the exports: how many ids match exactly, or once normalized.

Source: docs/specification.md#match-rates.

A wrong key reads like a clean record: no visit is found, so nothing is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditor.quality.id_sets import IdSet
from auditor.reading.dictionary import byte_range_of

MANY_CLAIMS = 20
"""Of one provider."""


@dataclass(frozen=True)
class Relationship:
    """Ids of audited claims, or of their calls (`first`), that are sought in a column of another table (`second`).

    `ids`: the policy's word for them. `affects`: the rules that are unknown where ids match only once normalized.
    `refused`: where hardly any is found, the run is refused.
    """

    name: str
    ids: str
    first: str
    second: str
    affects: tuple[str, ...]
    refused: bool = False

    @property
    def table(self) -> str:
        """The other table."""
        return self.second.partition(".")[0]

    @property
    def column(self) -> str:
        """Its column."""
        return self.second.partition(".")[2]


_VISITS = ("LBK001", "LBK002", "LAH001", "LAH002", "EXC001")
_CALLS = ("INT001", "INT002", "the rules that read the call")
_PATIENTS, _PROVIDERS = "patients of audited claims", "providers of audited claims"
_CALLS_NAMED, _CALLS_OF_VISITS = "calls that audited claims name", "calls that visits came from"
_VISITS_NAMED = "visits that calls name"
RELATIONSHIPS = (
    Relationship("patient in visits", "patient_id", _PATIENTS, "visits.patient_id", _VISITS, refused=True),
    Relationship(
        "patient in lines", "patient_id", _PATIENTS, "lines.patient_id", ("FRQ001", "FRQ002", "FRQ005", "EXC001")
    ),
    Relationship("patient in other lines", "patient_id", _PATIENTS, "lines.patient_id", ("EXC001",)),
    Relationship("patient in billed visits", "patient_id", _PATIENTS, "lines.patient_id", ("LBK001", "LAH001")),
    Relationship("provider in lines", "provider_id", _PROVIDERS, "lines.provider_id", ("FRQ001", "FRQ002", "EXC001")),
    Relationship("provider in visits", "provider_id", _PROVIDERS, "visits.provider_id", ("LBK002", "EXC001")),
    Relationship("provider in providers", "provider_id", _PROVIDERS, "providers.provider_id", ("ELG003", "ELG004")),
    Relationship("call in calls", "call_id", _CALLS_NAMED, "calls.call_id", _CALLS, refused=True),
    Relationship("patient in calls", "patient_id", _PATIENTS, "calls.patient_id", _CALLS, refused=True),
    Relationship("provider in calls", "provider_id", _PROVIDERS, "calls.provider_id", _CALLS, refused=True),
    Relationship("call in visits", "call_id", _CALLS_OF_VISITS, "calls.call_id", ("LBK001", "LAH001", "LAH002")),
    Relationship("visit in visits", "visit_id", _VISITS_NAMED, "visits.visit_id", ("LBK001", "LBK002")),
)
CLAIMED = {"call_id": "call in calls", "patient_id": "patient in calls", "provider_id": "provider in calls"}
"""Columns of claims whose ids the calls have, and the relationships."""
BY_NAME = {pair.name: pair for pair in RELATIONSHIPS}
OF_LINES = ("patient in lines", "patient in other lines", "patient in billed visits", "provider in lines")
"""Pairs of which only nearly equal ids count. Lines: of the family, with other codes, that bill visits, of the patient."""

ORIGINS = ("call in visits", "claim in visits")
"""Pairs of what a visit came from: by the id of a call, or of a claim."""
PREVIOUS_RECORD = "again "
"""Begins the names of records that are sought because earlier findings rest on them."""


Lookups = Mapping[str, tuple[str, IdSet]]
"""Pair → the column that is looked into, and the ids looked for."""


def lookups(ids: Mapping[str, pl.Series]) -> Lookups:
    """What the chunks of a table are looked through for: pair → ids."""
    columns = {pair.name: pair.column for pair in RELATIONSHIPS} | dict.fromkeys(ORIGINS, "originating_call_id")
    return {name: (columns[name], IdSet(values)) for name, values in ids.items()}


def lookups_of_previous_records(table: str, related: pl.DataFrame, *, with_claims: bool) -> Lookups:
    """Records (`kind` and `id`) of earlier findings that a table may still hold."""
    columns = {"visits": [("visit", "visit_id")], "calls": [("call", "call_id")], "claims": [("claim", "claim_id")]}
    columns["claims"] += [("line", "claim_id")]
    if not with_claims:  # a billed call without a claim is its own
        columns["calls"] += [("claim", "claim_id"), ("claim", "call_id")]
    ids = {kind: related.filter(pl.col("kind") == kind)["id"] for kind in ("visit", "call", "claim", "line")}
    return {f"{PREVIOUS_RECORD}{kind} {column}": (column, IdSet(ids[kind])) for kind, column in columns[table]}


def near_providers(lines: pl.DataFrame) -> pl.DataFrame:
    """The `provider_id` of each `patient_id` that is nearly another one of the patient's lines, and `how` they differ."""
    providers = lines["provider_id"].unique()
    pairs = IdSet(providers).pairs(providers, byte_range_of(providers))
    named = lines.select("patient_id", "provider_id").filter(pl.col("provider_id").is_in(pairs["value"].implode()))
    pairs = named.unique().join(pairs, left_on="provider_id", right_on="value")
    there = named.rename({"provider_id": "text"})
    return pairs.join(there, on=["patient_id", "text"], how="semi").select("patient_id", "provider_id", "how").unique()


def claimed_ids(claims: pl.DataFrame, visits: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """The ids of audited claims that are sought.

    What they are `of` (the `first` of relationships), `value`, the `claims` that have it and those of them that are
    `clear`, and `how` one is near. `claims` have `is_clear`; `visits`: those of the claims' patients; `near`: as
    `near_providers`.
    """
    rows = claims.lazy().select("patient_id", "provider_id", "own_call_id", "related_visit_ids", "is_clear")
    named = rows.select(pl.col("related_visit_ids").alias("value"), "is_clear").explode("value")
    columns = {_PATIENTS: "patient_id", _PROVIDERS: "provider_id", _CALLS_NAMED: "own_call_id"}
    sought = {of: rows.select(pl.col(column).alias("value"), "is_clear") for of, column in columns.items()}
    counts = [
        found.group_by("value").agg(of=pl.lit(of), claims=pl.len(), clear=pl.col("is_clear").sum())
        for of, found in {**sought, _VISITS_NAMED: named}.items()
    ]
    came_from = visits.lazy().select("patient_id", value="originating_call_id").drop_nulls()
    came_from = came_from.join(rows, on="patient_id", how="semi").select("value", of=pl.lit(_CALLS_OF_VISITS)).unique()
    providers = near.lazy().join(rows, on=["patient_id", "provider_id"], how="semi")
    providers = providers.select("how", value="provider_id", of=pl.lit(_PROVIDERS)).unique()
    return pl.concat([*counts, came_from, providers], how="diagonal").drop_nulls("value").collect()


def match_rates(
    parts: Sequence[pl.DataFrame], ids: pl.DataFrame, exists: frozenset[str], calls: pl.Series
) -> pl.DataFrame:
    """How many different ids of each pair are sought and found, in the pairs' order; those of lines where some are near.

    `pair`, `values`, `found`, `near`, `how` (what most nearly equal ones differ in), `missed` (not
    found, of many claims), `clear` (clear claims whose id is not found). `parts` as `claimed_ids`; `ids`: pair (`name`),
    `value` and `how`, as in the profile; `exists`: columns as `table.column`; `calls`: the hashes of all calls' ids.
    """
    claimed, counts, summed = pl.concat(parts), [], pl.sum("claims", "clear")
    by_kind = claimed.partition_by("of", as_dict=True).items()
    sums = {of: rows.group_by("value").agg(summed) for (of,), rows in by_kind}
    for pair in RELATIONSHIPS:
        of_lines, of_calls = pair.name in OF_LINES, pair.name in CLAIMED.values()
        if not (of_lines or pair.second in exists) or (of_calls and "claims" not in exists):
            continue
        matches = ids.filter(name=pair.name).select("value", "how")
        if pair.name == "provider in lines":
            matches = claimed.filter(pl.col("how").is_not_null()).select("value", "how").unique()
        values = sums.get(pair.first, claimed.select("value", summed).clear())
        if of_lines and matches.filter(pl.col("how") != "").is_empty():
            values = values.clear()
        if pair.name == "call in visits":
            matches = ids.filter(pl.col("name").is_in(ORIGINS)).select("how", value="text").drop_nulls()
            named = matches.select("value").unique().join(values, on="value", how="anti")
            values = pl.concat([values, named], how="diagonal")
            came_from = IdSet(values["value"])
            found = came_from.of(came_from.exact_matches(calls)).select("value", how=pl.lit(""))
            matches = pl.concat([matches.select("value", "how"), found])
        counts.append(_match_rate(values, matches).select(pl.lit(pair.name).alias("pair"), pl.all()))
    return pl.concat(counts).filter((pl.col("values") > 0) & (~pl.col("pair").is_in(OF_LINES) | (pl.col("near") > 0)))


def _match_rate(values: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    """As `match_rates`, of one pair. `values`: each once, with its claims; `matches`: those that are found, and how."""
    exact, near = matches.filter(how="")["value"], matches.filter(pl.col("how") != "")
    near = near.group_by("value").agg(pl.col("how").min())
    joined = values.join(near, on="value", how="left").with_columns(exact=pl.col("value").is_in(exact.implode()))
    return joined.select(
        values=pl.len(),
        found=pl.col("exact").sum(),
        near=pl.col("how").count(),
        how=pl.col("how").drop_nulls().mode().sort().first(),
        missed=(~pl.col("exact") & (pl.col("claims") >= MANY_CLAIMS)).sum(),
        clear=pl.col("clear").filter(~pl.col("exact")).sum(),
    )
