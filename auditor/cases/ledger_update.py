"""One run's marks: every finding new, worse, reopened, persisting or changed; every other case resolved or not seen.

*Resolved* needs the claim to be audited again and the rule to be evaluated and clear. A claim or a related record that left
the export, a rule that was not evaluated or could not be decided: *not seen*, with the reason. Under pseudonyms nobody can
tell which records are still there. A run that repeats the one before, of equal inputs and settings, repeats its marks: what
was new at two is new at eight, but for the cases that were decided since. All of it in the caller's transaction.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import polars as pl

from auditor.cases import chain, checkpoint, known_claims, states, store
from auditor.cases.chain import Entry
from auditor.cases.states import ASSIGNEES, COLUMNS, DECIDED, DOLLARS, HAS_STATE, MARKS, State, after
from auditor.choices import ALARMS, GONE
from auditor.errors import FolderLocked
from auditor.judging.finding_id import joined
from auditor.judging.findings import AMOUNT, CASE, KEYS
from auditor.policy import Policy
from auditor.result import Result
from auditor.rules import ALL
from auditor.rules.rule import Outcome
from auditor.run_summary import Summary
from auditor.schema.outputs import TABLES
from auditor.windows import bounds

FACTS = ("outcome", "patient_id", "provider_id", "service_date", "minutes", "related_kind", "related_id", "related_at",
          "gap_days", "basis", "billed_amount", "paid_amount")  # fmt: skip
_LAST_FACTS = pl.col("facts").str.json_decode(pl.Struct(dict.fromkeys(FACTS, pl.String))).struct.unnest()
_CASE_ID = joined("rule", *KEYS).alias("case")
_CASE_SCHEMA = {
    "number": pl.Int64, **dict.fromkeys(CASE, pl.String), "facts": pl.String, "mark": pl.String, "why": pl.String,
    "first_run": pl.Int64, "last_run": pl.Int64, "marked_run": pl.Int64,
}  # fmt: skip
_AT_ONCE = 1 << 13
_INSTANT = "%FT%T%.fZ"
_CLOSES = "%FT%T%.6fZ"
_UNDECIDED = {**dict.fromkeys(KEYS, pl.String), "closes": pl.String, "unknowns": pl.String}


@dataclass(frozen=True)
class LedgerUpdate:
    """What one run changes in the ledger.

    `cases`: one row per case marked in this run: number, finding_id, the claim's keys, rule, mark, why (of one not seen),
    what was decided (COLUMNS), first_run and last_run (run ids), FACTS, the claim's amount, and the message of a finding.
    `in_summary` is the summary's part.
    """

    cases: pl.DataFrame
    in_summary: dict[str, Any]


def undecided(connection: sqlite3.Connection) -> pl.DataFrame:
    """Claims that earlier runs left incomplete while a window was open: keys, `unknowns`, and when it `closes`."""
    frame = _read(connection, f"SELECT {', '.join(_UNDECIDED)} FROM undecided", _UNDECIDED)
    return frame.with_columns(states.instant(pl.col("closes")))


def related(connection: sqlite3.Connection) -> pl.DataFrame:
    """The records that the findings of current cases rest on: `kind` (visit, claim or call) and `id`."""
    facts = {f"iif(mark <> 'resolved', json_extract(facts, '$.related_{name}'), NULL)": name for name in ("kind", "id")}
    return _read_cases(connection, dict.fromkeys(facts, pl.String)).rename(facts).drop_nulls()


def enter_run(connection: sqlite3.Connection, result: Result, summary: Summary, policy: Policy) -> LedgerUpdate:
    """Enter a finished run: mark its findings, settle what is gone, and write the history."""
    number = 1 + connection.execute("SELECT coalesce(max(number), 0) FROM runs").fetchone()[0]
    began = chain.last(connection)[1]
    if connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (summary.run_id,)).fetchone():
        raise FolderLocked("another run of these exports began in the same millisecond; run again")
    query = "SELECT run_id, version, coalesce(repeats, number) FROM runs WHERE number = ?"
    previous_run, version, base = connection.execute(query, (number - 1,)).fetchone() or (None, None, None)
    digest = _digest(summary.run_id)
    if not digest or (_digest(previous_run), version) != (digest, summary.version):
        base = None
    cases = _read_cases(connection, _CASE_SCHEMA).join(
        _states(connection), on="number", how="left", maintain_order="left"
    )
    cases = cases.with_columns(pl.col("state").fill_null("open"))
    if base is not None:
        cases = cases.with_columns(_CASE_ID)
        cases = cases.join(_decided(connection), on="case", how="left", maintain_order="left").drop("case")
    clockless = pl.col("policy").is_in(summary.policies_without_clock)
    marked = _marked(
        facts(result.findings, clockless), cases, summary.started_utc[:10], number, repeats=base is not None
    )
    marked_since_base = pl.col("marked_run") >= pl.lit(base, pl.Int64)
    if base is not None:
        marked_since_base &= ~(pl.col("decided_run") >= pl.col("marked_run")).fill_null(False)
    is_candidate = (pl.col("mark") != "resolved") | marked_since_base.fill_null(False)
    candidates = cases.join(marked, on=CASE, how="anti").filter(is_candidate)
    missing = _missing(candidates, result, plain=summary.pseudonym_key_id is None)
    counts = {name: (missing if name in GONE else marked).filter(mark=name).height for name in MARKS}
    inputs = hashlib.sha256("".join(entry.sha256 for entry in summary.inputs).encode()).hexdigest()
    as_of = summary.coverage.as_of
    run: dict[str, Any] = {
        "run": summary.run_id, "started": summary.started_utc, "version": summary.version,
        "policy_sha256": summary.policy.sha256, "inputs_sha256": inputs, "as_of": as_of.isoformat() if as_of else None,
    }  # fmt: skip
    store.insert_runs(connection, [(number, *run.values(), json.dumps(counts), base)])
    run |= {"marks": counts, "repeats": base}
    returned = float(cases["refunded_amount"].drop_nulls().cast(DOLLARS).sum())
    work = {"open": marked.filter(state="open").height, "returned": returned}
    run["figures"] = summary.figures.model_dump() | {"new": counts["new"], **work}
    if kept := known_claims.to_keep(connection, result.claims):
        run["claims"] = kept
    _write(connection, marked, missing, number)
    waiting = _update_undecided(connection, result, policy, number)
    knows_reasons = chain.has_reasons(connection)
    run["undecided"] = chain.seal_undecided(connection)
    chain.append(connection, _entries(marked, missing, run, knows_reasons=knows_reasons))
    head = chain.append(connection, [checkpoint.entry(connection)])
    names = _read(connection, "SELECT number, run_id FROM runs", {"number": pl.Int64, "run_id": pl.String})
    in_summary = {
        "run": number,
        "previous_run": previous_run,
        "repeats": dict(names.iter_rows()).get(base),
        "marks": counts,
        "announced": marked.filter(pl.col("event").is_in(ALARMS)).height,
        "undecided": waiting,
        "began": began,
        "head": head,
    }
    assignees = _read(connection, ASSIGNEES, {"case": pl.String, "assignee": pl.String})
    return LedgerUpdate(_cases(marked, missing, names, assignees, policy.timezone), in_summary)


def _cases(
    marked: pl.DataFrame, missing: pl.DataFrame, runs: pl.DataFrame, assignees: pl.DataFrame, zone: str
) -> pl.DataFrame:
    """The cases of a run, sorted by claim and rule; the facts of missing ones are the last ones known."""
    last = [_fact(name, marked.schema[name]) for name in FACTS]
    blank = pl.lit(None, pl.String)
    finding_id = joined("rule", "claim_id", "claim_line")
    missing = missing.with_columns(*last, message=blank, payer=blank, policy=blank, finding_id=finding_id)
    columns = (
        "number",
        "finding_id",
        *CASE,
        "payer",
        "policy",
        "mark",
        "why",
        *COLUMNS,
        "first_run",
        "last_run",
        *FACTS,
        "message",
    )
    both = pl.concat([frame.select(*columns, "facts") for frame in (marked, missing)])
    both = both.with_columns(_CASE_ID).join(assignees, on="case", how="left", maintain_order="left")
    both = both.with_columns(
        pl.col("first_run", "last_run").replace_strict(runs["number"], runs["run_id"], return_dtype=pl.String),
        pl.col("related_at").dt.convert_time_zone(zone),
        amount=AMOUNT,
    )
    typed = [pl.col(name).str.to_date() if dtype == pl.Date else pl.col(name).cast(dtype)
             for name, dtype in DECIDED.items()]  # fmt: skip
    both = both.join(due_dates(both), on="number", how="left").with_columns(typed)
    return both.select(*TABLES["cases"]).sort(*CASE)


def due_dates(cases: pl.DataFrame) -> pl.DataFrame:
    """`number` and `due`, the last day to return the money, of cases whose 60 days run.

    `cases` has COLUMNS as text, and `facts`.
    """
    confirmed = cases.filter(pl.col("confirmed_on").is_not_null())
    running = confirmed.filter(states.fact_in("clock").is_null()).select("number", *COLUMNS).iter_rows()
    dues = {number: State(*clock).due() for number, *clock in running}
    return pl.DataFrame({"number": list(dues), "due": list(dues.values())}, schema={"number": pl.Int64, "due": pl.Date})


def _fact(name: str, dtype: pl.DataType) -> pl.Expr:
    """One of a case's facts, typed as findings have it."""
    text = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return states.instant(text)
    return text.str.to_date() if dtype == pl.Date else text.cast(dtype)


