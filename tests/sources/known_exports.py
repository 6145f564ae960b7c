"""Small exports as systems write them, and the rows that their sources make of them. The practice is in Chicago.

People and numbers are invented.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Export:
    """`text`: a CSV file, or JSON Lines. `rows`: what is read of it. `left_out`: rows that are none."""

    table: str
    text: str
    rows: Sequence[Mapping[str, object]]
    left_out: int = 0


EXPORTS = {
    "twilio": Export(
        "phone_log",
        """\
{"sid":"CA1","start_time":"Mon, 02 Mar 2026 15:00:00 +0000","end_time":"Mon, 02 Mar 2026 15:25:00 +0000","duration":"1500","direction":"inbound","status":"completed","from":"+12125550123","to":"+12125550100"}
{"sid":"CA2","start_time":"Mon, 02 Mar 2026 16:00:00 +0000","end_time":"Mon, 02 Mar 2026 16:00:30 +0000","duration":"0","direction":"outbound-dial","status":"no-answer","from":"+12125550123","to":"+12125550100"}
""",
        [
            {
                "record_id": "CA1",
                "call_start": "2026-03-02T15:00Z",
                "call_end": "2026-03-02T15:25Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "from_number": "+12125550123",
            },
        ],
        left_out=1,
    ),
    "ringcentral": Export(
        "phone_log",
        """\
{"id":"A1","sessionId":"1","startTime":"2026-03-02T15:00:00.354Z","duration":1500,"type":"Voice","direction":"Inbound","action":"Phone Call","result":"Accepted","to":{"phoneNumber":"+12125550100","extensionNumber":"101"},"from":{"phoneNumber":"+12125550123"}}
{"id":"A2","sessionId":"2","startTime":"2026-03-02T16:00:00.354Z","duration":1500,"type":"Voice","direction":"Outbound","action":"VoIP Call","result":"Call connected","to":{"phoneNumber":"+12125550124"},"from":{"phoneNumber":"+12125550100","extensionNumber":"101"}}
{"id":"A3","sessionId":"3","startTime":"2026-03-02T17:00:00.354Z","duration":30,"type":"Voice","direction":"Inbound","action":"Phone Call","result":"Missed","to":{"phoneNumber":"+12125550100","extensionNumber":"101"},"from":{"phoneNumber":"+12125550125"}}
{"id":"A4","sessionId":"4","startTime":"2026-03-02T18:00:00.354Z","duration":60,"type":"Fax","direction":"Inbound","action":"Incoming Fax","result":"Received","to":{"phoneNumber":"+12125550100"},"from":{"phoneNumber":"+12125550126"}}
""",
        [
            {
                "record_id": "A1",
                "talk_seconds": 1500,
                "direction": "inbound",
                "extension": "101",
                "to_number": "+12125550100",
            },
            {"record_id": "A2", "direction": "outbound", "extension": "101"},
        ],
        left_out=2,
    ),
    "teams-pstn": Export(
        "phone_log",
        """\
{"id":"T1","callId":"c","userPrincipalName":"gray@clinic.example","startDateTime":"2026-03-02T15:00:00Z","endDateTime":"2026-03-02T15:25:00Z","duration":1500,"callType":"user_in","calleeNumber":"+12125550100"}
{"id":"T2","callId":"d","userPrincipalName":"gray@clinic.example","startDateTime":"2026-03-02T16:00:00Z","endDateTime":"2026-03-02T16:00:00Z","duration":0,"callType":"user_out","calleeNumber":"+12125550124"}
""",
        [
            {
                "record_id": "T1",
                "call_start": "2026-03-02T15:00Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "user": "gray@clinic.example",
            },
        ],
        left_out=1,
    ),
    "cisco-cucm": Export(
        "phone_log",
        """\
