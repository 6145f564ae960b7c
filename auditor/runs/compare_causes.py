"""What differs between two runs before any claim is looked at: data, policy, settings, coverage, version."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.policy import leaves
from auditor.run_summary import InputFile, Summary

CAUSES = ("data", "policy", "settings", "coverage", "version")
Pair = tuple[Any, Any]

LIMITS = ("codes", "service_from", "service_to")
"""Settings that choose claims; the others only end a run or leave it alone."""
CHOSEN = ("not selected", "ignored")
"""Reasons of rules that the user left out."""
_LOCAL = "package of "
"""Before the code of a local rule, whose package is compared like a setting and causes what a version causes."""
_APART = ("paths", "policy", "origins", "selected", "ignored")
"""Settings that are compared otherwise: files by their bytes, rules by the reasons why they were not evaluated."""


@dataclass(frozen=True)
class FileChange:
    """An input file whose bytes are in one run only: `changed` (same path), `appeared` or `vanished`. Rows or None."""

    table: str
    path: str
    change: str
    rows: Pair


@dataclass(frozen=True)
class Causes:
    """What differs between the runs. Every mapping holds what differs only, as name → (first, second), absent as None.

    `policy` has dotted keys of the policy in force, its name, description and sources left out; `policy_file` has name and
    sha256. `rules` holds why a rule was not evaluated, None where it was.
    """

    inputs: tuple[FileChange, ...]
    policy_file: Mapping[str, Pair]
    policy: Mapping[str, Pair]
    settings: Mapping[str, Pair]
    coverage: Mapping[str, Pair]
    version: Pair | None
    rules: Mapping[str, Pair]

    @property
    def roots(self) -> tuple[str, ...]:
        """Those of CAUSES that differ; coverage only where a run was told another: else it follows from the data."""
        there = (
            self.inputs,
            self.policy,
            self.settings.keys() & {*LIMITS} or {*CHOSEN} & {reason for pair in self.rules.values() for reason in pair},
            self.coverage.keys() & self.settings.keys(),
            self.version or any(name.startswith(_LOCAL) for name in self.settings),
        )
        return tuple(name for name, differs in zip(CAUSES, there, strict=True) if differs)

    def __bool__(self) -> bool:
        return any(vars(self).values())


def between(first: Summary, second: Summary) -> Causes:
    """What differs between two runs."""
    versions = (first.version, second.version)
    return Causes(
        inputs=tuple(_files(first.inputs, second.inputs)),
        policy_file=_differing(vars(first.policy), vars(second.policy)),
        policy=_differing(_policy(first), _policy(second)),
        settings=_differing(_settings(first), _settings(second)),
        coverage=_differing(*(run.coverage.model_dump(mode="json", exclude_unset=True) for run in (first, second))),
        version=versions if versions[0] != versions[1] else None,
        rules=_differing(_reasons(first, second), _reasons(second, first)),
    )


def _reasons(run: Summary, second: Summary) -> dict[str, str | None]:
    """Why each rule of either run was not evaluated in the first; None where it was."""
    unknown = {
        rule.code: f"{'its packages have' if rule.local else f'version {run.version} has'} no such rule"
        for rule in second.rules
    }
    return unknown | {rule.code: rule.reason for rule in run.rules}


def _files(first_files: Iterable[InputFile], second_files: Iterable[InputFile]) -> Iterator[FileChange]:
    """Files by table and bytes: another name or place of the same bytes is no change."""
    runs = [{(file.table, file.sha256): file for file in run} for run in (first_files, second_files)]
    first, second = (
        {(file.table, file.path): file.rows for key, file in run.items() if key not in beside}
        for run, beside in (runs, runs[::-1])
    )
    for file in sorted(first | second):
        change = "appeared" if file not in first else "vanished" if file not in second else "changed"
        yield FileChange(*file, change, (first.get(file), second.get(file)))


def _settings(run: Summary) -> dict[str, Any]:
    asked = {name: run.settings[name] for name in LIMITS} | run.settings
    packages = {f"{_LOCAL}{rule.code}": rule.local for rule in run.rules if rule.local}
    return {name: value for name, value in asked.items() if name not in _APART} | packages


def _policy(run: Summary) -> dict[str, Any]:
    return {name: value for name, value in leaves(run.settings["policy"])
            if name not in ("name", "description", "sources")}  # fmt: skip


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    pairs = {name: (first.get(name), second.get(name)) for name in (*first, *second)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
