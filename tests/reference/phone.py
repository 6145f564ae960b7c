"""The phone log: DUR004, ELG008, INT004. docs/specification.md.

The worlds write the log plainly: ISO times in UTC, one record a row, users as the settings' `phone_users` have them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.reference.evidence import Support, from_records, override
from tests.reference.lines import Book, Call, Line
from tests.reference.world import MINUTE_US, Table, Verdict

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Record:
    """What the telephone system recorded; `stretches` of talk, None where nothing tells."""

    id: str
    user: str
    start: datetime
    end: datetime
    stretches: tuple[tuple[datetime, datetime], ...] | None
    direction: str | None

    @property
    def talk(self) -> timedelta | None:
        """The time of talk; stretches that overlap count once."""
        if self.stretches is None:
            return None
        total, until = timedelta(0), None
        for first, last in sorted(self.stretches):
            first = first if until is None else max(first, until)
            total += max(last - first, timedelta(0))
            until = last if until is None else max(until, last)
        return total


def at(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def records_of(log: Table) -> list[Record]:
    """The records as they stand; one without an id is named by its file and place."""
    found = []
    for number, row in enumerate(log.rows, start=1):
        start, end = at(row["call_start"]), at(row.get("call_end", ""))
        assert start is not None
        talk = timedelta(seconds=int(row["talk_seconds"])) if row.get("talk_seconds") else None
        if talk is not None:
            first = max(start, end - talk) if end else start  # it rings before there is talk
            stretches = ((first, first + talk),)
        else:
            stretches = ((start, end),) if end else None
        last = end or (start + talk if talk is not None else start)
        direction = row.get("direction") if row.get("direction") in ("inbound", "outbound") else None
        name = row.get("record_id") or f"phone_log.csv, record {number}"
        found.append(Record(name, row.get("extension", ""), start, last, stretches, direction))
    return found


def merged(records: list[Record]) -> list[Record]:
    """Records of one user that overlap or follow within a minute as one."""
    found: list[Record] = []
    for record in sorted(records, key=lambda record: (record.user, record.start)):
        last = found[-1] if found else None
        if last is None or last.user != record.user or record.start > last.end + MINUTE:
            found.append(record)
            continue
        both = (last.stretches, record.stretches)
        found[-1] = replace(
            last,
            end=max(last.end, record.end),
            stretches=None if None in both else (*(both[0] or ()), *(both[1] or ())),
            direction=last.direction or record.direction,
        )
    return found


class Log:
    """The log, and which record each call is matched to."""

    def __init__(self, book: Book, log: Table) -> None:
        every = records_of(log)
        self.users: dict[str, list[str]] = book.settings["phone_users"]
        self.first = min((record.start for record in every), default=None)
        self.last = max((record.start for record in every), default=None)
        present = {record.user for record in every}
        self.providers = {provider for provider, users in self.users.items() if present & set(users)}
        records = merged(every)
        pairs = []
        for call in (call for call in book.calls if self.covers(call)):
            for record in records:
                distance = abs(call.start - record.start)
                if record.user in self.users[call.provider] and distance <= 2 * MINUTE:
                    pairs.append((distance, record.start, call.id, record))
        self.matched: dict[str, Record] = {}
        for _, _, call_id, record in sorted(pairs, key=lambda pair: (*pair[:3], pair[3].id)):
            if call_id not in self.matched and record not in self.matched.values():
                self.matched[call_id] = record

    def covers(self, call: Call) -> bool:
        """Whether the log has the call, if there was one."""
        if call.row["purpose"] in ("scheduling", "administrative") or self.first is None or self.last is None:
            return False
        return call.provider in self.providers and self.first <= call.start <= self.last


def is_sparse(log: Log, lines: list[Line]) -> bool:
    """Whether fewer than 9 in 10 of the audited claims' calls inside the log are matched."""
    inside = {call.id for line in lines for call in line.calls if log.covers(call)}
    return 10 * len(inside & log.matched.keys()) < 9 * len(inside)


def phone(rule: str, claim: Line, book: Book, log: Log) -> Verdict:
    """The three rules."""
    supports, unsure = [], False
    for call in claim.calls:
        record = log.matched.get(call.id)
        outcome = judge(rule, call, record) if log.covers(call) else "unknown"
        if outcome == "review":
            kind, name = ("record", record.id) if record else ("call", call.id)
            supports.append(Support(override(rule, outcome, book), kind, name, 0))
        unsure |= outcome == "unknown"
    return from_records(rule, supports, unsure, book)


def judge(rule: str, call: Call, record: Record | None) -> str:
    if rule == "INT004":
        return "clear" if record else "review"
    if record is None:
        return "unknown"
    if rule == "ELG008":
        wanted = {"patient": "inbound", "provider": "outbound", "callback": "outbound"}.get(call.row["initiated_by"])
        if wanted is None or record.direction is None:
            return "unknown"
        return "clear" if wanted == record.direction else "review"
    stated = [length for length in (call.discussion, call.stated) if length is not None]
    if not stated and call.clock_end is not None:
        stated = [(call.clock_end - call.start) // timedelta(microseconds=1)]
    if not stated or record.talk is None:
        return "unknown"
    return "review" if max(stated) - record.talk // timedelta(microseconds=1) > MINUTE_US else "clear"
