"""What differs between two published runs, finding by finding, and why.

Source: docs/specification.md#commands.

Nothing is audited again. Where one thing alone differs between the runs (data, policy,
settings, coverage or version), it is the cause. Of several, those that cannot reach a finding are left out, and what the
files cannot tell apart stays together, as in `data or policy`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl
from polars import selectors as cs

from auditor.errors import InputRefused, UsageError
from auditor.judging.findings import CASE, KEYS
from auditor.run_summary import Summary
from auditor.runs.compare_causes import LIMITS, Causes, between
from auditor.runs.compare_findings import FACTS, RECORD, UNDECIDED, changed, missing_findings
from auditor.runs.explain import find_run
from auditor.runs.past import folders, read, scan

_NEEDED = {"run_id", "version", "pseudonym_key_id", "policy", "settings", "coverage", "inputs", "rules", "money"}
"""What a run records and that can differ from another's."""


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    `runs`: their run ids. `claims`: counts `both`, `first only`, `second only`. `moves`: disposition `before`, `after` and
    `claims`, where it changed. `money`: at_risk and review. `findings`: one row per finding that is new, gone or changed:
    keys, rule, change, before, after (outcomes, `not evaluated` or `not audited`), what (the changed columns; not compared
    are the message and the claim's at-risk amount), why, cause; sorted by claim, line, rule and code. `totals`: findings in
    each run.
    """

    runs: tuple[str, str]
    causes: Causes
    claims: Mapping[str, int]
    moves: pl.DataFrame
    money: Mapping[str, tuple[Decimal, Decimal]]
    findings: pl.DataFrame
    totals: tuple[int, int]

    @property
    def same_results(self) -> bool:
        """Whether both runs audited the same claims with the same dispositions, money and findings."""
        apart = self.claims["first only"] + self.claims["second only"] + self.moves.height + self.findings.height
        return not apart and all(first == second for first, second in self.money.values())


@dataclass(frozen=True)
class _Run:
    folder: Path
    recorded: Summary

    def scan(self, name: str, *columns: str) -> pl.LazyFrame:
        """The columns of a published table, instants in UTC. Raises InputRefused where one is missing."""
        frame = scan(self.folder, name)
        if missing := [column for column in columns if column not in frame.collect_schema()]:
            raise InputRefused(
                f"{self.folder / name}.parquet: no column {', '.join(missing)}; version {self.recorded.version} wrote it; "
                "run that audit again with this version"
            )
        return frame.select(columns).with_columns(cs.datetime().dt.convert_time_zone("UTC"))

    @property
    def findings(self) -> int:
        return int(self.scan("findings", "rule").select(pl.len()).collect().item())


def compare(first_folder: Path, second_folder: Path) -> Comparison:
    """Compare two runs; each path is a run's folder, or an output folder, of which the latest run is taken.

    Raises UsageError where a folder holds no finished run, InputRefused where a run's files cannot be compared.
    """
    runs = (_open(find_run(first_folder)), _open(find_run(second_folder)))
    first, second = (run.recorded.pseudonym_key_id for run in runs)
    if first != second:
        raise InputRefused(
            "the runs show identifiers under different pseudonym keys (one may show them as they are), so no claim of one "
            "can be found in the other; run one of the audits again with the other's --pseudonymize"
        )
    try:
        return _compare(runs, between(*(run.recorded for run in runs)))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputRefused(
            f"{runs[0].folder} and {runs[1].folder}: the runs' tables cannot be read ({type(error).__name__}); "
            "run the audits again"
        ) from None


def before(folder: Path) -> Path:
    """The finished run before the given one, or before the latest in an output folder. Raises UsageError."""
    run = find_run(folder)
    earlier = [
        other for other in folders(run.parent) if other.name < run.name and (other / "findings.parquet").exists()
    ]
    if not earlier:
        raise UsageError(f"{run}: no run before it to compare it with; name two runs")
    return max(earlier)


def _open(folder: Path) -> _Run:
    where = folder / "summary.json"
    try:
        recorded = read(where)
        if not (recorded.model_fields_set >= _NEEDED and recorded.settings.keys() >= {"policy", *LIMITS}):
            raise ValueError
        return _Run(folder, recorded)
    except (OSError, ValueError) as error:
        raise InputRefused(
            f"{where}: not the summary of a run as this version writes it ({type(error).__name__}); run that audit again"
        ) from None


def _compare(runs: tuple[_Run, _Run], causes: Causes) -> Comparison:
    first, second = runs
    claims = [run.scan("claims", *KEYS, "disposition") for run in runs]
    pairs = claims[0].join(claims[1], on=KEYS, how="full", coalesce=True, validate="1:1")
    counts = pairs.group_by(before="disposition", after="disposition_right").agg(claims=pl.len()).collect()
    before, after = pl.col("before"), pl.col("after")
    either = before.is_null() | after.is_null()
    sides = {"both": ~either, "first only": after.is_null(), "second only": before.is_null()}
    return Comparison(
        runs=(first.recorded.run_id, second.recorded.run_id),
        causes=causes,
        claims={name: int(counts.filter(side)["claims"].sum()) for name, side in sides.items()},
        moves=counts.filter(before != after).sort("before", "after"),
        money={name: (_amount(first, name), _amount(second, name)) for name in ("at_risk", "review")},
        findings=_findings(runs, causes),
        totals=(first.findings, second.findings),
    )


def _amount(run: _Run, name: str) -> Decimal:
    """An amount as summary.json writes it."""
    return Decimal(str(getattr(run.recorded.money, name)))


def _findings(runs: tuple[_Run, _Run], causes: Causes) -> pl.DataFrame:
    first, second = (run.scan("findings", *CASE, "outcome", *FACTS, *RECORD) for run in runs)
    claims = [run.scan("claims", *KEYS, *FACTS, *UNDECIDED) for run in runs]
    new = missing_findings(second.join(first, on=CASE, how="anti"), claims[0], runs[0].recorded, 0, causes)
    gone = missing_findings(first.join(second, on=CASE, how="anti"), claims[1], runs[1].recorded, 1, causes)
    found = pl.concat([new, gone, changed(first, second, causes)])
    return found.sort("claim_id", "claim_line", "rule", "cpt_code").collect()
