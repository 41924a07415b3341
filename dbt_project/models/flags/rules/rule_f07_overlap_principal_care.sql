-- F07: CCM was paid in the month in which the practitioner was paid for principal care management.
{{ rule_on_overlapping_lines(
    rule_id='F07',
    other_families=['PCM'],
    programme='principal care management'
) }}
