"""What a check finds: an issue of the exports, in words and with its effect on the audit.

Source: docs/specification.md#data-quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the windows import checks, and most of these import the windows
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import polars as pl

    from auditor.parsing.typed_table import Table
    from auditor.policy import Policy
    from auditor.quality.coverage import Coverage
    from auditor.quality.phone_log import InPhoneLog
    from auditor.quality.profile import Count, Profiles
    from auditor.quality.report import QualityReport
    from auditor.reading.ingest import SourceFile
    from auditor.run_summary import Summary
    from auditor.settings import Settings


class Effect(Enum):
    """What an issue does to the audit."""

    REFUSE = "the run is refused"
    UNDECIDABLE = "rules are unknown for the claims that it concerns"
    WARN = "a warning"


class Stage(Enum):
    """When a check can judge, and so when it can refuse."""

    READ = "after the exports are read"
    PLANNED = "before the claims are judged"
    JUDGED = "after the claims are judged"
    COMPARED = "when the run before is known"


@dataclass(frozen=True)
class Issue:
    """One sentence for a person, one effect on the audit.

    `check`: the check's permanent code. `affects`: the rules that it makes unknown. `message`: where and what, never a
    cell's value. `remedy`: the policy key, the flag, or the export to ask for; blank if there is none.
    """

    check: str
    effect: Effect
    table: str | None
    column: str | None
    affects: tuple[str, ...]
    message: str
    remedy: str

    @property
    def text(self) -> str:
        """The message and the remedy."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


@dataclass(frozen=True, kw_only=True)
class Exports:
    """What the checks judge: the exports as read, then what the audit learned of them.

    `not_evaluated`: rule code → reason, from PLANNED on. `coverage`, `match_rates` (`relationships.match_rates`),
    `clear_by_absence` and `unmatched_adjustments` (counts), `in_phone_log`: from JUDGED on. `earlier` and `now`: two
    runs, and `history`: the runs before, oldest first, at COMPARED.
    """

    settings: Settings
    tables: Mapping[str, Table]
    files: Mapping[str, tuple[SourceFile, ...]]
    profiles: Profiles
    report: QualityReport
    not_evaluated: Mapping[str, str] | None = None
    coverage: Coverage | None = None
    match_rates: pl.DataFrame | None = None
    clear_by_absence: int = 0
    unmatched_adjustments: int = 0
    in_phone_log: InPhoneLog | None = None
    earlier: Summary | None = None
    now: Summary | None = None
    history: Sequence[Summary] = ()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.settings.policy


@dataclass(frozen=True)
class Check:
    """A check of the exports: permanent code, module (its last part is the name), page, and what it finds.

    `counts`: what it counts in every chunk of a table. `by_table`: its warnings are listed table by table, beside those of
    other such checks.
    """

    code: str
    module: str
    page: str | None
    judge: Callable[[Exports], Iterable[Issue]]
    stage: Stage = Stage.JUDGED
    by_table: bool = False
    counts: tuple[Count, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.module.rpartition(".")[2]

    def refuse(self, message: str, remedy: str, *, table: str | None = None, column: str | None = None) -> Issue:
        """An issue that refuses the run."""
        return Issue(self.code, Effect.REFUSE, table, column, (), message, remedy)

    def warn(self, message: str, remedy: str = "", *, table: str | None = None, column: str | None = None) -> Issue:
        """An issue that changes no outcome."""
        return Issue(self.code, Effect.WARN, table, column, (), message, remedy)

    def undecidable(
        self, message: str, remedy: str, affects: tuple[str, ...], *, table: str, column: str | None = None
    ) -> Issue:
        """An issue that leaves rules unknown; a warning if it affects none."""
        effect = Effect.UNDECIDABLE if affects else Effect.WARN
        return Issue(self.code, effect, table, column, affects, message, remedy)
