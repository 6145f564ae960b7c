"""Bundles → their resources, which link each other by the addresses of their entries. Source: docs/fhir.md."""

import re
from collections.abc import Iterator
from typing import Any

from auditor.sources.fhir.elements import Element, elements, id_of, text

TYPE, BUNDLE = "resourceType", "Bundle"


def resources(resource: Element) -> Iterator[Element]:
    """The resource, or those of a Bundle, which then name each other by their ids."""
    if resource.get(TYPE) != BUNDLE:
        yield resource
        return
    known: dict[str, str] = {}
    found = []
    for entry in elements(resource.get("entry")):
        for one in elements(entry.get("resource")):
            found.append(one)
            if address := text(entry.get("fullUrl")):
                own = one["id"] = id_of(one) or re.split("[/:]", address)[-1]
                known[address] = f"{one.get(TYPE)}/{own}"
    for one in found:
        _link(one, known)
        yield from resources(one)


def is_followed(bundle: Element) -> bool:
    """Whether a Bundle is a page of a search that goes on."""
    return any(one.get("relation") == "next" for one in elements(bundle.get("link")))


def _link(value: Any, known: dict[str, str]) -> None:
    """Write references to entries as references to the resources there."""
    if isinstance(value, dict):
        if isinstance(written := value.get("reference"), str) and written in known:
            value["reference"] = known[written]
        value = value.values()
    elif not isinstance(value, list):
        return
    for inner in value:
        _link(inner, known)
