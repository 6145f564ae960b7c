"""Options that take one of a few words, for the command line and for policy files."""

from typing import Literal

Format = Literal["text", "jsonl", "csv", "json", "none"]
FailOn = Literal["violation", "review", "incomplete", "new", "never"]
EngineName = Literal["local", "spark"]
LogFormat = Literal["text", "json"]
CompareFormat = Literal["text", "csv", "jsonl"]
ExportFormat = Literal["csv", "jsonl"]
ListFormat = Literal["text", "json", "csv"]
CaseOrder = Literal["due", "case", "rule", "mark", "state", "amount", "found"]
DigestFormat = Literal["text", "markdown", "html", "json"]
EstimateFormat = Literal["text", "json"]
State = Literal["open", "confirmed", "corrected", "refunded", "dismissed"]
"""In this order: a claim's money is in the line of its first state."""
SETTLED: tuple[State, ...] = ("corrected", "refunded", "dismissed")
"""States of findings that are left out of the headline, the money at risk, the work and the exit code."""
Mark = Literal["new", "worse", "reopened", "persisting", "changed", "resolved", "not_seen"]
ALARMS: tuple[Mark, ...] = ("new", "worse", "reopened")
"""Marks that `--fail-on new` exits 1 for, in the order of work."""
GONE: tuple[Mark, ...] = ("resolved", "not_seen")
"""Marks of cases without a finding."""
Unit = Literal["claim", "patient"]
FoundOutcome = Literal["violation", "review"]
Population = Literal["audited", "flagged", "violation", "review"]
Strata = Literal["none", "disposition", "provider", "month", "amount"]
