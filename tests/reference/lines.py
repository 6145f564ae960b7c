"""Calls, visits, lines and coverage. docs/specification.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.reference.adjustments import Draft, settle
from tests.reference.date_gaps import find_holes
from tests.reference.lists import FAMILY, is_visit_code
from tests.reference.quality import QualityIssues
from tests.reference.tables import adjusts, each_code, load
from tests.reference.values import Clock, read_date, read_instant
from tests.reference.world import MICROSECOND, MINUTE_US, SETTINGS, World


@dataclass(frozen=True)
class Call:
    """One used call. Durations are microseconds."""

    id: str
    row: dict[str, Any]
    start: datetime
    clock_end: datetime | None
    end: datetime | None
    stated: Fraction | None
    lost_hours: bool
    discussion: Fraction | None
    patient: str
    provider: str


@dataclass(frozen=True)
class Visit:
    """One used visit, its group and specialty filled from its provider's row; of kind ``line``, a billed one."""

    id: str
    row: dict[str, Any]
    start: datetime
    date_only: bool
    day: date
    status: str | None
    codes: frozenset[str]
    categories: frozenset[str]
    group: str | None
    specialty: str | None
    origin_claim: str | None
    kind: str = "visit"
    status_sure: bool = True
    calls: frozenset[str] = frozenset()
    """Of a billed visit, the calls that its line has or names."""


@dataclass(frozen=True)
class Line:
    """One billed line with its calls and everything that section 3 derives from them."""

    claim_id: str
    claim_line: str
    code: str
    patient: str
    provider: str
    service_date: date
    last_date: date | None
    """The last day of a range of service dates."""
    status: str
    status_sure: bool
    unmatched: bool
    units: Fraction | None
    modifiers: frozenset[str]
    place_of_service: str | None
    billed: Decimal | None
    paid: Decimal | None
    payer: str | None
    remittance_only: bool
    """A payer's line that fits no line of the claim."""
    calls: tuple[Call, ...]
    named: tuple[Call, ...]
    own_call: str | None
    own_calls: frozenset[str]
    """The calls that the line itself names."""
    source: int
    """The row that it comes from."""
    midnight: datetime
    """The first instant of the service date."""
    start: datetime | None
    end: datetime | None
    problems: frozenset[str]
    categories: frozenset[str]
    own_categories: frozenset[str]
    """Those of the line itself."""
    group: str | None
    specialty: str | None
    credential: str | None
    minutes: int | None
    minutes_source: str | None
    plain_minutes: int | None
    """The plain sum of a doubtful overlap."""
    period_minutes: int | None = None
    period_plain: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.claim_id, self.claim_line, self.code)

    @property
    def by_days(self) -> bool:
        """Without a call it starts and ends on its service date, date-only."""
        return not self.calls

    @property
    def first(self) -> datetime:
        """The start; without a call, the first instant of the service date."""
        return self.start or self.midnight

    @property
    def last(self) -> datetime:
        """The end for the windows of section 5: the start stands for an unknown one."""
        return self.end or self.first

    @property
    def days(self) -> list[date]:
        """Its service date, or each day of its range."""
        last = self.last_date or self.service_date
        return [self.service_date + timedelta(days=n) for n in range((last - self.service_date).days + 1)]

    @property
    def call_ids(self) -> set[str]:
        return {call.id for call in self.calls}

    @property
    def named_ids(self) -> set[str]:
        """The ids of its calls; without one, the id that its row names."""
        # CHOICE: the call that a line names is the claim's call although it is not in the inputs: a visit of that id is
        # the call itself, and lines that name it share it.
        own = {self.own_call} if self.own_call is not None else set()
        return self.call_ids or own

    @property
    def order(self) -> tuple[Any, ...]:
        """Order of lines: (service_date, start with unknown last, claim_id, claim_line as text)."""
        far = datetime.max.replace(tzinfo=UTC)
        # CHOICE: the code breaks the last tie (two codes under one claim_id and claim_line of the calls).
        return (self.service_date, self.start is None, self.start or far, self.claim_id, self.claim_line, self.code)