def _read(connection: sqlite3.Connection, query: str, schema: dict[str, Any]) -> pl.DataFrame:
    columns = zip(*connection.execute(query).fetchall(), strict=False)
    return pl.DataFrame(dict(zip(schema, columns, strict=False)), schema=schema)


def _read_cases(connection: sqlite3.Connection, schema: Mapping[str, Any]) -> pl.DataFrame:
    """These columns, or expressions in SQL, of every current case, by number.

    SQLite gives the values of many cases as one text a column, which takes a quarter of the time of rows.
    """
    texts = {name: f"json_group_array({name})" for name in schema} | {"facts": "group_concat(facts, char(10))"}
    query = f"SELECT {', '.join(texts[name] for name in schema)} FROM current_cases WHERE number >= ? AND number < ?"
    lists = {name: pl.col(name).str.json_decode(pl.List(dtype)) for name, dtype in schema.items()}
    lists["facts"] = pl.col("facts").str.split("\n")  # of which JSON has none
    last = connection.execute("SELECT coalesce(max(number), 0) FROM cases").fetchone()[0]
    parts = [pl.DataFrame(schema=schema)]
    for first in range(1, last + 1, _AT_ONCE):
        row = connection.execute(query, (first, first + _AT_ONCE)).fetchone()
        part = pl.DataFrame([row], dict.fromkeys(schema, pl.String), orient="row")
        parts.append(part.select(lists[name] for name in schema).explode(*schema))
    return pl.concat(parts)


