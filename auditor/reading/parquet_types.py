"""Columns of Parquet whose kind is not a plain one: as a plain one, or refused with what to write in the query instead.

Source: docs/specification.md#files.
"""

import polars as pl
import pyarrow as pa

from auditor.errors import InputRefused

_DIGITS = 38
"""Digits of a number, at most."""
_UUID = "arrow.uuid"
_PARTS = (0, 8), (8, 4), (12, 4), (16, 4), (20, 12)
"""Where the parts of a UUID begin among its 32 hexadecimal digits, and their lengths."""


def readable(where: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with a type that Arrow and polars share: UUIDs as text, extension types as what they store.

    Raises InputRefused for bytes that are no text, JSON, views of lists, and numbers with too many digits.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == _UUID:
            return _uuids(column)
        if kind.extension_name == "arrow.json":
            raise _refusal(where, name, "JSON", f"take the value out of it, as text: JSON_VALUE({name}, '$.KEY')")
        return readable(where, name, column.cast(kind.storage_type))
    if pa.types.is_decimal256(kind):
        return _decimals(where, name, column)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        raise _refusal(where, name, "a view of lists", "cast it to a list, or to text with commas: ARRAY_TO_STRING")
    if pa.types.is_fixed_size_binary(kind) or (_is_bytes(kind) and not _is_text(column)):
        raise _refusal(where, name, "bytes", f"write it as text: CAST({name} AS VARCHAR), or HEX({name})")
    return column


def _refusal(where: str, name: str, holds: str, remedy: str) -> InputRefused:
    return InputRefused(f"{where}: column {name!r} holds {holds}; in the query of the export, {remedy}")


def _decimals(where: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.decimal128(_DIGITS, column.type.scale))
    except pa.ArrowException:
        cast = f"cast it: CAST({name} AS DECIMAL({_DIGITS}, {min(column.type.scale, _DIGITS)})) or VARCHAR"
        raise _refusal(where, name, f"numbers of more than {_DIGITS} digits", cast) from None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(column: pa.ChunkedArray) -> bool:
    """Whether bytes are UTF-8, as the text of writers that do not mark it."""
    try:
        column.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowException:
        return False
    return True


def _uuids(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """16 bytes each, in the usual form."""
    stored = pa.chunked_array([part.storage.cast(pa.large_binary()) for part in column.chunks], pa.large_binary())
    digits = pl.Series(pl.from_arrow(stored)).bin.encode("hex")
    text = digits.to_frame("d").select(pl.concat_str([pl.col("d").str.slice(*part) for part in _PARTS], separator="-"))
    return pa.chunked_array([text.to_series().to_arrow().cast(pa.large_string())])