cdrRecordType,globalCallID_callId,dateTimeOrigination,callingPartyNumber,finalCalledPartyNumber,dateTimeConnect,dateTimeDisconnect,duration
INTEGER,INTEGER,INTEGER,VARCHAR(50),VARCHAR(50),INTEGER,INTEGER,INTEGER
1,7001,1772463600,2125550123,101,1772463610,1772465110,1500
1,7002,1772467200,2125550124,101,0,1772467230,0
""",
        [
            {
                "record_id": "7001",
                "call_start": "2026-03-02T15:00Z",
                "call_end": "2026-03-02T15:25:10Z",
                "talk_seconds": 1500,
                "from_number": "2125550123",
                "to_number": "101",
            },
        ],
        left_out=2,
    ),
    "amazon-connect": Export(
        "phone_log",
        """\
{"ContactId":"c1","Channel":"VOICE","InitiationMethod":"INBOUND","ConnectedToSystemTimestamp":"2026-03-02T15:00:00Z","InitiationTimestamp":"2026-03-02T15:00:00Z","DisconnectTimestamp":"2026-03-02T15:31:00Z","CustomerEndpoint":{"Address":"+12125550123","Type":"TELEPHONE_NUMBER"},"SystemEndpoint":{"Address":"+12125550100","Type":"TELEPHONE_NUMBER"},"Queue":{"Name":"Nurses","Duration":300},"Agent":{"Username":"gray","ConnectedToAgentTimestamp":"2026-03-02T15:05:00Z","AgentInteractionDuration":1500,"CustomerHoldDuration":60}}
{"ContactId":"c2","Channel":"VOICE","InitiationMethod":"CALLBACK","DisconnectTimestamp":"2026-03-02T16:22:00Z","CustomerEndpoint":{"Address":"+12125550124"},"Agent":{"Username":"gray","ConnectedToAgentTimestamp":"2026-03-02T16:00:00Z","AgentInteractionDuration":1320}}
{"ContactId":"c3","Channel":"VOICE","InitiationMethod":"QUEUE_TRANSFER","DisconnectTimestamp":"2026-03-02T17:22:00Z","CustomerEndpoint":{"Address":"+12125550125"},"Agent":{"Username":"hall","ConnectedToAgentTimestamp":"2026-03-02T17:00:00Z","AgentInteractionDuration":1320}}
{"ContactId":"c4","Channel":"VOICE","InitiationMethod":"INBOUND","DisconnectTimestamp":"2026-03-02T18:02:00Z","CustomerEndpoint":{"Address":"+12125550126"},"Agent":null}
{"ContactId":"c5","Channel":"CHAT","InitiationMethod":"API","DisconnectTimestamp":"2026-03-02T18:22:00Z","Agent":{"Username":"hall","ConnectedToAgentTimestamp":"2026-03-02T18:00:00Z","AgentInteractionDuration":1320}}
{"ContactId":"c6","Channel":"VOICE","InitiationMethod":"MONITOR","DisconnectTimestamp":"2026-03-02T15:31:00Z","Agent":{"Username":"boss","ConnectedToAgentTimestamp":"2026-03-02T15:06:00Z","AgentInteractionDuration":1440}}
""",
        [
            {
                "record_id": "c1",
                "call_start": "2026-03-02T15:05Z",
                "call_end": "2026-03-02T15:31Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "user": "gray",
                "outside_number": "+12125550123",
            },
            {"record_id": "c2", "call_start": "2026-03-02T16:00Z", "direction": "outbound"},
            {"record_id": "c3", "call_start": "2026-03-02T17:00Z", "direction": "internal", "user": "hall"},
        ],
        left_out=3,
    ),
    "zoom-phone": Export(
        "phone_log",
        """\
{"call_history_uuid":"20260302-1","call_id":"7018317023722949162","direction":"inbound","start_time":"2026-03-02T15:00:00Z","answer_time":"2026-03-02T15:00:20Z","end_time":"2026-03-02T15:24:00Z","duration":1420,"connect_type":"external","call_result":"answered","caller_did_number":"+12125550123","caller_ext_number":"","caller_email":"","callee_did_number":"+12125550100","callee_ext_number":"101","callee_email":"gray@clinic.example"}
{"call_history_uuid":"20260302-2","call_id":"7018317023722949163","direction":"outbound","start_time":"2026-03-02T16:00:00Z","answer_time":"2026-03-02T16:00:10Z","end_time":"2026-03-02T16:21:10Z","duration":1260,"connect_type":"external","call_result":"connected","caller_did_number":"+12125550100","caller_ext_number":"101","caller_email":"gray@clinic.example","callee_did_number":"+12125550124"}
{"call_history_uuid":"20260302-3","call_id":"7018317023722949164","direction":"inbound","start_time":"2026-03-02T17:00:00Z","answer_time":"","end_time":"2026-03-02T17:00:40Z","duration":0,"connect_type":"external","call_result":"no_answer","caller_did_number":"+12125550125","callee_ext_number":"101"}
{"call_history_uuid":"20260302-4","call_id":"7018317023722949165","direction":"inbound","start_time":"2026-03-02T18:00:00Z","answer_time":"2026-03-02T18:00:20Z","end_time":"2026-03-02T18:01:00Z","duration":40,"connect_type":"external","call_result":"voicemail","caller_did_number":"+12125550126","callee_ext_number":"101"}
{"call_history_uuid":"20260302-5","call_id":"7018317023722949166","direction":"outbound","start_time":"2026-03-02T19:00:00Z","answer_time":"2026-03-02T19:00:05Z","end_time":"2026-03-02T19:05:00Z","duration":295,"connect_type":"internal","call_result":"connected","caller_ext_number":"101","callee_ext_number":"102"}
""",
        [
            {
                "record_id": "20260302-1",
                "call_start": "2026-03-02T15:00:20Z",
                "call_end": "2026-03-02T15:24Z",
                "talk_seconds": None,
                "direction": "inbound",
                "extension": "101",
                "user": "gray@clinic.example",
                "to_number": "+12125550100",
            },
            {
                "record_id": "20260302-2",
                "call_start": "2026-03-02T16:00:10Z",
                "direction": "outbound",
                "extension": "101",
            },
        ],
        left_out=3,
    ),
    "talkdesk": Export(
        "phone_log",
        """\
