"""Everything that looks across rows, one function per noun. Rules only read the columns made here.

Each noun but `claims` has one row per (claim, record): `line` (the claim), `kind`, `id`, `at`, `date_only`, `gap_days`,
`order` (what settles ties within a day: elapsed microseconds, or the later line first), `basis` and the columns that its
rules name. Source: SPEC.md sections 4 and 5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from auditor import related
from auditor.billing import Billing
from auditor.codes import FAMILY, CodeList
from auditor.coverage import Coverage
from auditor.normalise import Table
from auditor.policy import Policy
from auditor.rule import Noun

HOUR = 3_600_000_000
"""Microseconds in an hour."""


@dataclass(frozen=True)
class Facts:
    """What the windows look at. `calls` carry their `end`; `providers` may be empty.

    `tainted_lines` are the patients with a rejected line.
    """

    billing: Billing
    calls: pl.DataFrame
    visits: Table
    providers: pl.DataFrame
    tainted_lines: pl.Series
    has_claims_table: bool
    coverage: Coverage
    policy: Policy
    codes: tuple[str, ...]


class Nouns:
    """The nouns of one audit, each made when a rule first asks for it."""

    def __init__(self, facts: Facts, audited: pl.Expr) -> None:
        """`audited` picks the claims to audit among the lines; the other lines stay as context."""
        self._facts = facts
        self._lines = _sequence(_lines_with_coverage(facts), facts)
        self.claims = self._lines.filter(audited & pl.col("cpt_code").is_in(facts.codes))
        self._visits = _classified(facts)
        self._pairs: pl.DataFrame | None = None
        self._made: dict[Noun, pl.DataFrame] = {"claim": self.claims}
        self._makers: Mapping[Noun, Callable[[], pl.DataFrame]] = {
            "visit_before": lambda: _visit_before(self.pairs, facts),
            "visit_after": lambda: _visit_after(self.pairs),
            "line_before": lambda: _line_before(self.claims, self._lines, facts),
            "shared_call": lambda: _shared_call(self.claims, self._lines, facts),
            "same_day": lambda: _same_day(self.claims, self._lines, self._visits, facts),
            "own_call": lambda: _own_call(self.claims, facts),
            "overlap": lambda: _overlap(self.claims, facts),
        }

    def __getitem__(self, noun: Noun) -> pl.DataFrame:
        """The noun's frame."""
        if noun not in self._made:
            self._made[noun] = self._makers[noun]()
        return self._made[noun]

    @property
    def pairs(self) -> pl.DataFrame:
        """Audited claims with the visits near them."""
        if self._pairs is None:
            self._pairs = _visit_pairs(self.claims, self._visits, self._facts)
        return self._pairs

    @property
    def unlisted_visits(self) -> int:
        """Visits all of whose codes are in no list."""
        return int(self._visits["v_unlisted"].sum())


def _days_before(date: str, days: int) -> pl.Expr:
    return pl.col(date).dt.offset_by(f"-{days}d")


def _lines_with_coverage(facts: Facts) -> pl.DataFrame:
    """The lines with their band and what the coverage leaves open; where nothing tells, it is open."""
    policy, coverage = facts.policy, facts.coverage
    as_of = pl.lit(coverage.as_of, pl.Datetime("us", "UTC"))
    visits_since, claims_since = pl.lit(coverage.visits_since, pl.Date), pl.lit(coverage.claims_since, pl.Date)
    last_day = as_of.dt.convert_time_zone(policy.timezone).dt.date()
    tainted_visits = pl.col("patient_id").is_in(facts.visits.tainted.to_list())
    tainted_lines = pl.col("patient_id").is_in(facts.tainted_lines.to_list())

    def back(days: int) -> pl.Expr:
        thin = (_days_before("start_date", days) < visits_since).fill_null(True)
        return thin | (pl.col("start") > as_of).fill_null(True) | tainted_visits

    day, end = pl.col("service_date"), pl.col("end")
    bands = {code: policy.bands[code] for code in FAMILY}  # type: ignore[index]
    return facts.billing.lines.with_columns(
        low=pl.col("cpt_code").replace_strict({code: band.low for code, band in bands.items()}, return_dtype=pl.Int64),
        high=pl.col("cpt_code").replace_strict(
            {code: band.high for code, band in bands.items()}, return_dtype=pl.Int64
        ),
        max_units=pl.lit(policy.frequency.max_units),
        lookback_open=back(policy.lookback.days),
        postoperative_open=back(max(policy.lookback.postoperative_days, default=0)),
        ahead_open=(end + pl.duration(hours=policy.lookahead.hours) > as_of).fill_null(True) | tainted_visits,
        same_day_open=((day < visits_since) | (day > last_day)).fill_null(True) | tainted_visits,
        lines_open=(_days_before("service_date", policy.frequency.period_days - 1) < claims_since).fill_null(True)
        | tainted_lines,
    )


