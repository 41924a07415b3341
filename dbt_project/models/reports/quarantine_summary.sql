-- Rows that broke the contract, by batch, table and reason, and how many of them have come in since. Small counts of rows are
-- hidden, as a row can be of one person.
with counted as (
    select
        batch_id,
        table_name,
        reason,
        count(*) as rows,
        count(resolved_date) as rows_resolved
    from {{ ref('core_quarantined_rows') }}
    group by batch_id, table_name, reason
)

select
    batch_id,
    table_name,
    reason,
    case when rows > {{ largest_small_cell() }} then rows end as rows,
    case
        when
            rows > {{ largest_small_cell() }}
            and rows_resolved not between 1 and {{ largest_small_cell() }}
            and rows - rows_resolved not between 1 and {{ largest_small_cell() }}
            then rows_resolved
    end as rows_resolved,
    rows <= {{ largest_small_cell() }} as is_suppressed
from counted
