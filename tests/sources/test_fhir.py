"""FHIR resources as JSON Lines, and the rows that they become."""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditor.errors import InputRefused
from auditor.parsing.typed_chunk import type_table
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.reading.ingest import Extract
from auditor.schema.tables import INITIATED_BY
from auditor.settings import Settings
from auditor.sources import json_text, staging
from auditor.sources.fhir import bundles
from tests.support import fhir
from tests.support.engines import audited_here
from tests.support.fhir import ACT, CPT, ICD10, concept
from tests.support.reading import own_policy

SAMPLE = Path(__file__).parents[2] / "sample_data"
SNOMED = "http://snomed.info/sct"


def extracts(folder: Path, **tables: Mapping[str, list[Any]]) -> dict[str, Extract]:
    """Files of resources for each table, as the run reads them."""
    policy = own_policy(folder, "")
    found = {}
    for table in ("calls", "visits", "claims", "providers"):
        if table in tables:
            (folder / table).mkdir(exist_ok=True)
            for name, resources in tables[table].items():
                text = "".join(json.dumps(one) + "\n" for one in resources)
                (folder / table / f"{name}.ndjson").write_text(re.sub(r'"number ([\d.]+)"', r"\1", text))
            found[table] = expand(table, [str(folder / table)])
    with staging.staged(found, policy, folder) as parts:
        return {table: read_parts(table, parts[table], policy) for table in parts}


def rows(extract: Extract, *columns: str) -> list[tuple[Any, ...]]:
    return extract.frame.select(columns).rows()


def encounter(key: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "finished",
        "class": {"system": ACT, "code": "AMB"},
        "subject": {"reference": "Patient/p"},
        "participant": [{"individual": {"reference": "Practitioner/d"}}],
        "period": {"start": "2026-03-02T10:00:00-05:00", "end": "2026-03-02T10:20:00-05:00"},
    } | elements


def phone(key: str, **elements: Any) -> dict[str, Any]:
    telephone = {"class": {"system": ACT, "code": "VR"}, "type": [concept("185317003", SNOMED)]}
    return encounter(key, **telephone) | elements


def test_encounters_of_r4_and_r5_in_one_file(tmp_path: Path):
    r5 = encounter("new", status="on-hold", subject={"reference": "https://fhir.example/Patient/p/_history/2"})
    r5 |= {"class": [concept("IMP", ACT)], "participant": [{"actor": {"reference": "urn:uuid:d"}}]}
    r5 |= {"actualPeriod": r5.pop("period"), "reason": [{"value": [{"concept": concept("F33.1", ICD10)}]}]}
    old = encounter(
        "old", reasonCode=[concept("F33.1", ICD10), concept("35489007", SNOMED)], type=[concept("99213", CPT)]
    )
    found = extracts(tmp_path, visits={"Encounter": [old, {"resourceType": "Observation"}, r5]})["visits"]
    names = "visit_id", "patient_id", "provider_id", "visit_start", "visit_end", "modality", "status", "cpt_codes"
    times = "2026-03-02T10:00:00-05:00", "2026-03-02T10:20:00-05:00"
    assert rows(found, *names, "diagnosis_codes", "source_record") == [
        ("old", "p", "d", *times, "AMB", "finished", "99213", "F33.1", 1),
        ("new", "p", "d", *times, "IMP", "in-progress", None, "F33.1", 3),
    ]
    assert found.files[0].understood == ("FHIR: Encounter 2; not read as visits: Observation 1",)


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({}, "call"),
        ({"type": [{"text": "Telephone call"}]}, "call"),
        ({"type": [concept("98968", CPT)]}, "call"),
        ({"type": [], "serviceType": [{"concept": {"text": "Audio-only service"}}]}, "call"),
        (
            {"type": [{"coding": [{"display": "Phone consultation", "code": "7"}]}], "class": [concept("VR", ACT)]},
            "call",
        ),
        ({"type": [{"text": "Video visit"}]}, "telehealth"),
        ({"type": [{"text": "Video or phone"}]}, "VR"),
        ({"type": [{"text": "Phonological evaluation"}]}, "VR"),
        ({"class": {"system": ACT, "code": "AMB"}}, "phone"),
        ({"class": {"system": "https://clinic.example", "code": "VR"}}, "phone"),
        ({"class": {"system": ACT, "code": "AMB"}, "type": [concept("185317003", "http://loinc.org")]}, "AMB"),
    ],
)
def test_which_encounters_are_calls(tmp_path: Path, elements: dict[str, Any], kind: str):
    given = {"Encounter": [phone("e") | elements]}
    found = extracts(tmp_path, calls=given, visits=given)
    assert [*rows(found["calls"], "call_id"), *rows(found["visits"], "modality")] == [
        ("e" if kind == "call" else kind,)
    ]