def _sequence(lines: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Add `counted` (FRQ001 counts the line against later ones) and `shaky` (an earlier one of its run is unknown).

    A run is a series of claims of one patient, provider and code, each within the period of the one before it. Rounds
    take the first undecided claim of every run as counted and drop those that it flags: as many rounds as the longest
    run has counted claims.
    """
    run = ["patient_id", "provider_id", "cpt_code", "run"]
    last_day = facts.policy.frequency.period_days - 1
    previous = pl.col("service_date").shift(1).over(run[:3], order_by="line")
    starts = ((pl.col("service_date") - previous).dt.total_days() > last_day).fill_null(True)
    claims = lines.filter(pl.col("cpt_code").is_in(facts.codes)).select("line", *run[:3], "service_date", "lines_open")
    claims = claims.with_columns(run=starts).with_columns(run=pl.col("run").cum_sum().over(run[:3], order_by="line"))
    if facts.policy.frequency.anchor == "reported":
        marks = claims.select("line", counted=pl.lit(True), shaky=pl.lit(False))
    else:
        counted = _counted(claims, run, last_day)
        unknown = pl.col("counted") & pl.col("lines_open")
        earlier = unknown.cast(pl.UInt8).cum_max().shift(1, fill_value=0).over(run, order_by="line") == 1
        marks = (
            claims.with_columns(counted=pl.col("line").is_in(counted.implode()))
            .with_columns(shaky=earlier)
            .select("line", "counted", "shaky")
        )
    return lines.join(marks, on="line", how="left", maintain_order="left").with_columns(
        pl.col("counted", "shaky").fill_null(False)
    )


def _counted(claims: pl.DataFrame, run: list[str], last_day: int) -> pl.Series:
    rounds = []
    undecided = claims.select("line", *run, "service_date")
    while not undecided.is_empty():
        first = undecided.group_by(run).agg(pl.col("line").min(), pl.col("service_date").min().alias("anchor"))
        rounds.append(first["line"])
        days = (pl.col("service_date") - pl.col("anchor")).dt.total_days()
        undecided = undecided.join(first.drop("line"), on=run).filter(days > last_day).drop("anchor")
    return pl.concat(rounds) if rounds else pl.Series("line", [], dtype=claims.schema["line"])


def _classified(facts: Facts) -> pl.DataFrame:
    """The visits, columns prefixed `v_`, with what their codes say. Each different list of codes is judged once."""
    lists = facts.policy.lists
    visit_codes, procedures, others = (
        CodeList.of(lists.visit_codes),
        CodeList.of(lists.procedures),
        CodeList.of(lists.not_procedures),
    )
    ncci_0, ncci_1 = CodeList.of(lists.ncci_0), CodeList.of(lists.ncci_1)

    def judge(codes: list[str]) -> tuple[bool, ...]:
        visit = [
            code not in FAMILY and (code in visit_codes or (code in procedures and code not in others))
            for code in codes
        ]
        listed = [code in FAMILY or code in ncci_0 or code in ncci_1 for code in codes]
        return (
            bool(codes),
            bool(codes) and all(code in FAMILY for code in codes),
            any(visit),
            any(code in ncci_0 for code in codes),
            any(code in ncci_1 for code in codes),
            bool(codes) and not any(visit) and not any(listed),
        )

    groups = facts.providers.select("provider_id", _group="group_id", _specialty="specialty")
    rows = facts.visits.rows.join(groups, on="provider_id", how="left").with_columns(
        pl.coalesce("group_id", "_group").alias("group_id"), pl.coalesce("specialty", "_specialty").alias("specialty")
    )
    different = rows.select(codes=pl.col("cpt_codes").list.join(";")).unique()
    names = ("has_codes", "only_family", "has_visit_code", "ncci_0", "ncci_1", "unlisted")
    judged = [(text, *judge(text.split(";") if text else [])) for (text,) in different.iter_rows()]
    flags = pl.DataFrame(judged, schema={"codes": pl.String, **dict.fromkeys(names, pl.Boolean)}, orient="row")
    visits = rows.with_columns(codes=pl.col("cpt_codes").list.join(";")).join(flags, on="codes", how="left")
    return visits.select(
        "patient_id",
        kind=pl.lit("visit"),
        id="visit_id",
        at="visit_start",
        date_only="visit_start_date_only",
        v_date="visit_start_date",
        **{f"v_{name}": pl.col(name) for name in (*_VISIT_COLUMNS, *names)},
    )


_VISIT_COLUMNS = (
    "provider_id",
    "modality",
    "status",
    "booked_at",
    "booked_at_date_only",
    "booked_at_date",
    "soonest_available",
    "originating_call_id",
    "diagnosis_codes",
    "problem_id",
    "group_id",
    "specialty",
    "global_days",
)

_CLAIM_COLUMNS = (
    "line",
    "patient_id",
    "provider_id",
    "start",
    "reach",
    "start_date",
    "end_date",
    "call_ids",
    "related_visit_ids",
    "problems",
    "diagnoses",
    "group_id",
    "specialty",
)


def _visit_pairs(claims: pl.DataFrame, visits: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Each claim with its patient's visits from the longest lookback to the horizon, related and flagged."""
    policy = facts.policy
    start, end, at = pl.col("start"), pl.col("reach"), pl.col("at")
    ahead = end + pl.duration(hours=policy.lookahead.hours)
    ahead_days = -(-policy.lookahead.hours // 24)
    horizon = end + pl.duration(hours=24 * policy.horizon_days)
    back_days = (pl.col("start_date") - pl.col("v_date")).dt.total_days()
    after_days = (pl.col("v_date") - pl.col("end_date")).dt.total_days()
    postoperative = pl.col("v_global_days").is_in(list(policy.lookback.postoperative_days)).fill_null(False)
    furthest = max(policy.horizon_days, ahead_days) + 1
    near = (
        ((back_days <= policy.lookback.days) | (postoperative & (back_days <= pl.col("v_global_days"))))
        & (after_days <= furthest)
    )  # fmt: skip
    pairs = (
        claims.lazy()
        .filter("has_call")
        .select(_CLAIM_COLUMNS)
        .join(visits.lazy(), on="patient_id", how="inner")
        .filter(near)
        .collect()
    )
    pairs = related.relate(pairs, policy.relatedness)
    on_the_day = pl.col("v_booked_at_date_only") & (pl.col("v_booked_at_date") == pl.col("start_date"))
    status, date_only = pl.col("v_status"), pl.col("date_only")
    past = (at <= pl.lit(facts.coverage.as_of, pl.Datetime("us", "UTC"))).fill_null(False)
    in_person = ~pl.col("v_has_codes") & (pl.col("v_modality") != "phone").fill_null(True)
    return pairs.with_columns(
        booked_at=pl.when(on_the_day).then(None).otherwise("v_booked_at"),
        before=at < start,
        back_days=back_days,
        back_elapsed=(start - at).dt.total_microseconds(),
        after_days=after_days.clip(lower_bound=0),
        after_elapsed=(at - end).dt.total_microseconds().clip(lower_bound=0),
        within=pl.when(date_only)
        .then((after_days <= ahead_days) & ((after_days >= 0) | (at >= start)))
        .otherwise(at.is_between(start, ahead)),
        later=pl.when(date_only)
        .then(after_days.is_between(ahead_days + 1, policy.horizon_days))
        .otherwise((at > ahead) & (at <= horizon)),
        ahead=ahead,
        counts=~pl.col("call_ids").list.contains(pl.col("id"))
        & ~pl.col("v_only_family")
        & (pl.col("linked") | in_person | pl.col("v_has_visit_code")),
        completed=(status == "completed").fill_null(False),
        undone=(status.is_null() | (status == "unrecognised")),
        past=past,
        scheduled=(status == "scheduled").fill_null(False),
        live=~status.is_in(["cancelled", "no_show"]).fill_null(False),
        sure=(status != "unrecognised").fill_null(True),
        postoperative=postoperative,
        same_group=(pl.col("group_id") == pl.col("v_group_id")).fill_null(False),
        may_be_related=pl.col("relation") != related.NO,
        is_related=pl.col("relation") == related.YES,
        unrelated_supports=pl.lit(policy.lookahead.unrelated_supports),
    ).with_columns(
        kept=pl.col("completed") | (pl.col("undone") & past),
        from_call=pl.col("linked") | (pl.col("booked_at") >= start).fill_null(False),
        in_span=pl.col("linked") | pl.col("booked_at").is_between(start, pl.col("ahead")).fill_null(False),
        not_booked=pl.col("booked_at").is_null(),
        soonest=pl.col("v_soonest_available").fill_null(False),
        not_soonest=~pl.col("v_soonest_available").fill_null(True),
        soonest_blank=pl.col("v_soonest_available").is_null(),
        why_not=_why_not(),
    )


def _why_not() -> pl.Expr:
    """Why a visit supports nothing, where the rule finds that it does not."""
    return (
        pl.when(~pl.col("counts"))
        .then(pl.lit("does not count as a visit"))
        .when(~pl.col("may_be_related"))
        .then(pl.lit("unrelated"))
        .when(~pl.col("live"))
        .then(pl.lit("did not take place"))
        .otherwise(pl.lit("its booking, status or date does not meet the rule"))
    )


def _visit_before(pairs: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Visits that started before the claim."""
    return pairs.filter("before").with_columns(
        gap_days="back_days",
        order="back_elapsed",
        in_lookback=pl.col("back_days").is_between(0, facts.policy.lookback.days),
        certainly_before=~pl.col("date_only") | (pl.col("back_days") >= 1),
        in_global_period=pl.col("postoperative") & (pl.col("back_days") <= pl.col("v_global_days")),
    )


def _visit_after(pairs: pl.DataFrame) -> pl.DataFrame:
    """Visits during the claim, within the first hours after it (`within`), or up to the horizon (`later`)."""
    return pairs.filter(pl.col("within") | pl.col("later")).with_columns(gap_days="after_days", order="after_elapsed")


_LINE_COLUMNS = ("line", "patient_id", "provider_id", "service_date", "cpt_code", "group_id", "specialty")


def _line_record(zone: str) -> list[pl.Expr]:
    """A line as a record: an instant stands for its start, or for its date where the start is unknown."""
    midnight = pl.col("service_date").cast(pl.Datetime("us")).dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    )  # fmt: skip
    at = pl.coalesce("start", midnight.dt.convert_time_zone("UTC"))
    names = [pl.col(name).alias(f"e_{name}") for name in (*_LINE_COLUMNS, "counted", "start") if name != "patient_id"]
    return [pl.col("patient_id"), *names, pl.col("claim_id").alias("id"), at.alias("at")]


def _as_records(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.with_columns(
        kind=pl.lit("claim"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        why_not=pl.lit("does not meet the rule"),
        gap_days=(pl.col("service_date") - pl.col("e_service_date")).dt.total_days(),
        order=-pl.col("e_line").cast(pl.Int64),
        elapsed=(pl.col("start") - pl.col("e_start")).dt.total_microseconds(),
        same_provider=pl.col("provider_id") == pl.col("e_provider_id"),
        same_code=pl.col("cpt_code") == pl.col("e_cpt_code"),
        same_group=(
            (pl.col("group_id") == pl.col("e_group_id")) & (pl.col("specialty") == pl.col("e_specialty"))
        ).fill_null(False),
    )  # fmt: skip


def _line_before(claims: pl.DataFrame, lines: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Earlier active lines of the family for the claim's patient, within the frequency period."""
    days = (pl.col("service_date") - pl.col("e_service_date")).dt.total_days()
    pairs = (
        claims.lazy()
        .select(*_LINE_COLUMNS, "start", "shaky")
        .join(lines.lazy().select(_line_record(facts.policy.timezone)), on="patient_id", how="inner")
        .filter((pl.col("e_line") < pl.col("line")) & (days < facts.policy.frequency.period_days))
        .collect()
    )
    return _as_records(pairs)


def _shared_call(claims: pl.DataFrame, lines: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Earlier active lines of the family that one of the claim's calls supports too."""
    supports = facts.billing.line_calls.select("line", "call_id")
    shared = supports.join(supports.rename({"line": "e_line"}), on="call_id", how="inner")
    shared = shared.filter(pl.col("e_line") < pl.col("line")).select("line", "e_line").unique()
    records = lines.select(_line_record(facts.policy.timezone)).drop("patient_id")
    return _as_records(
        shared.join(claims.select(*_LINE_COLUMNS, "start"), on="line", how="inner").join(
            records, on="e_line", how="inner"
        )
    )


def _same_day(claims: pl.DataFrame, lines: pl.DataFrame, visits: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Visits and other active lines of the claim's patient, provider and date whose codes are on an NCCI list."""
    ncci = {name: CodeList.of(getattr(facts.policy.lists, name)) for name in ("ncci_0", "ncci_1")}
    own = claims.select("line", "patient_id", "provider_id", day="service_date", start="start", end="reach")
    visit_rows = visits.filter(
        (pl.col("v_ncci_0") | pl.col("v_ncci_1")) & ~pl.col("v_status").is_in(["cancelled", "no_show"]).fill_null(False)
    ).select(
        "patient_id", "kind", "id", "at", "date_only", provider_id="v_provider_id", day="v_date",
        is_0="v_ncci_0", is_1="v_ncci_1", sure=(pl.col("v_status") != "unrecognised").fill_null(True),
    )  # fmt: skip
    lines_too = pl.concat(
        [facts.billing.others, lines.select(facts.billing.others.columns)]
    ).rename({"service_date": "day"})  # fmt: skip
    different = lines_too["cpt_code"].unique().to_list()
    on_0, on_1 = ([code for code in different if code in ncci[name]] for name in ("ncci_0", "ncci_1"))
    code = pl.col("cpt_code")
    line_rows = lines_too.filter(code.is_in(on_0 + on_1)).select(
        "patient_id",
        kind=pl.lit("claim"),
        id="claim_id",
        at=pl.lit(None, pl.Datetime("us", "UTC")),
        date_only=pl.lit(False),
        provider_id="provider_id",
        day="day",
        is_0=code.is_in(on_0),
        is_1=code.is_in(on_1),
        sure=pl.lit(True),
    )
    pairs = own.join(pl.concat([visit_rows, line_rows]), on=["patient_id", "provider_id", "day"], how="inner")
    back, after = pl.col("start") - pl.col("at"), pl.col("at") - pl.col("end")
    elapsed = pl.max_horizontal(back, after, pl.duration()).dt.total_microseconds()
    return pairs.with_columns(
        gap_days=pl.lit(0, pl.Int64),
        order=elapsed,
        basis=pl.lit(None, pl.String),
        why_not=pl.lit("does not meet the rule"),
    )


def _own_call(claims: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """The claim's own calls."""
    calls = facts.billing.line_calls.select(
        "line", "named", "initiated_by", "established", "caller", "purpose", "stated", "discussion_minutes", "clock",
        id="call_id", at="call_start", call_patient="patient_id", call_provider="provider_id", call_date="call_start_date",
    )  # fmt: skip
    own = claims.select("line", "patient_id", "provider_id", "service_date", "call_dates")
    return calls.join(own, on="line", how="inner").with_columns(
        kind=pl.lit("call"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        why_not=pl.lit("does not meet the rule"),
        gap_days=(pl.col("call_date") - pl.col("service_date")).dt.total_days().abs(),
        order=pl.lit(0, pl.Int64),
        other_party=pl.col("named")
        & ((pl.col("call_patient") != pl.col("patient_id")) | (pl.col("call_provider") != pl.col("provider_id"))),
        none_on_date=pl.lit(facts.has_claims_table) & ~pl.col("call_dates").list.contains(pl.col("service_date")),
    )


def _overlap(claims: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Other calls of the claim's provider that overlap one of its calls by more than zero time.

    Calls meet in the hours that both touch, so that a provider's day is never joined with itself.
    """

    def by_hour(calls: pl.DataFrame) -> pl.LazyFrame:
        first = pl.col("from").dt.epoch("us") // HOUR
        last = (pl.col("to").dt.epoch("us") - 1) // HOUR
        spans = calls.lazy().filter(pl.col("to") > pl.col("from"))
        return spans.with_columns(hour=pl.int_ranges(first, last + 1)).explode("hour", empty_as_null=False)

    own = facts.billing.line_calls.join(
        claims.select("line", "call_ids", claim_provider="provider_id"), on="line"
    ).select("line", "call_ids", provider_id="claim_provider", **{"from": "call_start", "to": "end"})
    others = facts.calls.join(own, on="provider_id", how="semi").select(
        "provider_id", id="call_id", at="call_start", **{"from": "call_start", "to": "end"}
    )
    pairs = (
        by_hour(own)
        .join(by_hour(others), on=["provider_id", "hour"], how="inner", suffix="_other")
        .filter(
            (pl.max_horizontal("from", "from_other") < pl.min_horizontal("to", "to_other"))
            & ~pl.col("call_ids").list.contains(pl.col("id"))
        )
        .select("line", "id", "at")
        .unique()
        .collect()
    )
    return pairs.with_columns(
        kind=pl.lit("call"),
        date_only=pl.lit(False),
        basis=pl.lit(None, pl.String),
        why_not=pl.lit(""),
        gap_days=pl.lit(0, pl.Int64),
        order=pl.lit(0, pl.Int64),
    )
