"""Bundles → their resources, linked by the addresses of entries; contained resources. Source: docs/fhir.md."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from auditor.sources.fhir.elements import Element, elements, id_of, text

TYPE, BUNDLE = "resourceType", "Bundle"


def resources(resource: Element) -> Iterator[Element]:
    """The resource, and those of a Bundle, which then name each other by their ids, and what they contain by identifiers."""
    waiting = [resource]
    while waiting:
        one = waiting.pop()
        if one.get(TYPE) == BUNDLE:
            waiting += reversed(_entries(one))
        elif "contained" in one:
            _link(one, dict(_contained(one)))
        yield one


def _entries(bundle: Element) -> list[Element]:
    known, found = dict[str, str](), list[Element]()
    for entry in elements(bundle.get("entry")):
        for one in elements(entry.get("resource")):
            found.append(one)
            if address := text(entry.get("fullUrl")):
                own = one["id"] = id_of(one) or re.split("[/:]", address)[-1]
                known[address] = f"{one.get(TYPE)}/{own}"
    for one in found:
        _link(one, known)
    return found


def is_followed(bundle: Element) -> bool:
    """Whether a Bundle is a page of a search that goes on."""
    return any(one.get("relation") == "next" for one in elements(bundle.get("link")))


def _contained(resource: Element) -> Iterator[tuple[str, str]]:
    for one in elements(resource["contained"]):
        for identifier in elements(one.get("identifier"))[:1]:
            name = quote(f"{text(identifier.get('system')) or ''}|{text(identifier.get('value')) or ''}")
            yield f"#{one.get('id')}", f"{one.get(TYPE)}?identifier={name}"


def _link(value: Any, known: dict[str, str]) -> None:
    """Write references to entries as references to the resources there."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(written := value.get("reference"), str) and written in known:
                value["reference"] = known[written]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
