"""Which rows of an export the policy's [rows] chooses, by any of its columns. Source: docs/specification.md#files."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from auditor.errors import InputRefused
from auditor.parsing.cells import YES_NO_SIGNS, blank_pattern, without_armor
from auditor.policy import Policy
from auditor.reading import headers
from auditor.reading.file_facts import Word
from auditor.schema.tables import fold, fold_term


def positions(where: str, table: str, names: Sequence[str], policy: Policy) -> dict[str, int]:
    """The place of each header of [rows.TABLE]. Raises InputRefused where a file has none or several such columns."""
    chosen = policy.rows.get(table)
    found = {}
    for header in {**chosen.keep, **chosen.drop} if chosen else ():
        exact = [at for at, name in enumerate(names) if name.strip() == header.strip()]
        hits = exact or [at for at, name in enumerate(names) if fold(name) == fold(header)]
        if len(hits) != 1:
            system = policy.systems.get(table)
            who = f"the source {system}" if system else "the policy"
            way_out = f"export it, or map {table} in a policy in place of --source" if system else (
                f"correct [rows.{table}] in the policy")  # fmt: skip
            raise InputRefused(
                f"{where}: {who} chooses rows by {header!r}, but the file has {len(hits) or 'no'} such "
                f"column{'s' * (len(hits) > 1)}; the file has: {headers.shown(names, policy)}; {way_out}"
            )
        found[header] = hits[0]
    return found


def chosen(cells: Mapping[str, pl.Series], table: str, policy: Policy) -> tuple[pl.Series | None, frozenset[Word]]:
    """The rows that are chosen (None: all), and the words that some row has. `cells`: the texts of each header."""
    choice = policy.rows.get(table)
    if choice is None or not cells:
        return None, frozenset()
    found: set[Word] = set()

    def matching(mode: str, words: Mapping[str, Sequence[str]]) -> Iterator[pl.Series]:
        for header, many in words.items():
            folded, blank = _folded(cells[header]), is_blank(cells[header], policy)
            masks = {word: (folded == fold_term(word)) if fold_term(word) else blank for word in many}
            found.update((mode, header, word) for word, mask in masks.items() if mask.any())
            yield (
                pl.DataFrame({str(at): mask for at, mask in enumerate(masks.values())})
                .select(pl.any_horizontal(pl.all()).fill_null(False))
                .to_series()
                if masks
                else pl.repeat(False, len(folded), dtype=pl.Boolean, eager=True)
            )

    mask = pl.repeat(True, len(next(iter(cells.values()))), dtype=pl.Boolean, eager=True)
    for kept in matching("keep", choice.keep):
        mask = mask & kept
    for dropped in matching("drop", choice.drop):
        mask = mask & ~dropped
    return mask, frozenset(found)


def is_blank(cells: pl.Series, policy: Policy) -> pl.Series:
    """Which texts are blank: empty, without a letter, a digit or a tick mark, or a null word."""
    return (
        without_armor(cells).str.strip_chars().str.contains(blank_pattern(policy.nulls, YES_NO_SIGNS)).fill_null(True)
    )


def _folded(cells: pl.Series) -> pl.Series:
    """As `fold_term`."""
    return without_armor(cells).str.strip_chars().str.to_lowercase().str.replace_all("[_ -]", "")
