"""Whether a run audits the exports that its ledger follows: some claims of the runs before must be there again.

Claims, not paths: exports are moved, renamed, split and grow every night.
"""

import json
import sqlite3
from collections.abc import Collection

import polars as pl

from auditor.errors import InputRefused
from auditor.judging.findings import KEYS

_SIZE = 64
"""Claims of a run that the ledger keeps."""
_FEWEST = 3
"""Fewer of them in the dates and codes of a run say nothing."""
_SHARE = 0.1
_COLUMNS = (*KEYS, "patient_id", "service_date")


def to_keep(connection: sqlite3.Connection, claims: pl.DataFrame) -> list[list[str]] | None:
    """The claims to keep of a run, as texts in the order of _COLUMNS; None where they are those kept before.

    Those whose ids, read backwards, come first: from night to night the same ones, from the whole of the dates.
    """
    rows = claims.select(pl.col(_COLUMNS).cast(pl.String)).with_columns(order=pl.col("claim_id").str.reverse())
    kept = rows.bottom_k(_SIZE, by=["order", *_COLUMNS]).drop("order").sort(_COLUMNS)
    texts = [list(row) for row in kept.iter_rows()]
    return texts if texts and texts != _kept(connection) else None


def _kept(connection: sqlite3.Connection) -> list[list[str]]:
    query = """
        SELECT json_extract(details, '$.claims') FROM history WHERE finding = '' AND what = 'run'
        AND json_type(details, '$.claims') = 'array' ORDER BY number DESC LIMIT 1"""
    row = connection.execute(query).fetchone()
    return json.loads(row[0]) if row else []


def require_known_claims(connection: sqlite3.Connection, claims: pl.DataFrame, codes: Collection[str]) -> None:
    """Refuse exports of others: of the claims kept, in the dates and codes of this run, fewer than 1 in 10 are there.

    A claim is there by its id and line, with its patient or its date, or under another id by patient, date and code.
    Raises InputRefused.
    """
    now = claims.select(pl.col(_COLUMNS).cast(pl.String))
    kept = pl.DataFrame(_kept(connection), dict.fromkeys(_COLUMNS, pl.String), orient="row").filter(
        pl.col("service_date").is_between(pl.lit(now["service_date"].min()), pl.lit(now["service_date"].max())),
        pl.col("cpt_code").is_in(list(codes)),
    )
    ways = ([*KEYS, "patient_id"], [*KEYS, "service_date"], ["cpt_code", "patient_id", "service_date"])
    there = [kept.join(now.join(kept, on=way, how="semi"), on=way, how="semi") for way in ways]
    found = pl.concat(there).n_unique(KEYS)
    if kept.height >= _FEWEST and found < _SHARE * kept.height:
        raise InputRefused(
            f"the ledger follows other exports: of {kept.height} claims in these dates that earlier runs audited, "
            f"{found} are here; keep another ledger for these exports with --ledger FILE, or give --max-shrink 100%"
        )
