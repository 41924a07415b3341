{# One of four statuses, never null: 'not_applicable', 'fail', 'pass', 'cannot_assess'.

   Each argument is a boolean SQL expression; a null or false one says nothing, so input that is missing ends
   in 'cannot_assess' unless a caller decides otherwise in its own expression. `fail` is looked at before
   `pass`: where both hold, the doubt is not resolved in favour of the bill. Pass the two as complements
   (`x >= y` and `x < y`), never `fail` as "anything else", so that a missing value cannot read as a failure. #}
{% macro rule_status(pass, fail, not_applicable="false") -%}
case
    when {{ not_applicable }} then 'not_applicable'
    when {{ fail }} then 'fail'
    when {{ pass }} then 'pass'
    else 'cannot_assess'
end
{%- endmacro %}
