"""A claim's explanation for the terminal: header, time line with its windows as bars, and a reason for every rule.

Wrapped on a terminal only, so that a pipe gets one line a rule; readable without colour, and in ASCII where the stream has
no more.
"""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, TextIO

from rich.text import Text

from auditor.reports.page.phrases import reach
from auditor.reports.text import STYLES, console
from auditor.runs.explain import ClaimExplanation, Event, Window
from auditor.schema.names import counted, harmless

_UNWRAPPED, _DRAWN, _WIDEST = 100_000, 80, 140
_ASCII = str.maketrans({"█": "=", "●": "o", "│": "|", "┆": ":", "─": "-", "├": "<", "┤": ">", "·": "-"})
_ORDER = ("violation", "review", "unknown", "clear", "not applicable", "not evaluated")


def write(stream: TextIO, stories: Sequence[ClaimExplanation]) -> None:
    """Print the explanations, one line of the claim after the other."""
    out = console(stream)
    width = min(shutil.get_terminal_size().columns, _WIDEST) if stream.isatty() else _UNWRAPPED
    ascii_only = not _can(stream, "█●│┆─├┤·")
    for number, explanation in enumerate(stories):
        if number:
            out.print()
        for line in _lines(explanation, width):
            plain = harmless(line.plain)
            out.print(Text(plain.translate(_ASCII) if ascii_only else plain, spans=line.spans), soft_wrap=True)


def _can(stream: TextIO, characters: str) -> bool:
    try:
        characters.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _lines(explanation: ClaimExplanation, width: int) -> Iterator[Text]:
    yield from _header(explanation, width)
    yield Text()
    yield from _time_line(explanation, width)
    yield Text()
    yield from _verdicts(explanation, width)


def _header(explanation: ClaimExplanation, width: int) -> Iterator[Text]:
    claim, run = explanation.claim, explanation.run
    style = STYLES.get(claim["disposition"], "")
    yield Text.assemble(
        f"claim {claim['claim_id']} line {claim['claim_line']} · {claim['cpt_code']} · ", (claim["disposition"], style)
    )
    minutes = "unknown" if claim["minutes"] is None else f"{claim['minutes']} ({claim['minutes_source']})"
    facts = [
        f"patient {claim['patient_id']}, provider {claim['provider_id']}, service date {claim['service_date']}",
        f"minutes {minutes}, supportable code {claim['supportable_code'] or 'unknown'}",
        _amounts(claim),
        f"calls {', '.join(claim['call_ids']) or 'none'}",
        f"from {claim['source_file']}, record {claim['source_record']}",
        f"run {run.run_id}, policy {run.policy.shown}, {run.timezone}",
        f"visits cover {reach(run.coverage)}",
    ]
    for fact in facts:
        yield from map(Text, _wrap(fact, width, "", "  "))


def _amounts(claim: dict[str, Any]) -> str:
    names = {"billed": "billed", "paid": "paid", "at_risk": "potential overpayment", "review": "under review"}
    amounts = [(name, claim[f"{column}_amount"]) for column, name in names.items()]
    sentence = ", ".join(f"{name} {value:,.2f}" for name, value in amounts if value is not None)
    return sentence or "amounts unknown"


def _time_line(explanation: ClaimExplanation, width: int) -> Iterator[Text]:
    """Bars and marks on one scale at the left, words at the right; windows first, then records in true order."""
    if not explanation.windows:
        return
    first, last = min(w.start for w in explanation.windows), max(w.end for w in explanation.windows)
    columns = (_DRAWN if width == _UNWRAPPED else width) * 9 // 20
    anchor = explanation.claim["call_start"]

    def column(at: datetime) -> int:
        return max(0, min(columns - 1, int(_distance(at, first) / _distance(last, first) * (columns - 1) + 0.5)))

    def row(cells: dict[int, str], text: str) -> Iterator[Text]:
        drawn = "".join(cells.get(i, "┆" if anchor and i == column(anchor) else " ") for i in range(columns))
        blank = "".join("┆" if anchor and i == column(anchor) else " " for i in range(columns))
        for number, line in enumerate(_wrap(text, width - columns - 2, "", "  ")):
            yield Text(f"{drawn if number == 0 else blank}  {line}".rstrip())

    yield from row(
        dict.fromkeys(range(columns), "─") | {0: "├", columns - 1: "┤"}, f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    )
    for window in explanation.windows:
        bar = dict.fromkeys(range(column(window.start), column(window.end) + 1), "█")
        yield from row(bar, _window_text(window))
    for event in explanation.events:
        if event.at is None:
            yield from row({}, _event_text(event, explanation))
        elif event.at < first or event.at > last:
            yield from row({0: "<"} if event.at < first else {columns - 1: ">"}, _event_text(event, explanation))
        else:
            mark = "│" if event.kind == "call" and not event.notes else "●"
            yield from row({column(event.at): mark}, _event_text(event, explanation))


def _window_text(window: Window) -> str:
    last = f"{window.end:%m-%d %H:%M}"
    if window.end.time() == time():  # a day's end reads better as that day
        last = f"{window.end - timedelta(1):%m-%d}"
    return f"{window.name}: to {last}"


def _event_text(event: Event, explanation: ClaimExplanation) -> str:
    when = (
        "no time" if event.at is None else f"{event.at:%Y-%m-%d}" if event.date_only else f"{event.at:%Y-%m-%d %H:%M}"
    )
    if event.until:
        when += f" to {event.until:%H:%M}"
    kind = {"call": "call" if event.notes else "CALL", "claim": "line of claim", "line": "visit billed on claim"}.get(
        event.kind, event.kind
    )
    gap = "" if event.kind == "call" and not event.notes else _gap(event, explanation)
    return f"{when} {kind} {event.id}{gap}" + (f"; {'; '.join(event.notes)}" if event.notes else "")


def _gap(event: Event, explanation: ClaimExplanation) -> str:
    """Days by the calendar, or hours on the day itself, from the call."""
    start, end = explanation.claim["call_start"], explanation.claim["call_end"] or explanation.claim["call_start"]
    if event.at is None or start is None:
        return ""
    before = event.at < start
    days = (start.date() - event.at.date()).days if before else (event.at.date() - end.date()).days
    apart = _distance(start, event.at) if before else max(_distance(event.at, end), timedelta())
    if days < 1 and event.date_only:
        return ", the same day"
    if not before and not apart:
        return ", during the call"
    minutes = int(apart.total_seconds() // 60)
    sentence = f"{minutes // 60} h {minutes % 60:02} min" if days < 1 else counted(days, "day")
    return f", {sentence} {'before' if before else 'after'}"


def _distance(later: datetime, earlier: datetime) -> timedelta:
    """Elapsed time; within one zone, Python subtracts what the clocks on the wall show."""
    return later.astimezone(UTC) - earlier.astimezone(UTC)


def _verdicts(explanation: ClaimExplanation, width: int) -> Iterator[Text]:
    for outcome in _ORDER:
        for verdict in (verdict for verdict in explanation.verdicts if verdict.outcome == outcome):
            lead = f"{verdict.code}  {outcome:<14}  "
            lines = _wrap(f"{verdict.name}: {verdict.reason}", width, lead, " " * len(lead))
            head = Text(lines[0])
            head.stylize(STYLES.get(outcome, ""), len(verdict.code) + 2, len(verdict.code) + 2 + len(outcome))
            yield head
            yield from map(Text, lines[1:])


def _wrap(text: str, width: int, lead: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=lead, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [lead]
