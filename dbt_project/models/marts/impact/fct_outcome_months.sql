-- Outcomes of a person-month: what Medicare paid under Parts A and B by setting, and what happened. Only months in which something
-- did; every other month of an observed span is all zero. Facility claims belong to the month of their first day and count the header's
-- amount; professional and equipment claims count their lines. Cost sharing, Part D and pass-through amounts are not in it.
{{ config(materialized='view') }}
{% set settings = ['inpatient', 'outpatient', 'snf', 'hha', 'hospice', 'carrier', 'dme'] %}
{% set counts = [
    'acute_admissions', 'readmissions', 'index_discharges', 'preventable_admissions', 'preventable_acute', 'preventable_chronic',
    'preventable_diabetes', 'emergency_visits', 'observation_stays', 'primary_care_visits', 'skin_lesion_claims', 'cataract_surgeries',
    'appendicitis_admissions',
] %}
with bundle_codes as (
    select distinct hcpcs_code
    from {{ ref('clinic_bundles') }}
    where family = 'CCM'
),

line_sums as (
    select
        claim_id,
        beneficiary_id,
        claim_type,
        service_month,
        sum(coalesce(paid_usd, 0)) as paid_usd
    from {{ ref('core_claim_lines') }}
    where not is_denied
    group by claim_id, beneficiary_id, claim_type, service_month
),

facility_lines as (
    select
        claim_id,
        sum(paid_usd) as paid_usd
    from line_sums
    where claim_type not in ('carrier', 'dme')
    group by claim_id
),

spending as (
    select
        beneficiary_id,
        service_month,
        claim_type,
        paid_usd
    from line_sums
    where claim_type in ('carrier', 'dme')
    union all
    select
        claims.beneficiary_id,
        cast({{ dbt.date_trunc('month', 'claims.from_date') }} as date) as service_month,
        claims.claim_type,
        coalesce(claims.paid_usd, facility_lines.paid_usd, 0) as paid_usd
    from {{ ref('core_claims') }} as claims
    left join facility_lines on claims.claim_id = facility_lines.claim_id
    where claims.is_final and not claims.is_denied and claims.claim_type not in ('carrier', 'dme')
),

ccm_lines as (
    select
        beneficiary_id,
        service_month,
        coalesce(paid_usd, 0) as paid_usd
    from {{ ref('fct_billed_lines') }}
    where
        not is_denied
        and (
            family = 'CCM'
            or hcpcs_code in (select codes.hcpcs_code from bundle_codes as codes)
        )
),

-- One visit a person and day, whether the person went home or was admitted.
emergencies as (
    select
        lines.beneficiary_id,
        lines.from_date as visit_date
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('revenue_center_meanings') }} as centers
        on
            lines.revenue_center_code between centers.first_code and centers.last_code
            and centers.meaning = 'emergency'
            and {{ in_force('centers', 'lines.from_date') }}
    where lines.claim_type = 'outpatient' and not lines.is_denied
    union
    select
        beneficiary_id,
        admission_date as visit_date
    from {{ ref('fct_acute_stays') }}
    where came_through_emergency
),

observations as (
    select distinct
        lines.beneficiary_id,
        lines.from_date as visit_date
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('revenue_center_meanings') }} as centers
        on
            lines.revenue_center_code between centers.first_code and centers.last_code
            and centers.meaning = 'observation'
            and {{ in_force('centers', 'lines.from_date') }}
    where lines.claim_type = 'outpatient' and not lines.is_denied
),

primary_care as (
    select distinct
        beneficiary_id,
        visit_date
    from {{ ref('core_visits') }}
    where is_primary_care and source = 'claim'
),

lesions as (
    select distinct
        diagnoses.beneficiary_id,
        diagnoses.claim_id,
        diagnoses.from_date
    from {{ ref('core_diagnoses') }} as diagnoses
    inner join {{ ref('negative_control_codes') }} as codes
        on
            codes.outcome = 'skin_lesion'
            and codes.evidence = 'diagnosis'
            and diagnoses.diagnosis_code like concat(codes.code_prefix, '%')
            and {{ in_force('codes', 'diagnoses.from_date') }}
),

