-- What could still be billed: every month whose record supports more than was billed, and what the rules say of that bill. Built
-- after the rules were asked about proposals; a month that any rule objects to is held back, never recommended.
{{ config(tags=['proposals']) }}
with proposed as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        {{ list_agg_distinct("concat(hcpcs_code, 'x', cast(cast(units as integer) as " ~ dbt.type_string() ~ "))") }} as codes
    from {{ ref('fct_proposed_lines') }}
    group by beneficiary_id, service_month, practitioner_npi
),

judged as (
    select
        results.beneficiary_id,
        results.service_month,
        results.practitioner_npi,
        {{ list_agg_distinct("case when results.status = 'fail' then results.rule_id end") }} as objections,
        -- a table that few deliver holds no bill up where it is missing
        {{ list_agg_distinct("case
            when results.status = 'cannot_assess' and catalogue.optional_evidence = 'none' then results.rule_id end") }} as open_questions,
        count(*) as rules_asked
    from {{ ref('rule_results') }} as results
    inner join {{ ref('rule_catalogue') }} as catalogue on results.rule_id = catalogue.rule_id
    -- what is only told (a bill below its record) is no objection
    where catalogue.severity != 'information'
    group by results.beneficiary_id, results.service_month, results.practitioner_npi
)

select
    capture.practice_id,
    capture.practitioner_npi,
    capture.beneficiary_id,
    capture.service_month,
    capture.state,
    proposed.codes,
    capture.billed_codes,
    capture.gap_usd,
    case
        when judged.rules_asked is null then 'to_be_checked'
        when judged.objections is not null then 'held_back'
        when judged.open_questions is not null then 'to_be_checked'
        else 'ready'
    end as proposal,
    coalesce(judged.objections, {{ empty_list() }}) as objections,
    coalesce(judged.open_questions, {{ empty_list() }}) as open_questions
from proposed
inner join {{ ref('capture_months') }} as capture
    on
        proposed.beneficiary_id = capture.beneficiary_id
        and proposed.service_month = capture.service_month
left join judged
    on
        proposed.beneficiary_id = judged.beneficiary_id
        and proposed.service_month = judged.service_month
        and proposed.practitioner_npi = judged.practitioner_npi
