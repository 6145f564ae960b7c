"""Encounter, Appointment and Communication → visits and calls. Source: docs/fhir.md."""

from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from auditor.schema.tables import STATUS, fold_term
from auditor.sources.fhir.channels import PHONE, channel, kind_of
from auditor.sources.fhir.elements import (
    Element,
    Notes,
    codes,
    conditions,
    diagnosis_codes,
    elements,
    id_of,
    instant,
    joined,
    period,
    plain_id,
    remembered,
    target,
    text,
)
from auditor.sources.fhir.people import key_of, performer
from auditor.sources.fhir.rows import CALLS as KNOWN_CALLS
from auditor.sources.fhir.rows import LIST, OTHERS, Finish, Kept, Row, texts

ERROR = "entered-in-error"
LEFT_OUT = "calls that were entered in error are left out"
ENCOUNTER, APPOINTMENT, CALL, COMMUNICATION = "Encounter", "Appointment", "call", "Communication"
"""What a row was made of."""
_COMMON_ELEMENTS = frozenset({"reason", "reasonCode", "reasonReference", "diagnosis", "episodeOfCare"})
_COMMON = texts("_of", "patient_id", "provider_id", "diagnosis_codes", "problem_id") | {"_conditions": LIST}
VISITS = {
    **_COMMON,
    **texts("visit_id", "visit_start", "visit_end", "modality", "status", "booked_at", "cpt_codes"),
    "_names": LIST,
}
"""What a resource says of a visit: beside the columns what it is made of, the Appointments and Conditions that it names."""
CALLS = _COMMON | texts(
    "_within", "call_id", "call_start", "call_end", "call_seconds", "initiated_by", "caller", "cpt_code"
)
"""The same of a call; the Encounter that a Communication belongs to."""
_NO_CALL = frozenset(
    fold_term(word) for term in ("cancelled", "scheduled", "no_show") for word in (term, *STATUS[term])
)
_NO_CALL_EITHER = frozenset({"preparation", "notdone"})
"""States of calls that never took place."""
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def visit(resource: Element, notes: Notes) -> Row | None:
    """The visit of an Encounter or Appointment; of a call what it names."""
    if resource["resourceType"] == APPOINTMENT:
        return _appointment(resource, notes)
    start, end = _times(resource, notes)
    status, kind = text(resource.get("status")), kind_of(resource)
    names = [found.id for one in elements(resource.get("appointment")) if (found := target(one, notes)).id]
    return _common(resource, notes) | {
        "_of": CALL if kind.is_call else ENCOUNTER,
        "visit_id": id_of(resource),
        "patient_id": plain_id(target(resource.get("subject"), notes)),
        "provider_id": performer(resource.get("participant"), notes),
        "visit_start": start,
        "visit_end": end,
        "modality": kind.modality,
        "cpt_codes": kind.codes,
        "status": "in-progress" if status == "on-hold" else status,
        "_names": names or None,
    }


def _appointment(resource: Element, notes: Notes) -> Row:
    return _common(resource, notes) | {
        "_of": APPOINTMENT,
        "visit_id": id_of(resource),
        "patient_id": _patient(resource, notes),
        "provider_id": performer(resource.get("participant"), notes),
        "visit_start": instant(resource.get("start"), notes),
        "visit_end": instant(resource.get("end"), notes),
        "modality": kind_of(resource).modality,
        "status": text(resource.get("status")),
        "booked_at": instant(resource.get("created"), notes),
    }


def call(resource: Element, notes: Notes) -> Row | None:
    """The call of a telephone Encounter, or of a Communication by telephone; None for others."""
    if resource["resourceType"] == COMMUNICATION:
        made = _communication(resource, notes) if channel(resource.get("medium")) == PHONE else None
    else:
        made = _telephone_encounter(resource, notes) if kind_of(resource).is_call else None
    status = fold_term(text(resource.get("status")) or "")
    if made is None or status not in _NO_CALL | _NO_CALL_EITHER:
        return made
    notes[LEFT_OUT if status == fold_term(ERROR) else "calls that did not take place are left out"] += 1
    return None


def _telephone_encounter(resource: Element, notes: Notes) -> Row:
    start, end = _times(resource, notes)
    return _common(resource, notes) | {
        "_of": ENCOUNTER,
        "call_id": id_of(resource),
        "patient_id": plain_id(target(resource.get("subject"), notes)),
        "provider_id": performer(resource.get("participant"), notes),
        "call_start": start,
        "call_end": end,
        "call_seconds": _seconds(resource.get("length")),
        "cpt_code": kind_of(resource).codes,
    }


def _communication(resource: Element, notes: Notes) -> Row:
    sender = target(resource.get("sender"), notes)
    others = [target(one, notes) for one in elements(resource.get("recipient"))]
    people = [key for one in (sender, *others) if (key := key_of(one)) and one.type]
    patients = (plain_id(one) for one in (sender, *others) if one.type == "Patient")
    start, end = instant(resource.get("sent"), notes), instant(resource.get("received"), notes)
    by = {"Patient": "patient", "RelatedPerson": "patient", "Practitioner": "provider", "PractitionerRole": "provider"}
    return _common(resource, notes) | {
        "_of": COMMUNICATION,
        "_within": target(resource.get("encounter"), notes).id or None,
        "call_id": id_of(resource),
        "patient_id": plain_id(target(resource.get("subject"), notes)) or next(patients, None),
        "provider_id": people[0] if people else None,
        "call_start": start,
        "call_end": None if end == start else end,
        "initiated_by": by.get(sender.type),
        "caller": "patient" if sender.type == "Patient" else None,
    }