def test_calls_by_their_states_lengths_and_communications(tmp_path: Path):
    mode = {"medium": [concept("PHONE", "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode")]}
    talk = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/p"}} | mode
    people = {"sender": {"reference": "Patient/p"}, "recipient": [{"reference": "PractitionerRole/r"}]}
    times = {"sent": "2026-03-03T09:00:00Z", "received": "2026-03-03T09:25:00Z"}
    found = extracts(
        tmp_path,
        calls={
            "Encounter": [
                phone("e", length={"value": 25.5, "code": "min"}),
                phone("wrong", status="entered-in-error"),
                phone("never", status="cancelled"),
            ],
            "Communication": [
                talk | people | times | {"id": "c"},
                talk
                | {"id": "same", "encounter": {"reference": "Encounter/e"}, "sender": {"reference": "Practitioner/d"}},
                talk | people | times | {"id": "mail", "medium": [{"text": "e-mail"}]},
                talk | people | times | {"id": "c0", "status": "not-done"},
            ],
            "PractitionerRole": [
                {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/d7"}}
            ],
        },
    )["calls"]
    names = "call_id", "provider_id", "call_start", "call_end", "call_seconds", "initiated_by", "caller"
    assert sorted(rows(found, *names)) == [
        ("c", "d7", "2026-03-03T09:00:00Z", "2026-03-03T09:25:00Z", None, "patient", "patient"),
        ("e", "d", "2026-03-02T10:00:00-05:00", "2026-03-02T10:20:00-05:00", "1530", "provider", None),
    ]
    counts = {warning.partition("ndjson: ")[2] for warning in found.warnings}
    assert counts == {
        "calls that were entered in error are left out: 1",
        "calls that did not take place are left out: 1",
    }


def test_an_appointment_that_an_encounter_names_is_one_visit_with_it(tmp_path: Path):
    def appointment(key: str, status: str = "fulfilled", created: str = "2026-02-01") -> dict[str, Any]:
        return {
            "resourceType": "Appointment", "id": key, "status": status, "start": "2026-03-05T09:00:00Z", "created": created,
            "participant": [{"actor": {"reference": "Location/l"}}, {"actor": {"reference": "Patient/p"}},
                            {"actor": {"reference": "Practitioner/d"}, "status": "accepted"}],
        }  # fmt: skip

    def names(*keys: str) -> dict[str, Any]:
        return {"appointment": [{"reference": f"Appointment/{key}"} for key in keys]}

    found = extracts(
        tmp_path,
        visits={
            "Appointment": [
                *map(appointment, ("a1", "a2", "free", "stands")),
                appointment("gone", "cancelled"),
                appointment("part", created="2026-02"),
            ],
            "Encounter": [
                encounter("e1", **names("a1")),
                phone("e2", **names("a2")),
                encounter("e3", status="entered-in-error", **names("stands", "gone")),
                encounter("e4", **names("part", "elsewhere")),
            ],
        },
    )["visits"]
    assert sorted(rows(found, "visit_id", "patient_id", "provider_id", "status", "booked_at")) == [
        ("e1", "p", "d", "finished", "2026-02-01"),
        ("e3", "p", "d", "entered-in-error", "2026-02-01"),
        ("e4", "p", "d", "finished", None),
        ("free", "p", "d", "fulfilled", "2026-02-01"),
        ("stands", "p", "d", "fulfilled", "2026-02-01"),
    ]
    assert [warning.rpartition("/")[2] for warning in found.warnings] == [
        "Appointment.ndjson: partial dates are blank: 1",
    ]


def test_references_resolve_in_whatever_form_and_across_files(tmp_path: Path):
    npi = "http://hl7.org/fhir/sid/us-npi"
    forms: list[dict[str, Any]] = [
        {"reference": "Practitioner/d"},
        {"reference": "https://fhir.example/r4/Practitioner/d/_history/7"},
        {"reference": "urn:uuid:d"},
        {"reference": f"Practitioner?identifier={npi}|1234567893"},
        {"type": "Practitioner", "identifier": {"system": npi, "value": "1234567893"}},
        {"reference": "PractitionerRole/r"},
        {"reference": "PractitionerRole/r2"},
    ]
    visits = [encounter(str(n), participant=[{"individual": form}]) for n, form in enumerate(forms)]
    visits.append(
        encounter(
            "c", participant=[{"individual": {"reference": "#inside"}}], reasonReference=[{"reference": "Condition/k"}]
        )
    )
    found = extracts(
        tmp_path,
        visits={"Encounter": visits, "Condition": [{"resourceType": "Condition", "id": "k", "code": concept("F33.1", ICD10)}]},
        providers={"all": [
            {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/d"}},
            {"resourceType": "PractitionerRole", "id": "r2", "practitioner": forms[3]},
            {"resourceType": "Practitioner", "id": "d", "identifier": [{"system": npi, "value": "1234567893"}]},
        ]},
    )  # fmt: skip
    assert rows(found["visits"], "provider_id", "diagnosis_codes") == [("d", None)] * 7 + [(None, "F33.1")]
    assert rows(found["providers"], "provider_id") == [("d",)]


def test_a_contained_resource_is_its_identifier(tmp_path: Path):
    npi = "http://hl7.org/fhir/sid/us-npi"
    inside = [
        {"resourceType": "Practitioner", "id": "1", "identifier": [{"system": npi, "value": "1234567893"}]},
        {"resourceType": "Patient", "id": "2", "identifier": [{"value": "M&1 +2"}]},
        {"resourceType": "Practitioner", "id": "3"},
    ]
    visits = [
        encounter("a", contained=inside, participant=[{"individual": {"reference": "#1"}}]),
        encounter(
            "b", contained=inside, participant=[{"individual": {"reference": "#3"}}], subject={"reference": "#2"}
        ),
    ]
    known = [{"resourceType": "Practitioner", "id": "d", "identifier": [{"system": npi, "value": "1234567893"}]}]
    found = extracts(tmp_path, visits={"Encounter": visits}, providers={"all": known})["visits"]
    assert rows(found, "patient_id", "provider_id") == [("p", "d"), ("M&1 +2", None)]
    assert [warning.partition("ndjson: ")[2] for warning in found.warnings] == [
        "references into their own resource are blank: 1"
    ]


def test_a_performer_is_chosen_by_the_kind_of_participation(tmp_path: Path):
    def participant(code: str, who: str) -> dict[str, Any]:
        return {"type": [concept(code, "")], "individual": {"reference": who}}

    team = [participant("REF", "Practitioner/r"), participant("PART", "Practitioner/x"), participant("ATND", "Practitioner/a"),
            participant("PPRF", "Practitioner/d"), participant("PPRF", "RelatedPerson/m")]  # fmt: skip
    visits = [encounter(str(n), participant=team[:n]) for n in range(1, 6)]
    found = extracts(tmp_path, visits={"Encounter": visits})["visits"]
    assert [who for (who,) in rows(found, "provider_id")] == [None, "x", "a", "d", "d"]


ITEM = {"sequence": 1, "productOrService": concept("98968", CPT), "servicedDate": "2026-03-02"}
CLAIM = {"resourceType": "Claim", "id": "c", "status": "active", "use": "claim", "patient": {"reference": "Patient/p"},
         "provider": {"reference": "Organization/o"}, "insurer": {"display": "Blue"}}  # fmt: skip
BENEFIT = {
    **CLAIM,
    "resourceType": "ExplanationOfBenefit",
    "id": "b",
    "claim": {"reference": "Claim/c"},
    "created": "2026-04-01",
}


def adjudication(**amounts: str) -> dict[str, Any]:
    return {"adjudication": [{"category": concept(name, ""), "amount": {"value": f"number {value}"}}
                             for name, value in amounts.items()]}  # fmt: skip


def test_a_claim_and_its_explanation_of_benefit_are_one_row(tmp_path: Path):
    team = [{"sequence": 2, "provider": {"reference": "Practitioner/d"}, "role": concept("primary", "")}]
    items = [{**ITEM, "net": {"value": 42.5}, "modifier": [concept("95", CPT)], "quantity": {"value": 2},
              "encounter": [{"reference": "Encounter/e"}], "diagnosisSequence": [2]},
             {**ITEM, "sequence": 2, "unitPrice": {"value": 10.1}, "quantity": {"value": 3}}]  # fmt: skip
    diagnoses = [
        {"sequence": n, "diagnosisCodeableConcept": concept(code, ICD10)} for n, code in ((1, "M54.5"), (2, "F33.1"))
    ]
    answer = [{"itemSequence": [1], **ITEM, "sequence": 9, **adjudication(submitted="42.5", benefit="31.25")}]
    found = extracts(
        tmp_path,
        calls={"Encounter": [phone("e")]},
        claims={
            "eob": [
                BENEFIT | {"id": "b0", "status": "cancelled", "created": "2026-05-01", "item": answer},
                BENEFIT | {"careTeam": team, "item": answer},
                BENEFIT | {"id": "own", "claim": {"reference": "Claim/elsewhere"}, "careTeam": team, "item": answer},
                BENEFIT | {"id": "pre", "use": "preauthorization", "item": answer},
            ],
            "claim": [
                CLAIM | {"item": items, "diagnosis": diagnoses},
                CLAIM | {"id": "d", "status": "draft", "item": items},
                CLAIM | {"id": "n"},
            ],
        },
    )["claims"]
    names = "claim_id", "claim_line", "provider_id", "billed_amount", "paid_amount", "claim_status", "processed_date"
    assert sorted(rows(found, *names)) == [
        ("c", "1", "d", "42.5", "31.25", "active", "2026-04-01"),
        ("c", "2", "d", "30.3", None, "active", "2026-04-01"),
        ("elsewhere", "1", "d", "42.5", "31.25", "active", "2026-04-01"),
    ]
    names = "call_id", "modifiers", "units", "payer", "service_date", "diagnosis_codes", "cpt_code"
    assert rows(found.__class__(found.spec, found.files, found.frame.filter(claim_id="c"), found.rejects), *names) == [
        ("e", "95", "2", "Blue", "2026-03-02", "F33.1", "98968"),
        (None, None, "3", "Blue", "2026-03-02", "M54.5;F33.1", "98968"),
    ]
    assert sorted(warning.partition("ndjson: ")[2] for warning in found.warnings) == [
        "Claim resources that are drafts are left out: 1",
        "Claim resources without items are left out: 1",
        "ExplanationOfBenefit resources of another use than claim are left out: 1",
    ]


def test_a_claim_that_is_exported_twice_keeps_each_of_its_lines(tmp_path: Path):
    lines = [ITEM, {**ITEM, "sequence": 2, "servicedDate": "2026-03-09"}]
    claim = CLAIM | {"provider": {"reference": "Practitioner/d"}, "item": lines}
    table = type_table(extracts(tmp_path, claims={"all": [claim, claim]})["claims"], own_policy(tmp_path, ""))
    assert table.rows.select("claim_line", pl.col("service_date").dt.to_string()).rows() == [
        ("1", "2026-03-02"), ("2", "2026-03-09")
    ]  # fmt: skip
    assert table.rejects["reason"].to_list() == ["duplicate row"] * 2


def test_a_claim_may_be_named_by_its_identifier(tmp_path: Path):
    identifier = {"system": "https://clinic.example", "value": "CN1"}
    old = CLAIM | {"item": [ITEM], "identifier": [identifier]}
    new = CLAIM | {"id": "d", "item": [ITEM], "identifier": [{"value": "twice"}]}
    new["related"] = [{"claim": {"identifier": identifier}, "relationship": concept("prior", "")}]
    answers = [
        BENEFIT | {"id": str(n), "claim": name, "item": [ITEM | adjudication(benefit="31.25")]}
        for n, name in enumerate([{"reference": "Claim?identifier=https://clinic.example|CN1"}, {"identifier": {"value": "twice"}}])
    ]  # fmt: skip
    claims = [old, new, CLAIM | {"id": "e", "item": [ITEM], "identifier": [{"value": "twice"}]}, *answers]
    found = extracts(tmp_path, claims={"all": claims})["claims"]
    assert rows(found, "claim_id", "paid_amount", "original_claim_id") == [
        ("c", "31.25", None), ("d", None, "c"), ("e", None, None), ("twice", "31.25", None)
    ]  # fmt: skip


def test_states_replacements_days_and_codes_of_claims(tmp_path: Path):
    prior = {"related": [{"claim": {"reference": "Claim/old"}, "relationship": concept("prior", "")}]}
    snomed = {**ITEM, "productOrService": concept("185317003", SNOMED)}
    both = {
        **ITEM,
        "productOrService": {"coding": [{"system": SNOMED, "code": "185317003"}, {"system": CPT, "code": "98968"}]},
    }
    days = {"servicedPeriod": {"start": "2026-03-02T23:30:00-05:00", "end": "2026-03-03T04:50:00Z"}}
    two = {"servicedPeriod": {"start": "2026-03-02", "end": "2026-03-04"}}
    bare = {key: value for key, value in ITEM.items() if key != "servicedDate"}
    claims = [
        CLAIM | {"id": "1", "status": "entered-in-error", "item": [snomed]},
        CLAIM | {"id": "2", "status": "cancelled", "item": [both]},
        CLAIM | {"id": "3", **prior, "item": [bare | days]},
        CLAIM | {"id": "4", "item": [bare | two]},
        CLAIM | {"id": "5", "item": [bare], "billablePeriod": {"start": "2026-03-02", "end": "2026-03-02"}},
        BENEFIT
        | {"claim": {}, "id": "6", "item": [ITEM | {"adjudication": [{"category": concept("denialreason", "")}]}]},
        BENEFIT | {"claim": {}, "id": "7", "outcome": "error", "item": [ITEM | adjudication(benefit="3.10")]},
        BENEFIT | {"claim": {}, "id": "8", "decision": concept("denied", ""), "item": [ITEM]},
        BENEFIT
        | {"claim": {}, "id": "9", "payment": {"amount": {"value": 7}}, "item": [bare | {"servicedDate": "2026-03"}]},
    ]
    found = extracts(tmp_path, claims={"all": claims})["claims"]
    names = "claim_id", "claim_status", "original_claim_id", "frequency_code", "service_date", "cpt_code", "paid_amount"
    assert rows(found, *names) == [
        ("1", "void", None, None, "2026-03-02", "185317003", None),
        ("2", "void", None, None, "2026-03-02", "98968", None),
        ("3", "active", "old", "7", "2026-03-02", "98968", None),
        ("4", "active", None, None, "20260302-20260304", "98968", None),
        ("5", "active", None, None, "2026-03-02", "98968", None),
        ("6", "denied", None, None, "2026-03-02", "98968", None),
        ("7", "active", None, None, "2026-03-02", "98968", "3.10"),
        ("8", "denied", None, None, "2026-03-02", "98968", None),
        ("9", "active", None, None, None, "98968", "7"),
    ]


def test_a_communication_without_a_subject_is_about_the_patient_who_takes_part(tmp_path: Path):
    who = {"reference": "Practitioner/d"}, {"reference": "Patient/p"}
    talk = {
        "resourceType": "Communication",
        "status": "completed",
        "medium": [{"text": "Telephone"}],
        "sent": "2026-03-03T09:00:00Z",
    }
    talks = [talk | {"id": str(at), "sender": who[at], "recipient": [who[1 - at]]} for at in range(2)]
    found = extracts(tmp_path, calls={"all": talks})["calls"]
    assert rows(found, "patient_id", "provider_id", "initiated_by") == [("p", "d", "provider"), ("p", "d", "patient")]


def test_a_claim_that_was_entered_in_error_is_void_whatever_its_benefit_says(tmp_path: Path):
    claims = [
        CLAIM | {"id": "c", "status": "entered-in-error", "item": [ITEM, {**ITEM, "sequence": 2}]},
        BENEFIT | {"claim": {"reference": "Claim/c"}, "item": [ITEM | adjudication(benefit="31.25")]},
    ]
    found = extracts(tmp_path, claims={"all": claims})["claims"]
    assert rows(found, "claim_line", "claim_status", "paid_amount") == [("1", "void", "31.25"), ("2", "void", None)]


def test_a_place_of_service_is_the_code_of_cms_wherever_it_stands(tmp_path: Path):
    """HL7's own codes of places stand beside it in any order."""
    codes = [["AMB", "HOSP", "11", "ER", "OF"], ["OF", "AMB", "ER", "HOSP"]]
    places = [{"coding": [{"code": code} for code in found]} for found in codes]
    claims = [
        CLAIM | {"id": str(at), "item": [ITEM | {"locationCodeableConcept": place}]} for at, place in enumerate(places)
    ]
    assert rows(extracts(tmp_path, claims={"all": claims})["claims"], "place_of_service") == [("11",), ("OF",)]


def test_providers_take_what_their_roles_agree_on(tmp_path: Path):
    def role(key: str, who: str, group: str, **elements: Any) -> dict[str, Any]:
        return {"resourceType": "PractitionerRole", "id": key, "practitioner": {"reference": f"Practitioner/{who}"},
                "organization": {"reference": f"Organization/{group}"}, **elements}  # fmt: skip

    nucc = concept("1041C0700X", "http://nucc.org/provider-taxonomy")
    qualifications = [{"code": concept("MSW", "http://terminology.hl7.org/CodeSystem/v2-0360"), "period": {"start": "2012"}},
                      {"code": {"text": "LCSW"}, "period": {"start": "2014-05-01", "end": "2030-01-01"}}]  # fmt: skip
    found = extracts(
        tmp_path,
        providers={
            "PractitionerRole": [
                role("1", "d", "g", specialty=[{"text": "Psychiatry"}]), role("2", "d", "h", specialty=[{"text": "Psychiatry"}]),
                role("3", "e", "g", specialty=[nucc]), role("4", "e", "old", active=False), role("5", "alone", "g"), role("6", "alone", "g"),
            ],
            "Practitioner": [{"resourceType": "Practitioner", "id": "d", "qualification": qualifications},
                             {"resourceType": "Practitioner", "id": "e"}],
        },
    )["providers"]  # fmt: skip
    names = "provider_id", "credential", "group_id", "specialty", "license_start", "license_end"
    assert sorted(rows(found, *names)) == [
        ("alone", None, "g", None, None, None),
        ("d", "MSW, LCSW", None, "Psychiatry", "2014-05-01", "2030-01-01"),
        ("e", "1041C0700X", "g", "1041C0700X", None, None),
    ]


def test_resources_of_bundles_name_each_other_by_the_addresses_of_their_entries(tmp_path: Path):
    """An id that is missing is the first identifier, else the end of the address; a line may be a Bundle or a resource."""

    def entry(address: str, **resource: Any) -> dict[str, Any]:
        return {"fullUrl": address, "resource": {key: value for key, value in resource.items() if value is not None}}

    who = {"subject": {"reference": "urn:uuid:1"}, "participant": [{"individual": {"reference": "urn:uuid:2"}}]}
    named = who | {"reasonReference": [{"reference": "urn:uuid:3"}]}
    entries = [
        entry("urn:uuid:1", resourceType="Patient", id="p"),
        entry("urn:uuid:2", resourceType="Practitioner", identifier=[{"value": "1234567893"}]),
        entry("urn:uuid:3", resourceType="Condition", code=concept("F33.1", ICD10)),
        entry("urn:uuid:e1", **(encounter("", **named) | {"id": None})),
        entry("https://fhir.example/Encounter/e2", **encounter("e2", **who)),
        {"request": {"method": "DELETE", "url": "Encounter/9"}},
        entry("urn:uuid:r1", resourceType="PractitionerRole", practitioner={"reference": "urn:uuid:2"}),
        entry("urn:uuid:r2", resourceType="PractitionerRole", practitioner={"reference": "Practitioner/other"}),
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "next", "url": "x"}],
        "entry": entries,
    }
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": [{"resource": bundle}]}
    found = extracts(tmp_path, visits={"all": [answer, encounter("e3")]}, providers={"all": [bundle]})
    names = "visit_id", "patient_id", "provider_id", "diagnosis_codes", "source_record"
    assert rows(found["visits"], *names) == [
        ("e1", "p", "1234567893", "F33.1", 1), ("e2", "p", "1234567893", None, 1), ("e3", "p", "d", None, 2)
    ]  # fmt: skip
    assert rows(found["providers"], "provider_id") == [("1234567893",), ("other",)]
    for table in found.values():
        assert [warning.partition("ndjson: ")[2] for warning in table.warnings] == [
            "Bundles at the end of the file that name a next page, which is not there: 1"
        ]


