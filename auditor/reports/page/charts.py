"""The report's pictures as inline SVG, and the frames behind them.

Every mark has one of the colours of `INK`, which the style sheet replaces in dark mode by attribute selectors.
"""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from auditor.reports.page.providers import wilson

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
    """`week` or `month`, and one row per such period: start (date), claims, violation, rate, low, high."""
    audited = claims.filter(pl.col("disposition") != "not applicable")
    violation = (pl.col("disposition") == "violation").sum().cast(pl.Int64).alias("violation")
    low, high = wilson(pl.col("violation"), pl.col("claims"))

    def by(every: str) -> pl.DataFrame:
        starts = audited.with_columns(start=pl.col("service_date").dt.truncate(every)).sort("start")
        counted = starts.group_by("start").agg(pl.len().cast(pl.Int64).alias("claims"), violation)
        return counted.with_columns(rate=pl.col("violation") / pl.col("claims"), low=low, high=high).sort("start")

    weeks = by("1w")
    enough = weeks.height < 3 or audited.height >= FEW_PER_WEEK * weeks.height
    return ("week", weeks) if enough else ("month", by("1mo"))


def hours(claims: pl.DataFrame) -> pl.DataFrame | None:
    """Weekday (1 Monday), hour, claims, violation, rate of the calls' starts; None where the cells tell nothing.

    They tell something where they differ by more than chance would make them: a chi-squared statistic above its mean by
    three standard deviations, over at least eight cells of `SCORED_CELL` claims or more.
    """
    timed = claims.filter((pl.col("disposition") != "not applicable") & pl.col("start").is_not_null())
    cells = timed.group_by(weekday=pl.col("start").dt.weekday(), hour=pl.col("start").dt.hour()).agg(
        pl.len().cast(pl.Int64).alias("claims"),
        (pl.col("disposition") == "violation").sum().cast(pl.Int64).alias("violation"),
    )
    cells = cells.filter(pl.col("claims") >= SCORED_CELL).sort("weekday", "hour")
    count, hits = int(cells["claims"].sum()), int(cells["violation"].sum())
    if cells.height < 8 or hits in (0, count):
        return None
    rate, free = hits / count, cells.height - 1
    spread = float(((cells["violation"] - cells["claims"] * rate) ** 2 / (cells["claims"] * rate * (1 - rate))).sum())
    if spread < free + 3 * (2 * free) ** 0.5:
        return None
    return cells.with_columns(rate=pl.col("violation") / pl.col("claims"))


def draw_dispositions(claims: dict[str, int]) -> str:
    """One bar: the audited claims by disposition."""
    names = ["violation", "review", "incomplete", "clear"]
    frame = pl.DataFrame({"disposition": names, "claims": [claims[name] for name in names], "order": [0, 1, 2, 3]})
    alt = _altair()
    bar = alt.Chart(frame).mark_bar(stroke="#ffffff", strokeWidth=1.5).encode(
        x=alt.X("claims:Q", axis=None, stack="zero", scale=alt.Scale(domain=[0, max(1, claims["audited"])])),
        color=_coloured(names),
        order="order:Q",
    )  # fmt: skip
    return _svg(bar, 1000, 22, stretched=True)


def draw_rules(rules: Sequence[dict[str, Any]]) -> str:
    """Claims in violation and review by rule, the most first; rules without findings are left to the table."""
    fired = [rule for rule in rules if rule["violation"] or rule["review"]]
    fired.sort(key=lambda rule: (-rule["violation"], -rule["review"], rule["code"]))
    rows = [
        {"rule": f"{rule['code']} {rule['name']}", "outcome": name, "claims": rule[name], "order": order}
        for rule in fired
        for order, name in enumerate(("violation", "review"))
    ]
    alt = _altair()
    chart = alt.Chart(pl.DataFrame(rows)).mark_bar(height={"band": 0.7}).encode(
        y=alt.Y("rule:N", title=None, sort=[row["rule"] for row in rows], axis=alt.Axis(labelLimit=300)),
        x=alt.X("claims:Q", title="claims", axis=_whole()),
        color=_coloured(["violation", "review"]),
        order="order:Q",
    )  # fmt: skip
    return _svg(chart, 420, max(60, 19 * len(fired)))


