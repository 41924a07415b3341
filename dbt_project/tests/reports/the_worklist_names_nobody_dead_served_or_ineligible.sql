-- Candidates of the worklist who must not be on it, from core and marts without the candidates' own steps.
with last_month as (
    select max(service_month) as service_month
    from {{ ref('core_person_months') }}
)

select
    listed.practice_id,
    listed.rule_rank
from {{ ref('int_worklist_candidates') }} as listed
cross join last_month
left join {{ ref('eligibility_months') }} as eligibility
    on
        listed.beneficiary_id = eligibility.beneficiary_id
        and last_month.service_month = eligibility.service_month
left join {{ ref('core_beneficiaries') }} as beneficiaries
    on listed.beneficiary_id = beneficiaries.beneficiary_id
left join {{ ref('fct_attribution_months') }} as attributed
    on
        listed.beneficiary_id = attributed.beneficiary_id
        and last_month.service_month = attributed.service_month
where
    eligibility.screen_eligible is distinct from true
    or beneficiaries.death_date is not null
    or attributed.practice_tin is distinct from listed.practice_id
    or listed.beneficiary_id in (
        select billed.beneficiary_id
        from {{ ref('fct_billed_lines') }} as billed
        cross join last_month as latest
        where
            billed.family in ('CCM', 'PCM', 'APCM', 'RHC_FQHC')
            and billed.service_month > cast({{ dbt.dateadd('month', -12, 'latest.service_month') }} as date)
    )
    or listed.beneficiary_id in (
        select records.beneficiary_id
        from {{ ref('fct_record_months') }} as records
        cross join last_month as latest
        where records.service_month > cast({{ dbt.dateadd('month', -12, 'latest.service_month') }} as date)
    )
