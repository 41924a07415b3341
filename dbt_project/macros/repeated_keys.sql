{# Keys in more than one row. One number a row is held while they are looked for, not the keys, which are text and of the largest tables
   more than memory; only rows whose numbers meet are compared by the keys themselves. #}
{% macro repeated_keys(relation, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ relation }} as asked
where
    {{ row_hash(columns) }} in (
        select {{ row_hash(columns) }} as key_hash
        from {{ relation }} as hashed
        group by 1
        having count(*) > 1
    )
group by {{ columns | join(', ') }}
having count(*) > 1
{% endmacro %}
