-- Paid CCM lines whose code needs time, with the minutes of the month's record that may count for that code.
with lines as (
    select
        lines.*,
        ladder.first_minute,
        ladder.block_minutes
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('time_ladder') }} as ladder
        on
            lines.hcpcs_code = ladder.hcpcs_code
            and {{ in_force('ladder', 'lines.service_month') }}
    where lines.is_ccm and lines.is_in_force
),

recorded as (
    select
        lines.*,
        coalesce(practice.keeps_time, false) or record.beneficiary_id is not null as has_record,
        coalesce(record.total_minutes, 0) as total_minutes,
        coalesce(record.practitioner_minutes, 0) as practitioner_minutes,
        cast(floor((coalesce(record.practitioner_seconds, 0) + coalesce(record.unknown_role_seconds, 0)) / 60) as integer)
            as possible_practitioner_minutes
    from lines
    left join {{ ref('core_practice_records') }} as practice on lines.practice_tin = practice.practice_tin
    left join {{ ref('fct_record_months') }} as record
        on
            lines.beneficiary_id = record.beneficiary_id
            and lines.service_month = record.service_month
            and lines.practitioner_npi = record.practitioner_npi
)

select
    subject_id,
    claim_line_id,
    beneficiary_id,
    service_month,
    practitioner_npi,
    from_date,
    hcpcs_code,
    lane,
    performed_by,
    code_role,
    units,
    units_through,
    paid_usd,
    cost_share_usd,
    first_minute,
    block_minutes,
    -- null where the practice keeps no time records: then nothing can be said about minutes
    case
        when not has_record then null
        when performed_by = 'practitioner' then practitioner_minutes
        else total_minutes
    end as counted_minutes,
    -- above counted_minutes only where time was recorded without saying who worked
    case
        when not has_record then null
        when performed_by = 'practitioner' then possible_practitioner_minutes
        else total_minutes
    end as possible_minutes
from recorded
