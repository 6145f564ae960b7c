"""report.html, by content: what a reader without JavaScript sees, and what the file may do."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from auditor.cases.states import MARKS, STATES
from auditor.reports import summary
from auditor.reports.page import page as html
from auditor.reports.page import phrases
from auditor.reports.page.charts import hours, trend
from auditor.reports.page.providers import overall_rate, ranking
from auditor.reports.page.timeline import shown
from auditor.reports.tables import urgent_first, worst_first
from auditor.result import Result
from auditor.run_summary import CoverageDates, LedgerPart, RunFigures, Summary, Tally
from cli.options import resolve
from tests.support.engines import audited_here

SAMPLE = Path(__file__).parents[2] / "sample_data"
VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = ("<script>alert(1)</script>", "p<b>gpj.exe", '"><img src=x onerror=alert(1)>', "=HYPERLINK(1)", "i" * 100)


def run(folder: Path, **flags: object) -> tuple[Result, Summary]:
    """Audit the exports in a folder."""
    given = {name: [str(folder / f"{name}.csv")] for name in ("calls", "visits", "claims", "providers")}
    paths = {name: paths for name, paths in given.items() if Path(paths[0]).exists()}
    settings = resolve({"timezone": "America/New_York", **paths, **flags}).settings
    result = audited_here(settings)
    started = datetime(2026, 7, 1, 6, tzinfo=UTC)
    return result, summary.of_result(result, settings, summary.Run("20260701T060000Z-0123abcd", started))


def exports(folder: Path, ids: tuple[str, ...], code: str = "98968") -> Path:
    """A calls and a visits export in which every claim is too short and follows a linked visit."""
    quoted = ['"' + name.replace('"', '""') + '"' for name in ids]
    calls = [f"{i},{i},{i},2026-03-09 09:00,5,{i},{code}" for i in quoted]
    visits = [f'{i[:-1]}v",{i},{i},2026-03-05 09:00,{i},completed' for i in quoted]
    head = "call_id,patient_id,provider_id,call_start,call_minutes,related_visit_id,cpt_code"
    (folder / "calls.csv").write_text("\n".join([head, *(calls or [""])]), encoding="utf-8")
    head = "visit_id,patient_id,provider_id,visit_start,originating_call_id,status"
    (folder / "visits.csv").write_text("\n".join([head, *(visits or [""])]), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """The elements of a page with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, list[str]]] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self.attributes: list[dict[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, []))
            self.attributes.append(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        for _, parts in self.open:
            parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        name, parts = self.open.pop()
        assert name == tag, f"<{name}> closed by </{tag}>"
        self.texts.append((tag, self.attributes.pop(), " ".join(" ".join(parts).split())))

    def of(self, tag: str, **wanted: str) -> list[str]:
        """The texts of the elements with these attributes."""
        return [text for name, has, text in self.texts if name == tag and wanted.items() <= has.items()]


@pytest.fixture(scope="module")
def sample() -> tuple[Result, Summary, str]:
    result, reported = run(SAMPLE)
    return result, reported, html.render(result, reported)


def test_numbers_are_those_of_the_summary(sample: tuple[Result, Summary, str]) -> None:
    _, reported, text = sample
    written = reported.published()
    page, claims = Page(text), written["claims"]
    assert page.of("h1") == [
        f"{claims['violation']} of {claims['audited']} claims in violation; {claims['review']} more to review"
    ]
    for name in ("violation", "review", "incomplete", "clear"):
        assert any(
            part.startswith(f"{name} {claims[name]} of {claims['audited']}")
            for part in page.of("div", **{"class": name})
        )
    assert page.of("p", **{"class": "money violation"})[0].startswith(f"${written['money']['at_risk']:,.2f}")
    assert page.of("p", **{"class": "money review"})[0].startswith(f"${written['money']['review']:,.2f}")
    rows = page.of("tr")
    for rule in written["rules"]:
        if rule["evaluated"]:
            numbers = " ".join(str(rule[name]) for name in ("violation", "review", "unknown", "applicable"))
            assert any(row.startswith(f"{rule['code']} {rule['name']} {numbers}") for row in rows), rule
        else:
            assert f"{rule['code']} {rule['name']} {rule['reason']}" in rows
        assert any(part.startswith(f"{rule['code']} {rule['name']}") for part in page.of("summary"))
    for entry in written["inputs"]:
        assert entry["sha256"] in text
    assert written["policy"]["sha256"] in text and written["run_id"] in text


def test_first_words_say_how_many_rules_were_evaluated(sample: tuple[Result, Summary, str]) -> None:
    _, reported, text = sample
    written = reported.published()
    assert (
        f"{written['rules_evaluated']} of {written['rules_total']} rules evaluated"
        in Page(text).of("p", **{"class": "run"})[0]
    )
    assert "conclusion" in text and "Potential overpayment" in text


def test_policy_allows_the_inlined_blocks_and_nothing_else(sample: tuple[Result, Summary, str]) -> None:
    page = Page(sample[2])
    policy = next(has["content"] for tag, has in page.elements if has.get("http-equiv") == "Content-Security-Policy")
    assert policy and policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", sample[2], re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert len(blocks) == 1 and f"{directive} 'sha256-{hashed}'" in policy


def test_nothing_is_asked_of_the_network(sample: tuple[Result, Summary, str]) -> None:
    for tag, has in Page(sample[2]).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img")
        assert "style" not in has and not any(name.startswith("on") for name in has)
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert (has.get(name) or "#").startswith("#"), (tag, has)
    assert "url(" not in sample[2] and "@import" not in sample[2]


def test_every_finding_and_time_line_is_there_without_javascript(sample: tuple[Result, Summary, str]) -> None:
    result, _, text = sample
    page = Page(text)
    ids = {has.get("id") for _, has in page.elements}
    links = [has["href"] for tag, has in page.elements if tag == "a"]
    assert all(link and link[1:] in ids for link in links)
    body = text[text.index('<table id="table">') :]
    assert body[: body.index("</table>")].count("<tr>") == result.findings.height + 1
    flagged = {row["claim_id"] for row in result.findings.to_dicts()}
    assert text.count('<svg class="line"') == len(flagged)
    assert all(has.get("scope") for tag, has in page.elements if tag == "th")


def test_findings_stand_worst_first(sample: tuple[Result, Summary, str]) -> None:
    _, _, text = sample
    body = text[text.index('<table id="table">') :]
    outcomes = re.findall(r'<tr><td class="(violation|review)">', body)
    assert outcomes == sorted(outcomes, key=("violation", "review").index)


def test_only_so_many_findings_are_inlined(sample: tuple[Result, Summary, str]) -> None:
    result, reported, _ = sample
    text = html.render(result, reported, findings=10, lines=3)
    assert f"Showing 10 of {result.findings.height}, worst first" in text and "findings.parquet" in text
    assert text.count('<svg class="line"') == 3


def test_what_is_new_is_in_the_page_however_little_fits(sample: tuple[Result, Summary, str]) -> None:
    """The least of all findings is the one that is new; and of each rule the first are there."""
    result, reported, _ = sample
    last = worst_first(result.findings, "outcome", 100, last=("rule",))[-1, "finding_id"]
    marked = result.findings.with_columns(
        mark=pl.when(pl.col("finding_id") == last).then(pl.lit("new")).otherwise(pl.lit("persisting")),
        state=pl.lit("open"), case_number=pl.int_range(pl.len()),
    )  # fmt: skip
    chosen = urgent_first(marked, 30, 1)
    assert chosen[0, "finding_id"] == last
    assert set(chosen["rule"]) == set(result.findings["rule"])
    assert chosen.height == 30
    text = html.render(replace(result, findings=marked), reported, findings=30)
    assert f"the other {result.findings.height - 30} are in" in text
    assert f'data-rest="{result.findings.height - 30}"' in text


def test_bytes_are_limited_too(sample: tuple[Result, Summary, str], monkeypatch: pytest.MonkeyPatch) -> None:
    result, reported, _ = sample
    monkeypatch.setattr(html, "FINDING_BYTES", 4_000)
    text = html.render(result, reported)
    inlined = int(re.search(r"Showing (\d+) of 65, worst first", text)[1])  # type: ignore[index]
    assert 0 < inlined < 20


def test_hostile_ids_are_shown_harmlessly(tmp_path: Path) -> None:
    result, reported = run(exports(tmp_path, HOSTILE))
    text = html.render(result, reported)
    page = Page(text)
    assert len(page.of("script")) == 1 and "alert(1)" not in page.of("script")[0]
    assert not [has for tag, has in page.elements if tag == "img" or "onerror" in has]
    shown_ids = page.of("bdi", **{"class": "id"})
    for name in HOSTILE:
        assert " ".join(shown(name).split()) in shown_ids


def test_nothing_audited_is_stated_and_is_not_clear(tmp_path: Path) -> None:
    result, reported = run(exports(tmp_path, ("a", "b"), code="99213"))
    page = Page(html.render(result, reported))
    assert page.of("h1") == ["No claim was audited"]
    assert "There are no findings. No claim was audited." in page.of("p")


def test_amounts_that_are_not_in_the_export_are_not_zero(tmp_path: Path) -> None:
    result, reported = run(exports(tmp_path, ("a", "b")))
    page = Page(html.render(result, reported))
    assert page.of("p", **{"class": "money violation"})[0].startswith(
        "not known in 2 claims in violation; 2 without an amount"
    )


def test_inputs_without_dates_cover_none() -> None:
    assert phrases.reach(CoverageDates()) == "no dates; no billed lines"


def test_equal_results_give_equal_files(sample: tuple[Result, Summary, str]) -> None:
    assert html.render(*run(SAMPLE)) == sample[2]


def test_one_claim_is_no_pattern(sample: tuple[Result, Summary, str]) -> None:
    ranked, overall = ranking(sample[0].claims), overall_rate(sample[0].claims)
    rows = {row["provider_id"]: row for row in ranked.to_dicts()}
    assert ranked["claims"].sum() == 125 and overall == 35 / 125
    assert (round(rows["00000010"]["low"], 4), round(rows["00000010"]["high"], 4)) == (0.3968, 0.8922)
    assert ranked["provider_id"][0] == "00000010"
    few = (ranked["claims"] < 5).to_list()
    assert few == sorted(few) and rows["00000030"]["rate"] == 1.0


def _claims_of(counts: dict[str, tuple[int, int]]) -> pl.DataFrame:
    """Claims by provider: how many in violation of how many."""
    rows = [(name, "violation" if at < hits else "clear") for name, (hits, of) in counts.items() for at in range(of)]
    frame = pl.DataFrame(rows, schema=["provider_id", "disposition"], orient="row")
    return frame.with_columns(at_risk_amount=pl.lit(None, pl.Decimal(18, 2)))


def test_only_what_chance_does_not_explain_is_marked() -> None:
    rest = {f"p{at}": (1, 10) for at in range(1000)}
    ranked = ranking(_claims_of(rest | {"three": (3, 3), "sure": (30, 40), "likely": (4, 10)}))
    assert ranked.filter("above")["provider_id"].to_list() == ["sure"]
    assert ranked["provider_id"][0] == "sure" and ranked["provider_id"][-1] == "three"
    assert ranked["at_risk"].null_count() == ranked.height


def test_a_month_without_claims_is_a_gap_and_no_rate_of_zero() -> None:
    days = [date(2026, 1, 5), date(2026, 1, 20), date(2026, 4, 7)]
    claims = pl.DataFrame({"service_date": days, "disposition": ["violation", "clear", "clear"]})
    unit, periods = trend(claims)
    assert unit == "month"
    assert periods["start"].to_list() == [date(2026, month, 1) for month in (1, 2, 3, 4)]
    assert periods["claims"].to_list() == [2, 0, 0, 1]
    assert periods["rate"].to_list() == [0.5, None, None, 0.0]
    assert trend(claims.clear())[1].is_empty()


def test_the_last_runs_are_shown_with_the_figures_that_are_known(sample: tuple[Result, Summary, str]) -> None:
    result, reported, first = sample
    assert "This is the first run" in Page(first).of("section", id="runs")[0]
    runs = [RunFigures(run="1", audited=7, violation_rate=0.5), RunFigures(run="2", audited=9, violation_rate=None)]
    alone = html.render(result, reported.model_copy(update={"trend": runs}))
    assert Page(alone).of("tr")[:3] == ["Run Audited claims Violation rate", "1 7 50%", "2 9"]
    known = [run.model_copy(update={"new": at, "open": 1200, "returned": 30.5}) for at, run in enumerate(runs)]
    page = Page(text := html.render(result, reported.model_copy(update={"trend": known})))
    assert page.of("tr")[:3] == [
        "Run Audited claims Violation rate New findings Open cases Returned", "1 7 50% 0 1,200 $30.50", "2 9 1 1,200 $30.50",
    ]  # fmt: skip
    assert page.of("h2", id="h-runs") == ["The last 2 runs"]
    assert text.count('<svg class="spark"') == 5 and text.count("<rect") - first.count("<rect") == 2 * 5 - 1


def test_the_method_names_the_systems_of_sources(sample: tuple[Result, Summary, str]) -> None:
    policy = sample[1].settings["policy"] | {"systems": {"phone_log": "twilio"}}
    reported = sample[1].model_copy(update={"settings": sample[1].settings | {"policy": policy}})
    assert ("Source of phone log", "twilio") in phrases.given(reported)


def test_a_case_has_the_command_that_decides_it(sample: tuple[Result, Summary, str]) -> None:
    result, reported, without = sample
    assert "cases decide" not in without
    first = {"open": "confirmed", "confirmed": "corrected", "dismissed": "open"}
    number = pl.int_range(pl.len())
    state = (number % 3).replace_strict(dict(enumerate(first)), return_dtype=pl.String)
    cases = result.findings.with_columns(mark=pl.lit("new"), case_number=number, state=state)
    counts = {"marks": dict.fromkeys(MARKS, 0), "work": dict.fromkeys(STATES, Tally(findings=0, claims=0, amount=0))}
    kept = reported.model_copy(update={"ledger": LedgerPart(run=1, location="my audits", **counts)})
    blank = pl.lit(None, pl.String)
    decisions = dict.fromkeys(("reopened_from", "decided_on", "reviewer", "reason", "why", "last_run"), blank)
    known = cases.select(
        "mark", "state", "rule", "claim_id", number="case_number", first_run=pl.lit("20260101T000000000Z-0"),
        assignee=pl.when(number == 0).then(pl.lit("Bea <b>")), **decisions,
    )  # fmt: skip
    text = html.render(replace(result, findings=cases), kept, known)
    assert text.count(", assigned to Bea &lt;b&gt;. <code>") == 1
    commands = Page(text).of("code")
    commands = [text for text in commands if text.startswith("audit98968 cases decide")]
    assert sorted(commands) == sorted(
        f'audit98968 cases decide \'my audits\' {first[state]} {number} --by "" --reason ""'
        for number, state in cases.select("case_number", "state").iter_rows()
    )


def test_trend_holds_every_claim_and_hours_need_a_reason(sample: tuple[Result, Summary, str]) -> None:
    unit, periods = trend(sample[0].claims)
    assert unit == "month" and periods["claims"].sum() == 125 and periods["violation"].sum() == 35
    assert hours(sample[0].claims) is None