def _states(connection: sqlite3.Connection) -> pl.DataFrame:
    """`number` and COLUMNS of the cases that do not stand as a new one does."""
    query = f"SELECT number, {', '.join(COLUMNS)} FROM cases WHERE {HAS_STATE}"
    return _read(connection, query, {"number": pl.Int64, **dict.fromkeys(COLUMNS, pl.String)})


def facts(findings: pl.DataFrame, clockless: pl.Expr) -> pl.DataFrame:
    """The findings' keys, ids, FACTS and messages, and what makes one the same as in the last run, as one text.

    `clockless`: which of them no 60 days run for; their facts say so.
    """
    related_at = pl.col("related_at").dt.convert_time_zone("UTC")
    plain = pl.struct(
        pl.col(name).dt.to_string(_INSTANT) if name == "related_at" else pl.col(name).cast(pl.String) for name in FACTS
    )
    rows = findings.select(*CASE, *FACTS, "finding_id", "message", "payer", "policy").with_columns(related_at)
    rows = rows.with_columns(findings.with_columns(_clockless=clockless.fill_null(False))["_clockless"])
    no_clock = pl.when("_clockless").then(pl.lit(',"clock":"none"}'))
    facts = plain.struct.json_encode().str.strip_suffix("}")
    return rows.with_columns(facts=pl.concat_str(facts, no_clock.otherwise(pl.lit("}")))).drop("_clockless")


