-- F49: more was allowed for a service than the fee schedule of its day gives.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F49'
),

-- Certain is what lies above every price of the known locality: any setting, either factor, the whole share. Above the price of
-- setting, factor and credential it only warns, for these rest on recalled facts; so does what no locality could give.
priced as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.allowed_usd,
        lines.paid_usd,
        lines.cost_share_usd,
        payments.price_basis = 'locality' as is_locality_known,
        payments.locality_ceiling_usd,
        payments.ceiling_anywhere_usd,
        case when payments.price_basis = 'locality' then payments.expected_allowed_usd end as expected_usd,
        lines.units * tolerances.usd_per_unit as tolerance_usd,
        -- the price outside a facility, billed in one, is another rule's
        coalesce(
            lines.setting = 'facility'
            and (
                abs(lines.allowed_usd - lines.units * payments.unit_nonfacility_usd)
                <= lines.units * tolerances.usd_per_unit
                or abs(
                    lines.allowed_usd
                    - lines.units * payments.unit_nonfacility_usd * payments.percent_of_schedule / 100.0
                ) <= lines.units * tolerances.usd_per_unit
            ),
            false
        ) as is_office_price_in_facility
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('fct_line_payments') }} as payments on lines.claim_line_id = payments.claim_line_id
    inner join {{ ref('payment_tolerances') }} as tolerances
        on tolerances.tolerance = 'rounding' and {{ in_force('tolerances', 'lines.from_date') }}
    where
        lines.claim_type = 'carrier'
        and lines.units > 0
        and payments.price_basis in ('locality', 'national')
),

judged as (
    select
        *,
        coalesce(is_locality_known and allowed_usd > locality_ceiling_usd + tolerance_usd, false) as is_above_every_price,
        coalesce(allowed_usd > ceiling_anywhere_usd + tolerance_usd, false)
        or coalesce(
            allowed_usd > expected_usd + tolerance_usd and not is_office_price_in_facility, false
        ) as is_above,
        case
            when is_locality_known and allowed_usd > locality_ceiling_usd + tolerance_usd then locality_ceiling_usd
            else coalesce(expected_usd, ceiling_anywhere_usd)
        end as limit_usd
    from priced
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd * greatest(0, allowed_usd - limit_usd) / allowed_usd as amount_usd,
        cost_share_usd * greatest(0, allowed_usd - limit_usd) / allowed_usd as cost_share_usd
    from judged
    where is_above or is_above_every_price
),

counted as (
    select
        subject_id,
        bool_or(is_above or is_above_every_price) as has_above,
        bool_or(is_above_every_price) as is_certain,
        bool_and(is_locality_known and allowed_usd is not null) as is_all_known,
        max(case when is_above or is_above_every_price then allowed_usd - limit_usd end) as above_usd,
        max_by(hcpcs_code, case when is_above or is_above_every_price then allowed_usd - limit_usd end) as hcpcs_code
    from judged
    group by subject_id
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.has_above',
            pass='not counted.has_above and counted.is_all_known'
        ) }} as status,
        case
            when counted.has_above
                then concat(
                    counted.hcpcs_code, ' ', cast(cast(counted.above_usd as decimal(12, 2)) as {{ dbt.type_string() }}),
                    ' USD above the schedule'
                )
            when counted.is_all_known then 'no amount above the schedule'
            else 'locality or amount not known'
        end as observed,
        'no more than the price of code, day, locality and setting' as required,
        coalesce(counted.is_certain, false) as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
