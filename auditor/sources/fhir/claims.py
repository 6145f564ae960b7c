"""Claim and ExplanationOfBenefit → billed lines, an item each. Source: docs/fhir.md."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from auditor.sources.fhir.elements import (
    Element,
    Notes,
    codes,
    codings,
    concepts,
    conditions,
    diagnosis_codes,
    elements,
    id_of,
    identifiers,
    instant,
    joined,
    plain_id,
    procedure_codes,
    target,
    text,
)
from auditor.sources.fhir.people import key_of, performer
from auditor.sources.fhir.rows import CALLS, LIST, OTHERS, Finish, Kept, Row, texts

CLAIM, BENEFIT = "Claim", "ExplanationOfBenefit"
CLAIMS = texts(
    "_of", "_claim", "_answer", "_encounter", "claim_id", "claim_line", "patient_id", "provider_id", "service_date",
    "cpt_code", "modifiers", "units", "billed_amount", "paid_amount", "claim_status", "frequency_code", "original_claim_id",
    "processed_date", "place_of_service", "payer", "diagnosis_codes",
) | {"_conditions": LIST, "_identifiers": LIST}  # fmt: skip
"""What an item says of a line. `_claim`: the Claim, `_identifiers`: its identifiers, `_answer`: the ExplanationOfBenefit,
`_encounter`: its Encounter."""
_CODE = re.compile(r"\d{4}[\dA-Z]|[A-Z]\d{4}")
_PLACE = re.compile(r"\d{2}")
_ERROR = "entered-in-error"
_VOID = ("cancelled", _ERROR)
_PAID = ("paidtoprovider", "benefit")
"""Categories of what the payer pays, the first that is there."""
_SUBMITTED = "submitted"


def lines(resource: Element, notes: Notes, zone: ZoneInfo) -> Iterator[Row]:
    """A row for each item. Drafts and other uses than `claim` are left out and counted."""
    kind, status = resource["resourceType"], text(resource.get("status"))
    if (text(resource.get("use")) or "claim") != "claim":
        notes[f"{kind} resources of another use than claim are left out"] += 1
    elif status == "draft":
        notes[f"{kind} resources that are drafts are left out"] += 1
    else:
        items = elements(resource.get("item"))
        notes[f"{kind} resources without items are left out"] += not items
        common = _common(resource, notes, zone, single=len(items) == 1)
        for place, item in enumerate(items, 1):
            yield common | _line(resource, item, place, common, notes, zone)


def _common(resource: Element, notes: Notes, zone: ZoneInfo, *, single: bool) -> Row:
    """What all lines of a resource have. `single`: the totals are those of its only line."""
    own, is_benefit = id_of(resource), resource["resourceType"] == BENEFIT
    claim = plain_id(target(resource.get("claim"), notes)) if is_benefit else own
    insurer = resource.get("insurer")
    status = text(resource.get("status"))
    related, relation = _related(resource, notes)
    void = "void" if status in _VOID or relation == "replacedby" else None
    amounts: Row = {}
    if single:
        paid = [*_amounts(resource.get("total"), _PAID), *_money([resource.get("payment")])]
        billed = [*_amounts(resource.get("total"), (_SUBMITTED,)), *([] if is_benefit else _money([resource]))]
        amounts = {
            "paid_amount": next(iter(paid), None) if is_benefit else None,
            "billed_amount": next(iter(billed), None),
        }
    return amounts | {
        "_of": resource["resourceType"],
        "_claim": claim,
        "_answer": own if is_benefit else None,
        "_identifiers": None if is_benefit else identifiers(resource),
        "claim_id": claim or own,
        "patient_id": plain_id(target(resource.get("patient"), notes)),
        "claim_status": _ERROR if status == _ERROR and not is_benefit else void or status,
        "frequency_code": "7" if relation == "prior" else None,
        "original_claim_id": related if relation == "prior" else None,
        "processed_date": _day(instant(resource.get("created"), notes), zone) if is_benefit else None,
        "payer": (text(insurer.get("display")) if isinstance(insurer, dict) else None)
        or plain_id(target(insurer, notes)),
    }


def _related(resource: Element, notes: Notes) -> tuple[str | None, str]:
    """The claim that this one replaces, or is replaced by, and which of the two."""
    for one in elements(resource.get("related")):
        for relation in ("prior", "replacedby"):
            if relation in codes(one.get("relationship")):
                identifier = next(iter(elements(one.get("reference"))), {})
                return plain_id(target(one.get("claim"), notes)) or text(identifier.get("value")), relation
    return None, ""


def _line(resource: Element, item: Element, place: int, common: Row, notes: Notes, zone: ZoneInfo) -> Row:
    service = item.get("productOrService")
    known = procedure_codes(service)
    others = [code for one in codings(service) if (code := text(one.get("code")))]
    words = [word for one in concepts(service) if (word := text(one.get("text")))]
    return {
        "claim_line": next(iter(_numbers(item.get("itemSequence"))), None) or text(item.get("sequence")) or str(place),
        "provider_id": _provider(resource, item, notes),
        "service_date": _service_date(resource, item, notes, zone),
        "cpt_code": next(iter(known or [code for code in others if _CODE.fullmatch(code)] or others or words), None),
        "modifiers": joined([code for one in codings(item.get("modifier")) if (code := text(one.get("code")))]),
        "units": _value(item.get("quantity")),
        "place_of_service": _place(item),
        "_encounter": next((plain_id(target(one, notes)) for one in elements(item.get("encounter"))), None),
        **_diagnoses(resource, item, notes),
        **_of_item(resource, item, common),
    }


def _place(item: Element) -> str | None:
    """The CMS place of service code, two digits, else the first code."""
    found = [code for one in codings(item.get("locationCodeableConcept")) if (code := text(one.get("code")))]
    return next((code for code in found if _PLACE.fullmatch(code)), next(iter(found), None))


def _numbers(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _of_item(resource: Element, item: Element, common: Row) -> Row:
    """Amounts and status of a line, those of the only line from the totals where the line has none."""
    if resource["resourceType"] == CLAIM:
        return {"billed_amount": _net(item) or common.get("billed_amount")}
    found = item.get("adjudication")
    paid, billed = next(iter(_amounts(found, _PAID)), None), next(iter(_amounts(found, (_SUBMITTED,))), None)
    paid, status = paid or common.get("paid_amount"), common["claim_status"]
    if status == "active" and _is_denied(resource, item, paid):
        status = "denied"
    return {
        "paid_amount": paid,
        "billed_amount": billed or common.get("billed_amount") or _net(item),
        "claim_status": status,
    }


def _is_denied(resource: Element, item: Element, paid: str | None) -> bool:
    """Whether the payer denied a line: R5's decision; a reason for it, or an error, without a payment."""
    reviews = elements(item.get("reviewOutcome"))
    decisions = [one["decision"] for one in reviews if "decision" in one] or [resource.get("decision")]
    if any("denied" in codes(decision) for decision in decisions):
        return True
    reasons = any("denialreason" in codes(one.get("category")) for one in elements(item.get("adjudication")))
    return (reasons or resource.get("outcome") == "error") and not (paid and _decimal(paid))


