"""Every small change of a source file that a test ought to notice: comparisons, boundaries, junctions, constants.

A mutant replaces one span of the text, found through the positions of the syntax tree, so that the formatting stays.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
               ast.Eq: ("==", "!="), ast.NotEq: ("!=", "==")}  # fmt: skip
JUNCTIONS = {ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&")}
ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
NAMES = {"min_horizontal": "max_horizontal", "max_horizontal": "min_horizontal", "min": "max", "max": "min",
         "any": "all", "all": "any", "cum_max": "cum_min", "earliest": "latest"}  # fmt: skip
SWITCHES = ("fill_null", "lit", "clip", "shift")
_NUMBER = re.compile(r"(?<![\w.\"-])\d+(?![\w.\"])")


@dataclass(frozen=True)
class Mutant:
    """`text[start:end]` of `file` becomes `new`. `before` and `after` are the changed line, stripped: its identity."""

    file: str
    start: int
    end: int
    new: str
    line: int
    before: str
    after: str

    def applied(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def of_file(file: str, text: str) -> list[Mutant]:
    """The mutants of one file, in order, without repeats."""
    spans = _of_toml(text) if file.endswith(".toml") else _of_python(text)
    made = {}
    for start, end, new in sorted(spans):
        line = text.count("\n", 0, start) + 1
        begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        before, after = text[begin:stop], text[begin:start] + new + text[end:stop]
        made[start, end, new] = Mutant(file, start, end, new, line, before.strip(), after.strip())
    return list(made.values())


def _of_toml(text: str) -> Iterator[tuple[int, int, str]]:
    """Numbers and switches that are set outside the code lists."""
    lists = text.find("\n[lists]"), text.find("\n[run]")
    at = 0
    for line in text.splitlines(keepends=True):
        body = line.split("#")[0]
        if "=" in body and '"' not in body and not lists[0] < at < lists[1]:
            offset = at + body.index("=")
            for found in _NUMBER.finditer(text, offset, at + len(body)):
                yield found.start(), found.end(), str(int(found[0]) + 1)
                yield found.start(), found.end(), str(int(found[0]) - 1)
            for found in re.compile("true|false").finditer(text, offset, at + len(body)):
                yield found.start(), found.end(), "false" if found[0] == "true" else "true"
        at += len(line)


def _of_python(text: str) -> Iterator[tuple[int, int, str]]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        """Files hold ASCII where it matters: columns are taken as characters after a check of the line."""
        rows = text.splitlines()

        def at(row: int, column: int) -> int:
            return starts[row - 1] + len(rows[row - 1].encode()[:column].decode())

        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def between(left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[tuple[int, int, str]]:
        begin, stop = span(left)[1], span(right)[0]
        gap = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0]), text[begin:stop])
        start = begin + gap.index(old)
        yield start, start + len(old), new

    for node in _expressions(ast.parse(text)):
        if isinstance(node, ast.Compare):
            for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                if type(operator) in COMPARISONS:
                    yield from between(left, right, *COMPARISONS[type(operator)])
        elif isinstance(node, ast.BinOp) and type(node.op) in JUNCTIONS and not _is_set(node):
            yield from between(node.left, node.right, *JUNCTIONS[type(node.op)])
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            yield from between(node.left, node.right, *ARITHMETIC[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from between(left, right, old, new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
            yield span(node)[0], span(node.operand)[0], ""
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            for change in (1, -1):
                yield *span(node), f"{node.value + change:_}"
        elif isinstance(node, ast.Call):
            yield from _of_call(node, text, span)


def _of_call(node: ast.Call, text: str, span: object) -> Iterator[tuple[int, int, str]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    begin, end = span(node.func)[1], span(node)[1]  # type: ignore[operator]
    if name == "is_between" and not node.keywords:
        for side in ("left", "right"):
            yield end - 1, end - 1, f', closed="{side}"'
    if name in NAMES:
        yield begin - len(name), begin, NAMES[name]
    if name in SWITCHES:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Constant) and isinstance(argument.value, bool):
                yield *span(argument), str(not argument.value)  # type: ignore[operator]


def _is_set(node: ast.BinOp) -> bool:
    """Unions of sets, dicts and types are no junctions of conditions."""
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.Dict | ast.Set | ast.DictComp | ast.SetComp)
        or (isinstance(side, ast.Constant) and side.value is None)
        or (isinstance(side, ast.Name) and side.id in ("str", "int", "list", "dict"))
        for side in sides
    )


def _expressions(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but annotations, decorators and the indices of subscripts of types."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from _expressions(child)
