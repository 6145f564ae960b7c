"""What the columns of a file are for, and which of its rows are records. Source: docs/specification.md#files."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import headers, path_columns, row_choice
from auditor.reading.dictionary import ColumnHints
from auditor.reading.file_facts import FileFacts
from auditor.schema.tables import TABLES, fold

STATES = (
    "delet",
    "cancel",
    "resched",
    "void",
    "inactiv",
    "adjust",
    "transtype",
    "transactiontype",
    "recordtype",
    "zone",
)
"""What the folded header of a column says that may tell which rows count."""


@dataclass(frozen=True)
class Layout:
    """The columns of a file by their places: those of the file, then those of its path.

    `mapped`: the canonical ones. `chosen_by`: those of [rows] by header, `watched`: unread ones whose values are compared.
    `in_path`: the text of those that are in the path only, `repeated`: of those that the file has too. `only`: the
    canonical columns that are read (None: all).
    """

    where: str
    table: str
    policy: Policy
    names: tuple[str, ...]
    mapped: headers.HeaderMap
    chosen_by: Mapping[str, int]
    watched: tuple[int, ...]
    in_path: Mapping[int, str]
    repeated: Mapping[int, str]
    only: Collection[str] | None

    @property
    def wanted(self) -> dict[str, tuple[int, ...]]:
        """The places of the canonical columns that are read."""
        return {name: many for name, many in self.mapped.positions.items() if self.only is None or name in self.only}

    @property
    def read(self) -> list[int]:
        """The places of all columns that are read from the file."""
        places = {p for many in self.wanted.values() for p in many} | {*self.chosen_by.values(), *self.watched}
        if self.only is None:
            places |= self.repeated.keys()
        return sorted(places - self.in_path.keys())

    @property
    def unused(self) -> tuple[str, ...]:
        """The headers of columns that nothing reads."""
        chosen = {self.names[p] for p in self.chosen_by.values()}
        return tuple(name for name in self.mapped.unused if name not in chosen)

    @property
    def is_plain(self) -> bool:
        """Whether each canonical column is one of the file's, and nothing else is read or compared."""
        single = all(len(many) == 1 for many in self.mapped.positions.values())
        return single and not (self.chosen_by or self.watched or self.in_path or self.repeated)

    def records(self, rows: pl.DataFrame, hints: ColumnHints) -> tuple[pl.DataFrame, ColumnHints, FileFacts]:
        """The rows that are records of the table, with the columns of the path, and what was found.

        Raises InputRefused for a record that is another file's header, and where the path and the file differ.
        """
        if self.in_path:
            rows = rows.with_columns(pl.lit(text).alias(str(p)) for p, text in self.in_path.items())
        self._compare(rows, hints)
        keep, words = row_choice.chosen(
            {name: _texts(rows, hints, p) for name, p in self.chosen_by.items()}, self.table, self.policy
        )
        again = self._headers_again(rows, hints)
        if again is not None:
            keep = ~again if keep is None else keep & ~again
        if keep is not None and not keep.all():
            rows = rows.with_columns(texts.gather(rows[name]).alias(name) for name, texts in hints.texts.items())
            rows, hints = rows.filter(keep), ColumnHints({}, hints.byte_ranges)
        return rows, hints, FileFacts(
            left_out=0 if keep is None else int((~keep).sum()),
            headers=0 if again is None else int(again.sum()),
            words=words,
            unread={self.names[p]: _two_values(_texts(rows, hints, p), self.policy) for p in self.watched},
        )  # fmt: skip

    def _compare(self, rows: pl.DataFrame, hints: ColumnHints) -> None:
        alone = {many[0]: name for name, many in self.wanted.items() if len(many) == 1}
        for place, text in self.repeated.items():
            if str(place) not in rows.columns:
                continue
            cells = rows[str(place)] if rows[str(place)].dtype.is_temporal() else _texts(rows, hints, place)
            if not path_columns.agree(self.table, alone.get(place), cells, text, self.policy):
                raise InputRefused(
                    f"{self.where}: the column {self.names[place]!r} holds another value than the path says; "
                    "correct the folder's name or the file"
                )

    def _headers_again(self, rows: pl.DataFrame, hints: ColumnHints) -> pl.Series | None:
        """The rows that are the header again, cell for cell."""
        key = self.wanted.get(TABLES[self.table].key[0], ())
        if self.only is not None or len(key) != 1 or rows[str(key[0])].dtype != pl.String:
            return None
        may_be = rows.select(~pl.col(str(key[0])).str.contains("[0-9]").fill_null(True)).to_series()
        if not may_be.any():
            return None
        suspects = rows.filter(may_be)
        places = [p for p in self.read if str(p) in rows.columns]
        texts = [_texts(suspects, hints, p).to_list() for p in places]
        found: list[bool] = []
        for cells in zip(*texts, strict=True):
            bare = [(cell or "").strip().strip("\ufeff").strip() for cell in cells]
            same = all(cell == self.names[p].strip() for cell, p in zip(bare, places, strict=True))
            found.append(same)
            if not same and self._is_header(bare):
                record = suspects["record" if "record" in rows.columns else "source_record"][len(found) - 1]
                raise InputRefused(
                    f"{self.where}, record {record}: this is the header of another file; the files that were put together "
                    "have different columns: give each of them by itself"
                )
        if not any(found):
            return None
        return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(
            may_be.arg_true().filter(pl.Series(found)), True
        )

    def _is_header(self, cells: Sequence[str]) -> bool:
        return headers.fits(TABLES[self.table], cells, self.policy)


