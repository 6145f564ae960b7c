"""What people decide about a case: a decision that holds together, and its entry in the ledger."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from auditor.cases import chain
from auditor.cases.chain import Entry
from auditor.cases.states import COLUMNS, RETURNABLE, STATES, State, about, after, amount_of
from auditor.errors import UsageError
from auditor.schema.names import nearest


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
            near = nearest(self.state, STATES)
            raise UsageError(f"{self.state!r} is not a decision{near}; decisions are {', '.join(STATES)}")
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
        if self.identified_on and (self.state not in RETURNABLE or self.identified_on > self.on):
            raise UsageError("--identified-on goes with corrected and refunded, on or before the day of the decision")
        if self.amount is not None and self.state != "refunded":
            raise UsageError("--amount goes with refunded")


def decide(connection: sqlite3.Connection, number: int, decision: Decision, *, more: bool = False) -> State:
    """Enter a decision within the caller's transaction. Returns where the case stands after it.

    A refund without an amount is of all that is left of the claim's amount; a larger one is refused unless `more`.
    Raises UsageError for that, and for a case that is corrected or refunded before it was confirmed.
    """
    finding, facts, *columns = connection.execute(
        f"SELECT finding, facts, {', '.join(COLUMNS)} FROM cases WHERE number = ?", (number,)
    ).fetchone()
    before = State(*columns)
    if decision.state in RETURNABLE and not (decision.identified_on or before.confirmed_on):
        raise UsageError(
            f"case {number}: only a confirmed case can be {decision.state}; decide `confirmed` first, or give "
            "the day of identification with --identified-on"
        )
    if decision.state == "refunded":
        decision = replace(decision, amount=_refund(connection, number, decision.amount, more=more))
    details: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, date) else str(value)
        for name, value in asdict(decision).items()
        if value is not None and name != "reviewer"
    }
    details |= {"found": about(json.loads(facts))}
    state = after(before, "decided", decision.reviewer, details)
    chain.append(connection, [Entry(decision.reviewer, "decided", finding, json.dumps(details, ensure_ascii=False))])
    assignments = ", ".join(f"{name} = ?" for name in COLUMNS)
    connection.execute(f"UPDATE cases SET {assignments} WHERE number = ?", (*astuple(state), number))
    return state


def assign(connection: sqlite3.Connection, numbers: Iterable[int], assignee: str, by: str) -> None:
    """Enter who works on cases, or with a blank `assignee` that nobody does, within the caller's transaction."""
    query, details = "SELECT finding FROM cases WHERE number = ?", {"to": assignee.strip() or None}
    findings = [connection.execute(query, (number,)).fetchone()[0] for number in numbers]
    text = json.dumps(details, ensure_ascii=False)
    chain.append(connection, [Entry(by, "assigned", finding, text) for finding in findings])


def refundable(connection: sqlite3.Connection, number: int) -> Decimal | None:
    """What is left of the amount of a case's claim after the refunds for it, in dollars; None where it has no amount."""
    query = """
        SELECT facts, refunded_amount, number = ?1 FROM cases JOIN (
          SELECT claim_id, claim_line, cpt_code FROM cases WHERE number = ?1) USING (claim_id, claim_line, cpt_code)"""
    amount, refunded = None, Decimal()
    for facts, part, same in connection.execute(query, (number,)):
        if same and (text := amount_of(json.loads(facts))) is not None:
            amount = Decimal(text)
        refunded += Decimal(part or 0)
    return None if amount is None else max(Decimal(), amount - refunded)


def _refund(connection: sqlite3.Connection, number: int, amount: Decimal | None, *, more: bool) -> Decimal:
    left = refundable(connection, number)
    if amount is None and left is None:
        problem = "its claim has no amount in the export; give the amount refunded with --amount"
        raise UsageError(f"case {number}: {problem}")
    if amount is None:
        return left  # type: ignore[return-value]
    if left is not None and amount > left and not more:
        problem = "--amount is more than the rest of its claim's amount; check it, or enter it with --yes"
        raise UsageError(f"case {number}: {problem}")
    return amount
