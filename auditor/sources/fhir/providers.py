"""Practitioner and PractitionerRole → providers, a row for each practitioner. Source: docs/fhir.md."""

import polars as pl

from auditor.sources.fhir.elements import (
    Element,
    Notes,
    codings,
    concepts,
    elements,
    id_of,
    period,
    plain_id,
    target,
    text,
)
from auditor.sources.fhir.people import key_of
from auditor.sources.fhir.rows import Finish, Kept, Row, texts

ROLE = "PractitionerRole"
PROVIDERS = texts(
    "_of", "provider_id", "credential", "group_id", "specialty", "license_start", "license_end", "_taxonomy"
)
"""What a resource says of a provider. `_taxonomy`: codes of a role, for practitioners without a qualification."""
_LETTERS, _TAXONOMY = "v2-0360", "nucc.org"
"""Systems of credentials: HL7's degrees, licenses and certificates; the health care provider taxonomy."""


def row(resource: Element, notes: Notes) -> Row | None:
    """What a resource says of a practitioner."""
    return _role(resource, notes) if resource["resourceType"] == ROLE else _practitioner(resource, notes)


def _practitioner(resource: Element, notes: Notes) -> Row:
    found = elements(resource.get("qualification"))
    periods = [dates for one in found if any(dates := period(one.get("period"), notes))]
    starts, ends = [start for start, _ in periods if start], [end for _, end in periods]
    return {
        "_of": "Practitioner",
        "provider_id": id_of(resource),
        "credential": ", ".join(dict.fromkeys(word for one in found for word in _credential(one.get("code")))) or None,
        "license_start": min(starts, default=None),
        "license_end": max((end for end in ends if end), default=None) if all(ends) else None,
    }


def _credential(qualification: object) -> list[str]:
    """The words of a qualification: its text and the letters of known systems, else whatever it has."""
    words = [word for one in concepts(qualification) if (word := text(one.get("text")))]
    for one in codings(qualification):
        code, system = text(one.get("code")), text(one.get("system")) or ""
        if code and (not system or _LETTERS in system or _TAXONOMY in system):
            words.append(code)
        elif shown := text(one.get("display")):
            words.append(shown)
    return words


def _role(resource: Element, notes: Notes) -> Row | None:
    """None for a role that ended."""
    if resource.get("active") is False:
        notes["roles that are not active are left out"] += 1
        return None
    taxonomy = [
        code
        for name in ("code", "specialty")
        for one in codings(resource.get(name))
        if _TAXONOMY in (text(one.get("system")) or "") and (code := text(one.get("code")))
    ]
    return {
        "_of": ROLE,
        "provider_id": key_of(target(resource.get("practitioner"), notes)),
        "group_id": plain_id(target(resource.get("organization"), notes)),
        "specialty": _specialty(resource.get("specialty")),
        "_taxonomy": ", ".join(dict.fromkeys(taxonomy)) or None,
    }


def _specialty(value: object) -> str | None:
    names = [
        text(concept.get("text"))
        or next((text(one.get("display")) or text(one.get("code")) for one in codings(concept)), None)
        for concept in concepts(value)
    ]
    return ", ".join(sorted({name for name in names if name})) or None


def finish(waiting: pl.LazyFrame, _: Kept) -> Finish:
    """Practitioners take what all of their roles agree on; roles of others are rows of their own, the first of each."""
    of_role = pl.col("_of") == ROLE
    persons = waiting.filter(~of_role).select("provider_id").unique().collect()["provider_id"]
    names = ["group_id", "specialty", "_taxonomy"]
    stated = {name: pl.col(name).drop_nulls() for name in names}
    agreed = [pl.when(cells.n_unique() == 1).then(cells.first()).alias(name) for name, cells in stated.items()]
    roles = waiting.filter(of_role).group_by("provider_id", maintain_order=True).agg(*agreed).collect()
    done = set[str | None](persons)

    def finished(frame: pl.DataFrame) -> pl.DataFrame:
        is_new = ~pl.col("provider_id").is_in(list(done)) & pl.col("provider_id").is_first_distinct().over("_of")
        role_rows = frame.filter(of_role)
        frame = frame.filter(~of_role | is_new).drop(names)
        done.update(role_rows["provider_id"])
        frame = frame.join(roles, on="provider_id", how="left", maintain_order="left")
        return frame.with_columns(credential=pl.coalesce("credential", "_taxonomy"))

    return finished