def make_call(row: dict[str, Any]) -> Call:
    """A call with its end: call_end, else start + stated, else start + discussion, else unknown."""
    start = row["call_start"].at
    clock_end = row["call_end"].at if row["call_end"] is not None else None
    seconds = row["call_minutes"] if row["call_minutes"] is not None else row["call_seconds"]
    stated = None if seconds is None else seconds * 1_000_000
    lost_hours = False
    if stated is not None and clock_end is not None:
        short = microseconds(clock_end - start) - stated
        hours = round(short / 3_600_000_000)
        lost_hours = hours >= 1 and abs(short - hours * 3_600_000_000) <= 60_000_000
    if lost_hours:
        stated = None
    discussion = None if row["discussion_minutes"] is None else row["discussion_minutes"] * 1_000_000
    end = clock_end
    if end is None and stated is not None:
        end = start + timedelta(microseconds=int(stated))
    if end is None and discussion is not None:
        end = start + timedelta(microseconds=int(discussion))
    return Call(
        id=row["call_id"],
        row=row,
        start=start,
        clock_end=clock_end,
        end=end,
        stated=stated,
        lost_hours=lost_hours,
        discussion=discussion,
        patient=row["patient_id"],
        provider=row["provider_id"],
    )


def categories_of(codes: frozenset[str]) -> frozenset[str]:
    """Diagnosis categories: dots removed, first 3 characters."""
    return frozenset(code[:3] for code in codes)


def microseconds(delta: timedelta) -> int:
    """A timedelta as a whole number of microseconds."""
    return delta // MICROSECOND


def own_time(call: Call) -> Fraction | None:
    """A call's own time in microseconds."""
    if call.discussion is not None:
        return call.discussion
    if call.stated is not None:
        return call.stated
    if call.clock_end is not None and not call.lost_hours:
        return Fraction(microseconds(call.clock_end - call.start))
    return None


@dataclass(frozen=True)
class Counted:
    """Calls counted together: microseconds with overlaps once, their plain sum, and is an overlap doubtful?"""

    once: Fraction
    plain: Fraction
    doubtful: bool
    source: str


def count_together(calls: list[Call], clock: Clock) -> Counted | None:
    """Section 3's cumulative time; None where there is no call, or one without a time."""
    if not calls or any(own_time(call) is None for call in calls):
        return None
    plain = sum((length_of(call) for call in calls), Fraction(0))
    once = Fraction(0)
    taken: list[tuple[Fraction, Fraction]] = []
    for call in calls:
        begin, end = stretch_of(call)
        if starts_at_midnight(call, clock):
            once += end - begin
        else:
            taken.append((begin, end))
    covered_to: Fraction | None = None
    for begin, end in sorted(taken):
        fresh = begin if covered_to is None else max(begin, covered_to)
        if end > fresh:
            once += end - fresh
            covered_to = end
    doubtful = any(
        one is not other and do_overlap(one, other, clock) and states_less(one) for one in calls for other in calls
    )
    sources = {source_of(call) for call in calls}
    return Counted(once, plain, doubtful, next(iter(sources)) if len(sources) == 1 else "mixed")


def length_of(call: Call) -> Fraction:
    """The own time of a call that has one."""
    length = own_time(call)
    assert length is not None
    return length


def stretch_of(call: Call) -> tuple[Fraction, Fraction]:
    """A call's stretch, in microseconds: it begins at its start and lasts its own time."""
    begin = Fraction(microseconds(call.start - datetime(1970, 1, 1, tzinfo=UTC)))
    return begin, begin + length_of(call)


def starts_at_midnight(call: Call, clock: Clock) -> bool:
    """Such a call overlaps nothing."""
    local = call.start.astimezone(clock.zone)
    return (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)


def do_overlap(one: Call, other: Call, clock: Clock) -> bool:
    if starts_at_midnight(one, clock) or starts_at_midnight(other, clock):
        return False
    (first, first_end), (second, second_end) = stretch_of(one), stretch_of(other)
    return max(first, second) < min(first_end, second_end)


def states_less(call: Call) -> bool:
    """Does the call state over 1 minute less than end - start?"""
    # CHOICE: what it states is its own time, which is discussion minutes where it has them.
    if call.clock_end is None:
        return False
    return length_of(call) + MINUTE_US < microseconds(call.clock_end - call.start)


def source_of(call: Call) -> str:
    """Where a call's own time comes from."""
    if call.discussion is not None:
        return "discussion"
    return "stated" if call.stated is not None else "clock"


