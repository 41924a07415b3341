-- Years of practices that were paid for CCM, and of the workers whom their records name: what a pattern is looked for in. None
-- where the rules are asked about proposed bills: a proposal makes no pattern.
with practice_years as (
    select distinct
        practice_tin,
        cast({{ dbt.date_trunc('year', 'service_month') }} as date) as year_start
    from {{ ref('subject_lines') }}
    where is_ccm and practice_tin is not null and not {{ is_about_proposals() | lower }}
),

worker_years as (
    select distinct
        time.practice_tin,
        time.staff_id,
        cast({{ dbt.date_trunc('year', 'time.service_month') }} as date) as year_start
    from {{ ref('core_care_management_time') }} as time
    where time.staff_id is not null and not time.is_voided and not {{ is_about_proposals() | lower }}
)

select
    'practice_year' as subject_kind,
    md5('practice|' || practice_tin || '|' || cast(year_start as {{ dbt.type_string() }})) as subject_id,
    year_start as service_month,
    practice_tin,
    cast(null as {{ dbt.type_string() }}) as staff_id
from practice_years

union all

select
    'worker_year' as subject_kind,
    md5(
        'worker|' || practice_tin || '|' || staff_id || '|' || cast(year_start as {{ dbt.type_string() }})
    ) as subject_id,
    year_start as service_month,
    practice_tin,
    staff_id
from worker_years
