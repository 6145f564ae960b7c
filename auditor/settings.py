"""The settings of an audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from auditor.identity import Identity
from auditor.parsing import option_dates
from auditor.parsing.option_dates import OptionDates
from auditor.payers import judging
from auditor.policy import Policy
from auditor.rules import ALL, CODES
from auditor.rules.rule import Rule
from auditor.run_options import WRITABLE
from auditor.schema.codes import AUDITED_BY_DEFAULT

NOT_SELECTED, IGNORED = "not selected", "ignored"
"""Why rules that the user left out are not evaluated."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an audit was asked to do. `paths` holds each given table's files; rule lists hold rule codes.

    `required` is None for the default, which does not insist on rules that the user left out. `max_rejects` is a number
    of rows, or with a percent sign a share of a table's rows. `undecided` are claims of earlier runs (keys and `closes`, as
    published) that are audited once their window has closed, whatever the service dates; `related` the records (kind and
    id) that findings of earlier runs rest on. `write`: the parts of the run folder that are wanted beside findings, claims,
    rejects and summary. `database`: the URL at which queries run; it may hold a password.
    """

    paths: Mapping[str, tuple[str, ...]]
    policy: Policy
    as_of: str | None = None
    visits_since: str | None = None
    claims_since: str | None = None
    service_from: str | None = None
    service_to: str | None = None
    codes: tuple[str, ...] = AUDITED_BY_DEFAULT
    selected: tuple[str, ...] = CODES
    ignored: tuple[str, ...] = ()
    database: str | None = field(default=None, repr=False)
    required: tuple[str, ...] | None = None
    max_rejects: str = "1%"
    allow_empty: bool = False
    allow_unjoined: bool = False
    max_shrink: str = "20%"
    identity: Identity = field(default_factory=Identity)
    write: tuple[str, ...] = WRITABLE
    undecided: pl.DataFrame | None = None
    related: pl.DataFrame | None = None

    @property
    def dates(self) -> OptionDates:
        """The dates that were given. Raises UsageError."""
        return option_dates.read(vars(self), self.policy)

    @property
    def skipped_rules(self) -> dict[str, str]:
        """The rules that the user left out, with the reasons."""
        skipped = {code: NOT_SELECTED for code in CODES if code not in self.selected}
        return skipped | dict.fromkeys(self.ignored, IGNORED)

    @property
    def disabled_rules(self) -> frozenset[str]:
        """The rules that the user, or every policy, does without."""
        policies = judging(self.policy)
        return frozenset(self.skipped_rules) | {rule.code for rule in ALL if rule.why_left_out(policies)}

    @property
    def enabled_rules(self) -> list[Rule]:
        """The other rules: what they need is read."""
        disabled = self.disabled_rules
        return [rule for rule in ALL if rule.code not in disabled]
