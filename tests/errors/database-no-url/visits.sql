select 'v1' as visit_id, 'p1' as patient_id, '2026-03-01 09:00' as visit_start
