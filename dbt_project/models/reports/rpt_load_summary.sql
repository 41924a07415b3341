-- Files of each batch: rows in, landed and quarantined. Rows, not people; but a consent or a plan is a row of one person, so small
-- counts are hidden as those of people are. What is quarantined and what is landed tell one another, and files of a batch share
-- the reasons of `quarantine_summary`: where one has something small, those with rows held back keep both numbers to themselves.
with reasons as (
    select
        batch_id,
        source_file,
        count(*) as rows
    from {{ ref('core_quarantined_rows') }}
    group by batch_id, source_file, table_name, reason
),

small_reasons as (
    select distinct
        batch_id,
        source_file
    from reasons
    where rows <= {{ largest_small_cell() }}
),

files as (
    select
        files.*,
        files.rows_in between 1 and {{ largest_small_cell() }} as is_small,
        files.rows_landed between 1 and {{ largest_small_cell() }}
        or files.rows_quarantined between 1 and {{ largest_small_cell() }}
        or small_reasons.source_file is not null as has_small_part
    from {{ ref('core_batch_files') }} as files
    left join small_reasons
        on files.batch_id = small_reasons.batch_id and files.source_file = small_reasons.source_file
),

told as (
    select
        files.*,
        files.is_small
        or files.has_small_part
        or (
            files.rows_quarantined > 0
            and max(case when files.has_small_part and files.rows_quarantined > 0 then 1 else 0 end)
                over (partition by files.batch_id)
            = 1
        ) as hides_parts
    from files
)

select
    batch_id,
    received_date,
    format,
    source_file,
    case when not is_small then rows_in end as rows_in,
    case when not hides_parts then rows_landed end as rows_landed,
    case when not hides_parts then rows_quarantined end as rows_quarantined,
    hides_parts as is_suppressed
from told
