"""A clinic whose exports grow: every record has versions, each known from some night on."""

from __future__ import annotations

import csv
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

Row = dict[str, Any]

CALLS = ("call_id", "patient_id", "provider_id", "call_start", "call_end", "call_minutes", "initiated_by",
         "diagnosis_codes", "cpt_code", "claim_id", "units", "billed_amount", "paid_amount", "claim_status")  # fmt: skip
VISITS = ("visit_id", "patient_id", "provider_id", "visit_start", "modality", "status", "booked_at", "soonest_available",
          "originating_call_id", "cpt_codes", "diagnosis_codes")  # fmt: skip
DIAGNOSES = ("F33.1", "M54.5", "E11.9", "I10")
FIRST = date(2026, 1, 5)
"""The day before the first night."""
HISTORY = 20
"""Days before the first night that its exports hold already."""


class Record:
    """One row through time; None where the exports no longer hold it."""

    def __init__(self, known: int, row: Row) -> None:
        self.versions: list[tuple[int, Row | None]] = [(known, row)]

    def later(self, known: int, **changes: Any) -> None:
        """From this night on the row reads differently."""
        self.versions.append((known, {**self._whole(), **changes}))

    def leaves(self, known: int) -> None:
        """From this night on the row is gone."""
        self.versions.append((known, None))

    def returns(self, known: int) -> None:
        """The row is there again as it was."""
        self.versions.append((known, self._whole()))

    def on(self, ledger_run: int) -> Row | None:
        """The row as that night's exports show it."""
        shown = [row for known, row in self.versions if known <= ledger_run]
        return shown[-1] if shown else None

    def _whole(self) -> Row:
        return next(row for _, row in reversed(self.versions) if row is not None)


