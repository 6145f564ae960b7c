"""What people decide about a case, and the clock that a confirmed overpayment starts.

The 60-day clock is that of 42 CFR 401.305(b): an overpayment is reported and returned within 60 days after it was
identified; while related overpayments are investigated in good faith the deadline is suspended, for at most 180 days after
the identification. Only a reviewer's `confirmed` starts it; the program never does.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from typing import Any, get_args

from auditor import choices
from auditor.cases import chain
from auditor.cases.chain import Entry
from auditor.errors import UsageError
from auditor.schema.names import nearest

STATES = get_args(choices.State)
_RETURN = timedelta(days=60)
_SUSPENSION = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class State:
    """Where a case stands: what was decided, by whom, why and when. Dates are local dates as ISO text."""

    state: str = "open"
    reviewer: str | None = None
    reason: str | None = None
    decided_on: str | None = None
    until: str | None = None
    confirmed_on: str | None = None
    investigated_from: str | None = None
    investigated_to: str | None = None

    def due(self) -> date | None:
        """The day by which a confirmed overpayment is to be reported and returned; None where no clock runs."""
        if self.state != "confirmed" or not self.confirmed_on:
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


def after(state: State, what: str, by: str, details: Mapping[str, Any]) -> State:
    """The state of a case after one entry of its history: the only place that says so."""
    if what == "new" or (what == "reopened" and details["state"] == "open"):
        return State()
    if what != "decided":
        return state
    confirmed_on = state.confirmed_on if details["state"] in ("confirmed", "corrected", "refunded") else None
    if details["state"] == "confirmed":
        confirmed_on = min(confirmed_on or details["on"], details["on"])
    return State(
        state=details["state"],
        reviewer=by,
        reason=details["reason"],
        decided_on=details["on"],
        until=details.get("until"),
        confirmed_on=confirmed_on,
        investigated_from=details.get("investigated_from"),
        investigated_to=details.get("investigated_to"),
    )


def decide(connection: sqlite3.Connection, number: int, decision: Decision) -> State:
    """Enter a decision within the caller's transaction. Returns where the case stands after it."""
    row = connection.execute(
        f"SELECT finding, {', '.join(COLUMNS)} FROM cases WHERE number = ?",
        (number,),
    ).fetchone()
    details = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in asdict(decision).items()
        if value is not None and name != "reviewer"
    }
    state = after(State(*row[1:]), "decided", decision.reviewer, details)
    chain.append(connection, [Entry(decision.reviewer, "decided", row[0], json.dumps(details, ensure_ascii=False))])
    assignments = ", ".join(f"{name} = ?" for name in COLUMNS)
    values = [getattr(state, name) for name in COLUMNS]
    connection.execute(f"UPDATE cases SET {assignments} WHERE number = ?", (*values, number))
    return state
