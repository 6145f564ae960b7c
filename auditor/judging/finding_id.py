"""Finding ids: `RULE:claim_id:claim_line`, and `:CODE` where that line has two audited codes.

A colon within an id is `%3A` and a percent sign `%25`, so no two differ only by where a colon stands. The ledger's history
adds the code always.

Source: docs/specification.md#outputs.
"""

import polars as pl

_ESCAPES = {"%": "%25", ":": "%3A"}
"""In this order."""
_ESCAPED = str.maketrans(_ESCAPES)


def joined(*columns: str) -> pl.Expr:
    """These columns as one id."""
    parts = []
    for name in columns:
        part = pl.col(name).cast(pl.String)
        for sign, escape in _ESCAPES.items():
            part = part.str.replace_all(sign, escape, literal=True)
        parts.append(part)
    return pl.concat_str(parts, separator=":")


def finding_ids(has_code: pl.Expr) -> pl.Expr:
    """The ids of findings; `has_code`: which of them end in the code."""
    code = pl.when(has_code).then(pl.format(":{}", joined("cpt_code"))).otherwise(pl.lit(""))
    return joined("rule", "claim_id", "claim_line") + code


def joined_texts(*texts: str) -> str:
    """These texts as one id."""
    return ":".join(text.translate(_ESCAPED) for text in texts)


def joined_in_sql(*columns: str) -> str:
    """These columns as one id, as SQL."""
    parts = []
    for part in columns:
        for sign, escape in _ESCAPES.items():
            part = f"replace({part}, '{sign}', '{escape}')"
        parts.append(part)
    return " || ':' || ".join(parts)
