"""How an encounter took place, by its type and service: by phone, by video, or not stated. Source: docs/fhir.md."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from auditor.schema.tables import MODALITY
from auditor.sources.fhir.elements import codings, concepts, joined, procedure_codes, remembered, text

_CLASSES = frozenset(word for term, words in MODALITY.items() for word in (term, *words)) - {""}
PHONE, VIDEO = "phone", "telehealth"
_PHONE_WORDS = re.compile(r"\b(?:tele)?phon(?:e|ic)\b|\baudio[ -]?only\b", re.IGNORECASE)
_VIDEO_WORDS = re.compile(r"video|audio[ -]?visual", re.IGNORECASE)
_SNOMED = frozenset({"185317003", "386472008", "386473003", "401267002", "314849005", "11797002"})
"""Telephone encounter, consultation, follow-up, triage, contact by a consultant, call by a physician."""
_CPT = re.compile(r"9896[678]|9944[123]|980(?:0[89]|1[0-5])")
"""Services by telephone or audio alone."""
_PARTICIPATION = frozenset({"PHONE"})
"""HL7's ways to participate (v3-ParticipationMode)."""


def channel(*values: Any) -> str:
    """PHONE, VIDEO, or blank where concepts say neither or both."""
    found = {one for value in values for concept in concepts(value) for one in _channels(concept)} - {""}
    return found.pop() if len(found) == 1 else ""


def _channels(concept: dict[str, Any]) -> list[str]:
    found = [_of_words(text(concept.get("text")) or "")]
    for coding in codings(concept):
        code, system = text(coding.get("code")) or "", text(coding.get("system")) or ""
        found += [_of_words(text(coding.get("display")) or ""), _of_code(code, system)]
    return [each for many in found for each in many]


@lru_cache(1 << 12)
def _of_words(words: str) -> tuple[str, ...]:
    phone, video = _PHONE_WORDS.search(words), _VIDEO_WORDS.search(words)
    return ((PHONE,) if phone else ()) + ((VIDEO,) if video else ())


@lru_cache(1 << 12)
def _of_code(code: str, system: str) -> tuple[str, ...]:
    is_phone = (
        (code in _SNOMED and (not system or "snomed" in system or system.endswith(".6.96")))
        or (bool(_CPT.fullmatch(code)) and (not system or "cpt" in system or system.endswith(".6.12")))
        or (code in _PARTICIPATION and (not system or "ParticipationMode" in system))
    )
    return (PHONE,) if is_phone else ()


class Kind(NamedTuple):
    """What class, type and service say: whether it is a call, the modality, and CPT or HCPCS codes."""

    is_call: bool
    modality: str | None
    codes: str | None


@remembered
def _kind(found: tuple[Any, ...]) -> Kind:
    classes, types, *others = found
    stated = channel(types, *others)
    is_virtual = any(
        one.get("code") == "VR" and "ActCode" in (text(one.get("system")) or "ActCode") for one in codings(classes)
    )
    written = [code for one in codings(classes) if (code := text(one.get("code")))]
    known = next((code for code in written if code in _CLASSES), written[0] if written else None)
    return Kind(is_virtual and stated == PHONE, stated or known, joined(procedure_codes(types)))


def kind_of(resource: dict[str, Any]) -> Kind:
    """Of an Encounter or an Appointment."""
    return _kind(tuple(map(resource.get, ("class", "type", "serviceType", "appointmentType"))))
