"""Which term of a vocabulary a word means, yes or no, and whether a cell documents something.

Source: docs/specification.md#vocabularies.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import TENTATIVE, Column, fold_term, is_number


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Terms as text; blank and unrecognized words are null, with two exceptions.

    A `claim_status` is then active, and `claim_status_sure` says whether the word was recognized or blank. A `status` is
    `unrecognised`, which differs from null: the visit may not have taken place. `status_sure` says whether it can support
    more than review.
    """
    terms = recognized(parser, column, values)
    known = [term is not None or text is None for text, term in zip(values, terms, strict=True)]
    if column.name == "claim_status":
        parser.add("claim_status_sure", pl.Series(known, dtype=pl.Boolean))
        mapped = parser.policy.terms(parser.table, column.name, numbers=False)
        by_number = [
            term in ("void", "reversed", "denied") and is_number(text or "") and fold_term(text or "") not in mapped
            for text, term in zip(values, terms, strict=True)
        ]
        problem = "numbers that mean void or denied in an 835 are read so (rows: {count}); [values] maps them"
        parser.warn(column, pl.Series(by_number, dtype=pl.Boolean), problem)
        terms = [term or "active" for term in terms]
    elif column.name == "status":
        sure = [
            is_known and (text is None or fold_term(text) not in TENTATIVE)
            for text, is_known in zip(values, known, strict=True)
        ]
        parser.add("status_sure", pl.Series(sure, dtype=pl.Boolean))
        terms = [term if is_known else "unrecognised" for term, is_known in zip(terms, known, strict=True)]
    parser.add(column.name, pl.Series([term or None for term in terms], dtype=pl.String))


def terms_of(parser: TableParser, column: Column, texts: Sequence[str | None]) -> list[str | None]:
    """The term of each text, blank for a word that says nothing; None for blank and unrecognized texts."""
    numbers = parser.status_numbers or column.name != "claim_status"
    terms = parser.policy.terms(parser.table, column.name, numbers=numbers)
    return [None if text is None else terms.get(fold_term(text)) for text in texts]


def status_numbers_hold(unrecognised: Iterable[tuple[str, str, str, int]]) -> bool:
    """Whether all numbers of a `claim_status` are those of an 835: no word that is unrecognized is a number."""
    return not any(column == "claim_status" and is_number(text) for _, column, text, _ in unrecognised)


def recognized(parser: TableParser, column: Column, values: pl.Series) -> list[str | None]:
    """As `terms_of`; the unrecognized words and their rows are added to the parser."""
    terms = terms_of(parser, column, values.to_list())
    known = pl.Series(terms, dtype=pl.String).is_not_null()
    unknown = values.is_not_null() & ~known
    if parser.has_row(known):
        parser.recognized.add(column.name)
    if unknown.any():
        counted = parser.encoded(values).decode(parser.encoded(unknown).decode()).value_counts(name="count").rows()
        parser.unrecognised += [(parser.table, column.name, text, count) for text, count in sorted(counted)]
    return terms


_NOT_DOCUMENTED = ("", "n/a", "na", "none", "null", "-")


def read_flag(parser: TableParser, column: Column, values: pl.Series) -> None:
    """True and false as Boolean; null for blank and unrecognized words."""
    parser.add(column.name, pl.Series(recognized(parser, column, values), dtype=pl.String) == "true")


def read_documented(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Whether anything is documented, never null: any text but a word for false or for nothing."""
    texts: list[str | None] = values.to_list()
    documented = [
        text is not None and term != "false" and text.casefold() not in _NOT_DOCUMENTED
        for text, term in zip(texts, terms_of(parser, column, texts), strict=True)
    ]
    parser.add(column.name, pl.Series(documented, dtype=pl.Boolean))
