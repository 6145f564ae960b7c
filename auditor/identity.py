"""Identifiers in the outputs: as they are, or as keyed tokens that are stable across runs with one key.

Tokens are made after judging, so that they change no verdict and no order of claims that share an instant. Dated data about
a person stays protected health information without its identifiers.
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from auditor import small_files
from auditor.errors import OutputFailed, UsageError
from auditor.schema.outputs import Columns

_PREFIX = {"patient": "pt", "provider": "pr", "claim": "cl", "call": "ca", "visit": "vi", "record": "re"}
_SHORTEST, _LONGEST = 16, 1 << 16
_MADE = 32
"""Bytes of a key, at least, and of one that the program makes."""


@dataclass(frozen=True)
class Identity:
    """How identifiers are shown. Without a key they are shown as they are."""

    key: bytes = field(default=b"", repr=False)

    @property
    def key_id(self) -> str | None:
        """An id that distinguishes keys without revealing them."""
        return hashlib.sha256(b"key id" + self.key).hexdigest()[:12] if self.key else None

    def shown(self, column: str, kind: str) -> pl.Expr:
        """A text column of identifiers of one kind, as it is published."""
        if not self.key:
            return pl.col(column)
        return pl.col(column).map_batches(lambda ids: self._tokens(ids, kind), return_dtype=pl.String)

    def shown_list(self, column: str, kind: str) -> pl.Expr:
        """A column of lists of identifiers of one kind, as it is published."""
        if not self.key:
            return pl.col(column)
        return pl.col(column).list.eval(
            pl.element().map_batches(lambda ids: self._tokens(ids, kind), return_dtype=pl.String).sort()
        )

    def shown_columns(self, columns: Columns) -> Iterator[pl.Expr]:
        """The identifiers of one kind among the columns of an output, as they are published."""
        for column in columns.values():
            if column.identifies in _PREFIX:
                shown = self.shown_list if column.type == "list of text" else self.shown
                yield shown(column.name, column.identifies)

    def shown_record(self, column: str, kind: str) -> pl.Expr:
        """A column of identifiers whose kind (visit, line, claim, call or record) stands in another column."""
        if not self.key:
            return pl.col(column)
        kinds = {"visit": "visit", "claim": "claim", "line": "claim", "call": "call", "record": "record"}
        return pl.coalesce(
            pl.when(pl.col(kind) == record_kind).then(self.shown(column, of)) for record_kind, of in kinds.items()
        )

    def _tokens(self, ids: pl.Series, kind: str) -> pl.Series:
        tokens = {value: self._token(value, kind) for value in ids.drop_nulls().unique()}
        return ids.replace_strict(tokens, return_dtype=pl.String) if tokens else ids.cast(pl.String)

    def _token(self, value: str, kind: str) -> str:
        digest = hmac.new(self.key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()
        return f"{_PREFIX[kind]}-{digest[:20]}"


def write_key(path: Path) -> None:
    """Make a key file that only its owner may read. Raises OutputFailed where there is a file, or none can be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{secrets.token_hex(_MADE)}\n")
    except FileExistsError:
        raise OutputFailed(f"{path}: there is a file already, which may be a key in use; choose another name") from None
    except OSError as error:
        raise OutputFailed(
            f"{path}: cannot be written ({error.strerror}); check the folder and its permissions"
        ) from None


def read_key(path: Path) -> Identity:
    """The identity of a key file, which only its owner may read. Raises UsageError."""
    try:
        mode, key = path.stat().st_mode, small_files.read(path, _LONGEST).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--pseudonymize: {path}: cannot be read ({reason}); check the path and its permissions"
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"--pseudonymize: {path}: other users can read the key; run chmod 600 on it")
    if len(key) < _SHORTEST:
        raise UsageError(f"--pseudonymize: {path}: {len(key)} bytes are too few for a key; use at least {_SHORTEST}")
    return Identity(key)