surgeries as (
    select distinct
        lines.beneficiary_id,
        lines.from_date
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('negative_control_codes') }} as codes
        on
            codes.outcome = 'cataract_surgery'
            and codes.evidence = 'service'
            and lines.hcpcs_code = codes.code_prefix
            and {{ in_force('codes', 'lines.from_date') }}
    where not lines.is_denied
),

events as (
    select
        beneficiary_id,
        service_month,
        'acute_admissions' as outcome
    from {{ ref('fct_acute_stays') }}
    union all
    select
        beneficiary_id,
        service_month,
        'readmissions' as outcome
    from {{ ref('fct_acute_stays') }}
    where is_readmission
    union all
    select
        beneficiary_id,
        cast({{ dbt.date_trunc('month', 'end_date') }} as date) as service_month,
        'index_discharges' as outcome
    from {{ ref('fct_acute_stays') }}
    where is_index_discharge
    {% for composite, name in [('overall', 'admissions'), ('acute', 'acute'), ('chronic', 'chronic'), ('diabetes', 'diabetes')] %}
        union all
        select
            beneficiary_id,
            service_month,
            'preventable_{{ name }}' as outcome
        from {{ ref('fct_acute_stays') }}
        where is_preventable_{{ composite }}
    {% endfor %}
    union all
    select
        beneficiary_id,
        service_month,
        'appendicitis_admissions' as outcome
    from {{ ref('fct_acute_stays') }}
    where negative_control = 'appendicitis'
    {% for relation, column, name in [
        ('emergencies', 'visit_date', 'emergency_visits'),
        ('observations', 'visit_date', 'observation_stays'),
        ('primary_care', 'visit_date', 'primary_care_visits'),
        ('lesions', 'from_date', 'skin_lesion_claims'),
        ('surgeries', 'from_date', 'cataract_surgeries'),
    ] %}
        union all
        select
            beneficiary_id,
            cast({{ dbt.date_trunc('month', column) }} as date) as service_month,
            '{{ name }}' as outcome
        from {{ relation }}
    {% endfor %}
),

paid_months as (
    select
        beneficiary_id,
        service_month,
        {% for setting in settings %}
            sum(case when claim_type = '{{ setting }}' then paid_usd else 0 end) as {{ setting }}_usd,
        {% endfor %}
        sum(paid_usd) as total_usd
    from spending
    group by beneficiary_id, service_month
),

ccm_months as (
    select
        beneficiary_id,
        service_month,
        sum(paid_usd) as ccm_usd
    from ccm_lines
    group by beneficiary_id, service_month
),

event_months as (
    select
        beneficiary_id,
        {% for name in counts %}
            sum(case when outcome = '{{ name }}' then 1 else 0 end) as {{ name }},
        {% endfor %}
        service_month
    from events
    group by beneficiary_id, service_month
)

select
    coalesce(paid_months.beneficiary_id, event_months.beneficiary_id) as beneficiary_id,
    coalesce(paid_months.service_month, event_months.service_month) as service_month,
    {% for name in counts %}
        cast(coalesce(event_months.{{ name }}, 0) as integer) as {{ name }},
    {% endfor %}
    {% for setting in settings %}
        cast(coalesce(paid_months.{{ setting }}_usd, 0) as double) as {{ 'professional' if setting == 'carrier' else setting }}_usd,
    {% endfor %}
    cast(coalesce(ccm_months.ccm_usd, 0) as double) as ccm_usd,
    cast(coalesce(paid_months.total_usd, 0) as double) as total_usd
from paid_months
full outer join event_months
    on paid_months.beneficiary_id = event_months.beneficiary_id and paid_months.service_month = event_months.service_month
left join ccm_months
    on
        coalesce(paid_months.beneficiary_id, event_months.beneficiary_id) = ccm_months.beneficiary_id
        and coalesce(paid_months.service_month, event_months.service_month) = ccm_months.service_month
