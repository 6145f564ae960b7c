-- The five core rules for one generated export, as an analyst would write them for DuckDB; $-words are filled in by duck.py.
-- Only what the generated Parquet exports hold is handled: typed columns, local times in one zone, known words.
create macro term(word) as translate(lower(word), '_- ', '');
create macro codes(list) as list_filter(
  list_transform(string_split_regex(upper(list), '[;,|\s]+'), lambda code: regexp_extract(code, '^[A-Z0-9]+')), lambda code: code <> '');
create macro categories(list) as list_transform(codes(replace(list, '.', '')), lambda code: left(code, 3));
create macro possible(start, ends, stated, seconds, discussion) as
  coalesce(ends between start and start + interval 24 hours, true) and coalesce(stated between 0 and 1440, true)
  and coalesce(seconds between 0 and 86400, true) and coalesce(discussion between 0 and 1440, true);
create macro is_visit(code) as code not in ('98966', '98967', '98968') and ($visit_code);

create temp view calls as select $columns from read_parquet('$calls');
create temp view visits as from read_parquet('$visits');

create temp table tainted as  -- patients with a call that is rejected: their FRQ001 is unknown
select distinct patient_id from calls
where not possible(call_start, call_end, call_minutes, call_seconds, discussion_minutes);

create temp table coded as
select * replace (coalesce(claim_id, call_id) as claim_id, coalesce(claim_line, '1') as claim_line) from calls
where cpt_code is not null and possible(call_start, call_end, call_minutes, call_seconds, discussion_minutes);

create temp table members as
with one_code as (
  select distinct claim_id, claim_line, cpt_code from coded
  qualify count(distinct cpt_code) over (partition by claim_id) = 1
)
select * from coded
union all
select c.* replace (coalesce(c.claim_line, '1') as claim_line, o.cpt_code as cpt_code)
from (select * from calls where cpt_code is null and claim_id is not null
        and possible(call_start, call_end, call_minutes, call_seconds, discussion_minutes)) c
join one_code o on o.claim_id = c.claim_id and o.claim_line = coalesce(c.claim_line, '1');

create temp table lines as
with timed as (
  select *,
         coalesce(call_minutes * 60.0, call_seconds) as stated,
         coalesce(discussion_minutes * 60.0, call_minutes * 60.0, call_seconds, epoch(call_end - call_start)) as seconds,
         coalesce(call_end, call_start + to_seconds(coalesce(call_minutes * 60, call_seconds, discussion_minutes * 60))) as ends
  from members where cpt_code = '98968'
), heads as (
  select claim_id, claim_line,
         arg_min(patient_id, (call_start, call_id)) as patient_id,
         arg_min(provider_id, (call_start, call_id)) as provider_id,
         arg_min(coalesce(term(claim_status), ''), (call_start, call_id)) as status,
         min(call_start) as start,
         coalesce(case when count(ends) = count(*) then max(ends) end, min(call_start)) as reach,
         case when count(seconds) = count(*) then floor(sum(seconds) / 60) end as minutes,
         list(call_id) as call_ids,
         list(related_visit_id) filter (related_visit_id is not null) as named_visits,
         list(problem_id) filter (problem_id is not null) as problems,
         string_agg(diagnosis_codes, ' ') as diagnoses
  from timed group by all
)
select row_number() over (order by start::date, start, claim_id, claim_line) as line, *, start::date as day
from heads
where status not in ('void', 'voided', 'reversed', 'deleted', 'cancelled', 'canceled', 'denied', 'rejected');

-- FRQ001: runs of claims each 0-6 days after the one before it; in a run, claims count in order unless a counted one flags them.
create temp table runs as
with gaps as (
  select line, patient_id, provider_id, day,
         day - lag(day) over (partition by patient_id, provider_id order by line) as gap
  from lines
), numbered as (
  select *, sum(case when gap <= 6 then 0 else 1 end) over (partition by patient_id, provider_id order by line) as run
  from gaps
)
select *, count(*) over (partition by patient_id, provider_id, run) as length from numbered;

create temp table counted as
with recursive chain(patient_id, provider_id, run, line, day) as (
  select patient_id, provider_id, run, min(line), min(day) from runs where length > 1 group by all
  union all
  select r.patient_id, r.provider_id, r.run, min(r.line), min(r.day)
  from chain c join runs r on r.patient_id = c.patient_id and r.provider_id = c.provider_id and r.run = c.run
  where r.day > c.day + 6
  group by r.patient_id, r.provider_id, r.run
)
select * from chain;

create temp table repeats as
with since as (select min(call_start)::date as claims_since from calls),
shaky as (  -- the first counted claim of a run whose week before is not covered
  select patient_id, provider_id, run, min(line) as line from counted, since where day - 6 < claims_since or patient_id in (from tainted)
  group by all
)
select r.line, max(c.line) as earlier, bool_or(coalesce(s.line < r.line, false)) as shaky
from runs r
join counted c on c.patient_id = r.patient_id and c.provider_id = r.provider_id and c.run = r.run
              and c.line < r.line and r.day - c.day <= 6
