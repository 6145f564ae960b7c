"""The slow reference: audit98968's rules as plain loops, written from docs/specification.md alone.

Nothing here is clever. One function reads a table, one builds the lines, one judges each rule; the fast engine must
agree with all of it. Comments that start with ``CHOICE`` mark places where docs/specification.md leaves room and say which reading
was taken.

Entry point: ``audit(World) -> Result``.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import date
from typing import Any

from tests.reference.columns import COLUMNS, REQUIRED
from tests.reference.doc import DOC_COLUMNS, doc
from tests.reference.dur import dur001, dur002, dur003
from tests.reference.elg import elg001, elg002, elg003, elg004, elg005, elg006, elg007
from tests.reference.evidence import worst
from tests.reference.exc import exc001
from tests.reference.frq import calls_of, frq001_all, frq002, frq003, frq004, frq005
from tests.reference.int import int001, int002, int003
from tests.reference.lah import lah001, lah002
from tests.reference.lbk import lbk001, lbk002
from tests.reference.lines import Book, Line
from tests.reference.lists import BANDS, FAMILY
from tests.reference.payers import judges
from tests.reference.phone import Log, is_sparse, phone
from tests.reference.ranges import open_rules
from tests.reference.world import ClaimResult, Result, Table, Verdict, World

__all__ = ["COLUMNS", "FAMILY", "REQUIRED", "RULES", "Result", "Table", "World", "audit"]

RULES = (
    *("DUR001", "DUR002", "DUR003", "LBK001", "LBK002", "LAH001", "LAH002"),
    *("FRQ001", "FRQ002", "FRQ003", "FRQ004", "FRQ005"),
    *("ELG001", "ELG002", "ELG003", "ELG004", "ELG005", "ELG006"),
    *("DOC001", "DOC002", "DOC003", "DOC004", "DOC005", "EXC001", "INT001", "INT002", "INT003"),
    *("DOC006", "ELG007"),
    *("DUR004", "ELG008", "INT004"),
)

OF_PHONE_LOG = {"DUR004", "ELG008", "INT004"}

# CHOICE: ELG003 and FRQ005 can be answered from the provider's row, ELG004, FRQ001-3 and EXC001 from the line: these
# stay applicable for a claim without a call.
READS_CALLS = {
    *("DUR001", "DUR002", "DUR003", "FRQ004"),
    *("ELG001", "ELG002", "ELG005", "ELG006", "INT002", "INT003", *DOC_COLUMNS),
    *OF_PHONE_LOG,
}

BY_DAYS = {"LBK001", "LBK002", "LAH001", "LAH002"}
"""Rules that read calls, and weigh a claim without one by days."""

NEED_CALLS = {
    *("DUR001", "DUR002", "DUR003", "ELG001", "ELG002", "ELG005", "ELG006"),
    *("INT001", "INT002", "INT003", *DOC_COLUMNS),
    *OF_PHONE_LOG,
}
"""Not evaluated where there is no table of calls."""

RULE_FUNCTIONS = {
    "DUR001": dur001,
    "DUR002": dur002,
    "DUR003": dur003,
    "LBK001": lbk001,
    "LBK002": lbk002,
    "LAH001": lah001,
    "LAH002": lah002,
    "FRQ002": frq002,
    "FRQ003": frq003,
    "FRQ004": frq004,
    "FRQ005": frq005,
    "ELG001": elg001,
    "ELG002": elg002,
    "ELG003": elg003,
    "ELG004": elg004,
    "ELG005": elg005,
    "ELG006": elg006,
    "ELG007": elg007,
    "EXC001": exc001,
    "INT001": int001,
    "INT002": int002,
    "INT003": int003,
}


def find_not_evaluated(book: Book, judging: list[Book]) -> set[str]:
    """Rules whose columns do not exist, or that no policy that judges has on and asks for."""
    billing = "claims" if book.has_claims else "calls"
    needs = {
        "ELG001": book.exists("calls", "initiated_by"),
        "ELG002": book.exists("calls", "established"),
        "ELG005": book.exists("calls", "caller"),
        "ELG006": book.exists("calls", "purpose"),
        **{rule: book.exists("calls", column) for rule, column in DOC_COLUMNS.items()},
        "ELG003": book.exists("calls", "provider_credential") or book.exists("providers", "credential"),
        "ELG004": book.exists("providers", "license_start") or book.exists("providers", "license_end"),
        "FRQ003": book.exists(billing, "units"),
        "FRQ005": all(
            book.exists("calls", column) or book.exists("providers", column) for column in ("group_id", "specialty")
        ),
        "EXC001": book.exists("visits", "cpt_codes"),
        "LBK002": book.exists("visits", "global_days"),
        "LAH002": any(
            book.exists("visits", column) for column in ("soonest_available", "booked_at", "originating_call_id")
        ),
        "INT001": book.has_claims,
        "FRQ004": book.has_calls or book.exists("claims", "call_id"),
    }
    missing = {rule for rule, enough in needs.items() if not enough}
    missing |= set() if book.has_calls else NEED_CALLS
    missing |= set() if book.has_visits else {"LBK002", "LAH002", "EXC001"}
    off = [off_in(some) for some in judging]
    # CHOICE: what one of the policies needs and the inputs lack leaves ELG007 out under all of them.
    for some in judging:
        if "ELG007" not in off_in(some):
            lacks_modifiers = some.settings["modifiers"] and not book.exists(billing, "modifiers")
            lacks_places = some.settings["place_of_service"] and not (
                book.has_claims and book.exists("claims", "place_of_service")
            )
            missing |= {"ELG007"} if lacks_modifiers or lacks_places else set()
    return missing | (set.intersection(*off) if off else set())


def off_in(book: Book) -> set[str]:
    """Rules that a policy has off, or does not ask for."""
    off = {rule for rule, severity in book.settings["severity"].items() if severity == "off"}
    off |= set() if book.settings["consent"] else {"DOC006"}
    return off | (set() if book.settings["modifiers"] or book.settings["place_of_service"] else {"ELG007"})


def judge(
    rule: str, claim: Line, book: Book, frq001: dict[tuple[str, str, str], Verdict], log: Log | None = None
) -> Verdict:
    """One rule for one claim; not applicable wins over everything."""
    astray = rule in READS_CALLS | BY_DAYS and book.quality.call_astray(claim)
    if not claim.calls and rule in READS_CALLS and not (rule == "FRQ004" and calls_of(claim, book)):
        return Verdict("unknown" if astray else "not applicable")
    if rule == "FRQ001":
        return frq001[claim.key]
    if rests_on_rounded(rule, claim, book):
        book = copy(book)
        book.settings = book.settings | {"severity": book.settings["severity"] | {rule: "review"}}
    if rule in OF_PHONE_LOG:
        verdict = phone(rule, claim, book, log)
    else:
        verdict = doc(rule, claim, book) if rule in DOC_COLUMNS else RULE_FUNCTIONS[rule](claim, book)
    return Verdict("unknown") if astray and verdict.outcome == "clear" else verdict


def rests_on_rounded(rule: str, claim: Line, book: Book) -> bool:
    """Does what the rule says of the claim rest on ids that look like rounded numbers? Then it gives review at most."""
    parties = ("patient_id", "provider_id")
    joins = {"ELG003": parties[1:], "ELG004": parties[1:], "FRQ004": ("call_id", "claim_id"), "EXC001": parties}
    joins |= dict.fromkeys(("INT001", "INT002"), ("call_id", "claim_id", *parties))
    by_call = rule in READS_CALLS | BY_DAYS and book.quality.call_rounded(claim)
    return by_call or book.quality.is_rounded(*joins.get(rule, ()))


def supportable_code(minutes: int | None) -> str | None:
    """The family code whose band holds the minutes, "none" under 5, None over 30 or unknown."""
    if minutes is None or minutes > 30:
        return None
    for code, (low, high) in BANDS.items():
        if low <= minutes <= high:
            return code
    return "none"


def in_service_range(line: Line, book: Book) -> bool:
    first, last = book.settings["service_from"], book.settings["service_to"]
    if first is not None and line.service_date < date.fromisoformat(first):
        return False
    return not (last is not None and line.service_date > date.fromisoformat(last))


def once_per_row(claims: dict[Any, ClaimResult], sources: dict[Any, int]) -> None:
    """Of the claims that one row bills with several codes, only the first of the worst has its amounts."""
    worst_first = {"violation": 0, "review": 1}
    billed = set()
    for key in sorted(claims, key=lambda key: (worst_first.get(claims[key].disposition, 2), key)):
        if sources[key] in billed:
            claims[key] = replace(claims[key], at_risk_amount=None, review_amount=None)
        billed.add(sources[key])


def audit(world: World) -> Result:
    """Audit one world by the letter of docs/specification.md."""
    book = Book(world)
    judging, book_of = judges(world, book)
    not_evaluated = find_not_evaluated(book, judging)
    log = Log(book, world.phone_log) if world.phone_log and world.calls else None
    not_evaluated |= set() if log else OF_PHONE_LOG
    frq001 = frq001_all(book, book_of)
    claims = {}
    # CHOICE: void and denied lines are counted where their service date is in the audited range, as claims are.
    wanted = [line for line in book.lines if line.code in book.settings["codes"] and in_service_range(line, book)]
    audited = [line for line in wanted if line.status == "active"]
    not_evaluated |= {"INT004"} if log and is_sparse(log, audited) else set()
    for line in wanted:
        if line.status != "active":
            continue
        own = book_of(line)
        outcomes = dict.fromkeys((rule for rule in RULES if rule not in not_evaluated), Verdict("not applicable"))
        if own is not None:
            line = next(same for same in own.lines if same.key == line.key)  # its minutes depend on the policy
            outcomes |= {rule: judge(rule, line, own, frq001, log) for rule in outcomes.keys() - off_in(own)}
            clear = {rule for rule, verdict in outcomes.items() if verdict.outcome == "clear"} - off_in(own)
            outcomes |= dict.fromkeys(open_rules(line, own, clear, judge, book_of), Verdict("unknown"))
        disposition = worst([verdict.outcome for verdict in outcomes.values()]) if own else "not applicable"
        amount = line.paid if line.paid is not None else line.billed
        claims[line.key] = ClaimResult(
            patient_id=line.patient,
            provider_id=line.provider,
            service_date=line.service_date,
            start=line.start,
            end=line.end,
            minutes=line.minutes,
            minutes_source=line.minutes_source,
            call_ids=tuple(sorted(line.call_ids)),
            disposition="incomplete" if disposition == "unknown" else disposition,
            supportable_code=supportable_code(line.minutes),
            at_risk_amount=amount if disposition == "violation" else None,
            outcomes=outcomes,
            review_amount=amount if disposition == "review" else None,
        )
    once_per_row(claims, {line.key: line.source for line in wanted if line.status == "active"})
    return Result(
        coverage={"as_of": book.as_of, "visits_since": book.visits_since, "claims_since": book.claims_since},
        not_evaluated=not_evaluated,
        rejects={name: loaded.rejects for name, loaded in book.tables.items()},
        claims=claims,
        void=sum(line.status == "void" for line in wanted),
        denied=sum(line.status == "denied" for line in wanted),
    )
