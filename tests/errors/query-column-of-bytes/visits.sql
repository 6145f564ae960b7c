select 'v1' as visit_id, x'ff' as patient_id, '2026-03-01 09:00' as visit_start
