"""Elements of FHIR resources as plain values: references, concepts and their codes, dates.

R4, R4B and R5 write some of them differently; what has another shape than they have is blank. Source: docs/fhir.md.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

Element = dict[str, Any]
Notes = Counter[str]
"""What a user should know of a file, with counts."""

PARTIAL = "partial dates are blank"
CONTAINED = "references into their own resource are blank"
Result = TypeVar("Result")
_REMEMBERED = 10_000
_PARTIAL_LENGTHS = 4, 7
"""Characters of `2026` and `2026-03`."""
_ICD10 = re.compile(r"icd-?10(?!-?pcs)|2\.16\.840\.1\.113883\.6\.(?:90|3)$", re.IGNORECASE)
_PROCEDURES = re.compile(r"/cpt$|hcpcs|2\.16\.840\.1\.113883\.6\.(?:12|285)$", re.IGNORECASE)
"""Systems of CPT and HCPCS."""
_DIAGNOSIS = re.compile(r"[A-Z]\d[\dA-Z]")


class Target(NamedTuple):
    """Where a reference leads: the type of resource, blank where it says none, and the id."""

    type: str = ""
    id: str = ""


def elements(value: Any) -> list[Element]:
    """The elements of a list; an element alone is a list of one."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def remembered(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """A function of elements that few resources write differently, such as a class or a type."""
    known: dict[str, Result] = {}

    def remember(value: Any) -> Result:
        key = repr(value)
        if (found := known.get(key)) is None:
            if len(known) > _REMEMBERED:
                known.clear()
            found = known[key] = function(value)
        return found

    return remember


def text(value: Any) -> str | None:
    """A primitive value that says something."""
    return value or None if isinstance(value, str) else None


def id_of(resource: Element) -> str | None:
    """The resource's id, else its first identifier."""
    return text(resource.get("id")) or next(iter(identifiers(resource)), None)


def identifiers(resource: Element) -> list[str]:
    """The values of its identifiers."""
    return [value for one in elements(resource.get("identifier")) if (value := text(one.get("value")))]


def target(reference: Any, notes: Notes) -> Target:
    """Where a Reference leads. A search by identifier, or an identifier alone, has `?system|value` as its id."""
    if not isinstance(reference, dict):
        return Target()
    if written := text(reference.get("reference")):
        found = _written(written)
        if found.type == "#":
            notes[CONTAINED] += 1
            return Target()
        return found if found.type else Target(text(reference.get("type")) or "", found.id)
    declared = text(reference.get("type")) or ""
    for identifier in elements(reference.get("identifier")):
        if value := text(identifier.get("value")):
            return Target(declared, f"?{text(identifier.get('system')) or ''}|{value}")
    return Target(declared, "")


@lru_cache(1 << 15)
def _written(reference: str) -> Target:
    if reference.startswith("#"):
        return Target("#", "")
    if reference.startswith("urn:"):
        return Target("", reference.rpartition(":")[2])
    path, _, query = reference.partition("?")
    steps = path.split("/_history/")[0].rstrip("/").split("/")
    if query:
        identifier = parse_qs(query).get("identifier", [""])[0]
        return Target(steps[-1], f"?{identifier if '|' in identifier else f'|{identifier}'}" if identifier else "")
    return Target(steps[-2] if len(steps) > 1 else "", steps[-1])


def plain_id(found: Target) -> str | None:
    """The id as other tables write it: of an identifier its value."""
    return (found.id.rpartition("|")[2] if found.id.startswith("?") else found.id) or None


def concepts(value: Any) -> Iterator[Element]:
    """CodeableConcepts, those of R5's CodeableReferences too."""
    for one in elements(value):
        yield from elements(one.get("concept")) if "concept" in one else [one]


def codings(value: Any) -> Iterator[Element]:
    """The codings of concepts; a Coding alone is itself one."""
    for concept in concepts(value):
        if "coding" in concept:
            yield from elements(concept["coding"])
        elif "code" in concept:
            yield concept


def codes(value: Any) -> set[str]:
    """The codes of concepts, of whatever system."""
    return {code for one in codings(value) if (code := text(one.get("code")))}


def procedure_codes(value: Any) -> list[str]:
    """The CPT and HCPCS codes of concepts."""
    found = (text(one.get("code")) for one in codings(value) if _PROCEDURES.search(text(one.get("system")) or ""))
    return [code for code in found if code]


def diagnosis_codes(value: Any) -> list[str]:
    """The ICD-10 codes of concepts; a code without a system counts if it looks like one."""
    return [
        code
        for one in codings(value)
        if (code := text(one.get("code")))
        and (_ICD10.search(system) if (system := text(one.get("system"))) else _DIAGNOSIS.match(code))
    ]


def conditions(value: Any, notes: Notes) -> list[str]:
    """The ids of the Conditions that references, or R5's CodeableReferences, lead to."""
    found = (
        target(inner if isinstance(inner := one.get("reference"), dict) else one, notes) for one in elements(value)
    )
    return [one.id for one in found if one.id and one.type in ("", "Condition")]


def instant(value: Any, notes: Notes) -> str | None:
    """A date or an instant as written; blank where it lacks the day."""
    written = text(value)
    if written and len(written) in _PARTIAL_LENGTHS:
        notes[PARTIAL] += 1
        return None
    return written


def period(value: Any, notes: Notes) -> tuple[str | None, str | None]:
    """The start and the end of a Period."""
    if not isinstance(value, dict):
        return None, None
    return instant(value.get("start"), notes), instant(value.get("end"), notes)


def joined(values: list[str]) -> str | None:
    """A list as one cell."""
    return ";".join(dict.fromkeys(values)) or None