class World:
    """The calls and visits of `ledger_runs` nights, drawn once from a seed."""

    def __init__(self, seed: int, ledger_runs: int, daily: int = 4) -> None:
        self.random = random.Random(seed)
        self.calls: list[Record] = []
        self.visits: list[Record] = []
        for day in range(-HISTORY, ledger_runs):
            for _ in range(daily):
                self._episode(day)
            self._routine(day)

    def write(self, folder: Path, ledger_run: int) -> None:
        """The exports of one night."""
        for name, columns, records in (("calls", CALLS, self.calls), ("visits", VISITS, self.visits)):
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(row for record in records if (row := record.on(ledger_run)) is not None)

    def active(self, ledger_run: int) -> dict[str, date]:
        """Claims with an audited code that the exports of one night hold active, with their service dates."""
        days: dict[str, list[date]] = {}
        void = set()
        for record in self.calls:
            row = record.on(ledger_run)
            if row and row.get("cpt_code") == "98968":
                days.setdefault(row["claim_id"], []).append(date.fromisoformat(row["call_start"][:10]))
                if row.get("claim_status") in ("void", "denied"):
                    void.add(row["claim_id"])
        return {claim: min(dates) for claim, dates in days.items() if claim not in void}

    def _episode(self, day: int) -> None:
        """A billed call, mostly with visits around it, and what becomes of them later."""
        draw = self.random
        number = len(self.calls) + 1
        start = _instant(day, draw.randrange(8 * 60, 18 * 60))
        minutes = draw.choices(("25", "21", "30", "28", "12", "41", ""), (40, 5, 5, 30, 8, 6, 6))[0]
        patient, provider = f"P{draw.randrange(90):03d}", f"D{draw.randrange(8)}"
        row = {
            "call_id": f"K{number:05d}", "claim_id": f"C{number:05d}", "patient_id": patient, "provider_id": provider,
            "call_start": start.isoformat(), "call_end": (start + timedelta(minutes=int(minutes or 20))).isoformat(),
            "call_minutes": minutes, "initiated_by": draw.choices(("patient", "provider", "callback", ""), (90, 4, 3, 3))[0],
            "diagnosis_codes": draw.choice((*DIAGNOSES, "")), "cpt_code": draw.choices(("98968", "98966"), (95, 5))[0],
            "units": draw.choices(("1", "2", ""), (96, 2, 2))[0], "billed_amount": f"{draw.randrange(4000, 7000) / 100:.2f}",
            "paid_amount": f"{draw.randrange(2000, 4000) / 100:.2f}", "claim_status": "",
        }  # fmt: skip
        if draw.random() < 0.03:
            row["call_end"] = row["call_minutes"] = ""  # when it ended is not known yet
        entered = max(day, 0) + draw.choice((1, 1, 1, 2, 3))
        call = Record(entered, row)
        self.calls.append(call)
        if draw.random() < 0.06:  # a second call of the same claim
            more = start + timedelta(hours=2)
            self.calls.append(Record(entered, row | {"call_id": f"K{number:05d}B", "call_start": more.isoformat(),
                                                     "call_end": (more + timedelta(minutes=9)).isoformat(), "call_minutes": "9"}))  # fmt: skip
        for gap in draw.choices((-10, -6, -3, -1, 1, 1, 3, 8, 13), k=draw.choice((0, 0, 0, 1, 1, 2))):
            self._visit(day, start, gap, row, draw.choice((0, 1, 1, 2, 5, 12)))
        self._becomes(call, entered, start)

    def _visit(self, day: int, start: datetime, gap: int, call: Row, late: int) -> None:
        draw = self.random
        at = start + timedelta(days=gap, minutes=-20)
        booked = draw.choice((start + timedelta(minutes=30), start - timedelta(days=12), None))
        if booked and booked > at:
            booked = at - timedelta(days=3)
        linked = gap > 0 and draw.random() < 0.3
        row = {
            "visit_id": f"V{len(self.visits) + 1:05d}", "patient_id": call["patient_id"],
            "provider_id": draw.choice((call["provider_id"], f"D{draw.randrange(8)}")), "visit_start": at.isoformat(),
            "modality": draw.choice(("in_person", "telehealth")), "status": "completed",
            "booked_at": booked.isoformat() if booked else "", "soonest_available": draw.choice(("", "true", "false")),
            "originating_call_id": call["call_id"] if linked else "", "cpt_codes": "99213",
            "diagnosis_codes": draw.choice((call["diagnosis_codes"], draw.choice(DIAGNOSES), "")),
        }  # fmt: skip
        held = max(day + gap + 1, 1)
        entered = max(held + late, 1)
        if gap > 0 and draw.random() < 0.5:  # booked ahead: known as scheduled, settled afterwards
            visit = Record(max(day + 1, 1), row | {"status": "scheduled"})
            visit.later(
                max(entered, max(day + 1, 1) + 1),
                status=draw.choice(("completed", "completed", "cancelled", "no_show")),
            )
        else:
            visit = Record(entered, row)
        if draw.random() < 0.08:
            visit.later(entered + draw.randrange(2, 15), status="cancelled")
        elif draw.random() < 0.05:
            visit.leaves(entered + draw.randrange(2, 15))
        self.visits.append(visit)

    def _routine(self, day: int) -> None:
        """A completed visit at every day's end: the visits are complete up to it."""
        start = _instant(day, 19 * 60)
        self.visits.append(Record(max(day + 1, 1), {
            "visit_id": f"R{day + HISTORY:05d}", "patient_id": "PX", "provider_id": "D0", "visit_start": start.isoformat(),
            "modality": "in_person", "status": "completed", "cpt_codes": "99213"}))  # fmt: skip

    def _becomes(self, call: Record, entered: int, start: datetime) -> None:
        """Voids, corrections, rows that leave and come back."""
        draw = self.random
        ledger_run = entered
        for _ in range(draw.choices((0, 1, 2, 3), (55, 25, 13, 7))[0]):
            ledger_run += draw.randrange(1, 16)
            what = draw.choice(("void", "active", "minutes", "minutes", "amount", "provider", "date", "leaves", "code"))
            if what == "void":
                call.later(ledger_run, claim_status=draw.choice(("void", "void", "denied")))
            elif what == "active":
                call.later(ledger_run, claim_status="", cpt_code="98968")
            elif what == "minutes":
                length = draw.choice((14, 22, 25, 38))
                call.later(
                    ledger_run, call_minutes=str(length), call_end=(start + timedelta(minutes=length)).isoformat()
                )
            elif what == "amount":
                call.later(ledger_run, paid_amount=f"{draw.randrange(0, 4000) / 100:.2f}")
            elif what == "provider":
                call.later(ledger_run, provider_id=f"D{draw.randrange(8)}")
            elif what == "date":
                moved = start + timedelta(days=draw.choice((-1, 1)))
                call.later(
                    ledger_run, call_start=moved.isoformat(), call_end=(moved + timedelta(minutes=25)).isoformat()
                )
            elif what == "code":
                call.later(ledger_run, cpt_code=draw.choice(("98967", "98968")))
            else:
                call.leaves(ledger_run)
                if draw.random() < 0.7:
                    ledger_run += draw.randrange(1, 6)
                    call.returns(ledger_run)


def _instant(day: int, minute: int) -> datetime:
    return datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day, minutes=minute)
