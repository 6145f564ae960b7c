"""What differs between two published runs, finding by finding, and why.

Source: SPEC.md sections 3 to 8. Nothing is audited again. Where one thing alone differs between the runs (data, policy,
settings, coverage or version), it is the cause. Of several, those that cannot reach a finding are left out, and what the
files cannot tell apart stays together, as in `data or policy`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from auditor.compare_causes import CHOSEN, Causes, between, reasons
from auditor.errors import InputRefused
from auditor.explain import find_run
from auditor.findings import KEYS

UNEXPLAINED = "unexplained"
"""The cause where nothing recorded differs: a run folder was edited, or the audit was not repeatable."""

_TEXT, _NUMBER, _AT, _MONEY = pl.String(), pl.Int64(), pl.Datetime("us", "UTC"), pl.Decimal(18, 2)
_KEY: dict[str, pl.DataType] = dict.fromkeys(KEYS, _TEXT)
_CASE = _KEY | {"rule": _TEXT}
_COPIED = {"patient_id": _TEXT, "provider_id": _TEXT, "service_date": pl.Date(), "minutes": _NUMBER,
           "billed_amount": _MONEY, "paid_amount": _MONEY, "supportable_code": _TEXT}  # fmt: skip
_FACTS = _COPIED | {"start": _AT, "end": _AT, "call_ids": pl.List(_TEXT)}
_FINDING = _COPIED | {"outcome": _TEXT, "related_kind": _TEXT, "related_id": _TEXT, "related_at": _AT,
                      "related_count": _NUMBER, "gap_days": _NUMBER, "gap_hours": pl.Float64(), "basis": _TEXT}  # fmt: skip
_UNDECIDED = {"unknowns": pl.List(_TEXT), "not_applicable": pl.List(_TEXT)}
_RECORD = _CASE | {"kind": _TEXT, "id": _TEXT, "at": _AT}
_ABSENT, _SKIPPED = "not audited", "not evaluated"


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
    summary: dict[str, Any]

    def scan(self, name: str, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """The columns of a published table, whatever the run's time zone. Raises InputRefused where one is missing."""
        frame = pl.scan_parquet(self.folder / f"{name}.parquet")
        if missing := [column for column in columns if column not in frame.collect_schema()]:
            raise InputRefused(
                f"{self.folder / name}.parquet: no column {', '.join(missing)}; version {self.summary['version']} wrote it; "
                "run that audit again with this version"
            )
        return frame.select(pl.col(column).cast(dtype) for column, dtype in columns.items())


def compare(one: Path, other: Path) -> Comparison:
    """Compare two runs; each path is a run's folder, or an output folder, of which the latest run is taken.

    Raises UsageError where a folder holds no finished run, InputRefused where a run's files cannot be compared.
    """
    runs = (_open(find_run(one)), _open(find_run(other)))
    first, second = (run.summary["pseudonym_key_id"] for run in runs)
    if first != second:
        raise InputRefused(
            "the runs show identifiers under different pseudonym keys (one may show them as they are), so no claim of one "
            "can be found in the other; run one of the audits again with the other's --pseudonymize"
        )
    try:
        return _compare(runs, between(*(run.summary for run in runs)))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputRefused(
            f"{runs[0].folder} and {runs[1].folder}: the runs' tables cannot be read ({type(error).__name__}); "
            "run the audits again"
        ) from None