class Book:
    """All records of one world, the coverage, and the settings in force."""

    def __init__(self, world: World) -> None:
        unknown_keys = set(world.settings) - set(SETTINGS)
        if unknown_keys:
            raise ValueError(f"unknown settings: {unknown_keys}")
        self.settings = {**SETTINGS, **world.settings}
        self.clock = Clock(self.settings["timezone"], self.settings["dst"])
        self.has_claims = world.claims is not None
        self.has_calls, self.has_visits = world.calls is not None, world.visits is not None
        self.tables = {
            "calls": load("calls", world.calls, self.clock, self.has_claims),
            "visits": load("visits", world.visits, self.clock, self.has_claims),
            "claims": load("claims", world.claims, self.clock, self.has_claims),
            "providers": load("providers", world.providers, self.clock, self.has_claims),
        }
        self.providers = {row["provider_id"]: row for row in self.tables["providers"].records if row["provider_id"]}
        self.calls = [make_call(row) for row in self.rows_that_are_calls()]
        self.calls.sort(key=lambda call: (call.start, call.id))
        self.call_keys = {(call.patient, call.id) for call in self.calls}
        self.visits = [self.make_visit(row) for row in self.tables["visits"].records]
        self.lines = self.lines_from_claims() if self.has_claims else self.lines_from_calls()
        self.lines.sort(key=lambda line: line.order)
        billed = {call for line in self.lines if line.status == "active" for call in line.call_ids}
        self.lines = [self.with_period(line, billed) for line in self.lines]
        self.all_family = [line for line in self.lines if line.code in FAMILY]
        self.active = [line for line in self.lines if line.status == "active"]
        self.tainted_visits = self.tables["visits"].tainted
        self.tainted_lines = self.tables["claims" if self.has_claims else "calls"].tainted
        self.as_of = self.find_as_of()
        self.visits_since = self.find_visits_since()
        self.claims_since = self.find_claims_since()
        self.visit_holes, self.line_holes = self.find_holes()
        self.billed_visits = [self.billed_visit(line) for line in self.active if self.has_claims]
        self.billed_visits = [visit for visit in self.billed_visits if any(map(is_visit_code, visit.codes))]
        self.quality = QualityIssues(self)

    def billed_visit(self, line: Line) -> Visit:
        """A line as the visit that it bills."""
        blank = dict.fromkeys(
            ("originating_call_id", "problem_id", "modality", "booked_at", "soonest_available", "global_days")
        )
        return Visit(
            id=line.claim_id,
            row=blank | {"patient_id": line.patient, "provider_id": line.provider, "status": "completed"},
            start=line.midnight,
            date_only=True,
            day=line.service_date,
            status="completed",
            codes=frozenset({line.code}),
            categories=line.own_categories,
            group=self.provider_value(line.provider, "group_id"),
            specialty=self.provider_value(line.provider, "specialty"),
            origin_claim=None,
            kind="line",
            status_sure=line.status_sure,
            calls=frozenset(line.named_ids),
        )

    def rows_that_are_calls(self) -> list[dict[str, Any]]:
        """A void or reversal is no call; a replacement is one unless it repeats a call's id."""
        rows = self.tables["calls"].records
        found = [row for row in rows if not adjusts(row)]
        ids = {row["call_id"] for row in found}
        # CHOICE: of several replacements with one call_id, the call is the first by its times: start, end, stated lengths.
        for row in sorted(rows, key=self.times_of):
            if row.get("frequency_code") == "replacement" and row["call_id"] not in ids:
                ids.add(row["call_id"])
                found.append(row)
        return found

    @staticmethod
    def times_of(row: dict[str, Any]) -> tuple[Any, ...]:
        """What a call's row says of when it was, blanks first."""
        ends = row["call_end"]
        lengths = [row[name] for name in ("call_minutes", "call_seconds", "discussion_minutes")]
        known = [None if ends is None else ends.at, *lengths]
        return (row["call_start"].at, *((value is not None, value if value is not None else 0) for value in known))

    def calls_of_the_export(self) -> list[Call]:
        """The calls, and the voids and reversals with a call_id of their own: calls for the coverage, if for no rule."""
        ids = {call.id for call in self.calls}
        own = [make_call(row) for row in self.tables["calls"].records if row["call_id"] not in ids]
        return [*self.calls, *own]

    def exists(self, table: str, column: str) -> bool:
        return column in self.tables[table].columns

    def provider_value(self, provider: str | None, column: str) -> str | None:
        """What a provider's row says, where there is one."""
        if provider not in self.providers:
            return None
        value: str | None = self.providers[provider][column]
        return value

    def make_visit(self, row: dict[str, Any]) -> Visit:
        origin = row["originating_call_id"]
        return Visit(
            id=row["visit_id"],
            row=row,
            start=row["visit_start"].at,
            date_only=row["visit_start"].date_only,
            day=self.clock.day(row["visit_start"].at),
            status="scheduled" if row["status"] == "tentative" else row["status"],
            codes=row["cpt_codes"],
            categories=categories_of(row["diagnosis_codes"]),
            group=row["group_id"] or self.provider_value(row["provider_id"], "group_id"),
            specialty=row["specialty"] or self.provider_value(row["provider_id"], "specialty"),
            origin_claim=None if (row["patient_id"], origin) in self.call_keys else origin,
        )

    # ----- coverage -----

    def find_as_of(self) -> datetime | None:
        text = self.settings["as_of"]
        if text is not None:
            given = read_instant(text, self.clock, "no")
            asked = self.clock.last_instant(self.clock.day(given.at)) if given.date_only else given.at
            return min([asked, *(self.clock.last_instant(max(v.day for v in self.visits)) for _ in self.visits[:1])])
        completed = [visit for visit in self.visits if visit.status == "completed"]
        ends = [self.clock.last_instant(visit.day) if visit.date_only else visit.start for visit in completed]
        if ends:
            return max(ends)
        until = max((call.end or call.start for call in self.calls_of_the_export()), default=None)
        if not self.has_calls:
            dates = [line.service_date for line in self.lines]
            until = self.clock.last_instant(max(dates)) if dates else None
        passed = [visit for visit in self.visits if until is not None and visit.start <= until]
        # CHOICE: of a visit known by its day only, the end of that day, as for completed ones.
        return max((self.clock.last_instant(v.day) if v.date_only else v.start for v in passed), default=None)

    def find_visits_since(self) -> date | None:
        text = self.settings["visits_since"]
        if text is not None:
            return read_date(text, self.clock)
        return min((visit.day for visit in self.visits), default=None)

    def find_claims_since(self) -> date | None:
        text = self.settings["claims_since"]
        if text is not None:
            return read_date(text, self.clock)
        if self.has_claims:
            return min((line.service_date for line in self.lines), default=None)
        return min((self.clock.day(call.start) for call in self.calls_of_the_export()), default=None)

    def find_holes(self) -> list[list[tuple[date, date]]]:
        """Those of the visits, and those of the lines."""
        visits = Counter(self.clock.day(row["visit_start"].at) for row in self.tables["visits"].sound)
        calls = Counter(self.clock.day(row["call_start"].at) for row in self.tables["calls"].sound)
        lines = Counter(row["service_date"] for row in self.tables["claims"].sound) if self.has_claims else calls
        if self.settings["holes"] == "warn":
            return [[], []]
        until = None if self.as_of is None else self.clock.day(self.as_of)
        return [
            find_holes(visits, calls or lines, self.visits_since, until, frozenset()),
            find_holes(lines, visits, self.claims_since, None, frozenset()),
        ]

    def lacks_visits(self, first: date, last: date) -> bool:
        """Does a hole of the visits touch these days?"""
        return any(first <= end and last >= start for start, end in self.visit_holes)

    def lacks_lines(self, first: date, last: date) -> bool:
        """Likewise of the lines."""
        return any(first <= end and last >= start for start, end in self.line_holes)

    # ----- the period -----

    def with_period(self, claim: Line, billed: set[str]) -> Line:
        """The line with its period's minutes, which are its minutes where the settings say so."""
        how = self.settings["cumulative"]
        if how == "claim" or claim.minutes is None:
            return replace(claim, period_minutes=claim.minutes, period_plain=claim.plain_minutes)
        spare = self.spare_calls(claim, billed)
        timed = [call for call in spare if own_time(call) is not None]
        counted = count_together([*claim.calls, *timed], self.clock)
        assert counted is not None
        minutes = int(counted.once // MINUTE_US)
        plain = int(counted.plain // MINUTE_US) if counted.doubtful else None
        claim = replace(claim, period_minutes=minutes, period_plain=plain)
        if how == "ask":
            return claim
        if len(timed) < len(spare):
            return replace(claim, minutes=None, minutes_source=None, plain_minutes=None)
        return replace(claim, minutes=minutes, minutes_source=counted.source, plain_minutes=plain)

    def spare_calls(self, claim: Line, billed: set[str]) -> list[Call]:
        """Calls of its patient and provider in the period that no active line bills, and that are clinical or unsaid."""
        first = claim.service_date - timedelta(days=6)
        return [
            call
            for call in self.calls
            if (call.patient, call.provider) == (claim.patient, claim.provider)
            and call.provider is not None
            and first <= self.clock.day(call.start) <= claim.service_date
            and call.id not in billed
            and call.row["purpose"] not in ("scheduling", "administrative", "follow_up")
        ]

    # ----- lines -----

    def lines_from_calls(self) -> list[Line]:
        """No claims table: calls sharing claim_id (else call_id), claim_line and code are one line."""
        members: dict[tuple[str, str, str], list[tuple[Call, dict[str, Any]]]] = {}
        codes_of_claim: dict[str, set[str]] = {}
        for call in self.calls:
            if adjusts(call.row):
                continue
            claim_id = call.row["claim_id"] or call.id
            for row in each_code(call.row, numbered=False):
                members.setdefault((claim_id, row["claim_line"], row["cpt_code"]), []).append((call, row))
                codes_of_claim.setdefault(claim_id, set()).add(row["cpt_code"])
        for call in self.calls:
            if adjusts(call.row) or call.row["cpt_code"] is not None or call.row["claim_id"] is None:
                continue
            codes = codes_of_claim.get(call.row["claim_id"], set())
            if len(codes) == 1:
                key = (call.row["claim_id"], call.row["claim_line"], next(iter(codes)))
                if key in members:
                    members[key].append((call, call.row | {"source": id(call.row), "shares_cell": False}))
        drafts = []
        for (claim_id, claim_line, code), pairs in members.items():
            earliest, row = min(pairs, key=lambda pair: (pair[0].start, pair[0].id))
            draft = Draft(claim_id, claim_line, code, row, self.clock.day(earliest.start), [call for call, _ in pairs])
            draft.own_calls = frozenset(call.id for call, row in pairs if row["shares_cell"])
            drafts.append(draft)
        adjusting = [row for row in self.tables["calls"].records if adjusts(row)]
        for row in (each for one in adjusting for each in each_code(one, numbered=False)):
            claim_id, day = row["claim_id"] or row["call_id"], self.clock.day(row["call_start"].at)
            mine = [call for call in self.calls if call.id == row["call_id"]]
            draft = Draft(claim_id, row["claim_line"], row["cpt_code"], row, day, mine)
            draft.own_calls = frozenset(call.id for call in mine if row["shares_cell"])
            drafts.append(draft)
        settle(drafts)
        return [self.finish(draft, draft.calls, draft.calls) for draft in drafts]

    def lines_from_claims(self) -> list[Line]:
        """A claims table: a line's calls by call_id, else by claim_id, else by patient, provider and date."""
        drafts = [
            Draft(row["claim_id"], row["claim_line"], row["cpt_code"], row, row["service_date"], [])
            for record in self.tables["claims"].records
            for row in each_code(record, numbered=True)
        ]
        for draft in drafts:
            draft.own_calls = frozenset({draft.row["call_id"]} - {None})
        settle(drafts)
        named_by: list[list[Call] | None] = []
        taken: set[str] = set()
        for draft in drafts:
            row = draft.row
            named: list[Call] | None = None
            if row["call_id"] is not None:
                named = [call for call in self.calls if call.id == row["call_id"]]
            else:
                sharing = [
                    call
                    for call in self.calls
                    if call.row["claim_id"] == row["claim_id"] and call.row["claim_line"] in (None, row["own_line"])
                ]
                if sharing:
                    named = sharing
            named_by.append(named)
            # CHOICE: a call is named where it is among the calls that (1) or (2) gave an active line; a claim_id that
            # (1) overrode names nothing.
            if named is not None and draft.status == "active":
                taken.update(call.id for call in named)
        lines = []
        for draft, named in zip(drafts, named_by, strict=True):
            row = draft.row
            if named is not None:
                calls = named
            else:
                calls = [
                    call
                    for call in self.calls
                    if call.patient == row["patient_id"]
                    and call.provider == row["provider_id"]
                    and call.provider is not None
                    and row["service_date"]
                    <= self.clock.day(call.start)
                    <= (row["service_date_last"] or row["service_date"])
                    and call.id not in taken
                    and call.row["purpose"] not in ("scheduling", "administrative")
                ]
            lines.append(self.finish(draft, calls, named or []))
        return lines

    def claim_rows(self) -> list[dict[str, Any]]:
        """Claims rows with an audited code, in the audited range, that are neither denied nor void by themselves."""
        first, last = (
            date.fromisoformat(self.settings[name]) if self.settings[name] else None
            for name in ("service_from", "service_to")
        )
        return [
            row
            for row in self.tables["claims"].records
            if row["cpt_code"] in self.settings["codes"]
            and row["claim_status"] == "active"
            and row["frequency_code"] != "void"
            and all(row[amount] is None or row[amount] >= 0 for amount in ("billed_amount", "paid_amount"))
            and (first is None or row["service_date"] >= first)
            and (last is None or row["service_date"] <= last)
        ]

    def finish(self, draft: Draft, calls: list[Call], named: list[Call]) -> Line:
        """A draft with its calls."""
        diagnoses = draft.row["diagnosis_codes"] if self.has_claims else frozenset()
        return self.make_line(draft, calls, named, diagnoses)

    def make_line(self, draft: Draft, calls: list[Call], named: list[Call], diagnoses: frozenset[str]) -> Line:
        """Everything of section 3; the draft's row is the claims row, else the earliest call's row."""
        billing = draft.row
        ordered = tuple(sorted(calls, key=lambda call: (call.start, call.id)))
        start = ordered[0].start if ordered else None
        known_ends = [call.end for call in ordered if call.end is not None]
        end = max(known_ends) if known_ends and len(known_ends) == len(ordered) else None
        if not diagnoses:
            diagnoses = frozenset().union(*(call.row["diagnosis_codes"] for call in ordered))
        provider = billing["provider_id"]

        def first_own(column: str, provider_column: str) -> str | None:
            for call in ordered:
                own: str | None = call.row[column]
                if own is not None:
                    return own
            return self.provider_value(provider, provider_column)

        counted = count_together(list(ordered), self.clock)
        own_categories = categories_of(billing["diagnosis_codes"] if self.has_claims else frozenset())
        return Line(
            claim_id=draft.claim_id,
            claim_line=draft.claim_line,
            code=draft.code,
            patient=billing["patient_id"],
            provider=provider,
            service_date=draft.service_date,
            last_date=billing.get("service_date_last"),
            status=draft.status,
            unmatched=draft.unmatched,
            status_sure=billing["claim_status_sure"],
            units=billing["units"],
            modifiers=billing["modifiers"],
            place_of_service=billing.get("place_of_service"),
            billed=billing["billed_amount"],
            paid=billing["paid_amount"],
            remittance_only=bool(billing.get("remittance_only")),
            payer=billing["payer"] or (ordered[0].row["payer"] if ordered else None),
            calls=ordered,
            named=tuple(named),
            own_call=billing.get("call_id") if self.has_claims else None,
            own_calls=draft.own_calls,
            source=billing["source"],
            midnight=self.clock.first_instant(draft.service_date),
            own_categories=own_categories,
            start=start,
            end=end,
            problems=frozenset(call.row["problem_id"] for call in ordered if call.row["problem_id"] is not None),
            categories=categories_of(diagnoses),
            group=first_own("group_id", "group_id"),
            specialty=first_own("specialty", "specialty"),
            credential=first_own("provider_credential", "credential"),
            minutes=None if counted is None else int(counted.once // MINUTE_US),
            minutes_source=None if counted is None else counted.source,
            plain_minutes=None if counted is None or not counted.doubtful else int(counted.plain // MINUTE_US),
        )