call_id,type,start_at,end_at,talkdesk_phone_number,contact_phone_number,user_id,user_name,user_email,total_time,talk_time,wait_time,hold_time,is_transfer
t1,inbound,2026-03-02T15:00:00Z,2026-03-02T15:26:00Z,+12125550100,+12125550123,u1,Ada Gray,gray@clinic.example,1560,1500,60,0,false
t2,outbound,2026-03-02T16:00:00Z,2026-03-02T16:22:00Z,+12125550100,+12125550124,u1,Ada Gray,gray@clinic.example,1320,1300,0,0,false
t3,missed,2026-03-02T17:00:00Z,2026-03-02T17:01:00Z,+12125550100,+12125550125,u1,Ada Gray,gray@clinic.example,60,0,60,0,false
t4,voicemail,2026-03-02T18:00:00Z,2026-03-02T18:02:00Z,+12125550100,+12125550126,,,,120,0,30,0,false
""",
        [
            {
                "record_id": "t1",
                "call_start": "2026-03-02T15:00Z",
                "call_end": "2026-03-02T15:26Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "user": "gray@clinic.example",
                "outside_number": "+12125550123",
            },
            {"record_id": "t2", "direction": "outbound", "talk_seconds": 1300},
        ],
        left_out=2,
    ),
    "3cx": Export(
        "phone_log",
        """\
historyid,callid,duration,time-start,time-answered,time-end,reason-terminated,from-no,to-no,from-dn,to-dn,dial-no,reason-changed,final-number,final-dn,from-type,to-type,final-type
Call 1,x1,00:25:00,2026/03/02 09:00:00,2026/03/02 09:03:00,2026/03/02 09:28:00,TerminatedBySrc,+12125550123,Ext.800,10000,800,,ReplacedDst,Ext.101,101,Line,Queue,Extension
Call 2,x2,00:21:00,2026/03/02 10:00:00,2026/03/02 10:00:15,2026/03/02 10:21:15,TerminatedByDst,Ext.101,+12125550124,101,10000,+12125550124,,+12125550124,10000,Extension,Line,Line
Call 3,x3,00:02:00,2026/03/02 11:00:00,2026/03/02 11:00:05,2026/03/02 11:02:05,TerminatedBySrc,Ext.101,Ext.102,101,102,,,Ext.102,102,Extension,Extension,Extension
Call 4,x4,00:00:00,2026/03/02 12:00:00,,2026/03/02 12:00:30,TerminatedBySrc,+12125550125,Ext.101,10000,101,,,,,Line,Extension,
""",
        [
            {
                "record_id": "x1",
                "call_start": "2026-03-02T15:03Z",
                "call_end": "2026-03-02T15:28Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "from_number": "10000",
                "to_number": "101",
            },
            {"record_id": "x2", "call_start": "2026-03-02T16:00:15Z", "direction": "outbound", "from_number": "101"},
            {"record_id": "x3", "direction": "internal"},
        ],
        left_out=1,
    ),
    "five9": Export(
        "phone_log",
        """\
