-- F04: CCM was paid in the month in which the practitioner was paid for home-health or hospice care-plan oversight.
{{ rule_on_overlapping_lines(
    rule_id='F04',
    other_families=['CPO'],
    programme='home-health or hospice care-plan oversight'
) }}
