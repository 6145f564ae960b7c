"""A sound clinic's year, with weekends, holidays and a part-time provider: nothing is said that a person there would
call noise.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.catalogue import command

FIRST, LAST = date(2025, 1, 2), date(2025, 12, 23)
HOLIDAYS = {
    date(2025, 1, 20),
    date(2025, 5, 26),
    date(2025, 7, 4),
    date(2025, 9, 1),
    date(2025, 11, 27),
    date(2025, 11, 28),
}
SUMMER = {date(2025, 7, 28) + timedelta(days=number) for number in range(5)}
"""A week in which the clinic is closed."""
WORKS = {"1003000126": range(5), "1003000134": range(5), "1003000142": (1, 3)}
"""Provider → weekdays; the last one works on two."""
PATIENTS = 600
Row = dict[str, object]


def open_days(last: date) -> Iterator[date]:
    day = FIRST
    while day <= last:
        if day.weekday() < 5 and day not in HOLIDAYS | SUMMER:
            yield day
        day += timedelta(days=1)


def export(folder: Path, last: date) -> None:
    """The clinic's visits and calls up to a day. Whoever is billed for a call had no visit near, nor another such call."""
    rng = random.Random(98968)
    visits: list[Row] = []
    calls: list[Row] = []
    quiet: dict[int, date] = {}
    for day in open_days(LAST):
        for provider, weekdays in WORKS.items():
            if day.weekday() not in weekdays:
                continue
            free = [patient for patient in range(PATIENTS) if quiet.get(patient, FIRST - timedelta(days=99)) < day]
            for number, patient in enumerate(rng.sample(free, 15)):
                start = datetime(day.year, day.month, day.day, 8) + timedelta(minutes=35 * number)
                problem = rng.choice(("F33.1", "M54.50", "E11.9", "I10", "J20.9"))
                booked = start - timedelta(days=rng.randint(9, 40), minutes=rng.randint(0, 200))
                word = rng.choices(("completed", "cancelled", "no_show"), (88, 8, 4))[0]
                quiet[patient] = max(quiet.get(patient, day), day + timedelta(days=8))
                visits.append(
                    {"visit_id": f"V{day:%y%m%d}{provider[-2:]}{number:02}", "patient_id": f"{100_000 + patient}",
                     "visit_start": start, "provider_id": provider, "status": word, "booked_at": booked,
                     "cpt_codes": "99213" if word == "completed" else "", "diagnosis_codes": problem,
                     "problem_id": f"PL{patient:05}"}
                )  # fmt: skip
            free = [patient for patient in range(PATIENTS) if quiet.get(patient, FIRST - timedelta(days=99)) < day]
            for number, patient in enumerate(rng.sample(free, 4)):
                start = datetime(day.year, day.month, day.day, 9) + timedelta(minutes=113 * number + rng.randint(0, 50))
                minutes = rng.randint(21, 30) if number < 2 else rng.randint(3, 15)
                if number < 2:
                    quiet[patient] = day + timedelta(days=31)
                calls.append(
                    {"call_id": f"K{day:%y%m%d}{provider[-2:]}{number}", "patient_id": f"{100_000 + patient}",
                     "provider_id": provider, "call_start": start, "call_end": start + timedelta(minutes=minutes),
                     "initiated_by": "patient", "established": "yes", "diagnosis_codes": "F33.1",
                     "problem_id": f"PL{patient:05}", "cpt_code": "98968" if number < 2 else "", "units": 1 if number < 2 else "",
                     "billed_amount": "75.00" if number < 2 else "", "provider_credential": "LCSW"}
                )  # fmt: skip
    for name, rows, when in (("visits", visits, "visit_start"), ("calls", calls, "call_start")):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(row for row in rows if row[when].date() <= last)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "ledger_runs",
    [(date(2025, 4, 15), date(2025, 8, 11)), pytest.param((date(2025, 11, 30), LAST), marks=pytest.mark.slow)],
)
def test_a_sound_year_is_quiet(
    ledger_runs: tuple[date, date], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for last in ledger_runs:
        export(tmp_path, last)
        paths = ["--calls", str(tmp_path / "calls.csv"), "--visits", str(tmp_path / "visits.csv")]
        assert (
            command(
                ["run", *paths, "--timezone", "America/New_York", "--out", str(tmp_path / "out"), "--write", "none"]
            )
            == 0
        )
        reported = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
        claims = reported["claims"]
        assert [
            text for text in reported["warnings"] if "no visit of the patients of" not in text
        ] == []  # which every run owes
        assert len(capfd.readouterr().err.splitlines()) == len(reported["warnings"])
        assert (claims["violation"], claims["review"], reported["coverage"]["holes"]) == (0, 0, [])
        assert claims["audited"] > 250
        assert claims["incomplete"] < 60  # whose window is open at the end, or at the beginning
        assert reported["unrecognised"] == []
