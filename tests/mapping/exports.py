"""Small exports with the headers that real systems write, and what `init` should make of each.

A column that `right` does not name may be asked about, in a comment, and must not be mapped.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

ROWS = 40
Value = Callable[[int], object]


@dataclass(frozen=True)
class Export:
    """One table as a system exports it.

    `right`: canonical column → header or headers that the policy has to map. `formats`: what it has to set.
    `asked`: columns that it has to name in a comment. `complete`: whether every required column is there.
    """

    table: str
    columns: Mapping[str, Value]
    right: Mapping[str, str | list[str]]
    formats: Sequence[str] = ()
    asked: Sequence[str] = ()
    complete: bool = True


def write(export: Export, path: Path) -> None:
    """The export as CSV: the header, the rows."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(export.columns)
        writer.writerows([value(row) for value in export.columns.values()] for row in range(ROWS))


def at(row: int, minutes: float = 0) -> datetime:
    """When a row's call or visit began, or so many minutes later: mornings and afternoons of weekdays of two months."""
    day = datetime(2026, 2, 2) + timedelta(days=row // 5 * 7 + row % 5)
    return day.replace(hour=9 + row * 7 % 8, minute=row * 13 % 60, second=row * 29 % 60) + timedelta(minutes=minutes)


def talked(row: int) -> int:
    """Seconds of talk of a row's call."""
    return 660 + row * 37 % 1300


def written(form: str, minutes: float = 0) -> Value:
    return lambda row: f"{at(row, minutes):{form}}"


def ended(form: str, extra: float = 0) -> Value:
    return lambda row: f"{at(row, (talked(row) + extra) / 60):{form}}"


def number(first: int, step: int = 1) -> Value:
    return lambda row: first + row * step


def one_of(*words: object) -> Value:
    return lambda row: words[row * 7 % len(words)]


def phone(first: int) -> Value:
    return lambda row: f"+1617555{first + row * 37 % 1000:04d}"


def clock(seconds: Callable[[int], float]) -> Value:
    return lambda row: f"{timedelta(seconds=int(seconds(row)))!s:0>8}"


AGAIN = one_of(*(4711001 + 17 * row for row in range(25)))
"""Patients that come back."""
DOCTOR = one_of("1003000126", "1003000134", "1003000142")
ISO = "%Y-%m-%dT%H:%M:%SZ"
PLAIN = "%Y-%m-%d %H:%M:%S"
US = "%m/%d/%Y %I:%M:%S %p"

EPIC_APPOINTMENTS = Export(
    "visits",
    {
        "PAT_ENC_CSN_ID": number(300100200, 37),
        "PAT_ID": lambda row: f"Z{1000001 + row * 7 % 25}",
        "PROV_ID": one_of("10045", "10046", "E1203"),
        "CONTACT_DATE": written("%Y-%m-%d 00:00:00"),
        "APPT_MADE_DTTM": written(PLAIN, -14_000),
        "APPT_DTTM": written(PLAIN),
        "APPT_LENGTH": one_of(15, 20, 30),
        "APPT_STATUS_C": one_of(1, 2, 3, 4),
        "APPT_STATUS_NAME": one_of("Completed", "Scheduled", "Canceled", "No Show", "Left without seen"),
        "CHECKIN_DTTM": lambda row: f"{at(row, -8):{PLAIN}}" if row % 4 else "",
        "CHECKOUT_DTTM": lambda row: f"{at(row, 31):{PLAIN}}" if row % 4 else "",
        "PRC_NAME": one_of("OFFICE VISIT", "FOLLOW UP", "TELEHEALTH"),
        "DEPARTMENT_ID": one_of(10501101, 10501102),
        "SAME_DAY_YN": one_of("Y", "N"),
    },
    {
        "visit_id": "PAT_ENC_CSN_ID",
        "patient_id": "PAT_ID",
        "provider_id": "PROV_ID",
        "visit_start": "APPT_DTTM",
        "booked_at": "APPT_MADE_DTTM",
        "status": "APPT_STATUS_NAME",
        "visit_end": "CHECKOUT_DTTM",
    },
    asked=("Left without seen",),
)
EPIC_TELEPHONE = Export(
    "calls",
    {
        "PAT_ENC_CSN_ID": number(400100200, 41),
        "PAT_ID": lambda row: f"Z{1000001 + row * 7 % 25}",
        "VISIT_PROV_ID": one_of("10045", "10046", "E1203"),
        "ENC_TYPE_NAME": one_of("Telephone"),
        "ENC_INSTANT": written(PLAIN),
        "ENC_CLOSE_DTTM": written(PLAIN, 2_900),
        "CALLER_RELATION": one_of("Self", "Mother", "Spouse"),
        "CONTACT_DATE": written("%Y-%m-%d 00:00:00"),
        "DX_ICD10": one_of("F33.1", "M54.50", "E11.9"),
        "CPT_CODE": one_of("98968", "98967", ""),
    },
    {
        "call_id": "PAT_ENC_CSN_ID",
        "patient_id": "PAT_ID",
        "provider_id": "VISIT_PROV_ID",
        "call_start": "ENC_INSTANT",
        "caller": "CALLER_RELATION",
        "diagnosis_codes": "DX_ICD10",
        "cpt_code": "CPT_CODE",
    },
)
ATHENA = Export(
    "visits",
    {
        "APPOINTMENT ID": number(880012, 3),
        "PATIENT ID": AGAIN,
        "RENDERING PROVIDER ID": one_of(21, 22, 35),
        "APPOINTMENT DATE": written("%m/%d/%Y"),
        "APPOINTMENT START TIME": written("%H:%M"),
        "APPOINTMENT DURATION": one_of(15, 30),
        "APPOINTMENT STATUS": one_of("4 - Charge Entered", "x - Cancelled", "f - Filled", "3 - Checked Out"),
        "APPOINTMENT SCHEDULED DATETIME": written("%m/%d/%Y %H:%M:%S", -9_000),
        "APPOINTMENT CHECK IN DATETIME": written("%m/%d/%Y %H:%M:%S", -5),
        "APPOINTMENT TYPE NAME": one_of("OFFICE VISIT", "NEW PATIENT", "TELEHEALTH"),
        "CLAIM ID": number(5500, 11),
    },
    {
        "visit_id": "APPOINTMENT ID",
        "patient_id": "PATIENT ID",
        "provider_id": "RENDERING PROVIDER ID",
        "visit_start": ["APPOINTMENT DATE", "APPOINTMENT START TIME"],
        "booked_at": "APPOINTMENT SCHEDULED DATETIME",
        "status": "APPOINTMENT STATUS",
    },
    asked=("4 - Charge Entered", "3 - Checked Out"),
)
KAREO = Export(
    "visits",
    {
        "ID": number(70011, 5),
        "Practice Name": one_of("River Clinic"),
        "Patient ID": AGAIN,
        "Patient Full Name": one_of("ROE, JANE", "DOE, JOHN", "POE, ANN", *(f"SMITH, N{n}" for n in range(9))),
        "Start Date": written("%m/%d/%Y %I:%M %p"),
        "End Date": written("%m/%d/%Y %I:%M %p", 30),
        "Confirmation Status": one_of("Check-out", "Scheduled", "Cancelled", "No-show", "Confirmed"),
        "Appointment Reason 1": one_of("Office Visit", "Follow Up"),
        "Resource Name 1": one_of("ADA GRAY", "BEN HALL"),
        "Created Date": written("%m/%d/%Y %I:%M %p", -12_000),
    },
    {
        "visit_id": "ID",
        "patient_id": "Patient ID",
        "visit_start": "Start Date",
        "visit_end": "End Date",
        "status": "Confirmation Status",
        "booked_at": "Created Date",
    },
    asked=("Check-out",),
)
OPENEMR = Export(
    "visits",
    {
        "pc_eid": number(9001),
        "pc_catid": one_of(5, 9, 10),
        "pc_aid": one_of(4, 6),
        "pc_pid": AGAIN,
        "pc_title": one_of("Office Visit", "Established Patient"),
        "pc_time": written(PLAIN, -9_000),
        "pc_eventDate": written("%Y-%m-%d"),
        "pc_endDate": one_of("0000-00-00"),
        "pc_duration": one_of(900, 1800),
        "pc_startTime": written("%H:%M:%S"),
        "pc_endTime": written("%H:%M:%S", 20),
        "pc_apptstatus": one_of("@", ">", "x", "-", "?"),
        "pc_facility": one_of(3),
    },
    {
        "visit_id": "pc_eid",
        "patient_id": "pc_pid",
        "provider_id": "pc_aid",
        "visit_start": ["pc_eventDate", "pc_startTime"],
        "visit_end": ["pc_eventDate", "pc_endTime"],
        "booked_at": "pc_time",
        "status": "pc_apptstatus",
    },
    asked=(">", "x"),
)
SYNTHEA = Export(
    "visits",
    {
        "Id": lambda row: f"{0x5F0C0B1E + row * 7919:08x}-11d2-4a3f-9bb1-{row:012x}",
        "START": written(ISO),
        "STOP": written(ISO, 15),
        "PATIENT": lambda row: f"{0xB0C1D2E3 + row % 25 * 7919:08x}-33aa-4b5c-8d9e-{row % 25:012x}",
        "ORGANIZATION": one_of("8ad64ecf-c817-3753-bee7-006a8e662e06", "4861d01f-019c-3dac-a153-8334e50919f9"),
        "PROVIDER": one_of("6f11a0c3-1b2d-3e4f-8a9b-0c1d2e3f4a5b", "77e2b1d4-2c3e-4f5a-9bac-1d2e3f4a5b6c"),
        "PAYER": one_of("42c4fca7-f8a9-3cd1-982a-dd9751bf3e2a", "8fa6c185-e44e-3e34-8bd8-39be8694f4ce"),
        "ENCOUNTERCLASS": one_of("ambulatory", "wellness", "emergency"),
        "CODE": one_of("185345009", "162673000", "50849002"),
        "DESCRIPTION": one_of("Encounter for symptom", "General examination of patient", "Emergency room admission"),
        "BASE_ENCOUNTER_COST": one_of("129.16", "77.49"),
        "TOTAL_CLAIM_COST": one_of("129.16", "831.27"),
        "PAYER_COVERAGE": one_of("54.16", "0.00"),
        "REASONCODE": one_of("", "10509002"),
        "REASONDESCRIPTION": one_of("", "Acute bronchitis (disorder)"),
    },
    {"visit_id": "Id", "patient_id": "PATIENT", "provider_id": "PROVIDER", "visit_start": "START", "visit_end": "STOP"},
)
OMOP = Export(
    "visits",
    {
        "visit_occurrence_id": number(1001),
        "person_id": AGAIN,
        "visit_concept_id": one_of(9202, 9201, 5083),
        "visit_start_date": written("%Y-%m-%d"),
        "visit_start_datetime": written(PLAIN),
        "visit_end_date": written("%Y-%m-%d"),
        "visit_end_datetime": written(PLAIN, 25),
        "visit_type_concept_id": one_of(32817),
        "provider_id": one_of(11, 12, 13),
        "care_site_id": one_of(3, 4),
        "visit_source_value": number(600100, 3),
        "visit_source_concept_id": one_of(0),
        "admitted_from_concept_id": one_of(0),
        "preceding_visit_occurrence_id": lambda row: 1000 + row if row % 3 else "",
    },
    {
        "visit_id": "visit_occurrence_id",
        "patient_id": "person_id",
        "provider_id": "provider_id",
        "visit_start": "visit_start_datetime",
        "visit_end": "visit_end_datetime",
    },
)
TUVA = Export(
    "claims",
    {
        "claim_id": number(100234, 9),
        "claim_line_number": one_of(1),
        "claim_type": one_of("professional"),
        "person_id": AGAIN,
        "member_id": lambda row: f"M{4711001 + 17 * (row * 7 % 25)}",
        "payer": one_of("acme health", "medicare"),
        "plan": one_of("ppo", "hmo"),
        "claim_start_date": written("%Y-%m-%d"),
        "claim_end_date": written("%Y-%m-%d"),
        "claim_line_start_date": written("%Y-%m-%d"),
        "claim_line_end_date": written("%Y-%m-%d"),
        "place_of_service_code": one_of("11", "02"),
        "service_unit_quantity": one_of(1),
        "hcpcs_code": one_of("98968", "99213", "98967"),
        "hcpcs_modifier_1": one_of("", "95"),
        "hcpcs_modifier_2": one_of(""),
        "rendering_npi": DOCTOR,
        "rendering_tin": one_of("041234567"),
        "billing_npi": one_of("1003000999"),
        "paid_date": written("%Y-%m-%d", 40_000),
        "paid_amount": one_of("55.10", "0"),
        "allowed_amount": one_of("60.00", "0"),
        "charge_amount": one_of("110.00", "95.00"),
        "diagnosis_code_type": one_of("icd-10-cm"),
        "diagnosis_code_1": one_of("F33.1", "M54.50", "E11.9"),
        "diagnosis_code_2": one_of("", "I10"),
        "data_source": one_of("acme"),
    },
    {
        "claim_id": "claim_id",
        "claim_line": "claim_line_number",
        "patient_id": "person_id",
        "provider_id": "rendering_npi",
        "service_date": "claim_line_start_date",
        "cpt_code": "hcpcs_code",
        "units": "service_unit_quantity",
        "modifiers": ["hcpcs_modifier_1", "hcpcs_modifier_2"],
        "paid_amount": "paid_amount",
        "billed_amount": "charge_amount",
        "payer": "payer",
        "place_of_service": "place_of_service_code",
        "diagnosis_codes": ["diagnosis_code_1", "diagnosis_code_2"],
    },
)
RINGCENTRAL = Export(
    "calls",
    {
        "Direction": one_of("Incoming", "Outgoing"),
        "Type": one_of("Voice"),
        "Phone Number": phone(0),
        "Name": one_of("ROE JANE", "", "DOE JOHN"),
        "Date": lambda row: f"{at(row):%a %m/%d/%Y}",
        "Time": written("%I:%M %p"),
        "Action": one_of("Phone Call", "VoIP Call"),
        "Action Result": one_of("Call connected", "Accepted"),
        "Duration": clock(talked),
        "Extension": one_of("101 - ADA GRAY", "102 - BEN HALL"),
        "Session Id": number(88_000_100_200, 977),
    },
    {
        "call_id": "Session Id",
        "call_start": ["Date", "Time"],
        "initiated_by": "Direction",
        "call_minutes": "Duration",
    },
    formats=("%a %m/%d/%Y %I:%M%p",),
    asked=("patient_id", "provider_id"),
    complete=False,
)
TWILIO = Export(
    "calls",
    {
        "Call SID": lambda row: f"CA{0x1234567890ABCDEF + row * 7919:032x}",
        "Parent Call SID": one_of(""),
        "Account SID": one_of("AC5ef872f6da5a21de157d80997a64bd33"),
        "From": phone(0),
        "To": one_of("+16175550100"),
        "Start Time": lambda row: f"{at(row):%a, %d %b %Y %H:%M:%S} +0000",
        "End Time": lambda row: f"{at(row, talked(row) / 60):%a, %d %b %Y %H:%M:%S} +0000",
        "Duration": talked,
        "Status": one_of("completed"),
        "Direction": one_of("inbound", "outbound-dial", "outbound-api"),
        "Price": one_of("-0.0085", "-0.0170"),
        "Price Unit": one_of("USD"),
    },
    {
        "call_id": "Call SID",
        "call_start": "Start Time",
        "call_end": "End Time",
        "call_seconds": "Duration",
        "initiated_by": "Direction",
    },
    asked=("patient_id", "provider_id", "outbound-dial"),
    complete=False,
)
FIVE9 = Export(
    "calls",
    {
        "CALL ID": number(300_000_001_234_567, 31),
        "TIMESTAMP": lambda row: f"{at(row):%a, %d %b %Y %H:%M:%S}",
        "CAMPAIGN": one_of("Nurse line"),
        "CALL TYPE": one_of("Inbound", "Outbound"),
        "AGENT": one_of("agray@clinic.test", "bhall@clinic.test"),
        "AGENT NAME": one_of("ADA GRAY", "BEN HALL"),
        "DISPOSITION": one_of("Resolved", "Transferred"),
        "ANI": phone(0),
        "CUSTOMER NAME": one_of("ROE JANE", "DOE JOHN", "POE ANN"),
        "DNIS": one_of("6175550100"),
        "CALL TIME": clock(lambda row: talked(row) + 90),
        "RING TIME": clock(lambda row: 4 + row % 9),
        "TALK TIME": clock(talked),
        "HOLD TIME": clock(lambda row: row % 5 * 10),
        "AFTER CALL WORK TIME": clock(lambda row: 50),
        "MRN": AGAIN,
    },
    {
        "call_id": "CALL ID",
        "patient_id": "MRN",
        "provider_id": "AGENT",
        "call_start": "TIMESTAMP",
        "call_minutes": "TALK TIME",
        "initiated_by": "CALL TYPE",
    },
    formats=("%a, %d %b %Y %H:%M:%S",),
)
CUCM = Export(
    "calls",
    {
        "cdrRecordType": one_of(1),
        "globalCallID_callManagerId": one_of(1),
        "globalCallID_callId": number(500123),
        "origLegCallIdentifier": number(28_123_001, 2),
        "dateTimeOrigination": lambda row: int((at(row, -0.3) - datetime(1970, 1, 1)).total_seconds()),
        "callingPartyNumber": phone(0),
        "originalCalledPartyNumber": one_of(4101, 4102),
        "finalCalledPartyNumber": one_of(4101, 4102),
        "destCause_value": one_of(16),
        "dateTimeConnect": lambda row: int((at(row) - datetime(1970, 1, 1)).total_seconds()),
        "dateTimeDisconnect": lambda row: int((at(row) - datetime(1970, 1, 1)).total_seconds()) + talked(row),
        "pkid": lambda row: f"{0xABC00000 + row * 7919:08x}-5a5a-4b4b-8c8c-{row:012x}",
        "duration": talked,
        "origDeviceName": one_of("SEP001122334455"),
        "destDeviceName": one_of("SEP00AABBCCDDEE", "SEP00AABBCCDDEF"),
    },
    {
        "call_id": "globalCallID_callId",
        "call_start": "dateTimeConnect",
        "call_end": "dateTimeDisconnect",
        "call_seconds": "duration",
    },
    formats=("epoch",),
    asked=("patient_id", "provider_id"),
    complete=False,
)
ASTERISK = Export(
    "calls",
    {
        "calldate": written(PLAIN),
        "clid": lambda row: f'"ROE" <{phone(0)(row)}>',
        "src": phone(0),
        "dst": one_of(101, 102),
        "dcontext": one_of("from-internal", "ext-local"),
        "channel": lambda row: f"SIP/trunk-{row:08x}",
        "dstchannel": lambda row: f"SIP/10{row % 2 + 1}-{row:08x}",
        "lastapp": one_of("Dial"),
        "duration": lambda row: talked(row) + 15,
        "billsec": talked,
        "disposition": one_of("ANSWERED", "NO ANSWER"),
        "amaflags": one_of(3),
        "accountcode": one_of("", "77"),
        "uniqueid": lambda row: f"{1_769_000_000 + row * 4001}.{row}",
        "userfield": one_of(""),
        "did": one_of("6175550100"),
        "linkedid": lambda row: f"{1_769_000_000 + row * 4001}.{row}",
    },
    {"call_id": "uniqueid", "call_start": "calldate", "call_seconds": "billsec"},
    asked=("patient_id", "provider_id"),
    complete=False,
)
THREE_CX = Export(
    "calls",
    {
        "historyid": lambda row: f"00000{0x19A0 + row:08X}_{row + 1}",
        "callid": lambda row: f"00000{0x19A0 + row:08X}_{row + 500}",
        "duration": clock(lambda row: talked(row) + 7),
        "time-start": written("%Y/%m/%d %H:%M:%S", -0.2),
        "time-answered": written("%Y/%m/%d %H:%M:%S"),
        "time-end": ended("%Y/%m/%d %H:%M:%S"),
        "reason-terminated": one_of("TerminatedBySrc", "TerminatedByDst"),
        "from-no": phone(0),
        "to-no": one_of("Ext.101", "Ext.102"),
        "from-dn": one_of("10001"),
        "to-dn": one_of("101", "102"),
        "dial-no": one_of("101", "102"),
        "bill-code": one_of(""),
        "bill-rate": one_of("0"),
        "bill-cost": one_of("0", "0.35"),
        "chain": one_of("Chain: 10001;Ext.101", "Chain: 10001;Ext.102"),
    },
    {"call_id": "callid", "call_start": "time-answered", "call_end": "time-end", "call_minutes": "duration"},
    formats=("%Y/%m/%d %H:%M:%S",),
    asked=("patient_id", "provider_id"),
    complete=False,
)
TALKDESK = Export(
    "calls",
    {
        "interaction_id": lambda row: f"{0x61F00000 + row * 7919:08x}a1b2c3d4e5f60718",
        "call_type": one_of("inbound", "outbound"),
        "start_time": written(ISO),
        "end_time": ended(ISO, 25),
        "talkdesk_phone_number": one_of("+16175550100"),
        "customer_phone_number": phone(0),
        "user_name": one_of("ADA GRAY", "BEN HALL"),
        "user_id": one_of("5f2a0c1b9d", "5f2a0c1b9e"),
        "total_time": lambda row: talked(row) + 25,
        "talk_time": talked,
        "wait_time": lambda row: 5 + row % 20,
        "hold_time": lambda row: row % 7,
        "disposition_code": one_of("Resolved", "Follow up"),
        "patient_id": AGAIN,
    },
    {
        "call_id": "interaction_id",
        "patient_id": "patient_id",
        "provider_id": "user_id",
        "call_start": "start_time",
        "call_end": "end_time",
        "call_seconds": "talk_time",
        "initiated_by": "call_type",
    },
)
EXPORTS = {name.lower(): value for name, value in list(globals().items()) if isinstance(value, Export)}
