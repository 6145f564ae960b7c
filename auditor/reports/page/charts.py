"""The report's pictures as inline SVG, and the frames behind them.

Every mark has one of the colours of `INK`, which the style sheet replaces in dark mode by attribute selectors.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from auditor.reports.page.providers import violation_rates
from auditor.run_summary import ClaimCounts, RuleResult

Spec = dict[str, Any]
"""A part of a Vega-Lite specification."""

_VEGA_LITE = "6.4"
INK = {
    "violation": "#b3261e",
    "review": "#a15c00",
    "incomplete": "#4a6593",
    "clear": "#5d8a72",
    "text": "#4b5260",
    "line": "#d5d9e0",
    "accent": "#2f4b7c",
    "band": "#c3cde0",
}
FEW_PER_WEEK = 8
"""Below this mean number of claims a week, the trend is shown by month."""
SCORED_CELL = 10
"""Claims that an hour of the week needs before its rate is shown."""


def trend(claims: pl.DataFrame) -> tuple[str, pl.DataFrame]:
    """`week` or `month`, and one row per such period: start (date), claims, violation, rate, low, high.

    The periods are those from the first claim to the last; the rate of one without claims is null, which is not 0.
    """
    weeks = _by_period(claims, "1w")
    if weeks.height < 3 or weeks["claims"].sum() >= FEW_PER_WEEK * weeks.height:
        return "week", weeks
    return "month", _by_period(claims, "1mo")


def _by_period(claims: pl.DataFrame, every: str) -> pl.DataFrame:
    rated = violation_rates(claims, [pl.col("service_date").dt.truncate(every).alias("start")]).sort("start")
    whole = rated.drop_nulls("start").upsample("start", every=every) if rated.height else rated
    return whole.with_columns(pl.col("claims", "violation").fill_null(0))


def hours(claims: pl.DataFrame) -> pl.DataFrame | None:
    """Weekday (1 Monday), hour, claims, violation, rate of the calls' starts; None where the cells tell nothing.

    They tell something where they differ by more than chance would make them: a chi-squared statistic above its mean by
    three standard deviations, over at least eight cells of `SCORED_CELL` claims or more.
    """
    timed, start = claims.filter(pl.col("call_start").is_not_null()), pl.col("call_start").dt
    cells = violation_rates(timed, [start.weekday().alias("weekday"), start.hour().alias("hour")])
    cells = cells.filter(pl.col("claims") >= SCORED_CELL).sort("weekday", "hour")
    count, hits = int(cells["claims"].sum()), int(cells["violation"].sum())
    if cells.height < 8 or hits in (0, count):
        return None
    rate, free = hits / count, cells.height - 1
    spread = float(((cells["violation"] - cells["claims"] * rate) ** 2 / (cells["claims"] * rate * (1 - rate))).sum())
    if spread < free + 3 * (2 * free) ** 0.5:
        return None
    return cells


def draw_dispositions(claims: ClaimCounts) -> str:
    """One bar: the audited claims by disposition."""
    names = ["violation", "review", "incomplete", "clear"]
    rows = [{"disposition": name, "claims": getattr(claims, name), "order": order} for order, name in enumerate(names)]
    bar = _mark("bar", stroke="#ffffff", strokeWidth=1.5) | {"encoding": {
        "x": _number("claims", axis=None, stack="zero", scale={"domain": [0, max(1, claims.audited)]}),
        "color": _coloured("disposition", names),
        "order": _number("order"),
    }}  # fmt: skip
    return _svg(rows, bar | {"width": 1000, "height": 22}, stretched=True)


def most_findings_first(rules: Sequence[RuleResult]) -> list[RuleResult]:
    """The rules with findings."""
    fired = [rule for rule in rules if rule.violation or rule.review]
    return sorted(fired, key=lambda rule: (-rule.violation, -rule.review, rule.code))


def draw_rules(rules: Sequence[RuleResult]) -> str:
    """Claims in violation and review by rule; rules without findings are left to the table."""
    rows = [
        {"rule": f"{rule.code} {rule.name}", "outcome": name, "claims": getattr(rule, name), "order": order}
        for rule in most_findings_first(rules)
        for order, name in enumerate(("violation", "review"))
    ]
    bar = _mark("bar", height={"band": 0.7}) | {"encoding": {
        "y": _name("rule", title=None, sort=[row["rule"] for row in rows], axis={"labelLimit": 300}),
        "x": _number("claims", title="claims", axis=_whole()),
        "color": _coloured("outcome", ["violation", "review"]),
        "order": _number("order"),
    }}  # fmt: skip
    return _svg(rows, bar | {"width": 260, "height": max(60, 19 * len(rows) // 2)})


def draw_trend(frame: pl.DataFrame, overall: float) -> str:
    """The violation rate by period with its interval, over the number of claims."""
    time = {"field": "start", "type": "temporal", "title": None, "scale": {"type": "utc", "padding": 9}}
    x = time | {"axis": {"grid": False, "labelOverlap": True, **_dates(frame["start"])}}
    scale = {"domain": [0, min(1.0, float(frame["high"].max() or 1.0))], "nice": True}  # type: ignore[arg-type]
    low = _number("low", title="violation rate", scale=scale, axis={"format": "%", "tickCount": 4})
    line, width = {"x": x, "y": _number("rate")}, max(2, min(18, 300 // max(1, frame.height)))
    rates = {"width": 380, "height": 150, "layer": [
        _mark("rule", color=INK["band"], strokeWidth=width) | {"encoding": {"x": x, "y": low, "y2": {"field": "high"}}},
        _mark("rule", color=INK["text"], strokeDash=[4, 3]) | {"encoding": {"y": _number("all", aggregate="mean")}},
        _mark("line", color=INK["violation"], strokeWidth=1.6) | {"encoding": line},
        _mark("point", color=INK["violation"], filled=True, size=14, opacity=1) | {"encoding": line},
    ]}  # fmt: skip
    counts = _mark("bar", color=INK["band"], size=width) | {"width": 380, "height": 38, "encoding": {
        "x": time | {"axis": {"labels": False, "ticks": False, "grid": False}},
        "y": _number("claims", title="claims", axis=_whole(2)),
    }}  # fmt: skip
    rows = frame.with_columns(pl.col("start").cast(pl.String), all=pl.lit(overall)).to_dicts()
    return _svg(rows, {"vconcat": [rates, counts], "spacing": 6, "resolve": {"scale": {"x": "shared"}}})


def _dates(days: pl.Series) -> Spec:
    """At most some seven ticks, on the first days of months or years; on weeks where there are few of them."""
    months = (days.max() - days.min()).days / 30.4  # type: ignore[operator, union-attr]
    if months < 3:
        return {"format": "%b %-d", "tickCount": {"interval": "week", "step": 1 + int(months)}}
    if months > 84:
        return {"format": "%Y", "tickCount": {"interval": "year", "step": 1 + int(months / 84)}}
    step = next(step for step in (1, 2, 3, 6, 12) if months <= 7 * step)
    return {"format": "%b %Y", "tickCount": {"interval": "month", "step": step}}


def draw_providers(frame: pl.DataFrame, overall: float) -> str:
    """The first providers of the ranking (`label` is the name to show): rate, interval and the rate of all claims."""
    kind = pl.when("above").then(pl.lit("violation")).otherwise(pl.lit("incomplete"))
    y = _name("label", title=None, sort=None, axis={"labelLimit": 150})
    colour, scale = _coloured("kind", ["violation", "incomplete"]), {"domain": [0, 1]}
    low = _number("low", title="violation rate, 95% interval", scale=scale, axis={"format": "%", "tickCount": 5})
    mean = _number("all", aggregate="mean", scale=scale)
    layers = {"width": 320, "height": max(40, 19 * frame.height), "layer": [
        _mark("rule", color=INK["text"], strokeDash=[4, 3]) | {"encoding": {"x": mean}},
        _mark("rule", strokeWidth=2) | {"encoding": {"y": y, "x": low, "x2": {"field": "high"}, "color": colour}},
        _mark("point", filled=True, size=50, opacity=1) | {"encoding": {"y": y, "x": _number("rate"), "color": colour}},
    ]}  # fmt: skip
    return _svg(frame.select("label", "rate", "low", "high", all=pl.lit(overall), kind=kind).to_dicts(), layers)


def draw_hours(cells: pl.DataFrame) -> str:
    """The violation rate by weekday and hour; cells with few claims are left blank."""
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    frame = cells.with_columns(day=pl.col("weekday").replace_strict(dict(enumerate(days, 1)), return_dtype=pl.String))
    chart = _mark("rect", color=INK["violation"]) | {"encoding": {
        "x": _name("hour", "ordinal", title="hour of the call's start", axis={"labelAngle": 0}),
        "y": _name("day", "ordinal", title=None, sort=days),
        "opacity": _number("rate", legend=None, scale={"domainMin": 0, "range": [0.06, 1]}),
    }}  # fmt: skip
    return _svg(frame.to_dicts(), chart | {"width": 400, "height": 150})


def _mark(kind: str, **how: Any) -> Spec:
    return {"mark": {"type": kind, **how}}


def _number(field: str, **how: Any) -> Spec:
    return {"field": field, "type": "quantitative", **how}


def _name(field: str, kind: str = "nominal", **how: Any) -> Spec:
    return {"field": field, "type": kind, **how}


def _coloured(field: str, names: list[str]) -> Spec:
    return _name(field, legend=None, scale={"domain": names, "range": [INK[name] for name in names]})


def _whole(ticks: int = 5) -> Spec:
    return {"format": ",d", "tickMinStep": 1, "tickCount": ticks}


def _svg(rows: list[Spec], chart: Spec, stretched: bool = False) -> str:
    import vl_convert  # loads slowly; runs without a report do not pay for it

    config = {
        "aria": False, "background": "transparent", "font": "sans-serif", "padding": 0 if stretched else 6,
        "view": {"stroke": None},
        "axis": {
            "labelColor": INK["text"], "titleColor": INK["text"], "titleFontWeight": "normal", "labelFontSize": 11,
            "titleFontSize": 11, "domainColor": INK["line"], "tickColor": INK["line"], "gridColor": INK["line"],
            "gridOpacity": 0.6,
        },
    }  # fmt: skip
    svg = str(vl_convert.vegalite_to_svg({"data": {"values": rows}, "config": config, **chart}, vl_version=_VEGA_LITE))
    return svg.replace("<svg ", '<svg preserveAspectRatio="none" ', 1) if stretched else svg
