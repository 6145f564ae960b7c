"""Who took part in a record: extensions, users and own numbers, as the policy has them.

Source: docs/specification.md#phone-log.
"""

import re
from collections.abc import Iterable

import polars as pl

from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.policy import Policy
from auditor.reading.dictionary import NO_HINTS
from auditor.schema.tables import TABLES

_LAST = 4
"""Digits at the end of a number by which it may be one of the policy's: few texts are read as numbers."""
_FEWEST = 7
"""Digits of a number, at least; fewer are an extension."""


def users_of(policy: Policy) -> pl.DataFrame:
    """`provider_id`, as ids of providers are read, and `user`, as `Users` writes it; each pair once."""
    listed = {name: [texts] if isinstance(texts, str) else texts for name, texts in policy.phone_log.users.items()}
    pairs = [(provider, text) for provider, texts in listed.items() for text in texts]
    rows = pl.DataFrame(pairs, schema={"provider_id": pl.String, "user": pl.String}, orient="row")
    parser = TableParser(policy, "providers", rows.height)
    read_column(parser, TABLES["providers"].columns["provider_id"], rows["provider_id"], NO_HINTS)
    texts = [normalized(text, policy.phone_log.region) for text in rows["user"]]
    users = pl.Series("user", texts, dtype=pl.String)
    return rows.with_columns(parser.columns["provider_id"].decode().alias("provider_id"), users).drop_nulls().unique()


def normalized(text: str, region: str) -> str:
    """An extension or a user without case and outer blanks; a number in the form E.164."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text.strip().casefold()
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return text.strip().casefold()
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class Users:
    """The users of a policy, and how they are found in the columns of a log."""

    def __init__(self, users: Iterable[str], region: str) -> None:
        """`users`: as `users_of` has them."""
        self._users, self._region = frozenset(users), region
        digits = (re.sub(r"\D", "", user) for user in self._users)
        self._endings = {text[-_LAST:] for text in digits if len(text) >= _FEWEST}

    def found_in(self, texts: pl.Series) -> pl.Series:
        """The user of each text; null where it is no user."""
        text = pl.col(texts.name)
        digits = text.str.replace(r"(?i)([0-9])\s*e?xt?.*$", "${1}").str.replace_all(r"[^0-9]", "")
        number = (digits.str.len_bytes() >= _FEWEST) & digits.str.slice(-_LAST).is_in(self._endings)
        folded = text.str.strip_chars().str.to_lowercase()
        may_be = texts.unique().to_frame().filter(number | folded.is_in(self._users)).to_series()
        known = {text: user for text in may_be.drop_nulls() if (user := self._user(text))}
        return texts.replace_strict(known, default=None, return_dtype=pl.String)

    def _user(self, text: str) -> str | None:
        if (folded := text.strip().casefold()) in self._users:
            return folded
        return number if (number := normalized(text, self._region)) in self._users else None