def _common(resource: Element, notes: Notes) -> Row:
    """Diagnoses and the episode: R4's elements and R5's."""
    if _COMMON_ELEMENTS.isdisjoint(resource):
        return {}
    reasons, named = elements(resource.get("reason")), elements(resource.get("diagnosis"))
    values = [inner for one in reasons for inner in elements(one.get("value"))]  # R5's Encounter
    values += [inner for one in named for inner in elements(one.get("condition"))]
    references = [*elements(resource.get("reasonReference")), *reasons, *values]
    episodes = {found for one in elements(resource.get("episodeOfCare")) if (found := plain_id(target(one, notes)))}
    return {
        "diagnosis_codes": _diagnoses([resource.get("reasonCode"), reasons, values]),
        "problem_id": episodes.pop() if len(episodes) == 1 else None,
        "_conditions": (conditions(references, notes) or None) if references else None,
    }


@remembered
def _diagnoses(found: list[Any]) -> str | None:
    return joined([code for value in found for code in diagnosis_codes(value)])


def _times(resource: Element, notes: Notes) -> tuple[str | None, str | None]:
    """When an Encounter was: in R4 `period`, in R5 `actualPeriod`, before that as it is planned."""
    for name in ("period", "actualPeriod"):
        if name in resource:
            return period(resource[name], notes)
    return instant(resource.get("plannedStartDate"), notes), instant(resource.get("plannedEndDate"), notes)


def _patient(resource: Element, notes: Notes) -> str | None:
    """R5's subject, else the participant who is a patient."""
    if "subject" in resource:
        return plain_id(target(resource["subject"], notes))
    for one in elements(resource.get("participant")):
        found = target(one.get("actor"), notes)
        if found.id and (found.type == "Patient" or (not found.type and "SBJ" in codes(one.get("type")))):
            return plain_id(found)
    return None


def _seconds(length: Any) -> str | None:
    """A Duration in seconds, where its unit says what it is."""
    for one in elements(length):
        unit = _SECONDS.get(text(one.get("code")) or text(one.get("unit")) or "")
        try:
            return str((Decimal(str(one.get("value"))) * unit).normalize().__format__("f")) if unit else None
        except InvalidOperation:
            return None
    return None


def finish_visits(waiting: pl.LazyFrame, kept: Kept) -> Finish:
    """Encounters take the booking of the Appointments that they name; those are no visits of their own, nor are calls."""
    is_appointment, in_error = pl.col("_of") == APPOINTMENT, pl.col("status") == ERROR
    appointments = waiting.filter(is_appointment).select("visit_id", "booked_at", "status").collect()
    bookings = appointments.select(_names="visit_id", booked="booked_at").unique(
        "_names", keep="first", maintain_order=True
    )
    naming = (
        waiting.filter(~is_appointment).select("_names", in_error=in_error.fill_null(value=False)).explode("_names")
    )
    named = naming.drop_nulls("_names").unique().collect()
    never = [word for term in ("cancelled", "no_show") for word in STATUS[term]] + ["cancelled"]
    gone = appointments.filter(pl.col("status").is_in(never))["visit_id"]
    kept[OTHERS] = waiting.filter(pl.col("_of") == ENCOUNTER).select(pl.col("visit_id").hash()).collect()["visit_id"]
    taken = named.filter(~pl.col("in_error") | pl.col("_names").is_in(gone.implode()))["_names"]

    def finished(frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.filter(pl.col("_of") != CALL).with_row_index("_row")
        frame = frame.filter(
            (pl.col("_of") != APPOINTMENT) | ~pl.col("visit_id").is_in(taken.implode()).fill_null(value=False)
        )
        found = frame.select("_row", "_names").explode("_names").join(bookings, on="_names", maintain_order="left")
        booked = found.group_by("_row", maintain_order=True).agg(pl.col("booked").drop_nulls().first())
        frame = frame.join(booked, on="_row", how="left", maintain_order="left")
        return frame.with_columns(pl.coalesce("booked_at", "booked").alias("booked_at"))

    return finished


def finish_calls(waiting: pl.LazyFrame, kept: Kept) -> Finish:
    """A Communication that belongs to a telephone Encounter is one call with it, and says who began."""
    of_encounter = pl.col("_of") == ENCOUNTER
    known = waiting.filter(of_encounter).select("call_id").collect()["call_id"]
    kept[KNOWN_CALLS] = known
    within = pl.col("_within").is_in(known.implode())
    parties = waiting.filter(within).select(call_id="_within", by="initiated_by", who="caller").collect()
    parties = parties.unique("call_id", keep="first", maintain_order=True)

    def finished(frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.filter(of_encounter | ~within.fill_null(value=False))
        frame = frame.join(parties, on="call_id", how="left", maintain_order="left")
        new = {"initiated_by": pl.when(of_encounter).then("by").otherwise("initiated_by"),
               "caller": pl.when(of_encounter).then("who").otherwise("caller")}  # fmt: skip
        return frame.with_columns(**new)

    return finished
