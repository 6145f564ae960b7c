"""Foreign keys between the exports: how many ids match exactly, or once normalized.

Source: docs/specification.md#match-rates.

A wrong key reads like a clean record: no visit is found, so nothing is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditor.quality.id_sets import IdSet

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
    Relationship("call in calls", "call_id", "calls that audited claims name", "calls.call_id", _CALLS, refused=True),
    Relationship("patient in calls", "patient_id", _PATIENTS, "calls.patient_id", _CALLS, refused=True),
    Relationship("provider in calls", "provider_id", _PROVIDERS, "calls.provider_id", _CALLS, refused=True),
    Relationship(
        "call in visits", "call_id", "calls that visits came from", "calls.call_id", ("LBK001", "LAH001", "LAH002")
    ),
    Relationship("visit in visits", "visit_id", "visits that calls name", "visits.visit_id", ("LBK001", "LBK002")),
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
    pairs = IdSet(providers).pairs(providers)
    named = lines.select("patient_id", "provider_id").filter(pl.col("provider_id").is_in(pairs["value"].implode()))
    pairs = named.unique().join(pairs, left_on="provider_id", right_on="value")
    there = named.rename({"provider_id": "text"})
    return pairs.join(there, on=["patient_id", "text"], how="semi").select("patient_id", "provider_id", "how").unique()


def claimed_ids(claims: pl.DataFrame, visits: pl.DataFrame, near: pl.DataFrame, *, with_table: bool) -> pl.DataFrame:
    """The ids of audited claims that are sought: `pair`, `value`, the `claims` that have it, and `how` one is near.

    `visits`: those of the claims' patients; `near`: as `near_providers`; `with_table`: the claims come
    from a claims table.
    """
    columns = {
        "patient in visits": "patient_id",
        "patient in lines": "patient_id",
        "patient in other lines": "patient_id",
        "patient in billed visits": "patient_id",
        "provider in lines": "provider_id",
        "provider in visits": "provider_id",
        "provider in providers": "provider_id",
    }
    if with_table:
        columns |= {
            "call in calls": "own_call_id",
            "patient in calls": "patient_id",
            "provider in calls": "provider_id",
        }
    ids_by_relationship = {pair: claims[column] for pair, column in columns.items()}
    ids_by_relationship["visit in visits"] = claims["related_visit_ids"].explode()
    counted = pl.concat(
        ids.drop_nulls()
        .alias("value")
        .value_counts(name="claims")
        .select(pair=pl.lit(pair), value="value", claims="claims")
        for pair, ids in ids_by_relationship.items()
    )
    came_from = visits.filter(pl.col("patient_id").is_in(claims["patient_id"].implode())).select(
        pair=pl.lit("call in visits"), value="originating_call_id", claims=pl.lit(0, pl.UInt32)
    )
    providers = near.join(claims, on=["patient_id", "provider_id"], how="semi").select(
        pair=pl.lit("provider in lines"), value="provider_id", claims=pl.lit(0, pl.UInt32), how="how"
    )
    return pl.concat([counted, came_from.drop_nulls().unique(), providers.unique()], how="diagonal")


def match_rates(
    parts: Sequence[pl.DataFrame], ids: pl.DataFrame, exists: frozenset[str], calls: pl.Series
) -> pl.DataFrame:
    """How many different ids of each pair are sought and found, in the pairs' order; those of lines where some are near.

    `pair`, `values`, `found`, `near`, `how` (what most nearly equal ones differ in), `missed` (not
    found, of many claims). `parts` as `claimed_ids`; `ids`: pair (`name`), `value` and `how`, as in the profile;
    `exists`: columns as `table.column`; `calls`: the hashes of all calls' ids.
    """
    counts = []
    for pair in (pair for pair in RELATIONSHIPS if pair.second in exists or pair.name in OF_LINES):
        values = pl.concat(part.filter(pair=pair.name) for part in parts).group_by("value").agg(pl.sum("claims"))
        matches = ids.filter(name=pair.name).select("value", "how")
        if pair.name == "provider in lines":
            matches = pl.concat(
                part.filter(pl.col("how").is_not_null()).select("value", "how") for part in parts
            ).unique()
        if pair.name == "call in visits":
            matches = ids.filter(pl.col("name").is_in(ORIGINS)).select("how", value="text").drop_nulls()
            named = matches.select("value", claims=pl.lit(0, pl.UInt32)).unique()
            values = pl.concat([values, named.join(values, on="value", how="anti")])
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
    )
