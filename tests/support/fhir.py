"""Rows of the tables → FHIR resources that say the same."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.schema.tables import INITIATED_BY, MODALITY, STATUS, Vocabulary, fold_term

Row = Mapping[str, str]
Resource = dict[str, Any]
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CPT = "http://www.ama-assn.org/go/cpt"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
CLASSES = {"in_person": "AMB", "phone": "AMB", "telehealth": "VR"}
TYPES = {"phone": "Telephone", "telehealth": "Video visit", "in_person": "Office visit", "": "Visit"}
COLUMNS = {
    "calls": ("call_id", "patient_id", "provider_id", "call_start", "call_end", "call_minutes", "initiated_by",
              "diagnosis_codes", "problem_id", "cpt_code"),
    "visits": ("visit_id", "patient_id", "provider_id", "visit_start", "visit_end", "modality", "status", "booked_at",
               "cpt_codes", "diagnosis_codes", "problem_id"),
    "claims": ("claim_id", "claim_line", "patient_id", "provider_id", "service_date", "cpt_code", "call_id", "modifiers",
               "units", "billed_amount", "paid_amount", "claim_status", "diagnosis_codes"),
    "providers": ("provider_id", "credential", "group_id", "specialty", "license_start", "license_end"),
}  # fmt: skip
"""The columns that FHIR can say."""


def term(vocabulary: Vocabulary, word: str) -> str:
    """The term that a word means, else the word."""
    known = {fold_term(one): term for term, words in vocabulary.items() for one in (term, *words)}
    return known.get(fold_term(word), word)


def concept(code: str, system: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def concepts(codes: str, system: str) -> list[Resource]:
    return [concept(code.strip(), system) for code in codes.replace(",", ";").split(";") if code.strip()]


def reference(kind: str, key: str) -> Resource:
    return {"reference": f"{kind}/{key}"}


def resources(table: str, row: Row) -> Iterator[Resource]:
    """The resources of a row; what is blank is left out."""
    for made in {"calls": _call, "visits": _visit, "claims": _claim, "providers": _provider}[table](row):
        yield {key: value for key, value in made.items() if value not in ("", [], {}, None)}


def write(table: str, rows: list[Row], path: Path) -> None:
    with path.open("w") as lines:
        for row in rows:
            lines.writelines(json.dumps(resource) + "\n" for resource in resources(table, row))


def _encounter(row: Row, key: str) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": row[key],
        "subject": reference("Patient", row["patient_id"]),
        "participant": [{"individual": reference("Practitioner", row["provider_id"])}] if row["provider_id"] else [],
        "reasonCode": concepts(row["diagnosis_codes"], ICD10),
        "episodeOfCare": [reference("EpisodeOfCare", row["problem_id"])] if row["problem_id"] else [],
    }


def _call(row: Row) -> Iterator[Resource]:
    minutes = {"value": float(row["call_minutes"]), "code": "min"} if row["call_minutes"] else {}
    yield _encounter(row, "call_id") | {
        "status": "finished",
        "class": {"system": ACT, "code": "VR"},
        "type": [{"text": "Telephone encounter"}, *concepts(row.get("cpt_code", ""), CPT)],
        "period": {"start": row["call_start"], "end": row["call_end"]},
        "length": minutes,
    }
    people = {"patient": "Patient", "provider": "Practitioner"}
    by = term(INITIATED_BY, row["initiated_by"])
    if sender := people.get(by):
        yield {
            "resourceType": "Communication",
            "id": f"c-{row['call_id']}",
            "status": "completed",
            "medium": [concept("PHONE", "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode")],
            "encounter": reference("Encounter", row["call_id"]),
            "sender": reference(sender, row[f"{by}_id"]),
        }


def _visit(row: Row) -> Iterator[Resource]:
    """Scheduled visits are Appointments, the others Encounters, with the Appointment where a booking is known."""
    states = {"completed": "finished", "cancelled": "cancelled", "no_show": "noshow", "scheduled": "booked"}
    status, modality = term(STATUS, row["status"]), term(MODALITY, row["modality"])
    booking = {
        "resourceType": "Appointment",
        "id": f"a-{row['visit_id']}",
        "status": "fulfilled" if status == "completed" else states.get(status, status),
        "start": row["visit_start"],
        "end": row["visit_end"],
        "created": row["booked_at"],
        "appointmentType": {"text": TYPES.get(modality, "Visit")},
        "reasonCode": concepts(row["diagnosis_codes"], ICD10),
        "participant": [{"actor": reference("Patient", row["patient_id"])},
                        {"actor": reference("Practitioner", row["provider_id"]) if row["provider_id"] else {}}],
    }  # fmt: skip
    yield booking
    yield _encounter(row, "visit_id") | {
        "status": states.get(status, status),
        "class": {"system": ACT, "code": CLASSES.get(modality, modality)},
        "type": [{"text": TYPES.get(modality, "Visit")}, *concepts(row["cpt_codes"], CPT)],
        "period": {"start": row["visit_start"], "end": row["visit_end"]},
        "appointment": [reference("Appointment", booking["id"])],
    }


def _claim(row: Row) -> Iterator[Resource]:
    """A Claim with its item, and the ExplanationOfBenefit that names it."""
    money = {key: {"value": float(row[key]), "currency": "USD"} for key in ("billed_amount", "paid_amount") if row[key]}
    item = {
        "sequence": int(row["claim_line"] or 1),
        "productOrService": concept(row["cpt_code"], CPT),
        "servicedDate": row["service_date"],
        "modifier": concepts(row["modifiers"], CPT),
        "quantity": {"value": float(row["units"])} if row["units"] else {},
        "net": money.get("billed_amount", {}),
        "encounter": [reference("Encounter", row["call_id"])] if row.get("call_id") else [],
    }
    codes = concepts(row["diagnosis_codes"], ICD10)
    diagnoses = [{"sequence": n, "diagnosisCodeableConcept": code} for n, code in enumerate(codes)]
    common = {"use": "claim", "patient": reference("Patient", row["patient_id"])}
    yield common | {
        "resourceType": "Claim",
        "id": row["claim_id"],
        "status": "active",
        "provider": reference("Practitioner", row["provider_id"]),
        "diagnosis": diagnoses,
        "item": [{key: value for key, value in item.items() if value not in ({}, [])}],
    }
    paid = [{"category": concept("benefit", "http://terminology.hl7.org/CodeSystem/adjudication"), "amount": money[name]}
            for name in ("paid_amount",) if name in money and row["claim_status"] != "denied"]  # fmt: skip
    denied = [{"category": concept("denialreason", "")}] * (row["claim_status"] == "denied")
    yield common | {
        "resourceType": "ExplanationOfBenefit",
        "id": f"e-{row['claim_id']}-{row['claim_line']}",
        "status": "cancelled" if row["claim_status"] in ("void", "reversed") else "active",
        "claim": reference("Claim", row["claim_id"]),
        "item": [{"sequence": 1, "itemSequence": [item["sequence"]], "adjudication": [*paid, *denied]}],
    }


def _provider(row: Row) -> Iterator[Resource]:
    dates = {"start": row["license_start"], "end": row["license_end"]}
    yield {
        "resourceType": "Practitioner",
        "id": row["provider_id"],
        "qualification": [{"code": {"text": row["credential"]}, "period": {k: v for k, v in dates.items() if v}}],
    }
    yield {
        "resourceType": "PractitionerRole",
        "id": f"r-{row['provider_id']}",
        "practitioner": reference("Practitioner", row["provider_id"]),
        "organization": reference("Organization", row["group_id"]),
        "specialty": [{"text": row["specialty"]}],
    }