def _digest(run_id: str | None) -> str:
    """What a run id says of the run's inputs and settings."""
    return (run_id or "").partition("-")[2]


def _marked(findings: pl.DataFrame, cases: pl.DataFrame, today: str, number: int, *, repeats: bool) -> pl.DataFrame:
    """The run's findings with their marks and the state that follows.

    `event` is what happens in this run, `mark` the same unless the run `repeats` another and nobody decided the case since;
    `quiet` is a case whose mark is not repeated for that reason, `decision` the one that ends where a case is reopened.
    """
    rows = findings.join(cases.rename({"facts": "was"}), on=CASE, how="left", maintain_order="left")
    rows = _with_events(rows, today)
    event = pl.col("event")
    lately = (pl.col("decided_run") >= pl.col("marked_run")).fill_null(False) if repeats else pl.lit(False)
    again = pl.lit(repeats) & (event == "persisting") & ~pl.col("mark").is_in(GONE)
    rows = rows.with_columns(
        before="mark",
        mark=pl.when(again & ~lately).then("mark").otherwise(event),
        quiet=(again & lately & (pl.col("mark") != "persisting")).fill_null(False),
    )
    first = 1 + int(cases["number"].max() or 0)  # type: ignore[arg-type]
    unnumbered = pl.col("number").is_null()
    rows = rows.with_columns(
        number=pl.coalesce("number", unnumbered.cum_sum().cast(pl.Int64) + (first - 1)),
        state=pl.when(unnumbered).then(pl.lit("open")).otherwise("state"),
        first_run=pl.coalesce("first_run", pl.lit(number, pl.Int64)),
        last_run=pl.lit(number, pl.Int64),
        why=pl.lit(None, pl.String),
    )
    return rows.update(_reopened(rows.filter(event="reopened")), on="number", include_nulls=True)


def _with_events(rows: pl.DataFrame, today: str) -> pl.DataFrame:
    """The same with `event` and `decision`; the facts are read only where something happened."""
    stays = (pl.col("facts") == pl.col("was")) & (pl.col("mark") != "resolved") & pl.col("until").is_null()
    rows, is_known = rows.with_row_index("at"), pl.col("number").is_not_null()
    happened = rows.filter(is_known & ~stays.fill_null(False))
    happened = happened.select("at", event=states.event(today), decision=states.ended(today))
    rows = rows.join(happened, on="at", how="left", maintain_order="left").drop("at")
    return rows.with_columns(
        pl.coalesce("event", pl.when(is_known).then(pl.lit("persisting")).otherwise(pl.lit("new")))
    )


def _reopened(rows: pl.DataFrame) -> pl.DataFrame:
    """The numbers and states of cases after they were reopened."""
    columns = ("number", "decision", *COLUMNS)
    reopened = []
    for number, decision, *state in rows.select(columns).iter_rows():
        details = {"state": "open" if decision else state[0], "decision": decision}
        reopened.append((number, *astuple(after(State(*state), "reopened", "audit", details))))
    return pl.DataFrame(reopened, {"number": pl.Int64, **dict.fromkeys(COLUMNS, pl.String)}, orient="row")


def _decided(connection: sqlite3.Connection) -> pl.DataFrame:
    """`case`, as the history names it, and `decided_run`: the run after which it was decided last."""
    query = """
        SELECT finding, (SELECT count(*) FROM history WHERE finding = '' AND what = 'run' AND number < last) FROM (
          SELECT finding, max(number) AS last FROM history WHERE what = 'decided' GROUP BY +finding)"""
    return _read(connection, query, {"case": pl.String, "decided_run": pl.Int64})


