"""A quarter of nightly runs, reviewers at work between them, and the replay beside every one of them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import xlsxwriter

import auditor.cases.chain
import cli.cases
import cli.run
from tests.slow.ledger.clinic import FIRST, World
from tests.slow.ledger.replay import MARKS, Claim, Key, Recorded, Replay

CASE_COLUMNS = {
    "first_run": "first_run",
    "last_run": "last_run",
    "state": "state",
    "outcome": "outcome",
    "amount": "amount",
    "refunded_amount": "refunded_amount",
}
POLICIES = {
    "narrow": 'name = "narrow"\nhorizon_days = 10\n[bands]\n98968 = { low = 23, high = 30 }\n',
    "dated": 'name = "dated"\neffective_from = 2026-02-20\n',
}


@dataclass(frozen=True)
class Plan:
    """What is special about which nights."""

    ledger_runs: int = 90
    lost: frozenset[int] = frozenset({50, 51})
    refused: frozenset[int] = frozenset({33})
    selected: frozenset[int] = frozenset({37})
    recent: frozenset[int] = frozenset({*range(53, 60), *range(80, 84)})
    early: frozenset[int] = frozenset({75})
    held_back: frozenset[int] = frozenset({20, 65})
    again: frozenset[int] = frozenset({3, 12, 37, 45, 56, 72, 88})
    policies: dict[int, str] = field(default_factory=lambda: {
        **dict.fromkeys(range(40, 62), "strict"), **dict.fromkeys(range(62, 91), "narrow"), 30: "bcbs-ma", 70: "dated"})  # fmt: skip


SHORT = Plan(ledger_runs=14, lost=frozenset({4}), refused=frozenset({6}), selected=frozenset({8}), recent=frozenset({10, 11, 12}),
             early=frozenset(), held_back=frozenset({5}), again=frozenset({3, 9, 11, 13}), policies={9: "strict", 10: "strict"})  # fmt: skip


class Clock(datetime):
    """The program's clock, at two in the morning of the simulated night."""

    this_run = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return cls.this_run


@contextlib.contextmanager
def simulated() -> Iterator[None]:
    """The commands of this process live in the simulated night."""
    modules = (cli.run, cli.cases, auditor.cases.chain)
    for module in modules:
        module.datetime = Clock  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.datetime = datetime  # type: ignore[attr-defined]


def audit98968(*words: str) -> tuple[int, str]:
    """One command within this process. Returns exit code and standard output."""
    from cli.app import app

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    before, sys.stdout = sys.stdout, out
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            app(args=list(words), prog_name="audit98968")
            code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout = before
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]


