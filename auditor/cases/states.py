"""What the states and marks of a case mean, in Python, polars and SQL: the only module that says so.

The 60-day clock is that of 42 CFR 401.305(b): an overpayment is reported and returned within 60 days after it was
identified; while related overpayments are investigated in good faith the deadline is suspended, for at most 180 days after
the identification. Only a reviewer starts it, with `confirmed` or `--identified-on`; the program never does.
Source: docs/specification.md#decisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

import polars as pl

from auditor import choices
from auditor.choices import GONE, SETTLED

STATES = get_args(choices.State)
MARKS = get_args(choices.Mark)
FOUND = tuple(mark for mark in MARKS if mark not in GONE)
"""Marks of cases that have a finding."""
RETURNABLE = ("corrected", "refunded")
"""Decisions about an overpayment that was identified."""
_RETURN = timedelta(days=60)
_SUSPENSION = timedelta(days=180)
DOLLARS = pl.Decimal(18, 2)


@dataclass(frozen=True, slots=True)
class State:
    """Where a case stands: what was decided, by whom, why and when. Dates are local dates as ISO text, amounts dollars.

    `reopened_from` is the decision that does not hold any more, of which reviewer, reason and day stay. The `decided_`
    outcome, amount and record (`kind:id`) are those of the finding that was decided. `refunded_amount` sums the refunds.
    """

    state: str = "open"
    reviewer: str | None = None
    reason: str | None = None
    decided_on: str | None = None
    until: str | None = None
    confirmed_on: str | None = None
    investigated_from: str | None = None
    investigated_to: str | None = None
    reopened_from: str | None = None
    decided_outcome: str | None = None
    decided_amount: str | None = None
    decided_record: str | None = None
    refunded_amount: str | None = None

    def due(self) -> date | None:
        """The day by which a confirmed overpayment is to be reported and returned; None where no clock runs."""
        if self.state not in ("confirmed", "open") or not self.confirmed_on:
            return None
        confirmed = date.fromisoformat(self.confirmed_on)
        deadline = confirmed + _RETURN
        begun = max(confirmed, date.fromisoformat(self.investigated_from or self.confirmed_on))
        if not self.investigated_from or begun > deadline:  # a deadline that has passed is not suspended any more
            return deadline
        last = confirmed + _SUSPENSION
        ended = min(date.fromisoformat(self.investigated_to), last) if self.investigated_to else last
        return deadline + max(timedelta(), ended - begun)


COLUMNS = tuple(field.name for field in fields(State))
DECIDED: dict[str, Any] = {
    **dict.fromkeys(COLUMNS, pl.String),
    **dict.fromkeys(("decided_on", "until", "confirmed_on", "investigated_from", "investigated_to"), pl.Date),
    **dict.fromkeys(("decided_amount", "refunded_amount"), DOLLARS),
}
"""The types of COLUMNS in what is published."""

CURRENT_CASES = f"""
    CREATE VIEW IF NOT EXISTS current_cases AS
      SELECT cases.number, finding_id, rule, claim_id, claim_line, cpt_code, facts, first_run, why, marked_run,
        {", ".join(COLUMNS)},
        iif(mark IN {GONE}, last_run, latest) AS last_run,
        iif(mark IN {GONE} OR marked_run >= base, mark, 'persisting') AS mark
      FROM cases, (SELECT max(number) AS latest, coalesce(repeats, number) AS base FROM runs);
    """
"""The cases after the last run, of which only those are written that changed: a row holds from its `marked_run` on."""
ASSIGNEES = """
    SELECT finding, json_extract(details, '$.to') AS assignee FROM history
    WHERE number IN (SELECT max(number) FROM history WHERE what = 'assigned' GROUP BY +finding)"""
"""Who works on a case, by what the history calls it; only the history has it, so that its chain proves it."""
IS_OPEN = f"state = 'open' AND mark NOT IN {GONE}"
"""In SQL, whether a case is open work."""
HAS_STATE = f"(state <> 'open' OR coalesce({', '.join(COLUMNS[1:])}) IS NOT NULL)"
"""In SQL, whether anything of a case's state is not that of a new case."""
HAS_DECISION = "(state <> 'open' OR coalesce(refunded_amount, confirmed_on) IS NOT NULL)"
"""In SQL, whether a case is decided, its clock runs, or money went back for it."""