def _missing(cases: pl.DataFrame, result: Result, *, plain: bool) -> pl.DataFrame:
    """These cases, without a finding in this run, with their last FACTS as text: resolved, or not seen and why.

    `plain`: ids are as in the inputs.
    """
    lines = result.claims.select("line", *KEYS)
    rows = cases.join(lines, on=KEYS, how="left", maintain_order="left")
    outcomes = result.outcomes.join(rows.select("line"), on="line", how="semi")
    outcome_by_rule = outcomes.unpivot(index="line", variable_name="rule", value_name="outcome_now")
    rows = rows.join(outcome_by_rule, on=["line", "rule"], how="left", maintain_order="left")
    present = result.inputs.quality.previous_records_present().to_struct().implode()
    related = pl.struct(_kind="related_kind", _id="related_id")
    lost = pl.lit(plain) & pl.col("related_id").is_not_null() & ~related.is_in(present)
    rows = rows.with_columns(_LAST_FACTS).with_columns(related_lost=lost)
    skipped = {rule: f"rule not evaluated: {reason}" for rule, reason in result.not_evaluated.items()}
    why = (
        pl.when(mark="resolved").then(None)  # a run repeats it
        .when(pl.col("line").is_null()).then(pl.lit("claim not audited"))
        .when(pl.col("outcome_now").is_null()).then(pl.col("rule").replace_strict(skipped, default="rule not evaluated"))
        .when(pl.col("outcome_now") == Outcome.UNKNOWN).then(pl.lit("rule could not be decided"))
        .when(pl.col("outcome_now") == Outcome.NOT_APPLICABLE).then(pl.lit("rule does not apply any more"))
        .when(pl.col("related_lost")).then(pl.lit("its related record is no longer in the export"))
    )  # fmt: skip
    rows = rows.with_columns(before="mark", why_before="why", why=why)
    mark = pl.when(pl.col("why").is_null()).then(pl.lit("resolved")).otherwise(pl.lit("not_seen"))
    return rows.with_columns(mark=mark)


def _write(connection: sqlite3.Connection, marked: pl.DataFrame, missing: pl.DataFrame, number: int) -> None:
    new, old = marked.filter(event="new"), marked.filter(pl.col("event") != "new")
    columns = ("number", *CASE, "facts", "first_run", "last_run", "mark", "marked_run", "state")
    new = new.with_columns(marked_run=pl.lit(number)).select(columns)
    store.insert_cases(connection, columns, new.iter_rows())
    connection.executemany(
        f"UPDATE cases SET mark = ?, why = NULL, facts = ?, last_run = {number}, marked_run = {number} WHERE number = ?",
        old.filter(_HAS_CHANGED).select("event", "facts", "number").iter_rows(),
    )
    connection.executemany(
        f"UPDATE cases SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE number = ?",
        old.filter(event="reopened").select(*COLUMNS, "number").iter_rows(),
    )
    connection.executemany(
        f"UPDATE cases SET mark = ?, last_run = ?, marked_run = {number} WHERE number = ?",
        missing.filter(_HAS_NEW_MARK).select("mark", "last_run", "number").iter_rows(),
    )
    connection.executemany(
        "UPDATE cases SET why = ? WHERE number = ?",
        missing.filter(pl.col("why").ne_missing(pl.col("why_before"))).select("why", "number").iter_rows(),
    )


_HAS_CHANGED = (pl.col("event") != "persisting") | (pl.col("before") == "not_seen") | pl.col("quiet")
_HAS_NEW_MARK = pl.col("mark") != pl.col("before")
"""What has an entry: a case that had a finding in the last run, or is still not seen for the same reason, has none."""


