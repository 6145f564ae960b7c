"""Practitioners: who took part, and which id of which resource means whom. Source: docs/fhir.md."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from auditor.sources.fhir.elements import Element, Notes, Target, codes, elements, id_of, remembered, target, text

_ROLE = "PractitionerRole"
_PERSONS = ("", "Practitioner", _ROLE)
_RANKS = {"PPRF": 0, "ATND": 1, "primary": 0, "performing": 0, "rendering": 0, "attending": 1}
"""Whoever performs comes first; others come as listed."""
_NOBODY = 9
_OTHERS = frozenset(
    {"REF", "REFB", "REFT", "SBJ", "ESC", "CALLBCK", "referring", "supervisor", "supervising", "prescribing"}
)
"""Kinds of participants who do not perform a service."""


def performer(participants: Any, notes: Notes) -> str | None:
    """The key of the practitioner who performed, by the kinds of participants, of equal ones the first."""
    best: tuple[int, str] | None = None
    for one in elements(participants):
        key = key_of(target(one.get("individual") or one.get("actor") or one.get("provider"), notes))
        rank = _rank((one.get("type"), one.get("role")))
        if key is None or rank == _NOBODY or one.get("status") == "declined":
            continue
        if best is None or rank < best[0]:
            best = rank, key
    return best and best[1]


@remembered
def _rank(kinds: tuple[Any, Any]) -> int:
    found = codes(kinds[0]) | codes(kinds[1])
    return _NOBODY if found & _OTHERS else min((_RANKS.get(kind, 2) for kind in found), default=2)


def key_of(found: Target) -> str | None:
    """How a row names a practitioner until all of them are known; None for others than practitioners."""
    if not found.id or found.type not in _PERSONS:
        return None
    return f"{_ROLE}/{found.id}" if found.type == _ROLE and not found.id.startswith("?") else found.id


@dataclass
class People:
    """Which keys lead to which Practitioner."""

    practitioners: dict[str, None] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, resource: Element, notes: Notes) -> None:
        """Learn the identifiers of a Practitioner, or whose role a PractitionerRole is."""
        if (own := id_of(resource)) is None:
            return
        identifiers = [
            f"?{text(one.get('system')) or ''}|{value}"
            for one in elements(resource.get("identifier"))
            if (value := text(one.get("value")))
        ]
        if resource["resourceType"] == "Practitioner":
            self.practitioners[own] = None
            self.known |= dict.fromkeys(identifiers, own)
        elif person := key_of(target(resource.get("practitioner"), notes)):
            self.known |= dict.fromkeys([own, f"{_ROLE}/{own}"], person)

    def resolved(self, keys: pl.Series) -> pl.Expr:
        """The column `provider_id` with practitioners in place of these keys: of an unknown identifier its value."""
        known = {key: found for key in keys if key is not None and (found := self._person(key)) != key}
        return pl.col("provider_id").replace(known) if known else pl.col("provider_id")

    def _person(self, key: str) -> str:
        for _ in range(2):  # a role whose practitioner is named by an identifier
            key = key if key in self.practitioners else self.known.get(key, key)
        return key.rpartition("|")[2] if key.startswith("?") else key.removeprefix(f"{_ROLE}/")
