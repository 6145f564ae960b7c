"""One bucket's claims, weighed: window → judge → find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from auditor.claims.coverage import Coverage
from auditor.identity import Identity
from auditor.judging import findings
from auditor.judging.judge import judge
from auditor.policy import Policy
from auditor.rules import ALL
from auditor.scale import DRIVER, Parcel
from auditor.scale.settle import Settled
from auditor.windows import Facts, Nouns


@dataclass(frozen=True)
class Weighed:
    """What came of a bucket. Frames as `findings.py` and `judge.py` describe them; `inactive` counts lines by status."""

    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.DataFrame
    outcomes: pl.DataFrame
    inactive: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Weigh:
    """Weighs a bucket. `audited` picks the lines to audit; `not_evaluated` are rule codes with reasons."""

    policy: Policy
    providers: pl.DataFrame
    codes: tuple[str, ...]
    audited: pl.Expr
    has_claims_table: bool
    coverage: Coverage
    not_evaluated: Mapping[str, str]
    identity: Identity

    def __call__(self, to: str, parcels: list[Parcel]) -> Iterator[Parcel]:
        """The bucket's claims, findings and evidence, for the driver."""
        (settled,) = (parcel.body for parcel in parcels if isinstance(parcel.body, Settled))
        met = [parcel.body for parcel in parcels if parcel.kind == "met"]
        parcels.clear()
        policy, billed = self.policy, settled.billing
        facts = Facts(
            billing=billed,
            visits=settled.visits,
            providers=self.providers,
            tainted_visits=settled.tainted_visits,
            tainted_lines=settled.tainted_lines,
            provider_calls=pl.concat([settled.calls, *met]),
            has_claims_table=self.has_claims_table,
            coverage=self.coverage,
            policy=policy,
            codes=self.codes,
        )
        nouns = Nouns(facts, self.audited)
        judgement = judge(nouns, [rule for rule in ALL if rule.code not in self.not_evaluated], policy)
        claims = findings.claims_table(nouns.claims, judgement, policy, self.identity)
        inactive = billed.inactive.filter(pl.col("cpt_code").is_in(self.codes) & self.audited)
        yield Parcel(DRIVER, "weighed", (0, 0), Weighed(
            claims,
            findings.findings_table(nouns.claims, claims, judgement, policy, self.identity),
            findings.evidence_table(nouns.claims, billed.line_calls, judgement, policy, self.identity),
            judgement.outcomes,
            {status: inactive.filter(pl.col("claim_status") == status).height for status in ("void", "denied")},
        ))  # fmt: skip
