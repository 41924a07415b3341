-- F05: CCM was paid in the month in which the practitioner was paid the monthly or daily dialysis capitation.
{{ rule_on_overlapping_lines(
    rule_id='F05',
    other_families=['ESRD_MONTHLY', 'ESRD_DAILY'],
    programme='dialysis capitation'
) }}
