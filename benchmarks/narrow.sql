-- The core rules for the narrow export under the policy `strict`: each visit counts as related, each call is a claim of its own.
create temp view calls as from read_parquet('$calls');
create temp view visits as from read_parquet('$visits');

create temp table lines as
select row_number() over (order by call_start::date, call_start, call_id) as line, call_id, patient_id, provider_id,
       call_start, call_end, call_start::date as day, floor(epoch(call_end - call_start) / 60) as minutes
from calls where cpt_code = '98968';

create temp table pairs as
select l.line, v.visit_id, v.visit_start, v.status = 'completed' as completed, l.day, l.call_start, l.call_end
from lines l join visits v on v.patient_id = l.patient_id
 and v.visit_start >= l.day - 7 and v.visit_start <= l.call_end + interval 24 hours;

create temp table as_of as select max(visit_start) from visits where status = 'completed';

create temp table visits_found as
with outcomes as (
  select line, 'LBK001' as rule, visit_id, day - visit_start::date as gap, call_start - visit_start as elapsed,
         case when completed then 'violation' when visit_start <= (from as_of) then 'review' end as outcome
  from pairs where visit_start < call_start
  union all
  select line, 'LAH001', visit_id, greatest(visit_start::date - call_end::date, 0),
         greatest(visit_start - call_end, interval 0 seconds), 'violation'
  from pairs where visit_start >= call_start
)
select line, rule, outcome, visit_id from outcomes where outcome is not null
qualify row_number() over (partition by line, rule order by outcome desc, gap, elapsed, visit_id) = 1;

create temp table repeats as
select line, lag(call_id) over same as earlier, day - lag(day) over same as gap
from lines window same as (partition by patient_id, provider_id order by line);

create temp table findings as
with found as (
  select line, 'DUR001' as rule, 'violation' as outcome, null as related_id from lines where minutes < 21
  union all select line, 'DUR002', 'violation', null from lines where minutes > 30
  union all select line, rule, outcome, visit_id from visits_found
  union all select line, 'FRQ001', 'violation', earlier from repeats where gap <= 6
)
select call_id as claim_id, '1' as claim_line, rule, outcome, related_id from found join lines using (line);
