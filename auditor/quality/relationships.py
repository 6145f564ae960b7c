"""Foreign keys between the exports: how many ids match exactly, or once normalized.

Source: docs/specification.md#match-rates.

A wrong key reads like a clean record: no visit is found, so nothing is wrong.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import polars as pl

from auditor.parsing.duplicates import hashed
from auditor.parsing.identifiers import DIFFERENCES, are_digits, folded
from auditor.parsing.numbers import SCIENTIFIC
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.reading.dictionary import ANY_BYTES, ByteRange

MANY_CLAIMS = 20
"""Of one provider."""
_ROUNDING = "rounding"


@dataclass(frozen=True)
class Relationship:
    """Ids of audited claims, or of their calls (`first`), that are sought in a column of another table (`second`).

    `ids`: the policy's word for them. `refused`: where hardly any is found, the run is refused.
    """

    name: str
    ids: str
    first: str
    second: str
    affected_rules: str
    refused: bool = False

    @property
    def table(self) -> str:
        """The other table."""
        return self.second.partition(".")[0]

    @property
    def column(self) -> str:
        """Its column."""
        return self.second.partition(".")[2]


_VISITS = "LBK001, LBK002, LAH001, LAH002 and EXC001"
_CALLS = "INT001, INT002 and the rules that read the call"
_PATIENTS, _PROVIDERS = "patients of audited claims", "providers of audited claims"
RELATIONSHIPS = (
    Relationship("patient in visits", "patient_id", _PATIENTS, "visits.patient_id", _VISITS, refused=True),
    Relationship("patient in lines", "patient_id", _PATIENTS, "lines.patient_id", "FRQ001, FRQ002, FRQ005 and EXC001"),
    Relationship("patient in other lines", "patient_id", _PATIENTS, "lines.patient_id", "EXC001"),
    Relationship("provider in lines", "provider_id", _PROVIDERS, "lines.provider_id", "FRQ001, FRQ002 and EXC001"),
    Relationship("provider in visits", "provider_id", _PROVIDERS, "visits.provider_id", "LBK002 and EXC001"),
    Relationship("provider in providers", "provider_id", _PROVIDERS, "providers.provider_id", "ELG003 and ELG004"),
    Relationship("call in calls", "call_id", "calls that audited claims name", "calls.call_id", _CALLS, refused=True),
    Relationship("patient in calls", "patient_id", _PATIENTS, "calls.patient_id", _CALLS, refused=True),
    Relationship("provider in calls", "provider_id", _PROVIDERS, "calls.provider_id", _CALLS, refused=True),
    Relationship(
        "call in visits", "call_id", "calls that visits came from", "calls.call_id", "LBK001, LAH001 and LAH002"
    ),
    Relationship("visit in visits", "visit_id", "visits that calls name", "visits.visit_id", "LBK001 and LBK002"),
)
BY_NAME = {pair.name: pair for pair in RELATIONSHIPS}
OF_LINES = ("patient in lines", "patient in other lines", "provider in lines")
"""Pairs of which only nearly equal ids count. The lines: of the family, with other codes, and of the patient."""

PREVIOUS_RECORD = "again "
"""Begins the names of records that are sought because earlier findings rest on them."""


class IdSet:
    """Ids that others are compared with."""

    def __init__(self, values: pl.Series) -> None:
        """The different ones are kept; nulls are none."""
        different = values.drop_nulls().unique().alias("value")
        self._values = pl.DataFrame([different, hashed([different]).alias("hash")])
        self._filter, self._digits = MembershipFilter(self._values["hash"]), _digits(different)

    def exact_matches(self, hashes: pl.Series) -> pl.Series:
        """The different ones of some texts' hashes that are those of ids; a few others may be among them."""
        return hashes.filter(self._filter.may_contain(hashes)).unique()

    def of(self, hashes: pl.Series) -> pl.DataFrame:
        """The ids that have these hashes (`value`)."""
        return self._values.filter(pl.col("hash").is_in(hashes.implode())).select("value")

    def normalized_matches(self, texts: pl.Series, byte_range: ByteRange = ANY_BYTES) -> pl.DataFrame:
        """Which of the ids (`value`) are among the texts of an extent nearly, and `how` they differ."""
        return self.pairs(texts, byte_range).select("value", "how").unique()

    def pairs(self, texts: pl.Series, extent: ByteRange = ANY_BYTES) -> pl.DataFrame:
        """The ids (`value`) with each `text` of an extent that they nearly equal, and `how` they differ."""
        nothing = pl.DataFrame(schema={"value": pl.String, "text": pl.String, "how": pl.String})
        if self._values.is_empty() or (self._digits and _digits(texts, extent) == self._digits):
            return nothing
        values, alike = self._folded
        others = _folded(texts.drop_nulls().alias("text"))
        near = others.filter(alike.may_contain(others["folded"]))
        pairs = values.join(near, on="folded").filter(pl.col("value") != pl.col("text"))
        pairs = pairs.select("value", "text", how=_difference())
        return pl.concat([pairs, _rounded(self._values["value"], others["text"])])

    @cached_property
    def _folded(self) -> tuple[pl.DataFrame, MembershipFilter]:
        values = _folded(self._values["value"])
        return values, MembershipFilter(values["folded"])

    def matches(self, texts: pl.Series) -> pl.DataFrame:
        """Which of the ids (`value`) are among the texts, and `how` they differ: blank where they do not."""
        exact = self.of(self.exact_matches(hashed([texts])))
        return pl.concat([exact.with_columns(how=pl.lit("")), self.normalized_matches(texts)])