class Quarter:
    """Night after night in one folder; `differences` says where program and replay part."""

    def __init__(self, folder: Path, plan: Plan, seed: int = 1, daily: int = 4) -> None:
        self.folder, self.plan, self.out = folder, plan, folder / "out"
        self.world, self.random = World(seed, plan.ledger_runs, daily), random.Random(seed)
        self.replay = Replay()
        self.numbers: dict[Key, int] = {}
        self.differences: list[str] = []
        self.tally: Counter[str] = Counter()
        self.words: list[str] = []
        for name, text in POLICIES.items():
            (folder / f"{name}.toml").write_text(text)

    def whole(self, progress: Callable[[str], None] = lambda line: None) -> None:
        """Every night of the plan, with a day of reviews after each."""
        with simulated():
            for ledger_run in range(1, self.plan.ledger_runs + 1):
                Clock.this_run = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=ledger_run, hours=2)
                if ledger_run in self.plan.lost:
                    self.tally["nights lost"] += 1
                    continue
                self.ledger_run(ledger_run)
                self.reviews()
                self._stands(ledger_run)
                if ledger_run in self.plan.again:
                    Clock.this_run += timedelta(hours=6)
                    self._run_again(ledger_run)
                    self._stands(ledger_run)
                progress(f"night {ledger_run}: {len(self.replay.cases):,} cases, {len(self.differences)} differences")

    def ledger_run(self, ledger_run: int) -> None:
        """One run, and all that it told against the replay."""
        self.world.write(self.folder, ledger_run)
        words = ["run", "--calls", str(self.folder / "calls.csv"), "--visits", str(self.folder / "visits.csv"),
                 "--out", str(self.out), "--timezone", "UTC", "--fail-on", "new", "--quiet"]  # fmt: skip
        if ledger_run in self.plan.refused:
            (self.folder / "visits.csv").write_text("visit_id,status\nV1,completed\n")
            before = (self.out / "latest").resolve()
            self._same(ledger_run, "exit code of a refused run", audit98968(*words)[0], 3)
            self._same(ledger_run, "latest after a refused run", (self.out / "latest").resolve(), before)
            self.tally["nights refused"] += 1
            return
        service_from = Clock.this_run.date() - timedelta(days=1) if ledger_run in self.plan.recent else None
        if service_from:
            words += ["--service-from", str(service_from)]
        if ledger_run in self.plan.early:
            words += ["--service-to", str(Clock.this_run.date() - timedelta(days=30))]
        if ledger_run in self.plan.selected:
            words += ["--select", "DUR,LBK001,LAH001,FRQ001"]
        if ledger_run in self.plan.held_back:
            words += ["--as-of", str(Clock.this_run.date() - timedelta(days=5))]
        if policy := self.plan.policies.get(ledger_run):
            words += ["--policy", str(self.folder / f"{policy}.toml") if policy in POLICIES else policy]
        self.words = words
        code, _ = audit98968(*words)
        latest = self.out / "latest"
        summary = json.loads((latest / "summary.json").read_text())
        self._same(ledger_run, "the published run is tonight's", summary["started"][:10], str(Clock.this_run.date()))
        if service_from:
            as_of = datetime.fromisoformat(summary["coverage"]["as_of"])
            self._come_back(ledger_run, service_from, self.replay.coming_back(as_of))
        reported = self.replay.ledger_run(latest)
        self._published(ledger_run, latest, summary, reported, code)
        self.tally["nights run"] += 1
        self.tally.update(reported.counts)
        self.tally.update(why for mark, why in reported.marks.values() if mark == "not_seen")
        self.tally["undecided claims settled"] += reported.settled

    def _run_again(self, ledger_run: int) -> None:
        """The same run on the same exports, after a day of reviews."""
        code, _ = audit98968(*self.words)
        summary = json.loads((self.out / "latest" / "summary.json").read_text())
        reported = self.replay.ledger_run(self.out / "latest", again=True)
        self._published(ledger_run, self.out / "latest", summary, reported, code)
        self.tally["nights run again"] += 1

    def reviews(self) -> None:
        """What reviewers do by day: decide, note, and import a work paper every fifth day."""
        today = Clock.this_run.date()
        names = sorted(self.numbers)
        for key in self.random.sample(names, min(len(names), 6)):
            self._decide(key, today)
        if names and self.random.random() < 0.3:
            number = str(self.numbers[self.random.choice(names)])
            code, _ = audit98968("cases", "note", str(self.out), number, "asked", "--by", "Ann")
            self._same(0, "exit code of a note", code, 0)
            self.tally["notes"] += 1
        if self.tally["nights run"] % 5 == 4:
            self._import(today)

    def _decide(self, key: Key, today: date) -> None:
        """One decision, and whether the program takes it."""
        draw, case = self.random, self.replay.cases[key]
        choices = ("confirmed", "confirmed", "dismissed", "dismissed", "corrected", "refunded", "open")
        if case.state in ("confirmed", "refunded") and draw.random() < 0.7:
            choices = ("refunded",)
        state = draw.choice(choices)
        on = today - timedelta(days=draw.randrange(0, 3))
        words = ["cases", "decide", str(self.out), state, str(self.numbers[key]), "--by", "Ann", "--reason", "read it",
                 "--on", str(on)]  # fmt: skip
        until = suspended = identified = amount = None
        if state == "dismissed" and draw.random() < 0.6:
            until = on + timedelta(days=draw.randrange(3, 20))
            words += ["--until", str(until)]
        if state == "confirmed" and draw.random() < 0.5:
            first = on + timedelta(days=draw.randrange(-10, 40))
            last = first + timedelta(days=draw.randrange(0, 250)) if draw.random() < 0.6 else None
            suspended = (first, last)
            words += ["--investigated-from", str(first), *(["--investigated-to", str(last)] if last else [])]
        if state in ("corrected", "refunded") and draw.random() < 0.5:
            identified = on - timedelta(days=draw.randrange(0, 30))
            words += ["--identified-on", str(identified)]
        taken = case.allows(state, identified)
        if state == "refunded":
            left = amount = self.replay.left(key[:3], case.amount)
            if draw.random() < 0.6:
                amount = Decimal(draw.randrange(1, 5000)) / 100
                words += ["--amount", str(amount)]
            more = left is not None and amount is not None and amount > left
            if more and draw.random() < 0.5:
                more = False
                words += ["--yes"]
            taken = taken and amount is not None and not more
        self._same(0, f"exit code of a decision {state}", audit98968(*words)[0], 0 if taken else 2)
        self.tally["decisions" if taken else "decisions refused"] += 1
        self.tally["refunds"] += taken and state == "refunded"
        if taken:
            case.decide(state, on, until, suspended, identified, amount)

    def _import(self, today: date) -> None:
        """Fill in the work paper of the last run for some of its findings: all of its rows are taken or none."""
        sheet = _sheet(self.out / "latest" / "report.xlsx", "Findings")
        rows = sheet.to_dicts()
        chosen = self.random.sample(rows, min(4, len(rows)))
        states = [self.random.choice(("Confirmed", "Confirmed", "dismissed", "corrected", "Refunded")) for _ in chosen]
        cases = self.replay.cases
        taken = all(cases[_key(row)].allows(state.lower()) for row, state in zip(chosen, states, strict=True))
        if not taken and self.random.random() < 0.7:
            states, taken = ["Confirmed" for _ in chosen], True
        for row, state in zip(chosen, states, strict=True):
            row |= {"Decision": state, "Note": f"seen on {today}", "Decided on": str(today)}
        paper = self.folder / "reviewed.xlsx"
        with xlsxwriter.Workbook(str(paper)) as book:
            page = book.add_worksheet("Findings")
            for place, name in enumerate(sheet.columns):
                page.write_string(1, place, name)
                for number, row in enumerate(rows):
                    page.write_string(number + 2, place, str(row[name] if row[name] is not None else ""))
        code, _ = audit98968("cases", "import", str(self.out), str(paper), "--by", "Bo")
        self._same(0, "exit code of an import", code, 0 if taken else 3)
        for row in rows if taken else ():
            if row in chosen:
                key, state = _key(row), row["Decision"].lower()
                amount = self.replay.left(key[:3], cases[key].amount) if state == "refunded" else None
                cases[key].decide(state, today, amount=amount)
                self.tally["decisions imported"] += 1

    def _published(self, ledger_run: int, folder: Path, summary: dict[str, Any], reported: Recorded, code: int) -> None:
        """Parquet, CSV, summary, HTML and XLSX of one run against the replay."""
        marks = reported.marks
        frame = pl.read_parquet(folder / "cases.parquet")
        rows = {
            (*(row[name] for name in ("claim_id", "claim_line", "cpt_code")), row["rule"]): row
            for row in frame.to_dicts()
        }
        self._same(ledger_run, "rows of cases.parquet", len(rows), frame.height)
        self._each(
            ledger_run,
            "mark",
            {key: row["mark"] for key, row in rows.items()},
            {key: mark for key, (mark, _) in marks.items()},
        )
        whys = {key: (row["why"] or "").split(":")[0].replace(" any more", "") or None for key, row in rows.items()}
        self._each(ledger_run, "why", whys, {key: why for key, (_, why) in marks.items()})
        cases = self.replay.cases
        for column, value in CASE_COLUMNS.items():
            self._each(
                ledger_run,
                column,
                {key: row[column] for key, row in rows.items()},
                {key: getattr(cases[key], value) for key in rows if key in cases},
            )
        for key, row in rows.items():
            self._same(ledger_run, "number of a case", row["number"], self.numbers.setdefault(key, row["number"]))
        with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        self._same(
            ledger_run,
            "cases.csv and cases.parquet",
            [{name: value for name, value in line.items() if name != "related_at"} for line in lines],
            [
                {name: "" if value is None else str(value) for name, value in row.items()}
                for row in frame.drop("related_at").to_dicts()
            ],
        )
        self._same(ledger_run, "counts in summary.json", summary["ledger"]["marks"], reported.counts)
        self._same(
            ledger_run,
            "undecided",
            summary["ledger"]["undecided"],
            {"waiting": reported.waiting, "settled": reported.settled},
        )
        self._same(
            ledger_run,
            "exit code",
            code,
            1 if reported.announced or _too_many_unchecked(rows.values(), summary) else 0,
        )
        self._counted(ledger_run, summary, reported)
        here = {key: (mark, cases[key].state) for key, (mark, _) in marks.items() if mark in MARKS[:5]}
        gone = {key: (mark, cases[key].state) for key, (mark, _) in marks.items() if mark in MARKS[5:]}
        for sheet, expected in (("Findings", here), ("Gone", gone)):
            shown = {
                _key(row): (row["Since last run"], row["State"])
                for row in _sheet(folder / "report.xlsx", sheet).to_dicts()
            }
            self._each(ledger_run, f"XLSX sheet {sheet}", shown, expected)
        self._html(ledger_run, (folder / "report.html").read_text(), reported, here, gone)

    def _counted(self, ledger_run: int, summary: dict[str, Any], reported: Recorded) -> None:
        """Money, claims and work of summary.json, once people's decisions count."""
        self._same(ledger_run, "findings announced", summary["ledger"]["announced"], reported.announced)
        for name, expected in (("money", reported.money), ("after_decisions", reported.after_decisions)):
            shown = {key: round(summary[name][key], 2) for key in expected}
            self._each(ledger_run, name, shown, {key: round(value, 2) for key, value in expected.items()})
        work = {state: (line["findings"], line["claims"], round(line["amount"], 2))
                for state, line in summary["ledger"]["work"].items()}  # fmt: skip
        self._each(ledger_run, "work", work, {
            state: (cases, claims, round(amount, 2)) for state, (cases, claims, amount) in reported.work.items()})  # fmt: skip

    def _html(self, ledger_run: int, page: str, reported: Recorded, here: dict[Key, Any], gone: dict[Key, Any]) -> None:
        words = {mark.replace("_", " "): mark for mark in MARKS}  # as the page shows them
        counts = re.findall(rf"<b>([\d,]+)</b> ({'|'.join(words)})", page)
        self._same(
            ledger_run,
            "counts in the HTML",
            {words[mark]: int(number.replace(",", "")) for number, mark in counts},
            reported.counts,
        )
        rows = re.findall(
            r'<tr><td class="\w+">\w+</td><td><a href="#rule-(\w+)">.*?<bdi class="id">(\w+)</bdi>.*?<td data-mark="([a-z_]+)">.*?<td data-state="(\w+)">',
            page,
        )
        shown = {(claim, "1", "98968", rule): (mark, state) for rule, claim, mark, state in rows}
        self._each(ledger_run, "HTML findings", shown, here)
        table = (
            page[page.find('aria-label="Cases without a finding in this run"') :].split("</table>")[0] if gone else ""
        )
        cells = [
            re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)
            for row in re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[-1])
        ]
        shown = {(re.sub("<.*?>", "", cell[2]), "1", "98968", cell[1]): (words[cell[3]], cell[4]) for cell in cells}
        expected = {key: gone[key] for key in shown if key in gone}
        self._each(ledger_run, "HTML cases without a finding", shown, expected)
        if f"{len(gone):,} case{'s' * (len(gone) != 1)} without" not in page and gone:
            self.differences.append(f"night {ledger_run}: HTML does not count {len(gone)} cases without a finding")

    def _come_back(self, ledger_run: int, service_from: date, due: set[Claim]) -> None:
        """Of the claims before `service_from`, exactly those are audited whose window has closed."""
        active = self.world.active(ledger_run)
        expected = {key[0] for key in due if active.get(key[0], service_from) < service_from}
        claims = pl.read_parquet(self.out / "latest" / "claims.parquet")
        back = set(claims.filter(pl.col("service_date") < service_from)["claim_id"])
        self._each(ledger_run, "claims that come back", dict.fromkeys(back, True), dict.fromkeys(expected, True))
        self.tally["claims that came back"] += len(expected)

    def _stands(self, ledger_run: int) -> None:
        """The ledger by `cases export`, and its proof by `cases verify`."""
        code, text = audit98968("cases", "export", str(self.out), "--format", "jsonl")
        self._same(ledger_run, "exit code of cases export", code, 0)
        rows = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
        shown = {(row["claim_id"], row["claim_line"], row["cpt_code"], row["rule"]): row for row in rows}
        cases = self.replay.cases
        for column, value in CASE_COLUMNS.items():
            self._each(ledger_run, f"{column} by cases export", {key: row[column] for key, row in shown.items()},
                       {key: getattr(case, value) for key, case in cases.items()})  # fmt: skip
        self._each(ledger_run, "due date", {key: row["due"] for key, row in shown.items()},
                   {key: str(case.due) if case.due else None for key, case in cases.items()})  # fmt: skip
        soon = Clock.this_run.date() + timedelta(days=30)
        code, text = audit98968("cases", "list", str(self.out), "--due", "30d")
        listed = int(text.split(" ")[0].replace(",", ""))
        self._same(
            ledger_run,
            "cases due in 30 days",
            listed,
            sum(1 for case in cases.values() if case.due and case.due <= soon),
        )
        self._same(ledger_run, "exit code of cases verify", audit98968("cases", "verify", str(self.out))[0], 0)
        self.tally["verified"] += 1

    def _each(self, ledger_run: int, what: str, shown: dict[Any, Any], expected: dict[Any, Any]) -> None:
        self.tally["values compared"] += len(expected)
        wrong = {
            key: (shown.get(key), expected.get(key))
            for key in shown.keys() | expected.keys()
            if shown.get(key) != expected.get(key)
        }
        if wrong:
            some = sorted(wrong.items(), key=repr)[:3]
            self.differences.append(f"night {ledger_run}: {what}: {len(wrong)} differ (shown, expected): {some}")

    def _same(self, ledger_run: int, what: str, shown: Any, expected: Any) -> None:
        self._each(ledger_run, what, {what: shown}, {what: expected})


def _sheet(workbook: Path, name: str) -> pl.DataFrame:
    return fastexcel.read_excel(workbook).load_sheet(name, header_row=1, dtypes="string").to_polars()


def _key(row: dict[str, Any]) -> Key:
    return row["Claim id"], row["Line"], row["Code"], row["Rule"]


def _too_many_unchecked(cases: Iterable[dict[str, Any]], summary: dict[str, Any]) -> bool:
    """Whether more than 1 in 50 of the open cases of the run's dates were not audited, or their rule was not evaluated."""
    reach = summary["reaches"].get("claims") or summary["reaches"]["calls"]
    first = max(summary["coverage"]["claims_since"], (summary["settings"]["service_from"] or "")[:10])
    last = min(reach["last"], (summary["settings"]["service_to"] or "9999")[:10])
    mine = [
        case
        for case in cases
        if case["state"] == "open" and case["mark"] != "resolved" and first <= str(case["service_date"]) <= last
    ]
    unchecked = [
        case
        for case in mine
        if case["mark"] == "not_seen" and case["why"].split(":")[0] in ("claim not audited", "rule not evaluated")
    ]
    return 50 * len(unchecked) > len(mine)
