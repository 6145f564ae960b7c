"""The time line of one claim as SVG: its call, the windows of the policy, and every record that was weighed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from html import escape
from typing import Any

from auditor.windows import bounds
from auditor.windows.bounds import Numbers

_LANES = {"visit": 36, "line": 36, "claim": 86, "call": 136, "record": 136}
_NAMES = {"visit": "visits", "claim": "other lines", "call": "calls"}
_FOOT = 158
_STRENGTH = {"violation": 3, "review": 2, "unknown": 1}
_LABELLED = 6
"""Records whose ids are written beside their marks; all ids are in the table below the picture."""

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)

Row = Mapping[str, Any]


def shown(text: str | None) -> str:
    """`text` for a person's eyes: characters that hide or turn text around are written by their number.

    An id with a right-to-left mark must not read as another id.
    """
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text) if text else ""


def draw(claim: Row, records: Sequence[Row], numbers: Numbers) -> str:
    """Draw one claim (of `Result.claims`) and the rows of `Result.evidence` weighed for it; `numbers` are its windows."""
    zone = claim["call_start"].tzinfo if claim["call_start"] else UTC
    spans = bounds.spans(numbers, claim["call_start"], claim["call_end"], claim["service_date"], zone)
    back, ahead, later, period = (
        bounds.Span(*map(_local, spans[name])) for name in ("lookback", "ahead", "later", "period")
    )
    start, end = ahead.first, _local(claim["call_end"]) or ahead.first
    day = datetime.combine(start.date(), time())
    own = {("call", name) for name in claim["call_ids"]}
    marks = [mark for mark in _strongest(records) if (mark["kind"], mark["id"]) not in own]
    late = any(mark["record_at"] and _local(mark["record_at"]) > ahead.last + timedelta(hours=12) for mark in marks)
    scale = _Scale(back.first - timedelta(1), later.last + timedelta(1) if late else ahead.last + timedelta(1))
    bands = [
        _band(scale, "visit", back, "back"),
        _band(scale, "visit", ahead, "ahead"),
        _band(scale, "claim", period, "back"),
    ]
    if late:
        bands.append(_band(scale, "visit", later, "later"))
    lanes = [f'<text class="lane" y="{y - 18}">{_NAMES[kind]}</text><line class="rail" x2="100%" y1="{y}" y2="{y}"/>'
             for kind, y in _LANES.items() if kind in _NAMES]  # fmt: skip
    label = f"Timeline of the claim of {claim['service_date']}; other records considered: {len(marks)}"
    body = "".join(
        [*bands, *lanes, *_days(scale, day, numbers, late), *_own_call(claim, scale, start, end), *_marks(scale, marks)]
    )
    return f'<svg class="line" width="100%" height="{_FOOT + 22}" role="img" aria-label="{label}">{body}</svg>'


@dataclass(frozen=True)
class _Scale:
    first: datetime
    last: datetime

    def __call__(self, at: datetime) -> float:
        """The x of an instant in percent of the width, kept inside the picture."""
        return round(100 * min(1.0, max(0.0, (at - self.first) / (self.last - self.first))), 2)

    def holds(self, at: datetime) -> bool:
        return self.first <= at <= self.last


def _strongest(records: Iterable[Row]) -> list[Row]:
    """One mark per record: several rules may have weighed it."""
    best: dict[tuple[str, str], Row] = {}
    for record in records:
        key = (record["kind"], record["id"] or "")
        if key not in best or strength(record) > strength(best[key]):
            best[key] = record
    return sorted(best.values(), key=lambda mark: (strength(mark), mark["kind"], mark["id"] or ""))


def strength(record: Row) -> int:
    """A record that supports a finding outweighs the others."""
    return _STRENGTH.get(record["outcome"], 0)


def _local(value: datetime | None) -> Any:
    """Wall-clock time: the windows are in local dates."""
    return value.replace(tzinfo=None) if value else None


def _band(scale: _Scale, lane: str, span: bounds.Span, kind: str) -> str:
    x, y = scale(span.first), _LANES[lane]
    width = round(max(0.2, scale(span.last) - x), 2)
    return f'<rect class="{kind}" x="{x}%" y="{y - 14}" width="{width}%" height="28"/>'


def _days(scale: _Scale, day: datetime, numbers: Numbers, late: bool) -> Iterable[str]:
    offsets = {-numbers.lookback, 0, 1, *((numbers.horizon // 2, numbers.horizon) if late else ())}
    for number in range((scale.first - day).days, (scale.last - day).days + 1):
        x = scale(day + timedelta(days=number))
        yield f'<line class="tick" x1="{x}%" x2="{x}%" y1="{_FOOT}" y2="{_FOOT + (6 if number in offsets else 3)}"/>'
        if number in offsets and (number != 1 or not late):
            at = day + timedelta(days=number)
            label = f"{at.day} {at:%b} ({number:+d})" if number else f"{at.day} {at:%b}"
            kind = "day next" if number == 1 else "day"  # a phone has no room for the day after
            yield f'<text class="{kind}" x="{x}%" y="{_FOOT + 17}">{label}</text>'


def _own_call(claim: Row, scale: _Scale, start: datetime, end: datetime) -> Iterable[str]:
    x, y = scale(start), _LANES["call"]
    if claim["call_start"] is None:
        yield f'<text class="note end" x="{x}%" dx="-4" y="{y - 6}">no call; service date</text>'
    else:
        title = f"call {start:%Y-%m-%d %H:%M}" + (f" to {end:%H:%M}" if claim["call_end"] else ", end unknown")
        width = round(scale(end) - x, 2)
        yield f'<rect class="own" x="{x}%" y="{y - 9}" width="{width}%" height="18"><title>{title}</title></rect>'
    yield f'<line class="now" x1="{x}%" x2="{x}%" y1="22" y2="{_FOOT}"/>'


def _marks(scale: _Scale, marks: Sequence[Row]) -> Iterable[str]:
    labelled = [mark for mark in marks if strength(mark)][-_LABELLED:]
    for mark in marks:
        at = _local(mark["record_at"])
        if at is None:
            continue
        x, y = scale(at), _LANES[mark["kind"]]
        kind = mark["outcome"] if strength(mark) else "none"
        when = f"{at:%Y-%m-%d}" if mark["date_only"] else f"{at:%Y-%m-%d %H:%M}"
        outside = "" if scale.holds(at) else ", outside the timeline"
        title = escape(f"{mark['kind']} {shown(mark['id'])}, {when}: {mark['outcome']}{outside}")
        path = f'<path class="m-{kind}" d="{_shape(kind, outside)}"><title>{title}</title></path>'
        yield f'<svg x="{x}%" y="{y}">{path}</svg>'
        if mark in labelled:
            end = x > 60
            side = -9 if labelled.index(mark) % 2 else 19
            text = escape(_cut(shown(mark["id"])))
            yield f'<text class="id{" end" if end else ""}" x="{x}%" y="{y + side}">{text}</text>'


def _shape(kind: str, outside: str) -> str:
    """Each outcome has its own shape, so that nothing rests on colour alone."""
    if outside:
        return "M5-6L-6 0L5 6z"
    return {"violation": "M-6-6H6V6H-6z", "review": "M0-7L7 0L0 7L-7 0z"}.get(kind, "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0")


def _cut(text: str) -> str:
    return text if len(text) <= 18 else f"{text[:17]}…"


_SCALE = 6
"""Pixels of a minute."""


def draw_minutes(minutes: int | None, code: str, numbers: Numbers) -> str:
    """The length of a call against the band of its code, up to a minute over twice the band."""
    if minutes is None or code not in numbers.bands:
        return ""
    low, high = numbers.bands[code]
    end = max(high + 10, min(minutes, 2 * high) + 1)
    at = min(minutes, end) * _SCALE
    ticks = "".join(f'<text class="day" x="{bound * _SCALE}" y="34">{bound}</text>' for bound in (low, high))
    return (
        f'<svg class="line minutes" viewBox="0 0 {end * _SCALE + 30} 38" role="img" '
        f'aria-label="{minutes} minutes; {escape(code)} is for {low} to {high}">'
        f'<rect class="back" x="{low * _SCALE}" y="8" width="{(high - low) * _SCALE}" height="12"/>'
        f'<line class="rail" x1="0" x2="{end * _SCALE}" y1="14" y2="14"/>{ticks}'
        f'<line class="own" x1="{at}" x2="{at}" y1="4" y2="24"/><text class="id" x="{at + 4}" y="9">{minutes}</text></svg>'
    )
