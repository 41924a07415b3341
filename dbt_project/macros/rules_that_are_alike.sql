{# Whole rules whose SQL differs in names only. A rule file says which of these it is, about what, and how sure it is of it. #}

{# A bill stands only with minutes that should not have counted, those of one `reason` of borrowed_minutes.

   required      what the record would have to hold
   is_certain    whether the reason denies or only warns
   of_lines      predicate over timed_lines (alias `lines`): which lines the rule is about
   needs_clock   entries without the hour or the worker cannot show such minutes: without them nothing is known #}
{% macro rule_on_borrowed_minutes(rule_id, reason, required, is_certain=true, of_lines=none, needs_clock=false) -%}
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = '{{ rule_id }}'
),

lines as (
    select lines.*
    from {{ ref('timed_lines') }} as lines
    {%- if of_lines %}
    where {{ of_lines }}
    {%- endif %}
),

borrowed as (
    select *
    from {{ ref('borrowed_minutes') }}
    where reason = '{{ reason }}' and needs_them
),

{% if needs_clock -%}
clocks as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        bool_and(staff_id is not null and started_at != {{ dbt.date_trunc('day', 'started_at') }}) as is_clocked
    from {{ ref('fct_care_activities') }}
    where not_counted_reason is null
    group by beneficiary_id, service_month, practitioner_npi
),

{% endif -%}
counted as (
    select
        lines.subject_id,
        count(borrowed.claim_line_id) as borrowing_lines,
        bool_and(lines.counted_minutes is not null{{ ' and coalesce(clocks.is_clocked, true)' if needs_clock else '' }}) as is_known,
        max(borrowed.minutes_with) as minutes_with,
        min(borrowed.minutes_without) as minutes_without
    from lines
    left join borrowed on lines.claim_line_id = borrowed.claim_line_id
    {%- if needs_clock %}
    left join clocks
        on
            lines.beneficiary_id = clocks.beneficiary_id
            and lines.service_month = clocks.service_month
            and lines.practitioner_npi = clocks.practitioner_npi
    {%- endif %}
    group by lines.subject_id
),

at_fault as (
    select
        borrowed.subject_id,
        borrowed.claim_line_id,
        borrowed.amount_usd,
        borrowed.cost_share_usd
    from borrowed
    inner join lines on borrowed.claim_line_id = lines.claim_line_id
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.borrowing_lines > 0',
            pass='counted.borrowing_lines = 0 and counted.is_known'
        ) }} as status,
        case
            when counted.borrowing_lines > 0
                then
                    cast(counted.minutes_with as {{ dbt.type_string() }}) || ' minutes, '
                    || cast(counted.minutes_without as {{ dbt.type_string() }}) || ' without them'
            when counted.is_known then 'no bill needs them'
            else 'not known from the record'
        end as observed,
        '{{ required }}' as required,
        {{ is_certain | lower }} as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
{%- endmacro %}

{# A base code was paid in a month in which the practitioner was paid for another programme (overlapping_lines).

   other_families   families of that programme
   programme        its name in words
   of_ccm_only      whether base codes of CCM alone are asked about, or those of every family the rule names #}
{% macro rule_on_overlapping_lines(rule_id, other_families, programme, of_ccm_only=true) -%}
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = '{{ rule_id }}'
),

overlapping as (
    select *
    from {{ ref('overlapping_lines') }}
    where other_family in ('{{ other_families | join("', '") }}')
),

counted as (
    select
        base_lines.subject_id,
        count(distinct overlapping.other_claim_line_id) as other_lines,
        coalesce(bool_or(overlapping.is_certain), true) as is_certain
    from {{ ref('subject_lines') }} as base_lines
    left join overlapping on base_lines.claim_line_id = overlapping.claim_line_id
    where base_lines.code_role = 'base'{{ ' and base_lines.is_ccm' if of_ccm_only else '' }}
    group by base_lines.subject_id
),

at_fault as (
    select distinct
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from overlapping
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from overlapping
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.other_lines is null',
            fail='counted.other_lines > 0',
            pass='counted.other_lines = 0'
        ) }} as status,
        cast(counted.other_lines as {{ dbt.type_string() }}) || ' line(s) of {{ programme }}' as observed,
        'no line of {{ programme }}' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
{%- endmacro %}

{# Codes of one `conflict_group` of the policy rows `pairs` that exclude each other were paid to one practitioner in a month. #}
{% macro rule_on_exclusive_codes(rule_id, conflict_group, pairs) -%}
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = '{{ rule_id }}'
),

pairs as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.paid_usd,
        lines.cost_share_usd,
        other_lines.claim_line_id as other_claim_line_id,
        other_lines.hcpcs_code as other_hcpcs_code
    from {{ ref('subject_lines') }} as lines
    inner join {{ pairs }} as pair
        on
            lines.hcpcs_code = pair.hcpcs_code
            and pair.conflict_group = '{{ conflict_group }}'
            and {{ in_force('pair', 'lines.service_month') }}
    inner join {{ ref('subject_lines') }} as other_lines
        on
            lines.subject_id = other_lines.subject_id
            and pair.other_hcpcs_code = other_lines.hcpcs_code
),

counted as (
    select
        subject_id,
        min(hcpcs_code) || ' beside ' || min(other_hcpcs_code) as observed
    from pairs
    group by subject_id
),

at_fault as (
    select distinct
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from pairs
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from pairs
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            fail='counted.subject_id is not null',
            pass='counted.subject_id is null'
        ) }} as status,
        coalesce(counted.observed, 'no codes that exclude each other') as observed,
        'one code or the other' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
{%- endmacro %}