CALL ID,TIMESTAMP,CAMPAIGN,CALL TYPE,AGENT,AGENT NAME,DISPOSITION,ANI,CUSTOMER NAME,DNIS,CALL TIME,TALK TIME,HOLD TIME
300001,"Mon, 02 Mar 2026 09:00:00",Nurses,Inbound,gray@clinic.example,Ada Gray,Advice,2125550123,,2125550100,00:27:10,00:25:00,00:01:00
300002,"Mon, 02 Mar 2026 10:00:00",Nurses,Manual,gray@clinic.example,Ada Gray,Advice,2125550100,,2125550124,00:22:10,01:02:00,00:00:00
300003,"Mon, 02 Mar 2026 11:00:00",Nurses,Inbound,[None],,Abandon,2125550125,,2125550100,00:01:10,00:00:00,00:00:00
300004,"Mon, 02 Mar 2026 12:00:00",Nurses,Manual,gray@clinic.example,Ada Gray,No Answer,2125550100,,2125550124,00:00:30,00:00:00,00:00:00
""",
        [
            {
                "record_id": "300001",
                "call_start": "2026-03-02T15:00Z",
                "talk_seconds": 1500,
                "direction": "inbound",
                "user": "gray@clinic.example",
                "from_number": "2125550123",
            },
            {"record_id": "300002", "talk_seconds": 3720, "direction": "outbound", "to_number": "2125550124"},
        ],
        left_out=2,
    ),
    "cclf": Export(
        "claims",
        """\
CUR_CLM_UNIQ_ID,CLM_LINE_NUM,BENE_MBI_ID,CLM_POS_CD,CLM_LINE_FROM_DT,CLM_LINE_HCPCS_CD,CLM_LINE_CVRD_PD_AMT,CLM_LINE_DGNS_CD,RNDRG_PRVDR_NPI_NUM,CLM_CARR_PMT_DNL_CD,CLM_PRCSG_IND_CD,CLM_ADJSMT_TYPE_CD,CLM_EFCTV_DT,CLM_CNTL_NUM,CLM_LINE_SRVC_UNIT_QTY,HCPCS_1_MDFR_CD,HCPCS_2_MDFR_CD,HCPCS_3_MDFR_CD,HCPCS_4_MDFR_CD,HCPCS_5_MDFR_CD
1067,0000000001,1EG4TE5MK72,11,2026-03-02,98968,00000000031.10,F331,1234567893,1,A,0,2026-03-15,7016,000000000000000001.0000,93,~,~,~,~
1065,0000000001,1EG4TE5MK72,11,2026-03-02,98968,00000000031.10,F331,1234567893,1,A,1,2026-04-02,7016,000000000000000001.0000,93,~,~,~,~
1066,0000000001,1EG4TE5MK72,11,2026-03-02,98967,00000000028.00,F331,1234567893,1,A,2,2026-04-02,7016,000000000000000001.0000,93,~,~,~,~
1070,0000000001,1EG4TE5MK73,11,2026-03-03,98968,00000000000.00,F331,1234567893,0,C,0,2026-03-15,7018,000000000000000001.0000,,,,,~
""",
        [
            {
                "claim_id": "7016",
                "claim_line": "0000000001 98967",
                "cpt_code": "98967",
                "claim_status": "active",
                "units": 1,
                "modifiers": ["93"],
                "paid_amount": "28.00",
                "processed_date": "2026-04-02",
                "diagnosis_codes": ["F33"],
            },
            {"claim_id": "7016", "cpt_code": "98968", "claim_status": "active", "processed_date": "2026-03-15"},
            {"claim_id": "7016", "cpt_code": "98968", "claim_status": "void", "processed_date": "2026-04-02"},
        ],
        left_out=1,
    ),
    "epic-telephone": Export(
        "calls",
        """\
