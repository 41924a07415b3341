-- F37: a service in a facility was paid the price of one outside.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F37'
),

-- Without the locality an amount tells its price only where it is one of the two national ones to the cent.
priced as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.allowed_usd,
        lines.paid_usd,
        lines.cost_share_usd,
        payments.price_basis = 'locality' as is_locality_known,
        lines.units * payments.unit_nonfacility_usd as office_usd,
        lines.units * payments.unit_nonfacility_usd * payments.percent_of_schedule / 100.0 as office_share_usd,
        lines.units * payments.unit_facility_usd as facility_usd,
        lines.units * payments.unit_facility_usd * payments.percent_of_schedule / 100.0 as facility_share_usd,
        lines.units * tolerances.usd_per_unit as tolerance_usd
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('fct_line_payments') }} as payments on lines.claim_line_id = payments.claim_line_id
    inner join {{ ref('payment_tolerances') }} as tolerances
        on tolerances.tolerance = 'rounding' and {{ in_force('tolerances', 'lines.from_date') }}
    where
        lines.claim_type = 'carrier'
        and lines.setting = 'facility'
        and lines.units > 0
        -- where both prices are one, nothing could be told
        and payments.unit_facility_usd < payments.unit_nonfacility_usd
),

judged as (
    select
        *,
        abs(allowed_usd - office_usd) <= tolerance_usd
        or abs(allowed_usd - office_share_usd) <= tolerance_usd as is_office_price,
        is_locality_known
        or abs(allowed_usd - facility_usd) <= tolerance_usd
        or abs(allowed_usd - facility_share_usd) <= tolerance_usd as is_told
    from priced
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd * greatest(0, allowed_usd - facility_usd) / nullif(allowed_usd, 0) as amount_usd,
        cost_share_usd * greatest(0, allowed_usd - facility_usd) / nullif(allowed_usd, 0) as cost_share_usd
    from judged
    where is_office_price
),

counted as (
    select
        subject_id,
        coalesce(bool_or(is_office_price), false) as has_office_price,
        bool_and(coalesce(is_told and allowed_usd is not null, false)) as is_all_told,
        min(case when is_office_price then hcpcs_code end) as hcpcs_code
    from judged
    group by subject_id
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.has_office_price',
            pass='not counted.has_office_price and counted.is_all_told'
        ) }} as status,
        case
            when counted.has_office_price then concat(counted.hcpcs_code, ' at the price outside a facility')
            when counted.is_all_told then 'no price outside a facility'
            else 'prices that cannot be told'
        end as observed,
        'the price of the place of service' as required,
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