def _open(folder: Path) -> _Run:
    where = folder / "summary.json"
    try:
        summary = json.loads(where.read_text(encoding="utf-8"))
        between(summary, summary)  # everything that is compared is there
        _ = summary["run_id"], summary["pseudonym_key_id"], summary["money"]["at_risk"], summary["money"]["review"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputRefused(
            f"{where}: not the summary of a run as this version writes it ({type(error).__name__}); run that audit again"
        ) from None
    return _Run(folder, summary)


def _compare(runs: tuple[_Run, _Run], causes: Causes) -> Comparison:
    claims = _beside((run.scan("claims", _KEY | {"disposition": _TEXT}) for run in runs), KEYS)
    counts = (
        claims.group_by("in_1", "in_2", before="disposition_1", after="disposition_2").agg(claims=pl.len()).collect()
    )
    both = pl.col("in_1") & pl.col("in_2")
    findings = _beside((run.scan("findings", _CASE | _FINDING) for run in runs), _CASE)
    changed = findings.filter(~both | pl.any_horizontal(map(_differs, _FINDING))).collect()
    sides = {"both": both, "first only": ~pl.col("in_2"), "second only": ~pl.col("in_1")}
    return Comparison(
        runs=(str(runs[0].summary["run_id"]), str(runs[1].summary["run_id"])),
        causes=causes,
        claims={name: int(counts.filter(side)["claims"].sum()) for name, side in sides.items()},
        moves=counts.filter(both & (pl.col("before") != pl.col("after"))).drop("in_1", "in_2").sort("before", "after"),
        money={name: (_money(runs[0], name), _money(runs[1], name)) for name in ("at_risk", "review")},
        findings=_explained(changed, runs, causes),
        totals=(_height(runs[0]), _height(runs[1])),
    )


def _money(run: _Run, name: str) -> Decimal:
    return Decimal(f"{run.summary['money'][name]:.2f}")


def _height(run: _Run) -> int:
    return int(run.scan("findings", _CASE).select(pl.len()).collect().item())


def _beside(frames: Iterable[pl.LazyFrame], keys: Iterable[str]) -> pl.LazyFrame:
    """Both runs' rows of one key in one row: columns end in _1 and _2, `in_1` and `in_2` say where the row is."""
    first, second = (
        frame.rename({name: f"{name}_{number}" for name in frame.collect_schema() if name not in keys})
        .with_columns(pl.lit(True).alias(f"in_{number}"))
        for number, frame in enumerate(frames, start=1)
    )  # fmt: skip
    both = first.join(second, on=list(keys), how="full", coalesce=True, validate="1:1")
    return both.with_columns(pl.col("in_1", "in_2").fill_null(False))


def _differs(name: str) -> pl.Expr:
    return pl.col(f"{name}_1").ne_missing(pl.col(f"{name}_2"))


def _differing(columns: Iterable[str]) -> pl.Expr:
    """The names of those columns that differ, as a list; empty where only one run has the row."""
    both = pl.col("in_1") & pl.col("in_2")
    return pl.concat_list(pl.when(both & _differs(name)).then(pl.lit(name)) for name in columns).list.drop_nulls()


def _explained(changed: pl.DataFrame, runs: tuple[_Run, _Run], causes: Causes) -> pl.DataFrame:
    """The changed findings with both outcomes, the change in words, and its cause."""
    flagged = changed.lazy().select(KEYS).unique()
    own = (run.scan("claims", _KEY | _FACTS | _UNDECIDED).join(flagged, on=KEYS, how="semi") for run in runs)
    claims = _beside(own, KEYS).select(
        *KEYS, *(f"{name}_{number}" for name in _UNDECIDED for number in (1, 2)), audited_1="in_1", audited_2="in_2",
        facts=_differing(_FACTS), day=pl.coalesce("service_date_1", "service_date_2"),
    )  # fmt: skip
    whys = reasons(*(run.summary for run in runs))
    new, gone = ~pl.col("in_1"), ~pl.col("in_2")
    rows = (
        changed.join(claims.collect(), on=KEYS, how="left")
        .join(_on_other_records(changed, runs), on=[*_CASE], how="left")
        .with_columns(_reason(why).alias(f"reason_{number}") for number, why in enumerate(whys, start=1))
        .with_columns(
            change=pl.when(new).then(pl.lit("new")).when(gone).then(pl.lit("gone")).otherwise(pl.lit("changed")),
            before=_outcome(1), after=_outcome(2), what=_differing(_FINDING), fresh=pl.col("fresh").fill_null(False),
        )
        .with_columns(
            other=pl.when(gone).then(pl.lit("the second run")).otherwise(pl.lit("the first run")),
            there=pl.when(gone).then("after").otherwise("before"),
            reason=pl.when(gone).then("reason_2").otherwise("reason_1"),
            outside=pl.when(gone).then(_outside(runs[1])).otherwise(_outside(runs[0])),
        )
    )  # fmt: skip
    rows = rows.select(*_CASE, "change", "before", "after", "what", why=_why(), cause=_cause(causes))
    return rows.sort("claim_id", "claim_line", "rule", "cpt_code")


def _reason(why: Mapping[str, str | None]) -> pl.Expr:
    return pl.col("rule").replace_strict(list(why), list(why.values()), default=None, return_dtype=_TEXT)


def _outcome(number: int) -> pl.Expr:
    """The rule's outcome in a run: its finding's, or what the claim's row says."""
    return (
        pl.when(pl.col(f"in_{number}")).then(pl.col(f"outcome_{number}"))
        .when(~pl.col(f"audited_{number}").fill_null(False)).then(pl.lit(_ABSENT))
        .when(pl.col(f"reason_{number}").is_not_null()).then(pl.lit(_SKIPPED))
        .when(pl.col(f"unknowns_{number}").list.contains(pl.col("rule"))).then(pl.lit("unknown"))
        .when(pl.col(f"not_applicable_{number}").list.contains(pl.col("rule"))).then(pl.lit("not applicable"))
        .otherwise(pl.lit("clear"))
    )  # fmt: skip


def _on_other_records(changed: pl.DataFrame, runs: tuple[_Run, _Run]) -> pl.DataFrame:
    """New and gone findings of which every supporting record is one that the other run did not weigh for that rule."""
    parts = []
    for here, there, absent in ((*runs, "in_2"), (*runs[::-1], "in_1")):
        cases = changed.lazy().filter(~pl.col(absent)).select(*_CASE)
        supports, weighed = (
            run.scan("evidence", _RECORD | {"outcome": _TEXT}).join(cases, on=[*_CASE], how="semi")
            for run in (here, there)
        )
        supports = supports.filter(pl.col("outcome").is_in(["violation", "review"]))
        shared = supports.join(weighed, on=[*_RECORD], how="semi", nulls_equal=True)
        parts.append(supports.join(shared, on=[*_CASE], how="anti").select(*_CASE, fresh=True).unique())
    return pl.concat(parts).collect()


def _outside(run: _Run) -> pl.Expr:
    """Whether a claim lies outside the codes and dates that a run was asked for; null where the dates are not ISO 8601."""
    asked = run.summary["settings"]
    try:
        first, last = (
            date.fromisoformat(asked[name]) if asked[name] else None for name in ("service_from", "service_to")
        )
    except ValueError:
        return pl.lit(None, pl.Boolean())
    unlisted = ~pl.col("cpt_code").is_in(asked["codes"])
    early = pl.col("day") < first if first else pl.lit(False)
    return unlisted | early | (pl.col("day") > last if last else pl.lit(False))


def _why() -> pl.Expr:
    nothing = pl.lit("")
    unasked = pl.when("outside").then(pl.lit(", which was not asked for its date or code")).otherwise(nothing)
    facts = pl.format("; the claim's {} differ", pl.col("facts").list.join(", "))
    facts = pl.when(pl.col("facts").list.len() > 0).then(facts).otherwise(nothing)
    records = pl.when("fresh").then(pl.lit("; it rests on records that the other run did not weigh")).otherwise(nothing)
    return (
        pl.when(pl.col("there") == _ABSENT).then(pl.format("claim not in {}{}", "other", unasked))
        .when(pl.col("there") == _SKIPPED).then(pl.format("rule not evaluated in {}: {}", "other", "reason"))
        .when(pl.col("change") == "changed").then(pl.format("in both runs{}", facts))
        .otherwise(pl.format("{} in {}{}{}", "there", "other", facts, records))
    )  # fmt: skip


def _cause(causes: Causes) -> pl.Expr:
    """Those of the roots that can reach the finding, joined with `or`; all of them where none seems to."""
    severities = [key.removeprefix("severity.") for key in causes.policy if key.startswith("severity.")]
    elsewhere = ["policy"] if len(severities) < len(causes.policy) else []
    every = " or ".join(causes.roots) or UNEXPLAINED

    def of(*names: str) -> pl.Expr:
        return pl.lit(" or ".join(root for root in causes.roots if root in names) or every)

    absent, skipped = pl.col("there") == _ABSENT, pl.col("there") == _SKIPPED
    reading_alone = not {"policy", "version"} & {*causes.roots}
    return (
        pl.when(absent & pl.col("outside")).then(pl.lit("settings"))
        .when(absent & pl.col("outside").is_null()).then(of("data", *elsewhere, "settings", "version"))
        .when(absent).then(of("data", *elsewhere, "version"))
        .when(skipped & pl.col("reason").is_in(CHOSEN)).then(of("settings"))
        .when(skipped & (pl.col("reason") == "off in the policy")).then(of("policy"))
        .when(skipped & pl.col("reason").str.ends_with("has no such rule")).then(of("version"))
        .when(skipped).then(of("data", *elsewhere, "version"))
        .when(pl.col("fresh") & reading_alone).then(of("data"))
        .when(pl.col("rule").is_in(severities)).then(of("data", "policy", "coverage", "version"))
        .otherwise(of("data", *elsewhere, "coverage", "version"))
    )  # fmt: skip
