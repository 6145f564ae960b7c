"""What people decide about a case, what it does to the case, and the clock that a confirmed overpayment starts.

The 60-day clock is that of 42 CFR 401.305(b): an overpayment is reported and returned within 60 days after it was
identified; while related overpayments are investigated in good faith the deadline is suspended, for at most 180 days after
the identification. Only a reviewer starts it, with `confirmed` or `--identified-on`; the program never does.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

from auditor import choices
from auditor.cases import chain
from auditor.cases.chain import Entry
from auditor.choices import SETTLED
from auditor.errors import UsageError
from auditor.schema.names import nearest

STATES = get_args(choices.State)
_RETURN = timedelta(days=60)
_SUSPENSION = timedelta(days=180)
_RETURNABLE = ("corrected", "refunded")
"""Decisions about an overpayment that was identified."""


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


@dataclass(frozen=True)
class Decision:
    """A reviewer's word on a case. Raises UsageError where it does not hold together."""

    state: str
    reviewer: str
    reason: str
    on: date
    until: date | None = None
    investigated_from: date | None = None
    investigated_to: date | None = None
    identified_on: date | None = None
    amount: Decimal | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise UsageError(
                f"{self.state!r} is no decision{nearest(self.state, STATES)}; decisions are {', '.join(STATES)}"
            )
        if not self.reviewer.strip():
            raise UsageError("a decision needs its reviewer: --by NAME")
        if not self.reason.strip():
            raise UsageError("a decision needs its reason: --reason TEXT")
        if self.until and (self.state != "dismissed" or self.until < self.on):
            raise UsageError("--until is the last day of a dismissal, on or after the day of the decision")
        if (self.investigated_from or self.investigated_to) and self.state != "confirmed":
            raise UsageError("--investigated-from and --investigated-to go with confirmed")
        if self.investigated_to and not self.investigated_from:
            raise UsageError("--investigated-to needs --investigated-from")
        if self.investigated_from and self.investigated_to and self.investigated_to < self.investigated_from:
            raise UsageError("--investigated-to is before --investigated-from")
        if self.identified_on and (self.state not in _RETURNABLE or self.identified_on > self.on):
            raise UsageError("--identified-on goes with corrected and refunded, on or before the day of the decision")
        if self.amount is not None and self.state != "refunded":
            raise UsageError("--amount goes with refunded")


def after(state: State, event: str, by: str, details: Mapping[str, Any]) -> State:
    """The state of a case after one entry of its history: the only place that says so."""
    if event == "new":
        return State()
    if event == "reopened" and details["state"] == "open":
        return _reopened(state, details)
    return _decided(state, by, details) if event == "decided" else state


def _reopened(state: State, details: Mapping[str, Any]) -> State:
    """Open again. The clock of an overpayment that was confirmed runs on: it is still to be returned."""
    if state.state in SETTLED:
        state = replace(state, confirmed_on=None)
    return replace(state, state="open", reopened_from=details["decision"] or state.reopened_from)


def _decided(state: State, by: str, details: Mapping[str, Any]) -> State:
    decision, found = details["state"], details.get("found", {})
    confirmed_on = state.confirmed_on if decision == "confirmed" or decision in _RETURNABLE else None
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
        decided_outcome=found.get("outcome"),
        decided_amount=found.get("amount"),
        decided_record=found.get("record"),
        refunded_amount=refunded,
    )


def decide(connection: sqlite3.Connection, number: int, decision: Decision, *, more: bool = False) -> State:
    """Enter a decision within the caller's transaction. Returns where the case stands after it.

    A refund without an amount is of all that is left of the claim's amount; a larger one is refused unless `more`.
    Raises UsageError for that, and for a case that is corrected or refunded before it was confirmed.
    """
    finding, facts, *columns = connection.execute(
        f"SELECT finding, facts, {', '.join(COLUMNS)} FROM cases WHERE number = ?", (number,)
    ).fetchone()
    before = State(*columns)
    if decision.state in _RETURNABLE and not (decision.identified_on or before.confirmed_on):
        raise UsageError(
            f"case {number}: only a confirmed case can be {decision.state}; decide `confirmed` first, or say with "
            "--identified-on when the overpayment was identified"
        )
    if decision.state == "refunded":
        decision = replace(decision, amount=_refund(connection, number, decision.amount, more=more))
    details: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, date) else str(value)
        for name, value in asdict(decision).items()
        if value is not None and name != "reviewer"
    }
    details |= {"found": _found(json.loads(facts))}
    state = after(before, "decided", decision.reviewer, details)
    chain.append(connection, [Entry(decision.reviewer, "decided", finding, json.dumps(details, ensure_ascii=False))])
    assignments = ", ".join(f"{name} = ?" for name in COLUMNS)
    values = [getattr(state, name) for name in COLUMNS]
    connection.execute(f"UPDATE cases SET {assignments} WHERE number = ?", (*values, number))
    return state


def refundable(connection: sqlite3.Connection, number: int) -> Decimal | None:
    """What is left of the amount of a case's claim after the refunds for it, in dollars; None where it has no amount."""
    query = """
        SELECT facts, refunded_amount, number = ?1 FROM cases JOIN (
          SELECT claim_id, claim_line, cpt_code FROM cases WHERE number = ?1) USING (claim_id, claim_line, cpt_code)"""
    amount, refunded = None, Decimal()
    for facts, part, same in connection.execute(query, (number,)):
        if same and (text := _amount(json.loads(facts))) is not None:
            amount = Decimal(text)
        refunded += Decimal(part or 0)
    return None if amount is None else max(Decimal(), amount - refunded)


def _refund(connection: sqlite3.Connection, number: int, amount: Decimal | None, *, more: bool) -> Decimal:
    left = refundable(connection, number)
    if amount is None and left is None:
        raise UsageError(f"case {number}: its claim has no amount in the export; say with --amount what was refunded")
    if amount is None:
        return left  # type: ignore[return-value]
    if left is not None and amount > left and not more:
        raise UsageError(
            f"case {number}: --amount is more than what is left to refund for its claim; check it, or enter it with --yes"
        )
    return amount


def _found(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """What a decision is about: the finding's outcome, its claim's amount and its related record."""
    record = f"{facts['related_kind']}:{facts['related_id']}" if facts["related_id"] is not None else None
    return {"outcome": facts["outcome"], "amount": _amount(facts), "record": record}


def _amount(facts: Mapping[str, Any]) -> str | None:
    """What was paid, else billed."""
    paid: str | None = facts["paid_amount"]
    return paid if paid is not None else facts["billed_amount"]