def after(state: State, event: str, by: str, details: Mapping[str, Any]) -> State:
    """The state of a case after one entry of its history."""
    if event == "new":
        return State()
    if event == "restored":
        return State(**{name: details[name] for name in COLUMNS})
    if event == "reopened" and details["state"] == "open":
        # The clock of an overpayment that was confirmed runs on: it is still to be returned.
        confirmed_on = None if state.state in SETTLED else state.confirmed_on
        before = details["decision"] or state.reopened_from
        return replace(state, state="open", confirmed_on=confirmed_on, reopened_from=before)
    return _decided(state, by, details) if event == "decided" else state


def _decided(state: State, by: str, details: Mapping[str, Any]) -> State:
    decision, found = details["state"], details["found"]
    confirmed_on = state.confirmed_on if decision == "confirmed" or decision in RETURNABLE else None
    started = details["on"] if decision == "confirmed" else details.get("identified_on")
    if started:
        confirmed_on = min(confirmed_on or started, started)
    refunded = None if decision == "open" else state.refunded_amount
    if "amount" in details:
        refunded = str(Decimal(refunded or 0) + Decimal(details["amount"]))
    return State(
        state=decision,
        reviewer=by,
        reason=details["reason"],
        decided_on=details["on"],
        until=details.get("until"),
        confirmed_on=confirmed_on,
        investigated_from=details.get("investigated_from"),
        investigated_to=details.get("investigated_to"),
        decided_outcome=found["outcome"],
        decided_amount=found["amount"],
        decided_record=found["record"],
        refunded_amount=refunded,
    )


def about(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """What a decision is about: the finding's outcome, its claim's amount and its related record."""
    record = f"{facts['related_kind']}:{facts['related_id']}" if facts["related_id"] is not None else None
    return {"outcome": facts["outcome"], "amount": amount_of(facts), "record": record}


def amount_of(facts: Mapping[str, Any]) -> str | None:
    """What was paid, else billed, in dollars."""
    paid: str | None = facts["paid_amount"]
    return paid if paid is not None else facts["billed_amount"]


_IS_DECIDED = (pl.col("state") != "open").fill_null(False)


def event(today: str) -> pl.Expr:
    """The mark of a finding that has a case, from `facts` and from the case: mark, COLUMNS, and `was`, its facts.

    A decision holds for what was decided, a dismissal up to its last day.
    """
    changed = pl.col("facts") != pl.col("was")
    return (
        pl.when((pl.col("mark") == "resolved") | overtaken(today)).then(pl.lit("reopened"))
        .when(changed & ~_IS_DECIDED & worse(fact_in("outcome", "was"), amount_in("was"))).then(pl.lit("worse"))
        .when(changed).then(pl.lit("changed"))
        .otherwise(pl.lit("persisting"))
    )  # fmt: skip


def overtaken(today: str) -> pl.Expr:
    """Whether a decision does not hold any more.

    Its last day has passed, or the finding is worse than the one that was decided or has another related record.
    """
    lapsed = (pl.col("state") == "dismissed") & (pl.col("until") < today).fill_null(False)
    record = pl.concat_str(fact_in("related_kind"), pl.lit(":"), fact_in("related_id"))
    another = record.is_not_null() & record.ne_missing(pl.col("decided_record"))
    differs = worse(pl.col("decided_outcome"), pl.col("decided_amount").cast(DOLLARS)) | another
    return (_IS_DECIDED & (pl.col("facts") != pl.col("was")) & differs) | lapsed


def ended(today: str) -> pl.Expr:
    """The decision that ends with `reopened`, null where there is none: a confirmed case that is back stays confirmed."""
    return pl.when(_IS_DECIDED & (overtaken(today) | (pl.col("state") != "confirmed"))).then("state")


def worse(outcome: pl.Expr, amount: pl.Expr) -> pl.Expr:
    """Whether a finding has a stronger outcome than this, or a larger amount."""
    stronger = (outcome == "review") & (fact_in("outcome") == "violation")
    return stronger.fill_null(False) | (amount_in("facts") > amount).fill_null(False)


def instant(text: pl.Expr) -> pl.Expr:
    """An instant in UTC, of text as the ledger has it."""
    return text.str.to_datetime("%FT%T%.fZ", time_unit="us").dt.replace_time_zone("UTC")


def fact_in(name: str, column: str = "facts") -> pl.Expr:
    """One of the facts in this column, as text."""
    return pl.col(column).str.json_path_match(f"$.{name}")


def amount_in(column: str) -> pl.Expr:
    """What was paid, else billed."""
    return pl.coalesce(fact_in("paid_amount", column), fact_in("billed_amount", column)).cast(DOLLARS)
