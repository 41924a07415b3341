{# Intervals of one group that overlap, or that touch and should have been merged. #}
{% test intervals_stay_apart(model, group_columns) %}
select *
from (
    select
        *,
        lag(end_date) over (partition by {{ group_columns | join(', ') }} order by start_date) as previous_end_date
    from {{ model }}
)
where start_date <= previous_end_date + 1 or end_date < start_date
{% endtest %}