def layout(
    where: str,
    table: str,
    policy: Policy,
    found: Sequence[str],
    path: Mapping[str, str],
    ignored: frozenset[str],
    only: Collection[str] | None,
    can_watch: Callable[[int], bool] = lambda _: True,
) -> Layout:
    """What the columns of a file are for. `found`: its headers; `path`: the columns of its path.

    `can_watch`: whether a column can be read whatever it holds.

    Raises InputRefused as `headers.match` and `row_choice.positions`.
    """
    own = {fold(name): at for at, name in enumerate(found)}
    names = (*found, *(name for name in path if fold(name) not in own))
    mapped = headers.match(where, TABLES[table], names, policy, ignored)
    chosen_by = row_choice.positions(where, table, names, policy)
    used = {p for many in mapped.positions.values() for p in many} | {*chosen_by.values()}
    has_status = "status" in mapped.positions
    watched = tuple(
        at for at, name in enumerate(names)
        if only is None and at not in used and _tells(name, has_status) and can_watch(at)
    )  # fmt: skip
    in_path = {at: path[names[at]] for at in range(len(found), len(names))}
    both = {own[fold(name)]: text for name, text in path.items() if fold(name) in own}
    repeated = {at: text for at, text in both.items() if at in used or can_watch(at)}
    return Layout(where, table, policy, names, mapped, chosen_by, watched, in_path, repeated, only)


def _tells(header: str, has_status: bool) -> bool:
    """Whether a header says that its column may tell which rows count."""
    return any(part in fold(header) and not (has_status and part in ("cancel", "resched")) for part in STATES)


def _texts(rows: pl.DataFrame, hints: ColumnHints, place: int) -> pl.Series:
    """A column's cells as text."""
    name = str(place)
    cells = hints.texts[name].gather(rows[name]) if name in hints.texts else rows[name]
    return cells.cast(pl.String)


def _two_values(cells: pl.Series, policy: Policy) -> frozenset[str]:
    """Digests of up to two different values that are not blank."""
    filled = cells.filter(~row_choice.is_blank(cells, policy)).str.strip_chars()
    texts = [] if filled.is_empty() else [filled[0], *filled.filter(filled != filled[0]).head(1)]
    return frozenset(hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for text in texts)
