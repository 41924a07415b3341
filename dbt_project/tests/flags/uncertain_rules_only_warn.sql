-- A rule on recalled facts, a same-day edit, a proxy or an assumption warns and never denies; so does such a finding.
select
    rule_id,
    cast(null as {{ dbt.type_string() }}) as finding_id
from {{ ref('rule_catalogue') }}
where
    (confidence = 'recalled' or rests_on != 'rule' or certainty = 'warning_only')
    and (severity not in ('warning', 'information') or certainty != 'warning_only')

union all

select
    findings.rule_id,
    findings.finding_id
from {{ ref('findings') }} as findings
inner join {{ ref('rule_results') }} as results
    on findings.rule_id = results.rule_id and findings.subject_id = results.subject_id
where
    not results.is_certain
    and findings.review_state != 'closed'
    and (findings.severity not in ('warning', 'information') or findings.certainty != 'warning_only')