Lookups = Mapping[str, tuple[str, IdSet]]
"""Pair → the column that is looked into, and the ids looked for."""


def lookups(ids: Mapping[str, pl.Series]) -> Lookups:
    """What the chunks of a table are looked through for: pair → ids."""
    columns = {pair.name: pair.column for pair in RELATIONSHIPS} | {"call in visits": "originating_call_id"}
    return {name: (columns[name], IdSet(values)) for name, values in ids.items()}


def lookups_of_previous_records(table: str, related: pl.DataFrame, *, with_claims: bool) -> Lookups:
    """Records (`kind` and `id`) of earlier findings that a table may still hold."""
    columns = {"visits": [("visit", "visit_id")], "calls": [("call", "call_id")], "claims": [("claim", "claim_id")]}
    if not with_claims:  # a billed call without a claim is its own
        columns["calls"] += [("claim", "claim_id"), ("claim", "call_id")]
    ids = {kind: related.filter(pl.col("kind") == kind)["id"] for kind in ("visit", "call", "claim")}
    return {f"{PREVIOUS_RECORD}{kind} {column}": (column, IdSet(ids[kind])) for kind, column in columns[table]}


def _digits(texts: pl.Series, byte_range: ByteRange = ANY_BYTES) -> int:
    """How many digits each of the texts is, where all are as many and nothing else: such texts are equal, or not near."""
    sizes = texts.str.len_bytes()
    least: int = sizes.min() or 0  # type: ignore[assignment]
    return least if least == sizes.max() and (byte_range.is_digits or are_digits(texts)) else 0


def _folded(texts: pl.Series) -> pl.DataFrame:
    """Texts under their name, and `folded`."""
    ids, text = texts.cast(pl.String).to_frame(), pl.col(texts.name)
    if are_digits(ids[texts.name]):  # numbers differ in zeros only
        return ids.with_columns(folded=folded(text, ["zeros"]))
    split = text.str.contains("-", literal=True).any() | text.str.contains(" ", literal=True).any()
    asked = {  # what none of them has need not be taken off
        "punctuation": split,
        "zeros": split | text.str.starts_with("0").any(),
        "decimal": split | text.str.ends_with(".0").any(),
        "case": text.str.contains("[A-Z]").any() | (text.str.len_bytes() != text.str.len_chars()).any(),
    }
    needed = [name for name, occurs in ids.select(**asked).row(0, named=True).items() if occurs]
    return ids.with_columns(folded=folded(text, needed))


def _difference() -> pl.Expr:
    """The least that two texts differ in, in words."""
    value, text = pl.col("value"), pl.col("text")
    several = [
        differences for count in range(1, len(DIFFERENCES) + 1) for differences in combinations(DIFFERENCES, count)
    ]
    ways = (
        pl.when(folded(value, differences) == folded(text, differences)).then(pl.lit(" and ".join(differences)))
        for differences in several
    )
    return pl.coalesce(*ways, pl.lit(" and ".join(DIFFERENCES)))


def _rounded(values: pl.Series, texts: pl.Series) -> pl.DataFrame:
    """Pairs of which one is the other as a spreadsheet shows it."""
    digits = {
        1 + len(match[2] or "")
        for ids in (values, texts)
        for match in map(re.compile(SCIENTIFIC).match, ids.filter(ids.str.contains(SCIENTIFIC)))
        if match
    }
    if not digits:
        return pl.DataFrame(schema=dict.fromkeys(("value", "text", "how"), pl.String))
    keyed = [
        pl.DataFrame(
            [(text, key) for text in ids for key in _keys(text, digits)],
            schema=dict.fromkeys((name, "key"), pl.String),
            orient="row",
        )
        for name, ids in (("value", values), ("text", texts))
    ]
    pairs = keyed[0].join(keyed[1], on="key").filter(pl.col("value") != pl.col("text"))
    scientific = pl.col("value").str.contains(SCIENTIFIC) | pl.col("text").str.contains(SCIENTIFIC)
    return pairs.filter(scientific).select("value", "text", how=pl.lit(_ROUNDING))


def _keys(text: str, digits: Iterable[int]) -> Iterator[str]:
    if match := re.match(SCIENTIFIC, text):
        yield f"{float(f'{match[1]}.{match[2] or 0}e{match[3]}'):.{len(match[2] or '')}e}"
    elif text.isdecimal() and len(text) < 16:
        yield from (f"{int(text):.{count - 1}e}" for count in digits)


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

    `visits`: those of the claims' patients; `normalized_matches`: as `near_providers`; `with_table`: the claims come
    from a claims table.
    """
    columns = {
        "patient in visits": "patient_id",
        "patient in lines": "patient_id",
        "patient in other lines": "patient_id",
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
            came_from = IdSet(values["value"])
            found = came_from.of(came_from.exact_matches(calls)).select("value", how=pl.lit(""))
            matches = pl.concat([matches.filter(pl.col("how") != ""), found])
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
