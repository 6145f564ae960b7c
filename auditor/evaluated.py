"""Which rules can be evaluated on the inputs, and which claims are audited."""

from collections.abc import Mapping

import polars as pl

from auditor.inputs import Inputs, existing
from auditor.judging.findings import KEYS
from auditor.judging.judge import not_evaluable
from auditor.parsing.option_dates import OptionDates
from auditor.quality.coverage import Coverage
from auditor.rules import ALL
from auditor.rules.phone_log import NO_LOG
from auditor.rules.rule import UNASKED
from auditor.settings import Settings


def not_evaluated(inputs: Inputs, settings: Settings) -> dict[str, str]:
    """The rules that cannot be evaluated on these inputs, with the reasons."""
    return not_evaluable(ALL, settings.skipped_rules, existing(inputs), settings.policy)


def number_asked(not_evaluated: Mapping[str, str]) -> int:
    """The number of rules that a policy of the run asks for; without a phone log, not those that compare calls with it."""
    return len(ALL) - sum(reason in (UNASKED, NO_LOG) for reason in not_evaluated.values())


def in_service_range(dates: OptionDates) -> pl.Expr:
    """Claims of the service dates that were asked for."""
    day, always = pl.col("service_date"), pl.lit(True)
    after = day >= dates.service_from if dates.service_from else always
    return after & (day <= dates.service_to if dates.service_to else always)


def due_undecided(settings: Settings, covered: Coverage) -> pl.Expr:
    """Claims that earlier runs left undecided and whose window the visits have come to cover."""
    if settings.undecided is None or covered.as_of is None:
        return pl.lit(False)
    closed = settings.undecided.filter(pl.col("closes") <= covered.as_of)
    key = pl.concat_str(settings.identity.shown("claim_id", "claim"), "claim_line", "cpt_code", separator="\0")
    return key.is_in(closed.select(pl.concat_str(KEYS, separator="\0")).to_series().implode())