def draw_trend(frame: pl.DataFrame, overall: float) -> str:
    """The violation rate by period with its interval, over the number of claims."""
    alt = _altair()
    x = alt.X("start:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=8, grid=False))
    base = alt.Chart(frame.with_columns(pl.col("start").cast(pl.String), all=pl.lit(overall)))
    rate = alt.Scale(domain=[0, min(1.0, float(frame["high"].max() or 1.0))], nice=True)  # type: ignore[arg-type]
    share = alt.Axis(format="%", tickCount=4)
    rates = alt.layer(
        base.mark_area(color=INK["band"], opacity=0.55).encode(
            x=x, y=alt.Y("low:Q", title="violation rate", scale=rate, axis=share), y2="high:Q"),
        base.mark_rule(color=INK["text"], strokeDash=[4, 3]).encode(y="mean(all):Q"),
        base.mark_line(color=INK["violation"], strokeWidth=1.6).encode(x=x, y="rate:Q"),
        base.mark_point(color=INK["violation"], filled=True, size=14, opacity=1).encode(x=x, y="rate:Q"),
    ).properties(width=440, height=150)  # fmt: skip
    counts = base.mark_bar(color=INK["band"], size=max(2, min(18, 300 // max(1, frame.height)))).encode(
        x=alt.X("start:T", title=None, axis=alt.Axis(labels=False, ticks=False, grid=False)),
        y=alt.Y("claims:Q", title="claims", axis=_whole(2)),
    )
    return _svg(alt.vconcat(rates, counts.properties(width=440, height=38), spacing=6).resolve_scale(x="shared"))


def draw_providers(frame: pl.DataFrame, overall: float) -> str:
    """The first providers of the ranking (`label` is the name to show): rate, interval and the rate of all claims."""
    alt = _altair()
    kind = pl.when("above").then(pl.lit("violation")).otherwise(pl.lit("incomplete"))
    base = alt.Chart(frame.select("label", "rate", "low", "high", all=pl.lit(overall), kind=kind))
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=150))
    colour = _coloured(["violation", "incomplete"], "kind")
    scale = alt.Scale(domain=[0, 1])
    chart = alt.layer(
        base.mark_rule(color=INK["text"], strokeDash=[4, 3]).encode(x=alt.X("mean(all):Q", scale=scale)),
        base.mark_rule(strokeWidth=2).encode(
            y=y, x=alt.X("low:Q", title="violation rate, 95% interval", scale=scale,
                         axis=alt.Axis(format="%", tickCount=5)), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, x="rate:Q", color=colour),
    )  # fmt: skip
    return _svg(chart, 420, max(40, 19 * frame.height))


def draw_hours(cells: pl.DataFrame) -> str:
    """The violation rate by weekday and hour; cells with few claims are left blank."""
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    alt = _altair()
    frame = cells.with_columns(day=pl.col("weekday").replace_strict(dict(enumerate(days, 1)), return_dtype=pl.String))
    chart = alt.Chart(frame).mark_rect(color=INK["violation"]).encode(
        x=alt.X("hour:O", title="hour of the call's start", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("day:O", title=None, sort=days),
        opacity=alt.Opacity("rate:Q", legend=None, scale=alt.Scale(domainMin=0, range=[0.06, 1])),
    )  # fmt: skip
    return _svg(chart, 520, 150)


def _altair() -> Any:
    """Altair takes a third of a second to load; runs without a report do not pay for it."""
    import altair

    return altair


def _coloured(names: list[str], name: str = "") -> Any:
    field = name or ("disposition" if "clear" in names else "outcome")
    alt = _altair()
    return alt.Color(f"{field}:N", legend=None, scale=alt.Scale(domain=names, range=[INK[name] for name in names]))


def _whole(ticks: int = 5) -> Any:
    return _altair().Axis(format=",d", tickMinStep=1, tickCount=ticks)


def _svg(chart: Any, width: int | None = None, height: int | None = None, stretched: bool = False) -> str:
    import vl_convert

    if width:
        chart = chart.properties(width=width, height=height)
    chart = chart.configure(aria=False, background="transparent", font="sans-serif", padding=0 if stretched else 6)
    chart = chart.configure_view(stroke=None).configure_axis(
        labelColor=INK["text"], titleColor=INK["text"], titleFontWeight="normal", labelFontSize=11, titleFontSize=11,
        domainColor=INK["line"], tickColor=INK["line"], gridColor=INK["line"], gridOpacity=0.6,
    )  # fmt: skip
    svg = str(vl_convert.vegalite_to_svg(json.loads(chart.to_json())))
    return svg.replace("<svg ", '<svg preserveAspectRatio="none" ', 1) if stretched else svg