left join shaky s on s.patient_id = r.patient_id and s.provider_id = r.provider_id and s.run = r.run
where r.length > 1
group by r.line;

create temp table as_of as
select max(timezone('$zone', latest))
from (select status, max(visit_start) as latest from visits group by status)
where term(status) in ('completed', 'arrived', 'attended', 'checkedin', 'checkedout', 'fulfilled', 'kept', 'seen');

create temp table pairs as
with near as (
  select distinct l.line, l.patient_id, l.provider_id, l.call_ids, l.named_visits, l.problems, l.diagnoses, l.day,
         l.start, l.reach, v.visit_id, v.visit_start, v.provider_id as v_provider, v.modality, term(v.status) as status,
         v.booked_at, v.originating_call_id, v.cpt_codes, v.diagnosis_codes as v_diagnoses, v.problem_id as v_problem
  from lines l join visits v on v.patient_id = l.patient_id
   and v.visit_start >= l.day - 7 and v.visit_start <= l.reach + interval 26 hours
), sound as (  -- rows that contradict each other are no visit
  select * from near qualify count(*) over (partition by line, visit_id) = 1
), words as (
  select *,
         status in ('completed', 'arrived', 'attended', 'checkedin', 'checkedout', 'fulfilled', 'kept', 'seen') as completed,
         status in ('scheduled', 'booked', 'pending', 'confirmed') as scheduled,
         status in ('cancelled', 'canceled', 'rescheduled', 'enteredinerror', 'noshow', 'noshowed', 'didnotattend', 'dna') as off,
         coalesce(codes(cpt_codes), []) as code_list,
         coalesce(list_contains(call_ids, originating_call_id), false)
           or coalesce(list_contains(named_visits, visit_id), false) as linked,
         timezone('$zone', start) as start_at, timezone('$zone', reach) as reach_at,
         timezone('$zone', visit_start) as visit_at, timezone('$zone', booked_at) as booked
  from sound
), ladder as (
  select *,
         case when linked then 'yes'
              when len(problems) > 0 and v_problem is not null
                then case when list_contains(problems, v_problem) then 'yes'
                          when list_has_any(categories(diagnoses), categories(v_diagnoses)) then 'unknown' else 'no' end
              when len(categories(diagnoses)) > 0 and len(categories(v_diagnoses)) > 0
                then case when list_has_any(categories(diagnoses), categories(v_diagnoses)) then 'yes' else 'no' end
              when provider_id = v_provider then 'yes'
              else 'unknown' end as related,
         status is null or not (completed or scheduled or off) as undone,
         status is null or completed or scheduled or off as sure,
         linked or coalesce(booked >= start_at, false) as from_call,
         visit_at <= (from as_of) as past
  from words
)
select *, coalesce(off, false) as is_off, coalesce(completed, false) or (undone and past) as kept
from ladder
where not list_contains(call_ids, visit_id)
  and not (len(code_list) > 0 and len(list_filter(code_list, lambda code: code not in ('98966', '98967', '98968'))) = 0)
  and (linked or (len(code_list) = 0 and coalesce(term(modality) not in ('phone', 'telephone', 'audio'), true))
       or len(list_filter(code_list, lambda code: is_visit(code))) > 0);

create temp table visits_found as
with outcomes as (
  select line, 'LBK001' as rule, visit_id, day - visit_start::date as gap, start_at - visit_at as elapsed,
         case when kept and related = 'yes' and sure then 'violation'
              when (kept or (scheduled and past)) and related <> 'no' then 'review' end as outcome
  from pairs where visit_at < start_at
  union all
  select line, 'LAH001', visit_id, greatest(visit_start::date - reach::date, 0),
         greatest(visit_at - reach_at, interval 0 seconds),
         case when not is_off and sure
                   and (linked or (related = 'yes' and (booked is null or from_call)) or (related <> 'no' and from_call))
                then 'violation'
              when not is_off and (related <> 'no' or from_call) then 'review'
              when is_off and from_call and related <> 'no' then 'review' end
  from pairs where visit_at between start_at and reach_at + interval 24 hours
)
select line, rule, outcome, visit_id from outcomes where outcome is not null
qualify row_number() over (partition by line, rule order by outcome desc, gap, elapsed, visit_id) = 1;

create temp table findings as
with found as (
  select line, 'DUR001' as rule, 'violation' as outcome, null as related_id from lines where minutes < 21
  union all select line, 'DUR002', 'violation', null from lines where minutes > 30
  union all select line, rule, outcome, visit_id from visits_found
  union all select r.line, 'FRQ001', case when shaky then 'review' else 'violation' end, e.claim_id
            from repeats r join lines e on e.line = r.earlier
)
select claim_id, claim_line, rule, outcome, related_id from found join lines using (line);