def _net(item: Element) -> str | None:
    """The line's amount, else price times quantity."""
    if found := next(iter(_money([item], "net")), None):
        return found
    price = next(iter(_money([item], "unitPrice")), None)
    count = _value(item.get("quantity")) or "1"
    numbers = [_decimal(one) for one in (price, count) if one is not None]
    return f"{numbers[0] * numbers[1]:f}" if len(numbers) == 2 and None not in numbers else None  # type: ignore[operator]


def _decimal(number: str) -> Decimal | None:
    try:
        return Decimal(number)
    except InvalidOperation:
        return None


def _amounts(found: Any, categories: tuple[str, ...]) -> Iterator[str]:
    """The amounts of adjudications or totals, by category in this order."""
    for category in categories:
        for one in elements(found):
            if category in codes(one.get("category")):
                yield from _money([one])


def _money(found: list[Any], name: str = "") -> Iterator[str]:
    """The values of Money elements."""
    for one in found:
        for key in (name,) if name else ("amount", "total"):
            for money in elements(one.get(key)) if isinstance(one, dict) else []:
                if value := text(money.get("value")):
                    yield value


def _value(quantity: Any) -> str | None:
    return text(quantity.get("value")) if isinstance(quantity, dict) else None


def _provider(resource: Element, item: Element, notes: Notes) -> str | None:
    """Of the item's care team, else of the whole team, else the claim's provider, where that is a person."""
    team, named = elements(resource.get("careTeam")), _numbers(item.get("careTeamSequence"))
    own = [one for one in team if text(one.get("sequence")) in named]
    return performer(own, notes) or performer(team, notes) or key_of(target(resource.get("provider"), notes))


def _diagnoses(resource: Element, item: Element, notes: Notes) -> Row:
    """Those that the item points to, else all of the claim."""
    found, named = elements(resource.get("diagnosis")), _numbers(item.get("diagnosisSequence"))
    own = [one for one in found if text(one.get("sequence")) in named] if named else found
    references = [one["diagnosisReference"] for one in own if "diagnosisReference" in one]
    written = [code for one in own for code in diagnosis_codes(one.get("diagnosisCodeableConcept"))]
    return {"diagnosis_codes": joined(written), "_conditions": conditions(references, notes) or None}