def test_bundles_in_bundles_are_read_however_deep_they_are():
    bundle: dict[str, Any] = encounter("e")
    for _ in range(3000):
        bundle = {"resourceType": "Bundle", "entry": [{"resource": bundle}]}
    assert [one["id"] for one in bundles.resources(bundle) if one["resourceType"] != "Bundle"] == ["e"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"resourceType": "Bundle", "type": "history"}, "line 2: a Bundle of former versions"),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle", "type": "history"}}]},
            "line 2: a Bundle of former versions",
        ),
        ({"resourceType": "Bundle", "entry": [{"resource": {"id": "x"}}]}, "line 2: no resourceType"),
        ({"id": "x"}, "line 2: no resourceType"),
    ],
)
def test_former_versions_and_other_records_are_refused(tmp_path: Path, line: dict[str, Any], problem: str):
    with pytest.raises(InputRefused, match=problem):
        extracts(tmp_path, visits={"Encounter": [encounter("e"), line]})


def test_elements_of_other_shapes_are_blank(tmp_path: Path):
    odd: list[Any] = [
        1,
        "x",
        True,
        None,
        [],
        {},
        [1],
        ["x"],
        [[{}]],
        {"reference": 1},
        {"coding": "x"},
        {"coding": [1]},
    ]
    names = [
        "class",
        "type",
        "serviceType",
        "subject",
        "participant",
        "period",
        "appointment",
        "reasonCode",
        "reason",
        "diagnosis",
        "length",
        "status",
        "id",
    ]
    names += [
        "item",
        "careTeam",
        "insurer",
        "provider",
        "related",
        "patient",
        "payment",
        "total",
        "adjudication",
        "quantity",
        "sender",
        "recipient",
        "sent",
    ]
    odd_ones = [{"resourceType": kind} | dict.fromkeys(names, value) | {"medium": {"text": "phone"}, "item": [dict.fromkeys(names, value)]}
                for kind in ("Encounter", "Appointment", "Communication", "Claim", "ExplanationOfBenefit", "Practitioner", "PractitionerRole")
                for value in odd]  # fmt: skip
    found = extracts(tmp_path, **{table: {"odd": odd_ones} for table in ("calls", "visits", "claims", "providers")})
    assert rows(found["visits"], "visit_start", "provider_id") == [(None, None)] * 23  # one names another


