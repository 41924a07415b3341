{# The way from enrolled to paid, in order: code, what the step says, what its criterion says (eligibility steps only) and
   its rank: 1 and 2 make the short funnel; where neighbours are too close to be shown together, the lower rank stays. The criteria
   of eligibility stand in their own order of attrition, each a step of its own. #}
{% macro funnel_steps() %}
{%- set criteria = screen_criteria() %}
{%- set says = {
    'programme_in_force': 'Medicare pays for care management',
    'part_b': 'Enrolled in Part B',
    'fee_for_service': 'Fee-for-service, not Medicare Advantage',
    'alive': 'Alive on the first of the month',
    'two_conditions': 'Two or more chronic conditions',
    'not_institutionalised_all_month': 'Not in a facility all month',
    'no_esrd_capitation': 'No monthly dialysis capitation',
    'no_hospice_conflict': 'No hospice election',
} %}
{%- set steps = [('enrolled', 'Enrolled in Medicare', none, 1)] %}
{%- for name in criteria -%}
    {%- set is_last_before_conditions = criteria[loop.index] == 'two_conditions' if not loop.last else false -%}
    {%- set step_says = 'Alive, in Part B and fee-for-service' if is_last_before_conditions
        else ('Eligible on claims' if loop.last else says[name]) -%}
    {%- do steps.append((name, step_says, says[name], 1 if loop.last else (2 if is_last_before_conditions or name == 'two_conditions' else 3))) -%}
{%- endfor -%}
{%- for step in [
    ('practice', 'Has a primary-care practice'),
    ('providing', 'Practice provides care management'),
    ('served', 'Served: time recorded or billed'),
    ('reached', 'Record or bill reaches a code'),
    ('billed', 'Billed'),
    ('paid', 'Paid'),
] -%}{%- do steps.append((step[0], step[1], none, 1 if step[0] == 'billed' else 2)) -%}{%- endfor -%}
{{ return(steps) }}
{% endmacro %}

{# The number of a step by its code, from 1. #}
{% macro funnel_step(code) %}
{%- for step in funnel_steps() -%}
    {%- if step[0] == code -%}{{ return(loop.index) }}{%- endif -%}
{%- endfor -%}
{{ exceptions.raise_compiler_error('no funnel step ' ~ code) }}
{% endmacro %}

{# Every capture state with the last funnel step that can still count its people. #}
{% macro capture_state_steps() %}
{%- set last_criterion = funnel_step('practice') - 1 %}
{{ return([
    ('not_eligible', last_criterion - 1),
    ('eligibility_not_assessable', last_criterion - 1),
    ('eligible_not_served', funnel_step('served') - 1),
    ('served_below_threshold', funnel_step('served')),
    ('billable_not_billed', funnel_step('reached')),
    ('billed_below_record', funnel_step('paid')),
    ('billed_as_supported', funnel_step('paid')),
    ('billed_beyond_record', funnel_step('paid')),
    ('billed_record_missing', funnel_step('paid')),
]) }}
{% endmacro %}