def _service_date(resource: Element, item: Element, notes: Notes, zone: ZoneInfo) -> str | None:
    """The day of the item, else of the claim; of a period of several days the first and the last."""
    if written := instant(item.get("servicedDate"), notes):
        return written
    for period in (item.get("servicedPeriod"), resource.get("billablePeriod")):
        if isinstance(period, dict):
            days = [_day(instant(period.get(name), notes), zone) for name in ("start", "end")]
            first, last = days[0] or days[1], days[1] or days[0]
            if first:
                return first if first == last else f"{first.replace('-', '')}-{str(last).replace('-', '')}"
    return None


def _day(written: str | None, zone: ZoneInfo) -> str | None:
    """The local date of an instant; a date as it is."""
    if written is None or len(written) <= len("2026-03-02"):
        return written
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return written
    return str((found.astimezone(zone) if found.tzinfo else found).date())


def finish(waiting: pl.LazyFrame, kept: Kept) -> Finish:
    """A Claim takes amounts and status of the ExplanationOfBenefit that names it, which is no line of its own."""
    if CALLS in kept:
        visits = kept.get(OTHERS, pl.Series(dtype=pl.UInt64))
        is_call = pl.col("_encounter").is_in(kept[CALLS].implode()) | ~pl.col("_encounter").hash().is_in(
            visits.implode()
        )
    else:
        is_call = pl.lit(value=False)
    is_claim = pl.col("_of") == CLAIM
    by_id = _by_id(waiting)
    waiting = waiting.with_columns(by_id)
    known = waiting.filter(is_claim).select("_claim").unique().collect()["_claim"]
    answers = waiting.filter(~is_claim & pl.col("_claim").is_in(known.implode())).collect()
    ranked = answers.sort(
        pl.col("claim_status") == "void", "processed_date", "_answer",
        descending=[False, True, True], nulls_last=True, maintain_order=True,
    )  # fmt: skip
    amounts = ranked.unique(["_claim", "claim_line"], keep="first", maintain_order=True)
    amounts = amounts.select("_claim", "claim_line", *(pl.col(name).alias(f"{name} there") for name in _OF_LINE))
    whole = ranked.unique("_claim", keep="first", maintain_order=True)
    whole = whole.select("_claim", *(pl.col(name).alias(f"{name} there") for name in _OF_CLAIM))
    status = pl.when(pl.col("claim_status there") == "denied").then(None).otherwise("claim_status there")
    whole = whole.with_columns(status.alias("status there")).drop("claim_status there")

    def finished(frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.with_columns(by_id)
        frame = frame.filter(is_claim | ~pl.col("_claim").is_in(known.implode()).fill_null(value=False))
        frame = frame.join(amounts, on=["_claim", "claim_line"], how="left", maintain_order="left")
        frame = frame.join(whole, on="_claim", how="left", maintain_order="left")
        taken = {
            name: pl.coalesce(f"{name} there", name) for name in ("billed_amount", "paid_amount", "processed_date")
        }
        own = {name: pl.coalesce(name, f"{name} there") for name in ("provider_id", "payer")}
        status = pl.coalesce("claim_status there", "status there", "claim_status")
        in_error = (pl.col("claim_status") == _ERROR).fill_null(value=False)
        frame = frame.with_columns(
            **taken, **own, claim_status=pl.when(in_error).then(pl.lit("void")).otherwise(status)
        )
        return frame.with_columns(call_id=pl.when(is_call).then("_encounter"))

    return finished


def _by_id(waiting: pl.LazyFrame) -> list[pl.Expr]:
    """The Claims that others name, by their ids in place of an identifier."""
    claims = waiting.select("_identifiers", "_claim", is_claim=pl.col("_of") == CLAIM)
    own = claims.filter("is_claim").select("_claim").collect()["_claim"]
    named = pl.concat([claims.filter(~pl.col("is_claim")).select("_claim"), waiting.select(_claim="original_claim_id")])
    wanted = named.unique().collect().drop_nulls()["_claim"]
    wanted = wanted.filter(~wanted.is_in(own.implode()))
    found = claims.explode("_identifiers").filter(pl.col("_identifiers").is_in(wanted.implode())).collect()
    found = found.select("_identifiers", "_claim").unique().unique("_identifiers", keep="none")
    return [pl.col("_claim", "original_claim_id").replace(found["_identifiers"], found["_claim"])]


_OF_LINE = "billed_amount", "paid_amount", "claim_status"
_OF_CLAIM = "processed_date", "claim_status", "provider_id", "payer"
