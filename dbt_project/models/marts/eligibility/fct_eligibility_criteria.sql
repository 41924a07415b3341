-- Every criterion of every person-month with what was observed and what is required: the long form of eligibility_months.
{{ config(materialized='view') }}
{% set told = {
    'programme_in_force': ("case when programme_in_force_status = 'pass' then 'payable' else 'not payable' end", "'payable'"),
    'part_b': ("case part_b_status when 'pass' then 'enrolled' when 'fail' then 'not enrolled' else 'not stated' end", "'enrolled'"),
    'fee_for_service': (
        "case fee_for_service_status when 'pass' then 'fee-for-service' when 'fail' then 'Medicare Advantage' else 'not stated' end",
        "'fee-for-service'"),
    'alive': ("case when alive_status = 'pass' then 'alive on the first' else 'died before the month' end", "'alive on the first'"),
    'two_conditions': ("concat_ws('', condition_count, ' (', definition, ')')", "concat_ws('', 'at least ', conditions_required)"),
    'not_institutionalised_all_month': (
        "concat_ws('', stay_days, ' of ', days_in_month, ' days in a stay')", "'fewer days than the month has'"),
    'no_esrd_capitation': ("concat_ws('', esrd_lines, ' capitation lines')", "'none'"),
    'no_hospice_conflict': ("case when is_in_hospice then 'hospice elected' else 'no hospice' end", "'no hospice'"),
    'initiating_visit': (
        "coalesce(cast(last_initiating_visit_date as " ~ dbt.type_string() ~ "), 'no visit')", "'a qualifying visit in the months before'"),
    'consent': ("coalesce(cast(consent_date as " ~ dbt.type_string() ~ "), 'no consent on record')", "'consent by the end of the month'"),
    'care_plan': ("coalesce(cast(care_plan_date as " ~ dbt.type_string() ~ "), 'no plan on record')", "'a plan made or revised within a year'"),
} %}
{% for name, (observed, required) in told.items() %}
    select
        beneficiary_id,
        service_month,
        {{ loop.index }} as criterion_order,
        '{{ name }}' as criterion,
        {{ name }}_status as status,
        {{ observed }} as observed,
        {{ required }} as required
    from {{ ref('eligibility_months') }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
