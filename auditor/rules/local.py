"""Local rules: those of installed packages with an entry point in the group `audit98968.rules`.

A local rule has a code of its own range and a name that says so, and is judged before any file is read.

Source: docs/local_rules.md.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from importlib.metadata import EntryPoint, entry_points

import polars as pl

from auditor.errors import UsageError
from auditor.rules import pages
from auditor.rules.rule import Rule
from auditor.schema.outputs import TABLES
from auditor.windows import LISTED, RecordSet
from auditor.windows.bounds import Numbers
from auditor.windows.columns import RELATED

GROUP = "audit98968.rules"
_CODE, _NAME = re.compile(r"LOC\d{3}"), re.compile(r"local(-[a-z0-9]+)+")

_WORDS = (*TABLES["claims"], *Numbers().filled())
"""What may be in braces in `nothing`."""


def load(points: Iterable[EntryPoint] | None = None) -> tuple[Rule, ...]:
    """The local rules by code; `points`: their entry points, by default those installed. Raises UsageError."""
    rules: dict[str, Rule] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        where = f"local rules {point.name!r} of {origin}"
        for rule in _rules(point, where):
            taken = {name for other in rules.values() for name in (other.code, other.name)}
            reason = "two rules have this code or name" if taken & {rule.code, rule.name} else _fault(rule)
            if reason:
                raise UsageError(f"{where}: {rule.code}: {reason}; correct the rule, or uninstall its package")
            rules[rule.code] = replace(rule, origin=origin)
    return tuple(rules[code] for code in sorted(rules))


def is_code(text: str) -> bool:
    """Whether a text is a code that local rules may have."""
    return _CODE.fullmatch(text) is not None


def _rules(point: EntryPoint, where: str) -> Sequence[Rule]:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # whatever the code of a package may raise
        raise UsageError(
            f"{where}: cannot be imported ({type(error).__name__}: {error}); correct the rule, or uninstall its package"
        ) from None
    rules = found if isinstance(found, tuple | list) else (found,)
    if not rules or not all(isinstance(rule, Rule) for rule in rules):
        raise UsageError(f"{where}: {point.value} is no Rule and no list of them; name one in the entry point")
    return rules


def _fault(rule: Rule) -> str | None:
    """Why a rule cannot be used, or None."""
    try:
        if not is_code(rule.code):
            return "the code of a local rule is LOC and three digits"
        if not _NAME.fullmatch(rule.name):
            return "the name of a local rule is local- and words in lower case, joined by hyphens"
        if not (rule.cites and rule.examples.strip() and (rule.page or "").partition("\n")[2].strip()):
            return "it lacks its page, its sources (cites) or its examples"
        pages.page(rule)
        rule.nothing.format(**dict.fromkeys(_WORDS, ""))
        return _looks_across_rows(rule) or _unlike_a_rule(rule)
    except KeyError as error:
        return f"{{{error.args[0]}}} in its page or in `nothing` is no column of claims.csv and no number of the policy"
    except Exception as error:  # whatever its fields may be
        return f"{type(error).__name__}: {error}"


def _looks_across_rows(rule: Rule) -> str | None:
    """What refuses a sum or a rank: its value would depend on which rows are judged together."""
    for each in fields(rule):
        if each.type is pl.Expr and not _is_row_by_row(getattr(rule, each.name)):
            return f"{each.name} looks across rows; a rule may read one row at a time"
    return None


def _is_row_by_row(expression: pl.Expr) -> bool:
    """Whether every part of an expression is; polars answers for the outermost one."""
    try:
        separable = expression.meta.is_literal() or expression.meta.is_row_separable()
    except pl.exceptions.ColumnNotFoundError:  # polars cannot tell of a function of Python
        separable = True
    return separable and all(map(_is_row_by_row, expression.meta.pop()))


def _unlike_a_rule(rule: Rule) -> str | None:
    """What is wrong with the types of a rule's expressions, found on tables without rows."""
    expressions: tuple[tuple[RecordSet, tuple[str, ...], pl.DataType], ...] = (
        (rule.over, ("violation", "review", "conclusive", "doubt", "considered"), pl.Boolean()),
        (rule.over, ("detail", "reason", *(() if rule.over == "claim" else ("exclusion_reason",))), pl.String()),
        ("claim", ("is_unknown", "is_applicable"), pl.Boolean()),
        ("claim", ("message",), pl.String()),
    )
    for record_set, names, wanted in expressions:
        columns = LISTED[record_set] | (RELATED if names == ("message",) else {})
        table = pl.DataFrame(schema={name: kind for name, (kind, _) in columns.items()})
        for name in names:
            if (kind := table.select(getattr(rule, name)).dtypes[0]) != wanted:
                return f"{name} gives {kind}; it must give {wanted}"
    return None
