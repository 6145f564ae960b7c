"""The last runs as small multiples: one row of bars for each figure, all from zero."""

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from auditor.reports.page.phrases import share
from auditor.run_summary import RunFigures

_HEIGHT, _SLOTS = 40, 10
"""Pixels of the largest value; so many bars at least have room, so that two runs are not two blocks."""
HEADINGS = {
    "audited": "Audited claims",
    "violation_rate": "Violation rate",
    "new": "New findings",
    "open": "Open cases",
    "returned": "Returned",
}
_SHOWN = {"violation_rate": share, "returned": "${:,.2f}".format}


def multiples(runs: Sequence[RunFigures]) -> Iterator[dict[str, Any]]:
    """Heading, last value, range, picture and values (texts by run) of each figure that some run has."""
    for name, heading in HEADINGS.items():
        values, shown = [getattr(run, name) for run in runs], _SHOWN.get(name, "{:,}".format)
        if known := [value for value in values if value is not None]:
            texts = ["" if value is None else shown(value) for value in values]
            picture = Markup(_bars(values, max(known)))
            spread = f"{shown(min(known))} to {shown(max(known))}"
            yield {"heading": heading, "last": texts[-1], "spread": spread, "picture": picture, "values": texts}


def _bars(values: Sequence[float | None], largest: float) -> str:
    step = 100 / max(_SLOTS, len(values))
    bars = []
    for place, value in enumerate(values):
        if value is not None:
            high = round(2 + (_HEIGHT - 2) * value / largest, 1) if largest else 2
            last = ' class="last"' if place == len(values) - 1 else ""
            at = f'x="{place * step:.2f}%" y="{_HEIGHT - high}" width="{0.8 * step:.2f}%"'
            bars.append(f'<rect{last} {at} height="{high}"/>')
    return f'<svg class="spark" width="100%" height="{_HEIGHT}" aria-hidden="true">{"".join(bars)}</svg>'
