"""The results as a table, a plot and a page."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from benchmarks.sitting import LABELS

DOCS = Path(__file__).parents[1] / "docs"
NOTES = Path(__file__).with_name("notes.md")
HEAD = """\
# Benchmarks

`make bench` writes this page; `make bench-quick` prints the ratios for a small size. Every figure is for a whole
process in a cold start (only the page cache is warm), in alternating rounds of one session. `first` is the run before
all others that verifies the findings; in that run, the core rules also write their output.

No figure is printed until the findings of the auditor, DuckDB, and pandas are equal: claim, line, rule, outcome, and
related record, for DUR001, DUR002, LBK001, LAH001, and FRQ001.

DuckDB and pandas handle only what the generated Parquet exports contain. The auditor also parses and checks every
cell, computes digests of its inputs, and counts what it rejects. "DuckDB, the same checks and then the same SQL" does
this work too, as far as these exports require it; its rejects, unknown words, digests, and joins are verified to be
equal.

The core rules run on calls and visits. All rules also use the providers, and that run writes findings, claims,
evidence, and the HTML and Excel reports.
"""
RATIOS = (
    ("core", "duckdb", "core rules against DuckDB", "at most 2.5; narrow 4"),
    ("core", "checked", "core rules against DuckDB with the same checks", "at most 0.5"),
    ("core", "floor", "core rules against bare reading", "-"),
    ("tables", "core", "all rules, tables and ledger against the core rules", "at most 2"),
    ("all", "duckdb", "all rules and reports against DuckDB's core rules", "at most 5; dense 4"),
    ("pandas", "core", "pandas against the core rules", "-"),
    ("csv", "text", "core rules on CSV against bare reading as text", "at most 3"),
    ("run 1", "duckdb", "core rules and ledger, first run, against DuckDB", "at most 5"),
    ("run 2", "duckdb", "core rules and ledger, second run, against DuckDB", "at most 5.5"),
    ("run 10", "run 2", "core rules and ledger, tenth run against the second", "at most 1"),
)


def figures(result: dict[str, Any]) -> list[str]:
    """Format a session as Markdown tables of times and ratios."""
    load = " to ".join(f"{value:.1f}" for value in result["load"])
    claims = "every one billed" if result["name"] == "dense" else f"{result['claims']:,} audited claims"
    lines = [
        f"### {result['name'].capitalize()}: {result['calls']:,} calls, {claims}, {result['visits']:,} visits",
        "",
        f"{result['date']}, load average {load}. Verified first: {result['checked']}.",
        "",
        "| | first (s) | best (s) | median (s) | CPU (s) | peak (GiB) | rounds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, label in LABELS.items():
        if run := result["runs"].get(name):
            end = f" (killed at {run['peak']:.1f} GiB, not finished)" if run["code"] else ""
            first = f"{result['firsts'][name]:.2f}" if name in result["firsts"] else "-"
            lines.append(f"| {label}{end} | {first} | {run['best']:.2f} | {run['median']:.2f} | {run['cpu']:.2f} | "
                         f"{run['peak']:.2f} | {run['rounds']:.0f} |")  # fmt: skip
    if result["runs"]["core"]["code"]:
        return [*lines, ""]
    lines += ["", "| ratio | of best times | of CPU times | aim |", "|---|---:|---:|---|"]
    for over, under, what, aim in RATIOS:
        some = [result["runs"].get(name) for name in (over, under)]
        if all(run and not run["code"] for run in some):
            wall, cpu = (some[0][time] / some[1][time] for time in ("best", "cpu"))
            lines.append(f"| {what} | {wall:.2f} | {cpu:.2f} | {aim} |")
    return [*lines, ""]


def write(results: list[dict[str, Any]]) -> None:
    """Write docs/benchmarks.md and docs/benchmarks.svg from every session kept so far."""
    import duckdb
    import pandas as pd

    names = ("audit98968", "polars", "duckdb", "pandas", "pyarrow")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    assert duckdb.__version__ == version("duckdb") and pd.__version__ == version("pandas")
    head = [
        HEAD,
        f"Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}. "
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}.",
        "",
        "![Best times by size and contestant](benchmarks.svg)",
        "",
        "## Results",
        "",
    ]
    body = [line for result in results for line in figures(result)]
    text = "\n".join([*head, *body, *_growth(results), *_starts(results), NOTES.read_text(encoding="utf-8")])
    (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
    (DOCS / "benchmarks.svg").write_text(_plot(results), encoding="utf-8")


def _growth(results: list[dict[str, Any]]) -> list[str]:
    """Format the growth in CPU time for ten times the rows."""
    even = {result["claims"]: result for result in results if result["name"] not in ("dense", "narrow")}
    rows = []
    for claims, result in sorted(even.items()):
        if (tenth := even.get(claims // 10)) is None:
            continue
        for name in ("core", "all", "duckdb", "pandas"):
            big, small = result["runs"][name], tenth["runs"][name]
            if not big["code"] and not small["code"]:
                rows.append(
                    f"| {LABELS[name]} | {tenth['visits']:,} to {result['visits']:,} | {big['cpu'] / small['cpu']:.1f} |"
                )
    lines = [
        "### Growth with size",
        "",
        "| | visits | times the CPU time (aim for the auditor: at most 11) |",
        "|---|---|---:|",
        *rows,
        "",
    ]
    return lines if rows else []


def _starts(results: list[dict[str, Any]]) -> list[str]:
    """Format the startup times."""
    timed = next((result["starts"] for result in results if "starts" in result), None)
    if timed is None:
        return []
    rows = [
        f"| {label} | {timed[name]['best']:.2f} | {timed[name]['median']:.2f} | {aim} |"
        for name, label, aim in (
            ("help", "`audit98968 --help`", "under 0.2"),
            ("thousand", "a run of 1,000 claims, all rules, no reports", "under 1.2"),
        )
    ]
    return ["### Startup time", "", "| | best (s) | median (s) | aim |", "|---|---:|---:|---|", *rows, ""]


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    named = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _plot(results: list[dict[str, Any]]) -> str:
    rows = [
        {"size": f"{result['name']}: {result['visits'] / 1e6:.1f}M visits", "who": LABELS[name], "seconds": run["best"]}
        for result in results
        for name, run in result["runs"].items()
        if not run["code"]
    ]
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    own = alt.condition("indexof(datum.who, 'audit98968') == 0", alt.value("#b3261e"), alt.value("#2f4b7c"))
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("seconds:Q", title="best time of a whole process (s)", scale=alt.Scale(type="log")),
        y=alt.Y("who:N", title=None, sort=list(LABELS.values()), axis=alt.Axis(labelLimit=300, grid=True)),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(color=own)
    texts = base.mark_text(dx=6, align="left", fontSize=10, color="#4b5260").encode(
        text=alt.Text("seconds:Q", format=".2~f")
    )
    chart = (
        (points + texts)
        .properties(width=520, height=120)
        .facet(row=alt.Row("size:N", sort=sizes, title=None, header=alt.Header(labelOrient="top", labelAnchor="start")))
    )
    chart = chart.configure(background="white", font="sans-serif", padding=6).configure_view(stroke="#d5d9e0")
    return str(vl_convert.vegalite_to_svg(json.loads(chart.to_json())))
