"""Every check of the exports, in the order in which warnings are listed. A new check is its file and its line in `ALL`."""

from collections.abc import Iterator
from itertools import groupby

import polars as pl

from auditor.errors import InputRefused
from auditor.parsing.duplicates import hashed
from auditor.policy import Policy
from auditor.quality import (
    ambiguous_dates,
    cell_values,
    clock_offset,
    common_ids,
    coverage,
    date_gaps,
    drift,
    duration_units,
    event_order,
    id_matching,
    ledgers,
    left_out_rows,
    link_vocabularies,
    midnight_columns,
    missing_columns,
    mixed_zones,
    phone_log,
    placeholder_ids,
    rejects,
    rounded_numbers,
    shrinkage,
    skipped_files,
    time_zone,
    unknown_words,
    unlisted_codes,
    unmatched_adjustments,
    unread_columns,
    zone_rules,
)
from auditor.quality.id_sets import IdSet
from auditor.quality.issue import Check, Effect, Exports, Issue, Stage
from auditor.quality.profile import NO_TEXT, Count, Profiles, no_matches
from auditor.quality.report import QualityReport

ALL: tuple[Check, ...] = (
    shrinkage.CHECK,
    drift.CHECK,
    rejects.CHECK,
    id_matching.CHECK,
    link_vocabularies.CHECK,
    placeholder_ids.CHECK,
    common_ids.CHECK,
    rounded_numbers.CHECK,
    unlisted_codes.CHECK,
    ambiguous_dates.CHECK,
    event_order.CHECK,
    clock_offset.CHECK,
    coverage.CHECK,
    date_gaps.CHECK,
    unmatched_adjustments.CHECK,
    phone_log.CHECK,
    skipped_files.CHECK,
    left_out_rows.CHECK,
    unread_columns.CHECK,
    mixed_zones.CHECK,
    duration_units.CHECK,
    midnight_columns.CHECK,
    cell_values.CHECK,
    time_zone.CHECK,
    missing_columns.CHECK,
    zone_rules.CHECK,
    ledgers.CHECK,
    unknown_words.CHECK,
)


def counts(table: str, *, of_records: bool = False) -> tuple[Count, ...]:
    """What all checks count in a table."""
    return tuple(
        count for check in ALL for count in check.counts if count.table == table and count.of_records == of_records
    )


def issues(exports: Exports) -> Iterator[Issue]:
    """What all checks find; the issues of checks `by_table` are in the order of the tables."""
    for by_table, checks in groupby(ALL, key=lambda check: check.by_table):
        found = [issue for check in checks for issue in check.judge(exports)]
        order = list(exports.tables)
        yield from sorted(found, key=lambda issue: order.index(issue.table or "")) if by_table else found


def refuse(exports: Exports, stage: Stage) -> None:
    """Refuse exports in which a check of the stage finds a reason. Raises InputRefused with the first one."""
    for check in (check for check in ALL if check.stage == stage):
        for issue in check.judge(exports):
            if issue.effect is Effect.REFUSE:
                raise InputRefused(issue.text)


def warnings(exports: Exports) -> tuple[str, ...]:
    """What a person should know of exports that are not refused."""
    return tuple(issue.text for issue in issues(exports) if issue.effect is not Effect.REFUSE)


def compared(exports: Exports) -> tuple[str, ...]:
    """What a person should know of this run beside the runs before. Raises InputRefused."""
    found = [issue for check in ALL if check.stage is Stage.COMPARED for issue in check.judge(exports)]
    for issue in found:
        if issue.effect is Effect.REFUSE:
            raise InputRefused(issue.text)
    return tuple(issue.text for issue in found)


def quality_report(profiles: Profiles, lines: pl.DataFrame, providers: pl.DataFrame, policy: Policy) -> QualityReport:
    """Assess the profiles of all tables. `lines`: patient_id and provider_id of all lines of the family."""
    ids = [no_matches(), *(profile.id_matches for profile in profiles.values())]
    for pair, values, candidates in (
        ("patient in lines", lines["patient_id"], lines["patient_id"]),
        ("provider in providers", lines["provider_id"], providers["provider_id"]),
    ):
        matches = IdSet(values).matches(candidates.unique())
        ids.append(matches.select(name=pl.lit(pair), value="value", how="how", text=NO_TEXT))
    placeholders_by_table = {table: placeholder_ids.of_profile(profile, policy) for table, profile in profiles.items()}
    return QualityReport(
        _without_exact_origins(pl.concat(ids), profiles),
        {table: matches for table, matches in placeholders_by_table.items() if matches.height},
        dict(link_vocabularies.links(profiles)),
        common_groups=common_ids.groups(profiles, providers),
        rounded=rounded_numbers.rounded(profiles, providers, policy),
    )


def _without_exact_origins(ids: pl.DataFrame, profiles: Profiles) -> pl.DataFrame:
    """The matches without those of claims whose text is itself the id of a call or claim: a visit came from that one."""
    origins = ids.filter(name="claim in visits").select("text").drop_nulls().unique()
    if origins.is_empty():
        return ids
    calls = pl.concat(profile.call_hashes for profile in profiles.values()).implode()
    exact = origins.filter(hashed([origins["text"]]).is_in(calls))["text"].implode()
    return ids.filter(~((pl.col("name") == "claim in visits") & pl.col("text").is_in(exact)).fill_null(False))