def _entries(
    marked: pl.DataFrame, missing: pl.DataFrame, run: dict[str, Any], *, knows_reasons: bool
) -> Iterator[tuple[str, str, str, str]]:
    """The run, its new cases, then every other case to which something happened.

    `knows_reasons`: the history has the reason of each case that is not seen, and only another one is written.
    """
    run_id = json.dumps(run["run"])
    yield Entry("audit", "run", details=json.dumps(run, ensure_ascii=False))
    new = marked.filter(event="new")
    if new.height:
        sealed = chain.seal(new.select("number", _CASE_ID, "facts").iter_rows())
        span = {"run": run["run"], "first": new["number"][0], "last": new["number"][-1], "sha256": sealed}
        yield Entry("audit", "new", details=json.dumps(span))
    before = pl.when(pl.col("was") != pl.col("facts")).then(pl.format(', "before": {}', "was")).otherwise(pl.lit(""))
    ended = pl.format(', "decision": {}', pl.format('"{}"', "decision").fill_null(pl.lit("null")))
    decision = pl.when(event="reopened").then(ended).otherwise(pl.lit(""))
    details = pl.concat_str(
        pl.lit(f'{{"run": {run_id}, "state": "'), "state", pl.lit('"'), decision, pl.lit(', "facts": '), "facts", before,
        pl.lit("}"),
    )  # fmt: skip
    changed = marked.filter(_HAS_CHANGED & (pl.col("event") != "new"))
    yield from changed.select(pl.lit("audit").alias("by"), "event", _CASE_ID, details.alias("details")).iter_rows()
    other_reason = pl.col("why").ne_missing(pl.col("why_before")) | pl.lit(not knows_reasons)
    has_entry = _HAS_NEW_MARK | (pl.col("mark") == "not_seen") & other_reason
    for mark, case, why in missing.filter(has_entry).select("mark", _CASE_ID, "why").iter_rows():
        yield Entry("audit", mark, case, json.dumps({"run": run["run"], "why": why}))


def _closing(policy: Policy) -> tuple[pl.Expr, pl.Expr]:
    """When the windows of a claim close under a policy."""
    end = pl.coalesce("call_end", "call_start").dt.convert_time_zone("UTC")
    soon, late = map(pl.coalesce, bounds.closing(end, policy), bounds.closing_by_days(policy))
    return soon, late


def _update_undecided(connection: sqlite3.Connection, result: Result, policy: Policy, number: int) -> dict[str, int]:
    """Remember claims with an unknown outcome whose window is still open; forget those that were audited and have none."""
    as_of = pl.lit(result.coverage.as_of, pl.Datetime("us", "UTC"))
    soon, late = _closing(policy)
    for other in policy.policies.values():
        of_other = pl.col("policy") == other.name
        soon, late = (
            pl.when(of_other).then(its).otherwise(at) for its, at in zip(_closing(other), (soon, late), strict=True)
        )
    waits = pl.any_horizontal(pl.col("unknowns").list.contains(rule.code) for rule in ALL if rule.window == "later")
    closes = pl.when((soon <= as_of) & waits).then(late).otherwise(soon)
    claims = result.claims.select(*KEYS, closes.alias("closes"), pl.col("unknowns").list.join(" "), late=late)
    waiting = claims.filter(pl.col("unknowns") != "", pl.col("closes") > as_of)
    waiting = waiting.select(*KEYS, pl.col("closes").dt.to_string(_CLOSES), "unknowns")
    earlier = undecided(connection)
    # A rule that this run leaves out has not been decided.
    skipped = pl.col("unknowns").str.contains_any(pl.Series([*result.not_evaluated], dtype=pl.String).implode())
    settled = earlier.join(waiting, on=KEYS, how="anti").join(claims.select(*KEYS, "late"), on=KEYS)
    settled = settled.filter((pl.col("late") <= as_of) | ~skipped)
    forget = "DELETE FROM undecided WHERE claim_id = ? AND claim_line = ? AND cpt_code = ?"
    connection.executemany(forget, settled.select(KEYS).iter_rows())
    connection.executemany(
        f"INSERT INTO undecided VALUES (?, ?, ?, ?, ?, {number})"
        " ON CONFLICT DO UPDATE SET closes = excluded.closes, unknowns = excluded.unknowns"
        " WHERE (closes, unknowns) <> (excluded.closes, excluded.unknowns)",
        waiting.iter_rows(),
    )
    total = connection.execute("SELECT count(*) FROM undecided").fetchone()[0]
    return {"waiting": total, "settled": settled.height}