PAT_ID,PAT_ENC_CSN_ID,CONTACT_DATE,VISIT_PROV_ID,APPT_STATUS_C_NAME,OUTGOING_CALL_YN,ENC_INSTANT
Z1001,720803470,3/2/2026 12:00:00 AM,802011,,N,3/2/2026 9:29:00 AM
Z1002,720803471,3/2/2026 12:00:00 AM,802011,,Y,3/2/2026 10:29:00 AM
Z1003,720803472,3/2/2026 12:00:00 AM,802011,Completed,,3/2/2026 11:29:00 AM
""",
        [
            {
                "call_id": "720803470",
                "patient_id": "Z1001",
                "provider_id": "802011",
                "call_start": "2026-03-02T15:29Z",
                "initiated_by": "patient",
            },
            {"call_id": "720803471", "initiated_by": "provider"},
        ],
        left_out=1,
    ),
    "athenahealth": Export(
        "visits",
        """\
{"date":"03/02/2026","appointmentid":"3132","starttime":"09:30","departmentid":"1","appointmentstatus":"4","patientid":"11","duration":30,"providerid":"40","scheduleddatetime":"02/15/2026 13:01:49","appointmenttype":"FOLLOW UP 30"}
{"date":"03/03/2026","appointmentid":"3133","starttime":"10:30","departmentid":"1","appointmentstatus":"f","patientid":"12","duration":30,"providerid":"40","scheduleddatetime":"02/15/2026 13:01:49","appointmenttype":"FOLLOW UP 30"}
{"date":"03/04/2026","appointmentid":"3134","starttime":"11:30","departmentid":"1","appointmentstatus":"x","patientid":"13","duration":30,"providerid":"40","scheduleddatetime":"02/15/2026 13:01:49","appointmenttype":"FOLLOW UP 30"}
{"date":"03/05/2026","appointmentid":"3135","starttime":"11:30","departmentid":"1","appointmentstatus":"o","duration":30,"providerid":"40"}
""",
        [
            {
                "visit_id": "3132",
                "patient_id": "11",
                "provider_id": "40",
                "visit_start": "2026-03-02T15:30Z",
                "status": "completed",
                "booked_at": "2026-02-15T18:01:49Z",
            },
            {"visit_id": "3133", "status": "scheduled"},
            {"visit_id": "3134", "status": "cancelled"},
        ],
        left_out=1,
    ),
    "caboodle": Export(
        "visits",
        """\
VisitKey,EncounterKey,EncounterEpicCsn,PatientDurableKey,PrimaryVisitProviderDurableKey,AppointmentDateKey,AppointmentTimeOfDayKey,AppointmentStatus,EncounterType,VisitType
1,501,720803480,9001,77,20260302,0930,Completed,Office Visit,FOLLOW UP
2,502,720803481,9002,-1,20260303,1030,Left without seen,Office Visit,FOLLOW UP
3,503,720803482,9003,77,20260304,0900,*Unspecified,Telephone,*Unspecified
4,504,720803483,9003,77,20260304,0900,*Unspecified,Erroneous Telephone Encounter,*Unspecified
""",
        [
            {
                "visit_id": "720803480",
                "patient_id": "9001",
                "provider_id": "77",
                "visit_start": "2026-03-02T06:00Z",
                "visit_start_date_only": True,
                "status": "completed",
                "modality": "in_person",
            },
            {"visit_id": "720803481", "provider_id": None, "status": "no_show"},
            {"visit_id": "720803482", "status": None, "modality": "phone"},
        ],
        left_out=1,
    ),
}