def test_a_table_without_its_resources_has_no_rows_and_says_what_there_is(tmp_path: Path):
    given = {"all": [{"resourceType": kind} for kind in ("Patient", "Observation", "Patient", "Ann Poe")]}
    found = extracts(tmp_path, visits=given)["visits"]
    assert (found.frame.height, found.files[0].understood) == (
        0,
        ("FHIR: not read as visits: Observation 1, Patient 2, unknown 1",),
    )


@pytest.mark.parametrize("folder", [SAMPLE, SAMPLE / "with_claims"], ids=["calls that are billed", "claims"])
def test_the_sample_gives_the_findings_of_csv(tmp_path: Path, folder: Path):
    tables = [name for name in ("calls", "visits", "claims", "providers") if (folder / f"{name}.csv").exists()]
    for name in tables:
        with (folder / f"{name}.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        fhir.write(name, rows, tmp_path / f"{name}.ndjson")
        kept = [{key: row[key] for key in fhir.COLUMNS[name] if key in row} for row in rows]
        for row in kept if name == "calls" else ():
            row["initiated_by"] = {"callback": ""}.get(row["initiated_by"], row["initiated_by"])
            row["caller"] = "patient" if fhir.term(INITIATED_BY, row["initiated_by"]) == "patient" else ""
        pl.DataFrame(kept).write_csv(tmp_path / f"{name}.csv")
    as_csv, as_fhir = (
        audited_here(
            Settings(policy=own_policy(tmp_path, ""), paths={name: (f"{tmp_path}/{name}.{kind}",) for name in tables})
        )
        for kind in ("csv", "ndjson")
    )
    assert as_csv.findings.height > 15
    places = ("source_file", "source_record")
    for one, other in ((as_csv.findings, as_fhir.findings), (as_csv.claims, as_fhir.claims)):
        assert_frame_equal(one.drop(places, strict=False), other.drop(places, strict=False))


def test_how_lines_are_cut_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given: dict[str, dict[str, list[Any]]] = {}
    for table in ("calls", "visits", "claims", "providers"):
        with (SAMPLE / "with_claims" / f"{table}.csv").open() as stream:
            given[table] = {"all": [one for row in csv.DictReader(stream) for one in fhir.resources(table, row)]}
        given[table]["all"] += given[table]["all"][:9]
    whole = extracts(tmp_path, **given)
    monkeypatch.setattr(json_text, "_BLOCK", 2000)
    monkeypatch.setattr("auditor.sources.fhir._ROWS", 7)
    monkeypatch.setattr("auditor.sources.fhir.elements._REMEMBERED", 2)
    cut = extracts(tmp_path, **given)
    for table, extract in whole.items():
        assert_frame_equal(extract.frame, cut[table].frame)
