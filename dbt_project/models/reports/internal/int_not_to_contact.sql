-- People whom no worklist may name: a request not to be contacted stands on the run's as_of, or the last status that a practice noted on
-- its worklist says so. Whose list it was does not matter: the wish is the person's.
with last_notes as (
    select
        coalesce(ids.beneficiary_id, notes.beneficiary_id) as beneficiary_id,
        notes.keeps_off
    from {{ source('practice_notes', 'worklist_notes') }} as notes
    left join {{ ref('core_beneficiary_ids') }} as ids on notes.beneficiary_id = ids.delivered_id
    qualify row_number() over (partition by notes.practice_id, notes.beneficiary_id order by notes.note_number desc) = 1
)

select beneficiary_id
from {{ ref('core_do_not_contact') }}
where
    since_date <= cast('{{ var("as_of") }}' as date)
    and coalesce(until_date >= cast('{{ var("as_of") }}' as date), true)
union
select beneficiary_id
from last_notes
where keeps_off
